//! Bearer tokens: what `aws eks get-token` prints, and what other programs print in its place.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::random::Random;

/// The server's partition with a region of it, and hosts that clients of it use.
const SERVERS: [(&str, &str, &[&str]); 9] = [
    (
        "aws",
        "eu-west-1",
        &[
            "sts.eu-west-1.amazonaws.com",
            "sts.us-west-2.amazonaws.com",
            "sts.amazonaws.com",
            "sts-fips.us-east-1.amazonaws.com",
            "sts.eu-west-1.api.aws",
            "sts-fips.us-east-1.api.aws",
        ],
    ),
    ("aws", "", &["sts.eu-west-1.amazonaws.com", "sts.not-a-region.amazonaws.com"]),
    (
        "aws-us-gov",
        "us-gov-west-1",
        &[
            "sts.us-gov-west-1.amazonaws.com",
            "sts-fips.us-gov-west-1.amazonaws.com",
            "sts.us-gov-west-1.api.aws",
            "sts.us-gov-north-9.amazonaws.com",
            "sts.us-gov-north-9.api.aws",
        ],
    ),
    (
        "aws-cn",
        "cn-north-1",
        &[
            "sts.cn-north-1.amazonaws.com.cn",
            "sts-fips.cn-north-1.amazonaws.com.cn",
            "sts.cn-north-1.api.amazonwebservices.com.cn",
            "sts.cn-north-1.amazonaws.com",
            "sts.cn-new-7.amazonaws.com.cn",
        ],
    ),
    (
        "aws-eusc",
        "eusc-de-east-1",
        &[
            "sts.eusc-de-east-1.amazonaws.eu",
            "sts.eusc-de-east-1.api.amazonwebservices.eu",
            "sts-fips.eusc-de-east-1.api.amazonwebservices.eu",
            "sts.eusc-de-east-1.amazonaws.com",
        ],
    ),
    (
        "aws-iso",
        "us-iso-east-1",
        &[
            "sts.us-iso-east-1.c2s.ic.gov",
            "sts-fips.us-iso-east-1.c2s.ic.gov",
            "sts.us-iso-east-1.api.aws",
            "sts.us-iso-west-1.c2s.ic.gov",
        ],
    ),
    ("aws-iso-b", "us-isob-east-1", &["sts.us-isob-east-1.sc2s.sgov.gov", "sts-fips.us-isob-east-1.sc2s.sgov.gov"]),
    ("aws-iso-e", "eu-isoe-west-1", &["sts.eu-isoe-west-1.cloud.adc-e.uk", "sts-fips.eu-isoe-west-1.cloud.adc-e.uk"]),
    ("aws-iso-f", "us-isof-south-1", &["sts.us-isof-south-1.csp.hci.ic.gov", "sts-fips.us-isof-east-1.csp.hci.ic.gov"]),
];

const ODD_HOSTS: [&str; 34] = [
    "",
    "localhost",
    "localhost:4566",
    "example.com",
    "sts.example.com",
    "sts.us_west_2.amazonaws.com",
    "sts..amazonaws.com",
    "sts.-a.amazonaws.com",
    "sts.a-.amazonaws.com",
    "STS.eu-west-1.amazonaws.com",
    "sts.EU-WEST-1.amazonaws.com",
    "sts.eu-west-1.amazonaws.com:443",
    "sts.eu-west-1.amazonaws.com.",
    "iam.eu-west-1.amazonaws.com",
    "vpce-0123456789abcdef0-abcdefgh.sts.eu-west-1.vpce.amazonaws.com",
    "sts.eu-west-1.amazonaws.com.evil.example",
    "sts.eu-west-1.amazonaws.com.cn",
    "sts.amazonaws.com.cn",
    "sts.global.amazonaws.com",
    "sts.aws-global.amazonaws.com",
    "sts.eu-west-1.amazonaws.eu",
    "user@sts.eu-west-1.amazonaws.com",
    "user:pw@sts.eu-west-1.amazonaws.com",
    "sts.eu west.amazonaws.com",
    "sts.eu%2Dwest-1.amazonaws.com",
    "[::1]",
    "[::1",
    "10.0.0.1",
    "sts.eu-west-1.amazonaws.com:x",
    "sts.eu-west-1.amazonaws.com:",
    "sts.\u{e9}u.amazonaws.com",
    "sts.eu-west-1.api.aws:443",
    "sts-fips.eu-west-1.amazonaws.com",
    "sts.me-central-1.amazonaws.com",
];

const EXPIRES: [&str; 17] = [
    "0",
    "900",
    "901",
    "-1",
    "-0",
    "+60",
    "060",
    "0x10",
    "6_0",
    "1e2",
    "60.0",
    "",
    "x",
    " 60",
    "9999999999999999999",
    "-9999999999999999999",
    "\u{ff16}",
];

/// Dates, most of them near the moment of the question, 10:00 on 21 November 2026.
const DATES: [&str; 36] = [
    "20261121T100000Z",
    "20261121T095900Z",
    "20261121T095900Z",
    "20261121T094500Z",
    "20261121T094501Z",
    "20261121T094459Z",
    "20261121T094458Z",
    "20261121T101500Z",
    "20261121T230000Z",
    "20261121T000000Z",
    "19700101T000000Z",
    "99991231T235959Z",
    "20261121T095900.5Z",
    "20261121T095900,25Z",
    "20261121T095900.Z",
    "20261121T0959Z",
    "20261121T095900",
    "20261121T095900+0000",
    "20261121t095900z",
    "2026-11-21T09:59:00Z",
    "20261131T095900Z",
    "20270229T095900Z",
    "20280229T095900Z",
    "20261321T095900Z",
    "20261100T095900Z",
    "20261121T240000Z",
    "20261121T095960Z",
    "20261121T096000Z",
    "20261121 095900Z",
    "20261121T095900ZZ",
    " 20261121T095900Z",
    "",
    "x",
    "2026112",
    "20261121T095900.1234567891234Z",
    "\u{ff12}0261121T095900Z",
];

const ODD_HEADERS: [&str; 9] = [
    "host;x-k8s-aws-id",
    "host",
    "X-K8S-AWS-ID",
    "host%3B%20x-k8s-aws-id",
    "host%3Bx-k8s-aws-id%3Bx-other",
    "x-\u{212a}8s-aws-id",
    "x-k8%C5%BF-aws-id",
    "",
    "x-k8s-aws-id",
];

const MORE_PARAMETERS: [(&str, &str); 14] = [
    ("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD"),
    ("x-amz-user-agent", "aws-sdk"),
    ("action", "GetCallerIdentity"),
    ("Action", "GetCallerIdentity"),
    ("Version", "2011-06-15"),
    ("X-Amz-Expires", "60"),
    ("X-Amz-Security-Token", ""),
    ("X-Amz-Foo", ""),
    ("", ""),
    ("X-Amz-Date ", "x"),
    ("x-amz-signature", "00"),
    ("\u{212a}", "x"),
    ("DurationSeconds", "900"),
    ("x-amz-date", "20261121T095900Z"),
];

const ANSWERS: [(u16, &str); 14] = [
    (403, r#"{"Error":{"Code":"SignatureDoesNotMatch","Message":"...","Type":"Sender"},"RequestId":"r"}"#),
    (403, r#"{"Error":{"Code":"ExpiredToken","Message":"...","Type":"Sender"},"RequestId":"r"}"#),
    (403, r#"{"Error":{"Code":"InvalidClientTokenId","Message":"...","Type":"Sender"},"RequestId":"r"}"#),
    (400, r#"{"Error":{"Code":"Throttling","Message":"Rate exceeded","Type":"Sender"},"RequestId":"r"}"#),
    (503, "Throttling"),
    (500, "throttling"),
    (302, " "),
    (
        200,
        r#"{"GetCallerIdentityResponse":{"GetCallerIdentityResult":{"Account":"111122223333","Arn":"arn:aws:sts::111122223333:assumed-role/KubeAdmin/alice","UserId":"AROAEXAMPLE:alice"}}}"#,
    ),
    (
        200,
        r#"{"GetCallerIdentityResponse":{"GetCallerIdentityResult":{"Account":"111122223333","Arn":"arn:aws:sts::111122223333:assumed-role/KubeAdmin/alice","UserId":"AROAEXAMPLE"}}}"#,
    ),
    (
        200,
        r#"{"GetCallerIdentityResponse":{"GetCallerIdentityResult":{"Account":"111122223333","Arn":"arn:aws:sts::111122223333:assumed-role/KubeAdmin/a:b","UserId":"AROAEXAMPLE:a:b"}}}"#,
    ),
    (
        200,
        r#"{"GetCallerIdentityResponse":{"GetCallerIdentityResult":{"Account":"111122223333","Arn":"arn:aws:sts::111122223333:federated-user/bob","UserId":"111122223333:bob"}}}"#,
    ),
    (
        200,
        r#"{"GetCallerIdentityResponse":{"GetCallerIdentityResult":{"Account":"111122223333","Arn":"arn:aws:iam::111122223333:root","UserId":"111122223333"}}}"#,
    ),
    (
        200,
        r#"{"GetCallerIdentityResponse":{"GetCallerIdentityResult":{"Account":"111122223333","Arn":"arn:aws:iam::111122223333:group/admins","UserId":"AGPAEXAMPLE"}}}"#,
    ),
    (200, "{}"),
];

/// One question about a token.
pub(crate) fn question(random: &mut Random) -> Value {
    random.author(12);
    let (partition, region, hosts) = random.pick(&SERVERS);
    let now = random.pick(&[
        "2026-11-21T10:00:00Z",
        "2026-11-21T10:00:00Z",
        "2026-11-21T10:00:00Z",
        "2026-11-21T10:00:00.000000001Z",
        "2027-01-01T00:00:00Z",
    ]);
    let url = url(random, hosts);
    let mut question = json!({ "kind": "token", "token": token(random, &url), "partition": partition, "serverRegion": region, "now": now });
    if random.percent(15) {
        let (status, body) = random.pick(&ANSWERS);
        question["stsStatus"] = status.into();
        question["stsBody"] = body.into();
    }
    question
}

fn url(random: &mut Random, hosts: &[&'static str]) -> String {
    let host = match random.mishap(20) {
        true if random.percent(75) => random.pick(&ODD_HOSTS),
        true => {
            let (_, _, others) = random.pick(&SERVERS);
            random.pick(others)
        }
        false => random.pick(hosts),
    };
    let scheme = if !random.mishap(8) {
        "https://"
    } else {
        random.pick(&["http://", "HTTPS://", "https:/", "https:", "//", "", "ftp://", "1https://", " https://"])
    };
    let path =
        if !random.mishap(6) { "/" } else { random.pick(&["", "//", "/x", "/%2F", "/%zz", "/.", "/ ", "/?", "/#"]) };
    let tail = if !random.mishap(6) {
        ""
    } else {
        random.pick(&["#f", "#", "&", "&&", "\n", " ", "\u{7f}", "#%zz", "%", "&;"])
    };
    format!("{scheme}{host}{path}?{}{tail}", query(random))
}

fn query(random: &mut Random) -> String {
    let token =
        "F".repeat(if random.mishap(8) { random.pick(&[2400, 2600, 2700, 4000]) } else { random.pick(&[0, 20, 600]) });
    let headers = if random.mishap(15) { random.pick(&ODD_HEADERS) } else { "host%3Bx-k8s-aws-id" };
    let date = if random.mishap(25) { random.pick(&DATES) } else { "20261121T095900Z" };
    let expires = if random.mishap(15) { random.pick(&EXPIRES) } else { "60" };
    let mut parameters: Vec<(String, String)> = [
        (
            "Action",
            if !random.mishap(6) {
                "GetCallerIdentity"
            } else {
                random.pick(&["getcalleridentity", "AssumeRole", "", "GetCallerIdentity%20"])
            },
        ),
        ("Version", "2011-06-15"),
        ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
        (
            "X-Amz-Credential",
            random.pick(&[
                "ASIAEXAMPLEKEY000001%2F20261121%2Feu-west-1%2Fsts%2Faws4_request",
                "AKIAEXAMPLE",
                "",
                "%2F",
            ]),
        ),
        ("X-Amz-Date", date),
        ("X-Amz-Expires", expires),
        ("X-Amz-SignedHeaders", headers),
        ("X-Amz-Security-Token", &token),
        ("X-Amz-Signature", "00ff"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec();
    let change = if random.mishap(40) { random.below(4) } else { 4 };
    match change {
        0 => drop(parameters.remove(random.below(9))),
        1 => {
            let (name, value) = random.pick(&MORE_PARAMETERS);
            parameters.insert(random.below(9), (name.to_owned(), value.to_owned()));
        }
        2 => {
            let at = random.below(9);
            parameters[at].0 =
                if random.percent(50) { parameters[at].0.to_lowercase() } else { parameters[at].0.replace('-', "%2D") };
        }
        3 => {
            let at = random.below(9);
            parameters[at].1 += random.pick(&["%", "%zz", "+", "%00", "\u{e9}", ";", "=", "%3b", " ", "&"]);
        }
        _ => {}
    }
    let assigned: Vec<String> = parameters.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    assigned.join("&")
}

fn token(random: &mut Random, url: &str) -> String {
    let change = if random.mishap(20) { random.below(8) } else { 8 };
    match change {
        0 => format!("k8s-aws-v1.{}", BASE64_URL_SAFE.encode(url)),
        1 => format!("k8s-aws-v1.{}", BASE64_STANDARD.encode(url)),
        2 => format!("k8s-aws-v1.{}\n", BASE64_URL_SAFE_NO_PAD.encode(url)),
        3 => random
            .pick(&[
                "",
                "k8s-aws-v1.",
                "k8s-aws-v1",
                "k8s-aws-v2.aHR0",
                "K8S-AWS-V1.aHR0",
                " k8s-aws-v1.aHR0",
                "eyJhbGciOiJSUzI1NiJ9.e30.c2ln",
                "k8s-aws-v1.=",
                "k8s-aws-v1.\r\n",
            ])
            .to_owned(),
        4 | 5 => slip(random, &format!("k8s-aws-v1.{}", BASE64_URL_SAFE_NO_PAD.encode(url))),
        6 => {
            let mut bytes = url.as_bytes().to_vec();
            let at = random.below(bytes.len());
            bytes[at] = random.pick(b"\xff\x80\x00\x1f \"<>\\^`{|}\x7f");
            format!("k8s-aws-v1.{}", BASE64_URL_SAFE_NO_PAD.encode(bytes))
        }
        7 => {
            let text = format!("k8s-aws-v1.{}", BASE64_URL_SAFE_NO_PAD.encode(url));
            let missing = random.pick(&[4096_usize, 4097, 4095]);
            text.clone() + &"A".repeat(missing.saturating_sub(text.len()))
        }
        _ => format!("k8s-aws-v1.{}", BASE64_URL_SAFE_NO_PAD.encode(url)),
    }
}

fn slip(random: &mut Random, token: &str) -> String {
    let at = random.below(token.len() + 1);
    let (before, after) = token.split_at(at);
    let odd = random.pick(&["\n", "\r\n", " ", "=", "+", "/", "A", "-", "_", ".", "%", "\u{e9}", ""]);
    if random.percent(30) { format!("{before}{odd}") } else { format!("{before}{odd}{after}") }
}

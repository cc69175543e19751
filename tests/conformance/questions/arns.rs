//! ARNs: right ones of every kind, and wrong ones of every kind.

use super::principals::Principal;
use super::random::Random;

const PREFIXES: [&str; 13] = ["arn", "arn", "arn", "arn", "arn", "arn", "arn", "arn", "arn", "ARN", "arn ", "urn", ""];
const PARTITIONS: [&str; 20] = [
    "aws",
    "aws",
    "aws",
    "aws",
    "aws",
    "aws",
    "aws",
    "aws",
    "aws-cn",
    "aws-us-gov",
    "aws-iso",
    "aws-iso-b",
    "aws-iso-e",
    "aws-iso-f",
    "aws-eusc",
    "AWS",
    "aws-new",
    "aws ",
    "",
    "a\u{200b}ws",
];
const SERVICES: [&str; 10] = ["iam", "iam", "iam", "sts", "sts", "sts", "IAM", "eks", "ec2", ""];
const REGIONS: [&str; 4] = ["", "", "", "eu-west-1"];
const ACCOUNTS: [&str; 6] = ["111122223333", "111122223333", "", "1", "ACCOUNT", "1111 2222"];
const TYPES: [&str; 18] = [
    "role",
    "role",
    "user",
    "user",
    "assumed-role",
    "assumed-role",
    "federated-user",
    "root",
    "Role",
    "group",
    "instance-profile",
    "policy",
    "assumed-root",
    "oidc-provider",
    "assumed-role ",
    "",
    "role:x",
    "root:",
];
const NAMES: [&str; 14] = [
    "KubeAdmin",
    "alice",
    "team",
    "dev",
    "AWSReservedSSO_Dev_0123456789abcdef",
    "aws-service-role",
    "",
    "a:b",
    "*",
    "a b",
    "x@corp.example",
    "\u{e9}",
    "%s",
    "'q'",
];
const PATTERNS: [&str; 12] = [
    "arn:aws:iam::111122223333:role/*",
    "arn:*:iam:*:*:role/*",
    "arn:aws:iam::111122223333:role/KubeAdmin?",
    "arn:aws:iam::*:*",
    "arn:aws:iam::*",
    "arn:aws:iam::111122223333:role/K*n",
    "arn:aws:iam::111122223333:role/[a-z]+",
    "arn:?ws:iam::111122223333:user/al?ce",
    "*",
    "arn:aws:*:*:*:**",
    "arn:aws:sts::111122223333:assumed-role/a.b*",
    "arn:aws:iam::111122223333:role/AWSReservedSSO_Dev_*",
];

/// One question about an ARN: its canonical form, its form without a path, or whether a pattern matches it.
pub(crate) fn question(random: &mut Random) -> serde_json::Value {
    let arn = arn(random);
    match random.below(20) {
        0..=11 => serde_json::json!({ "kind": "canonicalize", "arn": arn }),
        12..=17 => serde_json::json!({ "kind": "strip-path", "arn": arn }),
        _ => serde_json::json!({ "kind": "arn-like", "arn": arn, "pattern": random.pick(&PATTERNS) }),
    }
}

fn arn(random: &mut Random) -> String {
    match random.below(20) {
        0..=2 => Principal::random(random).raw_arn(),
        3 | 4 => Principal::random(random).iam_arn(),
        5 | 6 => Principal::random(random).as_written(random),
        7 => random
            .pick(&[
                "",
                "arn",
                "arn:",
                "arn:::::",
                "arn:aws:iam::1",
                "arn:aws:sts:::assumed-role//",
                "::::::",
                "arn:aws:iam:::",
                "AROAEXAMPLE",
            ])
            .to_owned(),
        _ => {
            let names: Vec<&str> = (0..random.pick(&[0, 1, 1, 2, 2, 3, 4])).map(|_| random.pick(&NAMES)).collect();
            let resource = [&[random.pick(&TYPES)][..], &names].concat().join("/");
            let parts = [
                random.pick(&PREFIXES),
                random.pick(&PARTITIONS),
                random.pick(&SERVICES),
                random.pick(&REGIONS),
                random.pick(&ACCOUNTS),
                &resource,
            ];
            parts[..if random.percent(95) { 6 } else { random.below(6) }].join(":")
        }
    }
}

//! Error texts: each known message is found in its own sample, however a terminal or a log has dressed it up.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::{BTreeMap, BTreeSet};

use eks_doctor::symptom::{SymptomClass, messages, recognise};

fn first(text: &str) -> Option<&'static str> {
    recognise(text).messages.first().map(|found| found.message.id)
}

#[test]
fn ids_are_unique() {
    let ids: BTreeSet<_> = messages().iter().map(|message| message.id).collect();
    assert!(messages().len() > 290);
    assert_eq!(ids.len(), messages().len());
}

/// Samples that are recognised as another message first, with the reason.
const AMBIGUOUS: &[(&str, &str, &str)] = &[
    ("authr-config", "gosdk-profile", "the SDK's own words inside the envelope say which profile is missing"),
    ("helm-unreachable-x509", "kubectl-x509-other-cluster-ca", "the x509 text inside the envelope says what is wrong"),
    ("helm-unreachable-dial", "client-timeout", "the end of the line says what is wrong"),
    ("tf-helm-exec", "helm-unreachable-exec", "the Helm provider of Terraform and Helm itself print the same line"),
    ("eksctl-sts", "tf-aws-expired", "the AWS error code inside the envelope says what is wrong"),
    ("eksctl-describe-denied", "nodeadm-describe-denied", "the AWS error code inside the envelope says what is wrong"),
    ("eksctl-auth-cm-other", "client-timeout-private", "the end of the line says what is wrong"),
    ("eksctl-raw-client-other", "client-timeout", "the end of the line says what is wrong"),
    ("k9s-log-unable", "exec-alpha-invalid", "the reason inside the log line says what is wrong"),
    ("argocd-cluster-unknown", "client-401-asked", "the end of the line says what is wrong"),
    ("gosdk-request", "kubectl-no-such-host", "the cause on the second line says what is wrong"),
    ("javasdk-service", "aws-invalid-token", "the service's own message says what is wrong"),
    ("rustsdk-service-error", "aws-expired-token", "the AWS error code says what is wrong"),
    ("py-exec-failed", "aws-nocreds-v1", "what the plugin printed says more than its exit code"),
];

#[test]
fn every_sample_is_recognised_as_itself() {
    let mut wrong = Vec::new();
    for message in messages() {
        let expected = AMBIGUOUS.iter().find(|(id, _, _)| *id == message.id).map_or(message.id, |(_, first, _)| first);
        let found = first(&message.sample());
        if found != Some(expected) {
            let all: Vec<_> = recognise(&message.sample()).messages.iter().map(|m| m.message.id).collect();
            wrong.push(format!("{}: {all:?}", message.id));
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

/// Which symptom classes each cause produces.
fn classes_of_causes() -> BTreeMap<&'static str, Vec<&'static str>> {
    let lines = include_str!("../fixtures/symptoms/causes.txt").lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(cause, classes)| (cause, classes.split(' ').collect()))
        .collect()
}

#[test]
fn causes_exist_and_produce_the_symptom() {
    let known = classes_of_causes();
    let mut wrong = Vec::new();
    for message in messages() {
        for (cause, _) in &message.causes {
            let produced = known.get(cause).unwrap_or_else(|| panic!("{}: unknown cause {cause}", message.id));
            let fits = message.classes.iter().any(|class| produced.contains(&class.name()));
            if !fits && !produced.contains(&"any") {
                wrong.push(format!("{} {cause} {:?} {produced:?}", message.id, message.classes));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

/// A name, and what it does to a text.
type Dress = (&'static str, fn(&str) -> String);

/// The ways in which terminals, logs and people dress up a message.
const DRESSES: &[Dress] = &[
    ("colours", |text| format!("\u{1b}[1m\u{1b}[31m{}\u{1b}[0m\u{1b}[K", text.replace(' ', "\u{1b}[0m \u{1b}[31m"))),
    ("colours spelt out", |text| format!("\\u001b[31m{text}\\u001b[0m")),
    ("colours without their escape", |text| format!("[0;31m{text}[0m")),
    ("line ends of Windows", |text| format!("C:\\> kubectl get pods\r\n{}\r\n", text.replace('\n', "\r\n"))),
    ("time stamps of GitHub Actions", |text| prefixed(text, "2026-11-21T10:00:00.1234567Z ")),
    ("annotations of GitHub Actions", |text| prefixed(text, "2026-11-21T10:00:00.1234567Z ##[error]")),
    ("time stamps of Jenkins", |text| prefixed(text, "[2026-11-21T10:00:00.123Z] ")),
    ("time stamps of GitLab", |text| prefixed(text, "2026-11-21 10:00:00 ")),
    ("names of docker compose", |text| prefixed(text, "ci-1  | ")),
    ("a box of Terraform", |text| format!("╷\n{}\n╵", prefixed(text, "│ "))),
    ("a quotation", |text| prefixed(text, "> ")),
    ("JSON", |text| format!("{{\"level\":\"error\",\"msg\":{}}}", serde_json::to_string(text).unwrap())),
    ("JSON in JSON", |text| {
        let inner = serde_json::to_string(text).unwrap();
        format!("{{\"log\":{}}}", serde_json::to_string(&format!("{{\"msg\":{inner}}}")).unwrap())
    }),
    ("entities of HTML", |text| {
        text.replace('&', "&amp;").replace('"', "&quot;").replace('\'', "&#39;").replace('<', "&lt;")
    }),
    ("curly quotes", |text| text.replace('\'', "’").replace(" \"", " “").replace('"', "”")),
    ("blanks that do not break", |text| text.replace(' ', "\u{a0}")),
    ("indentation and blanks at the end", |text| format!("   {}   ", text.replace('\n', "   \n      "))),
    ("a code fence", |text| format!("I get this, why?\n```\n{text}\n```\nThanks!")),
    ("words around", |text| format!("$ kubectl get pods\n{text}\n$ echo $?\n1\n")),
    ("other names", |text| {
        let names = [
            ("/home/alice", "/Users/Max Müller"),
            ("alice", "max.mueller+x@corp.example"),
            ("demo", "prod-eu_1"),
            ("us-east-1", "ap-southeast-2"),
            ("111122223333", "444455556666"),
            ("prod", "Prod/Admins"),
            ("gone", "a b"),
            ("aws-nosuch", "granted.exe"),
            ("444BCB3A3FCF", "0A1B2C3D4E5F"),
        ];
        names.iter().fold(text.to_owned(), |text, (old, new)| text.replace(old, new))
    }),
    ("single quotes", |text| text.replace('"', "'")),
    ("backticks", |text| text.replace('"', "`")),
    ("a capital letter", |text| text.replacen("error", "Error", 1)),
    ("NUL bytes of UTF-16", |text| text.chars().flat_map(|character| [character, '\0']).collect()),
];

fn prefixed(text: &str, prefix: &str) -> String {
    text.lines().map(|line| format!("{prefix}{line}\n")).collect()
}

#[test]
fn every_sample_is_recognised_however_it_is_dressed() {
    let mut missed = Vec::new();
    for message in messages() {
        let plain = first(&message.sample());
        for (dress, put_on) in DRESSES {
            if dress.starts_with("JSON") && message.sample().len() < 4 {
                continue; // `no` is an answer of kubectl only on a line of its own
            }
            let text = put_on(&message.sample());
            if first(&text) != plain {
                missed.push(format!("{} in {dress}: {:?} {text:?}", message.id, first(&text)));
            }
        }
    }
    assert!(missed.is_empty(), "{} missed\n{}", missed.len(), missed.join("\n"));
}

/// Puts line feeds into a text as a program does that wraps words at a width.
fn wrapped(text: &str, width: usize) -> String {
    let mut wrapped = String::new();
    let mut column = 0;
    for word in text.split(' ') {
        if column > 0 && column + word.len() >= width {
            wrapped.push('\n');
            column = 0;
        } else if column > 0 {
            wrapped.push(' ');
            column += 1;
        }
        wrapped.push_str(word);
        column += word.len();
    }
    wrapped
}

/// Puts line feeds into a text as a terminal does that cuts at a width.
fn cut(text: &str, width: usize) -> String {
    let mut cut = String::new();
    for line in text.lines() {
        let characters: Vec<char> = line.chars().collect();
        cut.extend(characters.chunks(width).map(|part| part.iter().collect::<String>() + "\n"));
    }
    cut
}

#[test]
fn every_sample_is_recognised_over_several_lines() {
    let mut missed = Vec::new();
    for message in messages().iter().filter(|message| message.sample().len() > 60) {
        for text in [
            wrapped(&message.sample(), 40),
            wrapped(&message.sample(), 76),
            cut(&message.sample(), 50),
            cut(&message.sample(), 80),
        ] {
            if !recognise(&text).messages.iter().any(|found| found.message.id == message.id) {
                missed.push(format!("{}: {:?} {text:?}", message.id, first(&text)));
            }
        }
    }
    assert!(missed.is_empty(), "{} missed\n{}", missed.len(), missed.join("\n"));
}

#[test]
fn pastes_are_recognised() {
    let mut wrong = Vec::new();
    for paste in include_str!("../fixtures/symptoms/pastes.txt").split("\n== ").skip(1) {
        let (expected, text) = paste.split_once('\n').unwrap();
        let found = recognise(text);
        let cause = found.causes.first().map_or("none", |(cause, _)| cause);
        let message = found.messages.first().map_or("none", |found| found.message.id);
        if format!("{message} {cause}") != expected {
            let all: Vec<_> = found.messages.iter().map(|found| (found.message.id, found.is_subsumed)).collect();
            wrong.push(format!(
                "{expected}, not {message} {cause}: {all:?} {:?}\n{}",
                &found.causes[..found.causes.len().min(4)],
                &text.chars().take(300).collect::<String>()
            ));
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

/// The facts of a text, as JSON without what is not stated.
fn stated(text: &str) -> serde_json::Value {
    serde_json::to_value(recognise(text).stated).unwrap()
}

#[test]
fn a_forbidden_message_states_who_may_not_do_what() {
    let text = r#"Error from server (Forbidden): pods "web-0" is forbidden: User "arn:aws:sts::111122223333:assumed-role/Dev/ada" cannot get resource "pods/log" in API group "" in the namespace "shop""#;
    let expected = serde_json::json!({
        "username": "arn:aws:sts::111122223333:assumed-role/Dev/ada", "verb": "get", "resource": "pods",
        "subresource": "log", "apiGroup": "", "namespace": "shop", "objectName": "web-0",
    });
    assert_eq!(stated(text), expected);
    let old = r#"nodes is forbidden: User "system:serviceaccount:kube-system:heapster" cannot list nodes at the cluster scope"#;
    let expected = serde_json::json!({
        "username": "system:serviceaccount:kube-system:heapster", "verb": "list", "resource": "nodes", "scope": "cluster",
    });
    assert_eq!(stated(old), expected);
}

#[test]
fn an_access_denied_message_states_principal_action_and_resource() {
    let text = "An error occurred (AccessDeniedException) when calling the DescribeCluster operation: User: \
                arn:aws:sts::111122223333:assumed-role/ci/run is not authorized to perform: eks:DescribeCluster on resource: \
                arn:aws:eks:eu-west-1:111122223333:cluster/prod with an explicit deny in a service control policy";
    let expected = serde_json::json!({
        "awsErrorCode": "AccessDeniedException", "awsOperation": "DescribeCluster",
        "deniedPrincipal": "arn:aws:sts::111122223333:assumed-role/ci/run", "deniedAction": "eks:DescribeCluster",
        "deniedResource": "arn:aws:eks:eu-west-1:111122223333:cluster/prod", "denyingPolicy": "service control policy",
        "clusterName": "prod", "region": "eu-west-1", "account": "111122223333",
    });
    assert_eq!(stated(text), expected);
}

#[test]
fn the_sdk_for_go_states_status_and_request_id() {
    let text = "operation error STS: AssumeRole, https response error StatusCode: 403, RequestID: \
                5f0c7f2e-2f2e-4a9f-8f3b-0c2d4b6a8e10, api error ExpiredToken: The security token included in the request is expired";
    let expected = serde_json::json!({
        "awsService": "STS", "awsOperation": "AssumeRole", "awsErrorCode": "ExpiredToken", "httpStatus": "403",
        "requestId": "5f0c7f2e-2f2e-4a9f-8f3b-0c2d4b6a8e10",
    });
    assert_eq!(stated(text), expected);
}

#[test]
fn an_exec_plugin_states_command_and_exit_code() {
    let text =
        "Unable to connect to the server: getting credentials: exec: executable /opt/bin/aws failed with exit code 254";
    assert_eq!(stated(text), serde_json::json!({ "execCommand": "/opt/bin/aws", "exitCode": "254" }));
}

#[test]
fn a_connection_states_host_region_address_and_port() {
    let text = r#"E1121 20:33:04.047679 2835 memcache.go:265] "Unhandled Error" err="couldn't get current server API group list: Get \"https://0A1B2C3D4E5F60718293A4B5C6D7E8F9.gr7.eu-west-1.eks.amazonaws.com/api?timeout=32s\": dial tcp 10.0.4.17:443: i/o timeout""#;
    let expected = serde_json::json!({
        "host": "0A1B2C3D4E5F60718293A4B5C6D7E8F9.gr7.eu-west-1.eks.amazonaws.com", "region": "eu-west-1",
        "address": "10.0.4.17", "port": "443",
    });
    assert_eq!(stated(text), expected);
}

#[test]
fn lines_of_the_authenticator_state_the_identity() {
    let text = r#"time="2026-11-21T10:00:00Z" level=warning msg="access denied" arn="arn:aws:iam::111122223333:role/Dev" client="127.0.0.1:50020" error="identity is not mapped" method=POST path=/authenticate stsendpoint=sts.eu-west-1.amazonaws.com"#;
    let expected = serde_json::json!({
        "canonicalArn": "arn:aws:iam::111122223333:role/Dev", "authenticatorError": "identity is not mapped",
        "stsEndpoint": "sts.eu-west-1.amazonaws.com",
    });
    assert_eq!(stated(text), expected);
    let text = r#"time="2026-11-21T10:00:00Z" level=info msg="access granted" arn="arn:aws:iam::111122223333:role/Dev" client="127.0.0.1:50020" groups="[dev view]" method=POST path=/authenticate stsendpoint=sts.eu-west-1.amazonaws.com uid="aws-iam-authenticator:111122223333:AROAEXAMPLE" username=ada"#;
    let expected = serde_json::json!({
        "canonicalArn": "arn:aws:iam::111122223333:role/Dev", "kubernetesGroups": "dev view", "username": "ada",
        "stsEndpoint": "sts.eu-west-1.amazonaws.com",
    });
    assert_eq!(stated(text), expected);
}

#[test]
fn places_are_those_of_the_original_text() {
    let text =
        "$ kubectl get pods\r\n\u{1b}[31merror: You must be logged in to the server\u{1b}[0m (Unauthorized)\r\n$ ";
    let found = recognise(text);
    let first = &found.messages[0];
    assert_eq!(first.line, 2);
    assert_eq!(first.excerpt, "You must be logged in to the server (Unauthorized");
    assert_eq!(&text[first.range.clone()], "You must be logged in to the server\u{1b}[0m (Unauthorized");
}

#[test]
fn what_the_plugin_printed_outweighs_that_it_failed() {
    let text = "The config profile (prod) could not be found\n\
                Unable to connect to the server: getting credentials: exec: executable aws failed with exit code 255";
    let found = recognise(text);
    let proof = Some(("credentials/profile-not-found", "aws-profile-missing"));
    assert_eq!(found.proves.map(|(cause, message)| (cause, message.id)), proof);
    assert_eq!(found.stated.profile.as_deref(), Some("prod"));
    assert_eq!(found.stated.exec_command.as_deref(), Some("aws"));
    assert_eq!(found.classes, [SymptomClass::Exec, SymptomClass::Aws]);
}

#[test]
fn weights_add_up_and_symptoms_rule_out() {
    for message in messages() {
        let sample = message.sample();
        let found = recognise(&sample);
        let sum: f64 = found.causes.iter().map(|(_, weight)| weight).sum();
        assert!((sum - 1.0).abs() < 1e-9, "{}: {sum}", message.id);
        assert!(found.causes.windows(2).all(|pair| pair[0].1 >= pair[1].1), "{}", message.id);
        assert!(!found.classes.is_empty(), "{}", message.id);
    }
    let found = recognise("error: You must be logged in to the server (Unauthorized)");
    assert!(found.allows("mapping/role-path", &[SymptomClass::Unauthorized]));
    assert!(!found.allows("authorization/no-binding", &[SymptomClass::Forbidden]));
    assert!(recognise("nothing").allows("authorization/no-binding", &[SymptomClass::Forbidden]));
}

#[test]
fn what_is_not_known_is_compared_with_what_is() {
    let nearest = |text| recognise(text).nearest.map(|message| message.id);
    assert_eq!(nearest("error: You must be loged in to the server (unauthorised)"), Some("kubectl-401-other"));
    assert_eq!(nearest("exec: executabel aws not found anywhere"), Some("exec-not-found"));
    assert_eq!(nearest("Lorem ipsum dolor sit amet"), None);
    assert_eq!(nearest(""), None);
}

#[test]
fn a_message_is_found_in_the_middle_of_megabytes() {
    let line = "2026-11-21T10:00:00Z INFO step 4711 of the build has finished with status ok and code 0\n";
    let mut log = line.repeat(1_500_000 / line.len());
    let place = log.len();
    log += "error: You must be logged in to the server (Unauthorized)\n";
    log += &line.repeat(1_500_000 / line.len());
    let found = recognise(&log);
    assert!(found.is_complete);
    assert_eq!(found.messages[0].message.id, "kubectl-401-unauthorized");
    assert_eq!(found.messages[0].line, place / line.len() + 1);
}

#[test]
fn a_text_that_is_no_text_is_answered() {
    let bytes: Vec<u8> = (0..2_000_000u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let binary = String::from_utf8_lossy(&bytes);
    assert!(recognise(&binary).messages.is_empty());
    for text in ["\u{1b}[".repeat(100_000), "\\".repeat(300_000), "\"".repeat(300_000), "no\n".repeat(100_000)] {
        assert!(recognise(&text).is_complete);
    }
}

#[test]
fn a_text_of_nothing_but_messages_is_given_up_at_some_point() {
    let all: String = messages().iter().map(|message| message.sample() + "\n").collect();
    let found = recognise(&all);
    let ids: BTreeSet<_> = found.messages.iter().map(|found| found.message.id).collect();
    let missed: Vec<_> = messages().iter().map(|message| message.id).filter(|id| !ids.contains(id)).collect();
    assert!(missed.len() < 20, "{missed:?}");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(100))]

    #[test]
    fn no_text_is_too_odd(text in "\\PC{0,400}") {
        recognise(&text);
    }

    #[test]
    fn no_piece_of_messages_is_too_odd(index in 0usize..1000, cut in 0usize..400, noise in ".{0,20}", other in 0usize..1000) {
        let messages = messages();
        let sample = messages[index % messages.len()].sample();
        let (head, tail) = sample.split_at(sample.floor_char_boundary(cut));
        let text = format!("{tail}{noise}{head}\n{}", messages[other % messages.len()].sample());
        let found = recognise(&text);
        for one in &found.messages {
            proptest::prop_assert!(text.get(one.range.clone()).is_some());
        }
    }
}

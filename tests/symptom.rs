//! Error texts: each known message is found in its own sample, however a terminal or a log has dressed it up.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::{BTreeMap, BTreeSet};

use eks_doctor::symptom::{messages, recognise};

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

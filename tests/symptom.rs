//! Error texts: each known message is found in its own sample, however a terminal or a log has dressed it up.

use std::collections::BTreeSet;

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
        let found = first(&message.sample);
        if found != Some(expected) {
            let all: Vec<_> = recognise(&message.sample).messages.iter().map(|m| m.message.id).collect();
            wrong.push(format!("{}: {all:?}", message.id));
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

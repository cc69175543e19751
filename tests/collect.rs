//! The live collector against servers on loopback that play an evidence document, and against moto's STS.

#![cfg(unix)]

#[path = "lab/server.rs"]
mod server;
#[path = "lab/world.rs"]
mod world;

use std::time::Duration;

use eks_doctor::collect::{NoProgress, Request, Surroundings, collect_blocking};
use eks_doctor::evidence::{Action, Evidence, Observed, Target};
use world::{Lab, base};

fn request() -> Request {
    let action = Action {
        verb: "list".into(),
        resource: Some("pods".into()),
        namespace: Some("prod".into()),
        ..Action::default()
    };
    Request { target: Target { action: Some(action), ..Target::default() }, ..Request::default() }
}

fn collect(request: &Request, surroundings: &Surroundings) -> Evidence {
    collect_blocking(request, surroundings, &NoProgress, std::future::pending()).unwrap()
}

fn json(evidence: &Evidence) -> String {
    serde_json::to_string_pretty(evidence).unwrap()
}

/// The document without what differs from run to run.
fn found<T>(observed: &Observed<T>) -> &T
where
    T: std::fmt::Debug,
{
    observed.found().unwrap_or_else(|| panic!("{observed:?}"))
}

#[test]
fn everything_there_is_to_see_is_seen() {
    let lab = Lab::playing(base());
    let evidence = collect(&request(), &lab.surroundings());
    println!("{}", json(&evidence));
    let (aws, kubernetes) = (&evidence.aws, &evidence.kubernetes);
    assert_eq!(aws.caller, lab.evidence.aws.caller);
    assert_eq!(evidence.exec_caller, lab.evidence.aws.caller);
    assert_eq!(aws.access_entries, lab.evidence.aws.access_entries);
    assert_eq!(found(&aws.cluster).other["futureField"], serde_json::json!({ "kept": true }));
    assert_eq!(found(&aws.cluster).created_at, found(&lab.evidence.aws.cluster).created_at);
    assert_eq!(found(&evidence.exec).exit_code, Some(0));
    assert_eq!(kubernetes.whoami, lab.evidence.kubernetes.whoami);
    assert_eq!(kubernetes.access_review, lab.evidence.kubernetes.access_review);
    assert_eq!(kubernetes.aws_auth, lab.evidence.kubernetes.aws_auth);
    assert_eq!(kubernetes.cluster_roles, lab.evidence.kubernetes.cluster_roles);
    assert_eq!(kubernetes.cluster_role_bindings, lab.evidence.kubernetes.cluster_role_bindings);
    assert_eq!(kubernetes.roles, lab.evidence.kubernetes.roles);
    assert!(found(&evidence.environment.clock_offset_seconds).abs() < 2.0);
    assert_eq!(evidence.target.cluster.as_deref(), Some("prod"));
}

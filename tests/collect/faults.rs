//! Services that misbehave: a time-out is a time-out, and whatever one call does, the rest of the evidence is intact.

use std::time::{Duration, Instant};

use eks_doctor::collect::{NoProgress, Request, collect_blocking};
use eks_doctor::diagnose::diagnose;
use eks_doctor::evidence::{Evidence, Failure, Observed};
use eks_doctor::report::{Certainty, Verdict};
use eks_doctor::rule::Stage;
use serde_json::json;

use crate::server::{Fault, Reply, TlsFault};
use crate::world::{Lab, Moods, base, unmapped};
use crate::{code, collect, library, request};

#[test]
fn what_never_answers_is_a_time_out_within_the_limit() {
    let operations = [
        "sts:GetCallerIdentity",
        "execCaller",
        "eks:ListAccessEntries",
        "GET /version",
        "POST /apis/authentication.k8s.io/v1/selfsubjectreviews",
    ];
    let replies = operations.map(|operation| (operation.to_owned(), Reply::Misbehave(Fault::BlackHole)));
    let lab = Lab::with_moods(base(), Moods { replies: replies.into(), ..Moods::default() });
    let limit = Duration::from_secs(2);
    let begun = Instant::now();
    let evidence = collect(&Request { timeout: limit, ..request() }, &lab.surroundings());
    assert!(begun.elapsed() < limit + Duration::from_millis(700), "{:?}", begun.elapsed());
    assert_eq!(code(&evidence.aws.caller), "Timeout");
    assert_eq!(code(&evidence.exec_caller), "Timeout");
    assert_eq!(code(&evidence.aws.access_entries), "Timeout");
    assert_eq!(code(&evidence.kubernetes.whoami), "Timeout");
    let message = &evidence.kubernetes.version.failure().unwrap().message;
    assert!(message.contains("gr7.eu-west-1.eks.amazonaws.com:443"), "{message}");
    assert!(evidence.aws.cluster.found().is_some());
    assert!(evidence.kubernetes.aws_auth.found().is_some());
}

#[test]
fn a_hanging_plugin_is_a_time_out_and_the_rest_is_seen() {
    let lab = Lab::playing(base());
    lab.write_plugin("echo 'Attempting to open the SSO page' >&2; sleep 60");
    let evidence = collect(&Request { timeout: Duration::from_secs(1), ..request() }, &lab.surroundings());
    assert_eq!(code(&evidence.exec), "Timeout");
    assert!(evidence.exec.failure().unwrap().message.ends_with("it wrote: Attempting to open the SSO page"));
    assert!(evidence.aws.access_entries.found().is_some());
}

#[test]
fn a_stop_hands_back_what_is_known() {
    let lab = Lab::playing(base());
    lab.write_plugin("sleep 60");
    let begun = Instant::now();
    let stop = async { tokio::time::sleep(Duration::from_millis(600)).await };
    let evidence = collect_blocking(&request(), &lab.surroundings(), &NoProgress, stop).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(3));
    assert_eq!(evidence.exec, Observed::not_tried("exec aws was stopped before it was answered"));
    assert!(evidence.aws.cluster.found().is_some());
}

/// Calls that do not need each other.
const GROUPS: [&[&str]; 6] = [
    &["sts:GetCallerIdentity"],
    &["iam:GetRole"],
    &["execCaller", "eks:ListAccessEntries"],
    &["eks:DescribeCluster", "eks:DescribeAccessEntry", "eks:ListAssociatedAccessPolicies"],
    &["POST /apis/authentication.k8s.io/v1/selfsubjectreviews", "GET /apis/rbac.authorization.k8s.io/v1/clusterroles"],
    &[
        "GET /version",
        "GET /api/v1/namespaces/kube-system/configmaps/aws-auth",
        "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
    ],
];

fn faults() -> Vec<(&'static str, Reply)> {
    let status = |status: u16| {
        Reply::json(
            status,
            &json!({ "kind": "Status", "reason": "Lab", "message": "lab", "code": status, "__type": "LabException" }),
        )
    };
    vec![
        ("401", status(401)),
        ("403", status(403)),
        ("404", status(404)),
        ("429", status(429)),
        ("500", status(500)),
        ("page", Reply::text(403, "text/html", "<html><title>Blocked by policy</title></html>")),
        ("portal", Reply::text(200, "text/html", "<html><title>Please log in</title></html>")),
        ("reset", Reply::Misbehave(Fault::Reset)),
        ("black hole", Reply::Misbehave(Fault::BlackHole)),
        ("slow drip", Reply::Misbehave(Fault::SlowDrip)),
        ("garbage", Reply::Misbehave(Fault::Garbage)),
        ("huge", Reply::Misbehave(Fault::Huge)),
    ]
}

/// How the observation that an operation is for came out: found or not, and with which code.
fn outcome<'e>(evidence: &'e Evidence, operation: &str) -> (bool, Option<&'e Failure>) {
    fn of<T>(observed: &Observed<T>) -> (bool, Option<&Failure>) {
        (observed.found().is_some(), observed.failure())
    }
    let entry = || evidence.aws.access_entries.found().and_then(|entries| entries.first());
    match operation {
        "sts:GetCallerIdentity" => of(&evidence.aws.caller),
        "execCaller" => of(&evidence.exec_caller),
        "iam:GetRole" => of(&evidence.aws.principal),
        "eks:DescribeCluster" => of(&evidence.aws.cluster),
        "eks:ListAccessEntries" => of(&evidence.aws.access_entries),
        "eks:DescribeAccessEntry" => entry().map(|entry| of(&entry.details)).unwrap(),
        "eks:ListAssociatedAccessPolicies" => entry().map(|entry| of(&entry.policies)).unwrap(),
        "GET /version" => of(&evidence.kubernetes.version),
        operation if operation.ends_with("selfsubjectreviews") => of(&evidence.kubernetes.whoami),
        operation if operation.ends_with("selfsubjectaccessreviews") => of(&evidence.kubernetes.access_review),
        operation if operation.ends_with("clusterroles") => of(&evidence.kubernetes.cluster_roles),
        operation if operation.ends_with("aws-auth") => of(&evidence.kubernetes.aws_auth),
        other => panic!("{other}"),
    }
}

#[test]
fn whatever_a_call_does_there_is_evidence_in_time_and_the_rest_is_intact() {
    let limit = Duration::from_millis(1500);
    for (name, reply) in faults() {
        for group in GROUPS {
            let replies = group.iter().map(|operation| ((*operation).to_owned(), reply.clone())).collect();
            let lab = Lab::with_moods(base(), Moods { replies, ..Moods::default() });
            let begun = Instant::now();
            let evidence = collect(&Request { timeout: limit, ..request() }, &lab.surroundings());
            assert!(begun.elapsed() < limit + Duration::from_millis(800), "{name} {group:?}: {:?}", begun.elapsed());
            // Without a list there is nothing to describe.
            let reachable = |operation: &&str| {
                !group.contains(&"eks:ListAccessEntries") || !operation.contains("Access") || group.contains(operation)
            };
            for operation in GROUPS.concat().into_iter().filter(reachable) {
                let (found, failure) = outcome(&evidence, operation);
                let misbehaves = group.contains(&operation);
                assert_eq!(found, !misbehaves, "{name} on {group:?}: {operation}: {failure:?}");
                let silent = misbehaves && name != "404" && failure.is_none_or(|failure| failure.message.is_empty());
                assert!(!silent, "{name} on {operation} says nothing: {failure:?}");
            }
        }
    }
}

/// What needs the answer of a call before it can be asked at all.
fn waits_for(operation: &str) -> &'static [&'static str] {
    match operation {
        "sts:GetCallerIdentity" => &["iam:GetRole", "eks:DescribeAccessEntry", "eks:ListAssociatedAccessPolicies"],
        "eks:ListAccessEntries" => &["eks:DescribeAccessEntry", "eks:ListAssociatedAccessPolicies"],
        _ => &[],
    }
}

/// Whether a call goes to some host.
type GoesThere = fn(&str) -> bool;

/// Hosts, and how to know the calls that go there.
fn hosts() -> [(String, GoesThere); 4] {
    let endpoint = crate::found(&base().aws.cluster).endpoint.clone().unwrap();
    [
        ("sts.eu-west-1.amazonaws.com".to_owned(), |call| call.starts_with("sts:") || call == "execCaller"),
        ("iam.amazonaws.com".to_owned(), |call| call.starts_with("iam:")),
        ("eks.eu-west-1.amazonaws.com".to_owned(), |call| call.starts_with("eks:")),
        (endpoint.trim_start_matches("https://").to_owned(), |call| call.contains(" /")),
    ]
}

/// Faults of TLS with the codes and words of their failures.
const TLS_FAULTS: [(TlsFault, &[&str], &str); 7] = [
    (TlsFault::OtherAuthority, &["UnknownIssuer"], "invalid peer certificate: UnknownIssuer"),
    (TlsFault::OtherName, &["NotValidForName"], "certificate is only valid for DnsName(\"other.example\")"),
    (TlsFault::Expired, &["Expired"], "invalid peer certificate: certificate expired"),
    (TlsFault::PlainHttp, &["InvalidMessage"], "(the other side does not speak TLS)"),
    (TlsFault::Alert, &["AlertReceived"], "received fatal alert: HandshakeFailure"),
    (TlsFault::HangUp, &["UnexpectedEof", "ECONNRESET"], ""),
    (TlsFault::Silence, &["Timeout"], "no answer from "),
];

/// TLS belongs to a connection, and calls to one host share theirs: so it goes wrong at one host after the other.
#[test]
fn wrong_tls_at_a_host_is_named_and_the_calls_to_others_are_intact() {
    let limit = Duration::from_millis(1500);
    for (fault, codes, words) in TLS_FAULTS {
        for (host, goes_there) in hosts() {
            let lab = Lab::with_moods(base(), Moods { tls: Some((host.clone(), fault)), ..Moods::default() });
            let begun = Instant::now();
            let evidence = collect(&Request { timeout: limit, ..request() }, &lab.surroundings());
            assert!(begun.elapsed() < limit + Duration::from_millis(800), "{fault:?} {host}: {:?}", begun.elapsed());
            let broken: Vec<_> = GROUPS.concat().into_iter().filter(|call| goes_there(call)).collect();
            let waiting: Vec<_> = broken.iter().flat_map(|call| waits_for(call)).collect();
            for operation in GROUPS.concat().into_iter().filter(|call| !waiting.contains(&call)) {
                let (found, failure) = outcome(&evidence, operation);
                let what = format!("{fault:?} at {host}: {operation}: {failure:?}");
                assert_eq!(found, !broken.contains(&operation), "{what}");
                let Some(failure) = failure else { continue };
                assert!(failure.code.as_deref().is_some_and(|code| codes.contains(&code)), "{what}");
                assert!(failure.message.contains(words) && failure.message.contains(&host), "{what}");
                assert_eq!(failure.status, None, "{what}");
            }
            assert_tls_is_blamed(fault, &host, &evidence);
        }
    }
}

/// That the diagnosis of a fault of TLS blames nobody's credentials, mapping or rights.
fn assert_tls_is_blamed(fault: TlsFault, host: &str, evidence: &Evidence) {
    let report = diagnose(evidence, library());
    let confirmed = report.findings.iter().filter(|finding| finding.verdict == Certainty::Confirmed);
    let confirmed: Vec<&str> = confirmed.map(|finding| finding.id.as_str()).collect();
    let signed_by_others = [TlsFault::OtherAuthority, TlsFault::OtherName, TlsFault::Expired].contains(&fault);
    let expected: &[&str] = match host.split('.').next() {
        // What IAM would have told matters to nobody who is let in.
        Some("iam") => &[],
        Some("sts" | "eks") if signed_by_others => &["network/tls-interception"],
        Some("sts") if fault == TlsFault::Silence => &["credentials/sts-unreachable"],
        Some("sts" | "eks") => &[],
        _ if signed_by_others => &["network/tls-interception"],
        _ if fault == TlsFault::PlainHttp => &["network/proxy"],
        // Whether the proxy or the server behind it breaks off cannot be seen from here.
        _ => &[],
    };
    assert_eq!(confirmed, expected, "{fault:?} at {host}");
    let is_api_server = host.contains(".gr7.");
    let blocked = is_api_server && !confirmed.is_empty();
    assert_eq!(report.verdict == Verdict::Blocked, blocked, "{fault:?} at {host}: {:?}", report.verdict);
    if is_api_server {
        assert_eq!(report.blocked_at, Some(Stage::Network), "{fault:?} at {host}");
        assert_eq!(report.findings[0].id.split('/').next(), Some("network"), "{fault:?} at {host}");
    }
}

/// The hosts that are asked only where somebody is locked out, or asks for more.
#[test]
fn wrong_tls_at_the_hosts_of_events_and_logs_is_named() {
    let mut played = unmapped();
    if let Observed::Found(cluster) = &mut played.aws.cluster {
        cluster.created_at = None;
        cluster.other["logging"]["clusterLogging"][0]["enabled"] = true.into();
    }
    for (fault, codes, words) in TLS_FAULTS {
        for service in ["cloudtrail", "logs"] {
            let host = format!("{service}.eu-west-1.amazonaws.com");
            let moods = Moods { tls: Some((host.clone(), fault)), ..Moods::default() };
            let request = Request { timeout: Duration::from_millis(1500), logs: true, ..request() };
            let evidence = collect(&request, &Lab::with_moods(played.clone(), moods).surroundings());
            let (event, lines) = (&evidence.aws.create_cluster_event, &evidence.logs.authenticator);
            let (failure, other) = match service {
                "cloudtrail" => (event.failure(), lines.found().is_some()),
                _ => (lines.failure(), event.found().is_some()),
            };
            let failure = failure.unwrap_or_else(|| panic!("{fault:?} at {host}: {event:?} {lines:?}"));
            assert!(failure.code.as_deref().is_some_and(|code| codes.contains(&code)), "{failure:?}");
            assert!(failure.message.contains(words) && failure.message.contains(&host), "{failure:?}");
            assert!(other && evidence.aws.access_entries.found().is_some(), "{fault:?} at {host}: {event:?} {lines:?}");
        }
    }
}

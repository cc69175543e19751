//! The live collector against servers on loopback that play an evidence document, and against moto's STS.

#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "the servers of the tests are part of the test"
)]

#[path = "collect/credentials.rs"]
mod credentials;
#[path = "collect/environments.rs"]
mod environments;
#[path = "collect/faults.rs"]
mod faults;
#[path = "lab/login.rs"]
mod login;
#[path = "collect/namespace.rs"]
mod namespace;
#[path = "collect/network.rs"]
mod network;
#[path = "lab/scenario.rs"]
mod played;
#[path = "collect/process.rs"]
mod process;
#[path = "collect/real.rs"]
mod real;
#[path = "collect/scenarios.rs"]
mod scenarios;
#[path = "lab/server.rs"]
mod server;
#[path = "lab/services.rs"]
mod services;
#[path = "lab/world.rs"]
mod world;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use eks_doctor::collect::permissions::PERMISSIONS;
use eks_doctor::collect::{NoProgress, Request, Surroundings, collect_blocking};
use eks_doctor::evidence::{
    AccessReview, Action, CredentialProvider, Evidence, Failure, IamPrincipal, ObjectName, Observed, Target,
};
use eks_doctor::rule::Library;
use serde_json::json;
use world::{Lab, Moods, base, unmapped};

/// What most tests ask: may I list pods?
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

/// The rules, which take a while to read.
fn library() -> &'static Library {
    static LIBRARY: LazyLock<Library> = LazyLock::new(|| Library::load(&[]).unwrap());
    &LIBRARY
}

/// The program itself in these surroundings.
fn program(surroundings: &Surroundings, arguments: &[&str]) -> std::process::Command {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_eks-doctor"));
    command.args(arguments).env_clear().envs(&surroundings.variables).current_dir(&surroundings.folder);
    command.stdin(std::process::Stdio::null());
    command
}

fn found<T: std::fmt::Debug>(observed: &Observed<T>) -> &T {
    observed.found().unwrap_or_else(|| panic!("{observed:?}"))
}

fn code<T>(observed: &Observed<T>) -> &str {
    observed.failure().and_then(|failure| failure.code.as_deref()).unwrap_or_default()
}

fn without(surroundings: &mut Surroundings, variables: &[&str]) {
    variables.iter().for_each(|variable| drop(surroundings.variables.remove(std::ffi::OsStr::new(variable))));
}

#[test]
fn everything_there_is_to_see_is_seen() {
    let lab = Lab::playing(base());
    let evidence = collect(&request(), &lab.surroundings());
    let (aws, kubernetes, played) = (&evidence.aws, &evidence.kubernetes, &lab.evidence);
    assert_eq!(aws.caller, played.aws.caller);
    assert_eq!(evidence.exec_caller, played.aws.caller);
    assert_eq!(aws.access_entries, played.aws.access_entries);
    assert_eq!(aws.principal, played.aws.principal);
    assert_eq!(found(&aws.cluster).other["futureField"], json!({ "kept": true }));
    assert_eq!(found(&aws.cluster).created_at, found(&played.aws.cluster).created_at);
    assert_eq!(found(&aws.credentials).provider, CredentialProvider::Environment);
    assert_eq!(found(&evidence.exec).exit_code, Some(0));
    assert_eq!(kubernetes.version, played.kubernetes.version);
    assert_eq!(kubernetes.whoami, played.kubernetes.whoami);
    assert_eq!(kubernetes.access_review, played.kubernetes.access_review);
    assert_eq!(kubernetes.aws_auth, played.kubernetes.aws_auth);
    assert_eq!(kubernetes.cluster_roles, played.kubernetes.cluster_roles);
    assert_eq!(kubernetes.cluster_role_bindings, played.kubernetes.cluster_role_bindings);
    assert_eq!(
        (&kubernetes.roles, &kubernetes.role_bindings),
        (&played.kubernetes.roles, &played.kubernetes.role_bindings)
    );
    assert!(found(&evidence.environment.clock_offset_seconds).abs() < 2.0);
    assert_eq!(
        (evidence.target.cluster.as_deref(), evidence.target.region.as_deref()),
        (Some("prod"), Some("eu-west-1"))
    );
    let written = serde_json::to_string(&evidence).unwrap();
    assert_eq!(serde_json::from_str::<Evidence>(&written).unwrap(), evidence);
}

/// That nothing on the wire could have changed anything.
fn assert_reads_only(seen: &[String]) {
    let posts = [
        "POST sts:GetCallerIdentity",
        "POST cloudtrail:LookupEvents",
        "POST logs:FilterLogEvents",
        "POST POST /apis/authentication.k8s.io/v1/selfsubjectreviews",
        "POST POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
    ];
    let reading = |call: &&String| call.starts_with("GET ") || posts.contains(&call.as_str());
    assert_eq!(seen.iter().find(|call| !reading(call)), None);
}

#[test]
fn a_normal_case_takes_few_calls_and_only_reads() {
    let lab = Lab::with_moods(base(), Moods { page: Some(100), ..Moods::default() });
    let evidence = collect(&request(), &lab.surroundings());
    let seen = lab.seen();
    assert!(seen.len() <= 15, "{} calls: {seen:#?}", seen.len());
    assert_reads_only(&seen);
    assert!(evidence.calls.len() >= 12);
}

#[test]
fn no_secret_gets_into_the_evidence() {
    let mut played = base();
    if let Observed::Found(user) = &mut played.kubernetes.whoami {
        user.extra.insert("accessKeyId".into(), vec![world::PLUGIN_KEY.into()]);
    }
    if let Observed::Found(map) = &mut played.kubernetes.aws_auth {
        map.data.insert("notes".into(), format!("password: {}", world::PASSWORD));
    }
    let lab = Lab::playing(played);
    let canaries = [
        world::SECRET_KEY,
        world::SESSION_TOKEN,
        world::PASSWORD,
        "canary-argument",
        "canary-variable",
        "canary-error",
        "canary-symptom",
        "X-Amz-Signature=",
        world::SHELL_KEY,
        world::PLUGIN_KEY,
    ];
    let endpoint = found(&lab.evidence.aws.cluster).endpoint.clone().unwrap();
    let exec = json!({
        "args": ["--token", "canary-argument", "--cluster-name", "prod"],
        "env": [{ "name": "VAULT_TOKEN", "value": "canary-variable" }, { "name": "AWS_SECRET_ACCESS_KEY", "value": world::SECRET_KEY }]
    });
    lab.write_kubeconfig(&endpoint, &exec);
    let token = world::presigned_token("prod");
    for script in [
        format!("echo 'password=canary-error {token} {}' >&2; exit 1", world::SECRET_KEY),
        format!("echo '{{\"kind\":\"ExecCredential\",\"status\":{{\"token\":\"{token}\"}}}}'"),
        format!(
            "echo '{{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1beta1\",\"status\":{{\"token\":\"{token}\"}}}}'; echo {token} $VAULT_TOKEN >&2"
        ),
    ] {
        lab.write_plugin(&script);
        let mut request = request();
        request.target.symptom = Some(format!("Authorization: Bearer canary-symptom-0123456789 {token}"));
        let evidence = serde_json::to_string(&collect(&request, &lab.surroundings())).unwrap();
        for canary in canaries {
            let places: Vec<_> = evidence
                .match_indices(canary)
                .map(|(place, _)| &evidence[place.saturating_sub(60)..place + canary.len()])
                .collect();
            assert!(places.is_empty(), "{canary} in {places:?}");
        }
        let body = token.trim_start_matches("k8s-aws-v1.");
        assert!(!evidence.contains(body));
    }
}

#[test]
fn denied_is_denied_and_the_rest_stays_intact() {
    let mut evidence = base();
    let denied = |code: &str, status, message: &str| Failure {
        status: Some(status),
        code: Some(code.into()),
        message: message.into(),
        ..Failure::default()
    };
    evidence.aws.access_entries = Observed::Denied(denied(
        "AccessDeniedException",
        403,
        "User: ada is not authorized to perform: eks:ListAccessEntries",
    ));
    evidence.kubernetes.cluster_roles =
        Observed::Denied(denied("Forbidden", 403, "clusterroles is forbidden: User \"ada\""));
    evidence.kubernetes.aws_auth = Observed::absent();
    let lab = Lab::playing(evidence);
    let evidence = collect(&request(), &lab.surroundings());
    let Observed::Denied(entries) = &evidence.aws.access_entries else { panic!("{:?}", evidence.aws.access_entries) };
    assert_eq!(
        (entries.code.as_deref(), entries.status, entries.request_id.as_deref()),
        (Some("AccessDeniedException"), Some(403), Some("r-eks"))
    );
    assert_eq!(entries.operation.as_deref(), Some("eks:ListAccessEntries"));
    let Observed::Denied(roles) = &evidence.kubernetes.cluster_roles else {
        panic!("{:?}", evidence.kubernetes.cluster_roles)
    };
    assert_eq!(roles.message, "clusterroles is forbidden: User \"ada\"");
    assert!(matches!(evidence.kubernetes.aws_auth, Observed::Absent(_)));
    assert_eq!(evidence.kubernetes.role_bindings, Observed::Found(vec![]));
    assert!(evidence.aws.cluster.found().is_some());
}

#[test]
fn a_refused_action_is_tried_and_a_missing_config_map_is_looked_for() {
    let mut played = base();
    let forbidden = Failure {
        status: Some(403),
        code: Some("Forbidden".into()),
        message: "pods is forbidden: User \"ada\" cannot list resource \"pods\"".into(),
        ..Failure::default()
    };
    let elsewhere = ObjectName { namespace: "default".into(), name: "aws-auth".into() };
    let unrelated = ObjectName { namespace: "kube-system".into(), name: "coredns".into() };
    played.kubernetes.access_review = Observed::Found(AccessReview::default());
    played.kubernetes.action_attempt = Observed::Denied(forbidden.clone());
    played.kubernetes.aws_auth = Observed::absent();
    played.kubernetes.misplaced_aws_auth = Observed::Found(vec![elsewhere.clone(), unrelated]);
    if let Observed::Found(cluster) = &mut played.aws.cluster {
        cluster.created_at = Some(jiff::Timestamp::now().round(jiff::Unit::Second).unwrap());
    }
    let evidence = collect(&request(), &Lab::playing(played).surroundings());
    let Observed::Denied(attempt) = &evidence.kubernetes.action_attempt else {
        panic!("{:?}", evidence.kubernetes.action_attempt)
    };
    assert_eq!(attempt.message, forbidden.message);
    assert_eq!(evidence.kubernetes.misplaced_aws_auth, Observed::Found(vec![elsewhere]));
    // Whoever is refused may be the creator, mapped to less than it had.
    assert!(evidence.aws.create_cluster_event.found().is_some());
}

/// Every call of these runs as observation and operation, but for those that are no requests.
fn calls_of(runs: &[Evidence]) -> BTreeSet<(String, String)> {
    let calls = runs.iter().flat_map(|evidence| &evidence.calls);
    let requests = calls.filter(|call| {
        !call.observation.starts_with("network.")
            && call.operation != "credentials"
            && !call.operation.starts_with("exec ")
    });
    // The action itself needs what it needs.
    let requests = requests.filter(|call| call.observation != "kubernetes.actionAttempt");
    requests.map(|call| (call.observation.clone(), call.operation.clone())).collect()
}

#[test]
fn the_table_of_permissions_is_the_list_of_the_calls() {
    let run = |lab: &Lab, request: &Request| {
        let evidence = collect(request, &lab.surroundings());
        assert_reads_only(&lab.seen());
        evidence
    };
    let normal = run(&Lab::playing(base()), &request());
    let mut locked_out = unmapped();
    if let Observed::Found(cluster) = &mut locked_out.aws.cluster {
        cluster.created_at = None;
        cluster.other["logging"]["clusterLogging"][0]["enabled"] = true.into();
    }
    let locked_out = run(&Lab::playing(locked_out), &Request { logs: true, ..request() });
    let mut missing = base();
    missing.aws.cluster = Observed::absent();
    missing.kubernetes.aws_auth = Observed::absent();
    let target = Target { principal: Some("nobody".into()), ..Target::default() };
    let lab = Lab::playing(missing);
    lab.write_kubeconfig(&lab.direct(), &json!({}));
    let missing = run(&lab, &Request { target, ..Request::default() });
    let made = calls_of(&[normal, locked_out, missing]);
    let known = PERMISSIONS.iter().map(|known| (known.observation.to_owned(), known.operation.to_owned())).collect();
    assert_eq!(
        made.difference(&known).collect::<Vec<_>>(),
        Vec::<&(String, String)>::new(),
        "calls without a permission"
    );
    assert_eq!(
        known.difference(&made).collect::<Vec<_>>(),
        Vec::<&(String, String)>::new(),
        "permissions without a call"
    );
}

#[test]
fn an_unmapped_principal_is_denied_by_the_server_and_still_seen_by_aws() {
    let mut played = unmapped();
    if let Observed::Found(cluster) = &mut played.aws.cluster {
        cluster.created_at = Some(jiff::Timestamp::now().round(jiff::Unit::Second).unwrap());
    }
    let lab = Lab::playing(played);
    let evidence = collect(&request(), &lab.surroundings());
    assert!(matches!(&evidence.kubernetes.whoami, Observed::Denied(failure) if failure.status == Some(401)));
    assert!(matches!(&evidence.kubernetes.native_whoami, Observed::Denied(_)));
    assert!(matches!(&evidence.kubernetes.roles, Observed::Denied(_)));
    let principals = |evidence: &Evidence| -> Vec<String> {
        found(&evidence.aws.access_entries).iter().map(|entry| entry.principal_arn.clone()).collect()
    };
    assert_eq!(principals(&evidence), principals(&lab.evidence));
    assert_eq!(found(&evidence.aws.create_cluster_event).principal_arn, "arn:aws:iam::111122223333:role/ci");
}

#[test]
fn somebody_else_is_looked_at_on_request() {
    let mut played = base();
    played.aws.principal = Observed::Found(IamPrincipal {
        arn: "arn:aws:iam::111122223333:user/eve".into(),
        unique_id: Some("AIDAEXAMPLE".into()),
        create_date: "2025-01-01T00:00:00Z".parse().ok(),
    });
    let lab = Lab::playing(played);
    let asked = |principal: &str| {
        let target = Target { principal: Some(principal.to_owned()), ..Target::default() };
        collect(&Request { target, ..Request::default() }, &lab.surroundings())
    };
    for name in ["eve", "arn:aws:iam::111122223333:user/eve"] {
        let evidence = asked(name);
        assert_eq!(evidence.target.principal.as_deref(), Some("arn:aws:iam::111122223333:user/eve"));
        assert_eq!(evidence.aws.principal, lab.evidence.aws.principal);
        let described: Vec<_> =
            found(&evidence.aws.access_entries).iter().map(|entry| !entry.details.is_unmentioned()).collect();
        assert_eq!(described, [false, false, true]);
    }
    let nobody = asked("nobody");
    assert_eq!(nobody.target.principal.as_deref(), Some("nobody"));
    assert!(matches!(nobody.aws.principal, Observed::Absent(_)));
    let foreign = asked("arn:aws:iam::444455556666:role/Dev");
    assert!(matches!(foreign.aws.principal, Observed::NotTried(Some(_))));
}

#[test]
fn logs_are_read_on_request_and_where_they_are_written() {
    let mut played = base();
    played.logs.authenticator = Observed::Found(vec!["level=warning msg=\"access denied\" arn=\"x\"".into()]);
    let request = Request { logs: true, ..Request::default() };
    let off = Lab::playing(played.clone());
    let evidence = collect(&request, &off.surroundings());
    assert_eq!(evidence.logs.authenticator, Observed::not_tried("authenticator logging is off"));
    if let Observed::Found(cluster) = &mut played.aws.cluster {
        cluster.other["logging"]["clusterLogging"][0]["enabled"] = true.into();
    }
    let on = Lab::playing(played);
    assert_eq!(collect(&request, &on.surroundings()).logs.authenticator, on.evidence.logs.authenticator);
    assert!(collect(&Request::default(), &on.surroundings()).logs.authenticator.is_unmentioned());
}

#[test]
fn a_broken_plugin_is_told_from_an_unmapped_identity() {
    let lab = Lab::playing(base());
    lab.write_plugin("echo 'Unable to locate credentials' >&2; exit 253");
    let kubectl = "#!/bin/sh\necho '{\"clientVersion\":{\"gitVersion\":\"v1.33.0\"}}'\n";
    std::fs::copy(lab.folder.path().join("bin/aws"), lab.folder.path().join("bin/kubectl")).unwrap();
    std::fs::write(lab.folder.path().join("bin/kubectl"), kubectl).unwrap();
    let evidence = collect(&request(), &lab.surroundings());
    assert_eq!(found(&evidence.exec).exit_code, Some(253));
    assert_eq!(found(&evidence.environment.executables["kubectl"]).version.as_deref(), Some("v1.33.0"));
    assert!(matches!(evidence.kubernetes.whoami, Observed::NotTried(Some(_))));
    assert_eq!(evidence.kubernetes.version, lab.evidence.kubernetes.version);
    assert_eq!(evidence.kubernetes.native_whoami, lab.evidence.kubernetes.whoami);
    assert_eq!(evidence.kubernetes.aws_auth, lab.evidence.kubernetes.aws_auth);
    std::fs::remove_file(lab.folder.path().join("bin/aws")).unwrap();
    assert_eq!(code(&collect(&request(), &lab.surroundings()).exec), "ENOENT");
}

#[test]
fn a_token_for_another_cluster_is_refused_by_sts() {
    let lab = Lab::playing(base());
    let mut request = request();
    request.target.cluster = Some("other".into());
    let evidence = collect(&request, &lab.surroundings());
    assert_eq!(code(&evidence.exec_caller), "SignatureDoesNotMatch");
}

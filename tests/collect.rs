//! The live collector against servers on loopback that play an evidence document, and against moto's STS.

#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "the servers of the tests are part of the test"
)]

#[path = "lab/server.rs"]
mod server;
#[path = "lab/world.rs"]
mod world;

use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use eks_doctor::collect::permissions::PERMISSIONS;
use eks_doctor::collect::{NoProgress, Request, Surroundings, collect_blocking};
use eks_doctor::evidence::{
    AccessReview, Action, CredentialProvider, Evidence, Failure, IamPrincipal, ObjectName, Observed, Target, Via,
};
use serde_json::json;
use server::{Fault, Reply};
use world::{Lab, Moods, base};

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
    let lab = Lab::playing(base());
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
    let evidence = collect(&request(), &Lab::playing(played).surroundings());
    let Observed::Denied(attempt) = &evidence.kubernetes.action_attempt else {
        panic!("{:?}", evidence.kubernetes.action_attempt)
    };
    assert_eq!(attempt.message, forbidden.message);
    assert_eq!(evidence.kubernetes.misplaced_aws_auth, Observed::Found(vec![elsewhere]));
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
    let mut locked_out = base();
    locked_out.kubernetes.whoami = Observed::Denied(Failure { status: Some(401), ..Failure::default() });
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
    let mut played = base();
    let refused = Failure {
        status: Some(401),
        code: Some("Unauthorized".into()),
        message: "Unauthorized".into(),
        ..Failure::default()
    };
    played.kubernetes.whoami = Observed::Denied(refused);
    if let Observed::Found(cluster) = &mut played.aws.cluster {
        cluster.created_at = Some(jiff::Timestamp::now().round(jiff::Unit::Second).unwrap());
    }
    let lab = Lab::playing(played);
    let evidence = collect(&request(), &lab.surroundings());
    assert!(matches!(&evidence.kubernetes.whoami, Observed::Denied(failure) if failure.status == Some(401)));
    assert!(matches!(&evidence.kubernetes.native_whoami, Observed::Denied(_)));
    assert!(matches!(&evidence.kubernetes.roles, Observed::Denied(_)));
    assert_eq!(evidence.aws.access_entries, lab.evidence.aws.access_entries);
    assert_eq!(found(&evidence.aws.create_cluster_event).principal_arn, "arn:aws:iam::111122223333:role/ci");
}

#[test]
fn the_way_through_a_proxy_is_seen() {
    let lab = Lab::playing(base());
    let network = collect(&request(), &lab.surroundings()).network;
    let proxy = found(&network.proxy);
    assert_eq!(proxy.from, "HTTPS_PROXY");
    assert!(proxy.url.starts_with("http://127.0.0.1:"), "{}", proxy.url);
    assert_eq!(network.dns, Observed::not_tried("the proxy looks the name up"));
    assert_eq!(found(&network.tcp).via, Some(Via::Proxy));
    let tls = found(&network.tls);
    assert_eq!((tls.verified, tls.issuer.as_deref(), tls.sha256.len()), (true, Some("CN=lab"), 1));
}

#[test]
fn a_certificate_that_the_kubeconfig_does_not_trust_is_looked_at() {
    let lab = Lab::playing(base());
    let other = server::Certificates::new(&["other.example"]);
    lab.write_kubeconfig_with_ca(&lab.direct(), &other.ca_pem, &json!({}));
    let evidence = collect(&request(), &lab.surroundings());
    assert_eq!(evidence.network.dns, Observed::Found(vec!["127.0.0.1".to_owned()]));
    assert_eq!(found(&evidence.network.tcp).via, Some(Via::Direct));
    assert!(matches!(evidence.network.proxy, Observed::Absent(_)));
    let tls = found(&evidence.network.tls);
    assert_eq!((tls.verified, tls.error.as_deref()), (false, Some("UnknownIssuer")));
    assert_eq!((tls.verified_by_cluster, tls.verified_by_system), (Some(true), Some(false)));
    assert_eq!(code(&evidence.kubernetes.whoami), "UnknownIssuer");
    // The cluster's own endpoint and CA lead there all the same.
    assert!(evidence.kubernetes.native_whoami.found().is_some());
}

#[test]
fn a_server_that_is_not_there_refuses_or_has_no_name() {
    let lab = Lab::playing(base());
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    lab.write_kubeconfig(&format!("https://127.0.0.1:{port}"), &json!({}));
    let evidence = collect(&request(), &lab.surroundings());
    assert_eq!(code(&evidence.network.tcp), "ECONNREFUSED");
    assert_eq!(code(&evidence.kubernetes.whoami), "ECONNREFUSED");
    lab.write_kubeconfig("https://no-such-cluster.invalid", &json!({}));
    let mut surroundings = lab.surroundings();
    surroundings.variables.insert("NO_PROXY".into(), ".invalid".into());
    let evidence = collect(&request(), &surroundings);
    assert!(["NXDOMAIN", "EAI_AGAIN"].contains(&code(&evidence.network.dns)), "{:?}", evidence.network.dns);
    assert!(["NXDOMAIN", "EAI_AGAIN"].contains(&code(&evidence.kubernetes.whoami)), "{:?}", evidence.kubernetes.whoami);
    assert_eq!(evidence.network.tcp, Observed::not_tried("the name does not resolve"));
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
fn a_pod_uses_its_service_account() {
    let lab = Lab::playing(base());
    std::fs::remove_dir_all(lab.folder.path().join(".kube")).unwrap();
    let mut surroundings = lab.surroundings();
    let account = lab.folder.path().join("account");
    std::fs::create_dir(&account).unwrap();
    std::fs::write(account.join("ca.crt"), &lab.certificates.ca_pem).unwrap();
    std::fs::write(account.join("token"), "e30.eyJpc3MiOiJsYWIiLCJzdWIiOiJzeXN0ZW06c2VydmljZWFjY291bnQ6YTpiIn0.c2ln\n")
        .unwrap();
    surroundings.service_account = account;
    let direct = lab.direct();
    let (host, port) = direct.trim_start_matches("https://").split_once(':').unwrap();
    surroundings.variables.insert("KUBERNETES_SERVICE_HOST".into(), host.into());
    surroundings.variables.insert("KUBERNETES_SERVICE_PORT".into(), port.into());
    let evidence = collect(&Request::default(), &surroundings);
    assert_eq!(found(&evidence.static_token).subject.as_deref(), Some("system:serviceaccount:a:b"));
    // The lab knows EKS tokens only.
    assert!(matches!(&evidence.kubernetes.whoami, Observed::Denied(failure) if failure.status == Some(401)));
}

#[test]
fn odd_surroundings_are_no_obstacle() {
    use std::os::unix::ffi::OsStringExt as _;
    let lab = Lab::playing(base());
    let mut surroundings = lab.surroundings();
    surroundings.variables.insert("AWS_PROFILE_ODD".into(), std::ffi::OsString::from_vec(vec![b'a', 0xff]));
    surroundings.variables.insert(std::ffi::OsString::from_vec(vec![0xfe]), "x".into());
    let evidence = collect(&request(), &surroundings);
    assert!(evidence.kubernetes.whoami.found().is_some());
    assert_eq!(evidence.environment.variables.unwrap()["AWS_PROFILE_ODD"], "a\u{fffd}");
    without(&mut surroundings, &["HOME", "PATH"]);
    surroundings.home = None;
    let evidence = collect(&request(), &surroundings);
    assert!(evidence.aws.caller.found().is_some());
    assert!(matches!(evidence.kubeconfig, Observed::Found(_)), "{:?}", evidence.kubeconfig);
    assert_eq!(code(&evidence.exec), "ENOENT");
    let kubeconfig = lab.folder.path().join(".kube/config");
    std::fs::write(&kubeconfig, b"clusters:\n- \xff\n").unwrap();
    let evidence = collect(&request(), &lab.surroundings());
    assert!(evidence.kubeconfig.failure().unwrap().message.contains("line 2: not UTF-8"));
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
    assert_eq!(evidence.kubernetes.native_whoami, lab.evidence.kubernetes.whoami);
    assert_eq!(evidence.kubernetes.aws_auth, lab.evidence.kubernetes.aws_auth);
    std::fs::remove_file(lab.folder.path().join("bin/aws")).unwrap();
    assert_eq!(code(&collect(&request(), &lab.surroundings()).exec), "ENOENT");
}

#[test]
fn a_token_for_another_cluster_is_refused_by_sts() {
    let lab = Lab::playing(base());
    let endpoint = found(&lab.evidence.aws.cluster).endpoint.clone().unwrap();
    lab.write_kubeconfig(&endpoint, &json!({}));
    let mut request = request();
    request.target.cluster = Some("other".into());
    let evidence = collect(&request, &lab.surroundings());
    assert_eq!(code(&evidence.exec_caller), "SignatureDoesNotMatch");
}

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
    assert_eq!(code(&evidence.exec), "Interrupted");
    assert!(evidence.aws.cluster.found().is_some());
}

#[test]
fn a_machine_without_anything_says_exactly_that() {
    let lab = Lab::playing(base());
    let mut surroundings = lab.surroundings();
    without(&mut surroundings, &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "HTTPS_PROXY"]);
    std::fs::remove_dir_all(lab.folder.path().join(".kube")).unwrap();
    let evidence = collect(&Request::default(), &surroundings);
    assert!(matches!(evidence.aws.credentials, Observed::Absent(_)));
    assert!(matches!(evidence.kubeconfig, Observed::Absent(_)));
    assert_eq!(evidence.exec, Observed::not_tried("no kubeconfig"));
    assert_eq!(evidence.aws.caller, Observed::not_tried("no AWS credentials"));
    assert_eq!(lab.seen(), Vec::<String>::new());
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

/// A lab where the shell has no keys of its own, but these files and variables.
fn collect_with(config: &str, variables: &[(&str, &str)], prepare: impl FnOnce(&Lab)) -> (Evidence, Vec<String>) {
    let lab = Lab::playing(base());
    std::fs::write(lab.folder.path().join(".aws/config"), config).unwrap();
    prepare(&lab);
    let mut surroundings = lab.surroundings();
    without(&mut surroundings, &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]);
    surroundings.variables.extend(variables.iter().map(|(name, value)| ((*name).into(), (*value).into())));
    (collect(&request(), &surroundings), lab.seen())
}

/// That the caller is known by keys that some provider handed out.
fn assert_by(evidence: &Evidence, provider: CredentialProvider, key: &str) {
    let credentials = found(&evidence.aws.credentials);
    assert_eq!(credentials.provider, provider);
    let masked = format!("{}XXXXXXXXXXXX{}", &key[..4], &key[16..]);
    assert_eq!(credentials.access_key_id.as_deref(), Some(masked.as_str()));
    assert!(evidence.aws.caller.found().is_some(), "{:?}", evidence.aws.caller);
    let document = serde_json::to_string(evidence).unwrap();
    assert!(!document.contains(world::SECRET_KEY) && !document.contains(world::SESSION_TOKEN));
}

const CHAIN: &str = "
[profile base]
aws_access_key_id = AKIAIOSFODNN7EXAMPLE
aws_secret_access_key = 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
[profile middle]
role_arn = arn:aws:iam::111122223333:role/middle
source_profile = base
[profile top]
role_arn = arn:aws:iam::111122223333:role/top
source_profile = middle
external_id = x
[profile refused]
role_arn = arn:aws:iam::111122223333:role/forbidden
source_profile = base
";

#[test]
fn a_chain_of_roles_is_taken() {
    let (evidence, seen) = collect_with(CHAIN, &[("AWS_PROFILE", "top")], |_| {});
    assert_by(&evidence, CredentialProvider::AssumeRole, world::ROLE_KEY);
    assert_eq!(seen.iter().filter(|call| call.ends_with("sts:AssumeRole")).count(), 2);
    assert!(found(&evidence.aws.credentials).expires_at.is_some());
    assert_eq!(found(&evidence.aws.profile).source_profile.as_deref(), Some("middle"));
}

#[test]
fn a_role_that_may_not_be_taken_says_so() {
    let (evidence, _) = collect_with(CHAIN, &[("AWS_PROFILE", "refused")], |_| {});
    let Observed::Denied(denied) = &evidence.aws.credentials else { panic!("{:?}", evidence.aws.credentials) };
    assert_eq!((denied.operation.as_deref(), denied.code.as_deref()), (Some("sts:AssumeRole"), Some("AccessDenied")));
    assert!(denied.message.contains("role/forbidden"));
    // The plugin has keys of its own, so that the rest is seen as far as it needs none of ours.
    assert!(evidence.kubernetes.whoami.found().is_some());
}

#[test]
fn a_web_identity_is_exchanged() {
    let role = ("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/pod");
    let write = |lab: &Lab| std::fs::write(lab.folder.path().join("identity"), "e30.e30.c2ln\n").unwrap();
    let (evidence, _) = collect_with("", &[role, ("AWS_WEB_IDENTITY_TOKEN_FILE", "identity")], write);
    assert_by(&evidence, CredentialProvider::WebIdentity, world::ROLE_KEY);
    let (evidence, _) = collect_with("", &[role, ("AWS_WEB_IDENTITY_TOKEN_FILE", "nowhere")], |_| {});
    assert_eq!(code(&evidence.aws.credentials), "ENOENT");
}

#[test]
fn an_sso_session_is_used_and_its_end_is_known() {
    let config = "[profile sso]\nsso_session = corp\nsso_account_id = 111122223333\nsso_role_name = Dev\n[sso-session corp]\nsso_region = eu-west-1\nsso_start_url = https://corp.example/start\n";
    let cached = |token: &'static str| {
        move |lab: &Lab| {
            let folder = lab.folder.path().join(".aws/sso/cache");
            std::fs::create_dir_all(&folder).unwrap();
            let cached = json!({ "accessToken": token, "expiresAt": "2030-01-01T00:00:00Z" });
            // The SHA-1 of "corp".
            std::fs::write(folder.join("ee0bfd2552fbd840c02cc48b6e823320543c450f.json"), cached.to_string()).unwrap();
        }
    };
    let (evidence, _) = collect_with(config, &[("AWS_PROFILE", "sso")], cached(world::SESSION_TOKEN));
    assert_by(&evidence, CredentialProvider::Sso, world::ROLE_KEY);
    assert!(found(&evidence.aws.profile).sso_expires_at.is_some());
    let (evidence, _) = collect_with(config, &[("AWS_PROFILE", "sso")], cached("another-session-token"));
    let Observed::Denied(denied) = &evidence.aws.credentials else { panic!("{:?}", evidence.aws.credentials) };
    assert_eq!((denied.status, denied.code.as_deref()), (Some(401), Some("UnauthorizedException")));
}

#[test]
fn a_session_that_wants_renewing_is_left_to_the_aws_cli() {
    let config = "[profile sso]\nsso_session = corp\nsso_account_id = 111122223333\nsso_role_name = Dev\n[sso-session corp]\nsso_region = eu-west-1\nsso_start_url = https://corp.example/start\n";
    let prepare = |lab: &Lab| {
        let folder = lab.folder.path().join(".aws/sso/cache");
        std::fs::create_dir_all(&folder).unwrap();
        let cached = json!({
            "accessToken": "old", "expiresAt": "2020-01-01T00:00:00Z", "refreshToken": "canary", "registrationExpiresAt": "2030-01-01T00:00:00Z"
        });
        // The SHA-1 of "corp".
        std::fs::write(folder.join("ee0bfd2552fbd840c02cc48b6e823320543c450f.json"), cached.to_string()).unwrap();
        let keys = json!({ "Version": 1, "AccessKeyId": world::ROLE_KEY, "SecretAccessKey": world::SECRET_KEY, "SessionToken": world::SESSION_TOKEN });
        lab.write_plugin(&format!("[ \"$1 $4\" = 'configure sso' ] && echo '{keys}' || exit 1"));
    };
    let (evidence, _) = collect_with(config, &[("AWS_PROFILE", "sso")], prepare);
    assert_by(&evidence, CredentialProvider::Sso, world::ROLE_KEY);
    assert_eq!(found(&evidence.exec).exit_code, Some(1));
}

/// Somebody on the machine who hands out keys over plain HTTP, to those who know how to ask.
fn metadata() -> server::Server {
    let keys = json!({ "AccessKeyId": world::ROLE_KEY, "SecretAccessKey": world::SECRET_KEY, "Token": world::SESSION_TOKEN, "Expiration": "2030-01-01T00:00:00Z" });
    server::http(std::sync::Arc::new(move |request| {
        let instance = request.header("x-aws-ec2-metadata-token") == Some("instance");
        match (request.method.as_str(), request.path()) {
            ("PUT", "/latest/api/token") => Reply::text(200, "text/plain", "instance"),
            ("GET", "/latest/meta-data/iam/security-credentials/") if instance => {
                Reply::text(200, "text/plain", "node")
            }
            ("GET", "/latest/meta-data/iam/security-credentials/node") if instance => Reply::json(200, &keys),
            ("GET", "/pod") if request.header("authorization") == Some("pod-secret-token") => Reply::json(200, &keys),
            _ => Reply::json(401, &json!({ "code": "Unauthorized", "message": "no" })),
        }
    }))
}

#[test]
fn keys_of_a_container_and_of_an_instance_are_fetched() {
    let server = metadata();
    let (pod, instance) = (format!("http://{}/pod", server.address), format!("http://{}", server.address));
    let container = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", pod.as_str());
    let (evidence, _) =
        collect_with("", &[container, ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "pod-secret-token")], |_| {});
    assert_by(&evidence, CredentialProvider::Container, world::ROLE_KEY);
    assert!(!serde_json::to_string(&evidence).unwrap().contains("pod-secret-token"));
    let endpoint = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", instance.as_str()), ("AWS_EC2_METADATA_DISABLED", "false")];
    let (evidence, _) = collect_with("", &endpoint, |_| {});
    assert_by(&evidence, CredentialProvider::Imds, world::ROLE_KEY);
}

/// The lab's surroundings with the programs of this machine, if it has them.
fn with_real_programs(lab: &Lab, programs: &[&str]) -> Option<Surroundings> {
    let mut surroundings = lab.surroundings();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = |program: &&str| std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    if let Some(missing) = programs.iter().find(|program| !installed(program)) {
        println!("skipped: {missing} is not installed");
        return None;
    }
    surroundings.variables.insert("PATH".into(), path);
    Some(surroundings)
}

#[test]
fn the_real_aws_makes_a_token_that_is_understood() {
    let lab = Lab::playing(base());
    let Some(surroundings) = with_real_programs(&lab, &["aws"]) else { return };
    let evidence = collect(&Request { timeout: Duration::from_secs(30), ..request() }, &surroundings);
    let run = found(&evidence.exec);
    assert_eq!((run.exit_code, run.decode_error.as_deref()), (Some(0), None), "{}", run.stderr);
    let token = run.token.as_ref().unwrap();
    assert_eq!(token.host.as_deref(), Some("sts.eu-west-1.amazonaws.com"));
    assert_eq!(token.access_key_id.as_deref(), Some("ASIAXXXXXXXXXXXXELL1"));
    assert_eq!(evidence.exec_caller, lab.evidence.aws.caller);
    assert_eq!(evidence.kubernetes.whoami, lab.evidence.kubernetes.whoami);
}

#[test]
fn the_real_kubectl_is_refused_where_the_evidence_says_so() {
    let mut played = base();
    played.kubernetes.whoami = Observed::Denied(Failure {
        status: Some(401),
        code: Some("Unauthorized".into()),
        message: "Unauthorized".into(),
        ..Failure::default()
    });
    let lab = Lab::playing(played);
    let Some(surroundings) = with_real_programs(&lab, &["kubectl"]) else { return };
    let plugin = lab.folder.path().join("bin");
    let path = surroundings.variables[std::ffi::OsStr::new("PATH")].clone();
    let path = std::env::join_paths(std::iter::once(plugin).chain(std::env::split_paths(&path))).unwrap();
    let kubectl = Command::new("kubectl")
        .args(["get", "pods"])
        .env_clear()
        .envs(&surroundings.variables)
        .env("PATH", path)
        .output();
    let said = String::from_utf8_lossy(&kubectl.unwrap().stderr).into_owned();
    assert!(said.contains("You must be logged in to the server"), "{said}");
    assert!(matches!(collect(&request(), &lab.surroundings()).kubernetes.whoami, Observed::Denied(_)));
}

/// moto's server, stopped when it is dropped.
struct Moto(Child);

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts moto's server, if it is installed here.
fn moto() -> Option<(Moto, String)> {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let arguments = ["-H", "127.0.0.1", "-p", &port.to_string()];
    let quiet = Command::new("moto_server").args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let Ok(child) = quiet else {
        println!("skipped: moto_server is not installed (pip install 'moto[server]')");
        return None;
    };
    let server = Moto(child);
    let address = format!("127.0.0.1:{port}");
    for _ in 0..300 {
        if std::net::TcpStream::connect(&address).is_ok() {
            return Some((server, format!("http://{address}")));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("moto_server does not listen on {address}");
}

#[test]
fn motos_services_are_understood() {
    let Some((_server, url)) = moto() else { return };
    let lab = Lab::playing(base());
    let mut surroundings = lab.surroundings();
    without(&mut surroundings, &["HTTPS_PROXY", "AWS_SESSION_TOKEN"]);
    surroundings.variables.insert("AWS_ENDPOINT_URL".into(), url.into());
    surroundings.variables.insert("AWS_ACCESS_KEY_ID".into(), "AKIAIOSFODNN7EXAMPLE".into());
    std::fs::remove_dir_all(lab.folder.path().join(".kube")).unwrap();
    let target = Target { cluster: Some("nope".into()), region: Some("eu-west-1".into()), ..Target::default() };
    let evidence = collect(&Request { target, timeout: Duration::from_secs(30), ..Request::default() }, &surroundings);
    let caller = found(&evidence.aws.caller);
    assert_eq!(caller.account.as_deref(), Some("123456789012"));
    let Observed::Absent(absent) = &evidence.aws.cluster else { panic!("{:?}", evidence.aws.cluster) };
    assert_eq!(absent.looked, ["123456789012/eu-west-1"]);
    assert_eq!(evidence.aws.cluster_names, Observed::Found(vec![]));
}

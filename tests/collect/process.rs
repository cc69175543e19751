//! The program as a process: what it writes where while it looks, what Ctrl-C does, and that no secret gets out.

use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use eks_doctor::evidence::{Failure, Observed};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::{Value, json};

use crate::program;
use crate::server::{Fault, Reply};
use crate::world::{self, Lab, Moods, base};

const CHECK: [&str; 5] = ["check", "--output", "json", "--action", "list pods -n dev"];

fn start(lab: &Lab, arguments: &[&str]) -> Child {
    program(&lab.surroundings(), arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The report on standard output, which holds nothing else, and standard error.
fn report(output: &Output) -> (Value, String) {
    let told = String::from_utf8(output.stderr.clone()).unwrap();
    let report = serde_json::from_slice(&output.stdout);
    (report.unwrap_or_else(|error| panic!("{}: {error}: {told}", output.status)), told)
}

fn wait_for(what: &str, is_there: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_there() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what} never came");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn ctrl_c_prints_what_is_known_so_far() {
    let hangs = "POST /apis/authentication.k8s.io/v1/selfsubjectreviews";
    let replies = [(hangs.to_owned(), Reply::Misbehave(Fault::BlackHole))].into();
    let lab = Lab::with_moods(base(), Moods { replies, ..Moods::default() });
    let child = start(&lab, &[&CHECK[..], &["--timeout", "60"]].concat());
    wait_for("the call that hangs", || lab.seen().iter().any(|call| call.ends_with(hangs)));
    // What answers has answered by then.
    std::thread::sleep(Duration::from_millis(500));
    let begun = Instant::now();
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    let (report, _) = report(&output);
    let status = match report["verdict"].as_str().unwrap() {
        "healthy" => 0,
        "blocked" => 1,
        _ => 3,
    };
    assert_eq!(output.status.code(), Some(status));
    assert_eq!(report["identity"]["arn"], "arn:aws:sts::111122223333:assumed-role/Dev/ada");
    let unseen: Vec<&Value> = report["unknowns"].as_array().unwrap().iter().collect();
    assert!(
        unseen.iter().all(|unseen| unseen["observation"] != "aws.cluster"),
        "what was answered before is known: {unseen:?}"
    );
}

#[test]
fn ctrl_c_ends_the_plugin_with_all_its_children() {
    ends_the_plugin(Signal::INT);
}

#[test]
fn termination_as_in_ci_does_so_too() {
    ends_the_plugin(Signal::TERM);
}

fn ends_the_plugin(signal: Signal) {
    let lab = Lab::playing(base());
    lab.write_plugin("echo $$ > pid.half; mv pid.half pid; sleep 60; echo never");
    let child = start(&lab, &[&CHECK[..], &["--timeout", "60"]].concat());
    let pid = lab.folder.path().join("pid");
    wait_for("the plugin", || pid.exists());
    kill_process(Pid::from_child(&child), signal).unwrap();
    let output = child.wait_with_output().unwrap();
    let (report, _) = report(&output);
    assert_eq!(output.status.code(), Some(3), "{report}");
    let stopped = "exec aws was stopped before it was answered";
    assert!(report.to_string().contains(stopped), "{report}");
    let plugin = Pid::from_raw(std::fs::read_to_string(pid).unwrap().trim().parse().unwrap()).unwrap();
    wait_for("the plugin's end", || test_kill_process(plugin).is_err());
}

#[test]
fn a_kubeconfig_from_a_pipe_is_read_once() {
    let lab = Lab::playing(base());
    let pipe = lab.folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let kubeconfig = std::fs::read(lab.folder.path().join(".kube/config")).unwrap();
    let arguments = ["check", "--output", "json", "--action", "list pods", "--kubeconfig", pipe.to_str().unwrap()];
    let child = start(&lab, &arguments);
    std::fs::write(&pipe, kubeconfig).unwrap();
    let (report, _) = report(&child.wait_with_output().unwrap());
    let checks = report["checks"].as_array().unwrap();
    let passed = |id: &str| checks.iter().any(|check| check["id"] == id && check["outcome"] == "pass");
    assert!(passed("kubeconfig-readable") && passed("context-complete"), "{report}");
}

#[test]
fn a_slow_run_tells_what_has_settled_and_what_is_waited_for() {
    let lab = Lab::playing(base());
    let printed = std::fs::read_to_string(lab.folder.path().join("bin/aws")).unwrap();
    lab.write_plugin(&format!("sleep 2.5\n{}", printed.trim_start_matches("#!/bin/sh\n")));
    let (_, told) = report(&start(&lab, &CHECK).wait_with_output().unwrap());
    assert_eq!(told, "", "a pipe gets nothing that it did not ask for");
    let (report, told) = report(&start(&lab, &[&CHECK[..], &["--verbose"]].concat()).wait_with_output().unwrap());
    assert_eq!(report["verdict"], "healthy");
    let lines: Vec<&str> = told.lines().collect();
    let place =
        |words: &str| lines.iter().position(|line| line.contains(words)).unwrap_or_else(|| panic!("{words}: {told}"));
    assert!(lines[place(" ms  aws.cluster ")].starts_with("found"), "{told}");
    // What was there before the plugin ended was told before.
    assert!(place("waiting for exec aws") < place(" ms  exec "), "{told}");
    assert!(
        place(" ms  aws.cluster ") < place(" ms  exec ") && place(" ms  exec ") < place("kubernetes.whoami"),
        "{told}"
    );
    // The shell's own entry is described without the plugin's word for who it is.
    assert!(place("eks:DescribeAccessEntry") < place(" ms  exec "), "{told}");
    assert!(!told.contains('\u{1b}') && !told.contains('\r'), "no spinner in a log: {told:?}");
}

#[test]
fn verbose_tells_every_call_with_its_time() {
    let lab = Lab::playing(base());
    let output = start(&lab, &["check", "--verbose", "--action", "list pods -n dev"]).wait_with_output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    for call in
        ["aws.caller  sts:GetCallerIdentity at sts.eu-west-1.amazonaws.com", "kubernetes.version  GET /version at "]
    {
        assert!(told.lines().any(|line| line.contains(" ms  ") && line.contains(call)), "{call}: {told}");
    }
    assert_eq!(
        String::from_utf8(output.stdout).unwrap().lines().filter(|line| line.contains("waiting for")).count(),
        0
    );
}

#[test]
fn what_was_refused_names_the_right_that_brings_it_back() {
    let mut played = base();
    let denied =
        |code: &str| Failure { status: Some(403), code: Some(code.into()), message: "no".into(), ..Failure::default() };
    played.aws.access_entries = Observed::Denied(denied("AccessDeniedException"));
    played.aws.principal = Observed::Denied(denied("AccessDenied"));
    played.kubernetes.aws_auth = Observed::Denied(denied("Forbidden"));
    played.kubernetes.role_bindings = Observed::Denied(denied("Forbidden"));
    played.kubernetes.access_review = Observed::Failed(Failure { status: Some(500), ..Failure::default() });
    let lab = Lab::playing(played);
    let (report, _) = report(&start(&lab, &CHECK).wait_with_output().unwrap());
    let unknowns = report["unknowns"].as_array().unwrap();
    for (observation, right, actor) in [
        ("aws.accessEntries", "IAM eks:ListAccessEntries", "aws-admin"),
        ("aws.principal", "IAM iam:GetRole", "aws-admin"),
        ("kubernetes.awsAuth", "Kubernetes get configmaps/aws-auth in kube-system", "cluster-admin"),
        ("kubernetes.roleBindings", "Kubernetes list rolebindings", "cluster-admin"),
    ] {
        let unseen = unknowns.iter().find(|unseen| unseen["observation"] == observation);
        let unseen = unseen.unwrap_or_else(|| panic!("{observation}: {} {unknowns:#?}", report["verdict"]));
        let why = unseen["why"].as_str().unwrap();
        assert!(why.ends_with(&format!("({right} brings it back)")), "{why}");
        assert_eq!(unseen["actor"], actor);
    }
}

/// Kubeconfigs that hold a secret in every place that can hold one: with the plugin in force, and with what is stored.
fn kubeconfigs_with_secrets(lab: &Lab) -> [Value; 2] {
    let endpoint = crate::found(&lab.evidence.aws.cluster).endpoint.clone().unwrap();
    let exec = json!({
        "args": ["eks", "get-token", "--cluster-name", "prod", "--token", "canary-argument", "--password=canary-argument"],
        "env": [{ "name": "VAULT_TOKEN", "value": "canary-variable" }]
    });
    lab.write_kubeconfig(&endpoint, &exec);
    let path = lab.folder.path().join(".kube/config");
    let mut plugin: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let key = "-----BEGIN PRIVATE KEY-----\ncanary-client-key\n-----END PRIVATE KEY-----\n";
    let stored = json!({
        "token": "canary-bearer", "password": "canary-user-password",
        "client-certificate-data": STANDARD.encode("canary-certificate"), "client-key-data": STANDARD.encode(key),
        "auth-provider": { "name": "oidc", "config": {
            "id-token": "canary-id-token", "refresh-token": "canary-refresh-token", "client-secret": "canary-client-secret"
        } }
    });
    plugin["users"].as_array_mut().unwrap().push(json!({ "name": "eve", "user": stored }));
    let mut in_force = plugin.clone();
    in_force["contexts"][0]["context"]["user"] = "eve".into();
    in_force["clusters"][0]["cluster"]["proxy-url"] = "http://ada:canary-proxy-url@127.0.0.1:9".into();
    [plugin, in_force]
}

#[test]
fn no_secret_gets_out_of_the_process() {
    let token = world::presigned_token("prod");
    let lab = Lab::playing(base());
    let kubeconfigs = kubeconfigs_with_secrets(&lab);
    lab.write_plugin(&format!(
        "sleep 1.2; echo \"password=canary-error {token} $VAULT_TOKEN {}\" >&2; exit 1",
        world::SECRET_KEY
    ));
    let key_data = kubeconfigs[0]["users"][1]["user"]["client-key-data"].as_str().unwrap();
    let canaries = [
        world::SECRET_KEY,
        world::SESSION_TOKEN,
        world::PASSWORD,
        // Of all the others but the certificate, which is public.
        "canary-argument",
        "canary-variable",
        "canary-error",
        "canary-bearer",
        "canary-user-password",
        "canary-client-key",
        "canary-id-token",
        "canary-refresh-token",
        "canary-client-secret",
        "canary-proxy-url",
        "canary-environment",
        "canary-symptom",
        "X-Amz-Signature=",
        world::SHELL_KEY,
        world::PLUGIN_KEY,
        key_data,
        token.trim_start_matches("k8s-aws-v1."),
    ];
    let mut usual = lab.surroundings();
    for name in ["KUBE_TOKEN", "KUBERNETES_SERVICE_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_BEARER_TOKEN"] {
        usual.variables.insert(name.into(), "canary-environment".into());
    }
    usual.variables.insert("AWS_ENDPOINT_URL_LOGS".into(), "https://ada:canary-environment@logs.example".into());
    // Nobody listens at the proxy of the last run, whose URL holds a password.
    let mut broken = usual.clone();
    broken.variables.insert("HTTPS_PROXY".into(), format!("http://ada:{}@127.0.0.1:9", world::PASSWORD).into());
    let runs: [&[&str]; 3] = [
        &["check", "--verbose", "--logs", "--save-evidence", "saved.json"],
        &["check", "--verbose", "--output", "json", "--save-evidence", "saved.json"],
        &["collect", "--error", "Authorization: Bearer canary-symptom-0123456789", "-o", "saved.json"],
    ];
    for (kubeconfig, surroundings) in kubeconfigs.iter().zip([&usual, &usual]).chain([(&kubeconfigs[0], &broken)]) {
        std::fs::write(lab.folder.path().join(".kube/config"), kubeconfig.to_string()).unwrap();
        for arguments in runs {
            let _ = std::fs::remove_file(lab.folder.path().join("saved.json"));
            let run = program(surroundings, arguments).output().unwrap();
            assert!([0, 1, 3].map(Some).contains(&run.status.code()), "{run:?}");
            let saved = std::fs::read_to_string(lab.folder.path().join("saved.json")).unwrap();
            let texts = [String::from_utf8(run.stdout).unwrap(), String::from_utf8(run.stderr).unwrap(), saved];
            for (text, canary) in texts.iter().flat_map(|text| canaries.map(|canary| (text, canary))) {
                assert!(!text.contains(canary), "{canary} in {text}");
            }
        }
    }
}

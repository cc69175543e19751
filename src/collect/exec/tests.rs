use super::super::surroundings::tests::surroundings;
use super::*;

const V1BETA1: &str = "client.authentication.k8s.io/v1beta1";

fn run_script(script: &str, change: impl FnOnce(&mut Exec), limit: Duration) -> Observed<(ExecRun, Issued)> {
    let folder = tempfile::tempdir().unwrap();
    let mut exec = Exec {
        api_version: Some(V1BETA1.to_owned()),
        command: "sh".to_owned(),
        args: Some(vec!["-c".to_owned(), script.to_owned()]),
        ..Exec::default()
    };
    change(&mut exec);
    let mut surroundings = surroundings(&[("PATH", "/usr/bin:/bin"), ("INHERITED", "yes")]);
    surroundings.folder = folder.path().to_owned();
    let cluster: Cluster = serde_json::from_value(json!({ "server": "https://a.example" })).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(run(&exec, Some(&cluster), None, &surroundings, limit))
}

fn run_to_end(script: &str) -> (ExecRun, Issued) {
    match run_script(script, |_| {}, Duration::from_secs(20)) {
        Observed::Found(found) => found,
        other => panic!("{:?}", other.failure()),
    }
}

fn printing(status: &str) -> String {
    format!("echo '{{\"kind\":\"ExecCredential\",\"apiVersion\":\"{V1BETA1}\",\"status\":{status}}}'")
}

#[test]
fn a_token_is_issued_and_only_described() {
    let status = r#"{"token":"opaque-secret","expirationTimestamp":"2026-11-21T10:14:00Z"}"#;
    let (run, issued) = run_to_end(&format!("echo opaque-secret >&2; {}", printing(status)));
    assert_eq!(issued.token.as_deref(), Some("opaque-secret"));
    assert_eq!((run.exit_code, run.stderr.as_str()), (Some(0), "<redacted>\n"));
    assert!(run.credential.as_ref().unwrap().expiration_timestamp.is_some());
    assert!(!serde_json::to_string(&run).unwrap().contains("opaque-secret"));
}

#[test]
fn the_exit_status_and_the_complaint_are_kept() {
    let (run, _) = run_to_end("echo 'Unable to locate credentials' >&2; exit 255");
    assert_eq!((run.exit_code, run.stderr.as_str()), (Some(255), "Unable to locate credentials\n"));
    assert_eq!(run_to_end("kill -9 $$").0.exit_code, None);
}

#[test]
fn what_is_no_exec_credential_says_why() {
    for (script, reason) in [
        ("echo WARNING: something".to_owned(), "couldn't get version/kind"),
        ("echo '{'".to_owned(), "neither JSON nor YAML"),
        ("printf '\\377'".to_owned(), "not UTF-8"),
        (printing("null"), "didn't return a status"),
        (printing("{}"), "didn't return a token"),
        (printing(r#"{"clientCertificateData":"x"}"#), "only certificate or key"),
        (printing("{}").replace("v1beta1", "v1"), "plugin returned version client.authentication.k8s.io/v1"),
    ] {
        let (run, _) = run_to_end(&script);
        let decode_error = run.decode_error.unwrap_or_default();
        assert!(decode_error.contains(reason), "{script}: {decode_error}");
    }
}

#[test]
fn yaml_is_read_as_kubectl_reads_it() {
    let (run, issued) =
        run_to_end(&format!("printf 'kind: ExecCredential\\napiVersion: {V1BETA1}\\nstatus: {{token: abc}}\\n'"));
    assert_eq!((run.decode_error, issued.token.as_deref()), (None, Some("abc")));
}

#[test]
fn the_plugin_sees_our_environment_its_own_and_the_cluster() {
    let script = format!("echo \"$INHERITED $OWN $KUBERNETES_EXEC_INFO\" >&2; {}", printing(r#"{"token":"abc"}"#));
    let own = |exec: &mut Exec| {
        exec.env = serde_json::from_value(json!([{ "name": "OWN", "value": "own" }])).unwrap();
        exec.provide_cluster_info = Some(true);
    };
    let Observed::Found((run, _)) = run_script(&script, own, Duration::from_secs(20)) else { panic!("no run") };
    assert!(run.stderr.starts_with("yes own {"), "{}", run.stderr);
    assert!(
        run.stderr.contains(r#""spec":{"interactive":false,"cluster":{"server":"https://a.example"}}"#),
        "{}",
        run.stderr
    );
}

#[test]
fn what_cannot_be_run_fails_with_a_code() {
    let code = |change: fn(&mut Exec)| {
        let observed = run_script("", change, Duration::from_secs(20));
        observed.failure().map(|failure| (failure.code.clone().unwrap_or_default(), failure.message.clone())).unwrap()
    };
    let (missing, message) = code(|exec| {
        exec.command = "no-such-plugin".to_owned();
        exec.install_hint = Some("Install it.".to_owned());
    });
    assert_eq!(
        (missing.as_str(), message.as_str()),
        ("ENOENT", "exec: executable no-such-plugin not found\nInstall it.")
    );
    assert_eq!(code(|exec| exec.command = "/etc/passwd".to_owned()).0, "EACCES");
    let folder = tempfile::tempdir().unwrap();
    for (script, expected) in [("no script", "ENOEXEC"), ("#!/no/such/program\n", "ENOEXEC")] {
        let path = folder.path().join("plugin");
        std::fs::write(&path, script).unwrap();
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&path, executable).unwrap();
        let observed = run_script("", |exec| exec.command = path.display().to_string(), Duration::from_secs(20));
        assert_eq!(observed.failure().and_then(|failure| failure.code.as_deref()), Some(expected), "{script}");
    }
    assert_eq!(
        code(|exec| exec.api_version = Some("client.authentication.k8s.io/v1alpha1".into())).0,
        "InvalidExecEntry"
    );
    assert_eq!(code(|exec| exec.interactive_mode = Some("Always".into())).0, "InvalidExecEntry");
}

#[test]
fn a_hanging_plugin_is_ended_with_its_children() {
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("mark");
    let script = format!("echo waiting >&2; (sleep 1; touch {}) & sleep 60", mark.display());
    let observed = run_script(&script, |_| {}, Duration::from_millis(300));
    let failure = observed.failure().unwrap();
    assert_eq!(failure.code.as_deref(), Some("Timeout"));
    assert!(failure.message.ends_with("it wrote: waiting"), "{}", failure.message);
    std::thread::sleep(Duration::from_millis(1200));
    assert!(!mark.exists(), "a child lived on");
}

#[test]
fn endless_output_is_cut() {
    let (run, _) =
        run_to_end("i=0; while [ $i -lt 4000 ]; do echo 0123456789 >&2; i=$((i+1)); done; echo last >&2; exit 1");
    assert!(run.stderr.len() <= LARGEST_STDERR && run.stderr.ends_with("last\n"));
}

//! Odd machines: what is not there, not text, not writable or broken is described and is no obstacle to the rest.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use eks_doctor::collect::{Request, Surroundings};
use eks_doctor::evidence::{AccessReview, Observed, UserInfo};
use serde_json::Value;

use crate::world::{Lab, base, unsigned_token};
use crate::{code, collect, found, program, request, without};

const KEYS: [&str; 3] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];

/// A profile of IAM Identity Center, and the cache of its session: the SHA-1 of its name.
const SSO: &str = "[profile sso]
sso_session = corp
sso_account_id = 111122223333
sso_role_name = Dev
[sso-session corp]
sso_region = eu-west-1
sso_start_url = https://corp.example/start
";
const SSO_CACHE: &str = ".aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json";

/// The report of the program itself in these surroundings.
fn report(surroundings: &Surroundings) -> Value {
    let arguments = ["check", "--output", "json", "--action", "list pods -n dev"];
    let output = program(surroundings, &arguments).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!([0, 1, 3].map(Some).contains(&output.status.code()), "{}: {told}", output.status);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {told}"))
}

fn causes(report: &Value) -> Vec<&str> {
    report["findings"].as_array().unwrap().iter().filter_map(|finding| finding["id"].as_str()).collect()
}

/// Every file and folder below one, with the time of its last change.
fn files(folder: &Path) -> Vec<(PathBuf, SystemTime)> {
    let mut all = vec![(folder.to_owned(), folder.metadata().unwrap().modified().unwrap())];
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        match entry.is_dir() {
            true => all.extend(files(&entry)),
            false => all.push((entry.clone(), entry.metadata().unwrap().modified().unwrap())),
        }
    }
    all.sort();
    all
}

#[test]
fn without_home_and_path_the_rest_is_seen() {
    let lab = Lab::playing(base());
    let mut surroundings = lab.surroundings();
    without(&mut surroundings, &["HOME", "PATH"]);
    surroundings.home = None;
    let evidence = collect(&request(), &surroundings);
    assert!(evidence.aws.caller.found().is_some());
    // Without a home the working folder is taken for it, as kubectl does.
    assert!(matches!(evidence.kubeconfig, Observed::Found(_)), "{:?}", evidence.kubeconfig);
    assert_eq!(code(&evidence.exec), "ENOENT");
    assert_eq!(evidence.kubernetes.native_whoami, lab.evidence.kubernetes.whoami);
    assert_eq!(causes(&report(&surroundings))[0], "kubeconfig/exec-command-missing");
}

#[test]
fn nothing_is_written_to_a_home_that_may_be_read_only() {
    let lab = Lab::playing(base());
    let folder = lab.folder.path();
    let locked = [folder.join(".aws"), folder.join(".kube"), folder.to_owned()];
    let mode =
        |mode| locked.iter().for_each(|path| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap());
    // Root may write all the same, so it is looked at too.
    mode(0o555);
    let before = files(folder);
    let evidence = collect(&request(), &lab.surroundings());
    let report = report(&lab.surroundings());
    let after = files(folder);
    mode(0o755);
    assert!(evidence.kubernetes.whoami.found().is_some(), "{:?}", evidence.kubeconfig);
    assert_eq!(report["verdict"], "healthy");
    assert_eq!(before, after);
}

#[test]
fn kubeconfigs_that_are_not_there_are_skipped() {
    let lab = Lab::playing(base());
    let missing = lab.folder.path().join("missing").display().to_string();
    let mut surroundings = lab.surroundings();
    surroundings.variables.insert("KUBECONFIG".into(), format!("{missing}:.kube/config").into());
    assert!(collect(&request(), &surroundings).kubernetes.whoami.found().is_some());
    surroundings.variables.insert("KUBECONFIG".into(), missing.clone().into());
    let evidence = collect(&request(), &surroundings);
    let Observed::Absent(absent) = &evidence.kubeconfig else { panic!("{:?}", evidence.kubeconfig) };
    assert_eq!(absent.looked, [missing]);
    assert_eq!(causes(&report(&surroundings))[0], "kubeconfig/missing");
}

#[test]
fn bytes_that_are_no_text_are_no_obstacle() {
    let lab = Lab::playing(base());
    let folder = lab.folder.path();
    let bytes = |text: &[u8]| OsString::from_vec(text.to_vec());
    let mut surroundings = lab.surroundings();
    surroundings.variables.insert("AWS_PROFILE_ODD".into(), bytes(b"a\xff"));
    surroundings.variables.insert(bytes(b"\xfe"), "x".into());
    let evidence = collect(&request(), &surroundings);
    assert!(evidence.kubernetes.whoami.found().is_some());
    assert_eq!(evidence.environment.variables.unwrap()["AWS_PROFILE_ODD"], "a\u{fffd}");
    assert_eq!(report(&surroundings)["verdict"], "healthy");
    for variable in ["KUBECONFIG", "AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_CA_BUNDLE", "NO_PROXY", "PATH", "HOME"] {
        let mut odd = surroundings.clone();
        odd.variables.insert(variable.into(), bytes(b"/nowhere/\xff\xfe"));
        report(&odd);
    }
    lab.write_plugin("printf '\\377\\376' | tee /dev/stderr");
    let evidence = collect(&request(), &surroundings);
    assert_eq!(found(&evidence.exec).decode_error.as_deref(), Some("decoding stdout: not UTF-8"));
    assert_eq!(found(&evidence.exec).stderr, "\u{fffd}\u{fffd}");
    std::fs::write(folder.join(".aws/config"), b"[default]\nregion = \xff\n").unwrap();
    let evidence = collect(&request(), &surroundings);
    assert!(evidence.aws.credentials.failure().is_some(), "{:?}", evidence.aws.credentials);
    std::fs::write(folder.join(".kube/config"), b"clusters:\n- \xff\n").unwrap();
    let evidence = collect(&request(), &surroundings);
    assert!(evidence.kubeconfig.failure().unwrap().message.contains("line 2: not UTF-8"));
    report(&surroundings);
}

#[test]
fn a_broken_cache_of_sso_is_no_session() {
    let lab = Lab::playing(base());
    let folder = lab.folder.path();
    std::fs::create_dir_all(folder.join(".aws/sso/cache")).unwrap();
    std::fs::write(folder.join(".aws/config"), SSO).unwrap();
    let mut surroundings = lab.surroundings();
    without(&mut surroundings, &KEYS);
    surroundings.variables.insert("AWS_PROFILE".into(), "sso".into());
    for broken in [
        &b"{\"acc\xff"[..],
        b"",
        b"[]",
        b"{}",
        b"{\"accessToken\": 7}",
        b"{\"accessToken\":\"a\",\"expiresAt\":\"soon\"}",
    ] {
        std::fs::write(folder.join(SSO_CACHE), broken).unwrap();
        let evidence = collect(&request(), &surroundings);
        let failure = evidence.aws.credentials.failure();
        assert!(failure.is_some_and(|failure| !failure.message.is_empty()), "{:?}", evidence.aws.credentials);
        // The plugin has keys of its own.
        assert!(evidence.kubernetes.whoami.found().is_some());
    }
    std::fs::remove_file(folder.join(SSO_CACHE)).unwrap();
    std::fs::create_dir(folder.join(SSO_CACHE)).unwrap();
    assert!(collect(&request(), &surroundings).aws.credentials.failure().is_some());
    report(&surroundings);
}

#[test]
fn sudo_takes_home_away_and_the_report_tells() {
    let lab = Lab::playing(base());
    let root = tempfile::tempdir().unwrap();
    let mut surroundings = lab.surroundings();
    without(&mut surroundings, &KEYS);
    surroundings.variables.insert("SUDO_USER".into(), "ada".into());
    surroundings.variables.insert("HOME".into(), root.path().into());
    surroundings.home = Some(root.path().to_owned());
    let evidence = collect(&request(), &surroundings);
    assert_eq!(evidence.environment.variables.unwrap()["SUDO_USER"], "ada");
    let Observed::Absent(absent) = &evidence.kubeconfig else { panic!("{:?}", evidence.kubeconfig) };
    assert_eq!(absent.looked, [root.path().join(".kube/config").display().to_string()]);
    assert!(matches!(evidence.aws.credentials, Observed::Absent(_)), "{:?}", evidence.aws.credentials);
    let report = report(&surroundings);
    assert_eq!(causes(&report)[..2], ["credentials/none", "kubeconfig/missing"]);
    assert!(report.to_string().contains("sudo"), "{report:#}");
}

#[test]
fn a_pod_uses_its_service_account() {
    let mut played = base();
    let username = "system:serviceaccount:a:b";
    let groups = ["system:serviceaccounts", "system:serviceaccounts:a", "system:authenticated"].map(str::to_owned);
    played.kubernetes.whoami =
        Observed::Found(UserInfo { username: username.into(), groups: groups.into(), ..UserInfo::default() });
    played.kubernetes.access_review = Observed::Found(AccessReview { allowed: true, ..AccessReview::default() });
    let lab = Lab::playing(played);
    std::fs::remove_dir_all(lab.folder.path().join(".kube")).unwrap();
    let mut surroundings = lab.surroundings();
    without(&mut surroundings, &KEYS);
    let account = lab.folder.path().join("account");
    std::fs::create_dir(&account).unwrap();
    std::fs::write(account.join("ca.crt"), &lab.certificates.ca_pem).unwrap();
    surroundings.service_account = account.clone();
    let direct = lab.direct();
    let (host, port) = direct.trim_start_matches("https://").split_once(':').unwrap();
    surroundings.variables.insert("KUBERNETES_SERVICE_HOST".into(), host.into());
    surroundings.variables.insert("KUBERNETES_SERVICE_PORT".into(), port.into());
    let now = jiff::Timestamp::now();
    let hour = jiff::SignedDuration::from_hours(1);
    for (subject, ends, is_let_in) in
        [(username, now + hour, true), (username, now - hour, false), ("system:serviceaccount:c:d", now + hour, false)]
    {
        std::fs::write(account.join("token"), unsigned_token(Some(subject), Some(ends)) + "\n").unwrap();
        let evidence = collect(&Request::default(), &surroundings);
        assert_eq!(found(&evidence.static_token).subject.as_deref(), Some(subject));
        assert!(matches!(evidence.kubeconfig, Observed::Absent(_)));
        match is_let_in {
            true => assert_eq!(evidence.kubernetes.whoami, lab.evidence.kubernetes.whoami),
            false => assert_eq!(evidence.kubernetes.whoami.failure().unwrap().status, Some(401)),
        }
    }
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

//! The real `aws`, `kubectl` and moto, where they are installed.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use eks_doctor::collect::{Request, Surroundings};
use eks_doctor::diagnose::diagnose;
use eks_doctor::evidence::{Observed, Target};
use eks_doctor::scenario;

use crate::played::play;
use crate::world::{Lab, base};
use crate::{collect, found, library, request, without};

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

/// The newest kubectl itself: what is on the PATH may be a script that chooses one and starts twice.
fn kubectl() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/lib/google-cloud-sdk/bin".into()]);
    let named: Vec<PathBuf> = folders
        .flat_map(|folder| {
            let versions = (20..60).rev().map(|minor| format!("kubectl.1.{minor}"));
            versions.chain(["kubectl".to_owned()]).map(move |name| folder.join(name)).collect::<Vec<_>>()
        })
        .filter(|path| path.is_file())
        .collect();
    let itself = named.iter().find(|path| !path.ends_with("kubectl")).or(named.first()).cloned();
    if itself.is_none() {
        println!("skipped: kubectl is not installed");
    }
    itself
}

/// What kubectl prints in a scenario, errors first.
fn ask_kubectl(kubectl: &Path, surroundings: &Surroundings, arguments: &[&str]) -> String {
    let output = Command::new(kubectl)
        .args(arguments)
        .env_clear()
        .envs(&surroundings.variables)
        .current_dir(&surroundings.folder)
        .output()
        .unwrap();
    String::from_utf8_lossy(&[output.stderr, output.stdout].concat()).into_owned()
}

/// Scenarios with the very words of kubectl, and the cause that is behind them; no cause where all is well.
const PRINTED: [(&str, &str, Option<&str>); 13] = [
    ("healthy/access-entry-role", "No resources found in dev namespace.", None),
    ("healthy/both-stores-user", "No resources found in dev namespace.", None),
    ("healthy/config-map-role", "No resources found in dev namespace.", None),
    ("mapping/none", "You must be logged in to the server", Some("mapping/none")),
    ("mapping/role-path", "You must be logged in to the server", Some("mapping/role-path")),
    ("mode/aws-auth-ignored", "You must be logged in to the server", Some("mode/aws-auth-ignored")),
    (
        "credentials/environment-overrides-profile",
        "You must be logged in to the server",
        Some("credentials/environment-overrides-profile"),
    ),
    (
        "authorization/no-policy",
        "Error from server (Forbidden): pods is forbidden: User \"arn:aws:sts::111122223333:assumed-role/Dev/ada\" cannot list resource \"pods\" in API group \"\" in the namespace \"dev\"",
        Some("authorization/no-policy"),
    ),
    (
        "authorization/no-binding",
        "Error from server (Forbidden): pods is forbidden: User \"dev:ada\" cannot list resource \"pods\" in API group \"\" in the namespace \"dev\"",
        Some("authorization/no-binding"),
    ),
    ("credentials/none", "Unable to locate credentials", Some("credentials/none")),
    ("credentials/expired", "You must be logged in to the server", Some("credentials/expired")),
    ("kubeconfig/exec-command-missing", "executable aws not found", Some("kubeconfig/exec-command-missing")),
    ("kubeconfig/missing", "localhost:8080", Some("kubeconfig/missing")),
];

#[test]
fn the_real_kubectl_prints_the_error_and_its_cause_is_named() {
    let Some(kubectl) = kubectl() else { return };
    for (name, words, cause) in PRINTED {
        let played = play(&scenario::evidence(name).unwrap());
        let said = ask_kubectl(&kubectl, &played.surroundings, &["get", "pods"]);
        assert!(said.contains(words), "{name}: {said}");
        let report = diagnose(&played.collect(), library());
        assert_eq!(report.findings.first().map(|finding| finding.id.as_str()), cause, "{name}");
    }
}

#[test]
fn the_real_kubectl_is_told_what_the_document_says() {
    let Some(kubectl) = kubectl() else { return };
    let played = play(&scenario::evidence("healthy/both-stores-user").unwrap());
    let ask = |words: &str| {
        let arguments: Vec<&str> = words.split_whitespace().collect();
        ask_kubectl(&kubectl, &played.surroundings, &arguments)
    };
    for (words, said) in [
        ("auth whoami", "arn:aws:iam::111122223333:user/ada"),
        ("auth can-i list pods -n dev", "yes"),
        ("get configmap aws-auth -n kube-system -o yaml", "role/node-role"),
        ("get clusterroles -o name", "clusterrole.rbac.authorization.k8s.io/view"),
        ("get rolebindings -A -o name", "rolebinding.rbac.authorization.k8s.io/dev-viewers"),
    ] {
        let answer = ask(words);
        assert!(answer.contains(said), "kubectl {words}: {answer}");
    }
}

#[test]
fn the_real_aws_is_told_what_the_document_says() {
    let played = play(&scenario::evidence("healthy/access-entry-role").unwrap());
    let Some(real) = with_real_programs(&played.lab, &["aws"]) else { return };
    let mut surroundings = played.surroundings.clone();
    surroundings.variables.insert("PATH".into(), real.variables[std::ffi::OsStr::new("PATH")].clone());
    let entry = "--principal-arn arn:aws:iam::111122223333:role/team/Dev";
    for (words, said) in [
        ("sts get-caller-identity".to_owned(), "assumed-role/Dev/ada"),
        ("eks describe-cluster --name prod".to_owned(), "\"authenticationMode\": \"API\""),
        ("eks list-access-entries --cluster-name prod".to_owned(), "role/team/Dev"),
        (format!("eks describe-access-entry --cluster-name prod {entry}"), "{{SessionName}}"),
        (format!("eks list-associated-access-policies --cluster-name prod {entry}"), "AmazonEKSViewPolicy"),
    ] {
        let output = Command::new("aws")
            .args(words.split_whitespace())
            .env_clear()
            .envs(&surroundings.variables)
            .output()
            .unwrap();
        let answer = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(answer.contains(said), "aws {words}: {answer}");
    }
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

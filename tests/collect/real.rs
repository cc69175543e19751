//! The real `aws`, `kubectl` and moto, where they are installed.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use eks_doctor::collect::{Request, Surroundings};
use eks_doctor::evidence::{Failure, Observed, Target};

use crate::world::{Lab, base};
use crate::{collect, found, request, without};

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

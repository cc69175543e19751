//! The way to the API server in a network namespace of its own, where names, addresses and port 443 are as in the real
//! world and no proxy stands between. Needs Linux, `unshare` and `ip`, and the right to make namespaces.

use std::any::Any;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use eks_doctor::collect::{Request, Surroundings};
use eks_doctor::diagnose::diagnose;
use eks_doctor::evidence::{Evidence, Observed, TlsSession, Via};
use eks_doctor::report::Certainty;

use crate::played::play;
use crate::scenarios::{said, scenarios};
use crate::server::{self, FullHouse};
use crate::world::{Lab, base};
use crate::{code, collect, found, library, request, without};

const ENDPOINT: &str = "0123456789abcdef0123456789abcdef.gr7.eu-west-1.eks.amazonaws.com";

/// Addresses of the documentation's range that this machine has in the namespace, and one that it has no way to.
const ADDRESSES: [&str; 4] = ["198.51.100.1", "198.51.100.2", "198.51.100.3", "198.51.100.4"];
const NOWHERE: &str = "203.0.113.9";

/// What makes the namespace ready and then runs what follows.
const PREPARE: &str = "ip link set lo up
for address in 198.51.100.1 198.51.100.2 198.51.100.3 198.51.100.4; do ip address add $address/32 dev lo; done
for address in 10.0.4.17 192.168.1.20; do ip address add $address/32 dev lo; done
ip route add local 203.0.113.7 dev lo src 10.0.4.17 table local
for address in 10.46.162.87 10.46.131.12; do ip route add local $address dev lo src 192.168.1.20 table local; done
mount --bind $LAB/hosts /etc/hosts
mount --bind $LAB/resolv.conf /etc/resolv.conf
exec \"$@\"";

/// Runs a program in a namespace of its own.
fn in_namespace(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--net", "--mount", "sh", "-ec", PREPARE, "sh"]).args(words);
    command.env("LAB", folder).stdin(Stdio::null());
    command
}

#[test]
fn what_fails_on_the_way_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("hosts", ""), ("resolv.conf", "nameserver 127.0.0.1\n")] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    if !in_namespace(folder.path(), &["true"]).stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
        println!("skipped: no network namespace can be made here");
        return;
    }
    let this = std::env::current_exe().unwrap();
    for test in ["namespace::inside", "namespace::scenarios_inside"] {
        let inside = [this.to_str().unwrap(), "--ignored", "--exact", test, "--nocapture"];
        let output = in_namespace(folder.path(), &inside).output().unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
    }
}

/// A name server that knows no name.
fn name_server() {
    let socket = std::net::UdpSocket::bind("127.0.0.1:53").unwrap();
    std::thread::spawn(move || {
        let mut question = [0; 512];
        while let Ok((size, from)) = socket.recv_from(&mut question) {
            // The same question with the bits of an answer and of "no such name".
            let mut answer = question[..size].to_vec();
            (answer[2], answer[3]) = (0x81, 0x83);
            let _ = socket.send_to(&answer, from);
        }
    });
}

/// Where the names of AWS lead, and that of the cluster's endpoint, if anywhere.
fn resolve(endpoint: Option<&str>) {
    resolve_host(ENDPOINT, endpoint);
}

/// The same with some host as the endpoint, which may have several addresses.
fn resolve_host<'a>(host: &str, addresses: impl IntoIterator<Item = &'a str>) {
    let aws = ["sts.eu-west-1", "eks.eu-west-1", "iam", "cloudtrail.eu-west-1", "portal.sso.eu-west-1"];
    let mut hosts: String = aws.iter().map(|name| format!("{} {name}.amazonaws.com\n", ADDRESSES[0])).collect();
    hosts.extend(addresses.into_iter().map(|address| format!("{address} {host}\n")));
    // What is mounted over /etc/hosts, and never the file that lies beneath.
    std::fs::write(Path::new(&std::env::var_os("LAB").unwrap()).join("hosts"), hosts).unwrap();
}

/// Evidence and the confirmed causes.
fn diagnosed(request: &Request, surroundings: &Surroundings) -> (Evidence, Vec<String>) {
    let evidence = collect(&Request { timeout: Duration::from_secs(3), ..request.clone() }, surroundings);
    let report = diagnose(&evidence, library());
    let confirmed = report.findings.iter().filter(|finding| finding.verdict == Certainty::Confirmed);
    (evidence, confirmed.map(|finding| finding.id.clone()).collect())
}

#[test]
#[ignore = "runs in the namespace that another test makes"]
fn inside() {
    if std::env::var_os("LAB").is_none() {
        return;
    }
    name_server();
    let mut played = base();
    if let Observed::Found(cluster) = &mut played.aws.cluster {
        cluster.endpoint = Some(format!("https://{ENDPOINT}"));
        let vpc = cluster.resources_vpc_config.as_mut().unwrap();
        vpc.public_access_cidrs = Some(vec!["192.0.2.0/24".to_owned()]);
    }
    let lab = Lab::playing(played);
    let _services = server::relay(&format!("{}:443", ADDRESSES[0]), lab.address());
    let mut surroundings = lab.surroundings();
    without(&mut surroundings, &["HTTPS_PROXY"]);
    let request = request();

    resolve(Some(ADDRESSES[0]));
    let (evidence, causes) = diagnosed(&request, &surroundings);
    assert_eq!(evidence.network.dns, Observed::Found(vec![ADDRESSES[0].to_owned()]));
    assert_eq!(found(&evidence.network.tcp).via, Some(Via::Direct));
    assert_eq!(found(&evidence.network.tcp).address, format!("{}:443", ADDRESSES[0]));
    assert!(found(&evidence.network.tls).verified && evidence.kubernetes.whoami.found().is_some());
    assert_eq!(causes, Vec::<String>::new());

    resolve(None);
    let (evidence, causes) = diagnosed(&request, &surroundings);
    assert_eq!((code(&evidence.network.dns), code(&evidence.kubernetes.whoami)), ("NXDOMAIN", "NXDOMAIN"));
    assert_eq!(causes, ["network/dns"]);

    // Nobody listens.
    resolve(Some(ADDRESSES[1]));
    let (evidence, causes) = diagnosed(&request, &surroundings);
    assert_eq!((code(&evidence.network.tcp), code(&evidence.kubernetes.whoami)), ("ECONNREFUSED", "ECONNREFUSED"));
    assert!(evidence.network.tcp.failure().unwrap().message.starts_with(&format!("{}:443: ", ADDRESSES[1])));
    assert!(causes.iter().all(|cause| cause.starts_with("network/")), "{causes:?}");

    // Packets get no answer, and the cluster lets in others only.
    resolve(Some(ADDRESSES[2]));
    let _house = FullHouse::at(&format!("{}:443", ADDRESSES[2]));
    let (evidence, _) = diagnosed(&request, &surroundings);
    assert_eq!((code(&evidence.network.tcp), code(&evidence.kubernetes.whoami)), ("Timeout", "Timeout"));
    assert!(evidence.network.tcp.failure().unwrap().message.contains(&format!("{}:443", ADDRESSES[2])));
    let told = |address: &str| Request { egress_address: address.parse().ok(), ..request.clone() };
    let (evidence, causes) = diagnosed(&told("203.0.113.77"), &surroundings);
    assert_eq!(evidence.network.egress_address, Observed::Found("203.0.113.77".to_owned()));
    assert_eq!(causes, ["network/public-access-cidrs"]);
    let (_, causes) = diagnosed(&told("192.0.2.77"), &surroundings);
    assert_eq!(causes, ["network/unreachable"]);

    // There is no way.
    resolve(Some(NOWHERE));
    let (evidence, _) = diagnosed(&request, &surroundings);
    assert_eq!((code(&evidence.network.tcp), code(&evidence.kubernetes.whoami)), ("ENETUNREACH", "ENETUNREACH"));

    // Somebody opens the connection and signs it anew.
    resolve(Some(ADDRESSES[3]));
    let others = server::Certificates::named("Corp Inspection", &[ENDPOINT]);
    let inspector = server::https(&others, Arc::new(|_| server::Reply::text(200, "text/plain", "")));
    let _relay = server::relay(&format!("{}:443", ADDRESSES[3]), inspector.address);
    let (evidence, causes) = diagnosed(&request, &surroundings);
    let tls = found(&evidence.network.tls);
    assert_eq!((tls.verified, tls.error.as_deref()), (false, Some("UnknownIssuer")));
    assert_eq!((tls.verified_by_cluster, tls.verified_by_system), (Some(false), Some(false)));
    assert_eq!(tls.issuer.as_deref(), Some("CN=Corp Inspection"));
    assert_eq!(code(&evidence.kubernetes.whoami), "UnknownIssuer");
    assert_eq!(causes, ["network/tls-interception"]);
}

/// Leads an endpoint's name to where the document says, and lets stand there what makes the way as it says, for as long
/// as what is handed back.
fn stand(document: &Evidence, host: &str, lab: &Lab) -> Vec<Box<dyn Any>> {
    let network = &document.network;
    let addresses: Vec<&str> = network.dns.found().into_iter().flatten().map(String::as_str).collect();
    resolve_host(host, addresses.iter().copied());
    let places: Vec<String> = addresses.iter().map(|address| format!("{address}:443")).collect();
    if network.tcp.failure().is_some() {
        return places.iter().map(|place| Box::new(FullHouse::at(place)) as _).collect();
    }
    let relays = |server: SocketAddr| places.iter().map(move |place| Box::new(server::relay(place, server)) as _);
    let is_replaced = |session: &&TlsSession| !session.verified && session.verified_by_cluster != Some(true);
    let Some(session) = network.tls.found().filter(is_replaced) else { return relays(lab.address()).collect() };
    let issuer = session.issuer.as_deref().unwrap_or_default();
    let name = issuer.trim_start_matches("CN=").split(',').next().unwrap_or_default();
    let others = server::Certificates::named(name, &[host]);
    let inspector = server::https(&others, Arc::new(|_| server::Reply::text(200, "text/plain", "")));
    relays(inspector.address).chain([Box::new(inspector) as _]).collect()
}

/// The scenarios whose network is the matter.
#[test]
#[ignore = "runs in the namespace that another test makes"]
fn scenarios_inside() {
    if std::env::var_os("LAB").is_none() {
        return;
    }
    name_server();
    let mut different = Vec::new();
    let scenarios = scenarios(true);
    for (name, document) in &scenarios {
        let mut played = play(document);
        let _services = server::relay(&format!("{}:443", ADDRESSES[0]), played.lab.address());
        let kubeconfig = &found(&document.kubeconfig).document;
        let server = kubeconfig["clusters"][0]["cluster"]["server"].as_str().unwrap();
        let _stands = stand(document, server.trim_start_matches("https://"), &played.lab);
        without(&mut played.surroundings, &["HTTPS_PROXY"]);
        let variables = document.environment.variables.iter().flatten();
        let proxies = variables.filter(|(variable, _)| variable.to_ascii_lowercase().ends_with("_proxy"));
        played.surroundings.variables.extend(proxies.map(|(variable, value)| (variable.into(), value.into())));
        played.request.timeout = Duration::from_secs(3);
        let (live, offline) = (said(&collect(&played.request, &played.surroundings)), said(document));
        if live != offline {
            different.push(format!("{name}\n  live    {live:?}\n  offline {offline:?}"));
        }
    }
    assert!(different.is_empty(), "{} of {}:\n{}", different.len(), scenarios.len(), different.join("\n"));
}

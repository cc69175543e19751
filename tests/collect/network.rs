//! The way to the API server: proxies, certificates, names and ports.

use std::time::{Duration, Instant};

use eks_doctor::collect::{Request, Surroundings};
use eks_doctor::diagnose::diagnose;
use eks_doctor::evidence::{Evidence, Observed, Via};
use eks_doctor::report::Certainty;
use serde_json::json;

use crate::server::{self, FullHouse};
use crate::world::{Lab, base};
use crate::{code, collect, found, library, request};

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

/// Evidence of a lab after some change to its surroundings, and the causes that the diagnosis confirms or ranks first.
fn diagnosed(surroundings: &Surroundings, limit: Duration) -> (Evidence, Vec<String>) {
    let begun = Instant::now();
    let evidence = collect(&Request { timeout: limit, ..request() }, surroundings);
    assert!(begun.elapsed() < limit + Duration::from_millis(700), "{:?}", begun.elapsed());
    let report = diagnose(&evidence, library());
    let confirmed = report.findings.iter().filter(|finding| finding.verdict == Certainty::Confirmed);
    (evidence, confirmed.map(|finding| finding.id.clone()).collect())
}

/// The lab's surroundings with another proxy.
fn behind(lab: &Lab, proxy: &str) -> Surroundings {
    let mut surroundings = lab.surroundings();
    surroundings.variables.insert("HTTPS_PROXY".into(), proxy.into());
    surroundings
}

#[test]
fn a_proxy_that_does_not_let_through_is_blamed() {
    let lab = Lab::playing(base());
    for (says, code_and_words) in [
        (&b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n"[..], ("ProxyRefused", "403 Forbidden")),
        (
            b"HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic\r\ncontent-length: 0\r\n\r\n",
            ("ProxyRefused", "407 Proxy Authentication Required"),
        ),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", ("ProxyRefused", "502 Bad Gateway")),
        (b"SSH-2.0-OpenSSH_9.9\r\n\r\n", ("ProxyRefused", "SSH-2.0-OpenSSH_9.9")),
        (b"", ("Timeout", "no answer from 0123456789ABCDEF0123456789ABCDEF.gr7")),
    ] {
        let proxy = server::parrot(says);
        let (evidence, causes) =
            diagnosed(&behind(&lab, &format!("http://{}", proxy.address)), Duration::from_millis(1500));
        let failure = evidence.network.tcp.failure().unwrap();
        let (code, words) = code_and_words;
        assert_eq!(failure.code.as_deref(), Some(code), "{failure:?}");
        assert!(failure.message.contains(words), "{failure:?}");
        assert!(failure.message.contains(&proxy.address.to_string()), "the proxy is not named: {failure:?}");
        for failure in [evidence.aws.caller.failure(), evidence.kubernetes.whoami.failure()] {
            let failure = failure.unwrap();
            assert!(failure.status.is_none() && !failure.message.is_empty(), "{failure:?}");
        }
        assert_eq!(causes.first().map(String::as_str), Some("network/proxy"), "{words}: {causes:?}");
    }
}

#[test]
fn a_proxy_that_is_not_there_is_blamed() {
    let lab = Lab::playing(base());
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for (proxy, codes) in [
        (format!("http://127.0.0.1:{port}"), &["ECONNREFUSED"][..]),
        ("http://no-such-proxy.invalid:3128".to_owned(), &["NXDOMAIN", "EAI_AGAIN"]),
    ] {
        let (evidence, causes) = diagnosed(&behind(&lab, &proxy), Duration::from_secs(8));
        let tcp = evidence.network.tcp.failure().unwrap();
        assert!(codes.contains(&code(&evidence.network.tcp)), "{tcp:?}");
        assert!(codes.contains(&code(&evidence.aws.caller)), "{:?}", evidence.aws.caller);
        assert!(codes.contains(&code(&evidence.kubernetes.whoami)), "{:?}", evidence.kubernetes.whoami);
        assert!(tcp.message.contains(&proxy), "the proxy is not named: {tcp:?}");
        assert_eq!(causes.first().map(String::as_str), Some("network/proxy"), "{causes:?}");
    }
}

#[test]
fn a_server_that_takes_up_no_connection_times_out_with_its_address() {
    let lab = Lab::playing(base());
    let house = FullHouse::at("127.0.0.1:0");
    lab.write_kubeconfig(&format!("https://{}", house.address), &json!({}));
    let (evidence, _) = diagnosed(&lab.surroundings(), Duration::from_secs(2));
    let failure = evidence.network.tcp.failure().unwrap();
    assert_eq!(failure.code.as_deref(), Some("Timeout"));
    assert!(failure.message.contains(&house.address.to_string()), "{failure:?}");
    assert_eq!(evidence.network.tls, Observed::not_tried("there is no connection"));
    assert_eq!(code(&evidence.kubernetes.whoami), "Timeout");
    // The cluster's own endpoint answers all the same.
    assert!(evidence.kubernetes.native_whoami.found().is_some());
}

#[test]
fn a_server_that_speaks_no_tls_is_told_from_one_that_is_silent() {
    let lab = Lab::playing(base());
    for (says, expected) in [(&b""[..], "Timeout"), (b"HTTP/1.1 400 Bad Request\r\n\r\n", "InvalidMessage")] {
        let server = server::parrot(says);
        lab.write_kubeconfig(&format!("https://{}", server.address), &json!({}));
        let (evidence, _) = diagnosed(&lab.surroundings(), Duration::from_secs(2));
        assert!(evidence.network.tcp.found().is_some());
        assert_eq!(code(&evidence.network.tls), expected, "{:?}", evidence.network.tls);
        assert!(evidence.network.tls.failure().unwrap().message.starts_with("127.0.0.1: ") || says.is_empty());
    }
}

#[test]
fn an_authority_that_nobody_knows_is_told_from_a_server_that_is_silent() {
    let lab = Lab::playing(base());
    let mut surroundings = lab.surroundings();
    surroundings.variables.remove(std::ffi::OsStr::new("AWS_CA_BUNDLE"));
    let (evidence, causes) = diagnosed(&surroundings, Duration::from_secs(5));
    for failure in [evidence.aws.caller.failure(), evidence.aws.cluster.failure(), evidence.exec_caller.failure()] {
        assert_eq!(failure.unwrap().code.as_deref(), Some("UnknownIssuer"), "{failure:?}");
    }
    assert!(causes.contains(&"network/tls-interception".to_owned()), "{causes:?}");
    // The kubeconfig trusts the lab.
    assert_eq!(evidence.kubernetes.whoami, lab.evidence.kubernetes.whoami);
}

#[test]
fn the_way_through_a_socks_proxy_is_seen() {
    let lab = Lab::playing(base());
    let proxy = server::socks_proxy(lab.address());
    let url = format!("socks5://{}", proxy.address);
    let (evidence, causes) = diagnosed(&behind(&lab, &url), Duration::from_secs(5));
    assert_eq!(causes, Vec::<String>::new());
    assert_eq!(found(&evidence.network.proxy).url, url);
    assert_eq!(found(&evidence.network.tcp).via, Some(Via::Proxy));
    assert!(found(&evidence.network.tls).verified);
    assert_eq!(evidence.aws.caller, lab.evidence.aws.caller);
    assert_eq!(evidence.kubernetes.whoami, lab.evidence.kubernetes.whoami);
    // As kubeconfigs for private endpoints behind a bastion have it.
    let path = lab.folder.path().join(".kube/config");
    let mut kubeconfig: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    kubeconfig["clusters"][0]["cluster"]["proxy-url"] = url.clone().into();
    std::fs::write(&path, kubeconfig.to_string()).unwrap();
    let (evidence, _) = diagnosed(&lab.surroundings(), Duration::from_secs(5));
    assert_eq!(
        (found(&evidence.network.proxy).url.as_str(), found(&evidence.network.proxy).from.as_str()),
        (&*url, "proxy-url")
    );
    assert_eq!(evidence.kubernetes.whoami, lab.evidence.kubernetes.whoami);
    for (says, words) in [
        (&b"\x05\xff"[..], "it wants a password"),
        (b"\x05\x00\x05\x02\x00\x01\x00\x00\x00\x00\x00\x00", "not allowed by its rules (SOCKS status 2)"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "it does not speak SOCKS version 5"),
    ] {
        let proxy = server::parrot(says);
        kubeconfig["clusters"][0]["cluster"]["proxy-url"] = format!("socks5://{}", proxy.address).into();
        std::fs::write(&path, kubeconfig.to_string()).unwrap();
        let (evidence, causes) = diagnosed(&lab.surroundings(), Duration::from_secs(2));
        let failure = evidence.network.tcp.failure().unwrap();
        assert!(failure.message.contains(words) && failure.message.contains(&proxy.address.to_string()), "{failure:?}");
        assert_eq!(causes.first().map(String::as_str), Some("network/proxy"), "{words}");
    }
}

//! The way to the API server: proxies, certificates, names and ports.

use eks_doctor::evidence::{Observed, Via};
use serde_json::json;

use crate::server;
use crate::world::{Lab, base};
use crate::{code, collect, found, request};

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

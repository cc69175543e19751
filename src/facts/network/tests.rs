use super::*;
use crate::facts::{Facts, cluster};

fn facts(text: &str) -> NetworkFacts {
    let evidence = Evidence::from_text("test.yaml", &format!("schema: eks-doctor/evidence/v1\n{text}")).unwrap();
    Facts::derive(&evidence).network
}

fn cluster(config: &str) -> String {
    format!("aws: {{cluster: {{found: {{name: prod, status: ACTIVE, resourcesVpcConfig: {config}}}}}}}\n")
}

#[test]
fn clients_have_many_words_for_the_same_obstacle() {
    for (message, expected) in [
        ("dial tcp 10.0.0.1:443: i/o timeout", Obstacle::Timeout),
        ("dial tcp: lookup x.eks.amazonaws.com on 127.0.0.1:53: no such host", Obstacle::Name),
        ("dial tcp: lookup x on 127.0.0.1:53: read udp 127.0.0.1:3:53: i/o timeout", Obstacle::Name),
        ("dial tcp 10.0.0.1:443: connect: connection refused", Obstacle::Refused),
        ("x509: certificate signed by unknown authority", Obstacle::Certificate),
        ("proxyconnect tcp: dial tcp 10.0.0.1:3128: i/o timeout", Obstacle::Proxy),
        ("invalid character '<' looking for beginning of value", Obstacle::OtherServer),
        ("net/http: request canceled while waiting for connection", Obstacle::Timeout),
        ("EOF", Obstacle::Closed),
        ("getting credentials: exec: executable aws failed with exit code 255", Obstacle::Other),
    ] {
        assert_eq!(
            obstacle::classify(&Failure { message: message.to_owned(), ..Failure::default() }),
            expected,
            "{message}"
        );
    }
}

#[test]
fn a_request_that_failed_says_as_much_as_a_connection() {
    let facts = facts("kubernetes: {version: {failed: {message: 'dial tcp 10.46.162.87:443: i/o timeout'}}}");
    assert!(facts.obstacle.is(&Some(Obstacle::Timeout)));
    assert!(facts.is_private_address.is(&true));
    assert!(facts.answers.is(&false));
}

#[test]
fn a_request_that_was_never_sent_says_nothing() {
    let facts =
        facts("kubernetes: {version: {failed: {message: 'getting credentials: exec: executable aws not found'}}}");
    assert!(facts.obstacle.value().is_none());
    assert!(facts.answers.value().is_none());
}

#[test]
fn a_page_of_a_proxy_is_no_answer_of_the_api_server() {
    let facts = facts("kubernetes: {whoami: {denied: {status: 403, message: '<html><h1>Access denied</h1>'}}}");
    assert!(facts.obstacle.is(&Some(Obstacle::OtherServer)));
    assert!(facts.proxy_is_in_the_way.is(&true));
}

#[test]
fn behind_a_proxy_the_name_need_not_resolve_here() {
    let text = "environment: {variables: {https_proxy: 'http://proxy.example:3128'}}
network: {dns: {failed: {message: no such host}}}
kubernetes: {version: {found: {gitVersion: v1.33.4}}}";
    assert!(facts(text).obstacle.is(&None));
    let text = text.replace("found: {gitVersion: v1.33.4}", "failed: {message: EOF}");
    assert!(facts(&text).obstacle.is(&Some(Obstacle::Closed)));
    assert!(facts(&text).proxy_is_in_the_way.is(&true));
}

#[test]
fn the_clusters_settings_say_whom_they_keep_out() {
    let barrier = |config: &str, network: &str| facts(&format!("{}network: {network}", cluster(config))).barrier;
    let private = "{endpointPublicAccess: false, endpointPrivateAccess: true}";
    assert!(barrier(private, "{}").is(&Barrier::PrivateEndpoint));
    let beside = "{dns: {found: [10.0.1.7]}, localAddresses: {found: [10.0.200.3]}}";
    assert!(barrier(private, beside).is(&Barrier::None));
    let some = "{endpointPublicAccess: true, publicAccessCidrs: [203.0.113.0/24, '2001:db8::/32']}";
    assert!(barrier(some, "{}").is(&Barrier::PublicAccessCidrs));
    assert!(barrier(some, "{egressAddress: {found: 203.0.113.9}}").is(&Barrier::None));
    assert!(barrier(some, "{egressAddress: {found: '2001:db8::1'}}").is(&Barrier::None));
    assert!(barrier(some, "{egressAddress: {found: 198.51.100.9}}").is(&Barrier::PublicAccessCidrs));
    assert!(barrier("{endpointPublicAccess: true, publicAccessCidrs: [0.0.0.0/0]}", "{}").is(&Barrier::None));
    assert!(barrier("{endpointPublicAccess: true}", "{}").value().is_none());
    assert!(facts("").barrier.value().is_none());
}

#[test]
fn a_new_cluster_is_told_by_the_servers_clock() {
    let is_new = |collected: &str, offset: f64| {
        let text = format!(
            "schema: eks-doctor/evidence/v1\ncollectedAt: {collected}\nenvironment: {{clockOffsetSeconds: {{found: {offset}}}}}
aws: {{cluster: {{found: {{createdAt: 2026-11-21T10:00:00Z}}}}}}"
        );
        let evidence = Evidence::from_text("test.yaml", &text).unwrap();
        let pasted = Pasted::read(&evidence);
        cluster::derive(&evidence, &pasted, &kubeconfig::derive(&evidence, &pasted)).is_new
    };
    assert!(is_new("2026-11-21T10:12:00Z", 0.0).is(&true));
    assert!(is_new("2026-11-21T12:12:00Z", 0.0).is(&false));
    assert!(is_new("2026-11-21T12:12:00Z", 7200.0).is(&true));
}

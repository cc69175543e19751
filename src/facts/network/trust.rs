//! Whose certificate the client was shown: the cluster's, or that of something that inspects TLS.

use crate::{
    evidence::{Evidence, Failure},
    facts::{
        kubeconfig::KubeconfigFacts,
        pasted::Pasted,
        value::{Fact, why_unsettled},
    },
};

use super::{Obstacle, obstacle::classify};

/// The issuer of every EKS API server's certificate.
const CLUSTER_ISSUER: &str = "CN=kubernetes";

/// Extensions of certificates that OpenSSL misses only under VERIFY_X509_STRICT, which Python sets since 3.13, and what it
/// calls them. The authorities of older EKS clusters lack them.
const STRICT: [&str; 4] =
    ["authority key identifier", "subject key identifier", "basic constraints of ca cert not marked", "x509_strict"];

/// What OpenSSL says where a certificate is refused for a reason that has nothing to do with strictness.
const OTHERWISE: [&str; 5] = ["issuer", "self-signed", "self signed", "expired", "hostname"];

/// Whether a client complains about what only strict checks of certificates want.
pub(super) fn is_strict(pasted: &Pasted) -> Fact<bool> {
    let text = pasted.text.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|words| text.contains(words));
    let is_python = says(&["certificate_verify_failed"]);
    match says(&STRICT) {
        false if is_python && !says(&OTHERWISE) => {
            Fact::unknown("target.symptom", "the message does not say why the certificate is refused")
        }
        is_strict => Fact::known(is_strict, "target.symptom"),
    }
}

/// Issuer of the certificate that the endpoint showed.
pub(super) fn issuer(evidence: &Evidence) -> Fact<Option<String>> {
    let session = Fact::observed(&evidence.network.tls, "network.tls");
    session.map(|session| session.and_then(|session| session.issuer.clone()))
}

/// Whether something else's certificate is shown. One for an AWS API that is not trusted settles it as well: those are
/// signed by authorities that every machine knows.
pub(super) fn is_intercepted(evidence: &Evidence, pasted: &Pasted, kubeconfig: &KubeconfigFacts) -> Fact<bool> {
    let aws = &evidence.aws;
    let aws_calls = [
        ("aws.caller", aws.caller.failure()),
        ("aws.cluster", aws.cluster.failure()),
        ("aws.credentials", aws.credentials.failure()),
    ];
    let is_distrusted = |failure: &Failure| failure.status.is_none() && classify(failure) == Obstacle::Certificate;
    for (observation, failure) in aws_calls {
        if failure.is_some_and(is_distrusted) {
            return Fact::known(true, observation);
        }
    }
    // Another server has another certificate, and nothing need come between.
    if kubeconfig.endpoint_matches.is(&false) {
        return Fact::known(false, "kubeconfig and aws.cluster endpoint");
    }
    if let Some(session) = evidence.network.tls.found() {
        return match &session.issuer {
            // It is the cluster's own certificate, whatever the kubeconfig trusts.
            _ if session.verified || session.verified_by_cluster == Some(true) => Fact::known(false, "network.tls"),
            Some(issuer) => Fact::known(!issuer.replace(' ', "").contains(CLUSTER_ISSUER), "network.tls"),
            None => Fact::unknown("network.tls", "the issuer of the certificate was not seen"),
        };
    }
    if pasted.proves("network/tls-interception") {
        return Fact::known(true, "target.symptom");
    }
    Fact::Unknown(why_unsettled(&evidence.network.tls, "network.tls"))
}

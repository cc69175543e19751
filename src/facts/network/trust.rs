//! Whose certificate the client was shown: the cluster's, or that of something that inspects TLS.

use crate::{
    evidence::{Evidence, Failure},
    facts::value::{Fact, why_unsettled},
    symptom,
};

use super::{Obstacle, obstacle::classify};

/// The issuer of every EKS API server's certificate.
const CLUSTER_ISSUER: &str = "CN=kubernetes";

/// Issuer of the certificate that the endpoint showed.
pub(super) fn issuer(evidence: &Evidence) -> Fact<Option<String>> {
    let session = Fact::observed(&evidence.network.tls, "network.tls");
    session.map(|session| session.and_then(|session| session.issuer.clone()))
}

/// Whether something else's certificate is shown. One for an AWS API that is not trusted settles it as well: those are
/// signed by authorities that every machine knows.
pub(super) fn is_intercepted(evidence: &Evidence) -> Fact<bool> {
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
    if let Some(session) = evidence.network.tls.found() {
        return match &session.issuer {
            _ if session.verified => Fact::known(false, "network.tls"),
            Some(issuer) => Fact::known(!issuer.replace(' ', "").contains(CLUSTER_ISSUER), "network.tls"),
            None => Fact::unknown("network.tls", "the issuer of the certificate was not seen"),
        };
    }
    match evidence.target.symptom.as_deref().map(symptom::recognise).and_then(|pasted| pasted.proves) {
        Some(("network/tls-interception", _)) => Fact::known(true, "target.symptom"),
        _ => Fact::Unknown(why_unsettled(&evidence.network.tls, "network.tls")),
    }
}

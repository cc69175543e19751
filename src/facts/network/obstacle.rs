//! What keeps a request from the API server, by whichever look says so first: name, connection, certificate, or the
//! requests themselves.

use super::{Obstacle, proxy::Proxy};
use crate::{
    evidence::{Evidence, Failure, Observed},
    facts::value::{Fact, why_unsettled},
};

/// What became of a request to the API server.
pub(super) enum Request<'a> {
    /// A Kubernetes API server answered, be it with a refusal.
    Answered,
    /// No API server answered.
    Failed(&'a Failure),
    /// Nobody asked, or the request was never sent.
    NotSent,
}

/// The requests that were made, by observation.
pub(super) fn requests(evidence: &Evidence) -> [(&'static str, Request<'_>); 5] {
    let kubernetes = &evidence.kubernetes;
    let has_proxy = may_answer_itself(evidence);
    [
        ("kubernetes.version", request(&kubernetes.version, has_proxy)),
        ("kubernetes.whoami", request(&kubernetes.whoami, has_proxy)),
        ("kubernetes.accessReview", request(&kubernetes.access_review, has_proxy)),
        ("kubernetes.actionAttempt", request(&kubernetes.action_attempt, has_proxy)),
        ("kubernetes.awsAuth", request(&kubernetes.aws_auth, has_proxy)),
    ]
}

/// Whether a text says that a name does not resolve.
pub(super) fn speaks_of_name(text: &str) -> bool {
    let text = text.to_lowercase();
    let words = ["no such host", "resolve", "nxdomain", "getaddrinfo", "name or service not known", "name resolution"];
    words.iter().any(|word| text.contains(word)) && !text.contains("resolved")
}

/// Whether there is a proxy that can answer in the API server's place: none can inside a session with the cluster's own
/// certificate.
pub(crate) fn may_answer_itself(evidence: &Evidence) -> bool {
    let is_through = evidence.network.tls.found().is_some_and(|session| session.verified);
    evidence.network.proxy.found().is_some() && !is_through
}

/// Whether a refusal lacks the words of an API server, which names who may not do what. Behind a proxy it is the proxy's.
pub(crate) fn is_bare_refusal(failure: &Failure) -> bool {
    let words = failure.message.to_lowercase();
    let is_forbidden = failure.status == Some(403) || failure.status.is_none() && words.contains("forbidden");
    is_forbidden && !["cannot ", "user \"", "forbidden: ", "is forbidden"].iter().any(|own| words.contains(own))
}

fn request<T>(observed: &Observed<T>, has_proxy: bool) -> Request<'_> {
    match observed {
        Observed::Found(_) | Observed::Absent(_) => Request::Answered,
        Observed::Denied(failure) | Observed::Failed(failure) => match classify(failure) {
            Obstacle::Proxy | Obstacle::OtherServer => Request::Failed(failure),
            _ if has_proxy && is_bare_refusal(failure) => Request::Failed(failure),
            _ if failure.status.is_some() || matches!(observed, Observed::Denied(_)) => Request::Answered,
            // The client gave up before it sent anything: no credential.
            Obstacle::Other => Request::NotSent,
            _ => Request::Failed(failure),
        },
        Observed::NotTried(_) => Request::NotSent,
    }
}

/// The obstacle and the client's words for it; absent if an API server answered.
pub(super) fn obstacle(
    evidence: &Evidence,
    answers: &Fact<bool>,
    proxy: &Fact<Option<Proxy>>,
) -> Fact<Option<(Obstacle, String)>> {
    if answers.is(&true) {
        return answers.clone().map(|_| None);
    }
    let network = &evidence.network;
    // Behind a proxy it is the proxy that resolves the name.
    let through_proxy = matches!(proxy.value(), Some(Some(_)));
    let steps = [
        ("network.dns", network.dns.failure().filter(|_| !through_proxy).map(|failure| (Obstacle::Name, failure))),
        ("network.tcp", network.tcp.failure().map(|failure| (classify(failure), failure))),
        ("network.tls", network.tls.failure().map(|failure| (classify(failure), failure))),
    ];
    for (observation, step) in steps {
        if let Some((obstacle, failure)) = step {
            return Fact::known(Some((obstacle, failure.summary())), observation);
        }
    }
    if let Observed::Absent(_) = network.dns {
        return Fact::known(Some((Obstacle::Name, "no such host".to_owned())), "network.dns");
    }
    if let Some(session) = network.tls.found().filter(|session| !session.verified) {
        let issuer = session.issuer.as_deref().unwrap_or("an unknown issuer");
        let words = format!("the certificate is issued by {issuer}, which the kubeconfig does not trust");
        return Fact::known(Some((Obstacle::Certificate, words)), "network.tls");
    }
    for (observation, request) in requests(evidence) {
        if let Request::Failed(failure) = request {
            let obstacle = match classify(failure) {
                Obstacle::Other if is_bare_refusal(failure) => Obstacle::Proxy,
                obstacle => obstacle,
            };
            return Fact::known(Some((obstacle, failure.summary())), observation);
        }
    }
    Fact::Unknown(why_unsettled(&network.tcp, "network.tcp"))
}

/// What a failure says stands in the way, by its code or its words.
pub(crate) fn classify(failure: &Failure) -> Obstacle {
    let words = failure.message.to_lowercase();
    let has = |needles: &[&str]| needles.iter().any(|needle| words.contains(needle));
    if failure.status == Some(407) || has(&["proxyconnect", "proxy authentication required", "connect to proxy"]) {
        return Obstacle::Proxy;
    }
    if has(&["<html", "<!doctype", "invalid character '<'", "looks like html", "first record does not look like a tls"])
        || failure.code.as_deref() == Some("InvalidMessage")
    {
        return Obstacle::OtherServer;
    }
    match failure.code.as_deref() {
        Some("NXDOMAIN" | "ENOTFOUND" | "EAI_NONAME" | "EAI_AGAIN" | "SERVFAIL") => return Obstacle::Name,
        Some("Timeout" | "ETIMEDOUT" | "EHOSTUNREACH" | "ENETUNREACH") => return Obstacle::Timeout,
        Some("ECONNREFUSED") => return Obstacle::Refused,
        Some("ECONNRESET" | "EPIPE" | "UnexpectedEof" | "AlertReceived") => return Obstacle::Closed,
        _ => {}
    }
    let by_words: [(Obstacle, &[&str]); 5] = [
        (Obstacle::Certificate, &["x509", "certificate", "unknownissuer", "ssl validation"]),
        (
            Obstacle::Name,
            &[
                "no such host",
                "not known",
                "server misbehaving",
                "failed to resolve",
                "name resolution",
                "could not resolve",
                ": lookup ",
            ],
        ),
        (
            Obstacle::Timeout,
            &[
                "timed out",
                "timeout",
                "deadline exceeded",
                "deadline has elapsed",
                "canceled while waiting",
                "no route to host",
                "unreachable",
            ],
        ),
        (Obstacle::Refused, &["refused"]),
        (Obstacle::Closed, &["eof", "reset by peer", "broken pipe", "connection closed"]),
    ];
    by_words.into_iter().find(|(_, needles)| has(needles)).map_or(Obstacle::Other, |(obstacle, _)| obstacle)
}

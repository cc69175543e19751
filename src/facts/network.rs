//! The way to the API server: name, connection, certificate, and whether anything answered at the end of it.

use super::value::{Fact, Unknown, choice, facts, why_unsettled};
use crate::evidence::{Evidence, Failure, Observed};

choice! {
    /// How a step of the way ended.
    Reach {
        /// It worked.
        Reached = "reached",
        /// The name does not resolve.
        NoSuchHost = "no-such-host",
        /// Nothing answered in time.
        TimedOut = "timed-out",
        /// The connection was refused.
        Refused = "refused",
        /// The certificate is not trusted.
        Untrusted = "untrusted",
        /// Something else.
        Failed = "failed",
    }
}

facts! {
    /// The way to the API server.
    NetworkFacts {
        /// Whether the endpoint's name resolves.
        "dns" dns: Fact<Reach>,
        /// Whether a connection can be opened.
        "tcp" tcp: Fact<Reach>,
        /// Whether the server's certificate is signed by the kubeconfig's CA.
        "tls" tls: Fact<Reach>,
        /// Whether a Kubernetes API server answered any request, be it with a refusal.
        "answers" answers: Fact<bool>,
        /// The addresses of the endpoint.
        "addresses" addresses: Fact<Vec<String>>,
        /// The proxy that applies.
        "proxy" proxy: Fact<Option<String>>,
        /// What went wrong, in the words of the client.
        "problem" problem: Fact<Option<String>>,
    }
}

/// Derives the room.
pub(crate) fn derive(evidence: &Evidence) -> NetworkFacts {
    let network = &evidence.network;
    NetworkFacts {
        dns: step(&network.dns, "network.dns", |_| Reach::Reached),
        tcp: step(&network.tcp, "network.tcp", |_| Reach::Reached),
        tls: step(&network.tls, "network.tls", |session| {
            if session.verified { Reach::Reached } else { Reach::Untrusted }
        }),
        answers: answers(evidence),
        addresses: Fact::observed(&network.dns, "network.dns").map(|found| found.cloned().unwrap_or_default()),
        proxy: Fact::observed(&network.proxy, "network.proxy").map(|proxy| proxy.map(|proxy| proxy.url.clone())),
        problem: problem(evidence),
    }
}

fn step<T>(observed: &Observed<T>, observation: &'static str, found: impl FnOnce(&T) -> Reach) -> Fact<Reach> {
    match observed {
        Observed::Found(value) => Fact::known(found(value), observation),
        Observed::Absent(_) => Fact::known(Reach::NoSuchHost, observation),
        Observed::Denied(failure) | Observed::Failed(failure) => Fact::known(classify(failure), observation),
        Observed::NotTried(_) => Fact::Unknown(why_unsettled(observed, observation)),
    }
}

fn classify(failure: &Failure) -> Reach {
    let message = failure.message.to_lowercase();
    match failure.code.as_deref() {
        Some("NXDOMAIN" | "ENOTFOUND" | "EAI_NONAME") => Reach::NoSuchHost,
        Some("Timeout" | "ETIMEDOUT") => Reach::TimedOut,
        Some("ECONNREFUSED") => Reach::Refused,
        _ if message.contains("no such host") || message.contains("not known") => Reach::NoSuchHost,
        _ if message.contains("timed out") || message.contains("timeout") => Reach::TimedOut,
        _ if message.contains("refused") => Reach::Refused,
        _ if message.contains("certificate") || message.contains("unknownissuer") => Reach::Untrusted,
        _ => Reach::Failed,
    }
}

/// An answer of the API server, be it a refusal, shows that the way is open.
fn answers(evidence: &Evidence) -> Fact<bool> {
    let kubernetes = &evidence.kubernetes;
    let answered = [
        ("kubernetes.version", answer_of(&kubernetes.version)),
        ("kubernetes.whoami", answer_of(&kubernetes.whoami)),
        ("kubernetes.accessReview", answer_of(&kubernetes.access_review)),
        ("kubernetes.actionAttempt", answer_of(&kubernetes.action_attempt)),
        ("kubernetes.awsAuth", answer_of(&kubernetes.aws_auth)),
    ];
    if let Some((observation, _)) = answered.iter().find(|(_, answer)| *answer == Some(true)) {
        return Fact::known(true, *observation);
    }
    if let Some((observation, _)) = answered.iter().find(|(_, answer)| *answer == Some(false)) {
        return Fact::known(false, *observation);
    }
    for (observation, failed) in
        [("network.dns", evidence.network.dns.failure()), ("network.tcp", evidence.network.tcp.failure())]
    {
        if failed.is_some() {
            return Fact::known(false, observation);
        }
    }
    let mut unknown = Unknown::default();
    unknown.absorb(&why_unsettled(&kubernetes.version, "kubernetes.version"));
    Fact::Unknown(unknown)
}

/// Whether something at the other end spoke HTTP as Kubernetes does; nothing if nobody asked.
fn answer_of<T>(observed: &Observed<T>) -> Option<bool> {
    match observed {
        Observed::Found(_) | Observed::Absent(_) => Some(true),
        Observed::Denied(failure) => Some(failure.status.is_some()),
        Observed::Failed(failure) => Some(failure.status.is_some_and(|status| status != 407)),
        Observed::NotTried(_) => None,
    }
}

fn problem(evidence: &Evidence) -> Fact<Option<String>> {
    let network = &evidence.network;
    let failures = [
        ("network.dns", network.dns.failure()),
        ("network.tcp", network.tcp.failure()),
        ("network.tls", network.tls.failure()),
        ("kubernetes.version", evidence.kubernetes.version.failure().filter(|failure| failure.status.is_none())),
        ("kubernetes.whoami", evidence.kubernetes.whoami.failure().filter(|failure| failure.status.is_none())),
    ];
    let first = failures.into_iter().find_map(|(observation, failure)| failure.map(|failure| (observation, failure)));
    match first {
        Some((observation, failure)) => Fact::known(Some(failure.summary()), observation),
        None => Fact::known(None, "network"),
    }
}

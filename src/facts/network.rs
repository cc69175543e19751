//! The way to the API server: name, connection, certificate, whether anything answered at the end of it, and if not,
//! what stands in the way.

use std::net::IpAddr;

use super::{
    cluster::ClusterFacts,
    kubeconfig::{self, KubeconfigFacts},
    mapping::is_about_nodes,
    pasted::Pasted,
    value::{Fact, Unknown, choice, facts, why_unsettled},
};
use crate::{
    evidence::{Evidence, Failure, Observed},
    symptom::SymptomClass,
};

mod obstacle;
mod place;
mod proxy;
mod trust;

pub(crate) use obstacle::{classify, is_bare_refusal, may_answer_itself};

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

choice! {
    /// What keeps a request from the API server.
    Obstacle {
        /// The endpoint's name does not resolve.
        Name = "name",
        /// Nothing answers in time.
        Timeout = "timeout",
        /// The connection is refused.
        Refused = "refused",
        /// The connection is cut off.
        Closed = "closed",
        /// The certificate is not accepted.
        Certificate = "certificate",
        /// A proxy refuses or is not there.
        Proxy = "proxy",
        /// Something else than a Kubernetes API server answers.
        OtherServer = "other-server",
        /// Something else.
        Other = "other",
    }
}

choice! {
    /// Which of the cluster's own settings keeps a machine from its endpoint.
    Barrier {
        /// The endpoint is private, and this machine is not seen to be beside it.
        PrivateEndpoint = "private-endpoint",
        /// The public endpoint is open to some addresses only, and this machine's is not known to be one of them.
        PublicAccessCidrs = "public-access-cidrs",
        /// None: it lies elsewhere.
        None = "none",
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
        /// What keeps requests from the API server; absent if they reach it.
        "obstacle" obstacle: Fact<Option<Obstacle>>,
        /// What went wrong, in the words of the client.
        "problem" problem: Fact<Option<String>>,
        /// Host of the API server as the client spells it.
        "host" host: Fact<Option<String>>,
        /// Whether that host is this machine itself.
        "isLocal" is_local: Fact<bool>,
        /// The addresses of the endpoint.
        "addresses" addresses: Fact<Vec<String>>,
        /// Whether the endpoint's addresses are private ones.
        "isPrivateAddress" is_private_address: Fact<bool>,
        /// Whether an address of this machine is seen in the same range of 65,536 addresses as the endpoint's.
        "isBesideEndpoint" is_beside_endpoint: Fact<bool>,
        /// The address from which the internet sees this machine.
        "egressAddress" egress_address: Fact<Option<String>>,
        /// Whether the public endpoint is open to that address.
        "egressIsAllowed" egress_is_allowed: Fact<bool>,
        /// Which of the cluster's own settings keeps this machine from its endpoint.
        "barrier" barrier: Fact<Barrier>,
        /// The proxy that applies.
        "proxy" proxy: Fact<Option<String>>,
        /// What names the proxy: a variable, or proxy-url.
        "proxyFrom" proxy_from: Fact<Option<String>>,
        /// Whether a proxy takes the request and does not deliver it.
        "proxyIsInTheWay" proxy_is_in_the_way: Fact<bool>,
        /// Whether a proxy is in the way, or there is one and something fails, or the pasted text speaks of one.
        "proxyIsSuspect" proxy_is_suspect: Fact<bool>,
        /// Issuer of the certificate that the client was shown.
        "issuer" issuer: Fact<Option<String>>,
        /// Whether a certificate of somebody else is shown in the server's place.
        "isIntercepted" is_intercepted: Fact<bool>,
        /// Whether the name is what fails, by what was seen, else by the pasted text.
        "isNameTrouble" is_name_trouble: Fact<bool>,
        /// Whether a client complains that a certificate lacks extensions that only strict checks want.
        "isStrictClient" is_strict_client: Fact<bool>,
    }
}

/// Derives the room.
pub(crate) fn derive(
    evidence: &Evidence,
    pasted: &Pasted,
    kubeconfig: &KubeconfigFacts,
    cluster: &ClusterFacts,
) -> NetworkFacts {
    let network = &evidence.network;
    let host = host(kubeconfig, cluster);
    let answers = answers(evidence);
    let proxy = proxy::applying(evidence, kubeconfig, &host);
    // The way from here is not the way of somebody else or of a node; of that one only the pasted text can speak.
    let is_about_nodes = is_about_nodes(pasted);
    let speaks = |class| pasted.shows(class) || pasted.hinted.contains(&class);
    let is_about_way = is_about_nodes || speaks(SymptomClass::Network) || speaks(SymptomClass::Tls);
    let is_somebody_elses = evidence.target.principal.is_some() || is_about_nodes;
    let obstacle = match (is_somebody_elses, is_about_way) {
        (true, false) => Fact::known(None, "target.principal"),
        (true, true) if answers.is(&true) => {
            Fact::unknown("network.tcp", "what is seen from here is not the way that fails")
        }
        _ => obstacle::obstacle(evidence, &answers, &proxy),
    };
    let place = place::Place::of(evidence, pasted, cluster, is_somebody_elses);
    let is_name_trouble = match &obstacle {
        Fact::Known { value, source } => Fact::known(matches!(value, Some((Obstacle::Name, _))), source.clone()),
        Fact::Unknown(_) if obstacle::speaks_of_name(&pasted.text) => Fact::known(true, "target.symptom"),
        Fact::Unknown(unknown) => Fact::Unknown(unknown.clone()),
    };
    let proxy_is_in_the_way = proxy::is_in_the_way(evidence, pasted, &obstacle, &proxy);
    NetworkFacts {
        dns: step(&network.dns, "network.dns", |_| Reach::Reached),
        tcp: step(&network.tcp, "network.tcp", |_| Reach::Reached),
        tls: step(
            &network.tls,
            "network.tls",
            |session| {
                if session.verified { Reach::Reached } else { Reach::Untrusted }
            },
        ),
        problem: match &obstacle {
            Fact::Known { value: Some((_, words)), source } => Fact::known(Some(words.clone()), source.clone()),
            other => other.clone().map(|_| None),
        },
        proxy_is_suspect: proxy::is_suspect(pasted, &proxy_is_in_the_way, &proxy),
        proxy_is_in_the_way,
        obstacle: obstacle.map(|found| found.map(|(obstacle, _)| obstacle)),
        answers,
        is_local: is_local(pasted, &host),
        host,
        is_private_address: place.is_private(),
        is_beside_endpoint: place.is_beside_endpoint(),
        barrier: place.barrier(),
        egress_is_allowed: place.egress_is_allowed(),
        addresses: place.addresses.map(|found| found.iter().map(IpAddr::to_string).collect()),
        egress_address: Fact::observed(&network.egress_address, "network.egressAddress").map(|found| found.cloned()),
        proxy: proxy.clone().map(|proxy| proxy.map(|proxy| proxy.url)),
        proxy_from: proxy.map(|proxy| proxy.map(|proxy| proxy.from)),
        issuer: trust::issuer(evidence),
        is_intercepted: match is_somebody_elses && !is_about_way {
            true => Fact::known(false, "target.principal"),
            false => trust::is_intercepted(evidence, pasted, kubeconfig),
        },
        is_name_trouble,
        is_strict_client: trust::is_strict(pasted),
    }
}

fn host(kubeconfig: &KubeconfigFacts, cluster: &ClusterFacts) -> Fact<Option<String>> {
    let of = |url: Option<&String>| {
        url.and_then(|url| kubeconfig::authority(url)).map(|host| without_port(&host).to_owned())
    };
    match &kubeconfig.server {
        Fact::Known { value: Some(server), source } => Fact::known(of(Some(server)), source.clone()),
        _ => cluster.endpoint.clone().map(|endpoint| of(endpoint.as_ref())),
    }
}

/// The host of `host:port` or `[address]:port`.
fn without_port(authority: &str) -> &str {
    match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
    }
}

/// Whether the client talks to its own machine, which no cluster's endpoint is.
fn is_local(pasted: &Pasted, host: &Fact<Option<String>>) -> Fact<bool> {
    let is_loopback = |host: &str| {
        host == "localhost"
            || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback() || address.is_unspecified())
    };
    let stated = pasted.stated.host.as_ref().or(pasted.stated.address.as_ref());
    match (host, stated) {
        (Fact::Known { value: Some(host), source }, _) => Fact::known(is_loopback(host), source.clone()),
        (_, Some(stated)) => Fact::known(is_loopback(without_port(stated)), "target.symptom"),
        (host, None) => host.clone().map(|_| false),
    }
}

fn step<T>(observed: &Observed<T>, observation: &'static str, found: impl FnOnce(&T) -> Reach) -> Fact<Reach> {
    match observed {
        Observed::Found(value) => Fact::known(found(value), observation),
        Observed::Absent(_) => Fact::known(Reach::NoSuchHost, observation),
        Observed::Denied(failure) | Observed::Failed(failure) => Fact::known(reach(failure), observation),
        Observed::NotTried(_) => Fact::Unknown(why_unsettled(observed, observation)),
    }
}

fn reach(failure: &Failure) -> Reach {
    match obstacle::classify(failure) {
        Obstacle::Name => Reach::NoSuchHost,
        Obstacle::Timeout => Reach::TimedOut,
        Obstacle::Refused => Reach::Refused,
        Obstacle::Certificate => Reach::Untrusted,
        _ => Reach::Failed,
    }
}

/// An answer of the API server, be it a refusal, shows that the way is open.
fn answers(evidence: &Evidence) -> Fact<bool> {
    let answered = obstacle::requests(evidence);
    if let Some((observation, _)) = answered.iter().find(|(_, answer)| matches!(answer, obstacle::Request::Answered)) {
        return Fact::known(true, *observation);
    }
    if let Some((observation, _)) = answered.iter().find(|(_, answer)| matches!(answer, obstacle::Request::Failed(_))) {
        return Fact::known(false, *observation);
    }
    let network = &evidence.network;
    for (observation, failed) in [
        ("network.dns", network.dns.failure()),
        ("network.tcp", network.tcp.failure()),
        ("network.tls", network.tls.failure()),
    ] {
        if failed.is_some() {
            return Fact::known(false, observation);
        }
    }
    let mut unknown = Unknown::default();
    unknown.absorb(&why_unsettled(&evidence.kubernetes.version, "kubernetes.version"));
    Fact::Unknown(unknown)
}

#[cfg(test)]
mod tests;

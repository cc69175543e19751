//! Where this machine stands as the cluster's endpoint sees it: inside its network, at an address that it lets in, or
//! outside.

use std::net::{IpAddr, SocketAddr};

use super::Barrier;
use crate::{
    evidence::{Evidence, Observed},
    facts::{
        cluster::ClusterFacts,
        pasted::Pasted,
        value::{Fact, why_unsettled},
    },
};

/// The addresses at both ends, and what the cluster lets in.
pub(super) struct Place<'a> {
    cluster: &'a ClusterFacts,
    /// The addresses of the endpoint.
    pub(super) addresses: Fact<Vec<IpAddr>>,
    /// The addresses of this machine.
    local: Fact<Vec<IpAddr>>,
    /// The address from which the internet sees this machine.
    egress: Fact<IpAddr>,
}

impl<'a> Place<'a> {
    pub(super) fn of(evidence: &Evidence, pasted: &Pasted, cluster: &'a ClusterFacts, is_somebody_elses: bool) -> Self {
        let network = &evidence.network;
        let local = own(&network.local_addresses, "network.localAddresses", is_somebody_elses);
        let egress = own(&network.egress_address, "network.egressAddress", is_somebody_elses);
        Self {
            cluster,
            addresses: addresses(evidence, pasted),
            local: local.map(|found| parse_all(found.into_iter().flatten().map(String::as_str))),
            egress: egress.and_then(|found| match found.and_then(|text| text.trim().parse().ok()) {
                Some(address) => Fact::known(address, "network.egressAddress"),
                None => Fact::unknown("network.egressAddress", "it is no address"),
            }),
        }
    }

    pub(super) fn is_private(&self) -> Fact<bool> {
        self.addresses.clone().map(|addresses| addresses.iter().all(|address| is_private(*address)))
    }

    /// A VPC has at least one range of at most 2^16 addresses; what is in the same one is near.
    pub(super) fn is_beside_endpoint(&self) -> Fact<bool> {
        self.addresses.as_ref().and_then(|endpoint| {
            self.local.as_ref().map(|local| {
                local.iter().any(|own| endpoint.iter().any(|address| is_private(*address) && are_near(*own, *address)))
            })
        })
    }

    pub(super) fn egress_is_allowed(&self) -> Fact<bool> {
        self.cluster.public_access_cidrs.as_ref().and_then(|cidrs| match (is_open(cidrs), &self.egress) {
            (true, _) => Fact::known(true, "aws.cluster"),
            (false, egress) => egress.clone().map(|egress| cidrs.iter().any(|cidr| contains(cidr, egress))),
        })
    }

    pub(super) fn barrier(&self) -> Fact<Barrier> {
        let is_private = self.is_private();
        self.cluster.public_access.clone().and_then(|public| match public {
            None => Fact::unknown("aws.cluster", "its description does not say whether its endpoint is public"),
            Some(false) if self.is_beside_endpoint().is(&true) => Fact::known(Barrier::None, "network.localAddresses"),
            Some(false) => Fact::known(Barrier::PrivateEndpoint, "aws.cluster"),
            Some(true) if is_private.is(&true) => Fact::known(Barrier::None, "network.dns"),
            Some(true) => self.cluster.public_access_cidrs.as_ref().and_then(|cidrs| {
                if cidrs.is_empty() {
                    return Fact::unknown("aws.cluster", "its description does not say which addresses it lets in");
                }
                let is_shut_out = !is_open(cidrs) && !self.egress_is_allowed().is(&true);
                Fact::known(if is_shut_out { Barrier::PublicAccessCidrs } else { Barrier::None }, "aws.cluster")
            }),
        })
    }
}

/// The addresses that the endpoint's name resolved to, or that a client named when it failed to connect.
fn addresses(evidence: &Evidence, pasted: &Pasted) -> Fact<Vec<IpAddr>> {
    let network = &evidence.network;
    if let Some(found) = network.dns.found() {
        return Fact::known(parse_all(found.iter().map(String::as_str)), "network.dns");
    }
    let kubernetes = &evidence.kubernetes;
    let texts = [
        ("network.tcp", network.tcp.found().map(|tcp| tcp.address.as_str())),
        ("network.tcp", network.tcp.failure().map(|failure| failure.message.as_str())),
        ("kubernetes.version", kubernetes.version.failure().map(|failure| failure.message.as_str())),
        ("kubernetes.whoami", kubernetes.whoami.failure().map(|failure| failure.message.as_str())),
        ("kubernetes.actionAttempt", kubernetes.action_attempt.failure().map(|failure| failure.message.as_str())),
        ("target.symptom", Some(pasted.text.as_str())),
    ];
    for (observation, text) in texts {
        if let Some(address) = text.and_then(address_in) {
            return Fact::known(vec![address], observation);
        }
    }
    match pasted.stated.address.as_ref().and_then(|address| address.parse().ok()) {
        Some(address) => Fact::known(vec![address], "target.symptom"),
        None => Fact::Unknown(why_unsettled(&network.dns, "network.dns")),
    }
}

/// The address in `dial tcp 10.0.0.1:443: i/o timeout`; of a lookup's name server only where nothing was dialled.
fn address_in(text: &str) -> Option<IpAddr> {
    let words = text.split(|c: char| c.is_whitespace() || ",;\"'()".contains(c));
    let sockets = words.filter_map(|word| word.trim_end_matches(':').parse::<SocketAddr>().ok());
    let mut served = sockets.filter(|socket| socket.port() != 53 && !socket.ip().is_loopback());
    served.next().map(|socket| socket.ip())
}

fn parse_all<'t>(texts: impl Iterator<Item = &'t str>) -> Vec<IpAddr> {
    texts.filter_map(|text| text.trim().parse().ok()).collect()
}

/// Private, carrier-grade and unique local addresses: what a VPC is made of.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [first, second, ..] = v4.octets();
            v4.is_private() || (first == 100 && (64..128).contains(&second))
        }
        IpAddr::V6(v6) => v6.segments().first().is_some_and(|segment| segment & 0xfe00 == 0xfc00),
    }
}

fn are_near(one: IpAddr, other: IpAddr) -> bool {
    let bits = match one {
        IpAddr::V4(_) => 16,
        IpAddr::V6(_) => 56,
    };
    share_prefix(one, other, bits)
}

fn share_prefix(one: IpAddr, other: IpAddr, bits: u32) -> bool {
    let (one, other, width) = match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => (u128::from(one.to_bits()), u128::from(other.to_bits()), 32),
        (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits(), other.to_bits(), 128),
        _ => return false,
    };
    bits <= width && (one ^ other).checked_shr(width - bits).unwrap_or_default() == 0
}

/// Whether a block such as `203.0.113.0/24` holds an address.
fn contains(cidr: &str, address: IpAddr) -> bool {
    let (network, bits) = cidr.trim().split_once('/').unwrap_or((cidr.trim(), ""));
    let Ok(network) = network.parse::<IpAddr>() else { return false };
    let all = if network.is_ipv4() { 32 } else { 128 };
    let bits = if bits.is_empty() { Some(all) } else { bits.parse().ok() };
    bits.is_some_and(|bits| share_prefix(network, address, bits))
}

fn is_open(cidrs: &[String]) -> bool {
    cidrs.iter().any(|cidr| cidr.trim() == "0.0.0.0/0")
}

/// What was seen of this machine, if its way is the one that fails.
fn own<'t, T>(observed: &'t Observed<T>, observation: &'static str, is_somebody_elses: bool) -> Fact<Option<&'t T>> {
    match is_somebody_elses {
        true => Fact::unknown(observation, "what is seen from here is not the way that fails"),
        false => Fact::observed(observed, observation),
    }
}

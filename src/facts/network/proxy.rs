//! Whether a proxy applies to the endpoint, and whether it is what keeps the request from getting there.

use super::Obstacle;
use crate::{
    evidence::{Evidence, Observed, Via},
    facts::{
        kubeconfig::{self, KubeconfigFacts},
        pasted::Pasted,
        value::{Fact, why_unsettled},
    },
};

/// A proxy that applies.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Proxy {
    pub(super) url: String,
    pub(super) from: String,
}

const OBSERVATION: &str = "network.proxy";

/// The proxy that applies to the endpoint: as it was looked up, else as the kubeconfig and the variables say.
pub(super) fn applying(
    evidence: &Evidence,
    kubeconfig: &KubeconfigFacts,
    host: &Fact<Option<String>>,
) -> Fact<Option<Proxy>> {
    match &evidence.network.proxy {
        Observed::Found(proxy) => {
            return Fact::known(Some(Proxy { url: proxy.url.clone(), from: proxy.from.clone() }), OBSERVATION);
        }
        Observed::Absent(_) => return Fact::known(None, OBSERVATION),
        _ => {}
    }
    if let Some(url) = proxy_url(evidence, kubeconfig) {
        return Fact::known(Some(Proxy { url, from: "proxy-url".to_owned() }), "kubeconfig");
    }
    if evidence.network.tcp.found().is_some_and(|tcp| tcp.via == Some(Via::Direct)) {
        return Fact::known(None, "network.tcp");
    }
    // A connection that was tried, and no proxy named: it was tried straight.
    if evidence.network.tcp.failure().is_some() && evidence.environment.variables.is_none() {
        return Fact::known(None, "network.tcp");
    }
    let Some(variables) = &evidence.environment.variables else {
        return Fact::Unknown(why_unsettled(&evidence.network.proxy, OBSERVATION));
    };
    let set = |name: &str| {
        let names = [name.to_owned(), name.to_lowercase()];
        let found = names.into_iter().find_map(|name| Some((variables.get(&name)?.clone(), name)));
        found.filter(|(value, _)| !value.is_empty())
    };
    match set("HTTPS_PROXY") {
        None => Fact::known(None, "environment.variables"),
        Some((url, from)) => {
            let exempt = set("NO_PROXY").is_some_and(|(list, _)| {
                host.value().and_then(Option::as_deref).is_some_and(|host| is_exempt(&list, host))
            });
            Fact::known((!exempt).then_some(Proxy { url, from }), "environment.variables")
        }
    }
}

/// `proxy-url` of the cluster entry in use.
fn proxy_url(evidence: &Evidence, kubeconfig: &KubeconfigFacts) -> Option<String> {
    let document = &evidence.kubeconfig.found()?.document;
    let context = kubeconfig.context.value()?.as_deref();
    let url = kubeconfig::select(document, context).cluster?.get("proxy-url")?.as_str()?;
    Some(url.to_owned()).filter(|url| !url.is_empty())
}

/// Whether a NO_PROXY list takes a host out, as Go reads it: a name also stands for the names below it.
fn is_exempt(list: &str, host: &str) -> bool {
    list.split(',').map(|entry| entry.trim().to_ascii_lowercase()).any(|entry| {
        let name = entry.strip_prefix('*').unwrap_or(&entry);
        let name = name.rsplit_once(':').map_or(name, |(name, _)| name);
        let bare = name.trim_start_matches('.');
        entry == "*"
            || !bare.is_empty()
                && (host.strip_suffix(bare).is_some_and(|rest| rest.ends_with('.'))
                    || (host == bare && !name.starts_with('.')))
    })
}

/// Whether the proxy takes the request and does not deliver it.
pub(super) fn is_in_the_way(
    evidence: &Evidence,
    pasted: &Pasted,
    obstacle: &Fact<Option<(Obstacle, String)>>,
    proxy: &Fact<Option<Proxy>>,
) -> Fact<bool> {
    let speaks = speaks_of_proxy(pasted);
    match obstacle {
        Fact::Known { value: Some((Obstacle::Proxy | Obstacle::OtherServer, _)), source } => {
            Fact::known(true, source.clone())
        }
        Fact::Known { value: Some((Obstacle::Certificate, _)) | None, source } => Fact::known(false, source.clone()),
        _ if pasted.proves("network/proxy") => Fact::known(true, "target.symptom"),
        Fact::Known { value: Some(_), .. } if speaks && proxy.is(&None) => {
            Fact::unknown("network.proxy", "whether the way out is by a proxy that is not set here was not seen")
        }
        // Many proxies connect and then let nothing through, but so may the server behind them.
        Fact::Known { value: Some(_), .. } if evidence.network.tcp.found().is_some() && !proxy.is(&None) => {
            Fact::unknown("network.tls", "which of proxy and API server breaks the connection off cannot be seen")
        }
        Fact::Known { value: Some(_), .. } => proxy.clone().map(|proxy| proxy.is_some()),
        Fact::Unknown(unknown) => match proxy {
            Fact::Known { value: None, source } if !speaks => Fact::known(false, source.clone()),
            _ => Fact::Unknown(unknown.clone()),
        },
    }
}

/// Whether it is in the way, or there is one and something fails, or the pasted text speaks of one.
pub(super) fn is_suspect(pasted: &Pasted, is_in_the_way: &Fact<bool>, proxy: &Fact<Option<Proxy>>) -> Fact<bool> {
    match (is_in_the_way, proxy) {
        (Fact::Known { .. }, _) => is_in_the_way.clone(),
        (_, Fact::Known { value: Some(_), source }) => Fact::known(true, source.clone()),
        _ if speaks_of_proxy(pasted) => Fact::known(true, "target.symptom"),
        _ => is_in_the_way.clone(),
    }
}

/// Whether the text speaks of a proxy, and not of the component of Kubernetes.
fn speaks_of_proxy(pasted: &Pasted) -> bool {
    let text = pasted.text.to_lowercase().replace("kube-proxy", "").replace("node-proxier", "");
    text.contains("proxy") || text.contains("proxies")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_proxy_is_read_as_go_reads_it() {
        let host = "0123abcd.gr7.eu-west-1.eks.amazonaws.com";
        for (list, expected) in [
            ("eks.amazonaws.com", true),
            (".eks.amazonaws.com", true),
            ("*.eks.amazonaws.com", true),
            ("localhost, EKS.amazonaws.com:443", true),
            ("*", true),
            ("0123abcd.gr7.eu-west-1.eks.amazonaws.com", true),
            (".0123abcd.gr7.eu-west-1.eks.amazonaws.com", false),
            ("ks.amazonaws.com", false),
            ("169.254.169.254,localhost", false),
            ("", false),
            (",", false),
        ] {
            assert_eq!(is_exempt(list, host), expected, "{list}");
        }
    }
}

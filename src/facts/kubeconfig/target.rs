//! Where the context leads: whether its server, its certificate authority and the cluster name in its token are those
//! of the cluster that is asked about.

use std::collections::BTreeSet;

use base64::Engine;
use serde_json::Value;

use super::{
    Look, OBSERVATION, Selected,
    document::{Entries, argument, authority, cluster_of_entry, context_names, exec_variable, is_local, text},
};
use crate::{
    evidence::{Evidence, Observed},
    facts::value::Fact,
};

const CLUSTER: &str = "aws.cluster";

/// Whether the server is the cluster's endpoint. A tunnel or a proxy of somebody's own is none, and no mistake.
pub(super) fn endpoint_matches(evidence: &Evidence, look: &Look<'_>) -> Fact<bool> {
    let server = look.text(text(look.selected.cluster, "server"));
    let endpoint = Fact::observed(&evidence.aws.cluster, CLUSTER);
    server.and_then(|server| {
        endpoint.and_then(|cluster| match (server, cluster.and_then(|cluster| cluster.endpoint.as_ref())) {
            (Some(server), Some(endpoint)) if authority(&server) == authority(endpoint) => {
                Fact::known(true, "kubeconfig and aws.cluster endpoint")
            }
            (Some(server), Some(_)) if is_detour(look, &server) => {
                Fact::unknown(OBSERVATION, "the server is a tunnel or a proxy, which may lead to the cluster")
            }
            (Some(_), Some(_)) => Fact::known(false, "kubeconfig and aws.cluster endpoint"),
            (None, _) => Fact::unknown(OBSERVATION, "the context names no server"),
            (_, None) => Fact::unknown(CLUSTER, "the cluster has no endpoint yet"),
        })
    })
}

/// Whether a server is no address of EKS but something on the way to it.
fn is_detour(look: &Look<'_>, server: &str) -> bool {
    is_local(server)
        || text(look.selected.cluster, "tls-server-name").is_some()
        || authority(server).is_some_and(|host| host.contains("vpce") || !host.contains(".eks."))
}

/// Whether one of the certificate authorities in the kubeconfig is one of the cluster's. While they are rotated, both
/// sides may have two.
pub(super) fn certificate_authority_matches(evidence: &Evidence, look: &Look<'_>) -> Fact<bool> {
    if evidence.network.tls.found().is_some_and(|session| session.verified) {
        return Fact::known(true, "network.tls");
    }
    let own = look.text(text(look.selected.cluster, "certificate-authority-data"));
    let cluster = Fact::observed(&evidence.aws.cluster, CLUSTER);
    own.and_then(|own| {
        cluster.and_then(|cluster| {
            let data = cluster.and_then(|cluster| cluster.certificate_authority.as_ref()?.data.as_deref());
            let (Some(own), Some(data)) = (own, data) else {
                return Fact::unknown(OBSERVATION, "it holds no certificate authority to compare");
            };
            let (own, data) = (certificates(&own), certificates(data));
            Fact::known(!own.is_disjoint(&data), "kubeconfig and aws.cluster certificateAuthority")
        })
    })
}

/// The certificates in base64-encoded PEM, without white space; the whole text where it is no PEM.
fn certificates(data: &str) -> BTreeSet<String> {
    let compact: String = data.split_whitespace().collect();
    let decoded = base64::engine::general_purpose::STANDARD.decode(&compact).ok();
    let pem = decoded.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    let found: BTreeSet<String> = pem
        .split("-----BEGIN CERTIFICATE-----")
        .skip(1)
        .filter_map(|rest| rest.split_once("-----END CERTIFICATE-----"))
        .map(|(body, _)| body.split_whitespace().collect())
        .collect();
    if found.is_empty() { BTreeSet::from([compact]) } else { found }
}

/// The cluster that an exec entry makes tokens for.
pub(super) fn exec_cluster(user: Option<&Value>) -> Option<String> {
    argument(user, &["--cluster-name", "--cluster-id", "-i"])
        .or_else(|| exec_variable(user, "KUBERNETES_AWS_AUTHENTICATOR_CLUSTER_ID"))
}

/// The EKS cluster that a context is about, by the name of its cluster entry, else by its exec entry.
pub(super) fn context_cluster(selected: &Selected<'_>) -> Option<String> {
    let entry = text(selected.context, "cluster");
    let named = entry.as_deref().and_then(cluster_of_entry).map(str::to_owned);
    named.or_else(|| exec_cluster(selected.user))
}

/// Whether the token is made for the cluster behind the server. The description of the cluster tells its name if the
/// server is its endpoint; else the name of the cluster entry does.
pub(super) fn exec_cluster_matches(evidence: &Evidence, look: &Look<'_>) -> Fact<bool> {
    look.text(exec_cluster(look.selected.user)).and_then(|name| {
        let Some(name) = name else { return Fact::unknown(OBSERVATION, "the exec entry names no cluster") };
        let server = text(look.selected.cluster, "server").and_then(|server| authority(&server));
        let described = evidence.aws.cluster.found();
        let behind = described.filter(|cluster| {
            let endpoint = cluster.endpoint.as_deref().and_then(authority);
            endpoint.is_some() && endpoint == server
        });
        if let Some(real) = behind.and_then(|cluster| cluster.name.as_deref()) {
            // Clusters on Outposts go by an id, which is not in the description as it is kept here.
            return Fact::known(name == real, "kubeconfig and aws.cluster name");
        }
        match text(look.selected.context, "cluster").as_deref().and_then(cluster_of_entry) {
            Some(entry) => Fact::known(name == entry, OBSERVATION),
            None if is_of_sharer(look, &name) => Fact::known(false, OBSERVATION),
            None if is_called_as_asked(evidence, look) && evidence.target.cluster.as_ref() != Some(&name) => {
                Fact::known(false, "kubeconfig and target.cluster")
            }
            None => Fact::unknown(CLUSTER, "the name of the cluster behind the server is not known"),
        }
    })
}

/// Whether the user entry is shared with a context of another server, and the cluster that it makes tokens for is that
/// other one.
fn is_of_sharer(look: &Look<'_>, name: &str) -> bool {
    let entries = Entries::of(look.document);
    let own = text(look.selected.cluster, "server");
    let is_of = |context: &String| {
        let selected = entries.select(context);
        let entry = text(selected.context, "cluster").unwrap_or_default();
        own != text(selected.cluster, "server") && cluster_of_entry(&entry).unwrap_or(&entry) == name
    };
    user_shared_by(look).iter().any(is_of)
}

/// Whether the context in use, or its cluster entry, is called like the cluster that was asked about.
fn is_called_as_asked(evidence: &Evidence, look: &Look<'_>) -> bool {
    let entry = text(look.selected.context, "cluster");
    let asked = evidence.target.cluster.as_deref();
    let is_there = !matches!(evidence.aws.cluster, Observed::Absent(_));
    asked.is_some()
        && is_there
        && (entry.as_deref() == asked || look.context.as_deref() == asked && look.selected.context.is_some())
}

/// Whether the context in use is about the cluster that was asked about; true if none was named. Names are compared,
/// and the account and region in their ARNs where both sides tell them.
pub(super) fn is_asked_cluster(evidence: &Evidence, look: &Look<'_>) -> Fact<bool> {
    let Some(asked) = evidence.target.cluster.as_deref() else { return Fact::known(true, "target.cluster") };
    if !look.is_present() {
        return Fact::Unknown(look.unsettled.clone());
    }
    if endpoint_matches(evidence, look).is(&true) {
        return Fact::known(true, "kubeconfig and aws.cluster endpoint");
    }
    let entry = text(look.selected.context, "cluster").unwrap_or_default();
    match context_cluster(&look.selected) {
        // The names agree; that the exec entry names another is a cause of its own.
        Some(name) if name != asked && cluster_of_entry(&entry).is_none() && is_called_as_asked(evidence, look) => {
            Fact::known(true, OBSERVATION)
        }
        Some(name) if name != asked => Fact::known(false, OBSERVATION),
        Some(_) if entry.starts_with("arn:") => Fact::known(is_in(&entry, evidence), OBSERVATION),
        Some(_) => Fact::known(true, OBSERVATION),
        None => Fact::unknown(OBSERVATION, "its entries do not name an EKS cluster"),
    }
}

/// Whether the ARN of a cluster is in the region and account that were asked about, as far as these are known.
fn is_in(arn: &str, evidence: &Evidence) -> bool {
    let mut sections = arn.split(':').skip(3);
    let (region, account) = (sections.next(), sections.next());
    let asked_region = evidence.target.region.as_deref();
    let described = evidence.aws.cluster.found().and_then(|cluster| cluster.arn.as_deref());
    let asked_account = described.and_then(|arn| arn.split(':').nth(4));
    let agrees = |one: Option<&str>, other: Option<&str>| one.is_none() || other.is_none() || one == other;
    agrees(region, asked_region) && agrees(account, asked_account)
}

/// Another context that is about the cluster that was asked about.
pub(super) fn fitting_context(evidence: &Evidence, look: &Look<'_>) -> Option<String> {
    let asked = evidence.target.cluster.as_deref()?;
    let endpoint = evidence.aws.cluster.found().and_then(|cluster| cluster.endpoint.as_deref()).and_then(authority);
    let others = context_names(look.document).into_iter().filter(|name| Some(name) != look.context.as_ref());
    let entries = Entries::of(look.document);
    let fits = |name: &String| {
        let selected = entries.select(name);
        let server = text(selected.cluster, "server").and_then(|server| authority(&server));
        let names_it = context_cluster(&selected).as_deref() == Some(asked);
        (endpoint.is_some() && server == endpoint) || (endpoint.is_none() && names_it)
    };
    others.into_iter().find(fits)
}

/// The other contexts that use the same user entry.
pub(super) fn user_shared_by(look: &Look<'_>) -> Vec<String> {
    let Some(user) = text(look.selected.context, "user") else { return Vec::new() };
    let others = context_names(look.document).into_iter().filter(|name| Some(name) != look.context.as_ref());
    let entries = Entries::of(look.document);
    let shares = |name: &String| text(entries.select(name).context, "user").as_ref() == Some(&user);
    others.filter(shares).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificate_authorities_are_compared_as_sets() {
        let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
        let pem = |body: &str| format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n");
        let (old, both) =
            (certificates(&encode(&pem("AAA\nBBB"))), certificates(&encode(&(pem("CCC") + &pem("AAABBB")))));
        assert_eq!(old.len(), 1);
        assert_eq!(both.len(), 2);
        assert!(!old.is_disjoint(&both));
        assert!(old.is_disjoint(&certificates(&encode(&pem("DDD")))));
        assert_eq!(certificates("???"), BTreeSet::from(["???".to_owned()]));
    }

    #[test]
    fn ten_thousand_contexts_are_looked_through_once() {
        let named = |body: &str| -> Vec<Value> {
            let content = |name: &str| match body {
                "context" => serde_json::json!({ "cluster": name, "user": name }),
                _ => serde_json::json!({ "server": format!("https://{name}.example") }),
            };
            let names = (0..10_000).map(|number| format!("c{number}"));
            names.map(|name| serde_json::json!({ "name": name, body: content(&name) })).collect()
        };
        let document = serde_json::json!({
            "current-context": "c9999",
            "contexts": named("context"), "clusters": named("cluster"), "users": named("user"),
        });
        let kubeconfig = Observed::Found(crate::evidence::Kubeconfig { files: Vec::new(), document });
        let mut evidence = Evidence { kubeconfig, ..Evidence::default() };
        evidence.target.cluster = Some("nowhere".to_owned());
        let look = Look::at(&evidence.kubeconfig, None);
        // Looked up one by one this takes minutes.
        assert_eq!(user_shared_by(&look), Vec::<String>::new());
        assert_eq!(fitting_context(&evidence, &look), None);
        assert_eq!(text(look.selected.cluster, "server").as_deref(), Some("https://c9999.example"));
    }

    #[test]
    fn names_in_entries() {
        assert_eq!(cluster_of_entry("arn:aws:eks:eu-west-1:111122223333:cluster/prod"), Some("prod"));
        assert_eq!(cluster_of_entry("prod.eu-west-1.eksctl.io"), Some("prod"));
        assert_eq!(cluster_of_entry("prod"), None);
        assert!(is_local("http://localhost:8080") && is_local("https://127.0.0.1:6443") && is_local("http://[::1]:80"));
        assert!(!is_local("https://localhost.example"));
    }
}

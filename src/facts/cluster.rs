//! The cluster as the EKS API describes it: whether it is there, its state, its authentication mode and endpoint.

use super::{
    credentials::clock,
    kubeconfig::KubeconfigFacts,
    pasted::Pasted,
    value::{Fact, facts, why_unsettled},
};
use crate::evidence::{Cluster, Evidence, Failure, Observed};

facts! {
    /// The cluster.
    ClusterFacts {
        /// Its name.
        "name" name: Fact<Option<String>>,
        /// Its region.
        "region" region: Fact<Option<String>>,
        /// Its ARN.
        "arn" arn: Fact<Option<String>>,
        /// The account that owns it.
        "account" account: Fact<Option<String>>,
        /// Whether it exists in the account and region that were asked.
        "exists" exists: Fact<bool>,
        /// The accounts and regions that were asked in vain.
        "lookedIn" looked_in: Fact<Vec<String>>,
        /// The clusters that this account has in this region.
        "siblings" siblings: Fact<Vec<String>>,
        /// Its status: ACTIVE, CREATING, …
        "status" status: Fact<Option<String>>,
        /// Whether it is ACTIVE or UPDATING, so that its API server is there.
        "serving" serving: Fact<bool>,
        /// What EKS says is wrong with it.
        "healthIssue" health_issue: Fact<Option<String>>,
        /// Minutes since it was asked for.
        "ageMinutes" age_minutes: Fact<i64>,
        /// Whether it was made so recently that its endpoint may not serve yet.
        "isNew" is_new: Fact<bool>,
        /// URL of its API server.
        "endpoint" endpoint: Fact<Option<String>>,
        /// Its authentication mode: CONFIG_MAP, API_AND_CONFIG_MAP or API.
        "authenticationMode" authentication_mode: Fact<String>,
        /// Whether its authentication mode reads access entries.
        "readsAccessEntries" reads_access_entries: Fact<bool>,
        /// Whether its authentication mode reads aws-auth.
        "readsAwsAuth" reads_aws_auth: Fact<bool>,
        /// Whether the endpoint answers from the internet.
        "publicAccess" public_access: Fact<Option<bool>>,
        /// Whether the endpoint answers inside the VPC.
        "privateAccess" private_access: Fact<Option<bool>>,
        /// The addresses that may use the public endpoint.
        "publicAccessCidrs" public_access_cidrs: Fact<Vec<String>>,
        /// The cluster's security group, which guards the private endpoint.
        "securityGroup" security_group: Fact<Option<String>>,
        /// Its VPC.
        "vpc" vpc: Fact<Option<String>>,
        /// Whether a call about access entries was refused to the user because of the authentication mode.
        "accessEntryCallRefused" access_entry_call_refused: Fact<bool>,
    }
}

const OBSERVATION: &str = "aws.cluster";

/// Making a cluster takes about ten minutes, and then its endpoint may take some more until it answers everywhere.
const NEW_FOR_MINUTES: i64 = 30;

/// Derives the room.
pub(crate) fn derive(evidence: &Evidence, pasted: &Pasted, kubeconfig: &KubeconfigFacts) -> ClusterFacts {
    let described = &evidence.aws.cluster;
    let text = |part: fn(&Cluster) -> Option<&String>| described_part(evidence, |cluster| part(cluster).cloned());
    let mode = mode(evidence);
    ClusterFacts {
        name: name(evidence, kubeconfig),
        region: region(evidence, kubeconfig),
        arn: text(|cluster| cluster.arn.as_ref()),
        account: text(|cluster| cluster.arn.as_ref()).map(|arn| arn.and_then(|arn| arn_part(&arn, 4))),
        exists: exists(evidence),
        looked_in: match described {
            Observed::Absent(absent) => Fact::known(absent.looked.clone(), OBSERVATION),
            other if is_not_found(other) => Fact::known(Vec::new(), OBSERVATION),
            Observed::Found(_) => Fact::known(Vec::new(), OBSERVATION),
            other => Fact::Unknown(why_unsettled(other, OBSERVATION)),
        },
        siblings: Fact::observed(&evidence.aws.cluster_names, "aws.clusterNames")
            .map(|names| names.cloned().unwrap_or_default()),
        status: text(|cluster| cluster.status.as_ref()),
        serving: serving(evidence, pasted),
        health_issue: described_part(evidence, health_issue),
        is_new: age_minutes(evidence).map(|age| age < NEW_FOR_MINUTES),
        age_minutes: age_minutes(evidence),
        endpoint: text(|cluster| cluster.endpoint.as_ref()),
        reads_access_entries: match (&mode, &evidence.aws.access_entries) {
            // In mode CONFIG_MAP nobody can list them.
            (Fact::Unknown(_), Observed::Found(_)) => Fact::known(true, "aws.accessEntries"),
            _ => reads(&mode, &["API", "API_AND_CONFIG_MAP"]),
        },
        reads_aws_auth: reads(&mode, &["CONFIG_MAP", "API_AND_CONFIG_MAP"]),
        access_entry_call_refused: access_entry_call_refused(evidence, &mode),
        authentication_mode: mode,
        public_access: access(evidence, |config| config.endpoint_public_access),
        private_access: access(evidence, |config| config.endpoint_private_access),
        public_access_cidrs: access(evidence, |config| config.public_access_cidrs.clone())
            .map(Option::unwrap_or_default),
        security_group: access(evidence, |config| {
            Some(config.other.get("clusterSecurityGroupId")?.as_str()?.to_owned())
        }),
        vpc: access(evidence, |config| config.vpc_id.clone()),
    }
}

fn is_not_found(observed: &Observed<Cluster>) -> bool {
    let not_found = |failure: &Failure| failure.code.as_deref() == Some("ResourceNotFoundException");
    matches!(observed, Observed::Absent(_)) || observed.failure().is_some_and(not_found)
}

fn exists(evidence: &Evidence) -> Fact<bool> {
    let described = &evidence.aws.cluster;
    if is_not_found(described) {
        return Fact::known(false, OBSERVATION);
    }
    Fact::observed(described, OBSERVATION).map(|cluster| cluster.is_some())
}

/// Whether the API server is there. An EKS message that says it is not settles it as well.
fn serving(evidence: &Evidence, pasted: &Pasted) -> Fact<bool> {
    let described = &evidence.aws.cluster;
    if let Some(status) = described.found().and_then(|cluster| cluster.status.as_deref()) {
        return Fact::known(matches!(status, "ACTIVE" | "UPDATING"), OBSERVATION);
    }
    // The same cause is stated by "has an update in progress", while which it serves.
    if pasted.proves("cluster/not-active") && pasted.says("Cluster status is") {
        return Fact::known(false, "target.symptom");
    }
    Fact::Unknown(why_unsettled(described, OBSERVATION))
}

/// The first of `cluster.health.issues`, in EKS' words.
fn health_issue(cluster: &Cluster) -> Option<String> {
    let issue = cluster.other.get("health")?.get("issues")?.as_array()?.first()?;
    let part = |key: &str| issue.get(key).and_then(serde_json::Value::as_str);
    let words = [part("code"), part("message")];
    Some(words.into_iter().flatten().collect::<Vec<_>>().join(": ")).filter(|words| !words.is_empty())
}

/// Minutes from the cluster's creation to the looking, by the server's clock.
fn age_minutes(evidence: &Evidence) -> Fact<i64> {
    described_part(evidence, |cluster| cluster.created_at).and_then(|created| {
        let (Some(created), Some(now)) = (created, clock::now(evidence)) else {
            return Fact::unknown(OBSERVATION, "the time of its creation or of the looking is not known");
        };
        Fact::known((now.as_second() - created.as_second()).div_euclid(60), OBSERVATION)
    })
}

fn described_part<T>(evidence: &Evidence, part: impl Fn(&Cluster) -> Option<T>) -> Fact<Option<T>> {
    Fact::observed(&evidence.aws.cluster, OBSERVATION).map(|cluster| cluster.and_then(part))
}

fn access<T>(evidence: &Evidence, part: fn(&crate::evidence::ResourcesVpcConfig) -> Option<T>) -> Fact<Option<T>> {
    described_part(evidence, |cluster| cluster.resources_vpc_config.as_ref().and_then(part))
}

/// Whether the pasted text is the refusal of a call about access entries. Our own call is refused in every cluster of
/// that mode and tells nothing about what the user did.
fn access_entry_call_refused(evidence: &Evidence, mode: &Fact<String>) -> Fact<bool> {
    const SYMPTOM: &str = "target.symptom";
    let text = evidence.target.symptom.as_deref().unwrap_or_default();
    let recognised = crate::symptom::recognise(text);
    let states = recognised.proves.is_some_and(|(cause, _)| cause == "mode/access-entries-disabled");
    let lower = text.to_lowercase();
    let is_about_entries = ["accessentr", "access entr", "access-entr", "access_entr", "accesspolic"]
        .iter()
        .any(|words| lower.contains(words));
    let may_be = recognised.causes.iter().any(|(cause, _)| *cause == "mode/access-entries-disabled");
    match mode.value().map(String::as_str) {
        _ if !states && !may_be && !is_about_entries => Fact::known(false, SYMPTOM),
        Some("CONFIG_MAP") | None if states => Fact::known(true, SYMPTOM),
        // In this mode all such calls are refused, unless IAM refuses them first.
        Some("CONFIG_MAP") if !lower.contains("accessdenied") && !lower.contains("not authorized") => {
            Fact::known(true, OBSERVATION)
        }
        Some("CONFIG_MAP") | None => Fact::unknown(SYMPTOM, "it does not say why the call was refused"),
        Some(_) => Fact::known(false, OBSERVATION),
    }
}

/// The authentication mode. A refusal of the access-entry API that names the mode tells it as well.
fn mode(evidence: &Evidence) -> Fact<String> {
    if let Some(cluster) = evidence.aws.cluster.found() {
        let mode = cluster.access_config.as_ref().and_then(|config| config.authentication_mode.clone());
        return match mode {
            Some(mode) => Fact::known(mode, OBSERVATION),
            None => Fact::unknown(OBSERVATION, "its description does not name the authentication mode"),
        };
    }
    let entries = &evidence.aws.access_entries;
    if let Some(failure) = entries.failure()
        && failure.code.as_deref() == Some("InvalidRequestException")
        && failure.message.contains("authentication mode must be set to one of")
    {
        return Fact::known("CONFIG_MAP".to_owned(), "aws.accessEntries");
    }
    Fact::Unknown(why_unsettled(&evidence.aws.cluster, OBSERVATION))
}

fn reads(mode: &Fact<String>, modes: &[&str]) -> Fact<bool> {
    mode.clone().and_then(|name| match name.as_str() {
        "CONFIG_MAP" | "API_AND_CONFIG_MAP" | "API" => Fact::known(modes.contains(&name.as_str()), OBSERVATION),
        other => Fact::unknown(OBSERVATION, format!("this version does not know the authentication mode {other}")),
    })
}

fn arn_part(arn: &str, index: usize) -> Option<String> {
    arn.splitn(6, ':').nth(index).filter(|part| !part.is_empty()).map(str::to_owned)
}

fn name(evidence: &Evidence, kubeconfig: &KubeconfigFacts) -> Fact<Option<String>> {
    let described = evidence.aws.cluster.found().and_then(|cluster| cluster.name.clone());
    if let Some(name) = described {
        return Fact::known(Some(name), OBSERVATION);
    }
    if let Some(name) = evidence.target.cluster.clone() {
        return Fact::known(Some(name), "target.cluster");
    }
    let entry = kubeconfig.cluster_entry.value().cloned().flatten();
    let in_arn = entry.and_then(|entry| entry.rsplit_once(":cluster/").map(|(_, name)| name.to_owned()));
    match kubeconfig.exec_cluster.clone() {
        Fact::Known { value: None, source } => Fact::Known { value: in_arn, source },
        known_or_unknown => known_or_unknown,
    }
}

fn region(evidence: &Evidence, kubeconfig: &KubeconfigFacts) -> Fact<Option<String>> {
    let described = evidence.aws.cluster.found().and_then(|cluster| cluster.arn.as_deref());
    if let Some(region) = described.and_then(|arn| arn_part(arn, 3)) {
        return Fact::known(Some(region), OBSERVATION);
    }
    if let Some(region) = evidence.target.region.clone() {
        return Fact::known(Some(region), "target.region");
    }
    let entry = kubeconfig.cluster_entry.value().cloned().flatten();
    if let Some(region) = entry.filter(|entry| entry.contains(":cluster/")).and_then(|arn| arn_part(&arn, 3)) {
        return Fact::known(Some(region), "kubeconfig");
    }
    let of_profile = evidence.aws.profile.found().and_then(|profile| profile.region.clone());
    match kubeconfig.exec_region.clone() {
        Fact::Known { value: None, .. } if of_profile.is_some() => Fact::known(of_profile, "aws.profile"),
        known_or_unknown => known_or_unknown,
    }
}

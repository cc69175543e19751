//! What the evidence would be if the stores that were read were all there is: the cluster reads just these, and whom the
//! only entry was meant for is who asks. It proves nothing, but says which cause explains all that was seen at once.

use super::super::{
    arn::Arn,
    aws_auth::{AwsAuth, EntryPrincipal},
    go_text,
    identity_mapping::meant_principal,
    pasted::Pasted,
    subject::canonical,
};
use super::{log, nodes};
use crate::{
    evidence::{AccessEntry, Aws, Cluster, Evidence, Kubernetes, Observed},
    symptom::SymptomClass,
};

/// The evidence with what is missing supposed; nothing if no store and no log was read, or nothing is missing.
pub(crate) fn suppose(evidence: &Evidence) -> Option<Evidence> {
    let logged = log::only_refused(evidence.logs.authenticator.found().map(Vec::as_slice).unwrap_or_default());
    let has_entries = evidence.aws.access_entries.is_settled();
    let has_aws_auth = evidence.kubernetes.aws_auth.is_settled();
    let has_stores = has_entries || has_aws_auth;
    if !has_stores && logged.is_none() {
        return None;
    }
    let cluster = supposed_cluster(&evidence.aws, has_entries, has_aws_auth);
    let principal = if is_somebody_named(evidence) { None } else { logged.or_else(|| only_principal(evidence)) };
    let is_whole = has_entries && has_aws_auth && is_rbac_read(&evidence.kubernetes) && cluster.is_none();
    if principal.is_none() && (is_whole || !has_stores) {
        return None;
    }
    let mut supposed = evidence.clone();
    supposed.target.principal = principal.or(supposed.target.principal);
    if has_stores {
        suppose_stores(&mut supposed);
        supposed.aws.cluster = cluster.map_or(supposed.aws.cluster, Observed::Found);
    }
    Some(supposed)
}

/// The cluster with what is not known of it: it reads the stores that were read, and is in the account of the caller.
/// Nothing if all of that is known.
fn supposed_cluster(aws: &Aws, has_entries: bool, has_aws_auth: bool) -> Option<Cluster> {
    let mut cluster = match &aws.cluster {
        Observed::Found(cluster) => cluster.clone(),
        Observed::Absent(_) => return None,
        _ => Cluster::default(),
    };
    let mode = match (has_entries, has_aws_auth) {
        (true, true) => "API_AND_CONFIG_MAP",
        (true, false) => "API",
        (false, _) => "CONFIG_MAP",
    };
    cluster.access_config.get_or_insert_default().authentication_mode.get_or_insert_with(|| mode.to_owned());
    if cluster.arn.is_none() {
        let caller = aws.caller.found().and_then(|caller| Arn::parse(&caller.arn).ok());
        cluster.arn = caller.map(|caller| format!("arn:{}:eks::{}:cluster/", caller.partition, caller.account));
    }
    (aws.cluster.found() != Some(&cluster)).then_some(cluster)
}

/// What was not read of the stores and of RBAC is empty.
fn suppose_stores(supposed: &mut Evidence) {
    fn fill<T>(observed: &mut Observed<T>, nothing: Observed<T>) {
        if !observed.is_settled() {
            *observed = nothing;
        }
    }
    let kubernetes = &mut supposed.kubernetes;
    fill(&mut supposed.aws.access_entries, Observed::absent());
    fill(&mut kubernetes.aws_auth, Observed::absent());
    fill(&mut kubernetes.cluster_roles, Observed::Found(Vec::new()));
    fill(&mut kubernetes.cluster_role_bindings, Observed::Found(Vec::new()));
    fill(&mut kubernetes.roles, Observed::Found(Vec::new()));
    fill(&mut kubernetes.role_bindings, Observed::Found(Vec::new()));
}

fn is_rbac_read(kubernetes: &Kubernetes) -> bool {
    kubernetes.cluster_roles.is_settled()
        && kubernetes.cluster_role_bindings.is_settled()
        && kubernetes.roles.is_settled()
        && kubernetes.role_bindings.is_settled()
}

fn is_somebody_named(evidence: &Evidence) -> bool {
    evidence.target.principal.is_some()
        || evidence.exec_caller.found().is_some()
        || evidence.aws.caller.found().is_some()
        || evidence.aws.principal.found().is_some()
        || evidence.kubernetes.whoami.found().is_some()
}

/// The one principal that the stores name: the nodes' role if nodes are asked about, else a person or a program.
fn only_principal(evidence: &Evidence) -> Option<String> {
    let pasted = Pasted::read(evidence);
    let of_nodes = nodes::is_about_nodes(&pasted);
    let mut named: Vec<String> = Vec::new();
    let entries = evidence.aws.access_entries.found().into_iter().flatten();
    let entries = entries.filter(|entry| is_for_nodes(entry) == of_nodes || is_named_as_node(&entry.principal_arn));
    named.extend(entries.map(|entry| entry.principal_arn.clone()));
    if let Some(config_map) = evidence.kubernetes.aws_auth.found() {
        let aws_auth = AwsAuth::parse(&config_map.data);
        let kept = aws_auth.roles.iter().chain(&aws_auth.users).filter(|entry| nodes::is_node_entry(entry) == of_nodes);
        let kept = kept.filter_map(|entry| match &entry.principal {
            EntryPrincipal::Arn { arn, .. } => meant_principal(arn),
            EntryPrincipal::Sso(_) => None,
        });
        named.extend(kept);
        let lost = aws_auth.lost.iter().filter(|lost| lost.username.starts_with("system:node:") == of_nodes);
        named.extend(lost.filter_map(|lost| meant_principal(&lost.arn)));
    }
    let key = |arn: &String| go_text::lower(&canonical(arn).unwrap_or_else(|_| arn.clone()));
    let first = named.first()?.clone();
    // A creator that is refused is a person, even if its role is the nodes' as well.
    let creator = evidence.aws.create_cluster_event.found().map(|event| &event.principal_arn);
    if of_nodes
        && pasted.shows(SymptomClass::Unauthorized)
        && creator.is_some_and(|creator| key(creator) == key(&first))
    {
        let role = Arn::parse(&first).ok()?;
        return Some(format!("arn:{}:sts::{}:assumed-role/{}/creator", role.partition, role.account, role.name()));
    }
    named.iter().all(|arn| key(arn) == key(&first)).then_some(first)
}

fn is_for_nodes(entry: &AccessEntry) -> bool {
    let entry_type = entry.details.found().and_then(|details| details.entry_type.as_deref());
    entry_type.is_some_and(|entry_type| entry_type != "STANDARD")
}

fn is_named_as_node(arn: &str) -> bool {
    Arn::parse(arn).is_ok_and(|arn| arn.name().to_lowercase().contains("node"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn supposed(text: &str) -> Option<Evidence> {
        suppose(&Evidence::from_text("test", &format!("schema: eks-doctor/evidence/v1\n{text}")).unwrap())
    }

    fn mode(evidence: &Evidence) -> Option<String> {
        evidence.aws.cluster.found()?.access_config.as_ref()?.authentication_mode.clone()
    }

    #[test]
    fn the_store_that_was_read_is_the_one_that_counts() {
        let evidence = supposed("kubernetes: { awsAuth: { absent: {} } }").unwrap();
        assert_eq!(mode(&evidence).as_deref(), Some("CONFIG_MAP"));
        assert!(evidence.aws.access_entries.is_settled());
        assert_eq!(mode(&supposed("aws: { accessEntries: { found: [] } }").unwrap()).as_deref(), Some("API"));
        assert_eq!(supposed("target: { symptom: Unauthorized }"), None);
    }

    #[test]
    fn the_cluster_is_in_the_callers_account_and_partition() {
        let caller = "caller: { found: { arn: 'arn:aws-cn:iam::111122223333:user/ada' } }";
        let evidence = supposed(&format!("aws: {{ accessEntries: {{ found: [] }}, {caller} }}")).unwrap();
        let arn = evidence.aws.cluster.found().and_then(|cluster| cluster.arn.as_deref());
        assert_eq!(arn, Some("arn:aws-cn:eks::111122223333:cluster/"));
    }

    #[test]
    fn whom_the_only_entry_was_meant_for_is_who_asks() {
        let of = |roles: &str| {
            let text = format!("kubernetes: {{ awsAuth: {{ found: {{ data: {{ mapRoles: \"{roles}\" }} }} }} }}");
            supposed(&text).and_then(|evidence| evidence.target.principal)
        };
        let one = "- {rolearn: 'arn:aws:iam::111122223333:role/team/Dev', username: dev}\\n";
        let node = "- {rolearn: 'arn:aws:iam::111122223333:role/node', username: 'system:node:x'}\\n";
        let other = "- {rolearn: 'arn:aws:iam::111122223333:role/Ops', username: ops}\\n";
        let session = "- {rolearn: 'arn:aws:sts::111122223333:assumed-role/Ops/ada', username: ops}\\n";
        assert_eq!(of(one).as_deref(), Some("arn:aws:iam::111122223333:role/team/Dev"));
        assert_eq!(of(&format!("{one}{node}")).as_deref(), Some("arn:aws:iam::111122223333:role/team/Dev"));
        assert_eq!(of(&format!("{one}{other}")), None);
        assert_eq!(of(&format!("{session}{other}")).as_deref(), Some("arn:aws:sts::111122223333:assumed-role/Ops/ada"));
    }
}

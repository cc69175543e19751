//! Who asks the API server for what: the action and the Kubernetes user, by the server's own words where there are any,
//! else by the mapping.

use super::{CallerKind, ENTRIES};
use crate::{
    evidence::{AccessEntry, Action, Evidence, Failure, Observed, UserInfo},
    facts::{
        action::{self, Forbidden, parse_forbidden},
        arn::{RawArn, strip_path},
        aws_auth::AwsAuth,
        mapping::{MappingFacts, MappingSource},
        pasted::Pasted,
        rbac,
        value::{Fact, Unknown},
    },
};

const WHOAMI: &str = "kubernetes.whoami";

/// A refusal by an authorizer, and where it was read.
pub(crate) struct Refusal {
    pub(crate) words: Forbidden,
    pub(crate) observation: &'static str,
}

/// The refusal that the diagnosis is about: the pasted one, else the one that the action itself met.
pub(crate) fn refusal(evidence: &Evidence, pasted: &Pasted) -> Option<Refusal> {
    let pasted = pasted.refusal.clone();
    pasted.map(|words| Refusal { words, observation: "target.symptom" }).or_else(|| observed_refusal(evidence))
}

/// The refusal that was met when the evidence was collected. It says nothing about somebody else.
fn observed_refusal(evidence: &Evidence) -> Option<Refusal> {
    if evidence.target.principal.is_some() {
        return None;
    }
    let kubernetes = &evidence.kubernetes;
    let met: [(&'static str, Option<&Failure>); 3] = [
        ("kubernetes.actionAttempt", kubernetes.action_attempt.failure()),
        ("kubernetes.accessReview", kubernetes.access_review.failure()),
        (WHOAMI, kubernetes.whoami.failure()),
    ];
    let mut words = met
        .into_iter()
        .filter_map(|(observation, failure)| Some(Refusal { words: parse_forbidden(&failure?.message)?, observation }));
    words.next()
}

/// The action that the diagnosis is about: that of a pasted refusal, else the one asked about, else the one that was
/// refused; nothing if neither is there.
pub(crate) fn asked_action(evidence: &Evidence, pasted: &Pasted) -> Option<Action> {
    let pasted = pasted.refusal.as_ref().and_then(|words| words.action.clone());
    let refused = || observed_refusal(evidence).and_then(|refusal| refusal.words.action);
    pasted.or_else(|| evidence.target.action.clone()).or_else(refused)
}

/// Whether what the API server said about the target action is about the action under diagnosis.
pub(crate) fn is_about(evidence: &Evidence, asked: &Action) -> bool {
    let target = evidence.target.action.clone().unwrap_or_else(|| crate::facts::default_action(evidence));
    action::as_requested(&target) == *asked
}

/// Who asks, as far as it is known.
pub(super) struct Asking {
    /// User name; a template if what fills it was not seen.
    pub(super) username: Fact<String>,
    /// The user name's template, where it could not be filled.
    pub(super) template: Option<String>,
    /// Groups, without those that everybody has.
    pub(super) groups: Fact<Vec<String>>,
    /// Which store gave the user.
    pub(super) source: Fact<MappingSource>,
    /// Principal ARN of the access entry, or section and line of aws-auth.
    pub(super) entry: Option<String>,
}

impl Asking {
    pub(super) fn of(evidence: &Evidence, mapping: &MappingFacts, refusal: Option<&Refusal>) -> Self {
        let whoami = evidence.kubernetes.whoami.found().filter(|_| evidence.target.principal.is_none());
        match refusal {
            Some(refusal) => {
                Self::of_name(evidence, mapping, whoami, refusal.words.username.clone(), refusal.observation)
            }
            None => match whoami {
                Some(user) => Self::of_whoami(mapping, user),
                None => Self::of_mapping(mapping),
            },
        }
    }

    fn of_mapping(mapping: &MappingFacts) -> Self {
        let username = mapping.username.clone().and_then(|username| match username {
            Some(username) => Fact::known(username, "the mapping"),
            None => Fact::unknown(ENTRIES, "the cluster does not know the principal"),
        });
        let template = mapping.username_template.value().cloned().flatten().filter(|_| username.value().is_none());
        Self {
            username,
            template,
            groups: mapping.groups.clone(),
            source: mapping.source.clone(),
            entry: mapping.entry.value().cloned().flatten(),
        }
    }

    fn of_whoami(mapping: &MappingFacts, user: &UserInfo) -> Self {
        Self {
            username: Fact::known(user.username.clone(), WHOAMI),
            template: None,
            groups: Fact::known(own_groups(user), WHOAMI),
            // An answer shows that some store knows the caller, whatever the model says.
            source: match &mapping.source {
                Fact::Known { value: MappingSource::None, .. } => {
                    Fact::unknown(ENTRIES, "the API server knows the caller, and no store that was seen does")
                }
                source => source.clone(),
            },
            entry: mapping.entry.value().cloned().flatten(),
        }
    }

    /// The user that a refusal names. Its groups are those of whichever mapping can give this name.
    fn of_name(
        evidence: &Evidence,
        mapping: &MappingFacts,
        whoami: Option<&UserInfo>,
        name: String,
        observation: &'static str,
    ) -> Self {
        if let Some(user) = whoami.filter(|user| user.username == name) {
            return Self::of_whoami(mapping, user);
        }
        let username = Fact::known(name.clone(), observation);
        if let Some((namespace, account)) = service_account(&name) {
            let groups = own_groups(&rbac::service_account(namespace, account));
            let source = Fact::unknown(ENTRIES, "a service account is in no store");
            return Self { username, template: None, groups: Fact::known(groups, observation), source, entry: None };
        }
        let fits_mapping = match (&mapping.username, mapping.username_template.value()) {
            (Fact::Known { value: Some(own), .. }, _) if *own == name => true,
            (_, Some(Some(template))) => could_become(template, &name),
            _ => false,
        };
        if fits_mapping {
            return Self { username, template: None, ..Self::of_mapping(mapping) };
        }
        if let Some((entry, groups)) = entry_of(evidence, &name) {
            let source = Fact::known(MappingSource::AccessEntry, ENTRIES);
            return Self { username, template: None, groups, source, entry: Some(entry.principal_arn.clone()) };
        }
        if let Some((groups, place)) = in_aws_auth(evidence, &name) {
            let (source, groups) = (MappingSource::AwsAuth, Fact::known(groups, "kubernetes.awsAuth"));
            let source = Fact::known(source, "kubernetes.awsAuth");
            return Self { username, template: None, groups, source, entry: Some(place) };
        }
        let unseen = || format!("the groups of the user {name:?} were not seen");
        Self {
            username,
            template: None,
            groups: Fact::unknown(WHOAMI, unseen()),
            source: Fact::unknown(ENTRIES, format!("no mapping that was seen gives the user name {name:?}")),
            entry: None,
        }
    }

    /// What kind of caller it is.
    pub(super) fn kind(&self) -> Fact<CallerKind> {
        let of = |name: &str| match name {
            name if service_account(name).is_some() => CallerKind::ServiceAccount,
            name if name.starts_with("system:node:") => CallerKind::Node,
            "system:anonymous" => CallerKind::Anonymous,
            _ => CallerKind::Iam,
        };
        match (&self.username, &self.template, &self.source) {
            (_, _, Fact::Known { value: MappingSource::None, source }) => {
                Fact::known(CallerKind::Nobody, source.clone())
            }
            (Fact::Known { value, source }, _, _) => Fact::known(of(value), source.clone()),
            (_, Some(template), _) => Fact::known(of(template), "the mapping"),
            (Fact::Unknown(unknown), None, _) => Fact::Unknown(unknown.clone()),
        }
    }

    /// The user as RBAC sees it, and why a "no" is not certain: a binding names a user that the template could become.
    pub(super) fn user(&self, evidence: &Evidence) -> Fact<(UserInfo, Option<Unknown>)> {
        if self.source.is(&MappingSource::None) {
            return Fact::unknown(ENTRIES, "the cluster does not know the principal");
        }
        self.groups.clone().and_then(|groups| match (&self.username, &self.template) {
            (Fact::Known { value, source }, _) => {
                let user = rbac::authenticated(value.clone(), groups);
                // Nodes have an authorizer of their own, which looks at what runs on them.
                let open = value.starts_with("system:node:").then(node_authorizer);
                Fact::known((user, open), source.clone())
            }
            (Fact::Unknown(unknown), Some(template)) => {
                let open = names_a_user_like(evidence, template).then(|| unknown.clone());
                let open = open.or_else(|| template.starts_with("system:node:").then(node_authorizer));
                Fact::known((rbac::authenticated(template.clone(), groups), open), ENTRIES)
            }
            (Fact::Unknown(unknown), None) => Fact::Unknown(unknown.clone()),
        })
    }
}

fn node_authorizer() -> Unknown {
    let why = "for nodes the Node authorizer decides as well".to_owned();
    Unknown { missing: vec![crate::facts::value::Missing { observation: "kubernetes.accessReview".into(), why }] }
}

/// Namespace and name in `system:serviceaccount:NAMESPACE:NAME`.
pub(crate) fn service_account(username: &str) -> Option<(&str, &str)> {
    username.strip_prefix("system:serviceaccount:")?.split_once(':')
}

fn own_groups(user: &UserInfo) -> Vec<String> {
    let written =
        user.groups.iter().filter(|group| *group != super::EVERYBODY && !group.starts_with("system:serviceaccounts"));
    written.cloned().collect()
}

/// Whether a template could be filled so that it becomes `name`.
fn could_become(template: &str, name: &str) -> bool {
    let Some((head, rest)) = template.split_once("{{") else { return template == name };
    let tail = rest.rsplit_once("}}").map_or("", |(_, tail)| tail);
    name.len() > head.len() + tail.len() && name.starts_with(head) && name.ends_with(tail)
}

/// Whether some binding names a user that a template could become.
fn names_a_user_like(evidence: &Evidence, template: &str) -> bool {
    let kubernetes = &evidence.kubernetes;
    let bindings = [&kubernetes.cluster_role_bindings, &kubernetes.role_bindings];
    let subjects =
        bindings.into_iter().filter_map(Observed::found).flatten().flat_map(|binding| binding.subjects.iter());
    subjects.flatten().any(|subject| subject.kind == "User" && could_become(template, &subject.name))
}

/// The one access entry that can give this user name, with its groups. Entries whose details were not read give the
/// ARN of a session by default.
fn entry_of<'a>(evidence: &'a Evidence, name: &str) -> Option<(&'a AccessEntry, Fact<Vec<String>>)> {
    let canonical = RawArn::new(name.to_owned()).canonicalize().ok().map(|(canonical, _)| canonical);
    let is_default = |entry: &AccessEntry| {
        canonical.as_ref().is_some_and(|canonical| {
            strip_path(&entry.principal_arn).is_ok_and(|stripped| stripped == canonical.as_str())
        })
    };
    let fits = |entry: &&AccessEntry| match entry.details.found().and_then(|details| details.username.as_deref()) {
        Some(template) => could_become(template, name),
        None => is_default(entry),
    };
    let mut entries = evidence.aws.access_entries.found()?.iter().filter(fits);
    let entry = entries.next().filter(|_| entries.next().is_none())?;
    let groups = match entry.details.found() {
        Some(details) => Fact::known(details.kubernetes_groups.clone().unwrap_or_default(), ENTRIES),
        None => Fact::unknown("aws.accessEntries.details", "the entry's details were not read"),
    };
    Some((entry, groups))
}

/// The groups of the one entry of aws-auth that can give this user name, and its place.
fn in_aws_auth(evidence: &Evidence, name: &str) -> Option<(Vec<String>, String)> {
    let parsed = AwsAuth::parse(&evidence.kubernetes.aws_auth.found()?.data);
    let roles = parsed.roles.iter().map(|entry| ("mapRoles", entry));
    let users = parsed.users.iter().map(|entry| ("mapUsers", entry));
    let mut fitting = roles.chain(users).filter(|(_, entry)| could_become(&entry.username, name));
    let (section, entry) = fitting.next().filter(|_| fitting.next().is_none())?;
    Some((entry.groups.clone().unwrap_or_default(), format!("{section} line {}", entry.place.line)))
}

#[cfg(test)]
mod tests {
    use super::super::CallerKind;
    use crate::{
        evidence::Evidence,
        facts::{Facts, authorization::AuthorizationFacts, mapping::MappingSource},
    };

    /// The room for a refusal of `user` in a document that holds `rest`.
    fn refused(user: &str, rest: &str) -> AuthorizationFacts {
        let words = r#"cannot list resource "pods" in API group "" in the namespace "dev""#;
        let text = format!(
            "schema: eks-doctor/evidence/v1\ntarget: {{symptom: 'pods is forbidden: User \"{user}\" {words}'}}\n{rest}"
        );
        Facts::derive(&Evidence::from_text("test.yaml", &text).unwrap()).authorization
    }

    const MAP: &str = "kubernetes: {awsAuth: {found: {data: {mapRoles: \"[{rolearn: 'arn:aws:iam::111122223333:role/Dev', \
                       username: 'dev:{{SessionName}}', groups: [devs]}]\"}}}}";

    #[test]
    fn a_user_name_finds_its_mapping() {
        let facts = refused("dev:eve", MAP);
        assert!(facts.groups.is(&vec!["devs".to_owned()]));
        assert!(facts.source.is(&MappingSource::AwsAuth));
        assert!(facts.refused.is(&true));
        let entries = "aws: {accessEntries: {found: [{principalArn: 'arn:aws:iam::111122223333:role/team/Dev'}]}}";
        let facts = refused("arn:aws:sts::111122223333:assumed-role/Dev/ada", entries);
        assert!(facts.entry.is(&Some("arn:aws:iam::111122223333:role/team/Dev".to_owned())));
        assert!(facts.groups.value().is_none(), "the details were not read");
    }

    #[test]
    fn a_user_name_that_no_mapping_gives_has_unknown_groups() {
        let facts = refused("somebody", MAP);
        assert!(facts.groups.value().is_none());
        assert!(facts.caller.is(&CallerKind::Iam));
        assert!(facts.username.is(&"somebody".to_owned()));
    }

    #[test]
    fn service_accounts_and_nodes_are_told_by_their_names() {
        assert!(refused("system:serviceaccount:ci:runner", "").caller.is(&CallerKind::ServiceAccount));
        let node = refused("system:node:ip-10-0-0-1.ec2.internal", "");
        assert!(node.caller.is(&CallerKind::Node));
        assert!(node.allowed.value().is_none(), "nodes have an authorizer of their own");
    }
}

//! Which Kubernetes user an IAM identity becomes: the two stores, their order, near misses.
//!
//! The authenticator asks its stores one after the other; the first that has the identity decides alone. What could not
//! be looked at makes the answer unknown only where it could change it. The trace keeps which store was asked and what it
//! said; [`near_misses`] tells what would have matched but for one difference.

use jiff::Timestamp;
use serde::Serialize;

mod near_miss;
mod outcome;
mod store;

pub use near_miss::{NearMiss, NearMissReason, in_vain, meant_principal, near_misses};
pub use outcome::{Denial, DenialKind, IdentityMapping, Mapped, Outcome, Step, StepResult, UniqueIdMatch, Verdict};
pub use store::{AccessEntry, EntryRef, Store, StoreName};

use super::arn::{Arn, CanonicalArn, NotAnIdentity, PrincipalArn, PrincipalType, RawArn};
use super::token::StsIdentity;
use super::username::{PrivateDnsName, TemplateValues};
use outcome::Search;

/// The prefixes that EKS keeps for itself in the user names of access entries.
pub const RESERVED_USERNAME_PREFIXES: [&str; 5] = ["aws:", "iam:", "amazon:", "system:", "eks:"];

/// Who logs in, as far as it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The ARN that is looked up.
    pub canonical_arn: CanonicalArn,
    /// The ARN as STS spells it.
    pub raw_arn: Option<RawArn>,
    /// The principal's own ARN with its path, as IAM describes it.
    pub principal_arn: Option<PrincipalArn>,
    /// Unique id: `AROA…`, `AIDA…`.
    pub unique_id: Option<String>,
    /// Session name; empty for users, root and federated users.
    pub session_name: Option<String>,
    /// Account id.
    pub account: Option<String>,
    /// Access key id in full.
    pub access_key_id: Option<String>,
    /// When IAM created the principal.
    pub created_at: Option<Timestamp>,
    /// Private DNS name of the instance that the session name names: `Some(None)` if EC2 has no such instance.
    pub private_dns_name: Option<Option<String>>,
}

/// Authentication mode of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AuthenticationMode {
    /// Only aws-auth.
    ConfigMap,
    /// Access entries, then aws-auth.
    ApiAndConfigMap,
    /// Only access entries.
    Api,
}

/// Something that was looked at, or why it was not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen<T> {
    /// What was seen.
    Known(T),
    /// Why nothing was.
    Unknown(String),
}

/// One store in the order in which the authenticator asks.
#[derive(Debug, Clone)]
pub struct Backend<'a> {
    /// Which one it is.
    pub name: StoreName,
    /// What it holds.
    pub store: Seen<&'a Store>,
    /// User names that must not come out of it begin like this.
    pub reserved_prefixes: &'a [&'a str],
}

/// What a cluster holds about identities. The stores are indexed once and serve any number of identities.
#[derive(Debug, Clone)]
pub struct MappingIndex {
    /// Authentication mode.
    pub mode: Seen<AuthenticationMode>,
    /// Access entries.
    pub access_entries: Seen<Store>,
    /// The aws-auth ConfigMap; one that does not exist is an empty store.
    pub aws_auth: Seen<Store>,
    /// Who created the cluster, if that is known. It is `system:masters` without being mapped anywhere, by its name.
    pub creator: Option<PrincipalArn>,
}

impl Identity {
    /// An identity of which only the canonical ARN was seen, and with it the account.
    pub fn new(canonical_arn: CanonicalArn) -> Self {
        let account = canonical_arn.sections().map(|arn| arn.account.to_owned());
        Self {
            canonical_arn,
            raw_arn: None,
            principal_arn: None,
            unique_id: None,
            session_name: None,
            account,
            access_key_id: None,
            created_at: None,
            private_dns_name: None,
        }
    }

    /// The identity of an ARN that somebody typed: that of a session, or of a role or user with or without path. The path
    /// is not believed, and a role alone has no session name.
    pub fn of_arn(text: &str) -> Result<Self, NotAnIdentity> {
        let (canonical_arn, principal_type) = PrincipalArn::new(text).canonicalize()?;
        let session_name = match principal_type {
            PrincipalType::Role => None,
            PrincipalType::AssumedRole => Arn::parse(text)?.session().map(str::to_owned),
            PrincipalType::User | PrincipalType::Root | PrincipalType::FederatedUser => Some(String::new()),
        };
        let raw_arn = (principal_type != PrincipalType::Role).then(|| RawArn::new(text));
        Ok(Self { raw_arn, session_name, ..Self::new(canonical_arn) })
    }

    fn template_values(&self) -> TemplateValues<'_> {
        TemplateValues {
            account: self.account.as_deref(),
            session_name: self.session_name.as_deref(),
            access_key_id: self.access_key_id.as_deref(),
            private_dns_name: match &self.private_dns_name {
                None => PrivateDnsName::NotSeen,
                Some(None) => PrivateDnsName::NotFound,
                Some(Some(name)) => PrivateDnsName::Found(name),
            },
        }
    }
}

impl From<StsIdentity> for Identity {
    fn from(identity: StsIdentity) -> Self {
        Self {
            raw_arn: Some(identity.raw_arn),
            unique_id: Some(identity.unique_id),
            session_name: Some(identity.session_name),
            account: Some(identity.account),
            ..Self::new(identity.canonical_arn)
        }
    }
}

impl AuthenticationMode {
    const ALL: [Self; 3] = [Self::ConfigMap, Self::ApiAndConfigMap, Self::Api];

    /// The mode as `accessConfig.authenticationMode` spells it; `None` for one that this model does not know.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == text)
    }

    /// As the EKS API spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ConfigMap => "CONFIG_MAP",
            Self::ApiAndConfigMap => "API_AND_CONFIG_MAP",
            Self::Api => "API",
        }
    }

    /// Whether this mode reads the store.
    pub fn reads(self, store: StoreName) -> bool {
        match store {
            StoreName::AccessEntry => self != Self::ConfigMap,
            StoreName::AwsAuth => self != Self::Api,
            StoreName::Creator => self == Self::ConfigMap,
        }
    }
}

impl<T> Seen<T> {
    /// The same by reference.
    pub fn as_ref(&self) -> Seen<&T> {
        match self {
            Self::Known(value) => Seen::Known(value),
            Self::Unknown(reason) => Seen::Unknown(reason.clone()),
        }
    }

    /// What was seen.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown(_) => None,
        }
    }
}

impl MappingIndex {
    /// Maps an identity as the cluster does. Where the mode is unknown, every mode that is possible is tried: if they
    /// agree, the answer is known.
    pub fn map(&self, identity: &Identity) -> IdentityMapping {
        let modes = match &self.mode {
            Seen::Known(mode) => return self.map_in(identity, *mode),
            // In CONFIG_MAP the EKS API refuses to list access entries.
            Seen::Unknown(_) if self.access_entries.known().is_some() => &AuthenticationMode::ALL[1..],
            Seen::Unknown(_) => &AuthenticationMode::ALL[..],
        };
        let mut mappings: Vec<IdentityMapping> = modes.iter().map(|mode| self.map_in(identity, *mode)).collect();
        let agree = mappings.windows(2).all(|pair| pair[0].outcome == pair[1].outcome);
        if agree && let Some(mapping) = mappings.pop() {
            return mapping;
        }
        let mut reasons: Vec<String> = match &self.mode {
            Seen::Unknown(reason) => vec![reason.clone()],
            Seen::Known(_) => Vec::new(),
        };
        for mapping in mappings {
            if let Outcome::Unknown(more) = mapping.outcome {
                reasons.extend(more);
            }
        }
        reasons.dedup();
        IdentityMapping { steps: Vec::new(), outcome: Outcome::Unknown(reasons) }
    }

    /// Maps an identity as the cluster would in this mode.
    pub fn map_in(&self, identity: &Identity, mode: AuthenticationMode) -> IdentityMapping {
        let creator = self.creator_store(identity);
        map(identity, &self.chain(mode, creator.as_ref()))
    }

    fn chain<'a>(&'a self, mode: AuthenticationMode, creator: Option<&'a Store>) -> Vec<Backend<'a>> {
        let mut chain = Vec::new();
        if mode.reads(StoreName::AccessEntry) {
            let (name, store) = (StoreName::AccessEntry, self.access_entries.as_ref());
            chain.push(Backend { name, store, reserved_prefixes: &RESERVED_USERNAME_PREFIXES });
        }
        if mode.reads(StoreName::AwsAuth) {
            let (name, store) = (StoreName::AwsAuth, self.aws_auth.as_ref());
            chain.push(Backend { name, store, reserved_prefixes: &[] });
        }
        if let Some(creator) = creator {
            let name = StoreName::Creator;
            let store = match mode {
                AuthenticationMode::ConfigMap => Seen::Known(creator),
                AuthenticationMode::ApiAndConfigMap => Seen::Unknown(
                    "whether the cluster's creator keeps its hidden right without an access entry is not documented"
                        .to_owned(),
                ),
                AuthenticationMode::Api => return chain,
            };
            chain.push(Backend { name, store, reserved_prefixes: &[] });
        }
        chain
    }

    /// The hidden mapping of the creator, if the identity is the creator.
    fn creator_store(&self, identity: &Identity) -> Option<Store> {
        let (creator, _) = self.creator.as_ref()?.canonicalize().ok()?;
        (creator.lookup_key() == identity.canonical_arn.lookup_key()).then(|| Store::creator(&creator))
    }
}

/// Maps an identity by asking the stores in this order.
pub fn map(identity: &Identity, chain: &[Backend<'_>]) -> IdentityMapping {
    let mut search = Search::default();
    for backend in chain {
        if let Some(outcome) = search.ask(identity, backend) {
            return IdentityMapping { steps: search.steps, outcome };
        }
    }
    let outcome = search.nobody();
    IdentityMapping { steps: search.steps, outcome }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::aws_auth::AwsAuth;
    use super::super::username::{Placeholder, Rendered};
    use super::*;

    fn role(name: &str) -> Identity {
        Identity::of_arn(&format!("arn:aws:sts::111122223333:assumed-role/{name}/ada")).unwrap()
    }

    fn entry(path_and_name: &str, username: &str) -> AccessEntry {
        AccessEntry {
            principal_arn: PrincipalArn::new(format!("arn:aws:iam::111122223333:role/{path_and_name}")),
            unique_id: None,
            entry_type: Some("STANDARD".to_owned()),
            username: Some(username.to_owned()),
            groups: Some(vec!["entry".to_owned()]),
            created_at: Some("2025-06-01T00:00:00Z".parse().unwrap()),
        }
    }

    fn entries(entries: Vec<AccessEntry>) -> Seen<Store> {
        Seen::Known(Store::access_entries(entries))
    }

    fn aws_auth(name: &str) -> Seen<Store> {
        let text = format!("- rolearn: arn:aws:iam::111122223333:role/{name}\n  username: from-aws-auth\n");
        Seen::Known(Store::aws_auth(&AwsAuth::parse(&BTreeMap::from([("mapRoles".to_owned(), text)]))))
    }

    fn unread<T>(what: &str) -> Seen<T> {
        Seen::Unknown(format!("{what}: 403"))
    }

    fn index(mode: AuthenticationMode, access_entries: Seen<Store>, aws_auth: Seen<Store>) -> MappingIndex {
        MappingIndex { mode: Seen::Known(mode), access_entries, aws_auth, creator: None }
    }

    /// User name, denial, or what is unknown.
    fn summary(mapping: &IdentityMapping) -> String {
        match &mapping.outcome {
            Outcome::Always(Verdict::Mapped(mapped)) => match &mapped.username {
                Some(Rendered::Known(username)) => username.clone(),
                other => format!("{other:?}"),
            },
            Outcome::Always(Verdict::Denied(denial)) => denial.message.clone(),
            Outcome::AnyOf(_) => "any".to_owned(),
            Outcome::Unknown(reasons) => reasons.join("; "),
        }
    }

    #[test]
    fn identities_of_typed_arns() {
        let of = |text: &str| {
            Identity::of_arn(text).map(|identity| (identity.canonical_arn.to_string(), identity.session_name))
        };
        let dev = "arn:aws:iam::111122223333:role/Dev".to_owned();
        let ada = "arn:aws:iam::111122223333:user/team/ada".to_owned();
        assert_eq!(of("arn:aws:iam::111122223333:role/team/Dev"), Ok((dev.clone(), None)));
        assert_eq!(of("arn:aws:sts::111122223333:assumed-role/Dev/ada"), Ok((dev, Some("ada".to_owned()))));
        assert_eq!(of(&ada), Ok((ada.clone(), Some(String::new()))));
        assert!(of("arn:aws:iam::111122223333:group/devs").is_err());
    }

    #[test]
    fn what_cannot_change_the_answer_may_be_missing() {
        use AuthenticationMode as M;
        let dev = || entries(vec![entry("team/Dev", "e:dev")]);
        for (index, expected) in [
            (index(M::Api, dev(), unread("aws-auth")), "e:dev"),
            (index(M::Api, entries(vec![]), unread("aws-auth")), "identity is not mapped"),
            (index(M::ApiAndConfigMap, dev(), unread("aws-auth")), "e:dev"),
            (index(M::ApiAndConfigMap, entries(vec![]), unread("aws-auth")), "aws-auth: 403"),
            (index(M::ApiAndConfigMap, unread("entries"), aws_auth("Dev")), "entries: 403"),
            (index(M::ConfigMap, unread("entries"), aws_auth("Dev")), "from-aws-auth"),
            (index(M::ConfigMap, dev(), aws_auth("Other")), "identity is not mapped"),
        ] {
            assert_eq!(summary(&index.map(&role("Dev"))), expected, "{:?}", index.mode);
        }
    }

    #[test]
    fn an_unknown_mode_matters_where_modes_differ() {
        let of =
            |access_entries, aws_auth| MappingIndex { mode: unread("mode"), access_entries, aws_auth, creator: None };
        let map = |index: MappingIndex| summary(&index.map(&role("Dev")));
        let dev = || entries(vec![entry("Dev", "e:dev")]);
        assert_eq!(map(of(dev(), aws_auth("Other"))), "e:dev", "entries that were listed rule out CONFIG_MAP");
        assert_eq!(map(of(entries(vec![]), aws_auth("Other"))), "identity is not mapped");
        assert_eq!(map(of(entries(vec![]), aws_auth("Dev"))), "mode: 403");
        assert_eq!(map(of(unread("entries"), aws_auth("Dev"))), "mode: 403; entries: 403");
    }

    #[test]
    fn an_entry_is_for_one_principal_only() {
        let mode = AuthenticationMode::ApiAndConfigMap;
        let index = index(mode, entries(vec![entry("team/Dev", "e:dev")]), aws_auth("Dev"));
        let mut identity = role("Dev");
        let unique_id = |identity: &Identity| match index.map(identity).outcome {
            Outcome::Always(Verdict::Mapped(mapped)) => mapped.unique_id,
            other => panic!("{other:?}"),
        };
        assert_eq!(unique_id(&identity), UniqueIdMatch::NotSeen);
        identity.created_at = Some("2025-05-01T00:00:00Z".parse().unwrap());
        assert_eq!(unique_id(&identity), UniqueIdMatch::SameByDates);
        identity.created_at = Some("2025-07-01T00:00:00Z".parse().unwrap());
        let mapping = index.map(&identity);
        assert_eq!(summary(&mapping), "from-aws-auth", "aws-auth goes by the name");
        assert!(matches!(mapping.steps[0].result, StepResult::Recreated(_)));
        let moved =
            Identity { principal_arn: Some(PrincipalArn::new("arn:aws:iam::111122223333:role/Dev")), ..role("Dev") };
        assert_eq!(summary(&index.map(&moved)), "from-aws-auth", "a role cannot change its path");
    }

    #[test]
    fn entries_that_differ_in_the_path_need_the_path() {
        let both = entries(vec![entry("old/Dev", "e:old"), entry("new/Dev", "e:new")]);
        let index = index(AuthenticationMode::Api, both, aws_auth("Dev"));
        assert!(summary(&index.map(&role("Dev"))).contains("path"));
        let known = Identity {
            principal_arn: Some(PrincipalArn::new("arn:aws:iam::111122223333:role/new/Dev")),
            ..role("Dev")
        };
        assert_eq!(summary(&index.map(&known)), "e:new");
    }

    #[test]
    fn templates_need_what_they_ask_for() {
        let index =
            |username: &str| index(AuthenticationMode::Api, entries(vec![entry("Dev", username)]), unread("aws-auth"));
        let somebody = Identity { session_name: None, ..role("Dev") };
        let Outcome::Always(Verdict::Mapped(mapped)) = index("e:{{SessionName}}").map(&somebody).outcome else {
            panic!("mapped whoever it is");
        };
        let missing = vec![Placeholder::SessionName];
        assert_eq!(mapped.username, Some(Rendered::Unknown { template: "e:{{SessionName}}".to_owned(), missing }));
        assert_eq!(mapped.groups, Some(vec![Rendered::Known("entry".to_owned())]));
        let node = index("n:{{EC2PrivateDNSName}}");
        assert!(summary(&node.map(&somebody)).contains("session name"));
        assert!(summary(&node.map(&role("Dev"))).contains("did not contain an instance id"));
        assert!(summary(&index("{{SessionName}}").map(&somebody)).contains("reserved prefix"));
    }

    #[test]
    fn eks_may_use_its_own_prefixes() {
        let node =
            AccessEntry { entry_type: Some("FARGATE_LINUX".to_owned()), ..entry("Dev", "system:node:{{SessionName}}") };
        let map = |entry: AccessEntry, name: &str| {
            summary(&index(AuthenticationMode::Api, entries(vec![entry]), unread("aws-auth")).map(&role(name)))
        };
        assert_eq!(map(node, "Dev"), "system:node:ada");
        let name = "AWSServiceRoleForAmazonEKS";
        assert_eq!(
            map(entry(&format!("aws-service-role/eks.amazonaws.com/{name}"), "eks:managed"), name),
            "eks:managed"
        );
        assert!(map(entry("Dev", "eks:managed"), "Dev").starts_with("invalid username 'eks:managed'"));
    }

    #[test]
    fn details_that_were_not_read_leave_the_user_unknown() {
        let unread_details = AccessEntry { username: None, groups: None, entry_type: None, ..entry("Dev", "") };
        let index = index(AuthenticationMode::Api, entries(vec![unread_details]), unread("aws-auth"));
        let Outcome::Always(Verdict::Mapped(mapped)) = index.map(&role("Dev")).outcome else {
            panic!("the entry decides");
        };
        assert_eq!((mapped.username, mapped.groups), (None, None));
    }

    #[test]
    fn the_creator_is_mapped_by_nothing() {
        let creator = Some(PrincipalArn::new("arn:aws:iam::111122223333:role/ci/Dev"));
        let with = |mode, aws_auth| MappingIndex { creator: creator.clone(), ..index(mode, entries(vec![]), aws_auth) };
        let map = |index: MappingIndex| summary(&index.map(&role("Dev")));
        assert_eq!(map(with(AuthenticationMode::ConfigMap, aws_auth("Other"))), "kubernetes-admin");
        assert_eq!(map(with(AuthenticationMode::ConfigMap, aws_auth("Dev"))), "from-aws-auth");
        assert_eq!(map(with(AuthenticationMode::Api, aws_auth("Other"))), "identity is not mapped");
        assert!(map(with(AuthenticationMode::ApiAndConfigMap, aws_auth("Other"))).contains("not documented"));
    }
}

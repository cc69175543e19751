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

pub use near_miss::{NearMiss, NearMissReason, near_misses};
pub use outcome::{Denial, DenialKind, IdentityMapping, Mapped, Outcome, Step, StepResult, UniqueIdMatch, Verdict};
pub use store::{AccessEntry, EntryRef, Store, StoreName};

use super::arn::{CanonicalArn, PrincipalArn, RawArn};
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

//! The search through the stores, and what can come of it.

use serde::Serialize;

use super::super::aws_auth::Place;
use super::super::go_text;
use super::super::token::Rejection;
use super::super::username::{RenderError, Rendered, TemplateValues, render};
use super::store::{Found, Record};
use super::{Backend, EntryRef, Identity, Seen, StoreName};

/// How an identity was mapped, or why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityMapping {
    /// The stores that were asked, in order. Empty if it is not known which are.
    pub steps: Vec<Step>,
    /// What came of it.
    pub outcome: Outcome,
}

/// One store that was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Which.
    pub store: StoreName,
    /// What it said.
    pub result: StepResult,
}

/// What a store said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepResult {
    /// It has the identity; with more than one entry, chance decides at every login.
    Matched(Vec<EntryRef>),
    /// It lists the identity's account.
    AccountAllowed(Option<Place>),
    /// Its entry has the right unique id and another ARN.
    Mismatch(EntryRef),
    /// Its entries with this ARN are for a principal that is gone.
    Recreated(Vec<EntryRef>),
    /// It does not have the identity.
    NotMapped,
    /// Nobody looked into it.
    Unknown(String),
}

/// What comes of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The same every time.
    Always(Verdict),
    /// Each of these, by chance.
    AnyOf(Vec<Verdict>),
    /// It depends on what nobody saw; the reasons say what.
    Unknown(Vec<String>),
}

/// The end of one login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The identity is this Kubernetes user.
    Mapped(Mapped),
    /// The login is refused: 401.
    Denied(Denial),
}

/// A Kubernetes user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapped {
    /// The store that decided.
    pub store: StoreName,
    /// The entry that decided; `None` where the account is listed.
    pub entry: Option<EntryRef>,
    /// User name, which may be empty. `None` if the entry's details were not read.
    pub username: Option<Rendered>,
    /// Groups, without those that the API server adds. `None` if the entry's details were not read.
    pub groups: Option<Vec<Rendered>>,
    /// Whether the entry is for this very principal.
    pub unique_id: UniqueIdMatch,
}

/// Whether an entry is for the very principal that asks, and not for one of the same name that was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum UniqueIdMatch {
    /// The unique ids are equal.
    Same,
    /// The principal is older than the entry.
    SameByDates,
    /// Nothing that was seen tells; it is taken for granted.
    NotSeen,
    /// The store does not compare them.
    NotCompared,
    /// The entry is for another principal.
    Different,
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// Why.
    pub kind: DenialKind,
    /// The authenticator's words.
    pub message: String,
    /// The entry that led to it, if one did.
    pub entry: Option<EntryRef>,
}

/// Kinds of refusals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DenialKind {
    /// No store has the identity.
    NotMapped,
    /// An access entry has the unique id with another ARN, and no later store has the identity.
    UseridArnMismatch,
    /// A template cannot be filled. Later stores are not asked.
    TemplateError,
    /// The user name begins with a reserved prefix. Later stores are not asked.
    ReservedPrefix,
    /// STS, or what it answered, is refused before any store is asked.
    IdentityRejected,
}

impl StoreName {
    /// The authenticator's name for the store.
    pub fn backend(self) -> &'static str {
        match self {
            Self::AccessEntry => "DynamicFile",
            Self::AwsAuth => "EKSConfigMap",
            Self::Creator => "MountedFile",
        }
    }
}

impl From<Rejection> for IdentityMapping {
    /// The end of a login whose token or identity was refused.
    fn from(rejection: Rejection) -> Self {
        let denial = Denial { kind: DenialKind::IdentityRejected, message: rejection.to_string(), entry: None };
        Self { steps: Vec::new(), outcome: Outcome::Always(Verdict::Denied(denial)) }
    }
}

/// A search on its way through the stores.
#[derive(Default)]
pub(super) struct Search {
    pub(super) steps: Vec<Step>,
    mismatch: Option<(String, EntryRef)>,
}

impl Search {
    /// Asks the next store. `None` means that the search goes on.
    pub(super) fn ask(&mut self, identity: &Identity, backend: &Backend<'_>) -> Option<Outcome> {
        let store = match &backend.store {
            Seen::Known(store) => store,
            Seen::Unknown(reason) => {
                self.step(backend.name, StepResult::Unknown(reason.clone()));
                return Some(Outcome::Unknown(vec![reason.clone()]));
            }
        };
        let name = backend.name;
        match store.find(identity) {
            Found::Records(records, unique_id) => {
                self.step(name, StepResult::Matched(references(&records)));
                let verdicts = records.iter().map(|record| verdict(identity, backend, record, unique_id));
                return Some(Outcome::of(verdicts.collect()));
            }
            Found::Ambiguous => {
                let reason = "several access entries differ only in the path of the role, which is not known";
                self.step(name, StepResult::Unknown(reason.to_owned()));
                return Some(Outcome::Unknown(vec![reason.to_owned()]));
            }
            Found::Mismatch(record) => {
                self.step(name, StepResult::Mismatch(record.entry.clone()));
                let message = format!("mapper {} Map error: ARN does not match User ID", name.backend());
                self.mismatch.get_or_insert((message, record.entry.clone()));
            }
            Found::Recreated(records) => self.step(name, StepResult::Recreated(references(&records))),
            Found::Nothing => self.step(name, StepResult::NotMapped),
        }
        let place = store.account(identity)?;
        self.step(name, StepResult::AccountAllowed(place));
        Some(Outcome::Always(Verdict::Mapped(account_user(identity, name))))
    }

    /// The end of a search in vain.
    pub(super) fn nobody(&mut self) -> Outcome {
        let denial = match self.mismatch.take() {
            Some((message, entry)) => Denial { kind: DenialKind::UseridArnMismatch, message, entry: Some(entry) },
            None => {
                let message = "identity is not mapped".to_owned();
                Denial { kind: DenialKind::NotMapped, message, entry: None }
            }
        };
        Outcome::Always(Verdict::Denied(denial))
    }

    fn step(&mut self, store: StoreName, result: StepResult) {
        self.steps.push(Step { store, result });
    }
}

impl Outcome {
    /// The entries that decide.
    pub(super) fn entries(&self) -> impl Iterator<Item = &EntryRef> {
        let verdicts = match self {
            Self::Always(verdict) => std::slice::from_ref(verdict),
            Self::AnyOf(verdicts) => verdicts,
            Self::Unknown(_) => &[],
        };
        verdicts.iter().filter_map(|verdict| match verdict {
            Verdict::Mapped(mapped) => mapped.entry.as_ref(),
            Verdict::Denied(denial) => denial.entry.as_ref(),
        })
    }

    fn of(verdicts: Vec<Result<Verdict, String>>) -> Self {
        let (mut known, mut reasons): (Vec<Verdict>, Vec<String>) = (Vec::new(), Vec::new());
        for verdict in verdicts {
            match verdict {
                Ok(verdict) if !known.iter().any(|earlier| earlier.is_like(&verdict)) => known.push(verdict),
                Ok(_) => {}
                Err(reason) => reasons.push(reason),
            }
        }
        match (known.len(), known.pop()) {
            _ if !reasons.is_empty() => Self::Unknown(reasons),
            (1, Some(verdict)) => Self::Always(verdict),
            (_, last) => Self::AnyOf(known.into_iter().chain(last).collect()),
        }
    }
}

impl Verdict {
    /// Whether nobody can tell the two apart by what comes out.
    fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Mapped(one), Self::Mapped(other)) => {
                (&one.username, &one.groups) == (&other.username, &other.groups)
            }
            (Self::Denied(one), Self::Denied(other)) => (one.kind, &one.message) == (other.kind, &other.message),
            _ => false,
        }
    }
}

fn references(records: &[&Record]) -> Vec<EntryRef> {
    records.iter().map(|record| record.entry.clone()).collect()
}

fn account_user(identity: &Identity, store: StoreName) -> Mapped {
    let username = Some(Rendered::Known(identity.canonical_arn.to_string()));
    Mapped { store, entry: None, username, groups: Some(Vec::new()), unique_id: UniqueIdMatch::NotCompared }
}

/// What an entry makes of an identity; the error says what would have to be known.
fn verdict(
    identity: &Identity,
    backend: &Backend<'_>,
    record: &Record,
    unique_id: UniqueIdMatch,
) -> Result<Verdict, String> {
    let deny = |kind, message| Verdict::Denied(Denial { kind, message, entry: Some(record.entry.clone()) });
    let values = identity.template_values();
    let name = backend.name.backend();
    let username = record.username.iter().map(|template| fill("username", template, &values));
    let groups = record.groups.iter().flatten().map(|template| fill("group", template, &values));
    let (username, groups) = match (username.collect::<Result<Vec<_>, _>>(), groups.collect::<Result<Vec<_>, _>>()) {
        (Ok(username), Ok(groups)) => (username.into_iter().next(), record.groups.is_some().then_some(groups)),
        (Err(Unfilled::Refused(why)), _) | (Ok(_), Err(Unfilled::Refused(why))) => {
            let message = format!("mapper {name} renderTemplates error: {why}");
            return Ok(deny(DenialKind::TemplateError, message));
        }
        (Err(Unfilled::Unknown(reason)), _) | (Ok(_), Err(Unfilled::Unknown(reason))) => return Err(reason),
    };
    if let Some(username) = username.as_ref().filter(|_| !record.is_named_by_eks()) {
        let prefixes = backend.reserved_prefixes;
        match (is_reserved(username, prefixes), username) {
            (Some(false), _) => {}
            (Some(true), Rendered::Known(text) | Rendered::Unknown { template: text, .. }) => {
                let list = prefixes.join(" ");
                let message = format!(
                    "invalid username '{text}' for mapper {name}: username must not begin with with the following \
                     prefixes: [{list}]"
                );
                return Ok(deny(DenialKind::ReservedPrefix, message));
            }
            (None, _) => {
                return Err("whether the user name has a reserved prefix depends on what was not seen".to_owned());
            }
        }
    }
    let entry = Some(record.entry.clone());
    Ok(Verdict::Mapped(Mapped { store: backend.name, entry, username, groups, unique_id }))
}

/// Why there is no text.
enum Unfilled {
    /// The authenticator's words.
    Refused(String),
    /// What would have to be known.
    Unknown(String),
}

fn fill(what: &str, template: &str, values: &TemplateValues<'_>) -> Result<Rendered, Unfilled> {
    render(template, values).map_err(|why| match why {
        RenderError::Refused(why) => {
            let template = go_text::quote(template);
            Unfilled::Refused(format!("error rendering {what} template {template}: {why}"))
        }
        RenderError::SessionNameNotSeen => {
            Unfilled::Unknown(format!("the session name is not known, and only that of an instance fits {template}"))
        }
    })
}

/// Whether a user name begins with a reserved prefix; letter case counts. `None` if what was not seen decides.
fn is_reserved(username: &Rendered, prefixes: &[&str]) -> Option<bool> {
    let prefixes = || prefixes.iter().filter(|prefix| !prefix.is_empty());
    match username {
        Rendered::Known(text) => Some(prefixes().any(|prefix| text.starts_with(prefix))),
        Rendered::Unknown { template, .. } => {
            let literal = template.split("{{").next().unwrap_or_default();
            if prefixes().any(|prefix| literal.starts_with(prefix)) {
                return Some(true);
            }
            (!prefixes().any(|prefix| prefix.starts_with(literal))).then_some(false)
        }
    }
}

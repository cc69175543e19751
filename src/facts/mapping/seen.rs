//! What was seen of the cluster's stores and of the subject, in the shape that the exact model takes, and what the
//! model, the authenticator's log and the API server make of it together.

use super::super::{
    arn::{PrincipalArn, RawArn},
    aws_auth::{AwsAuth, Entry, EntryPrincipal},
    cluster::ClusterFacts,
    identity_mapping::{
        self, AuthenticationMode, Denial, DenialKind, EntryRef, Identity, IdentityMapping, Mapped, MappingIndex,
        NearMiss, NearMissReason, Outcome, StepResult, Store, StoreName, UniqueIdMatch, Verdict, in_vain, near_misses,
    },
    observed_symptom::Answer,
    pasted::Pasted,
    subject::Subject,
    username::Rendered,
    value::{Fact, Missing, Unknown, why_unsettled},
};
use super::{AWS_AUTH, ENTRIES, Known, MappingDenial, MatchedEntry, log, nodes, observation, place, source};
use crate::{
    evidence::{self, Evidence, Observed},
    symptom::SymptomClass,
};

/// What the parts of this room draw on.
pub(super) struct Seen<'a> {
    pub(super) evidence: &'a Evidence,
    pub(super) known: Known<'a>,
    pub(super) subject: &'a Subject,
    pub(super) cluster: &'a ClusterFacts,
    pub(super) pasted: &'a Pasted,
    pub(super) index: MappingIndex,
    pub(super) aws_auth: Option<AwsAuth>,
    pub(super) identity: Fact<Identity>,
    pub(super) trace: Fact<IdentityMapping>,
    pub(super) verdict: Fact<Verdict>,
    pub(super) answer: Fact<Answer>,
    pub(super) logged: Option<log::Logged>,
}

impl<'a> Seen<'a> {
    pub(super) fn new(evidence: &'a Evidence, known: Known<'a>) -> Self {
        let (subject, cluster) = (known.subject, known.cluster);
        let aws_auth = evidence.kubernetes.aws_auth.found().map(|config_map| AwsAuth::parse(&config_map.data));
        let index = index(evidence, cluster, aws_auth.as_ref());
        let identity = identity(evidence, subject);
        let trace = identity.as_ref().map(|identity| index.map(identity));
        let canonical = subject.canonical_arn.value();
        let logged = canonical.and_then(|arn| log::last_about(evidence.logs.authenticator.found()?, arn));
        let mut seen = Self {
            evidence,
            known,
            subject,
            cluster,
            pasted: known.pasted,
            index,
            aws_auth,
            identity,
            trace,
            verdict: Fact::Unknown(Unknown::default()),
            answer: known.symptom.answer.clone(),
            logged,
        };
        seen.verdict = seen.verdict();
        seen
    }

    /// The end of the login: what the model says; where it lacks something, what the log says.
    fn verdict(&self) -> Fact<Verdict> {
        let model = self.trace.as_ref().and_then(|trace| modelled(&self.index, trace));
        let logged = self.logged.as_ref().and_then(|logged| logged.denial);
        let denied = |kind| {
            let verdict = Verdict::Denied(Denial { kind, message: String::new(), entry: None });
            Fact::known(verdict, log::OBSERVATION)
        };
        match (&model, logged) {
            (Fact::Unknown(_), Some(denial)) => return denied(kind_of(denial)),
            // What a template or a reserved prefix comes to is the authenticator's to say.
            (Fact::Known { value: Verdict::Mapped(_), .. }, Some(denial))
                if denial != MappingDenial::NotMapped && self.is_refused_login() =>
            {
                return denied(kind_of(denial));
            }
            _ => {}
        }
        match &model {
            Fact::Known { value: Verdict::Mapped(mapped), .. } if self.has_odd_key(mapped) => {
                Fact::unknown(AWS_AUTH, "some versions read the key of the ARN in small letters only")
            }
            Fact::Known { value: Verdict::Denied(denial), .. } if denial.kind == DenialKind::NotMapped => {
                self.unless_creator().unwrap_or(model)
            }
            _ => model,
        }
    }

    /// Whether a login fails, and the key of the entry that should let it in is one that some versions do not read.
    fn has_odd_key(&self, mapped: &Mapped) -> bool {
        let logs_in = matches!(self.answer.value(), Some(Answer::Allowed | Answer::Authenticated | Answer::Forbidden));
        let is_it = |near_miss: &NearMiss| {
            near_miss.reason == NearMissReason::WrongKey && mapped.entry.as_ref() == Some(&near_miss.entry)
        };
        !logs_in && !self.pasted.text.is_empty() && self.found_near_misses().iter().any(is_it)
    }

    /// A principal in no store of a CONFIG_MAP cluster could be the one that created it.
    fn unless_creator(&self) -> Option<Fact<Verdict>> {
        let has_creator =
            self.index.mode.known() == Some(&AuthenticationMode::ConfigMap) && self.index.creator.is_none();
        if !has_creator || self.is_refused_login() || self.logged.as_ref().is_some_and(|logged| logged.denial.is_some())
        {
            return None;
        }
        let whoami = self.evidence.kubernetes.whoami.found().filter(|_| self.evidence.target.principal.is_none());
        let Some(user) = whoami.filter(|user| user.username != "system:anonymous") else {
            let event = &self.evidence.aws.create_cluster_event;
            return Some(Fact::Unknown(why_unsettled(event, observation(StoreName::Creator))));
        };
        let mapped = Mapped {
            store: StoreName::Creator,
            entry: Some(EntryRef::Creator),
            username: Some(Rendered::Known(user.username.clone())),
            groups: Some(without_implicit(&user.groups).map(Rendered::Known).collect()),
            unique_id: UniqueIdMatch::NotCompared,
        };
        Some(Fact::known(Verdict::Mapped(mapped), "kubernetes.whoami"))
    }

    /// Whether the login is seen to be refused.
    pub(super) fn is_refused_login(&self) -> bool {
        match self.answer.value() {
            Some(answer) => *answer == Answer::Unauthorized,
            None => self.pasted.shows(SymptomClass::Unauthorized) || nodes::is_asked_about(self),
        }
    }

    /// User name and groups where the stores do not tell them: the API server or the log does.
    pub(super) fn as_the_server_says(
        &self,
        username: Fact<Option<String>>,
        groups: Fact<Vec<String>>,
    ) -> (Fact<Option<String>>, Fact<Vec<String>>) {
        let whoami = self.evidence.kubernetes.whoami.found().filter(|_| self.evidence.target.principal.is_none());
        let said = whoami
            .filter(|user| user.username != "system:anonymous")
            .map(|user| (user.username.clone(), without_implicit(&user.groups).collect(), "kubernetes.whoami"));
        let logged = self.logged.as_ref().and_then(|logged| logged.granted.clone());
        let said = said.or_else(|| logged.map(|(username, groups)| (username, groups, log::OBSERVATION)));
        let Some((name, list, source)) = said else { return (username, groups) };
        let username = if username.value().is_none() { Fact::known(Some(name), source) } else { username };
        let groups = if groups.value().is_none() { Fact::known(list, source) } else { groups };
        (username, groups)
    }

    /// The observations that a refusal rests on.
    pub(super) fn denied_by(&self) -> &'static str {
        if let Fact::Known { source, .. } = &self.verdict
            && source == log::OBSERVATION
        {
            return log::OBSERVATION;
        }
        match (self.cluster.reads_access_entries.value(), self.cluster.reads_aws_auth.value()) {
            (Some(true), Some(false)) => ENTRIES,
            (Some(false), Some(true)) => AWS_AUTH,
            _ => "aws.accessEntries and kubernetes.awsAuth",
        }
    }

    pub(super) fn is_denied(&self, kind: DenialKind) -> bool {
        matches!(self.verdict.value(), Some(Verdict::Denied(denial)) if denial.kind == kind)
    }

    pub(super) fn reads(&self, store: StoreName) -> Option<bool> {
        self.index.mode.known().map(|mode| mode.reads(store))
    }

    /// The raw near misses, or what would have to be read to know them.
    pub(super) fn near_misses(&self) -> Fact<Vec<NearMiss>> {
        let found = self.found_near_misses();
        if !found.is_empty() {
            return Fact::known(found, "the mapping");
        }
        // A store that nobody could read may hold one; aws-auth that the mode does not read is of interest as well.
        for (name, store, is_read) in [
            (StoreName::AccessEntry, &self.index.access_entries, self.reads(StoreName::AccessEntry) != Some(false)),
            (StoreName::AwsAuth, &self.index.aws_auth, true),
        ] {
            if let identity_mapping::Seen::Unknown(why) = store
                && is_read
            {
                let (observation, why) = why.split_once(": ").unwrap_or((observation(name), why));
                return Fact::unknown(observation.to_owned(), why);
            }
        }
        self.identity.as_ref().and_then(|_| Fact::known(found.clone(), "the mapping"))
    }

    /// What comes near in the stores that were read: to the subject, or without one to whomever it was meant for.
    fn found_near_misses(&self) -> Vec<NearMiss> {
        let Some(identity) = self.identity.value() else { return in_vain(&self.index) };
        let mut found = near_misses(identity, &self.index, &self.index.map(identity));
        if self.index.mode.known().is_none() {
            // What a store alone makes of the subject, if the cluster reads it.
            for mode in [AuthenticationMode::ConfigMap, AuthenticationMode::Api] {
                let mapping = self.index.map_in(identity, mode);
                let refusals = [NearMissReason::NodeTemplate, NearMissReason::EntryType, NearMissReason::WrongKey];
                let more = near_misses(identity, &self.index, &mapping).into_iter();
                found.extend(
                    more.filter(|one| refusals.contains(&one.reason) && !found.contains(one)).collect::<Vec<_>>(),
                );
            }
        }
        found
    }

    /// The entry that has the subject's ARN.
    pub(super) fn matched(&self) -> Option<MatchedEntry> {
        let trace = self.trace.value()?;
        let matched = trace.steps.iter().find_map(|step| match &step.result {
            StepResult::Matched(entries) => entries.first(),
            _ => None,
        })?;
        match matched {
            EntryRef::Creator => None,
            EntryRef::AccessEntry { principal_arn } => {
                let entry = self.access_entry(principal_arn.as_str())?;
                let details = entry.details.found();
                Some(MatchedEntry {
                    arn: entry.principal_arn.clone(),
                    source: source(StoreName::AccessEntry),
                    place: place(matched),
                    entry_type: details.and_then(|details| details.entry_type.clone()),
                    username: details.and_then(|details| details.username.clone()),
                    groups: details.and_then(|details| details.kubernetes_groups.clone()).unwrap_or_default(),
                })
            }
            EntryRef::AwsAuth { place: at, .. } => {
                let entry = self
                    .aws_auth_entries()
                    .find(|entry| matches!(&entry.principal, EntryPrincipal::Arn { place, .. } if place == at))?;
                let EntryPrincipal::Arn { arn, .. } = &entry.principal else { return None };
                Some(MatchedEntry {
                    arn: arn.clone(),
                    source: source(StoreName::AwsAuth),
                    place: place(matched),
                    entry_type: None,
                    username: Some(entry.username.clone()).filter(|name| !name.is_empty()),
                    groups: entry.groups.clone().unwrap_or_default(),
                })
            }
        }
    }

    pub(super) fn matched_fact(&self) -> Fact<Option<MatchedEntry>> {
        self.trace.as_ref().and_then(|trace| {
            let matched = self.matched();
            match (&matched, &trace.outcome) {
                (None, Outcome::Unknown(_)) => match &self.verdict {
                    Fact::Unknown(unknown) => Fact::Unknown(unknown.clone()),
                    Fact::Known { .. } => Fact::known(None, "the mapping"),
                },
                _ => Fact::known(matched, "the mapping"),
            }
        })
    }

    /// The access entry with this principal.
    pub(super) fn access_entry(&self, principal_arn: &str) -> Option<&'a evidence::AccessEntry> {
        self.evidence.aws.access_entries.found()?.iter().find(|entry| entry.principal_arn == principal_arn)
    }

    /// Entries of aws-auth that are in force, roles before users.
    pub(super) fn aws_auth_entries(&self) -> impl Iterator<Item = &Entry> {
        self.aws_auth.iter().flat_map(|aws_auth| aws_auth.roles.iter().chain(&aws_auth.users))
    }
}

/// Groups without the one that the API server gives to everybody.
fn without_implicit(groups: &[String]) -> impl Iterator<Item = String> + '_ {
    groups.iter().filter(|group| *group != "system:authenticated").cloned()
}

fn kind_of(denial: MappingDenial) -> DenialKind {
    match denial {
        MappingDenial::NotMapped => DenialKind::NotMapped,
        MappingDenial::UniqueIdMismatch => DenialKind::UseridArnMismatch,
        MappingDenial::TemplateError => DenialKind::TemplateError,
        MappingDenial::ReservedPrefix => DenialKind::ReservedPrefix,
        MappingDenial::IdentityRejected => DenialKind::IdentityRejected,
    }
}

/// The two stores and the mode, as far as they were seen. Reasons begin with the observation that is missing.
fn index(evidence: &Evidence, cluster: &ClusterFacts, aws_auth: Option<&AwsAuth>) -> MappingIndex {
    use identity_mapping::Seen;
    let mode = match &cluster.authentication_mode {
        Fact::Known { value, .. } => match AuthenticationMode::parse(value) {
            Some(mode) => Seen::Known(mode),
            None => Seen::Unknown(format!("aws.cluster: this version does not know the authentication mode {value}")),
        },
        Fact::Unknown(unknown) => Seen::Unknown(reason(unknown)),
    };
    MappingIndex {
        mode,
        access_entries: match &evidence.aws.access_entries {
            Observed::Found(entries) => Seen::Known(Store::access_entries(entries.iter().map(access_entry))),
            Observed::Absent(_) => Seen::Known(Store::access_entries([])),
            other => Seen::Unknown(reason(&why_unsettled(other, ENTRIES))),
        },
        aws_auth: match (aws_auth, &evidence.kubernetes.aws_auth) {
            (Some(aws_auth), _) => Seen::Known(Store::aws_auth(aws_auth)),
            (None, Observed::Absent(_)) => Seen::Known(Store::aws_auth(&AwsAuth::default())),
            (None, other) => Seen::Unknown(reason(&why_unsettled(other, AWS_AUTH))),
        },
        creator: evidence.aws.create_cluster_event.found().map(|event| PrincipalArn::new(event.principal_arn.clone())),
    }
}

fn access_entry(entry: &evidence::AccessEntry) -> identity_mapping::AccessEntry {
    let details = entry.details.found();
    identity_mapping::AccessEntry {
        principal_arn: PrincipalArn::new(entry.principal_arn.clone()),
        unique_id: None,
        entry_type: details.and_then(|details| details.entry_type.clone()),
        username: details.and_then(|details| details.username.clone()),
        groups: details.map(|details| details.kubernetes_groups.clone().unwrap_or_default()),
        created_at: details.and_then(|details| details.created_at),
    }
}

fn identity(evidence: &Evidence, subject: &Subject) -> Fact<Identity> {
    subject.arn.clone().and_then(|arn| {
        subject.canonical_arn.clone().and_then(|canonical| {
            let raw = RawArn::new(arn);
            let canonical = RawArn::new(canonical).canonicalize().map(|(canonical, _)| canonical);
            let Ok(canonical) = canonical else { return Fact::unknown("aws.caller", "its ARN is malformed") };
            let session = subject.session_name.value().cloned().map(Option::unwrap_or_default);
            // The name of a role alone does not tell the session that it will have.
            let is_role_itself = raw.as_str().contains(":role/");
            Fact::known(
                Identity {
                    raw_arn: Some(raw),
                    principal_arn: subject.principal_arn.value().cloned().map(PrincipalArn::new),
                    unique_id: subject.unique_id.value().cloned(),
                    session_name: session.filter(|_| !is_role_itself),
                    created_at: evidence.aws.principal.found().and_then(|principal| principal.create_date),
                    ..Identity::new(canonical)
                },
                "the subject",
            )
        })
    })
}

/// What the model says, if it is known and always the same.
fn modelled(index: &MappingIndex, mapping: &IdentityMapping) -> Fact<Verdict> {
    match &mapping.outcome {
        Outcome::Always(verdict) => Fact::known(verdict.clone(), "the mapping"),
        Outcome::AnyOf(_) => Fact::unknown(AWS_AUTH, "two entries match, and chance decides at every login"),
        Outcome::Unknown(reasons) => {
            let fallback = || match index.mode.known() {
                Some(mode) if mode.reads(StoreName::AwsAuth) => AWS_AUTH,
                _ => ENTRIES,
            };
            let missing = reasons.iter().map(|reason| match reason.split_once(": ") {
                Some((observation, why)) if crate::observation::is_known(observation) => {
                    Missing { observation: observation.to_owned().into(), why: why.to_owned() }
                }
                _ => Missing { observation: fallback().into(), why: reason.clone() },
            });
            Fact::Unknown(Unknown { missing: missing.collect() })
        }
    }
}

fn reason(unknown: &Unknown) -> String {
    let first = unknown.missing.first();
    first.map_or_else(|| "not looked at".to_owned(), |missing| format!("{}: {}", missing.observation, missing.why))
}

//! What would have matched but for one difference.
//!
//! Every mapping that somebody wrote is held against one identity: those that are read, those that a later one
//! overrides, and those that nobody reads. Letter case is never a difference.

use super::super::arn::{Arn, ArnKind, RawArn, arn_like, strip_path};
use super::super::aws_auth::{ArnFlaw, LossReason, SsoMatcher, without_noise};
use super::super::go_text;
use super::super::username::is_instance_id;
use super::super::value::choice;
use super::store::{Fate, Record, same_principal};
use super::{
    AuthenticationMode, DenialKind, EntryRef, Identity, IdentityMapping, MappingIndex, Outcome, Seen, Store, StoreName,
    UniqueIdMatch, Verdict,
};

mod typo;

/// A mapping that does not apply to an identity, and the one reason for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NearMiss {
    /// Where it stands.
    pub store: StoreName,
    /// Why it does not apply.
    pub reason: NearMissReason,
    /// The ARN as written.
    pub arn: String,
    /// The ARN that would match.
    pub expected_arn: String,
    /// The entry.
    pub entry: EntryRef,
    /// Template of the user name there, as far as it could be read.
    pub username: Option<String>,
    /// Templates of the groups there, as far as they could be read.
    pub groups: Vec<String>,
}

choice! {
    /// Why a mapping does not apply.
    NearMissReason {
        /// aws-auth names the role with its IAM path.
        RolePath = "role-path",
        /// A user with a path is named without it, or with another one.
        UserPathMissing = "user-path-missing",
        /// The ARN of a session of the role stands there.
        SessionArn = "session-arn",
        /// The ARN stands under a key that is not read in its section.
        WrongKey = "wrong-key",
        /// The key of the section is misspelt.
        SectionKey = "section-key",
        /// The section does not parse.
        SectionMalformed = "section-malformed",
        /// The entry is no map, or not a valid one.
        EntryMalformed = "entry-malformed",
        /// A later ARN in the same entry overrides it: a dash is missing.
        MergedEntry = "merged-entry",
        /// It stands behind the first YAML document.
        OtherDocument = "other-document",
        /// Blanks or line ends in the ARN.
        Whitespace = "whitespace",
        /// Characters without ink in the ARN.
        InvisibleCharacters = "invisible-characters",
        /// Quotation marks in the ARN.
        Quotes = "quotes",
        /// A placeholder that nobody filled in.
        Placeholder = "placeholder",
        /// The same in another partition.
        Partition = "partition",
        /// The same with a region, or with another service than IAM.
        ServiceOrRegion = "service-or-region",
        /// The same name in another account.
        Account = "account",
        /// A typo.
        EditDistance = "edit-distance",
        /// A role of the same permission set with another suffix.
        SsoSuffix = "sso-suffix",
        /// An `sso` entry for the permission set, which EKS does not match.
        SsoEntry = "sso-entry",
        /// Another entry for the same ARN wins, always or by chance.
        Duplicate = "duplicate",
        /// The access entry is for an earlier principal of the same name.
        UniqueId = "unique-id",
        /// The access entry is for nodes, and this is no node.
        EntryType = "entry-type",
        /// The user name or a group needs the name of an instance, and this is no instance.
        NodeTemplate = "node-template",
        /// The user name has a reserved prefix.
        ReservedUsername = "reserved-username",
        /// An IAM group of the user's account.
        IamGroup = "iam-group",
        /// The instance profile of that name instead of the role.
        InstanceProfile = "instance-profile",
        /// A policy, an identity provider or another thing of that name.
        NotAPrincipal = "not-a-principal",
        /// A pattern that would fit; they are taken literally.
        Wildcard = "wildcard",
        /// `:root` of the identity's account, which names the root user only.
        RootMeantAccount = "root-meant-account",
        /// It matches, and the authentication mode does not read its store.
        ModeIgnored = "mode-ignored",
        /// It matches, and an earlier store has decided.
        Shadowed = "shadowed",
    }
}

/// How many typos are worth telling.
const MAX_TYPOS: usize = 3;

/// Holds every mapping of the cluster against an identity that was mapped like this.
pub fn near_misses(identity: &Identity, index: &MappingIndex, mapping: &IdentityMapping) -> Vec<NearMiss> {
    let key = identity.canonical_arn.lookup_key();
    let Ok(arn) = Arn::parse(&key) else { return Vec::new() };
    let deciders: Vec<&EntryRef> = mapping.outcome.entries().collect();
    let subject = Subject { identity, key: &key, arn, mapping, deciders };
    let mut found = Vec::new();
    let mut typos = Vec::new();
    for (name, store) in [(StoreName::AccessEntry, &index.access_entries), (StoreName::AwsAuth, &index.aws_auth)] {
        let Seen::Known(store) = store else { continue };
        subject.compare(name, store, &index.mode, &mut found, &mut typos);
    }
    typos.sort_by_key(|(distance, _)| *distance);
    found.extend(typos.into_iter().take(MAX_TYPOS).map(|(_, typo)| typo));
    found
}

/// The identity that mappings are held against.
struct Subject<'a> {
    identity: &'a Identity,
    /// The canonical ARN in lower case.
    key: &'a str,
    arn: Arn<'a>,
    mapping: &'a IdentityMapping,
    deciders: Vec<&'a EntryRef>,
}

impl Subject<'_> {
    fn compare(
        &self,
        name: StoreName,
        store: &Store,
        mode: &Seen<AuthenticationMode>,
        found: &mut Vec<NearMiss>,
        typos: &mut Vec<(usize, NearMiss)>,
    ) {
        for record in &store.records {
            if let Some(reason) = self.reason(name, record, mode) {
                found.push(self.near_miss(name, record, reason));
            } else if record.fate == Fate::Active
                && let Some(distance) = typo::distance(&self.arn, self.key, &record.reading.clean)
            {
                typos.push((distance, self.near_miss(name, record, NearMissReason::EditDistance)));
            }
        }
    }

    /// Why a mapping does not let the identity in although it comes near.
    fn reason(&self, name: StoreName, record: &Record, mode: &Seen<AuthenticationMode>) -> Option<NearMissReason> {
        if self.matches_as_written(record) {
            self.why_not_in_force(name, record, mode)
        } else {
            self.difference(record)
        }
    }

    fn near_miss(&self, store: StoreName, record: &Record, reason: NearMissReason) -> NearMiss {
        let canonical = self.identity.canonical_arn.as_str();
        let own = self.identity.principal_arn.as_ref().map(|arn| arn.as_str());
        let expected = if store == StoreName::AccessEntry { own.unwrap_or(canonical) } else { canonical };
        NearMiss {
            store,
            reason,
            arn: record.arn.clone(),
            expected_arn: expected.to_owned(),
            entry: record.entry.clone(),
            username: record.username.clone(),
            groups: record.groups.clone().unwrap_or_default(),
        }
    }

    fn matches_as_written(&self, record: &Record) -> bool {
        match record.access_entry {
            Some(_) => record.reading.key() == self.key,
            None => go_text::equal_fold(&record.arn, self.key),
        }
    }

    /// Why a mapping with the right ARN is not what decided.
    fn why_not_in_force(
        &self,
        name: StoreName,
        record: &Record,
        mode: &Seen<AuthenticationMode>,
    ) -> Option<NearMissReason> {
        match record.fate {
            Fate::Lost(reason) => return Some(reason.into()),
            Fate::Overridden => return Some(NearMissReason::Duplicate),
            Fate::Active => {}
        }
        if mode.known().is_some_and(|mode| !mode.reads(name)) {
            return Some(NearMissReason::ModeIgnored);
        }
        let entry = record.access_entry.as_ref();
        if entry.is_some_and(|entry| same_principal(self.identity, entry) == UniqueIdMatch::Different) {
            // Where both unique ids are known and equal, the entry has decided.
            return (!self.decides(record)).then_some(NearMissReason::UniqueId);
        }
        if self.decides(record) {
            return self.why_refused(record).or(record.has_odd_key.then_some(NearMissReason::WrongKey));
        }
        let in_this_store =
            |entry: &&EntryRef| matches!(entry, EntryRef::AwsAuth { .. }) == (name == StoreName::AwsAuth);
        match self.deciders.first() {
            Some(decider) if in_this_store(decider) => Some(NearMissReason::Duplicate),
            Some(_) => Some(NearMissReason::Shadowed),
            None => None,
        }
    }

    fn decides(&self, record: &Record) -> bool {
        self.deciders.contains(&&record.entry)
    }

    /// Why an entry that decided does not do what it seems to do.
    fn why_refused(&self, record: &Record) -> Option<NearMissReason> {
        let for_nodes = record.access_entry.as_ref().is_some_and(super::AccessEntry::is_for_nodes);
        let is_node = self.identity.session_name.as_deref().is_none_or(is_instance_id);
        match &self.mapping.outcome {
            Outcome::AnyOf(_) => Some(NearMissReason::Duplicate),
            Outcome::Always(Verdict::Denied(denial)) => match denial.kind {
                DenialKind::TemplateError if for_nodes => Some(NearMissReason::EntryType),
                DenialKind::TemplateError => Some(NearMissReason::NodeTemplate),
                DenialKind::ReservedPrefix => Some(NearMissReason::ReservedUsername),
                _ => None,
            },
            Outcome::Always(Verdict::Mapped(_)) if for_nodes && !is_node => Some(NearMissReason::EntryType),
            Outcome::Always(Verdict::Mapped(_)) | Outcome::Unknown(_) => None,
        }
    }

    /// The one difference between what is written and what would match.
    fn difference(&self, record: &Record) -> Option<NearMissReason> {
        if let Some(sso) = &record.sso {
            return self.has_permission_set(sso).then_some(NearMissReason::SsoEntry);
        }
        let reading = &record.reading;
        let meant = reading.key() == self.key;
        match (record.fate, reading.flaw) {
            (Fate::Lost(reason), _) => meant.then(|| reason.into()),
            (_, Some(ArnFlaw::Placeholder)) => {
                typo::fits_placeholder(&record.arn, self.key).then_some(NearMissReason::Placeholder)
            }
            (_, Some(ArnFlaw::InvisibleCharacters)) if meant => Some(NearMissReason::InvisibleCharacters),
            (_, Some(ArnFlaw::Quotes)) if meant => Some(NearMissReason::Quotes),
            _ if meant && reading.stripped.is_some() => Some(NearMissReason::RolePath),
            _ if meant => Some(NearMissReason::Whitespace),
            _ => {
                let other = Arn::parse(&reading.clean).ok()?;
                let elsewhere = || self.elsewhere(&Arn::parse(reading.key()).ok()?);
                self.by_kind(&other, &reading.clean).or_else(elsewhere)
            }
        }
    }

    /// Differences in what kind of thing the ARN names.
    fn by_kind(&self, other: &Arn<'_>, written: &str) -> Option<NearMissReason> {
        let own = &self.arn;
        let same_account = other.account == own.account;
        let same_name = same_account && other.name() == own.name() && !own.name().is_empty();
        match other.kind() {
            ArnKind::AssumedRole => {
                let role = RawArn::new(written).canonicalize().ok()?.0;
                let stripped = strip_path(role.as_str()).ok()?;
                (stripped == self.key).then_some(NearMissReason::SessionArn)
            }
            ArnKind::User if own.kind() == ArnKind::User && place(other) == place(own) => {
                same_name.then_some(NearMissReason::UserPathMissing)
            }
            ArnKind::Group if own.kind() == ArnKind::User => same_account.then_some(NearMissReason::IamGroup),
            ArnKind::Root if own.kind() != ArnKind::Root => same_account.then_some(NearMissReason::RootMeantAccount),
            ArnKind::InstanceProfile => same_name.then_some(NearMissReason::InstanceProfile),
            ArnKind::Policy | ArnKind::OidcProvider | ArnKind::SamlProvider | ArnKind::Other => {
                same_name.then_some(NearMissReason::NotAPrincipal)
            }
            ArnKind::Wildcard => arn_like(self.key, written).then_some(NearMissReason::Wildcard),
            _ => None,
        }
    }

    /// The same thing in another partition or account, or the same permission set with another suffix.
    fn elsewhere(&self, other: &Arn<'_>) -> Option<NearMissReason> {
        let own = &self.arn;
        let same_thing = (other.service, other.region, other.resource) == (own.service, own.region, own.resource);
        let (same_partition, same_account) = (other.partition == own.partition, other.account == own.account);
        let set = |arn: &Arn<'_>| permission_set(arn.name()).map(str::to_owned);
        match (same_thing, same_partition, same_account) {
            (false, true, true) if other.resource == own.resource => Some(NearMissReason::ServiceOrRegion),
            (true, false, true) => Some(NearMissReason::Partition),
            // The account of the root user is all there is to it.
            (true, true, false) if own.resource != "root" => Some(NearMissReason::Account),
            (false, true, true) if set(own).is_some() && set(own) == set(other) => Some(NearMissReason::SsoSuffix),
            _ => None,
        }
    }

    fn has_permission_set(&self, sso: &SsoMatcher) -> bool {
        let set = go_text::lower(&sso.permission_set_name);
        self.arn.account == sso.account_id && permission_set(self.arn.name()) == Some(set.as_str())
    }
}

/// Permission set of a role of IAM Identity Center, by its name in lower case.
/// What an ARN says before it comes to the account.
fn place<'a>(arn: &Arn<'a>) -> (&'a str, &'a str, &'a str) {
    (arn.partition, arn.service, arn.region)
}

/// The mappings of aws-auth that let nobody in, whoever they were meant for: each is held against the principal that
/// its ARN was meant to name.
pub fn in_vain(index: &MappingIndex) -> Vec<NearMiss> {
    let Seen::Known(store) = &index.aws_auth else { return Vec::new() };
    let name = StoreName::AwsAuth;
    let near_miss = |record: &Record| {
        let identity = Identity::of_arn(&meant_principal(&record.arn)?).ok()?;
        let key = identity.canonical_arn.lookup_key();
        let mapping = index.map_in(&identity, AuthenticationMode::ConfigMap);
        let deciders: Vec<&EntryRef> = mapping.outcome.entries().collect();
        let subject =
            Subject { identity: &identity, key: &key, arn: Arn::parse(&key).ok()?, mapping: &mapping, deciders };
        Some(subject.near_miss(name, record, subject.reason(name, record, &index.mode)?))
    };
    store.records.iter().filter_map(near_miss).collect()
}

/// The principal that the ARN of an entry was meant to name, as far as it tells: without blanks, a region or what else
/// does not belong there.
pub fn meant_principal(arn: &str) -> Option<String> {
    let clean = without_noise(arn);
    let arn = Arn::parse(&clean).ok()?;
    let service = if arn.kind() == ArnKind::AssumedRole { "sts" } else { "iam" };
    let resource = arn.resource.replacen("instance-profile/", "role/", 1);
    let meant = format!("arn:{}:{service}::{}:{resource}", arn.partition, arn.account);
    Identity::of_arn(&meant).is_ok().then_some(meant)
}

fn permission_set(name: &str) -> Option<&str> {
    Some(name.strip_prefix("awsreservedsso_")?.rsplit_once('_')?.0)
}

impl From<LossReason> for NearMissReason {
    fn from(reason: LossReason) -> Self {
        match reason {
            LossReason::WrongKey => Self::WrongKey,
            LossReason::SectionKey => Self::SectionKey,
            LossReason::SectionMalformed => Self::SectionMalformed,
            LossReason::OtherDocument => Self::OtherDocument,
            LossReason::MergedEntry => Self::MergedEntry,
            LossReason::EntryMalformed => Self::EntryMalformed,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::super::arn::PrincipalArn;
    use super::super::super::aws_auth::{AwsAuth, Place};
    use super::super::AccessEntry;
    use super::*;

    const ROLE: &str = "arn:aws:sts::111122223333:assumed-role/KubeAdmin/ada";
    const USER: &str = "arn:aws:iam::111122223333:user/team/alice";
    const SSO: &str = "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Dev_0123456789abcdef/ada";

    fn identity(raw: &str) -> Identity {
        Identity::of_arn(raw).unwrap()
    }

    fn index(data: &[(&str, &str)], entries: Vec<AccessEntry>) -> MappingIndex {
        let data: BTreeMap<String, String> =
            data.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
        MappingIndex {
            mode: Seen::Known(AuthenticationMode::ApiAndConfigMap),
            access_entries: Seen::Known(Store::access_entries(entries)),
            aws_auth: Seen::Known(Store::aws_auth(&AwsAuth::parse(&data))),
            creator: None,
        }
    }

    fn entry(arn: &str, entry_type: &str, username: &str) -> AccessEntry {
        AccessEntry {
            principal_arn: PrincipalArn::new(arn),
            unique_id: None,
            entry_type: Some(entry_type.to_owned()),
            username: Some(username.to_owned()),
            groups: Some(Vec::new()),
            created_at: Some("2025-06-01T00:00:00Z".parse().unwrap()),
        }
    }

    fn found(identity: &Identity, index: &MappingIndex) -> Vec<NearMiss> {
        near_misses(identity, index, &index.map(identity))
    }

    fn reasons(identity: &Identity, index: &MappingIndex) -> Vec<NearMissReason> {
        found(identity, index).into_iter().map(|near_miss| near_miss.reason).collect()
    }

    #[test]
    fn one_difference_in_the_arn() {
        use NearMissReason as R;
        for (raw, written, reason) in [
            (ROLE, "arn:aws:iam::111122223333:role/team/KubeAdmin", R::RolePath),
            (ROLE, "arn:aws:sts::111122223333:assumed-role/KubeAdmin/ada", R::SessionArn),
            (ROLE, "arn:aws:sts::111122223333:assumed-role/team/KubeAdmin/bob", R::SessionArn),
            (ROLE, "\"arn:aws:iam::111122223333:role/KubeAdmin \"", R::Whitespace),
            (ROLE, "arn:aws:iam::111122223333:role/KubeAdmin\u{200b}", R::InvisibleCharacters),
            (ROLE, "\u{201c}arn:aws:iam::111122223333:role/KubeAdmin\u{201d}", R::Quotes),
            (ROLE, "arn:aws:iam::${ACCOUNT}:role/KubeAdmin", R::Placeholder),
            (ROLE, "arn:aws-cn:iam::111122223333:role/KubeAdmin", R::Partition),
            (ROLE, "arn:aws:iam::444455556666:role/kubeadmin", R::Account),
            (ROLE, "arn:aws:iam::111122223333:role/KubeAdmins", R::EditDistance),
            (ROLE, "arn:aws:iam::111122223333:instance-profile/KubeAdmin", R::InstanceProfile),
            (ROLE, "arn:aws:iam::111122223333:policy/KubeAdmin", R::NotAPrincipal),
            (ROLE, "arn:aws:iam::111122223333:role/Kube*", R::Wildcard),
            (ROLE, "arn:aws:iam::111122223333:root", R::RootMeantAccount),
            (USER, "arn:aws:iam::111122223333:user/alice", R::UserPathMissing),
            (USER, "arn:aws:iam::111122223333:group/devs", R::IamGroup),
            (SSO, "arn:aws:iam::111122223333:role/AWSReservedSSO_Dev_fedcba9876543210", R::SsoSuffix),
        ] {
            let text = format!("- rolearn: {written}\n  username: x\n  groups: [g]\n");
            assert_eq!(reasons(&identity(raw), &index(&[("mapRoles", &text)], Vec::new())), [reason], "{written}");
        }
    }

    #[test]
    fn other_mappings_are_no_near_misses() {
        for written in [
            "arn:aws:iam::111122223333:role/Reader",
            "arn:aws:iam::111122223333:group/devs",
            "arn:aws:iam::444455556666:root",
            "arn:aws:iam::111122223333:policy/Other",
            "arn:aws:iam::444455556666:role/team/Other",
            "arn:aws:iam::111122223333:role/Other*",
            "<ROLE_ARN>",
            "KubeAdmin",
        ] {
            let text = format!("- rolearn: \"{written}\"\n  username: x\n");
            assert_eq!(reasons(&identity(ROLE), &index(&[("mapRoles", &text)], Vec::new())), [], "{written}");
        }
        let matching = "- rolearn: arn:aws:iam::111122223333:role/KUBEADMIN\n  username: x\n";
        assert_eq!(reasons(&identity(ROLE), &index(&[("mapRoles", matching)], Vec::new())), [], "letter case");
    }

    #[test]
    fn mappings_that_are_lost() {
        use NearMissReason as R;
        const ARN: &str = "arn:aws:iam::111122223333:role/KubeAdmin";
        let line = format!("- rolearn: {ARN}\n  username: x\n  groups: [g]\n");
        for (key, text, reason) in [
            ("mapRoles", format!("- userarn: {ARN}\n  username: x\n  groups: [g]\n"), R::WrongKey),
            ("mapRoles", format!("- role_arn: {ARN}\n  username: x\n  groups: [g]\n"), R::WrongKey),
            ("mapUsers", line.clone(), R::WrongKey),
            ("maproles", line.clone(), R::SectionKey),
            ("mapRole", line.clone(), R::SectionKey),
            ("mapRoles", format!("{line}  bad: [\n"), R::SectionMalformed),
            ("mapRoles", format!("rolearn: {ARN}\n"), R::SectionMalformed),
            ("mapRoles", format!("- rolearn:{ARN}\n"), R::EntryMalformed),
            ("mapRoles", format!("- - rolearn: {ARN}\n"), R::EntryMalformed),
            ("mapRoles", format!("- rolearn: {ARN}\n  username: x\n  rolearn: arn:other\n"), R::MergedEntry),
            ("mapRoles", format!("- rolearn: arn:other\n---\n{line}"), R::OtherDocument),
            ("mapRoles", format!("{line}{line}"), R::Duplicate),
        ] {
            assert_eq!(reasons(&identity(ROLE), &index(&[(key, &text)], Vec::new())), [reason], "{text}");
        }
        let sso = "- sso: {permissionSetName: Dev, accountID: '111122223333'}\n  username: x\n";
        assert_eq!(reasons(&identity(SSO), &index(&[("mapRoles", sso)], Vec::new())), [R::SsoEntry]);
    }

    #[test]
    fn a_near_miss_points_at_its_entry() {
        let text = "- rolearn: arn:aws:iam::111122223333:role/Other\n- rolearn: arn:aws:iam::111122223333:role/team/KubeAdmin\n  \
                    username: dev:{{SessionName}}\n  groups: [a, b]\n";
        let found = found(&identity(ROLE), &index(&[("mapRoles", text)], Vec::new()));
        let place = Place { line: 2, column: 12 };
        let entry = Some(Place { line: 2, column: 3 });
        assert_eq!(
            found,
            [NearMiss {
                store: StoreName::AwsAuth,
                reason: NearMissReason::RolePath,
                arn: "arn:aws:iam::111122223333:role/team/KubeAdmin".to_owned(),
                expected_arn: "arn:aws:iam::111122223333:role/KubeAdmin".to_owned(),
                entry: EntryRef::AwsAuth { section: "mapRoles".to_owned(), place, entry },
                username: Some("dev:{{SessionName}}".to_owned()),
                groups: vec!["a".to_owned(), "b".to_owned()],
            }]
        );
    }

    #[test]
    fn stores_and_modes() {
        use NearMissReason as R;
        let arn = "arn:aws:iam::111122223333:role/team/KubeAdmin";
        let line = "- rolearn: arn:aws:iam::111122223333:role/KubeAdmin\n  username: x\n";
        let data = [("mapRoles", line)];
        let mut both = index(&data, vec![entry(arn, "STANDARD", "e:x")]);
        assert_eq!(reasons(&identity(ROLE), &both), [R::Shadowed]);
        both.mode = Seen::Known(AuthenticationMode::Api);
        assert_eq!(reasons(&identity(ROLE), &both), [R::ModeIgnored]);
        both.mode = Seen::Known(AuthenticationMode::ConfigMap);
        assert_eq!(found(&identity(ROLE), &both)[0].store, StoreName::AccessEntry);
    }

    #[test]
    fn access_entries() {
        use NearMissReason as R;
        let arn = "arn:aws:iam::111122223333:role/team/KubeAdmin";
        let only = |entry: AccessEntry| index(&[], vec![entry]);
        let mut recreated = identity(ROLE);
        recreated.created_at = Some("2025-07-01T00:00:00Z".parse().unwrap());
        assert_eq!(reasons(&recreated, &only(entry(arn, "STANDARD", "e:x"))), [R::UniqueId]);
        let node = "system:node:{{EC2PrivateDNSName}}";
        assert_eq!(reasons(&identity(ROLE), &only(entry(arn, "EC2_LINUX", node))), [R::EntryType]);
        let hybrid = "system:node:{{SessionName}}";
        assert_eq!(reasons(&identity(ROLE), &only(entry(arn, "HYBRID_LINUX", hybrid))), [R::EntryType]);
        assert_eq!(reasons(&identity(ROLE), &only(entry(arn, "STANDARD", "eks:x"))), [R::ReservedUsername]);
        let elsewhere = "arn:aws:iam::444455556666:role/other/KubeAdmin";
        assert_eq!(reasons(&identity(ROLE), &only(entry(elsewhere, "STANDARD", "e:x"))), [R::Account]);
        let lines =
            "- rolearn: arn:aws:iam::111122223333:role/KubeAdmin\n  username: system:node:{{EC2PrivateDNSName}}\n";
        assert_eq!(reasons(&identity(ROLE), &index(&[("mapRoles", lines)], Vec::new())), [R::NodeTemplate]);
    }

    #[test]
    fn chance_is_a_duplicate() {
        let lines = "- userarn: arn:aws:iam::111122223333:user/team/alice\n  username: a\n- userarn: \
                     arn:aws:iam::111122223333:user/team/Alice\n  username: b\n";
        let index = index(&[("mapUsers", lines)], Vec::new());
        assert_eq!(reasons(&identity(USER), &index), [NearMissReason::Duplicate; 2]);
    }
}

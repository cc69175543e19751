//! The aws-auth ConfigMap, read as the control plane's authenticator reads it, with the place of every surprise.
//!
//! The three sections are read one by one; an error costs a section, an entry or a field, and what is good is kept.
//! Much goes wrong without any error: those are the [`Surprise`]s and the [`LostEntry`]s.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

mod arn_text;
mod entry;
mod json_error;
mod lost;
mod section;

pub use super::go_yaml::Place;
pub(crate) use arn_text::{ArnFlaw, is_placeholder, without_noise};
pub(crate) use json_error::go_json_error;

use super::go_text;

/// A section of aws-auth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Section {
    /// `mapRoles`.
    MapRoles,
    /// `mapUsers`.
    MapUsers,
    /// `mapAccounts`.
    MapAccounts,
}

/// What the authenticator makes of an aws-auth ConfigMap.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AwsAuth {
    /// Entries of `mapRoles` that are kept, in file order.
    pub roles: Vec<Entry>,
    /// Entries of `mapUsers` that are kept, in file order.
    pub users: Vec<Entry>,
    /// Items of `mapAccounts` that are kept, in file order.
    pub accounts: Vec<Account>,
    /// What the authenticator logs, in its order.
    pub errors: Vec<ParseError>,
    /// What will surprise whoever wrote this, logged or not.
    pub surprises: Vec<Surprise>,
    /// Mappings that somebody wrote and the authenticator does not have.
    pub lost: Vec<LostEntry>,
}

/// An entry that is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Where it begins.
    pub place: Place,
    /// Whom it maps.
    pub principal: EntryPrincipal,
    /// Template of the user name; empty if it is missing or was lost.
    pub username: String,
    /// Templates of the groups; `None` if the key is absent, null or was lost.
    pub groups: Option<Vec<String>>,
    /// Whether the key of its ARN is not all in small letters. Authenticators v0.5.9 to v0.5.27 did not read such.
    pub has_odd_key: bool,
}

/// Whom an entry maps.
#[derive(Debug, Clone, PartialEq)]
pub enum EntryPrincipal {
    /// `rolearn` or `userarn`. Nothing checks that it is one.
    Arn {
        /// As written, after YAML.
        arn: String,
        /// Where the value stands.
        place: Place,
    },
    /// `sso`, which EKS never matches.
    Sso(SsoMatcher),
}

/// A matcher for the roles of a permission set of IAM Identity Center.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SsoMatcher {
    /// `permissionSetName`.
    pub permission_set_name: String,
    /// `accountID`.
    pub account_id: String,
    /// `partition`; empty if it is left out.
    pub partition: String,
}

/// An item of `mapAccounts`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// As written.
    pub id: String,
    /// Where.
    pub place: Place,
}

/// An error that the authenticator logs about aws-auth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// Where it arose.
    pub section: Section,
    /// What it costs.
    pub kind: ParseErrorKind,
    /// The authenticator's words, except for [`ParseErrorKind::Yaml`], where they are our own.
    pub message: String,
    /// Where, as far as one place is to blame.
    pub place: Option<Place>,
}

/// Kinds of errors, by what they cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ParseErrorKind {
    /// Not YAML: the section is lost.
    Yaml,
    /// A section that begins with `{` is read as JSON and is no JSON: the section is lost.
    Json,
    /// A value of the wrong type: one field is lost, or the whole section if it is no list. Only the first such error of
    /// a section is logged.
    Type,
    /// An entry without ARN, or with an odd `sso`: the entry is lost.
    Validation,
}

/// Something in aws-auth that does not do what it seems to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surprise {
    /// What.
    pub kind: SurpriseKind,
    /// Key of the ConfigMap's data, as written.
    pub section: String,
    /// Where in that section.
    pub place: Place,
    /// Where the entry begins that it belongs to.
    pub entry: Option<Place>,
    /// The key or value it is about.
    pub text: String,
}

/// Kinds of surprises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SurpriseKind {
    /// A key of the data in other letters than `mapRoles`, `mapUsers`, `mapAccounts`: nothing under it is read.
    SectionKey,
    /// A YAML document behind the first one is not read.
    OtherDocument,
    /// A key of an entry that nobody reads: `group`, `role_arn`, …
    UnknownKey,
    /// A key stands twice in an entry; one of the values is ignored.
    RepeatedKey,
    /// Two ARNs in one entry: a dash is missing, and the first mapping is lost.
    MergedEntry,
    /// The entry has the ARN key of the other section.
    WrongKey,
    /// A list item that is no entry.
    EntryMalformed,
    /// The ARN is no text.
    ArnLost,
    /// The user name is no text (`yes`, `0123`, …) and becomes empty.
    UsernameLost,
    /// There is no user name.
    UsernameMissing,
    /// `groups` is no list: the entry has no groups.
    GroupsLost,
    /// There are no groups.
    GroupsMissing,
    /// A group that is empty, often because it was no text: `- system: masters`.
    GroupEmpty,
    /// A group that swallowed the line below, which is indented too far.
    GroupFolded,
    /// Text around or in the ARN that nobody sees: blanks, line ends.
    ArnWhitespace,
    /// Characters in the ARN that leave no ink.
    ArnInvisibleCharacters,
    /// Quotation marks inside the ARN.
    ArnQuotes,
    /// A placeholder that nobody filled in.
    ArnPlaceholder,
    /// The ARN of a session, as `aws sts get-caller-identity` prints it.
    ArnOfSession,
    /// The ARN of a role with its IAM path.
    ArnWithRolePath,
    /// A pattern; they are taken literally.
    ArnWildcard,
    /// An IAM group, instance profile, policy or other thing that never calls.
    ArnNotAPrincipal,
    /// A role in `mapUsers` or a user in `mapRoles`. It works, because the section does not count.
    ArnOfOtherSection,
    /// Not an ARN at all.
    ArnMalformed,
    /// The same ARN in an earlier entry of the section, which is overridden (or, for users in other letter case, wins now
    /// and then).
    Duplicate,
    /// An `sso` entry.
    SsoEntry,
    /// An account that has not twelve digits.
    AccountMalformed,
}

/// A mapping that somebody wrote and the authenticator does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostEntry {
    /// Why it is lost.
    pub reason: LossReason,
    /// Key of the ConfigMap's data, as written.
    pub section: String,
    /// Where.
    pub place: Place,
    /// The ARN as written.
    pub arn: String,
    /// Template of the user name, as far as it could be read.
    pub username: String,
    /// Templates of the groups, as far as they could be read.
    pub groups: Vec<String>,
}

/// Why a mapping is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LossReason {
    /// The ARN stands under a key that is not read there.
    WrongKey,
    /// The section's key is spelled differently.
    SectionKey,
    /// The section does not parse.
    SectionMalformed,
    /// It stands behind the first YAML document.
    OtherDocument,
    /// A later ARN in the same entry overrides it.
    MergedEntry,
    /// The entry is no map, or not a valid one.
    EntryMalformed,
}

impl Section {
    /// Every section, in the order in which the authenticator reports errors.
    pub const ALL: [Self; 3] = [Self::MapUsers, Self::MapRoles, Self::MapAccounts];

    /// Its key in the ConfigMap's data.
    pub fn key(self) -> &'static str {
        match self {
            Self::MapRoles => "mapRoles",
            Self::MapUsers => "mapUsers",
            Self::MapAccounts => "mapAccounts",
        }
    }

    /// The section that a key in another spelling was meant to be.
    fn meant_by(key: &str) -> Option<Self> {
        let letters: String = go_text::fold(key).chars().filter(|character| character.is_alphanumeric()).collect();
        Self::ALL.into_iter().find(|section| {
            let name = go_text::fold(section.key());
            strsim::damerau_levenshtein(&letters, &name) <= 1 || name.strip_prefix("map") == Some(&letters)
        })
    }
}

impl AwsAuth {
    /// Reads the `data` of the ConfigMap. A ConfigMap that does not exist is the same as one without data.
    pub fn parse(data: &BTreeMap<String, String>) -> Self {
        let mut aws_auth = Self::default();
        for section in Section::ALL {
            if let Some(text) = data.get(section.key()) {
                aws_auth.read(section, text);
            }
        }
        for (key, text) in data {
            if Section::ALL.into_iter().all(|section| section.key() != key) {
                aws_auth.read_misspelt(key, text);
            }
        }
        aws_auth.note_duplicates();
        aws_auth
    }

    fn read(&mut self, section: Section, text: &str) {
        match section {
            Section::MapRoles => {
                let read = section::read_entries(section, text);
                self.roles = read.entries;
                self.note(section.key(), read.errors, read.surprises, read.lost);
            }
            Section::MapUsers => {
                let read = section::read_entries(section, text);
                self.users = read.entries;
                self.note(section.key(), read.errors, read.surprises, read.lost);
            }
            Section::MapAccounts => {
                let read = section::read_accounts(text);
                self.accounts = read.accounts;
                self.note(section.key(), read.errors, read.surprises, Vec::new());
            }
        }
    }

    fn note(&mut self, key: &str, errors: Vec<ParseError>, surprises: Vec<Surprise>, lost: Vec<LostEntry>) {
        self.errors.extend(errors);
        self.surprises.extend(surprises.into_iter().map(|surprise| Surprise { section: key.to_owned(), ..surprise }));
        self.lost.extend(lost.into_iter().map(|entry| LostEntry { section: key.to_owned(), ..entry }));
    }

    /// A key that the authenticator does not know: whatever stands there would have been read under its right name.
    fn read_misspelt(&mut self, key: &str, text: &str) {
        let Some(section) = Section::meant_by(key) else { return };
        let place = Place { line: 1, column: 1 };
        let surprise = Surprise {
            kind: SurpriseKind::SectionKey,
            section: String::new(),
            place,
            entry: None,
            text: key.to_owned(),
        };
        let lost = lost::all_entries(section, text, LossReason::SectionKey);
        self.note(key, Vec::new(), vec![surprise], lost);
    }

    fn note_duplicates(&mut self) {
        let mut found = Vec::new();
        for (section, entries) in [(Section::MapRoles, &self.roles), (Section::MapUsers, &self.users)] {
            let mut seen = HashMap::new();
            for entry in entries {
                let EntryPrincipal::Arn { arn, place } = &entry.principal else { continue };
                if seen.insert(go_text::fold(arn), ()).is_some() {
                    found.push(Surprise {
                        kind: SurpriseKind::Duplicate,
                        section: section.key().to_owned(),
                        place: *place,
                        entry: Some(entry.place),
                        text: arn.clone(),
                    });
                }
            }
        }
        self.surprises.extend(found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(data: &[(&str, &str)]) -> AwsAuth {
        AwsAuth::parse(&data.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect())
    }

    /// Kind, line and column of every surprise in `mapRoles`.
    fn surprises(text: &str) -> Vec<(SurpriseKind, usize, usize)> {
        let surprises = parse(&[("mapRoles", text)]).surprises.into_iter();
        surprises.map(|surprise| (surprise.kind, surprise.place.line, surprise.place.column)).collect()
    }

    #[test]
    fn a_healthy_text_is_no_surprise() {
        let text = "# managed\n- rolearn: arn:aws:iam::111122223333:role/Dev\n  username: dev\n  groups: [view]\n";
        assert_eq!(surprises(text), []);
        let read = parse(&[("mapRoles", text), ("mapUsers", ""), ("mapAccounts", "- '111122223333'\n")]);
        assert_eq!((read.roles[0].place, &read.errors, &read.lost), (Place { line: 2, column: 3 }, &vec![], &vec![]));
        assert_eq!(read.accounts[0].place, Place { line: 1, column: 3 });
    }

    #[test]
    fn surprises_of_entries_have_places() {
        use SurpriseKind as S;
        const ARN: &str = "- rolearn: arn:aws:iam::111122223333:role/Dev\n";
        for (rest, expected) in [
            ("  username: yes\n  groups: [a]\n", vec![(S::UsernameLost, 2, 13)]),
            ("  groups: [a]\n", vec![(S::UsernameMissing, 1, 3)]),
            ("  username: x\n", vec![(S::GroupsMissing, 1, 3)]),
            ("  username: x\n  groups: system:masters\n", vec![(S::GroupsLost, 3, 11)]),
            ("  username: x\n  group: [a]\n", vec![(S::UnknownKey, 3, 3), (S::GroupsMissing, 1, 3)]),
            ("  username: x\n  groups:\n  - system: masters\n", vec![(S::GroupEmpty, 4, 5)]),
            ("  username: x\n  groups:\n  - a\n   - b\n", vec![(S::GroupFolded, 4, 5)]),
            ("  username: x\n  groups: [a]\n  groups: [b]\n", vec![(S::RepeatedKey, 3, 3)]),
            ("  username: x\n  groups: [a]\n  userarn: y\n", vec![(S::WrongKey, 4, 3)]),
        ] {
            assert_eq!(surprises(&format!("{ARN}{rest}")), expected, "{rest}");
        }
        assert_eq!(
            surprises("- rolearn: arn:aws:iam::111122223333:user/ada\n  username:\n  groups: x\n"),
            [(S::GroupsLost, 3, 11), (S::ArnOfOtherSection, 1, 12), (S::UsernameMissing, 1, 3)]
        );
        let merged = format!("{ARN}  username: x\n  groups: [a]\n  {}", &ARN[2..]);
        assert_eq!(surprises(&merged), [(S::MergedEntry, 1, 3)]);
        let twice = format!("{ARN}  username: x\n  groups: [a]\n{ARN}  username: x\n  groups: [a]\n");
        assert_eq!(surprises(&twice), [(S::Duplicate, 4, 12)]);
        assert_eq!(surprises("- role/Dev\n"), [(S::EntryMalformed, 1, 3)]);
        let later = format!("{ARN}  username: x\n  groups: [a]\n---\n{ARN}");
        assert_eq!(surprises(&later), [(S::OtherDocument, 4, 1)]);
    }

    #[test]
    fn surprises_of_sections_and_accounts() {
        let read = parse(&[("MapRoles", "- rolearn: arn:x\n"), ("notes", "hello"), ("mapAccounts", "- 123\n")]);
        let kinds: Vec<_> = read.surprises.iter().map(|surprise| (surprise.kind, surprise.section.as_str())).collect();
        assert_eq!(kinds, [(SurpriseKind::AccountMalformed, "mapAccounts"), (SurpriseKind::SectionKey, "MapRoles")]);
        assert_eq!(read.lost[0].section, "MapRoles");
    }

    #[test]
    fn repeated_keys_fill_the_same_memory() {
        // Go sorts the keys; what a later value does not set stays from the earlier one.
        let text =
            "- rolearn: x\n  username: a\n  UserName: b\n  GROUPS: [a, b, c]\n  Groups: [d]\n  groups: [null, 1, e]\n";
        let read = parse(&[("mapRoles", text)]);
        assert_eq!(read.roles[0].username, "a");
        assert_eq!(read.roles[0].groups.as_deref().unwrap(), ["d", "b", "e"]);
    }

    #[test]
    fn hostile_texts_end_soon() {
        let bomb: String = (1..40).fold("- &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned(), |text, level| {
            let references = vec![format!("*a{}", level - 1); 9].join(", ");
            format!("{text}- &a{level} [{references}]\n")
        });
        let documents = "---\n".repeat(20_000);
        let open = "[".repeat(100_000);
        let merges: String = (1..3000).fold("- &a0 {rolearn: x}\n".to_owned(), |text, level| {
            format!("{text}- &a{level} {{<<: *a{}}}\n", level - 1)
        });
        let quotes = "- 'a\n".repeat(10_000);
        for text in [bomb, documents, open, merges, quotes] {
            parse(&[("mapRoles", &text), ("mapUsers", &text), ("mapAccounts", &text)]);
        }
    }
}

//! One entry of `mapRoles` or `mapUsers`: Go's `encoding/json` fills a struct, then the authenticator validates it.

use super::super::arn::{Arn, Partition};
use super::super::go_text;
use super::super::go_yaml::{Document, Field, NodeId, Place, Value};
use super::{ArnFlaw, Entry, EntryPrincipal, LossReason, LostEntry, Section, SsoMatcher, Surprise, SurpriseKind, lost};

/// Reads the entries of one section.
pub(super) struct EntryReader<'d> {
    pub(super) document: &'d Document,
    pub(super) section: Section,
    /// The first value of a wrong type; the later ones are not reported.
    pub(super) type_error: Option<(String, Place)>,
    pub(super) surprises: Vec<Surprise>,
    pub(super) lost: Vec<LostEntry>,
}

/// An entry on its way into the struct.
#[derive(Default)]
struct Filling {
    arn: Option<(String, Place)>,
    has_odd_key: bool,
    sso: Option<SsoMatcher>,
    username: String,
    groups: Groups,
    /// What was there and could not be read.
    username_lost: bool,
    groups_lost: bool,
    /// ARNs under keys that this section does not read.
    stray_arns: Vec<(String, Place)>,
}

/// A Go slice of strings. Filling it a second time reuses its memory, and a value of a wrong type leaves there what was.
#[derive(Default)]
struct Groups {
    memory: Vec<String>,
    length: Option<usize>,
}

/// The places of a struct that a key can name.
enum Target {
    Arn,
    Sso,
    Username,
    Groups,
    UserId,
}

impl EntryReader<'_> {
    /// Reads one item of the section's list; the error is that of the validation.
    pub(super) fn read(&mut self, item: NodeId) -> Result<Entry, String> {
        let place = self.document.place(item);
        let mut filling = Filling::default();
        match self.document.value(item) {
            Value::Object => {
                for field in self.document.fields(item) {
                    self.fill(&mut filling, &field, place);
                }
                self.inspect(&filling, place);
            }
            value => {
                if value != Value::Null {
                    self.mismatch(&value, None, &format!("config.{}", self.struct_name()), place);
                }
                self.surprise(SurpriseKind::EntryMalformed, place, place, "");
                self.lose_arns_below(item);
            }
        }
        self.validate(filling, place)
    }

    fn fill(&mut self, filling: &mut Filling, field: &Field, entry: Place) {
        let document = self.document;
        let Some(target) = self.target(&field.key) else { return self.unknown_key(filling, field, entry) };
        if let Some((place, _)) = field.shadowed.last() {
            let kind =
                if matches!(target, Target::Arn) { SurpriseKind::MergedEntry } else { SurpriseKind::RepeatedKey };
            self.surprise(kind, *place, entry, &field.key);
        }
        let (value, place) = (document.value(field.value), document.place(field.value));
        match target {
            Target::Arn => {
                for (_, shadowed) in &field.shadowed {
                    if let Value::Text(arn) = document.value(*shadowed) {
                        self.lost.push(lost::lost(LossReason::MergedEntry, document.place(*shadowed), &arn));
                    }
                }
                let name = self.arn_key();
                if let Some(arn) = self.text(&value, name, place) {
                    filling.arn = Some((arn, place));
                    filling.has_odd_key = field.key != name;
                } else if value != Value::Null {
                    self.surprise(SurpriseKind::ArnLost, place, entry, "");
                    self.lose_arns_below(field.value);
                }
            }
            Target::Username => match self.text(&value, "username", place) {
                Some(username) => filling.username = username,
                None if value == Value::Null => {}
                None => {
                    filling.username_lost = true;
                    self.surprise_at(SurpriseKind::UsernameLost, field.value, entry);
                }
            },
            Target::Groups => {
                filling.groups_lost |= !matches!(value, Value::List(_) | Value::Null);
                self.fill_groups(&mut filling.groups, field.value, entry);
            }
            Target::Sso => self.fill_sso(&mut filling.sso, field.value),
            Target::UserId => drop(self.text(&value, "userid", place)),
        }
    }

    fn fill_groups(&mut self, groups: &mut Groups, value: NodeId, entry: Place) {
        let document = self.document;
        match document.value(value) {
            Value::List(items) => {
                for (position, item) in items.iter().enumerate() {
                    if groups.memory.len() <= position {
                        groups.memory.push(String::new());
                    }
                    let read = document.value(*item);
                    if let Some(group) = self.text(&read, "groups", document.place(*item)) {
                        groups.memory[position] = group;
                    }
                    let group = groups.memory[position].clone();
                    if group.is_empty() {
                        self.surprise_at(SurpriseKind::GroupEmpty, *item, entry);
                    } else if document.is_folded(*item) && group.contains(" - ") {
                        self.surprise(SurpriseKind::GroupFolded, document.place(*item), entry, &group);
                    }
                }
                if items.is_empty() {
                    groups.memory.clear();
                }
                groups.length = Some(items.len());
            }
            Value::Null => *groups = Groups::default(),
            other => {
                self.mismatch(&other, Some((self.struct_name(), "groups")), "[]string", document.place(value));
                self.surprise_at(SurpriseKind::GroupsLost, value, entry);
            }
        }
    }

    fn fill_sso(&mut self, sso: &mut Option<SsoMatcher>, value: NodeId) {
        let document = self.document;
        match document.value(value) {
            Value::Null => *sso = None,
            Value::Object => {
                let matcher = sso.get_or_insert_default();
                for field in document.fields(value) {
                    let (target, name) = match go_text::fold(&field.key).as_str() {
                        "permissionsetname" => (&mut matcher.permission_set_name, "sso.permissionSetName"),
                        "accountid" => (&mut matcher.account_id, "sso.accountID"),
                        "partition" => (&mut matcher.partition, "sso.partition"),
                        _ => continue,
                    };
                    match document.value(field.value) {
                        Value::Text(text) => *target = text.into_owned(),
                        Value::Null => {}
                        other => {
                            let place = document.place(field.value);
                            self.mismatch(&other, Some(("SSOARNMatcher", name)), "string", place);
                        }
                    }
                }
            }
            other => {
                sso.get_or_insert_default();
                let name = Some((self.struct_name(), "sso"));
                self.mismatch(&other, name, "config.SSOARNMatcher", document.place(value));
            }
        }
    }

    /// The text of a string field; a value of another type is reported, null is nothing.
    fn text(&mut self, value: &Value<'_>, name: &str, place: Place) -> Option<String> {
        match value {
            Value::Text(text) => Some(text.clone().into_owned()),
            Value::Null => None,
            other => {
                self.mismatch(other, Some((self.struct_name(), name)), "string", place);
                None
            }
        }
    }

    fn unknown_key(&mut self, filling: &mut Filling, field: &Field, entry: Place) {
        if let Value::Text(text) = self.document.value(field.value)
            && text.trim_start().starts_with("arn:")
        {
            filling.stray_arns.push((text.into_owned(), self.document.place(field.value)));
        }
        let folded = go_text::fold(&field.key);
        let kind = if folded == "rolearn" || folded == "userarn" || folded == "sso" {
            SurpriseKind::WrongKey
        } else {
            SurpriseKind::UnknownKey
        };
        self.surprise(kind, field.place, entry, &field.key);
    }

    /// What will surprise about an entry that could be read.
    fn inspect(&mut self, filling: &Filling, entry: Place) {
        if let Some((arn, place)) = &filling.arn {
            if let Some(flaw) = ArnFlaw::of(arn) {
                self.surprise(flaw.surprise(), *place, entry, arn);
            } else if self.is_of_other_section(arn) {
                self.surprise(SurpriseKind::ArnOfOtherSection, *place, entry, arn);
            }
        }
        if filling.sso.is_some() {
            self.surprise(SurpriseKind::SsoEntry, entry, entry, "");
        }
        if filling.username.is_empty() && !filling.username_lost {
            self.surprise(SurpriseKind::UsernameMissing, entry, entry, "");
        }
        if filling.groups.length.unwrap_or(0) == 0 && !filling.groups_lost {
            self.surprise(SurpriseKind::GroupsMissing, entry, entry, "");
        }
    }

    fn validate(&mut self, filling: Filling, place: Place) -> Result<Entry, String> {
        let Filling { arn, has_odd_key, sso, username, groups, stray_arns, .. } = filling;
        let groups = groups.length.map(|length| groups.memory.into_iter().take(length).collect());
        let arn = arn.filter(|(arn, _)| !arn.is_empty());
        let (refusal, lost_arns, reason) = match (&arn, &sso, self.section) {
            (None, None, Section::MapRoles) => {
                (Some("one of rolearn or SSO must be supplied".to_owned()), stray_arns, LossReason::WrongKey)
            }
            (None, _, Section::MapUsers | Section::MapAccounts) => {
                (Some("value for userarn must be supplied".to_owned()), stray_arns, LossReason::WrongKey)
            }
            (Some(arn), Some(_), Section::MapRoles) => {
                let refusal = "only one of rolearn or SSO can be supplied".to_owned();
                (Some(refusal), vec![arn.clone()], LossReason::EntryMalformed)
            }
            (None, Some(sso), Section::MapRoles) => (validate_sso(sso).err(), Vec::new(), LossReason::EntryMalformed),
            (Some(_), _, _) => (None, Vec::new(), LossReason::WrongKey),
        };
        if let Some(refusal) = refusal {
            for (arn, place) in lost_arns {
                let groups: Option<Vec<String>> = groups.clone();
                let groups = groups.unwrap_or_default();
                self.lost.push(LostEntry { username: username.clone(), groups, ..lost::lost(reason, place, &arn) });
            }
            return Err(refusal);
        }
        let principal = match (arn, sso) {
            (Some((arn, place)), _) => EntryPrincipal::Arn { arn, place },
            (None, sso) => EntryPrincipal::Sso(sso.unwrap_or_default()),
        };
        Ok(Entry { place, principal, username, groups, has_odd_key })
    }

    /// ARNs in what should have been an entry or an ARN.
    fn lose_arns_below(&mut self, node: NodeId) {
        for (text, place) in self.document.texts_below(node) {
            self.lost.extend(lost::mentions(text, place, LossReason::EntryMalformed));
        }
    }

    fn mismatch(&mut self, value: &Value<'_>, field: Option<(&str, &str)>, wanted: &str, place: Place) {
        let value = type_name(value);
        let into = match field {
            Some((structure, name)) => format!("Go struct field {structure}.{name}"),
            None => "Go value".to_owned(),
        };
        let message = format!("json: cannot unmarshal {value} into {into} of type {wanted}");
        self.type_error.get_or_insert((message, place));
    }

    fn surprise_at(&mut self, kind: SurpriseKind, node: NodeId, entry: Place) {
        let text = self.document.scalar(node).map(|(text, _)| text.to_owned()).unwrap_or_default();
        self.surprise(kind, self.document.place(node), entry, &text);
    }

    fn surprise(&mut self, kind: SurpriseKind, place: Place, entry: Place, text: &str) {
        let (section, entry, text) = (String::new(), Some(entry), text.to_owned());
        self.surprises.push(Surprise { kind, section, place, entry, text });
    }

    fn target(&self, key: &str) -> Option<Target> {
        match go_text::fold(key).as_str() {
            key if key == self.arn_key() => Some(Target::Arn),
            "sso" if self.section == Section::MapRoles => Some(Target::Sso),
            "username" => Some(Target::Username),
            "groups" => Some(Target::Groups),
            "userid" => Some(Target::UserId),
            _ => None,
        }
    }

    /// Whether this is a role in `mapUsers` or a user in `mapRoles`.
    fn is_of_other_section(&self, arn: &str) -> bool {
        let lower = go_text::lower(arn);
        let is_role = Arn::parse(&lower).is_ok_and(|arn| arn.resource_type() == "role");
        is_role != (self.section == Section::MapRoles)
    }

    fn arn_key(&self) -> &'static str {
        if self.section == Section::MapRoles { "rolearn" } else { "userarn" }
    }

    fn struct_name(&self) -> &'static str {
        struct_name(self.section)
    }
}

/// The authenticator's type for an entry of the section.
pub(super) fn struct_name(section: Section) -> &'static str {
    if section == Section::MapRoles { "RoleMapping" } else { "UserMapping" }
}

/// `encoding/json`'s word for a value.
pub(super) fn type_name(value: &Value<'_>) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool => "bool",
        Value::Number => "number",
        Value::Text(_) => "string",
        Value::List(_) => "array",
        Value::Object => "object",
    }
}

fn validate_sso(sso: &SsoMatcher) -> Result<(), String> {
    let SsoMatcher { permission_set_name, account_id, partition } = sso;
    if account_id.len() != 12 || !account_id.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(format!("AccountID '{account_id}' is not a valid AWS Account ID"));
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    if !(1..=32).contains(&permission_set_name.len()) || !permission_set_name.bytes().all(allowed) {
        return Err(format!("PermissionSetName '{permission_set_name}' is not a valid AWS SSO PermissionSet Name"));
    }
    if !partition.is_empty() && Partition::from_id(partition).is_none() {
        return Err(format!("partition '{partition}' is not a valid AWS partition"));
    }
    Ok(())
}

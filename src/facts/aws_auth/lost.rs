//! Mappings that the authenticator does not have, as far as the text still tells them.

use super::super::go_yaml::Place;
use super::{Entry, EntryPrincipal, LossReason, LostEntry, Section, section};

/// Every mapping of a text that is not read for this reason.
pub(super) fn all_entries(section: Section, text: &str, reason: LossReason) -> Vec<LostEntry> {
    if section == Section::MapAccounts {
        return Vec::new();
    }
    let read = section::read_entries(section, text);
    let kept = read.entries.into_iter().filter_map(|entry| lost_entry(entry, reason));
    kept.chain(read.lost.into_iter().map(|lost| LostEntry { reason, ..lost })).collect()
}

/// Every ARN in a text that cannot be read, with nothing known of its entry.
pub(super) fn mentions(text: &str, begin: Place, reason: LossReason) -> Vec<LostEntry> {
    let mut mentions = Vec::new();
    for (index, line) in text.split('\n').enumerate() {
        let (mut column, mut counted, mut from) = (if index == 0 { begin.column } else { 1 }, 0, 0);
        while let Some(start) = line[from..].find("arn:").map(|found| from + found) {
            // `rolearn:` ends in the same letters.
            if line[..start].ends_with(char::is_alphanumeric) {
                from = start + "arn:".len();
                continue;
            }
            column += line[counted..start].chars().count();
            counted = start;
            from = line[start..].find(ends_arn).map_or(line.len(), |length| start + length);
            mentions.push(lost(reason, Place { line: begin.line + index, column }, &line[start..from]));
        }
    }
    mentions
}

/// A lost mapping of which only the ARN is known.
pub(super) fn lost(reason: LossReason, place: Place, arn: &str) -> LostEntry {
    LostEntry {
        reason,
        section: String::new(),
        place,
        arn: arn.to_owned(),
        username: String::new(),
        groups: Vec::new(),
    }
}

fn lost_entry(entry: Entry, reason: LossReason) -> Option<LostEntry> {
    match entry.principal {
        EntryPrincipal::Arn { arn, place } => Some(LostEntry {
            username: entry.username,
            groups: entry.groups.unwrap_or_default(),
            ..lost(reason, place, &arn)
        }),
        EntryPrincipal::Sso(_) => None,
    }
}

fn ends_arn(character: char) -> bool {
    character.is_whitespace() || matches!(character, '"' | '\'' | ',' | '[' | ']' | '{' | '}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_are_found_in_any_text() {
        let text = "- rolearn:arn:aws:iam::1:role/a\n  {x: 'arn:aws:iam::1:user/b', é arn:c}\n";
        let found = mentions(text, Place { line: 5, column: 3 }, LossReason::SectionMalformed);
        let found: Vec<_> = found.iter().map(|lost| (lost.arn.as_str(), lost.place.line, lost.place.column)).collect();
        assert_eq!(found, [("arn:aws:iam::1:role/a", 5, 13), ("arn:aws:iam::1:user/b", 6, 8), ("arn:c", 6, 34)]);
    }
}

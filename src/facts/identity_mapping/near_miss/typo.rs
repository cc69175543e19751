//! Whether one ARN was meant to be another: few edits, or a placeholder in its place.

use super::super::super::arn::Arn;
use super::super::super::aws_auth::is_placeholder;
use super::super::super::go_text;

/// Edits between an ARN as written and the one that would match; `None` if they are too many for a typo.
pub(super) fn distance(own: &Arn<'_>, key: &str, written: &str) -> Option<usize> {
    if written.len().abs_diff(key.len()) > 2 * MAX_EDITS {
        return None;
    }
    let written = go_text::lower(written);
    let name = own.name();
    let limit = match name.len() {
        0..=2 => 0,
        3..=5 => 1,
        _ => MAX_EDITS,
    };
    if unshared(key, &written) > limit {
        return None;
    }
    // Names in a series (`nodes-1`, `nodes-2`) are neighbours, not typos.
    if without_digits(key) == without_digits(&written) && is_plain(key, &written) {
        return None;
    }
    let distance = strsim::osa_distance(key, &written);
    (1..=limit).contains(&distance).then_some(distance)
}

/// More edits than this are another name.
const MAX_EDITS: usize = 2;

/// Whether the two differ in their names only, not in their accounts.
fn is_plain(key: &str, written: &str) -> bool {
    let account = |text: &str| Arn::parse(text).map(|arn| arn.account.to_owned()).ok();
    account(key).is_some() && account(key) == account(written)
}

fn without_digits(text: &str) -> String {
    text.chars().filter(|character| !character.is_ascii_digit()).collect()
}

/// How many bytes the longer list of differences has when order does not count: never more than the edits, and much
/// faster to tell.
fn unshared(one: &str, other: &str) -> usize {
    let mut counts = [0_i32; 256];
    one.bytes().for_each(|byte| counts[usize::from(byte)] += 1);
    other.bytes().for_each(|byte| counts[usize::from(byte)] -= 1);
    let surplus: i32 = counts.iter().filter(|count| **count > 0).sum();
    let lack: i32 = counts.iter().filter(|count| **count < 0).sum();
    surplus.max(-lack).unsigned_abs() as usize
}

/// Whether the ARN would match if its placeholders were filled in.
pub(super) fn fits_placeholder(written: &str, key: &str) -> bool {
    let pattern = pattern_of(written);
    // A text that is nothing but a placeholder fits everything and tells nothing.
    pattern.trim_matches('*').len() > "arn:aws:iam::".len() && glob(&go_text::lower(&pattern), key)
}

/// The ARN with `*` for every placeholder.
fn pattern_of(written: &str) -> String {
    let mut pattern = written.to_owned();
    for (open, close) in [("${", "}"), ("{{", "}}"), ("$(", ")"), ("<", ">")] {
        let mut result = String::with_capacity(pattern.len());
        let mut rest = pattern.as_str();
        while let Some((before, behind)) = rest.split_once(open) {
            result.push_str(before);
            result.push('*');
            rest = behind.split_once(close).map_or("", |(_, behind)| behind);
        }
        result.push_str(rest);
        pattern = result;
    }
    if is_placeholder(&pattern)
        && let Ok(Arn { partition, service, region, resource, .. }) = Arn::parse(&pattern)
    {
        return format!("arn:{partition}:{service}:{region}:*:{resource}");
    }
    pattern
}

/// Whether the text fits a pattern of literal parts and `*`.
fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut last = None;
    for part in parts {
        if let Some(earlier) = last.replace(part) {
            let Some((_, behind)) = rest.split_once(earlier) else { return false };
            rest = behind;
        }
    }
    last.map_or(rest.is_empty(), |last| rest.ends_with(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "arn:aws:iam::111122223333:role/kubeadmin";

    fn edits(written: &str) -> Option<usize> {
        distance(&Arn::parse(KEY).unwrap(), KEY, written)
    }

    #[test]
    fn typos() {
        assert_eq!(edits("arn:aws:iam::111122223333:role/KubeAdmins"), Some(1));
        assert_eq!(edits("arn:aws:iam::111122223333:role/KubeAmdin"), Some(1));
        assert_eq!(edits("arn:aws:iam:111122223333:role/KubeAdmin"), Some(1));
        assert_eq!(edits("arn:aws:iam::111122223333:roles/KubAdmin"), Some(2));
        assert_eq!(edits("arn:aws:iam::111122223333:role/KubeReader"), None);
        let node = "arn:aws:iam::111122223333:role/nodes-12";
        let series = |written: &str| distance(&Arn::parse(node).unwrap(), node, written);
        assert_eq!(series("arn:aws:iam::111122223333:role/nodes-13"), None);
        assert_eq!(series("arn:aws:iam::111122223333:role/node-12"), Some(1));
    }

    #[test]
    fn placeholders() {
        for written in [
            "arn:aws:iam::${AWS_ACCOUNT_ID}:role/KubeAdmin",
            "arn:aws:iam::<ACCOUNT>:role/KubeAdmin",
            "arn:aws:iam::ACCOUNT_ID:role/KubeAdmin",
            "arn:aws:iam::111122223333:role/<role name>",
        ] {
            assert!(fits_placeholder(written, KEY), "{written}");
        }
        assert!(!fits_placeholder("<ARN of instance role (not instance profile)>", KEY));
        assert!(!fits_placeholder("arn:aws:iam::${ACCOUNT}:role/Other", KEY));
    }
}

//! Whether one ARN was meant to be another: few edits, or a placeholder in its place.

use super::super::super::arn::Arn;
use super::super::super::aws_auth::is_placeholder;
use super::super::super::go_text;

/// More edits than this are another name.
const MAX_EDITS: usize = 2;

/// Edits between an ARN as written, in lower case, and the one that would match; `None` if they are too many for a typo.
pub(super) fn distance(own: &Arn<'_>, key: &str, written: &str) -> Option<usize> {
    let limit = match own.name().len() {
        0..=2 => return None,
        3..=5 => 1,
        _ => MAX_EDITS,
    };
    if written.len().abs_diff(key.len()) > 4 * MAX_EDITS {
        return None;
    }
    let (ours, theirs) = differing_parts(key, written);
    // Names in a series (`nodes-1`, `nodes-2`) are neighbours, not typos.
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if (digits(ours) && digits(theirs)) || unshared(ours, theirs) > limit {
        return None;
    }
    let distance = strsim::osa_distance(ours, theirs);
    (1..=limit).contains(&distance).then_some(distance)
}

/// The two texts without what they begin and end with in common.
fn differing_parts<'a>(one: &'a str, other: &'a str) -> (&'a str, &'a str) {
    let same = |(one, other): &(char, char)| one == other;
    let beginning: usize =
        one.chars().zip(other.chars()).take_while(same).map(|(character, _)| character.len_utf8()).sum();
    let (one, other) = (one.get(beginning..).unwrap_or_default(), other.get(beginning..).unwrap_or_default());
    let end: usize =
        one.chars().rev().zip(other.chars().rev()).take_while(same).map(|(character, _)| character.len_utf8()).sum();
    let before_end = |text: &'a str| text.get(..text.len() - end).unwrap_or_default();
    (before_end(one), before_end(other))
}

/// How many bytes the longer list of differences has when order does not count: in ASCII never more than the edits, and
/// much faster to tell.
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
        distance(&Arn::parse(KEY).unwrap(), KEY, &go_text::lower(written))
    }

    #[test]
    fn typos() {
        assert_eq!(edits("arn:aws:iam::111122223333:role/KubeAdmins"), Some(1));
        assert_eq!(edits("arn:aws:iam::111122223333:role/KubeAmdin"), Some(1));
        assert_eq!(edits("arn:aws:iam:111122223333:role/KubeAdmin"), Some(1));
        assert_eq!(edits("arn:aws:iam::111122223333:roles/KubAdmin"), Some(2));
        assert_eq!(edits("arn:aws:iam::111122223333:role/KubeReader"), None);
        assert_eq!(edits("arn:aws:iam::111122223333:rôle/KubeAdmin"), Some(1));
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

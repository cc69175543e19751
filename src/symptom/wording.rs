//! What somebody's own words say of the symptom, where a text holds no message that is known: "unauthorized errors from
//! the cluster", "nodes do not join". Words hint at a symptom; only a status is taken at its word.

use super::SymptomClass;

/// Words in small letters, each with the symptom that it hints at. Blanks at the ends stand for the ends of words.
const WORDS: [(&str, SymptomClass); 57] = [
    (" unauthori", SymptomClass::Unauthorized),
    (" 401 ", SymptomClass::Unauthorized),
    (" not authenticat", SymptomClass::Unauthorized),
    (" authenticat", SymptomClass::Unauthorized),
    (" logged in ", SymptomClass::Unauthorized),
    (" log in ", SymptomClass::Unauthorized),
    (" login ", SymptomClass::Unauthorized),
    (" no access ", SymptomClass::Unauthorized),
    (" lost access ", SymptomClass::Unauthorized),
    (" locked out ", SymptomClass::Unauthorized),
    (" not mapped ", SymptomClass::Unauthorized),
    (" forbidden ", SymptomClass::Forbidden),
    (" 403 ", SymptomClass::Forbidden),
    (" permission", SymptomClass::Forbidden),
    (" not allowed ", SymptomClass::Forbidden),
    (" may not ", SymptomClass::Forbidden),
    (" may do nothing ", SymptomClass::Forbidden),
    (" do nothing ", SymptomClass::Forbidden),
    (" rbac ", SymptomClass::Forbidden),
    (" anonymous ", SymptomClass::Anonymous),
    (" exec plugin ", SymptomClass::Exec),
    (" get token ", SymptomClass::Exec),
    (" executable ", SymptomClass::Exec),
    (" command not found ", SymptomClass::Exec),
    (" credential plugin ", SymptomClass::Exec),
    (" sts ", SymptomClass::Aws),
    (" sso ", SymptomClass::Aws),
    (" mfa ", SymptomClass::Aws),
    (" profile ", SymptomClass::Aws),
    (" access key", SymptomClass::Aws),
    (" aws credentials ", SymptomClass::Aws),
    (" aws api ", SymptomClass::Aws),
    (" accessdenied", SymptomClass::Aws),
    (" expired", SymptomClass::Aws),
    (" kubeconfig ", SymptomClass::Configuration),
    (" yaml ", SymptomClass::Configuration),
    (" context ", SymptomClass::Configuration),
    (" timeout ", SymptomClass::Network),
    (" time out ", SymptomClass::Network),
    (" timed out ", SymptomClass::Network),
    (" times out ", SymptomClass::Network),
    (" hang", SymptomClass::Network),
    (" unreachable ", SymptomClass::Network),
    (" cannot reach ", SymptomClass::Network),
    (" cannot connect ", SymptomClass::Network),
    (" connection", SymptomClass::Network),
    (" resolve", SymptomClass::Network),
    (" dns ", SymptomClass::Network),
    (" proxy ", SymptomClass::Network),
    (" certificate", SymptomClass::Tls),
    (" x509 ", SymptomClass::Tls),
    (" tls ", SymptomClass::Tls),
    (" console ", SymptomClass::Console),
    (" nodes ", SymptomClass::Node),
    (" node ", SymptomClass::Node),
    (" notready ", SymptomClass::Node),
    (" kubelet ", SymptomClass::Node),
];

/// The words that are a status of the API server.
const STATUS: [&str; 4] = [" unauthori", " 401 ", " forbidden ", " 403 "];

/// Words by which a status may be said to be gone, or never to have been.
const GONE: [&str; 8] =
    [" no longer ", " not a ", " no 401 ", " no 403 ", " instead of ", " fixed ", " used to ", " not unauthori"];

/// As much of a text as is read: nobody describes a failure at greater length.
const READ: usize = 4096;

/// What the words of a text hint at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Wording {
    /// The symptoms hinted at; empty for a text that says nothing of one.
    pub(crate) hinted: Vec<SymptomClass>,
    /// The one status of the API server that it names.
    pub(crate) status: Option<SymptomClass>,
}

/// Reads the words of a text.
pub(crate) fn read(text: &str) -> Wording {
    let words: String = text.chars().take(READ).map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
    let words = words.to_lowercase();
    let words = format!(" {} ", words.split_whitespace().collect::<Vec<_>>().join(" "));
    let found = WORDS.iter().filter(|(word, _)| words.contains(word));
    let mut wording = Wording::default();
    let mut statuses = Vec::new();
    for (word, class) in found {
        if !wording.hinted.contains(class) {
            wording.hinted.push(*class);
        }
        if STATUS.contains(word) && !statuses.contains(class) {
            statuses.push(*class);
        }
    }
    wording.status = match statuses.as_slice() {
        _ if GONE.iter().any(|word| words.contains(word)) => None,
        [_] if wording.hinted.contains(&SymptomClass::Anonymous) => Some(SymptomClass::Anonymous),
        [status] => Some(*status),
        _ => None,
    };
    wording
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_words_hint_at_a_symptom() {
        let cases = [
            (
                "unauthorized errors from the cluster",
                vec![SymptomClass::Unauthorized],
                Some(SymptomClass::Unauthorized),
            ),
            ("We get a 401.", vec![SymptomClass::Unauthorized], Some(SymptomClass::Unauthorized)),
            ("Forbidden for the mapped role", vec![SymptomClass::Forbidden], Some(SymptomClass::Forbidden)),
            ("sometimes 401, sometimes 403", vec![SymptomClass::Unauthorized, SymptomClass::Forbidden], None),
            ("Karpenter nodes do not join", vec![SymptomClass::Node], None),
            ("no connection to the second cluster", vec![SymptomClass::Network], None),
            ("no longer unauthorized, but slow", vec![SymptomClass::Unauthorized], None),
            ("14010 pods", vec![], None),
            ("nichts geht mehr", vec![], None),
        ];
        for (text, hinted, status) in cases {
            assert_eq!(read(text), Wording { hinted, status }, "{text}");
        }
    }

    #[test]
    fn a_long_text_is_read_at_its_beginning_only() {
        assert_eq!(read(&("x ".repeat(READ) + "unauthorized")), Wording::default());
    }
}

//! The words of an aws-auth ConfigMap: user names, groups and keys, most of them of the kind that goes wrong.

/// Scalars that YAML 1.1, Go or the authenticator read in their own way.
pub(crate) const WORDS: &[&str] = &[
    "admin", "admin", "admin", "dev", "dev", "view", "system:masters", "system:masters", "system:nodes", "system:bootstrappers",
    "system:node:{{EC2PrivateDNSName}}", "{{EC2PrivateDNSName}}", "{{SessionName}}", "{{SessionNameRaw}}", "admin:{{SessionName}}",
    "aws:{{AccountID}}:x", "{{AccessKeyID}}", "{{ SessionName }}", "{{sessionname}}", "{{AccountID}}{{SessionName}}", "x{{}}", "{{",
    "eks:admin", "iam:x", "amazon:y", "AWS:z", "system:anonymous", "jane@corp.example", "team a", "team  b", "a, b", "a,b",
    "yes", "no", "on", "off", "y", "n", "Y", "N", "true", "False", "TRUE", "tRue", "null", "Null", "NULL", "~", "nil",
    "0", "1", "-1", "+1", "0123", "012345678901", "089", "0x1f", "0X1F", "0b11", "0o17", "1_000", "1e3", "1E+3", "1.", ".5", "-.5",
    "1.5", "1.5e400", "1_0.5", "190:20:30", "12:30", ".inf", "-.INF", "+.inf", ".nan", ".NaN", "-", "--", "+", ".", "..", "1__2", "0x",
    "0b2", "0777777777777777777777777", "9223372036854775808", "18446744073709551616", "-9223372036854775809", "2026-11-21",
    "2026-11-21T10:00:00Z", "2026-11-21 10:00:00", "<<", "=", "---x", "a#b", "a:b", "a::b", ":a", "a?b", "!a", "a!", "a'b", "a\"b",
    "a\\b", "é", "日本", "\u{1f600}", "a\u{a0}b", "a\u{200b}", "\u{feff}a", "a\u{2028}b", "\u{85}", "a\tb", "",
];

/// Plain text that is not a plain scalar, or not the whole of one.
pub(crate) const TRAPS: &[&str] = &[
    "{{SessionName}}", "{{EC2PrivateDNSName}}:x", "@alice", "`a`", "%a", "*a", "&a", "*base", "&b x", "!x", "!!x", "!<x> y", "!!str 1",
    "!!int 1", "!!int x", "!!bool yes", "!!float 1", "!!null x", "!!binary YWJj", "!!binary %", "!!timestamp 2026-11-21",
    "| x", "> x", "a: b", "a : b", "a:", "a #b", "# a", "'a", "a' b", "\"a", "\"a\" b", "[a", "a]", "{a", "a}", "[a, b]", "{a: b}",
    "? a", "- a", ", a", "a\n\nb",
];

/// What stands in the place of an ARN key.
pub(crate) const ARN_KEYS: &[&str] = &[
    "rolearn", "rolearn", "rolearn", "rolearn", "rolearn", "rolearn", "roleARN", "RoleArn", "ROLEARN", "role\u{17f}arn", "role arn",
    "rolearn ", "rolearns", "role_arn", "arn", "userarn", "userarn", "userARN", "u\u{17f}erarn", "\u{17f}so", "principalArn", "rolearn\u{200b}",
    "r\u{f6}learn", "",
];

pub(crate) const USERNAME_KEYS: &[&str] = &[
    "username", "username", "username", "username", "username", "username", "userName", "UserName", "USERNAME", "u\u{17f}ername",
    "user", "username ",
];

pub(crate) const GROUPS_KEYS: &[&str] =
    &["groups", "groups", "groups", "groups", "groups", "groups", "Groups", "GROUPS", "group\u{17f}", "group", "groups:", "kubernetesGroups"];

/// Keys that mean nothing to the authenticator, some of them no strings.
pub(crate) const OTHER_KEYS: &[&str] = &[
    "note", "userid", "sso", "yes", "on", "1", "1.5", "0x10", "~", "null", "2026-11-21", "<<", "=", ".inf", ".nan", "[a, b]", "{a: b}", "? a",
];

/// Characters that mean something to a YAML scanner, and some that should not.
pub(crate) const CHARACTERS: &[&str] = &[
    "\t", "\t", "\t", " ", " ", " ", "  ", "\n", "\n", "\n\n", ":", ":", ": ", " :", "-", "- ", "#", " #", "'", "\"", "'", "\"", "{", "}",
    "[", "]", ",", "&", "*", "!", "|", ">", "%", "@", "`", "?", "? ", "~", "\r", "\r\n", "\u{a0}", "\u{200b}", "\u{feff}", "\u{85}", "\u{2028}",
    "\u{7f}", "\u{1}", "\\",
];

/// A section that holds no list of entries.
pub(crate) const WHOLE_SECTIONS: &[&str] = &[
    "", " ", "\n", "\u{a0}", "\u{3000}\n", "``", "''", "\"\"", " '' \n", "\" \"", "null", "~", "[]", "{}", "# nothing here\n", "-", "- ", "-\n-\n", "---",
    "---\n", "...", "--- []\n...\n", "- null", "- []", "- {}", "- rolearn", "word", "12", "true", "{rolearn: x}", "{\"rolearn\": \"x\"}",
    "\t",
];

//! The grammar of `--action`: what `kubectl auth can-i` would make of the words, and back.
//!
//! kubectl asks the API server which resources exist; here the built-in ones of Kubernetes 1.33 are known and all others
//! are taken at their word. Three times the words are read as the API server would see the request itself and not as
//! kubectl asks about it: a cluster-scoped resource gets no namespace; an object of `namespaces` is in itself; and
//! `pods/log` is the subresource, as in rules and error messages, and not the pod with the name `log`.

use std::fmt;

use crate::evidence::Action;

mod built_in;
mod forbidden;
mod words;

pub use built_in::{BuiltIn, Scope, built_in};
pub use forbidden::{Forbidden, parse_forbidden};

use built_in::{BUILT_IN, resolve};
use words::{Word, split};

/// An action as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedAction {
    action: Action,
    uses_default_namespace: bool,
    /// What the reader should know about how the words were read.
    pub notes: Vec<ActionNote>,
}

/// Something about the words that is no error and may be none of what was meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActionNote {
    /// The resource is not one of Kubernetes' own: a custom resource, or misspelt.
    NotBuiltIn {
        /// As it was written.
        resource: String,
        /// A built-in resource that is spelled nearly so.
        suggestion: Option<&'static str>,
    },
    /// No API server asks for this verb by itself.
    UnusualVerb {
        /// As it was written.
        verb: String,
        /// A common verb that is spelled nearly so.
        suggestion: Option<&'static str>,
    },
    /// A namespace was given for a resource that has none.
    NamespaceIgnored {
        /// The resource.
        resource: &'static str,
    },
    /// `pods/log` was read as the subresource; kubectl reads it as the pod with the name `log`.
    ReadAsSubresource {
        /// The resource.
        resource: &'static str,
        /// The subresource.
        subresource: String,
    },
}

/// Words that are no action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionError {
    /// The column at which it goes wrong; the first one is 1.
    pub column: usize,
    /// What is wrong, in words that fit behind "failed to read the action:".
    pub problem: String,
    /// What to write instead.
    pub help: Option<String>,
}

const RESOURCE_VERBS: &[&str] = &[
    "get",
    "list",
    "watch",
    "create",
    "update",
    "patch",
    "delete",
    "deletecollection",
    "use",
    "bind",
    "impersonate",
    "*",
    "approve",
    "sign",
    "escalate",
    "attest",
];
const PATH_VERBS: &[&str] = &["get", "put", "post", "head", "options", "delete", "patch", "*"];
const FLAGS: &[&str] = &["--namespace", "--all-namespaces", "--subresource"];

/// Reads the words behind `kubectl auth can-i`: `get pods -n dev`, `create deployments.apps`, `get /healthz`, `* *`,
/// `get pods --subresource=log`, `list nodes`, `get po/web-0 -A`.
pub fn parse(text: &str) -> Result<ParsedAction, ActionError> {
    let mut flags = Flags::default();
    let mut arguments = Vec::new();
    let mut words = split(text)?.into_iter();
    while let Some(word) = words.next() {
        match word.text.starts_with('-') && word.text.len() > 1 {
            true => flags.read(word, &mut words)?,
            false => arguments.push(word),
        }
    }
    let end = text.chars().count() + 1;
    let [verb, object] = <[Word; 2]>::try_from(arguments).map_err(|words| wrong_count(&words, end))?;
    if verb.text.is_empty() {
        return Err(error(verb.column, "the verb is empty".to_owned(), None));
    }
    if object.text.starts_with('/') {
        return path(verb, object, flags);
    }
    // `.apps` is a group without a resource.
    if object.text.is_empty() || object.text.starts_with('.') {
        return Err(error(object.column, "the resource is empty".to_owned(), None));
    }
    Ok(resource(verb, object, flags))
}

impl ParsedAction {
    /// The action, in `default_namespace` (the kubeconfig context's, else `default`) where the words name none and
    /// the resource needs one.
    pub fn in_namespace(&self, default_namespace: &str) -> Action {
        let mut action = self.action.clone();
        if self.uses_default_namespace {
            action.namespace = Some(default_namespace.to_owned());
        }
        action
    }
}

#[derive(Default)]
struct Flags {
    namespace: Option<String>,
    all_namespaces: bool,
    subresource: Option<Word>,
}

impl Flags {
    fn read(&mut self, word: Word, rest: &mut impl Iterator<Item = Word>) -> Result<(), ActionError> {
        let (name, joined) = match word.text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            // `-ndev`
            None => match word.text.strip_prefix("-n") {
                Some(value) if !value.is_empty() => ("-n", Some(value.to_owned())),
                _ => (word.text.as_str(), None),
            },
        };
        let mut value = || match &joined {
            Some(value) => Ok(value.clone()),
            None => rest
                .next()
                .map(|next| next.text)
                .ok_or_else(|| error(word.column, format!("{name} needs a value"), None)),
        };
        match name {
            "-n" | "--namespace" => self.namespace = Some(value()?).filter(|namespace| !namespace.is_empty()),
            "--subresource" => self.subresource = Some(Word { text: value()?, column: word.column }),
            "-A" | "--all-namespaces" => {
                self.all_namespaces = match joined.as_deref() {
                    None | Some("true") => true,
                    Some("false") => false,
                    Some(_) => return Err(error(word.column, format!("{name} is true or false"), None)),
                }
            }
            _ => {
                let known = nearest(name, FLAGS.iter().copied());
                return Err(error(word.column, format!("unknown flag {name}"), known.map(did_you_mean)));
            }
        }
        Ok(())
    }
}

fn path(verb: Word, path: Word, flags: Flags) -> Result<ParsedAction, ActionError> {
    if let Some(subresource) = flags.subresource.filter(|subresource| !subresource.text.is_empty()) {
        return Err(error(subresource.column, "a path has no subresources".to_owned(), None));
    }
    let notes = unusual_verb(&verb.text, PATH_VERBS).into_iter().collect();
    let action = Action { verb: verb.text, path: Some(path.text), ..Action::default() };
    Ok(ParsedAction { action, uses_default_namespace: false, notes })
}

fn resource(verb: Word, object: Word, flags: Flags) -> ParsedAction {
    let mut notes = Vec::from_iter(unusual_verb(&verb.text, RESOURCE_VERBS));
    let (word, mut name) = match object.text.split_once('/') {
        Some((word, name)) => (word, Some(name)),
        None => (object.text.as_str(), None),
    };
    let known = find(word);
    let (group, plural) = match known {
        Some(known) => (known.group.to_owned(), known.plural.to_owned()),
        None => at_its_word(word),
    };
    if known.is_none() && word != "*" {
        let names = BUILT_IN.iter().flat_map(|known| [known.plural, known.singular]);
        notes.push(ActionNote::NotBuiltIn { resource: word.to_owned(), suggestion: nearest(word, names) });
    }
    let mut subresource = flags.subresource.map(|subresource| subresource.text);
    if let (Some(known), None, Some(given)) = (known, &subresource, name) {
        let (own_name, last) = given.rsplit_once('/').unwrap_or(("", given));
        // Only in the spelling of rules: `svc/proxy` is a service.
        let as_in_rules = word.split('.').next() == Some(known.plural);
        if as_in_rules && known.subresources.contains(&last) {
            (name, subresource) = (Some(own_name), Some(last.to_owned()));
            notes.push(ActionNote::ReadAsSubresource { resource: known.plural, subresource: last.to_owned() });
        }
    }
    let given = flags.namespace.filter(|_| !flags.all_namespaces);
    let action = Action {
        verb: verb.text,
        group,
        resource: Some(plural),
        subresource,
        namespace: given.clone(),
        name: name.map(str::to_owned),
        path: None,
    };
    let action = as_requested(&action);
    let is_cluster_scoped = known.is_some_and(|known| known.scope == Scope::Cluster);
    if let Some(known) = known.filter(|_| given.is_some() && given != action.namespace) {
        notes.push(ActionNote::NamespaceIgnored { resource: known.plural });
    }
    let uses_default_namespace = given.is_none() && !flags.all_namespaces && !is_cluster_scoped;
    ParsedAction { action, uses_default_namespace, notes }
}

/// The action as the API server sees the request itself, whatever a SubjectAccessReview would ask about: a built-in
/// cluster-scoped resource has no namespace, and one object of `namespaces` is in itself, so that a RoleBinding there
/// counts. Empty fields become absent.
pub fn as_requested(action: &Action) -> Action {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let (resource, name) = (given(&action.resource), given(&action.name));
    let known = built_in(&action.group, resource.as_deref().unwrap_or_default());
    let namespace = match known.filter(|known| known.scope == Scope::Cluster) {
        Some(known) => name.clone().filter(|_| is_namespaces(known)),
        None => given(&action.namespace),
    };
    let (subresource, path) = (given(&action.subresource), given(&action.path));
    Action { resource, subresource, namespace, name, path, ..action.clone() }
}

fn is_namespaces(resource: &BuiltIn) -> bool {
    resource.group.is_empty() && resource.plural == "namespaces"
}

/// The built-in resource that a word means: `deploy`, `Deployment`, `deployments.apps`, `deployments.v1.apps`.
fn find(word: &str) -> Option<&'static BuiltIn> {
    let word = word.to_lowercase();
    let (name, group) = word.split_once('.').unwrap_or((&word, ""));
    let versioned = group.split_once('.').filter(|(version, _)| is_version(version));
    versioned.and_then(|(_, group)| resolve(name, group)).or_else(|| resolve(name, group))
}

/// Group and plural of a resource that is not built in. `*` alone is all resources.
fn at_its_word(word: &str) -> (String, String) {
    let lower = word.to_lowercase();
    match lower.split_once('.') {
        None => (String::new(), word.to_owned()),
        Some((name, group)) => {
            let versioned = group.split_once('.').filter(|(version, _)| is_version(version));
            (versioned.map_or(group, |(_, group)| group).to_owned(), name.to_owned())
        }
    }
}

/// `v1`, `v1beta1`, `v2alpha10`
fn is_version(text: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    let Some(rest) = text.strip_prefix('v') else { return false };
    number(rest)
        || ["alpha", "beta"]
            .iter()
            .any(|stage| rest.split_once(stage).is_some_and(|(major, minor)| number(major) && number(minor)))
}

/// The arguments of `kubectl auth can-i` that ask for the action.
pub fn can_i_arguments(action: &Action) -> Vec<String> {
    let mut arguments = vec![action.verb.clone()];
    if let Some(path) = action.path.as_ref().filter(|path| !path.is_empty()) {
        arguments.push(path.clone());
        return arguments;
    }
    let plural = action.resource.as_deref().unwrap_or_default();
    let known = built_in(&action.group, plural);
    let mut object = plural.to_owned();
    if !action.group.is_empty() {
        object = format!("{object}.{}", action.group);
    }
    let name = action.name.as_deref().filter(|name| !name.is_empty());
    if let Some(name) = name {
        object = format!("{object}/{name}");
    }
    arguments.push(object);
    let last = name.map(|name| name.rsplit_once('/').map_or(name, |(_, last)| last));
    match action.subresource.as_deref().filter(|subresource| !subresource.is_empty()) {
        Some(subresource) => arguments.push(format!("--subresource={subresource}")),
        // Says that the name is a name.
        None if known.zip(last).is_some_and(|(known, last)| known.subresources.contains(&last)) => {
            arguments.push("--subresource=".to_owned());
        }
        None => {}
    }
    match action.namespace.as_deref().filter(|namespace| !namespace.is_empty()) {
        Some(namespace) => arguments.extend(["-n".to_owned(), namespace.to_owned()]),
        None if known.is_some_and(|known| known.scope == Scope::Cluster) => {}
        None => arguments.push("-A".to_owned()),
    }
    arguments
}

/// The action in words that [`parse`] reads: `get pods -n dev`. Words with white space or other oddities are quoted, and
/// lose the NUL characters that no argument can have.
pub fn display(action: &Action) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "*/.:@=_+,%-".contains(letter);
    let quoted = |word: String| match shlex::try_quote(&word.replace('\0', "")) {
        Ok(quoted) if word.is_empty() || !word.chars().all(plain) => quoted.into_owned(),
        _ => word,
    };
    can_i_arguments(action).into_iter().map(quoted).collect::<Vec<_>>().join(" ")
}

fn unusual_verb(verb: &str, usual: &[&'static str]) -> Option<ActionNote> {
    let suggestion = || nearest(verb, usual.iter().copied());
    (!usual.contains(&verb)).then(|| ActionNote::UnusualVerb { verb: verb.to_owned(), suggestion: suggestion() })
}

/// The candidate that differs from the word by at most a third of its letters.
fn nearest(word: &str, candidates: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let word = word.to_lowercase();
    // A long word is no slip of a short one, and comparing it would take long.
    if word.len() > 64 {
        return None;
    }
    let distances = candidates.map(|candidate| (strsim::osa_distance(&word, candidate), candidate));
    let near = distances.filter(|(distance, candidate)| distance * 3 <= candidate.len());
    near.min_by_key(|(distance, _)| *distance).map(|(_, candidate)| candidate)
}

fn wrong_count(arguments: &[Word], end: usize) -> ActionError {
    match arguments {
        [] => {
            error(end, "there is no verb".to_owned(), Some("write VERB RESOURCE, as in `get pods -n dev`".to_owned()))
        }
        [verb] => error(end, format!("there is no resource or path behind {}", verb.text), None),
        [_, object, extra, ..] => {
            let help = Some(format!("write {}/{} for the object with this name", object.text, extra.text));
            error(extra.column, format!("{} is one word too many", extra.text), help)
        }
        [_, _] => error(end, "the words are no action".to_owned(), None),
    }
}

fn did_you_mean(word: &str) -> String {
    format!("did you mean {word}?")
}

fn error(column: usize, problem: String, help: Option<String>) -> ActionError {
    ActionError { column, problem, help }
}

impl fmt::Display for ActionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (column {})", self.problem, self.column)?;
        self.help.iter().try_for_each(|help| write!(f, "; {help}"))
    }
}

impl std::error::Error for ActionError {}

impl fmt::Display for ActionNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (said, suggestion) = match self {
            Self::NotBuiltIn { resource, suggestion } => {
                (format!("{resource} is not a resource of Kubernetes itself"), suggestion)
            }
            Self::UnusualVerb { verb, suggestion } => (format!("{verb} is not a common verb"), suggestion),
            Self::NamespaceIgnored { resource } => (format!("{resource} are in no namespace"), &None),
            Self::ReadAsSubresource { resource, subresource } => {
                let kubectl = format!("kubectl auth can-i needs --subresource={subresource} for it");
                (format!("{resource}/{subresource} was read as the subresource; {kubectl}"), &None)
            }
        };
        f.write_str(&said)?;
        suggestion.iter().try_for_each(|suggestion| write!(f, "; {}", did_you_mean(suggestion)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn notes(text: &str) -> Vec<String> {
        parse(text).unwrap().notes.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_default_namespace_is_for_what_needs_one() {
        let namespace = |text: &str| parse(text).unwrap().in_namespace("team").namespace;
        assert_eq!(namespace("get pods").as_deref(), Some("team"));
        assert_eq!(namespace("* *").as_deref(), Some("team"));
        assert_eq!(namespace("get pods -n dev").as_deref(), Some("dev"));
        assert_eq!(namespace("get ns/dev").as_deref(), Some("dev"));
        for text in ["get pods -A", "list nodes", "list nodes -n dev", "get /healthz", "create ns"] {
            assert_eq!(namespace(text), None, "{text}");
        }
    }

    #[test]
    fn an_action_is_taken_as_the_request_would_be() {
        let action = |namespace: &str, resource: &str, name: &str| Action {
            verb: "get".to_owned(),
            resource: Some(resource.to_owned()),
            namespace: Some(namespace.to_owned()),
            name: Some(name.to_owned()),
            ..Action::default()
        };
        let namespace = |action| as_requested(&action).namespace;
        assert_eq!(namespace(action("default", "nodes", "a")), None);
        assert_eq!(namespace(action("default", "namespaces", "dev")).as_deref(), Some("dev"));
        assert_eq!(namespace(action("default", "namespaces", "")), None);
        assert_eq!(namespace(action("default", "widgets", "")).as_deref(), Some("default"));
        assert_eq!(as_requested(&action("", "pods", "")).name, None);
    }

    #[test]
    fn a_known_subresource_is_no_name() {
        let read = |text: &str| {
            let action = parse(text).unwrap().in_namespace("dev");
            (action.name.unwrap_or_default(), action.subresource.unwrap_or_default())
        };
        let pair = |name: &str, subresource: &str| (name.to_owned(), subresource.to_owned());
        assert_eq!(read("get pods/log"), pair("", "log"));
        assert_eq!(read("get pods/web-0/log"), pair("web-0", "log"));
        assert_eq!(read("patch deployments.apps/scale"), pair("", "scale"));
        assert_eq!(read("get pods/log --subresource="), pair("log", ""));
        assert_eq!(read("get pods/log --subresource=status"), pair("log", "status"));
        assert_eq!(read("get pod/log"), pair("log", ""));
        assert_eq!(read("get pods/web-0"), pair("web-0", ""));
    }

    #[test]
    fn words_with_nul_are_quoted_all_the_same() {
        let action = Action { verb: "$(x)\0".to_owned(), path: Some("/".to_owned()), ..Action::default() };
        assert_eq!(display(&action), "'$(x)' /");
    }

    #[test]
    fn notes_say_what_may_not_be_meant() {
        assert_eq!(notes("get pods -n dev"), [""; 0]);
        assert_eq!(notes("get widgets.example.com"), ["widgets.example.com is not a resource of Kubernetes itself"]);
        let expected = [
            "lsit is not a common verb; did you mean list?",
            "podz is not a resource of Kubernetes itself; did you mean pods?",
        ];
        assert_eq!(notes("lsit podz"), expected);
        assert_eq!(notes("list nodes -n dev"), ["nodes are in no namespace"]);
        let expected = "pods/log was read as the subresource; kubectl auth can-i needs --subresource=log for it";
        assert_eq!(notes("get pods/log"), [expected]);
        assert_eq!(notes("post /healthz"), [""; 0]);
        assert_eq!(notes("list /healthz"), ["list is not a common verb"]);
    }

    #[test]
    fn errors_name_the_place() {
        for (text, expected) in [
            ("", "there is no verb (column 1); write VERB RESOURCE, as in `get pods -n dev`"),
            ("get", "there is no resource or path behind get (column 4)"),
            (
                "get pods web-0",
                "web-0 is one word too many (column 10); write pods/web-0 for the object with this name",
            ),
            ("get pods --namspace=dev", "unknown flag --namspace (column 10); did you mean --namespace?"),
            ("get pods -n", "-n needs a value (column 10)"),
            ("get 'pods", "the quote is not closed (column 5)"),
            ("get ''", "the resource is empty (column 5)"),
            ("get .", "the resource is empty (column 5)"),
            ("get 'a\0b'", "no argument can have a NUL character (column 7)"),
            ("get /healthz --subresource=x", "a path has no subresources (column 14)"),
            ("get pods -A=maybe", "-A is true or false (column 10)"),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), expected, "{text}");
        }
    }

    #[test]
    fn every_built_in_resource_is_found_by_all_its_names() {
        for known in BUILT_IN {
            let qualified = |name: &str| format!("{name}.{}", known.group);
            for name in [known.plural, known.singular].iter().chain(known.short_names) {
                assert_eq!(find(&qualified(name)), Some(known), "{name}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            let _ = parse(&text);
            let _ = parse_forbidden(&text);
        }

        #[test]
        fn what_is_displayed_is_read_back(
            verb in "[a-z*]{1,6}", word in 0..BUILT_IN.len(), name in "|[a-z.0-9 '\"\\\\-]{1,8}|log|web/log",
            subresource in "|log|a b", namespace in "|[a-z0-9-]{1,6}", path in any::<bool>(),
        ) {
            let known = &BUILT_IN[word];
            let some = |text: String| Some(text).filter(|text| !text.is_empty());
            let namespaced = known.scope == Scope::Namespaced;
            let namespace = if is_namespaces(known) { some(name.clone()) } else { some(namespace).filter(|_| namespaced) };
            let action = if path {
                Action { verb, path: Some(format!("/{name}")), ..Action::default() }
            } else {
                let (group, resource) = (known.group.to_owned(), Some(known.plural.to_owned()));
                Action { verb, group, resource, subresource: some(subresource), namespace, name: some(name), path: None }
            };
            let text = display(&action);
            prop_assert_eq!(parse(&text).unwrap().in_namespace("default"), action, "{}", text);
        }
    }
}

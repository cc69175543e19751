//! Reads the API server's own words for a refusal: who wanted to do what.

use crate::evidence::Action;

/// What a Forbidden message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forbidden {
    /// The Kubernetes user name, as the API server knows the caller.
    pub username: String,
    /// What the user wanted to do; `None` if the message is cut off before it says where.
    pub action: Option<Action>,
    /// What the authorizers said, if they said anything: `RBAC: clusterrole.rbac.authorization.k8s.io "x" not found`.
    pub reason: Option<String>,
}

/// Finds the first refusal by an authorizer in any text, a complete one before one that is cut off, such as
/// `pods "web-0" is forbidden: User "ada" cannot get resource "pods" in API group "" in the namespace "dev"`.
///
/// Line breaks of a narrow terminal and the backslashes of JSON do not matter. A 403 from admission or a webhook has
/// other words and gives `None`.
pub fn parse_forbidden(text: &str) -> Option<Forbidden> {
    if text.contains("User \\\"") {
        return find(&text.replace("\\\"", "\""));
    }
    find(text)
}

fn find(text: &str) -> Option<Forbidden> {
    let mut refusals = text.match_indices("User").filter_map(|(at, _)| refusal(text.get(..at)?, text.get(at..)?));
    let first = refusals.next()?;
    if first.action.is_some() {
        return Some(first);
    }
    Some(refusals.find(|refusal| refusal.action.is_some()).unwrap_or(first))
}

fn refusal(before: &str, text: &str) -> Option<Forbidden> {
    let mut rest = Rest(text);
    rest.literal("User")?;
    let username = rest.quoted()?;
    rest.literal("cannot")?;
    let Some(action) = action(&mut rest, before) else {
        return Some(Forbidden { username, action: None, reason: None });
    };
    let line = rest.0.split(['\n', '\r']).next().unwrap_or_default();
    let reason = line.strip_prefix(':').map(str::trim).filter(|reason| !reason.is_empty()).map(str::to_owned);
    Some(Forbidden { username, action: Some(action), reason })
}

fn action(rest: &mut Rest<'_>, before: &str) -> Option<Action> {
    let action = Action { verb: rest.word()?, ..Action::default() };
    match rest.literal("path") {
        Some(()) => Some(Action { path: Some(rest.quoted()?), ..action }),
        None => resource(rest, Action { name: object_name(before), ..action }),
    }
}

fn resource(rest: &mut Rest<'_>, action: Action) -> Option<Action> {
    let (combined, group) = match rest.literal("resource") {
        Some(()) => {
            let combined = rest.quoted()?;
            ["in", "API", "group"].iter().try_for_each(|word| rest.literal(word))?;
            (combined, rest.quoted()?)
        }
        // Before Kubernetes 1.12: `cannot list deployments.extensions at the cluster scope`.
        None => {
            let word = rest.word()?;
            let (combined, group) = word.split_once('.').unwrap_or((&word, ""));
            let (group, subresource) = group.split_once('/').unwrap_or((group, ""));
            let slash = if subresource.is_empty() { "" } else { "/" };
            (format!("{combined}{slash}{subresource}"), group.to_owned())
        }
    };
    let namespace = match rest.literal("in") {
        Some(()) => {
            ["the", "namespace"].iter().try_for_each(|word| rest.literal(word))?;
            Some(rest.quoted()?)
        }
        None => {
            ["at", "the", "cluster", "scope"].iter().try_for_each(|word| rest.literal(word))?;
            None
        }
    };
    let (resource, subresource) = match combined.split_once('/') {
        Some((resource, subresource)) => (resource.to_owned(), Some(subresource.to_owned())),
        None => (combined, None),
    };
    Some(Action { group, resource: Some(resource), subresource, namespace, ..action })
}

/// The name of the object in `pods "web-0" is forbidden:`, which stands before the user.
fn object_name(before: &str) -> Option<String> {
    let before = ["forbidden:", "is"].iter().try_fold(before, |text, word| text.trim_end().strip_suffix(word))?;
    let before = before.trim_end().strip_suffix('"')?;
    let (_, name) = before.rsplit_once('"')?;
    (!name.is_empty()).then(|| name.to_owned())
}

/// What is still to be read.
struct Rest<'t>(&'t str);

impl Rest<'_> {
    /// Takes a word, and the white space before it.
    fn literal(&mut self, word: &str) -> Option<()> {
        self.0 = self.0.trim_start().strip_prefix(word)?;
        Some(())
    }

    fn word(&mut self) -> Option<String> {
        let text = self.0.trim_start();
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        let (word, rest) = text.split_at_checked(end).filter(|(word, _)| !word.is_empty())?;
        self.0 = rest;
        Some(word.to_owned())
    }

    /// Takes a text in quotes, in which a backslash stands before quotes and backslashes.
    fn quoted(&mut self) -> Option<String> {
        let mut letters = self.0.trim_start().strip_prefix('"')?.chars();
        let mut text = String::new();
        loop {
            match letters.next()? {
                '"' => break,
                '\\' => match letters.next()? {
                    escaped @ ('"' | '\\') => text.push(escaped),
                    other => text.extend(['\\', other]),
                },
                letter => text.push(letter),
            }
        }
        self.0 = letters.as_str();
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (String, String, Option<String>) {
        let forbidden = parse_forbidden(text).unwrap();
        (forbidden.username, super::super::display(&forbidden.action.unwrap()), forbidden.reason)
    }

    #[test]
    fn messages_of_the_api_server() {
        for (text, user, action) in [
            (
                r#"Error from server (Forbidden): pods is forbidden: User "ada" cannot list resource "pods" in API group "" in the namespace "dev""#,
                "ada",
                "list pods -n dev",
            ),
            (
                r#"pods "web-0" is forbidden: User "ada" cannot get resource "pods" in API group "" in the namespace "dev""#,
                "ada",
                "get pods/web-0 -n dev",
            ),
            (
                r#"nodes is forbidden: User "arn:aws:sts::111122223333:assumed-role/dev/a" cannot list resource "nodes" in API group "" at the cluster scope"#,
                "arn:aws:sts::111122223333:assumed-role/dev/a",
                "list nodes",
            ),
            (
                r#"pods is forbidden: User "" cannot list resource "pods" in API group "" at the cluster scope"#,
                "",
                "list pods -A",
            ),
            (
                r#"pods "web-0" is forbidden: User "ada" cannot get resource "pods/log" in API group "" in the namespace "dev""#,
                "ada",
                "get pods/web-0 --subresource=log -n dev",
            ),
            (r#"forbidden: User "system:anonymous" cannot get path "/healthz""#, "system:anonymous", "get /healthz"),
            (
                r#"deployments.apps "web" is forbidden: User "ada" cannot patch resource "deployments" in API group "apps" in the namespace "dev""#,
                "ada",
                "patch deployments.apps/web -n dev",
            ),
            (
                r#"namespaces "dev" is forbidden: User "ada" cannot get resource "namespaces" in API group "" in the namespace "dev""#,
                "ada",
                "get namespaces/dev -n dev",
            ),
            (
                r#"{"message":"pods is forbidden: User \"ada\" cannot list resource \"pods\" in API group \"\" in the namespace \"dev\"","code":403}"#,
                "ada",
                "list pods -n dev",
            ),
            (
                "pods is forbidden: User \"ada\"\n  cannot list resource \"pods\"\r\nin API group \"\" in the\nnamespace \"dev\"",
                "ada",
                "list pods -n dev",
            ),
            (
                r#"User "ada" cannot list deployments.extensions in the namespace "dev".: "Unknown""#,
                "ada",
                "list deployments.extensions -n dev",
            ),
            (r#"User "ada" cannot list nodes at the cluster scope"#, "ada", "list nodes"),
            (
                r#"User "a \"b\" c" cannot list resource "nodes" in API group "" at the cluster scope"#,
                "a \"b\" c",
                "list nodes",
            ),
        ] {
            assert_eq!(read(text), (user.to_owned(), action.to_owned(), read(text).2), "{text}");
        }
    }

    #[test]
    fn the_reason_stands_behind_a_colon() {
        let text = "nodes is forbidden: User \"ada\" cannot list resource \"nodes\" in API group \"\" at the cluster \
                    scope: RBAC: clusterrole.rbac.authorization.k8s.io \"x\" not found\nmore";
        assert_eq!(read(text).2.as_deref(), Some(r#"RBAC: clusterrole.rbac.authorization.k8s.io "x" not found"#));
        assert_eq!(read("User \"ada\" cannot get path \"/\"").2, None);
    }

    #[test]
    fn a_message_that_is_cut_off_still_names_the_user() {
        let text = r#"secrets "x" is forbidden: User "ada" cannot list resource "secrets": no relationship found"#;
        let forbidden = Forbidden { username: "ada".to_owned(), action: None, reason: None };
        assert_eq!(parse_forbidden(text), Some(forbidden));
        let text = format!("{text}\nforbidden: User \"eve\" cannot get path \"/\"");
        assert_eq!(read(&text), ("eve".to_owned(), "get /".to_owned(), None));
    }

    #[test]
    fn other_texts_are_no_refusals() {
        for text in [
            "",
            "User",
            "User \"ada",
            "User \"ada\" can",
            "User ada cannot get pods",
            "admission webhook denied the request",
            "pods \"x\" is forbidden: exceeded quota",
        ] {
            assert_eq!(parse_forbidden(text), None, "{text}");
        }
        // A long text without any takes no time.
        assert_eq!(parse_forbidden(&"User \"x\" cannot ".repeat(100_000)).unwrap().action, None);
        assert_eq!(parse_forbidden(&"User \"".repeat(100_000)), None);
    }
}

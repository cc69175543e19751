//! Whether the failing client has a kubeconfig that it can use, and a context in it. What is seen here may be fine while
//! the failing program looks elsewhere, as under sudo or in CI; its message tells.

use super::{ContextProblem, KubeconfigState, Look, OBSERVATION, Selected, document::text};
use crate::{
    facts::{
        pasted::{self, Pasted},
        value::Fact,
    },
    symptom::SymptomClass,
};

/// Whether the failing client finds no kubeconfig. One that asks AWS needs none, and one that the API server answers has
/// a configuration of its own, as Terraform's providers have: that there is none here stops neither.
pub(super) fn is_missing(look: &Look<'_>, pasted: &Pasted) -> Fact<bool> {
    if look.state == Some(KubeconfigState::Missing) && (is_configured(pasted) || dials_port_80(&pasted.text)) {
        return Fact::known(false, pasted::OBSERVATION);
    }
    let is_of_another =
        pasted.proves.is_some_and(|cause| cause.starts_with("kubeconfig/") && cause != "kubeconfig/missing");
    if look.state == Some(KubeconfigState::Missing) && is_of_another {
        return Fact::unknown(OBSERVATION, "there is none here, but the failing program seems to read one");
    }
    is_state(look, KubeconfigState::Missing, "kubeconfig/missing", pasted)
}

/// Whether a file is there that the failing client cannot read or parse.
pub(super) fn is_unreadable(look: &Look<'_>, pasted: &Pasted) -> Fact<bool> {
    is_state(look, KubeconfigState::Unreadable, "kubeconfig/unreadable", pasted)
}

/// Whether the text is of a client that knows where the cluster is, or does not ask it.
fn is_configured(pasted: &Pasted) -> bool {
    let talks_to_itself = ["localhost", "127.0.0.1", "[::1]"].iter().any(|host| pasted.text.contains(host));
    let is_of = |class: &SymptomClass| match class {
        SymptomClass::Configuration => false,
        SymptomClass::Network => !talks_to_itself,
        _ => true,
    };
    !pasted.classes.is_empty() && pasted.classes.iter().all(is_of)
}

/// Whether a Go program such as Terraform's provider dialled this machine, since nobody gave it a server. kubectl dials
/// port 8080.
pub(super) fn dials_port_80(text: &str) -> bool {
    const DIALLED: [&str; 4] = ["127.0.0.1:80:", "[::1]:80:", "localhost:80:", "http://localhost/api"];
    DIALLED.iter().any(|dialled| text.contains(dialled))
}

fn is_state(look: &Look<'_>, state: KubeconfigState, cause: &str, pasted: &Pasted) -> Fact<bool> {
    match look.state {
        Some(seen) if seen == state => Fact::known(true, OBSERVATION),
        _ if pasted.proves(cause) => Fact::known(true, pasted::OBSERVATION),
        Some(KubeconfigState::Present) if pasted.may_be(cause) => {
            Fact::unknown(OBSERVATION, "it is fine here, but the failing program seems to read another one")
        }
        Some(_) => Fact::known(false, OBSERVATION),
        None => Fact::Unknown(look.unsettled.clone()),
    }
}

/// What is wrong with the context in use.
pub(super) fn context_problem(look: &Look<'_>, pasted: &Pasted) -> Fact<Option<ContextProblem>> {
    let stated = match pasted.proves {
        Some("kubeconfig/no-current-context") => Some(ContextProblem::ContextMissing),
        Some("kubeconfig/dangling-reference") if pasted.text.contains("auth info") => Some(ContextProblem::UserMissing),
        Some("kubeconfig/dangling-reference") => Some(ContextProblem::ClusterMissing),
        _ => None,
    };
    match (look.state, seen(look), stated) {
        (Some(KubeconfigState::Present), Some(seen), _) => Fact::known(Some(seen), OBSERVATION),
        (_, _, Some(stated)) => Fact::known(Some(stated), pasted::OBSERVATION),
        (Some(KubeconfigState::Present), None, None) if mentions_lost_context(pasted) => {
            Fact::unknown(OBSERVATION, "it is fine here, but the failing program seems to ask for another context")
        }
        (Some(KubeconfigState::Present), None, None) if !look.is_whole() => {
            Fact::unknown(OBSERVATION, "only a part of it was seen")
        }
        (Some(KubeconfigState::Present | KubeconfigState::Missing), None, None) => Fact::known(None, OBSERVATION),
        _ => Fact::Unknown(look.unsettled.clone()),
    }
}

/// What the kubeconfig that was seen lacks. A list that was not seen lacks nothing.
fn seen(look: &Look<'_>) -> Option<ContextProblem> {
    let names = |key: &str| text(look.selected.context, key).is_some();
    let has = |list: &str| look.document.get(list).is_some();
    match &look.selected {
        _ if !has("contexts") => None,
        _ if look.context.is_none() => Some(ContextProblem::NoneSelected),
        Selected { context: None, .. } => Some(ContextProblem::ContextMissing),
        Selected { cluster: None, .. } if has("clusters") => Some(ContextProblem::ClusterMissing),
        Selected { user: None, .. } if names("user") && has("users") => Some(ContextProblem::UserMissing),
        _ => None,
    }
}

fn mentions_lost_context(pasted: &Pasted) -> bool {
    pasted.text.contains("context was not found") || pasted.text.contains("no context exists")
}

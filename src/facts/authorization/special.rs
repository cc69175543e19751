//! Forbidden for a reason of its own: impersonation, the EKS console, a reserved group; and whether the API server's own
//! answers contradict the model.

use std::collections::BTreeSet;

use super::asking::{Refusal, is_about};
use crate::{
    evidence::{Action, Evidence},
    facts::{
        kubeconfig::{self, KubeconfigFacts},
        mapping::{MappingFacts, MappingSource},
        pasted::Pasted,
        subject::{Subject, SubjectOrigin},
        value::{Fact, choice},
    },
    symptom::SymptomClass,
};

choice! {
    /// What impersonation does to the request.
    Impersonation {
        /// The caller may not impersonate.
        Refused = "refused",
        /// The caller's own access policies do not count for the impersonated user.
        HidesPolicies = "hides-policies",
    }
}

choice! {
    /// Which half of what the EKS console needs is missing.
    ConsoleProblem {
        /// IAM refuses eks:AccessKubernetesApi.
        IamPermission = "iam-permission",
        /// The principal has no Kubernetes rights to look at what the page shows.
        KubernetesRights = "kubernetes-rights",
    }
}

/// Whom the kubeconfig's user entry impersonates (`as`, `as-groups`).
pub(super) fn impersonated(evidence: &Evidence, kubeconfig: &KubeconfigFacts) -> Fact<Option<(String, Vec<String>)>> {
    if evidence.target.principal.is_some() {
        return Fact::known(None, "target.principal");
    }
    let document = Fact::observed(&evidence.kubeconfig, "kubeconfig");
    document.map(|found| {
        let context = kubeconfig.context.value()?.as_deref();
        let user = kubeconfig::select(&found?.document, context).user?;
        let name = user.get("as")?.as_str().filter(|name| !name.is_empty())?;
        let groups = user.get("as-groups").and_then(serde_json::Value::as_array);
        let groups = groups.into_iter().flatten().filter_map(|group| Some(group.as_str()?.to_owned()));
        Some((name.to_owned(), groups.collect()))
    })
}

/// What it does, if the caller's own policies would allow the action as the third argument says.
pub(super) fn impersonation(
    refusal: Option<&Refusal>,
    impersonated: &Fact<Option<(String, Vec<String>)>>,
    own_policies_allow: bool,
) -> Fact<Option<Impersonation>> {
    let verb = refusal.and_then(|refusal| Some((refusal.words.action.as_ref()?.verb.as_str(), refusal.observation)));
    if let Some(("impersonate", observation)) = verb {
        return Fact::known(Some(Impersonation::Refused), observation);
    }
    impersonated.clone().map(|user| (user.is_some() && own_policies_allow).then_some(Impersonation::HidesPolicies))
}

/// The group beginning with `system:` that an access entry was to have and cannot.
pub(super) fn reserved_group(pasted: &Pasted) -> Fact<Option<String>> {
    let text = pasted.text.as_str();
    if pasted.proves("authorization/reserved-group") {
        let named = text.split_once("kubernetes group name ").and_then(|(_, rest)| rest.split_whitespace().next());
        return Fact::known(Some(named.unwrap_or("system:").to_owned()), "target.symptom");
    }
    let is_about_entry = ["CreateAccessEntry", "UpdateAccessEntry"].iter().any(|operation| text.contains(operation));
    let is_refused_parameter = text.contains("InvalidParameterException");
    if is_about_entry && is_refused_parameter && !text.contains("principalArn") && !text.contains("type") {
        return Fact::unknown("aws.accessEntries", "the message does not say which parameter is refused");
    }
    Fact::known(None, "target.symptom")
}

/// What the EKS console lacks. `may_look` says whether the principal may list what its pages show.
pub(super) fn console(
    evidence: &Evidence,
    pasted: &Pasted,
    mapping: &MappingFacts,
    may_look: &Fact<bool>,
) -> Fact<Option<ConsoleProblem>> {
    let program = evidence.target.program.as_ref().map(|program| program.name.to_lowercase());
    let is_console = pasted.shows(SymptomClass::Console) || program.is_some_and(|name| name.contains("console"));
    if pasted.says("not authorized to perform: eks:AccessKubernetesApi") {
        return Fact::known(Some(ConsoleProblem::IamPermission), "target.symptom");
    }
    if !is_console {
        return Fact::known(None, "target.symptom");
    }
    match (&mapping.source, may_look) {
        (Fact::Known { value: MappingSource::None, source }, _) => Fact::known(None, source.clone()),
        (_, Fact::Known { value: false, source }) => {
            Fact::known(Some(ConsoleProblem::KubernetesRights), source.clone())
        }
        (_, Fact::Known { value: true, .. }) => {
            Fact::unknown("aws.principal", "whether IAM allows it eks:AccessKubernetesApi was not seen")
        }
        (_, Fact::Unknown(unknown)) => Fact::Unknown(unknown.clone()),
    }
}

/// What the pages of the console list.
pub(super) fn console_action() -> Action {
    Action { verb: "list".to_owned(), resource: Some("namespaces".to_owned()), ..Action::default() }
}

/// In what the API server's own answers about the subject contradict the model, where the model's answer is known.
pub(super) fn disagreement(
    evidence: &Evidence,
    subject: &Subject,
    mapping: &MappingFacts,
    asked: &Action,
    allowed: &Fact<bool>,
) -> Fact<Option<String>> {
    let kubernetes = &evidence.kubernetes;
    if evidence.target.principal.is_some() {
        return Fact::known(None, "target.principal");
    }
    let review = kubernetes.access_review.found().filter(|_| is_about(evidence, asked));
    if let (Some(review), Some(model)) = (review, allowed.value())
        && review.allowed != *model
    {
        let word = |allowed: bool| if allowed { "allows" } else { "refuses" };
        let (server, model) = (word(review.allowed), word(*model));
        return Fact::known(
            Some(format!("the API server {server} the action, and the model {model} it")),
            "kubernetes.accessReview",
        );
    }
    let Some(user) = kubernetes.whoami.found().filter(|user| is_of_subject(user, subject)) else {
        return Fact::known(None, "kubernetes.whoami");
    };
    let disagreement = match (mapping.source.value(), mapping.username.value(), mapping.groups.value()) {
        (Some(MappingSource::None), _, _) => is_creator_known(evidence)
            .then(|| format!("the API server knows the caller as {:?}, and the model finds no mapping", user.username)),
        (_, Some(Some(name)), _) if *name != user.username => {
            Some(format!("the API server calls the caller {:?}, and the model {name:?}", user.username))
        }
        (_, _, Some(groups)) => {
            let written = |groups: &[String]| -> BTreeSet<String> {
                groups.iter().filter(|group| *group != super::EVERYBODY).cloned().collect()
            };
            let (server, model) = (written(&user.groups), written(groups));
            let list = |groups: BTreeSet<String>| match groups.len() {
                0 => "no groups".to_owned(),
                _ => groups.into_iter().collect::<Vec<_>>().join(", "),
            };
            (server != model)
                .then(|| format!("the API server gives the caller {}, and the model {}", list(server), list(model)))
        }
        _ => None,
    };
    Fact::known(disagreement, "kubernetes.whoami")
}

/// Whether the API server's answer is certain to be about the subject, and not about another identity of this machine.
fn is_of_subject(user: &crate::evidence::UserInfo, subject: &Subject) -> bool {
    let canonical = subject.canonical_arn.value();
    let seen = ["arn", "canonicalArn"].into_iter().find_map(|key| user.extra.get(key)?.first());
    let seen = seen.and_then(|arn| crate::facts::arn::RawArn::new(arn.clone()).canonicalize().ok());
    match (seen, canonical) {
        (Some((seen, _)), Some(canonical)) => seen.as_str() == canonical,
        _ => matches!(subject.origin.value(), Some(SubjectOrigin::Exec | SubjectOrigin::Whoami)),
    }
}

/// Whether the one principal that is admin without being mapped is known, or there is none.
fn is_creator_known(evidence: &Evidence) -> bool {
    let config = evidence.aws.cluster.found().and_then(|cluster| cluster.access_config.as_ref());
    evidence.aws.create_cluster_event.found().is_some()
        || config.and_then(|config| config.authentication_mode.as_deref()) == Some("API")
}

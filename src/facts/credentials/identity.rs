//! Whether the credentials belong to the one who is meant: what access keys in the environment hide, and whether they are
//! of the cluster's account.

use super::{CALLER, CREDENTIALS, CredentialProblem, Rooms, keys_win, problem::Seen};
use crate::{
    evidence::{Evidence, Observed, ProfileSource},
    facts::{
        kubeconfig::variable,
        mapping::MappingSource,
        value::{Fact, why_unsettled},
    },
};

/// The profile that somebody chose, in the shell or in the kubeconfig, while access keys in the environment are what
/// is used. A profile given as an argument beats the environment and is therefore never overridden. The default profile
/// is nobody's choice by itself; that the keys are of another account than the cluster tells that it was meant.
/// Keys that do not work at all are a cause of their own.
pub(super) fn overridden_profile(
    evidence: &Evidence,
    rooms: Rooms<'_>,
    problem: &Fact<Option<Seen>>,
) -> Fact<Option<String>> {
    if evidence.target.principal.is_some() {
        return Fact::unknown(CREDENTIALS, "what is seen from here belongs to somebody else");
    }
    let is_broken = problem
        .value()
        .and_then(Option::as_ref)
        .is_some_and(|seen| !matches!(seen.problem, CredentialProblem::Expired | CredentialProblem::Other));
    keys_win(evidence).and_then(|keys_win| {
        if !keys_win || is_broken || rooms.known.kubeconfig.exec_profile.value().is_some_and(Option::is_some) {
            return Fact::known(None, CREDENTIALS);
        }
        let shadowed = evidence.aws.credentials.found().into_iter().flat_map(|found| &found.shadowed);
        let shadowed = shadowed.filter_map(|one| one.strip_prefix("profile ")).next();
        let named =
            evidence.aws.profile.found().filter(|profile| {
                matches!(profile.source, ProfileSource::AwsProfile | ProfileSource::AwsDefaultProfile)
            });
        let named = named.map(|profile| profile.name.clone());
        let named = named.or_else(|| shadowed.filter(|name| *name != "default").map(str::to_owned));
        let mut in_shell = ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"].into_iter();
        let in_shell = in_shell.find_map(|name| variable(evidence, name).value().cloned().flatten());
        let in_exec = rooms.known.kubeconfig.exec_env_profile.value().cloned().flatten();
        match (in_exec.or(named).or(in_shell), shadowed) {
            (Some(chosen), _) => Fact::known(Some(chosen), CREDENTIALS),
            (None, Some(default)) => match is_of_other_account(evidence, rooms).value() {
                Some(true) => Fact::known(Some(default.to_owned()), CREDENTIALS),
                Some(false) | None => Fact::unknown(CREDENTIALS, "whether the default profile is meant is not known"),
            },
            (None, None) => Fact::known(None, CREDENTIALS),
        }
    })
}

/// The account of the identity that the API server sees.
pub(super) fn caller_account(evidence: &Evidence) -> Fact<Option<String>> {
    let account_of = |arn: &str| arn.split(':').nth(4).filter(|account| !account.is_empty()).map(str::to_owned);
    if let Some(caller) = evidence.exec_caller.found().filter(|_| evidence.target.principal.is_none()) {
        return Fact::known(account_of(&caller.arn), "execCaller");
    }
    if let Some(arn) = &evidence.target.principal {
        return Fact::known(account_of(arn), "target.principal");
    }
    Fact::observed(&evidence.aws.caller, CALLER).map(|caller| caller.and_then(|caller| account_of(&caller.arn)))
}

/// The account that owns the cluster: by its description, else by the ARN that `aws` gave the kubeconfig's entry.
pub(super) fn cluster_account(evidence: &Evidence, rooms: Rooms<'_>) -> Fact<Option<String>> {
    if let Some(account) = rooms.known.cluster.account.value().cloned().flatten() {
        return Fact::known(Some(account), "aws.cluster");
    }
    let entry = rooms.known.kubeconfig.cluster_entry.value().cloned().flatten();
    let entry = entry.filter(|entry| entry.starts_with("arn:") && entry.contains(":eks:"));
    match entry.and_then(|arn| arn.split(':').nth(4).map(str::to_owned)) {
        Some(account) => Fact::known(Some(account), "kubeconfig"),
        None => Fact::Unknown(why_unsettled(&evidence.aws.cluster, "aws.cluster")),
    }
}

pub(super) fn is_of_other_account(evidence: &Evidence, rooms: Rooms<'_>) -> Fact<bool> {
    cluster_account(evidence, rooms).and_then(|cluster| {
        caller_account(evidence).and_then(|caller| match (cluster, caller) {
            (Some(cluster), Some(caller)) => Fact::known(cluster != caller, "the caller's and the cluster's ARN"),
            _ => Fact::unknown(CALLER, "an account is not known"),
        })
    })
}

/// Whether the account is wrong: it is not the cluster's, and the cluster does not know the caller, or EKS did not find
/// the cluster because it was looked for in the caller's account.
pub(super) fn is_of_wrong_account(evidence: &Evidence, rooms: Rooms<'_>) -> Fact<bool> {
    is_of_other_account(evidence, rooms).and_then(|differs| {
        if !differs {
            return Fact::known(false, "the caller's and the cluster's ARN");
        }
        if matches!(evidence.aws.cluster, Observed::Absent(_)) {
            return Fact::known(true, "aws.cluster");
        }
        rooms.mapping.source.clone().map(|source| source == MappingSource::None)
    })
}

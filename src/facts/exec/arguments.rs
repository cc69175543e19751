//! Whether the region and the role in the exec entry can work at all.

use super::ExecProblem;
use crate::{
    evidence::Evidence,
    facts::{
        arn::{Arn, ArnKind, Partition},
        kubeconfig::KubeconfigFacts,
        value::Fact,
    },
};

type Told = Fact<Option<(ExecProblem, String)>>;

/// Any region of the cluster's partition gives a token that the cluster takes; one of another partition does not.
pub(super) fn region_is_wrong(evidence: &Evidence, kubeconfig: &KubeconfigFacts, problem: &Told) -> Fact<bool> {
    if let Fact::Known { value: Some((ExecProblem::Region, _)), source } = problem {
        return Fact::known(true, source.clone());
    }
    kubeconfig.exec_region.clone().and_then(|region| match (region, cluster_partition(evidence, kubeconfig)) {
        (Some(region), Some(partition)) => Fact::known(Partition::of_region(&region) != partition, "kubeconfig"),
        (Some(_), None) => Fact::known(false, "kubeconfig"),
        (None, _) => problem.clone().map(|_| false),
    })
}

/// The partition of the cluster, by its ARN, by the ARN in the kubeconfig, or by the region that was asked about.
pub(crate) fn cluster_partition(evidence: &Evidence, kubeconfig: &KubeconfigFacts) -> Option<Partition> {
    let described = evidence.aws.cluster.found().and_then(|cluster| cluster.arn.clone());
    let entry = || kubeconfig.cluster_entry.value().cloned().flatten().filter(|entry| entry.starts_with("arn:"));
    let of_arn = |arn: String| Partition::from_id(arn.split(':').nth(1)?);
    let asked = || evidence.target.region.as_deref().map(Partition::of_region);
    described.or_else(entry).and_then(of_arn).or_else(asked)
}

/// STS takes the ARN of a role. It does not tell a role that is not there from one that may not be assumed.
pub(super) fn role_is_wrong(kubeconfig: &KubeconfigFacts, problem: &Told) -> Fact<bool> {
    if let Fact::Known { value: Some((ExecProblem::Role, _)), source } = problem {
        return Fact::known(true, source.clone());
    }
    kubeconfig.exec_role.clone().and_then(|role| match role {
        None => Fact::known(false, "kubeconfig"),
        Some(role) if !is_role(&role) => Fact::known(true, "kubeconfig"),
        Some(_) => problem.clone().and_then(|problem| match problem {
            Some((ExecProblem::Credentials, message))
                if message.contains("AccessDenied") || message.contains("sts:") =>
            {
                Fact::unknown("aws.principal", "whether the role exists was not seen")
            }
            _ => Fact::known(false, "exec"),
        }),
    })
}

fn is_role(arn: &str) -> bool {
    Arn::parse(arn).is_ok_and(|arn| {
        matches!(arn.kind(), ArnKind::Role | ArnKind::PermissionSetRole | ArnKind::ServiceLinkedRole)
            && arn.resource.contains('/')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_assumed() {
        assert!(is_role("arn:aws:iam::111122223333:role/team/Dev"));
        for text in [
            "arn:aws:sts::111122223333:assumed-role/Dev/ada",
            "arn:aws:iam::111122223333:user/ada",
            "Dev",
            "arn:aws:iam::111122223333:role",
            "",
        ] {
            assert!(!is_role(text), "{text}");
        }
    }
}

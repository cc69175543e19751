//! The observations by their path in the evidence: which command shows each by hand, who can run it, and which right
//! brings one back that was refused.

use crate::{
    collect::permissions::{Permission, Right, permission_for},
    evidence::{Evidence, Failure, Observed},
    report::{Report, Unseen},
    rule::{Actor, Renderer, Template},
    shell,
};

/// Path in the evidence, the command, and who can run it.
pub const OBSERVATIONS: &[(&str, &str, Actor)] = &[
    ("aws.profile", "aws configure list", Actor::You),
    ("aws.profileNames", "aws configure list-profiles", Actor::You),
    ("aws.credentials", "aws configure list", Actor::You),
    ("aws.caller", "aws sts get-caller-identity", Actor::You),
    (
        "aws.principal",
        "{% if subject.kind == 'user' %}aws iam get-user --user-name {{ subject.name }}\
         {% elif subject.kind == 'root' %}aws sts get-caller-identity\
         {% else %}aws iam get-role --role-name {{ subject.name }}{% endif %}",
        Actor::AwsAdmin,
    ),
    (
        "aws.cluster",
        "aws eks describe-cluster --name {{ cluster.name }} --region {{ cluster.region }}",
        Actor::AwsAdmin,
    ),
    ("aws.clusterNames", "aws eks list-clusters --region {{ cluster.region }}", Actor::AwsAdmin),
    (
        "aws.accessEntries",
        "aws eks list-access-entries --cluster-name {{ cluster.name }} --region {{ cluster.region }}",
        Actor::AwsAdmin,
    ),
    (
        "aws.accessEntries.details",
        "aws eks describe-access-entry --cluster-name {{ cluster.name }} --region {{ cluster.region }} \
         --principal-arn {{ subject.principalArn }}",
        Actor::AwsAdmin,
    ),
    (
        "aws.accessEntries.policies",
        "aws eks list-associated-access-policies --cluster-name {{ cluster.name }} --region {{ cluster.region }} \
         --principal-arn {{ subject.principalArn }}",
        Actor::AwsAdmin,
    ),
    (
        "aws.createClusterEvent",
        "aws cloudtrail lookup-events --region {{ cluster.region }} \
         --lookup-attributes AttributeKey=EventName,AttributeValue=CreateCluster",
        Actor::AwsAdmin,
    ),
    ("environment.variables", "env | grep -E '^(AWS_|KUBE|HTTPS?_PROXY|NO_PROXY)' | cut -d= -f1", Actor::You),
    ("environment.executables", "command -v aws aws-iam-authenticator kubectl", Actor::You),
    ("environment.clockOffsetSeconds", "date -u; curl -sI https://sts.amazonaws.com | grep -i '^date:'", Actor::You),
    ("kubeconfig", "kubectl config view --minify", Actor::You),
    ("exec", "{{ kubectl }} auth whoami", Actor::You),
    ("execCaller", "{{ kubectl }} auth whoami", Actor::You),
    ("staticToken", "kubectl config view --minify", Actor::You),
    ("network.localAddresses", "hostname -I", Actor::You),
    ("network.egressAddress", "curl -s https://checkip.amazonaws.com", Actor::You),
    ("network.proxy", "env | grep -i -E '^(https?|no)_proxy='", Actor::You),
    ("network.dns", "getent hosts <API_SERVER_HOST>", Actor::You),
    ("network.tcp", "curl -skv --max-time 5 {{ cluster.endpoint }}/version", Actor::You),
    ("network.tls", "curl -skv --max-time 5 {{ cluster.endpoint }}/version", Actor::You),
    ("kubernetes.version", "{{ kubectl }} version", Actor::You),
    ("kubernetes.whoami", "{{ kubectl }} auth whoami", Actor::You),
    ("kubernetes.accessReview", "{{ kubectl }} auth can-i {{ action.arguments | words }}", Actor::You),
    ("kubernetes.actionAttempt", "{{ kubectl }} auth can-i {{ action.arguments | words }}", Actor::You),
    ("kubernetes.awsAuth", "kubectl --namespace kube-system get configmap aws-auth -o yaml", Actor::ClusterAdmin),
    ("kubernetes.misplacedAwsAuth", "kubectl get configmaps --all-namespaces", Actor::ClusterAdmin),
    ("kubernetes.clusterRoles", "kubectl get clusterroles -o json", Actor::ClusterAdmin),
    ("kubernetes.clusterRoleBindings", "kubectl get clusterrolebindings -o json", Actor::ClusterAdmin),
    ("kubernetes.roles", "kubectl get roles --all-namespaces -o json", Actor::ClusterAdmin),
    ("kubernetes.roleBindings", "kubectl get rolebindings --all-namespaces -o json", Actor::ClusterAdmin),
    (
        "logs.authenticator",
        "aws logs filter-log-events --region {{ cluster.region }} \
         --log-group-name /aws/eks/{{ cluster.name }}/cluster --log-stream-name-prefix authenticator- \
         --filter-pattern '\"access denied\"'",
        Actor::AwsAdmin,
    ),
];

/// The command that shows an observation by hand, with this diagnosis' names in it, and who can run it.
pub fn ask(observation: &str, renderer: &Renderer) -> (String, Actor) {
    let known = OBSERVATIONS.iter().find(|(path, _, _)| *path == observation);
    match known {
        Some((_, command, actor)) => (renderer.render(&Template::command(*command), None), *actor),
        None => ("eks-doctor check --verbose".to_owned(), Actor::You),
    }
}

/// Whether this is the path of an observation.
pub fn is_known(observation: &str) -> bool {
    OBSERVATIONS.iter().any(|(path, _, _)| *path == observation)
}

/// Says in a report which right brings back each observation that was refused for the lack of one. Such an observation
/// is listed even if it would settle no suspected cause.
pub fn name_rights(report: &mut Report, evidence: &Evidence) {
    for Lost { observation, failure, permission } in lost(evidence) {
        let right = format!(" ({} brings it back)", permission.needs);
        let mut known = report.unknowns.iter_mut().filter(|unseen| unseen.observation == observation);
        match known.next() {
            Some(unseen) if unseen.why.contains(&right) => {}
            Some(unseen) => unseen.why += &right,
            None => {
                let (ask, actor) = apply(&report.target.cluster, &report.target.region, permission.needs);
                let why = failure.summary() + &right;
                let observation = observation.to_owned();
                report.unknowns.push(Unseen { observation, why, would_settle: Vec::new(), ask, actor });
            }
        }
    }
}

/// The command that prints a right ready to apply, and who applies it.
fn apply(cluster: &Option<String>, region: &Option<String>, right: Right) -> (String, Actor) {
    if matches!(right, Right::Rbac { .. }) {
        return ("eks-doctor permissions --format clusterrole".to_owned(), Actor::ClusterAdmin);
    }
    let option = |name: &str, value: &Option<String>| {
        value.as_ref().map(|value| format!(" {name} {}", shell::quote(value))).unwrap_or_default()
    };
    let options = option("--cluster", cluster) + &option("--region", region);
    (format!("eks-doctor permissions --format iam{options}"), Actor::AwsAdmin)
}

/// An observation that was refused for the lack of a right.
struct Lost<'e> {
    observation: &'static str,
    failure: &'e Failure,
    permission: &'static Permission,
}

fn lost(evidence: &Evidence) -> Vec<Lost<'_>> {
    fn refused<T>(observed: &Observed<T>) -> Option<&Failure> {
        match observed {
            // 401 and refused credentials are no lack of a right.
            Observed::Denied(failure) if failure.status != Some(401) => Some(failure).filter(|failure| {
                failure.code.as_deref().is_none_or(|code| code.contains("AccessDenied") || code == "Forbidden")
            }),
            _ => None,
        }
    }
    let Evidence { aws, kubernetes, logs, .. } = evidence;
    let entries = || aws.access_entries.found().into_iter().flatten();
    let refusals = [
        ("aws.principal", refused(&aws.principal)),
        ("aws.cluster", refused(&aws.cluster)),
        ("aws.clusterNames", refused(&aws.cluster_names)),
        ("aws.accessEntries", refused(&aws.access_entries)),
        ("aws.accessEntries.details", entries().find_map(|entry| refused(&entry.details))),
        ("aws.accessEntries.policies", entries().find_map(|entry| refused(&entry.policies))),
        ("aws.createClusterEvent", refused(&aws.create_cluster_event)),
        ("kubernetes.awsAuth", refused(&kubernetes.aws_auth)),
        ("kubernetes.misplacedAwsAuth", refused(&kubernetes.misplaced_aws_auth)),
        ("kubernetes.clusterRoles", refused(&kubernetes.cluster_roles)),
        ("kubernetes.clusterRoleBindings", refused(&kubernetes.cluster_role_bindings)),
        ("kubernetes.roles", refused(&kubernetes.roles)),
        ("kubernetes.roleBindings", refused(&kubernetes.role_bindings)),
        ("logs.authenticator", refused(&logs.authenticator)),
    ];
    let lost = refusals.into_iter().filter_map(|(observation, failure)| {
        let failure = failure?;
        let looked_up = match observation {
            "aws.accessEntries.details" => permission_for("aws.accessEntries", Some("eks:DescribeAccessEntry")),
            "aws.accessEntries.policies" => {
                permission_for("aws.accessEntries", Some("eks:ListAssociatedAccessPolicies"))
            }
            "aws.accessEntries" => permission_for(observation, Some("eks:ListAccessEntries")),
            _ => permission_for(observation, failure.operation.as_deref()),
        };
        Some(Lost { observation, failure, permission: looked_up? })
    });
    lost.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{diagnose::diagnose, rule::Library};

    /// What a report on this evidence says of unseen observations, once the rights are named.
    fn unknowns(evidence: &str) -> Vec<Unseen> {
        let evidence = Evidence::from_text("test", &format!("schema: eks-doctor/evidence/v1\n{evidence}")).unwrap();
        let mut report = diagnose(&evidence, &Library::load(&[]).unwrap());
        name_rights(&mut report, &evidence);
        report.unknowns
    }

    fn why<'u>(unknowns: &'u [Unseen], observation: &str) -> &'u str {
        let mut why = unknowns.iter().filter(|unseen| unseen.observation == observation).map(|unseen| &*unseen.why);
        let only = why.next().unwrap_or_default();
        assert_eq!(why.next(), None, "{observation} twice");
        only
    }

    #[test]
    fn what_was_refused_names_the_right_that_brings_it_back() {
        let unknowns = unknowns(
            "target: { cluster: prod, region: eu-west-1 }
aws:
  accessEntries: { denied: { status: 403, code: AccessDeniedException, message: no } }
  createClusterEvent: { denied: { status: 400, code: AccessDeniedException, message: no } }
kubernetes:
  awsAuth: { denied: { status: 403, code: Forbidden, message: no } }
",
        );
        let ends = |observation: &str, end: &str| {
            let why = why(&unknowns, observation);
            assert!(why.ends_with(end), "{observation}: {why}");
        };
        ends("aws.accessEntries", "(IAM eks:ListAccessEntries brings it back)");
        ends("aws.createClusterEvent", "(IAM cloudtrail:LookupEvents brings it back)");
        ends("kubernetes.awsAuth", "(Kubernetes get configmaps/aws-auth in kube-system brings it back)");
    }

    #[test]
    fn what_settles_no_cause_is_listed_too_with_the_command_that_prints_the_right() {
        let unknowns = unknowns(
            "target: { cluster: prod, region: eu-west-1 }
aws: { clusterNames: { denied: { status: 403, code: AccessDeniedException, message: no } } }",
        );
        let lost = unknowns.iter().find(|unseen| unseen.observation == "aws.clusterNames").unwrap();
        assert_eq!(lost.ask, "eks-doctor permissions --format iam --cluster prod --region eu-west-1");
        assert_eq!((lost.actor, lost.would_settle.len()), (Actor::AwsAdmin, 0));
    }

    #[test]
    fn who_is_not_let_in_lacks_no_right() {
        let unknowns = unknowns(
            "aws: { cluster: { denied: { status: 403, code: ExpiredTokenException, message: no } } }
kubernetes: { awsAuth: { denied: { status: 401, code: Unauthorized, message: no } } }",
        );
        assert!(unknowns.iter().all(|unseen| !unseen.why.contains("brings it back")), "{unknowns:?}");
    }
}

//! The observations by their path in the evidence: which command shows each by hand, and who can run it.

use crate::rule::{Actor, Renderer, Template};

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

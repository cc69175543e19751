//! What each call needs, and what it buys: the one table from which policies are printed and by which a lost
//! observation names the right that brings it back. A test holds it against the calls that are made.

use std::fmt;

/// One call and the right it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permission {
    /// The observation that is lost without it, as a path in the evidence.
    pub observation: &'static str,
    /// The call, spelled as in a failure's `operation`.
    pub operation: &'static str,
    /// The right.
    pub needs: Right,
    /// What is seen with it.
    pub buys: &'static str,
    /// Whether the common case gets along without it.
    pub optional: bool,
}

/// A right to make a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// Every caller has it.
    Everybody,
    /// Every authenticated caller has it by the bindings that Kubernetes begins with.
    Authenticated,
    /// An IAM action on a resource. In the resource `{partition}`, `{region}`, `{account}` and `{cluster}` stand for
    /// what they name.
    Iam {
        /// `service:Action`.
        action: &'static str,
        /// ARN, or `*`.
        resource: &'static str,
    },
    /// A rule of Kubernetes RBAC.
    Rbac {
        /// API group; empty for the core group.
        group: &'static str,
        /// Plural resource name.
        resource: &'static str,
        /// Verb.
        verb: &'static str,
        /// The one object, or all.
        name: Option<&'static str>,
        /// The one namespace, or all.
        namespace: Option<&'static str>,
    },
}

const CLUSTER: &str = "arn:{partition}:eks:{region}:{account}:cluster/{cluster}";
const ACCESS_ENTRIES: &str = "arn:{partition}:eks:{region}:{account}:access-entry/{cluster}/*";

/// Every call to AWS and Kubernetes that a run can make.
pub const PERMISSIONS: &[Permission] = &[
    free("aws.caller", "sts:GetCallerIdentity", Right::Everybody, "who the shell's credentials are"),
    free("execCaller", "sts:GetCallerIdentity", Right::Everybody, "who the plugin's token is"),
    iam("aws.cluster", "eks:DescribeCluster", CLUSTER, "status, endpoint, CA, authentication mode"),
    iam("aws.clusterNames", "eks:ListClusters", "*", "which clusters there are where one is not found"),
    iam("aws.accessEntries", "eks:ListAccessEntries", CLUSTER, "which principals have access entries"),
    iam("aws.accessEntries", "eks:DescribeAccessEntry", ACCESS_ENTRIES, "type, user name and groups of an entry"),
    iam(
        "aws.accessEntries",
        "eks:ListAssociatedAccessPolicies",
        ACCESS_ENTRIES,
        "access policies of an entry and their scope",
    ),
    iam("aws.principal", "iam:GetRole", "arn:{partition}:iam::{account}:role/*", "path, unique id and age of a role"),
    iam("aws.principal", "iam:GetUser", "arn:{partition}:iam::{account}:user/*", "path, unique id and age of a user"),
    extra(iam("aws.createClusterEvent", "cloudtrail:LookupEvents", "*", "who created the cluster, for 90 days")),
    extra(iam(
        "logs.authenticator",
        "logs:FilterLogEvents",
        "arn:{partition}:logs:{region}:{account}:log-group:/aws/eks/{cluster}/cluster:*",
        "why the authenticator refused somebody",
    )),
    free("kubernetes.version", "GET /version", Right::Authenticated, "the API server's version"),
    free(
        "kubernetes.whoami",
        "POST /apis/authentication.k8s.io/v1/selfsubjectreviews",
        Right::Authenticated,
        "who the API server takes the caller for",
    ),
    free(
        "kubernetes.nativeWhoami",
        "POST /apis/authentication.k8s.io/v1/selfsubjectreviews",
        Right::Authenticated,
        "who the API server takes the shell's credentials for",
    ),
    free(
        "kubernetes.accessReview",
        "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        Right::Authenticated,
        "whether the caller may do what was asked about",
    ),
    Permission {
        observation: "kubernetes.awsAuth",
        operation: "GET /api/v1/namespaces/kube-system/configmaps/aws-auth",
        needs: Right::Rbac {
            group: "",
            resource: "configmaps",
            verb: "get",
            name: Some("aws-auth"),
            namespace: Some("kube-system"),
        },
        buys: "the mappings in aws-auth",
        optional: false,
    },
    extra(list(
        "kubernetes.misplacedAwsAuth",
        "GET /api/v1/configmaps",
        "",
        "configmaps",
        "an aws-auth in the wrong place",
    )),
    rbac("kubernetes.clusterRoles", "GET /apis/rbac.authorization.k8s.io/v1/clusterroles", "clusterroles"),
    rbac(
        "kubernetes.clusterRoleBindings",
        "GET /apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
        "clusterrolebindings",
    ),
    rbac("kubernetes.roles", "GET /apis/rbac.authorization.k8s.io/v1/roles", "roles"),
    rbac("kubernetes.roleBindings", "GET /apis/rbac.authorization.k8s.io/v1/rolebindings", "rolebindings"),
];

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everybody => f.write_str("nothing"),
            Self::Authenticated => f.write_str("nothing beyond being authenticated"),
            Self::Iam { action, .. } => write!(f, "IAM {action}"),
            Self::Rbac { resource, verb, name, namespace, .. } => {
                let name = name.map(|name| format!("/{name}")).unwrap_or_default();
                let namespace = namespace.map(|namespace| format!(" in {namespace}")).unwrap_or_default();
                write!(f, "Kubernetes {verb} {resource}{name}{namespace}")
            }
        }
    }
}

/// The permission for a call, found by what a failure says of itself. A failure that does not name its operation finds
/// that of an observation with one call only.
pub fn permission_for(observation: &str, operation: Option<&str>) -> Option<&'static Permission> {
    let mut known = PERMISSIONS.iter().filter(|known| {
        known.observation == observation && operation.is_none_or(|operation| operation == known.operation)
    });
    known.next().filter(|_| known.next().is_none())
}

const fn free(observation: &'static str, operation: &'static str, needs: Right, buys: &'static str) -> Permission {
    Permission { observation, operation, needs, buys, optional: false }
}

/// A call to AWS, which needs the action of its own name.
const fn iam(
    observation: &'static str,
    operation: &'static str,
    resource: &'static str,
    buys: &'static str,
) -> Permission {
    Permission { observation, operation, needs: Right::Iam { action: operation, resource }, buys, optional: false }
}

const fn list(
    observation: &'static str,
    operation: &'static str,
    group: &'static str,
    resource: &'static str,
    buys: &'static str,
) -> Permission {
    let needs = Right::Rbac { group, resource, verb: "list", name: None, namespace: None };
    Permission { observation, operation, needs, buys, optional: false }
}

const fn rbac(observation: &'static str, operation: &'static str, resource: &'static str) -> Permission {
    list(observation, operation, "rbac.authorization.k8s.io", resource, "what the caller's user and groups are allowed")
}

const fn extra(permission: Permission) -> Permission {
    Permission { optional: true, ..permission }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_right_changes_anything() {
        for permission in PERMISSIONS {
            match permission.needs {
                Right::Iam { action, .. } => {
                    let verb = action.split(':').nth(1).unwrap_or_default();
                    assert!(
                        ["Describe", "List", "Get", "Lookup", "Filter"].iter().any(|reads| verb.starts_with(reads)),
                        "{action}"
                    );
                }
                Right::Rbac { verb, .. } => assert!(["get", "list"].contains(&verb), "{verb}"),
                Right::Everybody | Right::Authenticated => {}
            }
        }
    }

    #[test]
    fn a_failure_finds_its_permission() {
        let found = permission_for("aws.accessEntries", Some("eks:DescribeAccessEntry")).unwrap();
        assert_eq!(found.needs, Right::Iam { action: "eks:DescribeAccessEntry", resource: ACCESS_ENTRIES });
        assert_eq!(permission_for("aws.accessEntries", Some("eks:DescribeCluster")), None);
        assert_eq!(permission_for("aws.accessEntries", None), None);
        let aws_auth = permission_for("kubernetes.awsAuth", None).unwrap();
        assert_eq!(aws_auth.needs.to_string(), "Kubernetes get configmaps/aws-auth in kube-system");
    }
}

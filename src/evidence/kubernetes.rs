//! What the API server says. Objects carry the fields that access depends on by name and all others as they came.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use smol_str::SmolStr;

use super::{Observed, OtherFields, Unread, packed};

/// The Kubernetes side of the evidence.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Kubernetes {
    /// `GET /version`.
    #[serde(default, skip_serializing_if = "Observed::is_unmentioned")]
    pub version: Observed<ServerVersion>,
    /// SelfSubjectReview: who the API server says the caller is.
    #[serde(default, skip_serializing_if = "Observed::is_unmentioned")]
    pub whoami: Observed<UserInfo>,
    /// SelfSubjectReview with a token that eks-doctor made from the shell's AWS credentials, tried where the
    /// kubeconfig's own credential led to no identity. It is about `aws.caller`.
    #[serde(default, skip_serializing_if = "Observed::is_unmentioned")]
    pub native_whoami: Observed<UserInfo>,
    /// SelfSubjectAccessReview of the target action.
    #[serde(default, skip_serializing_if = "Observed::is_unmentioned")]
    pub access_review: Observed<AccessReview>,
    /// The action itself, as the server answered it.
    #[serde(default, skip_serializing_if = "Observed::is_unmentioned")]
    pub action_attempt: Observed<ActionAttempt>,
    /// The ConfigMap `kube-system/aws-auth`.
    #[serde(default, skip_serializing_if = "Observed::is_unmentioned")]
    pub aws_auth: Observed<ConfigMap>,
    /// ConfigMaps that look as if they were meant to be `kube-system/aws-auth`.
    #[serde(default, skip_serializing_if = "Observed::is_unmentioned")]
    pub misplaced_aws_auth: Observed<Vec<ObjectName>>,
    /// All ClusterRoles.
    #[serde(default, skip_serializing_if = "Observed::is_unmentioned")]
    pub cluster_roles: Observed<Vec<RbacRole>>,
    /// All ClusterRoleBindings.
    #[serde(default, skip_serializing_if = "Observed::is_unmentioned")]
    pub cluster_role_bindings: Observed<Vec<RbacBinding>>,
    /// All Roles.
    #[serde(default, skip_serializing_if = "Observed::is_unmentioned")]
    pub roles: Observed<Vec<RbacRole>>,
    /// All RoleBindings.
    #[serde(default, skip_serializing_if = "Observed::is_unmentioned")]
    pub role_bindings: Observed<Vec<RbacBinding>>,
}

/// Version of the API server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServerVersion {
    /// `v1.33.4-eks-abc`.
    pub git_version: String,
    /// Everything else.
    #[serde(flatten)]
    pub other: OtherFields,
}

/// The user that the API server made of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UserInfo {
    /// User name; may be empty.
    #[serde(default)]
    pub username: String,
    /// `aws-iam-authenticator:ACCOUNT:UNIQUEID` for IAM principals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// Groups, `system:authenticated` included.
    #[serde(default)]
    pub groups: Vec<String>,
    /// `arn`, `canonicalArn`, `sessionName`, …
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: BTreeMap<String, Vec<String>>,
}

/// The answer of a SelfSubjectAccessReview.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AccessReview {
    /// Whether some authorizer allows it.
    pub allowed: bool,
    /// Whether some authorizer refuses it for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denied: Option<bool>,
    /// Why.
    #[serde(default)]
    pub reason: String,
    /// What went wrong while deciding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluation_error: Option<String>,
}

/// The action itself, answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ActionAttempt {
    /// HTTP status.
    pub status: u16,
}

/// A ConfigMap.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConfigMap {
    /// Its texts.
    #[serde(default)]
    pub data: BTreeMap<String, String>,
    /// Everything else.
    #[serde(flatten)]
    pub other: OtherFields,
}

/// Namespace and name of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ObjectName {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
}

/// The part of an object's metadata that RBAC depends on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ObjectMeta {
    /// Name.
    #[serde(default)]
    pub name: SmolStr,
    /// Namespace; absent for cluster-scoped objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<SmolStr>,
    /// Labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Box<BTreeMap<SmolStr, SmolStr>>>,
    /// Everything else.
    #[serde(flatten)]
    #[schemars(with = "OtherFields")]
    pub other: Unread,
}

/// A Role or ClusterRole.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RbacRole {
    /// Metadata.
    pub metadata: ObjectMeta,
    /// What it allows; `null` is what the API returns for an aggregated role that nothing matches.
    #[serde(default, deserialize_with = "packed::optional_list")]
    pub rules: Option<Box<[PolicyRule]>>,
    /// Which ClusterRoles its rules are filled from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aggregation_rule: Option<AggregationRule>,
    /// Everything else.
    #[serde(flatten)]
    #[schemars(with = "OtherFields")]
    pub other: Unread,
}

/// One rule of a role.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicyRule {
    /// Verbs, `*` for all.
    #[serde(default, deserialize_with = "packed::list")]
    pub verbs: Box<[SmolStr]>,
    /// API groups, `""` for the core group, `*` for all.
    #[serde(default, deserialize_with = "packed::list", skip_serializing_if = "<[_]>::is_empty")]
    pub api_groups: Box<[SmolStr]>,
    /// Resources and `resource/subresource`; `*`, `*/subresource`.
    #[serde(default, deserialize_with = "packed::list", skip_serializing_if = "<[_]>::is_empty")]
    pub resources: Box<[SmolStr]>,
    /// Object names; empty for all.
    #[serde(default, deserialize_with = "packed::list", skip_serializing_if = "<[_]>::is_empty")]
    pub resource_names: Box<[SmolStr]>,
    /// Paths; a trailing `*` matches any rest.
    #[serde(
        default,
        rename = "nonResourceURLs",
        deserialize_with = "packed::list",
        skip_serializing_if = "<[_]>::is_empty"
    )]
    pub non_resource_urls: Box<[SmolStr]>,
}

/// How a ClusterRole is filled from others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AggregationRule {
    /// A ClusterRole that matches one of these is taken in.
    #[serde(default)]
    pub cluster_role_selectors: Vec<LabelSelector>,
}

/// A Kubernetes label selector.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LabelSelector {
    /// Labels that must have these values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<SmolStr, SmolStr>,
    /// Further conditions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<LabelSelectorRequirement>,
}

/// One condition of a label selector.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LabelSelectorRequirement {
    /// Label.
    pub key: SmolStr,
    /// `In`, `NotIn`, `Exists`, `DoesNotExist`.
    pub operator: SmolStr,
    /// Values.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub values: Box<[SmolStr]>,
}

/// A RoleBinding or ClusterRoleBinding.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RbacBinding {
    /// Metadata.
    pub metadata: ObjectMeta,
    /// Who is bound; `null` is what the API returns for nobody.
    #[serde(default, deserialize_with = "packed::optional_list")]
    pub subjects: Option<Box<[RbacSubject]>>,
    /// The role.
    pub role_ref: RoleRef,
    /// Everything else.
    #[serde(flatten)]
    #[schemars(with = "OtherFields")]
    pub other: Unread,
}

/// Somebody who is bound.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RbacSubject {
    /// `User`, `Group` or `ServiceAccount`.
    pub kind: SmolStr,
    /// API group of the kind.
    #[serde(default, deserialize_with = "api_group", skip_serializing_if = "Option::is_none")]
    pub api_group: Option<SmolStr>,
    /// Name.
    pub name: SmolStr,
    /// Namespace of a service account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<SmolStr>,
}

/// The role that a binding grants.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RoleRef {
    /// API group of the kind.
    #[serde(default, deserialize_with = "api_group", skip_serializing_if = "Option::is_none")]
    pub api_group: Option<SmolStr>,
    /// `Role` or `ClusterRole`.
    pub kind: SmolStr,
    /// Name.
    pub name: SmolStr,
}

/// Nearly all references name the API group of RBAC, which is too long to be kept inline: they share one text.
fn api_group<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SmolStr>, D::Error> {
    const RBAC: SmolStr = SmolStr::new_static("rbac.authorization.k8s.io");
    let group = Option::<SmolStr>::deserialize(deserializer)?;
    Ok(group.map(|group| if group == RBAC { RBAC } else { group }))
}

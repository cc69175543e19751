//! What AWS and its shared configuration files say.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Observed, OtherFields, Unread, packed};

/// The AWS side of the evidence.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Aws {
    /// The profile in force.
    #[serde(default, skip_serializing_if = "Observed::is_unmentioned")]
    pub profile: Observed<Profile>,
    /// Names of all profiles in the shared config and credentials files.
    #[serde(default, skip_serializing_if = "Observed::is_unmentioned")]
    pub profile_names: Observed<Vec<String>>,
    /// The credentials in force, without their secrets.
    #[serde(default, skip_serializing_if = "Observed::is_unmentioned")]
    pub credentials: Observed<Credentials>,
    /// Who the shell's credentials are: `sts:GetCallerIdentity`.
    #[serde(default, skip_serializing_if = "Observed::is_unmentioned")]
    pub caller: Observed<CallerIdentity>,
    /// The principal under diagnosis: `iam:GetRole` or `iam:GetUser`.
    #[serde(default, skip_serializing_if = "Observed::is_unmentioned")]
    pub principal: Observed<IamPrincipal>,
    /// The cluster: `eks:DescribeCluster`.
    #[serde(default, skip_serializing_if = "Observed::is_unmentioned")]
    pub cluster: Observed<Cluster>,
    /// Names of the clusters of this account and region: `eks:ListClusters`.
    #[serde(default, skip_serializing_if = "Observed::is_unmentioned")]
    pub cluster_names: Observed<Vec<String>>,
    /// Access entries: `eks:ListAccessEntries`, with details where they were read.
    #[serde(default, skip_serializing_if = "Observed::is_unmentioned")]
    pub access_entries: Observed<Vec<AccessEntry>>,
    /// The cluster's creation in CloudTrail.
    #[serde(default, skip_serializing_if = "Observed::is_unmentioned")]
    pub create_cluster_event: Observed<CreateClusterEvent>,
}

/// A profile of the shared configuration files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// What selected it.
    pub source: ProfileSource,
    /// `region`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Names of the keys it sets, without values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<String>,
    /// `output`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// End of the cached SSO session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sso_expires_at: Option<Timestamp>,
    /// `role_arn`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
    /// `source_profile`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_profile: Option<String>,
    /// `mfa_serial`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mfa_serial: Option<String>,
    /// `endpoint_url`, of the profile or of its STS service section.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint_url: Option<String>,
}

/// What selected a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ProfileSource {
    /// The command-line flag.
    #[serde(rename = "--profile")]
    Flag,
    /// The variable `AWS_PROFILE`.
    #[serde(rename = "AWS_PROFILE")]
    AwsProfile,
    /// The variable `AWS_DEFAULT_PROFILE`.
    #[serde(rename = "AWS_DEFAULT_PROFILE")]
    AwsDefaultProfile,
    /// Nothing: the profile called `default`.
    #[serde(rename = "default")]
    Default,
}

/// Credentials, without their secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Credentials {
    /// Where they come from.
    pub provider: CredentialProvider,
    /// Access key id: four-letter prefix and last four characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_key_id: Option<String>,
    /// When they expire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// The providers, or `profile NAME`, that would have been used otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shadowed: Vec<String>,
}

/// A source of AWS credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CredentialProvider {
    /// `AWS_ACCESS_KEY_ID` and its fellows.
    Environment,
    /// Keys in a profile.
    Profile,
    /// IAM Identity Center.
    Sso,
    /// `role_arn` in a profile.
    AssumeRole,
    /// A web identity token file.
    WebIdentity,
    /// ECS or EKS Pod Identity.
    Container,
    /// EC2 instance metadata.
    Imds,
    /// `credential_process`.
    Process,
    /// `aws login`.
    Login,
    /// Something else.
    Other,
}

/// The answer of `sts:GetCallerIdentity`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CallerIdentity {
    /// ARN as STS spells it: role sessions without the role's path, users with theirs.
    pub arn: String,
    /// Account id, 12 digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Unique id, for role sessions followed by `:SESSION`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
}

/// A role or user as IAM describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IamPrincipal {
    /// ARN with path.
    pub arn: String,
    /// `AROA…` or `AIDA…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique_id: Option<String>,
    /// When it was created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub create_date: Option<Timestamp>,
}

/// The cluster as `eks:DescribeCluster` returns it. Fields without a name here are kept as they came.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cluster {
    /// Name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// ARN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
    /// `ACTIVE`, `CREATING`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Kubernetes version: `1.33`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// `eks.9`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform_version: Option<String>,
    /// URL of the API server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The CA bundle of the API server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_authority: Option<CertificateAuthority>,
    /// When the cluster was created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// Authentication mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_config: Option<AccessConfig>,
    /// Endpoint access.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources_vpc_config: Option<ResourcesVpcConfig>,
    /// Everything else.
    #[serde(flatten)]
    pub other: OtherFields,
}

/// `certificateAuthority` of a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CertificateAuthority {
    /// PEM certificates, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// Everything else.
    #[serde(flatten)]
    pub other: OtherFields,
}

/// `accessConfig` of a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccessConfig {
    /// `CONFIG_MAP`, `API_AND_CONFIG_MAP` or `API`; newer values are carried through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication_mode: Option<String>,
    /// Whether the creator was made an admin; history, not current state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bootstrap_cluster_creator_admin_permissions: Option<bool>,
    /// Everything else.
    #[serde(flatten)]
    pub other: OtherFields,
}

/// `resourcesVpcConfig` of a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourcesVpcConfig {
    /// Whether the endpoint answers from the internet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint_public_access: Option<bool>,
    /// Whether the endpoint answers inside the VPC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint_private_access: Option<bool>,
    /// CIDR blocks that may use the public endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_access_cidrs: Option<Vec<String>>,
    /// VPC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc_id: Option<String>,
    /// Everything else.
    #[serde(flatten)]
    pub other: OtherFields,
}

/// An access entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AccessEntry {
    /// ARN of the IAM principal, with path.
    pub principal_arn: String,
    /// `eks:DescribeAccessEntry`.
    #[serde(default, skip_serializing_if = "Observed::is_unmentioned")]
    pub details: Observed<AccessEntryDetails>,
    /// `eks:ListAssociatedAccessPolicies`.
    #[serde(default, skip_serializing_if = "Observed::is_unmentioned")]
    pub policies: Observed<Vec<AssociatedPolicy>>,
}

/// The details of an access entry. Fields without a name here are kept as they came.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccessEntryDetails {
    /// `STANDARD`, `EC2_LINUX`, …; newer values are carried through.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub entry_type: Option<String>,
    /// Template of the Kubernetes user name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Kubernetes groups.
    #[serde(default, deserialize_with = "packed::optional_vec", skip_serializing_if = "Option::is_none")]
    pub kubernetes_groups: Option<Vec<String>>,
    /// When the entry was created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// When it was last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified_at: Option<Timestamp>,
    /// ARN of the entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_entry_arn: Option<String>,
    /// Tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<BTreeMap<String, String>>,
    /// Everything else.
    #[serde(flatten)]
    #[schemars(with = "OtherFields")]
    pub other: Unread,
}

/// An access policy that is associated with an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AssociatedPolicy {
    /// ARN of the access policy.
    pub policy_arn: String,
    /// Where it applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_scope: Option<AccessScope>,
    /// Since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub associated_at: Option<Timestamp>,
    /// Everything else.
    #[serde(flatten)]
    pub other: OtherFields,
}

/// Where an access policy applies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccessScope {
    /// `cluster` or `namespace`; newer values are carried through.
    #[serde(rename = "type")]
    pub scope_type: String,
    /// Namespaces, with `*` as a wildcard.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<String>,
    /// Everything else.
    #[serde(flatten)]
    pub other: OtherFields,
}

/// The CloudTrail event of the cluster's creation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreateClusterEvent {
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_time: Option<Timestamp>,
    /// The IAM principal that created the cluster, with path.
    pub principal_arn: String,
    /// Everything else, `userIdentity` among it.
    #[serde(flatten)]
    pub other: OtherFields,
}

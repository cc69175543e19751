//! What error texts state by themselves: names, numbers and addresses that a pattern has read from them.

use serde::Serialize;

/// One field per fact: the group of that name in a pattern sets it.
macro_rules! stated_facts {
    ($($(#[doc = $doc:literal])+ $field:ident,)+) => {
        /// Facts that a pasted text names. Nothing here was looked up: a text can be old, or of another machine.
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
        #[serde(rename_all = "camelCase")]
        pub struct StatedFacts {
            $($(#[doc = $doc])+ #[serde(skip_serializing_if = "Option::is_none")] pub $field: Option<String>,)+
        }

        impl StatedFacts {
            /// The names of all facts, as the groups of patterns spell them.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($field)),+];

            /// Sets the fact `name` unless it is known already.
            pub(crate) fn state(&mut self, name: &str, value: &str) {
                let field = match name {
                    $(stringify!($field) => &mut self.$field,)+
                    _ => return,
                };
                if field.is_none() {
                    *field = Some(value.to_owned());
                }
            }

            /// Takes from `other` what is not known yet.
            pub(crate) fn complete_with(&mut self, other: &StatedFacts) {
                $(if self.$field.is_none() { self.$field.clone_from(&other.$field); })+
            }
        }
    };
}

stated_facts! {
    /// Kubernetes user name.
    username,
    /// Kubernetes groups, separated by blanks, as the authenticator's log prints them.
    kubernetes_groups,
    /// Verb of a refused Kubernetes request.
    verb,
    /// Resource type of a refused Kubernetes request, plural.
    resource,
    /// Subresource, such as `log`.
    subresource,
    /// API group; empty for the core group.
    api_group,
    /// Namespace of a Kubernetes request.
    namespace,
    /// `cluster` if the text says that the request was not for one namespace.
    scope,
    /// Name of the Kubernetes object.
    object_name,
    /// Path of a Kubernetes request that is not for a resource.
    path,
    /// The program that was to give credentials.
    exec_command,
    /// Exit status of that program.
    exit_code,
    /// Version of the exec API that the kubeconfig names.
    exec_api_version,
    /// Version of the exec API that the plugin answered.
    plugin_api_version,
    /// Error code of an AWS API.
    aws_error_code,
    /// Operation of an AWS API.
    aws_operation,
    /// Service of that operation, as the SDK names it.
    aws_service,
    /// Request id of an AWS API.
    request_id,
    /// HTTP status.
    http_status,
    /// ARN of the principal that AWS says is not authorized.
    denied_principal,
    /// IAM action that AWS refused.
    denied_action,
    /// ARN on which AWS refused the action.
    denied_resource,
    /// Type of the IAM policy that AWS names as the reason.
    denying_policy,
    /// EKS cluster name.
    cluster_name,
    /// AWS region.
    region,
    /// AWS account id.
    account,
    /// AWS profile.
    profile,
    /// SSO session name or start URL.
    sso_session,
    /// ARN of the MFA device.
    mfa_serial,
    /// ARN of an IAM role that was to be assumed.
    role_arn,
    /// Issuer URL of an OpenID Connect provider.
    oidc_issuer,
    /// Principal ARN in the canonical form in which the authenticator looks it up.
    canonical_arn,
    /// The authenticator's reason for a refusal.
    authenticator_error,
    /// STS host that the authenticator asked.
    sts_endpoint,
    /// Host name of a connection that failed.
    host,
    /// IP address of a connection that failed.
    address,
    /// Port of a connection that failed.
    port,
    /// Proxy that was used.
    proxy,
    /// Kubeconfig context.
    context,
    /// Kubeconfig cluster entry.
    kubeconfig_cluster,
    /// Kubeconfig user entry.
    kubeconfig_user,
    /// A file that could not be used.
    file,
    /// Time of the client as the text states it.
    client_time,
    /// Time of the server, or the limit that it set.
    server_time,
}

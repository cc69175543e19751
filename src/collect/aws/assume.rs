//! Taking the role that a profile or a pod is configured to take, as every AWS tool does before its first call.

use aws_credential_types::Credentials;
use aws_sdk_sts as sts;

use super::{Aws, answer, with_retries};
use crate::evidence::Failure;

/// The name of sessions that nobody named.
const SESSION: &str = "eks-doctor";

/// A role to take.
#[derive(Debug, Clone, Default)]
pub(crate) struct RoleRequest {
    pub(crate) role_arn: String,
    pub(crate) session_name: Option<String>,
    pub(crate) external_id: Option<String>,
    pub(crate) duration_seconds: Option<i32>,
    /// The device whose code is needed; a role with one is never taken here.
    pub(crate) mfa_serial: Option<String>,
}

impl Aws<'_> {
    /// `sts:AssumeRole` with the keys of the profile's source.
    pub(crate) async fn assume_role(&self, keys: &Credentials, role: &RoleRequest) -> Result<Credentials, Failure> {
        let operation = "sts:AssumeRole";
        let client = sts::Client::new(&self.sdk_config("sts", Some(keys)));
        let session = role.session_name.as_deref().unwrap_or(SESSION);
        let call = async || {
            let request = client.assume_role().role_arn(&role.role_arn).role_session_name(session);
            let request = request.set_external_id(role.external_id.clone());
            request.set_duration_seconds(role.duration_seconds).send().await
        };
        let answer = with_retries(operation, call).await?;
        answer.credentials.map(keys_of).ok_or_else(|| answer::unreadable(operation, "no Credentials in it"))
    }

    /// `sts:AssumeRoleWithWebIdentity` with a token, for which no keys are needed.
    pub(crate) async fn assume_role_with_web_identity(
        &self,
        token: &str,
        role: &RoleRequest,
    ) -> Result<Credentials, Failure> {
        let operation = "sts:AssumeRoleWithWebIdentity";
        let client = sts::Client::new(&self.sdk_config("sts", None));
        let session = role.session_name.as_deref().unwrap_or(SESSION);
        let call = async || {
            let request = client.assume_role_with_web_identity().role_arn(&role.role_arn).role_session_name(session);
            request.web_identity_token(token).send().await
        };
        let answer = with_retries(operation, call).await?;
        answer.credentials.map(keys_of).ok_or_else(|| answer::unreadable(operation, "no Credentials in it"))
    }
}

fn keys_of(issued: sts::types::Credentials) -> Credentials {
    let expires = std::time::SystemTime::try_from(issued.expiration).ok();
    Credentials::new(issued.access_key_id, issued.secret_access_key, Some(issued.session_token), expires, SESSION)
}

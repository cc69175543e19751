//! Whether the Kubernetes user may do what was asked, and what stands between.

use super::{
    Facts,
    value::{Fact, facts},
};
use crate::evidence::Evidence;

facts! {
    /// What RBAC and access policies say.
    AuthorizationFacts {
        /// Whether the action is allowed.
        "allowed" allowed: Fact<bool>,
        /// What allows it.
        "by" by: Fact<Option<String>>,
    }
}

pub(crate) fn derive(_: &Evidence) -> AuthorizationFacts {
    AuthorizationFacts {
        allowed: Fact::unknown("kubernetes.accessReview", "x"),
        by: Fact::unknown("kubernetes.accessReview", "x"),
    }
}

/// Whether the action is allowed.
pub fn is_allowed(facts: &Facts) -> Fact<bool> {
    facts.authorization.allowed.clone()
}

//! stub
use super::{EntryRef, Identity, MappingIndex, StoreName};
#[derive(Debug, Clone, PartialEq)]
pub struct NearMiss { pub store: StoreName, pub entry: EntryRef, pub arn: String, pub would_match: Option<String>, pub reason: NearMissReason, pub username: String, pub groups: Vec<String> }
crate::facts::value::choice! {
    /// r
    NearMissReason {
        /// a
        RolePath = "role-path",
        /// b
        ModeIgnored = "mode-ignored",
    }
}
pub fn near_misses(_: &MappingIndex, _: &Identity) -> Vec<NearMiss> { Vec::new() }

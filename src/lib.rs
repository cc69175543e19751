//! eks-doctor says why a principal is `Unauthorized` or `Forbidden` on an Amazon EKS cluster, and what to type to fix
//! it.
//!
//! Data runs one way: `collect` looks at the world and writes [`evidence`]; [`facts`] follow from it by pure functions.

pub mod collect;
pub mod error;
pub mod evidence;
pub mod facts;
pub mod input;
pub mod symptom;

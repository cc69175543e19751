//! Facts: what follows from the evidence, by an exact model of how EKS authenticates and authorizes.

pub mod access_policies;
pub mod action;
pub mod arn;
pub mod aws_auth;
mod go_text;
pub mod go_yaml;
pub mod identity_mapping;
pub mod rbac;
pub mod token;
pub mod username;

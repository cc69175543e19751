//! The model against the real components of EKS: their answers, frozen or live, and vectors taken from them.

mod identity;
mod identity_oracle;
mod model;
mod oracle;
mod questions;

//! The model against the real components of EKS: their answers, frozen or live, and vectors taken from them.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "what fails here fails the test")]

mod authorization;
mod can_i;
mod identity;
mod identity_oracle;
mod oracle;
mod questions;
mod vectors;

//! The model against the real components of EKS: their answers, frozen or live, and vectors taken from them.

#![expect(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "tests")]

mod identity;
mod identity_oracle;
mod oracle;
mod questions;
mod vectors;

//! The model against the real components: answers that were recorded from them, and, where they can be built, live.

#![expect(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test ends at the first surprise")]

mod authorization;
mod can_i;
mod identity;
mod identity_oracle;
mod oracle;
mod questions;
mod vectors;

//! The model against the real components: answers that were recorded from them, and, where they can be built, live.

mod authorization;
mod can_i;
mod identity;

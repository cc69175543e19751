//! The model against answers of the real components.

mod identity;

//! eks-doctor says why a principal is `Unauthorized` or `Forbidden` on an Amazon EKS cluster, and what to type to fix
//! it.
//!
//! Data runs one way: [`collect`] looks at the world and writes [`evidence`]; [`facts`] follow from it by pure
//! functions; [`checks`] say how far a request gets and [`rule`]s why it stops there; [`diagnose`] puts it together
//! and [`rank`]s it; the [`report`] is [`render`]ed.

pub mod checks;
pub mod cli;
pub mod collect;
mod command;
pub mod diagnose;
pub mod error;
pub mod evidence;
pub mod facts;
pub mod input;
pub mod observation;
pub mod rank;
pub mod render;
pub mod report;
pub mod rule;
pub mod scenario;
pub mod shell;
pub mod symptom;

pub use command::run;

//! Collecting evidence: the only door to the world.
mod aws;
mod aws_config;
mod credentials;
mod exec;
mod failure;
mod http;
mod ini;
mod kubeconfig;
mod proxy;
pub mod surroundings;
mod token;
mod watch;

//! Collecting evidence: the only door to the world.

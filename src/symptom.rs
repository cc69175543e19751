//! Error texts: which messages a text contains, what they mean, and what they say for certain.

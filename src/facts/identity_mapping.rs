//! Which Kubernetes user an IAM identity becomes: the two stores, their order, near misses.

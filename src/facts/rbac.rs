//! The Kubernetes RBAC authorizer.

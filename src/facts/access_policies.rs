//! EKS access policies: the Kubernetes rules that AWS keeps for each, and where an association applies.

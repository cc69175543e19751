//! AWS ARNs: the raw one that STS returns, the canonical one that EKS looks up, the principal's own with its path.

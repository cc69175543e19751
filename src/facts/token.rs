//! EKS bearer tokens: every rule that the server has for them.

//! The aws-auth ConfigMap, read as the control plane's authenticator reads it, with the place of every surprise.

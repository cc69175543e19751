//! YAML as Go's yaml.v2 resolves it, with places; the authenticator reads aws-auth with that library.

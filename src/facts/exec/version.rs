//! Versions of clients and plugins, and what they can do.

/// Three numbers of a version, in order.
pub(super) type Version = (u32, u32, u32);

/// The first version number in what a program says of itself: `aws-cli/2.36.7 Python/3.13`, `v1.32.4`.
pub(super) fn parse(text: &str) -> Option<Version> {
    let from = text.find(|c: char| c.is_ascii_digit())?;
    let number = text.get(from..)?.split(|c: char| !c.is_ascii_digit() && c != '.').next()?;
    let mut parts = number.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??, parts.next().flatten().unwrap_or_default()))
}

/// Whether an AWS CLI lacks `eks get-token`, or makes it badly: the first ones ignored --profile and wrote kubeconfigs
/// without a region.
pub(super) fn is_ancient_cli(version: Version) -> bool {
    version < (1, 17, 0)
}

/// Whether a plugin answers v1alpha1 whatever it is asked for.
pub(super) fn answers_alpha(command: &str, version: Version) -> bool {
    match command {
        "aws" => version < (1, 23, 9) || ((2, 0, 0)..(2, 6, 3)).contains(&version),
        "aws-iam-authenticator" | "heptio-authenticator-aws" => version < (0, 5, 4),
        _ => false,
    }
}

/// Whether a kubectl takes exec entries of this API version.
pub(super) fn takes(kubectl: Version, api_version: &str) -> bool {
    match api_version {
        "client.authentication.k8s.io/v1alpha1" => kubectl < (1, 24, 0),
        "client.authentication.k8s.io/v1beta1" => kubectl >= (1, 11, 0),
        "client.authentication.k8s.io/v1" => kubectl >= (1, 22, 0),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_as_programs_print_them() {
        assert_eq!(parse("aws-cli/2.36.7 Python/3.13.1 Linux/6.1"), Some((2, 36, 7)));
        assert_eq!(parse("v1.32.4-eks-abc"), Some((1, 32, 4)));
        assert_eq!(parse("{\"Version\":\"0.5.9\"}"), Some((0, 5, 9)));
        assert_eq!(parse("unversioned"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn what_versions_can_do() {
        assert!(is_ancient_cli((1, 16, 160)) && !is_ancient_cli((1, 45, 0)) && !is_ancient_cli((2, 0, 0)));
        assert!(answers_alpha("aws", (2, 4, 0)) && answers_alpha("aws", (1, 20, 0)));
        assert!(!answers_alpha("aws", (2, 6, 3)) && !answers_alpha("aws", (1, 24, 0)));
        assert!(answers_alpha("aws-iam-authenticator", (0, 5, 3)));
        assert!(!takes((1, 24, 0), "client.authentication.k8s.io/v1alpha1"));
        assert!(takes((1, 33, 0), "client.authentication.k8s.io/v1beta1"));
    }
}

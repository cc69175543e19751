//! AWS partitions: which a region belongs to, and the domains of its endpoints.

/// A partition of AWS that the EKS authenticator knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Partition {
    /// The commercial regions.
    Aws,
    /// China.
    AwsCn,
    /// GovCloud (US).
    AwsUsGov,
    /// ISO (US).
    AwsIso,
    /// ISOB (US).
    AwsIsoB,
    /// ISOE (Europe).
    AwsIsoE,
    /// ISOF (US).
    AwsIsoF,
    /// European Sovereign Cloud.
    AwsEusc,
}

impl Partition {
    /// Every partition.
    pub const ALL: [Self; 8] = [
        Self::Aws,
        Self::AwsCn,
        Self::AwsUsGov,
        Self::AwsIso,
        Self::AwsIsoB,
        Self::AwsIsoE,
        Self::AwsIsoF,
        Self::AwsEusc,
    ];

    /// The partition with this id, which is case-sensitive.
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|partition| partition.id() == id)
    }

    /// The partition of a region. A region that no other partition claims counts as commercial, as in the AWS SDKs.
    pub fn of_region(region: &str) -> Self {
        Self::ALL.into_iter().find(|partition| partition.claims(region)).unwrap_or(Self::Aws)
    }

    /// The id that stands in ARNs: `aws-us-gov`.
    pub fn id(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::AwsCn => "aws-cn",
            Self::AwsUsGov => "aws-us-gov",
            Self::AwsIso => "aws-iso",
            Self::AwsIsoB => "aws-iso-b",
            Self::AwsIsoE => "aws-iso-e",
            Self::AwsIsoF => "aws-iso-f",
            Self::AwsEusc => "aws-eusc",
        }
    }

    /// The domain of its endpoints: `amazonaws.com`.
    pub fn dns_suffix(self) -> &'static str {
        match self {
            Self::Aws | Self::AwsUsGov => "amazonaws.com",
            Self::AwsCn => "amazonaws.com.cn",
            Self::AwsIso => "c2s.ic.gov",
            Self::AwsIsoB => "sc2s.sgov.gov",
            Self::AwsIsoE => "cloud.adc-e.uk",
            Self::AwsIsoF => "csp.hci.ic.gov",
            Self::AwsEusc => "amazonaws.eu",
        }
    }

    /// The domain of its dual-stack endpoints: `api.aws`.
    pub fn dual_stack_dns_suffix(self) -> &'static str {
        match self {
            Self::Aws | Self::AwsUsGov => "api.aws",
            Self::AwsCn => "api.amazonwebservices.com.cn",
            Self::AwsIso => "api.aws.ic.gov",
            Self::AwsIsoB => "api.aws.scloud",
            Self::AwsIsoE => "api.cloud-aws.adc-e.uk",
            Self::AwsIsoF => "api.aws.hci.ic.gov",
            Self::AwsEusc => "api.amazonwebservices.eu",
        }
    }

    /// Whether the authenticator accepts dual-stack STS hosts of this partition.
    pub(crate) fn accepts_dual_stack(self) -> bool {
        matches!(self, Self::Aws | Self::AwsCn | Self::AwsUsGov | Self::AwsEusc)
    }

    /// Whether the SDK's partition rules give this region to the partition: its pseudo-region, or the shape
    /// `PREFIX-word-number`.
    fn claims(self, region: &str) -> bool {
        let prefix = match self {
            Self::Aws => return false,
            Self::AwsCn => "cn-",
            Self::AwsUsGov => "us-gov-",
            Self::AwsIso => "us-iso-",
            Self::AwsIsoB => "us-isob-",
            Self::AwsIsoE => "eu-isoe-",
            Self::AwsIsoF => "us-isof-",
            Self::AwsEusc => "eusc-de-",
        };
        let pseudo_region = region.strip_suffix("-global").is_some_and(|id| self != Self::AwsEusc && id == self.id());
        let shaped =
            region.strip_prefix(prefix).and_then(|rest| rest.rsplit_once('-')).is_some_and(|(word, number)| {
                let word_character = |character: char| character.is_ascii_alphanumeric() || character == '_';
                !word.is_empty()
                    && word.chars().all(word_character)
                    && !number.is_empty()
                    && number.bytes().all(|digit| digit.is_ascii_digit())
            });
        pseudo_region || shaped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_have_partitions() {
        for (region, partition) in [
            ("eu-west-1", Partition::Aws),
            ("not-a-region", Partition::Aws),
            ("cn-north-1", Partition::AwsCn),
            ("us-gov-west-1", Partition::AwsUsGov),
            ("us-iso-east-1", Partition::AwsIso),
            ("us-isob-east-1", Partition::AwsIsoB),
            ("eu-isoe-west-1", Partition::AwsIsoE),
            ("us-isof-south-1", Partition::AwsIsoF),
            ("eusc-de-east-1", Partition::AwsEusc),
            ("aws-cn-global", Partition::AwsCn),
            ("cn-north", Partition::Aws),
        ] {
            assert_eq!(Partition::of_region(region), partition, "{region}");
        }
        assert_eq!(Partition::from_id("AWS"), None);
        assert!(Partition::ALL.into_iter().all(|partition| Partition::from_id(partition.id()) == Some(partition)));
    }
}

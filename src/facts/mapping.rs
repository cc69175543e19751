//! Who the subject is in Kubernetes, as far as the evidence tells.

use super::value::{Fact, choice, facts};
use crate::evidence::Evidence;

choice! {
    /// Which store gave the Kubernetes user.
    MappingSource {
        /// An access entry.
        AccessEntry = "access-entry",
        /// The aws-auth ConfigMap.
        AwsAuth = "aws-auth",
        /// Neither.
        None = "none",
    }
}

facts! {
    /// What the cluster makes of the subject.
    MappingFacts {
        /// Which store gave the Kubernetes user.
        "source" source: Fact<MappingSource>,
        /// The access entry, or the section and line of aws-auth.
        "entry" entry: Fact<Option<String>>,
        /// Kubernetes user name, its template resolved.
        "username" username: Fact<Option<String>>,
        /// Kubernetes groups.
        "groups" groups: Fact<Vec<String>>,
        /// Whether there are any groups.
        "hasGroups" has_groups: Fact<bool>,
        /// What would have matched but for one difference.
        "nearMisses" near_misses: Fact<Vec<Fact<NearMissFacts>>>,
    }
}

facts! {
    /// A mapping that would have matched but for one difference.
    NearMissFacts {
        /// The ARN as it is written there.
        "arn" arn: String,
        /// In what it differs.
        "reason" reason: String,
        /// The store where it is written: access-entry or aws-auth.
        "source" source: MappingSource,
        /// Where it is written.
        "place" place: String,
        /// Template of the user name.
        "username" username: Option<String>,
        /// Groups.
        "groups" groups: Vec<String>,
        /// Whether one of the groups begins with system:, which an access entry refuses.
        "hasReservedGroup" has_reserved_group: bool,
    }
}

pub(crate) fn derive(_: &Evidence) -> MappingFacts {
    MappingFacts {
        source: Fact::unknown("kubernetes.awsAuth", "x"),
        entry: Fact::unknown("kubernetes.awsAuth", "x"),
        username: Fact::unknown("kubernetes.awsAuth", "x"),
        groups: Fact::unknown("kubernetes.awsAuth", "x"),
        has_groups: Fact::unknown("kubernetes.awsAuth", "x"),
        near_misses: Fact::unknown("kubernetes.awsAuth", "x"),
    }
}

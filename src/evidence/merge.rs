//! Two people, one diagnosis: the locked-out user sees the local side, an admin the cluster side.
//!
//! The first document's question stands. Observations about the local side and about who asks are only ever taken
//! from the first document: an admin's `whoami` says nothing about the subject.

use super::{Absent, AccessEntry, Evidence, Observed};

impl Evidence {
    /// Fills what this document lacks from `other`.
    ///
    /// # Errors
    /// The documents are about different clusters; the text says which.
    pub fn complete_with(&mut self, other: Evidence) -> Result<(), String> {
        if let Some((mine, theirs)) = different_clusters(self, &other) {
            return Err(format!("it is about {theirs}, and the first document about {mine}"));
        }
        let account = self.aws.caller.found().and_then(|caller| caller.account.clone());
        let same_place = |absent: &Absent| match &account {
            Some(account) => absent.looked.iter().all(|place| place.starts_with(account.as_str())),
            None => true,
        };
        settle(&mut self.aws.cluster, other.aws.cluster, same_place);
        settle(&mut self.aws.cluster_names, other.aws.cluster_names, same_place);
        settle(&mut self.aws.principal, other.aws.principal, same_place);
        settle(&mut self.aws.create_cluster_event, other.aws.create_cluster_event, same_place);
        complete_entries(&mut self.aws.access_entries, other.aws.access_entries);
        let (mine, theirs) = (&mut self.kubernetes, other.kubernetes);
        settle(&mut mine.version, theirs.version, |_| true);
        settle(&mut mine.aws_auth, theirs.aws_auth, |_| true);
        settle(&mut mine.misplaced_aws_auth, theirs.misplaced_aws_auth, |_| true);
        settle(&mut mine.cluster_roles, theirs.cluster_roles, |_| true);
        settle(&mut mine.cluster_role_bindings, theirs.cluster_role_bindings, |_| true);
        settle(&mut mine.roles, theirs.roles, |_| true);
        settle(&mut mine.role_bindings, theirs.role_bindings, |_| true);
        settle(&mut self.logs.authenticator, other.logs.authenticator, |_| true);
        Ok(())
    }
}

/// The first answer stands. A 404 from another place is no answer: it does not fill a gap, and it gives way to what
/// the other one found.
fn settle<T>(mine: &mut Observed<T>, theirs: Observed<T>, same_place: impl Fn(&Absent) -> bool) {
    let take = match (&*mine, &theirs) {
        (Observed::Found(_), _) => false,
        (Observed::Absent(absent), Observed::Found(_)) => !absent.looked.is_empty(),
        (Observed::Absent(_), _) => false,
        (_, Observed::Found(_)) => true,
        (_, Observed::Absent(absent)) => same_place(absent),
        (Observed::NotTried(_), other) => other.failure().is_some(),
        _ => false,
    };
    if take {
        *mine = theirs;
    }
}

/// Entries that both have listed are completed one by one: often only one of two people may read the details.
fn complete_entries(mine: &mut Observed<Vec<AccessEntry>>, theirs: Observed<Vec<AccessEntry>>) {
    match (mine, theirs) {
        (Observed::Found(mine), Observed::Found(theirs)) => {
            for entry in mine {
                let same = theirs.iter().find(|other| other.principal_arn == entry.principal_arn);
                if let Some(other) = same {
                    settle(&mut entry.details, other.details.clone(), |_| true);
                    settle(&mut entry.policies, other.policies.clone(), |_| true);
                }
            }
        }
        (mine, theirs) => settle(mine, theirs, |_| true),
    }
}

/// What the two documents are about, if that is not the same cluster.
fn different_clusters(a: &Evidence, b: &Evidence) -> Option<(String, String)> {
    let described = |evidence: &Evidence| evidence.aws.cluster.found().cloned().unwrap_or_default();
    let (in_a, in_b) = (described(a), described(b));
    let pairs = [
        (in_a.arn.clone(), in_b.arn.clone()),
        (in_a.endpoint, in_b.endpoint),
        (in_a.name.or_else(|| a.target.cluster.clone()), in_b.name.or_else(|| b.target.cluster.clone())),
        (a.target.region.clone(), b.target.region.clone()),
    ];
    pairs.into_iter().find_map(|pair| match pair {
        (Some(a), Some(b)) if a != b => Some((a, b)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str) -> Evidence {
        Evidence::from_text("test.yaml", &format!("schema: eks-doctor/evidence/v1\n{text}")).unwrap()
    }

    #[test]
    fn an_admin_fills_the_cluster_side_and_nothing_of_the_local_side() {
        let mut mine = document(
            "aws: {caller: {found: {arn: 'arn:aws:iam::111122223333:user/ada', account: '111122223333'}}, cluster: {denied: {message: no}}}
kubernetes: {whoami: {denied: {status: 401, message: Unauthorized}}, awsAuth: {denied: {status: 401, message: Unauthorized}}}",
        );
        let admin = document(
            "aws: {caller: {found: {arn: 'arn:aws:iam::111122223333:user/root-admin'}}, cluster: {found: {name: prod}}}
kubernetes: {whoami: {found: {username: admin}}, awsAuth: {absent: {}}}
kubeconfig: {absent: {}}",
        );
        mine.complete_with(admin).unwrap();
        assert_eq!(mine.aws.caller.found().unwrap().arn, "arn:aws:iam::111122223333:user/ada");
        assert_eq!(mine.aws.cluster.found().unwrap().name.as_deref(), Some("prod"));
        assert_eq!(mine.kubernetes.aws_auth, Observed::absent());
        assert!(mine.kubernetes.whoami.failure().is_some(), "an admin's whoami says nothing about the subject");
        assert!(mine.kubeconfig.is_unmentioned());
    }

    #[test]
    fn a_404_of_another_account_proves_nothing() {
        let absent = "aws: {cluster: {absent: {looked: [444455556666/eu-west-1]}}}";
        let denied = "aws: {caller: {found: {arn: x, account: '111122223333'}}, cluster: {denied: {message: no}}}";
        let mut mine = document(denied);
        mine.complete_with(document(absent)).unwrap();
        assert!(mine.aws.cluster.failure().is_some());
        let mut mine = document(absent);
        mine.complete_with(document("aws: {cluster: {found: {name: prod}}}")).unwrap();
        assert!(mine.aws.cluster.found().is_some());
    }

    #[test]
    fn documents_about_different_clusters_are_refused() {
        let mut mine = document("target: {cluster: prod}");
        let error = mine.complete_with(document("target: {cluster: test}")).unwrap_err();
        assert_eq!(error, "it is about test, and the first document about prod");
    }
}

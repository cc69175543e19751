//! Authentication: every vector in `fixtures/conformance/identity` is an answer of the real aws-iam-authenticator.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::vectors::{AwsAuthVector, CanonicalVector, LikeVector, MappingVector, StripVector, TokenVector, Vector};

mod properties;

#[derive(Deserialize)]
struct File<T> {
    vectors: Vec<T>,
}

fn all_agree<T: DeserializeOwned + Vector>(text: &str, count: usize) {
    let vectors = serde_json::from_str::<File<T>>(text).expect("a file of vectors").vectors;
    assert_eq!(vectors.len(), count);
    for vector in vectors {
        assert_eq!(vector.difference(), None, "{}", vector.why());
    }
}

#[test]
fn canonical_arns() {
    all_agree::<CanonicalVector>(include_str!("../../fixtures/conformance/identity/canonicalize.json"), 51);
}

#[test]
fn stripped_paths() {
    all_agree::<StripVector>(include_str!("../../fixtures/conformance/identity/strip-path.json"), 10);
}

#[test]
fn arn_patterns() {
    all_agree::<LikeVector>(include_str!("../../fixtures/conformance/identity/arn-like.json"), 10);
}

#[test]
fn aws_auth() {
    all_agree::<AwsAuthVector>(include_str!("../../fixtures/conformance/identity/aws-auth.json"), 76);
}

#[test]
fn tokens() {
    all_agree::<TokenVector>(include_str!("../../fixtures/conformance/identity/tokens.json"), 53);
}

#[test]
fn mappings() {
    all_agree::<MappingVector>(include_str!("../../fixtures/conformance/identity/mapping.json"), 78);
}

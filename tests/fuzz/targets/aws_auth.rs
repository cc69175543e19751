//! Any ConfigMap is read, every place that is named exists in it, and any identity can be looked up in it.
#![no_main]

use std::collections::BTreeMap;

use eks_doctor::facts::arn::RawArn;
use eks_doctor::facts::aws_auth::{AwsAuth, Place};
use eks_doctor::facts::identity_mapping::{AuthenticationMode, Identity, MappingIndex, Seen, Store, near_misses};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let keys = ["mapRoles", "mapUsers", "mapAccounts", "maproles"];
    let sections = keys.into_iter().zip(text.split('\0'));
    let data: BTreeMap<String, String> =
        sections.map(|(key, section)| (key.to_owned(), section.to_owned())).collect();
    let read = AwsAuth::parse(&data);
    for error in &read.errors {
        assert!(error.place.is_none_or(|place| exists(&data[error.section.key()], place)));
    }
    let index = MappingIndex {
        mode: Seen::Known(AuthenticationMode::ApiAndConfigMap),
        access_entries: Seen::Known(Store::default()),
        aws_auth: Seen::Known(Store::aws_auth(&read)),
        creator: None,
    };
    let caller = RawArn::new("arn:aws:sts::111122223333:assumed-role/KubeAdmin/alice");
    if let Ok((canonical_arn, _)) = caller.canonicalize() {
        let identity = Identity::new(canonical_arn);
        near_misses(&identity, &index, &index.map(&identity));
    }
});

/// Whether the text has such a line. Columns of indented quoted texts are approximate.
fn exists(text: &str, place: Place) -> bool {
    let breaks = text.chars().filter(|c| matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')).count();
    place.line >= 1 && place.column >= 1 && place.line <= breaks + 1
}

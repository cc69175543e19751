//! What holds for every input.

use std::collections::BTreeMap;

use eks_doctor::facts::arn::{Partition, PrincipalArn, RawArn, strip_path};
use eks_doctor::facts::aws_auth::AwsAuth;
use eks_doctor::facts::identity_mapping::{
    AccessEntry, AuthenticationMode, Identity, MappingIndex, Outcome, Seen, Store, near_misses,
};
use eks_doctor::facts::token::{Server, examine, judge_statement};
use jiff::Timestamp;
use proptest::prelude::*;

use crate::vectors::{expected, token_of};

/// Pieces of which aws-auth, right and wrong, is made.
fn aws_auth_text() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "- rolearn: ",
        "- userarn: ",
        "  username: ",
        "  groups:\n",
        "  - ",
        "    - ",
        "- ",
        "\n",
        " ",
        "\t",
        ":",
        "{{",
        "}}",
        "[",
        "]",
        "{",
        "}",
        "&a ",
        "*a",
        "<<: *a\n",
        "|\n",
        ">-\n",
        "\"",
        "'",
        "#",
        "---\n",
        "...\n",
        "? ",
        "!!int ",
        "@",
        "arn:aws:iam::111122223333:role/Dev",
        "system:masters",
        "yes",
        "0123",
        "~",
        "sso:\n",
        "\u{feff}",
        "\u{a0}",
        "\u{85}",
        "\r\n",
        "%TAG",
        "!!binary ",
        ",",
        "\u{2028}",
        "é",
    ]);
    prop::collection::vec(pieces, 0..60).prop_map(|pieces| pieces.concat())
}

fn data(text: &str) -> BTreeMap<String, String> {
    ["mapRoles", "mapUsers", "mapAccounts", "maproles"].map(|key| (key.to_owned(), text.to_owned())).into()
}

fn role(name: &str) -> Identity {
    Identity::of_arn(&format!("arn:aws:sts::111122223333:assumed-role/{name}/ada")).unwrap()
}

fn entry(name: &str, username: &str) -> AccessEntry {
    AccessEntry {
        principal_arn: PrincipalArn::new(format!("arn:aws:iam::111122223333:role/team/{name}")),
        unique_id: None,
        entry_type: Some("STANDARD".to_owned()),
        username: Some(username.to_owned()),
        groups: Some(vec!["dev".to_owned()]),
        created_at: None,
    }
}

fn lines(names: &[String]) -> String {
    names.iter().map(|name| format!("- rolearn: arn:aws:iam::111122223333:role/{name}\n  username: {name}\n")).collect()
}

fn index(aws_auth: &str, entries: Vec<AccessEntry>) -> MappingIndex {
    let data = BTreeMap::from([("mapRoles".to_owned(), aws_auth.to_owned())]);
    MappingIndex {
        mode: Seen::Known(AuthenticationMode::ApiAndConfigMap),
        access_entries: Seen::Known(Store::access_entries(entries)),
        aws_auth: Seen::Known(Store::aws_auth(&AwsAuth::parse(&data))),
        creator: None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_text_is_read(text in any::<String>()) {
        AwsAuth::parse(&data(&text));
    }

    #[test]
    fn anything_like_aws_auth_is_read_and_every_place_exists(text in aws_auth_text()) {
        let read = AwsAuth::parse(&data(&text));
        let last_line = 1 + text.matches(['\n', '\r', '\u{85}', '\u{2028}']).count();
        let places = read.errors.iter().filter_map(|error| error.place);
        let places = places.chain(read.surprises.iter().map(|surprise| surprise.place));
        for place in places.chain(read.lost.iter().map(|lost| lost.place)) {
            prop_assert!((1..=last_line).contains(&place.line), "{place:?} in {text:?}");
            prop_assert!(place.column >= 1);
        }
        let index = index(&text, vec![entry("Dev", "dev")]);
        let identity = role("Dev");
        near_misses(&identity, &index, &index.map(&identity));
    }

    #[test]
    fn any_arn_and_token_is_judged(text in any::<String>(), host in "[a-z0-9.:%@\\[\\]-]{0,40}") {
        let _ = RawArn::new(&text).canonicalize();
        let _ = strip_path(&text);
        let server = Server { partition: Partition::Aws, region: text.clone() };
        for token in [text.clone(), format!("k8s-aws-v1.{text}"), token_of(&format!("https://{host}/?{text}"))] {
            let examined = examine(&token, &server, Timestamp::UNIX_EPOCH);
            let judged = judge_statement(&examined.statement, &server, Timestamp::UNIX_EPOCH);
            prop_assert_eq!(judged, examined.outcome.err());
        }
    }

    #[test]
    fn unrelated_mappings_change_nothing(
        names in prop::collection::vec("[a-z]{3,8}", 1..8),
        unrelated in prop::collection::vec("[A-Z]{3,8}[0-9]{2}", 1..8),
        picked in any::<prop::sample::Index>(),
    ) {
        let identity = role(&names[picked.index(names.len())]);
        let alone = index(&lines(&names), Vec::new()).map(&identity);
        prop_assert!(matches!(alone.outcome, Outcome::Always(_)));
        let more = [lines(&unrelated), lines(&names)].concat();
        let entries = unrelated.iter().map(|name| entry(name, "other")).collect();
        prop_assert_eq!(outcome_without_places(&index(&more, entries), &identity),
            outcome_without_places(&index(&lines(&names), Vec::new()), &identity));
    }

    #[test]
    fn the_order_of_different_mappings_does_not_count(
        names in prop::collection::btree_set("[a-z]{3,8}", 2..8),
        picked in any::<prop::sample::Index>(),
    ) {
        let mut names: Vec<String> = names.into_iter().collect();
        let identity = role(&names[picked.index(names.len())]);
        let entries = |names: &[String]| names.iter().map(|name| entry(name, "someone")).collect::<Vec<_>>();
        let forward = (index(&lines(&names), Vec::new()), index("", entries(&names)));
        names.reverse();
        let backward = (index(&lines(&names), Vec::new()), index("", entries(&names)));
        prop_assert_eq!(outcome_without_places(&forward.0, &identity), outcome_without_places(&backward.0, &identity));
        prop_assert_eq!(forward.1.map(&identity), backward.1.map(&identity));
    }

    #[test]
    fn of_equal_roles_the_last_wins(names in prop::collection::vec("[ab]{1,2}", 1..12)) {
        let text: String = names.iter().enumerate().map(|(position, name)| {
            format!("- rolearn: arn:aws:iam::111122223333:role/{name}\n  username: user-{position}\n")
        }).collect();
        for name in &names {
            let last = names.iter().rposition(|other| other == name).unwrap();
            let username = format!("user-{last}");
            let mapped = outcome_without_places(&index(&text, Vec::new()), &role(name));
            prop_assert!(mapped.contains(&username), "{mapped} {username}");
        }
    }
}

/// User name and groups, or the denial.
fn outcome_without_places(index: &MappingIndex, identity: &Identity) -> String {
    match index.map(identity).outcome {
        Outcome::Always(verdict) => format!("{:?}", expected(verdict)),
        other => panic!("{other:?}"),
    }
}

use super::*;
use crate::{facts::Facts, scenario};

/// The facts of a healthy set-up with a difference.
fn facts(base: &str, difference: &str) -> MappingFacts {
    let text = format!("base: {base}\ncases: [{{name: x, expect: {{}}, evidence: {difference}}}]");
    let file: scenario::CaseFile = crate::input::parse("x", &text).unwrap();
    Facts::derive(&file.evidence("x", &file.cases[0]).unwrap()).mapping
}

const OPS: &str = r#"execCaller: {found: {arn: "arn:aws:sts::111122223333:assumed-role/Ops/ada", userId: "AROAEXAMPLEOPS0000001:ada"}}, aws: {principal: {notTried: x}}"#;
const LINE: &str =
    r#"'level=warning msg="access denied" arn="arn:aws:iam::111122223333:role/Ops" error="identity is not mapped"'"#;

#[test]
fn a_principal_with_a_path_has_one() {
    assert!(facts("healthy/access-entry-role", "{}").principal_path.is(&PrincipalPath::Some));
    assert!(facts("healthy/config-map-role", "{}").principal_path.is(&PrincipalPath::None));
    let unseen = facts("healthy/config-map-role", "{aws: {principal: {notTried: x}}}");
    assert!(unseen.principal_path.is(&PrincipalPath::Unseen));
}

#[test]
fn the_log_tells_what_the_stores_do_not() {
    let unread = "awsAuth: {denied: {status: 401, message: Unauthorized}}";
    let silent = facts("healthy/config-map-role", &format!("{{{OPS}, kubernetes: {{{unread}}}}}"));
    assert_eq!(silent.source.value(), None);
    let logged = facts(
        "healthy/config-map-role",
        &format!("{{{OPS}, kubernetes: {{{unread}}}, logs: {{authenticator: {{found: [{LINE}]}}}}}}"),
    );
    assert!(logged.source.is(&MappingSource::None));
    assert!(logged.denial.is(&Some(MappingDenial::NotMapped)));
}

#[test]
fn who_is_in_no_store_may_be_the_hidden_creator() {
    let asked = r#"{target: {principal: "arn:aws:iam::111122223333:role/Ops"}, aws: {principal: {notTried: x}}}"#;
    let open = facts("healthy/config-map-role", asked);
    let Fact::Unknown(unknown) = &open.source else { panic!("{:?}", open.source) };
    assert_eq!(unknown.missing[0].observation, "aws.createClusterEvent");
    let refused = format!(
        "{{{OPS}, kubernetes: {{accessReview: {{notTried: x}}, whoami: {{denied: {{status: 401, message: Unauthorized}}}}}}}}"
    );
    assert!(facts("healthy/config-map-role", &refused).source.is(&MappingSource::None));
    let known = format!(
        "{{{OPS}, kubernetes: {{whoami: {{found: {{username: kubernetes-admin, groups: [system:masters]}}}}}}}}"
    );
    assert!(facts("healthy/config-map-role", &known).source.is(&MappingSource::Creator));
}

#[test]
fn the_api_server_says_who_somebody_is_where_the_stores_do_not() {
    let unread = "{kubernetes: {awsAuth: {denied: {status: 403, message: Forbidden}}}}";
    let facts = facts("healthy/config-map-role", unread);
    assert_eq!(facts.source.value(), None);
    assert!(facts.username.is(&Some("dev:ada".to_owned())));
    assert!(facts.groups.is(&vec!["dev-viewers".to_owned()]));
}

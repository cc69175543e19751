use super::*;

#[test]
fn a_principal_with_a_path_has_one() {
    let evidence = crate::scenario::evidence("healthy/access-entry-role").unwrap();
    let facts = super::super::Facts::derive(&evidence);
    assert_eq!(facts.mapping.principal_path.value(), Some(&PrincipalPath::Some));
}

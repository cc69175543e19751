use super::super::surroundings::tests::surroundings;
use super::*;

const KUBECONFIG: &str = r#"
apiVersion: v1
kind: Config
current-context: prod
clusters:
- name: arn:aws:eks:eu-west-1:111122223333:cluster/prod
  cluster: {server: "https://ABC.gr7.eu-west-1.eks.amazonaws.com", certificate-authority: ca.crt}
contexts:
- name: prod
  context: {cluster: "arn:aws:eks:eu-west-1:111122223333:cluster/prod", user: ada}
users:
- name: ada
  user:
    token: swordfish
    exec:
      apiVersion: client.authentication.k8s.io/v1beta1
      command: ./bin/plugin
      args: [--region, eu-central-1, eks, get-token, --cluster-name=prod2, --token, swordfish]
      env: [{name: AWS_PROFILE, value: dev}, {name: AWS_SESSION_TOKEN, value: swordfish}]
"#;

fn load_texts(texts: &[&str]) -> (tempfile::TempDir, Loaded) {
    let folder = tempfile::tempdir().unwrap();
    let mut list = vec![folder.path().join("missing")];
    for (place, text) in texts.iter().enumerate() {
        let path = folder.path().join(place.to_string());
        std::fs::write(&path, text).unwrap();
        list.push(path);
    }
    let list = std::env::join_paths(list).unwrap();
    let loaded = load(&surroundings(&[("KUBECONFIG", list.to_str().unwrap())]), None, None);
    (folder, loaded)
}

#[test]
fn missing_files_are_skipped_and_relative_paths_resolved() {
    let (folder, loaded) = load_texts(&[KUBECONFIG]);
    let current = loaded.current.unwrap();
    let exec = current.user.as_ref().unwrap().content().exec.unwrap();
    assert_eq!(exec.command, folder.path().join("./bin/plugin").display().to_string());
    let ca = current.cluster.as_ref().unwrap().content().certificate_authority;
    assert_eq!(ca, Some(folder.path().join("ca.crt").display().to_string()));
    assert_eq!(loaded.observed.found().unwrap().files.len(), 1);
}

#[test]
fn the_document_holds_no_secret() {
    let (_folder, loaded) = load_texts(&[KUBECONFIG]);
    let document = serde_json::to_string(loaded.observed.found().unwrap()).unwrap();
    assert!(!document.contains("swordfish"), "{document}");
    assert!(document.contains("AWS_PROFILE"));
}

#[test]
fn the_first_file_wins_entry_by_entry() {
    let other = "current-context: other\nclusters: [{name: a, cluster: {server: https://one.example}}]\n";
    let third = "clusters: [{name: a, cluster: {server: https://two.example, tls-server-name: x}}, {name: b}]\n";
    let (_folder, loaded) = load_texts(&["clusters: null\ncurrent-context: ''\n", other, third]);
    let document = &loaded.observed.found().unwrap().document;
    assert_eq!(document["current-context"], "other");
    assert_eq!(
        document["clusters"],
        json!([{"name": "a", "cluster": {"server": "https://one.example"}}, {"name": "b"}])
    );
}

#[test]
fn entries_tell_the_cluster_and_its_region() {
    let (_folder, loaded) = load_texts(&[KUBECONFIG]);
    let hints = loaded.current.unwrap().hints();
    assert_eq!((hints.cluster.as_deref(), hints.region.as_deref()), (Some("prod"), Some("eu-west-1")));
    let plain = KUBECONFIG
        .replace("arn:aws:eks:eu-west-1:111122223333:cluster/prod", "c")
        .replace("ABC.gr7.eu-west-1.eks.amazonaws.com", "b.example");
    let (_folder, loaded) = load_texts(&[&plain]);
    let hints = loaded.current.unwrap().hints();
    assert_eq!((hints.cluster.as_deref(), hints.region.as_deref()), (Some("prod2"), Some("eu-central-1")));
    let eksctl = "current-context: ada@dev.us-east-2.eksctl.io\ncontexts: [{name: ada@dev.us-east-2.eksctl.io, context: {cluster: c, user: u}}]\n";
    let (_folder, loaded) = load_texts(&[eksctl]);
    let hints = loaded.current.unwrap().hints();
    assert_eq!((hints.cluster.as_deref(), hints.region.as_deref()), (Some("dev"), Some("us-east-2")));
}

#[test]
fn broken_files_are_described_with_file_and_place() {
    for (text, place) in [
        ("clusters:\n\t- x\n", "line 2"),
        ("clusters: [\n", "line"),
        ("clusters: nonsense\n", "clusters"),
        ("users:\n- name: ada\n  user: {token: 12345}\n", "users[0]"),
        ("current-context: 12\n", "current-context"),
        ("- a\n", "is a map"),
    ] {
        let (folder, loaded) = load_texts(&[text]);
        let failure = loaded.observed.failure().unwrap_or_else(|| panic!("{text:?} was accepted"));
        assert!(failure.message.contains(place), "{text:?}: {}", failure.message);
        assert!(failure.message.contains(folder.path().to_str().unwrap()));
    }
}

#[test]
fn nothing_anywhere_says_where_it_was_looked_for() {
    let nowhere = load(&surroundings(&[("HOME", "/nowhere")]), None, None);
    assert_eq!(nowhere.observed, Observed::Absent(Absent { looked: vec!["/nowhere/.kube/config".into()] }));
    let flag = load(&surroundings(&[]), Some(Path::new("k")), None);
    assert_eq!(flag.observed, Observed::Absent(Absent { looked: vec!["/home/ada/project/k".into()] }));
}

#[test]
fn only_the_first_document_counts_and_duplicate_keys_are_no_error() {
    let (_folder, loaded) = load_texts(&["current-context: a\ncurrent-context: b\n---\ncurrent-context: c\n"]);
    assert_eq!(loaded.observed.found().unwrap().document["current-context"], "b");
}

#[test]
fn debug_output_holds_no_secret() {
    let with_proxy = KUBECONFIG.replace("certificate-authority:", "proxy-url: 'http://ada:swordfish@p.example', x:");
    let (_folder, loaded) = load_texts(&[&with_proxy]);
    let shown = format!("{loaded:?}");
    assert!(shown.contains("bin/plugin"), "{shown}");
    assert!(!shown.contains("swordfish"), "{shown}");
}

#[test]
fn what_is_wrong_with_a_value_is_said_without_it() {
    for (text, words) in [
        (
            "users: [{name: a, user: {token: 271828182845}}]",
            "users[0].user.token: invalid type: integer, expected a string",
        ),
        (
            "users: [{name: a, user: {exec: '271828182845'}}]",
            "users[0].user.exec: invalid type: string, expected struct",
        ),
        ("'271828182845'", "a kubeconfig is a map, not a text"),
    ] {
        let message = load_texts(&[text]).1.observed.failure().unwrap().message.clone();
        assert!(message.contains(words) && !message.contains("271828182845"), "{message}");
    }
}

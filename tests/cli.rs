//! The program as people run it: the built binary in a scrubbed environment.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a test ends at the first surprise, and runs the real thing"
)]

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
};

struct Run {
    status: i32,
    out: String,
    err: String,
}

/// The program with nothing of this machine's settings. No look can leave the machine: there are no credentials, no
/// kubeconfig, and no instance metadata.
fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eks-doctor"));
    command.args(args).env_clear().env("PATH", "/usr/bin:/bin").env("LANG", "C.UTF-8").env("COLUMNS", "80");
    command.env("HOME", "/nonexistent").env("AWS_EC2_METADATA_DISABLED", "true").stdin(Stdio::null());
    command
}

fn finish(output: Output) -> Run {
    Run {
        status: output.status.code().expect("the program is not killed"),
        out: String::from_utf8(output.stdout).expect("output is UTF-8"),
        err: String::from_utf8(output.stderr).expect("errors are UTF-8"),
    }
}

fn run(args: &[&str]) -> Run {
    finish(program(args).output().unwrap())
}

fn run_with_input(args: &[&str], input: &[u8]) -> Run {
    let mut child = program(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    finish(child.wait_with_output().unwrap())
}

/// Writes files into a folder of their own and runs with paths below it.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn below(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

#[test]
fn the_exit_status_is_the_verdict_in_every_format() {
    for (scenario, status) in [("healthy/access-entry-role", 0), ("mapping/role-path", 1)] {
        for output in ["terminal", "json"] {
            let run = run(&["demo", scenario, "--output", output]);
            assert_eq!((run.status, run.err.as_str()), (status, ""), "{scenario} as {output}");
        }
    }
    let nothing = "{\"schema\":\"eks-doctor/evidence/v1\"}";
    for output in ["terminal", "json"] {
        assert_eq!(run_with_input(&["check", "--evidence", "-", "--output", output], nothing.as_bytes()).status, 3);
    }
    assert_eq!(run(&["check", "--evidence", "/nonexistent/x.json"]).status, 2);
    assert_eq!(run(&["chekc"]).status, 2);
}

#[test]
fn the_run_in_the_readme_is_true() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let shown = run(&["demo", "mapping/role-path"]).out;
    assert!(readme.contains(shown.trim_end()), "the README shows another run than this:\n{shown}");
}

/// As for `kubectl`, which takes the namespace of the context.
#[test]
fn an_action_without_a_namespace_is_in_that_of_the_context() {
    let contexts = "contexts: [{ name: a, context: { namespace: team } }, { name: b, context: {} }]";
    let document = format!(
        "schema: eks-doctor/evidence/v1\nkubeconfig: {{ found: {{ document: {{ {contexts}, current-context: a }} }} }}\n"
    );
    let asked = |more: &[&str]| {
        let args = ["check", "--evidence", "-", "--output", "json"];
        let run = run_with_input(&[&args[..], more].concat(), document.as_bytes());
        let report: serde_json::Value = serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("{}", run.err));
        report["authorization"]["action"]["namespace"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(asked(&["--action", "get pods"]), "team");
    assert_eq!(asked(&["--action", "get pods", "--context", "b"]), "default");
    assert_eq!(asked(&["--action", "get pods -n dev"]), "dev");
    assert_eq!(asked(&["--action", "get nodes"]), "");
    assert_eq!(asked(&[]), "team");
}

#[test]
fn json_is_the_only_thing_on_standard_output() {
    let run = run(&["demo", "mapping/role-path", "--output", "json"]);
    let report: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(report["schema"], "eks-doctor/report/v1");
    assert_eq!(report["verdict"], "blocked");
    assert_eq!(report["blockedAt"], "mapping");
    assert_eq!(report["findings"][0]["id"], "mapping/role-path");
    assert_eq!(report["findings"][0]["refines"], serde_json::json!(["mapping/none"]));
    assert_eq!(report["identity"]["mapping"]["source"], "none");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut child = program(&["rules", "list"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let run = finish(child.wait_with_output().unwrap());
    assert_eq!((run.status, run.err.as_str()), (0, ""));
}

#[test]
fn without_a_utf8_locale_everything_is_ascii_and_a_pipe_has_no_colour() {
    for locale in ["C", "POSIX"] {
        let output = program(&["demo", "mapping/role-path"]).env("LANG", locale).output().unwrap();
        let run = finish(output);
        assert!(run.out.is_ascii(), "{}", run.out);
        assert!(!run.out.contains('\u{1b}'));
    }
    assert!(run(&["demo", "mapping/role-path"]).out.contains('✗'));
}

#[test]
fn prose_stays_within_80_columns_and_commands_stay_whole() {
    for scenario in ["mapping/role-path", "authorization/no-policy", "credentials/expired"] {
        let run = run(&["demo", scenario, "--verbose"]);
        for line in run.out.lines().filter(|line| !line.starts_with("      ")) {
            let unbreakable = line.split_whitespace().any(|word| word.len() > 60);
            assert!(line.chars().count() <= 80 || unbreakable, "{scenario}: {line}");
        }
    }
}

#[test]
fn a_machine_without_anything_is_diagnosed_as_just_that() {
    let run = run(&["check", "--output", "json", "--timeout", "5"]);
    let report: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(run.status, 1, "{}", run.err);
    let ids: Vec<&str> = report["findings"].as_array().unwrap().iter().map(|f| f["id"].as_str().unwrap()).collect();
    assert_eq!(&ids[..2], ["credentials/none", "kubeconfig/missing"]);
}

#[test]
fn the_evidence_that_was_saved_gives_the_same_report() {
    let folder = tempfile::tempdir().unwrap();
    let saved = below(folder.path(), "evidence.json");
    let live = run(&["check", "--output", "json", "--save-evidence", &saved]);
    let replayed = run(&["check", "--output", "json", "--evidence", &saved]);
    assert_eq!((live.status, &live.out), (replayed.status, &replayed.out));
}

#[test]
fn input_that_cannot_be_used_is_refused_with_place_and_help() {
    let rule =
        "title: x\nexplains: [unauthorized]\nwhen: { cluster.exsts: true }\nbecause: x\ndocs: https://docs.example\n";
    let folder = folder(&[
        ("truncated.json", "{\"schema\": \"eks-doctor/evidence/v1\", \"target\": {\"clu"),
        ("version.json", "{\"schema\": \"eks-doctor/evidence/v9\"}"),
        ("key.yaml", "schema: eks-doctor/evidence/v1\naws:\n  callr: { absent: {} }\n"),
        ("two-forms.yaml", "schema: eks-doctor/evidence/v1\naws:\n  caller: { absent: {}, denied: {} }\n"),
        ("type.json", "{\"schema\": \"eks-doctor/evidence/v1\", \"calls\": 3}"),
        ("empty.json", ""),
        ("array.json", "[]"),
        ("not-yaml.yaml", "schema: [\n"),
        ("prod.json", "{\"schema\": \"eks-doctor/evidence/v1\", \"target\": {\"cluster\": \"prod\"}}"),
        ("test.json", "{\"schema\": \"eks-doctor/evidence/v1\", \"target\": {\"cluster\": \"test\"}}"),
        ("rules/mapping/own.yaml", rule),
        ("no-rules/readme.txt", ""),
    ]);
    let path = |name: &str| below(folder.path(), name);
    let mut said = String::new();
    let evidence = [
        "truncated.json",
        "version.json",
        "key.yaml",
        "two-forms.yaml",
        "type.json",
        "empty.json",
        "array.json",
        "not-yaml.yaml",
    ];
    let mut calls: Vec<Vec<String>> =
        evidence.iter().map(|name| vec!["check".into(), "--evidence".into(), path(name)]).collect();
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    calls.extend([
        words(&["check", "--evidence", &path("prod.json"), "--evidence", &path("test.json")]),
        words(&["check", "--evidence", &path("prod.json"), "--profile", "dev"]),
        words(&["check", "--evidence", &path("prod.json"), "--action", "gte pods -n"]),
        words(&["check", "--evidence", "-", "--error", "-"]),
        words(&["check", "--timeout", "never"]),
        words(&["check", "--timeout", "-1"]),
        words(&["check", "--region", ""]),
        words(&["check", "--action", "get \u{1b}[31m pods"]),
        words(&["demo", "mapping/role-pth"]),
        words(&["demo", "mapping/none", "--rules", &path("rules")]),
        words(&["rules", "lint", &path("rules")]),
        words(&["rules", "lint", &path("no-rules")]),
        words(&["rules", "lint", &path("missing")]),
        words(&["explain", "mapping/nnoe"]),
        words(&["explain", "xyzzy"]),
    ]);
    for call in calls {
        let run = run(&call.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!((run.status, run.out.as_str()), (2, ""), "{call:?}\n{}", run.err);
        let call = call.join(" ").replace(&folder.path().display().to_string(), "").replace('\u{1b}', "ESC");
        said.push_str(&format!("$ eks-doctor {call}\n{}\n", run.err.replace(&folder.path().display().to_string(), "")));
    }
    insta::assert_snapshot!(said);
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let run = run_with_input(&["check", "--evidence", "-"], b"{\"schema\":\n\xff\xfe}");
    assert_eq!((run.status, run.out.as_str()), (2, ""));
    assert!(run.err.starts_with("error: standard input:2:1: the text is not UTF-8"), "{}", run.err);
    #[cfg(unix)]
    {
        let endless = self::run(&["check", "--evidence", "/dev/zero"]);
        assert_eq!(endless.status, 2);
        assert!(endless.err.starts_with("error: /dev/zero: the file is larger than 256 MiB"), "{}", endless.err);
    }
}

#[test]
fn help_has_examples_for_every_command() {
    for command in [&[][..], &["check"], &["collect"], &["explain"], &["permissions"], &["rules"], &["demo"]] {
        let args: Vec<&str> = command.iter().copied().chain(["--help"]).collect();
        let run = run(&args);
        assert_eq!(run.status, 0);
        assert!(run.out.contains("Examples:\n  eks-doctor"), "{command:?}\n{}", run.out);
    }
}

#[test]
fn rules_are_listed_shown_and_checked() {
    assert!(run(&["rules", "list"]).out.contains("mapping/role-path"));
    let list: serde_json::Value = serde_json::from_str(&run(&["rules", "list", "--output", "json"]).out).unwrap();
    assert!(list.as_array().unwrap().iter().any(|rule| rule["id"] == "mapping/none"));
    assert!(run(&["rules", "show", "mapping/role-path"]).out.starts_with("title: aws-auth maps the role"));
    assert_eq!(run(&["rules", "lint"]).status, 0);
}

#[test]
fn a_cause_is_explained_in_full() {
    insta::assert_snapshot!(run(&["explain", "mapping/role-path"]).out);
}

/// Names from hostile hands: nothing of them acts on the terminal, and each is one word of each command.
#[test]
fn hostile_names_are_visible_and_quoted() {
    let evidence = r#"
schema: eks-doctor/evidence/v1
target: { cluster: "prod\u001b[2J; rm -rf ~", region: eu-west-1, principal: "arn:aws:iam::111122223333:role/De\u202ev" }
aws:
  cluster: { found: { name: "prod\u001b[2J; rm -rf ~", accessConfig: { authenticationMode: API } } }
  accessEntries: { found: [] }
"#;
    let run = run_with_input(&["check", "--evidence", "-"], evidence.as_bytes());
    assert_eq!(run.status, 1, "{}", run.err);
    assert!(!run.out.contains('\u{1b}') && !run.out.contains('\u{202e}'), "{}", run.out);
    assert!(run.out.contains("--cluster-name $'prod\\x1b[2J; rm -rf ~'"), "{}", run.out);
    assert!(run.out.contains("De<U+202E>v"), "{}", run.out);
}

#[test]
fn large_clusters_are_diagnosed() {
    let entries: Vec<_> = (0..3000)
        .map(|n| serde_json::json!({ "principalArn": format!("arn:aws:iam::111122223333:role/team/r{n}") }))
        .collect();
    let lines: String = (0..2500)
        .map(|n| format!("- rolearn: arn:aws:iam::111122223333:role/x{n}\n  username: x{n}\n  groups: [g{n}]\n"))
        .collect();
    assert!(lines.len() > 190_000);
    let evidence = serde_json::json!({
        "schema": "eks-doctor/evidence/v1",
        "target": { "principal": "arn:aws:iam::111122223333:role/Dev" },
        "aws": {
            "cluster": { "found": { "name": "prod", "accessConfig": { "authenticationMode": "API_AND_CONFIG_MAP" } } },
            "accessEntries": { "found": entries },
        },
        "kubernetes": { "awsAuth": { "found": { "data": { "mapRoles": lines } } } },
    });
    let run = run_with_input(&["check", "--evidence", "-", "--output", "json"], evidence.to_string().as_bytes());
    let report: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(report["findings"][0]["id"], "mapping/none", "{}", run.err);
    assert_eq!(report["findings"][0]["verdict"], "confirmed");
}

#[test]
fn every_rule_has_a_page_and_the_index_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("causes");
    let done = run(&["rules", "pages", dir.to_str().unwrap()]);
    assert_eq!(done.status, 0, "{}", done.err);
    let index = fs::read_to_string(dir.join("index.md")).unwrap();
    let links: Vec<&str> =
        index.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(to, _)| to).collect();
    assert!(links.len() > 50, "{index}");
    for link in links {
        let page = fs::read_to_string(dir.join(link)).unwrap();
        assert!(page.starts_with("# ") && page.contains("\n## Fix, by ") && page.contains("```sh\n"), "{page}");
        assert!(!page.contains("cannot be shown"), "{page}");
        assert_eq!(page.matches("```").count() % 2, 0, "{page}");
    }
    assert_eq!(run(&["rules", "pages", "/proc/nowhere"]).status, 2);
}

//! Every command that a report prints is run by a real shell in which all programs only write down their arguments; then
//! the real `aws` and `kubectl` judge the arguments, where they are installed. Nothing listens where they are sent.

#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test ends at the first surprise, and runs the real thing"
)]

use std::{
    collections::BTreeMap,
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::LazyLock,
    thread,
};

use eks_doctor::{
    diagnose::diagnose,
    report::{Fix, Report},
    rule::Library,
    scenario,
};

/// The programs that commands may start.
const PROGRAMS: &[&str] = &[
    "aws",
    "base64",
    "cat",
    "chronyc",
    "cp",
    "curl",
    "cut",
    "date",
    "eks-doctor",
    "eksctl",
    "env",
    "getent",
    "grep",
    "hostname",
    "id",
    "jq",
    "kubectl",
    "mv",
    "nslookup",
    "openssl",
    "rm",
    "sed",
    "sleep",
    "sudo",
    "terraform",
    "uname",
    "unzip",
    "w32tm",
];

/// Writes down its name and arguments, and prints something that the rest of a command can go on with: `cat` what it reads.
const STAND_IN: &str = r#"#!/bin/sh
if [ "${0##*/}" = cat ] && [ $# = 0 ]; then
  while IFS= read -r line; do printf '%s\n' "$line"; done
  exit
fi
printf '%s\0' "${0##*/}" "$@" > "$CALLS/${0##*/}.$$"
echo :
"#;

/// A program's name and its arguments.
type Call = Vec<String>;

fn of_fix(fix: &Fix) -> impl Iterator<Item = &String> {
    fix.steps.iter().map(|step| &step.run).chain(&fix.undo).chain(&fix.verify)
}

/// Every command of a report.
fn commands(report: &Report) -> impl Iterator<Item = &String> {
    let fixes = report.findings.iter().flat_map(|finding| &finding.fixes);
    fixes.flat_map(of_fix).chain(report.unknowns.iter().map(|unseen| &unseen.ask))
}

/// What somebody would put in for the placeholders.
fn filled_in(command: &str, placeholders: &[String]) -> String {
    placeholders.iter().fold(command.to_owned(), |command, placeholder| {
        let value = match placeholder.trim_matches(['<', '>']) {
            name if name.contains("ROLE_ARN") || name.ends_with("PRINCIPAL_ARN") => {
                "arn:aws:iam::111122223333:role/Dev"
            }
            name if name.ends_with("ARN") => "arn:aws:iam::111122223333:user/ada",
            name if name.contains("REGION") => "eu-west-1",
            name if name.contains("ENDPOINT") => "https://0123456789ABCDEF.gr7.eu-west-1.eks.example",
            name if name.contains("CIDR") => "203.0.113.0/24",
            name if name.contains("ACCOUNT") => "111122223333",
            name if name.contains("KEY_ID") => "AKIAIOSFODNN7EXAMPLE",
            _ => "sample",
        };
        command.replace(placeholder.as_str(), value)
    })
}

fn placeholders(command: &str) -> Vec<String> {
    let names = command.split('<').skip(1).filter_map(|rest| rest.split_once('>')).map(|(name, _)| name);
    let is_name = |name: &&str| {
        name.starts_with(|c: char| c.is_ascii_uppercase()) && name.chars().all(|c| c.is_ascii_uppercase() || c == '_')
    };
    names.filter(is_name).map(|name| format!("<{name}>")).collect()
}

/// Every command of every scenario, with the one that prints it.
static COMMANDS: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    let library = Library::load(&[]).unwrap();
    let mut found = BTreeMap::new();
    for name in scenario::names().filter(|name| !scenario::is_healthy(name)) {
        let file = scenario::case_file(name).unwrap();
        for case in &file.cases {
            let report = diagnose(&file.evidence(name, case).unwrap(), &library);
            for command in commands(&report) {
                found
                    .entry(filled_in(command, &placeholders(command)))
                    .or_insert_with(|| format!("{name}, \"{}\"", case.name));
            }
        }
    }
    found
});

/// A folder of programs that only write down what they are called with.
struct Shell {
    folder: tempfile::TempDir,
}

impl Shell {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for part in ["bin", "home/.kube"] {
            fs::create_dir_all(folder.path().join(part)).unwrap();
        }
        for program in PROGRAMS {
            let path = folder.path().join("bin").join(program);
            fs::write(&path, STAND_IN).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        Self { folder }
    }

    /// Runs a command; returns the calls that it made, or what the shell complained about.
    fn run(&self, command: &str) -> Result<Vec<Call>, String> {
        let calls = self.folder.path().join("calls");
        fs::create_dir_all(&calls).unwrap();
        let home = self.folder.path().join("home");
        let output = Command::new("/bin/bash")
            .args(["--noprofile", "--norc", "-c", command])
            .env_clear()
            .env("PATH", self.folder.path().join("bin"))
            .env("HOME", &home)
            .env("CALLS", &calls)
            .current_dir(&home)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        let mut made = Vec::new();
        for entry in fs::read_dir(&calls).unwrap() {
            let text = fs::read_to_string(entry.unwrap().path()).unwrap();
            made.push(text.strip_suffix('\0').unwrap_or(&text).split('\0').map(str::to_owned).collect());
        }
        fs::remove_dir_all(&calls).unwrap();
        if complaint.is_empty() { Ok(made) } else { Err(complaint) }
    }
}

/// What decides whether a call is well-formed: its words but for the values, so that each form is judged once.
fn form(call: &Call) -> String {
    let mut form = Vec::new();
    let mut was_flag = false;
    for word in call {
        let is_flag = word.starts_with('-');
        match word.split_once('=') {
            Some((flag, _)) if is_flag => form.push(flag),
            _ if is_flag => form.push(word),
            _ if was_flag => form.push("…"),
            _ if word.chars().all(|c| c.is_ascii_lowercase() || c == '-') => form.push(word),
            _ => form.push("…"),
        }
        was_flag = is_flag;
    }
    form.join(" ")
}

/// The calls of one program in all commands, one of each form, with the scenario that prints it.
fn calls_of(program: &str) -> Vec<(Call, String)> {
    let shell = Shell::new();
    let mut found: BTreeMap<String, (Call, String)> = BTreeMap::new();
    for (command, scenario) in COMMANDS.iter().filter(|(command, _)| command.contains(program)) {
        for call in shell.run(command).unwrap_or_default() {
            if call.first().is_some_and(|name| name == program) {
                found.entry(form(&call)).or_insert_with(|| (call, scenario.clone()));
            }
        }
    }
    found.into_values().collect()
}

/// The real program, if it is installed.
fn installed(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// Calls the real program in an empty home, where nothing can be reached; returns what it complains about.
fn complaint_of(program: &Path, call: &Call, home: &Path) -> String {
    let nowhere = "http://127.0.0.1:9";
    let kubeconfig = home.join("kubeconfig");
    let output = Command::new(program)
        .args(&call[1..])
        .env("HOME", home)
        .env("KUBECONFIG", &kubeconfig)
        .env("AWS_ENDPOINT_URL", nowhere)
        .env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", "example")
        .env("AWS_DEFAULT_REGION", "eu-west-1")
        .env("AWS_MAX_ATTEMPTS", "1")
        .env("AWS_PAGER", "")
        .env_remove("AWS_PROFILE")
        .current_dir(home)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Judges all calls of a program, two at a time.
fn judge(program: &Path, calls: &[(Call, String)], is_wrong: fn(&str) -> bool) -> Vec<String> {
    let half = calls.len().div_ceil(2).max(1);
    thread::scope(|scope| {
        let workers: Vec<_> = calls
            .chunks(half)
            .map(|part| {
                scope.spawn(move || {
                    let home = tempfile::tempdir().unwrap();
                    fs::write(home.path().join("kubeconfig"), KUBECONFIG).unwrap();
                    part.iter()
                        .filter_map(|(call, scenario)| {
                            let complaint = complaint_of(program, call, home.path());
                            is_wrong(&complaint).then(|| format!("{scenario}: {call:?}\n    {}", complaint.trim()))
                        })
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    })
}

const KUBECONFIG: &str = "
apiVersion: v1
kind: Config
current-context: prod
clusters: [{name: prod, cluster: {server: 'http://127.0.0.1:9'}}]
contexts: [{name: prod, context: {cluster: prod, user: prod}}]
users: [{name: prod, user: {token: sample}}]
";

#[test]
fn terraform_files_are_of_its_language() {
    let shell = Shell::new();
    let mut files = 0;
    for (command, scenario) in COMMANDS.iter().filter(|(command, _)| command.contains(".tf <<")) {
        shell.run(command).unwrap_or_else(|complaint| panic!("{scenario}: {complaint}"));
        let path = shell.folder.path().join("home/eks-access.tf");
        let text = fs::read_to_string(&path).unwrap();
        let body: hcl_edit::structure::Body =
            text.parse().unwrap_or_else(|error| panic!("{scenario}: {error}\n{text}"));
        assert_eq!(body.blocks().count(), 2, "{scenario}: {text}");
        fs::remove_file(path).unwrap();
        files += 1;
    }
    assert!(files > 3, "{files} files");
}

/// A word that a shell takes for another program, a redirection or the end of a quotation would show here.
#[test]
fn a_shell_takes_every_command_as_it_is_meant() {
    let shell = Shell::new();
    let wrong: Vec<String> = COMMANDS
        .iter()
        .filter_map(|(command, scenario)| {
            shell.run(command).err().map(|complaint| format!("{scenario}: {command}\n    {complaint}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), COMMANDS.len(), wrong.join("\n"));
    assert!(COMMANDS.len() > 100, "{} commands", COMMANDS.len());
}

#[test]
fn the_aws_cli_accepts_every_call() {
    let calls = calls_of("aws");
    assert!(calls.len() > 20, "{} calls", calls.len());
    let Some(aws) = installed("aws") else { return println!("aws is not installed: {} calls not judged", calls.len()) };
    // These exist in version 2 alone, and are judged where that is installed.
    let version = Command::new(&aws).arg("--version").output().unwrap();
    let is_old = String::from_utf8_lossy(&version.stdout).starts_with("aws-cli/1");
    let is_new = |call: &Call| match &call[1..] {
        [first, ..] if first == "login" || first == "sso" => true,
        [first, second, ..] => first == "configure" && second != "list",
        _ => false,
    };
    let calls: Vec<_> = calls.into_iter().filter(|(call, _)| !(is_old && is_new(call))).collect();
    let wrong = judge(&aws, &calls, |complaint| {
        ["usage:", "Parameter validation failed", "Error parsing parameter", "Invalid JSON", "Unknown options"]
            .iter()
            .any(|sign| complaint.contains(sign))
            // An earlier command of the same fix writes such a file.
            && !complaint.contains("Unable to load paramfile")
    });
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), calls.len(), wrong.join("\n"));
}

#[test]
fn kubectl_accepts_every_call() {
    let calls = calls_of("kubectl");
    assert!(calls.len() > 20, "{} calls", calls.len());
    let Some(kubectl) = installed("kubectl") else {
        return println!("kubectl is not installed: {} calls not judged", calls.len());
    };
    // A call inside a command substitution is told from one that fails later by the words of the argument parser.
    let wrong = judge(&kubectl, &calls, |complaint| {
        [
            "unknown flag",
            "unknown command",
            "unknown shorthand",
            "flag needs an argument",
            "invalid argument",
            "See 'kubectl",
            "must specify",
            "required flag",
            "exactly one",
        ]
        .iter()
        .any(|sign| complaint.contains(sign))
    });
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), calls.len(), wrong.join("\n"));
}

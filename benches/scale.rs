//! The largest clusters: 3,000 access entries, 1,000 aws-auth entries, 20,000 RoleBindings, 5,000 Roles, and the same at
//! half the size: `cargo bench --bench scale`.
//!
//! Times are shown beside the time that reading the document takes in the same run. Memory is that of a process which does
//! nothing but read the document and diagnose it, beside the document's size.

#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a benchmark reads the clock and prints figures")]

use std::{
    env, fs,
    hint::black_box,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use eks_doctor::{
    diagnose::diagnose,
    evidence::{Action, Evidence},
    facts::{
        arn::PrincipalArn,
        aws_auth::AwsAuth,
        identity_mapping::{AccessEntry, AuthenticationMode, Identity, MappingIndex, Outcome, Seen, Store, Verdict},
        rbac::{RbacDecision, RbacIndex, RbacLists, authenticated},
    },
    rule::Library,
};
use serde_json::{Value, json};

const ENTRIES: usize = 3_000;
const LINES: usize = 1_000;
const BINDINGS: usize = 20_000;
const ROLES: usize = 5_000;

/// The environment variable by which a process is told to read and diagnose one document.
const DOCUMENT: &str = "EKS_DOCTOR_SCALE_DOCUMENT";

fn document(entries: usize, lines: usize, bindings: usize, roles: usize) -> String {
    let arn = |number: usize| format!("arn:aws:iam::111122223333:role/team-{}/person-{number}", number % 50);
    let entry = |number: usize| {
        let details = json!({ "type": "STANDARD", "username": format!("person-{number}"), "kubernetesGroups": [format!("team-{}", number % 50)] });
        json!({ "principalArn": arn(number), "details": { "found": details }, "policies": { "found": [] } })
    };
    let line = |number: usize| {
        format!(
            "- rolearn: arn:aws:iam::111122223333:role/legacy-{number}\n  username: legacy-{number}\n  groups: [team-{}]\n",
            number % 50
        )
    };
    let role = |number: usize| {
        json!({
            "metadata": { "name": format!("role-{number}"), "namespace": format!("ns-{}", number % 500) },
            "rules": [{ "verbs": ["get", "list", "watch"], "apiGroups": [""], "resources": ["pods", "pods/log"] }],
        })
    };
    let binding = |number: usize| {
        json!({
            "metadata": { "name": format!("binding-{number}"), "namespace": format!("ns-{}", number % 500), "uid": format!("{number:032}") },
            "subjects": [{ "kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": format!("team-{}", number % 50) }],
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": format!("role-{}", number % roles) },
        })
    };
    let all = |count: usize, item: &dyn Fn(usize) -> Value| (0..count).map(item).collect::<Vec<_>>();
    json!({
        "schema": "eks-doctor/evidence/v1",
        "target": {
            "principal": arn(entries / 2),
            "action": { "verb": "delete", "resource": "pods", "namespace": "ns-1" },
        },
        "aws": {
            "cluster": { "found": { "name": "large", "accessConfig": { "authenticationMode": "API_AND_CONFIG_MAP" } } },
            "accessEntries": { "found": all(entries, &entry) },
        },
        "kubernetes": {
            "awsAuth": { "found": { "data": { "mapRoles": (0..lines).map(line).collect::<String>() } } },
            "clusterRoles": { "found": [] },
            "clusterRoleBindings": { "found": [] },
            "roles": { "found": all(roles, &role) },
            "roleBindings": { "found": all(bindings, &binding) },
        },
    })
    .to_string()
}

fn index(evidence: &Evidence) -> MappingIndex {
    let entries = evidence.aws.access_entries.found().into_iter().flatten().map(|entry| {
        let details = entry.details.found();
        AccessEntry {
            principal_arn: PrincipalArn::new(entry.principal_arn.clone()),
            unique_id: None,
            entry_type: details.and_then(|details| details.entry_type.clone()),
            username: details.and_then(|details| details.username.clone()),
            groups: details.and_then(|details| details.kubernetes_groups.clone()),
            created_at: None,
        }
    });
    let data = evidence.kubernetes.aws_auth.found().map(|config_map| config_map.data.clone()).unwrap_or_default();
    MappingIndex {
        mode: Seen::Known(AuthenticationMode::ApiAndConfigMap),
        access_entries: Seen::Known(Store::access_entries(entries)),
        aws_auth: Seen::Known(Store::aws_auth(&AwsAuth::parse(&data))),
        creator: None,
    }
}

/// Maps and authorizes these principals in one pass; returns how many are refused.
fn decide(evidence: &Evidence, principals: &[String]) -> usize {
    let mapping = index(evidence);
    let rbac = RbacIndex::new(RbacLists::of(&evidence.kubernetes));
    let action: Action = evidence.target.action.clone().unwrap_or_default();
    let refused = principals.iter().filter(|arn| {
        let Ok(identity) = Identity::of_arn(arn) else { return true };
        let Outcome::Always(Verdict::Mapped(mapped)) = mapping.map(&identity).outcome else { return true };
        let user = authenticated(format!("{:?}", mapped.username), [format!("team-{}", arn.len() % 50)]);
        !matches!(rbac.authorize(&user, &action), RbacDecision::Allowed(_))
    });
    refused.count()
}

/// The best of some runs.
fn best<T>(runs: usize, mut work: impl FnMut() -> T) -> Duration {
    (0..runs)
        .map(|_| {
            let began = Instant::now();
            black_box(work());
            began.elapsed()
        })
        .min()
        .unwrap_or_default()
}

/// The most memory that the process has had so far, in bytes; 0 where the system does not tell.
fn peak_memory() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok()).unwrap_or_default() * 1024
}

/// What another process needs to read and diagnose the document in this file, in bytes.
fn memory_of_a_process(document: &Path) -> Option<usize> {
    let output = Command::new(env::current_exe().ok()?).env(DOCUMENT, document).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

/// What that process does.
fn read_and_diagnose(document: &str, library: &Library) {
    let before = peak_memory();
    let text = fs::read_to_string(document).unwrap_or_default();
    if let Ok(evidence) = Evidence::from_text("large.json", &text) {
        // As the program does.
        drop(text);
        black_box(diagnose(&evidence, library));
        println!("{}", peak_memory().saturating_sub(before));
    }
}

fn main() {
    let library = Library::load(&[]).unwrap_or_else(|_| Library::from_rules(Vec::new()));
    if let Ok(document) = env::var(DOCUMENT) {
        return read_and_diagnose(&document, &library);
    }
    let file = env::temp_dir().join(format!("eks-doctor-scale-{}.json", std::process::id()));
    for share in [2, 1] {
        let text = document(ENTRIES / share, LINES / share, BINDINGS / share, ROLES / share);
        let Ok(evidence) = Evidence::from_text("large.json", &text) else {
            return println!("the document is malformed");
        };
        let memory = fs::write(&file, &text).ok().and_then(|()| memory_of_a_process(&file)).unwrap_or_default();
        let reading = best(3, || Evidence::from_text("large.json", &text));
        let one = best(5, || decide(&evidence, &[evidence.target.principal.clone().unwrap_or_default()]));
        let entries =
            evidence.aws.access_entries.found().into_iter().flatten().map(|entry| entry.principal_arn.clone());
        let lines = (0..LINES / share).map(|number| format!("arn:aws:iam::111122223333:role/legacy-{number}"));
        let principals: Vec<String> = entries.chain(lines).collect();
        let all = best(3, || decide(&evidence, &principals));
        let whole = best(3, || diagnose(&evidence, &library));
        println!("1/{share} of the size: document {:.1} MB, read in {reading:.1?}", text.len() as f64 / 1e6);
        let ratio = |time: Duration| time.as_secs_f64() / reading.as_secs_f64();
        println!("  map and authorize one principal, indexing included: {one:.1?} ({:.2} of reading)", ratio(one));
        println!(
            "  the same for {} principals in one pass: {all:.1?} ({:.2} of reading)",
            principals.len(),
            ratio(all)
        );
        println!("  whole diagnosis of one principal: {whole:.1?} ({:.2} of reading)", ratio(whole));
        println!(
            "  memory for reading and diagnosing: {:.2} of the document's size",
            memory as f64 / text.len() as f64
        );
    }
    let _ = fs::remove_file(file);
}

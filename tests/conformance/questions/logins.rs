//! Logins: an identity as STS names it, the two stores, and the settings of the server between them.

use serde_json::{Map, Value, json};

use super::aws_auth;
use super::principals::{INSTANCES, Principal};
use super::random::Random;
use super::texts::word;

const RESERVED: [&str; 5] = ["aws:", "iam:", "amazon:", "system:", "eks:"];

/// One question about a mapping.
pub(crate) fn login(random: &mut Random) -> Value {
    random.author(80);
    let principal = Principal::random(random);
    let others = [Principal::random(random), Principal::random(random)];
    let known = [&principal, &principal, &principal, &others[0], &others[1]];
    let backends: &[&str] = match random.below(20) {
        0..=7 => &["EKSConfigMap"],
        8..=10 => &["DynamicFile"],
        11..=18 => &["DynamicFile", "EKSConfigMap"],
        _ => &["EKSConfigMap", "DynamicFile"],
    };
    let mut question = json!({
        "kind": "mapping",
        "backends": backends,
        "identity": {
            "arn": principal.raw_arn(),
            "uniqueId": unique_id(random, &principal),
            "sessionName": principal.session(),
            "account": principal.account,
            "accessKeyId": if principal.is_role() { "ASIAEXAMPLEKEY000001" } else { "AKIAEXAMPLEKEY000001" },
        },
    });
    if backends.contains(&"EKSConfigMap") && !random.percent(2) {
        question["awsAuth"] = aws_auth::data(random, &known).into();
    }
    if backends.contains(&"DynamicFile") {
        question["dynamicFile"] = entries(random, &known).into();
        question["userIdStrict"] = random.percent(85).into();
        if random.percent(60) {
            question["reservedPrefixes"] = reserved_prefixes(random);
        }
    }
    if random.percent(6) {
        question["ssoRoleMatch"] = true.into();
    }
    if principal.session().starts_with("i-") {
        let names: Map<String, Value> = INSTANCES.iter().map(|(id, name)| ((*id).to_owned(), (*name).into())).collect();
        question["privateDnsNames"] = names.into();
    }
    question
}

fn unique_id(random: &mut Random, principal: &Principal) -> String {
    match random.below(80) {
        0 => principal.unique_id.to_lowercase(),
        1 => format!("{}:x", principal.unique_id),
        2 => String::new(),
        _ => principal.unique_id.clone(),
    }
}

/// The dynamic file, which the model feeds from access entries.
fn entries(random: &mut Random, principals: &[&Principal]) -> Map<String, Value> {
    let mut file: Map<String, Value> = Map::new();
    for _ in 0..random.pick(&[0, 1, 1, 1, 2, 2, 3]) {
        let principal = random.pick(principals);
        let (section, key) =
            if principal.is_role() == random.percent(95) { ("mapRoles", "rolearn") } else { ("mapUsers", "userarn") };
        let arn = if random.percent(70) { principal.iam_arn() } else { principal.as_written(random) };
        let id = if random.percent(88) { principal.unique_id.clone() } else { "AROARECREATED".to_owned() };
        let count = random.below(3);
        let mut entry = json!({
            "userid": if random.percent(2) { principal.unique_id.to_lowercase() } else { id },
            "username": if random.percent(30) { "arn:aws:sts::111122223333:assumed-role/KubeAdmin/{{SessionName}}" } else { word(random) },
            "groups": (0..count).map(|_| word(random)).collect::<Vec<_>>(),
        });
        entry[key] = if random.percent(4) { "".into() } else { arn.into() };
        if let Some(list) = file.entry(section).or_insert_with(|| json!([])).as_array_mut() {
            list.push(entry);
        }
    }
    if random.percent(6) {
        file.insert("mapAccounts".to_owned(), json!([random.pick(principals).account]));
    }
    file
}

fn reserved_prefixes(random: &mut Random) -> Value {
    match random.below(8) {
        0 => json!({ "DynamicFile": ["", "AWS:"] }),
        1 => json!({ "EKSConfigMap": RESERVED }),
        2 => json!({ "DynamicFile": RESERVED, "EKSConfigMap": ["system:"] }),
        _ => json!({ "DynamicFile": RESERVED }),
    }
}

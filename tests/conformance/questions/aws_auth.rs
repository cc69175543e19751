//! aws-auth ConfigMaps as they are found: mostly right, edited by hand, and broken in every way that people find.

use serde_json::{Map, Value, json};

use super::principals::{ACCOUNTS, Principal};
use super::random::Random;
use super::texts::{ARN_KEYS, CHARACTERS, GROUPS_KEYS, OTHER_KEYS, USERNAME_KEYS, WHOLE_SECTIONS, word};
use super::yaml_text::{Node, Writer};

/// The `data` of a ConfigMap that tries to map the principals.
pub(crate) fn data(random: &mut Random, principals: &[&Principal]) -> Map<String, Value> {
    let mut data = Map::new();
    let mut put = |random: &mut Random, key: &str, text: String| {
        let key = if random.mishap(3) {
            random.pick(&["maproles", "MapRoles", "mapRole", "mapUsers ", "config"])
        } else {
            key
        };
        data.insert(key.to_owned(), text.into());
    };
    if random.percent(88) {
        let text = entries(random, principals, "rolearn");
        put(random, "mapRoles", text);
    }
    if random.percent(45) {
        let text = entries(random, principals, "userarn");
        put(random, "mapUsers", text);
    }
    if random.percent(25) {
        let text = accounts(random);
        put(random, "mapAccounts", text);
    }
    data
}

fn entries(random: &mut Random, principals: &[&Principal], arn_key: &str) -> String {
    random.author(45);
    match random.below(100) {
        0..=2 => return random.pick(WHOLE_SECTIONS).to_owned(),
        3..=9 => {
            let text = json_array(random, principals, arn_key);
            return broken(random, text);
        }
        _ => {}
    }
    let mut list: Vec<Node> = Vec::new();
    for _ in 0..random.pick(&[1, 1, 2, 2, 3, 3, 4, 5]) {
        let principal = random.pick(principals);
        let entry = entry(random, principal, arn_key);
        list.push(entry);
    }
    if random.percent(9) {
        share(random, &mut list);
    }
    let section = match random.mishap(4) {
        true if random.percent(50) => Node::Map(vec![("mapRoles".to_owned(), Node::List(list))]),
        true => list.pop().unwrap_or(Node::List(Vec::new())),
        false => Node::List(list),
    };
    let text = Writer::new(random).document(&section);
    let text = wrapped(random, text);
    broken(random, text)
}

fn entry(random: &mut Random, principal: &Principal, arn_key: &str) -> Node {
    if random.mishap(5) {
        return match random.below(6) {
            0 => Node::verbatim("null"),
            1 => Node::Word(principal.canonical_arn()),
            2 => Node::List(vec![Node::word("rolearn"), Node::word("x")]),
            3 => Node::Map(Vec::new()),
            4 => Node::verbatim("12"),
            _ => Node::trap(random),
        };
    }
    let mut fields = Vec::new();
    if !random.mishap(4) {
        let key = if random.mishap(20) { random.pick(ARN_KEYS) } else { arn_key };
        fields.push((key.to_owned(), arn(random, principal)));
    }
    if random.percent(4) {
        fields.push((random.pick(&["sso", "SSO", "sso"]).to_string(), sso(random, principal)));
        fields.retain(|(key, _)| key == "sso" || key == "SSO" || random.percent(20));
    }
    if !random.mishap(6) {
        let key = if random.mishap(20) { random.pick(USERNAME_KEYS) } else { "username" };
        fields.push((key.to_owned(), text(random)));
    }
    if !random.mishap(6) {
        let key = if random.mishap(20) { random.pick(GROUPS_KEYS) } else { "groups" };
        fields.push((key.to_owned(), groups(random)));
    }
    if random.mishap(12) {
        let key = random.pick(OTHER_KEYS).to_string();
        fields.push((key, text(random)));
    }
    if random.mishap(12) {
        let keys: [&[&str]; 3] = [ARN_KEYS, USERNAME_KEYS, GROUPS_KEYS];
        let keys = random.pick(&keys);
        let (which, key) = (random.below(3), random.pick(keys));
        let value = match which {
            0 => arn(random, principal),
            1 => text(random),
            _ => groups(random),
        };
        fields.push((key.to_owned(), value));
    }
    if random.percent(30) {
        let (one, other) = (random.below(fields.len().max(1)), random.below(fields.len().max(1)));
        if !fields.is_empty() {
            fields.swap(one, other);
        }
    }
    Node::Map(fields)
}

fn arn(random: &mut Random, principal: &Principal) -> Node {
    if !random.mishap(8) {
        return Node::Word(principal.as_written(random));
    }
    match random.below(3) {
        0 => Node::trap(random),
        1 => Node::List(vec![Node::Word(principal.canonical_arn())]),
        _ => Node::word(word(random)),
    }
}

fn text(random: &mut Random) -> Node {
    if !random.mishap(12) {
        return Node::word(word(random));
    }
    match random.below(7) {
        0..=3 => Node::trap(random),
        4 => Node::List(vec![Node::word(word(random))]),
        5 => Node::Map(vec![("a".to_owned(), Node::word(word(random)))]),
        _ => Node::verbatim(""),
    }
}

fn groups(random: &mut Random) -> Node {
    if !random.mishap(15) {
        let count = random.pick(&[0, 1, 1, 1, 2, 2, 3, 4]);
        return Node::List((0..count).map(|_| text(random)).collect());
    }
    match random.below(4) {
        0 => text(random),
        1 => Node::Map(vec![(word(random).to_owned(), Node::verbatim(""))]),
        2 => Node::word("[\"system:masters\"]"),
        _ => Node::word("system:masters"),
    }
}

fn sso(random: &mut Random, principal: &Principal) -> Node {
    let mut fields = vec![
        (
            "permissionSetName".to_owned(),
            Node::word(random.pick(&["Dev", "Dev", "Dev", "Dev_Ops", "D*", "", "a b", "1", &"p".repeat(33)])),
        ),
        ("accountID".to_owned(), Node::word(random.pick(&[principal.account, principal.account, "1111", "", "0123"]))),
    ];
    if random.percent(30) {
        fields.push(("partition".to_owned(), Node::word(random.pick(&["aws", "aws-cn", "aws-us-govt", "", "AWS"]))));
    }
    match random.below(10) {
        0 => Node::word("Dev"),
        1 => Node::verbatim("null"),
        _ => Node::Map(fields),
    }
}

/// One entry takes fields from another one by an anchor.
fn share(random: &mut Random, list: &mut Vec<Node>) {
    let aliases = [
        "*base",
        "*base",
        "*base",
        "*base",
        "[*base]",
        "[*base, {groups: [x]}]",
        "*other",
        "{username: merged}",
        "word",
        "[word]",
        "null",
    ];
    for (index, node) in list.iter_mut().enumerate() {
        if index == 0 {
            let first = std::mem::replace(node, Node::verbatim(""));
            *node = Node::Anchored("base", Box::new(first));
        } else if let Node::Map(fields) = node {
            let at = random.below(fields.len() + 1);
            if random.percent(85) {
                fields.insert(at, ("<<".to_owned(), Node::verbatim(random.pick(&aliases))));
            } else if let Some((_, value)) = fields.last_mut() {
                *value = Node::verbatim("*base");
            }
        }
    }
    if random.percent(15) {
        list.push(Node::verbatim("*base"));
    }
}

fn json_array(random: &mut Random, principals: &[&Principal], arn_key: &str) -> String {
    let mut list = Vec::new();
    for _ in 0..1 + random.below(3) {
        let principal = random.pick(principals);
        let names: Vec<&str> = (0..random.below(3)).map(|_| word(random)).collect();
        list.push(json!({ arn_key: principal.as_written(random), "username": word(random), "groups": names }));
    }
    let list = Value::Array(list);
    if random.percent(50) { list.to_string() } else { format!("{list:#}") }
}

fn accounts(random: &mut Random) -> String {
    random.author(45);
    let account = |random: &mut Random| match random.below(10) {
        0 | 1 if random.mishap(90) => text(random),
        0..=4 => Node::verbatim(random.pick(&ACCOUNTS)),
        _ => Node::word(random.pick(&ACCOUNTS)),
    };
    let shape = if random.mishap(40) { random.below(4) } else { 4 };
    let node = match shape {
        0 => Node::verbatim(random.pick(WHOLE_SECTIONS)),
        1 => account(random),
        2 => Node::Word(ACCOUNTS.join(",")),
        3 => Node::Map(vec![(ACCOUNTS[0].to_owned(), account(random))]),
        _ => Node::List((0..random.below(4)).map(|_| account(random)).collect()),
    };
    let text = Writer::new(random).document(&node);
    let text = wrapped(random, text);
    broken(random, text)
}

/// What may stand around a list: document markers, directives, byte order marks, foreign line ends.
fn wrapped(random: &mut Random, text: String) -> String {
    if !random.mishap(35) {
        return text;
    }
    match random.below(18) {
        0 => format!("---\n{text}"),
        1 => format!("--- # one\n{text}...\n"),
        2 => format!("{text}---\n- rolearn: second\n"),
        3 => format!("{text}...\n@ not read\n"),
        4 => format!("%YAML 1.1\n---\n{text}"),
        5 => format!("%YAML 1.2\n---\n{text}"),
        6 => format!("%TAG !e! tag:example.com,2026:\n---\n{text}"),
        7 => format!("\u{feff}{text}"),
        8 | 9 => text.replace('\n', "\r\n"),
        10 => text.replace('\n', "\r"),
        11 => text.trim_end().to_owned(),
        12 => format!("\n\n  \n{text}"),
        13 => format!("# aws-auth\n{text}# end"),
        14 => text.lines().map(|line| format!("    {line}\n")).collect(),
        15 => text.replace('\n', " \n"),
        16 => format!("{text}\u{0}"),
        _ => format!("{text}\n- rolearn: {}", word(random)),
    }
}

/// Careless authors let the keyboard slip.
fn broken(random: &mut Random, text: String) -> String {
    let slips = if random.mishap(60) { random.pick(&[1, 1, 1, 2, 4]) } else { 0 };
    (0..slips).fold(text, |text, _| if random.percent(55) { slip(random, &text) } else { line_slip(random, &text) })
}

fn slip(random: &mut Random, text: &str) -> String {
    let places: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let at = random.pick(&places);
    let (before, after) = text.split_at(at);
    let rest: String = after.chars().skip(1).collect();
    match random.below(5) {
        0 => format!("{before}{rest}"),
        1 => format!("{before}{}{rest}", random.pick(CHARACTERS)),
        2 => before.to_owned() + &after.chars().take(1).collect::<String>() + after,
        _ => format!("{before}{}{after}", random.pick(CHARACTERS)),
    }
}

fn line_slip(random: &mut Random, text: &str) -> String {
    let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
    let (at, other) = (random.below(lines.len()), random.below(lines.len()));
    let line = lines[at].clone();
    match random.below(13) {
        0 => lines.insert(other, line),
        1 => drop(lines.remove(at)),
        2 => lines.swap(at, other),
        3 => lines[at] = format!(" {line}"),
        4 => lines[at] = format!("  {line}"),
        5 => lines[at] = line.strip_prefix(' ').unwrap_or(&line).to_owned(),
        6 => lines[at] = line.strip_prefix("  ").unwrap_or(&line).to_owned(),
        7 => lines[at] = line.replacen("  ", "\t", 1),
        8 => lines[at] = line.replacen("- ", "  ", 1),
        9 => lines[at] = line.replacen("- ", "-", 1),
        10 => lines[at] = line.replacen(": ", random.pick(&[":", " : ", "", ": : ", ":\u{a0}"]), 1),
        11 => lines[at] = format!("{line}{}", random.pick(&[" ", " # x", "#x", "\t", ":", " \\", ",", " &a", "\r"])),
        _ => lines.insert(
            at,
            random
                .pick(&["", "---", "...", "#", "\t", "- ", "-", "  - x", "x: y", "%YAML 1.1", "--- |", "? a", ": b"])
                .to_owned(),
        ),
    }
    lines.join("\n")
}

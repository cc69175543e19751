//! The catalogue of error messages: data in `messages/*.txt`, read once, at the first use.
//!
//! A file is a list of paragraphs. The first line of a paragraph is the message's id, the others are `  key: value`;
//! a line that starts with `#` is a remark. `causes` is a list of `id weight` or the name of a list in `causes.txt`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::SymptomClass;
use super::pattern::Pattern;

/// The id of a cause, which is the path of its rule: `mapping/role-path`.
pub type CauseId = &'static str;

/// An error message that some client, service or log writes.
pub struct Message {
    /// Stable name, such as `kubectl-401-unauthorized`.
    pub id: &'static str,
    /// The program, service or log that writes it.
    pub client: &'static str,
    /// The stage at which the request has died when this is written.
    pub stage: &'static str,
    /// The symptoms that this text can be; only a cause that produces one of them can be behind it.
    pub classes: Vec<SymptomClass>,
    /// A real text of this kind.
    pub sample: String,
    /// What it means, in one or two sentences.
    pub meaning: &'static str,
    /// What a reader should know besides.
    pub note: Option<&'static str>,
    /// What may be behind it, most likely first; the weights add up to 1.
    pub causes: Vec<(CauseId, f64)>,
    /// The cause that this text states by itself, so that nothing else need be looked up.
    pub proves: Option<CauseId>,
    /// Whether another message near it says more: it is an envelope, a notice, or what follows from the failure.
    pub is_general: bool,
    /// Messages that say less than this one where both are read from the same words.
    pub(crate) over: Vec<&'static str>,
    pub(crate) pattern: Pattern,
}

/// A statement that many messages share: it adds facts, and means nothing by itself.
pub(crate) struct Statement {
    pub(crate) pattern: Pattern,
}

/// Everything that is known about error texts.
pub(crate) struct Catalogue {
    pub(crate) messages: Vec<Message>,
    pub(crate) statements: Vec<Statement>,
}

const CAUSES: &str = include_str!("messages/causes.txt");
const STATEMENTS: &str = include_str!("messages/statements.txt");
const MESSAGES: [&str; 13] = [
    include_str!("messages/kubectl.txt"),
    include_str!("messages/exec-plugin.txt"),
    include_str!("messages/aws-cli.txt"),
    include_str!("messages/eks-api.txt"),
    include_str!("messages/console.txt"),
    include_str!("messages/helm.txt"),
    include_str!("messages/terraform.txt"),
    include_str!("messages/eksctl.txt"),
    include_str!("messages/desktop.txt"),
    include_str!("messages/node.txt"),
    include_str!("messages/control-plane.txt"),
    include_str!("messages/sdk.txt"),
    include_str!("messages/kube-clients.txt"),
];

static CATALOGUE: LazyLock<Result<Catalogue, String>> = LazyLock::new(read);
static EMPTY: Catalogue = Catalogue { messages: Vec::new(), statements: Vec::new() };

/// The catalogue. It cannot be empty: a test reads it.
pub(crate) fn catalogue() -> &'static Catalogue {
    CATALOGUE.as_ref().unwrap_or(&EMPTY)
}

/// All messages, in the order of the catalogue.
pub fn messages() -> &'static [Message] {
    &catalogue().messages
}

type Weights = Vec<(CauseId, f64)>;
type Paragraph = (&'static str, BTreeMap<&'static str, &'static str>);

fn read() -> Result<Catalogue, String> {
    let shared = CAUSES
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let (name, list) = line.split_once(": ").ok_or_else(|| format!("no list of causes: {line}"))?;
            Ok((name, weights(list)?))
        })
        .collect::<Result<BTreeMap<&str, Weights>, String>>()?;
    let messages = MESSAGES
        .iter()
        .flat_map(|file| paragraphs(file))
        .map(|paragraph| {
            let (id, keys) = paragraph?;
            message(id, keys, &shared).map_err(|why| format!("{id}: {why}"))
        })
        .collect::<Result<Vec<_>, String>>()?;
    let statements = STATEMENTS
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| Statement { pattern: Pattern::new(line) })
        .collect();
    Ok(Catalogue { messages, statements })
}

fn paragraphs(file: &'static str) -> impl Iterator<Item = Result<Paragraph, String>> {
    file.split("\n\n").filter_map(|paragraph| {
        let mut lines = paragraph.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let id = lines.next()?;
        let keys = lines
            .map(|line| line.trim_start().split_once(": ").ok_or_else(|| format!("{id}: no key and value: {line}")));
        Some(keys.collect::<Result<_, _>>().map(|keys| (id, keys)))
    })
}

fn message(
    id: &'static str,
    mut keys: BTreeMap<&'static str, &'static str>,
    shared: &BTreeMap<&str, Weights>,
) -> Result<Message, String> {
    let mut take = |key: &str| keys.remove(key);
    let causes = take("causes").ok_or("no causes")?;
    let message = Message {
        id,
        client: take("client").ok_or("no client")?,
        stage: take("stage").ok_or("no stage")?,
        classes: take("classes").ok_or("no classes")?.split(' ').map(str::parse).collect::<Result<_, _>>()?,
        sample: take("sample").ok_or("no sample")?.replace("\\n", "\n").replace("\\t", "\t").replace("\\\\", "\\"),
        meaning: take("meaning").ok_or("no meaning")?,
        note: take("note"),
        causes: match shared.get(causes) {
            Some(list) => list.clone(),
            None => weights(causes)?,
        },
        proves: take("proves"),
        is_general: take("general").is_some_and(|value| value == "yes"),
        over: take("over").map(|ids| ids.split(' ').collect()).unwrap_or_default(),
        pattern: Pattern::new(take("pattern").ok_or("no pattern")?),
    };
    match keys.keys().next() {
        Some(key) => Err(format!("unknown key {key}")),
        None => Ok(message),
    }
}

/// Reads `mapping/none 20, credentials/expired 11`; only the proportions matter.
fn weights(list: &'static str) -> Result<Weights, String> {
    let mut weights = list
        .split(", ")
        .map(|item| {
            let (cause, weight) = item.split_once(' ').ok_or_else(|| format!("no cause and weight: {item}"))?;
            Ok((cause, weight.parse::<f64>().map_err(|why| format!("{item}: {why}"))?))
        })
        .collect::<Result<Weights, String>>()?;
    let sum: f64 = weights.iter().map(|(_, weight)| weight).sum();
    for (_, weight) in &mut weights {
        *weight /= sum;
    }
    weights.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    Ok(weights)
}

//! The report: what was concluded, in the public format `eks-doctor/report/v1`. All renderers take it as it is.
//!
//! These types are the format: once released, v1 only grows.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    evidence::{Action, Tool},
    rule::{Actor, Changes, Stage},
};

/// The version of the report format.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ReportSchema {
    /// Version 1.
    #[default]
    #[serde(rename = "eks-doctor/report/v1")]
    V1,
}

/// One diagnosis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The format and its version.
    pub schema: ReportSchema,
    /// The program that made it.
    pub tool: Tool,
    /// When it was made, in UTC.
    pub generated_at: Option<Timestamp>,
    /// What was asked.
    pub target: ReportTarget,
    /// The conclusion.
    pub verdict: Verdict,
    /// The first station that the request does not pass.
    pub blocked_at: Option<Stage>,
    /// The conclusion in one sentence.
    pub summary: String,
    /// The subject as the cluster sees it.
    pub identity: Identity,
    /// Whether that identity may do what was asked.
    pub authorization: Authorization,
    /// The stations of the request.
    pub trace: Vec<Hop>,
    /// Every check.
    pub checks: Vec<Check>,
    /// The causes, ranked.
    pub findings: Vec<Finding>,
    /// The causes that are not it, and why.
    pub ruled_out: Vec<RuledOut>,
    /// What could not be seen and would settle something.
    pub unknowns: Vec<Unseen>,
}

/// What was asked, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReportTarget {
    /// Name of the kubeconfig context.
    pub context: Option<String>,
    /// Name of the cluster.
    pub cluster: Option<String>,
    /// Its region.
    pub region: Option<String>,
    /// ARN of the subject.
    pub principal: Option<String>,
    /// What the subject wants to do.
    pub action: Option<Action>,
    /// The pasted error text.
    pub symptom: Option<String>,
}

/// The conclusion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The action is allowed, shown by evidence.
    Healthy,
    /// There is a confirmed cause.
    Blocked,
    /// Something is wrong or unknown, and nothing is confirmed.
    Inconclusive,
}

/// The subject as the cluster sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// Its ARN as STS spells it.
    pub arn: Option<String>,
    /// Its ARN as the cluster looks it up.
    pub canonical_arn: Option<String>,
    /// What the cluster makes of it.
    pub mapping: Mapping,
}

/// What the cluster makes of an identity.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Mapping {
    /// `access-entry`, `aws-auth`, `none` or `unknown`.
    pub source: String,
    /// The access entry, or the section and line of aws-auth.
    pub entry: Option<String>,
    /// Kubernetes user name, its template resolved.
    pub username: Option<String>,
    /// Kubernetes groups.
    pub kubernetes_groups: Vec<String>,
}

/// Whether an identity may do what was asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Authorization {
    /// What was asked.
    pub action: Option<Action>,
    /// Absent where the evidence does not settle it.
    pub allowed: Option<bool>,
    /// The access policy, or the binding and role, that allow it.
    pub by: Option<String>,
}

/// How a station ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CheckOutcome {
    /// It holds.
    Pass,
    /// It does not hold.
    Fail,
    /// The evidence does not settle it.
    Unknown,
    /// An earlier one stands in its way.
    Skipped,
}

/// A station of the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Hop {
    /// Its stage.
    pub hop: Stage,
    /// How it ended.
    pub outcome: CheckOutcome,
    /// What was seen there.
    pub detail: String,
}

/// A check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// Its id.
    pub id: String,
    /// Its stage.
    pub stage: Stage,
    /// What holds if it passes, as a statement.
    pub title: String,
    /// How it ended.
    pub outcome: CheckOutcome,
    /// What was seen.
    pub detail: String,
    /// How long the calls took that it rests on, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub milliseconds: Option<u64>,
}

/// How sure a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Certainty {
    /// The evidence proves it.
    Confirmed,
    /// The evidence allows it.
    Possible,
}

/// A cause.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// 1 for the first.
    pub rank: usize,
    /// The rule.
    pub id: String,
    /// What is wrong, in one line.
    pub title: String,
    /// How sure it is.
    pub verdict: Certainty,
    /// The probability that this cause is what stops the request, from 0 to 1.
    pub confidence: f64,
    /// Why it stops the request.
    pub because: String,
    /// The more general causes that it is a form of; once it is confirmed, they are no findings of their own.
    pub refines: Vec<String>,
    /// The facts that it rests on.
    pub evidence: Vec<CitedFact>,
    /// What to do.
    pub fixes: Vec<Fix>,
    /// Pages that say more.
    pub docs: Vec<String>,
}

/// A fact that a finding rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CitedFact {
    /// Its path.
    pub fact: String,
    /// Its value.
    pub value: String,
    /// The observation that it comes from.
    pub source: String,
}

/// One way to mend it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Fix {
    /// What the commands do.
    pub title: String,
    /// Who can run them.
    pub actor: Actor,
    /// What the actor needs.
    pub requires: Vec<String>,
    /// What the commands change.
    pub changes: Changes,
    /// Whether it can be taken back.
    pub reversible: bool,
    /// A warning to read first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    /// The commands, in order.
    pub steps: Vec<Step>,
    /// Placeholders in the commands that have to be filled in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fill_in: Vec<String>,
    /// Commands that take it back.
    pub undo: Vec<String>,
    /// Commands that show whether it has worked.
    pub verify: Vec<String>,
}

/// One command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// The command, complete.
    pub run: String,
}

/// A cause that is not it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RuledOut {
    /// The rule.
    pub id: String,
    /// Why not.
    pub because: String,
}

/// An observation that is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Unseen {
    /// Its path in the evidence.
    pub observation: String,
    /// Why it is missing.
    pub why: String,
    /// The causes that it would settle, the likeliest first.
    pub would_settle: Vec<String>,
    /// The command that shows it.
    pub ask: String,
    /// Who can run that.
    pub actor: Actor,
}

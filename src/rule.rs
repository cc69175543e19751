//! Rules: one cause each, kept as data. They answer why a request stops where it stops, and what to type.
//!
//! A rule exists because its file exists, and its id is its path: `rules/mapping/role-path.yaml` is
//! `mapping/role-path`. It has two Rust types: as written (`written`) and as checked ([`Rule`]), with one fallible
//! conversion between them (`check`). After loading, nothing can be misspelt.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod check;
mod library;
mod template;
mod when;
mod written;

pub use library::{Library, schema as rule_schema};
pub(crate) use template::placeholders;
pub use template::{Renderer, Template};
pub use when::{Cited, Condition, Conditions, Outcome, Scope};
pub(crate) use when::{find, schema_of};

pub use crate::symptom::SymptomClass;

/// The stations of a request, in the order in which it can die.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Does AWS accept the caller, and is it the caller one thinks?
    Credentials,
    /// Does the client send the right thing to the right place?
    Kubeconfig,
    /// Is the cluster there?
    Cluster,
    /// Does it answer?
    Network,
    /// Which store does the cluster read?
    Mode,
    /// Who is this principal in Kubernetes?
    Mapping,
    /// May this Kubernetes user do it?
    Authorization,
    /// None of these.
    Other,
}

impl Stage {
    /// All stages, in order.
    pub const ALL: [Self; 8] = [
        Self::Credentials,
        Self::Kubeconfig,
        Self::Cluster,
        Self::Network,
        Self::Mode,
        Self::Mapping,
        Self::Authorization,
        Self::Other,
    ];

    /// The name that ids and reports use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Credentials => "credentials",
            Self::Kubeconfig => "kubeconfig",
            Self::Cluster => "cluster",
            Self::Network => "network",
            Self::Mode => "mode",
            Self::Mapping => "mapping",
            Self::Authorization => "authorization",
            Self::Other => "other",
        }
    }

    /// The stage of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.as_str() == name)
    }
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// Who can run the commands of a fix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Actor {
    /// The person who is locked out, on their own machine.
    You,
    /// Somebody with Kubernetes rights.
    ClusterAdmin,
    /// Somebody with IAM or EKS API rights.
    AwsAdmin,
    /// The IAM principal that created the cluster.
    ClusterCreator,
}

/// What the commands of a fix change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Changes {
    /// Nothing: they only look, or log in.
    Nothing,
    /// This shell only.
    Shell,
    /// Files of this machine: kubeconfig, AWS configuration.
    Files,
    /// Who may do what: access entries, aws-auth, RBAC, IAM.
    Access,
    /// The cluster's configuration.
    Cluster,
}

/// One cause, checked.
#[derive(Debug, Clone)]
pub struct Rule {
    /// `STAGE/CAUSE`.
    pub id: String,
    /// The first half of the id.
    pub stage: Stage,
    /// What is wrong, in one line.
    pub title: Template,
    /// Ids of the more general causes that this one folds.
    pub refines: Vec<String>,
    /// How often this is the cause, relative to the others of its stage; above 0.
    pub weight: f64,
    /// The symptom classes that it produces.
    pub explains: Vec<SymptomClass>,
    /// Whether the evidence can prove it.
    pub provable: bool,
    /// Whether it is shown only if no other cause is confirmed.
    pub last_resort: bool,
    /// The list fact whose elements are tried as `it`.
    pub each: Option<String>,
    /// All must hold.
    pub when: Conditions,
    /// None may hold.
    pub unless: Conditions,
    /// Why that stops the request.
    pub because: Template,
    /// What to do, in order.
    pub fixes: Vec<Fix>,
    /// How to recognise it by hand.
    pub recognise: Option<Template>,
    /// Pages that say more.
    pub docs: Vec<String>,
    /// The text of its file.
    pub text: String,
}

/// One way to mend it, checked.
#[derive(Debug, Clone)]
pub struct Fix {
    /// What the commands do.
    pub title: Template,
    /// Who can run them.
    pub actor: Actor,
    /// Offered only if all hold for certain.
    pub when: Conditions,
    /// Not offered if one holds for certain.
    pub unless: Conditions,
    /// What the actor needs.
    pub requires: Vec<String>,
    /// What the commands change.
    pub changes: Changes,
    /// A warning to read first.
    pub warning: Option<Template>,
    /// Commands.
    pub run: Vec<Template>,
    /// Commands that take it back.
    pub undo: Vec<Template>,
    /// Commands that show whether it has worked.
    pub verify: Vec<Template>,
}

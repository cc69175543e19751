//! Facts: what follows from the evidence, by an exact model of how EKS authenticates and authorizes.
//!
//! Pure functions from [`Evidence`] to typed rooms; each fact is known with its source, or unknown with the reasons.
//! Rules and templates name facts by their path (`cluster.authenticationMode`); the paths come from these types.

use crate::evidence::{Action, Evidence};

pub mod access_policies;
pub mod action;
pub mod arn;
pub mod authorization;
pub mod aws_auth;
pub mod cluster;
pub mod credentials;
pub mod exec;
mod go_text;
pub mod go_yaml;
pub mod identity_mapping;
pub mod kubeconfig;
pub mod mapping;
pub mod network;
pub mod observed_symptom;
mod pasted;
pub mod rbac;
pub mod subject;
pub mod token;
pub mod token_facts;
pub mod username;
pub mod value;
pub mod workload;

use value::{Describe, Field, Node, Schema, Value, facts};

facts! {
    /// What the subject wants to do.
    ActionFacts {
        /// The verb: get, list, create, …
        "verb" verb: String,
        /// The resource; absent for a path.
        "resource" resource: Option<String>,
        /// The namespace; absent for the whole cluster.
        "namespace" namespace: Option<String>,
        /// In words: get pods -n dev.
        "words" words: String,
        /// The words one by one, as arguments of kubectl auth can-i.
        "arguments" arguments: Vec<String>,
        /// Whether it was asked for, and is not just the default.
        "isAsked" is_asked: bool,
    }
}

/// All facts of one diagnosis.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// Who is diagnosed.
    pub subject: subject::Subject,
    /// What the subject wants to do.
    pub action: ActionFacts,
    /// The shell's credentials.
    pub credentials: credentials::CredentialFacts,
    /// The client's configuration.
    pub kubeconfig: kubeconfig::KubeconfigFacts,
    /// The exec plugin's run.
    pub exec: exec::ExecFacts,
    /// The token that the client sends.
    pub token: token_facts::TokenFacts,
    /// The cluster.
    pub cluster: cluster::ClusterFacts,
    /// The way to the API server.
    pub network: network::NetworkFacts,
    /// Who the subject is in Kubernetes.
    pub mapping: mapping::MappingFacts,
    /// What that Kubernetes user may do.
    pub authorization: authorization::AuthorizationFacts,
    /// A caller inside a cluster.
    pub workload: workload::WorkloadFacts,
    /// What is seen from outside.
    pub symptom: observed_symptom::SymptomFacts,
    /// The action as a request; what was asked for, or the default.
    pub asked: Action,
    /// The symptom classes that rule causes out.
    pub classes: observed_symptom::Classes,
    /// The causes that the pasted text speaks for, with their weights; empty if nothing was recognised in it.
    pub pasted_causes: Vec<(&'static str, f64)>,
    /// The symptoms that the words of the pasted text hint at; empty if it holds a known message.
    pub hinted: Vec<crate::symptom::SymptomClass>,
}

impl Facts {
    /// Derives all facts.
    pub fn derive(evidence: &Evidence) -> Self {
        let pasted = pasted::Pasted::read(evidence);
        let kubeconfig = kubeconfig::derive(evidence, &pasted);
        let exec = exec::derive(evidence, &kubeconfig, &pasted);
        let asked_action = authorization::asking::asked_action(evidence, &pasted);
        let is_asked = asked_action.is_some();
        let asked = action::as_requested(&asked_action.unwrap_or_else(|| default_action(evidence)));
        let symptom = observed_symptom::derive(evidence, &pasted, &asked);
        let cluster = cluster::derive(evidence, &pasted, &kubeconfig);
        let network = network::derive(evidence, &pasted, &kubeconfig, &cluster);
        let subject = subject::derive(evidence, &kubeconfig);
        let known = mapping::Known {
            pasted: &pasted,
            subject: &subject,
            kubeconfig: &kubeconfig,
            cluster: &cluster,
            symptom: &symptom,
            asked: &asked,
        };
        let mapping = mapping::derive(evidence, known);
        let rooms = credentials::Rooms { known, mapping: &mapping };
        let credentials = credentials::derive(evidence, rooms);
        let token = token_facts::derive(evidence, &kubeconfig, &cluster, &pasted);
        let known = authorization::Known {
            pasted: &pasted,
            subject: &subject,
            kubeconfig: &kubeconfig,
            cluster: &cluster,
            mapping: &mapping,
            symptom: &symptom,
        };
        let authorization = authorization::derive(evidence, &known, &asked);
        let classes = observed_symptom::classes(evidence, &pasted, &symptom, &kubeconfig, &exec, &network);
        let fails = observed_symptom::fails(&classes, &authorization.allowed);
        Self {
            credentials,
            token,
            subject,
            action: action_facts(&asked, is_asked),
            workload: workload::derive(evidence, &pasted, &authorization),
            authorization,
            mapping,
            cluster,
            classes,
            kubeconfig,
            exec,
            network,
            symptom: observed_symptom::SymptomFacts { fails, ..symptom },
            asked,
            pasted_causes: pasted.causes,
            hinted: pasted.hinted,
        }
    }
}

/// What is looked at if nothing was asked for: the first thing that people type.
pub fn default_action(evidence: &Evidence) -> Action {
    Action {
        verb: "list".to_owned(),
        resource: Some("pods".to_owned()),
        namespace: Some(kubeconfig::namespace(&evidence.kubeconfig, evidence.target.context.as_deref())),
        ..Action::default()
    }
}

fn action_facts(action: &Action, is_asked: bool) -> ActionFacts {
    ActionFacts {
        verb: action.verb.clone(),
        resource: action.resource.clone(),
        namespace: action.namespace.clone(),
        words: action::display(action),
        arguments: action::can_i_arguments(action),
        is_asked,
    }
}

/// The rooms by name, in the order of the stages.
macro_rules! rooms {
    ($($(#[doc = $doc:literal])+ $name:literal $room:ident: $type:ty,)+) => {
        impl Describe for Facts {
            fn schema() -> Schema {
                Schema::Object(vec![$(Field {
                    name: $name,
                    doc: concat!($($doc),+).trim_ascii(),
                    schema: <$type>::schema(),
                }),+])
            }

            fn node(&self) -> Node {
                Node::Known(Value::Object(vec![$(($name, self.$room.node())),+]), None)
            }
        }
    };
}

rooms! {
    /// Who is diagnosed.
    "subject" subject: subject::Subject,
    /// What the subject wants to do.
    "action" action: ActionFacts,
    /// The shell's credentials.
    "credentials" credentials: credentials::CredentialFacts,
    /// The client's configuration.
    "kubeconfig" kubeconfig: kubeconfig::KubeconfigFacts,
    /// The exec plugin's run.
    "exec" exec: exec::ExecFacts,
    /// The token that the client sends.
    "token" token: token_facts::TokenFacts,
    /// The cluster.
    "cluster" cluster: cluster::ClusterFacts,
    /// The way to the API server.
    "network" network: network::NetworkFacts,
    /// Who the subject is in Kubernetes.
    "mapping" mapping: mapping::MappingFacts,
    /// What that Kubernetes user may do.
    "authorization" authorization: authorization::AuthorizationFacts,
    /// A caller inside a cluster.
    "workload" workload: workload::WorkloadFacts,
    /// What is seen from outside.
    "symptom" symptom: observed_symptom::SymptomFacts,
}

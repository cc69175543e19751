//! The rights that looking needs, ready to apply: an IAM policy, the same in Terraform, a ClusterRole with its Role.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::look::{Look, Tone};
use crate::{
    collect::permissions::{PERMISSIONS, Permission, Right},
    facts::arn::Partition,
};

/// What stands in resource ARNs. What is left out is a wildcard.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// Name of the cluster.
    pub cluster: Option<String>,
    /// Its region.
    pub region: Option<String>,
    /// Its account.
    pub account: Option<String>,
}

/// Writes the table of all calls, what each needs and what it buys.
///
/// # Errors
/// The writer fails.
pub fn table(look: Look, out: &mut dyn Write) -> io::Result<()> {
    for permission in PERMISSIONS {
        let needs = match permission.needs {
            Right::Everybody => "nothing".to_owned(),
            Right::Authenticated => "nothing beyond being authenticated".to_owned(),
            Right::Iam { action, .. } => format!("IAM {action}"),
            Right::Rbac { resource, verb, namespace, .. } => {
                format!(
                    "Kubernetes {verb} {resource}{}",
                    namespace.map(|name| format!(" in {name}")).unwrap_or_default()
                )
            }
        };
        writeln!(out, "{}", look.tone(Tone::Strong, permission.operation))?;
        let extra = if permission.optional { " (rarely needed)" } else { "" };
        writeln!(out, "{}", look.prose(&format!("shows {}{extra}; needs {needs}", permission.buys), 2))?;
    }
    writeln!(out, "\n{}", look.prose("--format iam, terraform or clusterrole prints them ready to apply.", 0))
}

/// Writes the IAM policy as JSON.
///
/// # Errors
/// The writer fails.
pub fn iam(scope: &Scope, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, &policy(scope))?;
    writeln!(out)
}

/// Writes the IAM policy as Terraform.
///
/// # Errors
/// The writer fails.
pub fn terraform(scope: &Scope, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "resource \"aws_iam_policy\" \"eks_doctor\" {{")?;
    writeln!(out, "  name = \"eks-doctor\"\n  policy = jsonencode({{")?;
    writeln!(out, "    Version = \"2012-10-17\"\n    Statement = [")?;
    for (resource, actions) in statements(scope) {
        let actions: Vec<String> = actions.iter().map(|action| format!("\"{action}\"")).collect();
        writeln!(out, "      {{\n        Effect   = \"Allow\"")?;
        writeln!(out, "        Action   = [{}]\n        Resource = \"{resource}\"\n      }},", actions.join(", "))?;
    }
    writeln!(out, "    ]\n  }})\n}}")
}

/// Writes the Kubernetes side: a ClusterRole for RBAC, a Role for aws-auth, and their bindings to one group.
///
/// # Errors
/// The writer fails.
pub fn cluster_role(out: &mut dyn Write) -> io::Result<()> {
    const GROUP: &str = "eks-doctor-readers";
    let rules = |of_namespace: Option<&str>| -> Vec<Value> {
        let wanted = PERMISSIONS.iter().filter_map(|permission| match permission.needs {
            Right::Rbac { group, resource, verb, name, namespace }
                if namespace == of_namespace && !permission.optional =>
            {
                let mut rule = json!({ "apiGroups": [group], "resources": [resource], "verbs": [verb] });
                if let (Some(name), Some(rule)) = (name, rule.as_object_mut()) {
                    rule.insert("resourceNames".to_owned(), json!([name]));
                }
                Some(rule)
            }
            _ => None,
        });
        wanted.collect()
    };
    let subjects = json!([{ "kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": GROUP }]);
    let object = |kind: &str, name: &str, namespace: Option<&str>, rest: Value| {
        let mut object = json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind });
        let mut metadata = json!({ "name": name });
        if let (Some(namespace), Some(metadata)) = (namespace, metadata.as_object_mut()) {
            metadata.insert("namespace".to_owned(), json!(namespace));
        }
        if let (Some(object), Value::Object(rest)) = (object.as_object_mut(), rest) {
            object.insert("metadata".to_owned(), metadata);
            object.extend(rest);
        }
        object
    };
    let reference = |kind: &str, name: &str| json!({ "subjects": subjects, "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name } });
    let (reader, auth_reader, system) = ("eks-doctor-reader", "eks-doctor-aws-auth-reader", "kube-system");
    let objects = [
        object("ClusterRole", reader, None, json!({ "rules": rules(None) })),
        object("ClusterRoleBinding", reader, None, reference("ClusterRole", reader)),
        object("Role", auth_reader, Some(system), json!({ "rules": rules(Some(system)) })),
        object("RoleBinding", auth_reader, Some(system), reference("Role", auth_reader)),
    ];
    for (index, object) in objects.iter().enumerate() {
        let yaml = serde_yaml::to_string(object).map_err(io::Error::other)?;
        writeln!(out, "{}{}", if index == 0 { "" } else { "---\n" }, yaml.trim_end())?;
    }
    Ok(())
}

fn policy(scope: &Scope) -> Value {
    let statements: Vec<Value> = statements(scope)
        .into_iter()
        .map(|(resource, actions)| json!({ "Effect": "Allow", "Action": actions, "Resource": resource }))
        .collect();
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// The IAM actions by the resource they are allowed on, in the order of the table.
fn statements(scope: &Scope) -> Vec<(String, Vec<&'static str>)> {
    let mut statements: Vec<(String, Vec<&'static str>)> = Vec::new();
    for (action, resource) in PERMISSIONS.iter().filter_map(iam_right) {
        let resource = filled(resource, scope);
        match statements.iter_mut().find(|(known, _)| *known == resource) {
            Some((_, actions)) if actions.contains(&action) => {}
            Some((_, actions)) => actions.push(action),
            None => statements.push((resource, vec![action])),
        }
    }
    statements
}

fn iam_right(permission: &Permission) -> Option<(&'static str, &'static str)> {
    match permission.needs {
        Right::Iam { action, resource } => Some((action, resource)),
        _ => None,
    }
}

fn filled(resource: &str, scope: &Scope) -> String {
    let partition = scope.region.as_deref().map_or(Partition::Aws, Partition::of_region);
    let or_any = |value: &Option<String>| value.clone().unwrap_or_else(|| "*".to_owned());
    resource
        .replace("{partition}", partition.id())
        .replace("{region}", &or_any(&scope.region))
        .replace("{account}", &or_any(&scope.account))
        .replace("{cluster}", &or_any(&scope.cluster))
}

//! The resources that Kubernetes 1.33 brings along, as its discovery documents list them.

/// Whether objects of a resource live in a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// They do.
    Namespaced,
    /// They belong to the cluster.
    Cluster,
}

/// A resource that every API server knows. Kinds are the singular name in another case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuiltIn {
    /// API group, empty for the core group.
    pub group: &'static str,
    /// `pods`
    pub plural: &'static str,
    /// `pod`
    pub singular: &'static str,
    /// `po`
    pub short_names: &'static [&'static str],
    /// Whether its objects live in a namespace.
    pub scope: Scope,
    /// `log`, `exec`, …
    pub subresources: &'static [&'static str],
}

/// The resource of this group and plural name.
pub fn built_in(group: &str, plural: &str) -> Option<&'static BuiltIn> {
    BUILT_IN.iter().find(|resource| resource.group == group && resource.plural == plural)
}

/// The resource that kubectl takes a word for, given the group behind the word's dot, if any: names win over short
/// names, the group itself over groups that begin like it, and earlier groups over later ones.
pub(super) fn resolve(word: &str, group: &str) -> Option<&'static BuiltIn> {
    let named = |resource: &&BuiltIn| resource.plural == word || resource.singular == word;
    let short = |resource: &&BuiltIn| resource.short_names.contains(&word);
    let exact = || BUILT_IN.iter().filter(|resource| group.is_empty() || resource.group == group);
    let prefixed = || BUILT_IN.iter().filter(|resource| resource.group.starts_with(group));
    (exact().find(named))
        .or_else(|| exact().find(short))
        .or_else(|| prefixed().find(short))
        .or_else(|| prefixed().find(named))
}

const fn namespaced(
    group: &'static str,
    plural: &'static str,
    singular: &'static str,
    short_names: &'static [&'static str],
    subresources: &'static [&'static str],
) -> BuiltIn {
    BuiltIn { group, plural, singular, short_names, scope: Scope::Namespaced, subresources }
}

const fn cluster(
    group: &'static str,
    plural: &'static str,
    singular: &'static str,
    short_names: &'static [&'static str],
    subresources: &'static [&'static str],
) -> BuiltIn {
    BuiltIn { group, plural, singular, short_names, scope: Scope::Cluster, subresources }
}

/// In the order in which the API server prefers groups.
pub(super) const BUILT_IN: &[BuiltIn] = &[
    namespaced("", "bindings", "binding", &[], &[]),
    cluster("", "componentstatuses", "componentstatus", &["cs"], &[]),
    namespaced("", "configmaps", "configmap", &["cm"], &[]),
    namespaced("", "endpoints", "endpoints", &["ep"], &[]),
    namespaced("", "events", "event", &["ev"], &[]),
    namespaced("", "limitranges", "limitrange", &["limits"], &[]),
    cluster("", "namespaces", "namespace", &["ns"], &["finalize", "status"]),
    cluster("", "nodes", "node", &["no"], &["proxy", "status"]),
    namespaced("", "persistentvolumeclaims", "persistentvolumeclaim", &["pvc"], &["status"]),
    cluster("", "persistentvolumes", "persistentvolume", &["pv"], &["status"]),
    namespaced(
        "",
        "pods",
        "pod",
        &["po"],
        &[
            "attach",
            "binding",
            "ephemeralcontainers",
            "eviction",
            "exec",
            "log",
            "portforward",
            "proxy",
            "resize",
            "status",
        ],
    ),
    namespaced("", "podtemplates", "podtemplate", &[], &[]),
    namespaced("", "replicationcontrollers", "replicationcontroller", &["rc"], &["scale", "status"]),
    namespaced("", "resourcequotas", "resourcequota", &["quota"], &["status"]),
    namespaced("", "secrets", "secret", &[], &[]),
    namespaced("", "serviceaccounts", "serviceaccount", &["sa"], &["token"]),
    namespaced("", "services", "service", &["svc"], &["proxy", "status"]),
    cluster("apiregistration.k8s.io", "apiservices", "apiservice", &[], &["status"]),
    namespaced("apps", "controllerrevisions", "controllerrevision", &[], &[]),
    namespaced("apps", "daemonsets", "daemonset", &["ds"], &["status"]),
    namespaced("apps", "deployments", "deployment", &["deploy"], &["scale", "status"]),
    namespaced("apps", "replicasets", "replicaset", &["rs"], &["scale", "status"]),
    namespaced("apps", "statefulsets", "statefulset", &["sts"], &["scale", "status"]),
    namespaced("events.k8s.io", "events", "event", &["ev"], &[]),
    cluster("authentication.k8s.io", "selfsubjectreviews", "selfsubjectreview", &[], &[]),
    cluster("authentication.k8s.io", "tokenreviews", "tokenreview", &[], &[]),
    namespaced("authorization.k8s.io", "localsubjectaccessreviews", "localsubjectaccessreview", &[], &[]),
    cluster("authorization.k8s.io", "selfsubjectaccessreviews", "selfsubjectaccessreview", &[], &[]),
    cluster("authorization.k8s.io", "selfsubjectrulesreviews", "selfsubjectrulesreview", &[], &[]),
    cluster("authorization.k8s.io", "subjectaccessreviews", "subjectaccessreview", &[], &[]),
    namespaced("autoscaling", "horizontalpodautoscalers", "horizontalpodautoscaler", &["hpa"], &["status"]),
    namespaced("batch", "cronjobs", "cronjob", &["cj"], &["status"]),
    namespaced("batch", "jobs", "job", &[], &["status"]),
    cluster(
        "certificates.k8s.io",
        "certificatesigningrequests",
        "certificatesigningrequest",
        &["csr"],
        &["approval", "status"],
    ),
    cluster("certificates.k8s.io", "clustertrustbundles", "clustertrustbundle", &[], &[]),
    cluster("networking.k8s.io", "ingressclasses", "ingressclass", &[], &[]),
    namespaced("networking.k8s.io", "ingresses", "ingress", &["ing"], &["status"]),
    cluster("networking.k8s.io", "ipaddresses", "ipaddress", &["ip"], &[]),
    namespaced("networking.k8s.io", "networkpolicies", "networkpolicy", &["netpol"], &[]),
    cluster("networking.k8s.io", "servicecidrs", "servicecidr", &[], &["status"]),
    namespaced("policy", "poddisruptionbudgets", "poddisruptionbudget", &["pdb"], &["status"]),
    cluster("rbac.authorization.k8s.io", "clusterrolebindings", "clusterrolebinding", &[], &[]),
    cluster("rbac.authorization.k8s.io", "clusterroles", "clusterrole", &[], &[]),
    namespaced("rbac.authorization.k8s.io", "rolebindings", "rolebinding", &[], &[]),
    namespaced("rbac.authorization.k8s.io", "roles", "role", &[], &[]),
    cluster("storage.k8s.io", "csidrivers", "csidriver", &[], &[]),
    cluster("storage.k8s.io", "csinodes", "csinode", &[], &[]),
    namespaced("storage.k8s.io", "csistoragecapacities", "csistoragecapacity", &[], &[]),
    cluster("storage.k8s.io", "storageclasses", "storageclass", &["sc"], &[]),
    cluster("storage.k8s.io", "volumeattachments", "volumeattachment", &[], &["status"]),
    cluster("storage.k8s.io", "volumeattributesclasses", "volumeattributesclass", &["vac"], &[]),
    cluster("admissionregistration.k8s.io", "mutatingadmissionpolicies", "mutatingadmissionpolicy", &[], &[]),
    cluster(
        "admissionregistration.k8s.io",
        "mutatingadmissionpolicybindings",
        "mutatingadmissionpolicybinding",
        &[],
        &[],
    ),
    cluster("admissionregistration.k8s.io", "mutatingwebhookconfigurations", "mutatingwebhookconfiguration", &[], &[]),
    cluster(
        "admissionregistration.k8s.io",
        "validatingadmissionpolicies",
        "validatingadmissionpolicy",
        &[],
        &["status"],
    ),
    cluster(
        "admissionregistration.k8s.io",
        "validatingadmissionpolicybindings",
        "validatingadmissionpolicybinding",
        &[],
        &[],
    ),
    cluster(
        "admissionregistration.k8s.io",
        "validatingwebhookconfigurations",
        "validatingwebhookconfiguration",
        &[],
        &[],
    ),
    cluster(
        "apiextensions.k8s.io",
        "customresourcedefinitions",
        "customresourcedefinition",
        &["crd", "crds"],
        &["status"],
    ),
    cluster("scheduling.k8s.io", "priorityclasses", "priorityclass", &["pc"], &[]),
    namespaced("coordination.k8s.io", "leasecandidates", "leasecandidate", &[], &[]),
    namespaced("coordination.k8s.io", "leases", "lease", &[], &[]),
    cluster("node.k8s.io", "runtimeclasses", "runtimeclass", &[], &[]),
    namespaced("discovery.k8s.io", "endpointslices", "endpointslice", &[], &[]),
    cluster("resource.k8s.io", "deviceclasses", "deviceclass", &[], &[]),
    cluster("resource.k8s.io", "devicetaintrules", "devicetaintrule", &[], &[]),
    namespaced("resource.k8s.io", "resourceclaims", "resourceclaim", &[], &["status"]),
    namespaced("resource.k8s.io", "resourceclaimtemplates", "resourceclaimtemplate", &[], &[]),
    cluster("resource.k8s.io", "resourceslices", "resourceslice", &[], &[]),
    cluster("flowcontrol.apiserver.k8s.io", "flowschemas", "flowschema", &[], &["status"]),
    cluster(
        "flowcontrol.apiserver.k8s.io",
        "prioritylevelconfigurations",
        "prioritylevelconfiguration",
        &[],
        &["status"],
    ),
    cluster("internal.apiserver.k8s.io", "storageversions", "storageversion", &[], &["status"]),
    cluster("storagemigration.k8s.io", "storageversionmigrations", "storageversionmigration", &[], &["status"]),
    // Not in discovery: objects that exist in rules only, for `impersonate` and `approve`, `sign`, `attest`.
    cluster("", "users", "users", &[], &[]),
    cluster("", "groups", "groups", &[], &[]),
    cluster("authentication.k8s.io", "userextras", "userextras", &[], &[]),
    cluster("authentication.k8s.io", "uids", "uids", &[], &[]),
    cluster("certificates.k8s.io", "signers", "signers", &[], &[]),
];

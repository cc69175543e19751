//! Collecting evidence: the only door to the world. What is looked at, in which order and what is skipped when is
//! decided in `looks`; what a remote service answers, or fails to answer, is evidence and never an error.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch as channel;

use crate::evidence::{Environment, Evidence, EvidenceSchema, Executable, Kubeconfig, Logs, Observed, Target, Tool};
use crate::facts::action::ParsedAction;
use crate::facts::kubeconfig::namespace;

mod aws;
mod aws_config;
mod credentials;
mod endpoint;
mod exec;
mod failure;
mod file;
mod http;
mod ini;
mod kubeconfig;
mod kubernetes;
mod looks;
mod network;
pub mod permissions;
mod proxy;
mod subject;
mod surroundings;
mod token;
mod watch;
mod x509;

use aws_config::{AwsConfig, Selected};
use http::{Clock, Http};
use looks::{Looks, Results};
use proxy::Proxies;
pub use surroundings::Surroundings;
use watch::Watch;
pub use watch::{Look, NoProgress, Outcome, Progress};

/// How long a run may take unless asked otherwise.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// What is asked of a run.
#[derive(Debug, Clone)]
pub struct Request {
    /// What the diagnosis is about, as far as it was said.
    pub target: Target,
    /// The action in question. Where it names no namespace, that of the kubeconfig's context is put into the target.
    pub action: Option<ParsedAction>,
    /// The kubeconfig to read instead of those that the environment names.
    pub kubeconfig: Option<PathBuf>,
    /// How long the whole run may take.
    pub timeout: Duration,
    /// Whether control-plane logs are read too.
    pub logs: bool,
    /// The address from which the internet sees this machine, if the user said. Nobody else is asked.
    pub egress_address: Option<IpAddr>,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            target: Target::default(),
            action: None,
            kubeconfig: None,
            timeout: DEFAULT_TIMEOUT,
            logs: false,
            egress_address: None,
        }
    }
}

/// Looks at everything that the request concerns. It ends within the request's time-out, or soon after `stop` is
/// ready; what did not answer is `failed` with the code `Timeout`, what was cut short is `notTried`. Needs a tokio runtime
/// with time and I/O.
pub async fn collect(
    request: &Request,
    surroundings: &Surroundings,
    progress: &dyn Progress,
    stop: impl Future<Output = ()>,
) -> Evidence {
    // kube takes whatever provider the process has; there may be one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (stopping, stopped) = channel::channel(false);
    let watch = Watch::new(request.timeout, stopped, progress);
    let mut looking = Box::pin(look_at_everything(request, surroundings, &watch));
    let evidence = tokio::select! {
        // Whoever can stop the run must be heard before the first program is started.
        biased;
        () = stop => {
            stopping.send_replace(true);
            looking.await
        }
        evidence = &mut looking => evidence,
        never = watch.tick() => match never {},
    };
    Evidence { calls: watch.calls(), ..evidence }
}

/// [`collect`] without a runtime around it. Without threads for timers and sockets nothing can be asked, so an error
/// of the operating system here is one of the run.
pub fn collect_blocking(
    request: &Request,
    surroundings: &Surroundings,
    progress: &dyn Progress,
    stop: impl Future<Output = ()>,
) -> std::io::Result<Evidence> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let evidence = runtime.block_on(collect(request, surroundings, progress, stop));
    // A name lookup cannot be cancelled; nobody waits for it.
    runtime.shutdown_background();
    Ok(evidence)
}

async fn look_at_everything(request: &Request, surroundings: &Surroundings, watch: &Watch<'_>) -> Evidence {
    let collected_at = now();
    let config = AwsConfig::read(surroundings);
    let selected = aws_config::selected_profile(request.target.profile.as_deref(), surroundings);
    let kubeconfig = kubeconfig::load(surroundings, request.kubeconfig.as_deref(), request.target.context.as_deref());
    watch.note("kubeconfig", &kubeconfig.observed);
    let request = &in_namespace(request, &kubeconfig.observed);
    let hints = kubeconfig.current.as_ref().map(|current| current.hints()).unwrap_or_default();
    let region = request.target.region.clone().or(hints.region).or_else(|| region(surroundings, &config, &selected));
    let cluster_name = request.target.cluster.clone().or(hints.cluster);
    let clock = Clock::default();
    let section = config.profile(&selected.name);
    let ca_bundle = section.and_then(|section| section.get("ca_bundle")?.text());
    let http = Http::new(surroundings, ca_bundle, clock.clone());
    let aws = http.map(|http| aws::Aws::new(http, surroundings, &config, &selected.name, region.clone()));
    let looks = Looks {
        request,
        surroundings,
        watch,
        clock: clock.clone(),
        kubeconfig: &kubeconfig,
        config: &config,
        selected: &selected,
        proxies: Proxies::of(surroundings),
        aws,
        cluster_name: cluster_name.clone(),
        region: region.clone(),
        results: Results::default(),
    };
    // The plugin takes longest, so it starts first.
    let (exec, exec_caller, aws, kubernetes, network, executables, lines, principal) = tokio::join!(
        looks.exec_run(),
        looks.exec_caller(),
        looks.aws_side(),
        looks.kubernetes(),
        looks.network(),
        looks.executables(),
        looks.authenticator_lines(),
        looks.asked_principal(),
    );
    Evidence {
        schema: EvidenceSchema::V1,
        collected_at: Some(collected_at),
        tool: Some(Tool { name: env!("CARGO_PKG_NAME").to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() }),
        target: Target { cluster: cluster_name, region, principal, ..scrubbed(&request.target) },
        environment: environment(surroundings, executables, &clock),
        aws,
        kubeconfig: kubeconfig.observed.clone(),
        exec,
        static_token: looks.static_token(),
        exec_caller: exec_caller.clone(),
        network,
        kubernetes,
        logs: Logs { authenticator: lines },
        calls: Vec::new(),
    }
}

/// The request with its action in the namespace where kubectl would ask for it. The kubeconfig may be a pipe, which can
/// be read once only.
fn in_namespace(request: &Request, kubeconfig: &Observed<Kubeconfig>) -> Request {
    let mut request = request.clone();
    if let Some(action) = &request.action {
        let context = request.target.context.as_deref();
        request.target.action = Some(action.in_namespace(&namespace(kubeconfig, context)));
    }
    request
}

/// What was asked, without secrets in the pasted text.
fn scrubbed(target: &Target) -> Target {
    let symptom = target.symptom.as_deref().map(|text| crate::evidence::redact::scrub(text).into_owned());
    Target { symptom, ..target.clone() }
}

/// The region of the environment, else of the profile in force.
fn region(surroundings: &Surroundings, config: &AwsConfig, selected: &Selected) -> Option<String> {
    let variable = surroundings.variable("AWS_REGION").or_else(|| surroundings.variable("AWS_DEFAULT_REGION"));
    let of_profile = || config.profile(&selected.name)?.get("region")?.text();
    variable.or_else(of_profile).map(str::to_owned)
}

fn environment(
    surroundings: &Surroundings,
    executables: BTreeMap<String, Observed<Executable>>,
    clock: &Clock,
) -> Environment {
    Environment {
        os: Some(std::env::consts::OS.to_owned()),
        variables: Some(surroundings.shown_variables()),
        executables,
        clock_offset_seconds: clock
            .offset()
            .map_or_else(|| Observed::not_tried("no server said what time it is"), Observed::Found),
    }
}

#[expect(clippy::disallowed_methods, reason = "the time of the look is part of the evidence")]
fn now() -> Timestamp {
    let now = Timestamp::now();
    now.round(jiff::Unit::Millisecond).unwrap_or(now)
}

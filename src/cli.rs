//! The words of the command line. Types only: what they do is in `lib.rs`.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, builder::NonEmptyStringValueParser};

/// Says why a principal is Unauthorized or Forbidden on an Amazon EKS cluster, and what to type to fix it.
///
/// It only ever reads. Exit status: 0 healthy, 1 blocked by a confirmed cause, 2 usage or unreadable input,
/// 3 inconclusive.
#[derive(Debug, Parser)]
#[command(name = "eks-doctor", version, max_term_width = 100, after_help = EXAMPLES, arg_required_else_help = true)]
pub struct Cli {
    /// Never use colour (so does the variable NO_COLOR).
    #[arg(long, global = true)]
    pub no_color: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  eks-doctor check                                  why does kubectl not work here, now?
  eks-doctor check --context prod --action 'create deployments.apps -n dev'
  eks-doctor check --evidence ticket-4711.json      the same from a file, without any network
  eks-doctor demo mapping/role-path                 see a diagnosis without a cluster
  eks-doctor explain mapping/none                   one cause in full";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Diagnose access to a cluster: gathers evidence, or reads it from files, and prints the ranked causes.
    #[command(after_help = CHECK_EXAMPLES)]
    Check(Box<CheckArgs>),
    /// Gather evidence for a ticket and write it to a file, without secrets and without a diagnosis.
    #[command(after_help = COLLECT_EXAMPLES)]
    Collect(Box<CollectArgs>),
    /// Print one cause in full, or say what an error text means: without any access to anything.
    #[command(after_help = EXPLAIN_EXAMPLES)]
    Explain(ExplainArgs),
    /// List, show and check the rules.
    #[command(subcommand, after_help = RULES_EXAMPLES)]
    Rules(RulesCommand),
    /// Print the rights that looking needs: per call what it needs and what it shows, or ready to apply.
    #[command(after_help = PERMISSIONS_EXAMPLES)]
    Permissions(PermissionsArgs),
    /// Run the diagnosis on evidence that ships with the program; without a name, list what there is.
    #[command(after_help = DEMO_EXAMPLES)]
    Demo(DemoArgs),
}

const CHECK_EXAMPLES: &str = "\
Examples:
  eks-doctor check
  eks-doctor check --context prod --profile dev
  eks-doctor check --cluster prod --region eu-west-1 --principal arn:aws:iam::111122223333:role/Dev
  eks-doctor check --action 'get pods/log -n dev'
  eks-doctor check --evidence mine.json --evidence admin.json --output json";

const COLLECT_EXAMPLES: &str = "\
Examples:
  eks-doctor collect -o evidence.json
  eks-doctor collect --context prod --error 'error: You must be logged in to the server' -o ticket.json";

const PERMISSIONS_EXAMPLES: &str = "\
Examples:
  eks-doctor permissions
  eks-doctor permissions --format iam --cluster prod --region eu-west-1 --account 111122223333
  eks-doctor permissions --format clusterrole | kubectl apply -f -";

const DEMO_EXAMPLES: &str = "\
Examples:
  eks-doctor demo
  eks-doctor demo mapping/role-path
  eks-doctor demo authorization/no-binding --output json";

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  eks-doctor explain mapping/role-path
  eks-doctor explain role-path          the end of an id is enough if it is the only one
  kubectl get pods 2>&1 | eks-doctor explain -
  eks-doctor explain --error 'error: You must be logged in to the server (Unauthorized)'";

const RULES_EXAMPLES: &str = "\
Examples:
  eks-doctor rules list
  eks-doctor rules show mapping/role-path
  eks-doctor rules lint ./my-rules
  eks-doctor rules pages ./site/causes";

/// How a report is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Terminal,
    /// The format eks-doctor/report/v1.
    Json,
}

/// How reports are printed and by which rules they are made.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// How the report is printed.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Output,
    /// Also show the causes that are ruled out, all fixes, and how long each call took.
    #[arg(short, long)]
    pub verbose: bool,
    /// A folder with rules of your own, one file per cause in a folder per stage; one with the id of a built-in rule takes its place.
    #[arg(long, value_name = "DIR")]
    pub rules: Option<PathBuf>,
}

/// What is asked about, and how looking goes.
#[derive(Debug, Args)]
pub struct LookArgs {
    /// The kubeconfig context; the current one if left out.
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    pub context: Option<String>,
    /// The kubeconfig file, as for kubectl.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The name of the EKS cluster; that of the kubeconfig context if left out.
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    pub cluster: Option<String>,
    /// The AWS region of the cluster.
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    pub region: Option<String>,
    /// The AWS profile.
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    pub profile: Option<String>,
    /// Diagnose somebody else: the ARN of an IAM role or user, or of a role session.
    #[arg(long, value_name = "ARN", value_parser = NonEmptyStringValueParser::new())]
    pub principal: Option<String>,
    /// What should be possible, as for `kubectl auth can-i`: 'get pods -n dev'.
    #[arg(long, value_name = "WORDS")]
    pub action: Option<String>,
    /// The error text that you see; `-` reads it from standard input.
    #[arg(long, value_name = "TEXT")]
    pub error: Option<String>,
    /// The address from which the internet sees this machine, if you know it: nobody is asked for it.
    #[arg(long, value_name = "ADDRESS")]
    pub egress_address: Option<IpAddr>,
    /// How many seconds looking may take; 10 if left out.
    #[arg(long, value_name = "SECONDS", value_parser = seconds, allow_negative_numbers = true)]
    pub timeout: Option<f64>,
    /// Also read the authenticator's log lines from CloudWatch, where they are switched on.
    #[arg(long)]
    pub logs: bool,
}

/// `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// What is asked about.
    #[command(flatten)]
    pub look: LookArgs,
    /// Diagnose evidence from a file instead of looking at the world; several files are merged, the first one's
    /// question stands. `-` reads standard input.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["profile", "kubeconfig", "timeout", "logs"])]
    pub evidence: Vec<PathBuf>,
    /// Write the evidence to a file, without secrets, for a ticket or for a later --evidence.
    #[arg(long, value_name = "FILE")]
    pub save_evidence: Option<PathBuf>,
    /// Only report causes of these stages or of these ids.
    #[arg(long, value_name = "STAGE|ID", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Do not report causes of these stages or of these ids.
    #[arg(long, value_name = "STAGE|ID", value_delimiter = ',')]
    pub skip: Vec<String>,
    /// The report.
    #[command(flatten)]
    pub report: ReportArgs,
}

/// `collect`.
#[derive(Debug, Args)]
pub struct CollectArgs {
    /// What is asked about.
    #[command(flatten)]
    pub look: LookArgs,
    /// The file to write; `-` is standard output.
    #[arg(short = 'o', long, value_name = "FILE")]
    pub output: PathBuf,
}

/// `permissions`.
#[derive(Debug, Args)]
pub struct PermissionsArgs {
    /// How they are printed.
    #[arg(long, value_enum, default_value_t)]
    pub format: PermissionFormat,
    /// The name of the cluster; any if left out.
    #[arg(long)]
    pub cluster: Option<String>,
    /// Its AWS region; any if left out.
    #[arg(long)]
    pub region: Option<String>,
    /// Its account; any if left out.
    #[arg(long)]
    pub account: Option<String>,
}

/// How permissions are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum PermissionFormat {
    /// Every call, what it needs and what it shows.
    #[default]
    Table,
    /// An IAM policy as JSON.
    Iam,
    /// The same in Terraform.
    Terraform,
    /// A Kubernetes ClusterRole and Role with their bindings.
    Clusterrole,
}

fn seconds(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('s').unwrap_or(text);
    match number.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= 3600.0 => Ok(seconds),
        _ => Err("give seconds above 0 and at most 3600: 10 or 2.5".to_owned()),
    }
}

/// `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The id of a cause: mapping/role-path. `-` reads an error text from standard input.
    #[arg(required_unless_present = "error")]
    pub id: Option<String>,
    /// An error text.
    #[arg(long, value_name = "TEXT", conflicts_with = "id")]
    pub error: Option<String>,
    /// How it is printed; JSON is for error texts.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Output,
    /// A folder with rules of your own.
    #[arg(long, value_name = "DIR")]
    pub rules: Option<PathBuf>,
}

/// `rules`.
#[derive(Debug, Subcommand)]
pub enum RulesCommand {
    /// List all rules.
    List {
        /// How the list is printed.
        #[arg(short, long, value_enum, default_value_t)]
        output: Output,
        /// A folder with rules of your own.
        #[arg(long, value_name = "DIR")]
        rules: Option<PathBuf>,
    },
    /// Print the file of a rule.
    Show {
        /// Its id.
        id: String,
        /// A folder with rules of your own.
        #[arg(long, value_name = "DIR")]
        rules: Option<PathBuf>,
    },
    /// Check rule files and say what is wrong, with file, line and column.
    Lint {
        /// A folder with rules of your own; without one, the built-in rules are checked.
        dir: Option<PathBuf>,
    },
    /// Write a page in Markdown for every rule, and their index.
    Pages {
        /// The folder for the pages; it is made if it does not exist.
        dir: PathBuf,
        /// A folder with rules of your own.
        #[arg(long, value_name = "DIR")]
        rules: Option<PathBuf>,
    },
}

/// `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// The scenario.
    pub name: Option<String>,
    /// The report.
    #[command(flatten)]
    pub report: ReportArgs,
}

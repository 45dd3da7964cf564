//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Finds out, in a throw-away account of a real organization, what nobody outside AWS knows about enforced guardrails,
/// and removes what it made.
#[derive(Debug, Parser)]
#[command(name = "guardrail-learn", version, max_term_width = 110)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: LearnCommand,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum LearnCommand {
    /// Shows every experiment: its question, what it makes, what it calls; calls nothing.
    List,
    /// Makes the experiments. Says first what it will make, and asks.
    Run(Box<RunArguments>),
    /// Removes what an earlier run left, by its journal.
    CleanUp(CleanUpArguments),
}

/// Where, as whom, and what is allowed.
#[derive(Debug, Args)]
pub struct RunArguments {
    /// The throw-away account: no traffic, no enforcement, no Bedrock policy.
    #[arg(long)]
    pub account: String,
    /// The role that the management account assumes there. Without it, the credentials are the account's own, and
    /// nothing is asked about the organization or about other accounts' guardrails.
    #[arg(long)]
    pub role: Option<String>,
    /// The Region; that of the environment when left out.
    #[arg(long)]
    pub region: Option<String>,
    /// Only these experiments, by their switch.
    #[arg(long, value_name = "SWITCH", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Consent, for programs: the account's id. Without it the program asks.
    #[arg(long, value_name = "ACCOUNT")]
    pub consent: Option<String>,
    /// Consent to enable the policy type BEDROCK_POLICY in the organization. It stays enabled.
    #[arg(long)]
    pub may_enable_policy_type: bool,
    /// Consent to attach a policy that guards no model to the management account for a minute.
    #[arg(long)]
    pub may_touch_management_account: bool,
    /// An OU that holds the throw-away account and nothing else.
    #[arg(long, value_name = "ID")]
    pub ou: Option<String>,
    /// A customer managed key of the management account whose key policy admits the organization.
    #[arg(long, value_name = "ARN")]
    pub key: Option<String>,
    /// The model that is called by Converse.
    #[arg(long, default_value = "amazon.nova-micro-v1:0")]
    pub model: String,
    /// The model of Chat Completions and Responses.
    #[arg(long, default_value = "openai.gpt-oss-20b-1:0")]
    pub openai_model: String,
    /// The model of Messages.
    #[arg(long, default_value = "anthropic.claude-3-haiku-20240307-v1:0")]
    pub messages_model: String,
    /// The model on bedrock-mantle.
    #[arg(long, default_value = "openai.gpt-oss-20b")]
    pub mantle_model: String,
    /// Where it is written down what was made.
    #[arg(long, default_value = "guardrail-learn.journal")]
    pub journal: PathBuf,
    /// The form of the report.
    #[arg(long, value_enum, default_value_t = ReportForm::Text)]
    pub output: ReportForm,
}

/// Which journal.
#[derive(Debug, Args)]
pub struct CleanUpArguments {
    /// The journal that the run left.
    #[arg(long, default_value = "guardrail-learn.journal")]
    pub journal: PathBuf,
}

/// The form of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportForm {
    /// For people.
    Text,
    /// For programs.
    Json,
}

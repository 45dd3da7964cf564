//! `simulator`: serves a world on loopback until it is stopped.

mod measure;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use simulator::{
    Answer, CrossAccountSimulation, Defaults, Destination, EmptyList, GetGuardrail, IdentifierCheck,
    ListModels, ListOrder, LockedChild, ModelLists, NameCase, OnOff, Options, OtherOwners, Presence,
    PutOverExisting, RefusalForm, Server, Switches, TwoConfigurations, UpdatedBy, World, WrongIdentifier,
};

/// A model of the AWS APIs around Amazon Bedrock guardrail enforcement, for any AWS client.
#[derive(Parser)]
#[command(version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves a world on 127.0.0.1 until it is interrupted.
    Serve(Serve),
    /// Prints the example world, to start one of your own from.
    World,
    /// Measures memory and latency with a large organization, in this process and over loopback.
    Measure {
        /// How many accounts.
        #[arg(long, default_value_t = 10_000)]
        accounts: usize,
        /// How many Regions, up to 17.
        #[arg(long, default_value_t = 17)]
        regions: usize,
    },
}

#[derive(Args)]
struct Serve {
    /// The port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// The world to start with, as YAML; the example when left out.
    #[arg(long, value_name = "FILE")]
    world: Option<PathBuf>,
    /// An organization of this many accounts instead, to measure with.
    #[arg(long, value_name = "ACCOUNTS", conflicts_with = "world")]
    large: Option<usize>,
    /// The number that the ids which are made depend on.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Lets the clock stand at the world's start, so that two runs give the same answers.
    #[arg(long)]
    fixed_time: bool,
    /// Sends every event to this http:// URL as the body of a POST.
    #[arg(long, value_name = "URL", conflicts_with = "send_events_to_queue")]
    send_events_to: Option<String>,
    /// Sends every event to this queue of an SQS emulator.
    #[arg(long, value_name = "QUEUE_URL")]
    send_events_to_queue: Option<String>,
    #[command(flatten)]
    switches: SwitchFlags,
}

/// What is unknown about AWS. The defaults are what a client must be able to live with.
#[derive(Args)]
#[command(next_help_heading = "What is unknown about AWS")]
struct SwitchFlags {
    /// May an enforcement name another account's guardrail?
    #[arg(long, value_enum, value_name = "ANSWER")]
    cross_account_reference: Option<Answer>,
    /// How is such an enforcement refused?
    #[arg(long, value_enum, value_name = "FORM")]
    cross_account_refusal: Option<RefusalForm>,
    /// May it name one that its resource policy doesn't share?
    #[arg(long, value_enum, value_name = "ANSWER")]
    put_without_grant: Option<Answer>,
    /// What does Put without configId do over an existing configuration?
    #[arg(long, value_enum)]
    put_over_existing: Option<PutOverExisting>,
    /// Does List show the defaults of what wasn't sent?
    #[arg(long, value_enum)]
    list_defaults: Option<Defaults>,
    /// In which form does List show models?
    #[arg(long, value_enum, value_name = "FORM")]
    list_models: Option<ListModels>,
    /// Does List show what the organization enforces besides?
    #[arg(long, value_enum, value_name = "OWNERS")]
    other_owners: Option<OtherOwners>,
    /// May a resource policy have several statements?
    #[arg(long, value_enum, value_name = "ANSWER")]
    several_statements: Option<Answer>,
    /// May a statement of it have a Sid?
    #[arg(long, value_enum, value_name = "ANSWER")]
    sid: Option<Answer>,
    /// Which form have createdBy and updatedBy?
    #[arg(long, value_enum)]
    updated_by: Option<UpdatedBy>,
    /// Does Organizations fill Account.Paths?
    #[arg(long, value_enum)]
    paths: Option<Presence>,
    /// What does List answer where nothing is enforced?
    #[arg(long, value_enum)]
    empty_list: Option<EmptyList>,
    /// May a guardrail be deleted that another account enforces?
    #[arg(long, value_enum, value_name = "ANSWER")]
    delete_enforced_elsewhere: Option<Answer>,
    /// Does GetGuardrail find the versions that ListGuardrails shows?
    #[arg(long, value_enum)]
    get_guardrail: Option<GetGuardrail>,
    /// Does Converse show a trace of an enforced guardrail to a request that names none?
    #[arg(long, value_enum)]
    enforced_trace: Option<Presence>,
    /// Do Bedrock policies need trusted access?
    #[arg(long, value_enum)]
    trusted_access_needed: Option<OnOff>,
    /// Must a configuration with one list of models have the other?
    #[arg(long, value_enum)]
    model_lists: Option<ModelLists>,
    /// Does CreatePolicy take input_tags?
    #[arg(long, value_enum, value_name = "ANSWER")]
    input_tags: Option<Answer>,
    /// What do two configurations in one Region do?
    #[arg(long, value_enum)]
    two_configurations: Option<TwoConfigurations>,
    /// Does a published document keep the case of names?
    #[arg(long, value_enum)]
    configuration_names: Option<NameCase>,
    /// Does a published document show empty lists of models?
    #[arg(long, value_enum)]
    empty_model_lists: Option<Presence>,
    /// Who looks whether an identifier names a version?
    #[arg(long, value_enum, value_name = "WHO")]
    identifier_check: Option<IdentifierCheck>,
    /// What does an identifier do that names no version?
    #[arg(long, value_enum)]
    wrong_identifier: Option<WrongIdentifier>,
    /// What does an operator do that a policy above doesn't allow?
    #[arg(long, value_enum)]
    locked_child: Option<LockedChild>,
    /// In which order does ListPoliciesForTarget show policies?
    #[arg(long, value_enum, value_name = "ORDER")]
    policies_for_target: Option<ListOrder>,
    /// Do Bedrock policies reach the management account?
    #[arg(long, value_enum)]
    management_account_inherits: Option<OnOff>,
    /// May a version be deleted that the organization enforces?
    #[arg(long, value_enum, value_name = "ANSWER")]
    delete_organization_version: Option<Answer>,
    /// Do enforced guardrails act on Chat Completions?
    #[arg(long, value_enum)]
    enforced_on_chat_completions: Option<OnOff>,
    /// Do they act on Messages?
    #[arg(long, value_enum)]
    enforced_on_messages: Option<OnOff>,
    /// Do they act on Responses?
    #[arg(long, value_enum)]
    enforced_on_responses: Option<OnOff>,
    /// Do they act on bedrock-mantle?
    #[arg(long, value_enum)]
    enforced_on_mantle: Option<OnOff>,
    /// Do they act on StartAsyncInvoke?
    #[arg(long, value_enum)]
    enforced_on_async_invoke: Option<OnOff>,
    /// Do paged lists begin with an empty page?
    #[arg(long, value_enum)]
    empty_pages: Option<OnOff>,
    /// Who decides about another account's resource when a principal is simulated?
    #[arg(long, value_enum, value_name = "WHO")]
    cross_account_simulation: Option<CrossAccountSimulation>,
    /// Can another account use a guardrail with a customer managed key, where the key policy admits it?
    #[arg(long, value_enum, value_name = "ANSWER")]
    customer_key_across_accounts: Option<Answer>,
    /// Are calls limited to the published rates?
    #[arg(long, value_enum)]
    throttling: Option<OnOff>,
}

impl SwitchFlags {
    fn switches(self) -> Switches {
        let default = Switches::default();
        Switches {
            cross_account_reference: self.cross_account_reference.unwrap_or(default.cross_account_reference),
            cross_account_refusal: self.cross_account_refusal.unwrap_or(default.cross_account_refusal),
            put_without_grant: self.put_without_grant.unwrap_or(default.put_without_grant),
            put_over_existing: self.put_over_existing.unwrap_or(default.put_over_existing),
            list_defaults: self.list_defaults.unwrap_or(default.list_defaults),
            list_models: self.list_models.unwrap_or(default.list_models),
            other_owners: self.other_owners.unwrap_or(default.other_owners),
            several_statements: self.several_statements.unwrap_or(default.several_statements),
            sid: self.sid.unwrap_or(default.sid),
            updated_by: self.updated_by.unwrap_or(default.updated_by),
            paths: self.paths.unwrap_or(default.paths),
            empty_list: self.empty_list.unwrap_or(default.empty_list),
            delete_enforced_elsewhere: self
                .delete_enforced_elsewhere
                .unwrap_or(default.delete_enforced_elsewhere),
            get_guardrail: self.get_guardrail.unwrap_or(default.get_guardrail),
            enforced_trace: self.enforced_trace.unwrap_or(default.enforced_trace),
            cross_account_simulation: self
                .cross_account_simulation
                .unwrap_or(default.cross_account_simulation),
            customer_key_across_accounts: self
                .customer_key_across_accounts
                .unwrap_or(default.customer_key_across_accounts),
            trusted_access_needed: self.trusted_access_needed.unwrap_or(default.trusted_access_needed),
            model_lists: self.model_lists.unwrap_or(default.model_lists),
            input_tags: self.input_tags.unwrap_or(default.input_tags),
            two_configurations: self.two_configurations.unwrap_or(default.two_configurations),
            configuration_names: self.configuration_names.unwrap_or(default.configuration_names),
            empty_model_lists: self.empty_model_lists.unwrap_or(default.empty_model_lists),
            identifier_check: self.identifier_check.unwrap_or(default.identifier_check),
            wrong_identifier: self.wrong_identifier.unwrap_or(default.wrong_identifier),
            locked_child: self.locked_child.unwrap_or(default.locked_child),
            policies_for_target: self.policies_for_target.unwrap_or(default.policies_for_target),
            management_account_inherits: self
                .management_account_inherits
                .unwrap_or(default.management_account_inherits),
            delete_organization_version: self
                .delete_organization_version
                .unwrap_or(default.delete_organization_version),
            enforced_on_chat_completions: self
                .enforced_on_chat_completions
                .unwrap_or(default.enforced_on_chat_completions),
            enforced_on_messages: self.enforced_on_messages.unwrap_or(default.enforced_on_messages),
            enforced_on_responses: self.enforced_on_responses.unwrap_or(default.enforced_on_responses),
            enforced_on_mantle: self.enforced_on_mantle.unwrap_or(default.enforced_on_mantle),
            enforced_on_async_invoke: self
                .enforced_on_async_invoke
                .unwrap_or(default.enforced_on_async_invoke),
            empty_pages: self.empty_pages.unwrap_or(default.empty_pages),
            throttling: self.throttling.unwrap_or(default.throttling),
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::World => {
            print!("{}", World::EXAMPLE);
            Ok(())
        }
        Command::Serve(arguments) => serve(arguments).await,
        Command::Measure { accounts, regions } => measure::measure(accounts, regions).await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(arguments: Serve) -> Result<(), String> {
    let world = match (&arguments.world, arguments.large) {
        (Some(path), _) => {
            let text = std::fs::read_to_string(path)
                .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
            World::parse(&text).map_err(|error| format!("{}: {error}", path.display()))?
        }
        (None, Some(accounts)) => World::large(accounts, 17),
        (None, None) => World::example(),
    };
    let management = world.organization.management_account.clone();
    let region =
        world.regions.keys().find(|region| *region == "us-east-1").or_else(|| world.regions.keys().next());
    let region = region.cloned().unwrap_or_default();
    let options = Options {
        port: arguments.port,
        seed: arguments.seed,
        real_time: !arguments.fixed_time,
        switches: arguments.switches.switches(),
    };
    let simulator = Server::start(world, options).await.map_err(|error| error.to_string())?;
    let (url, queue_url) = (arguments.send_events_to, arguments.send_events_to_queue);
    if url.is_some() || queue_url.is_some() {
        simulator.forward_events(Destination { url, queue_url, ..Destination::default() });
    }
    let url = simulator.url();
    println!("simulator ready on {url}");
    println!();
    println!("export AWS_ENDPOINT_URL={url}");
    println!("export AWS_ACCESS_KEY_ID=SIM{management}");
    println!("export AWS_SECRET_ACCESS_KEY=simulator");
    println!("export AWS_REGION={region}");
    // The AWS CLI of version 1 and boto3 read only this one.
    println!("export AWS_DEFAULT_REGION={region}");
    println!();
    println!(
        "SIM and an account id is the key of that account's administrator. Control API: {url}/_simulator/"
    );
    interrupted().await;
    eprintln!("stopping");
    simulator.stop().await;
    Ok(())
}

/// Waits for Ctrl-C or, where there is such a thing, for SIGTERM.
async fn interrupted() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    drop(interrupt.await);
}

//! `guardrailctl enable-policy-type`: lets Bedrock policies act in the organization.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;
use clap::Args;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::advice::FailedCall;
use super::asking::Asking;
use super::ending::{self, Done};
use super::interrupts::Interrupts;
use super::output::{self, ADDED, ALTERED, paint};
use super::policy_session::policy_session;
use super::{OK, Output, UNFINISHED, USAGE, connect, settings};
use guardrail_keeper::cloud::{BedrockPolicyReader, EnablingAnswer, PolicyTypeState, PolicyTypes};
use keeper_core::bedrock_policy::{AttachPoint, NamedPolicy};
use keeper_core::failure::Failure;
use keeper_core::ids::ParentId;
use keeper_core::settings::BaselineSource;

/// Let Bedrock policies act in the organization: enable the policy type BEDROCK_POLICY in its root
///
/// Asks, enables the type, waits until AWS says that it is enabled, and shows what acts by then. By itself that changes
/// nothing for anybody: a Bedrock policy acts where it is attached, and AWS attaches none while the type is off. Where AWS asks for trusted access of
/// bedrock.amazonaws.com first, that is asked for by itself. Nothing is ever disabled here: DisablePolicyType detaches
/// every Bedrock policy of the organization.
///
/// It needs organizations:ListRoots and EnablePolicyType; ListPolicies and ListTargetsForPolicy to show what is attached;
/// EnableAWSServiceAccess if AWS asks for it. The keeper's roles have none of these but the lists.
///
/// Exits with 0 if the type is enabled, also where it was before.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Don't ask
    #[arg(long)]
    yes: bool,
    /// Enable trusted access of bedrock.amazonaws.com too if AWS asks for it; without --yes that is asked
    #[arg(long)]
    trusted_access: bool,
    /// The form of the results
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// How long it is waited for the type.
const WITHIN: Duration = Duration::from_secs(120);

/// The pause between two looks. AWS answers one ListRoots a second.
const LOOKED_AGAIN_AFTER: Duration = Duration::from_secs(2);

/// A policy that is attached, and where.
type PolicyWithPoints = (NamedPolicy, BTreeSet<AttachPoint>);

/// The policies that are attached; `None` where AWS lists none because the type is off.
type SeenAttachments = Result<Option<Vec<PolicyWithPoints>>, Failure>;

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    let Arguments { yes, trusted_access, output } = arguments;
    let interrupts = Interrupts::listen()?;
    // No baseline is read, and none needs to be set.
    let keeper = interrupts.or(connect(settings(Some(BaselineSource::File(PathBuf::new())))?)).await?;
    let session = interrupts.or(policy_session(&keeper)).await?;
    let types = keeper.cloud().policy_types(&session);
    let (root, state) = interrupts.or(state(&types)).await?;
    let reader = keeper.cloud().bedrock_policies(&session);
    let mut run = Enabling { types, reader, root, interrupts, done: Done::default(), trusted: false };
    match state {
        PolicyTypeState::Enabled => {
            run.tell(*output, "enabled", None);
            return Ok(OK);
        }
        PolicyTypeState::Off => {}
        PolicyTypeState::BeingEnabled => return run.wait("being_enabled", *output).await,
        PolicyTypeState::BeingDisabled => {
            bail!(
                "BEDROCK_POLICY is being disabled in {}: wait until that is done, and run this again",
                run.root
            )
        }
        PolicyTypeState::Other(other) => bail!("AWS says {other:?} of BEDROCK_POLICY in {}", run.root),
    }
    let Some(asking) = Asking::new(*yes, *output, "enable the type") else { return Ok(USAGE) };
    let attached = run.attached().await?;
    if *output == Output::Text {
        print_before(&run.root, &attached);
    }
    output::shown()?;
    let question = format!("Enable BEDROCK_POLICY in {}?", run.root);
    if !asking.confirmed(&question, &run.done, &run.interrupts).await? {
        return Ok(UNFINISHED);
    }
    if let EnablingAnswer::NeedsTrustedAccess(said) = run.enable().await? {
        output::note(format_args!("AWS asks for trusted access of bedrock.amazonaws.com first: {said}"));
        if !*trusted_access && !asking.asks() {
            output::note("nothing was changed; give --trusted-access to enable that too");
            return Ok(UNFINISHED);
        }
        let question = "Enable trusted access of bedrock.amazonaws.com in the organization?";
        if !*trusted_access && !asking.confirmed(question, &run.done, &run.interrupts).await? {
            return Ok(UNFINISHED);
        }
        run.trust().await?;
        if let EnablingAnswer::NeedsTrustedAccess(said) = run.enable().await? {
            return run.done.or_say(Err(anyhow::anyhow!("AWS still asks for trusted access: {said}")));
        }
    }
    run.wait("off", *output).await
}

struct Enabling {
    types: PolicyTypes,
    reader: BedrockPolicyReader,
    root: ParentId,
    interrupts: Interrupts,
    done: Done,
    /// Whether trusted access was enabled here.
    trusted: bool,
}

impl Enabling {
    async fn enable(&mut self) -> anyhow::Result<EnablingAnswer> {
        let answer = self.interrupts.finish(self.types.enable(&self.root), || ()).await;
        let what = format!("whether BEDROCK_POLICY is enabled in {}", self.root);
        let answer = answer.ok_or_else(|| self.interrupts.ended(format!("{what} is not known")));
        let answer = answer.and_then(|answer| ending::sent(answer, &what, "the type can't be enabled"));
        let answer = self.done.or_say(answer)?;
        if answer == EnablingAnswer::Begun {
            self.done.add(format!("BEDROCK_POLICY is being enabled in {}", self.root));
        }
        Ok(answer)
    }

    async fn trust(&mut self) -> anyhow::Result<()> {
        let trusted = self.interrupts.finish(self.types.trust(), || ()).await;
        let what = "whether trusted access of bedrock.amazonaws.com is enabled";
        let trusted = trusted.ok_or_else(|| self.interrupts.ended(format!("{what} is not known")));
        let trusted =
            trusted.and_then(|trusted| ending::sent(trusted, what, "trusted access can't be enabled"));
        self.done.or_say(trusted)?;
        self.done.add("trusted access of bedrock.amazonaws.com is enabled");
        self.trusted = true;
        Ok(())
    }

    /// The policies that are attached.
    async fn attached(&self) -> anyhow::Result<SeenAttachments> {
        self.interrupts.or(async { Ok::<_, anyhow::Error>(attached(&self.reader).await) }).await
    }

    /// Waits until the type is enabled, and tells.
    async fn wait(&self, was: &str, output: Output) -> anyhow::Result<u8> {
        let until = Instant::now() + WITHIN;
        loop {
            let (_, state) = self.done.or_say(self.interrupts.or(state(&self.types)).await)?;
            if state == PolicyTypeState::Enabled {
                let attached = self.done.or_say(self.attached().await)?;
                self.tell(output, was, Some(&attached));
                return Ok(OK);
            }
            if Instant::now() >= until {
                let seconds = WITHIN.as_secs();
                let why = anyhow::anyhow!(
                    "after {seconds} seconds AWS does not say yet that BEDROCK_POLICY is enabled"
                );
                return self.done.or_say(Err(why));
            }
            let paused = self.interrupts.or(async {
                sleep(LOOKED_AGAIN_AFTER).await;
                Ok::<_, anyhow::Error>(())
            });
            self.done.or_say(paused.await)?;
        }
    }

    fn tell(&self, output: Output, was: &str, attached: Option<&SeenAttachments>) {
        let Enabling { root, trusted, .. } = self;
        match output {
            Output::Json => output::print_done_json(&json!({
                "root": root,
                "was": was,
                "enabled": true,
                "trusted_access_enabled": trusted,
                "policies": attached.and_then(|seen| seen.as_ref().ok()?.as_deref()).map(in_json),
            })),
            Output::Text if was == "enabled" => {
                output::print(format_args!(
                    "{} BEDROCK_POLICY is enabled in {root} already: nothing was changed",
                    paint(ADDED, "ok:")
                ));
            }
            Output::Text => {
                output::print_done(format_args!(
                    "{} BEDROCK_POLICY is enabled in {root}",
                    paint(ADDED, "ok:")
                ));
                if let Some(attached) = attached {
                    print_attached(attached);
                }
            }
        }
    }
}

async fn state(types: &PolicyTypes) -> Result<(ParentId, PolicyTypeState), FailedCall> {
    let state = types.state().await;
    state.map_err(|failure| FailedCall::new("whether BEDROCK_POLICY is enabled is not known", failure))
}

async fn attached(reader: &BedrockPolicyReader) -> SeenAttachments {
    let Some(policies) = reader.listed().await? else { return Ok(None) };
    let mut all = Vec::new();
    for policy in policies {
        let points = reader.targets(&policy.id).await?;
        if !points.is_empty() {
            all.push((policy, points));
        }
    }
    Ok(Some(all))
}

fn print_before(root: &ParentId, attached: &SeenAttachments) {
    output::print(format_args!("BEDROCK_POLICY is not enabled in {root}"));
    output::print(
        "EnablePolicyType: from then on a Bedrock policy acts on everything below what it is attached to",
    );
    match attached {
        Ok(None) => output::print(
            "nothing changes for any account: while the type is off AWS attaches no policy, and disabling it detached all; \
             AWS lists none either, so what acts is shown afterwards",
        ),
        seen => print_attached(seen),
    }
}

fn print_attached(attached: &SeenAttachments) {
    match attached {
        Err(failure) => output::warning(format_args!(
            "which Bedrock policies are attached, and act, is not known: {}",
            failure.said()
        )),
        Ok(None) => {
            output::warning(
                "AWS lists no Bedrock policies yet, so which are attached, and act, is not known",
            );
        }
        Ok(Some(all)) if all.is_empty() => {
            output::print("no Bedrock policy is attached anywhere: nothing changes for any account");
        }
        Ok(Some(all)) => {
            for (NamedPolicy { id, name }, points) in all {
                let points: Vec<String> = points.iter().map(ToString::to_string).collect();
                let line = format!("acts: {id} ({}) on {}", name.escape_debug(), points.join(", "));
                output::print(paint(ALTERED, line));
            }
        }
    }
}

fn in_json(all: &[PolicyWithPoints]) -> Value {
    all.iter().map(|(policy, points)| json!({ "id": policy.id, "name": policy.name, "on": points })).collect()
}

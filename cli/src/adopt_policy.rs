//! `guardrailctl adopt-policy`: makes somebody's Bedrock policy the keeper's.

use clap::Args;
use serde_json::{Value, json};

use super::asking::Asking;
use super::ending::{Done, Ended};
use super::interrupts::Interrupts;
use super::level::print_foreseen;
use super::output::{self, ADDED, BROKEN, paint};
use super::{OK, Output, UNFINISHED, USAGE, Unfit, connect, durable_ledger, settings};
use guardrail_keeper::engine::{self, NotFound, PolicyAdopter, Unadopted};
use keeper_core::bedrock_policy::{PolicyId, PolicyPart};
use keeper_core::organization_level::{
    AdoptablePolicy, AdoptionStart, FoundPolicy, NotAdoptable, OrganizationLevelReport,
};
use keeper_core::settings::BaselineSource;

/// Make a Bedrock policy that somebody else wrote the keeper's own
///
/// The policy is tagged, recorded in the ledger and renamed to guardrail-keeper-POINT-NUMBER. What it says and where it is
/// attached stays, so no account is affected. From then on the keeper keeps it as the baseline has it: what it would do with
/// it next is shown before the question.
///
/// Only a policy is taken that the keeper could have written: attached to exactly one root, OU or account, which the
/// baseline assigns with `level: organization`; and saying just what a document of the keeper's says. Otherwise everything
/// that stands in the way is named, and the keeper's document that enforces the same, where there is one. If the keeper is
/// to write nothing of its own there before, push the baseline in mode audit first.
///
/// It needs a ledger that lasts, and organizations:ListPolicies, ListTargetsForPolicy, DescribePolicy, TagResource and
/// UpdatePolicy. A run that was stopped is continued by the next one.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The policy, by its id
    policy: PolicyId,
    /// The baseline: a file, or ssm:NAME [env: KEEPER_BASELINE]
    #[arg(long, value_name = "FILE")]
    baseline: Option<BaselineSource>,
    /// Don't ask
    #[arg(long)]
    yes: bool,
    /// The form of the results
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    let Arguments { policy: id, baseline, yes, output } = arguments;
    let settings = settings(baseline.clone())?;
    durable_ledger(&settings, "adopt-policy")?;
    let interrupts = Interrupts::listen()?;
    let keeper = interrupts.or(connect(settings)).await?;
    let baseline = interrupts.or(engine::baseline(&keeper)).await?;
    let adopter = interrupts.or(PolicyAdopter::connect(&keeper, &baseline)).await.map_err(unfit)?;
    let (found, start) = interrupts.or(adopter.look(id)).await.map_err(unfit)?;
    let policy = match start {
        Ok(AdoptionStart::Adoptable(policy)) => policy,
        Ok(AdoptionStart::AlreadyOurs(part)) => {
            tell_ours(*output, id, &part);
            return Ok(OK);
        }
        Err(obstacles) => {
            tell_obstacles(*output, &found, &obstacles);
            return Ok(UNFINISHED);
        }
    };
    let Some(asking) = Asking::new(*yes, *output, "adopt the policy") else { return Ok(USAGE) };
    let next = engine::foresee_adopted(&keeper, &baseline, (id, &policy.part));
    let next = interrupts.or(async { Ok::<_, anyhow::Error>(next.await) }).await?;
    if *output == Output::Text {
        print(&found, &policy, &next);
    }
    output::shown()?;
    let mut done = Done::default();
    if !asking.confirmed(&format!("Adopt {id}?"), &done, &interrupts).await? {
        return Ok(UNFINISHED);
    }
    let adopted = interrupts.finish(adopter.adopt(&found, &policy), || ()).await;
    let unknown = || format!("whether {id} is the keeper's by now is not known: run this again");
    match adopted {
        Some(Ok(())) => done.add(format!("{id} is the keeper's {}", policy.part)),
        Some(Err(Unadopted::Stopped { why, is_tagged })) => {
            let why = format!("{id} was not adopted: {why}");
            let done = format!("{id} carries the tag guardrail-keeper by now, which has no effect by itself");
            return Err(if is_tagged { Ended::After { done, why }.into() } else { anyhow::anyhow!(why) });
        }
        Some(Err(Unadopted::Unknown(why))) => return Err(Ended::After { done: unknown(), why }.into()),
        None => return Err(interrupts.ended(unknown())),
    }
    match output {
        Output::Json => output::print_done_json(&in_json(&found, Some(&policy.part), true, &[], Some(&next))),
        Output::Text => output::print_done(format_args!("{} {done}", paint(ADDED, "ok:"))),
    }
    Ok(OK)
}

/// A wrong id and a setting are the arguments' fault.
fn unfit(error: anyhow::Error) -> anyhow::Error {
    match error.downcast::<NotFound>() {
        Ok(NotFound::Unread(why)) => anyhow::anyhow!(why),
        Ok(not_found) => Unfit(not_found.to_string()).into(),
        Err(error) => error,
    }
}

fn print(found: &FoundPolicy, policy: &AdoptablePolicy, next: &Result<OrganizationLevelReport, String>) {
    let AdoptablePolicy { id, part, content } = policy;
    output::print(format_args!("{id} ({}) on {}", found.name.escape_debug(), part.point));
    for (region, enforcement) in &content.regions {
        output::print(format_args!("  {region}: {enforcement}"));
    }
    output::print("becomes the keeper's:");
    output::print(format_args!("  renamed to {part}, tagged guardrail-keeper, recorded in the ledger"));
    output::print("  what it says and where it is attached stays: no account is affected");
    match next {
        Ok(report) => print_foreseen(report),
        Err(why) => {
            output::warning(format_args!("what the keeper would do with it next is not known: {why}"));
        }
    }
}

fn tell_ours(output: Output, id: &PolicyId, part: &PolicyPart) {
    match output {
        Output::Json => output::print_json(&json!({
            "policy": id,
            "becomes": part.to_string(),
            "adopted": false,
            "already": true,
            "obstacles": [],
            "next": null,
        })),
        Output::Text => {
            let text = format!("{id} is the keeper's {part} already: nothing was changed");
            output::print(format_args!("{} {text}", paint(ADDED, "ok:")));
        }
    }
}

fn tell_obstacles(output: Output, found: &FoundPolicy, obstacles: &[NotAdoptable]) {
    match output {
        Output::Json => output::print_json(&in_json(found, None, false, obstacles, None)),
        Output::Text => {
            for obstacle in obstacles {
                output::print(format_args!("{}: {obstacle}", obstacle.code()));
                output::print(format_args!("  → {}", obstacle.todo()));
            }
            if let Some(document) = obstacles.iter().find_map(NotAdoptable::document) {
                output::print("the keeper's document that enforces the same:");
                output::print_exactly(document.text());
            }
            let (id, name) = (&found.id, found.name.escape_debug());
            output::note(format_args!("{} {id} ({name}) can't be adopted", paint(BROKEN, "error:")));
        }
    }
}

fn in_json(
    found: &FoundPolicy,
    becomes: Option<&PolicyPart>,
    adopted: bool,
    obstacles: &[NotAdoptable],
    next: Option<&Result<OrganizationLevelReport, String>>,
) -> Value {
    let listed = obstacles.iter().map(|one| {
        json!({
            "code": one.code(),
            "text": one.to_string(),
            "todo": one.todo(),
            "document": one.document().map(keeper_core::bedrock_policy::OwnDocument::text),
        })
    });
    json!({
        "policy": found.id,
        "name": found.name,
        "on": found.points,
        "becomes": becomes.map(ToString::to_string),
        "adopted": adopted,
        "already": false,
        "obstacles": listed.collect::<Value>(),
        "next": next.and_then(|next| next.as_ref().ok()).map(OrganizationLevelReport::to_json),
    })
}

//! What published policies do: to List, to calls of models, and to deletions. Last, because calls may fail meanwhile.

use aws_sdk_bedrock::types::ConfigurationOwner;

use crate::calls::Halt;
use crate::cloud::Party;
use crate::experiment::{Experiment, Need, Verdict};
use crate::lab::Lab;
use crate::policies::{MergeSeen, PolicySettings};
use crate::speaking::EFFECT;
use crate::undo::listed;

use super::across::judge_deletion;
use super::publication::WRONG;

const TOOK: (&str, &str) =
    ("policy_enforcement_seconds", "from the account's published document to its effect on Converse");

pub(super) const EXPERIMENTS: &[Experiment] = &[
    Experiment {
        switch: "other-owners",
        question: "does List show what the organization enforces?",
        positions: &["hidden", "organization"],
        needs: &[Need::PolicyType, Need::Shared, Need::Model],
        makes: "a Bedrock policy, attached to the account",
        method: "ListEnforcedGuardrailsConfiguration once the policy stops its word: is there an entry of another owner?",
        observe: |lab| Box::pin(other_owners(lab)),
    },
    Experiment {
        switch: "two-configurations",
        question: "what do two configurations in one Region do?",
        positions: &["refused", "both", "first"],
        needs: &[Need::PolicyType, Need::Shared, Need::Model],
        makes: "a second guardrail of the management account, and a Bedrock policy with both, attached to the account, \
                which it may freeze",
        method: "is the account frozen, or which of the guardrails stop their words?",
        observe: |lab| Box::pin(two_configurations(lab)),
    },
    Experiment {
        switch: "delete-organization-version",
        question: "can a version be deleted that the organization enforces?",
        positions: &["accepted", "refused"],
        needs: &[Need::PolicyType, Need::Shared, Need::Model],
        makes: "a guardrail of the management account and a Bedrock policy, attached to the account: calls of models \
                may fail there until it is detached",
        method: "DeleteGuardrail of the version once the policy stops its word: is it refused?",
        observe: |lab| Box::pin(delete_version(lab)),
    },
    Experiment {
        switch: "wrong-identifier",
        question: "what does a published identifier do that names no version?",
        positions: &["breaks-calls", "not-enforced"],
        needs: &[Need::PolicyType, Need::Shared, Need::Model],
        makes: "a Bedrock policy, attached to the account, first with a right version and then with a wrong one: calls \
                of models may fail there until it is detached",
        method: "once the right one stops its word, UpdatePolicy to the wrong one: do calls fail, or is the word let \
                 through?",
        observe: |lab| Box::pin(wrong_identifier(lab)),
    },
];

/// Attaches a policy with one guardrail version and waits until it stops its word.
async fn enforced(lab: &Lab, label: &str, trap: &crate::lab::Trap) -> Result<(), Halt> {
    let document = lab.document(&[("learn", PolicySettings::of(&trap.arn, "1"))]);
    let MergeSeen::Published(_) = lab.apply_policy(label, &document).await?? else {
        return Err(Halt::Because("a policy with an identifier alone freezes the account".to_owned()));
    };
    lab.until_stopped(trap, TOOK.0, TOOK.1).await?;
    Ok(())
}

async fn other_owners(lab: &Lab) -> Result<Verdict, Halt> {
    enforced(lab, "owners", &lab.shared()?).await?;
    let shown = listed(&lab.calls, &lab.cloud).await?.unwrap_or_default();
    let owners: Vec<&str> =
        shown.iter().filter_map(|one| one.owner()).map(ConfigurationOwner::as_str).collect();
    Ok(judge_owners(&owners))
}

fn judge_owners(owners: &[&str]) -> Verdict {
    match owners {
        [] => Verdict::position("hidden", "List shows nothing"),
        [.., owner] if *owner != "ACCOUNT" => {
            Verdict::position("organization", format!("List shows an entry of the owner {owner}"))
        }
        _ => Verdict::otherwise("List shows what the organization enforces as the account's own"),
    }
}

async fn two_configurations(lab: &Lab) -> Result<Verdict, Halt> {
    let shared = lab.shared()?;
    let second = lab.trap(Party::Management, "second", None).await?;
    lab.version(Party::Management, &second).await?;
    lab.grant(Party::Management, &second).await?;
    lab.until_applicable(&second).await?;
    let document = lab.document(&[
        ("learn-a", PolicySettings::of(&shared.arn, "1")),
        ("learn-b", PolicySettings::of(&second.arn, "1")),
    ]);
    let evaluated = match lab.apply_policy("two", &document).await? {
        Ok(evaluated) => evaluated,
        Err(refusal) => return Ok(Verdict::otherwise(format!("CreatePolicy refuses it: {refusal}"))),
    };
    if let MergeSeen::Frozen(codes) = evaluated {
        return Ok(Verdict::position("refused", format!("the account is frozen: {}", codes.join(", "))));
    }
    Ok(judge_two(lab.which_act(&shared, &second).await?))
}

fn judge_two(acting: (bool, bool)) -> Verdict {
    match acting {
        (true, true) => Verdict::position("both", "both guardrails stop their words"),
        (true, false) => {
            Verdict::position("first", "the first by name stops its word, the other none for a minute")
        }
        (false, true) => Verdict::otherwise("the last by name stops its word, the other none for a minute"),
        (false, false) => Verdict::otherwise("both are published, and neither stops its word"),
    }
}

async fn delete_version(lab: &Lab) -> Result<Verdict, Halt> {
    let doomed = lab.trap(Party::Management, "version", None).await?;
    lab.version(Party::Management, &doomed).await?;
    lab.grant(Party::Management, &doomed).await?;
    lab.until_applicable(&doomed).await?;
    enforced(lab, "version", &doomed).await?;
    let client = &lab.cloud.side(Party::Management)?.bedrock;
    let deleted = lab.calls.firmly("DeleteGuardrail", async || {
        client.delete_guardrail().guardrail_identifier(&doomed.id).guardrail_version("1").send().await
    });
    Ok(judge_deletion(&deleted.await?.map(drop)))
}

async fn wrong_identifier(lab: &Lab) -> Result<Verdict, Halt> {
    let (shared, account) = (lab.shared()?, lab.cloud.member.account.clone());
    lab.until_no_policy().await?;
    let right = lab.document(&[("learn", PolicySettings::of(&shared.arn, "1"))]);
    let policy = lab.make_policy("identifier", &right).await??;
    lab.attach(&policy, &account).await??;
    let MergeSeen::Published(before) = lab.evaluated(&account, &serde_json::json!({})).await? else {
        return Ok(Verdict::not_found_out("a policy with an identifier alone freezes the account"));
    };
    lab.until_stopped(&shared, TOOK.0, TOOK.1).await?;
    let wrong = lab.document(&[("learn", PolicySettings::of(&shared.arn, WRONG))]);
    if let Err(refusal) = lab.update_policy(&policy, &wrong).await? {
        return Ok(Verdict::not_found_out(format!("a wrong one can't be written: {refusal}")));
    }
    let MergeSeen::Published(_) = lab.evaluated(&account, &before).await? else {
        return Ok(Verdict::not_found_out("a wrong one isn't published: the account is frozen"));
    };
    // As long as the right one acts, its word is stopped: then either calls fail or the word gets through. Failing
    // once proves nothing.
    let failed = std::cell::Cell::new(0);
    let seen = lab.calls.until(EFFECT, async || {
        Ok(match lab.say(&shared.word).await? {
            Ok(said) if said.is_stopped_by(&shared) => None,
            Ok(_) => Some(Verdict::position("not-enforced", "the word gets through")),
            Err(refusal) if refusal.is_transient() => None,
            Err(refusal) => {
                failed.set(failed.get() + 1);
                (failed.get() >= 3).then(|| Verdict::position("breaks-calls", refusal.to_string()))
            }
        })
    });
    let never = || Verdict::otherwise("the version that was enforced before goes on acting");
    Ok(seen.await?.unwrap_or_else(never))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::Learned;

    #[test]
    fn what_no_switch_foresees_is_said_as_it_is() {
        let is_new = |verdict: Verdict| matches!(verdict.answer, Learned::Otherwise(_));
        assert!(is_new(judge_two((false, true))));
        assert!(is_new(judge_two((false, false))));
        assert!(is_new(judge_owners(&["ACCOUNT"])));
    }
}

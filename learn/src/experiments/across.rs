//! What the throw-away account may do with a guardrail of the management account.

use crate::answered::AwsRefusal;
use crate::calls::Halt;
use crate::cloud::Party;
use crate::experiment::{Experiment, Need, Verdict};
use crate::lab::Lab;

const REFERENCE: &str = "Put with the ARN of the management account's guardrail, which is granted to the organization \
                         and which the account can apply: is it taken?";

pub(super) const EXPERIMENTS: &[Experiment] = &[
    Experiment {
        switch: "cross-account-simulation",
        question: "what does SimulatePrincipalPolicy decide about another account's guardrail?",
        positions: &["both-sides", "identity"],
        needs: &[Need::Own, Need::Shared],
        makes: "",
        method: "SimulatePrincipalPolicy of the caller's role, on the account's own guardrail and on the management \
                 account's: is the second allowed too?",
        observe: |lab| Box::pin(simulation(lab)),
    },
    Experiment {
        switch: "customer-key-across-accounts",
        question: "can a guardrail with a customer managed key be used by another account?",
        positions: &["accepted", "refused"],
        needs: &[Need::Shared, Need::Key],
        makes: "a guardrail of the management account with the key of --key",
        method: "ApplyGuardrail as the throw-away account: is it refused?",
        observe: |lab| Box::pin(customer_key(lab)),
    },
    Experiment {
        switch: "cross-account-reference",
        question: "may an account's enforcement name another account's guardrail?",
        positions: &["accepted", "refused"],
        needs: &[Need::Shared],
        makes: "an enforcement of the management account's guardrail",
        method: REFERENCE,
        observe: |lab| Box::pin(reference(lab)),
    },
    Experiment {
        switch: "cross-account-refusal",
        question: "how is such an enforcement refused?",
        positions: &["validation", "access-denied"],
        needs: &[Need::Shared],
        makes: "an enforcement of the management account's guardrail",
        method: "the same Put: with which code is it refused?",
        observe: |lab| Box::pin(refusal(lab)),
    },
    Experiment {
        switch: "put-without-grant",
        question: "does Put check that the caller may use another account's guardrail?",
        positions: &["accepted", "refused"],
        needs: &[Need::Shared],
        makes: "a guardrail of the management account without a grant, and its enforcement: calls of models fail in the \
                throw-away account until it is released",
        method: "Put with the ARN of a guardrail that is not granted: is it refused, where one that is granted isn't?",
        observe: |lab| Box::pin(without_grant(lab)),
    },
    Experiment {
        switch: "delete-enforced-elsewhere",
        question: "can a guardrail be deleted that another account enforces?",
        positions: &["accepted", "refused"],
        needs: &[Need::Shared],
        makes: "a guardrail of the management account and its enforcement: calls of models fail in the throw-away \
                account until it is released",
        method: "DeleteGuardrail as the management account: is it refused?",
        observe: |lab| Box::pin(delete_elsewhere(lab)),
    },
];

async fn simulation(lab: &Lab) -> Result<Verdict, Halt> {
    let member = &lab.cloud.member;
    let iam = aws_sdk_iam::Client::new(&member.config);
    let Some(name) = member.caller.split_once(":assumed-role/").and_then(|(_, rest)| rest.split('/').next())
    else {
        return Ok(Verdict::not_found_out("the caller is not a session of a role"));
    };
    let role = lab.calls.call("GetRole", async || iam.get_role().role_name(name).send().await).await??;
    let role = role.role().map(|role| role.arn().to_owned()).unwrap_or_default();
    let decide = async |guardrail: &str| -> Result<String, Halt> {
        let said = lab.calls.call("SimulatePrincipalPolicy", async || {
            let simulate = iam.simulate_principal_policy().policy_source_arn(&role);
            simulate.action_names("bedrock:ApplyGuardrail").resource_arns(guardrail).send().await
        });
        let said = said.await??;
        let decision = said.evaluation_results().first().map(|one| one.eval_decision().as_str().to_owned());
        Ok(decision.unwrap_or_default())
    };
    let (own, shared) = (decide(&lab.own()?.arn).await?, decide(&lab.shared()?.arn).await?);
    Ok(judge_simulation(&own, &shared))
}

fn judge_simulation(own: &str, shared: &str) -> Verdict {
    match (own, shared) {
        ("allowed", "allowed") => Verdict::position("identity", "both are allowed"),
        ("allowed", "implicitDeny") => {
            Verdict::position("both-sides", "the own one is allowed, and the other account's implicitDeny")
        }
        ("allowed", other) => Verdict::otherwise(format!("the other account's guardrail is {other}")),
        (other, _) => Verdict::not_found_out(format!("the account's own guardrail is {other} for this role")),
    }
}

async fn customer_key(lab: &Lab) -> Result<Verdict, Halt> {
    let keyed = lab.trap(Party::Management, "keyed", lab.means.key.as_deref()).await?;
    lab.version(Party::Management, &keyed).await?;
    lab.grant(Party::Management, &keyed).await?;
    // The grant needs as long as that of the shared one did, at most.
    let applied =
        lab.calls.until(std::time::Duration::from_secs(60), async || Ok(lab.apply(&keyed.arn).await?.ok()));
    if applied.await?.is_some() {
        return Ok(Verdict::position("accepted", "the throw-away account applied it"));
    }
    // Another one without a key works: it is the key.
    lab.apply(&lab.shared()?.arn).await??;
    let answered = lab.apply(&keyed.arn).await?;
    Ok(match answered {
        Ok(()) => Verdict::position("accepted", "the throw-away account applied it"),
        Err(refusal) if refusal.is_denied() || refusal.is_invalid() => {
            Verdict::position("refused", format!("{refusal}. Does the key policy admit the account?"))
        }
        Err(refusal) => Verdict::not_found_out(refusal.to_string()),
    })
}

async fn put_shared(lab: &Lab) -> Result<Result<(), AwsRefusal>, Halt> {
    Ok(lab.enforce(&lab.shared()?.arn, None).await?.map(drop))
}

async fn reference(lab: &Lab) -> Result<Verdict, Halt> {
    Ok(judge_reference(&put_shared(lab).await?))
}

fn judge_reference(put: &Result<(), AwsRefusal>) -> Verdict {
    match put {
        Ok(()) => Verdict::position("accepted", "Put took the ARN"),
        Err(refusal) if refusal.is_denied() || refusal.is_invalid() => {
            Verdict::position("refused", refusal.to_string())
        }
        Err(refusal) => Verdict::not_found_out(refusal.to_string()),
    }
}

async fn refusal(lab: &Lab) -> Result<Verdict, Halt> {
    Ok(judge_refusal(&put_shared(lab).await?))
}

fn judge_refusal(put: &Result<(), AwsRefusal>) -> Verdict {
    match put {
        Ok(()) => Verdict::not_found_out("it is not refused"),
        Err(refusal) if refusal.is_invalid() => Verdict::position("validation", refusal.to_string()),
        Err(refusal) if refusal.is_denied() => Verdict::position("access-denied", refusal.to_string()),
        Err(refusal) if refusal.is_missing() => Verdict::otherwise(refusal.to_string()),
        Err(refusal) => Verdict::not_found_out(refusal.to_string()),
    }
}

async fn without_grant(lab: &Lab) -> Result<Verdict, Halt> {
    let ungranted = lab.trap(Party::Management, "ungranted", None).await?;
    lab.version(Party::Management, &ungranted).await?;
    let Err(refusal) = lab.enforce(&ungranted.arn, None).await? else {
        return Ok(Verdict::position("accepted", "Put took it, and calls would fail"));
    };
    let granted = put_shared(lab).await?;
    Ok(judge_ungranted(&refusal, &granted))
}

fn judge_ungranted(ungranted: &AwsRefusal, granted: &Result<(), AwsRefusal>) -> Verdict {
    match granted {
        Ok(()) if ungranted.is_denied() || ungranted.is_invalid() => {
            Verdict::position("refused", ungranted.to_string())
        }
        Ok(()) => Verdict::not_found_out(ungranted.to_string()),
        Err(_) => Verdict::not_found_out("a guardrail that is granted is refused as well"),
    }
}

async fn delete_elsewhere(lab: &Lab) -> Result<Verdict, Halt> {
    let doomed = lab.trap(Party::Management, "elsewhere", None).await?;
    lab.version(Party::Management, &doomed).await?;
    lab.grant(Party::Management, &doomed).await?;
    lab.until_applicable(&doomed).await?;
    if let Err(refusal) = lab.enforce(&doomed.arn, None).await? {
        return Ok(Verdict::not_found_out(format!(
            "another account's guardrail can't be enforced: {refusal}"
        )));
    }
    let client = &lab.cloud.side(Party::Management)?.bedrock;
    let deleted = lab.calls.firmly("DeleteGuardrail", async || {
        client.delete_guardrail().guardrail_identifier(&doomed.id).send().await
    });
    Ok(judge_deletion(&deleted.await?.map(drop)))
}

/// Whether something can be deleted that is enforced elsewhere.
pub(super) fn judge_deletion(deleted: &Result<(), AwsRefusal>) -> Verdict {
    match deleted {
        Ok(()) => Verdict::position("accepted", "it was deleted"),
        Err(refusal) if refusal.is_in_use() || refusal.is_invalid() => {
            Verdict::position("refused", refusal.to_string())
        }
        Err(refusal) => Verdict::not_found_out(refusal.to_string()),
    }
}

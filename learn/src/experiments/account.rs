//! What the throw-away account's own enforcement shows, and the resource policy of its guardrail.

use std::time::Duration;

use aws_sdk_bedrock::types::{AccountEnforcedGuardrailOutputConfiguration, ModelEnforcement};
use serde_json::json;

use super::base_model;
use crate::answered::AwsRefusal;
use crate::calls::Halt;
use crate::cloud::Party;
use crate::experiment::{Experiment, Need, Verdict};
use crate::lab::{Lab, Trap};
use crate::undo::{enforcements, listed};

/// How long a version is looked for that GetGuardrail doesn't find.
const FOUND: Duration = Duration::from_secs(300);

pub(super) const EXPERIMENTS: &[Experiment] = &[
    Experiment {
        switch: "empty-list",
        question: "what does List answer where nothing is enforced?",
        positions: &["not-found", "empty"],
        needs: &[],
        makes: "",
        method: "ListEnforcedGuardrailsConfiguration before anything is enforced: an error or an empty list?",
        observe: |lab| Box::pin(empty_list(lab)),
    },
    Experiment {
        switch: "get-guardrail",
        question: "does GetGuardrail find the versions that ListGuardrails shows?",
        positions: &["agrees", "finds-no-version"],
        needs: &[Need::Own],
        makes: "",
        method: "GetGuardrail of a version as soon as ListGuardrails shows it: is it found?",
        observe: |lab| Box::pin(get_guardrail(lab)),
    },
    Experiment {
        switch: "sid",
        question: "may a statement of a guardrail's resource policy have a Sid?",
        positions: &["accepted", "refused"],
        needs: &[Need::Own],
        makes: "a resource policy on the account's guardrail",
        method: "PutResourcePolicy without a Sid, then with one: is the second refused?",
        observe: |lab| Box::pin(sid(lab)),
    },
    Experiment {
        switch: "several-statements",
        question: "may a guardrail's resource policy have several statements?",
        positions: &["accepted", "refused"],
        needs: &[Need::Own],
        makes: "a resource policy on the account's guardrail",
        method: "PutResourcePolicy with each of two statements, then with both: is that refused?",
        observe: |lab| Box::pin(several_statements(lab)),
    },
    Experiment {
        switch: "list-defaults",
        question: "does List show the defaults of members that were not sent?",
        positions: &["omitted", "echoed"],
        needs: &[Need::Own],
        makes: "an enforcement of the account's guardrail",
        method: "Put without guarding and models: does List show them?",
        observe: |lab| Box::pin(list_defaults(lab)),
    },
    Experiment {
        switch: "list-models",
        question: "in which form does List show models?",
        positions: &["as-sent", "arns"],
        needs: &[Need::Own],
        makes: "an enforcement of the account's guardrail for one model",
        method: "Put with a model's id: does List show the id or an ARN?",
        observe: |lab| Box::pin(list_models(lab)),
    },
    Experiment {
        switch: "updated-by",
        question: "whose ARN is updatedBy, the role's or the session's?",
        positions: &["role", "assumed-role"],
        needs: &[Need::Own],
        makes: "an enforcement of the account's guardrail",
        method: "Put by a session of a role: which ARN does the answer have?",
        observe: |lab| Box::pin(updated_by(lab)),
    },
    Experiment {
        switch: "put-over-existing",
        question: "what does Put without a configId do where a configuration exists?",
        positions: &["overwrites", "conflicts"],
        needs: &[Need::Own],
        makes: "an enforcement of the account's guardrail",
        method: "Put without a configId, twice: is the second refused with ConflictException?",
        observe: |lab| Box::pin(put_over_existing(lab)),
    },
];

async fn empty_list(lab: &Lab) -> Result<Verdict, Halt> {
    Ok(match listed(&lab.calls, &lab.cloud).await? {
        None => Verdict::position("not-found", "List answered ResourceNotFoundException"),
        Some(list) if list.is_empty() => Verdict::position("empty", "List answered an empty list"),
        Some(_) => Verdict::not_found_out("List shows entries that are not the account's own"),
    })
}

async fn get_guardrail(lab: &Lab) -> Result<Verdict, Halt> {
    let own = lab.own()?;
    let client = &lab.cloud.member.bedrock;
    let listed = lab.versions(Party::Member, &own.id).await?;
    if !listed.iter().any(|(version, _)| version == "1") {
        return Ok(Verdict::not_found_out("ListGuardrails doesn't show the version"));
    }
    let get = async || {
        lab.calls
            .call("GetGuardrail", async || {
                client.get_guardrail().guardrail_identifier(&own.id).guardrail_version("1").send().await
            })
            .await
    };
    match get().await? {
        Ok(_) => return Ok(Verdict::position("agrees", "GetGuardrail found it at once")),
        Err(refusal) if refusal.is_missing() => {}
        Err(refusal) => return Ok(Verdict::not_found_out(refusal.to_string())),
    }
    let began = lab.calls.elapsed();
    let found = lab.calls.until(FOUND, async || Ok(get().await?.ok())).await?;
    let seconds = (lab.calls.elapsed() - began).as_secs();
    let seen = match found {
        Some(_) => format!("it was found {seconds} s later"),
        None => format!("it was not found within {seconds} s"),
    };
    Ok(Verdict::position("finds-no-version", seen))
}

async fn sid(lab: &Lab) -> Result<Verdict, Halt> {
    let own = lab.own()?;
    let plain = lab.organization_statement(&own.arn);
    let mut named = plain.clone();
    named["Sid"] = "AllowOrganizationAccess".into();
    lab.put_resource_policy(Party::Member, &own, &json!([plain])).await??;
    let answered = lab.put_resource_policy(Party::Member, &own, &json!([named])).await?;
    Ok(judge_refused(&answered, "a statement with a Sid"))
}

async fn several_statements(lab: &Lab) -> Result<Verdict, Halt> {
    let own = lab.own()?;
    let organization = lab.organization_statement(&own.arn);
    let partition = own.arn.split(':').nth(1).unwrap_or("aws");
    let account = json!({
        "Effect": "Allow", "Action": ["bedrock:GetGuardrail", "bedrock:ApplyGuardrail"], "Resource": own.arn,
        "Principal": { "AWS": format!("arn:{partition}:iam::{}:root", lab.cloud.member.account) },
    });
    for one in [&organization, &account] {
        lab.put_resource_policy(Party::Member, &own, &json!([one])).await??;
    }
    let answered = lab.put_resource_policy(Party::Member, &own, &json!([organization, account])).await?;
    Ok(judge_refused(&answered, "both statements together"))
}

/// Whether AWS takes what a resource policy has in addition to one that it takes.
fn judge_refused(answered: &Result<(), AwsRefusal>, what: &str) -> Verdict {
    match answered {
        Ok(()) => Verdict::position("accepted", format!("PutResourcePolicy took {what}")),
        Err(refusal) if refusal.is_invalid() => Verdict::position("refused", refusal.to_string()),
        Err(refusal) => Verdict::not_found_out(refusal.to_string()),
    }
}

/// Enforces the account's guardrail and reads what List shows of it.
async fn enforced(
    lab: &Lab,
    models: Option<ModelEnforcement>,
) -> Result<AccountEnforcedGuardrailOutputConfiguration, Halt> {
    let own = lab.own()?;
    lab.enforce(&own.arn, models).await??;
    shown(lab, &own).await
}

async fn shown(lab: &Lab, trap: &Trap) -> Result<AccountEnforcedGuardrailOutputConfiguration, Halt> {
    let limit = Duration::from_secs(60);
    let look = async || {
        let listed = enforcements(&lab.calls, &lab.cloud).await?;
        Ok(listed.into_iter().find(|one| one.guardrail_arn() == Some(trap.arn.as_str())))
    };
    let missing = || Halt::Because("List doesn't show what was put".to_owned());
    lab.calls.until(limit, look).await?.ok_or_else(missing)
}

async fn list_defaults(lab: &Lab) -> Result<Verdict, Halt> {
    let shown = enforced(lab, None).await?;
    let guarding = shown.selective_content_guarding().is_some();
    let models = shown.model_enforcement().is_some();
    Ok(judge_defaults(guarding, models))
}

fn judge_defaults(guarding: bool, models: bool) -> Verdict {
    match (guarding, models) {
        (false, false) => Verdict::position("omitted", "List shows neither guarding nor models"),
        (true, true) => Verdict::position("echoed", "List shows guarding and models"),
        (true, false) => Verdict::otherwise("List shows guarding and no models"),
        (false, true) => Verdict::otherwise("List shows models and no guarding"),
    }
}

async fn list_models(lab: &Lab) -> Result<Verdict, Halt> {
    let model = base_model(&lab.means.model).to_owned();
    let models =
        ModelEnforcement::builder().included_models(&model).set_excluded_models(Some(Vec::new())).build();
    let shown = enforced(lab, Some(models.map_err(|error| Halt::Because(error.to_string()))?)).await?;
    let included = shown.model_enforcement().map(ModelEnforcement::included_models).unwrap_or_default();
    Ok(judge_models(&model, included))
}

fn judge_models(sent: &str, shown: &[String]) -> Verdict {
    match shown {
        [one] if one == sent => Verdict::position("as-sent", "List shows the id that was sent"),
        [one] if one.starts_with("arn:") => Verdict::position("arns", "List shows an ARN in place of the id"),
        other => Verdict::otherwise(format!("List shows {other:?} in place of {sent}")),
    }
}

async fn updated_by(lab: &Lab) -> Result<Verdict, Halt> {
    if !lab.cloud.member.caller.contains(":assumed-role/") {
        return Ok(Verdict::not_found_out("the caller is not a session of a role"));
    }
    let own = lab.own()?;
    Ok(judge_author(&lab.enforce(&own.arn, None).await??))
}

fn judge_author(by: &str) -> Verdict {
    if by.contains(":assumed-role/") {
        Verdict::position("assumed-role", "updatedBy is the ARN of the session")
    } else if by.contains(":role/") {
        Verdict::position("role", "updatedBy is the ARN of the role")
    } else {
        Verdict::otherwise("updatedBy is neither the ARN of the role nor that of the session")
    }
}

async fn put_over_existing(lab: &Lab) -> Result<Verdict, Halt> {
    let own = lab.own()?;
    lab.enforce(&own.arn, None).await??;
    let before = shown(lab, &own).await?;
    let answered = lab.enforce(&own.arn, None).await?;
    let after = enforcements(&lab.calls, &lab.cloud).await?;
    let same = after.iter().any(|one| one.config_id() == before.config_id());
    Ok(judge_second_put(&answered.map(drop), after.len(), same))
}

fn judge_second_put(answered: &Result<(), AwsRefusal>, left: usize, same_id: bool) -> Verdict {
    match answered {
        Err(refusal) if refusal.code == "ConflictException" => {
            Verdict::position("conflicts", refusal.to_string())
        }
        Err(refusal) => Verdict::not_found_out(refusal.to_string()),
        Ok(()) if left == 1 && same_id => {
            Verdict::position("overwrites", "the second was taken, and the configId stayed")
        }
        Ok(()) if left == 1 => Verdict::otherwise("the second was taken, and the configId is another one"),
        Ok(()) => Verdict::otherwise(format!("the second was taken, and List shows {left}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::Learned;

    #[test]
    fn what_no_switch_foresees_is_said_as_it_is() {
        let is_new = |verdict: Verdict| matches!(verdict.answer, Learned::Otherwise(_));
        assert!(is_new(judge_defaults(true, false)));
        assert!(is_new(judge_models("a.b", &[])));
        assert!(is_new(judge_models("a.b", &["b".to_owned()])));
        assert!(is_new(judge_author("AROAEXAMPLE:session")));
        assert!(is_new(judge_second_put(&Ok(()), 2, true)));
        assert!(is_new(judge_second_put(&Ok(()), 1, false)));
    }

    #[test]
    fn a_denial_is_no_answer_to_whether_a_form_is_legal() {
        let denied = AwsRefusal {
            operation: "PutResourcePolicy",
            code: "AccessDeniedException".to_owned(),
            reason: None,
            message: "no".to_owned(),
        };
        assert!(matches!(judge_refused(&Err(denied), "it").answer, Learned::NotFoundOut(_)));
    }
}

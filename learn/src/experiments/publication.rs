//! What Organizations makes of Bedrock policies: which it takes, what it publishes, which merge freezes an account.

use std::time::Duration;

use serde_json::{Value, json};

use crate::answered::{Answered, AwsRefusal};
use crate::calls::Halt;
use crate::experiment::{Experiment, Need, Verdict};
use crate::lab::Lab;
use crate::policies::{MergeSeen, PolicySettings};

const POLICY: &str = "a Bedrock policy, attached to the account";

pub(super) const EXPERIMENTS: &[Experiment] = &[
    Experiment {
        switch: "input-tags",
        question: "does CreatePolicy still take input_tags, the form of the preview?",
        positions: &["accepted", "refused"],
        needs: &[Need::PolicyType, Need::Shared],
        makes: "two Bedrock policies that are attached to nothing",
        method: "CreatePolicy without input_tags, then with: is the second refused as malformed?",
        observe: |lab| Box::pin(input_tags(lab)),
    },
    Experiment {
        switch: "configuration-names",
        question: "does a published document keep the case of names?",
        positions: &["lowered", "as-written"],
        needs: &[Need::PolicyType, Need::Shared],
        makes: POLICY,
        method: "a policy with capitals in a name: how is it published?",
        observe: |lab| Box::pin(configuration_names(lab)),
    },
    Experiment {
        switch: "empty-model-lists",
        question: "does a published document show a list of models with nothing in it?",
        positions: &["absent", "present"],
        needs: &[Need::PolicyType, Need::Shared],
        makes: POLICY,
        method: "a policy with an empty list of excluded models: is it published?",
        observe: |lab| Box::pin(empty_model_lists(lab)),
    },
    Experiment {
        switch: "model-lists",
        question: "must a configuration that has one list of models have the other?",
        positions: &["both-required", "either"],
        needs: &[Need::PolicyType, Need::Shared],
        makes: "a Bedrock policy, attached to the account, which it may freeze until the policy is detached",
        method: "a policy with included models only: is it published, or is the account frozen?",
        observe: |lab| Box::pin(model_lists(lab)),
    },
    Experiment {
        switch: "locked-child",
        question: "does an operator that a policy above doesn't allow make the merge invalid?",
        positions: &["ignored", "invalid"],
        needs: &[Need::PolicyType, Need::Shared, Need::Unit],
        makes: "a Bedrock policy, attached to the OU of --ou, and one attached to the account, which they may freeze",
        method: "the OU's locks the identifier; the account's assigns another one and a guarding: what is published?",
        observe: |lab| Box::pin(locked_child(lab)),
    },
    Experiment {
        switch: "management-account-inherits",
        question: "do Bedrock policies reach the management account?",
        positions: &["on", "off"],
        needs: &[Need::PolicyType, Need::Shared, Need::TouchesManagement],
        makes: "a Bedrock policy that guards no model, attached to both accounts",
        method: "its one model is included and excluded, so that it guards nothing: is it published in the management \
                 account, too?",
        observe: |lab| Box::pin(management_inherits(lab)),
    },
    Experiment {
        switch: "identifier-check",
        question: "does anybody look whether the version that an identifier names exists?",
        positions: &["nowhere", "create", "effective"],
        needs: &[Need::PolicyType, Need::Shared],
        makes: "a Bedrock policy with a wrong version, attached to the account: calls of models may fail there, or the \
                account be frozen, until it is detached",
        method: "CreatePolicy with the right version, then with one that doesn't exist: refused, frozen or published?",
        observe: |lab| Box::pin(identifier_check(lab)),
    },
];

async fn input_tags(lab: &Lab) -> Result<Verdict, Halt> {
    let settings = PolicySettings::of(&lab.shared()?.arn, "1");
    lab.make_policy("plain", &lab.document(&[("learn", settings.clone())])).await??;
    let tagged = settings.with(&["input_tags"], &json!("honor"));
    let answered = lab.make_policy("tagged", &lab.document(&[("learn", tagged)])).await?;
    Ok(match answered {
        Ok(_) => Verdict::position("accepted", "CreatePolicy took it"),
        Err(refusal) if is_malformed(&refusal) => Verdict::position("refused", refusal.to_string()),
        Err(refusal) => Verdict::not_found_out(refusal.to_string()),
    })
}

fn is_malformed(refusal: &AwsRefusal) -> bool {
    refusal.code == "MalformedPolicyDocumentException"
}

async fn configuration_names(lab: &Lab) -> Result<Verdict, Halt> {
    let settings = PolicySettings::of(&lab.shared()?.arn, "1");
    let evaluated = lab.apply_policy("names", &lab.document(&[("LearnCase", settings)])).await??;
    let MergeSeen::Published(document) = evaluated else {
        return Ok(Verdict::otherwise("capitals in a name freeze the account"));
    };
    let names: Vec<&String> =
        lab.configurations(&document).as_object().into_iter().flatten().map(|(name, _)| name).collect();
    Ok(match names.as_slice() {
        [name] if *name == "LearnCase" => Verdict::position("as-written", "LearnCase was published"),
        [name] if *name == "learncase" => {
            Verdict::position("lowered", "LearnCase was published as learncase")
        }
        other => Verdict::otherwise(format!("LearnCase was published as {other:?}")),
    })
}

async fn empty_model_lists(lab: &Lab) -> Result<Verdict, Halt> {
    let settings = PolicySettings::of(&lab.shared()?.arn, "1").models(&["ALL"], &[]);
    let evaluated = lab.apply_policy("lists", &lab.document(&[("learn", settings)])).await?;
    Ok(judge_empty_list(lab, &evaluated))
}

fn judge_empty_list(lab: &Lab, evaluated: &Answered<MergeSeen>) -> Verdict {
    match evaluated {
        Err(refusal) => Verdict::otherwise(format!("an empty list is refused: {refusal}")),
        Ok(MergeSeen::Frozen(codes)) => {
            Verdict::otherwise(format!("an empty list freezes the account: {codes:?}"))
        }
        Ok(MergeSeen::Published(document)) => {
            let list = &lab.configurations(document)["learn"]["model_enforcement"]["excluded_models"];
            match list {
                Value::Null => Verdict::position("absent", "the empty list was left out"),
                list if *list == json!([]) => Verdict::position("present", "the empty list was published"),
                other => Verdict::otherwise(format!("the empty list was published as {other}")),
            }
        }
    }
}

async fn model_lists(lab: &Lab) -> Result<Verdict, Halt> {
    let settings = PolicySettings::of(&lab.shared()?.arn, "1")
        .with(&["model_enforcement", "included_models"], &json!(["ALL"]));
    let evaluated = lab.apply_policy("models", &lab.document(&[("learn", settings)])).await?;
    Ok(judge_one_list(&evaluated))
}

fn judge_one_list(evaluated: &Answered<MergeSeen>) -> Verdict {
    match evaluated {
        Ok(MergeSeen::Published(_)) => Verdict::position("either", "one list alone was published"),
        Ok(MergeSeen::Frozen(codes)) => Verdict::position(
            "both-required",
            format!("one list alone freezes the account: {}", codes.join(", ")),
        ),
        Err(refusal) if is_malformed(refusal) => {
            Verdict::otherwise("CreatePolicy itself refuses one list without the other")
        }
        Err(refusal) => Verdict::not_found_out(refusal.to_string()),
    }
}

async fn locked_child(lab: &Lab) -> Result<Verdict, Halt> {
    let (shared, account) = (lab.shared()?, lab.cloud.member.account.clone());
    let unit = lab.means.unit.clone().unwrap_or_default();
    lab.until_no_policy().await?;
    let parent = lab.document(&[("learn", PolicySettings::of(&shared.arn, "1").locked())]);
    let parent = lab.make_policy("parent", &parent).await??;
    lab.attach(&parent, &unit).await??;
    let MergeSeen::Published(before) = lab.evaluated(&account, &json!({})).await? else {
        return Ok(Verdict::not_found_out("a lock alone freezes the account"));
    };
    // What isn't locked shows that the child was looked at.
    let child = PolicySettings::of(&shared.arn, "2")
        .with(&["selective_content_guarding", "system"], &json!("selective"));
    let child = lab.make_policy("child", &lab.document(&[("learn", child)])).await??;
    lab.attach(&child, &account).await??;
    let after = lab.evaluated(&account, &before).await?;
    let MergeSeen::Published(after) = after else {
        return Ok(Verdict::position("invalid", "what the lock forbids freezes the account"));
    };
    let identifier = lab.configurations(&after)["learn"]["identifier"].as_str().unwrap_or_default();
    Ok(if identifier.ends_with(":1") {
        Verdict::position("ignored", "the guarding was published, and the identifier stayed")
    } else {
        Verdict::otherwise("the lock didn't keep the identifier")
    })
}

async fn management_inherits(lab: &Lab) -> Result<Verdict, Halt> {
    let management = lab.cloud.management_account.clone();
    if lab.effective(&management).await? != json!({}) {
        return Ok(Verdict::not_found_out("a Bedrock policy reaches the management account already"));
    }
    lab.until_no_policy().await?;
    let model = super::base_model(&lab.means.model);
    let settings = PolicySettings::of(&lab.shared()?.arn, "1").models(&[model], &[model]);
    let policy = lab.make_policy("management", &lab.document(&[("learn", settings)])).await??;
    lab.attach(&policy, &lab.cloud.member.account).await??;
    let MergeSeen::Published(_) = lab.evaluated(&lab.cloud.member.account, &json!({})).await? else {
        return Ok(Verdict::not_found_out("a model that is included and excluded freezes the account"));
    };
    lab.attach(&policy, &management).await??;
    let limit = Duration::from_secs(60);
    Ok(match lab.until_effective(&management, limit, |document| *document != json!({})).await? {
        true => Verdict::position("on", "it was published in the management account"),
        false => Verdict::position("off", "it was published in the throw-away account only, for a minute"),
    })
}

async fn identifier_check(lab: &Lab) -> Result<Verdict, Halt> {
    let shared = lab.shared()?;
    lab.make_policy("right", &lab.document(&[("learn", PolicySettings::of(&shared.arn, "1"))])).await??;
    let wrong = lab.document(&[("learn", PolicySettings::of(&shared.arn, WRONG))]);
    Ok(judge_identifier(&lab.apply_policy("wrong", &wrong).await?))
}

/// A version that no guardrail of a run has.
pub(super) const WRONG: &str = "19";

fn judge_identifier(evaluated: &Answered<MergeSeen>) -> Verdict {
    match evaluated {
        Err(refusal) if is_malformed(refusal) => Verdict::position("create", refusal.to_string()),
        Err(refusal) => Verdict::not_found_out(refusal.to_string()),
        Ok(MergeSeen::Frozen(codes)) => {
            Verdict::position("effective", format!("the account is frozen: {}", codes.join(", ")))
        }
        Ok(MergeSeen::Published(_)) => Verdict::position("nowhere", "the wrong version was published"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::Learned;

    #[test]
    fn a_refusal_of_another_kind_is_no_answer() {
        let refused = |code: &str| {
            Err(AwsRefusal {
                operation: "CreatePolicy",
                code: code.to_owned(),
                reason: None,
                message: String::new(),
            })
        };
        let denied = refused("AccessDeniedException");
        assert!(matches!(judge_identifier(&denied).answer, Learned::NotFoundOut(_)));
        assert!(matches!(judge_one_list(&denied).answer, Learned::NotFoundOut(_)));
        let malformed = refused("MalformedPolicyDocumentException");
        assert!(matches!(judge_one_list(&malformed).answer, Learned::Otherwise(_)));
    }
}

//! Has AWS itself judge a text: a policy is created of it, attached to nothing, and deleted at once.

use std::cell::RefCell;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::interrupts::Interrupts;
use crate::policy_session::policy_session;
use crate::{connect, settings};
use guardrail_keeper::cloud::{BedrockPolicyReader, BedrockPolicyWriter};
use keeper_core::bedrock_policy::PolicyId;
use keeper_core::failure::{Category, Code};
use keeper_core::settings::BaselineSource;

/// How often a delete is tried, and a list read in which a policy has to show.
const TRIES: usize = 3;

/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(1_500);

/// What AWS answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum AwsAnswer {
    /// It took the text.
    Takes,
    /// It refused the text, in its words.
    Refuses(String),
    /// It judged nothing, and why.
    NotKnown(String),
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AskedAws {
    pub(super) answer: AwsAnswer,
    /// What is left in AWS, or may be, in words.
    pub(super) left: Option<LeftPolicy>,
}

/// A policy that could not be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LeftPolicy {
    name: String,
    /// Its id; `None` where it isn't known whether AWS created it.
    id: Option<PolicyId>,
    why: String,
}

impl std::fmt::Display for LeftPolicy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let LeftPolicy { name, id, why } = self;
        match id {
            Some(id) => write!(
                f,
                "the policy {id} ({name}) is left and could not be deleted: {why}\nit is attached to nothing and affects \
                 nobody; delete it: aws organizations delete-policy --policy-id {id}"
            ),
            None => write!(
                f,
                "whether a policy named {name} is left is not known: {why}\nit is attached to nothing and affects nobody; \
                 look for it: aws organizations list-policies --filter BEDROCK_POLICY"
            ),
        }
    }
}

impl AskedAws {
    pub(super) fn to_json(&self) -> Value {
        let AskedAws { answer, left } = self;
        let (word, said) = match answer {
            AwsAnswer::Takes => ("takes", None),
            AwsAnswer::Refuses(said) => ("refuses", Some(said)),
            AwsAnswer::NotKnown(why) => ("not_known", Some(why)),
        };
        let left = left.as_ref().map(|left| json!({ "name": left.name, "id": left.id, "why": left.why }));
        json!({ "answer": word, "said": said, "left": left })
    }
}

/// Has AWS judge a text. `is_long` is whether it has more characters than AWS takes.
pub(super) async fn ask_aws(text: &str, is_long: bool) -> anyhow::Result<AskedAws> {
    // From here on a signal doesn't end the process by itself: what was created has to be deleted.
    let interrupts = Interrupts::listen()?;
    // No baseline is read, and none needs to be set.
    let keeper = interrupts.or(connect(settings(Some(BaselineSource::File(PathBuf::new())))?)).await?;
    let session = interrupts.or(policy_session(&keeper)).await?;
    let trial = Trial {
        reader: keeper.cloud().bedrock_policies(&session),
        writer: keeper.cloud().bedrock_policy_writer(&session),
        name: unique_name(Timestamp::now(), std::process::id()),
        created: RefCell::new(None),
    };
    let asked = interrupts.finish(trial.run(text, is_long), || ()).await;
    let Some(asked) = asked else {
        let (name, id) = (trial.name.clone(), trial.created.take());
        let left = LeftPolicy { name, id, why: "stopped before AWS answered".to_owned() };
        return Err(interrupts.ended(left.to_string()));
    };
    if interrupts.heard() {
        let nothing = || "nothing is left in AWS".to_owned();
        return Err(interrupts.ended(asked.left.map_or_else(nothing, |left| left.to_string())));
    }
    Ok(asked)
}

/// A name that no other policy has, and that is none of the keeper's own policies' names.
fn unique_name(now: Timestamp, process: u32) -> String {
    format!("guardrailctl-check-{}-{process}", now.as_nanosecond())
}

struct Trial {
    reader: BedrockPolicyReader,
    writer: BedrockPolicyWriter,
    name: String,
    /// The policy, as soon as AWS said its id.
    created: RefCell<Option<PolicyId>>,
}

impl Trial {
    async fn run(&self, text: &str, is_long: bool) -> AskedAws {
        let failure = match self.writer.create_to_check(&self.name, text).await {
            Ok(id) => {
                self.created.replace(Some(id.clone()));
                return AskedAws { answer: AwsAnswer::Takes, left: self.delete(&id).await };
            }
            Err(failure) => failure,
        };
        let is_of_the_text =
            failure.code == Code::Invalid || (is_long && failure.category == Category::Rejected);
        if is_of_the_text {
            return AskedAws { answer: AwsAnswer::Refuses(failure.message), left: None };
        }
        // Nobody else has this name: AWS created it, and that answer was lost.
        let may_be_there = failure.category == Category::Transient || failure.code == Code::Conflict;
        if !may_be_there {
            return AskedAws { answer: AwsAnswer::NotKnown(failure.said()), left: None };
        }
        let why = match self.found().await {
            Ok(Some(id)) => {
                self.created.replace(Some(id.clone()));
                return AskedAws { answer: AwsAnswer::Takes, left: self.delete(&id).await };
            }
            // A call that was refused as one of too many did nothing.
            Ok(None) if failure.code == Code::Throttled => {
                return AskedAws { answer: AwsAnswer::NotKnown(failure.said()), left: None };
            }
            Ok(None) => "AWS's answer was lost, and AWS lists none of that name by now".to_owned(),
            Err(why) => why,
        };
        let left = LeftPolicy { name: self.name.clone(), id: None, why };
        AskedAws { answer: AwsAnswer::NotKnown(failure.said()), left: Some(left) }
    }

    /// Looks for the policy by its name. Lists may be some seconds late.
    async fn found(&self) -> Result<Option<PolicyId>, String> {
        for tried in 1..=TRIES {
            let all = self.reader.listed().await.map_err(|failure| failure.said())?;
            let all =
                all.ok_or("AWS's answer was lost, and AWS lists no policies while the type is not enabled")?;
            if let Some(policy) = all.into_iter().find(|policy| policy.name == self.name) {
                return Ok(Some(policy.id));
            }
            if tried < TRIES {
                sleep(PAUSE).await;
            }
        }
        Ok(None)
    }

    /// Deletes the policy. Returns it where that wasn't possible.
    async fn delete(&self, id: &PolicyId) -> Option<LeftPolicy> {
        let mut why = String::new();
        for tried in 1..=TRIES {
            match self.writer.delete(id).await {
                Ok(()) => return None,
                Err(failure) if failure.code == Code::Missing => return None,
                Err(failure) => {
                    why = failure.said();
                    if !failure.category.is_worth_waiting() {
                        break;
                    }
                }
            }
            if tried < TRIES {
                sleep(PAUSE).await;
            }
        }
        Some(LeftPolicy { name: self.name.clone(), id: Some(id.clone()), why })
    }
}

#[cfg(test)]
mod tests {
    use keeper_core::bedrock_policy::PolicyPart;

    use super::*;

    #[test]
    fn the_name_is_one_that_aws_takes_and_none_of_the_keepers() {
        let name = unique_name(Timestamp::UNIX_EPOCH, 7);
        assert_eq!(name, "guardrailctl-check-0-7");
        assert!(unique_name(Timestamp::MAX, u32::MAX).len() <= 128);
        assert!(name.parse::<PolicyPart>().is_err());
    }
}

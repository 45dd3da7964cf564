//! What the throw-away account's enforcement does to calls of models.

use crate::answered::AwsRefusal;
use crate::calls::Halt;
use crate::experiment::{Experiment, Need, Verdict};
use crate::lab::Lab;
use crate::speaking::{Api, ModelAnswer};

const MAKES: &str = "an enforcement of the account's guardrail";
const METHOD: &str = "the guardrail's word through Converse until it is stopped, then through this API: is it stopped \
                      there too?";

pub(super) const EXPERIMENTS: &[Experiment] = &[
    Experiment {
        switch: "enforced-trace",
        question: "does Converse show a trace of an enforced guardrail to a request that names none?",
        positions: &["present", "absent"],
        needs: &[Need::Own, Need::Model],
        makes: MAKES,
        method: "Converse without guardrailConfig, with the guardrail's word: is there a trace where it is stopped?",
        observe: |lab| Box::pin(trace(lab)),
    },
    Experiment {
        switch: "enforced-on-chat-completions",
        question: "do enforced guardrails act on Chat Completions?",
        positions: &["on", "off"],
        needs: &[Need::Own, Need::Model],
        makes: MAKES,
        method: METHOD,
        observe: |lab| Box::pin(api(lab, Api::ChatCompletions)),
    },
    Experiment {
        switch: "enforced-on-messages",
        question: "do enforced guardrails act on Anthropic's Messages?",
        positions: &["on", "off"],
        needs: &[Need::Own, Need::Model],
        makes: MAKES,
        method: METHOD,
        observe: |lab| Box::pin(api(lab, Api::Messages)),
    },
    Experiment {
        switch: "enforced-on-responses",
        question: "do enforced guardrails act on Responses?",
        positions: &["on", "off"],
        needs: &[Need::Own, Need::Model],
        makes: MAKES,
        method: METHOD,
        observe: |lab| Box::pin(api(lab, Api::Responses)),
    },
    Experiment {
        switch: "enforced-on-mantle",
        question: "do enforced guardrails act on bedrock-mantle?",
        positions: &["on", "off"],
        needs: &[Need::Own, Need::Model],
        makes: MAKES,
        method: METHOD,
        observe: |lab| Box::pin(api(lab, Api::Mantle)),
    },
];

const TOOK: (&str, &str) = ("propagation_seconds", "from Put of an enforcement to its effect on Converse");

async fn enforced(lab: &Lab) -> Result<ModelAnswer, Halt> {
    let own = lab.own()?;
    lab.enforce(&own.arn, None).await??;
    lab.until_stopped(&own, TOOK.0, TOOK.1).await
}

async fn trace(lab: &Lab) -> Result<Verdict, Halt> {
    Ok(match enforced(lab).await?.traced {
        true => Verdict::position("present", "Converse was stopped, and its answer has a trace"),
        false => Verdict::position("absent", "Converse was stopped, and its answer has no trace"),
    })
}

async fn api(lab: &Lab, api: Api) -> Result<Verdict, Halt> {
    enforced(lab).await?;
    let own = lab.own()?;
    let answered = lab.say_through(api, &own).await?;
    let still = lab.say(&own.word).await?.is_ok_and(|said| said.is_stopped_by(&own));
    Ok(judge_api(&answered.map(|body| body.contains(&own.marker)), still))
}

/// Whether the guardrail stopped the word, where it went on stopping Converse.
fn judge_api(stopped: &Result<bool, AwsRefusal>, still: bool) -> Verdict {
    match stopped {
        Err(refusal) => Verdict::not_found_out(format!(
            "the API refused the call ({}: {}): is the model right, and may it be called?",
            refusal.code, refusal.message
        )),
        Ok(true) => Verdict::position("on", "the guardrail spoke in the model's place"),
        Ok(false) if still => {
            Verdict::position("off", "the model answered for a minute, while Converse was stopped")
        }
        Ok(false) => Verdict::not_found_out("Converse was no longer stopped at the end"),
    }
}

//! Calls of models, and what they show of guardrails.

use std::time::Duration;

use aws_sdk_bedrockruntime::primitives::Blob;
use aws_sdk_bedrockruntime::types::{ContentBlock, ConversationRole, Message};
use serde_json::{Value, json};

use crate::answered::Answered;
use crate::calls::Halt;
use crate::lab::{Lab, Trap};

/// How long a change may take to have effect on calls of models.
pub const EFFECT: Duration = Duration::from_secs(300);
/// How long another effect is waited for after the first one was seen.
const FURTHER: Duration = Duration::from_secs(60);

/// An answer of Converse.
#[derive(Clone, Debug)]
pub struct ModelAnswer {
    /// The text.
    pub text: String,
    /// Whether there is a trace of a guardrail.
    pub traced: bool,
}

impl ModelAnswer {
    /// Whether this guardrail spoke in the model's place.
    pub fn is_stopped_by(&self, trap: &Trap) -> bool {
        self.text.contains(&trap.marker)
    }
}

/// An API through which models are called, besides Converse and InvokeModel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// Chat Completions on the runtime's endpoint.
    ChatCompletions,
    /// Anthropic's Messages there.
    Messages,
    /// Responses there.
    Responses,
    /// Chat Completions on bedrock-mantle.
    Mantle,
}

impl Lab {
    /// Says something to the model as the throw-away account, and asks for neither guardrail nor trace.
    ///
    /// # Errors
    /// [`Halt`].
    pub async fn say(&self, text: &str) -> Result<Answered<ModelAnswer>, Halt> {
        let client = &self.cloud.member.runtime;
        let message = Message::builder().role(ConversationRole::User);
        let message = message.content(ContentBlock::Text(text.to_owned())).build();
        let message = message.map_err(|error| Halt::Because(error.to_string()))?;
        let said = self.calls.once("Converse", async || {
            client.converse().model_id(&self.means.model).messages(message.clone()).send().await
        });
        Ok(said.await?.map(|said| {
            let message = said.output().and_then(|output| output.as_message().ok());
            let blocks = message.map(Message::content).unwrap_or_default().iter();
            let texts: Vec<&str> =
                blocks.filter_map(|block| block.as_text().ok()).map(String::as_str).collect();
            let traced = said.trace().is_some_and(|trace| trace.guardrail().is_some());
            ModelAnswer { text: texts.join("\n"), traced }
        }))
    }

    /// Waits until calls of the model work and no guardrail of an earlier experiment acts.
    ///
    /// # Errors
    /// [`Halt::Because`] where the model doesn't answer.
    pub async fn until_models_answer(&self) -> Result<(), Halt> {
        let mut words = vec!["hello".to_owned()];
        words.extend(self.own().ok().map(|trap| trap.word));
        words.extend(self.shared().ok().map(|trap| trap.word));
        let text = words.join(" ");
        let last = std::cell::RefCell::new(String::new());
        let answers = self.calls.until(EFFECT, async || match self.say(&text).await? {
            Ok(said) if !said.text.contains("stopped by") => Ok(Some(())),
            Ok(_) => {
                "a guardrail still acts".clone_into(&mut last.borrow_mut());
                Ok(None)
            }
            Err(refusal) => {
                *last.borrow_mut() = refusal.to_string();
                Ok(None)
            }
        });
        let answers = answers.await?;
        let why = || {
            format!(
                "the model {} doesn't answer: {}; give another with --model",
                self.means.model,
                last.borrow()
            )
        };
        answers.ok_or_else(|| Halt::Because(why()))
    }

    /// Waits until a guardrail that should be enforced stops its word, and measures how long that takes.
    ///
    /// # Errors
    /// [`Halt::Because`] where it never does.
    pub async fn until_stopped(
        &self,
        trap: &Trap,
        setting: &'static str,
        what: &'static str,
    ) -> Result<ModelAnswer, Halt> {
        let began = self.calls.elapsed();
        let stopped = self.calls.until(EFFECT, async || {
            Ok(self.say(&trap.word).await?.ok().filter(|said| said.is_stopped_by(trap)))
        });
        let never = || Halt::Because(format!("{} had no effect within {} s", trap.arn, EFFECT.as_secs()));
        let said = stopped.await?.ok_or_else(never)?;
        self.measure(setting, what, self.calls.elapsed() - began);
        Ok(said)
    }

    /// Which of two guardrails act, once one of them does and the other has had its time.
    ///
    /// # Errors
    /// [`Halt`].
    pub async fn which_act(&self, one: &Trap, other: &Trap) -> Result<(bool, bool), Halt> {
        let look = async || {
            let acts = async |trap: &Trap| -> Result<bool, Halt> {
                Ok(self.say(&trap.word).await?.is_ok_and(|said| said.is_stopped_by(trap)))
            };
            Ok::<_, Halt>((acts(one).await?, acts(other).await?))
        };
        let any = self.calls.until(EFFECT, async || Ok(Some(look().await?).filter(|seen| seen.0 || seen.1)));
        if any.await?.is_none() {
            return Ok((false, false));
        }
        let both =
            self.calls.until(FURTHER, async || Ok(Some(look().await?).filter(|seen| seen.0 && seen.1)));
        match both.await? {
            Some(both) => Ok(both),
            None => look().await,
        }
    }

    /// Sends a word through another API, some time long until the guardrail stops it. Answers what came last.
    ///
    /// # Errors
    /// [`Halt`].
    pub async fn say_through(&self, api: Api, trap: &Trap) -> Result<Answered<String>, Halt> {
        let last = std::cell::RefCell::new(None);
        self.calls
            .until(FURTHER, async || {
                let answered = self.send_through(api, &trap.word).await?;
                let is_stopped = answered.as_ref().is_ok_and(|body| body.contains(&trap.marker));
                *last.borrow_mut() = Some(answered);
                Ok(is_stopped.then_some(()))
            })
            .await?;
        let last = last.borrow_mut().take();
        last.ok_or_else(|| Halt::Because("the API was not called".to_owned()))
    }

    /// One call. The SDK has no operation for it, so InvokeModel's is sent to another path.
    async fn send_through(&self, api: Api, word: &str) -> Result<Answered<String>, Halt> {
        let (model, path, body) = self.request(api, word);
        let client = match api {
            Api::Mantle => self.cloud.member.mantle(&self.cloud.region),
            _ => self.cloud.member.runtime.clone(),
        };
        let body = body.to_string();
        let answered = self.calls.once("InvokeModel", async || {
            let invoke = client.invoke_model().model_id(model).content_type("application/json");
            let invoke = invoke.body(Blob::new(body.clone())).customize();
            let elsewhere = invoke.mutate_request(move |request| {
                let uri = request.uri().to_owned();
                let host = uri.find("/model/").map_or(uri.as_str(), |end| &uri[..end]);
                // A path that can't be set leaves the call an InvokeModel, whose answer says so.
                drop(request.set_uri(format!("{host}{path}")));
            });
            elsewhere.send().await
        });
        Ok(answered.await?.map(|answer| String::from_utf8_lossy(answer.body().as_ref()).into_owned()))
    }

    fn request(&self, api: Api, word: &str) -> (&str, &'static str, Value) {
        let messages = |model: &str| json!({ "model": model, "max_tokens": 64, "messages": [{ "role": "user", "content": word }] });
        match api {
            Api::ChatCompletions => {
                let model = &self.means.openai_model;
                (model, "/openai/v1/chat/completions", messages(model))
            }
            Api::Messages => {
                let model = &self.means.messages_model;
                let mut body = messages(model);
                body["anthropic_version"] = "bedrock-2023-05-31".into();
                (model, "/anthropic/v1/messages", body)
            }
            Api::Responses => {
                let model = &self.means.openai_model;
                (model, "/openai/v1/responses", json!({ "model": model, "input": word }))
            }
            Api::Mantle => {
                let model = &self.means.mantle_model;
                (model, "/v1/chat/completions", messages(model))
            }
        }
    }
}

//! CloudTrail's event history, as far as it tells of calls of models: who called which, and when.
//!
//! Calls of models are management events that only read (aws-facts §4.5). EventBridge isn't told of them here.

use jiff::Timestamp;

use super::Model;
use super::caller::Caller;
use super::error::ApiError;

/// The calls that are kept; the latest, as of events.
const KEEP: usize = 10_000;

/// A call of a model, refused or not.
#[derive(Clone, Debug)]
pub(crate) struct ModelCall {
    /// Its number, by which pages go on.
    pub(crate) number: String,
    pub(crate) operation: String,
    pub(crate) at: Timestamp,
    /// The ARN of the caller.
    pub(crate) by: String,
    pub(crate) user_agent: String,
    account: String,
    region: String,
}

impl Model {
    /// Remembers a call of a model.
    pub(crate) fn remember_call(&mut self, caller: &Caller, operation: &str) {
        let at = self.now();
        let number = format!("{:012}", self.model_calls_made);
        self.model_calls_made += 1;
        self.model_calls.push(ModelCall {
            number,
            operation: operation.to_owned(),
            at,
            by: caller.principal.arn(),
            user_agent: caller.user_agent.clone(),
            account: caller.account().to_owned(),
            region: caller.region.clone(),
        });
        if self.model_calls.len() >= KEEP * 2 {
            self.model_calls.drain(..KEEP);
        }
    }

    /// The calls of models in the caller's account and Region that LookupEvents finds by the name of an operation.
    pub(crate) fn looked_up(
        &self,
        caller: &Caller,
        operation: Option<&str>,
        since: Option<Timestamp>,
    ) -> Result<Vec<&ModelCall>, ApiError> {
        self.authorize(caller, "cloudtrail:LookupEvents", "*")?;
        let wanted = |call: &&ModelCall| {
            call.account == caller.account()
                && call.region == caller.region
                && operation.is_none_or(|operation| operation == call.operation)
                && since.is_none_or(|since| call.at >= since)
        };
        Ok(self.model_calls.iter().filter(wanted).collect())
    }
}

//! EventBridge: tells what came of our work, to whoever listens.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::PutEventsRequestEntry as Entry;
use jiff::Timestamp;
use serde_json::Value;

use super::batches::{BYTES, RefusedEntry, cut, send};
use super::error::{entry_failure, failure};
use crate::failure::{Category, Failure};

const PUT: &str = "PutEvents";

/// The `source` of every event of ours.
pub const SOURCE: &str = "guardrail-keeper";

/// What an entry's time counts for (EventBridge's rule for sizes).
const SIZE_OF_TIME: usize = 14;

/// Puts events on a bus.
#[derive(Clone, Debug)]
pub struct Bus {
    client: aws_sdk_eventbridge::Client,
    pause: Duration,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct OutcomeEvent {
    /// What it is: `Enforcement Applied`, for example.
    pub detail_type: String,
    /// The particulars: an object.
    pub detail: Value,
    /// When it happened.
    pub time: Timestamp,
}

impl Bus {
    pub(super) fn new(sdk: &SdkConfig) -> Bus {
        Bus { client: aws_sdk_eventbridge::Client::new(sdk), pause: super::first_pause(sdk) }
    }

    /// Puts events on the bus of that name (or ARN), in no order. One may be put twice.
    ///
    /// # Errors
    /// When not all of them were put, with how many.
    pub async fn put(&self, bus: &str, events: &[OutcomeEvent]) -> Result<(), Failure> {
        self.put_from(SOURCE, bus, events).await
    }

    /// As [`Bus::put`], from another source than the keeper itself: it doesn't listen to its own words.
    ///
    /// # Errors
    /// As [`Bus::put`].
    pub async fn put_from(&self, source: &str, bus: &str, events: &[OutcomeEvent]) -> Result<(), Failure> {
        let details: Vec<String> = events.iter().map(|event| event.detail.to_string()).collect();
        let mut sizes = Vec::with_capacity(events.len());
        for (OutcomeEvent { detail_type, .. }, detail) in events.iter().zip(&details) {
            let size = SIZE_OF_TIME + source.len() + detail_type.len() + detail.len();
            if size > BYTES {
                let message =
                    format!("`{detail_type}`: an event of {size} bytes; EventBridge takes {BYTES} at most");
                return Err(Failure::rejected(PUT, message));
            }
            sizes.push(size);
        }
        let entry = |index: usize| {
            let OutcomeEvent { detail_type, detail: _, time } = &events[index];
            // Events carry whole seconds.
            let time = DateTime::from_secs(time.as_second());
            let entry = Entry::builder().event_bus_name(bus).source(source).time(time);
            entry.detail_type(detail_type).detail(&details[index]).build()
        };
        let batches = cut(sizes.into_iter().enumerate());
        let sent = send(batches, self.pause, |batch| self.put_batch(batch, entry)).await;
        sent.map_err(|unsent| unsent.of(events.len()))
    }

    async fn put_batch(
        &self,
        batch: Vec<usize>,
        entry: impl Fn(usize) -> Entry,
    ) -> Result<Vec<RefusedEntry>, Failure> {
        let entries = batch.iter().map(|index| entry(*index)).collect();
        let request = self.client.put_events().set_entries(Some(entries));
        let answer = request.send().await.map_err(|error| failure(PUT, &error))?;
        // Answers come in the order of the entries, and only so can be told apart.
        let mut answers = answer.entries().iter();
        let mut refused = Vec::new();
        for index in batch {
            let failure = match answers.next() {
                Some(answer) if answer.event_id().is_some() => continue,
                answer => {
                    match answer.and_then(|answer| Some((answer.error_code()?, answer.error_message()))) {
                        Some((code, message)) => entry_failure(PUT, code, message),
                        None => {
                            let message = "the answer leaves the event out".to_owned();
                            Failure::transient(PUT, message)
                        }
                    }
                }
            };
            let again = failure.category == Category::Transient;
            refused.push(RefusedEntry { index, failure, again });
        }
        Ok(refused)
    }
}

//! SQS: tasks to the FIFO queue, and what has to wait to the standard one.

use std::collections::HashMap;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry as Entry;

use super::batches::{BYTES, RefusedEntry, Unsent, cut, send};
use super::error::{entry_failure, failure};
use crate::failure::{Category, Failure};

const SEND: &str = "SendMessageBatch";

/// The longest delay that SQS knows, in seconds.
pub const LONGEST_DELAY: u16 = 900;

/// Sends messages. The queue's URL says where to; the Region is our own.
#[derive(Clone, Debug)]
pub struct Queues {
    client: aws_sdk_sqs::Client,
    pause: Duration,
}

/// A message for a FIFO queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FifoMessage {
    /// Messages of one group are delivered in order, one at a time.
    pub group: String,
    /// Of messages with the same, sent within five minutes, one is delivered.
    pub deduplication_id: String,
    /// The text.
    pub body: String,
}

/// A message for a standard queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DelayedMessage {
    /// The text.
    pub body: String,
    /// When it is delivered, [`LONGEST_DELAY`] at most.
    pub delay_seconds: u16,
}

impl Queues {
    pub(super) fn new(sdk: &SdkConfig) -> Queues {
        Queues { client: aws_sdk_sqs::Client::new(sdk), pause: super::first_pause(sdk) }
    }

    /// Sends messages to a FIFO queue. Each group's arrive in the order given, even where SQS takes a
    /// part of a batch only: none is sent before its forerunner was taken.
    ///
    /// # Errors
    /// When not all of them were sent, with how many. Those that were are not sent twice where the
    /// same messages are sent again within SQS's five minutes.
    pub async fn send_tasks(&self, queue_url: &str, messages: &[FifoMessage]) -> Result<(), Failure> {
        check_sizes(messages.iter().map(|message| &message.body))?;
        let entry = |index: usize| {
            let FifoMessage { group, deduplication_id, body } = &messages[index];
            let entry = Entry::builder().message_group_id(group).message_deduplication_id(deduplication_id);
            entry.message_body(body)
        };
        let mut begun = 0;
        for wave in waves(messages) {
            begun += wave.len();
            let batches = cut(wave.into_iter().map(|index| (index, messages[index].body.len())));
            let sent = send(batches, self.pause, |batch| self.send(queue_url, batch, entry)).await;
            sent.map_err(|Unsent { count, failure }| {
                // What comes after it in its group stays behind, and so do the others.
                Unsent { count: count + messages.len() - begun, failure }.of(messages.len())
            })?;
        }
        Ok(())
    }

    /// Sends messages to a standard queue, in no order. One may arrive twice.
    ///
    /// # Errors
    /// When not all of them were sent, with how many.
    pub async fn send_events(&self, queue_url: &str, messages: &[DelayedMessage]) -> Result<(), Failure> {
        check_sizes(messages.iter().map(|message| &message.body))?;
        if let Some(message) = messages.iter().find(|message| message.delay_seconds > LONGEST_DELAY) {
            let delay = message.delay_seconds;
            return Err(Failure::rejected(
                SEND,
                format!("a delay of {delay} s; SQS allows {LONGEST_DELAY} s at most"),
            ));
        }
        let entry = |index: usize| {
            let DelayedMessage { body, delay_seconds } = &messages[index];
            Entry::builder().message_body(body).delay_seconds(i32::from(*delay_seconds))
        };
        let batches = cut(messages.iter().map(|message| message.body.len()).enumerate());
        let sent = send(batches, self.pause, |batch| self.send(queue_url, batch, entry)).await;
        sent.map_err(|unsent| unsent.of(messages.len()))
    }

    async fn send(
        &self,
        queue_url: &str,
        batch: Vec<usize>,
        entry: impl Fn(usize) -> aws_sdk_sqs::types::builders::SendMessageBatchRequestEntryBuilder,
    ) -> Result<Vec<RefusedEntry>, Failure> {
        let mut request = self.client.send_message_batch().queue_url(queue_url);
        for index in &batch {
            let entry = entry(*index).id(index.to_string()).build();
            request = request.entries(entry.map_err(|error| Failure::rejected(SEND, error.to_string()))?);
        }
        let answer = request.send().await.map_err(|error| failure(SEND, &error))?;
        let taken = |id: &str| answer.successful().iter().any(|entry| entry.id() == id);
        let mut refused = Vec::new();
        for index in batch {
            let id = index.to_string();
            if taken(&id) {
                continue;
            }
            refused.push(match answer.failed().iter().find(|entry| entry.id() == id) {
                Some(entry) => {
                    let mut failure = entry_failure(SEND, entry.code(), entry.message());
                    if !entry.sender_fault() {
                        failure.category = Category::Transient;
                    }
                    let again = failure.category == Category::Transient;
                    RefusedEntry { index, failure, again }
                }
                None => {
                    let message = "the answer leaves the message out".to_owned();
                    let failure = Failure::transient(SEND, message);
                    RefusedEntry { index, failure, again: true }
                }
            });
        }
        Ok(refused)
    }
}

/// The first message of every group, then the second of every group that has one, and so on.
///
/// SQS may take the third message of a batch and refuse the second: two of one group are never
/// under way together.
fn waves(messages: &[FifoMessage]) -> Vec<Vec<usize>> {
    let mut waves: Vec<Vec<usize>> = Vec::new();
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for (index, message) in messages.iter().enumerate() {
        let nth = seen.entry(&message.group).or_default();
        if *nth == waves.len() {
            waves.push(Vec::new());
        }
        waves[*nth].push(index);
        *nth += 1;
    }
    waves
}

/// Before anything is sent: a message that is too large is a mistake of ours, not of the day.
fn check_sizes<'a>(bodies: impl Iterator<Item = &'a String>) -> Result<(), Failure> {
    for body in bodies {
        if body.len() > BYTES {
            let size = body.len();
            return Err(Failure::rejected(SEND, format!("a message of {size} bytes; the limit is {BYTES}")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wave_holds_one_message_of_each_group() {
        let messages: Vec<FifoMessage> = "abacaab"
            .chars()
            .map(|group| FifoMessage {
                group: group.to_string(),
                deduplication_id: String::new(),
                body: String::new(),
            })
            .collect();
        assert_eq!(waves(&messages), [vec![0, 1, 3], vec![2, 6], vec![4], vec![5]]);
        assert_eq!(waves(&[]), Vec::<Vec<usize>>::new());
    }
}

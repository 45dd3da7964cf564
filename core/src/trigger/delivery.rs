//! The forms in which events arrive.

use aws_lambda_events::sqs::SqsMessage;
use serde::Deserialize;
use serde_json::Value;

use super::reason::Rejected;
use super::{Context, Trigger, decide_value};

/// What is read of a record that isn't as AWS documents it, besides its attributes.
const ESSENTIAL: [&str; 4] = ["messageId", "body", "eventSource", "eventSourceARN"];

/// One invocation's payload.
#[derive(Clone, Debug, PartialEq)]
pub enum Delivery {
    /// One event, sent to the function itself.
    Event(Message),
    /// Messages of an SQS queue, each with its own fate.
    Batch(Vec<BatchRecord>),
}

/// One message of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchRecord {
    /// What the batch's answer calls it. SQS always gives one; a record without can't be answered
    /// for alone, so that its rejection has to fail the invocation.
    pub id: Option<String>,
    /// How often SQS has handed it out, this time included; roughly, as SQS says itself.
    pub receives: Option<u32>,
    /// The ARN of the queue that it lay in, as Lambda says.
    pub queue: Option<String>,
    /// Its place in a FIFO queue, as SQS numbers it.
    pub sequence: Option<String>,
    /// When it was sent, by SQS's clock, in milliseconds since 1970.
    pub sent_ms: Option<u64>,
    /// When it was handed out first, by SQS's clock, in milliseconds since 1970.
    pub received_ms: Option<u64>,
    /// What it says.
    pub message: Message,
}

/// What was sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// An event; perhaps none of ours.
    Event(Value),
    /// Nothing that can be understood.
    Unreadable(Rejected),
}

impl Delivery {
    /// Reads a payload, whatever it is.
    ///
    /// Each record is read by itself: `SqsEvent` would refuse the whole batch for one record.
    pub fn parse(payload: impl AsRef<[u8]>) -> Delivery {
        match Message::parse(payload) {
            Message::Event(Value::Object(mut root)) => match root.remove("Records") {
                Some(Value::Array(records)) => {
                    Delivery::Batch(records.into_iter().map(BatchRecord::of).collect())
                }
                Some(other) => {
                    root.insert("Records".to_owned(), other);
                    Delivery::Event(Message::Event(Value::Object(root)))
                }
                None => Delivery::Event(Message::Event(Value::Object(root))),
            },
            message => Delivery::Event(message),
        }
    }

    /// What each message is for us, with the id of its record where there is one.
    pub fn decide(&self, context: &Context) -> Vec<(Option<&str>, Trigger)> {
        match self {
            Delivery::Event(message) => vec![(None, message.decide(context))],
            Delivery::Batch(records) => {
                records.iter().map(|record| (record.id.as_deref(), record.message.decide(context))).collect()
            }
        }
    }
}

impl BatchRecord {
    fn of(record: Value) -> BatchRecord {
        let Some(record) = sqs_message(record) else {
            let message = Message::Unreadable(Rejected::NotARecord);
            return BatchRecord {
                id: None,
                receives: None,
                queue: None,
                sequence: None,
                sent_ms: None,
                received_ms: None,
                message,
            };
        };
        let attribute = |name: &str| record.attributes.get(name);
        let arn = record.event_source_arn.as_deref();
        let from_sqs = record.event_source.as_deref().is_none_or(|source| source == "aws:sqs");
        BatchRecord {
            receives: attribute("ApproximateReceiveCount").and_then(|count| count.parse().ok()),
            sequence: attribute("SequenceNumber").cloned(),
            sent_ms: attribute("SentTimestamp").and_then(|time| time.parse().ok()),
            received_ms: attribute("ApproximateFirstReceiveTimestamp").and_then(|time| time.parse().ok()),
            queue: arn.map(str::to_owned),
            id: record.message_id,
            message: match record.body {
                Some(body) if from_sqs => Message::parse(body),
                Some(_) | None => Message::Unreadable(Rejected::NotARecord),
            },
        }
    }

    /// Whether it lay in the queue with this URL, by the queue's account and its name. Lambda takes messages only out of
    /// queues of its own Region (<https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>), so the Region needs no
    /// comparison.
    pub fn lay_in(&self, queue_url: &str) -> bool {
        let arn: Vec<&str> = self.queue.iter().flat_map(|arn| arn.split(':')).collect();
        let [_, _, "sqs", _, account, name] = arn.as_slice() else { return false };
        let mut of_url = queue_url.rsplit('/');
        of_url.next() == Some(*name) && of_url.next() == Some(*account)
    }

    /// Whether SQS hands it out again. Without a count it is taken for new: a reason that is logged
    /// twice is better than none.
    pub fn is_repeated(&self) -> bool {
        self.receives.is_some_and(|count| count > 1)
    }
}

impl Message {
    /// Reads one message.
    pub fn parse(text: impl AsRef<[u8]>) -> Message {
        match serde_json::from_slice(text.as_ref()) {
            Ok(value @ Value::Object(_)) => Message::Event(value),
            Ok(_) => Message::Unreadable(Rejected::NotAnObject),
            // serde_json has no other way to tell; a test holds it to this wording.
            Err(error) if error.to_string().starts_with("recursion limit exceeded") => {
                Message::Unreadable(Rejected::TooDeep)
            }
            Err(_) => Message::Unreadable(Rejected::NotJson),
        }
    }

    /// What the message is for us.
    pub fn decide(&self, context: &Context) -> Trigger {
        match self {
            Message::Event(event) => decide_value(event, context),
            Message::Unreadable(reason) => Trigger::Reject(reason.clone()),
        }
    }
}

/// A record, read by AWS's own type; `None` if it isn't an object.
///
/// That type refuses a record in which any member isn't as documented. Then only the members that the keeper uses are
/// read, where they are text: an odd attribute costs that attribute, and not the message.
fn sqs_message(mut record: Value) -> Option<SqsMessage> {
    record.is_object().then_some(())?;
    if let Ok(message) = SqsMessage::deserialize(&record) {
        return Some(message);
    }
    record.as_object_mut()?.retain(|member, value| match value {
        Value::Object(attributes) if member == "attributes" => {
            attributes.retain(|_, value| value.is_string());
            true
        }
        value => ESSENTIAL.contains(&member.as_str()) && value.is_string(),
    });
    SqsMessage::deserialize(&record).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Another account may have a queue of the same name.
    #[test]
    fn a_record_lay_in_the_queue_of_that_account_and_name() {
        let lay_in = |arn: &Value, url: &str| {
            let record =
                json!({ "messageId": "1", "eventSource": "aws:sqs", "eventSourceARN": arn, "body": "{}" });
            BatchRecord::of(record).lay_in(url)
        };
        let url = "https://sqs.us-east-1.amazonaws.com/222222222222/keeper-tasks.fifo";
        let arn = |account: &str, name: &str| json!(format!("arn:aws:sqs:us-east-1:{account}:{name}"));
        let ours = arn("222222222222", "keeper-tasks.fifo");
        assert!(lay_in(&ours, url));
        assert!(lay_in(&ours, "http://127.0.0.1:4566/222222222222/keeper-tasks.fifo"));
        assert!(!lay_in(&ours, "https://sqs.us-east-1.amazonaws.com/222222222222/keeper-events"));
        for other in [
            arn("999999999999", "keeper-tasks.fifo"),
            arn("222222222222", "tasks.fifo"),
            json!("arn:aws:sns:us-east-1:222222222222:keeper-tasks.fifo"),
            json!("keeper-tasks.fifo"),
            Value::Null,
        ] {
            assert!(!lay_in(&other, url), "{other}");
        }
    }
}

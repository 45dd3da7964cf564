//! What a queue of SQS is like: its attributes, in the words of the API and in numbers.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::error::ApiError;
use super::message::{SendMessage, check_id, content_id, missing, parameter};
use super::queues::QueueName;

/// The most bytes of one message, and of a batch together.
pub(crate) const MAX_BYTES: u64 = 1_048_576;

/// How a queue behaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct QueueAttributes {
    /// First in, first out within a message group; the name ends in `.fifo` then.
    pub fifo: bool,
    /// Whether a message without a deduplication id gets the hash of its body as one.
    pub content_based_deduplication: bool,
    /// Whether a deduplication id counts within its group only.
    pub deduplicates_by_group: bool,
    /// How long a new message is kept back, in seconds.
    pub delay_seconds: u64,
    /// How long a received message is hidden from others, in seconds.
    pub visibility_timeout: u64,
    /// How long a message is kept at all, in seconds.
    pub retention_seconds: u64,
    /// The most bytes of a message.
    pub maximum_message_size: u64,
    /// How long a receive waits by default, in seconds. It is kept and shown: nothing here waits.
    pub receive_wait_seconds: u64,
    /// Where messages go that were received too often.
    pub redrive: Option<Redrive>,
    /// Attributes that are kept and shown and have no effect, e.g. `Policy`.
    pub others: BTreeMap<String, String>,
}

/// Where messages go that were received too often, and how often that is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Redrive {
    /// The dead-letter queue.
    pub dead_letter_queue: QueueName,
    /// How often a message may be received.
    pub max_receive_count: u32,
}

impl Default for QueueAttributes {
    fn default() -> QueueAttributes {
        QueueAttributes {
            fifo: false,
            content_based_deduplication: false,
            deduplicates_by_group: false,
            delay_seconds: 0,
            visibility_timeout: 30,
            retention_seconds: 345_600,
            maximum_message_size: MAX_BYTES,
            receive_wait_seconds: 0,
            redrive: None,
            others: BTreeMap::new(),
        }
    }
}

impl QueueAttributes {
    /// Reads what CreateQueue was given.
    ///
    /// # Errors
    /// `InvalidAttributeName` and `InvalidAttributeValue`; `InvalidParameterValueException` where a queue's
    /// type doesn't fit its name.
    pub(crate) fn read(name: &str, given: &Map<String, Value>) -> Result<QueueAttributes, ApiError> {
        let mut read = QueueAttributes { fifo: name.ends_with(".fifo"), ..QueueAttributes::default() };
        check_name(name, given)?;
        for (attribute, value) in given {
            let value = value.as_str().unwrap_or_default();
            read.set(attribute, value)?;
        }
        Ok(read)
    }

    fn set(&mut self, attribute: &str, value: &str) -> Result<(), ApiError> {
        let number = |lowest: u64, highest: u64| {
            let number = value.parse::<u64>().ok().filter(|number| (lowest..=highest).contains(number));
            number.ok_or_else(|| invalid_value(attribute))
        };
        let flag = || match value {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(invalid_value(attribute)),
        };
        match attribute {
            "FifoQueue" | "ContentBasedDeduplication" | "DeduplicationScope" | "FifoThroughputLimit"
                if !self.fifo =>
            {
                return Err(unknown(attribute));
            }
            "FifoQueue" => drop(flag()?),
            "ContentBasedDeduplication" => self.content_based_deduplication = flag()?,
            "DeduplicationScope" => match value {
                "queue" => self.deduplicates_by_group = false,
                "messageGroup" => self.deduplicates_by_group = true,
                _ => return Err(invalid_value(attribute)),
            },
            "DelaySeconds" => self.delay_seconds = number(0, 900)?,
            "VisibilityTimeout" => self.visibility_timeout = number(0, 43_200)?,
            "MessageRetentionPeriod" => self.retention_seconds = number(60, 1_209_600)?,
            "MaximumMessageSize" => self.maximum_message_size = number(1024, MAX_BYTES)?,
            "ReceiveMessageWaitTimeSeconds" => self.receive_wait_seconds = number(0, 20)?,
            "RedrivePolicy" if value.is_empty() => self.redrive = None,
            "RedrivePolicy" => self.redrive = Some(Redrive::read(value)?),
            "Policy"
            | "RedriveAllowPolicy"
            | "KmsMasterKeyId"
            | "KmsDataKeyReusePeriodSeconds"
            | "SqsManagedSseEnabled"
            | "FifoThroughputLimit" => {
                self.others.insert(attribute.to_owned(), value.to_owned());
            }
            _ => return Err(unknown(attribute)),
        }
        Ok(())
    }

    /// The attributes in the words of the API.
    pub(crate) fn shown(&self) -> BTreeMap<String, String> {
        let mut shown = self.others.clone();
        let mut show = |name: &str, value: String| drop(shown.insert(name.to_owned(), value));
        show("DelaySeconds", self.delay_seconds.to_string());
        show("VisibilityTimeout", self.visibility_timeout.to_string());
        show("MessageRetentionPeriod", self.retention_seconds.to_string());
        show("MaximumMessageSize", self.maximum_message_size.to_string());
        show("ReceiveMessageWaitTimeSeconds", self.receive_wait_seconds.to_string());
        if let Some(redrive) = &self.redrive {
            show("RedrivePolicy", redrive.shown());
        }
        if self.fifo {
            show("FifoQueue", "true".to_owned());
            show("ContentBasedDeduplication", self.content_based_deduplication.to_string());
            let scope = if self.deduplicates_by_group { "messageGroup" } else { "queue" };
            show("DeduplicationScope", scope.to_owned());
        }
        let default = |name: &str, value: &str, shown: &mut BTreeMap<String, String>| {
            shown.entry(name.to_owned()).or_insert_with(|| value.to_owned());
        };
        if self.fifo {
            default("FifoThroughputLimit", "perQueue", &mut shown);
        }
        if !shown.contains_key("KmsMasterKeyId") {
            default("SqsManagedSseEnabled", "true", &mut shown);
        }
        shown
    }

    /// How long a message is kept back.
    pub(super) fn delay_of(&self, wanted: &SendMessage) -> Result<u64, ApiError> {
        let wrong = |value: i64, reason: &str| {
            parameter(&format!("Value {value} for parameter DelaySeconds is invalid. Reason: {reason}"))
        };
        match wanted.delay_seconds {
            None => Ok(self.delay_seconds),
            Some(0) if self.fifo => Ok(self.delay_seconds),
            Some(value) if self.fifo => {
                Err(wrong(value, "The request include parameter that is not valid for this queue type."))
            }
            Some(value @ 0..=900) => Ok(value.unsigned_abs()),
            Some(value) => Err(wrong(value, "DelaySeconds must be >= 0 and <= 900.")),
        }
    }

    /// What tells a message that is sent again; nothing does in a standard queue.
    pub(super) fn deduplication_id_of(&self, wanted: &SendMessage) -> Result<Option<String>, ApiError> {
        if let Some(group) = &wanted.group {
            check_id("MessageGroupId", group)?;
        }
        if let Some(id) = &wanted.deduplication_id {
            check_id("MessageDeduplicationId", id)?;
        }
        match (&wanted.deduplication_id, self.fifo) {
            (None, false) => Ok(None),
            (Some(id), false) => Err(parameter(&format!(
                "Value {id} for parameter MessageDeduplicationId is invalid. Reason: The request include parameter that is not valid for this queue type."
            ))),
            _ if wanted.group.is_none() => Err(missing("MessageGroupId")),
            (Some(id), true) => Ok(Some(id.clone())),
            (None, true) if self.content_based_deduplication => Ok(Some(content_id(&wanted.body))),
            (None, true) => Err(parameter(
                "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
            )),
        }
    }
}

impl Redrive {
    fn read(text: &str) -> Result<Redrive, ApiError> {
        let wrong = || invalid_value("RedrivePolicy");
        let policy: Value = serde_json::from_str(text).map_err(|_| wrong())?;
        let target = policy["deadLetterTargetArn"].as_str().ok_or_else(wrong)?;
        let count = &policy["maxReceiveCount"];
        // AWS takes the number as a text too, which is how many templates write it.
        let count = count.as_u64().or_else(|| count.as_str()?.parse().ok()).ok_or_else(wrong)?;
        let refused = |reason: &str| {
            let message = format!("Value {text} for parameter RedrivePolicy is invalid. Reason: {reason}");
            ApiError::new("InvalidParameterValueException", message)
        };
        if !(1..=1000).contains(&count) {
            return Err(refused("Invalid value for maxReceiveCount: must be between 1 and 1000."));
        }
        let dead_letter_queue =
            QueueName::from_arn(target).ok_or_else(|| refused("Invalid value for deadLetterTargetArn."))?;
        Ok(Redrive { dead_letter_queue, max_receive_count: count as u32 })
    }

    fn shown(&self) -> String {
        let Redrive { dead_letter_queue, max_receive_count } = self;
        json!({ "deadLetterTargetArn": dead_letter_queue.arn(), "maxReceiveCount": max_receive_count })
            .to_string()
    }
}

fn check_name(name: &str, given: &Map<String, Value>) -> Result<(), ApiError> {
    let fifo = given.get("FifoQueue").and_then(Value::as_str) == Some("true");
    let stem = if fifo { name.strip_suffix(".fifo") } else { Some(name) };
    let plain = |stem: &str| {
        !stem.is_empty() && stem.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    if stem.is_some_and(plain) && name.len() <= 80 {
        return Ok(());
    }
    let message = if fifo {
        "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length."
    } else {
        "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
    };
    Err(ApiError::new("InvalidParameterValueException", message))
}

fn unknown(attribute: &str) -> ApiError {
    ApiError::new("InvalidAttributeName", format!("Unknown Attribute {attribute}."))
}

fn invalid_value(attribute: &str) -> ApiError {
    ApiError::new("InvalidAttributeValue", format!("Invalid value for the parameter {attribute}."))
}

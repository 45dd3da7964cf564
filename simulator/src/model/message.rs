//! A message of SQS: what it carries, its checksums, and what is refused before a queue sees it.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use md5::Md5;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::error::ApiError;

/// What SendMessage asks for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct SendMessage {
    /// The text.
    #[serde(rename = "MessageBody")]
    pub body: String,
    /// How long it is kept back; the queue's own delay when left out.
    pub delay_seconds: Option<i64>,
    /// The group, needed by a FIFO queue.
    #[serde(rename = "MessageGroupId")]
    pub group: Option<String>,
    /// What tells a message that is sent again.
    #[serde(rename = "MessageDeduplicationId")]
    pub deduplication_id: Option<String>,
    /// Attributes in the form of the API: `{name: {DataType, StringValue}}`.
    #[serde(rename = "MessageAttributes")]
    pub attributes: Map<String, Value>,
    /// `AWSTraceHeader`, in the same form.
    #[serde(rename = "MessageSystemAttributes")]
    pub system_attributes: Map<String, Value>,
}

/// What SendMessage answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The id of the message; for one that was sent before, the id of the first.
    pub message_id: String,
    /// Its number in a FIFO queue: 20 digits, which only grow.
    pub sequence_number: Option<String>,
}

/// A message in a queue.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Message {
    /// Made by SQS.
    pub id: String,
    /// The text.
    pub body: String,
    /// Attributes in the form of the API.
    pub attributes: Map<String, Value>,
    /// `AWSTraceHeader`, if it was sent, in the same form.
    pub system_attributes: Map<String, Value>,
    /// The group.
    pub group: Option<String>,
    /// What tells a message that is sent again, in a FIFO queue.
    pub deduplication_id: Option<String>,
    /// Its number in a FIFO queue.
    pub sequence_number: Option<String>,
    /// The unique id of who sent it.
    pub sender: String,
    /// When it was sent.
    pub sent: Timestamp,
    /// When it was received first.
    pub first_received: Option<Timestamp>,
    /// How often it was received.
    pub receive_count: u32,
    /// The ARN of the queue that it was moved from, in a dead-letter queue.
    pub dead_letter_source: Option<String>,
}

impl Message {
    /// The attributes that SQS itself keeps, by their names in the API.
    pub(crate) fn system(&self) -> Map<String, Value> {
        let mut all = Map::new();
        let mut put = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                all.insert(name.to_owned(), value.into());
            }
        };
        let milliseconds = |at: Timestamp| at.as_millisecond().to_string();
        put("SenderId", Some(self.sender.clone()));
        put("SentTimestamp", Some(milliseconds(self.sent)));
        put("ApproximateReceiveCount", Some(self.receive_count.to_string()));
        put("ApproximateFirstReceiveTimestamp", self.first_received.map(milliseconds));
        put("SequenceNumber", self.sequence_number.clone());
        put("MessageGroupId", self.group.clone());
        put("MessageDeduplicationId", self.deduplication_id.clone());
        put("DeadLetterQueueSourceArn", self.dead_letter_source.clone());
        let trace = &self.system_attributes.get("AWSTraceHeader");
        put("AWSTraceHeader", trace.and_then(|trace| Some(trace["StringValue"].as_str()?.to_owned())));
        all
    }
}

impl SendMessage {
    /// A message without anything but its text.
    pub fn new(body: impl Into<String>) -> SendMessage {
        SendMessage { body: body.into(), ..SendMessage::default() }
    }

    /// A message of a group of a FIFO queue.
    pub fn in_group(body: impl Into<String>, group: &str, deduplication_id: &str) -> SendMessage {
        SendMessage {
            group: Some(group.to_owned()),
            deduplication_id: Some(deduplication_id.to_owned()),
            ..SendMessage::new(body)
        }
    }

    /// The bytes that count towards the limits: the body, and the attributes' names, types and values.
    pub(crate) fn bytes(&self) -> usize {
        let attributes = self.attributes.iter().map(|(name, value)| {
            let length = |member: &str| value[member].as_str().map_or(0, str::len);
            name.len() + length("DataType") + length("StringValue") + length("BinaryValue") * 3 / 4
        });
        self.body.len() + attributes.sum::<usize>()
    }

    /// What makes a message wrong whatever queue it goes to.
    pub(crate) fn check(&self, limit: u64) -> Result<(), ApiError> {
        if self.body.is_empty() {
            return Err(missing("MessageBody"));
        }
        if self.bytes() as u64 > limit {
            return Err(parameter(&format!(
                "One or more parameters are invalid. Reason: Message must be shorter than {limit} bytes."
            )));
        }
        // The characters of XML 1.0; a string of Rust has no surrogates.
        let written = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
        if !self.body.chars().all(written) {
            let message = "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF";
            return Err(ApiError::new("InvalidMessageContents", message));
        }
        if self.attributes.len() > 10 {
            let count = self.attributes.len();
            return Err(parameter(&format!(
                "Number of message attributes [{count}] exceeds the allowed maximum [10]."
            )));
        }
        for (name, value) in &self.attributes {
            let kind = value["DataType"].as_str().unwrap_or_default();
            let member = match kind.split('.').next() {
                Some("String" | "Number") => "StringValue",
                Some("Binary") => "BinaryValue",
                _ => {
                    return Err(parameter(&format!(
                        "The type of message (user) attribute '{name}' is invalid. You must use only the following supported type prefixes: Binary, Number, String."
                    )));
                }
            };
            if value[member].as_str().is_none_or(str::is_empty) {
                return Err(parameter(&format!(
                    "The message (user) attribute '{name}' must contain a non-empty value of type '{kind}'."
                )));
            }
        }
        Ok(())
    }
}

/// A group or deduplication id: 1 to 128 letters, digits and punctuation.
pub(crate) fn check_id(name: &str, value: &str) -> Result<(), ApiError> {
    if (1..=128).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err(parameter(&format!(
        "Value {value} for parameter {name} is invalid. Reason: {name} can only include alphanumeric and punctuation characters. 1 to 128 in length."
    )))
}

/// The hash that stands for a deduplication id.
pub(crate) fn content_id(body: &str) -> String {
    hex(&Sha256::digest(body))
}

/// The checksum of a body, which SDKs compare.
pub(crate) fn body_md5(body: &str) -> String {
    hex(&Md5::digest(body))
}

/// The checksum of attributes, which SDKs compare too: name, type and value of each, with their lengths.
pub(crate) fn attributes_md5(attributes: &Map<String, Value>) -> Option<String> {
    if attributes.is_empty() {
        return None;
    }
    let mut names: Vec<&String> = attributes.keys().collect();
    names.sort();
    let mut encoded: Vec<u8> = Vec::new();
    for name in names {
        let value = &attributes[name];
        let text = value["StringValue"].as_str();
        let binary = value["BinaryValue"].as_str().and_then(|binary| STANDARD.decode(binary).ok());
        let (transport, bytes) = match (text, binary) {
            (Some(text), _) => (1_u8, text.as_bytes().to_vec()),
            (None, binary) => (2, binary.unwrap_or_default()),
        };
        for bytes in [name.as_bytes(), value["DataType"].as_str().unwrap_or_default().as_bytes()] {
            encoded.extend((bytes.len() as u32).to_be_bytes());
            encoded.extend(bytes);
        }
        encoded.push(transport);
        encoded.extend((bytes.len() as u32).to_be_bytes());
        encoded.extend(bytes);
    }
    Some(hex(&Md5::digest(&encoded)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string doesn't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A member that must be there and isn't.
pub(crate) fn missing(name: &str) -> ApiError {
    ApiError::new(
        "MissingRequiredParameterException",
        format!("The request must contain the parameter {name}."),
    )
}

/// A member with a value that can't be.
pub(crate) fn parameter(message: &str) -> ApiError {
    ApiError::new("InvalidParameterValueException", message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn checksums_are_those_of_the_sdks() {
        assert_eq!(body_md5("This is a test message"), "fafb00f5732ab283681e124bf8747ed1");
        assert_eq!(body_md5("hello"), "5d41402abc4b2a76b9719d911017c592");
        assert_eq!(attributes_md5(&Map::new()), None);
    }

    #[test]
    fn a_message_is_weighed_with_its_attributes() {
        let mut message = SendMessage::new("x".repeat(1000));
        message.check(1024).expect("it fits");
        let attribute = json!({ "DataType": "String", "StringValue": "y".repeat(20) });
        message.attributes.insert("name".to_owned(), attribute);
        let refused = message.check(1024).expect_err("six and four bytes besides the twenty");
        assert!(refused.message.contains("shorter than 1024 bytes"), "{refused}");
    }

    #[test]
    fn a_body_holds_text_only() {
        for body in ["a\u{0}b", "\u{b}", "\u{fffe}"] {
            let refused = SendMessage::new(body).check(1024).expect_err("not a character of XML");
            assert_eq!(refused.code, "InvalidMessageContents", "{body:?}");
        }
        SendMessage::new("tab\tand 🦀\n").check(1024).expect("text");
    }
}

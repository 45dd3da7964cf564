//! SQS, in JSON 1.0.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::answer::Output;
use super::request::Input;
use crate::model::Model;
use crate::model::caller::Caller;
use crate::model::error::ApiError;
use crate::model::message::{SendMessage, Sent, attributes_md5, body_md5, missing, parameter};
use crate::model::queue::{Queue, Received};
use crate::model::queue_attributes::MAX_BYTES;
use crate::model::queues::QueueName;
use crate::model::session::user_id;

pub(crate) fn carry_out(
    model: &mut Model,
    caller: &Caller,
    operation: &str,
    input: &Input,
) -> Result<Output, ApiError> {
    model.require_region(caller.account(), &caller.region)?;
    match operation {
        "CreateQueue" => {
            let attributes = input.members.get("Attributes").and_then(Value::as_object);
            let given = attributes.cloned().unwrap_or_default();
            let queue = model.create_queue_as(caller, input.text("QueueName"), &given)?;
            return Ok(Output::Json(json!({ "QueueUrl": queue.url(&input.endpoint) })));
        }
        "GetQueueUrl" => {
            let owner = input.optional("QueueOwnerAWSAccountId").unwrap_or(caller.account());
            let queue = QueueName::new(owner, &caller.region, input.text("QueueName"));
            allow(model, caller, operation, &queue)?;
            return Ok(Output::Json(json!({ "QueueUrl": queue.url(&input.endpoint) })));
        }
        _ => {}
    }
    let queue = named(caller, input.text("QueueUrl"))?;
    allow(model, caller, operation.trim_end_matches("Batch"), &queue)?;
    let nothing = |()| Output::Json(json!({}));
    match operation {
        "GetQueueAttributes" => get_attributes(model, &queue, input),
        "SendMessage" => {
            let message: SendMessage = input.parse("")?;
            let sums = Sums::of(&message);
            let message = traced(message, input.trace.as_deref());
            let sent = model.send_message(&queue, &user_id(&caller.principal), message)?;
            Ok(Output::Json(sums.shown(&sent)))
        }
        "SendMessageBatch" => send_batch(model, caller, &queue, input),
        "ReceiveMessage" => receive(model, &queue, input),
        "DeleteMessage" => model.delete_message(&queue, handle(&input.members)?).map(|_| nothing(())),
        "DeleteMessageBatch" => delete_batch(model, &queue, input),
        "ChangeMessageVisibility" => {
            let seconds = input.members.get("VisibilityTimeout").and_then(Value::as_i64);
            let seconds = seconds.ok_or_else(|| missing("VisibilityTimeout"))?;
            model.change_visibility(&queue, handle(&input.members)?, seconds).map(nothing)
        }
        "PurgeQueue" => model.purge_queue(&queue).map(nothing),
        other => Err(super::not_carried_out(other)),
    }
}

/// The queue that a URL names: the last two segments, whatever host is before them.
fn named(caller: &Caller, url: &str) -> Result<QueueName, ApiError> {
    let mut segments = url.rsplit('/');
    let found = segments.next().zip(segments.next());
    let (name, account) =
        found.ok_or_else(|| ApiError::new("QueueDoesNotExist", "The specified queue does not exist."))?;
    Ok(QueueName::new(account, &caller.region, name))
}

/// Whether the caller may, and whether there is such a queue. Another account's queue would need a policy,
/// which isn't modelled.
fn allow(model: &mut Model, caller: &Caller, action: &str, queue: &QueueName) -> Result<(), ApiError> {
    // SQS writes its actions in small letters when it refuses them.
    let action = format!("sqs:{}", action.to_ascii_lowercase());
    model.authorize(caller, &action, &queue.arn())?;
    if queue.account != caller.account() {
        let (who, arn) = (caller.principal.arn(), queue.arn());
        return Err(ApiError::denied(format!(
            "User: {who} is not authorized to perform: {action} on resource: {arn} because no resource-based policy allows the {action} action"
        )));
    }
    model.awake(queue).map(drop)
}

fn handle(members: &Map<String, Value>) -> Result<&str, ApiError> {
    let handle = members.get("ReceiptHandle").and_then(Value::as_str).filter(|handle| !handle.is_empty());
    handle.ok_or_else(|| missing("ReceiptHandle"))
}

fn get_attributes(model: &mut Model, queue: &QueueName, input: &Input) -> Result<Output, ApiError> {
    let all = attributes(model.awake(queue)?, queue);
    let wanted = input.texts("AttributeNames");
    let mut shown = Map::new();
    for (name, value) in all {
        if wanted.iter().any(|wanted| *wanted == name || *wanted == "All") {
            shown.insert(name, value.into());
        }
    }
    // Without a name there is nothing to show, and then not even the member that holds it.
    let output = if shown.is_empty() { json!({}) } else { json!({ "Attributes": shown }) };
    Ok(Output::Json(output))
}

/// Every attribute of a queue, by its name in the API.
pub(crate) fn attributes(queue: &Queue, name: &QueueName) -> BTreeMap<String, String> {
    let mut all = queue.attributes.shown();
    let created = queue.created.as_second().to_string();
    all.extend(
        [
            ("QueueArn", name.arn()),
            ("CreatedTimestamp", created.clone()),
            ("LastModifiedTimestamp", created),
            ("ApproximateNumberOfMessages", queue.visible().to_string()),
            ("ApproximateNumberOfMessagesNotVisible", queue.in_flight().to_string()),
            ("ApproximateNumberOfMessagesDelayed", queue.delayed().to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    all
}

/// What SDKs compare with what they sent.
struct Sums {
    body: String,
    attributes: Option<String>,
    system_attributes: Option<String>,
}

impl Sums {
    fn of(message: &SendMessage) -> Sums {
        Sums {
            body: body_md5(&message.body),
            attributes: attributes_md5(&message.attributes),
            system_attributes: attributes_md5(&message.system_attributes),
        }
    }

    fn shown(self, sent: &Sent) -> Value {
        let mut shown = json!({ "MessageId": sent.message_id, "MD5OfMessageBody": self.body });
        let optional = [
            ("MD5OfMessageAttributes", self.attributes),
            ("MD5OfMessageSystemAttributes", self.system_attributes),
            ("SequenceNumber", sent.sequence_number.clone()),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                shown[name] = value.into();
            }
        }
        shown
    }
}

/// The message with the trace of the request, which SQS keeps where the sender gave none itself.
fn traced(mut message: SendMessage, trace: Option<&str>) -> SendMessage {
    if let Some(trace) = trace {
        let value = json!({ "DataType": "String", "StringValue": trace });
        message.system_attributes.entry("AWSTraceHeader").or_insert(value);
    }
    message
}

fn send_batch(
    model: &mut Model,
    caller: &Caller,
    queue: &QueueName,
    input: &Input,
) -> Result<Output, ApiError> {
    let entries = entries(input)?;
    let mut messages: Vec<SendMessage> = Vec::with_capacity(entries.len());
    for (_, entry) in &entries {
        messages.push(super::request::parsed(Value::Object((*entry).clone()))?);
    }
    let bytes: usize = messages.iter().map(SendMessage::bytes).sum();
    if bytes as u64 > MAX_BYTES {
        let message =
            format!("Batch requests cannot be longer than {MAX_BYTES} bytes. You have sent {bytes} bytes.");
        return Err(ApiError::new("BatchRequestTooLong", message));
    }
    let sender = user_id(&caller.principal);
    let results = entries.iter().zip(messages).map(|((id, _), message)| {
        let sums = Sums::of(&message);
        let message = traced(message, input.trace.as_deref());
        let sent = model.send_message(queue, &sender, message);
        (*id, sent.map(|sent| sums.shown(&sent)))
    });
    Ok(batch(results))
}

fn delete_batch(model: &mut Model, queue: &QueueName, input: &Input) -> Result<Output, ApiError> {
    let entries = entries(input)?;
    let results = entries.iter().map(|(id, entry)| {
        let deleted = handle(entry).and_then(|handle| model.delete_message(queue, handle));
        (*id, deleted.map(|_| json!({})))
    });
    Ok(batch(results))
}

/// An entry of a batch with its id.
type Entry<'a> = (&'a str, &'a Map<String, Value>);

/// The entries of a batch by their ids; what makes a batch wrong as a whole.
fn entries(input: &Input) -> Result<Vec<Entry<'_>>, ApiError> {
    let list = input.members.get("Entries").and_then(Value::as_array);
    let entries: Vec<Entry<'_>> = list
        .into_iter()
        .flatten()
        .filter_map(|entry| Some((entry["Id"].as_str()?, entry.as_object()?)))
        .collect();
    if entries.is_empty() {
        let message = "There should be at least one SendMessageBatchRequestEntry in the request.";
        return Err(ApiError::new("EmptyBatchRequest", message));
    }
    if entries.len() > 10 {
        let message =
            format!("Maximum number of entries per request are 10. You have sent {}.", entries.len());
        return Err(ApiError::new("TooManyEntriesInBatchRequest", message));
    }
    for (index, (id, _)) in entries.iter().enumerate() {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if !(1..=80).contains(&id.len()) || !id.bytes().all(plain) {
            let message = "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.";
            return Err(ApiError::new("InvalidBatchEntryId", message));
        }
        if entries[..index].iter().any(|(other, _)| other == id) {
            return Err(ApiError::new("BatchEntryIdsNotDistinct", format!("Id {id} repeated.")));
        }
    }
    Ok(entries)
}

fn batch<'a>(results: impl Iterator<Item = (&'a str, Result<Value, ApiError>)>) -> Output {
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for (id, result) in results {
        match result {
            Ok(mut shown) => {
                shown["Id"] = id.into();
                successful.push(shown);
            }
            Err(error) => failed.push(json!({
                "Id": id,
                "SenderFault": true,
                "Code": query_code(&error.code),
                "Message": error.message,
            })),
        }
    }
    Output::Json(json!({ "Successful": successful, "Failed": failed }))
}

fn receive(model: &mut Model, queue: &QueueName, input: &Input) -> Result<Output, ApiError> {
    let number = |name: &str, lowest: i64, highest: i64| {
        let Some(value) = input.members.get(name).and_then(Value::as_i64) else { return Ok(None) };
        let wanted = u64::try_from(value).ok().filter(|_| (lowest..=highest).contains(&value));
        wanted.map(Some).ok_or_else(|| {
            parameter(&format!(
                "Value {value} for parameter {name} is invalid. Reason: Must be between {lowest} and {highest}, if provided."
            ))
        })
    };
    let most = number("MaxNumberOfMessages", 1, 10)?.unwrap_or(1);
    let visibility = number("VisibilityTimeout", 0, 43_200)?;
    // Nobody waits here: a clock that stands still would never bring anything.
    number("WaitTimeSeconds", 0, 20)?;
    let mut system = input.texts("AttributeNames");
    system.extend(input.texts("MessageSystemAttributeNames"));
    let named = input.texts("MessageAttributeNames");
    let received = model.receive_messages(queue, most as usize, visibility)?;
    let messages: Vec<Value> = received.iter().map(|received| shown(received, &system, &named)).collect();
    let output = if messages.is_empty() { json!({}) } else { json!({ "Messages": messages }) };
    Ok(Output::Json(output))
}

fn shown(received: &Received, system: &[&str], named: &[&str]) -> Value {
    let Received { message, receipt_handle } = received;
    let mut shown = json!({
        "MessageId": message.id,
        "ReceiptHandle": receipt_handle,
        "MD5OfBody": body_md5(&message.body),
        "Body": message.body,
    });
    let mut kept = message.system();
    kept.retain(|name, _| system.iter().any(|wanted| wanted == name || *wanted == "All"));
    if !kept.is_empty() {
        shown["Attributes"] = Value::Object(kept);
    }
    let mut kept = message.attributes.clone();
    kept.retain(|name, _| {
        named.iter().any(|wanted| {
            let prefix = wanted.strip_suffix(".*");
            wanted == name || *wanted == "All" || prefix.is_some_and(|prefix| name.starts_with(prefix))
        })
    });
    if let Some(sum) = attributes_md5(&kept) {
        shown["MD5OfMessageAttributes"] = sum.into();
        shown["MessageAttributes"] = Value::Object(kept);
    }
    shown
}

/// The code of an error in SQS's older protocol, which a header repeats and most SDKs show.
pub(crate) fn query_code(code: &str) -> String {
    match code {
        "QueueDoesNotExist" => "AWS.SimpleQueueService.NonExistentQueue",
        "QueueNameExists" => "QueueAlreadyExists",
        "BatchEntryIdsNotDistinct"
        | "BatchRequestTooLong"
        | "EmptyBatchRequest"
        | "InvalidBatchEntryId"
        | "MessageNotInflight"
        | "PurgeQueueInProgress"
        | "TooManyEntriesInBatchRequest"
        | "UnsupportedOperation" => return format!("AWS.SimpleQueueService.{code}"),
        "InvalidParameterValueException" => "InvalidParameterValue",
        "MissingRequiredParameterException" => "MissingParameter",
        "AccessDeniedException" => "AccessDenied",
        "UnrecognizedClientException" => "InvalidClientTokenId",
        "MissingAuthenticationTokenException" => "MissingAuthenticationToken",
        "ExpiredTokenException" => "ExpiredToken",
        "UnknownOperationException" => "InvalidAction",
        "SerializationException" => "MalformedInput",
        other => other,
    }
    .to_owned()
}

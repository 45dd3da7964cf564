//! The queues of accounts: made, sent to, received from.

use serde::Serialize;
use serde_json::{Map, Value};

use super::Model;
use super::caller::Caller;
use super::error::ApiError;
use super::ids::Ids;
use super::message::{SendMessage, Sent, parameter};
use super::queue::{Queue, Received};
use super::queue_attributes::QueueAttributes;

/// A queue's place: an account, a Region and a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct QueueName {
    /// The account.
    pub account: String,
    /// The Region.
    pub region: String,
    /// The name; that of a FIFO queue ends in `.fifo`.
    pub name: String,
}

impl QueueName {
    /// A queue's place.
    pub fn new(account: &str, region: &str, name: &str) -> QueueName {
        QueueName { account: account.to_owned(), region: region.to_owned(), name: name.to_owned() }
    }

    /// The place that an ARN names.
    pub fn from_arn(arn: &str) -> Option<QueueName> {
        let mut parts = arn.strip_prefix("arn:aws:sqs:")?.split(':');
        let (region, account, name) = (parts.next()?, parts.next()?, parts.next()?);
        let whole = parts.next().is_none() && [region, account, name].iter().all(|part| !part.is_empty());
        whole.then(|| QueueName::new(account, region, name))
    }

    /// Its ARN.
    pub fn arn(&self) -> String {
        let QueueName { account, region, name } = self;
        format!("arn:aws:sqs:{region}:{account}:{name}")
    }

    /// Its URL at an endpoint such as `http://127.0.0.1:4510`.
    pub fn url(&self, endpoint: &str) -> String {
        format!("{endpoint}/{}/{}", self.account, self.name)
    }
}

impl Model {
    /// Makes a queue; the same one again is no mistake.
    ///
    /// # Errors
    /// `InvalidAttributeName`, `InvalidAttributeValue` and `InvalidParameterValueException` for what can't be,
    /// `QueueNameExists` for a queue that is there with another value of a given attribute.
    pub(crate) fn create_queue_as(
        &mut self,
        caller: &Caller,
        name: &str,
        given: &Map<String, Value>,
    ) -> Result<QueueName, ApiError> {
        let queue = QueueName::new(caller.account(), &caller.region, name);
        self.authorize(caller, "sqs:CreateQueue", &queue.arn())?;
        let wanted = QueueAttributes::read(name, given)?;
        if let Some(existing) = self.queue(&queue) {
            let (existing, wanted) = (existing.attributes.shown(), wanted.shown());
            if let Some(other) = given.keys().find(|name| existing.get(*name) != wanted.get(*name)) {
                let message = format!(
                    "A queue already exists with the same name and a different value for attribute {other}"
                );
                return Err(ApiError::new("QueueNameExists", message));
            }
            return Ok(queue);
        }
        self.create_queue(&queue, wanted)?;
        Ok(queue)
    }

    /// Makes a queue, or replaces one with everything in it.
    ///
    /// # Errors
    /// `InvalidParameterValueException` for a dead-letter queue that isn't there or is of the other type,
    /// `UnrecognizedClientException` for an account that doesn't exist.
    pub fn create_queue(&mut self, queue: &QueueName, attributes: QueueAttributes) -> Result<(), ApiError> {
        if let Some(redrive) = &attributes.redrive {
            let target = &redrive.dead_letter_queue;
            let found = self.queue(target).map(|found| found.attributes.fifo);
            let near = target.account == queue.account && target.region == queue.region;
            // A queue may name itself, and isn't there yet when it does.
            let fits = found == Some(attributes.fifo) || target == queue;
            if !near || !fits {
                let reason = if near && found.is_some() {
                    "Dead-letter queue must be same type of queue as the source."
                } else {
                    "Dead letter target does not exist."
                };
                let arn = target.arn();
                return Err(parameter(&format!(
                    "Value {arn} for parameter RedrivePolicy is invalid. Reason: {reason}"
                )));
            }
        }
        let made = Queue::new(attributes, self.now(), seed(&queue.arn()));
        let queues = &mut self.region_mut(&queue.account, &queue.region)?.queues;
        queues.insert(queue.name.clone(), made);
        Ok(())
    }

    /// A queue as it is now.
    pub fn queue(&mut self, queue: &QueueName) -> Option<&Queue> {
        self.awake(queue).ok().map(|queue| &*queue)
    }

    /// Every queue there is.
    pub fn queue_names(&self) -> Vec<QueueName> {
        let regions = self.accounts.iter().flat_map(|(account, held)| {
            held.regions.iter().map(move |(region, held)| (account, region, held))
        });
        regions
            .flat_map(|(account, region, held)| {
                held.queues.keys().map(|name| QueueName::new(account, region, name))
            })
            .collect()
    }

    /// Sends a message, as `sender`.
    ///
    /// # Errors
    /// `QueueDoesNotExist`, and SQS's errors for a message that the queue can't take.
    pub fn send_message(
        &mut self,
        queue: &QueueName,
        sender: &str,
        message: SendMessage,
    ) -> Result<Sent, ApiError> {
        let now = self.now();
        self.awake(queue)?.send(now, sender, message)
    }

    /// Receives up to so many messages, hidden for so many seconds or for the queue's visibility timeout.
    /// What was received too often goes to the dead-letter queue instead.
    ///
    /// # Errors
    /// `QueueDoesNotExist`.
    pub fn receive_messages(
        &mut self,
        queue: &QueueName,
        most: usize,
        visibility: Option<u64>,
    ) -> Result<Vec<Received>, ApiError> {
        self.receive_shuffled(queue, most, visibility, None)
    }

    pub(crate) fn receive_shuffled(
        &mut self,
        queue: &QueueName,
        most: usize,
        visibility: Option<u64>,
        shuffle: Option<&mut Ids>,
    ) -> Result<Vec<Received>, ApiError> {
        let now = self.now();
        let awake = self.awake(queue)?;
        let redrive = awake.attributes.redrive.clone();
        let taken = awake.receive(now, &queue.name, most, visibility, shuffle);
        if let Some(redrive) = redrive.filter(|_| !taken.dead.is_empty()) {
            let (target, from) = (self.awake(&redrive.dead_letter_queue)?, queue.arn());
            for message in taken.dead {
                target.take_over(message, &from, now);
            }
        }
        Ok(taken.received)
    }

    /// Deletes a message; says whether this removed it.
    ///
    /// # Errors
    /// `QueueDoesNotExist`, `ReceiptHandleIsInvalid`; for a FIFO queue `InvalidParameterValueException` when
    /// the message is no longer in flight by that handle.
    pub fn delete_message(&mut self, queue: &QueueName, receipt_handle: &str) -> Result<bool, ApiError> {
        self.awake(queue)?.delete(&queue.name, receipt_handle)
    }

    /// Hides a message that is in flight for so many seconds from now.
    ///
    /// # Errors
    /// As [`Model::delete_message`], and `MessageNotInflight`.
    pub fn change_visibility(
        &mut self,
        queue: &QueueName,
        receipt_handle: &str,
        seconds: i64,
    ) -> Result<(), ApiError> {
        let now = self.now();
        self.awake(queue)?.change_visibility(now, &queue.name, receipt_handle, seconds)
    }

    /// Removes every message.
    ///
    /// # Errors
    /// `QueueDoesNotExist`, and `PurgeQueueInProgress` within a minute of the last purge.
    pub fn purge_queue(&mut self, queue: &QueueName) -> Result<(), ApiError> {
        let now = self.now();
        if self.awake(queue)?.purge(now) {
            return Ok(());
        }
        let message = format!("Only one PurgeQueue operation on {} is allowed every 60 seconds.", queue.name);
        Err(ApiError::new("PurgeQueueInProgress", message))
    }

    /// The queue, with everything done whose time has come.
    pub(crate) fn awake(&mut self, queue: &QueueName) -> Result<&mut Queue, ApiError> {
        let now = self.now();
        let region =
            self.accounts.get_mut(&queue.account).and_then(|held| held.regions.get_mut(&queue.region));
        let found = region.and_then(|region| region.queues.get_mut(&queue.name));
        let found =
            found.ok_or_else(|| ApiError::new("QueueDoesNotExist", "The specified queue does not exist."))?;
        found.wake(now);
        Ok(found)
    }
}

/// A number made of an ARN, so that every queue has ids of its own and the other ids don't depend on it.
fn seed(arn: &str) -> u64 {
    arn.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

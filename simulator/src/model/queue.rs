//! One queue: what is in it, what may be handed out, and when that changes.
//!
//! A queue knows the time only as it is told: every operation begins with [`Queue::wake`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Serialize;

use super::clock::after;
use super::error::ApiError;
use super::ids::Ids;
use super::message::{Message, SendMessage, Sent, parameter};
use super::queue_attributes::QueueAttributes;
use super::queue_index::{Index, pick};

/// How long a deduplication id is remembered.
const DEDUPLICATION_SECONDS: u64 = 300;
/// How long a purge keeps another one away.
const PURGE_SECONDS: u64 = 60;
/// How long a message can be in flight at most.
const MAX_VISIBILITY_SECONDS: u64 = 43_200;

/// A queue.
#[derive(Clone, Debug, Serialize)]
pub struct Queue {
    /// How it behaves.
    pub attributes: QueueAttributes,
    /// When it was made.
    pub created: Timestamp,
    #[serde(skip)]
    messages: BTreeMap<u64, Stored>,
    #[serde(skip)]
    index: Index,
    #[serde(skip)]
    expiring: BTreeSet<(Timestamp, u64)>,
    /// What was sent within the last five minutes, by scope and deduplication id.
    #[serde(skip)]
    seen: BTreeMap<(String, String), Sent>,
    #[serde(skip)]
    forgetting: VecDeque<(Timestamp, (String, String))>,
    #[serde(skip)]
    purged: Option<Timestamp>,
    #[serde(skip)]
    last: u64,
    #[serde(skip)]
    ids: Ids,
}

/// Where a message is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MessageState {
    /// Kept back until then.
    Delayed(Timestamp),
    /// To be handed out, unless its group is busy.
    Visible,
    /// Handed out, and hidden until then.
    InFlight(Timestamp),
}

/// A message as a receive hands it out.
#[derive(Clone, Debug, PartialEq)]
pub struct Received {
    /// The message, this receive counted.
    pub message: Message,
    /// What deletes it.
    pub receipt_handle: String,
}

/// What a receive found.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) received: Vec<Received>,
    /// Messages that were received too often and go to the dead-letter queue instead.
    pub(crate) dead: Vec<Message>,
}

#[derive(Clone, Debug)]
struct Stored {
    message: Message,
    state: MessageState,
    received: Timestamp,
    expires: Timestamp,
    /// What deletes it: the handle of the last receive, and those of its duplicates.
    receipts: Vec<String>,
}

impl Queue {
    pub(crate) fn new(attributes: QueueAttributes, created: Timestamp, seed: u64) -> Queue {
        Queue {
            attributes,
            created,
            messages: BTreeMap::new(),
            index: Index::default(),
            expiring: BTreeSet::new(),
            seen: BTreeMap::new(),
            forgetting: VecDeque::new(),
            purged: None,
            last: 0,
            ids: Ids::seeded(seed),
        }
    }

    /// Every message, in the order sent, with where it is.
    pub fn messages(&self) -> impl Iterator<Item = (&Message, MessageState)> {
        self.messages.values().map(|stored| (&stored.message, stored.state))
    }

    /// How many messages could be received, groups that are busy left aside.
    pub fn visible(&self) -> usize {
        self.messages.len() - self.index.delayed.len() - self.index.in_flight.len()
    }

    /// How many were received and neither deleted nor given back.
    pub fn in_flight(&self) -> usize {
        self.index.in_flight.len()
    }

    /// How many are kept back.
    pub fn delayed(&self) -> usize {
        self.index.delayed.len()
    }

    /// Whether a receive would hand out anything.
    pub fn has_ready(&self) -> bool {
        !self.index.ready.is_empty()
    }

    /// When the next message becomes visible by itself, whether its group is free then or not.
    pub fn next_change(&self) -> Option<Timestamp> {
        let first = |set: &BTreeSet<(Timestamp, u64)>| set.first().map(|(at, _)| *at);
        first(&self.index.delayed).into_iter().chain(first(&self.index.in_flight)).min()
    }

    /// The same, messages with these ids left aside.
    pub(crate) fn next_change_besides(&self, ids: &BTreeSet<&str>) -> Option<Timestamp> {
        let free = |number: &u64| !ids.contains(self.messages[number].message.id.as_str());
        let in_flight = self.index.in_flight.iter().find(|(_, number)| free(number));
        let delayed = self.index.delayed.first();
        in_flight.into_iter().chain(delayed).map(|(at, _)| *at).min()
    }

    /// Lets everything happen whose time has come.
    pub(crate) fn wake(&mut self, now: Timestamp) {
        let due = |set: &BTreeSet<(Timestamp, u64)>| {
            set.first().filter(|(at, _)| *at <= now).map(|(_, number)| *number)
        };
        while let Some(number) = due(&self.expiring) {
            self.remove(number);
        }
        while let Some(number) = due(&self.index.delayed).or_else(|| due(&self.index.in_flight)) {
            self.place(number, MessageState::Visible);
        }
        while self.forgetting.front().is_some_and(|(at, _)| *at <= now) {
            if let Some((_, key)) = self.forgetting.pop_front() {
                self.seen.remove(&key);
            }
        }
    }

    pub(crate) fn send(
        &mut self,
        now: Timestamp,
        sender: &str,
        wanted: SendMessage,
    ) -> Result<Sent, ApiError> {
        wanted.check(self.attributes.maximum_message_size)?;
        let delay = self.attributes.delay_of(&wanted)?;
        let deduplication_id = self.attributes.deduplication_id_of(&wanted)?;
        let scope =
            wanted.group.clone().filter(|_| self.attributes.deduplicates_by_group).unwrap_or_default();
        let key = deduplication_id.clone().map(|id| (scope, id));
        if let Some(before) = key.as_ref().and_then(|key| self.seen.get(key)) {
            return Ok(before.clone());
        }
        let sent = Sent { message_id: self.ids.uuid(), sequence_number: self.sequence_number() };
        if let Some(key) = key {
            self.seen.insert(key.clone(), sent.clone());
            self.forgetting.push_back((after(now, DEDUPLICATION_SECONDS), key));
        }
        let message = Message {
            id: sent.message_id.clone(),
            body: wanted.body,
            attributes: wanted.attributes,
            system_attributes: wanted.system_attributes,
            group: wanted.group,
            deduplication_id,
            sequence_number: sent.sequence_number.clone(),
            sender: sender.to_owned(),
            sent: now,
            first_received: None,
            receive_count: 0,
            dead_letter_source: None,
        };
        let state = if delay == 0 { MessageState::Visible } else { MessageState::Delayed(after(now, delay)) };
        self.keep(message, state, now);
        Ok(sent)
    }

    /// Takes a message that another queue gave up.
    pub(crate) fn take_over(&mut self, mut message: Message, from: &str, now: Timestamp) {
        message.dead_letter_source = Some(from.to_owned());
        message.sequence_number = self.sequence_number();
        // The age of a message goes on counting in a standard queue and begins anew in a FIFO one.
        let since = if self.attributes.fifo { now } else { message.sent };
        self.keep(message, MessageState::Visible, since);
    }

    /// Hands out up to so many messages. Without a shuffle the oldest come first, and of a FIFO queue as many
    /// of one group as there are; with one, any that may come.
    pub(crate) fn receive(
        &mut self,
        now: Timestamp,
        name: &str,
        most: usize,
        visibility: Option<u64>,
        mut shuffle: Option<&mut Ids>,
    ) -> Taken {
        let hidden_until = after(now, visibility.unwrap_or(self.attributes.visibility_timeout));
        let limit = self.attributes.redrive.as_ref().map_or(u32::MAX, |redrive| redrive.max_receive_count);
        let mut taken = Taken::default();
        // The next of each group that this receive has begun: they are no longer among what is ready.
        let mut begun: BTreeSet<u64> = BTreeSet::new();
        while taken.received.len() < most {
            let rather_begun = shuffle.as_mut().is_none_or(|ids| ids.below(2) == 0);
            let from_begun = !begun.is_empty() && (rather_begun || self.index.ready.is_empty());
            let source = if from_begun { &begun } else { &self.index.ready };
            let Some(number) = pick(source, shuffle.as_deref_mut()) else { break };
            begun.remove(&number);
            let group = self.group_of(number);
            if self.messages[&number].message.receive_count >= limit {
                taken.dead.extend(self.remove(number));
            } else {
                self.place(number, MessageState::InFlight(hidden_until));
                taken.received.extend(self.hand_out(number, name, now));
            }
            // A group that gave up its first message and is still free comes back among what is ready.
            begun.extend(group.and_then(|group| self.index.next_of(&group)));
        }
        taken
    }

    /// Hands out a message that is in flight once more, as a standard queue may.
    pub(crate) fn receive_again(&mut self, name: &str, receipt_handle: &str) -> Option<Received> {
        let number = self.number(name, receipt_handle).ok()?;
        let receipt_handle = self.receipt(name, number);
        let stored = self.messages.get_mut(&number)?;
        stored.receipts.push(receipt_handle.clone());
        Some(Received { message: stored.message.clone(), receipt_handle })
    }

    /// Deletes a message; says whether it was there.
    pub(crate) fn delete(&mut self, name: &str, receipt_handle: &str) -> Result<bool, ApiError> {
        let number = self.number(name, receipt_handle)?;
        let Some(stored) = self.messages.get(&number) else { return Ok(false) };
        let latest = stored.receipts.iter().any(|receipt| receipt == receipt_handle);
        let in_flight = matches!(stored.state, MessageState::InFlight(_));
        if self.attributes.fifo && !(latest && in_flight) {
            return Err(expired(receipt_handle));
        }
        // A standard queue says yes to an old handle and keeps the message.
        if latest {
            self.remove(number);
        }
        Ok(latest)
    }

    pub(crate) fn change_visibility(
        &mut self,
        now: Timestamp,
        name: &str,
        receipt_handle: &str,
        seconds: i64,
    ) -> Result<(), ApiError> {
        let wrong = |reason: &str| {
            parameter(&format!(
                "Value {seconds} for parameter VisibilityTimeout is invalid. Reason: {reason}"
            ))
        };
        let wanted = u64::try_from(seconds).ok().filter(|seconds| *seconds <= MAX_VISIBILITY_SECONDS);
        let wanted = wanted.ok_or_else(|| wrong("Must be between 0 and 43200, if provided."))?;
        let number = self.number(name, receipt_handle)?;
        let stored = self.messages.get(&number).ok_or_else(|| expired(receipt_handle))?;
        if !stored.receipts.iter().any(|receipt| receipt == receipt_handle) {
            return Err(expired(receipt_handle));
        }
        if !matches!(stored.state, MessageState::InFlight(_)) {
            return Err(ApiError::new("MessageNotInflight", ""));
        }
        let until = after(now, wanted);
        if until > after(stored.received, MAX_VISIBILITY_SECONDS) {
            return Err(wrong(
                "Total VisibilityTimeout for the message is beyond the limit [43200 seconds].",
            ));
        }
        self.place(number, MessageState::InFlight(until));
        self.wake(now);
        Ok(())
    }

    pub(crate) fn purge(&mut self, now: Timestamp) -> bool {
        if self.purged.is_some_and(|at| after(at, PURGE_SECONDS) > now) {
            return false;
        }
        self.purged = Some(now);
        let all: Vec<u64> = self.messages.keys().copied().collect();
        for number in all {
            self.remove(number);
        }
        true
    }

    /// 20 digits, too many for 64 bits, and never the one after the last.
    fn sequence_number(&self) -> Option<String> {
        let number = 18_850_000_000_000_000_000_u128 + u128::from(self.last + 1) * 256;
        self.attributes.fifo.then(|| number.to_string())
    }

    fn keep(&mut self, message: Message, state: MessageState, since: Timestamp) {
        self.last += 1;
        let expires = after(since, self.attributes.retention_seconds);
        self.expiring.insert((expires, self.last));
        let stored = Stored { message, state, received: since, expires, receipts: Vec::new() };
        self.messages.insert(self.last, stored);
        let group = self.group_of(self.last);
        self.index.enter(self.last, state, group.as_deref());
    }

    fn hand_out(&mut self, number: u64, name: &str, now: Timestamp) -> Option<Received> {
        let receipt_handle = self.receipt(name, number);
        let stored = self.messages.get_mut(&number)?;
        stored.received = now;
        stored.receipts = vec![receipt_handle.clone()];
        stored.message.receive_count += 1;
        stored.message.first_received.get_or_insert(now);
        Some(Received { message: stored.message.clone(), receipt_handle })
    }

    fn receipt(&mut self, name: &str, number: u64) -> String {
        URL_SAFE_NO_PAD.encode(format!("{name} {number} {}", self.ids.uuid()))
    }

    /// The message that a handle was made for.
    fn number(&self, name: &str, receipt_handle: &str) -> Result<u64, ApiError> {
        let read = || {
            let text = String::from_utf8(URL_SAFE_NO_PAD.decode(receipt_handle).ok()?).ok()?;
            let mut parts = text.split(' ');
            let number = parts.next().filter(|queue| *queue == name).and(parts.next())?;
            number.parse().ok().filter(|number| *number <= self.last)
        };
        read().ok_or_else(|| {
            let message =
                format!("The input receipt handle \"{receipt_handle}\" is not a valid receipt handle.");
            ApiError::new("ReceiptHandleIsInvalid", message)
        })
    }

    /// The group that orders a message: only a FIFO queue has such.
    fn group_of(&self, number: u64) -> Option<String> {
        let stored = self.messages.get(&number).filter(|_| self.attributes.fifo)?;
        stored.message.group.clone()
    }

    fn remove(&mut self, number: u64) -> Option<Message> {
        let group = self.group_of(number);
        let stored = self.messages.remove(&number)?;
        self.expiring.remove(&(stored.expires, number));
        self.index.leave(number, stored.state, group.as_deref());
        Some(stored.message)
    }

    fn place(&mut self, number: u64, state: MessageState) {
        let group = self.group_of(number);
        let Some(stored) = self.messages.get_mut(&number) else { return };
        let before = std::mem::replace(&mut stored.state, state);
        self.index.leave(number, before, group.as_deref());
        self.index.enter(number, state, group.as_deref());
    }
}

fn expired(receipt_handle: &str) -> ApiError {
    parameter(&format!(
        "Value {receipt_handle} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired."
    ))
}

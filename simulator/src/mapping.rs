//! What Lambda does between a queue and a function: an event source mapping, one step at a time.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::lineage;
use crate::model::Model;
use crate::model::error::ApiError;
use crate::model::functions::RecursiveLoop;
use crate::model::ids::Ids;
use crate::model::message::body_md5;
use crate::model::queue::Received;
use crate::model::queues::QueueName;
use crate::server::Server;

/// Hands a queue's messages to a function as Lambda does, and does with them what its answer says.
///
/// It has no thread and no clock of its own: every step is a call, so that the same steps give the same run.
/// Several batches can be out at once; of one group of a FIFO queue there is never more than one.
///
/// ```
/// # async fn example(handler: impl Fn(serde_json::Value) -> serde_json::Value) -> Result<(), Box<dyn std::error::Error>> {
/// use simulator::{Ended, EventSourceMapping, Next, QueueAttributes, QueueName, Server};
/// # let simulator = Server::start(simulator::World::example(), simulator::Options::default()).await?;
/// let tasks = QueueName::new("111111111111", "us-east-1", "tasks.fifo");
/// simulator.with(|model| {
///     model.create_queue(&tasks, QueueAttributes { fifo: true, ..QueueAttributes::default() })
/// })?;
/// let mut mapping = EventSourceMapping::new(&tasks).batch_size(1).maximum_concurrency(5).shuffled(7);
/// loop {
///     match mapping.next(&simulator)? {
///         Next::Batch { invocation, event } => {
///             mapping.finish(&simulator, invocation, &Ended::Answered(handler(event)))?;
///         }
///         Next::Busy | Next::Idle => break,
///         Next::Later(until) => simulator.with(|model| model.clock.set(until)),
///     }
/// }
/// # Ok(())
/// # }
/// # let handled = example(|_| serde_json::Value::Null);
/// # tokio::runtime::Runtime::new().unwrap().block_on(handled).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct EventSourceMapping {
    queue: QueueName,
    batch_size: usize,
    maximum_concurrency: usize,
    partial: bool,
    /// About one message of so many is handed out twice; none at 0.
    duplicating: u64,
    shuffled: bool,
    dice: Ids,
    /// The ARN of the function, where Lambda counts its runs.
    function: Option<String>,
    running: BTreeMap<u64, Vec<Received>>,
    traces: BTreeMap<u64, String>,
    invocations: u64,
    /// What will be handed out once more.
    again: Vec<Received>,
}

/// What there is to do next.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// The function is to be called.
    Batch {
        /// The number of the call, for [`EventSourceMapping::finish`].
        invocation: u64,
        /// The event, as Lambda makes it.
        event: Value,
    },
    /// As many calls are running as may.
    Busy,
    /// Nothing is visible until then, unless a call ends or a message is sent before.
    Later(Timestamp),
    /// Nothing is there that time alone would bring; running calls may leave something.
    Idle,
}

/// How a call of the function ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ended {
    /// It answered. What `batchItemFailures` names is left in the queue.
    Answered(Value),
    /// It answered with an error: the whole batch is left in the queue.
    Failed,
    /// It never answered: as with an error.
    Crashed,
}

/// What became of a batch, by the ids of its messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Finished {
    /// Deleted.
    pub deleted: Vec<String>,
    /// Left in the queue, to become visible again when their visibility timeout is over; or not deleted
    /// because it was over already.
    pub left: Vec<String>,
}

impl EventSourceMapping {
    /// A mapping of batches of up to 10, one call at a time, in the order of the queue, whose function
    /// reports the items of a batch that failed.
    pub fn new(queue: &QueueName) -> EventSourceMapping {
        EventSourceMapping {
            queue: queue.clone(),
            batch_size: 10,
            maximum_concurrency: 1,
            partial: true,
            duplicating: 0,
            shuffled: false,
            dice: Ids::seeded(0),
            function: None,
            running: BTreeMap::new(),
            traces: BTreeMap::new(),
            invocations: 0,
            again: Vec::new(),
        }
    }

    /// How many messages a call gets at most.
    #[must_use]
    pub fn batch_size(mut self, messages: usize) -> EventSourceMapping {
        self.batch_size = messages.max(1);
        self
    }

    /// How many calls run at once at most.
    #[must_use]
    pub fn maximum_concurrency(mut self, calls: usize) -> EventSourceMapping {
        self.maximum_concurrency = calls.max(1);
        self
    }

    /// Whether the function reports the items of a batch that failed; if not, its answer isn't looked at.
    #[must_use]
    pub fn report_batch_item_failures(mut self, reports: bool) -> EventSourceMapping {
        self.partial = reports;
        self
    }

    /// Takes messages in any order that the queue allows, in batches of any size: which, the seed decides.
    /// Within a group of a FIFO queue the order stays.
    #[must_use]
    pub fn shuffled(mut self, seed: u64) -> EventSourceMapping {
        self.shuffled = true;
        self.dice = Ids::seeded(seed);
        self
    }

    /// Hands out about one message of so many twice, the second time in a later batch, as a standard queue
    /// may; a FIFO queue doesn't.
    #[must_use]
    pub fn duplicating(mut self, one_of: u64) -> EventSourceMapping {
        self.duplicating = one_of;
        self
    }

    /// Counts the runs of a function of the model in each chain of messages, and stops a chain after 16 of
    /// them unless the function's settings allow it to go on. Messages of a chain that is stopped are left in
    /// the queue, handed out again when their visibility timeout is over, and in the end are dead letters.
    #[must_use]
    pub fn of_function(mut self, arn: &str) -> EventSourceMapping {
        self.function = Some(arn.to_owned());
        self
    }

    /// The header of the trace that a call belongs to: what the function's runtime is given, and what its
    /// clients pass on. Only where the function is known.
    pub fn trace(&self, invocation: u64) -> Option<&str> {
        self.traces.get(&invocation).map(String::as_str)
    }

    /// The calls that are running, by their numbers.
    pub fn running(&self) -> impl Iterator<Item = u64> {
        self.running.keys().copied()
    }

    /// The next call of the function, or why there is none now.
    ///
    /// # Errors
    /// `QueueDoesNotExist`.
    pub fn next(&mut self, simulator: &Server) -> Result<Next, ApiError> {
        simulator.with(|model| self.next_of(model))
    }

    fn next_of(&mut self, model: &mut Model) -> Result<Next, ApiError> {
        if self.running.len() >= self.maximum_concurrency {
            return Ok(Next::Busy);
        }
        let ready = model.awake(&self.queue)?.has_ready();
        if !self.again.is_empty() && (!ready || self.dice.below(2) == 0) {
            return Ok(self.repeat(model));
        }
        let most = if self.shuffled {
            1 + self.dice.below(self.batch_size as u64) as usize
        } else {
            self.batch_size
        };
        let shuffle = self.shuffled.then_some(&mut self.dice);
        let mut received = model.receive_shuffled(&self.queue, most, None, shuffle)?;
        if self.is_stopped(model, &received) {
            // Nobody is called, and nothing deletes them.
            received.clear();
            if model.awake(&self.queue)?.has_ready() {
                return self.next_of(model);
            }
        }
        if received.is_empty() {
            return self.later(model);
        }
        let fifo = model.awake(&self.queue)?.attributes.fifo;
        for each in received.iter().filter(|_| self.duplicating > 0 && !fifo) {
            if self.dice.below(self.duplicating) == 0 {
                self.again.push(each.clone());
            }
        }
        Ok(self.call(received))
    }

    /// Goes on with the clock to when something becomes visible that no running call holds; says when that
    /// is, and nothing where there is no such time. Calls that are running are not to outlast their
    /// visibility timeout, which AWS doesn't admit: end them first.
    ///
    /// # Errors
    /// `QueueDoesNotExist`.
    pub fn wait(&mut self, simulator: &Server) -> Result<Option<Timestamp>, ApiError> {
        simulator.with(|model| {
            loop {
                if model.awake(&self.queue)?.has_ready() || !self.again.is_empty() {
                    return Ok(Some(model.now()));
                }
                let Next::Later(until) = self.later(model)? else { return Ok(None) };
                model.clock.set(until);
                model.settle();
            }
        })
    }

    /// When the next call of the function can be: now where something is visible, nothing where nothing is left or
    /// no further call may run. Receives nothing.
    ///
    /// # Errors
    /// `QueueDoesNotExist`.
    pub fn next_time(&self, simulator: &Server) -> Result<Option<Timestamp>, ApiError> {
        simulator.with(|model| {
            if self.running.len() >= self.maximum_concurrency {
                return Ok(None);
            }
            if model.awake(&self.queue)?.has_ready() || !self.again.is_empty() {
                return Ok(Some(model.now()));
            }
            Ok(match self.later(model)? {
                Next::Later(until) => Some(until),
                Next::Idle | Next::Busy | Next::Batch { .. } => None,
            })
        })
    }

    /// Ends a call: what it did is deleted, and the rest left to become visible again.
    ///
    /// # Errors
    /// `QueueDoesNotExist`.
    pub fn finish(
        &mut self,
        simulator: &Server,
        invocation: u64,
        ended: &Ended,
    ) -> Result<Finished, ApiError> {
        let Some(batch) = self.running.remove(&invocation) else { return Ok(Finished::default()) };
        self.traces.remove(&invocation);
        let ids: Vec<&str> = batch.iter().map(|received| received.message.id.as_str()).collect();
        let failed = match ended {
            Ended::Answered(_) if !self.partial => Some(BTreeSet::new()),
            Ended::Answered(answer) => failures(answer, &ids),
            Ended::Failed | Ended::Crashed => None,
        };
        simulator.with(|model| {
            model.awake(&self.queue)?;
            let mut finished = Finished::default();
            for received in &batch {
                let id = received.message.id.clone();
                let done = failed.as_ref().is_some_and(|failed| !failed.contains(id.as_str()));
                // A handle that is too old deletes nothing, and nobody tells the function.
                let deleted =
                    done && model.delete_message(&self.queue, &received.receipt_handle).unwrap_or_default();
                if deleted { finished.deleted.push(id) } else { finished.left.push(id) }
            }
            Ok(finished)
        })
    }

    /// Hands out something a second time: a copy that was there when the first was received, whatever has
    /// become of that one.
    fn repeat(&mut self, model: &mut Model) -> Next {
        let which = self.dice.below(self.again.len() as u64) as usize;
        let first = self.again.remove(which);
        let awake = model.awake(&self.queue).ok();
        let fresh = awake.and_then(|queue| queue.receive_again(&self.queue.name, &first.receipt_handle));
        self.call(vec![fresh.unwrap_or(first)])
    }

    fn later(&self, model: &mut Model) -> Result<Next, ApiError> {
        let held = self.running.values().flatten().map(|received| received.message.id.as_str()).collect();
        let next = model.awake(&self.queue)?.next_change_besides(&held);
        Ok(next.map_or(Next::Idle, Next::Later))
    }

    /// Whether Lambda takes the function for one that runs in a loop.
    fn is_stopped(&self, model: &Model, batch: &[Received]) -> bool {
        let Some(arn) = &self.function else { return false };
        let allowed = model.function(arn).is_some_and(|it| it.recursive_loop == RecursiveLoop::Allow);
        !allowed && longest(batch, arn).is_some_and(|header| lineage::runs(header, arn) >= lineage::MOST_RUNS)
    }

    fn call(&mut self, batch: Vec<Received>) -> Next {
        self.invocations += 1;
        if let Some(arn) = &self.function {
            let trace = lineage::of_run(longest(&batch, arn), arn, self.invocations);
            self.traces.insert(self.invocations, trace);
        }
        let records: Vec<Value> = batch.iter().map(|received| self.record(received)).collect();
        self.running.insert(self.invocations, batch);
        Next::Batch { invocation: self.invocations, event: json!({ "Records": records }) }
    }

    fn record(&self, received: &Received) -> Value {
        let message = &received.message;
        let attributes: Map<String, Value> = message
            .attributes
            .iter()
            .map(|(name, value)| {
                let mut shown = json!({
                    "stringListValues": [],
                    "binaryListValues": [],
                    "dataType": value["DataType"],
                });
                for (from, to) in [("StringValue", "stringValue"), ("BinaryValue", "binaryValue")] {
                    if let Some(value) = value.get(from) {
                        shown[to] = value.clone();
                    }
                }
                (name.clone(), shown)
            })
            .collect();
        json!({
            "messageId": message.id,
            "receiptHandle": received.receipt_handle,
            "body": message.body,
            "attributes": message.system(),
            "messageAttributes": attributes,
            "md5OfBody": body_md5(&message.body),
            "eventSource": "aws:sqs",
            "eventSourceARN": self.queue.arn(),
            "awsRegion": self.queue.region,
        })
    }
}

/// Of the traces of a batch, the one in which the function ran most often.
fn longest<'a>(batch: &'a [Received], function: &str) -> Option<&'a str> {
    let headers = batch.iter().filter_map(|received| {
        received.message.system_attributes.get("AWSTraceHeader")?.get("StringValue")?.as_str()
    });
    headers.max_by_key(|header| lineage::runs(header, function))
}

/// The items that an answer says have failed; nothing where Lambda takes the whole batch as failed.
///
/// No answer and an empty one mean success; an id that isn't of this batch, or none, means failure.
fn failures<'a>(answer: &Value, ids: &[&'a str]) -> Option<BTreeSet<&'a str>> {
    let items = match answer {
        Value::Null => return Some(BTreeSet::new()),
        Value::Object(members) => members.get("batchItemFailures"),
        _ => return None,
    };
    match items {
        None | Some(Value::Null) => Some(BTreeSet::new()),
        Some(Value::Array(items)) => items
            .iter()
            .map(|item| {
                let named = item.get("itemIdentifier")?.as_str()?;
                ids.iter().copied().find(|id| *id == named)
            })
            .collect(),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_as_lambda_reads_it() {
        let ids = ["a", "b"];
        for nothing_failed in
            [json!(null), json!({}), json!({ "batchItemFailures": null }), json!({ "batchItemFailures": [] })]
        {
            assert_eq!(failures(&nothing_failed, &ids), Some(BTreeSet::new()), "{nothing_failed}");
        }
        let one = json!({ "batchItemFailures": [{ "itemIdentifier": "b" }] });
        assert_eq!(failures(&one, &ids), Some(BTreeSet::from(["b"])));
        for everything_failed in [
            json!("done"),
            json!({ "batchItemFailures": "b" }),
            json!({ "batchItemFailures": [{ "itemIdentifier": "" }] }),
            json!({ "batchItemFailures": [{ "itemIdentifier": null }] }),
            json!({ "batchItemFailures": [{ "itemIdentifier": "c" }] }),
            json!({ "batchItemFailures": [{ "messageId": "b" }] }),
        ] {
            assert_eq!(failures(&everything_failed, &ids), None, "{everything_failed}");
        }
    }
}

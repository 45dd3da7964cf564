//! What EventBridge does between buses and a queue: a rule, one step at a time.

use std::fmt;

use serde_json::Value;

use crate::model::error::ApiError;
use crate::model::message::SendMessage;
use crate::model::queues::QueueName;
use crate::server::Server;

/// As whom EventBridge sends.
const SENDER: &str = "AIDAEVENTBRIDGE00000";

/// Sends events to a queue, each as the body of a message: those that AWS emits, wherever in the organization,
/// and those that programs put on buses.
///
/// Nothing happens by itself: [`EventRule::deliver`] sends what is new.
///
/// ```
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use simulator::{EventRule, QueueAttributes, QueueName};
/// # let simulator = simulator::Server::start(simulator::World::example(), simulator::Options::default()).await?;
/// let events = QueueName::new("111111111111", "us-east-1", "events");
/// simulator.with(|model| model.create_queue(&events, QueueAttributes::default()))?;
/// let mut rule = EventRule::to(&events).matching(|event| event["source"] == "aws.organizations");
/// simulator.with(|model| model.move_account("300000000005", "ou-exam-workload"))?;
/// assert_eq!(rule.deliver(&simulator)?, 1, "MoveAccount");
/// # Ok(())
/// # }
/// # tokio::runtime::Runtime::new().unwrap().block_on(example()).unwrap();
/// ```
pub struct EventRule {
    queue: QueueName,
    account: Option<String>,
    region: Option<String>,
    bus: Option<String>,
    matching: Option<Box<Matching>>,
    seen: u64,
    seen_put: u64,
}

type Matching = dyn Fn(&Value) -> bool + Send + Sync;

impl fmt::Debug for EventRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventRule").field("queue", &self.queue).finish_non_exhaustive()
    }
}

impl EventRule {
    /// A rule for every event from the simulator's start on.
    pub fn to(queue: &QueueName) -> EventRule {
        EventRule {
            queue: queue.clone(),
            account: None,
            region: None,
            bus: None,
            matching: None,
            seen: 0,
            seen_put: 0,
        }
    }

    /// Only events of this account's buses.
    #[must_use]
    pub fn account(mut self, account: &str) -> EventRule {
        self.account = Some(account.to_owned());
        self
    }

    /// Only events of this Region's buses.
    #[must_use]
    pub fn region(mut self, region: &str) -> EventRule {
        self.region = Some(region.to_owned());
        self
    }

    /// Of the events that programs put, only those on the bus of this name. AWS's own are not asked: rules
    /// bring them to whatever bus they are wanted on.
    #[must_use]
    pub fn bus(mut self, name: &str) -> EventRule {
        self.bus = Some(name.to_owned());
        self
    }

    /// Only events for which this is so.
    #[must_use]
    pub fn matching(mut self, wanted: impl Fn(&Value) -> bool + Send + Sync + 'static) -> EventRule {
        self.matching = Some(Box::new(wanted));
        self
    }

    /// Only events from now on.
    #[must_use]
    pub fn from_now(mut self, simulator: &Server) -> EventRule {
        (self.seen, self.seen_put) = simulator.with(|model| (model.emitted, model.put));
        self
    }

    /// Sends what is new, in the order in which it came about; says how many messages that were.
    ///
    /// # Errors
    /// `QueueDoesNotExist`, and what else a queue may have against a message; then nothing counts as sent
    /// that wasn't.
    pub fn deliver(&mut self, simulator: &Server) -> Result<usize, ApiError> {
        simulator.with(|model| {
            // A simulator that was set back counts from 1 again.
            if model.emitted < self.seen || model.put < self.seen_put {
                (self.seen, self.seen_put) = (0, 0);
            }
            let own = model.events().iter().filter(|event| event.sequence > self.seen);
            let own = own.map(|event| {
                let wanted = self.wants(&event.account, &event.region, None, &event.event);
                ((event.sequence, 0), wanted, &event.event)
            });
            let put = model.put_events().iter().filter(|event| event.sequence > self.seen_put);
            let put = put.map(|event| {
                let wanted = self.wants(&event.account, &event.region, Some(&event.bus), &event.event);
                ((event.after, event.sequence), wanted, &event.event)
            });
            let mut new: Vec<((u64, u64), String)> = own
                .chain(put)
                .filter(|(_, wanted, _)| *wanted)
                .map(|(place, _, event)| (place, event.to_string()))
                .collect();
            new.sort();
            let mut sent = 0;
            for ((own, put), body) in new {
                model.send_message(&self.queue, SENDER, SendMessage::new(body))?;
                if put == 0 {
                    self.seen = own;
                } else {
                    self.seen_put = put;
                }
                sent += 1;
            }
            (self.seen, self.seen_put) = (model.emitted, model.put);
            Ok(sent)
        })
    }

    fn wants(&self, account: &str, region: &str, bus: Option<&str>, event: &Value) -> bool {
        let only = |wanted: &Option<String>, seen: &str| wanted.as_ref().is_none_or(|wanted| wanted == seen);
        only(&self.account, account)
            && only(&self.region, region)
            && bus.is_none_or(|bus| only(&self.bus, bus))
            && self.matching.as_ref().is_none_or(|matching| matching(event))
    }
}

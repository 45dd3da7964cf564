//! How events come from the buses to the queue: most once, some twice, some late, some never, in any order.

use jiff::Timestamp;
use serde_json::Value;
use simulator::{QueueName, SendMessage, Server};

use super::figures::Figures;
use testkit::histories::dice::Dice;

/// As whom EventBridge sends.
const SENDER: &str = "AIDAEVENTBRIDGE00000";

/// How the keeper's own sessions end.
const OWN_SESSION: &str = "/guardrail-keeper\"";

/// What becomes of one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Once,
    Twice,
    Late,
    Lost,
}

/// What brings events to the queue.
pub(crate) struct Post {
    queue: QueueName,
    seed: u64,
    /// Whether events may be lost.
    loses: bool,
    seen: u64,
    seen_put: u64,
    /// What is on its way and will be there, of all that happened since somebody asked last.
    arrived: Vec<Arrived>,
}

impl Post {
    pub(crate) fn to(queue: &QueueName, seed: u64, loses: bool, server: &Server) -> Post {
        let (seen, seen_put) = server.with(|model| {
            let last = model.events().last().map_or(0, |event| event.sequence);
            (last, model.put_events().last().map_or(0, |event| event.sequence))
        });
        Post { queue: queue.clone(), seed, loses, seen, seen_put, arrived: Vec::new() }
    }

    /// Whoever watches over the end sees to it that everything arrives.
    pub(crate) fn loses_nothing_any_more(&mut self) {
        self.loses = false;
    }

    /// What arrives sooner or later, of all that happened since this was asked last.
    pub(crate) fn arrived(&mut self) -> Vec<Arrived> {
        std::mem::take(&mut self.arrived)
    }

    /// Nobody ever hears of what happened since something was brought last.
    pub(crate) fn lose_what_happened(&mut self, server: &Server) {
        self.seen = server.with(|model| model.events().last().map_or(self.seen, |event| event.sequence));
    }

    /// Brings what is new. What becomes of an event depends on its number alone, so that leaving out a step
    /// changes little about the others.
    pub(crate) fn deliver(&mut self, server: &Server, figures: &mut Figures) {
        let mut new: Vec<(u64, String)> = server.with(|model| {
            let own = model.events().iter().filter(|event| event.sequence > self.seen);
            let own: Vec<_> = own.map(|event| (event.sequence * 2, event.event.to_string())).collect();
            let put = model.put_events().iter().filter(|event| event.sequence > self.seen_put);
            // What the keeper tells others is nothing that it listens to; what it is asked for is.
            let asked = put.clone().filter(|event| event.event["source"] == "guardrail-keeper.request");
            let asked: Vec<_> =
                asked.map(|event| (event.sequence * 2 + 1, event.event.to_string())).collect();
            self.seen_put = put.map(|event| event.sequence).max().unwrap_or(self.seen_put);
            self.seen = model.events().last().map_or(self.seen, |event| event.sequence);
            own.into_iter().chain(asked).collect()
        });
        let mut dice = Dice::new(self.seed ^ new.len() as u64);
        if new.len() > 1 {
            let at = dice.below(new.len());
            new.rotate_left(at);
        }
        for (number, body) in new {
            let mut dice = Dice::new(self.seed.wrapping_mul(31) ^ number);
            let fate = *dice.weighted(&[
                (60, Fate::Once),
                (14, Fate::Twice),
                (14, Fate::Late),
                (12, if self.loses { Fate::Lost } else { Fate::Once }),
            ]);
            let delay = (fate == Fate::Late).then(|| 1 + dice.below(900) as i64);
            let copies = match fate {
                Fate::Lost => 0,
                Fate::Once | Fate::Late => 1,
                Fate::Twice => 2,
            };
            figures.lost += usize::from(fate == Fate::Lost);
            figures.twice += usize::from(fate == Fate::Twice);
            figures.late += usize::from(fate == Fate::Late);
            figures.events += 1;
            if copies > 0 {
                self.arrived.push(Arrived::of(&body));
            }
            for _ in 0..copies {
                let message = SendMessage { delay_seconds: delay, ..SendMessage::new(body.clone()) };
                server.with(|model| {
                    model.send_message(&self.queue, SENDER, message).expect("the queue takes it");
                });
            }
        }
    }
}

/// An event that arrives sooner or later.
#[derive(Clone, Debug)]
pub(crate) struct Arrived {
    /// When what it tells of happened, and in which account.
    pub(crate) happened: Timestamp,
    account: String,
    text: String,
}

impl Arrived {
    fn of(event: &str) -> Arrived {
        let text = event.to_owned();
        let event: Value = serde_json::from_str(event).unwrap_or_default();
        let time = event["detail"]["eventTime"].as_str().or(event["time"].as_str());
        let happened = time.and_then(|time| time.parse().ok()).unwrap_or(Timestamp::MIN);
        let account = event["account"].as_str().unwrap_or_default().to_owned();
        Arrived { happened, account, text }
    }

    /// Whether it may have an account looked at: it names it, or is about what the owner gives to everybody, and is not of
    /// the keeper's own doing.
    pub(crate) fn may_be_about(&self, account: &str, owner: &str) -> bool {
        !self.text.contains(OWN_SESSION) && (self.account == owner || self.text.contains(account))
    }
}

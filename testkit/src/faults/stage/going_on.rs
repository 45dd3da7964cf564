//! What happens by itself on a stage: sweeps, the queues, and the time that goes by.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use simulator::{Next, SendMessage};

use super::{Stage, TOO_MANY, Work};
use crate::faults::scenario::Ends;
use crate::faults::world::World;
use crate::queues::{self, EMPTY, events_queue};

impl Stage {
    /// All that follows from what happened, by itself.
    pub(super) async fn go_on(&mut self) -> Result<(), String> {
        match (self.scenario.settles(), &self.fault) {
            (true, _) => self.settle().await,
            (false, None) => self.go_on_until_a_sweep().await,
            // What was struck comes again, after a while; in other worlds that may be late already.
            (false, Some(_)) if self.world == World::Plain => self.go_on_for(2 * self.scenario.lasts()).await,
            (false, Some(_)) => self.go_on_for(3 * self.scenario.lasts()).await,
        }
    }

    /// As well, but what waits for longer than that waits for the sweep.
    pub async fn go_on_until_a_sweep(&mut self) -> Result<(), String> {
        self.go_on_for(self.scenario.lasts()).await
    }

    pub(super) async fn go_on_for(&mut self, time: Duration) -> Result<(), String> {
        let end = self.server.with(|model| model.clock.now()) + time;
        self.work_until(end).await
    }

    pub(super) async fn sweep(&mut self) -> Result<(), String> {
        self.send_schedule();
        match self.scenario.end_state(self.over) {
            // What is unguarded is looked at again, for a day.
            Ends::Unguarded if self.has_begun() => self.go_on_for(2 * self.scenario.lasts()).await,
            Ends::Unguarded | Ends::AsWanted | Ends::ForeignStays => self.settle().await,
        }
    }

    pub(super) fn send_schedule(&mut self) {
        self.sweeps += 1;
        let hub = self.setting.hub();
        let event = json!({
            "version": "0",
            "id": format!("00000000-0000-4000-8000-{:012}", self.sweeps),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": hub,
            "time": "2026-11-02T10:00:00Z",
            "region": self.setting.regions()[0],
            "resources": [format!("arn:aws:events:us-east-1:{hub}:rule/guardrail-keeper-sweep")],
            "detail": {},
        });
        let message = SendMessage { body: event.to_string(), ..SendMessage::default() };
        self.server.with(|model| {
            model.send_message(&events_queue(&hub), &hub, message).expect("the queue takes it");
        });
    }

    /// Works until the queues are empty; the clock goes on where all there is waits.
    pub(super) async fn settle(&mut self) -> Result<(), String> {
        self.work_until(Timestamp::MAX).await?;
        let left = queues::left(&self.server, &self.setting.hub());
        if left == EMPTY { Ok(()) } else { Err(format!("left in the queues: {left}")) }
    }

    pub(super) async fn work_until(&mut self, end: Timestamp) -> Result<(), String> {
        for _ in 0..TOO_MANY {
            if self.server.with(|model| model.clock.now()) > end {
                return Ok(());
            }
            if self.step().await? {
                self.keep_time();
                continue;
            }
            let late = self.expect_converged().is_err();
            if !queues::wait(&self.server, [&mut self.events, &mut self.tasks]) {
                return Ok(());
            }
            self.keep_time();
            if late {
                self.late_until = Some(self.server.with(|model| model.clock.now()));
            }
        }
        Err("it goes on for ever".to_owned())
    }

    /// How many seconds it took until everything was as wanted, since something happened.
    pub(super) fn took_seconds(&self) -> i64 {
        match (self.happened_at, self.late_until) {
            (Some(at), Some(until)) => until.as_second() - at.as_second(),
            _ => 0,
        }
    }

    /// The keeper's clock goes on to the simulator's. It never goes back.
    pub(super) fn keep_time(&self) {
        let ahead = self.server.with(|model| model.clock.now().as_second()) - self.clock.now().as_second();
        self.clock.advance(ahead.max(0));
    }

    pub(super) async fn step(&mut self) -> Result<bool, String> {
        self.rule.deliver(&self.server).expect("the queue exists");
        for is_task in [true, false] {
            let mapping = if is_task { &mut self.tasks } else { &mut self.events };
            let Next::Batch { invocation, event } = mapping.next(&self.server).expect("the queue exists")
            else {
                continue;
            };
            // Where the queue is the process's own, the event itself is handed over, and again after a failure.
            let payload = match self.scenario.is_queued() {
                true => event.to_string(),
                false => event["Records"][0]["body"].as_str().unwrap_or_default().to_owned(),
            };
            if let Some(group) = event["Records"][0]["attributes"]["MessageGroupId"].as_str() {
                *self.turns.entry(group.to_owned()).or_default() += 1;
            }
            let ended = match self.planted_end(is_task, &payload) {
                Some(ended) => ended,
                None => self.invoke(&Work::Payload(payload)).await?,
            };
            let mapping = if is_task { &mut self.tasks } else { &mut self.events };
            mapping.finish(&self.server, invocation, &ended).expect("the queue exists");
            return Ok(true);
        }
        Ok(false)
    }
}

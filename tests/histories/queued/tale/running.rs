//! Invocations that are under way: each goes on only while it is its turn.

use super::*;

/// An invocation that is under way, and stands still unless it is its turn.
pub(super) struct Running {
    pub(super) number: usize,
    pub(super) is_task: bool,
    pub(super) invocation: u64,
    /// What it works on, if that is a task.
    pub(super) group: Option<String>,
    pub(super) process: usize,
    pub(super) messages: Vec<String>,
    pub(super) began: Timestamp,
    /// The same by the keepers' clock.
    pub(super) since: Timestamp,
    /// Whether nothing was wrong when it began, and what had happened until then.
    pub(super) calm: bool,
    pub(super) happened: usize,
    pub(super) future: Pin<Box<dyn Future<Output = Ended>>>,
}

impl Tale<'_> {
    pub(super) async fn work(&mut self, turns: usize, dice: &mut Dice) -> Result<(), Violation> {
        for _ in 0..turns {
            if !self.turn(dice).await? {
                break;
            }
        }
        Ok(())
    }

    /// One turn: something begins, or goes on by a few calls or to its end. Says whether there was anything to do.
    async fn turn(&mut self, dice: &mut Dice) -> Result<bool, Violation> {
        self.post.deliver(&self.server, &mut self.figures);
        lock(&self.judge).arrives(self.post.arrived());
        let waits = !self.running.is_empty();
        if (!waits || dice.chance(40)) && self.start(dice).await? {
            return Ok(true);
        }
        if !waits {
            return Ok(false);
        }
        let at = dice.below(self.running.len());
        let calls = if dice.chance(35) { u64::MAX } else { 1 + dice.below(6) as u64 };
        self.advance(at, calls).await?;
        Ok(true)
    }

    /// Takes a batch from one of the queues, if there is one.
    pub(super) async fn start(&mut self, dice: &mut Dice) -> Result<bool, Violation> {
        if self.running.len() >= SIDE_BY_SIDE {
            return Ok(false);
        }
        let first = dice.chance(60);
        for is_task in [first, !first] {
            let mapping = if is_task { &mut self.tasks } else { &mut self.events };
            let next = mapping.next(&self.server).expect("the queue exists");
            let Next::Batch { invocation, event } = next else { continue };
            let free = |process: &usize| self.running.iter().all(|running| running.process != *process);
            let free: Vec<usize> = (0..SIDE_BY_SIDE).filter(free).collect();
            let process = *dice.pick(&free);
            let age =
                self.server.with(|model| model.clock.now()).as_second() - self.born[process].as_second();
            if age > OLD && !self.keeps_old {
                self.renew(process).await;
            }
            let hurried = !is_task && dice.chance(if self.manner.quiet { 50 } else { 15 });
            self.invoke(is_task, invocation, event, process, hurried)?;
            return Ok(true);
        }
        Ok(false)
    }

    fn invoke(
        &mut self,
        is_task: bool,
        invocation: u64,
        mut event: Value,
        process: usize,
        hurried: bool,
    ) -> Result<(), Violation> {
        let records = event["Records"].as_array().expect("it is a batch");
        let messages = records.iter().filter_map(|record| record["messageId"].as_str());
        let messages: Vec<String> = messages.map(str::to_owned).collect();
        let group = records[0]["attributes"]["MessageGroupId"].as_str().map(str::to_owned);
        if self.plant == Some(Plant::NeverGuards) && group.as_ref().is_some_and(|it| it.starts_with('3')) {
            self.tasks
                .finish(&self.server, invocation, &Ended::Answered(Value::Null))
                .expect("the queue exists");
            return Ok(());
        }
        if let Some(plant) = self.plant {
            plant.hand_over(&mut event, &mut self.placements);
        }
        self.figures.invocations += 1;
        self.figures.tasks += usize::from(is_task);
        self.figures.side_by_side += usize::from(!self.running.is_empty());
        let version = version_of(process);
        let other = self.running.iter().any(|running| version_of(running.process) != version);
        self.figures.both_versions += usize::from(other);
        self.begun += 1;
        let number = self.begun;
        if let Some(group) = &group {
            let body = event["Records"][0]["body"].as_str().unwrap_or_default();
            let task: Value = serde_json::from_str(body).unwrap_or_default();
            let line = format!("       {number}: version {version} begins task {group}, {}", in_short(&task));
            self.say(line);
            lock(&self.judge).begin(group, &task)?;
            let twice = self.plant == Some(Plant::WorksTwiceAtOnce);
            if twice && lock(&self.judge).begin(group, &task).is_err() {
                return broken(Invariant::OutOfTurn, format!("two invocations work on {group} at once"));
            }
        } else {
            let bodies: Vec<String> = event["Records"].as_array().into_iter().flatten().map(what).collect();
            self.say(format!("       {number}: version {version} begins with {}", bodies.join(", ")));
        }
        let acknowledges = is_task && self.plant == Some(Plant::AcknowledgesFirst);
        if acknowledges {
            let done = Ended::Answered(Value::Null);
            self.tasks.finish(&self.server, invocation, &done).expect("the queue exists");
        }
        let keeper = Arc::clone(&self.keepers[process]);
        let payload = event.to_string();
        let future = Box::pin(async move {
            let left = Deadline::after(Duration::from_secs(1));
            let deadline = if hurried { left } else { Deadline::NONE };
            match Box::pin(handle_until(&keeper, &payload, deadline)).await {
                Ok(answer) => Ended::Answered(answer),
                Err(_) => Ended::Failed,
            }
        });
        self.running.push(Running {
            number,
            is_task,
            invocation,
            group,
            process,
            messages,
            began: self.server.with(|model| model.clock.now()),
            since: self.clock.now(),
            calm: self.is_calm(),
            happened: self.happened,
            future,
        });
        Ok(())
    }

    /// Lets one invocation go on until so many calls were carried out, or to its end.
    pub(super) async fn advance(&mut self, at: usize, calls: u64) -> Result<(), Violation> {
        let until = self.server.call_count().saturating_add(calls);
        let (server, running) = (&self.server, &mut self.running[at]);
        {
            let mut judge = lock(&self.judge);
            judge.turn.clone_from(&running.group);
            judge.goes_on(running.number, running.since);
        }
        let ended = {
            let mut crashed = pin!(server.crashed());
            poll_fn(|context| {
                if crashed.as_mut().poll(context).is_ready() {
                    return Poll::Ready(Some(Ended::Crashed));
                }
                if server.call_count() >= until {
                    return Poll::Ready(None);
                }
                running.future.as_mut().poll(context).map(Some)
            })
            .await
        };
        self.judged()?;
        match ended {
            None => Ok(()),
            Some(Ended::Crashed) => {
                self.figures.crashed += 1;
                self.kill(at)
            }
            Some(ended) => {
                let running = self.running.swap_remove(at);
                self.finish(running, ended)
            }
        }
    }

    /// Ends an invocation where it is.
    pub(super) fn kill(&mut self, at: usize) -> Result<(), Violation> {
        let running = self.running.swap_remove(at);
        self.finish(running, Ended::Crashed)
    }

    fn finish(&mut self, running: Running, mut ended: Ended) -> Result<(), Violation> {
        let Running { number, is_task, invocation, group, messages, calm, happened, future, .. } = running;
        drop(future);
        let mut failed: Vec<String> = match &ended {
            Ended::Answered(answer) => {
                let items = answer["batchItemFailures"].as_array().into_iter().flatten();
                items.filter_map(|item| item["itemIdentifier"].as_str().map(str::to_owned)).collect()
            }
            Ended::Failed | Ended::Crashed => messages.clone(),
        };
        let crashed = ended == Ended::Crashed;
        match self.plant {
            Some(Plant::FailsForNothing) if !crashed => failed = messages,
            Some(Plant::SweepsForEver) if self.ending && group.is_none() => self.schedule(),
            Some(Plant::NeverRests) if group.is_some() => self.written.push(PUT.to_owned()),
            _ => {}
        }
        if !failed.is_empty() || crashed {
            let what = if crashed { "is killed" } else { "fails" };
            self.say(format!("       {number} {what}"));
            self.figures.failed += usize::from(!crashed);
        }
        for message in &failed {
            *self.failures.entry(message.clone()).or_default() += 1;
        }
        if !failed.is_empty() && !crashed && calm && self.is_calm() && happened == self.happened {
            return broken(Invariant::FailedForNothing, format!("invocation {number} failed"));
        }
        if self.plant == Some(Plant::SwallowsFailures) && !crashed {
            ended = Ended::Answered(Value::Null);
        }
        let mapping = if is_task { &mut self.tasks } else { &mut self.events };
        mapping.finish(&self.server, invocation, &ended).expect("the queue exists");
        let fails = !failed.is_empty();
        self.server.with(|model| lock(&self.judge).end_of_invocation(number, !crashed && !fails, model))?;
        let Some(group) = group else { return Ok(()) };
        let (plant, setting, wants) = (self.plant, self.setting, &self.wants);
        let judged = self.server.with(|model| {
            let mut judge = lock(&self.judge);
            if let Some(plant) = plant
                && !crashed
                && plant.act(setting, wants, &judge.book, model, &judge.faults, &group)
            {
                judge.judge_write(&group, None, model)?;
            }
            if crashed || fails {
                judge.failed(&group);
            }
            judge.end(&group, model, crashed)
        });
        self.note_leaving();
        judged
    }

    pub(super) async fn finish_all(&mut self) -> Result<(), Violation> {
        while !self.running.is_empty() {
            self.advance(self.running.len() - 1, u64::MAX).await?;
        }
        Ok(())
    }

    /// Works until the queues are empty; the clock goes on where all there is waits. Says since when everything has
    /// been as wanted, if it is by then.
    pub(super) async fn settle(&mut self, dice: &mut Dice) -> Result<Option<Timestamp>, Violation> {
        self.settle_until(Timestamp::MAX, dice).await
    }

    /// As [`Tale::settle`], but no longer than until then: what waits for longer goes on waiting.
    pub(super) async fn settle_until(
        &mut self,
        latest: Timestamp,
        dice: &mut Dice,
    ) -> Result<Option<Timestamp>, Violation> {
        let mut right = None;
        if self.ending && self.plant == Some(Plant::Dawdles) {
            self.wait(2 * LONGEST_AFTER_FAULTS);
        }
        for _ in 0..TOO_MANY {
            if self.turn(dice).await? {
                continue;
            }
            right = match self.is_guarded() {
                true => right.or(Some(self.clock.now())),
                false => None,
            };
            let next = |mapping: &mut EventSourceMapping, server: &Server| match mapping.next(server) {
                Ok(Next::Later(until)) => Some(until),
                Ok(Next::Idle | Next::Busy) => None,
                other => panic!("nothing was to be had, and then {other:?}"),
            };
            let waits = [next(&mut self.events, &self.server), next(&mut self.tasks, &self.server)];
            let Some(until) = waits.into_iter().flatten().min().filter(|until| *until <= latest) else {
                return Ok(right);
            };
            let now = self.server.with(|model| model.clock.now());
            self.wait(u64::try_from(until.as_second() - now.as_second()).unwrap_or_default().max(1));
        }
        broken(Invariant::LeftInQueues, "it goes on for ever")
    }
}

/// A task in a few words.
fn in_short(task: &Value) -> String {
    let cause = &task["cause"];
    let reason = cause["reason"].as_str().unwrap_or_default();
    format!("try {}: {reason}", cause["attempt"])
}

/// What a message of the queue of events holds, in a few words.
fn what(record: &Value) -> String {
    let body: Value = serde_json::from_str(record["body"].as_str().unwrap_or_default()).unwrap_or_default();
    match body["guardrail-keeper"].as_object().and_then(|errand| errand.keys().next()) {
        Some(errand) => format!("errand {errand}"),
        None => {
            let name = body["detail"]["eventName"].as_str().or(body["detail-type"].as_str());
            name.unwrap_or("something").to_owned()
        }
    }
}

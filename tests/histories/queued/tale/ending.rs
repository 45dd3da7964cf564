//! How a history of the deployed form ends, and what has to be so then.

use super::*;

impl Tale<'_> {
    /// The faults stop, what was broken for good is put right, and what is in the queues is done: where
    /// everything was heard, everything is right by then. After one sweep it is in any case; the second takes back
    /// what nobody needs any more, and the third writes nothing.
    pub(super) async fn end(&mut self) -> Result<(), Violation> {
        self.reckon().await?;
        self.say("the end: no faults, everything restored".to_owned());
        self.happened += 1;
        self.ending = true;
        self.end_faults().await?;
        self.let_role_come();
        self.set_ledger(true);
        self.hide_ledger(false);
        self.finish_all().await?;
        for process in 0..SIDE_BY_SIDE {
            self.restart(process).await?;
        }
        self.post.loses_nothing_any_more();
        self.keeps_old = false;
        // Whatever comes twice asks for its own end of a sweep, which would take long and show nothing new.
        self.events = EventSourceMapping::new(&events_queue(&self.setting.hub())).shuffled(self.setting.seed);
        let heard = self.manner.heard;
        if !heard && self.setting.seed.is_multiple_of(2) {
            self.wants = self.wants.begun_anew(self.setting);
        }
        if !heard || is_out_of_order(&self.wants) {
            self.wants.put_right();
            self.publish();
        }
        if !heard {
            let (setting, wants, made) = (self.setting, &self.wants, &mut self.made);
            self.server.with(|model| {
                Stage { setting, wants, model, made }.restore();
                lock(&self.judge).meddled(model, true);
            });
            self.approve_and_hear().await;
        }
        let mut dice = Dice::new(self.setting.seed);
        let took = self.settle_within(LONGEST_AFTER_FAULTS, &mut dice).await?;
        let slowest = &mut self.figures.slowest;
        slowest.after_faults = slowest.after_faults.max(took);
        if heard {
            slowest.by_events = slowest.by_events.max(took);
        }
        self.bury()?;
        let waits = lock(&self.judge).may_wait_for_a_person();
        if waits {
            self.say("     the baseline named an account that wasn't there, and is approved".to_owned());
            self.approve_and_hear().await;
        }
        self.check_status()?;
        if heard && !waits {
            self.say("     as wanted, without a sweep".to_owned());
            if let Err(Violation { what, .. }) = self.check_guarded(false) {
                return broken(Invariant::NeedsTheSweep, what);
            }
            self.figures.unswept += 1;
        }
        if self.plant.is_some_and(|plant| !plant.shows_in_the_end()) {
            // A planted bug is to be noticed before, where a sweep doesn't make up for it.
            return Ok(());
        }
        self.wait(60);
        if self.awaits_approval() {
            self.say("     a sweep, and what it shows to be released is approved".to_owned());
            self.schedule();
            self.settle(&mut dice).await?;
            self.approve_and_hear().await;
            self.wait(60);
        }
        for sweep in 0..3 {
            self.say("     a sweep".to_owned());
            self.written.clear();
            self.schedule();
            let took = self.settle_within(LONGEST_SWEEP, &mut dice).await?;
            self.figures.slowest.sweep = self.figures.slowest.sweep.max(took);
            self.expect_empty()?;
            if sweep == 0 {
                self.check_said()?;
                self.check_guarded(true)?;
            }
            self.check_status()?;
            self.expect_rest(sweep)?;
            self.wait(60);
        }
        Ok(())
    }

    /// Works until the queues are empty. Says how long it took, by the simulator's clock and in seconds, until
    /// everything was as wanted.
    async fn settle_within(&mut self, longest: u64, dice: &mut Dice) -> Result<u64, Violation> {
        let began = self.clock.now();
        let Some(right) = self.settle(dice).await? else {
            // What isn't as wanted is noticed by the look that follows.
            return Ok(0);
        };
        let took = u64::try_from(right.duration_since(began).as_secs()).unwrap_or_default();
        match took <= longest {
            true => Ok(took),
            false => broken(
                Invariant::TookTooLong,
                format!("everything was right after {took} s, and {longest} s are allowed"),
            ),
        }
    }

    /// What was said of an account's departure is taken over, unless the account joined since.
    fn check_said(&self) -> Result<(), Violation> {
        for (account, (at, leaves)) in &self.said {
            let joined = self.server.with(|model| {
                let known = model.account(account.as_str());
                known.and_then(|known| known.membership.as_ref().map(|membership| membership.at))
            });
            let record = lock(&self.judge).account_record(account.as_str());
            let is_marked = record.offboarding.is_some();
            if joined.is_some_and(|joined| joined <= *at) && is_marked != *leaves {
                let what = format!(
                    "{account} was said to be leaving ({leaves}) at {at}, and is marked: {is_marked}"
                );
                return broken(Invariant::Unguarded, what);
            }
        }
        Ok(())
    }

    /// Whether something of somebody else's that was adopted isn't wanted any more.
    fn awaits_approval(&self) -> bool {
        let judge = Arc::clone(&self.judge);
        self.server.with(|model| {
            let judge = lock(&judge);
            judge.book.adopted().any(|place| self.wants.of(self.setting, model, place) == Wanted::Nothing)
        })
    }

    /// What the keeper still writes. The first sweep may write what it likes, the second only take back.
    fn expect_rest(&self, sweep: usize) -> Result<(), Violation> {
        let withdraws =
            |operation: &&String| operation.ends_with("ResourcePolicy") || *operation == "DeleteGuardrail";
        let again = match sweep {
            0 => None,
            1 => self.written.iter().find(|operation| !withdraws(operation)),
            _ => self.written.first(),
        };
        match again {
            Some(operation) => broken(Invariant::Restless, format!("sweep {} called {operation}", sweep + 1)),
            None => Ok(()),
        }
    }

    /// The messages of a queue, with what they say.
    fn messages(&self, queue: &QueueName) -> Vec<(String, String)> {
        self.server.with(|model| {
            let queue = model.queue(queue).expect("it exists");
            queue.messages().map(|(message, _)| (message.id.clone(), message.body.clone())).collect()
        })
    }

    /// Somebody looks at the dead letters. Each failed as often as the queue lets it, which nothing does while
    /// everything goes well.
    fn bury(&mut self) -> Result<(), Violation> {
        let hub = self.setting.hub();
        for name in ["dead-events", "dead-tasks.fifo"] {
            let queue = QueueName::new(&hub, "us-east-1", name);
            for (id, body) in self.messages(&queue) {
                let failed = self.failures.get(&id).copied().unwrap_or_default();
                if failed < 5 {
                    let what = format!("{body} was put aside after {failed} failures");
                    return broken(Invariant::FailedForNothing, what);
                }
                self.figures.dead_letters += 1;
            }
            self.server.with(|model| model.purge_queue(&queue)).expect("it exists");
        }
        Ok(())
    }

    fn expect_empty(&self) -> Result<(), Violation> {
        let hub = self.setting.hub();
        for name in ["events", "tasks.fifo", "dead-events", "dead-tasks.fifo"] {
            let queue = QueueName::new(&hub, "us-east-1", name);
            if let Some((_, body)) = self.messages(&queue).first() {
                return broken(Invariant::LeftInQueues, format!("{name}: {body}"));
            }
        }
        Ok(())
    }

    /// Everything that can be reached is as wanted, or may be otherwise for one of the reasons of the direct form.
    fn check_guarded(&mut self, counts: bool) -> Result<(), Violation> {
        for (place, end) in self.ends(counts) {
            match end {
                End::Guarded => self.figures.plain.guarded += usize::from(counts),
                End::Excused(reason) => {
                    *self.figures.plain.excuses.entry(reason).or_default() += usize::from(counts);
                }
                End::Wrong(what) => {
                    return broken(Invariant::Unguarded, format!("{place} isn't as wanted: {what}"));
                }
            }
        }
        Ok(())
    }

    /// Whether everything is as wanted, or may be otherwise.
    pub(super) fn is_guarded(&self) -> bool {
        self.ends(false).iter().all(|(_, end)| !matches!(end, End::Wrong(_)))
    }

    /// How each target stands. What is asked of a person is excused where `counts` is false.
    fn ends(&self, counts: bool) -> Vec<(Place, End)> {
        let mut ends = Vec::new();
        let (setting, wants) = (self.setting, &self.wants);
        for account in setting.assignable() {
            for region in setting.regions() {
                let place = Place { account: account.clone(), region: (*region).to_owned() };
                let judge = Arc::clone(&self.judge);
                let end = self.server.with(|model| {
                    let judge = lock(&judge);
                    if !is_reachable(model, &account) {
                        return End::Excused(UNREACHABLE);
                    }
                    let wanted = wants.of(setting, model, &place);
                    let enforced = model.enforcement(&place.account, &place.region).cloned();
                    let said = judge.said_of(&place);
                    let what = format!("{wanted:?}, and there is {enforced:?}; the record says {said}");
                    match (wanted, enforced) {
                        (Wanted::HandsOff, _) => End::Excused(NOBODYS),
                        (Wanted::Nothing, None) => End::Guarded,
                        (Wanted::Nothing, Some(left)) => {
                            let looked_at = wants.names(setting, region) || judge.book.has(&place);
                            let left_behind = looked_at && judge.book.is_provably_applied(&place, &left);
                            match left_behind {
                                _ if !counts && judge.book.is_adopted(&place, &left) => End::Excused(UNASKED),
                                true => End::Wrong(what),
                                false => End::Excused(CHANGED),
                            }
                        }
                        (Wanted::Guardrail, enforced) => {
                            let foreign =
                                enforced.as_ref().is_some_and(|seen| judge.book.is_foreign(&place, seen));
                            let met =
                                enforced.is_some_and(|seen| wants.is_met(setting, model, &place, &seen));
                            match excuse(setting, wants, &place, foreign) {
                                _ if met && blocked_prompt(model, &place) == Prompt::Stopped => End::Guarded,
                                Some(reason) => End::Excused(reason),
                                None => End::Wrong(what),
                            }
                        }
                    }
                });
                ends.push((place, end));
            }
        }
        ends
    }
}

/// How a target stands at the end.
enum End {
    Guarded,
    Excused(&'static str),
    Wrong(String),
}

//! The judge of the histories beside invocations that run at the same time.
//!
//! The direct form compares the world before a run with the world after it. Where several invocations take turns,
//! that says nothing. Here every call is looked at in the moment when it was carried out, before anybody gets
//! its answer (`Server::watch`): what that one call changed, in the world of that moment, by the invocation whose
//! call it was, under every baseline and every place in the organization that this invocation may go by.
//!
//! What an invocation may go by: each baseline since its task was queued; whatever the ledger had for the last good
//! or the last approved one since it began, under which nothing is released; each place where the account stood since its task was
//! queued; and what it saw of an enforcement when it listed it last. What the owner's side holds is what the
//! last look of an owner's task recorded. If somebody meddled while the invocation was running, and only if
//! nothing else explains the write, it is judged as an interrupted run of the direct form: then whether it is
//! still wanted isn't asked. How often that was so is counted, as is every other excuse (`judge/excuse.rs`).
//!
//! What is told on the bus, and why something is said to be held, is judged as well (`judge/told.rs`,
//! `judge/holds.rs`).

mod answers;
mod excuse;
mod followed;
mod holds;
mod known;
mod people;
mod tests;
mod told;
mod unguarded;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use guardrail_keeper::baseline::{Baseline, Revision};
use guardrail_keeper::engine::Clock;
use guardrail_keeper::ids::AccountId;
use guardrail_keeper::limits::EffectiveBaseline;
use guardrail_keeper::record::{AccountRecord, Checked, Records};
use jiff::Timestamp;
use serde_json::Value;
use simulator::{Call, Model};

use super::planted::Plant;
use super::step::Manner;
use super::store::Store;
use super::world::PARAMETER;
use answers::{OldAnswers, is_kept};
use followed::Published;
use holds::Trouble;
use known::proven;
use people::People;
use testkit::histories::baseline::{Mode, Wants};
use testkit::histories::check::records::Entry;
use testkit::histories::check::{Book, Deeds, Invariant, Run, Violation};
use testkit::histories::model::{Place, Snapshot};
use testkit::histories::setting::{Setting, region_of_owner};
use testkit::histories::step::{LIST, Wrong};
use told::Told;
use unguarded::Unguarded;

pub(crate) use excuse::{Excuse, Excused};
pub(crate) use told::Telling;
pub(crate) use unguarded::{Reckoned, Silence};

/// The ledger's last good baseline, and its last approved one.
const GOOD: &str = "baseline";
const APPROVED: &str = "approved";
const KEPT: [&str; 2] = [GOOD, APPROVED];

/// What is known of the owner's side, by the numbers of worlds.
#[derive(Clone, Debug, Default)]
struct Owner {
    /// The first world that has what somebody else changed last of its guardrails.
    changed: Option<usize>,
    /// The worlds in which the tasks began that looked at a Region to the end, and when that end was.
    looks: BTreeMap<String, Vec<(usize, Timestamp)>>,
    /// The world in which a call in the owner's account went wrong last.
    troubled: Option<usize>,
}

impl Owner {
    /// The world since which an invocation that begins at a certain time may know a Region: an earlier look may be
    /// kept in mind for a while.
    fn known_since(&self, region: &str, began: Timestamp) -> usize {
        let looks = self.looks.get(region).map(Vec::as_slice).unwrap_or_default();
        looks.iter().rev().find(|(_, ended)| !is_kept(*ended, began)).map_or(0, |(world, _)| *world)
    }
}

/// An invocation that works on a task, and what it may go by.
#[derive(Clone, Debug)]
struct Context {
    /// Which one it is of all.
    number: usize,
    /// Since when it has been running, by the number of the world then.
    began: usize,
    /// When its task was first seen.
    asked: Timestamp,
    /// The first baseline that it may go by.
    baseline: usize,
    /// Since when a sweep looked at everybody, where that is why.
    swept: Option<Timestamp>,
    /// Whether a sweep asked for it.
    sweep: bool,
    /// The world as it was when each place was listed last, and each Region's policies were read.
    listed: BTreeMap<Place, Arc<Snapshot>>,
    policies: BTreeMap<String, Arc<Snapshot>>,
    /// What was proven to be applicable.
    proven: BTreeSet<(Place, String)>,
    /// What the ledger had for the last good baseline and for the last approved one, since it began. It reads them
    /// once: what is approved a moment later may come too late for its write, which then is one of the moment before.
    kept: BTreeSet<(&'static str, Revision)>,
    ended: bool,
    ended_at: Option<Timestamp>,
    /// It never came to its end: a call that it had sent may still be carried out.
    killed: bool,
    /// It was killed or failed: whether it looked isn't known.
    failed: bool,
    /// The calls that went wrong for it, or of which the answer was one of a fault.
    trouble: Vec<Trouble>,
}

/// What the judge knows, beside the model.
pub(crate) struct Judge {
    setting: Setting,
    manner: Manner,
    /// The keepers' clock, by which everything here is dated.
    pub(crate) clock: Clock,
    /// What people read, and how each target stands by the judge's own ledger.
    people: People,
    unguarded: Unguarded,
    /// The revision that people read of last, and whether it begins.
    last_read: Option<(Revision, bool)>,
    /// Which invocation's turn it is, and since when it has been running.
    working: (usize, Timestamp),
    /// A bug that changes what the ledger says.
    pub(crate) plant: Option<Plant>,
    pub(crate) store: Store,
    /// Whether the ledger can't be read or written just now, and when it could not last, or a call to it went wrong.
    ledger_ails: bool,
    ledger_ailed: Option<Timestamp>,
    /// Every fault that was set since the history began.
    pub(crate) faults: Vec<Wrong>,
    /// Answers that told a former state, until whoever got them has looked again.
    old: OldAnswers,
    told: Told,
    /// Whether keepers were told not to wait for long for an answer.
    pub(crate) impatient: bool,
    /// How many invocations that work on a task have begun.
    begun: usize,
    baselines: Vec<Published>,
    /// Where everybody stood, from when on.
    places: Vec<(Timestamp, BTreeMap<String, String>)>,
    /// Who was marked as about to leave, from when on.
    leaving: Vec<(Timestamp, BTreeSet<String>)>,
    /// When somebody meddled, with whatever.
    meddled: Option<Timestamp>,
    /// When somebody changed what no record tells of: anything but where an account stands.
    pub(crate) tampered: Option<Timestamp>,
    /// When the owner's guardrails changed last by somebody else's hand, and when the owner's task began that
    /// looked at each Region last.
    owner_changed: Option<Timestamp>,
    owner: Owner,
    /// The world after each change, of whomever.
    worlds: Vec<(Timestamp, Arc<Snapshot>)>,
    contexts: BTreeMap<String, Context>,
    /// How often each reason was given for what was held, had failed or was broken.
    pub(crate) holds: BTreeMap<String, usize>,
    /// What the record said of each place's last look.
    checked: BTreeMap<Place, Checked>,
    /// When each group's invocation could not read the baseline last.
    unread: BTreeMap<String, Timestamp>,
    /// The group of the invocation whose turn it is: what it reads only it knows.
    pub(crate) turn: Option<String>,
    pub(crate) book: Book,
    pub(crate) violation: Option<Violation>,
    pub(crate) deeds: Vec<Deeds>,
    /// Writes that were judged, and what they and records were excused by.
    pub(crate) judged: usize,
    pub(crate) excused: Excused,
    pub(crate) calls: Vec<Call>,
}

impl Judge {
    pub(crate) fn new(setting: &Setting, store: Store, clock: Clock) -> Judge {
        Judge {
            setting: setting.clone(),
            manner: Manner::of(setting),
            clock,
            people: People::default(),
            unguarded: Unguarded::default(),
            last_read: None,
            working: (0, Timestamp::MIN),
            plant: None,
            store,
            faults: Vec::new(),
            old: OldAnswers::default(),
            told: Told::default(),
            impatient: false,
            begun: 0,
            baselines: Vec::new(),
            places: Vec::new(),
            leaving: vec![(Timestamp::MIN, BTreeSet::new())],
            meddled: None,
            tampered: None,
            owner_changed: None,
            owner: Owner::default(),
            holds: BTreeMap::new(),
            checked: BTreeMap::new(),
            worlds: Vec::new(),
            contexts: BTreeMap::new(),
            ledger_ails: false,
            ledger_ailed: None,
            unread: BTreeMap::new(),
            turn: None,
            book: Book::default(),
            violation: None,
            deeds: Vec::new(),
            judged: 0,
            excused: Excused::default(),
            calls: Vec::new(),
        }
    }

    /// Somebody else changed the world, by whatever means.
    pub(crate) fn meddled(&mut self, model: &mut Model, owner: bool) {
        self.tampered = Some(self.clock.now());
        self.moved(model, owner);
    }

    /// As [`Judge::meddled`], where nothing changed but who stands where.
    pub(crate) fn moved(&mut self, model: &mut Model, owner: bool) {
        let now = self.clock.now();
        self.meddled = Some(now);
        self.look(model);
        if owner {
            self.owner_changed = Some(now);
            self.owner.changed = Some(self.worlds.len() - 1);
        }
    }

    /// The world is as it is, whoever made it so.
    pub(crate) fn look(&mut self, model: &mut Model) {
        let now = self.clock.now();
        self.worlds.push((now, Arc::new(Snapshot::of(model, &self.setting))));
        let stand = |account: String| Some((account.clone(), model.parent_of(&account).ok()?));
        let places: BTreeMap<String, String> =
            self.setting.accounts().into_iter().filter_map(stand).collect();
        if self.places.last().is_none_or(|(_, last)| *last != places) {
            self.places.push((now, places));
        }
        self.note_stands(model);
    }

    /// Whether an account is marked as about to leave. That is somebody's word, and the ledger is where it is kept. A mark
    /// from before the account came back, by the time that AWS told the keeper, is over.
    pub(crate) fn note_leaving(&mut self, account: &str) {
        let mut leaving = self.leaving();
        let record = self.account_record(account);
        let joined = record.placement.as_ref().and_then(|placement| placement.account.joined);
        let changed = match record.is_leaving(joined) {
            true => leaving.insert(account.to_owned()),
            false => leaving.remove(account),
        };
        if changed {
            self.leaving.push((self.clock.now(), leaving));
        }
    }

    /// Who is marked as about to leave now.
    pub(crate) fn leaving(&self) -> BTreeSet<String> {
        self.leaving.last().map(|(_, leaving)| leaving.clone()).unwrap_or_default()
    }

    /// Whether the present baseline named an account that was no member at some time since it was published. Then
    /// it may be waiting for a person's approval, and nothing but repairs is done under it.
    pub(crate) fn may_wait_for_a_person(&self) -> bool {
        let Some(Published { at, wants, .. }) = self.baselines.last() else { return false };
        let from = self.places.iter().rposition(|(since, _)| since <= at).unwrap_or(0);
        self.places[from..].iter().any(|(_, members)| wants.names_nobody(&self.setting, members))
    }

    /// Whether the last look at an account can know all that matters there: it was begun after whatever somebody
    /// changed besides moving accounts, and, where the owner's guardrails were changed, after a look at them.
    pub(crate) fn may_know_all(&self, place: &Place, looked: Option<Timestamp>) -> bool {
        let ended = |group: &str| self.contexts.get(group).filter(|context| context.ended && !context.failed);
        let after =
            |context: &Context, at: Option<Timestamp>| at.is_none_or(|at| at < self.worlds[context.began].0);
        let Some(look) = ended(&place.account).filter(|look| after(look, self.tampered)) else {
            return false;
        };
        if self.old.may_matter_to(&place.account, &place.region, self.worlds[look.began].0) {
            return false;
        }
        // What it could not look at, it recorded nothing of.
        if looked.is_none_or(|at| at < self.worlds[look.began].0) {
            return false;
        }
        self.owner_changed.is_none()
            || ended(&self.setting.owner_group(&place.region))
                .is_some_and(|owner| after(owner, self.owner_changed) && after(look, owner.ended_at))
    }

    /// The baseline that accounts follow, and what it wants: the present one or, while that waits, the one that was
    /// approved before it.
    pub(crate) fn followed(&self, present: &Baseline, wants: &Wants) -> (Baseline, Wants) {
        let known = self.store.document("rollout").and_then(|it| serde_json::from_value(it).ok());
        let before = self.store.document(APPROVED);
        let before = before.as_ref().and_then(|it| it["text"].as_str());
        let followed = EffectiveBaseline::of(present, known, before);
        let by_before = followed.candidate.is_some().then_some(before).flatten().map(Revision::of);
        let before = self.baselines.iter().rev().find(|it| Some(&it.revision) == by_before.as_ref());
        match before {
            Some(Published { wants: before, .. }) => {
                let Wants { stood, leaving, .. } = wants.clone();
                let before = Wants { mode: Mode::EnforceOnly, stood, leaving, ..before.clone() };
                (followed.baseline, before)
            }
            None => (present.clone(), wants.clone()),
        }
    }

    /// A task is handed to an invocation.
    pub(crate) fn begin(&mut self, group: &str, task: &Value) -> Result<(), Violation> {
        let busy = self.contexts.get(group).is_some_and(|context| !context.ended);
        if busy {
            let what = format!("two invocations work on {group} at once");
            return Err(Violation { invariant: Invariant::OutOfTurn, what });
        }
        let time = |value: &Value| value.as_str().and_then(|text| text.parse::<Timestamp>().ok());
        let asked = time(&task["cause"]["first_seen"]).unwrap_or(Timestamp::MIN);
        let by_time = self.baselines.iter().rposition(|published| published.at <= asked);
        let revision = task["cause"]["revision"].as_str().unwrap_or_default();
        let by_name = self.baselines.iter().rposition(|published| published.revision.as_str() == revision);
        let baseline = by_time.unwrap_or(0).min(by_name.unwrap_or(usize::MAX));
        self.begun += 1;
        let context = Context {
            number: self.begun,
            began: self.worlds.len().saturating_sub(1),
            asked,
            baseline,
            swept: time(&task["swept_since"]),
            sweep: task["cause"]["sweep"] == true,
            listed: BTreeMap::new(),
            policies: BTreeMap::new(),
            proven: BTreeSet::new(),
            kept: BTreeSet::new(),
            ended: false,
            ended_at: None,
            killed: false,
            failed: false,
            trouble: self.ledger_ails.then(Trouble::of_the_file).into_iter().collect(),
        };
        self.contexts.insert(group.to_owned(), context);
        self.note_kept();
        Ok(())
    }

    /// What the ledger has for the last good baseline and for the last approved one may be gone by by whoever is at
    /// work now.
    fn note_kept(&mut self) {
        let kept = KEPT.iter().filter_map(|document| {
            let text = self.store.document(document)?["text"].as_str()?.to_owned();
            Some((*document, Revision::of(&text)))
        });
        let kept: Vec<(&str, Revision)> = kept.collect();
        for context in self.contexts.values_mut().filter(|context| !context.ended) {
            context.kept.extend(kept.iter().cloned());
        }
    }

    /// The ledger can't be read or written, or can again. Whoever is at work meanwhile may not be able to record what it
    /// did and told (seed 64003157).
    pub(crate) fn ledger_ails(&mut self, ails: bool) {
        self.ledger_ails = ails;
        self.ledger_ailed = Some(self.clock.now());
        if ails {
            let at_work = self.contexts.values_mut().filter(|context| !context.ended);
            at_work.for_each(|context| context.trouble.push(Trouble::of_the_file()));
        }
    }

    /// An invocation has ended, or was ended: what it recorded is judged.
    pub(crate) fn end(&mut self, group: &str, model: &mut Model, killed: bool) -> Result<(), Violation> {
        self.note_kept();
        let Some(mut context) = self.contexts.remove(group) else { return Ok(()) };
        (context.ended, context.killed) = (true, killed);
        context.ended_at = Some(self.clock.now());
        let whole = !killed && !context.failed;
        if let (Some(region), true) = (region_of_owner(group), whole) {
            let look = (context.began, self.clock.now());
            self.owner.looks.entry(region.to_owned()).or_default().push(look);
        }
        if whole {
            self.old.looked_again(group, context.number, self.clock.now());
        }
        self.note_leaving(group);
        self.note_looked(group, &context, model);
        let judged = self.judge_told(group, &context, whole);
        let judged = judged.and_then(|()| match group.parse::<AccountId>() {
            Ok(account) => self.judge_records(&account, &context, model),
            Err(_) => Ok(()),
        });
        self.contexts.insert(group.to_owned(), context);
        judged
    }

    /// The invocation that is about to end for a group failed or was killed: whether it looked isn't known.
    pub(crate) fn failed(&mut self, group: &str) {
        if let Some(context) = self.contexts.get_mut(group) {
            context.failed = true;
        }
    }

    /// One call, in the moment when it was carried out.
    pub(crate) fn see(&mut self, call: &Call, model: &mut Model) {
        self.calls.push(call.clone());
        self.note(call);
        self.told.note(call);
        if call.operation == "PutEvents" {
            if call.error.is_some() || call.fault.is_some() {
                self.note_refused();
            }
            if self.violation.is_none() {
                self.violation = self.hear(model).err();
            }
        }
        // That somebody else was first is no trouble.
        let failed = call.error.as_deref().is_some_and(|error| error != "ConditionalCheckFailedException");
        if call.service == "dynamodb" && (failed || call.fault.is_some()) {
            self.ledger_ailed = Some(self.clock.now());
        }
        if call.write && call.service == "dynamodb" {
            self.store.look(model);
            self.note_kept();
        }
        if !call.write || call.service != "bedrock" || self.violation.is_some() {
            return;
        }
        // AWS doesn't know the session, so that nobody can say whose call it was. It was refused and changed nothing;
        // had it changed something, whoever writes next would be judged for it.
        if call.account.is_empty() && call.error.is_some() {
            return;
        }
        let group = match call.operation.ends_with("ResourcePolicy") {
            true => format!("owner.{}.{}", call.account, call.region),
            false => call.account.clone(),
        };
        self.violation = self.judge_write(&group, Some(call), model).err();
    }

    /// What an invocation learns from an answer.
    fn note(&mut self, call: &Call) {
        let Some((_, world)) = self.worlds.last() else { return };
        let world = Arc::clone(world);
        let owner = self.setting.owner();
        let is_about_owner =
            call.account == owner || call.target.as_ref().is_some_and(|it| it.contains(&owner));
        if is_about_owner && call.error.is_some() {
            self.owner.troubled = Some(self.worlds.len() - 1);
        }
        // A call may arrive when it is another's turn by now (seed 64004563): an account's own is known by the account,
        // and what is the hub's or the owner's may be anybody's who is at work.
        let turn = self.turn.clone();
        let may_be_of = |group: &str| {
            turn.as_deref() == Some(group)
                || call.account == group
                || [&owner, &self.setting.hub()].contains(&&call.account)
        };
        for (group, context) in self.contexts.iter_mut().filter(|(_, context)| !context.ended) {
            context.trouble.extend(Trouble::of(call).filter(|_| may_be_of(group)));
        }
        if call.fault.as_deref() == Some("stale-read")
            && let Some(context) = self.turn.as_ref().and_then(|group| self.contexts.get(group))
        {
            self.old.note(self.turn.as_deref().unwrap_or_default(), context.number);
        }
        let place = Place { account: call.account.clone(), region: call.region.clone() };
        let answered = call.status == 200 || call.error.as_deref() == Some("ResourceNotFoundException");
        match call.operation.as_str() {
            LIST if answered => {
                if let Some(context) = self.contexts.get_mut(&call.account) {
                    context.listed.insert(place, world);
                }
            }
            "GetParameter" if call.status != 200 && call.target.as_deref() == Some(PARAMETER) => {
                self.unread.extend(self.turn.clone().map(|group| (group, self.clock.now())));
            }
            "GetResourcePolicy" if answered => {
                // Accounts' invocations read it too, for themselves.
                let group = format!("owner.{}.{}", call.account, call.region);
                if let Some(context) = self.contexts.get_mut(&group).filter(|_| self.turn == Some(group)) {
                    context.policies.insert(call.target.clone().unwrap_or_default(), world);
                }
            }
            "ApplyGuardrail" if call.status == 200 => {
                if let (Some(context), Some(arn)) = (self.contexts.get_mut(&call.account), &call.target) {
                    context.proven.insert((place, arn.clone()));
                }
            }
            _ => {}
        }
    }

    /// What was changed since the last look at the world, by an invocation of this group.
    pub(crate) fn judge_write(
        &mut self,
        group: &str,
        call: Option<&Call>,
        model: &mut Model,
    ) -> Result<(), Violation> {
        let before = Arc::clone(&self.worlds.last().expect("it was looked at").1);
        self.look(model);
        let after = Arc::clone(&self.worlds.last().expect("just now").1);
        self.judged += 1;
        self.note_kept();
        // A control may have been taken over since the work began.
        self.note_leaving(group);
        let Some(context) = self.contexts.get(group).filter(|it| !it.ended || it.killed).cloned() else {
            let what = format!("{call:?}, and nobody is at work on {group}");
            return Err(Violation { invariant: Invariant::OutOfTurn, what });
        };
        let middle = self.middle(&context, &before, &after);
        let since = context.swept.unwrap_or(self.worlds[context.began].0);
        let meddled = self.meddled.is_some_and(|at| at >= since);
        let mut run = Run {
            setting: &self.setting,
            wants: &self.baselines[0].wants,
            put_back: false,
            faults: &[],
            before: self.all_along(&context, since),
            waiting: BTreeSet::new(),
            proven: proven(&context, &after),
            middle,
            after: (*after).clone(),
            recordable: true,
            meddled: false,
            scope: None,
            calls: call.cloned().into_iter().collect(),
            records: call.map(|call| self.records(&call.account)).unwrap_or_default(),
            report: None,
        };
        let region = call.map(|call| call.region.as_str()).or(region_of_owner(group));
        let candidates = self.candidates(group, &context);
        let mut first = None;
        let excuses = self.excuses(group, region, &context, meddled);
        for (excuse, faults) in &excuses {
            (run.meddled, run.faults) = (*excuse == Some(Excuse::Meddled), faults);
            for wants in &candidates {
                run.wants = wants;
                match run.check_calls(model, &self.book) {
                    Ok(deeds) => {
                        self.expect_recorded(&before, &after)?;
                        self.note_owed(&context, &before, &after, model);
                        self.book.note_writes(&before, &after);
                        if let Some(call) = call {
                            self.told.owes(context.number, call, &before, &after);
                        }
                        self.deeds.push(deeds);
                        self.excused.note_write(*excuse);
                        return Ok(());
                    }
                    Err(violation) => {
                        first.get_or_insert(violation);
                    }
                }
            }
        }
        first.map_or(Ok(()), Err)
    }

    /// What is written to an enforcement is recorded before. Nobody could tell later whose it is, and an account
    /// that is about to leave would be guarded by whoever can't read that it is.
    fn expect_recorded(&self, before: &Snapshot, after: &Snapshot) -> Result<(), Violation> {
        let places: BTreeSet<&Place> = before.enforced.keys().chain(after.enforced.keys()).collect();
        let changed = |place: &&Place| before.enforced.get(*place) != after.enforced.get(*place);
        for place in places.into_iter().filter(changed) {
            let records = self.records(&place.account);
            let begun = records
                .iter()
                .any(|(target, record)| target.region.as_str() == place.region && record.intent.is_some());
            if !begun {
                let what = format!("{place} was written, and the record didn't know that it would be");
                return Err(Violation { invariant: Invariant::WroteUnrecorded, what });
            }
        }
        Ok(())
    }

    /// What the ledger takes for the keeper's in an account.
    fn judge_records(
        &mut self,
        account: &AccountId,
        context: &Context,
        model: &mut Model,
    ) -> Result<(), Violation> {
        let mut records = self.records(account.as_str());
        if let (Some(plant), Some(present)) = (self.plant, self.baselines.last()) {
            plant.change(&self.setting, &present.wants, &self.book, model, &mut records);
        }
        let candidates = self.candidates(account.as_str(), context);
        let worlds: Vec<Arc<Snapshot>> =
            self.worlds[context.began..].iter().map(|(_, world)| Arc::clone(world)).collect();
        let moments: Vec<&Snapshot> = worlds.iter().map(|world| &**world).collect();
        let mut run = Run {
            setting: &self.setting,
            wants: &self.baselines[0].wants,
            put_back: false,
            faults: &[],
            before: Snapshot::default(),
            middle: Snapshot::default(),
            after: Snapshot::default(),
            recordable: true,
            meddled: false,
            waiting: BTreeSet::new(),
            proven: BTreeSet::new(),
            scope: None,
            calls: Vec::new(),
            records: Records::new(),
            report: None,
        };
        let mut entries = Vec::new();
        for region in self.setting.regions() {
            let place = Place { account: account.to_string(), region: (*region).to_owned() };
            let record = records.iter().find(|(target, _)| target.region.as_str() == *region);
            let record = record.map(|(_, record)| record);
            let mut judged = Ok(Entry::Pending);
            for wants in &candidates {
                run.wants = wants;
                judged = run.check_record(model, &self.book, &place, record, &moments);
                if judged.is_ok() {
                    break;
                }
            }
            self.excused.records += 1;
            entries.push((place, judged?));
        }
        for (place, entry) in entries {
            entry.note(&mut self.book, &place);
        }
        self.judge_holds(account.as_str(), &records, context, model)
    }

    /// What the ends of sweeps came to.
    pub(crate) fn reckoned(&mut self) -> Reckoned {
        std::mem::take(&mut self.unguarded.figures)
    }

    /// What the ledger has of an account.
    pub(crate) fn account_record(&self, account: &str) -> AccountRecord {
        let record = self.store.document(&format!("account#{account}"));
        record.and_then(|record| serde_json::from_value(record).ok()).unwrap_or_default()
    }

    /// What the ledger says of the last look at a place, for whoever reads of a failure.
    pub(crate) fn said_of(&self, place: &Place) -> String {
        let record = self.account_record(&place.account);
        let here = record.regions.iter().find(|(region, _)| region.as_str() == place.region);
        let checked = here.and_then(|(_, record)| record.checked.as_ref());
        checked.map_or("nothing".to_owned(), |it| format!("{:?} {:?} {:?}", it.state, it.code, it.reason))
    }

    fn records(&self, account: &str) -> Records {
        let id: Option<AccountId> = account.parse().ok();
        id.map(|id| self.account_record(account).records(&id)).unwrap_or_default()
    }
}

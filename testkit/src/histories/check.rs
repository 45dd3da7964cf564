//! What must hold after every run of the keeper, whatever happened around it: judged by the model's
//! state before and after, by the calls that were made, and never by what the keeper says of itself.

// By their paths, as other suites take this file by its own.
mod book;
pub mod records;
mod report;

use std::collections::BTreeSet;
use std::fmt;

use guardrail_keeper::record::{Record, Records};
use guardrail_keeper::report::Report;
use serde_json::Value;
use simulator::{AccountState, Answer, Call, EnforcedConfiguration, GuardrailName, Model};

use crate::histories::baseline::{Existing, Mode, Placement, Wanted, Wants};
use crate::histories::model::{Place, Snapshot, can_apply, is_admitted, is_keepers, is_usable, statements};
use crate::histories::setting::Setting;
use crate::histories::step::{LIST, PUT, Wrong, WrongKind, account_of};

pub use book::{Book, Rest, recorded_signature, signature};

macro_rules! invariants {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What must never happen.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Invariant {
            $($(#[$doc])* $name,)*
        }

        impl Invariant {
            /// Every one. Whoever adds one plants a bug that breaks it.
            pub const ALL: &[Invariant] = &[$(Invariant::$name,)*];
        }
    };
}

invariants! {
    /// 1. Nothing is enforced that the member can't apply at that moment.
    EnforcedUnusable,
    /// 1. Nothing is enforced but what the baseline wants there.
    EnforcedUnwanted,
    /// 2. No policy is narrowed while somebody enforces the guardrail.
    NarrowedUnderEnforcement,
    /// 3. No statement of somebody else's is lost or altered.
    ForeignStatementLost,
    /// 4. Nothing of somebody else's is replaced unless the baseline says so, and it is recorded.
    ForeignReplaced,
    /// 4. Nothing is released that the keeper didn't apply or adopt, or that is still wanted.
    ReleasedNotOurs,
    /// 4. What somebody else made and the keeper adopted is released only by a person's approval.
    ReleasedUnasked,
    /// 4. Nothing is taken for the keeper's that isn't.
    AdoptedUnwanted,
    /// 4. What the keeper put somewhere is in its ledger, until it is released or gone.
    RecordLost,
    /// 4. No guardrail of somebody else's is written, and no enforced version deleted.
    GuardrailTouched,
    /// 5. A run with nothing to do writes nothing.
    WroteAgain,
    /// 6. Audit writes nothing, enforce-only releases nothing, a survey writes nothing.
    WroteAgainstMode,
    /// 6. Without a valid baseline nothing is called at all.
    ActedWithoutBaseline,
    /// 6. Whoever is excluded or unassigned is never written.
    HandsOn,
    /// 7. What is reported as done, is.
    ReportedWrongly,
    /// A run that reports nothing wrote nothing.
    StoppedAfterWriting,
    /// The keeper panicked.
    Panicked,
    /// Nobody writes where no task of an account or of the owner's Region is under way, and never two at once.
    OutOfTurn,
    /// What the bus brought reaches its end by itself, where nothing got lost on the way.
    NeedsTheSweep,
    /// Nothing fails while everything goes well, and no message is put aside that didn't fail often enough.
    FailedForNothing,
    /// The queues become empty.
    LeftInQueues,
    /// Nothing is called good by `status` that isn't.
    CalledGood,
    /// No enforcement is written before it is recorded that it will be.
    WroteUnrecorded,
    /// Nothing is told on the bus that wasn't done, and no write twice.
    ToldWrongly,
    /// Every write is told on the bus.
    Untold,
    /// Nothing is said to be held, to have failed or to be broken for a reason that there isn't.
    HeldForNothing,
    /// What can be put right is so within the time that the documents promise.
    TookTooLong,
    /// Whatever is unguarded, whoever keeps it so, people read of by the end of a sweep that found it so.
    Unreported,
    /// Accounts follow no baseline that waits for a person, and none waits without a reason.
    FollowedWrongly,
    /// At the end, everybody is guarded.
    Unguarded,
    /// At the end, nothing is left to be written.
    Restless,
}

/// An invariant that didn't hold.
#[derive(Clone, Debug)]
pub struct Violation {
    pub invariant: Invariant,
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.invariant, self.what)
    }
}

pub fn broken<T>(invariant: Invariant, what: impl Into<String>) -> Result<T, Violation> {
    Err(Violation { invariant, what: what.into() })
}

/// One run of the keeper, from outside.
pub struct Run<'a> {
    pub setting: &'a Setting,
    /// The baseline that accounts follow.
    pub wants: &'a Wants,
    /// Whether that is an earlier one than the present, which waits for its approval: then nothing is taken away.
    pub put_back: bool,
    pub faults: &'a [Wrong],
    /// Before the keeper looked.
    pub before: Snapshot,
    /// Before it wrote; the same unless somebody meddled between.
    pub middle: Snapshot,
    pub after: Snapshot,
    /// Whether the ledger could be written.
    pub recordable: bool,
    pub meddled: bool,
    /// Accounts whose task waits, or that follow an earlier baseline: the report says nothing of them by this one.
    pub waiting: BTreeSet<String>,
    /// What was proven before somebody meddled.
    pub proven: BTreeSet<(Place, String, String)>,
    /// Accounts that were looked at; `None` for all.
    pub scope: Option<String>,
    pub calls: Vec<Call>,
    pub records: Records,
    /// What the keeper reports; nothing if it stopped.
    pub report: Option<Report>,
}

/// What a run did, for the figures.
#[derive(Clone, Copy, Debug, Default)]
pub struct Deeds {
    pub enforced: usize,
    pub foreign_replaced: usize,
    pub released: usize,
    pub granted: usize,
    pub narrowed: usize,
    pub copies: usize,
    pub merged: usize,
    pub tidied: usize,
}

/// Whether a guardrail's versions may have been shown as they once were. That one isn't ready, or
/// carries an Automated Reasoning policy, is told by nothing but that look: a probe doesn't mind either.
/// Whether it can be applied is told by the probe, and no old look excuses that.
pub fn versions_were_stale(setting: &Setting, faults: &[Wrong], arn: &str) -> bool {
    let Some(GuardrailName { account, .. }) = GuardrailName::from_arn(arn) else { return false };
    is_stale(setting, faults, &account, &["GetGuardrail"])
}

/// Whether answers about this account may have been old in this run.
fn is_stale(setting: &Setting, faults: &[Wrong], account: &str, operations: &[&str]) -> bool {
    faults.iter().any(|fault| {
        let about = fault.account.is_none_or(|number| account_of(setting, number) == account);
        fault.kind == WrongKind::StaleRead && about && operations.contains(&fault.operation)
    })
}

impl Run<'_> {
    fn may_be_stale(&self, account: &str, operations: &[&str]) -> bool {
        is_stale(self.setting, self.faults, account, operations)
    }

    fn account_was_stale(&self, account: &str) -> bool {
        self.may_be_stale(account, &[LIST])
    }

    fn owner_was_stale(&self) -> bool {
        self.may_be_stale(&self.setting.owner(), &["ListGuardrails", "GetGuardrail", "GetResourcePolicy"])
    }

    fn writes(&self) -> impl Iterator<Item = &Call> {
        self.calls.iter().filter(|call| call.write)
    }

    fn listed_writes(&self) -> String {
        let line = |call: &Call| {
            let error = call.error.as_deref().unwrap_or("ok");
            format!("{} {}/{} {error}", call.operation, call.account, call.region)
        };
        self.writes().map(line).collect::<Vec<_>>().join(", ")
    }

    /// Every check. What was done comes back, for the figures.
    pub fn check(&self, model: &mut Model, book: &mut Book) -> Result<Deeds, Violation> {
        let deeds = self.check_writes(model, book)?;
        self.check_rest(book)?;
        match &self.report {
            Some(report) => self.check_report(model, report)?,
            None => {
                if self.writes().any(|call| call.status == 200 || call.status == 201 || call.status == 202) {
                    let writes = self.listed_writes();
                    return broken(Invariant::StoppedAfterWriting, format!("it stopped, after {writes}"));
                }
            }
        }
        Ok(deeds)
    }

    /// Every check of what was written, to AWS and into the ledger, whether or not the run came to its end.
    pub fn check_writes(&self, model: &mut Model, book: &mut Book) -> Result<Deeds, Violation> {
        let deeds = self.check_calls(model, book)?;
        book.note_writes(&self.middle, &self.after);
        self.check_records(model, book)?;
        Ok(deeds)
    }

    /// Every check of what was written to AWS.
    pub fn check_calls(&self, model: &mut Model, book: &Book) -> Result<Deeds, Violation> {
        let mut deeds = Deeds::default();
        self.check_mode()?;
        self.check_enforcements(model, book, &mut deeds)?;
        self.check_policies(model, book, &mut deeds)?;
        self.check_guardrails(model, book, &mut deeds)?;
        self.check_refusals()?;
        Ok(deeds)
    }

    fn check_mode(&self) -> Result<(), Violation> {
        let releases = |call: &&Call| {
            ["DeleteEnforcedGuardrailConfiguration", "DeleteResourcePolicy"]
                .contains(&call.operation.as_str())
                || self.deletes_a_guardrail(call)
        };
        let wrong = match self.wants.mode {
            Mode::Sync => None,
            Mode::EnforceOnly => self.writes().find(releases),
            Mode::Audit => self.writes().next(),
        };
        match wrong {
            Some(_) => broken(
                Invariant::WroteAgainstMode,
                format!("mode {:?}, and it wrote: {}", self.wants.mode, self.listed_writes()),
            ),
            None => Ok(()),
        }
    }

    /// Whether a whole guardrail was deleted in the call's place, and not only versions.
    fn deletes_a_guardrail(&self, call: &Call) -> bool {
        let there = |arn: &&String| {
            GuardrailName::from_arn(arn)
                .is_some_and(|name| name.account == call.account && name.region == call.region)
        };
        let gone = |arn: &&String| !self.after.guardrails.contains_key(*arn);
        call.operation == "DeleteGuardrail"
            && self.middle.guardrails.keys().filter(there).any(|arn| gone(&arn))
    }

    fn places(&self) -> BTreeSet<&Place> {
        self.middle.enforced.keys().chain(self.after.enforced.keys()).collect()
    }

    fn check_enforcements(&self, model: &mut Model, book: &Book, deeds: &mut Deeds) -> Result<(), Violation> {
        for place in self.places() {
            let (before, after) = (self.middle.enforced.get(place), self.after.enforced.get(place));
            if before == after {
                continue;
            }
            if !self.recordable {
                let what = format!("{place} was written, and the ledger couldn't be told that it would be");
                return broken(Invariant::WroteUnrecorded, what);
            }
            let wanted = self.wants.of(self.setting, model, place);
            if wanted == Wanted::HandsOff && !self.meddled {
                return broken(Invariant::HandsOn, format!("{place} was written"));
            }
            if self.wants.mode == Mode::Audit {
                return broken(Invariant::WroteAgainstMode, format!("{place} changed under audit"));
            }
            match (before, after) {
                (before, Some(after)) => {
                    deeds.enforced += 1;
                    self.check_enforced(model, place, after, wanted)?;
                    if let Some(before) = before
                        && book.is_foreign(place, before)
                    {
                        deeds.foreign_replaced += 1;
                        self.check_replaced(place, before)?;
                    }
                }
                (Some(before), None) => {
                    deeds.released += 1;
                    self.check_released(model, book, place, before, wanted)?;
                }
                (None, None) => {}
            }
        }
        Ok(())
    }

    fn check_enforced(
        &self,
        model: &mut Model,
        place: &Place,
        after: &EnforcedConfiguration,
        wanted: Wanted,
    ) -> Result<(), Violation> {
        let (arn, version) = (&after.guardrail_arn, &after.guardrail_version);
        // Between look and write somebody may take away what was proven: nothing can prevent that.
        let proven = self.proven.contains(&(place.clone(), arn.clone(), version.clone()));
        let good = if versions_were_stale(self.setting, self.faults, arn) { is_admitted } else { can_apply };
        if !proven && !good(model, self.setting, place, arn, version) {
            return broken(
                Invariant::EnforcedUnusable,
                format!("{place} enforces {arn} version {version}, and can't apply it"),
            );
        }
        let met = wanted == Wanted::Guardrail && self.wants.is_met(self.setting, model, place, after);
        if !met && !self.meddled && !self.owner_was_stale() {
            return broken(
                Invariant::EnforcedUnwanted,
                format!("{place} enforces {arn} version {version}, and that isn't wanted"),
            );
        }
        Ok(())
    }

    fn check_replaced(&self, place: &Place, before: &EnforcedConfiguration) -> Result<(), Violation> {
        let by = &before.updated_by;
        if self.wants.existing != Existing::Replace {
            return broken(Invariant::ForeignReplaced, format!("{place} had something of {by}"));
        }
        let record = self.record(place);
        let kept = record.and_then(|record| record.previous.as_ref()).is_some_and(|previous| {
            previous.seen.config_id.as_ref().is_some_and(|id| id.as_str() == before.config_id)
                && recorded_signature(&previous.seen.enforcement) == signature(before)
        });
        if !self.setting.is_durable() || !kept {
            return broken(
                Invariant::ForeignReplaced,
                format!("{place} had something of {by}, of which there is no lasting record"),
            );
        }
        Ok(())
    }

    fn check_released(
        &self,
        model: &mut Model,
        book: &Book,
        place: &Place,
        before: &EnforcedConfiguration,
        wanted: Wanted,
    ) -> Result<(), Violation> {
        if !book.is_as_applied(place, before) {
            let by = &before.updated_by;
            return broken(Invariant::ReleasedNotOurs, format!("{place} had something of {by}"));
        }
        let leaves = self.wants.leaving.contains(&place.account);
        if self.put_back && !leaves {
            return broken(
                Invariant::ReleasedNotOurs,
                format!("{place}: nothing is released while a baseline waits"),
            );
        }
        // Whoever marks an account as about to leave says that it is to be released.
        let approved = book.approved.contains(&self.wants.text(self.setting)) || leaves;
        if book.is_adopted(place, before) && !approved {
            return broken(Invariant::ReleasedUnasked, format!("{place}: {}", before.updated_by));
        }
        if self.wants.mode == Mode::EnforceOnly {
            return broken(Invariant::WroteAgainstMode, format!("{place} was released under enforce-only"));
        }
        if self.before.unknown_states.contains(&place.account) && !self.meddled {
            return broken(
                Invariant::ReleasedNotOurs,
                format!("nobody knows the state of {}: nothing is taken away there", place.account),
            );
        }
        let usable = is_usable(model, place, &before.guardrail_arn, &before.guardrail_version);
        let given_up = self.wants.release_unusable && (!usable || self.owner_was_stale() || self.meddled);
        if wanted != Wanted::Nothing && !given_up && !self.meddled {
            return broken(Invariant::ReleasedNotOurs, format!("{place} is wanted guarded"));
        }
        Ok(())
    }

    fn check_policies(&self, model: &Model, book: &Book, deeds: &mut Deeds) -> Result<(), Violation> {
        for arn in self.middle.policies.keys().chain(self.after.policies.keys()).collect::<BTreeSet<_>>() {
            let (before, after) = (self.middle.policies.get(arn), self.after.policies.get(arn));
            if before == after {
                continue;
            }
            if self.wants.mode == Mode::Audit {
                return broken(
                    Invariant::WroteAgainstMode,
                    format!("the policy of {arn} changed under audit"),
                );
            }
            self.check_statements(arn, before, after, deeds)?;
            let none = Vec::new();
            let admitted = |snapshot: &Snapshot| snapshot.admitted.get(arn).unwrap_or(&none).clone();
            let still = admitted(&self.after);
            let lost: Vec<String> =
                admitted(&self.middle).into_iter().filter(|account| !still.contains(account)).collect();
            if lost.is_empty() {
                deeds.granted += 1;
                continue;
            }
            deeds.narrowed += 1;
            for account in lost {
                self.check_narrowed(model, book, arn, &account)?;
            }
        }
        Ok(())
    }

    fn check_statements(
        &self,
        arn: &str,
        before: Option<&Value>,
        after: Option<&Value>,
        deeds: &mut Deeds,
    ) -> Result<(), Violation> {
        let all = |policy: Option<&Value>| policy.map(statements).unwrap_or_default();
        let mut left = all(after);
        for statement in all(before).into_iter().filter(|statement| !is_keepers(statement, arn)) {
            match left.iter().position(|other| *other == statement) {
                Some(at) => {
                    left.remove(at);
                    deeds.merged += 1;
                }
                None => {
                    return broken(
                        Invariant::ForeignStatementLost,
                        format!("the policy of {arn} lost {statement}"),
                    );
                }
            }
        }
        if let Some(statement) = left.iter().find(|statement| !is_keepers(statement, arn)) {
            return broken(Invariant::ForeignStatementLost, format!("{arn}: {statement} is new"));
        }
        let around = |policy: &Value| {
            let mut policy = policy.clone();
            policy.as_object_mut().map(|members| members.remove("Statement"));
            policy
        };
        match (before, after) {
            (Some(before), Some(after)) if around(before) != around(after) => {
                broken(Invariant::ForeignStatementLost, format!("{arn}: {before} became {after}"))
            }
            _ => Ok(()),
        }
    }

    fn check_narrowed(&self, model: &Model, book: &Book, arn: &str, account: &str) -> Result<(), Violation> {
        let Some(name) = GuardrailName::from_arn(arn) else { return Ok(()) };
        let place = Place { account: account.to_owned(), region: name.region };
        let enforced_in = |snapshot: &Snapshot| {
            snapshot.enforced.get(&place).is_some_and(|enforced| enforced.guardrail_arn == arn)
        };
        // A suspended account can't be read, and calls nothing. What the ledger knows of it counts.
        let suspended = model.account(account).is_some_and(|it| it.state != AccountState::Active);
        let known = book.has(&place);
        // Nobody can know of what was enforced after the look.
        let meanwhile = self.meddled && !enforced_in(&self.before);
        if enforced_in(&self.after)
            && (!suspended || known)
            && !meanwhile
            && !self.account_was_stale(account)
            && *account != self.setting.owner()
        {
            return broken(
                Invariant::NarrowedUnderEnforcement,
                format!("{arn} isn't granted to {account} any more, which enforces it"),
            );
        }
        Ok(())
    }

    fn check_guardrails(&self, model: &Model, book: &Book, deeds: &mut Deeds) -> Result<(), Violation> {
        for (arn, before) in &self.middle.guardrails {
            let after = self.after.guardrails.get(arn);
            if after == Some(before) {
                continue;
            }
            deeds.copies += 1;
            let Some(after) = after else {
                deeds.tidied += 1;
                self.check_tidied(model, book, arn)?;
                continue;
            };
            if !before.is_marked() {
                return broken(Invariant::GuardrailTouched, format!("{arn} is somebody else's"));
            }
            for version in before.versions.keys().filter(|version| !after.versions.contains_key(version)) {
                let number = version.to_string();
                let mut users = self.middle.enforced.iter().chain(&self.after.enforced);
                let user = users.find(|(_, enforced)| {
                    enforced.guardrail_arn == *arn && enforced.guardrail_version == number
                });
                if let Some((place, _)) = user {
                    return broken(
                        Invariant::GuardrailTouched,
                        format!("version {version} of {arn} was deleted, and {place} enforces it"),
                    );
                }
            }
        }
        let new = self.after.guardrails.keys().filter(|arn| !self.middle.guardrails.contains_key(*arn));
        for arn in new {
            deeds.copies += 1;
            let Some(GuardrailName { account, region, id: _ }) = GuardrailName::from_arn(arn) else {
                continue;
            };
            let place = Place { account, region };
            let wanted = self.wants.of(self.setting, model, &place);
            let member = place.account != self.setting.owner();
            let copying = member && self.wants.placement == Placement::Copy && wanted == Wanted::Guardrail;
            if !copying && !self.meddled || self.wants.mode == Mode::Audit {
                return broken(Invariant::GuardrailTouched, format!("{arn} was made, and nobody wanted it"));
            }
        }
        Ok(())
    }

    /// A guardrail may be deleted only if it is a copy of the keeper's that the ledger knows was
    /// enforced, that nobody enforces or wants any more, and of which nobody else published a version.
    fn check_tidied(&self, model: &Model, book: &Book, arn: &str) -> Result<(), Violation> {
        let touched =
            |why: &str| broken(Invariant::GuardrailTouched, format!("{arn} was deleted, and {why}"));
        let Some(GuardrailName { account, region, id: _ }) = GuardrailName::from_arn(arn) else {
            return touched("it has no place");
        };
        let place = Place { account, region };
        // Who marks or publishes between look and write can't be noticed.
        let Some(seen) = self.before.guardrails.get(arn) else { return touched("it had just been made") };
        // An old list may lack the version that somebody published (seed 65010017).
        if !seen.is_copy() && !self.may_be_stale(&place.account, &["ListGuardrails"]) {
            return touched("it isn't provably a copy");
        }
        if !book.once_ours.contains(&(place.clone(), arn.to_owned())) {
            return touched("the ledger knows nothing of it");
        }
        if self.middle.enforced.values().chain(self.after.enforced.values()).any(|it| it.guardrail_arn == arn)
        {
            return touched("it is enforced");
        }
        let copying = self.wants.placement == Placement::Copy && place.account != self.setting.owner();
        if copying && !self.meddled && self.wants.of(self.setting, model, &place) == Wanted::Guardrail {
            return touched("a copy is wanted there");
        }
        Ok(())
    }

    /// Where Put looks at the grant, a Put without one is refused: it should never have been tried.
    fn check_refusals(&self) -> Result<(), Violation> {
        if self.setting.switches.put_without_grant == Answer::Accepted || self.meddled {
            return Ok(());
        }
        let refused = self
            .writes()
            .filter(|call| call.operation == PUT && call.fault.is_none())
            .find(|call| call.error.as_deref() == Some("AccessDeniedException"));
        match refused {
            Some(call) => broken(
                Invariant::EnforcedUnusable,
                format!("{}/{} was to enforce what it isn't granted", call.account, call.region),
            ),
            None => Ok(()),
        }
    }

    fn record(&self, place: &Place) -> Option<&Record> {
        let same = |target: &&guardrail_keeper::ids::Target| {
            target.account.as_str() == place.account && target.region.as_str() == place.region
        };
        let target = self.records.keys().find(same)?;
        self.records.get(target)
    }

    fn check_rest(&self, book: &mut Book) -> Result<(), Violation> {
        let calm = self.faults.is_empty() && !self.meddled;
        let withdraws =
            |call: &Call| call.operation.ends_with("ResourcePolicy") || call.operation == "DeleteGuardrail";
        let again = match book.rest {
            Rest::No => None,
            Rest::Settled => self.writes().find(|call| !withdraws(call)),
            Rest::Quiet => self.writes().next(),
        };
        if again.is_some() && calm {
            return broken(
                Invariant::WroteAgain,
                format!("everything was as wanted, and it wrote: {}", self.listed_writes()),
            );
        }
        // What wasn't recorded when it was done is recorded by the next look, and tidied up after that.
        let idle = self.writes().next().is_none() && !book.noted;
        let converged = calm && self.report.as_ref().is_some_and(Report::is_converged);
        book.rest = match (converged, idle, &self.scope) {
            (false, _, _) => Rest::No,
            (true, false, None) => Rest::Settled,
            (true, true, None) => Rest::Quiet,
            // A look at one account says nothing of the others.
            (true, _, Some(_)) => book.rest,
        };
        Ok(())
    }
}

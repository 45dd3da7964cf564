//! Wrong writes on purpose, and one wrong report: the checks must notice each of them.

use guardrail_keeper::plan::{Decision, Held, HoldReason, InSync};
use guardrail_keeper::record::{Origin, Ours, Records};
use guardrail_keeper::report::{Report, State, TargetReport};
use serde_json::json;
use simulator::{Answer, Call, Enforce, EnforcedConfiguration, GuardrailName, Model};

use testkit::histories::baseline::{COPY, Existing, GUARDRAIL, Mode, OWN, Wanted, Wants};
use testkit::histories::check::{Book, Invariant, Rest, recorded_signature, signature};
use testkit::histories::model::{Place, administrator, can_apply, is_keepers, is_usable, statements};
use testkit::histories::setting::{MEMBER_ROLE, Setting};
use testkit::histories::step::{PUT, Wrong, WrongKind};

/// A bug that is played after each run of the keeper, as the keeper, wherever there is a chance for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plant {
    SkipsTheProbe,
    WithdrawsTooEarly,
    DropsForeignStatements,
    ReplacesForeign,
    ReleasesForeign,
    ReleasesAdopted,
    EnforcesAnotherVersion,
    EntersTheExcluded,
    DeletesTheEnforcedVersion,
    DeletesGuardrailsOfMembers,
    WritesAgain,
    WritesInAudit,
    ClaimsToBeInSync,
    /// One answer that a version isn't there is enough to give an enforcement up.
    IsFooledByOneAnswer,
    /// A run is called converged though nobody knows the state of an account.
    TakesUnknownForActive,
    WritesUnrecorded,
    AdoptsWhatDiffers,
    LosesTheRecord,
    ActsWithoutBaseline,
    StopsAfterWriting,
    Panics,
    /// One target is held for ever, for no reason.
    NeverGuards,
    NeverRests,
}

/// A run of the keeper, as far as a planted bug can change what is seen of it.
pub(crate) struct Seen<'a> {
    pub(crate) calls: &'a mut Vec<Call>,
    pub(crate) records: &'a mut Records,
    pub(crate) report: &'a mut Option<Report>,
    /// The faults that are set.
    pub(crate) faults: &'a [Wrong],
    /// Whether the ledger can be written.
    pub(crate) recordable: bool,
    /// Whether somebody meddled between look and write.
    pub(crate) meddled: bool,
}

impl Plant {
    pub(crate) const ALL: [(Plant, Invariant); 23] = [
        (Plant::SkipsTheProbe, Invariant::EnforcedUnusable),
        (Plant::WithdrawsTooEarly, Invariant::NarrowedUnderEnforcement),
        (Plant::DropsForeignStatements, Invariant::ForeignStatementLost),
        (Plant::ReplacesForeign, Invariant::ForeignReplaced),
        (Plant::ReleasesForeign, Invariant::ReleasedNotOurs),
        (Plant::ReleasesAdopted, Invariant::ReleasedUnasked),
        (Plant::EnforcesAnotherVersion, Invariant::EnforcedUnwanted),
        (Plant::EntersTheExcluded, Invariant::HandsOn),
        (Plant::DeletesTheEnforcedVersion, Invariant::GuardrailTouched),
        (Plant::DeletesGuardrailsOfMembers, Invariant::GuardrailTouched),
        (Plant::WritesAgain, Invariant::WroteAgain),
        (Plant::WritesInAudit, Invariant::WroteAgainstMode),
        (Plant::ClaimsToBeInSync, Invariant::ReportedWrongly),
        (Plant::IsFooledByOneAnswer, Invariant::ReleasedNotOurs),
        (Plant::TakesUnknownForActive, Invariant::ReportedWrongly),
        (Plant::WritesUnrecorded, Invariant::WroteUnrecorded),
        (Plant::AdoptsWhatDiffers, Invariant::AdoptedUnwanted),
        (Plant::LosesTheRecord, Invariant::RecordLost),
        (Plant::ActsWithoutBaseline, Invariant::ActedWithoutBaseline),
        (Plant::StopsAfterWriting, Invariant::StoppedAfterWriting),
        (Plant::Panics, Invariant::Panicked),
        (Plant::NeverGuards, Invariant::Unguarded),
        (Plant::NeverRests, Invariant::Restless),
    ];

    pub(crate) fn act(
        self,
        setting: &Setting,
        wants: &Wants,
        book: &Book,
        model: &mut Model,
        seen: &mut Seen<'_>,
    ) {
        let Seen { calls, records, report, faults, recordable, meddled } = seen;
        if self == Plant::AdoptsWhatDiffers {
            adopt_what_differs(setting, wants, book, model, records);
        }
        let mut play = Play { setting, wants, book, model };
        match self {
            Plant::SkipsTheProbe => play.enforce_where(wants.version, |play, place, wanted, _| {
                let Some(arn) = play.original(&place.region) else { return false };
                let version = play.wants.version.to_string();
                wants.mode != Mode::Audit
                    && wanted == Wanted::Guardrail
                    && !can_apply(play.model, setting, place, &arn, &version)
            }),
            // Had something just been enforced, that would be what is noticed.
            Plant::WithdrawsTooEarly | Plant::DeletesTheEnforcedVersion
                if calls.iter().any(|call| call.operation == PUT) => {}
            Plant::WithdrawsTooEarly => play.withdraw(),
            Plant::DropsForeignStatements => play.drop_foreign(),
            Plant::ReplacesForeign => play.enforce_where(wants.version, |play, place, wanted, seen| {
                let Some(arn) = play.original(&place.region) else { return false };
                let version = play.wants.version.to_string();
                let foreign =
                    seen.is_some_and(|seen| play.book.is_foreign(place, seen) && seen.guardrail_arn != arn);
                wants.mode != Mode::Audit
                    && wants.existing != Existing::Replace
                    && wants.placement == testkit::histories::baseline::Placement::Central
                    && wanted == Wanted::Guardrail
                    && foreign
                    && can_apply(play.model, setting, place, &arn, &version)
            }),
            Plant::ReleasesForeign => play.release_foreign(),
            Plant::ReleasesAdopted => play.release_adopted(),
            Plant::EnforcesAnotherVersion => play.enforce_where(1, |play, place, wanted, seen| {
                let Some(arn) = play.original(&place.region) else { return false };
                wants.mode == Mode::Sync
                    && wants.version != 1
                    && wanted == Wanted::Guardrail
                    && seen.is_some_and(|seen| !play.book.is_foreign(place, seen))
                    && can_apply(play.model, setting, place, &arn, "1")
            }),
            Plant::EntersTheExcluded => play.enforce_where(wants.version, |play, place, wanted, seen| {
                let Some(arn) = play.original(&place.region) else { return false };
                let version = play.wants.version.to_string();
                wants.mode == Mode::Sync
                    && wanted == Wanted::HandsOff
                    && seen.is_none()
                    && can_apply(play.model, setting, place, &arn, &version)
            }),
            Plant::DeletesTheEnforcedVersion => play.delete_enforced_version(),
            Plant::DeletesGuardrailsOfMembers => play.delete_guardrails_of_members(),
            Plant::WritesAgain => {
                if book.rest == Rest::Quiet
                    && let Some(call) = calls.last().cloned()
                {
                    calls.push(Call { operation: PUT.to_owned(), write: true, ..call });
                }
            }
            Plant::WritesInAudit => play.enforce_where(wants.version, |_, _, wanted, _| {
                wants.mode == Mode::Audit && wanted == Wanted::Guardrail
            }),
            Plant::ClaimsToBeInSync => {
                let targets = report.iter_mut().flat_map(|report| report.targets.values_mut());
                for target in targets.filter(|target| matches!(target.state(), State::Held | State::Broken)) {
                    *target = TargetReport::Decided(Decision::InSync(InSync::default()));
                }
            }
            Plant::IsFooledByOneAnswer => {
                let met = |kind: WrongKind| faults.iter().any(|fault| fault.kind == kind);
                // What is read late may be read so rightly.
                if !*meddled && met(WrongKind::FalselyMissing) && !met(WrongKind::StaleRead) {
                    play.give_up();
                }
            }
            Plant::TakesUnknownForActive => {
                report.iter_mut().for_each(|report| report.unknown_states.clear());
            }
            Plant::WritesUnrecorded => {
                if !*recordable {
                    play.enforce_where(wants.version, |play, place, wanted, seen| {
                        let Some(arn) = play.original(&place.region) else { return false };
                        let version = play.wants.version.to_string();
                        wants.mode != Mode::Audit
                            && wants.placement == testkit::histories::baseline::Placement::Central
                            && wanted == Wanted::Guardrail
                            && seen.is_none()
                            && can_apply(play.model, setting, place, &arn, &version)
                    });
                }
            }
            Plant::AdoptsWhatDiffers => {}
            Plant::LosesTheRecord => {
                records.values_mut().for_each(|record| (record.ours, record.intent) = (None, None));
            }
            // Where there is none, no run comes to this point.
            Plant::ActsWithoutBaseline => {}
            Plant::StopsAfterWriting => {
                if calls.iter().any(|call| call.write && call.error.is_none()) {
                    **report = None;
                }
            }
            Plant::Panics => panic!("a planted panic"),
            Plant::NeverGuards => play.leave_one_out(records, report),
            Plant::NeverRests => {
                let write = calls.last().map(|call| Call {
                    operation: PUT.to_owned(),
                    write: true,
                    error: None,
                    status: 200,
                    ..call.clone()
                });
                calls.extend(write);
                if let Some(report) = report {
                    report.ledger_trouble = Some("planted".to_owned());
                }
            }
        }
    }
}

struct Play<'a> {
    setting: &'a Setting,
    wants: &'a Wants,
    book: &'a Book,
    model: &'a mut Model,
}

impl Play<'_> {
    fn original(&self, region: &str) -> Option<String> {
        self.model.guardrail_arn(&self.setting.owner(), region, GUARDRAIL).map(str::to_owned)
    }

    fn places(&self) -> Vec<Place> {
        let accounts = self.setting.assignable();
        let places = accounts.iter().flat_map(|account| {
            let place = |region: &&str| Place { account: account.clone(), region: (*region).to_owned() };
            self.setting.regions().iter().map(place).collect::<Vec<_>>()
        });
        places.collect()
    }

    fn role(account: &str) -> String {
        format!("arn:aws:iam::{account}:role/{MEMBER_ROLE}")
    }

    fn enforce_where(
        &mut self,
        version: u32,
        wrong: impl Fn(&mut Play<'_>, &Place, Wanted, Option<&EnforcedConfiguration>) -> bool,
    ) {
        for place in self.places() {
            let wanted = self.wants.of(self.setting, self.model, &place);
            let seen = self.model.enforcement(&place.account, &place.region).cloned();
            let Some(arn) = self.original(&place.region) else { continue };
            if wrong(self, &place, wanted, seen.as_ref()) {
                let enforce = Enforce::new(&arn, &version.to_string());
                let role = Play::role(&place.account);
                drop(self.model.put_enforcement_as(&role, &place.account, &place.region, enforce));
            }
        }
    }

    fn withdraw(&mut self) {
        for region in self.setting.regions() {
            let Some(arn) = self.original(region).filter(|_| self.wants.mode == Mode::Sync) else { continue };
            let policy = self.model.resource_policy(&arn).and_then(|text| serde_json::from_str(&text).ok());
            let all: Vec<_> = policy.iter().flat_map(statements).collect();
            let of_others = |place: &Place| place.account != self.setting.owner();
            let is_enforced = self.places().iter().filter(|place| of_others(place)).any(|place| {
                let enforced = self.model.enforcement(&place.account, &place.region);
                enforced.is_some_and(|seen| seen.guardrail_arn == arn)
            });
            if is_enforced && !all.is_empty() && all.iter().all(|statement| is_keepers(statement, &arn)) {
                drop(self.model.set_resource_policy(&arn, None));
            }
        }
    }

    fn drop_foreign(&mut self) {
        for region in self.setting.regions() {
            let Some(arn) = self.original(region).filter(|_| self.wants.mode == Mode::Sync) else { continue };
            let policy = self.model.resource_policy(&arn).and_then(|text| serde_json::from_str(&text).ok());
            let all: Vec<_> = policy.iter().flat_map(statements).collect();
            let kept: Vec<_> = all.iter().filter(|it| is_keepers(it, &arn)).cloned().collect();
            if !kept.is_empty() && kept.len() < all.len() && self.setting.switches.sid == Answer::Accepted {
                let text = json!({ "Version": "2012-10-17", "Statement": kept }).to_string();
                drop(self.model.set_resource_policy(&arn, Some(&text)));
            }
        }
    }

    fn delete_enforced_version(&mut self) {
        for place in self.places() {
            let Some(seen) = self.model.enforcement(&place.account, &place.region).cloned() else { continue };
            let copy = self.model.guardrail_arn(&place.account, &place.region, COPY);
            let is_copy = copy.is_some_and(|copy| copy == seen.guardrail_arn);
            let Some(name) = seen.guardrail().filter(|_| is_copy) else { continue };
            if self.wants.mode == Mode::Sync {
                drop(self.model.remove_guardrail(&name, Some(&seen.guardrail_version)));
            }
        }
    }

    /// What members made for themselves and don't enforce.
    fn delete_guardrails_of_members(&mut self) {
        for place in self.places() {
            let own = self.model.guardrail_arn(&place.account, &place.region, OWN).map(str::to_owned);
            let enforced = self.model.enforcement(&place.account, &place.region);
            let used = enforced.is_some_and(|seen| own.as_ref() == Some(&seen.guardrail_arn));
            let Some(name) = own.filter(|_| !used).and_then(|arn| GuardrailName::from_arn(&arn)) else {
                continue;
            };
            if self.wants.mode == Mode::Sync {
                drop(self.model.remove_guardrail(&name, None));
            }
        }
    }

    /// What the keeper adopted, as if it had put it there.
    fn release_adopted(&mut self) {
        for place in self.book.adopted().cloned().collect::<Vec<_>>() {
            let wanted = self.wants.of(self.setting, self.model, &place);
            let Some(seen) = self.model.enforcement(&place.account, &place.region).cloned() else { continue };
            if wanted == Wanted::Nothing
                && self.wants.mode == Mode::Sync
                && self.book.is_as_applied(&place, &seen)
            {
                let role = Play::role(&place.account);
                drop(self.model.delete_enforcement_as(&role, &place.account, &place.region));
            }
        }
    }

    /// What is the keeper's and can be used is released where it is wanted.
    fn give_up(&mut self) {
        for place in self.places().into_iter().filter(|_| self.wants.mode == Mode::Sync) {
            let Some(seen) = self.model.enforcement(&place.account, &place.region).cloned() else { continue };
            let wanted = self.wants.of(self.setting, self.model, &place) == Wanted::Guardrail;
            let (arn, version) = (&seen.guardrail_arn, &seen.guardrail_version);
            if wanted
                && self.book.is_provably_applied(&place, &seen)
                && !self.book.is_adopted(&place, &seen)
                && is_usable(self.model, &place, arn, version)
            {
                let role = Play::role(&place.account);
                drop(self.model.delete_enforcement_as(&role, &place.account, &place.region));
            }
        }
    }

    /// The first member is never guarded, and said to be held.
    fn leave_one_out(&mut self, records: &mut Records, report: &mut Option<Report>) {
        let account = self.setting.member(0);
        for region in self.setting.regions() {
            drop(self.model.delete_enforcement_as(&administrator(&account), &account, region));
        }
        records.retain(|target, _| target.account.as_str() != account);
        let targets = report.iter_mut().flat_map(|report| report.targets.iter_mut());
        for (_, target) in targets.filter(|(target, _)| target.account.as_str() == account) {
            *target =
                TargetReport::Decided(Decision::Held(Held { reason: HoldReason::NotProven, would: None }));
        }
    }

    fn release_foreign(&mut self) {
        for place in self.places() {
            let wanted = self.wants.of(self.setting, self.model, &place);
            let seen = self.model.enforcement(&place.account, &place.region).cloned();
            let foreign = seen.is_some_and(|seen| self.book.is_foreign(&place, &seen));
            if foreign && wanted != Wanted::HandsOff && self.wants.mode == Mode::Sync {
                let role = Play::role(&place.account);
                drop(self.model.delete_enforcement_as(&role, &place.account, &place.region));
            }
        }
    }
}

/// The ledger takes over what somebody else made and what isn't as wanted.
pub(crate) fn adopt_what_differs(
    setting: &Setting,
    wants: &Wants,
    book: &Book,
    model: &Model,
    records: &mut Records,
) {
    for (target, record) in records.iter_mut() {
        let place = Place { account: target.account.to_string(), region: target.region.to_string() };
        let Some(there) = model.enforcement(&place.account, &place.region).cloned() else { continue };
        let seen = record.seen.as_ref().and_then(|seen| seen.enforcement.clone());
        let (Some(enforcement), Some(checked)) = (seen, &record.checked) else { continue };
        let differs = wants.of(setting, model, &place) == Wanted::Guardrail
            && !wants.is_met(setting, model, &place, &there)
            && recorded_signature(&enforcement) == signature(&there);
        if differs && book.is_foreign(&place, &there) {
            let (at, revision) = (checked.at, checked.revision.clone());
            let (origin, path, reads_back) = (Origin::Adopted, None, None);
            record.ours = Some(Ours { enforcement, origin, at, revision, path, reads_back });
        }
    }
}

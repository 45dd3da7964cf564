//! Wrong writes on purpose, and one wrong report: the checks must notice each of them.

use guardrail_keeper::plan::{Decision, InSync};
use guardrail_keeper::report::{Report, State, TargetReport};
use serde_json::json;
use simulator::{Answer, Call, Enforce, EnforcedConfiguration, GuardrailName, Model};

use crate::baseline::{COPY, Existing, GUARDRAIL, Mode, OWN, Wanted, Wants};
use crate::check::{Book, Invariant, Rest};
use crate::model::{Place, can_apply, is_keepers, statements};
use crate::setting::{MEMBER_ROLE, Setting};
use crate::step::PUT;

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
}

impl Plant {
    pub(crate) const ALL: [(Plant, Invariant); 13] = [
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
    ];

    pub(crate) fn act(
        self,
        setting: &Setting,
        wants: &Wants,
        book: &Book,
        model: &mut Model,
        calls: &mut Vec<Call>,
        report: &mut Option<Report>,
    ) {
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
                    && wants.placement == crate::baseline::Placement::Central
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
            if !all.is_empty() && all.iter().all(|statement| is_keepers(statement, &arn)) {
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
        for place in self.book.adopted.clone() {
            let wanted = self.wants.of(self.setting, self.model, &place);
            if wanted == Wanted::Nothing && self.wants.mode == Mode::Sync {
                let role = Play::role(&place.account);
                drop(self.model.delete_enforcement_as(&role, &place.account, &place.region));
            }
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

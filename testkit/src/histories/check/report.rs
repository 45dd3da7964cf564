//! What a report says, held against what is so.

use guardrail_keeper::report::{Report, State};
use simulator::{AccountState, Model};

use super::{Invariant, Run, Violation, broken};
use crate::histories::baseline::{Mode, Wanted};
use crate::histories::model::{Place, Prompt, blocked_prompt};
use crate::histories::step::LIST;

impl Run<'_> {
    pub fn check_report(&self, model: &mut Model, report: &Report) -> Result<(), Violation> {
        for (target, result) in &report.targets {
            let place = Place { account: target.account.to_string(), region: target.region.to_string() };
            let state = result.state();
            let said = format!("{place} is said to be {state:?}");
            if matches!(state, State::InSync | State::Enforced | State::Replaced) && !self.was_read(&place) {
                return broken(Invariant::ReportedWrongly, format!("{said}, and it could not be read"));
            }
            let waits = self.waiting.contains(&place.account);
            if self.meddled || waits || self.owner_was_stale() || self.account_was_stale(&place.account) {
                continue;
            }
            let wanted = self.wants.of(self.setting, model, &place);
            let seen = self.after.enforced.get(&place);
            let audits = self.wants.mode == Mode::Audit;
            let meets = |seen| self.wants.is_met(self.setting, model, &place, seen);
            match (state, wanted) {
                (State::InSync | State::Enforced | State::Replaced, Wanted::Guardrail) => {
                    let met = seen.is_some_and(meets);
                    let prompt = blocked_prompt(model, &place);
                    if !met || prompt != Prompt::Stopped {
                        return broken(
                            Invariant::ReportedWrongly,
                            format!("{said}, as wanted: {met}, and a blocked prompt there: {prompt:?}"),
                        );
                    }
                }
                (State::InSync | State::Released, Wanted::Nothing) if seen.is_none() => {}
                // Given up, because it could not be used.
                (State::Released, Wanted::Guardrail) if seen.is_none() && self.wants.release_unusable => {}
                (State::WouldEnforce, Wanted::Guardrail) if audits && seen.is_none() => {}
                (State::WouldReplace, Wanted::Guardrail)
                    if audits && seen.is_some_and(|seen| !meets(seen)) => {}
                (State::WouldRelease, Wanted::Nothing) if audits && seen.is_some() => {}
                (State::LeftAlone | State::WouldAbandon, Wanted::HandsOff)
                | (State::LeftAlone, Wanted::Nothing)
                | (State::Held | State::Failed | State::Broken | State::Copied, _) => {}
                (_, wanted) => {
                    return broken(
                        Invariant::ReportedWrongly,
                        format!("{said}, wanted is {wanted:?}, enforced {seen:?}"),
                    );
                }
            }
        }
        let unknown = self.after.unknown_states.iter().find(|account| match &self.scope {
            Some(only) => *account == only,
            None => self.setting.assignable().contains(account),
        });
        if let Some(account) = unknown.filter(|_| report.is_converged() && !self.meddled) {
            return broken(
                Invariant::ReportedWrongly,
                format!("it is said to have converged, and nobody knows the state of {account}"),
            );
        }
        self.check_complete(model, report)
    }

    /// Whether at least one look at the target was answered.
    fn was_read(&self, place: &Place) -> bool {
        self.calls.iter().any(|call| {
            let there = call.account == place.account && call.region == place.region;
            let answered = call.status == 200 || call.error.as_deref() == Some("ResourceNotFoundException");
            call.operation == LIST && there && answered
        })
    }

    /// No target that should be guarded is left out of the report, and none is forgotten where it
    /// says that everything is as wanted.
    fn check_complete(&self, model: &Model, report: &Report) -> Result<(), Violation> {
        let accounts = match &self.scope {
            Some(account) => vec![account.clone()],
            None => self.setting.assignable(),
        };
        for account in accounts {
            let active = model.account(&account).is_some_and(|it| it.state == AccountState::Active);
            if !active || self.meddled || self.waiting.contains(&account) {
                continue;
            }
            for region in self.setting.regions() {
                let place = Place { account: account.clone(), region: (*region).to_owned() };
                let told = report
                    .targets
                    .keys()
                    .any(|target| target.account.as_str() == account && target.region.as_str() == *region);
                if self.wants.of(self.setting, model, &place) != Wanted::Guardrail {
                    continue;
                }
                if !told {
                    return broken(Invariant::ReportedWrongly, format!("{place} is missing from the report"));
                }
                let stale = self.owner_was_stale() || self.account_was_stale(&account);
                let seen = self.after.enforced.get(&place);
                let met = seen.is_some_and(|seen| self.wants.is_met(self.setting, model, &place, seen));
                if report.is_converged() && !met && !stale {
                    return broken(
                        Invariant::ReportedWrongly,
                        format!("it is said to have converged, and {place} isn't as wanted"),
                    );
                }
            }
        }
        Ok(())
    }
}

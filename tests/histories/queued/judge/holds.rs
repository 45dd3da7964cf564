//! Why something is said to be held, to have failed or to be broken, held against what was so.
//!
//! The record of each look has a code. What it says has to have been so at some moment that the look can know of: in
//! a member since its invocation began, at the owner's since its side was looked at before that.

use std::collections::BTreeSet;
use std::sync::Arc;

use guardrail_keeper::record::{Records, State};
use jiff::Timestamp;
use simulator::{Call, EnforcedConfiguration, Model};

use super::{Context, Judge};
use testkit::histories::baseline::{Existing, GUARDRAIL, Mode, Placement, Wants};
use testkit::histories::check::{Invariant, Violation, broken};
use testkit::histories::model::{Place, Snapshot, can_apply, is_the_keeper};

/// A call that went wrong for an invocation.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    operation: String,
    /// Whose call it was, and what it was about.
    account: String,
    target: String,
    ledger: bool,
    /// Whether a fault struck it.
    struck: bool,
    /// Whether all that it answered is that there is no such thing, which is so.
    absent: bool,
}

impl Trouble {
    pub(super) fn of(call: &Call) -> Option<Trouble> {
        let struck = call.fault.is_some();
        let absent = ["ResourceNotFoundException", "ParameterNotFound", "ConditionalCheckFailedException"];
        let absent = !struck && call.error.as_deref().is_some_and(|error| absent.contains(&error));
        (struck || call.error.is_some()).then(|| Trouble {
            operation: call.operation.clone(),
            account: call.account.clone(),
            target: call.target.clone().unwrap_or_default(),
            ledger: call.service == "dynamodb",
            struck,
            absent,
        })
    }

    /// The ledger's file can't be read or written, which no call shows.
    pub(super) fn of_the_file() -> Trouble {
        let (account, target) = (String::new(), String::new());
        Trouble {
            operation: "the ledger's file".to_owned(),
            account,
            target,
            ledger: true,
            struck: true,
            absent: false,
        }
    }

    /// Whether an account's look can have met it. Calls to the ledger are the hub's, and those
    /// with a session that AWS doesn't know nobody's.
    fn is_about(&self, account: &str) -> bool {
        self.ledger || self.account.is_empty() || self.account == account || self.target.contains(account)
    }
}

impl Context {
    /// Whether each of its calls was answered as it should be.
    pub(super) fn went_well(&self) -> bool {
        self.trouble.iter().all(|trouble| trouble.absent)
    }

    /// Whether a fault struck one of its calls.
    pub(super) fn is_disturbed(&self) -> bool {
        self.trouble.iter().any(|trouble| trouble.struck)
    }
}

impl Judge {
    /// Every new conclusion about a target of an account has a true reason.
    pub(super) fn judge_holds(
        &mut self,
        account: &str,
        records: &Records,
        context: &Context,
        model: &mut Model,
    ) -> Result<(), Violation> {
        for (target, record) in records {
            let place = Place { account: account.to_owned(), region: target.region.to_string() };
            let Some(checked) = record.checked.clone() else { continue };
            if self.checked.get(&place) == Some(&checked) {
                continue;
            }
            self.checked.insert(place.clone(), checked.clone());
            let held = matches!(checked.state, State::Held | State::Failed | State::Broken);
            let Some(code) = checked.code.as_deref().filter(|_| held) else { continue };
            *self.holds.entry(code.to_owned()).or_default() += 1;
            if self.old.may_matter_to(account, &place.region, self.worlds[context.began].0) {
                continue;
            }
            let reason = checked.reason.unwrap_or_default();
            if !self.is_true((code, &reason), &place, context, model) {
                let what = format!(
                    "{place} is said to be {:?} ({code}: {reason}), and that isn't so",
                    checked.state
                );
                return broken(Invariant::HeldForNothing, what);
            }
        }
        Ok(())
    }

    /// Whether what a code says was so.
    fn is_true(
        &self,
        (code, reason): (&str, &str),
        place: &Place,
        context: &Context,
        model: &mut Model,
    ) -> bool {
        let account = place.account.as_str();
        let candidates = self.candidates(account, context);
        let any = |test: &dyn Fn(&Wants) -> bool| candidates.iter().any(test);
        // The call that it names went wrong.
        let went_wrong = || {
            let is_named = |it: &&Trouble| reason.contains(&format!("{}:", it.operation));
            context.trouble.iter().filter(is_named).any(|it| it.is_about(account))
        };
        let seen = |test: &dyn Fn(&EnforcedConfiguration) -> bool| {
            self.worlds[context.began..].iter().any(|(_, world)| world.enforced.get(place).is_some_and(test))
        };
        let by_others = |seen: &EnforcedConfiguration| !is_the_keeper(account, &seen.updated_by);
        let bad = |model: &mut Model| self.may_be_unusable(place, context, &candidates, model);
        let (kind, _) = code.split_once('.').unwrap_or((code, ""));
        match kind {
            "not_ours" => any(&|wants| wants.existing != Existing::Replace) && seen(&by_others),
            "changed_by_someone_else" => seen(&by_others),
            "account_state_unknown" => {
                let since =
                    self.worlds.iter().position(|(at, _)| *at >= context.asked).unwrap_or(context.began);
                let worlds = &self.worlds[since.min(context.began).saturating_sub(1)..];
                worlds.iter().any(|(_, world)| world.unknown_states.contains(account))
            }
            "mode" => any(&|wants| wants.mode != Mode::Sync),
            "releases_adopted" => self.book.adopted().any(|adopted| adopted == place),
            "not_approved" | "too_many_moves" => self.may_be_limited(context),
            "failed" if reason.contains("it moved from") => self.has_moved(account, context),
            "failed" if reason.contains("another caller changed the configuration meanwhile") => {
                let worlds = &self.worlds[context.began..];
                let changed = |pair: &[(Timestamp, Arc<Snapshot>)]| {
                    pair[0].1.enforced.get(place) != pair[1].1.enforced.get(place)
                };
                // Or AWS said so.
                worlds.windows(2).any(changed) || went_wrong()
            }
            // A busy machine answers later than a keeper waits that was told not to wait for long.
            "unreadable" | "failed" | "probe_failed" if self.impatient && reason.contains("timed out") => {
                true
            }
            "unreadable" | "failed" | "probe_failed" => went_wrong(),
            "contested" => self.tampered.is_some(),
            "not_confirmed" | "too_many_unusable" | "unguarded" => {
                any(&|wants| wants.release_unusable) && bad(model)
            }
            "cannot_copy" | "copy_held" | "copy_needed" | "copy_unreadable" => {
                any(&|wants| wants.placement == Placement::Copy)
            }
            "not_found"
            | "ambiguous"
            | "missing"
            | "answers_disagree"
            | "only_draft"
            | "not_ready"
            | "automated_reasoning"
            | "not_granted"
            | "owner_unreadable" => bad(model),
            // Passes by itself: what is counted, and what the ledger has, is no state of AWS's.
            "not_counted" | "ledger_unavailable" | "interrupted" => true,
            _ => false,
        }
    }

    /// Whether an account has stood in several places since the task was queued.
    fn has_moved(&self, account: &str, context: &Context) -> bool {
        let from = self.places.iter().rposition(|(at, _)| *at <= context.asked).unwrap_or(0);
        let stood: BTreeSet<_> = self.places[from..].iter().map(|(_, places)| places.get(account)).collect();
        stood.len() > 1
    }

    /// Whether one of the baselines that it may go by asks for an approval.
    fn may_be_limited(&self, context: &Context) -> bool {
        let since = &self.baselines[context.baseline..];
        let nobody =
            |wants: &Wants| self.places.iter().any(|(_, members)| wants.names_nobody(&self.setting, members));
        self.manner.ceilings || since.iter().any(|it| it.wants.tight || nobody(&it.wants))
    }

    /// Whether the guardrail that is wanted could be taken for one that the account can't use.
    fn may_be_unusable(
        &self,
        place: &Place,
        context: &Context,
        candidates: &[Wants],
        model: &mut Model,
    ) -> bool {
        let known = self.owner.known_since(&place.region, self.worlds[context.began].0);
        let since = known.min(context.began);
        let lately = |world: Option<usize>| world.is_some_and(|world| world >= since);
        if lately(self.owner.changed) || lately(self.owner.troubled) || self.setting.making_seconds > 0 {
            return true;
        }
        let owner = self.setting.owner();
        let Some(arn) = model.guardrail_arn(&owner, &place.region, GUARDRAIL).map(str::to_owned) else {
            return true;
        };
        candidates.iter().any(|wants| {
            let usable_in = |world: &Snapshot| {
                let there =
                    world.guardrails.get(&arn).is_some_and(|it| it.versions.contains_key(&wants.version));
                let granted = world.admitted.get(&arn).is_some_and(|them| them.contains(&place.account));
                there && (granted || place.account == owner)
            };
            wants.misnamed
                || !self.worlds[since..].iter().all(|(_, world)| usable_in(world))
                || !can_apply(model, &self.setting, place, &arn, &wants.version.to_string())
        })
    }
}

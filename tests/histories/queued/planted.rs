//! Bugs on purpose, between the queues and the keeper or as wrong writes: the histories must notice each of them.

use std::collections::BTreeMap;

use guardrail_keeper::record::{Records, State};
use serde_json::{Value, json};
use simulator::{Answer, Enforce, Model};

use super::step::Manner;
use crate::planted::{Plant as Direct, Seen, adopt_what_differs};
use crate::telling::Reading;
use testkit::histories::baseline::{Existing, GUARDRAIL, Mode, Placement, Wanted, Wants};
use testkit::histories::check::{Book, Invariant};
use testkit::histories::model::{Place, can_apply, is_keepers, statements};
use testkit::histories::setting::{MEMBER_ROLE, Setting, region_of_owner};
use testkit::histories::step::{Wrong, WrongKind};
use testkit::histories::told::Deed;

/// A bug of the deployed form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plant {
    /// Every message of a batch counts as done, whatever the answer says.
    SwallowsFailures,
    /// A task is deleted when it is begun, and not when it is done.
    AcknowledgesFirst,
    /// What has to wait isn't put back before its task is acknowledged.
    ForgetsWhatWaits,
    /// A long look at everybody isn't gone on with.
    DropsContinuations,
    /// Two invocations work on one account.
    WorksTwiceAtOnce,
    /// Where an account stood when it was listed first is believed for ever.
    BelievesOldPlacements,
    /// A release isn't preceded by another question where the account stands.
    ReleasesWithoutASecondLook,
    /// A grant is taken back though somebody couldn't be read who enforces the guardrail.
    IgnoresTheUnreadable,
    /// `status` goes by what the last look was called, whatever is wanted by now.
    GoesByTheWord,
    /// An enforcement is written of which the record knows nothing.
    WritesUnrecorded,
    /// Whoever is in a state that nobody knows counts as active.
    TakesUnknownForActive,
    /// What stays in an account that is about to leave is told by nobody.
    ForgetsWhatStays,
    /// One answer that a version isn't there is enough to give an enforcement up.
    IsFooledByOneAnswer,
    /// The ledger forgets what was written.
    LosesTheRecord,
    /// The ledger takes over what somebody else made and what isn't as wanted.
    AdoptsWhatDiffers,
    /// An invocation fails although all goes well.
    FailsForNothing,
    /// Each sweep ends with the next one.
    SweepsForEver,
    /// The tasks of one member are lost, whoever asks for them.
    NeverGuards,
    /// Each look writes again what is there.
    NeverRests,
    /// Every write is told twice.
    TellsTwice,
    /// No write is told.
    TellsNothing,
    /// What is as wanted is recorded as held, because somebody changed it.
    InventsAHold,
    /// What is to be looked at again waits for hours.
    Dawdles,
    /// `Attention Needed` is published by nobody.
    KeepsQuiet,
    /// `Attention Needed` names one account only.
    NamesTheFirst,
    /// What a sweep repaired without an event is no news.
    ForgetsRepairs,
    /// By the ledger, accounts follow a revision at once that waits for a person.
    FollowsTheWaiting,
    /// What the keeper no longer guards is no news.
    ForgetsWhatEnds,
    /// A revision that waits for a person is said to begin.
    SaysThatItBegins,
    /// A bug of the direct form.
    Direct(Direct),
}

impl Plant {
    /// Each with what has to notice it; several, where it depends on the history which is first.
    pub(crate) const ALL: [(Plant, &[Invariant]); 34] = [
        (Plant::SwallowsFailures, &[Invariant::NeedsTheSweep]),
        // It lets go of the account's group as well.
        (Plant::AcknowledgesFirst, &[Invariant::OutOfTurn, Invariant::NeedsTheSweep]),
        (Plant::ForgetsWhatWaits, &[Invariant::NeedsTheSweep]),
        (Plant::DropsContinuations, &[Invariant::NeedsTheSweep]),
        (Plant::WorksTwiceAtOnce, &[Invariant::OutOfTurn]),
        // Or it says that an account moved which didn't.
        (
            Plant::BelievesOldPlacements,
            &[
                Invariant::EnforcedUnwanted,
                Invariant::ReleasedNotOurs,
                Invariant::HeldForNothing,
                // It moved to where it is unassigned.
                Invariant::HandsOn,
                // It moved to where it is guarded, and nothing but the sweep would put it right.
                Invariant::NeedsTheSweep,
            ],
        ),
        (Plant::ReleasesWithoutASecondLook, &[Invariant::ReleasedNotOurs]),
        (Plant::IgnoresTheUnreadable, &[Invariant::NarrowedUnderEnforcement]),
        (Plant::GoesByTheWord, &[Invariant::CalledGood]),
        (Plant::WritesUnrecorded, &[Invariant::WroteUnrecorded]),
        (Plant::TakesUnknownForActive, &[Invariant::CalledGood]),
        (Plant::ForgetsWhatStays, &[Invariant::CalledGood]),
        // Where nothing may be wanted any more, the record has nothing about it in any case.
        (Plant::IsFooledByOneAnswer, &[Invariant::ReleasedNotOurs, Invariant::WroteUnrecorded]),
        // What it lost while nothing was there is somebody else's when an administrator puts it back.
        (Plant::LosesTheRecord, &[Invariant::RecordLost, Invariant::ForeignReplaced]),
        (Plant::AdoptsWhatDiffers, &[Invariant::AdoptedUnwanted]),
        (Plant::FailsForNothing, &[Invariant::FailedForNothing]),
        (Plant::SweepsForEver, &[Invariant::LeftInQueues]),
        (Plant::NeverGuards, &[Invariant::Unguarded]),
        (Plant::NeverRests, &[Invariant::Restless]),
        (Plant::TellsTwice, &[Invariant::ToldWrongly]),
        (Plant::TellsNothing, &[Invariant::Untold]),
        (Plant::InventsAHold, &[Invariant::HeldForNothing]),
        (Plant::Dawdles, &[Invariant::TookTooLong]),
        (Plant::KeepsQuiet, &[Invariant::Unreported]),
        (Plant::NamesTheFirst, &[Invariant::Unreported]),
        (Plant::ForgetsRepairs, &[Invariant::Unreported]),
        (Plant::FollowsTheWaiting, &[Invariant::FollowedWrongly]),
        (Plant::ForgetsWhatEnds, &[Invariant::Unreported]),
        (Plant::SaysThatItBegins, &[Invariant::FollowedWrongly]),
        (Plant::Direct(Direct::SkipsTheProbe), &[Invariant::EnforcedUnusable]),
        (Plant::Direct(Direct::DropsForeignStatements), &[Invariant::ForeignStatementLost]),
        (Plant::Direct(Direct::ReplacesForeign), &[Invariant::ForeignReplaced]),
        (Plant::Direct(Direct::EnforcesAnotherVersion), &[Invariant::EnforcedUnwanted]),
        // An earlier baseline may have allowed it; the record has nothing about it in any case.
        (Plant::Direct(Direct::WritesInAudit), &[Invariant::WroteAgainstMode, Invariant::WroteUnrecorded]),
    ];

    /// Whether a history in this setting can show it: what a sweep makes up for, only one without a second sweep,
    /// and what AWS doesn't let anybody write, none at all.
    pub(crate) fn suits(self, setting: &Setting) -> bool {
        let Manner { heard, quiet, .. } = Manner::of(setting);
        let switches = &setting.switches;
        let central = switches.cross_account_reference == Answer::Accepted;
        match self {
            Plant::SwallowsFailures | Plant::ForgetsWhatWaits | Plant::DropsContinuations => quiet,
            // Quiet ones would notice first what was given up meanwhile.
            Plant::IgnoresTheUnreadable => !quiet,
            // Where everything was heard, it would be missed before any sweep.
            Plant::NeverGuards => !heard,
            // Where everything was heard, nothing is unguarded for long, and nothing waits for a person.
            Plant::KeepsQuiet
            | Plant::NamesTheFirst
            | Plant::ForgetsRepairs
            | Plant::FollowsTheWaiting
            | Plant::ForgetsWhatEnds
            | Plant::SaysThatItBegins => !heard,
            // Only there states are told that nobody knows.
            Plant::TakesUnknownForActive => !heard,
            // Only there somebody whose own enforcement stays is marked as about to leave, each time.
            Plant::ForgetsWhatStays => !heard && setting.seed % 5 == 1,
            // Elsewhere what was proven a moment before may be taken away, and then nobody can know.
            Plant::Direct(Direct::SkipsTheProbe) => heard,
            Plant::Direct(Direct::ReplacesForeign) => {
                !heard
                    && central
                    && setting.existing != Existing::Replace
                    && setting.placement == Placement::Central
            }
            Plant::Direct(Direct::WritesInAudit) => {
                !heard && central && switches.put_without_grant == Answer::Accepted
            }
            _ => true,
        }
    }

    /// How `status` is read.
    pub(crate) fn reading(self) -> Reading {
        match self {
            Plant::GoesByTheWord => Reading::ByTheWord,
            Plant::TakesUnknownForActive => Reading::UnknownAsActive,
            Plant::ForgetsWhatStays => Reading::WithoutWhatStays,
            _ => Reading::Right,
        }
    }

    /// Whether it is about what people read.
    pub(crate) fn is_about_people(self) -> bool {
        matches!(
            self,
            Plant::KeepsQuiet | Plant::NamesTheFirst | Plant::ForgetsRepairs | Plant::ForgetsWhatEnds
        )
    }

    /// Whether it shows only in the sweeps at the end; others have to be noticed before.
    pub(crate) fn shows_in_the_end(self) -> bool {
        matches!(self, Plant::NeverGuards | Plant::NeverRests | Plant::SweepsForEver | Plant::Dawdles)
    }

    /// What is done to what the ledger says of an account.
    pub(crate) fn change(
        self,
        setting: &Setting,
        wants: &Wants,
        book: &Book,
        model: &Model,
        records: &mut Records,
    ) {
        match self {
            Plant::LosesTheRecord => {
                records.values_mut().for_each(|record| (record.ours, record.intent) = (None, None));
            }
            Plant::AdoptsWhatDiffers => adopt_what_differs(setting, wants, book, model, records),
            Plant::InventsAHold => {
                let checked = records.values_mut().filter_map(|record| record.checked.as_mut());
                for checked in checked.filter(|checked| checked.state == State::InSync) {
                    checked.state = State::Held;
                    checked.code = Some("changed_by_someone_else".to_owned());
                }
            }
            _ => {}
        }
    }

    /// What is done to what is told on the bus.
    pub(crate) fn tell(self, events: &mut Vec<Value>) {
        let is_write = |event: &Value| Deed::of_event(event).is_some();
        match self {
            Plant::TellsTwice => {
                let again: Vec<Value> = events.iter().filter(|event| is_write(event)).cloned().collect();
                events.extend(again);
            }
            Plant::KeepsQuiet => events.retain(|event| event["detail-type"] != "Attention Needed"),
            Plant::NamesTheFirst => attention(events).for_each(name_the_first),
            Plant::ForgetsRepairs => attention(events).for_each(|group| leave_out(group, "unannounced")),
            Plant::ForgetsWhatEnds => attention(events).for_each(|group| leave_out(group, "ended")),
            Plant::SaysThatItBegins => {
                let changes = events.iter_mut().filter(|event| event["detail-type"] == "Baseline Changed");
                changes.for_each(|event| event["detail"]["begins"] = json!(true));
            }
            Plant::TellsNothing => events.retain(|event| !is_write(event)),
            _ => {}
        }
    }

    /// What is done to a batch before the function gets it.
    pub(crate) fn hand_over(self, batch: &mut Value, placements: &mut BTreeMap<String, Value>) {
        let Some(records) = batch["Records"].as_array_mut() else { return };
        let errand_of = |record: &Value| {
            let body: Value = serde_json::from_str(record["body"].as_str()?).ok()?;
            body["guardrail-keeper"].as_object()?.keys().next().cloned()
        };
        let lost: &[&str] = match self {
            Plant::ForgetsWhatWaits => &["retry"],
            Plant::DropsContinuations => &["sweep", "count"],
            _ => &[],
        };
        for record in records.iter_mut() {
            if errand_of(record).is_some_and(|errand| lost.contains(&errand.as_str())) {
                // Nothing that concerns the keeper: it is ignored, and so gone.
                record["body"] =
                    json!({ "source": "aws.health", "detail-type": "x", "detail": {} }).to_string().into();
            }
            if self == Plant::BelievesOldPlacements {
                believe(record, placements);
            }
        }
    }

    /// What is written as the keeper when an invocation for this group is done. Says whether anything was.
    pub(crate) fn act(
        self,
        setting: &Setting,
        wants: &Wants,
        book: &Book,
        model: &mut Model,
        faults: &[Wrong],
        group: &str,
    ) -> bool {
        let mut nothing = Seen {
            calls: &mut Vec::new(),
            records: &mut Records::new(),
            report: &mut None,
            faults,
            recordable: true,
            meddled: false,
        };
        match self {
            Plant::Direct(direct) if !group.starts_with("owner.") => {
                direct.act(setting, wants, book, model, &mut nothing);
                true
            }
            Plant::Direct(Direct::DropsForeignStatements) => {
                Direct::DropsForeignStatements.act(setting, wants, book, model, &mut nothing);
                true
            }
            Plant::IsFooledByOneAnswer => {
                let fooled = faults.iter().any(|fault| fault.kind == WrongKind::FalselyMissing);
                fooled && release(setting, wants, book, model, group)
            }
            Plant::WritesUnrecorded => enforce(setting, wants, model, group),
            Plant::ReleasesWithoutASecondLook => release(setting, wants, book, model, group),
            Plant::IgnoresTheUnreadable => withdraw(setting, wants, model, group),
            _ => false,
        }
    }
}

/// The kinds of news in all that people have to hear.
fn attention(events: &mut [Value]) -> impl Iterator<Item = &mut Value> {
    let events = events.iter_mut().filter(|event| event["detail-type"] == "Attention Needed");
    events.flat_map(|event| event["detail"]["news"].as_array_mut().into_iter().flatten())
}

/// Leaves out the targets of news of one kind.
fn leave_out(group: &mut Value, kind: &str) {
    if group["kind"] == kind {
        (group["targets"], group["targets_in_all"]) = (json!([]), json!(0));
    }
}

/// Leaves out all accounts but the first.
fn name_the_first(group: &mut Value) {
    let Some(targets) = group["targets"].as_array_mut() else { return };
    let first = targets.first().map(|target| target["account"].clone());
    targets.retain(|target| Some(&target["account"]) == first.as_ref());
}

/// Puts the place where an account stood first in the place of what the task says.
fn believe(record: &mut Value, placements: &mut BTreeMap<String, Value>) {
    let Some(mut task) = record["body"].as_str().and_then(|body| serde_json::from_str::<Value>(body).ok())
    else {
        return;
    };
    let Some(account) = task["account"].as_str().map(str::to_owned) else { return };
    if task["placement"].is_null() {
        return;
    }
    let path = task["placement"]["account"]["path"].clone();
    let first = placements.entry(account).or_insert(path).clone();
    task["placement"]["account"]["path"] = first;
    record["body"] = task.to_string().into();
}

/// Enforces what is wanted and can be applied, where nothing is enforced.
fn enforce(setting: &Setting, wants: &Wants, model: &mut Model, account: &str) -> bool {
    for region in setting.regions() {
        let place = Place { account: account.to_owned(), region: (*region).to_owned() };
        let Some(arn) = model.guardrail_arn(&setting.owner(), region, GUARDRAIL).map(str::to_owned) else {
            continue;
        };
        let version = wants.version.to_string();
        let wanted = wants.of(setting, model, &place) == Wanted::Guardrail
            && wants.placement == Placement::Central
            && wants.mode != Mode::Audit;
        if wanted
            && model.enforcement(account, region).is_none()
            && can_apply(model, setting, &place, &arn, &version)
        {
            let role = format!("arn:aws:iam::{account}:role/{MEMBER_ROLE}");
            return model.put_enforcement_as(&role, account, region, Enforce::new(&arn, &version)).is_ok();
        }
    }
    false
}

/// Releases what is the keeper's where it is wanted.
fn release(setting: &Setting, wants: &Wants, book: &Book, model: &mut Model, account: &str) -> bool {
    for region in setting.regions() {
        let place = Place { account: account.to_owned(), region: (*region).to_owned() };
        let Some(seen) = model.enforcement(account, region).cloned() else { continue };
        let wanted = wants.of(setting, model, &place) == Wanted::Guardrail;
        if wanted && wants.mode == Mode::Sync && book.is_as_applied(&place, &seen) {
            let role = format!("arn:aws:iam::{account}:role/{MEMBER_ROLE}");
            return model.delete_enforcement_as(&role, account, region).is_ok();
        }
    }
    false
}

/// Takes the grant back where somebody who enforces the guardrail can't be asked.
fn withdraw(setting: &Setting, wants: &Wants, model: &mut Model, group: &str) -> bool {
    let Some(region) = region_of_owner(group).filter(|_| wants.mode == Mode::Sync) else {
        return false;
    };
    let Some(arn) = model.guardrail_arn(&setting.owner(), region, GUARDRAIL).map(str::to_owned) else {
        return false;
    };
    let policy = model.resource_policy(&arn).and_then(|text| serde_json::from_str(&text).ok());
    let all: Vec<Value> = policy.iter().flat_map(statements).collect();
    if all.is_empty() || !all.iter().all(|statement| is_keepers(statement, &arn)) {
        return false;
    }
    model.set_resource_policy(&arn, None).is_ok()
}

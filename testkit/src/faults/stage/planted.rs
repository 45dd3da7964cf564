//! Bugs on purpose, in what the keeper does, records, says or tells: the judge of the scenarios must notice each.

use simulator::{Ended, Model, Server};

use super::Stage;
use super::rule::Rule;
use crate::faults::scenario::Scenario;
use crate::faults::world::World;
use crate::histories::setting::{MEMBER_ROLE, Setting};

/// A bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// `status` goes by what the last look was called, whatever is wanted by now.
    GoesByTheWord,
    /// `status` calls an account good whose state nobody knows.
    CallsTheUnknownGood,
    /// `status` says nothing of what stays in an account that is about to leave.
    ForgetsWhatStays,
    /// `status` calls bad what is as wanted.
    CriesWolf,
    /// The program ends with 0, whatever it says.
    EndsWell,
    /// The program's text leaves out what isn't good.
    PrintsTheGood,
    /// What will be written isn't recorded.
    WritesUnrecorded,
    /// What one answer of GetGuardrail doesn't find is released.
    ReleasesAfterOneAnswer,
    /// An account whose state nobody knows is left as it is.
    LeavesTheUnknownAlone,
    /// Writes are told to nobody.
    TellsNothing,
    /// Writes are told twice.
    TellsTwice,
    /// News reach nobody.
    TellsNoNews,
    /// That an account left is told to nobody.
    TellsNoDeparture,
    /// That an account left is told without what stays there.
    ForgetsWhatWasLeft,
    /// A task fails that nothing is in the way of.
    TakesItsTime,
    /// Each look records something new.
    RecordsEachLook,
    /// `callers` names nobody.
    OverlooksCallers,
}

impl Plant {
    /// Each, with a scenario that shows it and what must notice it.
    pub const ALL: [(Plant, Scenario, &str); 20] = [
        (Plant::GoesByTheWord, Scenario::MoveOut, "CalledGood"),
        (Plant::GoesByTheWord, Scenario::NextVersion, "CalledGood"),
        (Plant::CallsTheUnknownGood, Scenario::UnknownState, "CalledGood"),
        (Plant::ForgetsWhatStays, Scenario::OffboardingOfForeign, "CalledGood"),
        (Plant::CriesWolf, Scenario::Repair, "CalledBad"),
        (Plant::EndsWell, Scenario::NextVersion, "Rendered"),
        (Plant::PrintsTheGood, Scenario::UnknownState, "Rendered"),
        (Plant::WritesUnrecorded, Scenario::Repair, "WroteUnrecorded"),
        (Plant::WritesUnrecorded, Scenario::Release, "WroteUnrecorded"),
        (Plant::ReleasesAfterOneAnswer, Scenario::VersionNotFound, "ReleasedNotOurs"),
        (Plant::ReleasesAfterOneAnswer, Scenario::VersionDeleted, "GivenUpTooSoon"),
        (Plant::LeavesTheUnknownAlone, Scenario::UnknownState, "AsWanted"),
        (Plant::TellsNothing, Scenario::Repair, "Untold"),
        (Plant::TellsTwice, Scenario::Release, "ToldWrongly"),
        (Plant::TellsNoNews, Scenario::Sweep, "Untold"),
        (Plant::TellsNoDeparture, Scenario::Departure, "Untold"),
        (Plant::ForgetsWhatWasLeft, Scenario::Departure, "ToldWrongly"),
        (Plant::TakesItsTime, Scenario::Repair, "TooLate"),
        (Plant::RecordsEachLook, Scenario::Repair, "Restless"),
        (Plant::OverlooksCallers, Scenario::Repair, "Callers"),
    ];

    /// The world that shows it.
    pub fn world(self) -> World {
        if self == Plant::OverlooksCallers { World::Copies } else { World::Plain }
    }

    /// The rules that no planted bug shows to be able to fail.
    pub fn untried() -> Vec<Rule> {
        let tried = |rule: &Rule| Plant::ALL.iter().any(|(_, _, noticed)| *noticed == rule.to_string());
        Rule::ALL.into_iter().filter(|rule| !tried(rule)).collect()
    }
}

impl Stage {
    /// Lets a bug be there from now on.
    pub fn plant(&mut self, plant: Plant) {
        self.plant = Some(plant);
        let mut watched = self.watched.lock().expect("no judge panics");
        watched.forgets_intents = plant == Plant::WritesUnrecorded;
    }

    /// What a planted bug writes in the keeper's name, right after an invocation.
    pub fn act_as_planted(&self) {
        if self.plant == Some(Plant::ReleasesAfterOneAnswer) && !self.not_found.is_empty() {
            release_everything(&self.server, &self.setting);
        }
    }

    /// How a task ends by a planted bug, without anything being done.
    pub fn planted_end(&self, is_task: bool, payload: &str) -> Option<Ended> {
        let unknown = |model: &mut Model| {
            let accounts = self.setting.assignable().into_iter();
            let told = |account: &String| model.member(account).is_some_and(|it| it.told_state.is_some());
            accounts
                .filter(told)
                .any(|account| payload.contains(&format!("\"MessageGroupId\":\"{account}\"")))
        };
        match self.plant? {
            Plant::LeavesTheUnknownAlone if self.server.with(unknown) => {
                Some(Ended::Answered(serde_json::json!(null)))
            }
            // The first task of a group fails, and comes back when its time is over.
            Plant::TakesItsTime if is_task && self.turns.values().sum::<usize>() == 1 => Some(Ended::Failed),
            _ => None,
        }
    }
}

fn release_everything(server: &Server, setting: &Setting) {
    server.with(|model| {
        for account in setting.assignable() {
            for region in setting.regions() {
                let role = format!("arn:aws:iam::{account}:role/{MEMBER_ROLE}");
                if model.enforcement(&account, region).is_some() {
                    model.delete_enforcement_as(&role, &account, region).expect("it is there");
                }
            }
        }
    });
}

//! Which combinations of scenario, call and kind a run tells: all of them are too many for the test command.

use std::env;
use std::fmt;

use jiff::Timestamp;
use simulator::Call;

use crate::kind::Kind;
use crate::scenario::Scenario;
use crate::world::World;

/// A part of all combinations. Every day has another one, and they come round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    All,
    Number(usize),
}

impl Part {
    /// What was asked for: `KEEPER_FAULTS=all`, or `FAULTS_PART=NUMBER`, or else the day's.
    pub(crate) fn of_the_environment() -> Part {
        if env::var("KEEPER_FAULTS").is_ok_and(|text| text == "all") {
            return Part::All;
        }
        match env::var("FAULTS_PART") {
            Ok(text) => {
                Part::Number(text.parse().unwrap_or_else(|_| panic!("FAULTS_PART={text} is no number")))
            }
            Err(_) => {
                let days = Timestamp::now().as_second() / (24 * 3600);
                Part::Number(usize::try_from(days).expect("it is later than 1970"))
            }
        }
    }

    /// The scenarios that are told, and in what kind of organization: all in the plain one, and each in one of the
    /// others, in turn.
    pub(crate) fn tales(self) -> Vec<(Scenario, World)> {
        let others = |scenario: Scenario| {
            let other = move |world: &World| *world != World::Plain && world.suits(scenario);
            World::ALL.into_iter().filter(other).collect::<Vec<World>>()
        };
        let of = |(place, scenario): (usize, Scenario)| {
            let others = others(scenario);
            let here = match self {
                Part::All => others,
                Part::Number(part) => {
                    others.get((part + place) % others.len().max(1)).copied().into_iter().collect()
                }
            };
            [World::Plain].into_iter().chain(here).map(move |world| (scenario, world))
        };
        Scenario::ALL.into_iter().enumerate().flat_map(of).collect()
    }

    /// Whether a combination that can be is told. The scenario whose turn it is meets every kind at every call. The
    /// others meet what isn't the same to the keeper as something else, at every fifth call; and what is long, or
    /// elsewhere told as well, at fewer.
    pub(crate) fn has(self, tale: (Scenario, World), kind: Kind, number: usize, call: &Call) -> bool {
        let Part::Number(part) = self else { return true };
        let (scenario, world) = tale;
        let settling: Vec<Scenario> = Scenario::ALL.into_iter().filter(|it| it.settles()).collect();
        let turn = settling.iter().position(|it| *it == scenario);
        let whole = turn.is_some_and(|turn| part % settling.len() == turn);
        let one_of = match (scenario.settles(), world) {
            // Few calls can meet it.
            (true, World::Plain) if kind == Kind::Conflict => 1,
            (true, World::Plain) => 5,
            (true, _) => 25,
            (false, _) => 60,
        };
        (whole && world == World::Plain)
            || (kind.is_due(number, call) && (number + part).is_multiple_of(one_of))
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Part::All => f.write_str("every fault at every call"),
            Part::Number(part) => write!(f, "part {part} of the faults: FAULTS_PART={part} tells it again"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In as many parts as there are scenarios every combination has its turn.
    #[test]
    fn every_combination_has_its_turn() {
        let call = Call {
            sequence: 1,
            service: "bedrock".to_owned(),
            operation: "PutEnforcedGuardrailConfiguration".to_owned(),
            account: String::new(),
            region: String::new(),
            caller: String::new(),
            target: None,
            write: true,
            status: 200,
            error: None,
            fault: None,
        };
        for scenario in Scenario::ALL.into_iter().filter(|it| it.settles()) {
            for number in 1..100 {
                let tale = (scenario, World::Plain);
                let has = |part: usize| Part::Number(part).has(tale, Kind::ServerError, number, &call);
                assert!((20_000..20_000 + Scenario::ALL.len()).any(has), "{scenario:?} {number}");
            }
        }
    }
}

//! Which combinations of scenario, world, call and kind a run tells: all of them are too many for the test command.

use std::collections::BTreeMap;
use std::env;
use std::fmt;

use jiff::Timestamp;
use simulator::Call;

use testkit::faults::kind::Kind;
use testkit::faults::scenario::Scenario;
use testkit::faults::world::World;

/// A part of all combinations. Every day has another one, and they come round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    number: usize,
    /// Whether every kind strikes at every call. Which worlds there are besides the plain one follows from the number
    /// all the same: all of them would take more than a night.
    all: bool,
}

impl Part {
    /// What was asked for: the part of `FAULTS_PART=NUMBER`, or else the day's; at every call with
    /// `KEEPER_FAULTS=all`.
    pub(crate) fn of_the_environment() -> Part {
        let number = match env::var("FAULTS_PART") {
            Ok(text) => text.parse().unwrap_or_else(|_| panic!("FAULTS_PART={text} is no number")),
            Err(_) => {
                let days = Timestamp::now().as_second() / (24 * 3600);
                usize::try_from(days).expect("it is later than 1970")
            }
        };
        Part { number, all: env::var("KEEPER_FAULTS").is_ok_and(|text| text == "all") }
    }

    /// In which other world than the plain one each scenario is told: in one after the other, day by day. Those that
    /// suit the same worlds are spread over them.
    pub(crate) fn elsewhere(self) -> Vec<(Scenario, World)> {
        let mut seen: BTreeMap<Vec<World>, usize> = BTreeMap::new();
        let of = |scenario: Scenario| {
            let suits = |world: &World| *world != World::Plain && world.suits(scenario);
            let others: Vec<World> = World::ALL.into_iter().filter(suits).collect();
            let place = seen.entry(others.clone()).or_default();
            *place += 1;
            (scenario, others[(self.number + *place) % others.len()])
        };
        Scenario::ALL.into_iter().map(of).collect()
    }

    /// Whether a combination that can be is told. The scenario whose turn it is meets every kind at every call of the
    /// plain world. The others meet what isn't the same to the keeper as something else, at every fifth call; and what
    /// is long, or elsewhere told as well, at fewer.
    pub(crate) fn has(self, tale: (Scenario, World), kind: Kind, number: usize, call: &Call) -> bool {
        let Part { number: part, all } = self;
        let (scenario, world) = tale;
        let settling: Vec<Scenario> = Scenario::ALL.into_iter().filter(|it| it.settles()).collect();
        let turn = settling.iter().position(|it| *it == scenario);
        let whole = turn.is_some_and(|turn| part % settling.len() == turn);
        let one_of = match (scenario.settles(), world) {
            // Few calls can meet it.
            (true, World::Plain) if kind == Kind::Conflict => 1,
            (true, World::Plain) => 5,
            // No multiple of how many worlds there are: each world meets each call on some day.
            (true, World::Wide | World::WideCopies) => 23,
            (true, World::Copies | World::Auto | World::Deaf) => 11,
            (false, World::Plain) => 60,
            // They are long, and make hundreds of calls there.
            (false, _) => 199,
        };
        all || (whole && world == World::Plain)
            || (kind.is_due(number, call) && (number + part).is_multiple_of(one_of))
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Part { number, all } = self;
        match all {
            true => write!(
                f,
                "every fault at every call, in the worlds of part {number}: \
                 KEEPER_FAULTS=all FAULTS_PART={number} tells it again"
            ),
            false => write!(f, "part {number} of the faults: FAULTS_PART={number} tells it again"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(number: usize) -> Part {
        Part { number, all: false }
    }

    fn call() -> Call {
        Call {
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
        }
    }

    /// In as many parts as there are scenarios every combination of the plain world has its turn.
    #[test]
    fn every_combination_has_its_turn() {
        let call = call();
        for scenario in Scenario::ALL.into_iter().filter(|it| it.settles()) {
            for number in 1..100 {
                let tale = (scenario, World::Plain);
                let has = |day: usize| part(day).has(tale, Kind::ServerError, number, &call);
                assert!((20_000..20_000 + Scenario::ALL.len()).any(has), "{scenario:?} {number}");
            }
        }
    }

    /// Each day each scenario is told in another world than the plain one, and each of these worlds has its scenarios.
    #[test]
    fn every_scenario_and_every_world_has_its_turn_each_day() {
        for day in 20_000..20_030 {
            let tales = part(day).elsewhere();
            assert!(tales.iter().map(|(scenario, _)| *scenario).eq(Scenario::ALL));
            for world in World::ALL {
                let told = tales.iter().any(|(_, it)| *it == world);
                assert_eq!(told, world != World::Plain, "{world:?} on day {day}");
            }
        }
    }

    /// A write in any world that suits its scenario meets a fault sooner or later, at whatever place it is.
    #[test]
    fn every_world_meets_every_write_on_some_day() {
        let call = call();
        for scenario in Scenario::ALL {
            let suits = |it: &World| *it != World::Plain && it.suits(scenario);
            for world in World::ALL.into_iter().filter(suits) {
                for number in 1..30 {
                    let tale = (scenario, world);
                    let is_told = |day: usize| {
                        part(day).has(tale, Kind::Timeout, number, &call)
                            && part(day).elsewhere().contains(&tale)
                    };
                    assert!((20_000..20_000 + 199).any(is_told), "{scenario:?} {world:?} {number}");
                }
            }
        }
    }

    #[test]
    fn half_of_the_worlds_refuse_another_accounts_guardrail() {
        let refusing = World::ALL.into_iter().filter(|world| world.refuses()).count();
        assert_eq!(2 * refusing, World::ALL.len());
    }
}

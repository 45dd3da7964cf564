//! In what kind of organization a scenario happens.

use crate::scenario::Scenario;
use crate::setting::Setting;

/// A kind of organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum World {
    /// One Region, and AWS answers as the simulator does by itself.
    Plain,
    /// A rule is switched off: no event comes, and the next sweep finds what happened.
    Deaf,
}

impl World {
    pub(crate) const ALL: [World; 2] = [World::Plain, World::Deaf];

    pub(crate) fn name(self) -> &'static str {
        match self {
            World::Plain => "",
            World::Deaf => " (no event comes)",
        }
    }

    /// Whether a scenario can happen there, and is another one than elsewhere.
    pub(crate) fn suits(self, scenario: Scenario) -> bool {
        match self {
            World::Plain => true,
            World::Deaf => {
                let is_heard = !scenario.offboards() && scenario != Scenario::Sweep;
                scenario.settles() && scenario.is_queued() && is_heard
            }
        }
    }

    /// The setting of a scenario there.
    pub(crate) fn setting(self, scenario: Scenario, seed: u64) -> Setting {
        match self {
            World::Plain | World::Deaf => scenario.setting(seed),
        }
    }
}

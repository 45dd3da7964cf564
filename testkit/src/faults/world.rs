//! In what kind of organization a scenario happens: AWS answers in more than one way, changes take their time, and
//! not everybody listens. Three of the six worlds refuse another account's guardrail.

use simulator::{
    Answer, Defaults, EmptyList, ListModels, OnOff, Presence, PutOverExisting, Switches, UpdatedBy,
};

use crate::faults::scenario::Scenario;
use crate::histories::baseline::Placement;
use crate::histories::setting::Setting;

/// A kind of organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum World {
    /// One Region, and AWS answers as the simulator does by itself.
    Plain,
    /// Two Regions, lists of many pages, and the other answer to each question that nobody outside of AWS can answer.
    /// Grants, enforcements and roles take a while.
    Wide,
    /// AWS refuses another account's guardrail, so that the baseline asks for copies. These take a while to be made.
    Copies,
    /// The same, but the baseline leaves it to the keeper to find that out.
    Auto,
    /// The answers and delays of `Wide`, and copies.
    WideCopies,
    /// A rule is switched off: no event comes, and the next sweep finds what happened.
    Deaf,
}

impl World {
    pub const ALL: [World; 6] =
        [World::Plain, World::Wide, World::Copies, World::Auto, World::WideCopies, World::Deaf];

    pub fn name(self) -> &'static str {
        match self {
            World::Plain => "",
            World::Wide => " (two Regions, many pages, delays)",
            World::Copies => " (copies)",
            World::Auto => " (copies that the keeper found to be needed)",
            World::WideCopies => " (copies in two Regions, many pages, delays)",
            World::Deaf => " (no event comes)",
        }
    }

    /// Whether AWS refuses an enforcement of another account's guardrail.
    pub fn refuses(self) -> bool {
        match self {
            World::Plain | World::Wide | World::Deaf => false,
            World::Copies | World::Auto | World::WideCopies => true,
        }
    }

    /// Whether there is more than one Region and more than one page, and AWS gives its other answers.
    fn is_wide(self) -> bool {
        matches!(self, World::Wide | World::WideCopies)
    }

    /// Whether a scenario can happen there, and is another one than elsewhere.
    pub fn suits(self, scenario: Scenario) -> bool {
        match self {
            World::Plain | World::Wide => true,
            World::Copies | World::WideCopies => !scenario.is_of_the_original(),
            // Two members have to be refused before the keeper believes it, and one of the two isn't there yet.
            World::Auto => !scenario.is_of_the_original() && !scenario.begins_with_one_member(),
            World::Deaf => {
                let is_heard = !scenario.offboards() && scenario != Scenario::Sweep;
                scenario.settles() && scenario.is_queued() && is_heard
            }
        }
    }

    /// The setting of a scenario there.
    pub fn setting(self, scenario: Scenario, seed: u64) -> Setting {
        let mut setting = scenario.setting(seed);
        if self.refuses() {
            setting.placement = Placement::Copy;
            setting.making_seconds = 10;
        }
        if self.is_wide() {
            setting.region_count = 2;
            setting.page_items = 2;
            setting.switches = other_answers();
            // What others enforce had to be granted to them, where AWS looks at that.
            setting.shared = scenario.has_foreign();
            // Within one process nobody looks again when a grant has had its effect, but for the next sweep.
            setting.propagation_seconds = if scenario.is_queued() { 20 } else { 0 };
            setting.setup_seconds = 60;
            setting.grace_minutes = 60;
        }
        if self.refuses() {
            setting.switches.cross_account_reference = Answer::Refused;
        }
        setting
    }

    /// A baseline there.
    pub fn baseline(self, text: &str) -> String {
        match self {
            World::Auto => text.replace("placement: copy", "placement: auto"),
            World::Plain | World::Wide | World::Copies | World::WideCopies | World::Deaf => text.to_owned(),
        }
    }

    /// How long it takes at most, in seconds, until everything there has had its effect that one change leads to.
    pub fn delay_seconds(self) -> i64 {
        match self {
            World::Plain | World::Deaf => 0,
            // What isn't ready is looked at again after 15 seconds, and after twice as many each time.
            World::Wide => 120,
            World::Copies | World::Auto | World::WideCopies => 240,
        }
    }
}

/// The other answer to each question of [`Switches`], but for those that are worlds or scenarios of their own.
fn other_answers() -> Switches {
    Switches {
        put_without_grant: Answer::Refused,
        put_over_existing: PutOverExisting::Overwrites,
        list_defaults: Defaults::Echoed,
        list_models: ListModels::Arns,
        several_statements: Answer::Accepted,
        sid: Answer::Accepted,
        updated_by: UpdatedBy::AssumedRole,
        paths: Presence::Absent,
        empty_list: EmptyList::Empty,
        delete_enforced_elsewhere: Answer::Refused,
        empty_pages: OnOff::On,
        ..Switches::default()
    }
}

//! What happens in an organization, in scripts: each is told once without a fault, and then once for each of
//! its calls and each fault that can strike it.

use std::time::Duration;

use simulator::{Enforce, GetGuardrail, GuardrailName, Model, PutParameter, ToldState};

use crate::faults::world::World;
use crate::histories::baseline::{Existing, GUARDRAIL, Given, Placement, Wants};
use crate::histories::model::{SANDBOX, WORKLOAD, administrator};
use crate::histories::setting::{LedgerKind, Setting};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scenario {
    /// An account joins.
    Join,
    /// A member's administrator removes what is enforced.
    Repair,
    /// The baseline asks for the next version.
    NextVersion,
    /// An account moves to where nothing is wanted.
    MoveOut,
    /// The owner's resource policy is deleted.
    PolicyDeleted,
    /// An account moves to where a copy is wanted.
    FirstCopy,
    /// The baseline asks for the next version of what members have copies of.
    NextCopy,
    /// The baseline wants nothing any more.
    Release,
    /// The same, where members have copies.
    ReleaseOfCopies,
    /// Somebody at a terminal lets an account go.
    Offboarding,
    /// A revision that enforces, replaces what is foreign, and releases, in one go and without queues.
    Revision,
    /// Nothing tells of what was removed: the sweep finds it.
    Sweep,
    /// For a while AWS doesn't find a version that it lists, where what can't be used is to be released.
    VersionNotFound,
    /// The version is deleted, where what can't be used is to be released.
    VersionDeleted,
    /// AWS tells a state that nobody knows of an account in which the enforcement is removed.
    UnknownState,
    /// Somebody at a terminal lets an account go that enforces the organization's guardrail by itself.
    OffboardingOfForeign,
    /// An account leaves.
    Departure,
}

/// How everything is, once a scenario has settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// As the baseline wants it.
    AsWanted,
    /// Nothing is enforced where the guardrail is wanted, which can't be used.
    Unguarded,
    /// As wanted, but for what its own administrator enforces in the first member.
    ForeignStays,
}

/// What a scenario does when it has been set up.
pub enum Act {
    /// Something happens, and events tell of it.
    Happens(fn(&mut Scene<'_>)),
    /// As well, but no event comes; a sweep begins.
    Unheard(fn(&mut Scene<'_>)),
    /// Somebody runs `guardrailctl offboard`, until it says that the deployed keeper was asked.
    Offboards,
}

/// What scripts change: the world, and what is wanted of it.
pub struct Scene<'a> {
    pub world: World,
    pub setting: &'a Setting,
    pub wants: &'a mut Wants,
    pub model: &'a mut Model,
}

/// How long it takes, by the simulator's clock, until the next sweep begins.
pub const UNTIL_A_SWEEP: Duration = Duration::from_secs(3600);

pub const PARAMETER: &str = "/guardrail-keeper/baseline";

impl Scenario {
    pub const ALL: [Scenario; 17] = [
        Scenario::Join,
        Scenario::Repair,
        Scenario::NextVersion,
        Scenario::MoveOut,
        Scenario::PolicyDeleted,
        Scenario::FirstCopy,
        Scenario::NextCopy,
        Scenario::Release,
        Scenario::ReleaseOfCopies,
        Scenario::Offboarding,
        Scenario::Revision,
        Scenario::Sweep,
        Scenario::VersionNotFound,
        Scenario::VersionDeleted,
        Scenario::UnknownState,
        Scenario::OffboardingOfForeign,
        Scenario::Departure,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Scenario::Join => "an account joins",
            Scenario::Repair => "an enforcement is removed",
            Scenario::NextVersion => "the next version",
            Scenario::MoveOut => "an account moves out of scope",
            Scenario::PolicyDeleted => "the owner's policy is deleted",
            Scenario::FirstCopy => "a first copy",
            Scenario::NextCopy => "the next version of a copy",
            Scenario::Release => "a release",
            Scenario::ReleaseOfCopies => "a release of copies",
            Scenario::Offboarding => "an account is let go",
            Scenario::Revision => "a revision without queues",
            Scenario::Sweep => "a sweep",
            Scenario::VersionNotFound => "a version that isn't found for a while",
            Scenario::VersionDeleted => "a deleted version",
            Scenario::UnknownState => "an account in an unknown state",
            Scenario::OffboardingOfForeign => "an account is let go that enforces by itself",
            Scenario::Departure => "an account leaves",
        }
    }

    /// How everything is in the end; before it is over (see [`Scenario::ends`]) or after that.
    pub fn end_state(self, over: bool) -> Ends {
        match self {
            Scenario::VersionDeleted => Ends::Unguarded,
            Scenario::OffboardingOfForeign if !over => Ends::ForeignStays,
            _ => Ends::AsWanted,
        }
    }

    /// Whether everything comes to rest before the next sweep. What nobody can put right but a person is
    /// looked at again and again.
    pub fn settles(self) -> bool {
        !matches!(self, Scenario::VersionNotFound | Scenario::VersionDeleted)
    }

    /// How long it goes on before the next sweep.
    pub fn lasts(self) -> Duration {
        if self.settles() { UNTIL_A_SWEEP } else { UNTIL_A_SWEEP / 4 }
    }

    /// Whether an account is let go by a mark in the ledger, and not by the baseline.
    pub fn offboards(self) -> bool {
        matches!(self, Scenario::Offboarding | Scenario::OffboardingOfForeign)
    }

    /// Whether it is about the owner's own guardrail as a member enforces it: with copies, nothing of that happens.
    pub fn is_of_the_original(self) -> bool {
        self.breaks() || self.has_foreign() || self == Scenario::PolicyDeleted
    }

    /// Whether a member's administrator enforces something before the keeper comes.
    pub fn has_foreign(self) -> bool {
        matches!(self, Scenario::Revision | Scenario::OffboardingOfForeign)
    }

    /// Whether the guardrail is wanted in one member only before it happens.
    pub fn begins_with_one_member(self) -> bool {
        matches!(self, Scenario::Join | Scenario::FirstCopy)
    }

    /// Whether what is enforced can't be used for a while, or for good.
    pub fn breaks(self) -> bool {
        matches!(self, Scenario::VersionNotFound | Scenario::VersionDeleted)
    }

    /// Whether each sweep tells this, as long as it is so.
    pub fn is_told_by_each_sweep(self, kind: &str) -> bool {
        kind == "Sweep Completed"
            || (self.breaks() && ["Accounts Unguarded", "Enforcement Broken"].contains(&kind))
    }

    /// Whether something is held for this kind of reason, without any fault.
    pub fn may_be_held(self, code: &str) -> bool {
        let codes: &[&str] = match self {
            Scenario::VersionNotFound => &["answers_disagree"],
            Scenario::VersionDeleted => &["missing", "not_confirmed"],
            Scenario::OffboardingOfForeign => &["not_ours"],
            _ => &[],
        };
        codes.contains(&code)
    }

    /// Whether queues stand between events and the work.
    pub fn is_queued(self) -> bool {
        self != Scenario::Revision
    }

    /// How many sweeps may go on writing after everything is as wanted. A copy is deleted a run after its
    /// release, so that a fault that puts off the release puts off that as well.
    pub fn sweeps_to_tidy_up(self, placement: Placement) -> usize {
        let releases =
            [Scenario::Release, Scenario::ReleaseOfCopies, Scenario::MoveOut, Scenario::Offboarding];
        usize::from(placement == Placement::Copy && releases.contains(&self))
    }

    pub fn setting(self, seed: u64) -> Setting {
        let copying = matches!(self, Scenario::FirstCopy | Scenario::NextCopy | Scenario::ReleaseOfCopies);
        Setting {
            seed,
            members: if self == Scenario::Revision { 3 } else { 2 },
            region_count: 1,
            switches: simulator::Switches::default(),
            ledger: LedgerKind::Table,
            placement: if copying { Placement::Copy } else { Placement::Central },
            existing: match self {
                Scenario::Revision => Existing::Replace,
                Scenario::OffboardingOfForeign => Existing::Keep,
                _ => Existing::Adopt,
            },
            release_unusable: self.breaks(),
            shared: false,
            propagation_seconds: 0,
            making_seconds: 0,
            setup_seconds: 0,
            grace_minutes: 0,
            page_items: 1_000,
            attempts: 1,
            port: 0,
        }
    }

    /// What comes before the keeper's first sweep.
    pub fn set_up(self, scene: &mut Scene<'_>) {
        let member = scene.setting.member(0);
        match self {
            Scenario::Join => scene.model.remove(&member).expect("it is a member"),
            Scenario::FirstCopy => scene.model.move_account(&member, SANDBOX).expect("it can be moved"),
            Scenario::NextVersion | Scenario::NextCopy => scene.wants.version = 1,
            Scenario::Revision => {
                scene.wants.version = 1;
                scene.wants.workload = Given::Unsaid;
                scene.wants.first_member = Given::Guardrail;
                let foreign = scene.setting.member(1);
                scene.enforces(&foreign, "1");
            }
            Scenario::OffboardingOfForeign => scene.enforces(&member, "1"),
            _ => {}
        }
        scene.publish();
    }

    /// What comes to an end by somebody else's hand, once the scenario has settled.
    pub fn ends(self, scene: &mut Scene<'_>) {
        let member = scene.setting.member(0);
        match self {
            Scenario::VersionNotFound => scene.model.switches.get_guardrail = GetGuardrail::Agrees,
            Scenario::UnknownState => scene.model.tell_state(&member, None),
            Scenario::OffboardingOfForeign => remove(scene),
            _ => {}
        }
    }

    pub fn act(self) -> Act {
        match self {
            Scenario::Join => Act::Happens(|scene| {
                let member = scene.setting.member(0);
                scene.model.join(&member, WORKLOAD).expect("it can join");
            }),
            Scenario::Repair => Act::Happens(remove),
            Scenario::Sweep => Act::Unheard(remove),
            Scenario::NextVersion | Scenario::NextCopy => Act::Happens(|scene| {
                scene.wants.version = 2;
                scene.publish();
            }),
            Scenario::MoveOut => Act::Happens(|scene| {
                let member = scene.setting.member(0);
                scene.model.move_account(&member, SANDBOX).expect("it can be moved");
            }),
            Scenario::FirstCopy => Act::Happens(|scene| {
                let member = scene.setting.member(0);
                scene.model.move_account(&member, WORKLOAD).expect("it can be moved");
            }),
            Scenario::PolicyDeleted => Act::Happens(|scene| {
                let region = scene.setting.regions()[0];
                let owner = scene.model.caller(&administrator(&scene.setting.owner()), region);
                let arn = scene.original(region);
                let deleted = scene.model.delete_resource_policy(&owner.expect("it exists"), &arn);
                deleted.expect("there is one");
            }),
            Scenario::Release | Scenario::ReleaseOfCopies => Act::Happens(|scene| {
                scene.wants.workload = Given::None;
                scene.publish();
            }),
            Scenario::Offboarding | Scenario::OffboardingOfForeign => Act::Offboards,
            Scenario::VersionNotFound => Act::Unheard(|scene| {
                scene.model.switches.get_guardrail = GetGuardrail::FindsNoVersion;
            }),
            Scenario::VersionDeleted => Act::Unheard(|scene| {
                let version = scene.wants.version.to_string();
                for region in scene.setting.regions() {
                    let name = GuardrailName::from_arn(&scene.original(region)).expect("it is an ARN");
                    scene.model.remove_guardrail(&name, Some(&version)).expect("it is there");
                }
            }),
            Scenario::UnknownState => Act::Happens(|scene| {
                let member = scene.setting.member(0);
                scene.model.tell_state(&member, Some(ToldState::Word("REINSTATING".to_owned())));
                remove(scene);
            }),
            Scenario::Departure => Act::Happens(|scene| {
                let member = scene.setting.member(0);
                scene.model.remove(&member).expect("it is a member");
            }),
            Scenario::Revision => Act::Happens(|scene| {
                scene.wants.version = 2;
                scene.wants.workload = Given::Guardrail;
                scene.wants.sandbox = Given::Guardrail;
                scene.wants.first_member = Given::None;
                scene.publish();
            }),
        }
    }
}

impl Scene<'_> {
    fn original(&self, region: &str) -> String {
        let arn = self.model.guardrail_arn(&self.setting.owner(), region, GUARDRAIL);
        arn.expect("the owner has it").to_owned()
    }

    /// Puts the baseline where the keeper reads it.
    fn publish(&mut self) {
        let parameter = PutParameter {
            name: PARAMETER.to_owned(),
            value: self.world.baseline(&self.wants.text(self.setting)),
            kind: Some("String".to_owned()),
            tier: Some("Advanced".to_owned()),
            overwrite: true,
            ..PutParameter::default()
        };
        let caller = self.model.caller(&administrator(&self.setting.hub()), self.setting.regions()[0]);
        self.model.put_parameter(&caller.expect("it exists"), parameter).expect("it is valid");
    }

    fn enforces(&mut self, account: &str, version: &str) {
        for region in self.setting.regions() {
            let enforce = Enforce::new(&self.original(region), version);
            let put = self.model.put_enforcement_as(&administrator(account), account, region, enforce);
            put.expect("it can be enforced");
        }
    }
}

/// A member's administrator removes what is enforced, in all Regions.
fn remove(scene: &mut Scene<'_>) {
    let member = scene.setting.member(0);
    for region in scene.setting.regions() {
        let deleted = scene.model.delete_enforcement_as(&administrator(&member), &member, region);
        deleted.expect("something is enforced");
    }
}

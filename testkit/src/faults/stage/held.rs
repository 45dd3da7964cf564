//! Why something may be held where nothing went wrong: for what the scenario does, or for what isn't ready yet in its
//! world, as the simulator's state has it at that moment.

use simulator::Status;

use super::Stage;
use crate::faults::world::World;
use crate::histories::baseline::{GUARDRAIL, Placement};
use crate::histories::model::{Place, is_admitted};

impl Stage {
    /// Whether there is a reason of that kind to hold something in a place.
    pub fn may_be_held(&self, code: &str, place: &Place) -> bool {
        self.scenario.may_be_held(code)
            || match code {
                "not_ready" => self.is_being_made(place),
                "probe_failed.not_ready" => self.waits_for_a_grant(place),
                // Until AWS has refused the owner's guardrail often enough.
                "placement_undecided" => {
                    let enforced = |place: &Place| {
                        self.server.with(|model| model.enforcement(&place.account, &place.region).is_some())
                    };
                    self.world == World::Auto && !enforced(place)
                }
                _ => false,
            }
    }

    /// Whether a copy there, or a version of it, is being made.
    fn is_being_made(&self, place: &Place) -> bool {
        self.server.with(|model| {
            let now = model.clock.now();
            let region = model.region(&place.account, &place.region);
            let guardrails = region.into_iter().flat_map(|region| region.guardrails.values());
            let mut editions = guardrails.flat_map(|one| one.versions.values().chain([&one.draft]));
            editions.any(|edition| edition.status(now) != Status::Ready)
        })
    }

    /// Whether the owner's guardrail can't be applied there as yet.
    fn waits_for_a_grant(&self, place: &Place) -> bool {
        let (setting, version) = (&self.setting, self.wants.version.to_string());
        self.server.with(|model| {
            let original = model.guardrail_arn(&setting.owner(), &place.region, GUARDRAIL).map(str::to_owned);
            let refused = |arn: String| !is_admitted(model, setting, place, &arn, &version);
            setting.placement == Placement::Central && original.is_some_and(refused)
        })
    }
}

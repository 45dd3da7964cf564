//! Whether everything is as the baseline wants it, by the simulator's state alone.

use super::Stage;
use super::rule::{Rule, broken};
use crate::faults::scenario::Ends;
use crate::histories::baseline::Wanted;
use crate::histories::model::{Place, Prompt, blocked_prompt};

impl Stage {
    /// Everything is as the baseline wants it, by the model's state alone.
    pub fn expect_converged(&self) -> Result<(), String> {
        for account in self.setting.assignable() {
            for region in self.setting.regions() {
                let place = Place { account: account.clone(), region: (*region).to_owned() };
                self.server.with(|model| {
                    let enforced = model.enforcement(&place.account, &place.region).cloned();
                    let ends = self.scenario.end_state(self.over);
                    if ends == Ends::ForeignStays && place.account == self.setting.member(0) {
                        let stays = enforced.is_some_and(|seen| seen.guardrail_version == "1");
                        return if stays {
                            Ok(())
                        } else {
                            broken(Rule::AsWanted, format!("{place} lost it"))
                        };
                    }
                    match self.wants.of(&self.setting, model, &place) {
                        Wanted::HandsOff => Ok(()),
                        Wanted::Nothing if enforced.is_none() => Ok(()),
                        Wanted::Nothing => {
                            broken(Rule::AsWanted, format!("{place} enforces something still"))
                        }
                        Wanted::Guardrail if ends == Ends::Unguarded && self.has_begun() => match enforced {
                            None => Ok(()),
                            Some(seen) => broken(Rule::AsWanted, format!("{place} enforces {seen:?} still")),
                        },
                        Wanted::Guardrail => {
                            let met = enforced
                                .is_some_and(|seen| self.wants.is_met(&self.setting, model, &place, &seen));
                            let prompt = blocked_prompt(model, &place);
                            match met && prompt == Prompt::Stopped {
                                true => Ok(()),
                                false => broken(
                                    Rule::AsWanted,
                                    format!("{place}: as wanted: {met}; a blocked prompt: {prompt:?}"),
                                ),
                            }
                        }
                    }
                })?;
            }
        }
        Ok(())
    }
}

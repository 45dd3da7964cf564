//! What is known of AWS's answer to `placement: auto`, and whether members get copies at all.

use super::Doctor;
use guardrail_keeper::engine;
use keeper_core::baseline::{Baseline, Placement};
use keeper_core::doctor::Check;
use keeper_core::failure::Failure;
use keeper_core::placement::Answer;

impl Doctor<'_> {
    pub(super) async fn placement(&mut self, baseline: &Baseline) {
        let here = Check::Placement.whole();
        self.copies = baseline.guardrails.values().any(|one| one.placement == Placement::Copy);
        if !baseline.has_auto() {
            return;
        }
        let finding = match engine::placement_record(self.keeper).await {
            Ok(record) => {
                self.copies |= record.answer == Answer::Copies;
                match record.answer {
                    Answer::Undecided if record.refusals.is_empty() => {
                        here.not_applicable(record.to_string())
                    }
                    Answer::Undecided => {
                        let todo = "wait; where no keeper is deployed, run guardrailctl apply again after that time. If you know \
                                    the answer: guardrailctl placement set";
                        here.unknown(record.to_string(), todo)
                    }
                    Answer::Central | Answer::Copies => here.ok(record.to_string()),
                }
            }
            Err(error) => {
                let failure = Failure::transient("read the ledger", error.to_string());
                here.unread("it isn't known whether members need copies", &failure)
            }
        };
        self.findings.push(finding);
    }
}

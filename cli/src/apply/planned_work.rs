//! What was read and planned before anybody is asked, and the question about it.

use std::collections::BTreeMap;

use crate::deployed::Until;
use crate::level::LevelPlan;
use crate::output::{self, counted};
use crate::plan::Meanwhile;
use guardrail_keeper::engine::Survey;
use keeper_core::ids::Target;

/// What was read and planned, of both levels.
pub(super) struct PlannedWork {
    /// What this revision does in accounts.
    pub(super) survey: Survey,
    /// What the baseline before it does, while this revision waits.
    pub(super) meanwhile: Option<Meanwhile>,
    /// What would be written on the organization's level.
    pub(super) level: LevelPlan,
}

impl PlannedWork {
    /// How many changes there are in accounts, of this revision and of the baseline that is followed meanwhile.
    pub(super) fn changes(&self) -> usize {
        self.survey.plan.plan().counts().to_change + self.meanwhile.as_ref().map_or(0, Meanwhile::changes)
    }

    /// Whether both are the same work.
    pub(super) fn is_same_as(&self, other: &PlannedWork) -> bool {
        self.contents() == other.contents()
    }

    fn contents(&self) -> (String, Option<String>, (Vec<String>, Vec<String>)) {
        let PlannedWork { survey, meanwhile, level } = self;
        (survey.plan.plan().hash(), meanwhile.as_ref().map(Meanwhile::hash), level.contents())
    }

    /// The question before this is done from here; none where there is nothing to do.
    pub(super) fn question(&self) -> Option<String> {
        self.question_about(self.changes(), "change")
    }

    /// The question before the deployed keeper is asked, which may see more than can be seen from here.
    pub(super) fn question_for(&self, targets: &BTreeMap<Target, Until>) -> Option<String> {
        let unseen = targets.values().filter(|until| **until == Until::Seen).count();
        if unseen == 0 {
            return self.question();
        }
        output::note(format_args!(
            "this terminal can't read {unseen}, usually because the member role trusts only the function; the deployed \
             keeper looks there and does what the baseline says"
        ));
        self.question_about(self.changes() + unseen, "target")
    }

    fn question_about(&self, count: usize, noun: &str) -> Option<String> {
        let accounts = match (count, noun) {
            (0, _) => None,
            (1, "change") => Some("apply this change".to_owned()),
            (_, "change") => Some(format!("apply these {}", counted(count, noun))),
            (_, _) => Some(format!("apply the baseline to {}", counted(count, noun))),
        };
        let level = self.level.may_be_written().then(|| match self.level.steps() {
            0 => "write on the organization's level once nothing holds it".to_owned(),
            steps => format!("take {} on the organization's level", counted(steps, "step")),
        });
        let parts: Vec<String> = accounts.into_iter().chain(level).collect();
        let mut question = parts.join(", and ");
        question.get_mut(..1)?.make_ascii_uppercase();
        Some(format!("{question}?"))
    }
}

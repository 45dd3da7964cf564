//! The order of things in a run: what each experiment needs, the experiment, its clean-up, and the whole clean-up.

use std::collections::BTreeMap;

use crate::calls::Halt;
use crate::experiment::{Conclusion, Experiment, Need, Verdict};
use crate::lab::Lab;
use crate::undo::Left;

/// What came of a run.
#[derive(Debug)]
pub struct Conducted {
    /// What was found out, experiment by experiment.
    pub findings: Vec<Conclusion>,
    /// What could not be removed.
    pub left: Vec<Left>,
}

/// Why something that an experiment needs isn't there.
#[derive(Clone, Debug)]
enum Unmet {
    /// The user didn't ask for it.
    NotGiven(String),
    /// It was tried.
    Failed(String),
}

/// Makes experiments one after another and removes what they made, also when the user stops it.
pub async fn conduct(lab: &Lab, experiments: &[&'static Experiment], progress: &dyn Fn(&str)) -> Conducted {
    let mut needs = Needs { lab, seen: BTreeMap::new() };
    let mut findings = Vec::new();
    let mut ended: Option<String> = None;
    for experiment in experiments {
        let verdict = match &ended {
            Some(why) => Verdict::not_tried(why.clone()),
            None => {
                progress(experiment.question);
                let (verdict, end) = one(lab, &mut needs, experiment).await;
                ended = end;
                verdict
            }
        };
        findings.push(Conclusion { switch: experiment.switch, question: experiment.question, verdict });
    }
    progress("cleaning up");
    let left = lab.unwind(0).await;
    Conducted { findings, left }
}

/// One experiment, and why it is the last.
async fn one(lab: &Lab, needs: &mut Needs<'_>, experiment: &Experiment) -> (Verdict, Option<String>) {
    match needs.met(experiment).await {
        Ok(None) => {}
        Ok(Some(Unmet::NotGiven(why))) => return (Verdict::not_tried(why), None),
        Ok(Some(Unmet::Failed(why))) => return (Verdict::not_found_out(why), None),
        Err(halt) => return (Verdict::not_tried(halt.to_string()), Some(halt.to_string())),
    }
    let mark = lab.mark();
    let observed = (experiment.observe)(lab).await;
    let left = lab.unwind(mark).await;
    let stays = left.first().map(|left| format!("{} could not be removed: {}", left.what, left.why));
    match observed {
        Ok(verdict) => (verdict, stays),
        Err(Halt::Because(why)) => (Verdict::not_found_out(why), stays),
        Err(halt) => (Verdict::not_found_out(halt.to_string()), Some(halt.to_string())),
    }
}

struct Needs<'a> {
    lab: &'a Lab,
    seen: BTreeMap<&'static str, Option<Unmet>>,
}

impl Needs<'_> {
    /// What is missing for an experiment. What is looked at once stays as it is, but the model, which an earlier
    /// experiment may have silenced.
    async fn met(&mut self, experiment: &Experiment) -> Result<Option<Unmet>, Halt> {
        // Nothing is made for an experiment that isn't made for want of something else.
        let mut needs = experiment.needs.to_vec();
        needs.sort_by_key(|need| cost(*need));
        for need in needs {
            let name = name(need);
            let unmet = match self.seen.get(name) {
                Some(Some(unmet)) => Some(unmet.clone()),
                Some(None) if need != Need::Model => None,
                _ => self.ask(need).await?,
            };
            self.seen.insert(name, unmet.clone());
            if unmet.is_some() {
                return Ok(unmet);
            }
        }
        Ok(None)
    }

    async fn ask(&self, need: Need) -> Result<Option<Unmet>, Halt> {
        let lab = self.lab;
        let given = |is_given: bool, why: &str| (!is_given).then(|| Unmet::NotGiven(why.to_owned()));
        let no_management = "it takes the credentials of the management account, and --role";
        let management = given(lab.cloud.management.is_some(), no_management);
        let worked = match need {
            Need::Management => return Ok(management),
            Need::Unit => return Ok(given(lab.means.unit.is_some(), "it takes an OU, given as --ou")),
            Need::Key => return Ok(given(lab.means.key.is_some(), "it takes a key of KMS, given as --key")),
            Need::TouchesManagement => {
                let why = "it attaches a policy to the management account, which takes --may-touch-management-account";
                return Ok(given(lab.means.touches_management, why));
            }
            Need::Shared | Need::PolicyType if management.is_some() => return Ok(management),
            Need::PolicyType => match lab.policy_type().await {
                Ok(Ok(())) => return Ok(None),
                Ok(Err(refusal)) => return Ok(Some(Unmet::Failed(refusal.to_string()))),
                Err(Halt::Because(why)) => return Ok(Some(Unmet::NotGiven(why))),
                Err(halt) => Err(halt),
            },
            Need::Own => lab.prepare_own().await,
            Need::Shared => lab.prepare_shared().await,
            Need::Model => lab.until_models_answer().await,
        };
        match worked {
            Ok(()) => Ok(None),
            Err(Halt::Because(why)) => Ok(Some(Unmet::Failed(why))),
            Err(halt) => Err(halt),
        }
    }
}

fn name(need: Need) -> &'static str {
    match need {
        Need::Management => "management",
        Need::Own => "own",
        Need::Shared => "shared",
        Need::PolicyType => "policy type",
        Need::Model => "model",
        Need::Unit => "unit",
        Need::Key => "key",
        Need::TouchesManagement => "touches management",
    }
}

/// What only looks comes first, what makes something later.
fn cost(need: Need) -> u8 {
    match need {
        Need::Management | Need::Unit | Need::Key | Need::TouchesManagement => 0,
        Need::PolicyType => 1,
        Need::Own | Need::Shared => 2,
        Need::Model => 3,
    }
}

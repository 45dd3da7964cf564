//! What `status` says of every target, held against what is so: nothing is called good that isn't, and after a
//! sweep without faults nothing is called bad that is good.

use std::collections::BTreeMap;

use guardrail_keeper::baseline::Baseline;
use guardrail_keeper::limits::EffectiveBaseline;
use guardrail_keeper::organization::AccountState;
use guardrail_keeper::record::{AccountRecord, Record, State};
use guardrail_keeper::status::{Criteria, Judged, Standing, Subject, judge, judge_account};
use jiff::Timestamp;

use super::planted::Plant;
use super::rule::{Rule, broken};
use super::{Stage, account_record, document};
use crate::faults::scenario::PARAMETER;
use crate::histories::baseline::Wanted;
use crate::histories::check::Book;
use crate::histories::model::{Place, Prompt, blocked_prompt};
use crate::histories::standing::{Truth, is_as_seen, member};

/// What is said of one target.
pub struct Verdict {
    pub place: Place,
    pub standing: Standing,
    pub reason: Option<String>,
    record: Record,
    /// Whether Organizations tells a state of the account that nobody knows.
    unknown: bool,
    leaving: bool,
}

impl Stage {
    /// Nothing is called good that isn't, as far as the record can know it: what somebody changed since the last
    /// look no record tells.
    pub fn check_status(&mut self) -> Result<(), String> {
        for verdict in self.verdicts() {
            let Verdict { place, standing, .. } = &verdict;
            if !standing.is_good() || !(verdict.unknown || self.is_as_seen(&verdict)) {
                continue;
            }
            self.figures.called_good += 1;
            if let Some(wrong) = self.is_wrong(&verdict) {
                return broken(Rule::CalledGood, format!("{place} is called {standing}, and {wrong}"));
            }
        }
        Ok(())
    }

    /// After a sweep that nothing disturbed: good is what is good, and nothing else.
    pub fn check_status_at_rest(&mut self) -> Result<(), String> {
        for verdict in self.verdicts() {
            let Verdict { place, standing, reason, .. } = &verdict;
            let wrong = self.is_wrong(&verdict);
            match (standing.is_good(), wrong) {
                (true, None) => self.figures.called_good += 1,
                (true, Some(wrong)) => {
                    return broken(Rule::CalledGood, format!("{place} is called {standing}, and {wrong}"));
                }
                (false, Some(_)) => self.figures.called_bad += 1,
                (false, None) => {
                    let reason = reason.as_deref().unwrap_or("no reason");
                    let what = format!("{place} is called {standing} ({reason}), and it is as wanted");
                    return broken(Rule::CalledBad, what);
                }
            }
        }
        Ok(())
    }

    /// What `status` says of everybody that is worked on; by a planted bug, if there is one.
    pub fn verdicts(&self) -> Vec<Verdict> {
        self.verdicts_by(self.plant)
    }

    pub fn verdicts_by(&self, plant: Option<Plant>) -> Vec<Verdict> {
        self.verdicts_of(&self.present(), plant)
    }

    /// The baseline that accounts follow.
    pub fn followed(&self) -> EffectiveBaseline {
        let document = |key| self.server.with(|model| document(model, &self.setting, key));
        let known = document("rollout");
        let known = known.and_then(|text| serde_json::from_str(&text).expect("the keeper wrote it"));
        let before = document("approved").and_then(|text| {
            let kept: serde_json::Value = serde_json::from_str(&text).expect("the keeper wrote it");
            kept["text"].as_str().map(str::to_owned)
        });
        EffectiveBaseline::of(&self.present(), known, before.as_deref())
    }

    fn present(&self) -> Baseline {
        let text = self.published();
        Baseline::parse(&text).unwrap_or_else(|problems| panic!("{problems}\n{text}"))
    }

    /// What `status` says of everybody by a baseline.
    pub fn verdicts_of(&self, baseline: &Baseline, plant: Option<Plant>) -> Vec<Verdict> {
        let (now, oldest) = (self.clock.now(), Timestamp::MIN);
        let criteria = Criteria { now, oldest, revision: Some(&baseline.revision) };
        let mut verdicts = Vec::new();
        for account in self.setting.accounts() {
            let Some(mut member) = self.server.with(|model| member(model, &account)) else { continue };
            let unknown = member.state.is_unknown();
            if plant == Some(Plant::CallsTheUnknownGood) {
                member.state = AccountState::Active;
            }
            let record = self.server.with(|model| account_record(model, &self.setting, &account));
            for (target, wanted, judged) in judge_account(baseline, &member, &record, criteria) {
                let here = record.regions.get(&target.region).cloned().unwrap_or_default();
                let subject = Subject {
                    target: &target,
                    wanted: Some(&wanted),
                    path: Some(&member.path),
                    record: &here,
                };
                let Judged { standing, reason } = planted(plant, judged, subject, criteria);
                verdicts.push(Verdict {
                    place: Place { account: account.clone(), region: target.region.to_string() },
                    standing,
                    reason,
                    record: here,
                    unknown,
                    leaving: record.offboarding.is_some(),
                });
            }
        }
        verdicts
    }

    /// The baseline as the keeper reads it.
    fn published(&self) -> String {
        self.server.with(|model| {
            let region = model.region(&self.setting.hub(), self.setting.regions()[0]);
            let parameter = region.and_then(|region| region.parameters.get(PARAMETER));
            parameter.expect("it was published").latest().value.clone()
        })
    }

    /// Why a target isn't good.
    fn is_wrong(&self, verdict: &Verdict) -> Option<String> {
        let Verdict { place, unknown, leaving, .. } = verdict;
        if *unknown {
            return Some("nobody knows the state of the account".to_owned());
        }
        if self.wants.leaving.contains(&place.account) && !leaving {
            // Nobody could ask for it yet.
            return None;
        }
        let truth = Truth { setting: &self.setting, wants: &self.wants, book: &self.book };
        self.server.with(|model| {
            let guarded = self.wants.of(&self.setting, model, place) == Wanted::Guardrail;
            let works = !guarded || blocked_prompt(model, place) == Prompt::Stopped;
            let wrong = truth.is_wrong(model, place, Book::is_as_applied);
            wrong.or_else(|| (!works).then(|| "a blocked prompt isn't stopped there".to_owned()))
        })
    }

    /// Whether what the record saw last is there still, and works: what was changed since then is told to nobody yet.
    fn is_as_seen(&self, verdict: &Verdict) -> bool {
        let Verdict { place, record, .. } = verdict;
        let stale = self.has_read_what_was_old();
        self.server.with(|model| {
            let nothing = model.enforcement(&place.account, &place.region).is_none();
            let works = nothing || blocked_prompt(model, place) == Prompt::Stopped;
            !stale && works && is_as_seen(model, place, record)
        })
    }

    /// How many targets stand how, by the words that programs read.
    pub fn standings(&self) -> BTreeMap<&'static str, usize> {
        let mut standings = BTreeMap::new();
        for verdict in self.verdicts_of(&self.followed().baseline, self.plant) {
            *standings.entry(verdict.standing.code()).or_default() += 1;
        }
        standings
    }
}

/// What a planted bug makes of a judgement.
fn planted(plant: Option<Plant>, judged: Judged, subject: Subject<'_>, criteria: Criteria<'_>) -> Judged {
    match (plant, &subject.record.checked) {
        (Some(Plant::GoesByTheWord), Some(checked)) => {
            Judged { standing: Standing::of(checked.state), ..judged }
        }
        (Some(Plant::ForgetsWhatStays), _) => judge(subject, criteria),
        (Some(Plant::CriesWolf), Some(checked)) if checked.state == State::InSync => {
            Judged { standing: Standing::Unknown, ..judged }
        }
        _ => judged,
    }
}

/// Where the record knows something of the keeper's in an account.
pub(super) fn regions_of_ours(record: &AccountRecord) -> Vec<String> {
    record.regions_of_ours().map(ToString::to_string).collect()
}

//! How a report reads: for people, and as JSON for programs.

use std::fmt::{self, Write as _};

use super::{ChangeResult, GrantReport, Report, State, TargetReport};
use crate::enforcement::ReadsBack;
use crate::failure::Failure;
use crate::plan::{CleanUp, HandedBack, Mark, Plan, PlanLine, in_words};

impl Report {
    /// How it ended, in one line.
    pub fn summary(&self) -> String {
        let counts = self.counts();
        let count = |state: State| counts.get(&state).copied().unwrap_or(0);
        let grants = |word: &str| self.grants.values().filter(|report| report.word() == word).count();
        let changed =
            count(State::Enforced) + count(State::Replaced) + count(State::Released) + grants("written");
        let held = count(State::Held) + grants("held");
        let mut text = format!("{changed} changed, {held} held, {} in sync", count(State::InSync));
        match grants("failed") {
            0 => {}
            1 => text.push_str(", 1 resource policy failed"),
            several => {
                let _ = write!(text, ", {several} resource policies failed");
            }
        }
        let adopted = |outcome: &&ChangeResult| outcome.change.verb() == "adopt" && outcome.result.is_ok();
        for (count, word) in
            [(self.outcomes().filter(adopted).count(), "adopted"), (self.handed_back.len(), "handed back")]
        {
            if count > 0 {
                text.push_str(&format!(", {count} {word}"));
            }
        }
        for (state, word) in [
            (State::WouldEnforce, "would be enforced"),
            (State::WouldReplace, "would be replaced"),
            (State::WouldRelease, "would be released"),
            (State::WouldAbandon, "would be abandoned"),
            (State::Copied, "copied"),
            (State::Failed, "failed"),
            (State::Broken, "broken"),
            (State::LeftAlone, "left alone"),
        ] {
            if count(state) > 0 {
                text.push_str(&format!(", {} {word}", count(state)));
            }
        }
        match self.skipped.len() {
            0 => {}
            1 => text.push_str(", 1 account skipped"),
            several => text.push_str(&format!(", {several} accounts skipped")),
        }
        text
    }

    /// The report as JSON: counts, then every target that isn't simply in sync.
    pub fn to_json(&self) -> serde_json::Value {
        let Report {
            revision,
            grants,
            targets,
            handed_back,
            opened: _,
            skipped,
            unknown_states,
            unplaced,
            strangers,
            warnings,
            placement_decided,
            before: _,
            ledger_trouble: _,
            owed: _,
        } = self;
        let grants: Vec<serde_json::Value> = grants
            .iter()
            .filter(|(_, report)| report.word() != "granted")
            .map(|(resource, report)| {
                serde_json::json!({ "resource": resource, "state": report.word(), "reason": report.trouble() })
            })
            .collect();
        let listed: Vec<serde_json::Value> = targets
            .iter()
            // What was cleaned up is in sync, and was written all the same.
            .filter(|(_, report)| !matches!(report.state(), State::InSync) || report.is_an_attempt())
            .map(|(target, report)| {
                serde_json::json!({
                    "account": target.account,
                    "region": target.region,
                    "state": report.state(),
                    "change": report.change(),
                    "enforced": report.enforced(),
                    "reason": report.reason(),
                    "code": report.code(),
                    "worth_waiting": report.is_worth_waiting(),
                })
            })
            .collect();
        serde_json::json!({
            "revision": revision,
            "converged": self.is_converged(),
            "counts": self.counts(),
            "policies": grants,
            "targets": listed,
            "handed_back": handed_back.iter().map(HandedBack::to_json).collect::<Vec<_>>(),
            "skipped": skipped,
            "unknown_states": unknown_states,
            "unplaced": in_words(unplaced),
            "strangers": strangers,
            "warnings": warnings,
            "placement_decided": placement_decided,
        })
    }
}

impl Report {
    /// A line for each write that was attempted.
    pub fn attempted_lines(&self) -> Vec<PlanLine> {
        let mut lines = Vec::new();
        for (resource, report) in &self.grants {
            if let GrantReport::Attempted { change, result } = report {
                lines.push(match result {
                    Ok(()) => change.line(),
                    Err(failure) => {
                        let told = format!("{resource} its resource policy could not be written: {failure}");
                        PlanLine::new(Mark::Hold).text(told)
                    }
                });
            }
        }
        for (target, report) in &self.targets {
            let failed = |verb: &str, failure: &Failure| {
                PlanLine::about(Mark::Hold, target).text(format_args!(" failed to {verb}: {failure}"))
            };
            match report {
                TargetReport::Attempted(ChangeResult { change, result: Err(failure), .. }) => {
                    lines.push(failed(change.verb(), failure));
                }
                TargetReport::Attempted(ChangeResult { change, result: Ok(()), reads_back, begun: _ }) => {
                    lines.push(change.line_once_done());
                    let remark =
                        |it: &ReadsBack| PlanLine::about(Mark::Hold, target).text(format_args!(" {it}"));
                    lines.extend(reads_back.as_deref().map(remark));
                }
                TargetReport::CleanedUp { clean_up: _, result: Err(failure) } => {
                    lines.push(failed(CleanUp::VERB, failure));
                }
                TargetReport::CleanedUp { clean_up, result: Ok(()) } => lines.push(clean_up.line()),
                TargetReport::Decided(_) => {}
            }
        }
        lines
    }

    /// A line for each decision that led to no attempt and is not as it should be.
    pub fn decided_lines(&self) -> Vec<PlanLine> {
        let mut rest = Plan {
            skipped: self.skipped.clone(),
            unknown_states: self.unknown_states.clone(),
            unplaced: self.unplaced.clone(),
            handed_back: self.handed_back.clone(),
            ..Plan::default()
        };
        for (resource, report) in &self.grants {
            if let GrantReport::Decided(decision) = report {
                rest.grants.insert(resource.clone(), decision.clone());
            }
        }
        for (target, report) in &self.targets {
            if let TargetReport::Decided(decision) = report {
                rest.decisions.insert(target.clone(), decision.clone());
            }
        }
        let told = " is no member of this organization: not looked at";
        let strangers =
            self.strangers.iter().map(|account| PlanLine::new(Mark::Hold).account(account).text(told));
        rest.lines().into_iter().chain(strangers).collect()
    }
}

impl fmt::Display for Report {
    /// One line per target in which something was done or should have been, then the sums.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in self.attempted_lines().into_iter().chain(self.decided_lines()) {
            writeln!(f, "{line}")?;
        }
        for warning in &self.warnings {
            writeln!(f, "! {warning}")?;
        }
        if let Some(decided) = &self.placement_decided {
            writeln!(f, "{decided}")?;
        }
        f.write_str(&self.summary())
    }
}

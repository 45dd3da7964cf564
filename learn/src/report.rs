//! The report: what was found out, in the words of the simulator's switches, for people and for programs.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Value, json};

use crate::conduct::Conducted;
use crate::experiment::{BEYOND_REACH, Conclusion, Learned};
use crate::journal::{Header, Made};
use crate::lab::Timing;

/// Everything that a run came to.
#[derive(Debug)]
pub struct LearnReport {
    /// Which run.
    pub header: Header,
    /// When it began.
    pub began: jiff::Timestamp,
    /// What was found out and what is left.
    pub conducted: Conducted,
    /// How long things took.
    pub measured: Vec<Timing>,
    /// What stays on purpose.
    pub staying: Vec<Made>,
}

impl LearnReport {
    /// The positions that were found out, by switch.
    pub fn positions(&self) -> BTreeMap<&'static str, &'static str> {
        let found = self.conducted.findings.iter().filter_map(|finding| match finding.verdict.answer {
            Learned::Position(position) => Some((finding.switch, position)),
            _ => None,
        });
        found.collect()
    }

    /// Whether everything that was tried was found out.
    pub fn is_complete(&self) -> bool {
        let failed = |finding: &Conclusion| matches!(finding.verdict.answer, Learned::NotFoundOut(_));
        !self.conducted.findings.iter().any(failed)
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let Header { run, account, region, .. } = &self.header;
        let _ = writeln!(text, "account {account} in {region}, run {run}, {:.0}\n", self.began);
        self.found(&mut text);
        self.measurements(&mut text);
        self.rest(&mut text);
        text
    }

    fn found(&self, text: &mut String) {
        let of = |wanted: fn(&Learned) -> bool| {
            self.conducted.findings.iter().filter(move |finding| wanted(&finding.verdict.answer))
        };
        let _ = writeln!(text, "found out, as positions of the simulator's switches:");
        for (finding, position) in self.conducted.findings.iter().filter_map(|finding| {
            let Learned::Position(position) = finding.verdict.answer else { return None };
            Some((finding, position))
        }) {
            let _ = writeln!(text, "  {:<30} {:<14} {}", finding.switch, position, finding.verdict.seen);
        }
        section(
            text,
            "found out, and the simulator has no position for it:",
            of(|answer| matches!(answer, Learned::Otherwise(_))),
        );
        section(text, "not found out:", of(|answer| matches!(answer, Learned::NotFoundOut(_))));
        section(text, "not tried:", of(|answer| matches!(answer, Learned::NotTried(_))));
    }

    fn measurements(&self, text: &mut String) {
        if self.measured.is_empty() {
            return;
        }
        let _ = writeln!(text, "\nhow long it took, as settings of the simulator (looked at every 2 s):");
        for (setting, (what, times)) in self.times() {
            let shown: Vec<String> = times.iter().map(|seconds| format!("{seconds:.1}")).collect();
            let _ = writeln!(text, "  {setting:<30} {} s: {what}", shown.join(", "));
        }
    }

    fn rest(&self, text: &mut String) {
        let _ = writeln!(text, "\nnot to be found out by a run like this:");
        for one in BEYOND_REACH {
            let _ = writeln!(text, "  {}: {}", one.what, one.why);
        }
        for stays in &self.staying {
            let _ = writeln!(
                text,
                "\nstays as it is, because disabling it would detach every policy of the type: {stays}"
            );
        }
        for left in &self.conducted.left {
            let _ = writeln!(text, "\nLEFT: {}: {}", left.what, left.why);
        }
        let positions = self.positions();
        if !positions.is_empty() {
            let flags = positions.iter().map(|(switch, position)| format!(" --{switch} {position}"));
            let _ = writeln!(
                text,
                "\nThe simulator behaves so with\n  simulator serve{}",
                flags.collect::<String>()
            );
        }
    }

    fn times(&self) -> BTreeMap<&'static str, (&'static str, Vec<f64>)> {
        let mut times: BTreeMap<&'static str, (&'static str, Vec<f64>)> = BTreeMap::new();
        for Timing { setting, what, took } in &self.measured {
            times.entry(setting).or_insert((what, Vec::new())).1.push(took.as_secs_f64());
        }
        times
    }

    /// For programs. `switches` can be put to the simulator as it is.
    pub fn json(&self) -> Value {
        let findings: Vec<Value> = self.conducted.findings.iter().map(shown).collect();
        let measured: Vec<Value> = self
            .times()
            .into_iter()
            .map(|(setting, (what, times))| json!({ "setting": setting, "what": what, "seconds": times }))
            .collect();
        let beyond: Vec<Value> = BEYOND_REACH
            .iter()
            .map(|one| json!({ "switch": one.switch, "what": one.what, "why": one.why }))
            .collect();
        let left: Vec<Value> = self
            .conducted
            .left
            .iter()
            .map(|left| json!({ "what": left.what.to_string(), "why": left.why }))
            .collect();
        json!({
            "run": self.header.run,
            "account": self.header.account,
            "region": self.header.region,
            "began": self.began.to_string(),
            "switches": self.positions(),
            "findings": findings,
            "measured": measured,
            "beyond_reach": beyond,
            "stays": self.staying.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "left": left,
        })
    }
}

fn section<'a>(text: &mut String, title: &str, findings: impl Iterator<Item = &'a Conclusion>) {
    let mut is_first = true;
    for finding in findings {
        if std::mem::take(&mut is_first) {
            let _ = writeln!(text, "\n{title}");
        }
        let (Learned::Otherwise(what) | Learned::NotFoundOut(what) | Learned::NotTried(what)) =
            &finding.verdict.answer
        else {
            continue;
        };
        let _ = writeln!(text, "  {:<30} {what}", finding.switch);
    }
}

fn shown(finding: &Conclusion) -> Value {
    let (position, otherwise, not_found_out, not_tried) = match &finding.verdict.answer {
        Learned::Position(position) => (Some(*position), None, None, None),
        Learned::Otherwise(what) => (None, Some(what), None, None),
        Learned::NotFoundOut(why) => (None, None, Some(why), None),
        Learned::NotTried(why) => (None, None, None, Some(why)),
    };
    json!({
        "switch": finding.switch,
        "question": finding.question,
        "position": position,
        "otherwise": otherwise,
        "not_found_out": not_found_out,
        "not_tried": not_tried,
        "seen": finding.verdict.seen,
    })
}

//! What `guardrailctl status` prints and how it ends, held against what the library says of every target.

use std::collections::BTreeMap;
use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;

use super::planted::Plant;
use super::rule::{Rule, broken};
use super::{Stage, said::Verdict};
use crate::faults::world::World;
use crate::program::built;

impl Stage {
    /// Runs the program, once for people and once for programs.
    pub async fn check_rendered(&mut self) -> Result<(), String> {
        if !self.renders || self.world != World::Plain {
            return Ok(());
        }
        // It judges by what accounts follow, and while another baseline waits, all of it isn't good.
        let followed = self.followed();
        let verdicts = self.verdicts_of(&followed.baseline, None);
        let good = followed.is_present() && verdicts.iter().all(|verdict| verdict.standing.is_good());
        for form in ["text", "json"] {
            let (mut code, mut out) = self.program(&["status", "--output", form]).await;
            match self.plant {
                Some(Plant::EndsWell) => code = 0,
                Some(Plant::PrintsTheGood) => out = only_the_good(&out, &verdicts),
                _ => {}
            }
            let shown = format!("{out}exit {code}");
            if code != i32::from(!good) {
                return broken(
                    Rule::Rendered,
                    format!("all good: {good}, and it ends with {code}:\n{shown}"),
                );
            }
            let wrong = match form {
                "json" => in_json(&out, &verdicts, good),
                _ => in_text(&out, &verdicts),
            };
            if let Some(wrong) = wrong {
                return broken(Rule::Rendered, format!("{wrong}:\n{shown}"));
            }
            self.figures.rendered += 1;
        }
        Ok(())
    }

    /// Runs the program as somebody in the hub would. Answers how it ended, and what it printed.
    pub async fn program(&self, arguments: &[&str]) -> (i32, String) {
        let keeper = ["KEEPER_BASELINE", "KEEPER_LEDGER"];
        let output = Command::new(built("guardrailctl"))
            .args(arguments)
            .env_clear()
            .envs(keeper.map(|name| (name, self.variables[name].clone())))
            .env("AWS_ENDPOINT_URL", self.server.url())
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", format!("SIM{}", self.setting.hub()))
            .env("AWS_SECRET_ACCESS_KEY", "simulator")
            .stdin(Stdio::null())
            .output()
            .await
            .expect("it was built");
        let text = |bytes| String::from_utf8(bytes).expect("it prints text");
        let out = text(output.stdout);
        assert!(!out.is_empty(), "{}", text(output.stderr));
        (output.status.code().unwrap_or(-1), out)
    }
}

/// What is wrong with the document for programs.
fn in_json(out: &str, verdicts: &[Verdict], good: bool) -> Option<String> {
    let Ok(document) = serde_json::from_str::<Value>(out) else { return Some("it is no JSON".to_owned()) };
    if document["summary"]["good"] != good {
        return Some(format!("all good: {good}, and it says otherwise"));
    }
    let targets: Vec<&Value> = document["targets"].as_array()?.iter().collect();
    let is_of_a_member = |target: &&&Value| target["state"] != "left_behind";
    if targets.iter().filter(is_of_a_member).count() != verdicts.len() {
        return Some(format!("there are {} targets", verdicts.len()));
    }
    let differing = verdicts.iter().find(|verdict| {
        let same = |target: &&&Value| {
            target["account"] == verdict.place.account.as_str()
                && target["region"] == verdict.place.region.as_str()
                && target["state"] == verdict.standing.code()
                && target["reason"].as_str() == verdict.reason.as_deref()
        };
        targets.iter().filter(same).count() != 1
    })?;
    let Verdict { place, standing, reason, .. } = differing;
    Some(format!("{place} is {standing} ({reason:?})"))
}

/// What is wrong with the text for people: counts, and a line for each target that isn't good.
fn in_text(out: &str, verdicts: &[Verdict]) -> Option<String> {
    let words: Vec<String> = verdicts.iter().map(|verdict| verdict.standing.to_string()).collect();
    let mut counted: BTreeMap<&str, usize> = BTreeMap::new();
    words.iter().for_each(|word| *counted.entry(word).or_default() += 1);
    for (word, count) in counted {
        if !out.lines().any(|line| line == format!("{count:>7} {word}")) {
            return Some(format!("{count} are {word}"));
        }
    }
    let bad = verdicts.iter().filter(|verdict| !verdict.standing.is_good());
    for Verdict { place, standing, .. } in bad {
        let begins = format!("{:<11} {place}", standing.to_string());
        if !out.lines().any(|line| line.starts_with(&begins)) {
            return Some(format!("{place} is {standing}, and it isn't listed"));
        }
    }
    None
}

fn only_the_good(out: &str, verdicts: &[Verdict]) -> String {
    let is_bad = |line: &&str| {
        verdicts.iter().any(|it| !it.standing.is_good() && line.contains(&it.place.to_string()))
    };
    out.lines().filter(|line| !is_bad(line)).map(|line| format!("{line}\n")).collect()
}

//! The organization's level, as the terminal shows it: what would be written, and how it stands by the record.

mod foreseen;

use std::collections::BTreeMap;

pub(super) use self::foreseen::LevelPlan;

use serde_json::{Value, json};

use super::output::{self, BROKEN, HEADING, HELD, QUIET, counted, paint};
use super::time::Age;
use guardrail_keeper::engine::{Keeper, Stopped};
use guardrail_keeper::handler::DoneHere;
use jiff::Timestamp;
use keeper_core::baseline::{Baseline, Revision};
use keeper_core::ids::AccountId;
use keeper_core::organization_level::{OrganizationLevelRecord, OrganizationLevelReport, OrganizationLook};
use keeper_core::record::{InheritedLevel, InheritedProbeResult, InheritedStanding};

/// The code of the hold that an approval ends.
const NOT_APPROVED: &str = "not_approved";

/// Prints what would be written, or why nothing is.
pub(super) fn print_foreseen(report: &OrganizationLevelReport) {
    output::print(format_args!("\n{}", paint(HEADING, "Organization's level:")));
    for hold in &report.holds {
        output::print(format_args!("{} [{}] {}", paint(HELD, "held"), hold.code, hold.text));
    }
    for step in &report.left {
        output::print(format_args!("+ {step}"));
    }
    if !report.left.is_empty() {
        output::print(report.extent);
    }
    if report.holds.iter().any(|hold| hold.code == NOT_APPROVED) {
        let revision = &report.revision;
        output::print(format_args!("to let it be done: guardrailctl approve {revision}"));
    }
    print_frozen(&report.frozen);
    if report.is_finished() {
        output::print("nothing to write");
    }
}

fn print_frozen(frozen: &BTreeMap<AccountId, String>) {
    for (account, why) in frozen.iter().filter(|(_, why)| !why.is_empty()) {
        output::print(format_args!("{} {account}: {why}", paint(BROKEN, "frozen")));
    }
    let more = frozen.values().filter(|why| why.is_empty()).count();
    if more > 0 {
        output::print(format_args!("{} {more} accounts more", paint(BROKEN, "frozen")));
    }
}

/// Prints what came of it.
pub(super) fn print_done(report: Option<&OrganizationLevelReport>) {
    if let Some(report) = report {
        output::print_done(format_args!("organization's level: {}", report.summary()));
    }
}

/// The report of what was done here, of both levels, for programs.
pub(super) fn done_in_json(done: &DoneHere) -> Value {
    let DoneHere { report, organization_level, unfinished } = done;
    let mut told = report.to_json();
    told["organization_level"] = json!(organization_level.as_ref().map(OrganizationLevelReport::to_json));
    told["converged"] = json!(report.is_converged() && unfinished.is_empty());
    told
}

/// How accounts stand on the organization's level, counted while the record is read.
#[derive(Debug, Default)]
pub(super) struct InheritedCounts {
    counts: BTreeMap<InheritedStanding, usize>,
    /// Accounts and Regions whose account could not apply what the baseline gives.
    unproven: usize,
    /// The first that are not as the baseline gives, in words.
    examples: Vec<String>,
    /// When the account was looked at whose look is the oldest.
    oldest: Option<Timestamp>,
}

/// How long the look at an account counts, in seconds: a day, as its proof does.
const LOOK_COUNTS_SECONDS: i64 = 24 * 3600;

/// How many examples are shown.
const EXAMPLES: usize = 10;

impl InheritedCounts {
    /// Adds an account.
    pub(super) fn add(&mut self, account: &AccountId, level: &InheritedLevel) {
        self.oldest = self.oldest.map_or(Some(level.at), |oldest| Some(oldest.min(level.at)));
        for (region, one) in &level.regions {
            *self.counts.entry(one.standing).or_default() += 1;
            let failed = one.probe.as_ref().and_then(|probe| match &probe.result {
                InheritedProbeResult::Failed(why) => Some(why),
                InheritedProbeResult::Applied | InheritedProbeResult::NotEnabled => None,
            });
            self.unproven += usize::from(failed.is_some());
            let is_worth_it = !one.standing.is_good() || failed.is_some();
            if is_worth_it && self.examples.len() < EXAMPLES {
                let why = failed.map(|why| format!("can't apply it: {why}"));
                let why = why.unwrap_or_else(|| one.text.clone());
                self.examples.push(format!("{account}/{region} {}: {why}", one.standing));
            }
        }
    }

    /// The oldest look, if it is too old to count: each sweep looks at every account.
    fn outdated(&self, now: Timestamp) -> Option<Timestamp> {
        self.oldest.filter(|oldest| now.as_second() - oldest.as_second() > LOOK_COUNTS_SECONDS)
    }

    /// Whether nothing is wrong.
    fn is_good(&self, now: Timestamp) -> bool {
        self.outdated(now).is_none()
            && self.unproven == 0
            && self.counts.keys().all(|standing| standing.is_good())
    }
}

/// Whether a look found everything carried out that this baseline wants, and nobody frozen. A look by another baseline says
/// nothing of this one.
pub(super) fn is_carried_out(look: &OrganizationLook, revision: &Revision) -> bool {
    look.holds.is_empty() && look.left.is_empty() && look.revision == *revision && look.frozen_count == 0
}

/// Prints what a look of the keeper found.
pub(super) fn print_look(look: &OrganizationLook, now: Timestamp) {
    output::print(format_args!("looked at {}", Age::of(look.at, now)));
    for hold in &look.holds {
        output::print(format_args!("{} [{}] {}", paint(HELD, "held"), hold.code, hold.text));
    }
    if !look.left.is_empty() {
        output::print(format_args!("{} left to be written", counted(look.left.len(), "step")));
        for step in look.left.iter().take(EXAMPLES) {
            output::print(format_args!("        {step}"));
        }
        if look.left.len() > EXAMPLES {
            output::print("        …");
        }
    }
    if look.frozen_count > 0 {
        let named: Vec<&str> = look.frozen.iter().take(EXAMPLES).map(AccountId::as_str).collect();
        output::print(format_args!(
            "{} {} accounts, which no change of a Bedrock policy reaches: {}{}",
            paint(BROKEN, "frozen"),
            look.frozen_count,
            named.join(", "),
            if look.frozen_count > named.len() { ", …" } else { "" }
        ));
    }
}

/// A look of the keeper, for programs.
pub(super) fn look_in_json(look: &OrganizationLook) -> Value {
    json!({
        "at": look.at,
        "revision": look.revision,
        "enabled": look.is_enabled,
        "holds": look.holds,
        "left": look.left,
        "frozen": look.frozen,
        "frozen_count": look.frozen_count,
    })
}

/// The organization's level by the record.
pub(super) struct LevelStatus {
    record: OrganizationLevelRecord,
    counts: InheritedCounts,
    /// Whether the baseline assigns anything on this level.
    is_assigned: bool,
    /// The baseline that accounts follow.
    revision: Revision,
}

impl LevelStatus {
    /// Reads the last look. `counts` is how accounts stand.
    pub(super) async fn read(
        keeper: &Keeper,
        baseline: &Baseline,
        counts: InheritedCounts,
    ) -> Result<LevelStatus, Stopped> {
        let record = keeper.ledger().organization_level().await?;
        let (is_assigned, revision) = (baseline.has_organization_level(), baseline.revision.clone());
        Ok(LevelStatus { record, counts, is_assigned, revision })
    }

    /// Whether there is anything to say of it.
    fn is_told(&self) -> bool {
        self.is_assigned || self.record.look.is_some()
    }

    /// Whether nothing is wrong: everything was carried out when it was looked at last, and accounts have it.
    pub(super) fn is_good(&self, now: Timestamp) -> bool {
        if !self.is_told() {
            return true;
        }
        let is_done = match &self.record.look {
            Some(look) => is_carried_out(look, &self.revision),
            None => !self.is_assigned,
        };
        is_done && self.counts.is_good(now)
    }

    pub(super) fn print(&self, now: Timestamp) {
        if !self.is_told() {
            return;
        }
        output::print(format_args!("\n{}", paint(HEADING, "Organization's level")));
        match &self.record.look {
            None => output::print("not looked at yet: the end of the next sweep does"),
            Some(look) => print_look(look, now),
        }
        for (standing, count) in &self.counts.counts {
            output::print(format_args!("{count:>7} {}", standing.to_string().replace('_', " ")));
        }
        if let Some(oldest) = self.counts.outdated(now) {
            output::print(format_args!(
                "an account was looked at {}, which is too long ago",
                Age::of(oldest, now)
            ));
        }
        for example in &self.counts.examples {
            output::print(format_args!("        {}", paint(QUIET, example)));
        }
    }

    pub(super) fn to_json(&self, now: Timestamp) -> Value {
        if !self.is_told() {
            return Value::Null;
        }
        let look = self.record.look.as_ref().map(look_in_json);
        let counts: BTreeMap<&str, usize> =
            self.counts.counts.iter().map(|(standing, count)| (standing.code(), *count)).collect();
        let own: BTreeMap<String, String> =
            self.record.own.iter().map(|(id, part)| (id.to_string(), part.to_string())).collect();
        json!({
            "good": self.is_good(now),
            "look": look,
            "policies": own,
            "states": counts,
            "unproven": self.counts.unproven,
            "examples": self.counts.examples,
            "oldest_look": self.counts.oldest,
        })
    }
}

//! What is printed of each account as soon as it was looked into, and of all at the end.

use std::collections::{BTreeMap, BTreeSet};

use anstyle::Style;
use serde_json::{Value, json};

use super::RegionCheck;
use super::look::{CallersFound, Found, Looked, Verdicts};
use crate::Output;
use crate::advice::{self, FailedCall};
use crate::names::Names;
use crate::output::{self, ADDED, ALTERED, BROKEN, Bar, HEADING, HELD, QUIET, paint};
use keeper_core::callers::{
    self, AccountAccess, CallerVerdict, CallersSummary, MissingPermission, Principals,
};
use keeper_core::ids::AccountId;
use keeper_core::resolved::Unusable;

const UNSEEN: &str =
    "Not seen: resource control policies, session policies, VPC endpoint policies, models of your own.";

/// How many accounts are named where the same has to be done in each.
const NAMED: usize = 8;

/// Prints what was found, account by account.
pub(super) struct CallersPrinter<'a> {
    output: Output,
    names: &'a Names,
    /// How many accounts there are to print.
    all: usize,
    bar: &'a Bar,
    summary: CallersSummary,
    /// What has to be added to policies, and in which accounts.
    statements: BTreeMap<String, Vec<AccountId>>,
    /// What to do about what could not be read, each once.
    cures: Vec<String>,
    /// Whether the first account is still to come.
    first: bool,
}

impl<'a> CallersPrinter<'a> {
    pub(super) fn begin(output: Output, names: &'a Names, all: usize, bar: &'a Bar) -> CallersPrinter<'a> {
        if output == Output::Json {
            output::print("{\"accounts\": [");
        }
        let (summary, statements, cures) = (CallersSummary::default(), BTreeMap::new(), Vec::new());
        CallersPrinter { output, names, all, bar, summary, statements, cures, first: true }
    }

    /// Prints one account.
    pub(super) fn add(&mut self, found: &Found) {
        self.summary.add(found.standing(), found.principals());
        if let CallersFound::Looked(looked) = &found.outcome {
            let lacking = lacking(looked.principals.values());
            let statements: Vec<String> =
                callers::statements(lacking).iter().map(|statement| format!("{statement:#}")).collect();
            if !statements.is_empty() {
                self.statements.entry(statements.join("\n")).or_default().push(found.account.clone());
            }
        }
        for cure in cures(found) {
            if !self.cures.contains(&cure) {
                self.cures.push(cure);
            }
        }
        self.bar.above(|| match self.output {
            Output::Text => self.print(found),
            // Where looking stops half way, the document stays open, so it can't be taken for complete.
            Output::Json => {
                let comma = if self.first { "" } else { "," };
                output::print(format_args!("{comma}{}", in_json(found, self.names)));
            }
        });
        self.first = false;
        if self.all > 1 {
            self.bar.say(format!("roles, {} of {} accounts done", self.summary.all(), self.all));
        }
    }

    /// Prints the summary; answers whether no principal would lose access.
    pub(super) fn end(self, unmet: &[String]) -> bool {
        let good = self.summary.is_good() && unmet.is_empty();
        self.cures.iter().for_each(output::note);
        match self.output {
            Output::Text => self.print_end(unmet),
            Output::Json => {
                let end = json!({
                    "good": good,
                    "summary": self.summary,
                    "unmet": unmet,
                    "not_seen": UNSEEN,
                });
                // One document: what was opened for the accounts goes on.
                let end = format!("{end:#}");
                output::print(format_args!("],{}", end.trim_start_matches('{')));
            }
        }
        good
    }

    fn print(&self, found: &Found) {
        let Found { account, outcome } = found;
        let name = format!("{account}{}", self.names.behind(account));
        match outcome {
            CallersFound::Looked(looked) if self.all > 1 && found.standing() == AccountAccess::Fine => {
                let Principals { fine, .. } = looked.count();
                let asked = looked.count().asked();
                output::print(format_args!(
                    "{} {name}: {fine} of {asked} roles and users invoke models and keep their access",
                    paint(ADDED, "fine    ")
                ));
            }
            CallersFound::Looked(looked) => self.print_looked(&name, looked),
            CallersFound::Nothing if self.all == 1 => {
                output::print(format_args!("{name}: nothing is to be enforced there"));
            }
            // They are counted at the end.
            CallersFound::Nothing | CallersFound::Off(_) => {}
            CallersFound::Unknown(why) => {
                let (text, _) = advice::told(why, &std::env::vars().collect());
                output::print(format_args!("{} {name}: {text}", paint(ALTERED, "unknown ")));
            }
        }
    }

    fn print_looked(&self, name: &str, looked: &Looked) {
        output::print(paint(HEADING, name));
        for RegionCheck { region, what, needed, gaps } in &looked.regions {
            match needed {
                Ok(_) => output::print(format_args!("  {region}: {what}")),
                Err(unusable) => output::print(format_args!(
                    "  {region}: {what}: {} [{}]: {unusable}",
                    paint(ALTERED, "not known"),
                    unusable.code()
                )),
            }
            for gap in gaps {
                output::print(format_args!("  {region}: {}: {gap}", paint(ALTERED, "not known")));
            }
        }
        for (principal, verdicts) in &looked.principals {
            for (verdict, regions) in grouped(verdicts) {
                let regions = regions.join(", ");
                match verdict {
                    CallerVerdict::NoCaller | CallerVerdict::Fine => {}
                    CallerVerdict::Breaks { lacks } => {
                        output::print(format_args!("{} {}", paint(BROKEN, "breaks  "), principal.arn));
                        let why: BTreeSet<String> =
                            lacks.iter().map(|lack| lack.refusal.to_string()).collect();
                        let why: Vec<String> = why.into_iter().collect();
                        output::print(format_args!("         in {regions}: {}", why.join("; ")));
                    }
                    CallerVerdict::Unknown { why } => {
                        output::print(format_args!("{} {}", paint(ALTERED, "unknown "), principal.arn));
                        output::print(format_args!("         in {regions}: {why}"));
                    }
                }
            }
        }
        if looked.regions.iter().any(|asked| asked.needed.is_ok()) {
            output::print(counts(&looked.count()));
        } else {
            output::print("no role or user was checked");
        }
    }

    fn print_end(&self, unmet: &[String]) {
        for unmet in unmet {
            output::print(format_args!("{} {unmet}", paint(HELD, "!")));
        }
        if self.all > 1 {
            let untold =
                self.summary.count(AccountAccess::NothingWanted) + self.summary.count(AccountAccess::Off);
            if untold < self.all {
                output::print("");
            }
            self.print_accounts();
            if self.summary.principals.asked() > 0 {
                output::print(counts(&self.summary.principals));
            }
        }
        for (statement, accounts) in &self.statements {
            output::print("\nAdd this to the policies of those who would lose access, and to what bounds or");
            output::print(match self.all {
                1 => "denies them where that is why:".to_owned(),
                _ => format!("denies them where that is why, in {}:", some_of(accounts)),
            });
            output::print(statement);
        }
        if self.summary.principals.asked() > 0 {
            output::print(paint(QUIET, UNSEEN));
        }
    }

    /// Counts the accounts by how they stand.
    fn print_accounts(&self) {
        let said = |standing| match standing {
            AccountAccess::Breaks => "with principals that would lose access",
            AccountAccess::Unknown => "not known",
            AccountAccess::Fine => "fine",
            AccountAccess::NothingWanted => "in which nothing is to be enforced",
            AccountAccess::Off => "skipped (no call can work there)",
        };
        output::print(format_args!("{} accounts", self.summary.all()));
        for (standing, count) in &self.summary.accounts {
            output::print(format_args!("  {count:>5} {}", paint(style(*standing), said(*standing))));
        }
    }
}

/// What to do about an account, or the owner's side, that could not be read.
fn cures(found: &Found) -> Vec<String> {
    let cures = |error: &anyhow::Error| advice::told(error, &std::env::vars().collect()).1;
    match &found.outcome {
        CallersFound::Unknown(why) => cures(why),
        CallersFound::Looked(looked) => {
            let of_region = |asked: &RegionCheck| match &asked.needed {
                Err(Unusable::Unreadable { failure }) => {
                    cures(&FailedCall::new(asked.what.as_str(), failure.clone()).into())
                }
                Ok(_) | Err(_) => Vec::new(),
            };
            looked.regions.iter().flat_map(of_region).collect()
        }
        CallersFound::Nothing | CallersFound::Off(_) => Vec::new(),
    }
}

/// `300000000001, 300000000002 and 12 more accounts`.
fn some_of(accounts: &[AccountId]) -> String {
    let named: Vec<&str> = accounts.iter().take(NAMED).map(AccountId::as_str).collect();
    match accounts.len() - named.len() {
        0 => named.join(", "),
        more => format!("{} and {more} more accounts", named.join(", ")),
    }
}

fn style(standing: AccountAccess) -> Style {
    match standing {
        AccountAccess::Breaks => BROKEN,
        AccountAccess::Unknown => ALTERED,
        AccountAccess::Fine => ADDED,
        AccountAccess::NothingWanted | AccountAccess::Off => QUIET,
    }
}

fn counts(principals: &Principals) -> String {
    let Principals { breaks, unknown, fine, no_caller: _, of_services } = principals;
    let verdict = format!("{breaks} would lose access to models, {unknown} not known, {fine} fine");
    let style = if breaks + unknown == 0 { ADDED } else { BROKEN };
    format!(
        "{}, of {} roles and users ({of_services} of services skipped)",
        paint(style, verdict),
        principals.asked()
    )
}

/// What those who would break lack.
fn lacking<'a>(verdicts: impl Iterator<Item = &'a Verdicts>) -> BTreeSet<&'a MissingPermission> {
    let lacks = verdicts.flat_map(Verdicts::values).filter_map(|verdict| match verdict {
        CallerVerdict::Breaks { lacks } => Some(lacks),
        CallerVerdict::NoCaller | CallerVerdict::Fine | CallerVerdict::Unknown { .. } => None,
    });
    lacks.flatten().collect()
}

fn in_json(found: &Found, names: &Names) -> Value {
    let Found { account, outcome } = found;
    let mut told = json!({
        "account": account,
        "name": names.of(account),
        "standing": found.standing(),
        "why": null,
        "regions": [],
        "principals": [],
        "service_linked_roles": 0,
    });
    match outcome {
        CallersFound::Looked(looked) => {
            told["regions"] = looked.regions.iter().map(region_in_json).collect();
            told["principals"] = looked
                .principals
                .iter()
                .map(|(principal, verdicts)| {
                    json!({
                        "arn": principal.arn,
                        "regions": verdicts,
                        "add": callers::statements(lacking(std::iter::once(verdicts))),
                    })
                })
                .collect();
            told["service_linked_roles"] = json!(looked.of_services);
        }
        CallersFound::Nothing => {}
        CallersFound::Off(state) => told["why"] = json!(format!("the account is {state}")),
        CallersFound::Unknown(why) => {
            told["why"] = json!(advice::told(why, &std::env::vars().collect()).0);
        }
    }
    told
}

fn region_in_json(asked: &RegionCheck) -> Value {
    let RegionCheck { region, what, needed, gaps } = asked;
    let (resources, key) = match needed {
        Ok(needed) => (needed.resources.as_slice(), needed.key.as_deref()),
        Err(_) => (&[][..], None),
    };
    let unusable = needed.as_ref().err();
    json!({
        "region": region,
        "guardrail": what,
        "resources": resources,
        "kms_key": key,
        "unusable": unusable.map(|why| json!({ "code": why.code(), "text": why.to_string() })),
        "gaps": gaps,
    })
}

/// Regions with the same verdict, together. ARNs differ between Regions, reasons seldom do.
fn grouped(verdicts: &Verdicts) -> Vec<(&CallerVerdict, Vec<String>)> {
    let refusals =
        |lacks: &[MissingPermission]| lacks.iter().map(|lack| lack.refusal).collect::<BTreeSet<_>>();
    let alike = |one: &CallerVerdict, other: &CallerVerdict| match (one, other) {
        (CallerVerdict::Breaks { lacks: one }, CallerVerdict::Breaks { lacks: other }) => {
            refusals(one) == refusals(other)
        }
        (one, other) => one == other,
    };
    let mut groups: Vec<(&CallerVerdict, Vec<String>)> = Vec::new();
    for (region, verdict) in verdicts {
        match groups.iter_mut().find(|(known, _)| alike(known, verdict)) {
            Some((_, regions)) => regions.push(region.to_string()),
            None => groups.push((verdict, vec![region.to_string()])),
        }
    }
    groups
}

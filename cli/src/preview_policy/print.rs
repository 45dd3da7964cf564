//! What a person sees of a previewed change.

use std::collections::BTreeSet;

use super::PreviewedChange;
use crate::names::shown;
use crate::output::{self, ADDED, ALTERED, BROKEN, HEADING, QUIET, REMOVED, paint};
use keeper_core::bedrock_policy::{
    AttachPoint, ConfigurationContent, Consequence, MergeError, PolicyAt, PolicyChange, PolicyKey,
    PreviewGroup, RegionChange, RegionContent,
};
use keeper_core::ids::{AccountId, Region};

/// How many accounts of one group are named.
const NAMED: usize = 10;

impl PreviewedChange<'_> {
    pub(super) fn print(&self) {
        let changed: usize = self.preview.groups.iter().map(|group| group.accounts.len()).sum();
        let all = changed + self.preview.unchanged;
        output::print(paint(
            HEADING,
            format_args!("{}: {changed} of {} concerned", self.in_words(), accounts(all)),
        ));
        for group in &self.preview.groups {
            self.print_group(group);
        }
        if changed == 0 {
            output::print(
                "no account has anything else than before: no account is below, or other policies decide (one further \
                 down, or the first of those on one point)",
            );
        }
        for (account, why) in &self.organization.unplaced {
            output::print(format_args!(
                "{} {account}: its place in the organization is not known: {why}",
                paint(ALTERED, "not known")
            ));
        }
    }

    fn in_words(&self) -> String {
        match self.change {
            PolicyChange::Attach { point, content: _ } => {
                format!("a new policy is attached to {}", self.point(point))
            }
            PolicyChange::Update { policy, content: _ } => {
                format!("{} is changed", self.policy(policy.as_str()))
            }
            PolicyChange::AttachToo { policy, point } => {
                format!("{} is attached to {}", self.policy(policy.as_str()), self.point(point))
            }
            PolicyChange::Detach { policy, point } => {
                format!("{} is detached from {}", self.policy(policy.as_str()), self.point(point))
            }
        }
    }

    fn print_group(&self, PreviewGroup { accounts: group, consequence }: &PreviewGroup) {
        let who = format!("{}: {}", accounts(group.len()), self.named(group));
        output::print("");
        match consequence {
            Consequence::Freezes(errors) => {
                output::print(format_args!("{} {who}", paint(BROKEN, "frozen")));
                output::print(
                    "  keeps what it has, and no later change of a Bedrock policy reaches it, before this is corrected:",
                );
                self.print_errors(errors);
            }
            Consequence::StaysFrozen(errors) => {
                output::print(format_args!("{} {who}", paint(BROKEN, "not reached")));
                output::print("  is frozen, and stays so:");
                self.print_errors(errors);
            }
            Consequence::NotKnown(policies) => {
                output::print(format_args!("{} {who}", paint(ALTERED, "not known")));
                let from: Vec<String> = policies.iter().map(|policy| self.at(policy)).collect();
                output::print(format_args!("  this program can't read {}", from.join(" and ")));
            }
            Consequence::Changes(regions) => {
                output::print(format_args!("{} {who}", paint(HEADING, "changed")));
                for (region, change) in regions {
                    self.print_region(region, change);
                }
            }
        }
    }

    fn print_errors(&self, errors: &BTreeSet<MergeError>) {
        for MergeError { code, path, policies } in errors {
            let from: Vec<String> = policies.iter().map(|policy| self.at(policy)).collect();
            output::print(format_args!("  {code} at {path}: {}", from.join(" and ")));
        }
    }

    fn print_region(&self, region: &Region, change: &RegionChange) {
        let before = match &change.before {
            None => "not known".to_owned(),
            Some(before) => contents(before),
        };
        let after = contents(&change.after);
        let style = match change {
            change if change.is_released() => REMOVED,
            change if change.is_harmful() => ALTERED,
            _ => ADDED,
        };
        let weaker = if change.is_weaker() { " (guards less)" } else { "" };
        output::print(format_args!("  {region:<14}  {before} => {}{weaker}", paint(style, after)));
        let from: Vec<String> = change.from.iter().map(|policy| self.at(policy)).collect();
        if !from.is_empty() {
            output::print(format_args!(
                "  {:<14}  {}",
                "",
                paint(QUIET, format!("from {}", from.join(" and ")))
            ));
        }
        if change.depends_on_order {
            let told = "depends on the order of attachment, which AWS shows nowhere";
            output::print(format_args!("  {:<14}  {}", "", paint(ALTERED, told)));
        }
        if change.after.len() > 1 {
            let told = "which of them it is, AWS documents nowhere (docs/organization-level.md)";
            output::print(format_args!("  {:<14}  {}", "", paint(ALTERED, told)));
        }
    }

    fn named(&self, group: &BTreeSet<AccountId>) -> String {
        let named: Vec<String> = group
            .iter()
            .take(NAMED)
            .map(|account| format!("{account}{}", self.names.behind(account)))
            .collect();
        match group.len().saturating_sub(NAMED) {
            0 => named.join(", "),
            more => format!("{} and {more} more (--output json names all)", named.join(", ")),
        }
    }

    fn point(&self, point: &AttachPoint) -> String {
        match point {
            AttachPoint::Parent(parent) => self.names.unit(parent),
            AttachPoint::Account(account) => format!("{account}{}", self.names.behind(account)),
        }
    }

    fn at(&self, PolicyAt { policy, point }: &PolicyAt) -> String {
        match policy {
            PolicyKey::Id(id) => format!("{} on {point}", self.policy(id.as_str())),
            PolicyKey::New(_) | PolicyKey::Proposed => format!("{policy} on {point}"),
        }
    }

    /// `p-examplepolicyid111 (corporate)`.
    fn policy(&self, id: &str) -> String {
        let names = &self.seen.names;
        let name = names.iter().find(|(known, _)| known.as_str() == id).map(|(_, name)| shown(name));
        name.map_or_else(|| id.to_owned(), |name| format!("{id} ({name})"))
    }
}

fn accounts(count: usize) -> String {
    if count == 1 { "1 account".to_owned() } else { format!("{count} accounts") }
}

fn contents(all: &[RegionContent]) -> String {
    all.iter().map(content).collect::<Vec<_>>().join(" or ")
}

fn content(content: &RegionContent) -> String {
    let each = content.values().map(|one| match one {
        ConfigurationContent::Enforces(enforcement) => enforcement.to_string(),
        ConfigurationContent::OtherRegion(enforcement) => {
            format!("{enforcement} of {}: every call would fail", enforcement.guardrail.region)
        }
        ConfigurationContent::Unclear => "what this program does not know".to_owned(),
    });
    let each: Vec<String> = each.collect();
    if each.is_empty() { "nothing".to_owned() } else { each.join(" and ") }
}

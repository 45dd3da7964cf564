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
        if !self.is_enabled {
            output::print(paint(
                ALTERED,
                "Bedrock policies are not enabled in this organization: nothing can be attached before the type \
                 BEDROCK_POLICY is enabled on the root",
            ));
        }
        let changed: usize = self.preview.groups.iter().map(|group| group.accounts.len()).sum();
        let all = changed + self.preview.unchanged + self.preview.unconcerned;
        let what = format!("{}: changes {changed} of {}", self.in_words(), accounts(all));
        output::print(paint(HEADING, what));
        self.preview.groups.iter().for_each(|group| self.print_group(group));
        match (changed, self.preview.unchanged) {
            (0, 0) => output::print("no account has this policy on its path"),
            (0, unchanged) => output::print(format_args!(
                "{} below have what they had before: other policies decide there, one further down or one that was \
                 attached before",
                accounts(unchanged)
            )),
            _ => {}
        }
        for (account, why) in &self.organization.unplaced {
            let account = format!("{account}: its place in the organization is not known: {why}");
            output::print(format_args!("{} {account}", paint(ALTERED, "not known")));
        }
        let versions = self.versions();
        if !versions.is_empty() {
            output::print("");
            output::print("not checked: that these exist, and that the accounts may apply them");
            versions.iter().for_each(|version| output::print(format_args!("  {version}")));
        }
        self.warnings.iter().for_each(output::warning);
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
            Consequence::Invalid { was_frozen, errors, otherwise } => {
                let what = match (was_frozen, otherwise.is_some()) {
                    (false, false) => "frozen",
                    (false, true) => "may be frozen",
                    (true, false) => "stays frozen",
                    (true, true) => "may stay frozen",
                };
                output::print(format_args!("{}, {who}", paint(BROKEN, what)));
                output::print(
                    "  An account that is frozen keeps what it has, and no change of a Bedrock policy reaches it until \
                     this is corrected:",
                );
                self.print_errors(errors);
                if let Some(otherwise) = otherwise {
                    output::print(
                        "  AWS does not document whether it is so (docs/organization-level.md). If it is not:",
                    );
                    otherwise.iter().for_each(|(region, change)| self.print_region(region, change));
                }
            }
            Consequence::NotKnown(policies) => {
                output::print(format_args!("{}, {who}", paint(ALTERED, "not known")));
                let from: Vec<String> = policies.iter().map(|policy| self.at(policy)).collect();
                output::print(format_args!(
                    "  this program can't read these policies, or too many of them contradict each other: {}",
                    from.join(" and ")
                ));
            }
            Consequence::Differs => {
                output::print(format_args!("{}, {who}", paint(ALTERED, "not known")));
                output::print(
                    "  AWS publishes something else than the attached policies come to: a change is published within \
                     seconds, so run it again; guardrailctl effective-policy ACCOUNT shows both",
                );
            }
            Consequence::Changes { was_frozen, regions } => {
                let what = if *was_frozen { "no longer frozen" } else { "changed" };
                output::print(format_args!("{}, {who}", paint(HEADING, what)));
                regions.iter().for_each(|(region, change)| self.print_region(region, change));
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
        let style = match change {
            change if change.is_released() => REMOVED,
            change if change.is_harmful() => ALTERED,
            _ => ADDED,
        };
        let less = match change {
            change if change.is_released() => " (guardrail lost)",
            change if change.is_weaker() => " (guards less)",
            _ => "",
        };
        let after = paint(style, contents(&change.after));
        output::print(format_args!("  {region:<14}  {} => {after}{less}", contents(&change.before)));
        let from: Vec<String> = change.from.iter().map(|policy| self.at(policy)).collect();
        if !from.is_empty() {
            let from = format!("from {}", from.join(" and "));
            output::print(format_args!("  {:<14}  {}", "", paint(QUIET, from)));
        }
        if change.after.len() > 1 {
            let told = "which of them, AWS neither shows nor documents (docs/organization-level.md)";
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
        ConfigurationContent::NoGuardrail(_) => "no guardrail version: every call would fail".to_owned(),
        ConfigurationContent::Unclear(_) => "what this program does not know".to_owned(),
    });
    let each: Vec<String> = each.collect();
    if each.is_empty() { "no guardrail".to_owned() } else { each.join(" and ") }
}

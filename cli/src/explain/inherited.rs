//! What the baseline gives an account on the organization's level, in one Region.

use serde_json::{Value, json};

use keeper_core::baseline::{AssignmentTarget, Baseline, GuardrailKey, OrganizationAssignment};
use keeper_core::ids::Target;
use keeper_core::organization::OrgPath;

/// The assignments of the organization's level that cover a target's account, where the baseline has that level.
pub(super) struct InheritedGuardrails<'a> {
    baseline: &'a Baseline,
    target: &'a Target,
    /// The most specific first.
    covering: Vec<(AssignmentTarget, &'a OrganizationAssignment)>,
}

impl<'a> InheritedGuardrails<'a> {
    /// `None` where the baseline has no such level, or the account isn't in the organization.
    pub(super) fn of(
        baseline: &'a Baseline,
        target: &'a Target,
        path: Option<&OrgPath>,
    ) -> Option<InheritedGuardrails<'a>> {
        let path = path.filter(|_| baseline.has_organization_level())?;
        let covering = baseline.covering_by_organization(&target.account, path).collect();
        Some(InheritedGuardrails { baseline, target, covering })
    }

    /// Those that name the Region: the first counts.
    fn naming_the_region(&self) -> impl Iterator<Item = (String, &AssignmentTarget, &GuardrailKey)> {
        self.covering.iter().filter_map(|(by, OrganizationAssignment { guardrail: key, .. })| {
            let source = self.baseline.guardrail(key)?.regions.get(&self.target.region)?;
            Some((format!("{key}:{}, by {}", source.version, self.place(by)), by, key))
        })
    }

    /// What it gives, and which assignment says so.
    pub(super) fn given(&self) -> String {
        let region = &self.target.region;
        match (self.naming_the_region().next(), self.covering.first()) {
            (Some((text, _, _)), _) => text,
            (None, None) => {
                "nothing: no assignment of the organization's level covers the account".to_owned()
            }
            (None, Some((by, assignment))) => {
                let key = &assignment.guardrail;
                match self.covering.len() {
                    1 => format!("nothing: {key}, by {}, is not enforced in {region}", self.place(by)),
                    count => format!(
                        "nothing: none of the {count} assignments of the organization's level that cover the account is for {region}"
                    ),
                }
            }
        }
    }

    /// The assignments that would count in the Region if the one that does weren't there.
    pub(super) fn overruled(&self) -> Vec<String> {
        self.naming_the_region().skip(1).map(|(text, _, _)| text).collect()
    }

    fn place(&self, by: &AssignmentTarget) -> String {
        let line = self.baseline.organization_line_of(by);
        let line = line.map(|line| format!("line {line}, ")).unwrap_or_default();
        format!("the assignment of {by} ({line}level: organization)")
    }

    pub(super) fn to_json(&self) -> Value {
        let counts = self.naming_the_region().next();
        json!({
            "text": self.given(),
            "assignment": counts.map(|(_, by, key)| json!({
                "target": by.to_string(),
                "line": self.baseline.organization_line_of(by),
                "guardrail": key,
            })),
            "instead_of": self.overruled(),
        })
    }
}

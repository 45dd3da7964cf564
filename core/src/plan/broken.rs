//! Broken guardrails: one report for all the targets that enforce one of them.

use std::collections::BTreeMap;
use std::fmt;

use super::{Broken, Mark, PlanLine};
use crate::enforcement::Enforcement;
use crate::ids::{GuardrailArn, GuardrailVersion, Target};

/// How many targets a line lists. A guardrail may be enforced in thousands.
const LISTED_AT_MOST: usize = 10;

/// A version of a guardrail that is enforced and can't be used, for one reason, with all its targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenGuardrail {
    /// The guardrail.
    pub guardrail: GuardrailArn,
    /// The version that is enforced.
    pub version: GuardrailVersion,
    /// Why it can't be used, and why it stays enforced, in words.
    pub reason: String,
    /// Where it is enforced, in order; never empty.
    pub targets: Vec<Target>,
}

/// Gathers broken targets by guardrail, version and reason, in the order of their first targets.
pub fn broken_guardrails<'a>(
    broken: impl IntoIterator<Item = (&'a Target, &'a Broken)>,
) -> Vec<BrokenGuardrail> {
    let mut groups: BTreeMap<(GuardrailArn, GuardrailVersion, String), Vec<Target>> = BTreeMap::new();
    for (target, broken) in broken {
        let Enforcement { guardrail, version, .. } = broken.seen.enforcement.clone();
        groups.entry((guardrail, version, broken.to_string())).or_default().push(target.clone());
    }
    let mut groups: Vec<BrokenGuardrail> = groups
        .into_iter()
        .map(|((guardrail, version, reason), mut targets)| {
            targets.sort();
            BrokenGuardrail { guardrail, version, reason, targets }
        })
        .collect();
    groups.sort_by(|one, other| one.targets.cmp(&other.targets));
    groups
}

impl fmt::Display for Broken {
    /// Why it can't be used, and why it stays enforced where it should be released.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Broken { seen: _, unusable, stays } = self;
        unusable.fmt(f)?;
        stays.as_ref().map_or(Ok(()), |why| write!(f, "; {why}"))
    }
}

impl BrokenGuardrail {
    /// Its line, with the reason's code.
    pub(super) fn line(&self, code: String) -> PlanLine {
        let (listed, more) = self.listed();
        PlanLine::new(Mark::Broken)
            .targets(listed)
            .text(format!("{more} broken"))
            .code(code)
            .text(self.what())
    }

    /// The targets that its line names, and how many more there are.
    fn listed(&self) -> (&[Target], String) {
        let (listed, more) = self.targets.split_at(self.targets.len().min(LISTED_AT_MOST));
        (listed, if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) })
    }

    fn what(&self) -> String {
        let BrokenGuardrail { guardrail, version, reason, targets: _ } = self;
        format!(": {}:{version} is enforced, but {reason}", guardrail.id)
    }
}

impl fmt::Display for BrokenGuardrail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (listed, more) = self.listed();
        let listed: Vec<String> = listed.iter().map(ToString::to_string).collect();
        write!(f, "{}{more} broken{}", listed.join(", "), self.what())
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::enforcement::{Guarding, Included, Models};
    use crate::observed::Seen;
    use crate::resolved::Unusable;

    fn broken(guardrail: &str, version: u32, status: &str) -> Broken {
        let enforcement = Enforcement {
            guardrail: format!("arn:aws:bedrock:{guardrail}").parse().unwrap(),
            version: GuardrailVersion::new(version).unwrap(),
            models: Models::default(),
            guarding: Guarding::default(),
        };
        let seen =
            Seen { config_id: Some("abc".parse().unwrap()), enforcement, created_by: None, updated_by: None };
        Broken { seen, unusable: Unusable::NotReady { status: status.to_owned().into() }, stays: None }
    }

    fn target(text: &str) -> Target {
        text.parse().unwrap()
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "an `expect!` at every call reads better than a `&expect!`"
    )]
    #[track_caller]
    fn check(broken: &BTreeMap<Target, Broken>, expected: Expect) {
        let lines: Vec<String> = broken_guardrails(broken).iter().map(ToString::to_string).collect();
        expected.assert_eq(&lines.join("\n"));
    }

    const EU: &str = "eu-west-1:222222222222:guardrail/base";

    #[test]
    fn guardrail_version_and_reason_tell_groups_apart() {
        let us = "us-east-1:222222222222:guardrail/base";
        let mut other_models = broken(EU, 2, "FAILED");
        other_models.seen.enforcement.models =
            Models { include: Included::All, exclude: ["amazon.nova-pro-v1:0".parse().unwrap()].into() };
        let all = [
            ("300000000009/eu-west-1", broken(EU, 2, "FAILED")),
            ("300000000001/eu-west-1", broken(EU, 2, "FAILED")),
            ("300000000001/us-east-1", broken(us, 2, "FAILED")),
            ("300000000002/eu-west-1", broken(EU, 1, "FAILED")),
            ("300000000003/eu-west-1", broken(EU, 2, "DELETING")),
            // However it is enforced, the guardrail is the same.
            ("300000000004/eu-west-1", other_models),
        ];
        let all = all.into_iter().map(|(at, broken)| (target(at), broken)).collect();
        check(
            &all,
            expect![[r#"
            300000000001/eu-west-1, 300000000004/eu-west-1, 300000000009/eu-west-1 broken: base:2 is enforced, but the guardrail is FAILED, not READY
            300000000001/us-east-1 broken: base:2 is enforced, but the guardrail is FAILED, not READY
            300000000002/eu-west-1 broken: base:1 is enforced, but the guardrail is FAILED, not READY
            300000000003/eu-west-1 broken: base:2 is enforced, but the guardrail is DELETING, not READY"#]],
        );
        check(&BTreeMap::new(), expect![""]);
    }

    #[test]
    fn a_line_lists_so_many_targets_and_counts_the_rest() {
        for (count, rest) in
            [(1, None), (10, None), (11, Some("and 1 more broken")), (12_000, Some("and 11990 more broken"))]
        {
            let targets = (0..count).map(|it| target(&format!("{:012}/eu-west-1", 300_000_000_000_u64 + it)));
            let all: BTreeMap<Target, Broken> = targets.map(|at| (at, broken(EU, 2, "FAILED"))).collect();
            let groups = broken_guardrails(&all);
            let [group] = groups.as_slice() else { panic!("{} groups", groups.len()) };
            let text = group.to_string();
            assert_eq!(group.targets.len(), all.len());
            assert_eq!(text.matches("/eu-west-1").count(), all.len().min(LISTED_AT_MOST), "{text}");
            assert_eq!(text.contains(" more broken"), rest.is_some());
            assert!(rest.is_none_or(|rest| text.contains(rest)), "{text}");
        }
    }
}

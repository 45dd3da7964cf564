//! What no enforcement of a guardrail reaches, and the service control policy that closes what can be closed.
//!
//! An enforcement acts on some APIs of Bedrock, in the Regions and on the models that it names. Everything else is a hole:
//! a call there is answered without the guardrail, and nothing shows that. What is said here of AWS is graded in
//! `docs/organization-level.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::{Value, json};

use crate::baseline::{AssignmentTarget, Baseline, GuardrailKey};
use crate::callers::INVOKE;
use crate::enforcement::{ContentGuarding, Guarding, Included};
use crate::ids::{ModelId, Region};
use crate::words::{words, write_list};

/// The longest service control policy that AWS takes, in characters (Organizations user guide, quotas).
pub const MAX_CONTROL_POLICY_CHARACTERS: usize = 5_120;

/// The Regions that accounts have enabled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnabledRegions {
    /// Each Region with the number of accounts that have it enabled.
    pub accounts: BTreeMap<Region, usize>,
    /// How many accounts could not be asked.
    pub unread: usize,
}

/// What no enforcement of one guardrail reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardrailHoles {
    /// What the baseline calls the guardrail.
    pub guardrail: GuardrailKey,
    /// Whom the baseline assigns it to, on either level.
    pub targets: BTreeSet<AssignmentTarget>,
    /// Where it is enforced.
    pub regions: BTreeSet<Region>,
    /// The holes, those that can be closed first.
    pub holes: Vec<EnforcementHole>,
}

/// Something that an enforcement doesn't reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnforcementHole {
    /// Models that the baseline leaves out.
    ExcludedModels(BTreeSet<ModelId>),
    /// The baseline names the models that are guarded; these are not the others.
    OnlyTheseModels(BTreeSet<ModelId>),
    /// Regions that are enabled in accounts, and in which the baseline enforces nothing; `None` where nobody looked.
    OtherRegions(Option<EnabledRegions>),
    /// Content is guarded only where the caller tags it.
    Untagged(Guarding),
    /// An API, or a part of one.
    Surface(UnreachedSurface),
}

words! {
    /// Calls of Bedrock on which enforced guardrails don't act, or aren't known to.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    pub enum UnreachedSurface {
        /// The endpoint bedrock-mantle, all of its APIs.
        Mantle = "mantle",
        /// Batch inference.
        Batch = "batch",
        /// The API Responses on bedrock-runtime.
        Responses = "responses",
        /// StartAsyncInvoke and InvokeModelWithBidirectionalStream.
        OtherInvocations = "async_and_bidirectional",
        /// Tool definitions, calls and results.
        Tools = "tools",
    }

    /// A short stable name.
    pub fn code(self) -> &'static str;
}

/// What closes a hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoleClosing {
    /// The service control policy.
    ControlPolicy,
    /// Another baseline.
    Baseline(&'static str),
    /// Nothing that denies it alone.
    Nothing(&'static str),
}

impl HoleClosing {
    /// A short stable name.
    pub fn code(self) -> &'static str {
        match self {
            HoleClosing::ControlPolicy => "service_control_policy",
            HoleClosing::Baseline(_) => "baseline",
            HoleClosing::Nothing(_) => "nothing",
        }
    }
}

impl fmt::Display for HoleClosing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HoleClosing::ControlPolicy => f.write_str("the service control policy closes it"),
            HoleClosing::Baseline(how) => write!(f, "in the baseline: {how}"),
            HoleClosing::Nothing(why) => write!(f, "no policy closes it alone: {why}"),
        }
    }
}

impl EnforcementHole {
    /// A short stable name.
    pub fn code(&self) -> &'static str {
        match self {
            EnforcementHole::ExcludedModels(_) => "excluded_models",
            EnforcementHole::OnlyTheseModels(_) => "models_not_included",
            EnforcementHole::OtherRegions(_) => "regions",
            EnforcementHole::Untagged(_) => "untagged_content",
            EnforcementHole::Surface(surface) => surface.code(),
        }
    }

    /// What closes it.
    pub fn closing(&self) -> HoleClosing {
        match self {
            EnforcementHole::ExcludedModels(_)
            | EnforcementHole::OnlyTheseModels(_)
            | EnforcementHole::OtherRegions(_)
            | EnforcementHole::Surface(UnreachedSurface::Mantle | UnreachedSurface::Batch) => {
                HoleClosing::ControlPolicy
            }
            EnforcementHole::Untagged(_) => HoleClosing::Baseline("guard it whole (`comprehensive`)"),
            EnforcementHole::Surface(UnreachedSurface::Responses | UnreachedSurface::OtherInvocations) => {
                HoleClosing::Nothing(
                    "IAM knows these calls as bedrock:InvokeModel, like guarded ones; deny the models that are used so",
                )
            }
            EnforcementHole::Surface(UnreachedSurface::Tools) => {
                HoleClosing::Nothing("have the program apply the guardrail to them (ApplyGuardrail)")
            }
        }
    }
}

impl fmt::Display for EnforcementHole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EnforcementHole::ExcludedModels(models) => {
                f.write_str("models that the baseline excludes: ")?;
                write_list(f, models, ", ")
            }
            EnforcementHole::OnlyTheseModels(models) => {
                f.write_str("every model but those that the baseline includes: ")?;
                write_list(f, models, ", ")
            }
            EnforcementHole::OtherRegions(None) => f.write_str("Regions that the baseline doesn't name"),
            EnforcementHole::OtherRegions(Some(EnabledRegions { accounts, unread })) => {
                f.write_str("Regions that accounts have enabled and the baseline doesn't name: ")?;
                let many = |count: usize| format!("{count} account{}", if count == 1 { "" } else { "s" });
                let counted = accounts.iter().map(|(region, count)| format!("{region} ({})", many(*count)));
                write_list(f, counted, ", ")?;
                match (accounts.is_empty(), unread) {
                    (_, 0) => Ok(()),
                    (true, unread) => write!(f, "not known, {} could not be asked", many(*unread)),
                    (false, unread) => write!(f, "; {} could not be asked", many(*unread)),
                }
            }
            EnforcementHole::Untagged(Guarding { system, messages }) => {
                let selective = [("the system prompt", system), ("messages", messages)];
                let selective = selective.into_iter().filter(|(_, how)| **how == ContentGuarding::Selective);
                write_list(f, selective.map(|(what, _)| what), " and ")?;
                f.write_str(" where the caller tags nothing: guarding is selective")
            }
            EnforcementHole::Surface(surface) => f.write_str(match surface {
                UnreachedSurface::Mantle => {
                    "the endpoint bedrock-mantle, all of its APIs: guardrails of requests are not supported there, and of \
                     enforced ones nothing is documented"
                }
                UnreachedSurface::Batch => {
                    "batch inference (CreateModelInvocationJob): not among the uses that AWS documents for guardrails"
                }
                UnreachedSurface::Responses => {
                    "the API Responses on bedrock-runtime: guardrails of requests don't act there, and of enforced ones \
                     nothing is documented"
                }
                UnreachedSurface::OtherInvocations => {
                    "StartAsyncInvoke and InvokeModelWithBidirectionalStream: they take no guardrail, and of enforced ones \
                     nothing is documented"
                }
                UnreachedSurface::Tools => {
                    "tool definitions, calls of tools and their results in Converse: guardrails don't look at them"
                }
            }),
        }
    }
}

impl GuardrailHoles {
    /// The holes of every guardrail that the baseline assigns, on either level. `enabled` is what Regions the accounts that
    /// it covers have enabled, where that was looked at.
    pub fn of(baseline: &Baseline, enabled: &BTreeMap<GuardrailKey, EnabledRegions>) -> Vec<GuardrailHoles> {
        let mut assigned: BTreeMap<&GuardrailKey, BTreeSet<AssignmentTarget>> = BTreeMap::new();
        for assignment in &baseline.assignments {
            if let Some(key) = &assignment.guardrail {
                assigned.entry(key).or_default().extend(assignment.targets.iter().cloned());
            }
        }
        for assignment in &baseline.organization_assignments {
            assigned.entry(&assignment.guardrail).or_default().extend(assignment.targets.iter().cloned());
        }
        let holes = assigned.into_iter().filter_map(|(key, targets)| {
            let guardrail = baseline.guardrail(key)?;
            let regions: BTreeSet<Region> = guardrail.regions.keys().cloned().collect();
            let mut holes = Vec::new();
            if !guardrail.models.exclude.is_empty() {
                holes.push(EnforcementHole::ExcludedModels(guardrail.models.exclude.clone()));
            }
            if let Included::Only(models) = &guardrail.models.include {
                holes.push(EnforcementHole::OnlyTheseModels(models.clone()));
            }
            let open = enabled.get(key).map(|enabled| {
                let mut open = enabled.clone();
                open.accounts.retain(|region, _| !regions.contains(region));
                open
            });
            if open.as_ref().is_none_or(|open| !open.accounts.is_empty() || open.unread > 0) {
                holes.push(EnforcementHole::OtherRegions(open));
            }
            holes.extend([UnreachedSurface::Mantle, UnreachedSurface::Batch].map(EnforcementHole::Surface));
            let Guarding { system, messages } = guardrail.guarding;
            if [system, messages].contains(&ContentGuarding::Selective) {
                holes.push(EnforcementHole::Untagged(guardrail.guarding));
            }
            holes.extend(
                [UnreachedSurface::Responses, UnreachedSurface::OtherInvocations, UnreachedSurface::Tools]
                    .map(EnforcementHole::Surface),
            );
            Some(GuardrailHoles { guardrail: key.clone(), targets, regions, holes })
        });
        holes.collect()
    }

    /// The service control policy that closes what can be closed: for the accounts that this guardrail is assigned to. It
    /// denies in every Region that the baseline doesn't name, whatever is enabled now.
    pub fn control_policy(&self) -> Value {
        let mut statements = Vec::new();
        for hole in &self.holes {
            match hole {
                EnforcementHole::ExcludedModels(models) => {
                    let models: Vec<String> = models.iter().map(model_arn).collect();
                    statements.push(deny(
                        "DenyModelsThatNoGuardrailGuards",
                        &INVOKE,
                        "Resource",
                        json!(models),
                    ));
                }
                EnforcementHole::OnlyTheseModels(models) => {
                    let besides = ["inference-profile", "application-inference-profile", "project"];
                    let besides = besides.map(|kind| format!("arn:*:bedrock:*:*:{kind}/*"));
                    let all: Vec<String> = models.iter().map(model_arn).chain(besides).collect();
                    statements.push(deny(
                        "DenyModelsThatNoGuardrailIncludes",
                        &INVOKE,
                        "NotResource",
                        json!(all),
                    ));
                }
                EnforcementHole::OtherRegions(_)
                | EnforcementHole::Untagged(_)
                | EnforcementHole::Surface(_) => {}
            }
        }
        let mut elsewhere = deny("DenyRegionsWithoutTheGuardrail", &INVOKE, "Resource", json!("*"));
        // A call by an inference profile is judged once more for the model in the Region that it goes to: enforced is what
        // the Region enforces that was called.
        elsewhere["Condition"] = json!({
            "StringNotEquals": { "aws:RequestedRegion": self.regions },
            "Null": { "bedrock:InferenceProfileArn": "true" },
        });
        statements.push(elsewhere);
        let mantle = ["bedrock-mantle:CreateInference", "bedrock-mantle:CallWithBearerToken"];
        statements.push(deny("DenyTheEndpointWithoutGuardrails", &mantle, "Resource", json!("*")));
        statements.push(deny(
            "DenyBatchInference",
            &["bedrock:CreateModelInvocationJob"],
            "Resource",
            json!("*"),
        ));
        json!({ "Version": "2012-10-17", "Statement": statements })
    }
}

fn model_arn(model: &ModelId) -> String {
    format!("arn:*:bedrock:*::foundation-model/{model}")
}

fn deny(sid: &str, actions: &[&str], member: &str, resources: Value) -> Value {
    let mut statement = json!({ "Sid": sid, "Effect": "Deny", "Action": actions });
    statement[member] = resources;
    statement
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn baseline(guardrail: &str) -> Baseline {
        let text = format!(
            "version: 2\norganization: o-exampleorgid\nowner: \"111111111111\"\nguardrails:\n  corporate:\n    name: \
             corporate\n    version: 1\n    regions: [us-east-1, eu-west-1]\n{guardrail}assignments:\n  - targets: \
             [r-exam]\n    guardrail: corporate\n    level: organization\n  - targets: [ou-exam-workload]\n    guardrail: \
             corporate\n"
        );
        Baseline::parse(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
    }

    fn holes(guardrail: &str, enabled: Option<EnabledRegions>) -> GuardrailHoles {
        let enabled = enabled.map(|enabled| ("corporate".parse().unwrap(), enabled));
        let mut all = GuardrailHoles::of(&baseline(guardrail), &enabled.into_iter().collect());
        assert_eq!(all.len(), 1);
        all.remove(0)
    }

    #[expect(clippy::needless_pass_by_value, reason = "an expectation is made where it is used")]
    #[track_caller]
    fn check(holes: &GuardrailHoles, expected: Expect) {
        let line = |hole: &EnforcementHole| format!("{}: {hole}\n  {}\n", hole.code(), hole.closing());
        expected.assert_eq(&holes.holes.iter().map(line).collect::<String>());
    }

    fn enabled(regions: &[(&str, usize)], unread: usize) -> EnabledRegions {
        let accounts = regions.iter().map(|(region, count)| (region.parse().unwrap(), *count)).collect();
        EnabledRegions { accounts, unread }
    }

    #[test]
    fn every_hole_is_named_once_whatever_the_number_of_assignments() {
        let all = holes("", None);
        let targets: Vec<String> = all.targets.iter().map(ToString::to_string).collect();
        assert_eq!(targets, ["ou-exam-workload", "r-exam"]);
        check(
            &all,
            expect![[r#"
            regions: Regions that the baseline doesn't name
              the service control policy closes it
            mantle: the endpoint bedrock-mantle, all of its APIs: guardrails of requests are not supported there, and of enforced ones nothing is documented
              the service control policy closes it
            batch: batch inference (CreateModelInvocationJob): not among the uses that AWS documents for guardrails
              the service control policy closes it
            responses: the API Responses on bedrock-runtime: guardrails of requests don't act there, and of enforced ones nothing is documented
              no policy closes it alone: IAM knows these calls as bedrock:InvokeModel, like guarded ones; deny the models that are used so
            async_and_bidirectional: StartAsyncInvoke and InvokeModelWithBidirectionalStream: they take no guardrail, and of enforced ones nothing is documented
              no policy closes it alone: IAM knows these calls as bedrock:InvokeModel, like guarded ones; deny the models that are used so
            tools: tool definitions, calls of tools and their results in Converse: guardrails don't look at them
              no policy closes it alone: have the program apply the guardrail to them (ApplyGuardrail)
        "#]],
        );
    }

    #[test]
    fn models_regions_and_content_that_the_baseline_leaves_out_are_holes() {
        let models = "    models: { include: [amazon.nova-pro-v1:0], exclude: [amazon.titan-embed-text-v2:0] }\n    guarding: { system: selective }\n";
        let regions =
            enabled(&[("us-east-1", 7), ("us-west-2", 7), ("eu-west-1", 7), ("ap-southeast-4", 1)], 2);
        check(
            &holes(models, Some(regions)),
            expect![[r#"
            excluded_models: models that the baseline excludes: amazon.titan-embed-text-v2:0
              the service control policy closes it
            models_not_included: every model but those that the baseline includes: amazon.nova-pro-v1:0
              the service control policy closes it
            regions: Regions that accounts have enabled and the baseline doesn't name: ap-southeast-4 (1 account), us-west-2 (7 accounts); 2 accounts could not be asked
              the service control policy closes it
            mantle: the endpoint bedrock-mantle, all of its APIs: guardrails of requests are not supported there, and of enforced ones nothing is documented
              the service control policy closes it
            batch: batch inference (CreateModelInvocationJob): not among the uses that AWS documents for guardrails
              the service control policy closes it
            untagged_content: the system prompt where the caller tags nothing: guarding is selective
              in the baseline: guard it whole (`comprehensive`)
            responses: the API Responses on bedrock-runtime: guardrails of requests don't act there, and of enforced ones nothing is documented
              no policy closes it alone: IAM knows these calls as bedrock:InvokeModel, like guarded ones; deny the models that are used so
            async_and_bidirectional: StartAsyncInvoke and InvokeModelWithBidirectionalStream: they take no guardrail, and of enforced ones nothing is documented
              no policy closes it alone: IAM knows these calls as bedrock:InvokeModel, like guarded ones; deny the models that are used so
            tools: tool definitions, calls of tools and their results in Converse: guardrails don't look at them
              no policy closes it alone: have the program apply the guardrail to them (ApplyGuardrail)
        "#]],
        );
    }

    #[test]
    fn a_region_is_a_hole_only_where_an_account_has_it_enabled_or_could_not_be_asked() {
        for (seen, expected) in [
            (Some(enabled(&[("us-east-1", 1), ("eu-west-1", 1)], 0)), None),
            (Some(enabled(&[("us-east-1", 1)], 3)), Some("not known, 3 accounts could not be asked")),
            (Some(enabled(&[("us-west-2", 1)], 0)), Some("us-west-2 (1 account)")),
            (None, Some("Regions that the baseline doesn't name")),
        ] {
            let all = holes("", seen);
            let region = all.holes.iter().find(|hole| hole.code() == "regions").map(ToString::to_string);
            match (region, expected) {
                (None, None) => {}
                (Some(said), Some(expected)) => assert!(said.ends_with(expected), "{said}"),
                (said, expected) => panic!("{said:?}, not {expected:?}"),
            }
        }
    }

    #[test]
    fn the_service_control_policy_denies_what_is_a_hole_and_closes_it_for_good() {
        let models = "    models: { exclude: [amazon.titan-embed-text-v2:0] }\n";
        let policy = holes(models, Some(enabled(&[("us-east-1", 1)], 0))).control_policy();
        expect![[r#"
            {
              "Statement": [
                {
                  "Action": [
                    "bedrock:InvokeModel",
                    "bedrock:InvokeModelWithResponseStream"
                  ],
                  "Effect": "Deny",
                  "Resource": [
                    "arn:*:bedrock:*::foundation-model/amazon.titan-embed-text-v2:0"
                  ],
                  "Sid": "DenyModelsThatNoGuardrailGuards"
                },
                {
                  "Action": [
                    "bedrock:InvokeModel",
                    "bedrock:InvokeModelWithResponseStream"
                  ],
                  "Condition": {
                    "Null": {
                      "bedrock:InferenceProfileArn": "true"
                    },
                    "StringNotEquals": {
                      "aws:RequestedRegion": [
                        "eu-west-1",
                        "us-east-1"
                      ]
                    }
                  },
                  "Effect": "Deny",
                  "Resource": "*",
                  "Sid": "DenyRegionsWithoutTheGuardrail"
                },
                {
                  "Action": [
                    "bedrock-mantle:CreateInference",
                    "bedrock-mantle:CallWithBearerToken"
                  ],
                  "Effect": "Deny",
                  "Resource": "*",
                  "Sid": "DenyTheEndpointWithoutGuardrails"
                },
                {
                  "Action": [
                    "bedrock:CreateModelInvocationJob"
                  ],
                  "Effect": "Deny",
                  "Resource": "*",
                  "Sid": "DenyBatchInference"
                }
              ],
              "Version": "2012-10-17"
            }
        "#]]
        .assert_eq(&format!("{policy:#}\n"));
        let only = holes("    models: { include: [amazon.nova-pro-v1:0] }\n", None).control_policy();
        let statement = &only["Statement"][0];
        assert_eq!(statement["Sid"], "DenyModelsThatNoGuardrailIncludes");
        assert_eq!(statement["NotResource"][0], "arn:*:bedrock:*::foundation-model/amazon.nova-pro-v1:0");
        assert!(statement.get("Resource").is_none(), "{statement}");
        assert!(only.to_string().chars().count() < MAX_CONTROL_POLICY_CHARACTERS);
    }
}

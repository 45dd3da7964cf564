//! Whatever the accounts and Regions are: each event is told once, and wakes the function once. The templates' own
//! conditions and parameters say which rules there are.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::people::{KEYS, OURS, called};
use super::{MANAGEMENT, OWNER, PARAMETER, Rule, SECURITY};
use crate::admitted::{ORGANIZATION, of_the_bus, sends};
use crate::policy::{Verdict, verdict};
use crate::template::{self, made};

pub(super) const REGIONS: [&str; 2] = ["us-east-1", "eu-west-1"];
pub(super) const MEMBERS: [&str; 4] = [OWNER, SECURITY, "300000000001", "999999999999"];
const RULES: &str = "AWS::Events::Rule";

/// Where things are. StackSets reach every account but the management account, the hub's included.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placement {
    pub(super) hub: (&'static str, &'static str),
    pub(super) owner: &'static str,
    /// Another owner; empty for none.
    pub(super) second: &'static str,
    /// Who writes Bedrock policies, as the parameter `OrganizationLevel` has it.
    pub(super) level: &'static str,
}

/// A rule by its name in the template, its pattern, the bus that it is on, and what it sends to.
pub(super) struct Made {
    pub(super) name: String,
    pub(super) rule: Rule,
    pub(super) on_the_hubs_bus: bool,
    pub(super) to: String,
    /// Whether it is shown calls that only read.
    pub(super) shows_reads: bool,
}

impl Placement {
    pub(super) fn owners(self) -> impl Iterator<Item = &'static str> {
        [self.owner, self.second].into_iter().filter(|owner| !owner.is_empty())
    }

    pub(super) fn bus(self) -> String {
        format!("arn:aws:events:{}:{}:event-bus/guardrail-keeper", self.hub.1, self.hub.0)
    }

    pub(super) fn everywhere(
        self,
        account: &'static str,
        region: &'static str,
    ) -> BTreeMap<&'static str, String> {
        [
            ("AWS::Partition", "aws"),
            ("AWS::AccountId", account),
            ("AWS::Region", region),
            ("AWS::StackName", "guardrail-keeper"),
            ("OrganizationId", ORGANIZATION),
            ("ManagementAccountId", MANAGEMENT),
            ("OwnerAccountId", self.owner),
            ("SecondOwnerAccountId", self.second),
            ("OrganizationLevel", self.level),
            ("SecurityAccountId", SECURITY),
            ("HubAccountId", self.hub.0),
            ("HubRegion", self.hub.1),
            ("GuardrailKeyArns", KEYS),
            ("KeeperPolicyId", OURS[0]),
            ("GuardrailsPolicyId", OURS[1]),
            ("TargetOrganizationalUnits", "r-exam"),
            ("Bus", "guardrail-keeper"),
            ("AlarmTopic", "topic"),
            ("ChangesTopic", "topic"),
            ("Events.Arn", "queue"),
            ("EventsDeadLetters.Arn", "dead-letters"),
            ("FunctionRole.Arn", ""),
            ("Roles.Outputs.ForwarderRoleName", "GuardrailKeeperForwarder"),
            ("MemberRoles.StackSetId", "guardrail-keeper-member-role"),
            ("Bus.Arn", ""),
            ("HubBusArn", ""),
        ]
        .map(|(name, value)| {
            let value = match name {
                "Bus.Arn" | "HubBusArn" => self.bus(),
                "FunctionRole.Arn" => format!("arn:aws:iam::{}:role/GuardrailKeeper", self.hub.0),
                _ => value.to_owned(),
            };
            (name, value)
        })
        .into()
    }

    /// The rules of the hub's stack.
    pub(super) fn of_the_hub(self) -> Vec<Made> {
        let given = self.everywhere(self.hub.0, self.hub.1);
        rules_of("template.yaml", &given)
    }

    /// The rules that stacks make in an account and Region besides, by the parameters that they are given.
    pub(super) fn sending_on(self, account: &'static str, region: &'static str) -> Vec<Made> {
        let mut given = self.everywhere(account, region);
        if account != MANAGEMENT {
            let parameters = self.of_the_stack_set(&given);
            return rules_of("deploy/member-rules.yaml", &overlaid(&given, &parameters));
        }
        let owns = if self.owners().any(|owner| owner == MANAGEMENT) { "true" } else { "false" };
        given.insert("OwnsGuardrails", owns.to_owned());
        let mut all = rules_of("deploy/management.yaml", &given);
        let template = template::read("deploy/management.yaml");
        let nested = made(&template, &borrowed(&given), "AWS::CloudFormation::Stack");
        if let Some(rules) = nested.get("Rules") {
            let parameters = rules["Parameters"].as_object().unwrap();
            let parameters = parameters.iter().map(|(name, value)| (name.clone(), text(value))).collect();
            let mut given = overlaid(&given, &parameters);
            // The stack isn't given it.
            if !parameters.contains_key("SecurityAccountId") {
                given.remove("SecurityAccountId");
            }
            all.extend(rules_of("deploy/member-rules.yaml", &given));
        }
        all
    }

    fn of_the_stack_set(self, given: &BTreeMap<&'static str, String>) -> BTreeMap<String, String> {
        let at_the_hub = self.everywhere(self.hub.0, self.hub.1);
        let template = template::read("template.yaml");
        let known = borrowed(&at_the_hub);
        let known = template::with_conditions(&template, &known);
        let parameters = &template["Resources"]["MemberRules"]["Properties"]["Parameters"];
        let parameters = template::resolved(parameters, &template, &known);
        assert!(given.contains_key("HubBusArn"));
        let each = parameters.as_array().unwrap().iter();
        each.map(|one| (text(&one["ParameterKey"]), text(&one["ParameterValue"]))).collect()
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

pub(super) fn borrowed<'a>(given: &'a BTreeMap<&'static str, String>) -> BTreeMap<&'a str, &'a str> {
    given.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

fn overlaid(
    given: &BTreeMap<&'static str, String>,
    parameters: &BTreeMap<String, String>,
) -> BTreeMap<&'static str, String> {
    let value =
        |(name, value): (&&'static str, &String)| (*name, parameters.get(*name).unwrap_or(value).clone());
    let mut all: BTreeMap<&'static str, String> = given.iter().map(value).collect();
    all.extend(parameters.get("ForwarderRoleName").map(|name| ("ForwarderRoleName", name.clone())));
    all
}

fn rules_of(path: &str, given: &BTreeMap<&'static str, String>) -> Vec<Made> {
    let template = template::read(path);
    let rules = made(&template, &borrowed(given), RULES).into_iter();
    rules
        .map(|(name, rule)| Made {
            name: name.to_owned(),
            on_the_hubs_bus: !rule["EventBusName"].is_null(),
            to: text(&rule["Targets"][0]["Arn"]),
            shows_reads: rule["State"] == "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS",
            rule: Rule::of(rule["EventPattern"].clone()),
        })
        .collect()
}

/// What happens in an account and Region: how many mails it is to come to, and how many messages in the queue.
fn events(placement: Placement) -> Vec<(Value, usize, usize)> {
    let mut events = Vec::new();
    for region in REGIONS {
        let root = |source: &str, account: &str, name: &str, parameters: &Value| {
            called(source, account, region, None, name, parameters)
        };
        let guardrail = json!({ "guardrailIdentifier": "base1234abcd" });
        for owner in placement.owners() {
            for (name, queued) in [("UpdateGuardrail", 0), ("DeleteGuardrail", 1), ("PutResourcePolicy", 1)] {
                events.push((root("aws.bedrock", owner, name, &guardrail), 1, queued));
            }
            let mut disabled = root("aws.kms", owner, "DisableKey", &json!({}));
            disabled["detail"]["resources"] = json!([{ "ARN": KEYS.split(',').next().unwrap() }]);
            events.push((disabled, 1, 0));
        }
        for account in MEMBERS.into_iter().chain([MANAGEMENT]) {
            events.push((
                root("aws.bedrock", account, "PutEnforcedGuardrailConfiguration", &json!({})),
                0,
                1,
            ));
            let mut enabled = root("aws.account", account, "", &json!({}));
            enabled["detail"] = json!({ "status": "ENABLED" });
            events.push((enabled, 0, 1));
        }
    }
    let of_ours = json!({ "policyId": OURS[0] });
    for account in [MANAGEMENT, SECURITY] {
        events.push((
            called("aws.organizations", account, "us-east-1", None, "DetachPolicy", &of_ours),
            1,
            0,
        ));
    }
    let (account, region) = placement.hub;
    let baseline = json!({ "name": PARAMETER, "operation": "Update" });
    events.push((
        json!({ "source": "aws.ssm", "account": account, "region": region,
            "detail-type": "Parameter Store Change", "detail": baseline }),
        1,
        1,
    ));
    let moved = called("aws.organizations", MANAGEMENT, "us-east-1", None, "MoveAccount", &json!({}));
    events.push((moved, 0, 1));
    events
}

/// The hub in the management account, in the owner's, in the security account, and in one of its own; and two owners.
pub(super) fn placements() -> [Placement; 13] {
    let other = "999999999999";
    let placement = |hub, owner| Placement { hub, owner, second: "", level: "none" };
    let two = |hub, owner, second| Placement { hub, owner, second, level: "none" };
    [
        placement((MANAGEMENT, "us-east-1"), MANAGEMENT),
        placement((MANAGEMENT, "eu-west-1"), MANAGEMENT),
        placement((MANAGEMENT, "eu-west-1"), OWNER),
        placement((OWNER, "eu-west-1"), OWNER),
        placement((OWNER, "us-east-1"), OWNER),
        placement((SECURITY, "us-east-1"), MANAGEMENT),
        placement((other, "us-east-1"), OWNER),
        placement((other, "eu-west-1"), MANAGEMENT),
        two((other, "us-east-1"), OWNER, MANAGEMENT),
        two((other, "eu-west-1"), MANAGEMENT, OWNER),
        two((MANAGEMENT, "us-east-1"), OWNER, MANAGEMENT),
        two((OWNER, "eu-west-1"), OWNER, MANAGEMENT),
        two((SECURITY, "us-east-1"), OWNER, "300000000001"),
    ]
}

#[test]
fn wherever_things_are_each_event_is_told_once() {
    for placement in placements() {
        let hub = placement.of_the_hub();
        let known = placement.everywhere(placement.hub.0, placement.hub.1);
        let hub_template = template::read("template.yaml");
        let known = borrowed(&known);
        let admits = of_the_bus(&template::with_conditions(&hub_template, &known));
        let all: Vec<&'static str> = MEMBERS.into_iter().chain([MANAGEMENT]).collect();
        for (event, mails, messages) in events(placement) {
            let account = *all.iter().find(|account| event["account"] == **account).unwrap();
            let region = *REGIONS.iter().find(|region| event["region"] == **region).unwrap();
            let at_the_hub = (account, region) == placement.hub;
            let sending = placement.sending_on(account, region);
            let sent =
                sending.iter().filter(|made| made.to == placement.bus() && made.rule.read.matches(&event));
            let source = event["source"].as_str().unwrap();
            let mut asked = sends(account, ORGANIZATION, source);
            asked.resource = placement.bus();
            let admitted = account == placement.hub.0 || verdict(&admits, &asked) == Verdict::Allowed;
            let arrived = if admitted { sent.count() } else { 0 };
            let reached = |to: &str| -> usize {
                let matching = hub.iter().filter(|made| made.to == to && made.rule.read.matches(&event));
                let times = |made: &Made| match made.on_the_hubs_bus {
                    true => arrived,
                    false => usize::from(at_the_hub),
                };
                matching.map(times).sum()
            };
            let what = format!("{} in {account} {region}: {placement:?}", event["detail"]);
            assert_eq!((reached("topic"), reached("queue")), (mails, messages), "{what}");
        }
    }
}

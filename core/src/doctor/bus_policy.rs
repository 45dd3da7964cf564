//! Who may put events on the hub's bus: its policy, asked for those who have to and for some who must not.
//!
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-bus-permissions-manage.html>

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Check, Finding};
use crate::ids::{AccountId, OrganizationId, Partition, Role};
use crate::resource_policy::is_like;
use crate::trust::many;

/// What the policy has to say depends on these.
#[derive(Clone, Debug)]
pub struct BusFacts<'a> {
    /// The bus's ARN.
    pub bus: &'a str,
    /// The partition.
    pub partition: &'a Partition,
    /// The organization.
    pub organization: &'a OrganizationId,
    /// Its management account.
    pub management: &'a AccountId,
    /// The account of the hub.
    pub hub: &'a AccountId,
    /// The accounts that own guardrails.
    pub owners: &'a BTreeSet<AccountId>,
    /// An account that is none of these, if there is one.
    pub member: Option<&'a AccountId>,
    /// The function's role, if the settings name it.
    pub function: Option<&'a Role>,
    /// Whether some guardrail has a key of the customer's.
    pub keys: bool,
}

/// Somebody who puts an event.
#[derive(Clone, Debug)]
struct BusPut<'a> {
    principal: String,
    account: &'a str,
    organization: Option<&'a str>,
    source: &'a str,
    bus: &'a str,
}

/// What a policy says to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BusAnswer {
    Admitted,
    /// Nothing admits it. In the bus's own account IAM decides then.
    NotAdmitted,
    Forbidden,
    /// By a condition that this version doesn't know.
    Unclear,
}

/// An account of no organization of ours.
const STRANGER: &str = "000000000000";

impl<'a> BusFacts<'a> {
    fn put(
        &self,
        account: &'a str,
        organization: Option<&'a str>,
        source: &'a str,
        role: &str,
    ) -> BusPut<'a> {
        let principal = format!("arn:{}:iam::{account}:role/{role}", self.partition);
        BusPut { principal, account, organization, source, bus: self.bus }
    }

    /// A rule of that account sends it on.
    fn sends(&self, account: &'a AccountId, source: &'a str) -> BusPut<'a> {
        self.put(account.as_str(), Some(self.organization.as_str()), source, "GuardrailKeeperForwarder")
    }

    /// Who has to be admitted, with what is lost otherwise.
    fn wanted(&self) -> Vec<BusPut<'a>> {
        let mut wanted = Vec::new();
        let members = self.member.into_iter().chain(self.owners).filter(|one| *one != self.hub);
        for member in members {
            wanted.extend(["aws.bedrock", "aws.account"].map(|source| self.sends(member, source)));
        }
        if self.management != self.hub {
            let sources = ["aws.organizations", "aws.controltower", "aws.account", "aws.bedrock"];
            wanted.extend(sources.map(|source| self.sends(self.management, source)));
        }
        if self.keys {
            let others = self.owners.iter().filter(|owner| *owner != self.hub);
            wanted.extend(others.map(|owner| self.sends(owner, "aws.kms")));
        }
        wanted
    }

    /// Who must not be admitted.
    fn unwanted(&self) -> Vec<BusPut<'a>> {
        let mut unwanted = vec![
            self.put(STRANGER, None, "aws.bedrock", "Administrator"),
            self.put(STRANGER, Some("o-0000000000"), "aws.bedrock", "Administrator"),
            self.put(STRANGER, Some("o-0000000000"), "aws.organizations", "Administrator"),
        ];
        if let Some(member) = self.member {
            let sources = ["aws.organizations", "aws.controltower", "aws.ssm", "guardrail-keeper"];
            unwanted.extend(sources.map(|source| self.sends(member, source)));
        }
        unwanted
    }
}

/// Judges the policy of the hub's bus.
pub fn bus_policy(facts: &BusFacts<'_>, policy: Option<&str>, deploy: &str) -> Vec<Finding> {
    let finding = |text: String| Check::Hub.whole().problem(text, deploy);
    let statements = match policy.map(serde_json::from_str::<Value>) {
        None => {
            return vec![finding("the bus has no policy: it takes events of no other account".to_owned())];
        }
        Some(Err(_)) => return vec![finding("the bus's policy isn't JSON".to_owned())],
        Some(Ok(document)) => many(&document["Statement"]).to_vec(),
    };
    let mut findings = Vec::new();
    let mut unclear = Vec::new();
    let mut judge =
        |puts: Vec<BusPut<'_>>, expected: &dyn Fn(BusAnswer) -> bool, text: &dyn Fn(&str, &str) -> String| {
            for put in puts {
                let told = text(put.source, put.account);
                match answer(&statements, &put) {
                    BusAnswer::Unclear => unclear.push(format!("{} from {}", put.source, put.account)),
                    one if expected(one) => {}
                    _ => findings.push(finding(told)),
                }
            }
        };
    judge(facts.wanted(), &|answer| answer == BusAnswer::Admitted, &|source, account| {
        format!("the bus's policy doesn't take events of {source} from {account}")
    });
    judge(facts.unwanted(), &|answer| answer != BusAnswer::Admitted, &|source, account| match account {
        STRANGER => "the bus's policy takes events from outside the organization".to_owned(),
        _ => format!("the bus's policy takes events of {source} from members"),
    });
    // Whoever may put events on every bus of the hub.
    let tool =
        facts.put(facts.hub.as_str(), Some(facts.organization.as_str()), "guardrail-keeper", "another");
    judge(vec![tool], &|answer| answer == BusAnswer::Forbidden, &|_, _| {
        "the bus's policy lets others than the function put events in the keeper's name".to_owned()
    });
    if let Some(function) = facts.function {
        let (hub, name) = (facts.hub.as_str(), function.name.as_str());
        let own = facts.put(hub, Some(facts.organization.as_str()), "guardrail-keeper", name);
        judge(vec![own], &|answer| answer != BusAnswer::Forbidden, &|_, _| {
            "the bus's policy forbids the function to publish what it does".to_owned()
        });
    }
    findings.dedup();
    if !unclear.is_empty() {
        let text =
            "it isn't known whom the bus's policy admits: it has conditions that this version doesn't know";
        let todo = "compare it with template.yaml: aws events describe-event-bus";
        let finding = Check::Hub.whole().unknown(text, todo);
        findings.push(finding.detailed(unclear.join(", ")));
    }
    if findings.is_empty() {
        let text = "the bus takes from each account what it has to, and nothing else that was tried";
        findings.push(Check::Hub.whole().ok(text));
    }
    findings
}

fn answer(statements: &[Value], put: &BusPut<'_>) -> BusAnswer {
    let mut answer = BusAnswer::NotAdmitted;
    let mut unclear = false;
    for statement in statements {
        match (speaks_of(statement, put), statement["Effect"].as_str()) {
            (Some(false), _) => {}
            (Some(true), Some("Deny")) => return BusAnswer::Forbidden,
            (Some(true), Some("Allow")) => answer = BusAnswer::Admitted,
            _ => unclear = true,
        }
    }
    if unclear { BusAnswer::Unclear } else { answer }
}

/// Whether a statement is about it; `None` where that isn't known.
fn speaks_of(statement: &Value, put: &BusPut<'_>) -> Option<bool> {
    let members = statement.as_object()?;
    let mut unclear = false;
    for (name, value) in members {
        let applies = match name.as_str() {
            "Sid" | "Effect" => Some(true),
            "Principal" => is_meant(value, put),
            "Action" => {
                Some(texts(value)?.iter().any(|action| is_like(&action.to_lowercase(), "events:putevents")))
            }
            "Resource" => Some(texts(value)?.iter().any(|resource| is_like(resource, put.bus))),
            "Condition" => holds(value, put),
            _ => None,
        };
        match applies {
            Some(true) => {}
            Some(false) => return Some(false),
            None => unclear = true,
        }
    }
    (!unclear).then_some(true)
}

fn is_meant(principal: &Value, put: &BusPut<'_>) -> Option<bool> {
    if principal == "*" {
        return Some(true);
    }
    let kinds = principal.as_object()?;
    let mut meant = false;
    for (kind, names) in kinds {
        let names = texts(names)?;
        meant |= kind == "AWS"
            && names.iter().any(|name| {
                *name == "*"
                    || *name == put.account
                    || *name == put.principal
                    || name.ends_with(&format!(":iam::{}:root", put.account))
            });
    }
    Some(meant)
}

fn holds(condition: &Value, put: &BusPut<'_>) -> Option<bool> {
    let mut unclear = false;
    for (operator, keys) in condition.as_object()? {
        for (key, wanted) in keys.as_object()? {
            match one_holds(operator, key, wanted, put) {
                Some(true) => {}
                Some(false) => return Some(false),
                None => unclear = true,
            }
        }
    }
    (!unclear).then_some(true)
}

fn one_holds(operator: &str, key: &str, wanted: &Value, put: &BusPut<'_>) -> Option<bool> {
    let value: Option<&str> = match key.to_ascii_lowercase().as_str() {
        "aws:principalorgid" => put.organization,
        "aws:principalarn" => Some(&put.principal),
        "aws:principalaccount" => Some(put.account),
        "events:source" => Some(put.source),
        "events:detail-type" => Some("AWS API Call via CloudTrail"),
        _ => return None,
    };
    let wanted = texts(wanted)?;
    let equal = |value: &str| wanted.contains(&value);
    let like = |value: &str| wanted.iter().any(|pattern| is_like(pattern, value));
    // A call that puts one event has one value of each key, so the set operators come to the same as the others, but
    // where there is none.
    match operator {
        "StringEquals" | "ForAnyValue:StringEquals" => Some(value.is_some_and(equal)),
        "ForAllValues:StringEquals" => Some(value.is_none_or(equal)),
        "StringNotEquals" => Some(!value.is_some_and(equal)),
        "StringLike" | "ArnLike" | "ArnEquals" => Some(value.is_some_and(like)),
        "StringNotLike" | "ArnNotLike" | "ArnNotEquals" => Some(!value.is_some_and(like)),
        "Null" => Some(wanted == [if value.is_none() { "true" } else { "false" }]),
        _ => None,
    }
}

fn texts(value: &Value) -> Option<Vec<&str>> {
    many(value).iter().map(Value::as_str).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::doctor::Outcome;

    const BUS: &str = "arn:aws:events:us-east-1:111111111111:event-bus/keeper";

    fn admitting(principal: &Value, sources: &[&str]) -> Value {
        json!({ "Effect": "Allow", "Principal": principal, "Action": "events:PutEvents", "Resource": BUS,
            "Condition": { "StringEquals": { "aws:PrincipalOrgID": "o-exampleorgid" },
                "ForAllValues:StringEquals": { "events:source": sources }, "Null": { "events:source": "false" } } })
    }

    fn whole() -> Vec<Value> {
        let root = |account: &str| json!({ "AWS": format!("arn:aws:iam::{account}:root") });
        vec![
            admitting(&json!("*"), &["aws.bedrock", "aws.account"]),
            admitting(&root("222222222222"), &["aws.organizations", "aws.controltower", "aws.account"]),
            json!({ "Effect": "Deny", "Principal": "*", "Action": "events:PutEvents", "Resource": BUS, "Condition": {
                "ForAnyValue:StringEquals": { "events:source": ["guardrail-keeper"] },
                "ArnNotLike": { "aws:PrincipalArn": "arn:aws:iam::111111111111:role/Keeper" } } }),
            admitting(&root("333333333333"), &["aws.kms"]),
        ]
    }

    fn judged(statements: &[Value]) -> Vec<String> {
        let account = |text: &str| text.parse::<AccountId>().unwrap();
        let (hub, management, owner) =
            (account("111111111111"), account("222222222222"), account("333333333333"));
        let (member, function) =
            (account("444444444444"), Role::parse_arn("arn:aws:iam::111111111111:role/Keeper"));
        let facts = BusFacts {
            bus: BUS,
            partition: &Partition::of(&"us-east-1".parse().unwrap()),
            organization: &"o-exampleorgid".parse().unwrap(),
            management: &management,
            hub: &hub,
            owners: &BTreeSet::from([owner]),
            member: Some(&member),
            function: function.as_ref().ok(),
            keys: true,
        };
        let policy = json!({ "Statement": statements }).to_string();
        let findings = bus_policy(&facts, Some(&policy), "deploy it");
        assert!(findings.iter().all(|one| (one.outcome == Outcome::Ok) == one.todo.is_none()));
        findings.iter().map(|one| format!("{:?}: {}", one.outcome, one.text)).collect()
    }

    #[test]
    fn each_statement_that_is_missing_or_too_wide_is_found() {
        assert_eq!(
            judged(&whole()),
            ["Ok: the bus takes from each account what it has to, and nothing else that was tried"]
        );
        let without = |index: usize| {
            let mut statements = whole();
            statements.remove(index);
            judged(&statements)
        };
        assert!(without(0).contains(
            &"Problem: the bus's policy doesn't take events of aws.bedrock from 444444444444".to_owned()
        ));
        assert!(
            without(1).contains(
                &"Problem: the bus's policy doesn't take events of aws.organizations from 222222222222"
                    .to_owned()
            )
        );
        assert_eq!(
            without(2),
            ["Problem: the bus's policy lets others than the function put events in the keeper's name"]
        );
        assert_eq!(
            without(3),
            ["Problem: the bus's policy doesn't take events of aws.kms from 333333333333"]
        );
        let changed = |change: &dyn Fn(&mut Vec<Value>)| {
            let mut statements = whole();
            change(&mut statements);
            judged(&statements)
        };
        let open = changed(&|all| drop(all[0]["Condition"].as_object_mut().unwrap().remove("StringEquals")));
        assert_eq!(open, ["Problem: the bus's policy takes events from outside the organization"]);
        let wide = changed(&|all| {
            all[0]["Condition"]["ForAllValues:StringEquals"]["events:source"] =
                json!(["aws.bedrock", "aws.account", "aws.organizations"]);
        });
        assert_eq!(wide, ["Problem: the bus's policy takes events of aws.organizations from members"]);
        let shut = changed(&|all| {
            all[2]["Condition"]["ArnNotLike"]["aws:PrincipalArn"] =
                json!("arn:aws:iam::111111111111:role/Another");
        });
        assert_eq!(shut, ["Problem: the bus's policy forbids the function to publish what it does"]);
        let odd = changed(&|all| {
            all[0]["Condition"]["DateGreaterThan"] = json!({ "aws:CurrentTime": "2020-01-01" });
        });
        assert_eq!(odd.len(), 1);
        assert!(odd[0].starts_with("Unknown: it isn't known whom the bus's policy admits"), "{odd:?}");
    }
}

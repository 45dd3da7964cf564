//! Whether the service control policies of `deploy/` are attached to what covers every account, and
//! still say what they have to.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Check, Finding, Place};
use crate::failure::Failure;
use crate::ids::{AccountId, RoleName};
use crate::trust::many;

const CHECK: Check = Check::ControlPolicies;
const TODO: &str = "docs/deploy.md, Protect it";

/// A service control policy as Organizations showed it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ControlPolicy {
    /// Its id.
    pub id: String,
    /// Its name, for people.
    pub name: String,
    /// Its text.
    pub content: String,
}

/// What is attached to the root, an OU or an account, by its id.
pub type Attached = BTreeMap<String, Result<Vec<ControlPolicy>, Failure>>;

/// A document of `deploy/`, with what this deployment has for its placeholders and names.
#[derive(Clone, Debug)]
pub struct Shipped<'a> {
    /// The file.
    pub path: &'a str,
    /// Its text.
    pub text: &'a str,
    /// The hub's account.
    pub hub: &'a AccountId,
    /// The guardrails' owner.
    pub owner: &'a AccountId,
    /// The function's role, where the settings name it.
    pub function: Option<&'a RoleName>,
    /// The member role.
    pub member: &'a RoleName,
    /// The hub's stack, where the settings name it.
    pub stack: Option<&'a str>,
    /// Whether some guardrail is encrypted with a key of the customer's, as far as that is known.
    pub keys: bool,
}

/// What the person who attaches a document chooses: each stands for one word without a wildcard.
const CHOSEN: [&str; 8] = [
    "SECURITY_ACCOUNT_ID",
    "TRAIL_NAME",
    "GUARDRAIL_KEY_ID",
    "GuardrailKeeperForwarder",
    "GuardrailKeeperDeployer",
    "SecurityAdministrator",
    "GuardrailAuthor",
    "GuardrailKeyAdministrator",
];

/// What has to be replaced.
const PLACEHOLDERS: [&str; 5] =
    ["HUB_ACCOUNT_ID", "OWNER_ACCOUNT_ID", "SECURITY_ACCOUNT_ID", "TRAIL_NAME", "GUARDRAIL_KEY_ID"];

/// Roles of IAM Identity Center, which no principal of an account can change.
const IDENTITY_CENTER: &str = ":role/aws-reserved/sso.amazonaws.com/";

/// Needed only where guardrails have keys of the customer's.
const OF_KEYS: &str = "OnlyKeyAdministratorsChangeTheKeys";

impl Shipped<'_> {
    fn statements(&self) -> Vec<Value> {
        let mut text = self.text.replace("HUB_ACCOUNT_ID", self.hub.as_str());
        text = text.replace("OWNER_ACCOUNT_ID", self.owner.as_str());
        text = text.replace("/GuardrailKeeperMember\"", &format!("/{}\"", self.member));
        if let Some(function) = self.function {
            text = text.replace("/GuardrailKeeper\"", &format!("/{function}\""));
        }
        if let Some(stack) = self.stack {
            text = text.replace("StackSet-guardrail-keeper-", &format!("StackSet-{stack}-"));
        }
        statements(&text).unwrap_or_default()
    }

    /// The principals without which the keeper itself would be denied.
    fn is_ours(&self, principal: &str) -> bool {
        let name = principal.rsplit('/').next().unwrap_or_default();
        name == self.member.as_str() || self.function.is_some_and(|function| name == function.as_str())
    }
}

/// Judges one document for accounts, each with the root, the OUs and itself in `chains`.
pub fn protection(
    shipped: &Shipped<'_>,
    attached: &Attached,
    chains: &[(AccountId, Vec<String>)],
) -> Vec<Finding> {
    let wanted = shipped.statements();
    chains.iter().flat_map(|(account, chain)| judge(shipped, &wanted, attached, account, chain)).collect()
}

/// Whether the policies attached to these targets are enough, so that no lower ones have to be read.
pub fn is_protected(shipped: &Shipped<'_>, attached: &Attached, chain: &[String]) -> bool {
    let account = shipped.owner;
    let found = judge(shipped, &shipped.statements(), attached, account, chain);
    found.iter().all(|finding| finding.outcome == super::Outcome::Ok)
}

/// The ids of the attached policies that have some of these documents' statements, whatever these say.
pub fn protecting(documents: &[Shipped<'_>], attached: &Attached) -> BTreeSet<String> {
    let wanted: Vec<Value> = documents.iter().flat_map(Shipped::statements).collect();
    let sids: BTreeSet<&str> = sids_of(&wanted).collect();
    let policies = attached.values().filter_map(|policies| policies.as_ref().ok()).flatten();
    let has_some = |policy: &&ControlPolicy| {
        let found = statements(&policy.content).unwrap_or_default();
        sids_of(&found).any(|sid| sids.contains(sid))
    };
    policies.filter(has_some).map(|policy| policy.id.clone()).collect()
}

fn sids_of(statements: &[Value]) -> impl Iterator<Item = &str> {
    statements.iter().filter_map(|one| one["Sid"].as_str())
}

fn judge(
    shipped: &Shipped<'_>,
    wanted: &[Value],
    attached: &Attached,
    account: &AccountId,
    chain: &[String],
) -> Vec<Finding> {
    let path = shipped.path;
    let here = CHECK.at(Place::account(account));
    let Compared { same, changed, missing, exempt } = compare(shipped, wanted, &given(attached, chain));
    let unread = chain.iter().find_map(|target| attached.get(target)?.as_ref().err());
    // What is missing may be attached where the policies could not be read.
    if let Some(failure) = unread.filter(|_| !missing.is_empty() || !changed.is_empty()) {
        return vec![here.unread(format_args!("whether {path} is attached isn't known"), failure)];
    }
    if same == 0 && changed.is_empty() {
        return vec![here.problem(format!("{path} isn't attached"), format!("attach it: {TODO}"))];
    }
    if changed.is_empty() && missing.is_empty() {
        // Only a person can judge exemptions that a person chose.
        let exempt: Vec<String> = exempt.into_iter().collect();
        let text = format!(
            "{path} is attached and denies everything that it has to deny; exempt: {}",
            exempt.join(", ")
        );
        return vec![here.ok(text)];
    }
    let missing = missing.iter().map(|sid| format!("{sid} of {path} isn't attached"));
    let todo = || format!("{TODO}; compare with {path}");
    changed.into_iter().chain(missing).map(|text| here.problem(text, todo())).collect()
}

/// The attached statements, each with the name of its policy.
fn given<'a>(attached: &'a Attached, chain: &[String]) -> Vec<(&'a str, Value)> {
    let policies = chain.iter().filter_map(|target| attached.get(target)?.as_ref().ok()).flatten();
    policies
        .flat_map(|policy| {
            let statements = statements(&policy.content).unwrap_or_default().into_iter();
            statements.map(|one| (policy.name.as_str(), one))
        })
        .collect()
}

/// What came of comparing a document with what is attached.
#[derive(Default)]
struct Compared {
    /// How many statements say all that they have to.
    same: usize,
    /// How a statement says less, each in words.
    changed: Vec<String>,
    /// The Sids of statements that aren't there.
    missing: Vec<String>,
    /// The principals that the others exempt.
    exempt: BTreeSet<String>,
}

fn compare(shipped: &Shipped<'_>, wanted: &[Value], given: &[(&str, Value)]) -> Compared {
    let protected = protected(given);
    let mut compared = Compared::default();
    for statement in wanted {
        let sid = statement["Sid"].as_str().unwrap_or_default();
        let mut differences = Vec::new();
        let same = given.iter().filter(|(_, one)| one["Sid"] == sid).find(|(policy, one)| {
            let found = difference(shipped, statement, one, &protected);
            differences.extend(found.iter().map(|what| format!("{sid} of {policy} {what}")));
            found.is_none()
        });
        match (same, differences.into_iter().next()) {
            (Some((_, one)), _) => {
                compared.same += 1;
                compared.exempt.extend(texts(&one["Condition"]["ArnNotLike"]["aws:PrincipalArn"]));
            }
            (None, Some(difference)) => compared.changed.push(difference),
            (None, None) if sid == OF_KEYS && !shipped.keys => {}
            (None, None) => compared.missing.push(sid.to_owned()),
        }
    }
    compared
}

/// How an attached statement says less than the shipped one; nothing where it says as much.
fn difference(
    shipped: &Shipped<'_>,
    wanted: &Value,
    given: &Value,
    protected: &BTreeSet<String>,
) -> Option<String> {
    let known = ["Sid", "Effect", "Action", "Resource", "Condition"];
    let odd = given.as_object().into_iter().flatten().find(|(name, _)| !known.contains(&name.as_str()));
    if let Some((name, _)) = odd {
        return Some(format!("has {name}, which the shipped policy doesn't have"));
    }
    if given["Effect"] != "Deny" {
        return Some("denies nothing".to_owned());
    }
    let all = given.to_string();
    if let Some(left) = PLACEHOLDERS.iter().find(|placeholder| all.contains(**placeholder)) {
        return Some(format!("still has the placeholder {left}: replace it"));
    }
    let actions = texts(&given["Action"]);
    let lacks = |action: &String| !actions.iter().any(|one| one == "*" || one.eq_ignore_ascii_case(action));
    if let Some(action) = texts(&wanted["Action"]).into_iter().find(lacks) {
        return Some(format!("doesn't deny {action}"));
    }
    let resources = texts(&given["Resource"]);
    let lacks = |resource: &String| !resources.iter().any(|one| one == "*" || fits(resource, one));
    if let Some(resource) = texts(&wanted["Resource"]).into_iter().find(lacks) {
        return Some(format!("doesn't cover {resource}"));
    }
    condition(shipped, &wanted["Condition"], &given["Condition"], protected)
}

/// A condition more, or an exempt principal more, and the statement denies less.
fn condition(
    shipped: &Shipped<'_>,
    wanted: &Value,
    given: &Value,
    protected: &BTreeSet<String>,
) -> Option<String> {
    let (wanted, given) = (pairs(wanted), pairs(given));
    if let Some((operator, key)) = given.keys().find(|pair| !wanted.contains_key(*pair)) {
        return Some(format!("has an additional condition: {operator} {key}"));
    }
    for ((operator, key), values) in &wanted {
        let Some(found) = given.get(&(operator.clone(), key.clone())) else {
            return Some(format!("lacks its condition {operator} {key}"));
        };
        if operator != "ArnNotLike" {
            if found != values {
                return Some(format!("has other values for {key}: {}", found.join(", ")));
            }
            continue;
        }
        let named = |one: &&String| {
            is_of_identity_center(one) || protected.iter().any(|pattern| covers(pattern, one))
        };
        if let Some(one) = found.iter().find(|one| !named(one)) {
            return Some(format!("exempts {one}, and no statement protects that role"));
        }
        if let Some(one) = values.iter().find(|one| shipped.is_ours(one) && !found.contains(one)) {
            return Some(format!("doesn't exempt {one}"));
        }
    }
    None
}

/// A permission set of its own, and not all of them.
fn is_of_identity_center(principal: &str) -> bool {
    principal.split_once(IDENTITY_CENTER).is_some_and(|(_, rest)| {
        let name = rest.rsplit_once("AWSReservedSSO_").map(|(_, name)| name.trim_end_matches('*'));
        name.is_some_and(|name| name.len() > 1 && name.ends_with('_') && !name.contains(['*', '?']))
    })
}

/// Whether a statement about the first is about the second as well.
fn covers(pattern: &str, principal: &str) -> bool {
    let (pattern, principal) = (pattern.splitn(6, ':'), principal.splitn(6, ':'));
    let pairs: Vec<(&str, &str)> = pattern.zip(principal).collect();
    pairs.len() == 6 && pairs.iter().all(|(pattern, part)| pattern == part || *pattern == "*")
}

/// The roles that some attached statement keeps from being made and changed.
fn protected(given: &[(&str, Value)]) -> BTreeSet<String> {
    let protects = |statement: &&(&str, Value)| {
        let actions = texts(&statement.1["Action"]);
        let has = |wanted: &str| actions.iter().any(|action| action == wanted);
        statement.1["Effect"] == "Deny" && has("iam:Create*") && has("iam:Update*") && has("iam:Put*")
    };
    given.iter().filter(protects).flat_map(|(_, statement)| texts(&statement["Resource"])).collect()
}

/// Whether a resource is the one that was shipped, with a word of one's own for each that is chosen.
fn fits(shipped: &str, given: &str) -> bool {
    let found = CHOSEN.iter().filter_map(|name| Some((shipped.find(name)?, *name))).min();
    let Some((at, name)) = found else { return shipped == given };
    let Some(rest) = given.strip_prefix(&shipped[..at]) else { return false };
    let end = rest.find([':', '/']).unwrap_or(rest.len());
    let (word, rest) = rest.split_at(end);
    !word.is_empty() && !word.contains(['*', '?']) && fits(&shipped[at + name.len()..], rest)
}

fn statements(text: &str) -> Option<Vec<Value>> {
    let document: Value = serde_json::from_str(text).ok()?;
    Some(many(&document["Statement"]).to_vec())
}

/// The values of each operator and key.
fn pairs(condition: &Value) -> BTreeMap<(String, String), Vec<String>> {
    let operators = condition.as_object().into_iter().flatten();
    operators
        .flat_map(|(operator, keys)| {
            let keys = keys.as_object().into_iter().flatten();
            keys.map(move |(key, values)| ((operator.clone(), key.clone()), texts(values)))
        })
        .collect()
}

/// One text or several; anything else reads as an empty list.
fn texts(value: &Value) -> Vec<String> {
    many(value).iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

//! Whether the service control policies of `deploy/` are attached to what covers every account, and
//! still say what they have to.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::exempt::{is_protected_principal, odd_element, pairs, protected, texts};
use super::{Check, Finding, Place};
use crate::failure::Failure;
use crate::ids::{AccountId, RoleName};
use crate::resource_policy::is_like;
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
    /// The ARNs of the guardrails' keys, as far as they are known.
    pub keys: &'a BTreeSet<String>,
    /// The names of the trails that the hub sees; empty where they aren't known.
    pub trails: &'a BTreeSet<String>,
    /// The accounts of the organization.
    pub accounts: &'a BTreeSet<AccountId>,
}

/// Where the documents have the id of a key.
const KEY: &str = "GUARDRAIL_KEY_ID";

/// What the person who attaches a document chooses: each stands for one word without a wildcard.
const CHOSEN: [&str; 8] = [
    "SECURITY_ACCOUNT_ID",
    "TRAIL_NAME",
    KEY,
    "GuardrailKeeperForwarder",
    "GuardrailKeeperDeployer",
    "SecurityAdministrator",
    "GuardrailAuthor",
    "GuardrailKeyAdministrator",
];

/// What has to be replaced.
const PLACEHOLDERS: [&str; 5] =
    ["HUB_ACCOUNT_ID", "OWNER_ACCOUNT_ID", "SECURITY_ACCOUNT_ID", "TRAIL_NAME", KEY];

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

    /// Why a word can't be what somebody chose for a name, by what is known of the organization.
    fn refuted(&self, name: &str, word: &str) -> Option<&'static str> {
        match name {
            "SECURITY_ACCOUNT_ID" if !self.accounts.iter().any(|account| account.as_str() == word) => {
                Some("no account of the organization has that number")
            }
            "TRAIL_NAME" if !self.trails.is_empty() && !self.trails.contains(word) => {
                Some("the hub sees no trail of that name")
            }
            _ => None,
        }
    }

    /// How the given resources leave out one that the document has; nothing where they don't.
    fn leaves_out(&self, wanted: &str, given: &[String]) -> Option<String> {
        if wanted.contains(KEY) && !self.keys.is_empty() {
            // Which keys these are is known.
            let covered = |key: &&String| given.iter().any(|one| is_like(one, key));
            return self.keys.iter().find(|key| !covered(key)).map(|key| format!("doesn't cover {key}"));
        }
        let mut refuted = None;
        for one in given {
            if one == "*" {
                return None;
            }
            let Some(words) = chosen(wanted, one) else { continue };
            let wrong = words.iter().find_map(|(name, word)| {
                Some(format!("names {word} for {name}, and {}", self.refuted(name, word)?))
            });
            match wrong {
                None => return None,
                Some(wrong) => refuted = refuted.or(Some(wrong)),
            }
        }
        refuted.or_else(|| Some(format!("doesn't cover {wanted}")))
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
            (None, None) if sid == OF_KEYS && shipped.keys.is_empty() => {}
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
    if let Some(name) = odd_element(given) {
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
    let left_out = texts(&wanted["Resource"]).iter().find_map(|one| shipped.leaves_out(one, &resources));
    if left_out.is_some() {
        return left_out;
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
        if let Some(one) = found.iter().find(|one| !is_protected_principal(one, protected)) {
            return Some(format!("exempts {one}, and no statement protects that role"));
        }
        if let Some(one) = values.iter().find(|one| shipped.is_ours(one) && !found.contains(one)) {
            return Some(format!("doesn't exempt {one}"));
        }
    }
    None
}

/// Whether a resource is the one that was shipped, with a word of one's own for each that is chosen: these words, by what
/// they stand for.
fn chosen<'a>(shipped: &str, given: &'a str) -> Option<Vec<(&'static str, &'a str)>> {
    let found = CHOSEN.iter().filter_map(|name| Some((shipped.find(name)?, *name))).min();
    let Some((at, name)) = found else { return (shipped == given).then(Vec::new) };
    let rest = given.strip_prefix(&shipped[..at])?;
    let end = rest.find([':', '/']).unwrap_or(rest.len());
    let (word, rest) = rest.split_at(end);
    if word.is_empty() || word.contains(['*', '?']) {
        return None;
    }
    let mut words = chosen(&shipped[at + name.len()..], rest)?;
    words.push((name, word));
    Some(words)
}

fn statements(text: &str) -> Option<Vec<Value>> {
    let document: Value = serde_json::from_str(text).ok()?;
    Some(many(&document["Statement"]).to_vec())
}

//! What is wrong with a policy, statement by statement: what opens the guardrail, and what Bedrock doesn't take.

use std::collections::BTreeSet;
use std::fmt;

use crate::ids::{AccountId, OrganizationId};

use super::document::Document;
use super::json::Json;
use super::mistaken::{MistakenAction, mistaken_action, names_an_organization};
use super::quote;
use super::resource::{Action, Grant, Resource};
use super::statement::{ConditionKey, Statement, StatementEffect, Test, Who};

/// Something in a resource policy that a person should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourcePolicyFinding {
    /// Which statement, counted from 1; `None` is the document as a whole.
    pub statement: Option<usize>,
    /// What is wrong with it.
    pub problem: ResourcePolicyProblem,
}

/// What may be wrong with a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResourcePolicyProblem {
    /// It opens the guardrail beyond the organization.
    Opens(OpenTo),
    /// A service, a federation, or what is no principal at all.
    OtherPrincipal(String),
    /// An action that this resource's policy can't give, or that doesn't exist.
    OtherAction(String),
    /// Actions by a wildcard.
    WideAction(String),
    /// Another resource than the one the policy is attached to.
    OtherResource(String),
    /// A condition beside the two that Bedrock takes.
    OtherCondition(String),
    /// `NotPrincipal`, `NotAction` or `NotResource`.
    Negated(&'static str),
    /// It denies.
    Denies,
    /// Only a part of the organization is admitted.
    PartOfOrganization,
    /// An element that IAM's grammar doesn't know.
    UnknownElement(String),
    /// An element that is missing or has the wrong form.
    Malformed(&'static str),
    /// A statement that is no object.
    NotAStatement,
    /// A member that is given twice.
    Duplicate(String),
    /// Another version of the policy language than the two that exist.
    UnknownVersion(String),
}

/// How a policy opens a guardrail beyond the organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenTo {
    /// Every principal is admitted, and no condition names an organization.
    EveryAccount,
    /// Every principal of another organization, or of more than one, is admitted.
    Organization(String),
    /// The widespread wrong example, `arn:aws:iam::*:root`: no principal, and meant as "every account".
    AnyAccountRoot(String),
    /// An account is admitted by its number, whether or not it is in the organization.
    Account(AccountId),
}

impl ResourcePolicyProblem {
    /// Whether it opens the guardrail beyond the organization.
    pub fn opens(&self) -> bool {
        matches!(self, ResourcePolicyProblem::Opens(_))
    }

    /// Whether AWS documents that Bedrock refuses it. A single account as principal is not documented
    /// either way; a grant to a part of the organization is one of the legal patterns.
    pub fn is_refused_by_bedrock(&self) -> bool {
        !matches!(
            self,
            ResourcePolicyProblem::Opens(OpenTo::Account(_)) | ResourcePolicyProblem::PartOfOrganization
        )
    }
}

impl fmt::Display for ResourcePolicyProblem {
    /// What it is, then what to do about it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ResourcePolicyProblem::Opens(opening) => opening.fmt(f),
            ResourcePolicyProblem::OtherPrincipal(text) => write_other_principal(f, text),
            ResourcePolicyProblem::OtherAction(text) => write_other_action(f, text),
            ResourcePolicyProblem::WideAction(text) => {
                write!(f, "gives actions by the wildcard {}; name each action", quote(text))
            }
            ResourcePolicyProblem::OtherResource(text) => write!(
                f,
                "is for {}, which is not the ARN that the policy is attached to; \
                 write that ARN, with the id instead of the name and without a version",
                quote(text)
            ),
            ResourcePolicyProblem::OtherCondition(text) => write!(
                f,
                "has a condition that Bedrock doesn't take, {}; only StringEquals aws:PrincipalOrgID and, \
                 beside it, ForAnyValue:StringLike aws:PrincipalOrgPaths are taken",
                quote(text)
            ),
            ResourcePolicyProblem::Negated(element) => {
                write!(f, "has {element}; say what is admitted, not what is not")
            }
            ResourcePolicyProblem::Denies => f.write_str(
                "denies; Bedrock documents no Deny in a guardrail's policy: remove it, \
                 and deny in a service control policy instead",
            ),
            ResourcePolicyProblem::PartOfOrganization => f.write_str(
                "admits only a part of the organization: an account that moves out of it is cut off at once; \
                 admit the whole organization",
            ),
            ResourcePolicyProblem::UnknownElement(name) => {
                write!(f, "has the unknown element {}; remove it", quote(name))
            }
            ResourcePolicyProblem::Malformed(element) => {
                write!(f, "has no {element} that can be read; write it as shown in the AWS documentation")
            }
            ResourcePolicyProblem::NotAStatement => f.write_str("is no JSON object; remove it"),
            ResourcePolicyProblem::Duplicate(path) => {
                write!(
                    f,
                    "{} is given twice, and parsers differ in which one they take; keep one",
                    quote(path)
                )
            }
            ResourcePolicyProblem::UnknownVersion(version) => {
                write!(f, "has the unknown Version {}; write \"2012-10-17\"", quote(version))
            }
        }
    }
}

fn write_other_principal(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let shown = quote(text);
    if names_an_organization(text) {
        write!(
            f,
            "names {shown} as principal, and an organization, a root or an OU is none; \
             write Principal \"*\" with StringEquals aws:PrincipalOrgID"
        )
    } else {
        write!(f, "names {shown} as principal; only an account or \"*\" can be admitted")
    }
}

fn write_other_action(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let shown = quote(text);
    match mistaken_action(text) {
        Some(MistakenAction::Here(meant)) => {
            write!(f, "names the action {shown}, which doesn't exist; write {meant}")
        }
        Some(MistakenAction::Elsewhere(meant)) => write!(
            f,
            "names the action {shown}, which doesn't exist; {meant} is meant, and belongs in an identity policy \
             of the role that calls it: remove it here"
        ),
        None => write!(
            f,
            "names the action {shown}, which a policy on this resource can't give; \
             only bedrock:ApplyGuardrail and, on a guardrail, bedrock:GetGuardrail exist there"
        ),
    }
}

impl fmt::Display for OpenTo {
    /// How it opens it, then what to do about it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenTo::EveryAccount => f.write_str(
                "opens the guardrail to every AWS account: Principal admits all, and no condition names the \
                 organization; add StringEquals aws:PrincipalOrgID",
            ),
            OpenTo::Organization(other) => write!(
                f,
                "opens the guardrail to another organization, {}; name only your own in aws:PrincipalOrgID",
                quote(other)
            ),
            OpenTo::AnyAccountRoot(text) => write!(
                f,
                "names {}, which is no principal: IAM takes no wildcard there, and where it is taken it means every \
                 AWS account; write Principal \"*\" with StringEquals aws:PrincipalOrgID",
                quote(text)
            ),
            OpenTo::Account(account) => write!(
                f,
                "admits account {account} by its number, whether or not it is in the organization; \
                 drop it unless it is meant to have access from outside"
            ),
        }
    }
}

impl fmt::Display for ResourcePolicyFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ResourcePolicyFinding { statement, problem } = self;
        match statement {
            Some(position) => write!(f, "statement {position} {problem}"),
            None => write!(f, "the policy {problem}"),
        }
    }
}

/// Everything there is to say about a document, in its order.
pub(super) fn findings(document: &Document, grant: &Grant) -> Vec<ResourcePolicyFinding> {
    let whole = document_problems(document)
        .into_iter()
        .map(|problem| ResourcePolicyFinding { statement: None, problem });
    let each = document.statements().iter().enumerate().flat_map(|(position, statement)| {
        let of = move |problem| ResourcePolicyFinding { statement: Some(position + 1), problem };
        statement_problems(statement, grant).into_iter().map(of)
    });
    whole.chain(each).collect()
}

fn document_problems(document: &Document) -> Vec<ResourcePolicyProblem> {
    let mut problems: Vec<ResourcePolicyProblem> =
        document.duplicate().map(ResourcePolicyProblem::Duplicate).into_iter().collect();
    problems.extend(document.unknown_version().map(ResourcePolicyProblem::UnknownVersion));
    let unknown = document.others().filter(|(name, _)| !matches!(name.as_str(), "Version" | "Id"));
    problems.extend(unknown.map(|(name, _)| ResourcePolicyProblem::UnknownElement(name.clone())));
    problems
}

/// The actions of a statement that is the organization's pattern and nothing else: what the keeper
/// writes, or a part of it. A statement with a `Sid` is foreign, since the keeper writes none.
pub(super) fn own_actions(json: &Json, grant: &Grant) -> Option<BTreeSet<Action>> {
    let statement = Statement::read(json)?;
    let everyone = statement.principals()?.iter().all(|who| *who == Who::Everyone);
    if !everyone || statement.sid.is_some() || !statement_problems(json, grant).is_empty() {
        return None;
    }
    statement.actions()?.iter().map(|name| exact_action(name, &grant.resource)).collect()
}

fn exact_action(name: &str, resource: &Resource) -> Option<Action> {
    resource.actions().iter().copied().find(|action| action.as_str().eq_ignore_ascii_case(name))
}

fn statement_problems(json: &Json, grant: &Grant) -> Vec<ResourcePolicyProblem> {
    let Some(statement) = Statement::read(json) else {
        return vec![ResourcePolicyProblem::NotAStatement];
    };
    let mut problems: Vec<ResourcePolicyProblem> = Vec::new();
    problems.extend(statement.unknown.map(|name| ResourcePolicyProblem::UnknownElement(name.to_owned())));
    match statement.effect() {
        Some(StatementEffect::Allow) => {}
        // What else a Deny says only narrows the harm that it does.
        Some(StatementEffect::Deny) => return [vec![ResourcePolicyProblem::Denies], problems].concat(),
        None => problems.push(ResourcePolicyProblem::Malformed("Effect")),
    }
    problems.extend(principal_problems(&statement, grant));
    match (statement.actions(), statement.not_action) {
        (Some(names), _) => {
            problems.extend(names.iter().filter_map(|name| action_problem(name, &grant.resource)));
        }
        (None, Some(_)) => {}
        (None, None) => problems.push(ResourcePolicyProblem::Malformed("Action")),
    }
    match (statement.resources(), statement.not_resource) {
        (Some(names), _) => {
            let arn = grant.resource.to_string();
            let others = names.iter().filter(|name| **name != arn);
            problems.extend(others.map(|name| ResourcePolicyProblem::OtherResource((*name).to_owned())));
        }
        (None, Some(_)) => {}
        (None, None) => problems.push(ResourcePolicyProblem::Malformed("Resource")),
    }
    for (element, name) in [
        (statement.not_principal, "NotPrincipal"),
        (statement.not_action, "NotAction"),
        (statement.not_resource, "NotResource"),
    ] {
        problems.extend(element.map(|_| ResourcePolicyProblem::Negated(name)));
    }
    problems
}

fn action_problem(name: &str, resource: &Resource) -> Option<ResourcePolicyProblem> {
    if exact_action(name, resource).is_some() {
        None
    } else if name.contains(['*', '?']) {
        Some(ResourcePolicyProblem::WideAction(name.to_owned()))
    } else {
        Some(ResourcePolicyProblem::OtherAction(name.to_owned()))
    }
}

/// What is wrong with who is admitted: the principal and the condition, which only together say it.
fn principal_problems(statement: &Statement<'_>, grant: &Grant) -> Vec<ResourcePolicyProblem> {
    let mut problems = Vec::new();
    let tests = statement.tests().unwrap_or_else(|| {
        problems.push(ResourcePolicyProblem::Malformed("Condition"));
        Vec::new()
    });
    let limited = tests.iter().any(|test| limits_to(test, &grant.organization));
    let everyone = match (statement.principals(), statement.not_principal) {
        (Some(principals), _) => {
            for who in &principals {
                problems.extend(who_problem(who, grant, limited));
            }
            principals.contains(&Who::Everyone)
        }
        // "All but some" is all, seen from outside of the organization.
        (None, Some(_)) => true,
        (None, None) => {
            problems.push(ResourcePolicyProblem::Malformed("Principal"));
            return problems;
        }
    };
    if !everyone {
        problems.extend(tests.iter().map(|test| ResourcePolicyProblem::OtherCondition(test.name())));
        return problems;
    }
    let other = tests
        .iter()
        .filter(|test| test.key() == ConditionKey::OrganizationId && !test.operator.contains("Not"))
        .flat_map(|test| &test.values)
        .find(|value| **value != grant.organization.as_str());
    match (limited, other) {
        (true, _) => {}
        (false, Some(other)) => {
            problems.push(ResourcePolicyProblem::Opens(OpenTo::Organization((*other).to_owned())));
        }
        (false, None) => problems.push(ResourcePolicyProblem::Opens(OpenTo::EveryAccount)),
    }
    let is_id =
        |test: &Test<'_>| test.operator == "StringEquals" && test.key() == ConditionKey::OrganizationId;
    let is_paths = |test: &Test<'_>| {
        test.operator == "ForAnyValue:StringLike" && test.key() == ConditionKey::OrganizationPaths
    };
    for test in &tests {
        let legal = (is_id(test) || is_paths(test)) && limits_to(test, &grant.organization);
        // Another organization's id is reported above.
        if !legal && (limited || !is_id(test)) {
            problems.push(ResourcePolicyProblem::OtherCondition(test.name()));
        }
    }
    if limited && !tests.iter().any(is_id) {
        problems.push(ResourcePolicyProblem::OtherCondition("no StringEquals aws:PrincipalOrgID".to_owned()));
    }
    if limited && tests.iter().any(is_paths) {
        problems.push(ResourcePolicyProblem::PartOfOrganization);
    }
    problems
}

fn who_problem(who: &Who<'_>, grant: &Grant, limited: bool) -> Option<ResourcePolicyProblem> {
    match who {
        Who::Everyone => None,
        Who::AnyAccountRoot(text) => {
            Some(ResourcePolicyProblem::Opens(OpenTo::AnyAccountRoot((*text).to_owned())))
        }
        Who::Other(text) => Some(ResourcePolicyProblem::OtherPrincipal((*text).to_owned())),
        Who::Account { account, .. } | Who::Identity { account, .. } => {
            let outside = account != grant.resource.account() && !limited;
            outside.then(|| ResourcePolicyProblem::Opens(OpenTo::Account(account.clone())))
        }
    }
}

/// Whether no principal outside of the organization passes this test. "If it exists" and negations let
/// those pass who are in no organization at all.
fn limits_to(test: &Test<'_>, organization: &OrganizationId) -> bool {
    match (test.key(), test.operator) {
        (ConditionKey::OrganizationId, "StringEquals" | "StringLike" | "StringEqualsIgnoreCase") => {
            test.values.iter().all(|value| *value == organization.as_str())
        }
        (ConditionKey::OrganizationPaths, "ForAnyValue:StringLike" | "ForAnyValue:StringEquals") => {
            let front = format!("{organization}/");
            test.values.iter().all(|value| value.starts_with(&front))
        }
        (ConditionKey::OrganizationId | ConditionKey::OrganizationPaths | ConditionKey::Other, _) => false,
    }
}

//! Whether a policy grants what is wanted, as far as can be proved from its text.

use std::fmt;

use crate::ids::AccountId;
use crate::organization::OrgPath;

use super::document::Document;
use super::finding::{ResourcePolicyFinding, findings};
use super::quote;
use super::reach::{Audience, Certainty, Element, Protected, Reach};
use super::resource::{Action, Grant, Resource};
use super::statement::{Statement, StatementEffect};

/// A policy held against what is wanted of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "an unread judgement protects nobody"]
pub struct Judgement {
    /// Whether the organization is granted the resource.
    pub verdict: AccessVerdict,
    /// What a person should know about the resource policy, granted or not.
    pub findings: Vec<ResourcePolicyFinding>,
    /// The right policy, to be printed beside what is wrong.
    pub instead: Document,
}

impl Judgement {
    /// The findings that open the guardrail beyond the organization.
    pub fn openings(&self) -> impl Iterator<Item = &ResourcePolicyFinding> {
        self.findings.iter().filter(|finding| finding.problem.opens())
    }
}

/// Whether access is granted. Only [`AccessVerdict::Granted`] is proof; nothing may rest on the other two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessVerdict {
    /// It is.
    Granted,
    /// It is not.
    NotGranted(MissingGrant),
    /// The text doesn't say.
    Unclear(AccessDoubt),
}

impl AccessVerdict {
    /// Whether access is proved.
    pub fn is_granted(&self) -> bool {
        *self == AccessVerdict::Granted
    }
}

/// Why access is not granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MissingGrant {
    /// No statement gives these.
    Missing(Vec<Action>),
    /// A statement, counted from 1, denies it to some or all.
    Denied(usize),
}

/// Why it can't be said whether access is granted. Statements are counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessDoubt {
    /// A member is given twice, at this path.
    Duplicate(String),
    /// A version of the policy language that doesn't exist.
    UnknownVersion(String),
    /// A statement that is no object.
    NotAStatement(usize),
    /// A statement may grant it.
    MayAllow {
        /// Which statement.
        statement: usize,
        /// The element that isn't understood.
        element: &'static str,
    },
    /// A statement may deny it.
    MayDeny {
        /// Which statement.
        statement: usize,
        /// The element that isn't understood.
        element: &'static str,
    },
}

/// Judges whether the policy grants what is wanted to the whole organization.
///
/// `None` is no policy at all. A policy that couldn't be read is neither; it must not come here.
pub fn judge(document: Option<&Document>, grant: &Grant) -> Judgement {
    let question = AccessQuestion {
        audience: Audience::Organization(&grant.organization),
        actions: grant.resource.actions(),
        resource: Protected::resource(&grant.resource),
    };
    Judgement {
        verdict: question.answer(document),
        findings: document.map(|document| findings(document, grant)).unwrap_or_default(),
        instead: Document::granting(grant),
    }
}

/// Whether the policy lets one member account, where it stands now, apply the guardrail or profile.
///
/// This is about `ApplyGuardrail` alone: without it the account's calls fail under an enforcement.
/// Whether an identity in the account has the permission as well, no resource policy shows.
/// The account that owns the resource needs no policy, but a Deny hits it too.
pub fn admits(
    document: Option<&Document>,
    resource: &Resource,
    account: &AccountId,
    path: &OrgPath,
) -> AccessVerdict {
    let audience = Audience::Member { account, path };
    let resource = Protected::resource(resource);
    AccessQuestion { audience, actions: &[Action::ApplyGuardrail], resource }.answer(document)
}

/// Whether an audience may do all of some actions.
pub(super) struct AccessQuestion<'a> {
    pub(super) audience: Audience<'a>,
    pub(super) actions: &'a [Action],
    pub(super) resource: Protected<'a>,
}

impl AccessQuestion<'_> {
    pub(super) fn answer(&self, document: Option<&Document>) -> AccessVerdict {
        let owns = match self.audience {
            Audience::Organization(_) => false,
            Audience::Member { account, path: _ } | Audience::Account { account, organization: _ } => {
                account == self.resource.account
            }
        };
        let Some(document) = document else {
            return if owns {
                AccessVerdict::Granted
            } else {
                AccessVerdict::NotGranted(MissingGrant::Missing(self.actions.to_vec()))
            };
        };
        if let Some(path) = document.duplicate() {
            return AccessVerdict::Unclear(AccessDoubt::Duplicate(path));
        }
        if let Some(version) = document.unknown_version() {
            return AccessVerdict::Unclear(AccessDoubt::UnknownVersion(version));
        }
        let mut answers: Vec<ActionVerdicts> =
            self.actions.iter().map(|_| ActionVerdicts::of_nobody()).collect();
        for (position, json) in document.statements().iter().enumerate() {
            let number = position + 1;
            let Some(statement) = Statement::read(json) else {
                answers.iter_mut().for_each(|access| access.doubt(AccessDoubt::NotAStatement(number)));
                continue;
            };
            for (access, action) in answers.iter_mut().zip(self.actions) {
                access.add(number, &statement, statement.reach(self.audience, *action, &self.resource));
            }
        }
        if owns {
            answers.iter_mut().for_each(|access| access.allowed = true);
        }
        verdict(&answers, self.actions)
    }
}

/// What was learnt of one action.
struct ActionVerdicts {
    allowed: bool,
    may_allow: Option<AccessDoubt>,
    denied: Option<usize>,
    may_deny: Option<AccessDoubt>,
}

impl ActionVerdicts {
    fn of_nobody() -> ActionVerdicts {
        ActionVerdicts { allowed: false, may_allow: None, denied: None, may_deny: None }
    }

    /// What can't be read at all might as well deny.
    fn doubt(&mut self, doubt: AccessDoubt) {
        self.may_allow.get_or_insert(doubt.clone());
        self.may_deny.get_or_insert(doubt);
    }

    fn add(&mut self, statement: usize, parts: &Statement<'_>, elements: [Element; 5]) {
        let reach = elements.iter().map(|(_, reach)| *reach).fold(Reach::ALL, Reach::and);
        match (parts.effect(), reach) {
            (Some(StatementEffect::Allow), Reach { all: Certainty::Yes, .. }) => self.allowed = true,
            (Some(StatementEffect::Allow), Reach { all: Certainty::Unknown, .. }) => {
                let element = culprit(&elements, |reach| reach.all);
                self.may_allow.get_or_insert(AccessDoubt::MayAllow { statement, element });
            }
            (Some(StatementEffect::Allow), Reach { all: Certainty::No, .. }) => {}
            (Some(StatementEffect::Deny) | None, Reach { any: Certainty::No, .. }) => {}
            (Some(StatementEffect::Deny), Reach { any: Certainty::Yes, .. }) => {
                self.denied.get_or_insert(statement);
            }
            (Some(StatementEffect::Deny), Reach { any: Certainty::Unknown, .. }) => {
                let element = culprit(&elements, |reach| reach.any);
                self.may_deny.get_or_insert(AccessDoubt::MayDeny { statement, element });
            }
            (None, Reach { any: Certainty::Unknown | Certainty::Yes, .. }) => {
                self.doubt(AccessDoubt::MayDeny { statement, element: "Effect" });
            }
        }
    }
}

/// The first element that leaves the question open.
fn culprit(elements: &[Element], part: fn(Reach) -> Certainty) -> &'static str {
    elements
        .iter()
        .find(|(_, reach)| part(*reach) == Certainty::Unknown)
        .map_or("combination of elements", |(name, _)| *name)
}

fn verdict(answers: &[ActionVerdicts], actions: &[Action]) -> AccessVerdict {
    if let Some(statement) = answers.iter().find_map(|access| access.denied) {
        return AccessVerdict::NotGranted(MissingGrant::Denied(statement));
    }
    let missing: Vec<Action> = answers
        .iter()
        .zip(actions)
        .filter(|(access, _)| !access.allowed && access.may_allow.is_none())
        .map(|(_, action)| *action)
        .collect();
    if !missing.is_empty() {
        return AccessVerdict::NotGranted(MissingGrant::Missing(missing));
    }
    let doubts = answers.iter().flat_map(|access| {
        let allow = if access.allowed { &None } else { &access.may_allow };
        [&access.may_deny, allow].into_iter().flatten()
    });
    match doubts.into_iter().next() {
        Some(doubt) => AccessVerdict::Unclear(doubt.clone()),
        None => AccessVerdict::Granted,
    }
}

impl fmt::Display for AccessVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AccessVerdict::Granted => f.write_str("granted"),
            AccessVerdict::NotGranted(lack) => write!(f, "not granted: {lack}"),
            AccessVerdict::Unclear(doubt) => write!(f, "unclear: {doubt}"),
        }
    }
}

impl fmt::Display for MissingGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MissingGrant::Missing(actions) => {
                let actions: Vec<&str> = actions.iter().map(|action| action.as_str()).collect();
                write!(f, "no statement gives {}", actions.join(" and "))
            }
            MissingGrant::Denied(statement) => write!(f, "statement {statement} denies it"),
        }
    }
}

impl fmt::Display for AccessDoubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AccessDoubt::Duplicate(path) => write!(f, "{} is given twice", quote(path)),
            AccessDoubt::UnknownVersion(version) => {
                write!(f, "the policy's Version {} is not known", quote(version))
            }
            AccessDoubt::NotAStatement(statement) => write!(f, "statement {statement} is no JSON object"),
            AccessDoubt::MayAllow { statement, element } => {
                write!(f, "statement {statement} may or may not grant it, because of its {element}")
            }
            AccessDoubt::MayDeny { statement, element } => {
                write!(f, "statement {statement} may deny it, because of its {element}")
            }
        }
    }
}

impl fmt::Display for Judgement {
    /// The verdict, the findings, and the right policy where there is something to put right.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Judgement { verdict, findings, instead } = self;
        write!(f, "{verdict}")?;
        for finding in findings {
            write!(f, "\n{finding}")?;
        }
        if !findings.is_empty() {
            write!(f, "\nthe right policy:\n{instead}")?;
        }
        Ok(())
    }
}

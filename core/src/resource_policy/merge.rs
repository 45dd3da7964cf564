//! The smallest change that adds or takes away what the keeper grants, with every other statement as it was.

use std::fmt;

use super::document::{Document, InvalidDocument, own_statement};
use super::finding::{ResourcePolicyFinding, findings, own_actions};
use super::json::Json;
use super::judgement::{AccessDoubt, AccessVerdict, MissingGrant, judge};
use super::resource::Grant;

/// The longest text that `PutResourcePolicy` takes, in characters.
pub const MAX_CHARACTERS: usize = 20_480;

/// How many findings a reason names: a policy has room for hundreds, and reasons are kept and mailed.
const FINDINGS_NAMED: usize = 6;

/// What to do so that the policy grants what is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "nothing is granted until it is put"]
pub enum Ensure {
    /// A statement has the effect already, of the keeper or of others.
    NotNeeded,
    /// Put this document, then read it back.
    Put(Document),
    /// Nothing may be written.
    Refused(GrantHold),
}

/// What to do so that the policy no longer says what the keeper added.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "nothing is taken away until it is put or deleted"]
pub enum Remove {
    /// Nothing of the keeper's is there.
    NotNeeded,
    /// Put this document: what others wrote.
    Put(Document),
    /// Delete the policy: nothing else was in it.
    Delete,
    /// Nothing may be written.
    Refused(GrantHold),
}

/// Why a resource policy is left as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GrantHold {
    /// The text is no policy document.
    Invalid(InvalidDocument),
    /// Whatever is added, the organization would still not be granted it.
    NotGranted(MissingGrant),
    /// Whatever is added, it could not be said whether the organization is granted it.
    Unclear(AccessDoubt),
    /// The document would hold what AWS documents that Bedrock refuses: each such finding, and at least one.
    Unsupported(Vec<ResourcePolicyFinding>),
    /// The document would be too long.
    TooLong {
        /// Its length in characters.
        characters: usize,
    },
    /// Bedrock refused a document that nothing speaks against.
    RefusedByBedrock {
        /// How many statements it had.
        statements: usize,
        /// What Bedrock said.
        message: String,
    },
}

impl From<InvalidDocument> for GrantHold {
    fn from(error: InvalidDocument) -> GrantHold {
        GrantHold::Invalid(error)
    }
}

/// What to put so that the organization is granted the resource.
///
/// A statement that says a part of it, and nothing else, is completed in its place. Otherwise the
/// keeper's statement is added at the end. Every other statement stays as it was, in its order.
pub fn ensure(document: Option<&Document>, grant: &Grant) -> Ensure {
    let Some(document) = document else {
        return Ensure::Put(Document::granting(grant));
    };
    if judge(Some(document), grant).verdict.is_granted() {
        return Ensure::NotNeeded;
    }
    let mut statements = document.statements().to_vec();
    match statements.iter().position(|statement| own_actions(statement, grant).is_some()) {
        Some(position) => statements[position] = own_statement(grant),
        None => statements.push(own_statement(grant)),
    }
    let merged = document.with_statements(statements);
    let hold = match judge(Some(&merged), grant).verdict {
        AccessVerdict::Granted => hold_writing(&merged, grant),
        AccessVerdict::NotGranted(lack) => Some(GrantHold::NotGranted(lack)),
        AccessVerdict::Unclear(doubt) => Some(GrantHold::Unclear(doubt)),
    };
    match hold {
        Some(hold) => Ensure::Refused(hold),
        None => Ensure::Put(merged),
    }
}

/// What to put so that the keeper's statement is gone.
///
/// The keeper's statement is known by its effect: the organization, this resource, all of its
/// actions, and nothing else. A statement that grants more or less, or carries a `Sid`, is foreign.
/// An equal statement that another principal wrote looks the same: call this only where the
/// record says that the keeper put it.
pub fn remove(document: Option<&Document>, grant: &Grant) -> Remove {
    let Some(document) = document else {
        return Remove::NotNeeded;
    };
    let is_own = |statement: &&Json| {
        own_actions(statement, grant).is_some_and(|actions| actions.len() == grant.resource.actions().len())
    };
    let statements = document.statements();
    let rest: Vec<Json> = statements.iter().filter(|statement| !is_own(statement)).cloned().collect();
    if rest.len() == statements.len() {
        return Remove::NotNeeded;
    }
    // Of two lists of statements, only one was looked at.
    if let Some(path) = document.duplicate() {
        return Remove::Refused(GrantHold::Unclear(AccessDoubt::Duplicate(path)));
    }
    if rest.is_empty() {
        return Remove::Delete;
    }
    let rest = document.with_statements(rest);
    match hold_writing(&rest, grant) {
        Some(hold) => Remove::Refused(hold),
        None => Remove::Put(rest),
    }
}

/// What speaks against putting a document.
fn hold_writing(document: &Document, grant: &Grant) -> Option<GrantHold> {
    let mut refused = findings(document, grant);
    refused.retain(|finding| finding.problem.is_refused_by_bedrock());
    if !refused.is_empty() {
        return Some(GrantHold::Unsupported(refused));
    }
    let characters = document.text().chars().count();
    (characters > MAX_CHARACTERS).then_some(GrantHold::TooLong { characters })
}

impl fmt::Display for GrantHold {
    /// Why nothing is written, then what to do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GrantHold::Invalid(error) => {
                write!(f, "{error}; put a valid policy, or delete it and let the keeper write one")
            }
            GrantHold::NotGranted(lack @ MissingGrant::Denied(_)) => {
                write!(
                    f,
                    "{lack}, whatever else is granted; remove that statement: the keeper never removes it"
                )
            }
            GrantHold::NotGranted(lack @ MissingGrant::Missing(_)) => {
                write!(f, "{lack}, whatever is added; check the whole resource policy")
            }
            GrantHold::Unclear(doubt) => {
                write!(
                    f,
                    "{doubt}; rewrite or remove that part: the keeper doesn't change what it can't read"
                )
            }
            GrantHold::Unsupported(findings) => {
                let named: Vec<String> =
                    findings.iter().take(FINDINGS_NAMED).map(ToString::to_string).collect();
                f.write_str(&named.join("; "))?;
                if let Some(more @ 1..) = findings.len().checked_sub(FINDINGS_NAMED) {
                    write!(f, "; {more} more of that kind")?;
                }
                f.write_str("; nothing is written while the policy holds what Bedrock doesn't support")
            }
            GrantHold::TooLong { characters } => write!(
                f,
                "the policy would have {characters} characters, more than the {MAX_CHARACTERS} that Bedrock takes; \
                 shorten or remove other statements"
            ),
            GrantHold::RefusedByBedrock { statements, message } => {
                write!(f, "Bedrock refused the policy: {}", super::quote(message))?;
                if *statements > 1 {
                    write!(
                        f,
                        "; it has {statements} statements, and Bedrock may take only one: \
                         remove the others if they are not needed: the keeper never overwrites them"
                    )?;
                }
                Ok(())
            }
        }
    }
}

//! How much of an audience a statement matches.
//!
//! A statement is asked two things at once: does it surely match *every* principal of the audience (what
//! an Allow must do to grant), and may it match *any* (what a Deny must not do). Each answer is
//! yes, no or "can't be said", so that what isn't understood is never taken for a grant or for harmless.

use std::collections::HashSet;

use crate::ids::{AccountId, KmsKeyArn, OrganizationId, Partition};
use crate::organization::OrgPath;

use super::resource::{Action, Resource};
use super::statement::{ConditionKey, Statement, Test, Who};
use super::wildcard::matches;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Certainty {
    No,
    Unknown,
    Yes,
}

impl Certainty {
    fn of(yes: bool) -> Certainty {
        if yes { Certainty::Yes } else { Certainty::No }
    }

    fn opposite(self) -> Certainty {
        match self {
            Certainty::No => Certainty::Yes,
            Certainty::Unknown => Certainty::Unknown,
            Certainty::Yes => Certainty::No,
        }
    }
}

/// What of an audience is matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reach {
    /// Every principal.
    pub(super) all: Certainty,
    /// Any principal.
    pub(super) any: Certainty,
}

impl Reach {
    pub(super) const ALL: Reach = Reach { all: Certainty::Yes, any: Certainty::Yes };
    pub(super) const NONE: Reach = Reach { all: Certainty::No, any: Certainty::No };
    pub(super) const UNKNOWN: Reach = Reach { all: Certainty::Unknown, any: Certainty::Unknown };
    /// Not every principal; whether any isn't known.
    const AT_MOST_SOME: Reach = Reach { all: Certainty::No, any: Certainty::Unknown };
    const SOME: Reach = Reach { all: Certainty::No, any: Certainty::Yes };

    fn whole(answer: Certainty) -> Reach {
        Reach { all: answer, any: answer }
    }

    /// What two elements of one statement match together.
    pub(super) fn and(self, other: Reach) -> Reach {
        let any = match (self, other) {
            (Reach { any: Certainty::No, .. }, _) | (_, Reach { any: Certainty::No, .. }) => Certainty::No,
            (Reach { all: Certainty::Yes, .. }, other) => other.any,
            (one, Reach { all: Certainty::Yes, .. }) => one.any,
            // Two parts of the audience may have no principal in common.
            (_, _) => Certainty::Unknown,
        };
        Reach { all: self.all.min(other.all), any }
    }

    /// What either of two values of one element matches.
    fn or(self, other: Reach) -> Reach {
        Reach { all: self.all.max(other.all), any: self.any.max(other.any) }
    }

    fn opposite(self) -> Reach {
        Reach { all: self.any.opposite(), any: self.all.opposite() }
    }
}

/// Whose access is asked about.
#[derive(Clone, Copy, Debug)]
pub(super) enum Audience<'a> {
    /// Every account that is or will be in the organization, wherever it stands.
    Organization(&'a OrganizationId),
    /// One account of the organization, where it stands now.
    Member { account: &'a AccountId, path: &'a OrgPath },
    /// One account of the organization, wherever it stands.
    Account { account: &'a AccountId, organization: &'a OrganizationId },
}

/// What a policy protects: a guardrail, a guardrail profile or a key.
#[derive(Clone, Debug)]
pub(super) struct Protected<'a> {
    pub(super) arn: String,
    pub(super) partition: &'a Partition,
    pub(super) account: &'a AccountId,
}

impl<'a> Protected<'a> {
    pub(super) fn resource(resource: &'a Resource) -> Protected<'a> {
        Protected { arn: resource.to_string(), partition: resource.partition(), account: resource.account() }
    }

    pub(super) fn key(key: &'a KmsKeyArn) -> Protected<'a> {
        Protected { arn: key.to_string(), partition: &key.partition, account: &key.account }
    }
}

impl Audience<'_> {
    fn organization(&self) -> &OrganizationId {
        match self {
            Audience::Organization(organization) | Audience::Account { account: _, organization } => {
                organization
            }
            Audience::Member { account: _, path } => path.organization(),
        }
    }
}

/// An element's name and what it matches.
pub(super) type Element = (&'static str, Reach);

impl Statement<'_> {
    /// What each element matches. The statement matches what all of them do.
    pub(super) fn reach(
        &self,
        audience: Audience<'_>,
        action: Action,
        resource: &Protected<'_>,
    ) -> [Element; 5] {
        let principal = match (self.principals(), self.not_principal) {
            (Some(principals), None) => {
                union(principals.iter().map(|who| principal_reach(who, audience, resource)))
            }
            (Some(_), Some(_)) | (None, _) => Reach::UNKNOWN,
        };
        let actions = match (self.actions(), self.not_action) {
            (Some(names), None) => union(names.iter().map(|name| Reach::whole(action_matches(name, action)))),
            (Some(_), Some(_)) | (None, _) => Reach::UNKNOWN,
        };
        let resources = match (self.resources(), self.not_resource) {
            (Some(names), None) => {
                union(names.iter().map(|name| Reach::whole(resource_matches(name, &resource.arn))))
            }
            (Some(_), Some(_)) | (None, _) => Reach::UNKNOWN,
        };
        let unknown = if self.unknown.is_some() { Reach::UNKNOWN } else { Reach::ALL };
        [
            ("Principal", principal),
            ("Action", actions),
            ("Resource", resources),
            ("Condition", condition_reach(self, audience)),
            ("unknown element", unknown),
        ]
    }
}

fn union(reaches: impl Iterator<Item = Reach>) -> Reach {
    reaches.fold(Reach::NONE, Reach::or)
}

fn principal_reach(who: &Who<'_>, audience: Audience<'_>, resource: &Protected<'_>) -> Reach {
    match (who, audience) {
        (Who::Everyone, _) => Reach::ALL,
        (Who::Account { partition: Some(partition), .. }, _) if *partition != resource.partition.as_str() => {
            Reach::AT_MOST_SOME
        }
        (
            Who::Account { account, .. },
            Audience::Member { account: member, .. } | Audience::Account { account: member, .. },
        ) => Reach::whole(Certainty::of(account == member)),
        (
            Who::Identity { account, .. },
            Audience::Member { account: member, .. } | Audience::Account { account: member, .. },
        ) => {
            if account == member {
                Reach::SOME
            } else {
                Reach::NONE
            }
        }
        // Which accounts the organization holds, the policy doesn't say.
        (Who::Account { .. } | Who::Identity { .. }, Audience::Organization(_)) => Reach::AT_MOST_SOME,
        (Who::AnyAccountRoot(_), _) => Reach::UNKNOWN,
        (Who::Other(_), _) => Reach::AT_MOST_SOME,
    }
}

/// The names of actions are not case-sensitive.
fn action_matches(pattern: &str, action: Action) -> Certainty {
    let (pattern, action) = (pattern.to_ascii_lowercase(), action.as_str().to_ascii_lowercase());
    let service_given = pattern.split_once(':').is_some_and(|(service, _)| !service.contains(['*', '?']));
    if !matches(&pattern, &action) {
        Certainty::No
    } else if pattern == "*" || service_given {
        Certainty::Yes
    } else {
        Certainty::Unknown
    }
}

/// A wildcard stays within its segment of the ARN. One that would have to reach over a colon is in doubt.
fn resource_matches(pattern: &str, arn: &str) -> Certainty {
    if has_variable(pattern) {
        return Certainty::Unknown;
    }
    let segments = |text: &str| -> Vec<String> { text.splitn(6, ':').map(str::to_owned).collect() };
    let (patterns, parts) = (segments(pattern), segments(arn));
    let by_segment = patterns.len() == parts.len()
        && patterns.iter().zip(&parts).all(|(pattern, part)| matches(pattern, part));
    if pattern == "*" || by_segment {
        Certainty::Yes
    } else if matches(pattern, arn) {
        Certainty::Unknown
    } else {
        Certainty::No
    }
}

fn condition_reach(statement: &Statement<'_>, audience: Audience<'_>) -> Reach {
    let Some(tests) = statement.tests() else { return Reach::UNKNOWN };
    let mut lines = HashSet::new();
    if !tests.iter().all(|test| lines.insert(test.line())) {
        return Reach::UNKNOWN;
    }
    tests.iter().map(|test| test_reach(test, audience)).fold(Reach::ALL, Reach::and)
}

fn test_reach(test: &Test<'_>, audience: Audience<'_>) -> Reach {
    if test.values.iter().any(|value| has_variable(value)) {
        return Reach::UNKNOWN;
    }
    // Members of an organization always carry both keys, so "if it exists" changes nothing for them.
    let operator = test.operator.strip_suffix("IfExists").unwrap_or(test.operator);
    match test.key() {
        ConditionKey::OrganizationId => {
            let id = audience.organization().as_str();
            let any = |equal: fn(&str, &str) -> bool| {
                Reach::whole(Certainty::of(test.values.iter().any(|value| equal(value, id))))
            };
            match operator {
                "StringEquals" => any(|value, id| value == id),
                "StringNotEquals" => any(|value, id| value == id).opposite(),
                "StringEqualsIgnoreCase" => any(str::eq_ignore_ascii_case),
                "StringNotEqualsIgnoreCase" => any(str::eq_ignore_ascii_case).opposite(),
                "StringLike" => any(matches),
                "StringNotLike" => any(matches).opposite(),
                _ => Reach::UNKNOWN,
            }
        }
        ConditionKey::OrganizationPaths => {
            let equal: fn(&str, &str) -> bool = match operator {
                "ForAnyValue:StringLike" => matches,
                "ForAnyValue:StringEquals" => |value, path| value == path,
                _ => return Reach::UNKNOWN,
            };
            match audience {
                Audience::Member { account: _, path } => {
                    let path = path.to_string();
                    Reach::whole(Certainty::of(test.values.iter().any(|value| equal(value, &path))))
                }
                Audience::Organization(id) | Audience::Account { account: _, organization: id } => {
                    let wildcards = operator == "ForAnyValue:StringLike";
                    union(test.values.iter().map(|value| paths_reach(value, id, wildcards)))
                }
            }
        }
        ConditionKey::Other => Reach::UNKNOWN,
    }
}

/// What one value of `aws:PrincipalOrgPaths` matches of a whole organization, whose root isn't known here.
fn paths_reach(value: &str, organization: &OrganizationId, wildcards: bool) -> Reach {
    let every_path = format!("{organization}/r-");
    let literal = value.split(['*', '?']).next().unwrap_or_default();
    let elsewhere = !literal.starts_with(&every_path) && !every_path.starts_with(literal);
    if elsewhere {
        return Reach::NONE;
    }
    let open_ended = wildcards && value.ends_with('*');
    let front = value.trim_end_matches('*');
    if open_ended && (0..=every_path.len()).any(|length| matches(front, &every_path[..length])) {
        return Reach::ALL;
    }
    // Accounts may stand right under the root, in no OU. `o-…/r-…/*` matches every account or none.
    let all = if open_ended && !value.contains("ou-") { Certainty::Unknown } else { Certainty::No };
    Reach { all, any: Certainty::Unknown }
}

fn has_variable(text: &str) -> bool {
    text.contains("${")
}

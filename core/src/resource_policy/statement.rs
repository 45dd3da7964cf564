//! One statement of a policy, taken apart as IAM reads it.

use crate::ids::AccountId;

use super::json::Json;

/// What a statement does to those it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StatementEffect {
    Allow,
    Deny,
}

/// A statement's elements, unread. What an element means is asked of the methods.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Statement<'a> {
    pub(super) sid: Option<&'a Json>,
    effect: Option<&'a Json>,
    principal: Option<&'a Json>,
    pub(super) not_principal: Option<&'a Json>,
    action: Option<&'a Json>,
    pub(super) not_action: Option<&'a Json>,
    resource: Option<&'a Json>,
    pub(super) not_resource: Option<&'a Json>,
    pub(super) condition: Option<&'a Json>,
    /// An element that IAM's grammar doesn't know. It may mean anything.
    pub(super) unknown: Option<&'a str>,
}

/// One principal of a `Principal` element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Who<'a> {
    /// `*`, in AWS or out of it; only a condition can narrow it.
    Everyone,
    /// A whole account, by its id or by its root's ARN.
    Account { account: AccountId, partition: Option<&'a str> },
    /// A role, user or session of one account.
    Identity { account: AccountId, text: &'a str },
    /// `arn:aws:iam::*:root`: widespread, and no principal of IAM's.
    AnyAccountRoot(&'a str),
    /// A service, a federation, a deleted role's id, or nonsense.
    Other(&'a str),
}

impl<'a> Statement<'a> {
    /// `None` for what is no object.
    pub(super) fn read(json: &'a Json) -> Option<Statement<'a>> {
        let mut statement = Statement::default();
        for (name, value) in json.as_object()? {
            // Element names are compared exactly: a misspelt one must not pass for the real one.
            let element = match name.as_str() {
                "Sid" => &mut statement.sid,
                "Effect" => &mut statement.effect,
                "Principal" => &mut statement.principal,
                "NotPrincipal" => &mut statement.not_principal,
                "Action" => &mut statement.action,
                "NotAction" => &mut statement.not_action,
                "Resource" => &mut statement.resource,
                "NotResource" => &mut statement.not_resource,
                "Condition" => &mut statement.condition,
                other => {
                    statement.unknown = Some(other);
                    continue;
                }
            };
            *element = Some(value);
        }
        Some(statement)
    }

    /// `None` where it is missing or anything but the two words, whose case counts.
    pub(super) fn effect(&self) -> Option<StatementEffect> {
        match self.effect?.as_str()? {
            "Allow" => Some(StatementEffect::Allow),
            "Deny" => Some(StatementEffect::Deny),
            _ => None,
        }
    }

    /// `None` where it is missing or can't be read.
    pub(super) fn principals(&self) -> Option<Vec<Who<'a>>> {
        match self.principal? {
            // Only the star may stand outside of an object.
            Json::String(text) if text == "*" => Some(vec![Who::Everyone]),
            Json::String(text) => Some(vec![Who::Other(text)]),
            Json::Object(kinds) => {
                let mut principals = Vec::new();
                for (kind, names) in kinds {
                    let names = names.strings()?;
                    if kind == "AWS" {
                        principals.extend(names.into_iter().map(Who::of));
                    } else {
                        principals.extend(names.into_iter().map(Who::Other));
                    }
                }
                (!principals.is_empty()).then_some(principals)
            }
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::Array(_) => None,
        }
    }

    /// `None` where they are missing or can't be read.
    pub(super) fn actions(&self) -> Option<Vec<&'a str>> {
        self.action?.strings()
    }

    /// `None` where they are missing or can't be read.
    pub(super) fn resources(&self) -> Option<Vec<&'a str>> {
        self.resource?.strings()
    }

    /// The tests of the condition; none at all where there is no condition; `None` where it can't be read.
    pub(super) fn tests(&self) -> Option<Vec<Test<'a>>> {
        let Some(condition) = self.condition else { return Some(Vec::new()) };
        let mut tests = Vec::new();
        for (operator, keys) in condition.as_object()? {
            let keys = keys.as_object().filter(|keys| !keys.is_empty())?;
            for (key, values) in keys {
                tests.push(Test { operator, key, values: values.strings()? });
            }
        }
        Some(tests)
    }
}

impl<'a> Who<'a> {
    /// Reads one name of an `"AWS"` list.
    fn of(text: &'a str) -> Who<'a> {
        if text == "*" {
            return Who::Everyone;
        }
        if let Ok(account) = text.parse() {
            return Who::Account { account, partition: None };
        }
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let ["arn", partition, service @ ("iam" | "sts"), _, account, name] = parts.as_slice() else {
            return Who::Other(text);
        };
        match (*service, account.parse(), *name) {
            ("iam", Ok(account), "root") => Who::Account { account, partition: Some(partition) },
            ("iam", Err(_), "root") if account.contains(['*', '?']) => Who::AnyAccountRoot(text),
            // A wildcard in a principal's ARN is a literal character that no name holds.
            (_, Ok(account), name) if !name.contains(['*', '?']) => Who::Identity { account, text },
            (_, Ok(_) | Err(_), _) => Who::Other(text),
        }
    }
}

/// One line of a condition: an operator, a key, and the values it is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Test<'a> {
    pub(super) operator: &'a str,
    key: &'a str,
    pub(super) values: Vec<&'a str>,
}

/// The condition keys that this program understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ConditionKey {
    OrganizationId,
    OrganizationPaths,
    Other,
}

impl<'a> Test<'a> {
    /// Which key it is: the names of keys are not case-sensitive.
    pub(super) fn key(&self) -> ConditionKey {
        if self.key.eq_ignore_ascii_case("aws:PrincipalOrgID") {
            ConditionKey::OrganizationId
        } else if self.key.eq_ignore_ascii_case("aws:PrincipalOrgPaths") {
            ConditionKey::OrganizationPaths
        } else {
            ConditionKey::Other
        }
    }

    /// As a finding names it.
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.operator, self.key)
    }

    /// What may stand only once in a condition; JSON lets it pass twice where the case differs.
    pub(super) fn line(&self) -> (&'a str, String) {
        (self.operator, self.key.to_ascii_lowercase())
    }
}

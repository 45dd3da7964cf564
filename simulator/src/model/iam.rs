//! IAM, deliberately small: roles that say who may assume them and what they may do.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::organization::Tags;

/// A role of one account.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// Its name, without a path.
    pub name: String,
    /// Who may assume it.
    pub trust: Trust,
    /// What its sessions may do.
    #[serde(default)]
    pub permissions: Permissions,
    /// Its path; `/` when left out. AWS keeps the roles that its services made under `/aws-service-role/`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// The most that it may do, whatever it is allowed besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boundary: Option<Permissions>,
}

/// A user of one account.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The name.
    pub name: String,
    /// What it may do.
    #[serde(default)]
    pub permissions: Permissions,
    /// The most that it may do, whatever it is allowed besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boundary: Option<Permissions>,
}

/// The trust policy of a role.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Trust {
    /// ARNs of principals (`…:root` admits the whole account), names of services, or `*`.
    pub principals: Vec<String>,
    /// What `ExternalId` must be, where the policy asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// The organization that the caller must belong to, where the policy asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
}

/// What a principal may do: allowed unless denied.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Permissions {
    /// Statements that allow.
    #[serde(default)]
    pub allow: Vec<Statement>,
    /// Statements that deny, whatever is allowed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<Statement>,
}

/// Actions on resources, both with `*` and `?` as wildcards.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// e.g. `bedrock:GetGuardrail`, `bedrock:*`.
    pub actions: Vec<String>,
    /// ARN patterns; `*` when left out.
    #[serde(default = "everything")]
    pub resources: Vec<String>,
    /// Only on guardrails and policies of the organization that have a tag with this key (`aws:ResourceTag`), where the
    /// policy asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tagged: Option<String>,
    /// Only where this function's code asks (`lambda:SourceFunctionArn`); in a statement that denies, only where
    /// it doesn't.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// Only policies of this type, e.g. `BEDROCK_POLICY` (`organizations:PolicyType`), where the policy asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_type: Option<String>,
}

impl Default for Statement {
    /// No action, on everything.
    fn default() -> Statement {
        let resources = everything();
        Statement { actions: Vec::new(), resources, tagged: None, function: None, policy_type: None }
    }
}

/// One action on one resource, and what conditions go by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) action: &'a str,
    pub(crate) resource: &'a str,
    /// The resource's tags, where it is a guardrail or a policy of the organization.
    pub(crate) tags: Option<&'a Tags>,
    /// The function whose code asks.
    pub(crate) function: Option<&'a str>,
    /// The type of policy that it is about, where Organizations tells one.
    pub(crate) policy_type: Option<&'a str>,
}

fn everything() -> Vec<String> {
    vec!["*".to_owned()]
}

/// What the permissions of a principal say about one action on one resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Allowed,
    /// No statement speaks of it.
    NotAllowed,
    /// A statement denies it, whatever others allow.
    Denied,
}

impl Statement {
    fn covers(&self, asked: &Asked<'_>) -> bool {
        let is_tagged = |key: &String| asked.tags.is_some_and(|tags| tags.contains_key(key));
        self.actions.iter().any(|pattern| matches_ignoring_case(pattern, asked.action))
            && self.resources.iter().any(|pattern| matches(pattern, asked.resource))
            && self.tagged.as_ref().is_none_or(is_tagged)
            && (self.policy_type.is_none() || self.policy_type.as_deref() == asked.policy_type)
    }

    fn allows(&self, asked: &Asked<'_>) -> bool {
        self.covers(asked) && (self.function.is_none() || self.function.as_deref() == asked.function)
    }

    fn denies(&self, asked: &Asked<'_>) -> bool {
        self.covers(asked) && (self.function.is_none() || self.function.as_deref() != asked.function)
    }
}

impl Permissions {
    /// Everything: an administrator.
    pub fn administrator() -> Permissions {
        Permissions {
            allow: vec![Statement { actions: everything(), ..Statement::default() }],
            deny: Vec::new(),
        }
    }

    pub(crate) fn verdict(&self, asked: &Asked<'_>) -> Verdict {
        if self.deny.iter().any(|statement| statement.denies(asked)) {
            Verdict::Denied
        } else if self.allow.iter().any(|statement| statement.allows(asked)) {
            Verdict::Allowed
        } else {
            Verdict::NotAllowed
        }
    }

    /// Reads the `Action` and `Resource` of an IAM policy document; `None` if it isn't one.
    ///
    /// Conditions are not read: a session policy here narrows by action and resource only.
    pub(crate) fn from_document(text: &str) -> Option<Permissions> {
        let document: Value = serde_json::from_str(text).ok()?;
        let mut permissions = Permissions::default();
        for statement in one_or_many(document.get("Statement")?) {
            let actions = strings(statement.get("Action")?)?;
            let resources = strings(statement.get("Resource")?)?;
            let read = Statement { actions, resources, ..Statement::default() };
            match statement.get("Effect")?.as_str()? {
                "Allow" => permissions.allow.push(read),
                "Deny" => permissions.deny.push(read),
                _ => return None,
            }
        }
        Some(permissions)
    }
}

impl Role {
    /// The ARN of the role in `account`.
    pub fn arn(&self, account: &str) -> String {
        format!("arn:aws:iam::{account}:role{}{}", self.path(), self.name)
    }

    /// Its path, with a slash at both ends.
    pub fn path(&self) -> &str {
        if self.path.is_empty() { "/" } else { &self.path }
    }

    pub(crate) fn verdict(&self, asked: &Asked<'_>) -> Verdict {
        within(self.permissions.verdict(asked), self.boundary.as_ref(), asked)
    }
}

/// A boundary allows nothing: what it doesn't speak of is taken away, and what it denies is denied.
pub(crate) fn within(allowed: Verdict, boundary: Option<&Permissions>, asked: &Asked<'_>) -> Verdict {
    match (allowed, boundary.map(|boundary| boundary.verdict(asked))) {
        (Verdict::Denied, _) | (_, Some(Verdict::Denied)) => Verdict::Denied,
        (Verdict::Allowed, Some(Verdict::NotAllowed)) => Verdict::NotAllowed,
        (allowed, _) => allowed,
    }
}

/// The role that Organizations makes in the accounts it creates, trusting the management account
/// (aws-facts §5): not in invited accounts, and not in the management account itself.
pub(crate) fn organization_access_role(name: &str, management_account: &str) -> Arc<Role> {
    Arc::new(Role {
        name: name.to_owned(),
        trust: Trust {
            principals: vec![format!("arn:aws:iam::{management_account}:root")],
            ..Trust::default()
        },
        permissions: Permissions::administrator(),
        ..Role::default()
    })
}

/// JSON policies write one of something without its brackets.
pub(crate) fn one_or_many(value: &Value) -> &[Value] {
    match value {
        Value::Array(many) => many,
        one => std::slice::from_ref(one),
    }
}

/// The strings of a value that is one string or a list of them.
pub(crate) fn strings(value: &Value) -> Option<Vec<String>> {
    one_or_many(value).iter().map(|each| each.as_str().map(str::to_owned)).collect()
}

/// IAM's wildcards: `*` for any run of characters, `?` for exactly one.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    // Where to go back to when a guess at the length of the last `*` turns out wrong.
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        if p < pattern.len() && pattern[p] == b'*' {
            retry = Some((p, t));
            p += 1;
        } else if p < pattern.len() && (pattern[p] == b'?' || pattern[p] == text[t]) {
            p += 1;
            t += 1;
        } else if let Some((star, from)) = retry {
            retry = Some((star, from + 1));
            p = star + 1;
            t = from + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|&rest| rest == b'*')
}

/// Actions compare without regard to case.
pub(crate) fn matches_ignoring_case(pattern: &str, action: &str) -> bool {
    matches(&pattern.to_ascii_lowercase(), &action.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_as_iam_does() {
        assert!(matches("*", ""));
        assert!(matches("arn:aws:iam::*:role/A?c", "arn:aws:iam::111111111111:role/Abc"));
        assert!(matches("o-x/*/ou-y/*", "o-x/r-a/ou-y/"));
        assert!(!matches("o-x/*/ou-y/*", "o-x/r-a/ou-z/"));
        assert!(matches_ignoring_case("bedrock:get*", "bedrock:GetGuardrail"));
    }

    #[test]
    fn a_denial_wins_over_what_is_allowed() {
        let permissions = Permissions::from_document(
            r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},
                {"Effect":"Deny","Action":["bedrock:Put*"],"Resource":"*"}]}"#,
        )
        .expect("a policy");
        let asked = |action| Asked { action, resource: "x", tags: None, function: None, policy_type: None };
        assert_eq!(permissions.verdict(&asked("bedrock:GetGuardrail")), Verdict::Allowed);
        assert_eq!(permissions.verdict(&asked("bedrock:PutResourcePolicy")), Verdict::Denied);
    }

    #[test]
    fn conditions_narrow_what_is_allowed_and_spare_from_what_is_denied() {
        let of = |statement: Statement| Statement { actions: vec!["bedrock:*".to_owned()], ..statement };
        let tagged = of(Statement { tagged: Some("ours".to_owned()), ..Statement::default() });
        let bound = of(Statement { function: Some("it".to_owned()), ..Statement::default() });
        let (ours, theirs) = (
            Tags::from([("ours".to_owned(), String::new())]),
            Tags::from([("theirs".to_owned(), String::new())]),
        );
        let asked = |tags, function| Asked {
            action: "bedrock:DeleteGuardrail",
            resource: "x",
            tags,
            function,
            policy_type: None,
        };
        let permissions = Permissions { allow: vec![tagged], deny: vec![bound] };
        assert_eq!(permissions.verdict(&asked(Some(&ours), Some("it"))), Verdict::Allowed);
        assert_eq!(permissions.verdict(&asked(Some(&theirs), Some("it"))), Verdict::NotAllowed);
        assert_eq!(permissions.verdict(&asked(None, Some("it"))), Verdict::NotAllowed);
        assert_eq!(permissions.verdict(&asked(Some(&ours), Some("another"))), Verdict::Denied);
        assert_eq!(permissions.verdict(&asked(Some(&ours), None)), Verdict::Denied);
    }
}

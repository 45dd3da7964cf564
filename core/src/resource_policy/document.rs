//! A policy document, read leniently and kept whole.

use std::fmt;
use std::str::FromStr;

use super::json::{InvalidJson, Json, JsonMember};
use super::resource::{Action, Grant};

/// A resource policy as it is attached, or as it is to be put.
///
/// It is not checked: whatever JSON object Bedrock returned is a document, and everything in it is
/// written back as it was. Two documents are equal when they were written alike, member by member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    members: Vec<JsonMember>,
}

/// A text that is no policy document at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDocument {
    /// The text can't be parsed.
    #[error("the policy is not JSON: {0}")]
    NotJson(String),
    /// JSON, but a list or a scalar.
    #[error("the policy is not a JSON object")]
    NotAnObject,
    /// Far longer, or nested far deeper, than any policy.
    #[error("the policy is not read: {0}")]
    Unreasonable(String),
}

impl FromStr for Document {
    type Err = InvalidDocument;

    fn from_str(text: &str) -> Result<Document, InvalidDocument> {
        match Json::parse(text) {
            Ok(Json::Object(members)) => Ok(Document { members }),
            Ok(Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_)) => {
                Err(InvalidDocument::NotAnObject)
            }
            Err(InvalidJson::Syntax(message)) => Err(InvalidDocument::NotJson(message)),
            Err(error @ (InvalidJson::TooLarge(_) | InvalidJson::TooDeep)) => {
                Err(InvalidDocument::Unreasonable(error.to_string()))
            }
        }
    }
}

impl Document {
    /// The policy that says what is wanted and nothing else, in the form of AWS's own example.
    ///
    /// It carries no `Sid`: whether Bedrock takes one is not documented.
    pub fn granting(grant: &Grant) -> Document {
        let members = vec![
            ("Version".to_owned(), Json::string("2012-10-17")),
            ("Statement".to_owned(), Json::Array(vec![own_statement(grant)])),
        ];
        Document { members }
    }

    /// The text to put: compact, because every character counts against the limit.
    pub fn text(&self) -> String {
        let Document { members } = self;
        Json::Object(members.clone()).to_string()
    }

    /// How many statements it has. Whether Bedrock takes more than one is not documented.
    pub fn statement_count(&self) -> usize {
        self.statements().len()
    }

    /// The members beside `Statement`.
    pub(super) fn others(&self) -> impl Iterator<Item = &JsonMember> {
        self.members.iter().filter(|(name, _)| name != "Statement")
    }

    /// The statements: a list of them, or a single one standing alone, as IAM allows.
    pub(super) fn statements(&self) -> &[Json] {
        self.members.iter().find(|(name, _)| name == "Statement").map_or(&[], |(_, value)| value.items())
    }

    /// The same document with other statements.
    pub(super) fn with_statements(&self, statements: Vec<Json>) -> Document {
        let statements = Json::Array(statements);
        let mut members = self.members.clone();
        match members.iter_mut().find(|(name, _)| name == "Statement") {
            Some((_, value)) => *value = statements,
            None => members.push(("Statement".to_owned(), statements)),
        }
        Document { members }
    }

    /// A version of the policy language that doesn't exist. Without any, IAM takes the older one.
    pub(super) fn unknown_version(&self) -> Option<String> {
        let (_, version) = self.members.iter().find(|(name, _)| name == "Version")?;
        match version.as_str() {
            Some("2012-10-17" | "2008-10-17") => None,
            Some(other) => Some(other.to_owned()),
            None => Some(version.to_string()),
        }
    }

    /// Where a member is given twice: parsers differ in which of the two they take.
    pub(super) fn duplicate(&self) -> Option<String> {
        let Document { members } = self;
        Json::Object(members.clone()).duplicate()
    }
}

/// The one statement that the keeper writes.
pub(super) fn own_statement(grant: &Grant) -> Json {
    let Grant { resource, organization } = grant;
    let member = |name: &str, value: Json| (name.to_owned(), value);
    let actions = resource.actions().iter().map(|action: &Action| Json::string(action.as_str())).collect();
    let organization = Json::Object(vec![member("aws:PrincipalOrgID", Json::string(organization.as_str()))]);
    Json::Object(vec![
        member("Effect", Json::string("Allow")),
        member("Principal", Json::string("*")),
        member("Action", Json::Array(actions)),
        member("Resource", Json::string(resource.to_string())),
        member("Condition", Json::Object(vec![member("StringEquals", organization)])),
    ])
}

impl fmt::Display for Document {
    /// Indented, for people. What is put is [`Document::text`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Document { members } = self;
        write!(f, "{:#}", Json::Object(members.clone()))
    }
}

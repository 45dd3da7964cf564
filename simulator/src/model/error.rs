//! The refusal of a call, before any protocol gives it a form.

use std::fmt;

use serde_json::{Map, Value};

/// Why AWS refuses a call: its error code, its message, and the members that some errors carry besides.
///
/// The HTTP status is not here: it depends on the service and its protocol, which the model doesn't know.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiError {
    /// The code by which clients tell errors apart, e.g. `ValidationException`.
    pub code: String,
    /// What a person reads.
    pub message: String,
    /// Members of the modelled error shape besides the message, e.g. `Reason`.
    pub members: Map<String, Value>,
}

impl ApiError {
    /// An error of any code.
    pub fn new(code: &str, message: impl Into<String>) -> ApiError {
        ApiError { code: code.to_owned(), message: message.into(), members: Map::new() }
    }

    /// The input is wrong, whoever sends it.
    pub fn validation(message: impl Into<String>) -> ApiError {
        ApiError::new("ValidationException", message)
    }

    /// What was named doesn't exist.
    pub fn not_found(message: impl Into<String>) -> ApiError {
        ApiError::new("ResourceNotFoundException", message)
    }

    /// The caller may not.
    pub fn denied(message: impl Into<String>) -> ApiError {
        ApiError::new("AccessDeniedException", message)
    }

    /// The state of things doesn't allow it.
    pub fn conflict(message: impl Into<String>) -> ApiError {
        ApiError::new("ConflictException", message)
    }

    /// An Organizations error that carries a `Reason`.
    pub fn because(code: &str, reason: &str, message: impl Into<String>) -> ApiError {
        ApiError::new(code, message).with("Reason", reason)
    }

    /// The same error with one more member.
    pub fn with(mut self, member: &str, value: impl Into<Value>) -> ApiError {
        self.members.insert(member.to_owned(), value.into());
        self
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for ApiError {}

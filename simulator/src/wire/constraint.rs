//! Checking an input against its shape, and telling what is wrong in AWS's words.

use serde_json::{Map, Value};

use super::schema::{Pattern, Range, Service, Shape};
use crate::model::error::ApiError;
use crate::model::message::{missing, parameter};

/// One thing that is wrong with an input.
struct Violation {
    path: String,
    value: String,
    constraint: String,
    /// Organizations' `Reason` for it.
    reason: &'static str,
}

impl Violation {
    /// SQS has codes of its own, and looks for a queue before anything else.
    fn in_sqs(&self) -> ApiError {
        let name = self.path[..1].to_ascii_uppercase() + &self.path[1..];
        match (name.as_str(), self.reason) {
            ("QueueUrl", _) => ApiError::new("QueueDoesNotExist", "The specified queue does not exist."),
            ("QueueName", "INPUT_REQUIRED") => {
                parameter("Value for parameter QueueName is invalid. Reason: Must specify a queue name.")
            }
            (_, "INPUT_REQUIRED") => missing(name.rsplit('.').next().unwrap_or(&name)),
            (_, "INVALID_ENUM" | "INVALID_ENUM_POLICY_TYPE") => ApiError::new(
                "InvalidAttributeName",
                format!("Unknown Attribute {}.", self.value.trim_matches('\'')),
            ),
            _ => parameter(&format!(
                "Value {} for parameter {name} is invalid. Reason: {}.",
                self.value, self.constraint
            )),
        }
    }
}

/// Checks the members of an input.
///
/// # Errors
/// What the service answers for inputs that violate its model.
pub(crate) fn check(
    service_name: &str,
    service: &Service,
    shape: &Shape,
    input: &Map<String, Value>,
) -> Result<(), ApiError> {
    let mut check = Check { service, violations: Vec::new(), misfit: None };
    check.structure(shape, input, "");
    if let Some(path) = check.misfit {
        let message = format!("The value at '{path}' has the wrong type.");
        return Err(ApiError::new("SerializationException", message));
    }
    let Some(first) = check.violations.first() else { return Ok(()) };
    if service_name == "organizations" {
        let message =
            format!("You provided a value that violates a constraint: {} {}", first.path, first.constraint);
        return Err(ApiError::because("InvalidInputException", first.reason, message));
    }
    if service_name == "sqs" {
        return Err(first.in_sqs());
    }
    let count = check.violations.len();
    let each: Vec<String> = check
        .violations
        .iter()
        .map(|violation| {
            let Violation { path, value, constraint, .. } = violation;
            format!("Value {value} at '{path}' failed to satisfy constraint: {constraint}")
        })
        .collect();
    let noun = if count == 1 { "error" } else { "errors" };
    let message = format!("{count} validation {noun} detected: {}", each.join("; "));
    let code = match service_name {
        "sts" | "iam" | "cloudformation" => "ValidationError",
        "sns" => "InvalidParameter",
        _ => "ValidationException",
    };
    Err(ApiError::new(code, message))
}

struct Check<'a> {
    service: &'a Service,
    violations: Vec<Violation>,
    /// Where a value has another type than its shape, which AWS can't even read.
    misfit: Option<String>,
}

impl Check<'_> {
    fn structure(&mut self, shape: &Shape, input: &Map<String, Value>, path: &str) {
        let Shape::Structure { members, required, union, .. } = shape else { return };
        for name in required {
            if input.get(name).is_none_or(Value::is_null) {
                self.violate(&join(path, name), None, "Member must not be null", "INPUT_REQUIRED");
            }
        }
        for (name, member) in members {
            if let Some(value) = input.get(name).filter(|value| !value.is_null()) {
                self.value(&member.shape, value, &join(path, name));
            }
        }
        if *union && input.values().filter(|value| !value.is_null()).count() != 1 {
            self.violate(path, None, "Member must have exactly one member set", "INPUT_REQUIRED");
        }
    }

    fn value(&mut self, shape_name: &str, value: &Value, path: &str) {
        let Some(shape) = self.service.shapes.get(shape_name) else { return };
        match (shape, value) {
            (Shape::Structure { .. }, Value::Object(members)) => self.structure(shape, members, path),
            (Shape::List { member, min, max }, Value::Array(items)) => {
                self.length(items.len(), *min, *max, path, value);
                for (index, item) in items.iter().enumerate() {
                    self.value(member, item, &format!("{path}.{}.member", index + 1));
                }
            }
            (Shape::Map { key, value: inner }, Value::Object(entries)) => {
                for (name, entry) in entries {
                    self.value(key, &Value::String(name.clone()), &format!("{path}.key"));
                    self.value(inner, entry, &format!("{path}.{name}"));
                }
            }
            (Shape::String { min, max, pattern, values }, Value::String(text)) => {
                self.length(text.chars().count(), *min, *max, path, value);
                self.text(text, pattern.as_ref(), values.as_deref(), path);
            }
            (Shape::Integer(range) | Shape::Long(range), Value::Number(number))
                if number.as_f64().is_some_and(|n| n.fract() == 0.0) =>
            {
                self.range(number.as_f64(), range, path);
            }
            (Shape::Double(range) | Shape::Float(range), Value::Number(number)) => {
                self.range(number.as_f64(), range, path);
            }
            (Shape::Boolean {}, Value::Bool(_))
            | (Shape::Blob {}, Value::String(_))
            | (Shape::Timestamp {}, Value::String(_) | Value::Number(_))
            | (Shape::Document {}, _) => {}
            _ => {
                self.misfit.get_or_insert_with(|| path.to_owned());
            }
        }
    }

    fn text(&mut self, text: &str, pattern: Option<&Pattern>, values: Option<&[String]>, path: &str) {
        if let Some(pattern) = pattern.filter(|pattern| !pattern.matches(text)) {
            let constraint = format!("Member must satisfy regular expression pattern: {}", pattern.text);
            self.violate(path, Some(text), &constraint, "INVALID_PATTERN");
        }
        if let Some(values) = values.filter(|values| !values.iter().any(|value| value == text)) {
            let constraint = format!("Member must satisfy enum value set: [{}]", values.join(", "));
            // Organizations has a reason of its own for types of policies.
            let of_policies = matches!(path, "policyType" | "filter" | "type");
            let reason = if of_policies { "INVALID_ENUM_POLICY_TYPE" } else { "INVALID_ENUM" };
            self.violate(path, Some(text), &constraint, reason);
        }
    }

    fn length(&mut self, length: usize, min: Option<f64>, max: Option<f64>, path: &str, value: &Value) {
        let length = length as f64;
        let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        if let Some(max) = max.filter(|max| length > *max) {
            let constraint = format!("Member must have length less than or equal to {max}");
            self.violate(path, Some(&shown), &constraint, "MAX_LENGTH_EXCEEDED");
        }
        if let Some(min) = min.filter(|min| length < *min) {
            let constraint = format!("Member must have length greater than or equal to {min}");
            self.violate(path, Some(&shown), &constraint, "MIN_LENGTH_EXCEEDED");
        }
    }

    fn range(&mut self, number: Option<f64>, range: &Range, path: &str) {
        let number = number.unwrap_or_default();
        if let Some(max) = range.max.filter(|max| number > *max) {
            let constraint = format!("Member must have value less than or equal to {max}");
            self.violate(path, Some(&number.to_string()), &constraint, "MAX_VALUE_EXCEEDED");
        }
        if let Some(min) = range.min.filter(|min| number < *min) {
            let constraint = format!("Member must have value greater than or equal to {min}");
            self.violate(path, Some(&number.to_string()), &constraint, "MIN_VALUE_EXCEEDED");
        }
    }

    fn violate(&mut self, path: &str, value: Option<&str>, constraint: &str, reason: &'static str) {
        // A long value would only bury what is wrong with it.
        let value = match value {
            None => "null".to_owned(),
            Some(value) => format!("'{}'", value.chars().take(256).collect::<String>()),
        };
        self.violations.push(Violation {
            path: path.to_owned(),
            value,
            constraint: constraint.to_owned(),
            reason,
        });
    }
}

/// AWS writes the names of members with a small first letter, whatever the protocol.
fn join(path: &str, name: &str) -> String {
    let mut letters = name.chars();
    let small: String =
        letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect();
    if path.is_empty() { small } else { format!("{path}.{small}") }
}

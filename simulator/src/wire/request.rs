//! Reading a request: who sends it, which operation it means, and with what input.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, Method, Uri};
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::schema::{Location, Operation, SCHEMA, Service, Shape};
use super::{compatible, constraint};
use crate::model::error::ApiError;

/// A request as it was sent.
pub(crate) struct Request {
    /// From the credential scope; nothing for a request that isn't signed.
    pub(crate) credential: Option<Credential>,
    /// The session token.
    pub(crate) token: Option<String>,
    pub(crate) user_agent: String,
    /// The service; for one that isn't modelled, another whose protocol the client probably speaks.
    pub(crate) service: &'static str,
    /// The operation, or what stands for it in the log if there is none.
    pub(crate) operation: String,
    /// The input, or why there is none.
    pub(crate) input: Result<Input, ApiError>,
}

/// The parts of a request that an input can be in.
#[derive(Clone, Copy)]
pub(crate) struct Parts<'a> {
    pub(crate) method: &'a Method,
    pub(crate) uri: &'a Uri,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

/// `Credential=<access key>/<date>/<region>/<service>/aws4_request`. The signature isn't verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Credential {
    pub(crate) access_key: String,
    pub(crate) region: String,
    pub(crate) service: String,
}

/// The members of an input, wherever in the request they were: the input is valid when one of these exists.
#[derive(Clone, Debug, Default)]
pub(crate) struct Input {
    pub(crate) members: Map<String, Value>,
    /// The body where it isn't made of members, as for InvokeModel.
    pub(crate) payload: Vec<u8>,
    /// Where the client found this simulator, e.g. `http://127.0.0.1:4510`.
    pub(crate) endpoint: String,
    /// The trace that the request belongs to.
    pub(crate) trace: Option<String>,
}

impl Input {
    /// A member that its shape requires; validation saw that it is there.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.optional(name).unwrap_or_default()
    }

    /// A member that may be left out.
    pub(crate) fn optional(&self, name: &str) -> Option<&str> {
        self.members.get(name).and_then(Value::as_str)
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.members.get(name).and_then(Value::as_u64)
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.members.get(name).and_then(Value::as_bool).unwrap_or_default()
    }

    /// The strings of a list.
    pub(crate) fn texts(&self, name: &str) -> Vec<&str> {
        let list = self.members.get(name).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// A member, or the whole input for an empty name, as a type of the model.
    pub(crate) fn parse<T: DeserializeOwned>(&self, name: &str) -> Result<T, ApiError> {
        let value = match name {
            "" => Value::Object(self.members.clone()),
            name => self.members.get(name).cloned().unwrap_or_default(),
        };
        parsed(value)
    }
}

/// A member as a type of the model.
pub(crate) fn parsed<T: DeserializeOwned>(value: Value) -> Result<T, ApiError> {
    // Validation passed, so this can only be a misfit between the schema and the model's types.
    serde_json::from_value(value).map_err(|error| ApiError::new("SerializationException", error.to_string()))
}

impl Credential {
    fn parse(headers: &HeaderMap) -> Option<Credential> {
        let header = headers.get("authorization")?.to_str().ok()?;
        let scope = header.strip_prefix("AWS4-HMAC-SHA256")?.split("Credential=").nth(1)?;
        let mut parts = scope.split([',', ' ']).next()?.split('/');
        let (access_key, _date) = (parts.next()?, parts.next()?);
        let (region, service) = (parts.next()?, parts.next()?);
        Some(Credential {
            access_key: access_key.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
        })
    }
}

impl Request {
    /// The service as the client named it, for the log.
    pub(crate) fn named_service(&self) -> &str {
        match &self.credential {
            // The runtime signs as the control plane does.
            Some(credential) if credential.service != "bedrock" => &credential.service,
            _ => self.service,
        }
    }

    /// Reads a request. Every request can be read: what is wrong with it is in the result.
    pub(crate) fn read(parts: Parts<'_>) -> Request {
        let Parts { method, uri, headers, body } = parts;
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let credential = Credential::parse(headers);
        let target = header("x-amz-target");
        let scope = credential.as_ref().map_or("", |credential| credential.service.as_str());
        let (service, operation, mut input) = match (scope, target.as_deref()) {
            (
                "organizations" | "ssm" | "sqs" | "events" | "cloudtrail" | "dynamodb" | "kms",
                Some(target),
            ) => json(scope, target, body),
            ("organizations", None) => unknown("organizations", "no x-amz-target"),
            ("ssm", None) => unknown("ssm", "no x-amz-target"),
            ("sqs", None) => unknown("sqs", "no x-amz-target"),
            ("dynamodb", None) => unknown("dynamodb", "no x-amz-target"),
            ("events", None) => unknown("events", "no x-amz-target"),
            ("kms", None) => unknown("kms", "no x-amz-target"),
            ("cloudtrail", None) => unknown("cloudtrail", "no x-amz-target"),
            ("sts" | "iam" | "cloudformation" | "sns", _) => query(scope, body),
            ("account", _) => rest(&["account"], parts),
            ("lambda", _) => rest(&["lambda"], parts),
            ("bedrock" | "bedrock-mantle", _) => bedrock(scope, parts),
            // Nobody signed it, or for a service that isn't modelled: the form of the answer is guessed.
            (_, Some(target)) => unknown("organizations", target),
            _ => unknown("bedrock", &format!("{method} {}", uri.path())),
        };
        if let Ok(input) = &mut input {
            input.endpoint = format!("http://{}", header("host").unwrap_or_default());
            input.trace = header("x-amzn-trace-id");
        }
        Request {
            credential,
            token: header("x-amz-security-token"),
            user_agent: header("user-agent").unwrap_or_default(),
            service,
            operation,
            input,
        }
    }
}

type Read = (&'static str, String, Result<Input, ApiError>);

fn unknown(service: &'static str, operation: &str) -> Read {
    let message = format!("{operation} is not an operation that this simulator models.");
    (service, operation.to_owned(), Err(ApiError::new("UnknownOperationException", message)))
}

/// The name under which the schema has a service.
fn known(name: &str) -> Option<(&'static str, &'static Service)> {
    SCHEMA.services.get_key_value(name).map(|(name, service)| (name.as_str(), service))
}

/// JSON 1.0 and 1.1: the operation is named by `x-amz-target`, the body is the input.
fn json(scope: &str, target: &str, body: &[u8]) -> Read {
    let Some((name, service)) = known(scope) else { return unknown("organizations", target) };
    let operation = target.rsplit('.').next().unwrap_or(target);
    if !service.operations.contains_key(operation) {
        return unknown(name, operation);
    }
    let input = object(body).and_then(|members| validated(name, operation, members, Vec::new()));
    (name, operation.to_owned(), input)
}

/// The query protocol: the operation is a form field, and lists are spelled `Tags.member.1.Key`.
fn query(scope: &str, body: &[u8]) -> Read {
    let fields: BTreeMap<String, String> = pairs(&String::from_utf8_lossy(body)).into_iter().collect();
    let operation = fields.get("Action").map_or("", String::as_str);
    let Some((name, service)) = known(scope) else { return unknown("sts", operation) };
    if !service.operations.contains_key(operation) {
        return unknown(name, if operation.is_empty() { "no Action" } else { operation });
    }
    let shape = SCHEMA.input(name, operation).map(|(_, shape)| shape);
    let members = shape.map(|shape| form_members(service, shape, "", &fields)).unwrap_or_default();
    (name, operation.to_owned(), validated(name, operation, members, Vec::new()))
}

/// The members of a structure that is spread over the fields of a form.
fn form_members(
    service: &Service,
    shape: &Shape,
    prefix: &str,
    fields: &BTreeMap<String, String>,
) -> Map<String, Value> {
    let Shape::Structure { members, .. } = shape else { return Map::new() };
    let found = members.iter().filter_map(|(name, member)| {
        let shape = service.shapes.get(&member.shape)?;
        Some((name.clone(), form_value(service, shape, &format!("{prefix}{name}"), fields)?))
    });
    found.collect()
}

fn form_value(
    service: &Service,
    shape: &Shape,
    path: &str,
    fields: &BTreeMap<String, String>,
) -> Option<Value> {
    match shape {
        Shape::Structure { .. } => {
            let members = form_members(service, shape, &format!("{path}."), fields);
            (!members.is_empty()).then_some(Value::Object(members))
        }
        Shape::List { member, .. } => {
            let member = service.shapes.get(member)?;
            let item =
                |number: usize| form_value(service, member, &format!("{path}.member.{number}"), fields);
            let items: Vec<Value> = (1..).map_while(item).collect();
            (!items.is_empty()).then_some(Value::Array(items))
        }
        // What isn't of its type stays text, and is told so by its constraint.
        Shape::Integer(_) => {
            let text = fields.get(path)?;
            Some(text.parse::<i64>().map_or_else(|_| Value::from(text.as_str()), Value::from))
        }
        Shape::Boolean {} => {
            let text = fields.get(path)?;
            Some(text.parse::<bool>().map_or_else(|_| Value::from(text.as_str()), Value::from))
        }
        _ => fields.get(path).map(|text| Value::from(text.as_str())),
    }
}

/// REST-JSON: the operation is the method and the path; members are in the path, the query, headers and body.
fn rest(services: &[&str], parts: Parts<'_>) -> Read {
    let Parts { method, uri, .. } = parts;
    for (name, service) in services.iter().filter_map(|service| known(service)) {
        for (operation, route) in &service.operations {
            if route.method != method.as_str() {
                continue;
            }
            let Some(labels) = labels(&route.uri, uri.path()) else { continue };
            let input = rest_members(service, route, &labels, parts)
                .and_then(|(members, payload)| validated(name, operation, members, payload));
            return (name, operation.clone(), input);
        }
    }
    let first = known(services[0]).map_or("bedrock", |(name, _)| name);
    unknown(first, &format!("{method} {}", uri.path()))
}

/// Bedrock's own APIs, and those of other makers in front of its models.
fn bedrock(scope: &str, parts: Parts<'_>) -> Read {
    let Parts { method, uri, headers, body } = parts;
    match compatible::read(scope, (method, uri, headers, body)) {
        Some((operation, input)) => ("bedrock-runtime", operation, input),
        None if scope == "bedrock" => rest(&["bedrock", "bedrock-runtime"], parts),
        None => unknown("bedrock", &format!("{method} {}", uri.path())),
    }
}

/// The labels of a path that fits a template such as `/guardrails/{guardrailIdentifier}`.
///
/// A label is one segment: the slash inside an ARN comes percent-encoded.
fn labels<'a>(template: &'a str, path: &str) -> Option<Vec<(&'a str, String)>> {
    let (mut wanted, mut seen) = (template.split('/'), path.split('/'));
    let mut labels = Vec::new();
    loop {
        match (wanted.next(), seen.next()) {
            (None, None) => return Some(labels),
            (Some(part), Some(segment)) => {
                match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
                    Some(label) => {
                        labels.push((label, percent_decode_str(segment).decode_utf8_lossy().into_owned()));
                    }
                    None if part == segment => {}
                    None => return None,
                }
            }
            _ => return None,
        }
    }
}

/// Gathers the members of an input from everywhere, and the body where that is not made of members.
fn rest_members(
    service: &Service,
    route: &Operation,
    labels: &[(&str, String)],
    parts: Parts<'_>,
) -> Result<(Map<String, Value>, Vec<u8>), ApiError> {
    let Parts { uri, headers, body, .. } = parts;
    let Some(Shape::Structure { members: shapes, payload, .. }) =
        route.input.as_ref().and_then(|input| service.shapes.get(input))
    else {
        return Ok((Map::new(), Vec::new()));
    };
    let mut members = if payload.is_some() { Map::new() } else { object(body)? };
    let query = pairs(uri.query().unwrap_or_default());
    for (member, shape) in shapes {
        let wire_name = shape.name.as_deref().unwrap_or(member);
        let found = match shape.location {
            None => continue,
            Some(Location::Uri) => {
                labels.iter().find(|(label, _)| *label == wire_name).map(|(_, text)| text.clone())
            }
            Some(Location::Querystring) => {
                query.iter().find(|(field, _)| field == wire_name).map(|(_, text)| text.clone())
            }
            Some(Location::Header) => {
                headers.get(wire_name).and_then(|value| value.to_str().ok()).map(str::to_owned)
            }
        };
        // A member that belongs elsewhere doesn't count where it isn't looked for.
        members.remove(member);
        if let Some(text) = found {
            let number = matches!(service.shapes.get(&shape.shape), Some(Shape::Integer(_)));
            let number = number.then(|| text.parse::<i64>().ok()).flatten();
            members.insert(member.clone(), number.map_or_else(|| Value::from(text), Value::from));
        }
    }
    Ok((members, if payload.is_some() { body.to_vec() } else { Vec::new() }))
}

/// Checks an input, and drops members that the service doesn't know, as AWS does.
fn validated(
    service: &str,
    operation: &str,
    mut members: Map<String, Value>,
    payload: Vec<u8>,
) -> Result<Input, ApiError> {
    let Some((described, shape)) = SCHEMA.input(service, operation) else { return Ok(Input::default()) };
    constraint::check(service, described, shape, &members)?;
    if let Shape::Structure { members: known, .. } = shape {
        members.retain(|name, value| known.contains_key(name) && !value.is_null());
    }
    Ok(Input { members, payload, ..Input::default() })
}

/// A body of JSON; no body at all is an empty object.
fn object(body: &[u8]) -> Result<Map<String, Value>, ApiError> {
    if body.is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(ApiError::new("SerializationException", "The body is not a JSON object.")),
        Err(error) => Err(ApiError::new("SerializationException", format!("The body is not JSON: {error}."))),
    }
}

/// The fields of a form or of a query string.
fn pairs(text: &str) -> Vec<(String, String)> {
    let decode = |part: &str| percent_decode_str(&part.replace('+', " ")).decode_utf8_lossy().into_owned();
    let fields = text.split('&').filter(|field| !field.is_empty());
    fields
        .map(|field| field.split_once('=').unwrap_or((field, "")))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_credential_scope_names_key_region_and_service() {
        let mut headers = HeaderMap::new();
        let value = "AWS4-HMAC-SHA256 Credential=SIM111111111111/20261102/eu-west-1/bedrock/aws4_request, SignedHeaders=host, Signature=0";
        headers.insert("authorization", value.parse().expect("a header"));
        let credential = Credential::parse(&headers).expect("a credential");
        assert_eq!(
            (credential.access_key.as_str(), credential.region.as_str(), credential.service.as_str()),
            ("SIM111111111111", "eu-west-1", "bedrock")
        );
    }

    #[test]
    fn an_encoded_arn_is_one_label() {
        let path =
            "/resource-policy/arn%3Aaws%3Abedrock%3Aus-east-1%3A222222222222%3Aguardrail%2Fusbase1a2b3c";
        let labels = labels("/resource-policy/{resourceArn}", path).expect("it fits");
        assert_eq!(labels[0].1, "arn:aws:bedrock:us-east-1:222222222222:guardrail/usbase1a2b3c");
    }
}

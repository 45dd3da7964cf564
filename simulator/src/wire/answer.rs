//! Writing an answer in the form of its protocol.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode};
use serde_json::{Map, Value};

use super::schema::SCHEMA;
use crate::model::error::ApiError;

/// What an operation answers when it succeeds.
#[derive(Clone, Debug)]
pub(crate) enum Output {
    /// The members of the output.
    Json(Value),
    /// The operation has no output.
    Nothing,
    /// The inside of the query protocol's result element.
    Xml(String),
    /// The body is the output, with a content type and sometimes a header of its own.
    Raw { content_type: &'static str, header: Option<(&'static str, &'static str)>, body: Vec<u8> },
}

/// An answer, ready to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) body: Vec<u8>,
    /// The error code, for the `x-amzn-errortype` header and for the log.
    pub(crate) error: Option<String>,
    pub(crate) request_id: String,
    /// A header that only this operation has.
    header: Option<(&'static str, &'static str)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Protocol {
    RestJson,
    /// JSON 1.0; SQS's has the error codes of the query protocol that it took the place of.
    Json10,
    Json,
    Query,
}

fn protocol(service: &str) -> Protocol {
    match service {
        "sts" | "iam" | "cloudformation" | "sns" => Protocol::Query,
        "organizations" | "ssm" | "events" | "cloudtrail" | "kms" => Protocol::Json,
        "sqs" | "dynamodb" => Protocol::Json10,
        _ => Protocol::RestJson,
    }
}

impl Answer {
    pub(crate) fn success(service: &str, operation: &str, output: Output, request_id: String) -> Answer {
        let status = SCHEMA.services.get(service).and_then(|service| service.operations.get(operation));
        let status = status.map_or(200, |operation| operation.status);
        let header = if let Output::Raw { header, .. } = &output { *header } else { None };
        let namespace = namespace(service);
        let (content_type, body) = match (output, protocol(service)) {
            (Output::Raw { content_type, body, .. }, _) => (content_type.to_owned(), body),
            (Output::Xml(inner), _) => (
                "text/xml".to_owned(),
                format!(
                    "<{operation}Response xmlns=\"{namespace}\">\n  <{operation}Result>{inner}</{operation}Result>\n  <ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>\n</{operation}Response>\n"
                )
                .into_bytes(),
            ),
            (Output::Json(value), protocol) => (json_type(protocol), value.to_string().into_bytes()),
            (Output::Nothing, Protocol::RestJson) => (json_type(Protocol::RestJson), b"{}".to_vec()),
            (Output::Nothing, protocol) => (json_type(protocol), Vec::new()),
        };
        Answer { status, content_type, body, error: None, request_id, header }
    }

    pub(crate) fn failure(service: &str, error: &ApiError, request_id: String) -> Answer {
        let error = spoken(service, error);
        let status = status(service, &error.code);
        Answer::failure_with_status(service, &error, status, request_id)
    }

    /// An error with a status of its own, for faults.
    pub(crate) fn failure_with_status(
        service: &str,
        error: &ApiError,
        status: u16,
        request_id: String,
    ) -> Answer {
        let mut members: Map<String, Value> = error.members.clone();
        let (content_type, body) = match protocol(service) {
            Protocol::RestJson => {
                members.insert("message".to_owned(), error.message.clone().into());
                (json_type(Protocol::RestJson), Value::Object(members).to_string())
            }
            Protocol::Json => {
                members.insert("__type".to_owned(), error.code.clone().into());
                let name = if service == "organizations" { "Message" } else { "message" };
                members.insert(name.to_owned(), error.message.clone().into());
                (json_type(Protocol::Json), Value::Object(members).to_string())
            }
            Protocol::Json10 => {
                // Errors that the service doesn't model come from the framework that AWS's services are made with.
                let modelled =
                    SCHEMA.services.get(service).is_some_and(|s| s.errors.contains_key(&error.code));
                let namespace = match (modelled, service) {
                    (true, "dynamodb") => "com.amazonaws.dynamodb.v20120810",
                    (true, _) => "com.amazonaws.sqs",
                    (false, "dynamodb") if error.code == "ValidationException" => "com.amazon.coral.validate",
                    (false, _) => "com.amazon.coral.service",
                };
                members.insert("__type".to_owned(), format!("{namespace}#{}", error.code).into());
                members.insert("message".to_owned(), error.message.clone().into());
                (json_type(Protocol::Json10), Value::Object(members).to_string())
            }
            Protocol::Query => {
                let fault = if status >= 500 { "Receiver" } else { "Sender" };
                let namespace = namespace(service);
                let (code, message) = (escape(&error.code), escape(&error.message));
                let body = format!(
                    "<ErrorResponse xmlns=\"{namespace}\">\n  <Error>\n    <Type>{fault}</Type>\n    <Code>{code}</Code>\n    <Message>{message}</Message>\n  </Error>\n  <RequestId>{request_id}</RequestId>\n</ErrorResponse>\n"
                );
                ("text/xml".to_owned(), body)
            }
        };
        Answer {
            status,
            content_type,
            body: body.into_bytes(),
            error: Some(error.code.clone()),
            request_id,
            header: None,
        }
    }

    /// The answer as HTTP.
    pub(crate) fn into_response(self, service: &str) -> Response<Body> {
        let Answer { status, content_type, body, error, request_id, header } = self;
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        let mut set = |name: &'static str, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        set("content-type", &content_type);
        set("x-amzn-requestid", &request_id);
        if let Some((name, value)) = header {
            set(name, value);
        }
        match (error, protocol(service)) {
            // AWS appends a namespace, which clients must cut off.
            (Some(code), Protocol::RestJson) => set(
                "x-amzn-errortype",
                &format!("{code}:http://internal.amazon.com/coral/com.amazon.{service}/"),
            ),
            (Some(code), Protocol::Json10) if service == "sqs" => {
                let fault = if status >= 500 { "Receiver" } else { "Sender" };
                set("x-amzn-query-error", &format!("{};{fault}", super::sqs::query_code(&code)));
            }
            _ => {}
        }
        response
    }
}

/// The namespace of a service's XML.
fn namespace(service: &str) -> &'static str {
    match service {
        "iam" => "https://iam.amazonaws.com/doc/2010-05-08/",
        "cloudformation" => "http://cloudformation.amazonaws.com/doc/2010-05-15/",
        "sns" => "http://sns.amazonaws.com/doc/2010-03-31/",
        _ => "https://sts.amazonaws.com/doc/2011-06-15/",
    }
}

fn json_type(protocol: Protocol) -> String {
    match protocol {
        Protocol::Json => "application/x-amz-json-1.1",
        Protocol::Json10 => "application/x-amz-json-1.0",
        Protocol::RestJson | Protocol::Query => "application/json",
    }
    .to_owned()
}

/// The same refusal in the words of a service: some codes differ from one protocol to another.
fn spoken(service: &str, error: &ApiError) -> ApiError {
    let code = match (service, error.code.as_str()) {
        ("sts" | "iam" | "cloudformation" | "sns", "UnrecognizedClientException") => "InvalidClientTokenId",
        ("sns", "AccessDeniedException") => "AuthorizationError",
        ("sns", "ThrottlingException") => "Throttled",
        ("sns", "InternalServerException") => "InternalError",
        ("sts" | "iam" | "cloudformation", "AccessDeniedException") => "AccessDenied",
        ("sts" | "iam" | "cloudformation" | "sns", "ExpiredTokenException") => "ExpiredToken",
        ("sts" | "iam" | "cloudformation" | "sns", "MissingAuthenticationTokenException") => {
            "MissingAuthenticationToken"
        }
        ("sts" | "iam" | "cloudformation" | "sns", "UnknownOperationException") => "InvalidAction",
        ("sts" | "iam" | "cloudformation", "ThrottlingException") => "Throttling",
        ("sts" | "iam" | "cloudformation", "InternalServerException") => "InternalFailure",
        ("organizations" | "account", "ThrottlingException") => "TooManyRequestsException",
        ("organizations", "InternalServerException") => "ServiceException",
        ("organizations", "ValidationException") => "InvalidInputException",
        ("ssm" | "dynamodb", "InternalServerException") => "InternalServerError",
        ("sqs", "InternalServerException") => "InternalFailure",
        ("sqs", "ThrottlingException") => "RequestThrottled",
        ("lambda", "ThrottlingException") => "TooManyRequestsException",
        ("lambda", "InternalServerException") => "ServiceException",
        ("events", "InternalServerException") => "InternalException",
        (_, code) => code,
    };
    ApiError { code: code.to_owned(), message: error.message.clone(), members: error.members.clone() }
}

/// The status that a service sends with an error code.
fn status(service: &str, code: &str) -> u16 {
    match code {
        // The models of the JSON services name no status; faults of the service are 500.
        "ServiceException" | "InternalServerError" | "InternalFailure" | "InternalException" => return 500,
        "UnknownOperationException" if protocol(service) == Protocol::RestJson => return 404,
        "AccessDeniedException"
        | "UnrecognizedClientException"
        | "ExpiredTokenException"
        | "MissingAuthenticationTokenException"
        | "SubscriptionRequiredException"
            if protocol(service) == Protocol::RestJson =>
        {
            return 403;
        }
        // SQS kept the statuses of the query protocol that it spoke before.
        "ReceiptHandleIsInvalid" => return 404,
        "PurgeQueueInProgress" | "RequestThrottled" => return 403,
        "AccessDeniedException"
        | "UnrecognizedClientException"
        | "ExpiredTokenException"
        | "MissingAuthenticationTokenException"
            if service == "sqs" =>
        {
            return 403;
        }
        "InvalidClientTokenId" | "AccessDenied" | "ExpiredToken" | "MissingAuthenticationToken" => {
            return 403;
        }
        _ => {}
    }
    let modelled = SCHEMA.services.get(service).and_then(|service| service.errors.get(code));
    modelled.copied().unwrap_or(400)
}

/// Text inside an XML element.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

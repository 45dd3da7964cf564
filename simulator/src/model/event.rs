//! The events that AWS would deliver, in the account and Region where they would appear.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::caller::{Caller, Principal};
use super::error::ApiError;
use super::{Model, clock};

/// Where all of Organizations' trail data is visible (aws-facts §4.1).
pub(crate) const HOME_REGION: &str = "us-east-1";

/// One event on one account's default bus.
#[derive(Clone, Debug, Serialize)]
pub struct EmittedEvent {
    /// Its number, from 1 without gaps.
    pub sequence: u64,
    /// The account whose bus it is on.
    pub account: String,
    /// The Region of that bus.
    pub region: String,
    /// The event as EventBridge delivers it.
    pub event: Value,
}

/// What CloudTrail writes about one API call.
pub(crate) struct Trail {
    source: &'static str,
    name: String,
    request: Value,
    response: Value,
    error: Option<(String, String)>,
}

impl Trail {
    pub(crate) fn bedrock(name: &str, request: Value, response: Value) -> Trail {
        Trail { source: "bedrock", name: name.to_owned(), request, response, error: None }
    }

    pub(crate) fn organizations(name: &str, request: Value, response: Value) -> Trail {
        Trail { source: "organizations", name: name.to_owned(), request, response, error: None }
    }

    pub(crate) fn account(name: &str, request: Value) -> Trail {
        Trail { source: "account", name: name.to_owned(), request, response: Value::Null, error: None }
    }

    pub(crate) fn ssm(name: &str, request: Value, response: Value) -> Trail {
        Trail { source: "ssm", name: name.to_owned(), request, response, error: None }
    }

    /// A call that was refused. Those are delivered too (aws-facts §4.1).
    pub(crate) fn refused(source: &'static str, name: &str, request: Value, error: &ApiError) -> Trail {
        // CloudTrail has one code for denials, whatever the service calls its exception.
        let denied = matches!(error.code.as_str(), "AccessDeniedException" | "AccessDenied");
        let code = if denied { "AccessDenied" } else { &error.code };
        let error = Some((code.to_owned(), error.message.clone()));
        Trail { source, name: name.to_owned(), request, response: Value::Null, error }
    }
}

impl Model {
    /// What was emitted, oldest first; only the latest are kept (`keep_events` of the world's settings).
    pub fn events(&self) -> &[EmittedEvent] {
        &self.events
    }

    /// Forgets what was emitted. Numbers go on.
    pub fn clear_events(&mut self) {
        self.events.clear();
    }

    /// Emits what CloudTrail and EventBridge make of a call: on the caller's bus, in the Region of the call.
    pub(crate) fn trail(&mut self, caller: &Caller, trail: Trail) {
        let Trail { source, name, request, response, error } = trail;
        let global = matches!(source, "organizations" | "account");
        let region = if global { HOME_REGION.to_owned() } else { caller.region.clone() };
        let account = caller.account().to_owned();
        let mut detail = json!({
            "eventVersion": "1.11",
            "userIdentity": self.user_identity(caller),
            "eventTime": clock::iso8601(self.now()),
            "eventSource": format!("{source}.amazonaws.com"),
            "eventName": name,
            "awsRegion": region,
            "sourceIPAddress": "127.0.0.1",
            "userAgent": caller.user_agent,
            "requestParameters": request,
            "responseElements": response,
            "requestID": caller.request_id,
            "eventID": self.ids.uuid(),
            "readOnly": false,
            "eventType": "AwsApiCall",
            "managementEvent": true,
            "recipientAccountId": account,
            "eventCategory": "Management",
        });
        if let Some((code, message)) = error {
            detail["errorCode"] = code.into();
            detail["errorMessage"] = message.into();
        }
        self.emit(&account, &region, source, "AWS API Call via CloudTrail", &detail);
    }

    /// Emits what an AWS service reports of its own doing to the management account.
    ///
    /// Organizations' service events carry no `requestID` and say that Organizations invoked them
    /// (aws-facts §4.2).
    pub(crate) fn organizations_service_event(&mut self, name: &str, details: &Value) {
        self.service_event(name, details, false);
    }

    /// What became of an account's effective policy. AWS says of it that it only reads (aws-facts §3).
    pub(crate) fn organizations_validation_event(&mut self, details: &Value) {
        self.service_event("EffectivePolicyValidation", details, true);
    }

    fn service_event(&mut self, name: &str, details: &Value, read_only: bool) {
        let account = self.organization.management_account.clone();
        let detail = json!({
            "eventVersion": "1.11",
            "userIdentity": { "accountId": account, "invokedBy": "organizations.amazonaws.com" },
            "eventTime": clock::iso8601(self.now()),
            "eventSource": "organizations.amazonaws.com",
            "eventName": name,
            "awsRegion": HOME_REGION,
            "sourceIPAddress": "organizations.amazonaws.com",
            "userAgent": "organizations.amazonaws.com",
            "requestParameters": null,
            "responseElements": null,
            "eventID": self.ids.uuid(),
            "readOnly": read_only,
            "eventType": "AwsServiceEvent",
            "managementEvent": true,
            "recipientAccountId": account,
            "serviceEventDetails": details,
            "eventCategory": "Management",
        });
        self.emit(&account, HOME_REGION, "organizations", "AWS Service Event via CloudTrail", &detail);
    }

    /// Puts an event on a bus, in EventBridge's envelope.
    pub(crate) fn emit(&mut self, account: &str, region: &str, source: &str, kind: &str, detail: &Value) {
        self.emit_about(account, region, source, kind, &[], detail);
    }

    /// The same, about resources that the envelope names.
    pub(crate) fn emit_about(
        &mut self,
        account: &str,
        region: &str,
        source: &str,
        kind: &str,
        resources: &[String],
        detail: &Value,
    ) {
        let event = json!({
            "version": "0",
            "id": self.ids.uuid(),
            "detail-type": kind,
            "source": format!("aws.{source}"),
            "account": account,
            "time": format!("{:.0}", self.now()),
            "region": region,
            "resources": resources,
            "detail": detail,
        });
        self.emitted += 1;
        let (account, region) = (account.to_owned(), region.to_owned());
        self.events.push(EmittedEvent { sequence: self.emitted, account, region, event });
        // Dropping the older half at twice the size keeps a slice to read and costs next to nothing.
        if self.events.len() >= self.settings.keep_events.max(1) * 2 {
            self.events.drain(..self.events.len() - self.settings.keep_events.max(1));
        }
    }

    fn user_identity(&self, caller: &Caller) -> Value {
        let account = caller.account();
        let arn = caller.principal.arn();
        match &caller.principal {
            Principal::Administrator { .. } => json!({
                "type": "IAMUser",
                "principalId": format!("AIDA{account}ADMI"),
                "arn": arn,
                "accountId": account,
                "accessKeyId": caller.access_key,
                "userName": "administrator",
            }),
            Principal::Session(session) => json!({
                "type": "AssumedRole",
                "principalId": format!("{}:{}", role_id(account, &session.role), session.name),
                "arn": arn,
                "accountId": account,
                "accessKeyId": caller.access_key,
                "sessionContext": {
                    "sessionIssuer": {
                        "type": "Role",
                        "principalId": role_id(account, &session.role),
                        "arn": caller.principal.role_arn(),
                        "accountId": account,
                        "userName": session.role,
                    },
                    "attributes": {
                        "creationDate": clock::iso8601(session.created),
                        "mfaAuthenticated": "false",
                    },
                },
            }),
        }
    }
}

/// The unique id of a role: always the same for the same role of the same account.
pub(crate) fn role_id(account: &str, role: &str) -> String {
    let seed = format!("{account}/{role}").bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("AROA{}", super::ids::Ids::seeded(seed).upper(17))
}

/// English, as `serviceEventDetails` writes its times (aws-facts §4.2): nothing to parse.
pub(crate) fn english(at: jiff::Timestamp) -> String {
    at.strftime("%b %-d, %Y, %-I:%M:%S %p").to_string()
}

/// The members of a request as CloudTrail shows them, for calls that were refused. Policies of the organization are
/// readable (organization-policies §1.9); its own resource policy isn't.
pub(crate) fn refused_request(service: &str, operation: &str, request: &Map<String, Value>) -> Value {
    match (service, operation) {
        ("organizations", "CreatePolicy" | "UpdatePolicy") => {
            let shown = request.iter().filter(|(name, _)| *name != "Tags");
            Value::Object(shown.map(|(name, value)| (small(name), value.clone())).collect())
        }
        ("organizations", "PutResourcePolicy") => json!({ "content": super::guardrails::HIDDEN }),
        _ => masked(request),
    }
}

/// A name with a small first letter.
fn small(name: &str) -> String {
    name[..1].to_ascii_lowercase() + &name[1..]
}

/// The members of a request as CloudTrail shows them: secrets masked, and every name with a small first letter.
pub(crate) fn masked(request: &Map<String, Value>) -> Value {
    let shown = request.iter().map(|(name, value)| {
        let name = small(name);
        let secret = name.ends_with("PolicyConfig")
            || name.starts_with("blocked")
            || matches!(name.as_str(), "name" | "description" | "email" | "accountName" | "value");
        let value = if secret { super::guardrails::HIDDEN.into() } else { value.clone() };
        (name, value)
    });
    Value::Object(shown.collect())
}

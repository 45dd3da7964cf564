//! An event as it came, read member by member.
//!
//! Whatever is missing, null, masked or of another type than documented reads as absent. Nothing
//! here fails, because an event that can't be read in full must still be decided on.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::reason::Ignored;
use crate::ids::{AccountId, Region, Role};

/// What CloudTrail writes instead of a value that it doesn't show.
const MASKED: &str = "HIDDEN_DUE_TO_SECURITY_REASONS";

/// How long an event's id may be. EventBridge's have 36 characters.
const ID_LIMIT: usize = 256;

/// The domains of service principals, by partition.
const DOMAINS: [&str; 3] = ["amazonaws.com", "amazonaws.com.cn", "amazonaws.eu"];

/// An event in EventBridge's envelope.
pub(super) struct Envelope<'a> {
    root: &'a Map<String, Value>,
    /// `None` where it is missing or no object.
    detail: Option<Cow<'a, Map<String, Value>>>,
}

impl<'a> Envelope<'a> {
    pub(super) fn new(root: &'a Map<String, Value>) -> Envelope<'a> {
        let detail = match root.get("detail") {
            Some(Value::Object(detail)) => Some(Cow::Borrowed(detail)),
            // EventBridge Scheduler sends its detail as text. One level is unpacked, no more.
            Some(Value::String(text)) => serde_json::from_str(text).ok().map(Cow::Owned),
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_)) | None => None,
        };
        Envelope { root, detail }
    }

    /// A text of the envelope itself.
    pub(super) fn outer(&self, member: &str) -> Option<Cow<'_, str>> {
        self.root.get(member).and_then(text)
    }

    /// The detail, if it is an object.
    pub(super) fn detail(&self) -> Option<&Map<String, Value>> {
        self.detail.as_deref()
    }

    /// What lies at a path within the detail.
    pub(super) fn value(&self, path: &[&str]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        rest.iter().try_fold(self.detail()?.get(*first)?, |value, member| value.get(*member))
    }

    /// The text at a path within the detail.
    pub(super) fn text(&self, path: &[&str]) -> Option<Cow<'_, str>> {
        self.value(path).and_then(text)
    }

    /// Whether the text at a path is this word, in any case.
    pub(super) fn says(&self, path: &[&str], word: &str) -> bool {
        self.text(path).is_some_and(|text| text.eq_ignore_ascii_case(word))
    }

    /// The service that `eventSource` names: `organizations` of `organizations.amazonaws.com`.
    ///
    /// What is there but is no service of AWS's reads as the whole text, which equals none.
    pub(super) fn event_source(&self) -> Option<Cow<'_, str>> {
        let host = self.text(&["eventSource"])?;
        match host.split_once('.') {
            Some((service, domain)) if DOMAINS.contains(&domain) => Some(Cow::Owned(service.to_owned())),
            Some(_) | None => Some(host),
        }
    }

    /// The account at the first of these paths that holds one.
    pub(super) fn account_at(&self, paths: &[&[&str]]) -> Result<AccountId, Ignored> {
        first_account(paths.iter().filter_map(|path| self.value(path)))
    }

    /// The account in which the call was made: the recipient's, else the caller's, else the envelope's.
    ///
    /// Only for events that concern the account they come from. Where several are given they must agree.
    pub(super) fn home(&self) -> Result<AccountId, Ignored> {
        let outer = self.sender();
        let inner = self.account_at(&[&["recipientAccountId"]]);
        let inner = match inner {
            Err(Ignored::NoAccount) => self.account_at(&[&["userIdentity", "accountId"]]),
            Ok(_) | Err(_) => inner,
        };
        match (inner, outer) {
            (Ok(inner), Ok(outer)) if inner != outer => Err(Ignored::AccountsDisagree),
            (Ok(account), Ok(_) | Err(Ignored::NoAccount)) | (Err(Ignored::NoAccount), Ok(account)) => {
                Ok(account)
            }
            (Err(reason), _) | (Ok(_), Err(reason)) => Err(reason),
        }
    }

    /// The account that sent the event, where the envelope says so.
    pub(super) fn sender(&self) -> Result<AccountId, Ignored> {
        self.root.get("account").map_or(Err(Ignored::NoAccount), account)
    }

    /// The Region of the call, by the detail or else by the envelope.
    pub(super) fn region(&self) -> Option<Region> {
        let inner = self.text(&["awsRegion"]).and_then(|text| text.parse().ok());
        inner.or_else(|| self.outer("region")?.parse().ok())
    }

    /// Whether the call failed.
    pub(super) fn failed(&self) -> bool {
        ["errorCode", "errorMessage"].iter().any(|member| match self.value(&[member]) {
            None | Some(Value::Null | Value::Bool(false)) => false,
            Some(Value::String(text)) => !text.is_empty(),
            Some(Value::Bool(true) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => true,
        })
    }

    /// Whether the call only read.
    pub(super) fn read_only(&self) -> bool {
        self.value(&["readOnly"]) == Some(&Value::Bool(true)) || self.says(&["readOnly"], "true")
    }

    /// When it happened, in seconds since 1970 (UTC). `None` where the time can't be read.
    pub(super) fn time(&self) -> Option<i64> {
        let inner = self.value(&["eventTime"]).and_then(seconds);
        inner.or_else(|| self.root.get("time").and_then(seconds))
    }

    /// The event's id. `None` if it is longer than any id, or has characters that would disturb a line of the log.
    pub(super) fn id(&self) -> Option<String> {
        let is_one = |id: &Cow<'_, str>| {
            !id.is_empty() && id.len() <= ID_LIMIT && id.bytes().all(|byte| byte.is_ascii_graphic())
        };
        let outer = self.outer("id").filter(is_one);
        Some(outer.or_else(|| self.text(&["eventID"]).filter(is_one))?.into_owned())
    }

    /// The roles by which the event describes its caller, in every way it does.
    pub(super) fn callers(&self) -> Vec<Role> {
        let issuer = ["userIdentity", "sessionContext", "sessionIssuer"];
        let by_arn =
            [self.text(&["userIdentity", "arn"]), self.text(&[issuer[0], issuer[1], issuer[2], "arn"])];
        let mut roles: Vec<Role> =
            by_arn.iter().flatten().filter_map(|arn| Role::of_principal(arn)).collect();
        if roles.is_empty() {
            let name = self.text(&[issuer[0], issuer[1], issuer[2], "userName"]);
            let account = self.account_at(&[&[issuer[0], issuer[1], issuer[2], "accountId"]]);
            if let (Some(Ok(name)), Ok(account)) = (name.map(|name| name.parse()), account) {
                roles.push(Role { account, name });
            }
        }
        roles
    }
}

/// The first value that is an account. Without one, whether there was anything at all.
pub(super) fn first_account<'a>(values: impl IntoIterator<Item = &'a Value>) -> Result<AccountId, Ignored> {
    let mut failure = Ignored::NoAccount;
    for value in values {
        match account(value) {
            Ok(account) => return Ok(account),
            Err(Ignored::NoAccount) => {}
            Err(reason) => failure = reason,
        }
    }
    Err(failure)
}

fn account(value: &Value) -> Result<AccountId, Ignored> {
    match text(value) {
        Some(text) => text.parse().map_err(|_| Ignored::InvalidAccount),
        None if matches!(value, Value::Null | Value::String(_) | Value::Object(_)) => Err(Ignored::NoAccount),
        None => Err(Ignored::InvalidAccount),
    }
}

/// A text, or a number written where a text belongs.
fn text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) if text.is_empty() || text == MASKED => None,
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn seconds(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => text.trim().parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second),
        // Milliseconds since 1970 have outgrown any second that will matter here.
        Value::Number(number) => number.as_f64().map(|at| (if at > 1e11 { at / 1e3 } else { at }) as i64),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

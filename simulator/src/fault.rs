//! Faults: what goes wrong on purpose, and when.

use serde::{Deserialize, Serialize};

/// Something that goes wrong for calls that match.
///
/// ```
/// use simulator::{Fault, FaultKind};
///
/// let second_put_in_one_account = Fault::new(FaultKind::Throttle)
///     .operation("PutEnforcedGuardrailConfiguration")
///     .account("300000000001")
///     .nth(2);
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What happens.
    pub kind: FaultKind,
    /// Only this service, e.g. `bedrock`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Only this operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// Only calls by this account, or about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Only this Region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Only calls about this: what the call log shows as the target, or the last part of its path, such as
    /// the name of a queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// How many matching calls go through first.
    #[serde(default)]
    pub after: u32,
    /// How many are struck then; all of them when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// Whether the call is carried out before the fault strikes, so that only its answer is lost.
    #[serde(default)]
    pub carried_out: bool,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// The service's throttling error.
    Throttle,
    /// The service's internal error, status 500.
    ServerError,
    /// No answer, ever.
    Hang,
    /// The connection is closed without an answer.
    Reset,
    /// The answer begins and never ends.
    StallBody,
    /// The service's access-denied error, with a message of its own.
    Denied {
        /// The message.
        message: String,
    },
    /// The answer is what it was when the fault was set: a replica that stopped following.
    StaleRead,
    /// The answer is what it was before the last write: a replica that is one write behind. Before the first
    /// write it is what it was when the fault was set. What isn't a read goes through.
    LaggingRead,
    /// The client dies: the connection is closed without an answer, and whoever waits for
    /// [`Server::crashed`](crate::Server::crashed) is told before the client can notice.
    Crash,
    /// Of a batch (SendMessageBatch, DeleteMessageBatch, PutEvents) the first entry and every other one after
    /// it fails; the rest is carried out. What is no batch goes through.
    PartOfBatch {
        /// The code of each failure, e.g. `InternalError`.
        code: String,
    },
    /// A list answers as if it held nothing, and as if that were its last page.
    NothingListed,
    /// Any error.
    Error {
        /// Its code.
        code: String,
        /// Its message.
        message: String,
        /// The HTTP status.
        status: u16,
    },
}

impl FaultKind {
    /// A denial in the words of a service control policy.
    pub fn denied_by_service_control_policy(action: &str) -> FaultKind {
        FaultKind::Denied {
            message: format!(
                "You are not authorized to perform: {action} with an explicit deny in a service control policy"
            ),
        }
    }

    /// Another writer changed the organization at the same moment.
    pub fn concurrent_modification() -> FaultKind {
        let message = "The target of the operation is currently being modified by a different request.";
        FaultKind::refusal("ConcurrentModificationException", message)
    }

    /// The organization's policies are changing.
    pub fn policy_changes_in_progress() -> FaultKind {
        let message = "Changes to the effective policy are in progress.";
        FaultKind::refusal("PolicyChangesInProgressException", message)
    }

    fn refusal(code: &str, message: &str) -> FaultKind {
        FaultKind::Error { code: code.to_owned(), message: message.to_owned(), status: 400 }
    }

    /// Whether it is made of what the model answers.
    pub(crate) fn needs_the_model(&self) -> bool {
        matches!(
            self,
            FaultKind::StaleRead
                | FaultKind::LaggingRead
                | FaultKind::PartOfBatch { .. }
                | FaultKind::NothingListed
        )
    }

    /// The name in the call log.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            FaultKind::Throttle => "throttle",
            FaultKind::ServerError => "server-error",
            FaultKind::Hang => "hang",
            FaultKind::Reset => "reset",
            FaultKind::StallBody => "stall-body",
            FaultKind::Denied { .. } => "denied",
            FaultKind::StaleRead => "stale-read",
            FaultKind::LaggingRead => "lagging-read",
            FaultKind::Crash => "crash",
            FaultKind::PartOfBatch { .. } => "part-of-batch",
            FaultKind::NothingListed => "nothing-listed",
            FaultKind::Error { .. } => "error",
        }
    }
}

impl Fault {
    /// A fault that strikes every call until it is narrowed.
    pub fn new(kind: FaultKind) -> Fault {
        Fault {
            kind,
            service: None,
            operation: None,
            account: None,
            region: None,
            about: None,
            after: 0,
            times: None,
            carried_out: false,
        }
    }

    /// Only this service.
    #[must_use]
    pub fn service(mut self, service: &str) -> Fault {
        self.service = Some(service.to_owned());
        self
    }

    /// Only this operation.
    #[must_use]
    pub fn operation(mut self, operation: &str) -> Fault {
        self.operation = Some(operation.to_owned());
        self
    }

    /// Only calls by this account, or about it (as AssumeRole into it).
    #[must_use]
    pub fn account(mut self, account: &str) -> Fault {
        self.account = Some(account.to_owned());
        self
    }

    /// Only this Region.
    #[must_use]
    pub fn region(mut self, region: &str) -> Fault {
        self.region = Some(region.to_owned());
        self
    }

    /// Only calls about this, e.g. the queue of this name.
    #[must_use]
    pub fn about(mut self, target: &str) -> Fault {
        self.about = Some(target.to_owned());
        self
    }

    /// Only the nth matching call from now on, counted from 1.
    #[must_use]
    pub fn nth(mut self, number: u32) -> Fault {
        self.after = number.saturating_sub(1);
        self.times = Some(1);
        self
    }

    /// Only the next so many matching calls.
    #[must_use]
    pub fn times(mut self, times: u32) -> Fault {
        self.times = Some(times);
        self
    }

    /// The call is carried out first; only its answer is lost.
    #[must_use]
    pub fn after_carrying_out(mut self) -> Fault {
        self.carried_out = true;
        self
    }

    fn matches(&self, call: &Subject<'_>) -> bool {
        let only =
            |wanted: &Option<String>, seen: &str| wanted.as_deref().is_none_or(|wanted| wanted == seen);
        let account = self.account.as_deref().is_none_or(|wanted| {
            wanted == call.account
                || call.target.is_some_and(|target| target.split(':').any(|part| part == wanted))
        });
        let about = self.about.as_deref().is_none_or(|wanted| {
            let named = |target: &str| target == wanted || target.rsplit('/').next() == Some(wanted);
            call.target.is_some_and(named)
        });
        about
            && only(&self.service, call.service)
            && only(&self.operation, call.operation)
            && only(&self.region, call.region)
            && account
    }
}

/// What faults and latencies are matched with.
pub(crate) struct Subject<'a> {
    pub(crate) service: &'a str,
    pub(crate) operation: &'a str,
    pub(crate) account: &'a str,
    pub(crate) region: &'a str,
    pub(crate) target: Option<&'a str>,
}

/// The faults that are set, with what each has seen so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    set: Vec<(Fault, u32)>,
}

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.set.push((fault, 0));
    }

    pub(crate) fn clear(&mut self) {
        self.set.clear();
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Fault> {
        self.set.iter().map(|(fault, _)| fault)
    }

    /// The fault that strikes this call, if one does. Every matching fault counts it.
    pub(crate) fn strike(&mut self, call: &Subject<'_>) -> Option<Fault> {
        let mut striking = None;
        for (fault, seen) in &mut self.set {
            if !fault.matches(call) {
                continue;
            }
            *seen = seen.saturating_add(1);
            let number = *seen;
            let strikes =
                number > fault.after && fault.times.is_none_or(|times| number - fault.after <= times);
            if strikes && striking.is_none() {
                striking = Some(fault.clone());
            }
        }
        striking
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_counts_only_what_it_matches() {
        let mut faults = Faults::default();
        faults.add(Fault::new(FaultKind::Throttle).account("300000000001").nth(2));
        let call = |account, target| Subject {
            service: "sts",
            operation: "AssumeRole",
            account,
            region: "r",
            target,
        };
        let arn = Some("arn:aws:iam::300000000001:role/R");
        assert!(faults.strike(&call("111111111111", None)).is_none(), "another account");
        assert!(faults.strike(&call("111111111111", arn)).is_none(), "the first about it");
        assert!(faults.strike(&call("300000000001", None)).is_some(), "the second");
        assert!(faults.strike(&call("300000000001", None)).is_none(), "the third");
    }
}

//! The model with everything around it that a running simulator keeps: faults, latencies, limits, the log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::asked::Asked;
use crate::call::Call;
use crate::fault::{Fault, FaultKind, Faults, Subject};
use crate::model::Model;
use crate::model::caller::Caller;
use crate::model::error::ApiError;
use crate::model::event::{Trail, refused_request};
use crate::model::ids::Ids;
use crate::partial::{every_other, nothing_listed};
use crate::switches::OnOff;
use crate::throttle::Throttle;
use crate::wire::answer::{Answer, Output};
use crate::wire::dynamodb::is_consistent;
use crate::wire::request::{Input, Request};
use crate::wire::{carry_out, writes};

/// How many calls the log keeps at least.
const KEEP_CALLS: usize = 200_000;

pub(crate) struct State {
    pub(crate) model: Model,
    /// What the model was when the first stale-read fault was set.
    replica: Option<Box<Model>>,
    /// What the model was before the last write, while a lagging-read fault is set.
    one_behind: Option<Box<Model>>,
    faults: Faults,
    /// Milliseconds by `service:operation`, `service` or `*`.
    pub(crate) latencies: BTreeMap<String, u64>,
    throttle: Throttle,
    calls: Vec<Call>,
    pub(crate) asked: BTreeSet<Asked>,
    sequence: u64,
    pub(crate) snapshots: BTreeMap<String, Arc<Model>>,
    started: Instant,
    request_ids: Ids,
    /// Who is shown every call, with the model as the call left it.
    pub(crate) watcher: Option<Watcher>,
}

pub(crate) type Watcher = Box<dyn FnMut(&Call, &mut Model) + Send>;

/// What is to be done with the connection that a request came on.
pub(crate) struct Effect {
    pub(crate) service: &'static str,
    pub(crate) answer: Answer,
    pub(crate) latency: Duration,
    pub(crate) strike: Option<Strike>,
}

/// A fault that is not an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strike {
    Hang,
    Reset,
    Stall,
    Crash,
}

impl State {
    pub(crate) fn new(model: Model, seed: u64) -> State {
        State {
            model,
            replica: None,
            one_behind: None,
            faults: Faults::default(),
            latencies: BTreeMap::new(),
            throttle: Throttle::default(),
            calls: Vec::new(),
            asked: BTreeSet::new(),
            sequence: 0,
            snapshots: BTreeMap::new(),
            started: Instant::now(),
            // Another stream than the model's, so that reading doesn't change what is made next.
            request_ids: Ids::seeded(!seed),
            watcher: None,
        }
    }

    /// Answers one request.
    pub(crate) fn perform(&mut self, request: &Request) -> Effect {
        self.model.settle();
        let request_id = self.request_ids.uuid();
        let caller = self.caller(request, &request_id);
        let (service, operation) = (request.service, request.operation.as_str());
        let scope = request.credential.as_ref();
        let region = scope.map_or("", |credential| credential.region.as_str()).to_owned();
        let account = caller.as_ref().map_or("", |caller| caller.account()).to_owned();
        let target = request.input.as_ref().ok().and_then(target);
        let subject =
            Subject { service, operation, account: &account, region: &region, target: target.as_deref() };
        if let Ok(caller) = &caller {
            let input = request.input.as_ref().ok();
            let named = request.named_service();
            self.asked.extend(Asked::of(
                &caller.principal,
                &region,
                named,
                operation,
                target.as_deref(),
                input,
            ));
        }
        let latency = self.latency(service, operation);
        let fault = self.faults.strike(&subject);
        let outcome = match &fault {
            Some(fault) if !fault.carried_out && !fault.kind.needs_the_model() => None,
            _ => Some(self.outcome(request, caller.as_ref(), fault.as_ref())),
        };
        let (answer, strike) = self.answer(service, operation, fault.as_ref(), outcome, &request_id);
        let error = fault.as_ref().filter(|_| strike.is_some()).map(|fault| fault.kind.name().to_owned());
        self.record(Call {
            sequence: 0,
            service: request.named_service().to_owned(),
            operation: operation.to_owned(),
            region,
            account,
            caller: caller.map_or_else(|_| String::new(), |caller| caller.principal.arn()),
            target,
            write: writes(service, operation),
            status: if matches!(strike, Some(Strike::Hang | Strike::Reset | Strike::Crash)) {
                0
            } else {
                answer.status
            },
            error: error.or_else(|| answer.error.clone()),
            fault: fault.map(|fault| fault.kind.name().to_owned()),
        });
        if let (Some(watcher), Some(call)) = (&mut self.watcher, self.calls.last()) {
            watcher(call, &mut self.model);
        }
        Effect { service, answer, latency, strike }
    }

    fn caller(&self, request: &Request, request_id: &str) -> Result<Caller, ApiError> {
        let Some(credential) = &request.credential else {
            return Err(ApiError::new("MissingAuthenticationTokenException", "Missing Authentication Token"));
        };
        Ok(Caller {
            principal: self.model.principal(&credential.access_key, request.token.as_deref())?,
            region: credential.region.clone(),
            access_key: credential.access_key.clone(),
            request_id: request_id.to_owned(),
            user_agent: request.user_agent.clone(),
        })
    }

    /// What the model says: whether by itself or, for a stale read, as it was.
    fn outcome(
        &mut self,
        request: &Request,
        caller: Result<&Caller, &ApiError>,
        fault: Option<&Fault>,
    ) -> Result<Output, ApiError> {
        let caller = caller.map_err(ApiError::clone)?;
        let (service, operation) = (request.service, request.operation.as_str());
        let limited = self.model.switches.throttling == OnOff::On;
        let elapsed = self.started.elapsed();
        let effective_reads = self.model.settings.effective_reads_per_second;
        let taken = |throttle: &mut Throttle| {
            let account = caller.account();
            throttle.take(service, operation, account, &caller.region, elapsed, effective_reads)
        };
        if limited && !taken(&mut self.throttle) {
            return Err(ApiError::new("ThrottlingException", "Rate exceeded"));
        }
        let input = request.input.as_ref().map_err(ApiError::clone)?;
        let replica = match fault.map(|fault| &fault.kind) {
            _ if writes(service, operation) => None,
            _ if service == "dynamodb" && is_consistent(input) => None,
            Some(FaultKind::StaleRead) => self.replica.as_mut(),
            Some(FaultKind::LaggingRead) => self.one_behind.as_mut(),
            _ => None,
        };
        if let Some(replica) = replica {
            return carry_out(replica, caller, service, operation, input);
        }
        // What is sent to queues and buses is no state that anybody reads again, and a table no state of AWS's.
        if writes(service, operation)
            && !["sqs", "events", "dynamodb"].contains(&service)
            && self.one_behind.is_some()
        {
            self.one_behind = Some(Box::new(self.model.clone()));
        }
        if let Some(FaultKind::PartOfBatch { code }) = fault.map(|fault| &fault.kind) {
            let whole = |input: &Input| carry_out(&mut self.model, caller, service, operation, input);
            return every_other(service, input, code, whole);
        }
        let outcome = carry_out(&mut self.model, caller, service, operation, input);
        if fault.is_some_and(|fault| fault.kind == FaultKind::NothingListed) {
            return outcome.map(nothing_listed);
        }
        if let (Err(error), true, "bedrock" | "organizations" | "ssm") =
            (&outcome, writes(service, operation), service)
        {
            let request = refused_request(service, operation, &input.members);
            self.model.trail(caller, Trail::refused(service, operation, request, error));
        }
        outcome
    }

    fn answer(
        &self,
        service: &str,
        operation: &str,
        fault: Option<&Fault>,
        outcome: Option<Result<Output, ApiError>>,
        request_id: &str,
    ) -> (Answer, Option<Strike>) {
        let id = request_id.to_owned();
        let failed = |error: &ApiError| Answer::failure(service, error, request_id.to_owned());
        let carried_out = |outcome: Option<Result<Output, ApiError>>| match outcome {
            Some(Ok(output)) => Answer::success(service, operation, output, id),
            Some(Err(error)) => failed(&error),
            None => Answer::success(service, operation, Output::Nothing, id),
        };
        let Some(fault) = fault else { return (carried_out(outcome), None) };
        match &fault.kind {
            FaultKind::Throttle => (failed(&ApiError::new("ThrottlingException", "Rate exceeded")), None),
            FaultKind::ServerError => {
                (failed(&ApiError::new("InternalServerException", "An internal error occurred.")), None)
            }
            FaultKind::Denied { message } => (failed(&ApiError::denied(message.clone())), None),
            FaultKind::Error { code, message, status } => {
                let error = ApiError::new(code, message.clone());
                (Answer::failure_with_status(service, &error, *status, request_id.to_owned()), None)
            }
            FaultKind::StaleRead
            | FaultKind::LaggingRead
            | FaultKind::PartOfBatch { .. }
            | FaultKind::NothingListed => (carried_out(outcome), None),
            FaultKind::Crash => (carried_out(outcome), Some(Strike::Crash)),
            FaultKind::Hang => (carried_out(outcome), Some(Strike::Hang)),
            FaultKind::Reset => (carried_out(outcome), Some(Strike::Reset)),
            FaultKind::StallBody => (carried_out(outcome), Some(Strike::Stall)),
        }
    }

    fn latency(&self, service: &str, operation: &str) -> Duration {
        if self.latencies.is_empty() {
            return Duration::ZERO;
        }
        let exact = self.latencies.get(&format!("{service}:{operation}"));
        let found = exact.or_else(|| self.latencies.get(service)).or_else(|| self.latencies.get("*"));
        Duration::from_millis(found.copied().unwrap_or_default())
    }

    fn record(&mut self, call: Call) {
        self.sequence += 1;
        self.calls.push(Call { sequence: self.sequence, ..call });
        if self.calls.len() >= KEEP_CALLS * 2 {
            self.calls.drain(..KEEP_CALLS);
        }
    }

    pub(crate) fn calls(&self) -> &[Call] {
        &self.calls
    }

    pub(crate) fn call_count(&self) -> u64 {
        self.sequence
    }

    pub(crate) fn clear_calls(&mut self) {
        self.calls.clear();
    }

    pub(crate) fn add_fault(&mut self, fault: Fault) {
        if fault.kind == FaultKind::StaleRead && self.replica.is_none() {
            self.replica = Some(Box::new(self.model.clone()));
        }
        if fault.kind == FaultKind::LaggingRead && self.one_behind.is_none() {
            self.one_behind = Some(Box::new(self.model.clone()));
        }
        self.faults.add(fault);
    }

    pub(crate) fn faults(&self) -> impl Iterator<Item = &Fault> {
        self.faults.all()
    }

    pub(crate) fn clear_faults(&mut self) {
        self.faults.clear();
        self.replica = None;
        self.one_behind = None;
    }
}

/// What a call is about, as far as its input names it.
fn target(input: &Input) -> Option<String> {
    const NAMES: [&str; 22] = [
        "RoleArn",
        "PolicySourceArn",
        "RoleName",
        "AccountId",
        "guardrailIdentifier",
        "resourceArn",
        "resourceARN",
        "ResourceId",
        "ChildId",
        "ParentId",
        "OrganizationalUnitId",
        "HandshakeId",
        "PolicyId",
        "TargetId",
        "RootId",
        "modelId",
        "Name",
        "Path",
        "QueueUrl",
        "QueueName",
        "TableName",
        "KeyId",
    ];
    if let Some(named) = NAMES.iter().find_map(|name| input.optional(name)) {
        return Some(named.to_owned());
    }
    let inner = input.members.get("guardrailInferenceConfig")?.get("guardrailIdentifier")?;
    inner.as_str().map(str::to_owned)
}

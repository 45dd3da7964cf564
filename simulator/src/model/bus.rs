//! Events that programs put on buses of EventBridge themselves.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Model;
use super::caller::Caller;
use super::error::ApiError;

/// The most bytes of a request's entries together.
const MAX_BYTES: usize = 1_048_576;

/// An event that a program put on a bus.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PutEvent {
    /// Its number among all that were put, from 1 without gaps.
    pub sequence: u64,
    /// The account that the bus belongs to.
    pub account: String,
    /// The Region of the bus.
    pub region: String,
    /// The name of the bus.
    pub bus: String,
    /// Who put it there.
    pub by: String,
    /// How many events of AWS's own ([`Model::events`]) were emitted before it.
    pub after: u64,
    /// The event as EventBridge delivers it.
    pub event: Value,
}

/// An entry of PutEvents.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct PutEntry {
    pub(crate) time: Option<f64>,
    pub(crate) source: Option<String>,
    pub(crate) resources: Vec<String>,
    pub(crate) detail_type: Option<String>,
    pub(crate) detail: Option<String>,
    pub(crate) event_bus_name: Option<String>,
}

impl PutEntry {
    /// The size in the way that EventBridge's documents count it.
    fn bytes(&self) -> usize {
        let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let resources: usize = self.resources.iter().map(String::len).sum();
        let time = self.time.map_or(0, |_| 14);
        time + length(&self.source) + length(&self.detail_type) + length(&self.detail) + resources
    }
}

impl Model {
    /// What programs put on buses, oldest first; only the latest are kept, as of [`Model::events`].
    pub fn put_events(&self) -> &[PutEvent] {
        &self.put_events
    }

    /// Forgets what was put. Numbers go on.
    pub fn clear_put_events(&mut self) {
        self.put_events.clear();
    }

    /// Puts events on buses: for each entry the id of the event, or why there is none.
    ///
    /// # Errors
    /// `ValidationException` for entries that are too large together or of which none is complete,
    /// `AccessDeniedException` for a bus that the caller may not use.
    pub(crate) fn put_events_as(
        &mut self,
        caller: &Caller,
        entries: Vec<PutEntry>,
    ) -> Result<Vec<Result<String, ApiError>>, ApiError> {
        if entries.iter().map(PutEntry::bytes).sum::<usize>() > MAX_BYTES {
            let message = "Total size of the entries in the request is over the limit.";
            return Err(ApiError::validation(message));
        }
        let complete = |entry: &PutEntry| {
            [&entry.source, &entry.detail_type, &entry.detail].iter().all(|member| member.is_some())
        };
        if !entries.iter().any(complete) {
            let message =
                "Parameter Entries is not valid. Reason: no entry has Source, DetailType and Detail.";
            return Err(ApiError::validation(message));
        }
        let mut buses = Vec::with_capacity(entries.len());
        for entry in &entries {
            buses.push(self.bus_of(caller, entry.event_bus_name.as_deref())?);
        }
        let put = entries.into_iter().zip(buses).map(|(entry, bus)| self.put_event(caller, entry, bus));
        Ok(put.collect())
    }

    /// The name of the bus that an entry goes to; another account's bus would need a policy, which isn't modelled.
    fn bus_of(&self, caller: &Caller, named: Option<&str>) -> Result<String, ApiError> {
        let own = format!("arn:aws:events:{}:{}:event-bus/", caller.region, caller.account());
        let named = named.unwrap_or("default");
        let arn = if named.starts_with("arn:") { named.to_owned() } else { format!("{own}{named}") };
        self.authorize(caller, "events:PutEvents", &arn)?;
        let name = arn.strip_prefix(&own).ok_or_else(|| {
            ApiError::denied(format!(
                "User: {} is not authorized to perform: events:PutEvents on resource: {arn} because no resource-based policy allows the events:PutEvents action",
                caller.principal.arn()
            ))
        })?;
        Ok(name.to_owned())
    }

    fn put_event(&mut self, caller: &Caller, entry: PutEntry, bus: String) -> Result<String, ApiError> {
        let invalid = |member: &str, reason: &str| {
            let message = format!("Parameter {member} is not valid. Reason: {reason}");
            ApiError::new("InvalidArgument", message)
        };
        let needed = |member: &str, value: Option<String>| {
            let value = value.filter(|value| !value.is_empty());
            value.ok_or_else(|| invalid(member, &format!("{member} is a required argument.")))
        };
        let source = needed("Source", entry.source)?;
        let kind = needed("DetailType", entry.detail_type)?;
        let detail = needed("Detail", entry.detail)?;
        if kind.chars().count() > 128 {
            return Err(invalid("DetailType", "DetailType is longer than 128 characters."));
        }
        if source.starts_with("aws.") {
            let message = "Not authorized for the source.";
            return Err(ApiError::new("NotAuthorizedForSourceException", message));
        }
        let detail = serde_json::from_str(&detail).ok().filter(Value::is_object);
        let detail = detail.ok_or_else(|| ApiError::new("MalformedDetail", "Detail is malformed."))?;
        let at = entry.time.and_then(|seconds| Timestamp::from_millisecond((seconds * 1000.0) as i64).ok());
        let (account, region) = (caller.account().to_owned(), caller.region.clone());
        let id = self.ids.uuid();
        let event = json!({
            "version": "0",
            "id": id,
            "detail-type": kind,
            "source": source,
            "account": account,
            "time": format!("{:.0}", at.unwrap_or_else(|| self.now())),
            "region": region,
            "resources": entry.resources,
            "detail": detail,
        });
        self.put += 1;
        let by = caller.principal.arn();
        self.put_events.push(PutEvent {
            sequence: self.put,
            account,
            region,
            bus,
            by,
            after: self.emitted,
            event,
        });
        let keep = self.settings.keep_events.max(1);
        if self.put_events.len() >= keep * 2 {
            self.put_events.drain(..self.put_events.len() - keep);
        }
        Ok(id)
    }
}

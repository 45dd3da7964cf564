//! Requests of a terminal to the deployed keeper: to look.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Keeper;
use crate::cloud::{DelayedMessage, OutcomeEvent, Parameter, ParameterWriter};
use crate::failure::Failure;
use crate::trigger::{Accounts, REQUEST_DETAIL_TYPE, REQUEST_SOURCE, Regions};

/// A request for a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The accounts to look at.
    pub accounts: Accounts,
    /// The Regions to look at.
    pub regions: Regions,
    /// The reason, in words.
    pub reason: String,
    /// The hash of the plan that was reviewed.
    pub plan: Option<String>,
}

/// Where a request was put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// On this event bus.
    OnBus(String),
    /// Into the queue that events come from.
    InQueue,
}

impl Ask {
    fn detail(&self) -> Value {
        fn listed<'a, T: serde::Serialize + 'a>(ids: Option<&'a BTreeSet<T>>) -> Value {
            ids.map_or_else(|| json!("all"), |ids| json!(ids))
        }
        let accounts = match &self.accounts {
            Accounts::All => None,
            Accounts::Only(accounts) => Some(accounts),
        };
        let regions = match &self.regions {
            Regions::All => None,
            Regions::Only(regions) => Some(regions),
        };
        let mut detail = json!({
            "accounts": listed(accounts),
            "regions": listed(regions),
            "reason": self.reason,
        });
        if let Some(plan) = &self.plan {
            detail["plan"] = json!(plan);
        }
        detail
    }
}

/// Whether a keeper is deployed: then a terminal asks it to do the work.
pub fn is_deployed(keeper: &Keeper) -> bool {
    keeper.settings.queues.is_some() || keeper.settings.bus.is_some()
}

/// Requests a look from the deployed function: on its bus or, without a bus, in its queue `events`.
///
/// # Errors
/// When the request can't be put there, or neither is configured.
pub async fn ask(keeper: &Keeper, ask: &Ask) -> Result<Asked, Failure> {
    let time = keeper.clock.now();
    match (&keeper.settings.bus, &keeper.settings.queues) {
        (Some(bus), _) => {
            let detail_type = REQUEST_DETAIL_TYPE.to_owned();
            let event = OutcomeEvent { detail_type, detail: ask.detail(), time };
            keeper.bus().put_from(REQUEST_SOURCE, bus, &[event]).await?;
            Ok(Asked::OnBus(bus.clone()))
        }
        (None, Some(queues)) => {
            // Without an id: the message has one.
            let event = json!({
                "version": "0",
                "detail-type": REQUEST_DETAIL_TYPE,
                "source": REQUEST_SOURCE,
                "account": keeper.cloud.own_account(),
                "time": format!("{time:.0}"),
                "detail": ask.detail(),
            });
            let message = DelayedMessage { body: event.to_string(), delay_seconds: 0 };
            keeper.queues().send_events(&queues.events, &[message]).await?;
            Ok(Asked::InQueue)
        }
        (None, None) => Err(Failure::rejected(
            "PutEvents",
            "there is neither a bus nor a queue: set KEEPER_BUS or KEEPER_TASKS_QUEUE",
        )),
    }
}

/// A parameter in our own account and Region; `None` if there is none.
///
/// # Errors
/// When it can't be read.
pub async fn parameter(keeper: &Keeper, name: &str) -> Result<Option<Parameter>, Failure> {
    keeper.cloud.find_parameter(name).await
}

/// Writes parameters.
pub fn parameter_writer(keeper: &Keeper) -> ParameterWriter {
    keeper.cloud.parameter_writer()
}

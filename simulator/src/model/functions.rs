//! Functions of Lambda and the mappings of queues to them, as they are shown. What a mapping does, a test
//! does with [`crate::EventSourceMapping`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Model;
use super::caller::Caller;
use super::error::ApiError;

/// A function.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Function {
    /// Whose it is.
    pub account: String,
    /// Its Region.
    pub region: String,
    /// Its name.
    pub name: String,
    /// What Lambda does with a chain of its runs in which each led to the next.
    #[serde(default)]
    pub recursive_loop: RecursiveLoop,
    /// The queues that Lambda hands messages of to it.
    #[serde(default)]
    pub mappings: Vec<Mapping>,
    /// Its environment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
}

/// What Lambda does with a chain of runs of one function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum RecursiveLoop {
    /// Nothing.
    Allow,
    /// It stops the function in that chain after 16 runs.
    #[default]
    Terminate,
}

/// A mapping of a queue to a function.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// The queue's ARN.
    pub queue: String,
    /// `Enabled`, `Disabled` and others.
    #[serde(default = "enabled")]
    pub state: String,
}

fn enabled() -> String {
    "Enabled".to_owned()
}

impl RecursiveLoop {
    /// As the API writes it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            RecursiveLoop::Allow => "Allow",
            RecursiveLoop::Terminate => "Terminate",
        }
    }
}

impl Mapping {
    /// One that is on.
    pub fn enabled(queue: String) -> Mapping {
        Mapping { queue, state: enabled() }
    }
}

impl Function {
    /// Its ARN.
    pub fn arn(&self) -> String {
        format!("arn:aws:lambda:{}:{}:function:{}", self.region, self.account, self.name)
    }
}

impl Model {
    /// A function by its ARN.
    pub fn function(&self, arn: &str) -> Option<&Function> {
        self.functions.iter().find(|function| function.arn() == arn)
    }

    /// The caller's function of that name or ARN.
    pub(crate) fn function_as(
        &self,
        caller: &Caller,
        action: &str,
        named: &str,
    ) -> Result<&Function, ApiError> {
        let name = named.rsplit(':').next().unwrap_or(named);
        let (region, account) = (&caller.region, caller.account());
        let arn = format!("arn:aws:lambda:{region}:{account}:function:{name}");
        self.authorize(caller, &format!("lambda:{action}"), &arn)?;
        self.function(&arn)
            .ok_or_else(|| ApiError::new("ResourceNotFoundException", format!("Function not found: {arn}")))
    }

    /// The mappings of the caller's functions, each with its function; those of one queue where one is named.
    pub(crate) fn mappings_as(
        &self,
        caller: &Caller,
        queue: Option<&str>,
    ) -> Result<Vec<(&Function, &Mapping)>, ApiError> {
        // Without resource types: the permission is for all of them.
        self.authorize(caller, "lambda:ListEventSourceMappings", "*")?;
        let here =
            |function: &&Function| function.account == caller.account() && function.region == caller.region;
        let mappings = self.functions.iter().filter(here);
        let mappings =
            mappings.flat_map(|function| function.mappings.iter().map(move |mapping| (function, mapping)));
        Ok(mappings.filter(|(_, mapping)| queue.is_none_or(|queue| mapping.queue == queue)).collect())
    }
}

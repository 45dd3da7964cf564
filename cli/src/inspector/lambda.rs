//! Lambda: who takes messages out of a queue, and how long it may go on.

use std::collections::BTreeMap;

use super::Inspector;
use guardrail_keeper::cloud::failure;
use keeper_core::doctor::Mapping;
use keeper_core::failure::Failure;

impl Inspector {
    fn lambda(&self) -> aws_sdk_lambda::Client {
        aws_sdk_lambda::Client::new(&self.sdk())
    }

    /// The mappings of a queue to functions, by the queue's ARN.
    ///
    /// # Errors
    /// When a page can't be read.
    pub async fn mappings(&self, queue: &str) -> Result<Vec<Mapping>, Failure> {
        let request = self.lambda().list_event_source_mappings().event_source_arn(queue);
        let all = request.into_paginator().items().send().try_collect().await;
        let all = all.map_err(|error| failure("ListEventSourceMappings", &error))?;
        let mappings = all.iter().filter_map(|one| {
            let function = unqualified(one.function_arn()?);
            Some(Mapping { function, state: one.state().unwrap_or_default().to_owned() })
        });
        Ok(mappings.collect())
    }

    /// The environment of a function: its settings.
    ///
    /// # Errors
    /// When Lambda can't be read, or doesn't show it.
    pub async fn environment(&self, function: &str) -> Result<BTreeMap<String, String>, Failure> {
        const OPERATION: &str = "GetFunctionConfiguration";
        let answer = self.lambda().get_function_configuration().function_name(function).send().await;
        let answer = answer.map_err(|error| failure(OPERATION, &error))?;
        let Some(environment) = answer.environment() else { return Ok(BTreeMap::new()) };
        if let Some(error) = environment.error() {
            let said = error.message().unwrap_or("Lambda doesn't show the environment");
            return Err(Failure::rejected(OPERATION, said));
        }
        let variables = environment.variables().into_iter().flatten();
        Ok(variables.map(|(name, value)| (name.clone(), value.clone())).collect())
    }

    /// What Lambda does when runs of a function lead to more of its runs: `Allow`, `Terminate`, or what AWS
    /// adds to these.
    ///
    /// # Errors
    /// When Lambda can't be read.
    pub async fn recursion(&self, function: &str) -> Result<String, Failure> {
        let answer = self.lambda().get_function_recursion_config().function_name(function).send().await;
        let answer = answer.map_err(|error| failure("GetFunctionRecursionConfig", &error))?;
        Ok(answer.recursive_loop().map_or_else(|| "left out".to_owned(), |set| set.as_str().to_owned()))
    }
}

/// A function's ARN without its version or alias: a setting is of the function as a whole.
fn unqualified(arn: &str) -> String {
    arn.split(':').take(7).collect::<Vec<_>>().join(":")
}

//! Lambda: who takes messages out of a queue, and how long it may go on.

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

//! SSM parameters: where a deployed keeper finds its baseline and its approval, and where people put them.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_sdk_ssm::types::{ParameterTier, ParameterType};

use jiff::Timestamp;

use super::error::{failure, is_missing};
use crate::failure::Failure;
use crate::limits::WrittenVersion;

/// The most bytes that a parameter of the standard tier holds.
pub const STANDARD_BYTES: usize = 4096;

/// A parameter as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// What it holds.
    pub text: String,
    /// Which of its versions that is, from 1.
    pub version: i64,
    /// When it was written, if SSM says so.
    pub at: Option<Timestamp>,
}

pub(super) async fn read(sdk: &SdkConfig, name: &str) -> Result<String, Failure> {
    match get(sdk, name).await? {
        Ok(parameter) => Ok(parameter.text),
        Err(missing) => Err(missing),
    }
}

/// A parameter; `None` where there is none of that name.
pub(super) async fn find(sdk: &SdkConfig, name: &str) -> Result<Option<Parameter>, Failure> {
    Ok(get(sdk, name).await?.ok())
}

/// What isn't there is the inner failure.
async fn get(sdk: &SdkConfig, name: &str) -> Result<Result<Parameter, Failure>, Failure> {
    const OPERATION: &str = "GetParameter";
    let request = aws_sdk_ssm::Client::new(sdk).get_parameter().name(name).with_decryption(true);
    let answer = match request.send().await {
        Ok(answer) => answer,
        Err(error) if is_missing(&error) => return Ok(Err(failure(OPERATION, &error))),
        Err(error) => return Err(failure(OPERATION, &error)),
    };
    let parameter = answer.parameter().and_then(present);
    parameter.map(Ok).ok_or_else(|| Failure::rejected(OPERATION, format!("parameter {name} has no value")))
}

/// A parameter of SSM's answer, if it has a value.
fn present(parameter: &aws_sdk_ssm::types::Parameter) -> Option<Parameter> {
    let at = parameter.last_modified_date().and_then(timestamp);
    Some(Parameter { text: parameter.value()?.to_owned(), version: parameter.version(), at })
}

/// The parameters right below a path, by their names.
pub(super) async fn below(sdk: &SdkConfig, path: &str) -> Result<BTreeMap<String, Parameter>, Failure> {
    const OPERATION: &str = "GetParametersByPath";
    let client = aws_sdk_ssm::Client::new(sdk);
    let mut found = BTreeMap::new();
    let mut from = None;
    loop {
        let request = client.get_parameters_by_path().path(path).with_decryption(true).set_next_token(from);
        let answer = request.send().await.map_err(|error| failure(OPERATION, &error))?;
        for parameter in answer.parameters() {
            if let (Some(name), Some(parameter)) = (parameter.name(), present(parameter)) {
                found.insert(name.to_owned(), parameter);
            }
        }
        from = answer.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
        if from.is_none() {
            return Ok(found);
        }
    }
}

/// All versions of a parameter that SSM keeps: the last hundred.
pub(super) async fn history(sdk: &SdkConfig, name: &str) -> Result<Vec<WrittenVersion>, Failure> {
    const OPERATION: &str = "GetParameterHistory";
    let client = aws_sdk_ssm::Client::new(sdk);
    let mut versions = Vec::new();
    let mut from = None;
    loop {
        let request = client.get_parameter_history().name(name).with_decryption(true).set_next_token(from);
        let answer = request.send().await.map_err(|error| failure(OPERATION, &error))?;
        for version in answer.parameters() {
            let at = version.last_modified_date().and_then(timestamp);
            let (Some(text), Some(at)) = (version.value(), at) else {
                let message = format!("version {} of {name} has no value, or no date", version.version());
                return Err(Failure::rejected(OPERATION, message));
            };
            let by = version.last_modified_user().filter(|by| !by.is_empty()).map(str::to_owned);
            versions.push(WrittenVersion { version: version.version(), text: text.to_owned(), by, at });
        }
        from = answer.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
        if from.is_none() {
            return Ok(versions);
        }
    }
}

fn timestamp(at: &aws_sdk_ssm::primitives::DateTime) -> Option<Timestamp> {
    at.to_millis().ok().and_then(|at| Timestamp::from_millisecond(at).ok())
}

/// Puts parameters. Only whoever was asked to holds one.
#[derive(Clone, Debug)]
pub struct ParameterWriter {
    client: aws_sdk_ssm::Client,
}

impl ParameterWriter {
    pub(super) fn new(sdk: &SdkConfig) -> ParameterWriter {
        ParameterWriter { client: aws_sdk_ssm::Client::new(sdk) }
    }

    /// Puts a text into a parameter: a new one, or another version of one that is there. Answers the
    /// version's number.
    ///
    /// # Errors
    /// When SSM refuses; a new one also where there is one of that name meanwhile.
    pub async fn put(&self, name: &str, text: &str, is_new: bool) -> Result<i64, Failure> {
        const OPERATION: &str = "PutParameter";
        let request = self.client.put_parameter().name(name).value(text).overwrite(!is_new);
        // The type of one that is there can't be changed, and an advanced one can't become standard.
        let request = request.set_type(is_new.then_some(ParameterType::String));
        let needed = (text.len() > STANDARD_BYTES).then_some(ParameterTier::Advanced);
        let answer = request.set_tier(needed).send().await;
        Ok(answer.map_err(|error| failure(OPERATION, &error))?.version())
    }
}

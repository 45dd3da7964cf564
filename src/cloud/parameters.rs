//! SSM parameters: where a deployed keeper finds its baseline, and where a person puts it.

use aws_config::SdkConfig;
use aws_sdk_ssm::types::{ParameterTier, ParameterType};

use super::error::{failure, is_missing};
use crate::failure::Failure;

/// The most bytes that a parameter of the standard tier holds.
pub const STANDARD_BYTES: usize = 4096;

/// A parameter as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// What it holds.
    pub text: String,
    /// Which of its versions that is, from 1.
    pub version: i64,
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
    let parameter = answer.parameter();
    let text = parameter.and_then(|parameter| parameter.value()).map(str::to_owned);
    let version = parameter.map_or(0, aws_sdk_ssm::types::Parameter::version);
    text.map(|text| Ok(Parameter { text, version }))
        .ok_or_else(|| Failure::rejected(OPERATION, format!("parameter {name} has no value")))
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

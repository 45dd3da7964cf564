//! SSM parameters: where a deployed keeper finds its baseline.

use aws_config::SdkConfig;

use super::error::failure;
use crate::failure::{Category, Failure};

pub(super) async fn read(sdk: &SdkConfig, name: &str) -> Result<String, Failure> {
    let answer = aws_sdk_ssm::Client::new(sdk)
        .get_parameter()
        .name(name)
        .with_decryption(true)
        .send()
        .await
        .map_err(|error| failure("GetParameter", &error))?;
    answer.parameter().and_then(|parameter| parameter.value()).map(str::to_owned).ok_or_else(|| Failure {
        category: Category::Rejected,
        operation: "GetParameter".to_owned(),
        message: format!("parameter {name} has no value"),
    })
}

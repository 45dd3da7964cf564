//! Account Management: Regions and their opt-in status.

use serde_json::json;

use super::answer::Output;
use super::request::Input;
use crate::model::Model;
use crate::model::caller::Caller;
use crate::model::error::ApiError;

pub(crate) fn carry_out(
    model: &mut Model,
    caller: &Caller,
    operation: &str,
    input: &Input,
) -> Result<Output, ApiError> {
    let account = model.account_service_target(caller, operation, input.optional("AccountId"))?;
    let region = input.text("RegionName");
    match operation {
        "ListRegions" => list_regions(model, &account, input),
        "GetRegionOptStatus" => {
            let status = model
                .opt_status(&account, region)
                .ok_or_else(|| ApiError::validation(format!("The Region {region} doesn't exist.")))?;
            Ok(Output::Json(json!({ "RegionName": region, "RegionOptStatus": status.name() })))
        }
        "EnableRegion" => model.switch_region(caller, &account, region, true).map(|()| Output::Nothing),
        "DisableRegion" => model.switch_region(caller, &account, region, false).map(|()| Output::Nothing),
        other => Err(super::not_carried_out(other)),
    }
}

fn list_regions(model: &Model, account: &str, input: &Input) -> Result<Output, ApiError> {
    let wanted = input.texts("RegionOptStatusContains");
    let regions =
        model.regions.keys().filter_map(|region| Some((region, model.opt_status(account, region)?.name())));
    let regions = regions.filter(|(_, status)| wanted.is_empty() || wanted.contains(status));
    let size = input.number("MaxResults").unwrap_or(50) as usize;
    let page = model
        .page(regions, |(region, _)| region, input.optional("NextToken"), size)
        .map_err(|_| ApiError::validation("The NextToken is invalid."))?;
    let shown: Vec<_> = page
        .items
        .iter()
        .map(|(region, status)| json!({ "RegionName": region, "RegionOptStatus": status }))
        .collect();
    let mut output = json!({ "Regions": shown });
    if let Some(token) = page.next_token {
        output["NextToken"] = token.into();
    }
    Ok(Output::Json(output))
}

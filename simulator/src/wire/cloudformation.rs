//! CloudFormation, in the query protocol: service-managed StackSets, to look at.

use super::answer::Output;
use super::request::Input;
use super::xml::{element, list, text};
use crate::model::Model;
use crate::model::caller::Caller;
use crate::model::error::ApiError;
use crate::model::stack_sets::{StackInstance, StackSet};

pub(crate) fn carry_out(
    model: &mut Model,
    caller: &Caller,
    operation: &str,
    input: &Input,
) -> Result<Output, ApiError> {
    let as_delegate = input.optional("CallAs") == Some("DELEGATED_ADMIN");
    let set = model.stack_set_as(caller, operation, input.text("StackSetName"), as_delegate)?;
    match operation {
        "DescribeStackSet" => Ok(Output::Xml(element("StackSet", &shown(model, set)))),
        "ListStackInstances" => instances(model, set, input),
        other => Err(super::not_carried_out(other)),
    }
}

fn shown(model: &Model, set: &StackSet) -> String {
    let arn = format!(
        "arn:aws:cloudformation:{}:{}:stackset/{}",
        set.region,
        model.organization.management_account,
        set.id()
    );
    let enabled = text("Enabled", &set.auto_deployment.to_string());
    let retain = text("RetainStacksOnAccountRemoval", "true");
    [
        text("StackSetName", &set.name),
        text("StackSetId", &set.id()),
        text("StackSetARN", &arn),
        text("Status", &set.status),
        text("PermissionModel", "SERVICE_MANAGED"),
        element("AutoDeployment", &format!("{enabled}{retain}")),
    ]
    .concat()
}

fn instances(model: &Model, set: &StackSet, input: &Input) -> Result<Output, ApiError> {
    let size = input.number("MaxResults").unwrap_or(100).clamp(1, 100) as usize;
    let mut keyed: Vec<(String, &StackInstance)> =
        set.instances.iter().map(|one| (format!("{}/{}", one.account, one.region), one)).collect();
    keyed.sort_by(|(one, _), (other, _)| one.cmp(other));
    let page = model
        .page(keyed, |(key, _)| key, input.optional("NextToken"), size)
        .map_err(|_| ApiError::new("ValidationError", "The NextToken is invalid."))?;
    let mut output = list("Summaries", page.items.iter().map(|(_, instance)| summary(set, instance)));
    if let Some(token) = &page.next_token {
        output += &text("NextToken", token);
    }
    Ok(Output::Xml(output))
}

fn summary(set: &StackSet, instance: &StackInstance) -> String {
    let StackInstance { account, region, status, detailed_status, reason } = instance;
    let mut shown = [
        text("StackSetId", &set.id()),
        text("Region", region),
        text("Account", account),
        text("Status", status),
        element("StackInstanceStatus", &text("DetailedStatus", detailed_status)),
    ]
    .concat();
    if let Some(reason) = reason {
        shown += &text("StatusReason", reason);
    }
    shown
}

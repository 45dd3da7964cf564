//! DynamoDB, in JSON 1.0: what a client needs that keeps documents with versions.

use serde_json::{Map, Value, json};

use super::answer::Output;
use super::request::Input;
use crate::model::Model;
use crate::model::caller::Caller;
use crate::model::error::ApiError;
use crate::model::table::{Expression, Item, no_table, table_arn};

pub(crate) fn carry_out(
    model: &mut Model,
    caller: &Caller,
    operation: &str,
    input: &Input,
) -> Result<Output, ApiError> {
    model.require_region(caller.account(), &caller.region)?;
    only_modelled(operation, input)?;
    let name = input.text("TableName");
    let answer = match operation {
        "GetItem" => {
            let table = model.table_for(caller, operation, name)?;
            let key = table.key_of(members(input, "Key").unwrap_or(&Item::new()))?.to_owned();
            match table.items.get(&key) {
                Some(item) => json!({ "Item": item }),
                None => json!({}),
            }
        }
        "BatchGetItem" => get_batch(model, caller, input)?,
        "PutItem" => {
            let item = members(input, "Item").cloned().unwrap_or_default();
            model.put_item(caller, name, item, expression(input, "ConditionExpression"))?;
            json!({})
        }
        "Scan" => scan(model, caller, name, input)?,
        "CreateTable" => {
            model.make_table(caller, name, partition_key(input)?)?;
            json!({ "TableDescription": described(model, caller, name)? })
        }
        "DescribeTable" => {
            model.table_for(caller, operation, name)?;
            json!({ "Table": described(model, caller, name)? })
        }
        other => return Err(super::not_carried_out(other)),
    };
    Ok(Output::Json(answer))
}

/// A table is ready as soon as it is made.
fn described(model: &Model, caller: &Caller, name: &str) -> Result<Value, ApiError> {
    let table = model.table(caller.account(), &caller.region, name).ok_or_else(no_table)?;
    Ok(json!({
        "TableName": name,
        "TableArn": table_arn(caller.account(), &caller.region, name),
        "TableStatus": "ACTIVE",
        "KeySchema": [{ "AttributeName": table.key, "KeyType": "HASH" }],
        "AttributeDefinitions": [{ "AttributeName": table.key, "AttributeType": "S" }],
        "ItemCount": table.items.len(),
    }))
}

/// The one attribute that the key is made of, which is text.
fn partition_key(input: &Input) -> Result<&str, ApiError> {
    let list = |name: &str| input.members.get(name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let [key] = list("KeySchema") else {
        return Err(ApiError::validation("A table with a sort key is not modelled."));
    };
    let name = &key["AttributeName"];
    let is_text = |it: &&Value| it["AttributeName"] == *name && it["AttributeType"] == "S";
    let defined = list("AttributeDefinitions").iter().find(is_text).filter(|_| key["KeyType"] == "HASH");
    defined.and_then(|_| name.as_str()).ok_or_else(|| {
        ApiError::validation("One or more parameter values were invalid: a partition key that isn't defined, or isn't text, is not modelled.")
    })
}

/// Whether everything that is read has to be as of now.
pub(crate) fn is_consistent(input: &Input) -> bool {
    let asks = |request: &Map<String, Value>| request.get("ConsistentRead") == Some(&Value::Bool(true));
    match members(input, "RequestItems") {
        Some(requests) => requests.values().all(|request| request.as_object().is_some_and(asks)),
        None => asks(&input.members),
    }
}

/// What is left out of the model is refused: an answer that passes over it would be wrong.
fn only_modelled(operation: &str, input: &Input) -> Result<(), ApiError> {
    let modelled: &[&str] = match operation {
        "GetItem" => &["TableName", "Key", "ConsistentRead"],
        "BatchGetItem" => &["RequestItems"],
        "PutItem" => &[
            "TableName",
            "Item",
            "ConditionExpression",
            "ExpressionAttributeNames",
            "ExpressionAttributeValues",
        ],
        "Scan" => &[
            "TableName",
            "Limit",
            "ConsistentRead",
            "ExclusiveStartKey",
            "FilterExpression",
            "ExpressionAttributeNames",
            "ExpressionAttributeValues",
        ],
        "CreateTable" => &["TableName", "KeySchema", "AttributeDefinitions", "BillingMode"],
        _ => &["TableName"],
    };
    let requests = members(input, "RequestItems").into_iter().flat_map(Map::values);
    let inner = requests.filter_map(Value::as_object).flat_map(Map::keys);
    let strange = |member: &&String| !["Keys", "ConsistentRead"].contains(&member.as_str());
    let known = |member: &&String| modelled.contains(&member.as_str());
    let unknown = input.members.keys().find(|member| !known(member)).or_else(|| inner.clone().find(strange));
    if let Some(member) = unknown {
        return Err(ApiError::validation(format!("{member} of {operation} is not modelled.")));
    }
    let expressions = ["ConditionExpression", "FilterExpression"];
    let given = |names: &[&str]| names.iter().any(|name| input.members.contains_key(*name));
    if given(&["ExpressionAttributeNames", "ExpressionAttributeValues"]) && !given(&expressions) {
        return Err(ApiError::validation(
            "ExpressionAttributeNames and ExpressionAttributeValues can only be specified when using expressions",
        ));
    }
    if operation == "CreateTable" && input.optional("BillingMode") != Some("PAY_PER_REQUEST") {
        return Err(ApiError::validation(
            "One or more parameter values were invalid: a table with provisioned capacity is not modelled.",
        ));
    }
    Ok(())
}

fn members<'a>(input: &'a Input, name: &str) -> Option<&'a Item> {
    input.members.get(name).and_then(Value::as_object)
}

fn expression<'a>(input: &'a Input, name: &str) -> Option<Expression<'a>> {
    Some(Expression {
        text: input.optional(name)?,
        names: members(input, "ExpressionAttributeNames"),
        values: members(input, "ExpressionAttributeValues"),
    })
}

fn get_batch(model: &Model, caller: &Caller, input: &Input) -> Result<Value, ApiError> {
    let mut responses = Map::new();
    for (name, request) in members(input, "RequestItems").into_iter().flatten() {
        let table = model.table_for(caller, "BatchGetItem", name)?;
        let keys = request["Keys"].as_array().into_iter().flatten().filter_map(Value::as_object);
        let keys: Vec<&str> = keys.map(|key| table.key_of(key)).collect::<Result<_, _>>()?;
        let mut sorted = keys.clone();
        sorted.sort_unstable();
        if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(ApiError::validation("Provided list of item keys contains duplicates"));
        }
        let found: Vec<&Item> = keys.iter().filter_map(|key| table.items.get(*key)).collect();
        responses.insert(name.clone(), json!(found));
    }
    Ok(json!({ "Responses": responses, "UnprocessedKeys": {} }))
}

fn scan(model: &Model, caller: &Caller, name: &str, input: &Input) -> Result<Value, ApiError> {
    let table = model.table_for(caller, "Scan", name)?;
    let after = members(input, "ExclusiveStartKey").map(|key| table.key_of(key)).transpose()?;
    let most = model.settings.page_items;
    let limit = input.number("Limit").map_or(most, |limit| usize::try_from(limit).unwrap_or(most).min(most));
    let (looked_at, last) = table.scan(after, limit);
    let filter = expression(input, "FilterExpression");
    let mut found = Vec::new();
    for item in &looked_at {
        let passes = filter.map(|filter| filter.is_met(Some(item))).transpose()?;
        if passes != Some(false) {
            found.push(*item);
        }
    }
    let mut answer = json!({ "Items": found, "Count": found.len(), "ScannedCount": looked_at.len() });
    if let Some(last) = last {
        answer["LastEvaluatedKey"] = json!({ table.key.as_str(): { "S": last } });
    }
    Ok(answer)
}

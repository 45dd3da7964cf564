//! Tables of DynamoDB that have a partition key and no sort key, and the conditions that can be set on them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value};

use super::Model;
use super::caller::Caller;
use super::error::ApiError;

/// An item: attributes in DynamoDB's JSON, e.g. `{"S": "text"}`.
pub type Item = Map<String, Value>;

/// The most that an item may hold, in bytes of names and values.
const LARGEST_ITEM: usize = 400 * 1024;

/// A table.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Table {
    /// The name of its partition key, which is text.
    pub key: String,
    /// What it holds, by that key.
    pub items: BTreeMap<String, Item>,
}

/// A condition or filter, with what its `#names` and `:values` stand for.
#[derive(Clone, Copy, Debug)]
pub struct Expression<'a> {
    /// `attribute_exists(A)`, `attribute_not_exists(A)`, `A = :v` and `begins_with(A, :v)`, joined by `AND`.
    pub text: &'a str,
    /// What names stand for, if any do.
    pub names: Option<&'a Item>,
    /// What values stand for, if any do.
    pub values: Option<&'a Item>,
}

/// A table's ARN.
pub(crate) fn table_arn(account: &str, region: &str, name: &str) -> String {
    format!("arn:aws:dynamodb:{region}:{account}:table/{name}")
}

pub(crate) fn no_table() -> ApiError {
    ApiError::new("ResourceNotFoundException", "Requested resource not found")
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::validation(message)
}

impl Table {
    /// The value of the partition key in a key or an item.
    ///
    /// # Errors
    /// `ValidationException` where it has none, or one that isn't text.
    pub fn key_of<'a>(&self, item: &'a Item) -> Result<&'a str, ApiError> {
        let value = item.get(&self.key).and_then(|value| value.get("S")).and_then(Value::as_str);
        let value = value.filter(|value| !value.is_empty());
        value.ok_or_else(|| {
            invalid(format!(
                "One or more parameter values were invalid: Missing the key {} in the item",
                self.key
            ))
        })
    }

    /// A page of items and the key that it ends with, if its end may not be the table's. As on DynamoDB, a page
    /// that happens to end with the last item has a key too.
    pub fn scan<'a>(&'a self, after: Option<&str>, size: usize) -> (Vec<&'a Item>, Option<&'a str>) {
        let rest = self.items.iter().filter(|(key, _)| after.is_none_or(|after| key.as_str() > after));
        let page: Vec<_> = rest.take(size.max(1)).collect();
        let last = page.last().filter(|_| page.len() == size.max(1)).map(|(key, _)| key.as_str());
        (page.into_iter().map(|(_, item)| item).collect(), last)
    }
}

impl Expression<'_> {
    /// Whether an item, or one that isn't there, satisfies it.
    ///
    /// # Errors
    /// `ValidationException` for what isn't modelled, and for names and values that are missing or not used.
    pub fn is_met(&self, item: Option<&Item>) -> Result<bool, ApiError> {
        let mut used = BTreeSet::new();
        let mut met = true;
        for part in self.text.split(" AND ") {
            met &= self.part(part.trim(), item, &mut used)?;
        }
        for (what, given) in [("Names", self.names), ("Values", self.values)] {
            if let Some(name) =
                given.into_iter().flat_map(Item::keys).find(|name| !used.contains(name.as_str()))
            {
                return Err(invalid(format!(
                    "Value provided in ExpressionAttribute{what} unused in expressions: keys: {{{name}}}"
                )));
            }
        }
        Ok(met)
    }

    fn part<'a>(
        &'a self,
        part: &'a str,
        item: Option<&Item>,
        used: &mut BTreeSet<&'a str>,
    ) -> Result<bool, ApiError> {
        let call = |name: &str| part.strip_prefix(name)?.trim().strip_prefix('(')?.strip_suffix(')');
        if let Some(attribute) = call("attribute_not_exists") {
            return Ok(self.attribute(attribute, item, used)?.is_none());
        }
        if let Some(attribute) = call("attribute_exists") {
            return Ok(self.attribute(attribute, item, used)?.is_some());
        }
        if let Some((attribute, prefix)) = call("begins_with").and_then(|inside| inside.split_once(',')) {
            let found = self.attribute(attribute, item, used)?;
            let prefix = self.value(prefix, used)?;
            let text = |value: &Value| value.get("S").and_then(Value::as_str).map(str::to_owned);
            let both = found.and_then(text).zip(text(prefix));
            return Ok(both.is_some_and(|(found, prefix)| found.starts_with(&prefix)));
        }
        if let Some((attribute, value)) = part.split_once(" = ") {
            let found = self.attribute(attribute, item, used)?;
            return Ok(found == Some(self.value(value, used)?));
        }
        Err(invalid(format!("Invalid expression: {part:?} is not modelled.")))
    }

    fn attribute<'a, 'i>(
        &'a self,
        name: &'a str,
        item: Option<&'i Item>,
        used: &mut BTreeSet<&'a str>,
    ) -> Result<Option<&'i Value>, ApiError> {
        let name = name.trim();
        let name = match name.starts_with('#') {
            true => {
                used.insert(name);
                let stands_for = self.names.and_then(|names| names.get(name)).and_then(Value::as_str);
                stands_for.ok_or_else(|| {
                    invalid(format!(
                        "Invalid expression: An expression attribute name used in the document path is not defined; attribute name: {name}"
                    ))
                })?
            }
            false => name,
        };
        Ok(item.and_then(|item| item.get(name)))
    }

    fn value<'a>(&'a self, name: &'a str, used: &mut BTreeSet<&'a str>) -> Result<&'a Value, ApiError> {
        let name = name.trim();
        used.insert(name);
        self.values.and_then(|values| values.get(name)).ok_or_else(|| {
            invalid(format!(
                "Invalid expression: An expression attribute value used in expression is not defined; attribute value: {name}"
            ))
        })
    }
}

impl Model {
    /// Makes an empty table, which is ready at once, unless there is one of that name.
    ///
    /// # Errors
    /// When there is no such account, or its Region is off.
    pub fn create_table(
        &mut self,
        account: &str,
        region: &str,
        name: &str,
        key: &str,
    ) -> Result<(), ApiError> {
        let tables = &mut self.region_mut(account, region)?.tables;
        tables.entry(name.to_owned()).or_insert_with(|| Table { key: key.to_owned(), ..Table::default() });
        Ok(())
    }

    /// Takes a table away with what is in it, as if it had never been made.
    pub fn take_table(&mut self, account: &str, region: &str, name: &str) -> Option<Table> {
        self.region_mut(account, region).ok()?.tables.remove(name)
    }

    /// Puts a table there as it is.
    ///
    /// # Errors
    /// When there is no such account, or its Region is off.
    pub fn put_table(
        &mut self,
        account: &str,
        region: &str,
        name: &str,
        table: Table,
    ) -> Result<(), ApiError> {
        self.region_mut(account, region)?.tables.insert(name.to_owned(), table);
        Ok(())
    }

    /// A table, if there is one.
    pub fn table(&self, account: &str, region: &str, name: &str) -> Option<&Table> {
        self.region(account, region)?.tables.get(name)
    }

    /// A table, for whoever may do that with it.
    ///
    /// # Errors
    /// `ResourceNotFoundException`, `AccessDeniedException`.
    pub fn table_for(&self, caller: &Caller, action: &str, name: &str) -> Result<&Table, ApiError> {
        let (account, region) = (caller.account(), &caller.region);
        self.authorize(caller, &format!("dynamodb:{action}"), &table_arn(account, region, name))?;
        self.table(account, region, name).ok_or_else(no_table)
    }

    /// Makes an empty table.
    ///
    /// # Errors
    /// `ResourceInUseException` where there is one, `AccessDeniedException`.
    pub fn make_table(&mut self, caller: &Caller, name: &str, key: &str) -> Result<(), ApiError> {
        let (account, region) = (caller.account().to_owned(), caller.region.clone());
        self.authorize(caller, "dynamodb:CreateTable", &table_arn(&account, &region, name))?;
        if self.table(&account, &region, name).is_some() {
            return Err(ApiError::new("ResourceInUseException", format!("Table already exists: {name}")));
        }
        self.create_table(&account, &region, name, key)
    }

    /// Puts an item where the condition allows.
    ///
    /// # Errors
    /// `ConditionalCheckFailedException`, `ValidationException`, and those of [`Model::table_for`].
    pub fn put_item(
        &mut self,
        caller: &Caller,
        name: &str,
        item: Item,
        condition: Option<Expression<'_>>,
    ) -> Result<(), ApiError> {
        let table = self.table_for(caller, "PutItem", name)?;
        let key = table.key_of(&item)?.to_owned();
        if size(&item) > LARGEST_ITEM {
            return Err(invalid("Item size has exceeded the maximum allowed size"));
        }
        if let Some(condition) = condition
            && !condition.is_met(table.items.get(&key))?
        {
            return Err(ApiError::new("ConditionalCheckFailedException", "The conditional request failed"));
        }
        let (account, region) = (caller.account().to_owned(), caller.region.clone());
        let table = self.region_mut(&account, &region)?.tables.get_mut(name);
        table.expect("it was there a moment ago").items.insert(key, item);
        Ok(())
    }
}

/// The bytes of names and values.
fn size(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + value_size(value)).sum()
}

fn value_size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(value_size).sum(),
        // Of an attribute the type is no part.
        Value::Object(members) => members.values().map(value_size).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 1,
    }
}

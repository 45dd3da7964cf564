//! A store of documents in one DynamoDB table. It knows versions, sizes and paging, and nothing of
//! what the documents say.
//!
//! One item per key, in attributes that a person can read in the console: `key` (the partition key;
//! there is no sort key), `version`, `kind` (the key's part before `#`), `document` (JSON text),
//! `expires` (seconds since 1970; the table's time to live, absent where the item stays for ever), and
//! `put` (which put it was that wrote the item).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use futures_util::{StreamExt, TryStreamExt};

use crate::cloud::error::{failure, is_unmet_condition};
use crate::cloud::{Cloud, Service};
use crate::failure::Failure;

const KEY: &str = "key";
const VERSION: &str = "version";
const KIND: &str = "kind";
const DOCUMENT: &str = "document";
const EXPIRES: &str = "expires";
const PUT_ID: &str = "put";

const GET: &str = "GetItem";
const GET_MANY: &str = "BatchGetItem";
const PUT: &str = "PutItem";
const SCAN: &str = "Scan";

/// What an item may hold, names of attributes included: DynamoDB's 400 KB, whichever way counted.
const LARGEST_ITEM: usize = 400_000;
/// A number takes no more than this (DynamoDB's rule for sizes).
const LARGEST_NUMBER: usize = 21;
/// As many letters as [`put_id`] has.
const PUT_ID_LENGTH: usize = 16;

/// How many items one BatchGetItem asks for (DynamoDB's quota).
const BATCH: usize = 100;
/// How many of those are under way at a time.
const PARALLEL: usize = 4;
/// How many times in a row an answer may bring nothing new before it is given up.
const FRUITLESS: u32 = 5;

/// One table.
#[derive(Clone, Debug)]
pub struct Table {
    client: aws_sdk_dynamodb::Client,
    name: String,
    /// Before what DynamoDB left out of an answer is asked for again; it doubles.
    pause: Duration,
}

/// What is stored under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// 1 when the item was made, one more with each put.
    pub version: u64,
    /// JSON text.
    pub document: String,
    /// When DynamoDB may remove the item, in seconds since 1970. It does so within days, and until
    /// then the item is still found.
    pub expires: Option<i64>,
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a conflict is no error, and nothing was written"]
pub enum Put {
    /// It is done. The version that was written; of a delete, the version that was removed.
    Stored(u64),
    /// The item isn't at the version that was expected. Nothing was written.
    Conflict,
}

// Here and not beside the other clients: AWS's side knows nothing of ledgers.
impl Cloud {
    /// A table in our own account and Region.
    pub fn table(&self, name: impl Into<String>) -> Table {
        Table::new(&self.sdk(Service::DynamoDb), name.into())
    }
}

impl Table {
    fn new(sdk: &SdkConfig, name: String) -> Table {
        let client = aws_sdk_dynamodb::Client::new(sdk);
        Table { client, name, pause: crate::cloud::first_pause(sdk) }
    }

    /// What is stored under a key, as of now.
    ///
    /// An item that has expired is found as long as DynamoDB hasn't removed it: whether it still
    /// counts is for the caller to say.
    ///
    /// # Errors
    /// When the table can't be read, or holds something else than this program writes.
    pub async fn get(&self, key: &str) -> Result<Option<Item>, Failure> {
        let found = self.attributes(key).await?;
        found.map(|attributes| Ok(parsed(GET, &attributes)?.1)).transpose()
    }

    async fn attributes(&self, key: &str) -> Result<Option<HashMap<String, AttributeValue>>, Failure> {
        let request = self.client.get_item().table_name(&self.name).key(KEY, text(key)).consistent_read(true);
        Ok(request.send().await.map_err(|error| failure(GET, &error))?.item)
    }

    /// What is stored under each of many keys, as of now. A key that isn't in the answer isn't there.
    ///
    /// # Errors
    /// When a single one of them couldn't be read.
    pub async fn get_many(&self, keys: &[String]) -> Result<BTreeMap<String, Item>, Failure> {
        // A key that is named twice makes DynamoDB refuse the whole batch.
        let keys: Vec<&String> = keys.iter().collect::<BTreeSet<_>>().into_iter().collect();
        let batches: Vec<Vec<_>> = keys.chunks(BATCH).map(|keys| keys.iter().map(only).collect()).collect();
        let batches = futures_util::stream::iter(batches).map(|keys| self.get_batch(keys));
        let found: Vec<Vec<(String, Item)>> = batches.buffer_unordered(PARALLEL).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// One batch, asked for until everything was answered.
    async fn get_batch(
        &self,
        mut missing: Vec<HashMap<String, AttributeValue>>,
    ) -> Result<Vec<(String, Item)>, Failure> {
        let mut found = Vec::new();
        let mut fruitless = 0;
        loop {
            let asked = missing.len();
            let wanted = KeysAndAttributes::builder().set_keys(Some(missing)).consistent_read(true).build();
            let wanted = wanted.map_err(|error| Failure::rejected(GET_MANY, error.to_string()))?;
            let request = self.client.batch_get_item().request_items(&self.name, wanted);
            let answer = request.send().await.map_err(|error| failure(GET_MANY, &error))?;
            for item in answer.responses().into_iter().flatten().flat_map(|(_, items)| items) {
                found.push(parsed(GET_MANY, item)?);
            }
            let left = answer.unprocessed_keys().into_iter().flatten();
            missing = left.flat_map(|(_, left)| left.keys().iter().cloned()).collect();
            if missing.is_empty() {
                return Ok(found);
            }
            fruitless = if missing.len() < asked { 0 } else { fruitless + 1 };
            if fruitless == FRUITLESS {
                return Err(Failure::transient(
                    GET_MANY,
                    format!("{} items were left out of every answer", missing.len()),
                ));
            }
            tokio::time::sleep(self.pause * 2_u32.pow(fruitless)).await;
        }
    }

    /// Stores a document: as a new item, where `expected` is `None`; else over the version named.
    ///
    /// A put that arrived and whose answer was lost is tried again by the SDK, and then meets its
    /// own work. That is told from a conflict by the id stored with it, and not by the document: two
    /// may write the same text at the same time, and only one of them came first.
    ///
    /// An item that was removed and made anew begins again at version 1: whoever holds on to an old
    /// version over a removal isn't noticed.
    ///
    /// # Errors
    /// When the document is too large, or the table can't be written. Whether a put that failed as
    /// transient was stored isn't known.
    pub async fn put(
        &self,
        key: &str,
        document: &str,
        expected: Option<u64>,
        expires: Option<i64>,
    ) -> Result<Put, Failure> {
        let size = size(key, document);
        if size > LARGEST_ITEM {
            let message = format!("{key}: an item of {size} bytes; DynamoDB takes {LARGEST_ITEM} at most");
            return Err(Failure::rejected(PUT, message));
        }
        let version = expected.unwrap_or(0) + 1;
        let id = put_id();
        let mut request = self
            .client
            .put_item()
            .table_name(&self.name)
            .item(KEY, text(key))
            .item(VERSION, number(&version))
            .item(KIND, text(kind(key)))
            .item(DOCUMENT, text(document))
            .item(PUT_ID, text(&id));
        if let Some(expires) = expires {
            request = request.item(EXPIRES, number(&expires));
        }
        request = match expected {
            None => request
                .condition_expression("attribute_not_exists(#key)")
                .expression_attribute_names("#key", KEY),
            Some(expected) => request
                .condition_expression("#version = :expected")
                .expression_attribute_names("#version", VERSION)
                .expression_attribute_values(":expected", number(&expected)),
        };
        match request.send().await {
            Ok(_) => Ok(Put::Stored(version)),
            Err(error) if is_unmet_condition(&error) => {
                let found = self.attributes(key).await?;
                let ours = found.is_some_and(|found| found.get(PUT_ID) == Some(&text(&id)));
                Ok(if ours { Put::Stored(version) } else { Put::Conflict })
            }
            Err(error) => Err(failure(PUT, &error)),
        }
    }

    /// A page of the items whose keys begin with `prefix`, in no order, as of now; and where the next
    /// page begins, if there is one. `limit` is how many items are looked at for it: a page may be
    /// short, or empty, and still have a next one.
    ///
    /// # Errors
    /// When the table can't be read, or an item holds something else than this program writes.
    pub async fn scan(
        &self,
        prefix: &str,
        from: Option<String>,
        limit: u32,
    ) -> Result<(Vec<(String, Item)>, Option<String>), Failure> {
        let limit = i32::try_from(limit.max(1)).unwrap_or(i32::MAX);
        let mut request = self.client.scan().table_name(&self.name).consistent_read(true).limit(limit);
        if !prefix.is_empty() {
            request = request
                .filter_expression("begins_with(#key, :prefix)")
                .expression_attribute_names("#key", KEY)
                .expression_attribute_values(":prefix", text(prefix));
        }
        let request = request.set_exclusive_start_key(from.as_ref().map(only));
        let answer = request.send().await.map_err(|error| failure(SCAN, &error))?;
        let items = answer.items().iter().map(|item| parsed(SCAN, item)).collect::<Result<_, _>>()?;
        let next = answer.last_evaluated_key().filter(|key| !key.is_empty());
        // The key is all there is in it: the table has no sort key, and this is no index.
        let next = next.map(|key| required(SCAN, key, KEY, AttributeValue::as_s)).transpose()?;
        Ok((items, next.cloned()))
    }
}

fn only(key: impl AsRef<str>) -> HashMap<String, AttributeValue> {
    HashMap::from([(KEY.to_owned(), text(key.as_ref()))])
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn number(number: &impl ToString) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

fn kind(key: &str) -> &str {
    key.split_once('#').map_or(key, |(kind, _)| kind)
}

/// Tells one put from every other of the same version. The standard library's hasher begins at
/// random, which is enough where it is between a handful.
fn put_id() -> String {
    format!("{:0PUT_ID_LENGTH$x}", RandomState::new().hash_one(PUT_ID))
}

/// What DynamoDB counts for an item, and no less.
fn size(key: &str, document: &str) -> usize {
    let names = [KEY, VERSION, KIND, DOCUMENT, EXPIRES, PUT_ID].map(str::len).iter().sum::<usize>();
    names + key.len() + kind(key).len() + document.len() + 2 * LARGEST_NUMBER + PUT_ID_LENGTH
}

fn parsed(
    operation: &'static str,
    attributes: &HashMap<String, AttributeValue>,
) -> Result<(String, Item), Failure> {
    let key = required(operation, attributes, KEY, AttributeValue::as_s)?;
    let broken = |name: &str| {
        Failure::rejected(operation, format!("item {key}: `{name}` is missing or has another type"))
    };
    let version = required(operation, attributes, VERSION, AttributeValue::as_n)?;
    let expires = match attributes.get(EXPIRES) {
        Some(AttributeValue::N(expires)) => Some(expires.parse().map_err(|_| broken(EXPIRES))?),
        Some(_) => return Err(broken(EXPIRES)),
        None => None,
    };
    let item = Item {
        version: version.parse().map_err(|_| broken(VERSION))?,
        document: required(operation, attributes, DOCUMENT, AttributeValue::as_s)?.clone(),
        expires,
    };
    Ok((key.clone(), item))
}

fn required<'a>(
    operation: &'static str,
    attributes: &'a HashMap<String, AttributeValue>,
    name: &str,
    read: impl Fn(&'a AttributeValue) -> Result<&'a String, &'a AttributeValue>,
) -> Result<&'a String, Failure> {
    let value = attributes.get(name).and_then(|value| read(value).ok());
    value.ok_or_else(|| {
        let key = attributes.get(KEY).and_then(|key| key.as_s().ok()).map_or("without a key", String::as_str);
        Failure::rejected(operation, format!("item {key}: `{name}` is missing or has another type"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Category;

    #[test]
    fn a_kind_is_what_stands_before_the_first_hash() {
        assert_eq!(kind("target#111122223333#eu-west-1"), "target");
        assert_eq!(kind("rollout"), "rollout");
    }

    #[test]
    fn a_size_counts_bytes_of_everything() {
        assert_eq!(size("a#b", "é") - size("a#b", ""), 2);
        // The names, "k#1", "k", two numbers and an id.
        assert_eq!(size("k#1", ""), 3 + 7 + 4 + 8 + 7 + 3 + 3 + 1 + 42 + 16);
    }

    #[test]
    fn each_put_has_an_id_of_its_own() {
        let ids: BTreeSet<String> = (0..1_000).map(|_| put_id()).collect();
        assert_eq!(ids.len(), 1_000);
        assert!(ids.iter().all(|id| id.len() == PUT_ID_LENGTH));
    }

    #[test]
    fn an_item_of_somebody_else_is_named_and_not_guessed_at() {
        let good = HashMap::from([
            (KEY.to_owned(), text("a#1")),
            (VERSION.to_owned(), number(&7)),
            (DOCUMENT.to_owned(), text("{}")),
            (EXPIRES.to_owned(), number(&1_900_000_000_i64)),
        ]);
        let item = Item { version: 7, document: "{}".to_owned(), expires: Some(1_900_000_000) };
        assert_eq!(parsed(GET, &good), Ok(("a#1".to_owned(), item)));
        for (name, value) in [
            (KEY, number(&1)),
            (VERSION, number(&-1)),
            (VERSION, text("7")),
            (DOCUMENT, number(&1)),
            (EXPIRES, text("never")),
            (EXPIRES, AttributeValue::N("1.5".to_owned())),
        ] {
            let mut bad = good.clone();
            bad.insert(name.to_owned(), value);
            let failure = parsed(GET, &bad).unwrap_err();
            assert_eq!(failure.category, Category::Rejected);
            assert!(failure.message.contains(name), "{failure}");
        }
        let mut bad = good;
        bad.remove(DOCUMENT);
        assert_eq!(
            parsed(GET, &bad).unwrap_err().message,
            "item a#1: `document` is missing or has another type"
        );
    }
}

//! The store of documents.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::join_all;
use guardrail_keeper::failure::Category;
use guardrail_keeper::ledger::{Item, Put, Table};
use serde_json::{Value, json};

use crate::between::Fault;
use crate::place::{ATTEMPTS, Place};

const PUT: &str = "PutItem";
const GET: &str = "GetItem";

fn item(version: u64, document: &str) -> Option<Item> {
    Some(Item { version, document: document.to_owned(), expires: None })
}

#[tokio::test]
async fn an_item_is_made_and_changed_by_whoever_knows_its_version() {
    let place = Place::open().await;
    let table = place.table("life").await;
    assert_eq!(table.get("a#1").await.unwrap(), None);
    assert_eq!(table.put("a#1", "{}", Some(1), None).await.unwrap(), Put::Conflict, "nothing is there");

    assert_eq!(table.put("a#1", r#"{"n":1}"#, None, None).await.unwrap(), Put::Stored(1));
    assert_eq!(table.get("a#1").await.unwrap(), item(1, r#"{"n":1}"#));
    assert_eq!(table.put("a#1", r#"{"n":2}"#, None, None).await.unwrap(), Put::Conflict, "it is there");

    assert_eq!(table.put("a#1", r#"{"n":2}"#, Some(1), None).await.unwrap(), Put::Stored(2));
    assert_eq!(table.put("a#1", r#"{"n":3}"#, Some(1), None).await.unwrap(), Put::Conflict, "a stale put");
    assert_eq!(table.get("a#1").await.unwrap(), item(2, r#"{"n":2}"#));

    place.remove("life", "a#1").await;
    assert_eq!(table.get("a#1").await.unwrap(), None);
    assert_eq!(table.put("a#1", "{}", None, None).await.unwrap(), Put::Stored(1), "and may come again");
}

#[tokio::test]
async fn a_person_can_read_an_item_and_the_table_lets_it_expire() {
    let place = Place::open().await;
    let table = place.table("readable").await;
    let document = r#"{"reason":"„held“ \\ naïve"}"#;
    let put = table.put("target#111122223333#eu-west-1", document, None, Some(4_102_444_800)).await.unwrap();
    assert_eq!(put, Put::Stored(1));
    let request = place.dynamodb.get_item().table_name("readable").consistent_read(true);
    let key = AttributeValue::S("target#111122223333#eu-west-1".to_owned());
    let answer = request.key("key", key.clone()).send().await.unwrap();
    let mut attributes: BTreeMap<_, _> = answer.item().unwrap().clone().into_iter().collect();
    assert!(attributes.remove("put").unwrap().is_s());
    let expected = BTreeMap::from(
        [
            ("key", key),
            ("kind", AttributeValue::S("target".to_owned())),
            ("version", AttributeValue::N("1".to_owned())),
            ("document", AttributeValue::S(document.to_owned())),
            ("expires", AttributeValue::N("4102444800".to_owned())),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    assert_eq!(attributes, expected);

    // A put says anew whether the item expires.
    assert_eq!(
        table.put("target#111122223333#eu-west-1", "{}", Some(1), None).await.unwrap(),
        Put::Stored(2)
    );
    assert_eq!(table.get("target#111122223333#eu-west-1").await.unwrap(), item(2, "{}"));
}

#[tokio::test]
async fn an_item_past_its_time_is_written_over_whether_or_not_it_was_removed() {
    let place = Place::open().await;
    let table = place.table("expired").await;
    let past = 1_750_000_000;
    assert_eq!(table.put("a#1", "{}", None, Some(past)).await.unwrap(), Put::Stored(1));
    // Whether it is there still is the table's affair.
    let found = table.get("a#1").await.unwrap();
    if let Some(found) = &found {
        assert_eq!(*found, Item { version: 1, document: "{}".to_owned(), expires: Some(past) });
    }
    let version = found.map(|found| found.version);
    let put = table.put("a#1", r#"{"again":1}"#, version, None).await.unwrap();
    assert_eq!(put, Put::Stored(version.unwrap_or(0) + 1));
    assert_eq!(table.get("a#1").await.unwrap(), item(version.unwrap_or(0) + 1, r#"{"again":1}"#));
}

#[tokio::test]
async fn a_put_whose_answer_was_lost_is_no_conflict() {
    let place = Place::open().await;
    let table = place.table("lost").await;
    place.between.next(PUT, Fault::LoseAnswer);
    assert_eq!(table.put("a#1", "{}", None, Some(4_102_444_800)).await.unwrap(), Put::Stored(1));
    assert_eq!(place.between.calls(), [PUT, PUT, GET]);
    place.between.next(PUT, Fault::LoseAnswer);
    assert_eq!(table.put("a#1", r#"{"n":2}"#, Some(1), None).await.unwrap(), Put::Stored(2));
    assert_eq!(place.between.calls(), [PUT, PUT, GET]);
    assert_eq!(table.get("a#1").await.unwrap(), item(2, r#"{"n":2}"#));
}

#[tokio::test]
async fn a_put_that_another_came_before_is_a_conflict_even_if_it_was_tried_twice() {
    let place = Place::open().await;
    let table = place.table("overtaken").await;
    place.between.next(
        PUT,
        Fault::between(|request, pass_on| {
            let mut request = request.clone();
            request["Item"]["document"] = json!({ "S": r#"{"by":"another"}"# });
            request["Item"]["put"] = json!({ "S": "another" });
            pass_on(&request);
            None
        }),
    );
    assert_eq!(table.put("a#1", "{}", None, None).await.unwrap(), Put::Conflict);
    assert_eq!(place.between.calls(), [PUT, PUT, GET]);
    assert_eq!(table.get("a#1").await.unwrap(), item(1, r#"{"by":"another"}"#));

    // Who writes what another wrote already did not write it.
    assert_eq!(table.put("a#1", r#"{"by":"another"}"#, None, None).await.unwrap(), Put::Conflict);
}

#[tokio::test]
async fn throttling_and_broken_connections_are_overcome_or_named() {
    let place = Place::open().await;
    let table = place.table("faults").await;
    place.between.next(PUT, Fault::Refuse("ProvisionedThroughputExceededException"));
    place.between.next(PUT, Fault::Refuse("ThrottlingException"));
    assert_eq!(table.put("a#1", "{}", None, None).await.unwrap(), Put::Stored(1));
    assert_eq!(place.between.calls(), [PUT; 3]);

    place.between.next(GET, Fault::Reset);
    place.between.next(GET, Fault::LoseAnswer);
    assert_eq!(table.get("a#1").await.unwrap(), item(1, "{}"));
    assert_eq!(place.between.calls(), [GET; 3]);

    for _ in 0..ATTEMPTS {
        place.between.next(GET, Fault::Refuse("RequestLimitExceeded"));
    }
    let failure = table.get("a#1").await.unwrap_err();
    assert_eq!(failure.to_string(), "GetItem: RequestLimitExceeded: as the test says (transient)");
    for _ in 0..ATTEMPTS {
        place.between.next(PUT, Fault::Reset);
    }
    let failure = table.put("a#1", "{}", Some(1), None).await.unwrap_err();
    assert_eq!((failure.category, failure.operation.as_str()), (Category::Transient, PUT));
    place.between.next(PUT, Fault::Refuse("AccessDeniedException"));
    let failure = table.put("a#1", "{}", Some(1), None).await.unwrap_err();
    assert_eq!(failure.category, Category::Denied);
    place.between.calls();

    // The condition held, and then the item can't be read back: nobody knows.
    place.between.next(GET, Fault::Refuse("AccessDeniedException"));
    let failure = table.put("a#1", "{}", None, None).await.unwrap_err();
    assert_eq!((failure.category, failure.operation.as_str()), (Category::Denied, GET));
}

#[tokio::test]
async fn a_table_that_is_not_there_is_an_error_and_not_an_empty_one() {
    let place = Place::open().await;
    let table = place.cloud.table("nowhere");
    assert_eq!(table.get("a#1").await.unwrap_err().category, Category::Rejected);
    assert_eq!(table.get_many(&["a#1".to_owned()]).await.unwrap_err().category, Category::Rejected);
    assert_eq!(table.scan("", None, 10).await.unwrap_err().category, Category::Rejected);
    assert_eq!(table.put("a#1", "{}", None, None).await.unwrap_err().category, Category::Rejected);
}

#[tokio::test]
async fn what_is_too_large_is_refused_before_the_call() {
    let place = Place::open().await;
    let table = place.table("large").await;
    let fits = "x".repeat(400_000 - 100);
    assert_eq!(table.put("a#1", &fits, None, Some(1)).await.unwrap(), Put::Stored(1));
    assert_eq!(table.get("a#1").await.unwrap().unwrap().document.len(), fits.len());
    place.between.calls();
    // Counted in bytes.
    let failure = table.put("a#1", &"é".repeat(200_000), Some(1), None).await.unwrap_err();
    assert_eq!(
        failure.to_string(),
        "PutItem: a#1: an item of 400094 bytes; DynamoDB takes 400000 at most (rejected)"
    );
    assert_eq!(place.between.calls(), [""; 0]);
}

#[tokio::test]
async fn of_several_at_once_each_change_is_made_once() {
    const WRITERS: u64 = 6;
    const CHANGES: u64 = 5;
    let place = Place::open().await;
    let table = place.table("race").await;
    join_all((0..WRITERS).map(async |_| {
        for _ in 0..CHANGES {
            loop {
                let found = table.get("counter").await.unwrap();
                let count: u64 = found.as_ref().map_or(0, |found| found.document.parse().unwrap());
                let version = found.map(|found| found.version);
                let put = table.put("counter", &(count + 1).to_string(), version, None).await.unwrap();
                if put != Put::Conflict {
                    break;
                }
            }
        }
    }))
    .await;
    let total = WRITERS * CHANGES;
    assert_eq!(table.get("counter").await.unwrap(), item(total, &total.to_string()));
}

/// Keys `a#0` and on, each with a document of that many bytes.
async fn fill(table: &Table, prefix: &str, count: usize, bytes: usize) -> BTreeSet<String> {
    let keys: BTreeSet<String> = (0..count).map(|n| format!("{prefix}{n}")).collect();
    for key in &keys {
        let put = table.put(key, &"x".repeat(bytes), None, None).await.unwrap();
        assert_eq!(put, Put::Stored(1));
    }
    keys
}

#[tokio::test]
async fn many_are_read_in_few_calls() {
    let place = Place::open().await;
    let table = place.table("many").await;
    let there = fill(&table, "a#", 230, 10).await;
    place.between.calls();
    // Some aren't there, some are asked for twice.
    let mut asked: Vec<String> = there.iter().cloned().collect();
    asked.extend((0..20).map(|n| format!("b#{n}")));
    asked.extend((0..50).map(|n| format!("a#{n}")));
    let found = table.get_many(&asked).await.unwrap();
    assert_eq!(found.keys().cloned().collect::<BTreeSet<_>>(), there);
    assert!(found.values().all(|found| found.document.len() == 10 && found.version == 1));
    assert_eq!(place.between.calls(), ["BatchGetItem"; 3]);
    assert_eq!(table.get_many(&[]).await.unwrap(), BTreeMap::new());
    assert_eq!(place.between.calls(), [""; 0]);
}

/// Answers one key of those asked for, and leaves the others for another time.
fn answer_one(asked: &Value, pass_on: &dyn Fn(&Value) -> Value) -> Option<Value> {
    let mut request = asked.clone();
    let tables = request["RequestItems"].as_object_mut().unwrap();
    let (name, wanted) = tables.iter_mut().next().unwrap();
    let name = name.clone();
    wanted["Keys"].as_array_mut().unwrap().truncate(1);
    let mut answer = pass_on(&request);
    let mut left = asked["RequestItems"].clone();
    left[&name]["Keys"].as_array_mut().unwrap().remove(0);
    answer["UnprocessedKeys"] = left;
    Some(answer)
}

/// Answers nothing.
fn answer_none(request: &Value, _: &dyn Fn(&Value) -> Value) -> Option<Value> {
    Some(json!({ "Responses": {}, "UnprocessedKeys": request["RequestItems"] }))
}

#[tokio::test]
async fn what_an_answer_leaves_out_is_asked_for_again_or_it_all_fails() {
    let place = Place::open().await;
    let table = place.table("unprocessed").await;
    let keys: Vec<String> = fill(&table, "a#", 8, 10).await.into_iter().collect();
    place.between.calls();
    for _ in 0..3 {
        place.between.next("BatchGetItem", Fault::between(answer_one));
        place.between.next("BatchGetItem", Fault::between(answer_none));
    }
    assert_eq!(table.get_many(&keys).await.unwrap().len(), 8);
    assert_eq!(place.between.calls(), ["BatchGetItem"; 7]);

    for _ in 0..5 {
        place.between.next("BatchGetItem", Fault::between(answer_none));
    }
    let failure = table.get_many(&keys).await.unwrap_err();
    assert_eq!(failure.to_string(), "BatchGetItem: 8 items were left out of every answer (transient)");
    assert_eq!(place.between.calls(), ["BatchGetItem"; 5]);
}

/// Every page of a scan, as keys.
async fn pages(table: &Table, prefix: &str, limit: u32) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut from = None;
    loop {
        let (page, next) = table.scan(prefix, from, limit).await.unwrap();
        pages.push(page.into_iter().map(|(key, _)| key).collect());
        let Some(next) = next else { return pages };
        from = Some(next);
    }
}

#[tokio::test]
async fn a_scan_comes_in_pages_and_misses_nothing() {
    let place = Place::open().await;
    let table = place.table("scanned").await;
    assert_eq!(table.scan("", None, 100).await.unwrap(), (Vec::new(), None));
    // More than a megabyte: no page holds them all, whatever the limit.
    let large = fill(&table, "large#", 25, 100 * 1024).await;
    let small = fill(&table, "small#", 25, 10).await;
    let all: BTreeSet<String> = large.union(&small).cloned().collect();
    for (prefix, expected) in [("large#", &large), ("small#", &small), ("", &all)] {
        for (limit, least) in [(u32::MAX, 2), (7, 7)] {
            let pages = pages(&table, prefix, limit).await;
            assert!(pages.len() >= least, "{} pages of {prefix:?} by {limit}", pages.len());
            let keys: Vec<String> = pages.concat();
            assert_eq!(keys.len(), expected.len(), "{prefix:?} by {limit}");
            assert_eq!(keys.into_iter().collect::<BTreeSet<_>>(), *expected, "{prefix:?} by {limit}");
        }
    }
    assert_eq!(pages(&table, "none#", u32::MAX).await.concat(), [""; 0]);
    // A prefix is a beginning and no pattern.
    assert_eq!(pages(&table, "arge", u32::MAX).await.concat(), [""; 0]);

    // A scan goes on elsewhere, and from a place that has been removed meanwhile.
    let (first, next) = table.scan("", None, 20).await.unwrap();
    let next = next.unwrap();
    place.remove("scanned", &first.last().unwrap().0).await;
    let other = place.cloud.table("scanned");
    let (second, _) = other.scan("", Some(next), 20).await.unwrap();
    let seen: BTreeSet<&String> = first.iter().chain(&second).map(|(key, _)| key).collect();
    assert_eq!(seen.len(), first.len() + second.len());
    assert!(!second.is_empty());
}

#[tokio::test]
async fn an_item_that_is_none_of_ours_is_named() {
    let place = Place::open().await;
    let table = place.table("strange").await;
    let request = place.dynamodb.put_item().table_name("strange");
    let request = request.item("key", AttributeValue::S("a#1".to_owned()));
    request.item("version", AttributeValue::N("1".to_owned())).send().await.unwrap();
    let failure = table.get("a#1").await.unwrap_err();
    assert_eq!(
        failure.to_string(),
        "GetItem: item a#1: `document` is missing or has another type (rejected)"
    );
    let failure = table.scan("", None, 10).await.unwrap_err();
    assert_eq!(failure.to_string(), "Scan: item a#1: `document` is missing or has another type (rejected)");
    let failure = table.get_many(&["a#1".to_owned()]).await.unwrap_err();
    assert_eq!(failure.operation, "BatchGetItem");
    // It can be put right.
    assert_eq!(table.put("a#1", "{}", Some(1), None).await.unwrap(), Put::Stored(2));
}

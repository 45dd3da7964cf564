//! AWS's own types for envelopes: used for the records of a batch, and what the others would lose.

use aws_lambda_events::eventbridge::EventBridgeEvent;
use aws_lambda_events::sqs::SqsEvent;
use expect_test::expect;
use guardrail_keeper::trigger::{Delivery, Message, Trigger, decide};
use serde_json::{Value, json};

use crate::harness::settings;
use crate::samples;

/// The ids and bodies of a batch, as the keeper reads them.
fn read(batch: &str) -> Vec<(Option<String>, Message)> {
    let Delivery::Batch(records) = Delivery::parse(batch) else { panic!("not a batch: {batch}") };
    records.into_iter().map(|record| (record.id, record.message)).collect()
}

#[test]
fn what_awss_type_reads_of_a_batch_the_keeper_reads_too() {
    let mut records = 0;
    for (file, text) in samples() {
        let Ok(batch) = serde_json::from_str::<SqsEvent>(&text) else { continue };
        let of_aws = batch.records.into_iter().map(|record| (record.message_id, record.body));
        let expected: Vec<_> = of_aws.map(|(id, body)| (id, Message::parse(body.unwrap()))).collect();
        records += expected.len();
        assert_eq!(read(&text), expected, "{file}");
    }
    assert!(records > 3, "only {records} records were compared");
}

/// `SqsEvent` refuses the whole batch, so that its good messages would be delivered again until they are dead letters.
#[test]
fn an_odd_record_costs_neither_the_others_nor_its_own_message() {
    let body = json!({ "source": "guardrail-keeper.schedule" }).to_string();
    let good = json!({ "messageId": "good", "eventSource": "aws:sqs", "body": body });
    for odd in [
        json!({ "messageId": "odd", "body": body, "attributes": { "ApproximateReceiveCount": 2 } }),
        json!({ "messageId": "odd", "body": body, "attributes": [] }),
        json!({ "messageId": "odd", "body": body, "messageAttributes": { "a": { "binaryValue": "?" } } }),
        json!({ "messageId": "odd", "body": body, "eventSourceARN": 1, "awsRegion": {} }),
        json!({ "messageId": 1, "body": body }),
    ] {
        let batch = json!({ "Records": [odd, good] }).to_string();
        assert!(serde_json::from_str::<SqsEvent>(&batch).is_err(), "{batch}");
        for (_, message) in read(&batch) {
            assert!(matches!(message.decide(&settings()), Trigger::Reconcile(_)), "{batch}");
        }
    }
    for lost in [json!(null), json!("text"), json!(["odd", null, body]), json!({ "body": 1 })] {
        let batch = json!({ "Records": [lost, good] }).to_string();
        let [(None, Message::Unreadable(_)), (Some(_), Message::Event(_))] = read(&batch).as_slice() else {
            panic!("{batch}");
        };
    }
}

/// Without its place in the queue an old task could overwrite what a newer one recorded.
#[test]
fn an_odd_record_keeps_the_attributes_that_can_be_read() {
    let attributes = json!({ "SequenceNumber": "18850000000000000001", "SentTimestamp": "7", "odd": [] });
    for odd in
        [json!({ "attributes": attributes }), json!({ "attributes": attributes, "messageAttributes": 1 })]
    {
        let batch = json!({ "Records": [odd] }).to_string();
        assert!(serde_json::from_str::<SqsEvent>(&batch).is_err(), "{batch}");
        let Delivery::Batch(records) = Delivery::parse(&batch) else { panic!("not a batch: {batch}") };
        let read: Vec<_> =
            records.iter().map(|record| (record.sequence.as_deref(), record.sent_ms)).collect();
        assert_eq!(read, [(Some("18850000000000000001"), Some(7))], "{batch}");
    }
}

/// Why the envelope of an event is read member by member: AWS's type refuses these samples, on which the keeper acts.
#[test]
fn what_awss_type_refuses_of_events_the_keeper_acts_on() {
    let mut refused = String::new();
    for (file, text) in samples() {
        let acts = matches!(decide(&text, &settings()), Trigger::Reconcile(_) | Trigger::Departed { .. });
        if let (true, Err(why)) = (acts, serde_json::from_str::<EventBridgeEvent<Value>>(&text)) {
            refused.push_str(&format!("{file}: {why}\n"));
        }
    }
    expect![[r#"
        events/schedule-constant.json: missing field `detail-type` at line 5 column 1
        events/odd/bare-bones.json: missing field `detail-type` at line 9 column 1
        events/odd/no-outer-source.json: missing field `detail-type` at line 9 column 1
        events/odd/nulls-everywhere.json: invalid type: null, expected a string at line 4 column 21
        events/odd/times-as-numbers.json: invalid type: integer `1788251400`, expected an RFC 3339 formatted date and time string at line 7 column 20
        events/odd/times-in-words.json: input contains invalid characters at line 7 column 35
    "#]].assert_eq(&refused);
}

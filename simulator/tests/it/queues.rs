//! Queues of SQS, as a client sees them: what is refused, what is handed out, and when.

use serde_json::{Value, json};
use simulator::{Fault, FaultKind, Server};

use crate::client::{Client, MANAGEMENT, MEMBER, Reply, start};

/// A queue, as its owner calls it.
struct Queue {
    client: Client,
    url: String,
}

impl Queue {
    async fn new(simulator: &Server, name: &str, attributes: Value) -> Queue {
        let client = Client::new(simulator, MANAGEMENT);
        let made = client.sqs("CreateQueue", json!({ "QueueName": name, "Attributes": attributes })).await;
        assert_eq!(made.status, 200, "{made:?}");
        let url = made.json()["QueueUrl"].as_str().expect("a URL").to_owned();
        Queue { client, url }
    }

    async fn fifo(simulator: &Server) -> Queue {
        Queue::new(simulator, "tasks.fifo", json!({ "FifoQueue": "true" })).await
    }

    async fn call(&self, operation: &str, mut body: Value) -> Reply {
        body["QueueUrl"] = self.url.clone().into();
        self.client.sqs(operation, body).await
    }

    async fn send(&self, body: &str) -> Value {
        let sent = self.call("SendMessage", json!({ "MessageBody": body })).await;
        assert_eq!(sent.status, 200, "{sent:?}");
        sent.json()
    }

    async fn send_in_group(&self, group: &str, body: &str) -> Value {
        let message = json!({ "MessageBody": body, "MessageGroupId": group, "MessageDeduplicationId": body });
        let sent = self.call("SendMessage", message).await;
        assert_eq!(sent.status, 200, "{sent:?}");
        sent.json()
    }

    async fn receive(&self, most: u64) -> Vec<Value> {
        let wanted = json!({ "MaxNumberOfMessages": most, "MessageSystemAttributeNames": ["All"] });
        let received = self.call("ReceiveMessage", wanted).await;
        assert_eq!(received.status, 200, "{received:?}");
        received.json()["Messages"].as_array().cloned().unwrap_or_default()
    }

    async fn delete(&self, message: &Value) -> Reply {
        self.call("DeleteMessage", json!({ "ReceiptHandle": message["ReceiptHandle"] })).await
    }

    /// Visible, in flight, delayed.
    async fn counts(&self) -> [String; 3] {
        let shown = self.call("GetQueueAttributes", json!({ "AttributeNames": ["All"] })).await.json();
        ["", "NotVisible", "Delayed"].map(|kind| {
            let count = &shown["Attributes"][format!("ApproximateNumberOfMessages{kind}")];
            count.as_str().expect("a number as a text").to_owned()
        })
    }
}

fn bodies(messages: &[Value]) -> Vec<&str> {
    messages.iter().filter_map(|message| message["Body"].as_str()).collect()
}

fn advance(simulator: &Server, seconds: u64) {
    simulator.with(|model| model.clock.advance(std::time::Duration::from_secs(seconds)));
}

#[tokio::test]
async fn a_message_is_hidden_while_in_flight_and_comes_back() {
    let simulator = start().await;
    let queue = Queue::new(&simulator, "events", json!({ "VisibilityTimeout": "40" })).await;
    let sent = queue.send("hello").await;
    assert_eq!(sent["MD5OfMessageBody"], "5d41402abc4b2a76b9719d911017c592");
    let first = queue.receive(10).await;
    assert_eq!(bodies(&first), ["hello"]);
    assert_eq!(first[0]["MessageId"], sent["MessageId"]);
    assert_eq!(first[0]["Attributes"]["ApproximateReceiveCount"], "1");
    assert!(queue.receive(10).await.is_empty(), "it is in flight");
    assert_eq!(queue.counts().await, ["0", "1", "0"]);
    advance(&simulator, 39);
    assert!(queue.receive(10).await.is_empty(), "still in flight");
    advance(&simulator, 1);
    let again = queue.receive(10).await;
    assert_eq!(again[0]["Attributes"]["ApproximateReceiveCount"], "2");
    assert_eq!(again[0]["Attributes"]["SentTimestamp"], first[0]["Attributes"]["SentTimestamp"]);
    assert_ne!(again[0]["ReceiptHandle"], first[0]["ReceiptHandle"]);
    // The old handle is accepted and does nothing; the new one deletes.
    assert_eq!(queue.delete(&first[0]).await.status, 200);
    assert_eq!(queue.counts().await, ["0", "1", "0"]);
    assert_eq!(queue.delete(&again[0]).await.status, 200);
    assert_eq!(queue.delete(&again[0]).await.status, 200, "deleting twice is no mistake");
    assert_eq!(queue.counts().await, ["0", "0", "0"]);
    simulator.stop().await;
}

#[tokio::test]
async fn a_delay_is_the_messages_or_the_queues() {
    let simulator = start().await;
    let queue = Queue::new(&simulator, "events", json!({ "DelaySeconds": "5" })).await;
    queue.send("queue's").await;
    queue.call("SendMessage", json!({ "MessageBody": "own", "DelaySeconds": 900 })).await;
    queue.call("SendMessage", json!({ "MessageBody": "none", "DelaySeconds": 0 })).await;
    assert_eq!(queue.counts().await, ["1", "0", "2"]);
    assert_eq!(bodies(&queue.receive(10).await), ["none"]);
    advance(&simulator, 5);
    assert_eq!(bodies(&queue.receive(10).await), ["queue's"]);
    advance(&simulator, 895);
    assert!(bodies(&queue.receive(10).await).contains(&"own"));
    for wrong in [-1, 901] {
        let refused = queue.call("SendMessage", json!({ "MessageBody": "x", "DelaySeconds": wrong })).await;
        assert_eq!(refused.code(), "InvalidParameterValueException", "{wrong}");
        assert_eq!(refused.header("x-amzn-query-error"), Some("InvalidParameterValue;Sender"));
    }
    simulator.stop().await;
}

#[tokio::test]
async fn visibility_can_be_changed_while_in_flight() {
    let simulator = start().await;
    let queue = Queue::new(&simulator, "events", json!({})).await;
    queue.send("hello").await;
    let [message] = &queue.receive(1).await[..] else { panic!("one message") };
    let change = |seconds: i64| {
        let wanted = json!({ "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": seconds });
        queue.call("ChangeMessageVisibility", wanted)
    };
    assert_eq!(change(600).await.status, 200);
    advance(&simulator, 599);
    assert!(queue.receive(1).await.is_empty());
    assert_eq!(change(43_200).await.code(), "InvalidParameterValueException", "12 hours since the receive");
    assert_eq!(change(43_201).await.code(), "InvalidParameterValueException");
    assert_eq!(change(0).await.status, 200);
    assert_eq!(change(10).await.code(), "MessageNotInflight");
    assert_eq!(queue.receive(1).await.len(), 1, "given back at once");
    assert_eq!(change(10).await.code(), "InvalidParameterValueException", "the handle is an old one");
    let unknown = queue.call("DeleteMessage", json!({ "ReceiptHandle": "made up" })).await;
    assert_eq!((unknown.status, unknown.code().as_str()), (404, "ReceiptHandleIsInvalid"));
    let other = Queue::new(&simulator, "other", json!({})).await;
    assert_eq!(other.delete(message).await.code(), "ReceiptHandleIsInvalid", "another queue's handle");
    simulator.stop().await;
}

#[tokio::test]
async fn a_group_is_handed_out_in_order_and_one_at_a_time() {
    let simulator = start().await;
    let queue = Queue::fifo(&simulator).await;
    for (group, body) in [("a", "a1"), ("b", "b1"), ("a", "a2"), ("a", "a3"), ("b", "b2")] {
        queue.send_in_group(group, body).await;
    }
    let first = queue.receive(2).await;
    assert_eq!(bodies(&first), ["a1", "a2"], "as many of one group as there are");
    let second = queue.receive(1).await;
    assert_eq!(bodies(&second), ["b1"], "a3 waits for its group");
    assert!(queue.receive(10).await.is_empty(), "both groups are busy");
    queue.delete(&first[0]).await;
    assert!(queue.receive(10).await.is_empty(), "a2 is still in flight");
    queue.delete(&first[1]).await;
    assert_eq!(bodies(&queue.receive(10).await), ["a3"]);
    advance(&simulator, 30);
    // Everything came back, each group from its front.
    let rest = queue.receive(10).await;
    assert_eq!(bodies(&rest), ["b1", "b2", "a3"]);
    let late = queue.delete(&second[0]).await;
    assert_eq!(late.code(), "InvalidParameterValueException");
    assert!(late.text.contains("The receipt handle has expired"), "{late:?}");
    simulator.stop().await;
}

#[tokio::test]
async fn a_message_that_comes_back_is_before_what_was_sent_after_it() {
    let simulator = start().await;
    let queue = Queue::fifo(&simulator).await;
    queue.send_in_group("a", "a1").await;
    queue.send_in_group("a", "a2").await;
    let first = queue.receive(1).await;
    let wanted = json!({ "ReceiptHandle": first[0]["ReceiptHandle"], "VisibilityTimeout": 0 });
    queue.call("ChangeMessageVisibility", wanted).await;
    assert_eq!(bodies(&queue.receive(10).await), ["a1", "a2"]);
    simulator.stop().await;
}

#[tokio::test]
async fn what_is_sent_twice_within_five_minutes_is_one_message() {
    let simulator = start().await;
    let queue = Queue::fifo(&simulator).await;
    let first = queue.send_in_group("a", "same").await;
    let second = queue.send_in_group("a", "same").await;
    assert_eq!(first, second, "the answer is the first one's");
    assert_eq!(queue.send_in_group("b", "same").await, first, "a group makes no difference");
    let number = first["SequenceNumber"].as_str().expect("a number").to_owned();
    assert_eq!(number.len(), 20);
    // A consumer that reads it as 64 bits would fail on AWS too.
    number.parse::<u64>().expect_err("too large for 64 bits");
    let [message] = &queue.receive(10).await[..] else { panic!("one message") };
    assert_eq!(message["Attributes"]["SequenceNumber"], number.as_str());
    assert_eq!(message["Attributes"]["MessageGroupId"], "a");
    assert_eq!(message["Attributes"]["MessageDeduplicationId"], "same");
    queue.delete(message).await;
    advance(&simulator, 299);
    queue.send_in_group("a", "same").await;
    assert!(queue.receive(10).await.is_empty(), "remembered though it is deleted");
    advance(&simulator, 1);
    let later = queue.send_in_group("a", "same").await;
    assert!(later["SequenceNumber"].as_str() > Some(number.as_str()));
    assert_eq!(queue.receive(10).await.len(), 1, "five minutes after the first");
    simulator.stop().await;
}

#[tokio::test]
async fn deduplication_can_go_by_content_or_by_group() {
    let simulator = start().await;
    let by_content = json!({ "FifoQueue": "true", "ContentBasedDeduplication": "true" });
    let queue = Queue::new(&simulator, "content.fifo", by_content).await;
    for body in ["one", "one", "two"] {
        queue.call("SendMessage", json!({ "MessageBody": body, "MessageGroupId": "a" })).await;
    }
    let received = queue.receive(10).await;
    assert_eq!(bodies(&received), ["one", "two"]);
    // SHA-256 of "one".
    assert_eq!(
        received[0]["Attributes"]["MessageDeduplicationId"],
        "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"
    );
    let by_group = json!({ "FifoQueue": "true", "DeduplicationScope": "messageGroup" });
    let queue = Queue::new(&simulator, "group.fifo", by_group).await;
    queue.send_in_group("a", "same").await;
    queue.send_in_group("b", "same").await;
    queue.send_in_group("b", "same").await;
    assert_eq!(queue.receive(10).await.len(), 2);
    simulator.stop().await;
}

#[tokio::test]
async fn a_fifo_queue_refuses_what_it_cannot_order() {
    let simulator = start().await;
    let queue = Queue::fifo(&simulator).await;
    for (message, code) in [
        (json!({ "MessageBody": "x" }), "MissingRequiredParameterException"),
        (json!({ "MessageBody": "x", "MessageGroupId": "a" }), "InvalidParameterValueException"),
        (
            json!({ "MessageBody": "x", "MessageGroupId": "a", "MessageDeduplicationId": "1", "DelaySeconds": 1 }),
            "InvalidParameterValueException",
        ),
        (
            json!({ "MessageBody": "x", "MessageGroupId": "a b", "MessageDeduplicationId": "1" }),
            "InvalidParameterValueException",
        ),
        (
            json!({ "MessageBody": "x", "MessageGroupId": "a", "MessageDeduplicationId": "1".repeat(129) }),
            "InvalidParameterValueException",
        ),
    ] {
        let refused = queue.call("SendMessage", message.clone()).await;
        assert_eq!((refused.status, refused.code().as_str()), (400, code), "{message}");
    }
    let standard = Queue::new(&simulator, "events", json!({})).await;
    let deduplicated = json!({ "MessageBody": "x", "MessageDeduplicationId": "1" });
    assert_eq!(standard.call("SendMessage", deduplicated).await.code(), "InvalidParameterValueException");
    let grouped = json!({ "MessageBody": "x", "MessageGroupId": "a" });
    for _ in 0..2 {
        assert_eq!(standard.call("SendMessage", grouped.clone()).await.status, 200, "a fair queue");
    }
    assert_eq!(standard.receive(1).await.len() + standard.receive(1).await.len(), 2, "groups don't order it");
    simulator.stop().await;
}

#[tokio::test]
async fn a_batch_fails_entry_by_entry_or_as_a_whole() {
    let simulator = start().await;
    let queue = Queue::fifo(&simulator).await;
    let entry = |id: &str, body: &str| json!({ "Id": id, "MessageBody": body, "MessageGroupId": "a", "MessageDeduplicationId": id });
    let mut delayed = entry("delayed", "x");
    delayed["DelaySeconds"] = 5.into();
    let entries = json!([entry("good", "hello"), delayed, entry("bell", "\u{7}")]);
    let sent = queue.call("SendMessageBatch", json!({ "Entries": entries })).await.json();
    assert_eq!(sent["Successful"][0]["Id"], "good");
    assert_eq!(sent["Successful"][0]["MD5OfMessageBody"], "5d41402abc4b2a76b9719d911017c592");
    assert!(sent["Successful"][0]["SequenceNumber"].is_string());
    let failed: Vec<_> =
        sent["Failed"].as_array().expect("a list").iter().map(|each| (&each["Id"], &each["Code"])).collect();
    assert_eq!(failed.len(), 2, "{sent}");
    assert_eq!(failed[0], (&json!("delayed"), &json!("InvalidParameterValue")));
    assert_eq!(failed[1], (&json!("bell"), &json!("InvalidMessageContents")));
    let many: Vec<Value> = (0..11).map(|number| entry(&number.to_string(), "x")).collect();
    let half = "x".repeat(600_000);
    for (entries, code) in [
        (json!([]), "EmptyBatchRequest"),
        (json!(many), "TooManyEntriesInBatchRequest"),
        (json!([entry("a", "x"), entry("a", "y")]), "BatchEntryIdsNotDistinct"),
        (json!([entry("a b", "x")]), "InvalidBatchEntryId"),
        (json!([entry("a", &half), entry("b", &half)]), "BatchRequestTooLong"),
    ] {
        let refused = queue.call("SendMessageBatch", json!({ "Entries": entries })).await;
        assert_eq!(refused.code(), code);
        let header = format!("AWS.SimpleQueueService.{code};Sender");
        assert_eq!(refused.header("x-amzn-query-error"), Some(header.as_str()));
    }
    let too_long = json!({
        "MessageBody": "x".repeat(1_048_577), "MessageGroupId": "a", "MessageDeduplicationId": "1"
    });
    assert_eq!(queue.call("SendMessage", too_long).await.code(), "InvalidParameterValueException");
    let received = queue.receive(10).await;
    assert_eq!(bodies(&received), ["hello"], "nothing of a refused batch was sent");
    let handles = json!([
        { "Id": "one", "ReceiptHandle": received[0]["ReceiptHandle"] },
        { "Id": "two", "ReceiptHandle": "made up" },
    ]);
    let deleted = queue.call("DeleteMessageBatch", json!({ "Entries": handles })).await.json();
    assert_eq!(deleted["Successful"], json!([{ "Id": "one" }]));
    assert_eq!(deleted["Failed"][0]["Code"], "ReceiptHandleIsInvalid");
    assert_eq!(queue.counts().await, ["0", "0", "0"]);
    simulator.stop().await;
}

#[tokio::test]
async fn what_is_received_too_often_goes_to_the_dead_letter_queue() {
    let simulator = start().await;
    for (fifo, suffix) in [(false, ""), (true, ".fifo")] {
        let kind = |mut attributes: Value| {
            if fifo {
                attributes["FifoQueue"] = "true".into();
            }
            attributes
        };
        let dead = Queue::new(&simulator, &format!("dead{suffix}"), kind(json!({}))).await;
        let arn = format!("arn:aws:sqs:us-east-1:{MANAGEMENT}:dead{suffix}");
        let policy = json!({ "deadLetterTargetArn": arn, "maxReceiveCount": "2" }).to_string();
        let queue =
            Queue::new(&simulator, &format!("live{suffix}"), kind(json!({ "RedrivePolicy": policy }))).await;
        for body in ["poison", "good"] {
            if fifo {
                queue.send_in_group("a", body).await;
            } else {
                queue.send(body).await;
            }
        }
        for _ in 0..2 {
            assert_eq!(bodies(&queue.receive(1).await), ["poison"]);
            advance(&simulator, 30);
        }
        let after = queue.receive(10).await;
        assert_eq!(bodies(&after), ["good"], "what comes after it goes on at once");
        let [moved] = &dead.receive(10).await[..] else { panic!("one message") };
        assert_eq!(moved["Body"], "poison");
        assert_eq!(moved["Attributes"]["ApproximateReceiveCount"], "3");
        let source = format!("arn:aws:sqs:us-east-1:{MANAGEMENT}:live{suffix}");
        assert_eq!(moved["Attributes"]["DeadLetterQueueSourceArn"], source.as_str());
    }
    simulator.stop().await;
}

#[tokio::test]
async fn a_queue_is_made_once_and_of_what_can_be() {
    let simulator = start().await;
    let queue = Queue::new(&simulator, "events", json!({ "VisibilityTimeout": "60" })).await;
    assert_eq!(queue.url, format!("{}/{MANAGEMENT}/events", simulator.url()));
    let create = |name: &str, attributes: Value| {
        let body = json!({ "QueueName": name, "Attributes": attributes });
        async { queue.client.sqs("CreateQueue", body).await }
    };
    assert_eq!(create("events", json!({})).await.json()["QueueUrl"], queue.url.as_str());
    assert_eq!(create("events", json!({ "VisibilityTimeout": "60" })).await.status, 200);
    let other = create("events", json!({ "VisibilityTimeout": "61" })).await;
    assert_eq!(other.code(), "QueueNameExists");
    assert_eq!(other.header("x-amzn-query-error"), Some("QueueAlreadyExists;Sender"));
    let nowhere =
        json!({ "deadLetterTargetArn": "arn:aws:sqs:us-east-1:111111111111:none", "maxReceiveCount": 3 });
    let to_standard =
        json!({ "deadLetterTargetArn": "arn:aws:sqs:us-east-1:111111111111:events", "maxReceiveCount": 3 });
    for (name, attributes, code) in [
        ("a.b", json!({}), "InvalidParameterValueException"),
        ("a.fifo", json!({}), "InvalidParameterValueException"),
        ("a", json!({ "FifoQueue": "true" }), "InvalidParameterValueException"),
        ("a", json!({ "FifoQueue": "false" }), "InvalidAttributeName"),
        ("a", json!({ "ContentBasedDeduplication": "true" }), "InvalidAttributeName"),
        ("a", json!({ "DelaySeconds": "901" }), "InvalidAttributeValue"),
        ("a", json!({ "VisibilityTimeout": "-1" }), "InvalidAttributeValue"),
        ("a", json!({ "MessageRetentionPeriod": "59" }), "InvalidAttributeValue"),
        ("a", json!({ "Colour": "red" }), "InvalidAttributeName"),
        ("a", json!({ "RedrivePolicy": nowhere.to_string() }), "InvalidParameterValueException"),
        (
            "a.fifo",
            json!({ "FifoQueue": "true", "RedrivePolicy": to_standard.to_string() }),
            "InvalidParameterValueException",
        ),
        ("a", json!({ "RedrivePolicy": "{" }), "InvalidAttributeValue"),
    ] {
        let refused = create(name, attributes.clone()).await;
        assert_eq!((refused.status, refused.code().as_str()), (400, code), "{name} {attributes}");
    }
    let none = queue.client.sqs("GetQueueUrl", json!({ "QueueName": "none" })).await;
    assert_eq!(none.header("x-amzn-query-error"), Some("AWS.SimpleQueueService.NonExistentQueue;Sender"));
    assert_eq!(queue.call("GetQueueAttributes", json!({})).await.json(), json!({}), "nothing was asked for");
    simulator.stop().await;
}

#[tokio::test]
async fn a_queue_belongs_to_its_account_and_region() {
    let simulator = start().await;
    let queue = Queue::new(&simulator, "events", json!({})).await;
    let elsewhere = Queue { client: queue.client.clone().region("eu-west-1"), url: queue.url.clone() };
    assert_eq!(elsewhere.call("PurgeQueue", json!({})).await.code(), "QueueDoesNotExist");
    let stranger = Queue { client: Client::new(&simulator, MEMBER), url: queue.url.clone() };
    let denied = stranger.call("SendMessage", json!({ "MessageBody": "x" })).await;
    assert_eq!((denied.status, denied.code().as_str()), (403, "AccessDeniedException"));
    assert_eq!(denied.header("x-amzn-query-error"), Some("AccessDenied;Sender"));
    let role = "arn:aws:iam::111111111111:role/GuardrailKeeperFunction";
    let function = Queue { client: queue.client.assume(role).await, url: queue.url.clone() };
    assert_eq!(function.call("SendMessage", json!({ "MessageBody": "x" })).await.status, 200);
    let denied = function.call("ReceiveMessage", json!({})).await;
    assert!(
        denied.text.contains("no identity-based policy allows the sqs:receivemessage action"),
        "{denied:?}"
    );
    simulator.stop().await;
}

#[tokio::test]
async fn messages_are_kept_for_a_while_and_purged_once_a_minute() {
    let simulator = start().await;
    let queue = Queue::new(&simulator, "events", json!({ "MessageRetentionPeriod": "60" })).await;
    queue.send("old").await;
    advance(&simulator, 59);
    assert_eq!(queue.receive(1).await.len(), 1);
    advance(&simulator, 1);
    assert_eq!(queue.counts().await, ["0", "0", "0"], "gone though it was in flight");
    queue.send("new").await;
    assert_eq!(queue.call("PurgeQueue", json!({})).await.status, 200);
    assert_eq!(queue.counts().await, ["0", "0", "0"]);
    let again = queue.call("PurgeQueue", json!({})).await;
    assert_eq!((again.status, again.code().as_str()), (403, "PurgeQueueInProgress"));
    advance(&simulator, 60);
    assert_eq!(queue.call("PurgeQueue", json!({})).await.status, 200);
    simulator.stop().await;
}

#[tokio::test]
async fn entries_of_a_batch_fail_though_nothing_is_wrong_with_them() {
    let simulator = start().await;
    let queue = Queue::new(&simulator, "events", json!({})).await;
    let part = Fault::new(FaultKind::PartOfBatch { code: "InternalError".to_owned() });
    simulator.fault(part.clone().about("events"));
    let entry = |id: &str| json!({ "Id": id, "MessageBody": id });
    let entries = json!([entry("a"), entry("b"), entry("c"), entry("d")]);
    let sent = queue.call("SendMessageBatch", json!({ "Entries": entries })).await.json();
    let ids =
        |list: &Value| json!(list.as_array().expect("a list").iter().map(|e| &e["Id"]).collect::<Vec<_>>());
    assert_eq!(ids(&sent["Successful"]), json!(["b", "d"]));
    assert_eq!(ids(&sent["Failed"]), json!(["a", "c"]));
    assert_eq!(sent["Failed"][0]["Code"], "InternalError");
    assert_eq!(sent["Failed"][0]["SenderFault"], false);
    let received = queue.receive(10).await;
    assert_eq!(bodies(&received), ["b", "d"]);
    let one = json!([{ "Id": "x", "ReceiptHandle": received[0]["ReceiptHandle"] }]);
    let deleted = queue.call("DeleteMessageBatch", json!({ "Entries": one })).await.json();
    assert_eq!((ids(&deleted["Failed"]), ids(&deleted["Successful"])), (json!(["x"]), json!([])));
    assert_eq!(queue.counts().await, ["0", "2", "0"]);
    simulator.clear_faults();
    simulator.fault(part);
    let event = json!({ "Source": "s", "DetailType": "d", "Detail": "{}" });
    let put = queue.client.put_events(json!([event, event, event])).await.json();
    assert_eq!(put["FailedEntryCount"], 2);
    let codes: Vec<_> = put["Entries"].as_array().expect("a list").iter().map(|e| &e["ErrorCode"]).collect();
    assert_eq!(json!(codes), json!(["InternalError", null, "InternalError"]));
    assert_eq!(simulator.with(|model| model.put_events().len()), 1);
    assert_eq!(queue.send("alone").await["MD5OfMessageBody"].as_str().map(str::len), Some(32), "no batch");
    simulator.stop().await;
}

#[tokio::test]
async fn queues_fail_on_purpose_like_everything_else() {
    let simulator = start().await;
    let queue = Queue::new(&simulator, "events", json!({})).await;
    for (kind, status, code, header) in [
        (FaultKind::Throttle, 403, "RequestThrottled", "RequestThrottled;Sender"),
        (FaultKind::ServerError, 500, "InternalFailure", "InternalFailure;Receiver"),
    ] {
        simulator.fault(Fault::new(kind).service("sqs").operation("SendMessage").times(1));
        let failed = queue.call("SendMessage", json!({ "MessageBody": "x" })).await;
        assert_eq!((failed.status, failed.code().as_str()), (status, code));
        assert_eq!(failed.header("x-amzn-query-error"), Some(header));
    }
    simulator.fault(Fault::new(FaultKind::Throttle).service("sqs").about("tasks"));
    let tasks = Queue::new(&simulator, "other", json!({})).await;
    let made = queue.client.sqs("CreateQueue", json!({ "QueueName": "tasks" })).await;
    assert_eq!(made.code(), "RequestThrottled", "about the queue of that name");
    tasks.send("passes").await;
    simulator.clear_faults();
    assert_eq!(queue.call("ListQueues", json!({})).await.code(), "UnknownOperationException");
    let call = simulator.calls().pop().expect("the call was seen");
    assert_eq!((call.service.as_str(), call.operation.as_str()), ("sqs", "ListQueues"));
    assert_eq!(queue.counts().await, ["0", "0", "0"], "nothing was carried out");
    queue.send("hello").await;
    let shown = queue.client.control("GET", "queues", Value::Null).await.json();
    assert_eq!(shown["queues"][0]["queue"]["name"], "events");
    assert_eq!(shown["queues"][1]["queue"]["name"], "other");
    assert_eq!(shown["queues"][0]["messages"][0]["message"]["body"], "hello");
    assert_eq!(shown["queues"][0]["messages"][0]["state"], "visible");
    simulator.stop().await;
}

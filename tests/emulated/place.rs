//! One emulator, seen from two sides: as the keeper, with faults on the way, and as the test.

use std::collections::BTreeMap;
use std::env;
use std::process::Command;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    TimeToLiveSpecification,
};
use aws_sdk_sqs::types::QueueAttributeName;
use guardrail_keeper::cloud::{Access, Cloud, DelayedMessage, Identity, OutcomeEvent, Patience};
use guardrail_keeper::failure::Category;
use guardrail_keeper::ids::Role;
use guardrail_keeper::ledger::Table;

use crate::between::Between;

const REGION: &str = "eu-west-1";
pub(crate) const ACCOUNT: &str = "111122223333";

/// How many attempts the keeper's clients have.
pub(crate) const ATTEMPTS: u32 = 3;

pub(crate) struct Place {
    pub(crate) cloud: Cloud,
    /// As a terminal has it: what it asks for is none of the function's permissions.
    pub(crate) terminal: Cloud,
    /// On the keeper's way to the emulator.
    pub(crate) between: Between,
    pub(crate) dynamodb: aws_sdk_dynamodb::Client,
    pub(crate) sqs: aws_sdk_sqs::Client,
    pub(crate) eventbridge: aws_sdk_eventbridge::Client,
}

impl Place {
    pub(crate) async fn open() -> Place {
        let emulator = env::var("KEEPER_EMULATOR").unwrap_or_else(|_| {
            panic!("KEEPER_EMULATOR isn't set: tests/emulated/run starts emulators and these tests")
        });
        let host = emulator.strip_prefix("http://").expect("KEEPER_EMULATOR is like http://127.0.0.1:5000");
        let between = Between::start(host);
        let sdk = direct(&emulator);
        Place {
            cloud: connected(between.url()).await,
            terminal: connected(&emulator).await,
            between,
            dynamodb: aws_sdk_dynamodb::Client::new(&sdk),
            sqs: aws_sdk_sqs::Client::new(&sdk),
            eventbridge: aws_sdk_eventbridge::Client::new(&sdk),
        }
    }

    /// A new table, as the template makes it.
    pub(crate) async fn table(&self, name: &str) -> Table {
        let key = AttributeDefinition::builder().attribute_name("key").attribute_type(ScalarAttributeType::S);
        let schema = KeySchemaElement::builder().attribute_name("key").key_type(KeyType::Hash);
        let request = self.dynamodb.create_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
        let request = request.attribute_definitions(key.build().unwrap()).key_schema(schema.build().unwrap());
        request.send().await.unwrap();
        let expiry = TimeToLiveSpecification::builder().attribute_name("expires").enabled(true);
        let request = self.dynamodb.update_time_to_live().table_name(name);
        request.time_to_live_specification(expiry.build().unwrap()).send().await.unwrap();
        self.cloud.table(name)
    }

    /// Removes an item, which nothing of the keeper's does: the table itself lets them expire.
    pub(crate) async fn remove(&self, table: &str, key: &str) {
        let request = self.dynamodb.delete_item().table_name(table);
        request.key("key", AttributeValue::S(key.to_owned())).send().await.unwrap();
    }

    /// A new queue's URL.
    pub(crate) async fn queue(&self, name: &str) -> String {
        let fifo = name.ends_with(".fifo").then(|| ("true".to_owned(), QueueAttributeName::FifoQueue));
        let mut request = self.sqs.create_queue().queue_name(name);
        if let Some((value, attribute)) = fifo {
            request = request.attributes(attribute, value);
        }
        request.send().await.unwrap().queue_url().unwrap().to_owned()
    }

    /// Receives what there is in a queue, as group and body, and leaves it empty.
    pub(crate) async fn received(&self, queue: &str) -> Vec<(String, String)> {
        let mut received = Vec::new();
        loop {
            let request = self.sqs.receive_message().queue_url(queue).max_number_of_messages(10);
            let request = request.message_system_attribute_names(
                aws_sdk_sqs::types::MessageSystemAttributeName::MessageGroupId,
            );
            let answer = request.send().await.unwrap();
            if answer.messages().is_empty() {
                return received;
            }
            for message in answer.messages() {
                let attributes = message.attributes().into_iter().flatten();
                let mut group = attributes.filter(|(name, _)| name.as_str() == "MessageGroupId");
                let group = group.next().map(|(_, group)| group.clone()).unwrap_or_default();
                received.push((group, message.body().unwrap().to_owned()));
                let request = self.sqs.delete_message().queue_url(queue);
                request.receipt_handle(message.receipt_handle().unwrap()).send().await.unwrap();
            }
        }
    }
}

/// What the keeper has: every service but the three is nowhere.
async fn connected(endpoint: &str) -> Cloud {
    let services = ["dynamodb", "eventbridge", "sqs"];
    let access = Access::Explicit {
        endpoint: "http://127.0.0.1:1".to_owned(),
        elsewhere: services.map(|service| (service.to_owned(), endpoint.to_owned())).into(),
        region: REGION.parse().unwrap(),
        access_key_id: ACCOUNT.to_owned(),
        secret_access_key: "emulated".to_owned(),
    };
    // An emulator on a busy machine is slow, and what is sent twice for that would be counted.
    let patience = Patience {
        attempt: Duration::from_secs(60),
        operation: Duration::from_secs(180),
        attempts: ATTEMPTS,
        backoff: Duration::from_millis(1),
        ..Patience::default()
    };
    Cloud::connect(access, identity(), patience).await.unwrap()
}

fn identity() -> Identity {
    Identity {
        member_role: "keeper-member".parse().unwrap(),
        // Known, so that STS isn't asked.
        function_role: Role::of_principal(&format!("arn:aws:iam::{ACCOUNT}:role/keeper")),
        external_id: None,
    }
}

fn direct(emulator: &str) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(emulator)
        .region(Region::new(REGION))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            ACCOUNT, "emulated", None, None, "explicit",
        )))
        .build()
}

#[tokio::test]
async fn only_services_that_can_be_elsewhere_are() {
    let access = Access::Explicit {
        endpoint: "http://127.0.0.1:1".to_owned(),
        elsewhere: BTreeMap::from([("dynamo".to_owned(), "http://127.0.0.1:1".to_owned())]),
        region: REGION.parse().unwrap(),
        access_key_id: ACCOUNT.to_owned(),
        secret_access_key: "emulated".to_owned(),
    };
    let failure = Cloud::connect(access, identity(), Patience::default()).await.unwrap_err();
    assert_eq!(failure.to_string(), "connect: `dynamo` isn't a service whose endpoint can be set (rejected)");
}

/// Runs itself, with an environment of its own.
#[tokio::test]
async fn the_environment_says_where_services_are() {
    const DYNAMODB: &str = "AWS_ENDPOINT_URL_DYNAMODB";
    let emulator = env::var("KEEPER_EMULATOR").expect("tests/emulated/run sets it");
    if env::var(DYNAMODB).is_err() {
        let mut itself = Command::new(env::current_exe().unwrap());
        itself.args(["--exact", "place::the_environment_says_where_services_are", "--nocapture"]);
        for (name, value) in [
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
            (DYNAMODB, &emulator),
            ("AWS_ENDPOINT_URL_SQS", &emulator),
            ("AWS_ENDPOINT_URL_EVENTBRIDGE", &emulator),
            ("AWS_REGION", REGION),
            ("AWS_ACCESS_KEY_ID", ACCOUNT),
            ("AWS_SECRET_ACCESS_KEY", "emulated"),
            ("AWS_CONFIG_FILE", "none"),
            ("AWS_SHARED_CREDENTIALS_FILE", "none"),
        ] {
            itself.env(name, value);
        }
        let output = itself.output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&text));
        return;
    }
    let patience = Patience { attempts: 1, ..Patience::default() };
    let cloud = Cloud::connect(Access::Environment, identity(), patience).await.unwrap();
    // An emulator knows neither; of nowhere, nothing is known at all.
    let failure = cloud.table("from-the-environment").get("a#1").await.unwrap_err();
    assert_eq!(failure.category, Category::Rejected, "{failure}");
    let message = DelayedMessage { body: "a".to_owned(), delay_seconds: 0 };
    let queue = format!("{emulator}/{ACCOUNT}/from-the-environment");
    let failure = cloud.queues().send_events(&queue, &[message]).await.unwrap_err();
    assert_eq!(failure.category, Category::Rejected, "{failure}");
    let event = OutcomeEvent {
        detail_type: "Test".to_owned(),
        detail: serde_json::json!({}),
        time: "2026-11-05T06:07:08Z".parse().unwrap(),
    };
    cloud.bus().put("default", &[event]).await.unwrap();
    let failure = cloud.organizations().head().await.unwrap_err();
    assert_eq!(failure.category, Category::Transient, "{failure}");
}

//! SNS, in the query protocol: who is subscribed to a topic.

use super::answer::Output;
use super::request::Input;
use super::xml::{list, text};
use crate::model::Model;
use crate::model::caller::Caller;
use crate::model::error::ApiError;
use crate::model::topics::{Topic, TopicSubscription};

/// How many subscriptions one page has.
const PAGE: usize = 100;

pub(crate) fn carry_out(
    model: &mut Model,
    caller: &Caller,
    operation: &str,
    input: &Input,
) -> Result<Output, ApiError> {
    match operation {
        "ListSubscriptionsByTopic" => {
            let topic = model.topic_as(caller, input.text("TopicArn"))?;
            let keyed: Vec<(String, &TopicSubscription)> = topic
                .subscriptions
                .iter()
                .enumerate()
                .map(|(number, one)| (format!("{number:06}"), one))
                .collect();
            let page = model
                .page(keyed, |(key, _)| key, input.optional("NextToken"), PAGE)
                .map_err(|_| ApiError::new("InvalidParameter", "Invalid parameter: NextToken"))?;
            let mut output =
                list("Subscriptions", page.items.iter().map(|(number, one)| shown(topic, number, one)));
            if let Some(token) = &page.next_token {
                output += &text("NextToken", token);
            }
            Ok(Output::Xml(output))
        }
        other => Err(super::not_carried_out(other)),
    }
}

/// One that is not confirmed has no ARN yet.
fn shown(topic: &Topic, number: &str, subscription: &TopicSubscription) -> String {
    let TopicSubscription { protocol, endpoint, confirmed } = subscription;
    let arn = match confirmed {
        true => format!("{}:11111111-2222-3333-4444-555555{number}", topic.arn()),
        false => "PendingConfirmation".to_owned(),
    };
    [
        text("SubscriptionArn", &arn),
        text("Owner", &topic.account),
        text("Protocol", protocol),
        text("Endpoint", endpoint),
        text("TopicArn", &topic.arn()),
    ]
    .concat()
}

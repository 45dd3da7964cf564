//! Whether news and alarms reach anybody: the topic, and who is subscribed to it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Check, Finding, Listens, Rule};
use crate::failure::Failure;

/// A subscription of a topic. Whose it is isn't kept: an address is nobody's business here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// `email`, `https`, `sqs` and others.
    pub protocol: String,
    /// Whether it is confirmed. Until then nothing is sent to it.
    pub confirmed: bool,
}

/// The topics that enabled rules send these events to.
pub fn topics(needs: &[Listens], rules: &[Rule]) -> BTreeSet<String> {
    let listening = rules.iter().filter(|rule| rule.enabled).filter(|rule| {
        rule.pattern.as_deref().is_some_and(|text| needs.iter().any(|need| need.is_for(text)))
    });
    let targets = listening.filter_map(|rule| rule.targets.as_ref().ok()).flatten();
    targets.filter(|target| target.split(':').nth(2) == Some("sns")).cloned().collect()
}

/// Advice about a topic that only e-mail is sent to. SNS suspends an e-mail subscription that is sent more than ten
/// messages a second (<https://docs.aws.amazon.com/general/latest/gr/sns.html>).
pub fn only_by_mail(topic: &str, seen: &Result<Option<Vec<Subscription>>, Failure>) -> Option<Finding> {
    let Ok(Some(subscriptions)) = seen else { return None };
    let mut confirmed = subscriptions.iter().filter(|subscription| subscription.confirmed).peekable();
    confirmed.peek()?;
    if confirmed.any(|subscription| !subscription.protocol.starts_with("email")) {
        return None;
    }
    let name = topic.rsplit(':').next().unwrap_or(topic);
    let text = format!(
        "the topic {name} is sent by e-mail only. SNS suspends an e-mail subscription that gets more than ten \
         messages a second, and reports at once have no limit: subscribe a queue or an HTTPS endpoint beside it"
    );
    Some(Check::Notifications.whole().not_applicable(text))
}

/// Judges who is subscribed to a topic; `None` is no such topic.
pub fn subscribed(topic: &str, seen: &Result<Option<Vec<Subscription>>, Failure>, deploy: &str) -> Finding {
    let here = Check::Notifications.whole();
    let name = topic.rsplit(':').next().unwrap_or(topic);
    let subscriptions = match seen {
        Ok(Some(subscriptions)) => subscriptions,
        Ok(None) => {
            let text = format!("the topic {name} isn't there, so what is sent to it reaches nobody");
            return here.problem(text, deploy).detailed(topic);
        }
        Err(failure) => {
            return here
                .unread(format_args!("it is not known who is subscribed to the topic {name}"), failure);
        }
    };
    let mut confirmed: BTreeMap<&str, usize> = BTreeMap::new();
    for subscription in subscriptions.iter().filter(|subscription| subscription.confirmed) {
        *confirmed.entry(&subscription.protocol).or_default() += 1;
    }
    if !confirmed.is_empty() {
        let kinds: Vec<String> =
            confirmed.into_iter().map(|(protocol, number)| format!("{number} by {protocol}")).collect();
        return here.ok(format!("the topic {name} has confirmed subscriptions: {}", kinds.join(", ")));
    }
    let (text, todo) = match subscriptions.len() {
        0 => (
            format!("nobody is subscribed to the topic {name}, so what is sent to it reaches nobody"),
            format!(
                "set AlarmEmail and deploy the hub's stack again, or: aws sns subscribe --topic-arn {topic} \
                 --protocol email --notification-endpoint ADDRESS"
            ),
        ),
        pending => (
            format!(
                "no subscription of the topic {name} is confirmed ({pending} pending), so what is sent to it \
                 reaches nobody"
            ),
            "follow the link in the mail that asks for it; SNS deletes a subscription that is not confirmed within \
             days, so subscribe again if the mail is older"
                .to_owned(),
        ),
    };
    here.problem(text, todo)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;
    use crate::failure::Category;

    const TOPIC: &str = "arn:aws:sns:us-east-1:111111111111:guardrail-keeper-AlarmTopic-1";

    fn subscription(protocol: &str, confirmed: bool) -> Subscription {
        Subscription { protocol: protocol.to_owned(), confirmed }
    }

    fn found(seen: &Result<Option<Vec<Subscription>>, Failure>) -> (Outcome, String) {
        let finding = subscribed(TOPIC, seen, "deploy it");
        assert_eq!(finding.outcome == Outcome::Ok, finding.todo.is_none());
        (finding.outcome, finding.text)
    }

    #[test]
    fn only_a_confirmed_subscription_is_one() {
        assert_eq!(found(&Ok(None)).0, Outcome::Problem);
        assert_eq!(found(&Ok(Some(vec![]))).0, Outcome::Problem);
        let pending = found(&Ok(Some(vec![subscription("email", false)])));
        assert!(pending.0 == Outcome::Problem && pending.1.contains("(1 pending)"), "{pending:?}");
        let mixed = [("email", false), ("email", true), ("https", true), ("email", true)];
        let mixed = mixed.map(|(protocol, confirmed)| subscription(protocol, confirmed));
        assert_eq!(
            found(&Ok(Some(mixed.to_vec()))),
            (
                Outcome::Ok,
                "the topic guardrail-keeper-AlarmTopic-1 has confirmed subscriptions: 2 by email, 1 by https"
                    .to_owned()
            )
        );
        let denied = Failure::new(Category::Denied, "ListSubscriptionsByTopic", "no".to_owned());
        assert_eq!(found(&Err(denied)).0, Outcome::Unknown);
    }

    #[test]
    fn the_topics_are_those_of_enabled_rules_for_these_events() {
        let rule = |kind: &str, enabled, target: &str| Rule {
            shows_reads: false,
            name: "rule".to_owned(),
            enabled,
            pattern: Some(format!("{{\"detail-type\": [\"{kind}\"]}}")),
            targets: Ok(vec![target.to_owned()]),
        };
        let event = serde_json::json!({ "detail-type": "Attention Needed" });
        let needs = [Listens { what: "news".to_owned(), samples: vec![("Attention Needed", event)] }];
        let rules = [
            rule("Attention Needed", true, TOPIC),
            rule("Attention Needed", false, "arn:aws:sns:us-east-1:111111111111:off"),
            rule("Attention Needed", true, "arn:aws:sqs:us-east-1:111111111111:queue"),
            rule("Enforcement Held", true, "arn:aws:sns:us-east-1:111111111111:other"),
        ];
        assert_eq!(topics(&needs, &rules), BTreeSet::from([TOPIC.to_owned()]));
    }

    #[test]
    fn mail_alone_may_be_suspended() {
        let of = |all: &[(&str, bool)]| {
            let all = all.iter().map(|(protocol, confirmed)| subscription(protocol, *confirmed)).collect();
            only_by_mail(TOPIC, &Ok(Some(all))).map(|finding| finding.outcome)
        };
        let advised = Some(Outcome::NotApplicable);
        assert_eq!(of(&[("email", true)]), advised);
        assert_eq!(of(&[("email", true), ("email-json", true), ("sqs", false)]), advised);
        assert_eq!(of(&[("email", true), ("sqs", true)]), None);
        // What is worse is told otherwise.
        assert_eq!(of(&[("email", false)]), None);
        assert_eq!(only_by_mail(TOPIC, &Ok(None)), None);
    }
}

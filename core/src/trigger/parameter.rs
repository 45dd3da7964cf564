//! Events of Systems Manager: the parameter that holds the baseline.

use super::context::Context;
use super::envelope::Envelope;
use super::names::event_names;
use super::reason::{Ignored, Why};
use super::scope::{Accounts, Regions};
use super::{Trigger, from_hub, reconcile};

event_names! {
    /// What Systems Manager reports, by EventBridge's own event and by CloudTrail's.
    "aws.ssm" {
        ParameterStoreChange = "Parameter Store Change",
        PutParameter = "PutParameter",
        DeleteParameter = "DeleteParameter",
        DeleteParameters = "DeleteParameters",
    }
}

/// The name of an event of EventBridge's own, which carries no `eventName`.
pub(super) fn name_by_shape(event: &Envelope<'_>) -> Option<&'static str> {
    let is_change = event.text(&["operation"]).is_some() && event.text(&["name"]).is_some();
    is_change.then_some("Parameter Store Change")
}

pub(super) fn decide(name: &str, event: &Envelope<'_>, context: &Context) -> Trigger {
    let Some(name) = Name::of(name) else {
        return Trigger::Ignore(Ignored::UnknownEvent);
    };
    if !from_hub(event, context) {
        return Trigger::Ignore(Ignored::NotFromHub);
    }
    let ours = match name {
        Name::ParameterStoreChange => is_baseline(event, &["name"], context),
        Name::PutParameter | Name::DeleteParameter => {
            is_baseline(event, &["requestParameters", "name"], context)
        }
        Name::DeleteParameters => {
            let names = event.value(&["requestParameters", "names"]).and_then(|names| names.as_array());
            let mut names = names.into_iter().flatten().filter_map(|name| name.as_str());
            names.any(|name| same_parameter(name, context))
        }
    };
    if !ours {
        return Trigger::Ignore(Ignored::OtherParameter);
    }
    if event.says(&["operation"], "LabelParameterVersion") {
        return Trigger::Ignore(Ignored::ParameterUnchanged);
    }
    reconcile(event, Accounts::All, Regions::All, Why::BaselineChanged)
}

fn is_baseline(event: &Envelope<'_>, path: &[&str], context: &Context) -> bool {
    event.text(path).is_some_and(|name| same_parameter(&name, context))
}

/// Whether a parameter is the baseline's. An ARN is compared by the name in it, a leading slash
/// doesn't count (an ARN doesn't keep it), and neither does a version or label after a colon.
fn same_parameter(name: &str, context: &Context) -> bool {
    context.baseline_parameter.as_deref().is_some_and(|ours| plain_name(ours) == plain_name(name))
}

fn plain_name(name: &str) -> &str {
    let name = match name.split_once(":parameter/") {
        Some((_, name)) => name,
        None => name.trim_start_matches('/'),
    };
    name.split(':').next().unwrap_or(name)
}

//! Events of Systems Manager: the parameter that holds the baseline, the one that a person approves it in, and controls.

use super::context::Context;
use super::envelope::Envelope;
use super::names::event_names;
use super::reason::{Ignored, Why};
use super::scope::{Accounts, Regions};
use super::{Trigger, from_hub, reconcile};
use crate::control::Control;

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
    let named = match name {
        Name::ParameterStoreChange => of_ours(event, &["name"], context),
        Name::PutParameter | Name::DeleteParameter => of_ours(event, &["requestParameters", "name"], context),
        Name::DeleteParameters => {
            let names = event.value(&["requestParameters", "names"]).and_then(|names| names.as_array());
            let names = names.into_iter().flatten().filter_map(|name| name.as_str());
            // The baseline before its approval and controls. What is deleted changes nothing, but the baseline.
            names.filter_map(|name| which(name, context)).min()
        }
    };
    let Some(named) = named else { return Trigger::Ignore(Ignored::OtherParameter) };
    if event.says(&["operation"], "LabelParameterVersion") {
        return Trigger::Ignore(Ignored::ParameterUnchanged);
    }
    let (accounts, why) = match named {
        KnownParameter::Baseline => (Accounts::All, Why::BaselineChanged),
        KnownParameter::Approval => (Accounts::All, Why::ApprovalGiven),
        KnownParameter::Control(Control::Placement) => (Accounts::All, Why::PlacementSaid),
        KnownParameter::Control(Control::Leaving(account)) => (Accounts::one(account), Why::LeavingSaid),
    };
    reconcile(event, accounts, Regions::All, why)
}

/// A parameter that concerns us.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum KnownParameter {
    Baseline,
    Approval,
    Control(Control),
}

fn of_ours(event: &Envelope<'_>, path: &[&str], context: &Context) -> Option<KnownParameter> {
    event.text(path).and_then(|name| which(&name, context))
}

/// Which parameter of ours a name means. An ARN is compared by the name in it, a leading slash
/// doesn't count (an ARN doesn't keep it), and neither does a version or label after a colon.
fn which(name: &str, context: &Context) -> Option<KnownParameter> {
    let is = |ours: &Option<String>| ours.as_deref().is_some_and(|ours| plain_name(ours) == plain_name(name));
    if is(&context.baseline_parameter) {
        return Some(KnownParameter::Baseline);
    }
    if is(&context.approval_parameter) {
        return Some(KnownParameter::Approval);
    }
    let path = context.controls_path.as_deref()?;
    Control::of(plain_name(path), plain_name(name)).map(KnownParameter::Control)
}

fn plain_name(name: &str) -> &str {
    let name = match name.split_once(":parameter/") {
        Some((_, name)) => name,
        None => name.trim_start_matches('/'),
    };
    name.split(':').next().unwrap_or(name)
}

//! What a person sees of an account's Bedrock policies.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::ShownPolicies;
use crate::names::shown;
use crate::output::{self, ADDED, ALTERED, BROKEN, HEADING, QUIET, paint};
use crate::time::Age;
use keeper_core::bedrock_policy::{
    AccountPolicyState, AttachPoint, ExplainedValue, Forbidden, LeafPath, LeafValue, PolicyAt, PolicyKey,
    Prediction, ReportedError, UnreadPart, ValueOrigin,
};

impl ShownPolicies<'_> {
    pub(super) fn print(&self) {
        let ShownPolicies { seen, explained, names, is_management, account_level } = self;
        let name = names.of(&seen.account).map(|name| format!("  {name}")).unwrap_or_default();
        output::print(format_args!("{}{name}, {}", paint(HEADING, &seen.account), seen.path));
        let state = explained.state;
        let style = match state {
            state if state.is_good() => ADDED,
            AccountPolicyState::Frozen => BROKEN,
            _ => ALTERED,
        };
        row("state", &format!("{}: {}", paint(style, state.code()), state.meaning()));
        if *is_management && state == AccountPolicyState::Differs {
            row("", "this is the management account: whether Bedrock policies act there isn't documented");
        }
        if state != AccountPolicyState::NotSetUp {
            self.print_attached();
        }
        seen.errors.iter().flatten().for_each(|error| self.print_error(error));
        let unread = seen.unread();
        for (index, UnreadPart { what, permission: _, why, todo }) in unread.iter().enumerate() {
            row("not read", &format!("{}: {}", plainly(what), plainly(why)));
            // What is to be done about several in a row is said once, after the last.
            if unread.get(index + 1).is_none_or(|next| next.todo != *todo) {
                row("", &format!("→ {todo}"));
            }
        }
        explained.forbidden.iter().for_each(|forbidden| self.print_forbidden(forbidden));
        explained.otherwise.iter().for_each(|prediction| self.print_otherwise(prediction));
        if state == AccountPolicyState::Frozen && explained.is_published_known {
            row("kept", "what the account keeps from before is below");
        }
        self.print_values();
        let now = Timestamp::now();
        for (region, last) in account_level {
            let enforcement = last.enforcement.as_ref().map(ToString::to_string).unwrap_or_default();
            row(
                "twice",
                &format!(
                    "{region}: the account level enforces {enforcement} too (seen {}); each call is evaluated on both \
                     levels, and AWS bills both",
                    Age::of(last.at, now)
                ),
            );
        }
    }

    /// Whether what is published can be held against what is computed.
    pub(super) fn is_compared(&self) -> bool {
        let is_valid = matches!(self.explained.computed, Some(Prediction::Effective(_)));
        is_valid && self.explained.is_published_known && self.explained.state != AccountPolicyState::Frozen
    }

    fn print_attached(&self) {
        for (index, point) in self.seen.points().enumerate() {
            let place = match &point {
                AttachPoint::Parent(parent) => self.names.unit(parent),
                AttachPoint::Account(account) => account.to_string(),
            };
            let policies = match self.seen.attached.get(&point) {
                Some(Ok(listed)) if listed.is_empty() => "nothing".to_owned(),
                Some(Ok(listed)) => {
                    let named =
                        listed.iter().map(|policy| format!("{} ({})", policy.id, shown(&policy.name)));
                    named.collect::<Vec<_>>().join(", ")
                }
                Some(Err(_)) | None => "not known".to_owned(),
            };
            row(if index == 0 { "attached" } else { "" }, &format!("{place}: {policies}"));
        }
    }

    fn print_error(&self, error: &ReportedError) {
        let ReportedError { code, message, path, policies } = error;
        let said = if message.is_empty() { String::new() } else { format!(": {}", plainly(message)) };
        row("error", &format!("{} at {}{said}", plainly(code), plainly(path)));
        let named: Vec<String> = policies.iter().map(|id| self.named(id)).collect();
        let todo = match named.as_slice() {
            [] => "AWS names no policy: correct one of those that are attached".to_owned(),
            named => format!("correct {}", named.join(" or ")),
        };
        row("", &format!("→ {todo}"));
    }

    fn print_forbidden(&self, forbidden: &Forbidden) {
        let Forbidden { path, operator, policy, by } = forbidden;
        let by: Vec<String> = by.iter().map(|policy| self.at(policy)).collect();
        row(
            "in vain",
            &format!("{operator} of {path} in {}: {} forbids it", self.at(policy), by.join(" and ")),
        );
    }

    fn print_otherwise(&self, prediction: &Prediction) {
        let what = match prediction {
            Prediction::Frozen(errors) => {
                let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
                format!("to an invalid policy, which freezes the account: {}", errors.join("; "))
            }
            Prediction::Effective(_) => "to another policy (--output json shows it)".to_owned(),
            Prediction::Unreadable(_) => "to what can't be read".to_owned(),
        };
        row(
            "or",
            &format!(
                "the attached policies come {what}; AWS documents no answer (docs/organization-level.md)"
            ),
        );
    }

    fn print_values(&self) {
        let mut configurations: BTreeMap<(String, String), Vec<&ExplainedValue>> = BTreeMap::new();
        let mut others = Vec::new();
        for value in &self.explained.values {
            match value.path.configuration() {
                Some((region, name)) => {
                    let key = (region.to_lowercase(), name.to_lowercase());
                    configurations.entry(key).or_default().push(value);
                }
                None => others.push(value),
            }
        }
        for ((region, name), values) in configurations {
            let title = format!("{}  {}", shown(&region), shown(&name));
            self.print_configuration(&title, &values);
        }
        if !others.is_empty() {
            self.print_configuration("elsewhere  (what it does is not documented)", &others);
        }
    }

    fn print_configuration(&self, title: &str, values: &[&ExplainedValue]) {
        let first = values.first().map(|value| self.from(value)).filter(|from| !from.is_empty());
        let all = first.filter(|first| values.iter().all(|value| self.from(value) == *first));
        output::print("");
        output::print(format_args!(
            "{}{}",
            paint(HEADING, title),
            all.as_ref().map(|from| format!("  {from}")).unwrap_or_default()
        ));
        for value in values {
            self.print_value(value, all.is_none());
        }
    }

    fn print_value(&self, value: &ExplainedValue, with_origin: bool) {
        let ExplainedValue { path, published, computed, possible, .. } = value;
        let name = setting(path);
        let differs = self.is_compared() && !value.agrees();
        let published = published.as_ref().map(text);
        let computed = computed.as_ref().map(text);
        if differs {
            let nothing = || "nothing".to_owned();
            let published = paint(ALTERED, published.unwrap_or_else(nothing));
            value_row(&name, &format!("published  {published}"));
            value_row("", &format!("attached   {}", computed.unwrap_or_else(nothing)));
        } else {
            value_row(&name, &published.clone().or(computed).unwrap_or_default());
            if published.is_none() && !self.explained.is_published_known {
                value_row("", &paint(QUIET, "computed; what AWS publishes is not known"));
            }
        }
        let from = self.from(value);
        if with_origin && !from.is_empty() {
            value_row("", &paint(QUIET, from));
        }
        if !possible.is_empty() {
            let possible: Vec<String> = possible.iter().map(text).collect();
            let told = format!(
                "depends on the order of attachment, which AWS shows nowhere: {}",
                possible.join(" or ")
            );
            value_row("", &paint(ALTERED, told));
        }
    }

    fn from(&self, value: &ExplainedValue) -> String {
        let ValueOrigin { assigned, appended, removed } = &value.origin;
        let list = |verb: &str, policies: Vec<&PolicyAt>| {
            let named: Vec<String> = policies.into_iter().map(|policy| self.at(policy)).collect();
            (!named.is_empty()).then(|| format!("{verb} {}", named.join(" and ")))
        };
        let parts = [
            list("from", assigned.iter().chain(&value.also).collect()),
            list("appended by", appended.iter().collect()),
            list("removed by", removed.iter().collect()),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    fn at(&self, policy: &PolicyAt) -> String {
        let PolicyAt { policy, point } = policy;
        match policy {
            PolicyKey::Id(id) => format!("{} on {point}", self.named(id.as_str())),
            PolicyKey::New(_) | PolicyKey::Proposed => format!("{policy} on {point}"),
        }
    }

    /// `p-examplepolicyid111 (corporate)`.
    fn named(&self, id: &str) -> String {
        let name = self.seen.name(id).map(|name| format!(" ({})", shown(name))).unwrap_or_default();
        format!("{}{name}", plainly(id))
    }
}

/// A setting by the last of its keys, where AWS documents it.
fn setting(path: &LeafPath) -> String {
    match path.setting() {
        Some(_) => path.keys().last().cloned().unwrap_or_default(),
        None => path.to_string(),
    }
}

fn text(value: &LeafValue) -> String {
    match value {
        LeafValue::Text(text) => plainly(text),
        LeafValue::List(items) if items.is_empty() => "none".to_owned(),
        LeafValue::List(items) => items.iter().map(|item| plainly(item)).collect::<Vec<_>>().join(", "),
    }
}

/// Others' words, so that nothing in them acts on the terminal.
fn plainly(text: &str) -> String {
    let is_plain = text.chars().all(|c| c == ' ' || c.is_ascii_graphic());
    if is_plain { text.to_owned() } else { format!("{text:?}") }
}

fn row(name: &str, text: &str) {
    output::print(format_args!("{name:<9} {text}"));
}

fn value_row(name: &str, text: &str) {
    output::print(format_args!("  {name:<15}  {text}"));
}

//! What messages are about, once the baseline is known. It only narrows.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tracing::info;

use super::baselines::{PresentBaseline, followed_if_known, present, present_lately};
use super::flooding::is_flooding;
use super::{Keeper, Stopped, context};
use crate::ids::AccountId;
use crate::limits::EffectiveBaseline;
use crate::trigger::{Ignored, Message, Scope, Trigger, Why};

/// One message, with its id in the batch.
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'a> {
    /// The message's id; `None` for a payload that came alone. Lambda's runtime logs why such a payload fails.
    pub id: Option<&'a str>,
    /// Whether SQS delivered it before. Then the reason for its failure is logged already.
    pub repeated: bool,
    /// Whether the batch says that it comes from our queue `events`. Only then it may be an errand: no event from a
    /// bus can pass for one. This doesn't stop a caller who may invoke the function and writes a batch by hand.
    pub from_queue: bool,
    /// The content.
    pub message: &'a Message,
}

/// How the log names a message without an id.
pub(crate) const NAMELESS: &str = "without an id";

/// Scopes, each with the position of its message.
pub(super) type Scopes = Vec<(usize, Scope)>;

/// The present baseline, and the one that accounts follow, where the ledger says which.
pub(super) struct ReadBaseline {
    pub(super) known: PresentBaseline,
    pub(super) followed: Option<EffectiveBaseline>,
}

/// Events about guardrails, narrowed.
#[derive(Default)]
pub(super) struct NarrowedScopes {
    /// Those that may concern somebody, and all other scopes.
    pub(super) scopes: Scopes,
    /// Those that the baseline ignores, by their position.
    pub(super) ignored: Vec<(usize, Ignored)>,
    /// Those for which no baseline could be read, by their position, and why.
    pub(super) unread: Option<(Vec<usize>, Stopped)>,
    /// The baseline, if it was read.
    pub(super) read: Option<ReadBaseline>,
}

impl ReadBaseline {
    /// Reads it now.
    pub(super) async fn present(keeper: &Keeper) -> Result<ReadBaseline, Stopped> {
        let known = present(keeper).await?;
        let followed = followed_if_known(keeper, &known.baseline).await;
        Ok(ReadBaseline { known, followed })
    }

    /// As it was read within the last seconds.
    async fn lately(keeper: &Keeper, now: Timestamp) -> Result<ReadBaseline, Stopped> {
        let known = present_lately(keeper, now).await?;
        let followed = followed_if_known(keeper, &known.baseline).await;
        Ok(ReadBaseline { known, followed })
    }

    /// The scopes that are left. A baseline that stands in for a broken one, or that accounts don't follow yet, narrows
    /// nothing.
    pub(super) fn narrowed(
        &self,
        keeper: &Keeper,
        incoming: &[Incoming<'_>],
        scopes: Scopes,
        now: Timestamp,
        ignores: &mut Vec<(usize, Ignored)>,
    ) -> Scopes {
        let ReadBaseline { known, followed } = self;
        let is_followed = followed.as_ref().is_some_and(EffectiveBaseline::is_present);
        let narrows = (is_followed && known.instead_of.is_none()).then_some(&known.baseline);
        let context = context(keeper, narrows, now);
        let mut decide = |(position, scope): (usize, Scope)| {
            // What the trigger alone would ignore again.
            if scope.reasons.contains(&Why::BaselineChanged) || scope.reasons.contains(&Why::UnrecordedWrite)
            {
                return Some((position, scope));
            }
            match incoming[position].message.decide(&context) {
                Trigger::Reconcile(scope) => Some((position, *scope)),
                Trigger::Ignore(reason) => {
                    ignored(incoming[position].id.unwrap_or(NAMELESS), &reason);
                    ignores.push((position, reason));
                    None
                }
                Trigger::Departed { .. } | Trigger::BedrockPolicies { .. } | Trigger::Reject(_) => None,
            }
        };
        scopes.into_iter().filter_map(&mut decide).collect()
    }
}

pub(super) fn ignored(record: &str, reason: &Ignored) {
    info!(record, reason = reason.code(), "ignored: {reason}");
}

/// Narrows events about guardrails before they are counted: a member's guardrails are its own affair, or may be its
/// copies. Where an account makes more of them than the baseline is to be read for, a baseline of the last seconds has
/// to do. Other scopes stay as they are.
pub(super) async fn narrowed_guardrails(
    keeper: &Keeper,
    incoming: &[Incoming<'_>],
    scopes: Scopes,
    now: Timestamp,
) -> NarrowedScopes {
    let mut narrowed = NarrowedScopes::default();
    let mut by_home = BTreeMap::<AccountId, Scopes>::new();
    for (position, scope) in scopes {
        match scope.changed_in.clone().filter(|_| !scope.reasons.contains(&Why::UnrecordedWrite)) {
            Some(home) => by_home.entry(home).or_default().push((position, scope)),
            None => narrowed.scopes.push((position, scope)),
        }
    }
    let (mut flood, mut calm) = (Vec::new(), Vec::new());
    for (home, scopes) in by_home {
        let which = if is_flooding(keeper, &home, scopes.len(), now) { &mut flood } else { &mut calm };
        which.extend(scopes);
    }
    if !flood.is_empty() {
        let left = match ReadBaseline::lately(keeper, now).await {
            Ok(read) => read.narrowed(keeper, incoming, flood, now, &mut narrowed.ignored),
            // Without a baseline none can be ignored.
            Err(_) => flood,
        };
        narrowed.scopes.extend(left);
    }
    if !calm.is_empty() {
        match ReadBaseline::present(keeper).await {
            Ok(read) => {
                let left = read.narrowed(keeper, incoming, calm, now, &mut narrowed.ignored);
                narrowed.scopes.extend(left);
                narrowed.read = Some(read);
            }
            Err(stopped) => {
                narrowed.unread = Some((calm.into_iter().map(|(position, _)| position).collect(), stopped));
            }
        }
    }
    narrowed
}

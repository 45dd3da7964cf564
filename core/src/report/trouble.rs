//! What people have to hear of a look. Pure.
//!
//! | a look ended with | people hear of it |
//! | --- | --- |
//! | a hold that a message of its own is about, that the baseline asks for, or that ends with the run | not by this |
//! | a hold or a failure that may pass by itself | if it lasts an hour |
//! | any other hold or failure | at once |
//! | an enforcement that can't be used, or that was released for that | at once |

use jiff::Timestamp;

use super::{ChangeResult, TargetReport};
use crate::plan::{Change, Decision, Held, HoldReason};
use crate::record::{News, NewsKind};

impl TargetReport {
    /// What is wrong with the target, as news; `None` where nothing is that people have to hear of.
    pub fn trouble(&self, at: Timestamp) -> Option<News> {
        let kind = match self {
            TargetReport::Attempted(ChangeResult { result: Err(_), .. }) => NewsKind::Failed,
            TargetReport::Attempted(ChangeResult { change: Change::Release { broken, .. }, .. }) => {
                let unusable = broken.as_ref()?;
                return Some(News::new(NewsKind::Unguarded, unusable.code(), &unusable.to_string(), at));
            }
            TargetReport::Decided(Decision::Broken(_)) => NewsKind::Broken,
            TargetReport::Decided(Decision::Held(held)) if held.leaves_unguarded() => NewsKind::Unguarded,
            TargetReport::Decided(Decision::Held(held)) if is_news(held) => NewsKind::Held,
            TargetReport::Attempted(_) | TargetReport::CleanedUp { .. } | TargetReport::Decided(_) => {
                return None;
            }
        };
        let news = News::new(kind, self.code().unwrap_or_default(), &self.reason().unwrap_or_default(), at);
        let waits = matches!(kind, NewsKind::Failed | NewsKind::Held) && self.is_worth_waiting();
        let by = self.held().and_then(|held| held.reason.other_principal()).map(str::to_owned);
        Some(News { by, waits, ..news })
    }
}

/// Whether people have to hear of a hold: not where `Baseline Changed` says that a revision waits, or `Enforcement
/// Contested` that another principal undoes repairs; not where the baseline asks for it; and not where it ends with the count,
/// with the run, or with what the log has an error of.
fn is_news(held: &Held) -> bool {
    !matches!(
        held.reason,
        HoldReason::NotApproved { .. }
            | HoldReason::Contested { .. }
            | HoldReason::Mode { .. }
            | HoldReason::NotCounted { .. }
            | HoldReason::Interrupted
            | HoldReason::LedgerUnavailable
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{Category, Failure};
    use crate::resolved::Unusable;

    fn held(reason: HoldReason) -> TargetReport {
        TargetReport::Decided(Decision::Held(Held { reason, would: None }))
    }

    fn unreadable(category: Category) -> TargetReport {
        let failure = Failure::new(category, "ListEnforcedGuardrailsConfiguration", "no".to_owned());
        held(HoldReason::Unreadable { failure })
    }

    /// The kind and code of the news, and whether it may pass.
    fn heard(report: &TargetReport) -> Option<(NewsKind, String, bool)> {
        report.trouble(Timestamp::UNIX_EPOCH).map(|news| (news.kind, news.code, news.waits))
    }

    #[test]
    fn what_will_not_pass_is_news_at_once_and_what_may_waits() {
        for (category, waits) in [
            (Category::Denied, false),
            (Category::Rejected, false),
            (Category::Gone, false),
            (Category::Transient, true),
            (Category::NotReady, true),
        ] {
            let code = format!("unreadable.{}", category.code());
            assert_eq!(heard(&unreadable(category)), Some((NewsKind::Held, code, waits)));
        }
        let unusable = Unusable::NotReady { status: "FAILED".to_owned().into() };
        let unguarded = heard(&held(HoldReason::Unguarded { unusable }));
        assert_eq!(unguarded.map(|(kind, _, waits)| (kind, waits)), Some((NewsKind::Unguarded, false)));
    }

    #[test]
    fn what_others_say_or_the_baseline_asks_for_is_no_news() {
        let revision = || "0123456789abcdef".parse().unwrap();
        for reason in [
            HoldReason::NotCounted { revision: revision() },
            HoldReason::NotApproved { revision: revision(), names_nobody: Default::default() },
            HoldReason::Contested { by: None },
            HoldReason::Mode { mode: crate::baseline::Mode::EnforceOnly },
            HoldReason::Interrupted,
            HoldReason::LedgerUnavailable,
        ] {
            assert_eq!(heard(&held(reason.clone())), None, "{reason}");
        }
        assert!(heard(&held(HoldReason::TooManyMoves { revision: revision() })).is_some());
    }

    #[test]
    fn it_names_who_is_in_the_way() {
        let by = Some("arn:aws:iam::300000000001:user/alice".to_owned());
        for reason in
            [HoldReason::NotOurs { by: by.clone() }, HoldReason::ChangedBySomeoneElse { by: by.clone() }]
        {
            assert_eq!(held(reason).trouble(Timestamp::UNIX_EPOCH).unwrap().by, by);
        }
    }
}

//! What people have to hear: found by a look, kept in the record, and published by the task that found it or at the end
//! of a sweep.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use jiff::Timestamp;
use tracing::{debug, warn};

use super::Keeper;
use super::notes::RecordUpdates;
use crate::ids::{AccountId, Target};
use crate::ledger::LedgerError;
use crate::outcome::{
    AttentionNews, Publications, RepairContext, may_have_ended, news_of_ended, news_of_repair,
};
use crate::record::{AccountRecord, Announcement, News};
use crate::report::{Report, TargetReport};
use crate::task::Cause;

/// How long it may take to record what was published at the end of a sweep. What is not recorded by then is published
/// again by the next one.
const RECORDING_TAKES: Duration = Duration::from_secs(30);

impl RecordUpdates<'_> {
    /// What people have to hear of a look at a target.
    pub(super) fn news(self, target: &Target, report: &TargetReport, at: Timestamp) -> Vec<News> {
        let ended = news_of_ended(target, report, self.records, self.now);
        report.trouble(at).into_iter().chain(self.news_of_repair(report)).chain(ended).collect()
    }

    fn news_of_repair(self, report: &TargetReport) -> Option<News> {
        let RecordUpdates { records, baseline, own_roles, now, .. } = self;
        let revision = &baseline.revision;
        news_of_repair(report, RepairContext { cause: self.cause?, records, revision, own_roles, now })
    }

    /// The event that led to the look. What a schedule says is about the sweep.
    pub(super) fn announced(self) -> Option<Announcement> {
        let cause = self.cause.filter(|cause| !cause.sweep)?;
        let in_our_name = cause.in_our_name.then(|| cause.event.clone());
        Some(Announcement { at: cause.happened?, in_our_name })
    }
}

/// What people have to hear at once of a task: news of its account, unless a message was about that account within the
/// hour or there were many messages. Then the next sweep publishes it, as it does where the ledger can't be used. In a
/// sweep everything waits for its end.
pub async fn news_of_task(keeper: &Keeper, report: &Report, cause: &Cause) -> Option<AttentionNews> {
    let now = keeper.clock.now();
    let may_be_news = |result: &TargetReport| {
        result.is_an_attempt() || result.trouble(now).is_some() || may_have_ended(result)
    };
    let accounts = report.targets.iter().filter(|(_, result)| may_be_news(result));
    let accounts: BTreeSet<&AccountId> = accounts.map(|(target, _)| &target.account).collect();
    if cause.sweep || report.ledger_trouble.is_some() {
        return None;
    }
    let mut all = AttentionNews::default();
    for account in accounts {
        match news_of_account(keeper, account, now).await {
            Ok(news) => news.iter().for_each(|(target, news)| all.add(target, news, false)),
            Err(error) => debug!("what is to be published of {account} is left to the next sweep: {error}"),
        }
    }
    (!all.is_empty()).then_some(all)
}

async fn news_of_account(
    keeper: &Keeper,
    account: &AccountId,
    now: Timestamp,
) -> Result<Vec<(Target, News)>, LedgerError> {
    let record = keeper.ledger.account(account).await?;
    let due = news_of(account, &record, now);
    if due.is_empty() {
        return Ok(due);
    }
    let is_urgent = due.iter().any(|(_, news)| news.kind.is_urgent());
    let mut admitted = false;
    let count = |known: &mut Publications| admitted = known.admit(account, is_urgent, now);
    keeper.ledger.change_publications(count).await?;
    Ok(if admitted { due } else { Vec::new() })
}

/// What people have to hear of an account now.
pub(super) fn news_of(account: &AccountId, record: &AccountRecord, now: Timestamp) -> Vec<(Target, News)> {
    let target = |region| Target { account: account.clone(), region };
    record.due_news(now).map(|(region, news)| (target(region.clone()), news.clone())).collect()
}

/// Records that news was published. What can't be recorded is published again by the next sweep.
pub async fn note_news_published(keeper: &Keeper, news: &AttentionNews) {
    let note = async |(account, told): (&AccountId, &BTreeSet<_>)| {
        let noted = keeper.ledger.change_account(account, |record| {
            record.note_published(told);
            Ok(())
        });
        if let Err(error) = noted.await {
            warn!(account.id = %account, "failed to record that news of {account} was published, so it is published again: {error}");
        }
    };
    let all = stream::iter(news.ids()).for_each_concurrent(keeper.settings.concurrency, note);
    if tokio::time::timeout(RECORDING_TAKES, all).await.is_err() {
        warn!("there was no time to record all that was published, so some is published again");
    }
}

/// Whether a report on the whole organization is due. Where the ledger can't be read it is: twice is better than never.
pub async fn is_report_due(keeper: &Keeper) -> bool {
    match keeper.ledger.publications().await {
        Ok(known) => known.is_report_due(keeper.settings.report_hours, keeper.clock.now()),
        Err(error) => {
            warn!("failed to read when the last report was published, so one is published: {error}");
            true
        }
    }
}

/// Records that a report on the whole organization was published.
pub async fn note_reported(keeper: &Keeper) {
    let now = keeper.clock.now();
    if let Err(error) = keeper.ledger.change_publications(|known| known.reported = Some(now)).await {
        warn!("failed to record that a report was published, so the next sweep publishes one: {error}");
    }
}

//! Takes the steps of a decision, one by one. There is no compare-and-set for policies: what a step changes is read right
//! before it and right after it, and a step that finds something else than the decision was made from is not taken.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::time::{Instant, sleep};

use super::looking::LevelView;
use super::reading::Reading;
use crate::bedrock_policy::{
    AttachPoint, BedrockPolicy, Forecast, OwnDocument, PolicyId, PolicyKey, PolicyPart, PolicyStep,
    Prediction, PublishedPolicy, SafeSteps, forecast, reached_alike,
};
use crate::cloud::{BedrockPolicyReader, BedrockPolicyWriter};
use crate::engine::Keeper;
use crate::failure::{Code, Failure};
use crate::ids::AccountId;
use crate::organization_level::{OrganizationLevelRecord, Outdated, StoppedStep};

/// How much time one more step needs, in seconds: its calls, and what is published of it.
const STEP_SECONDS: u64 = 50;

/// How much time one more look at what is published needs, in seconds, and then to put down what was read.
const CHECK_SECONDS: u64 = 20;

/// How long a check waits for what is published. Measured of other types of policy: up to six seconds, rarely twenty.
const PUBLISHED_WITHIN: Duration = Duration::from_secs(25);

/// The pause between two looks at what is published.
const LOOKED_AGAIN_AFTER: Duration = Duration::from_millis(1_500);

/// How often a list is read until it shows what was written.
const LISTED_AFTER_LOOKS: usize = 5;

/// How far the writing came.
pub(super) struct Written {
    /// The steps that were taken, in words.
    pub(super) taken: Vec<String>,
    /// The steps that are left.
    pub(super) left: Vec<String>,
    /// Where and why it stopped.
    pub(super) stopped: Option<StoppedStep>,
    /// Whether it stopped for lack of time alone.
    pub(super) is_out_of_time: bool,
}

/// Why a step was not taken.
enum NotTaken {
    /// A call failed.
    Failed(Failure),
    /// Somebody changed what the decision was made from, in words: the next look decides anew.
    Changed(String),
    /// What was written is not published yet, in words.
    NotPublished(String),
    /// The ledger could not take note of it, in words.
    Unrecorded(String),
    /// There is no time left for it.
    NoTime,
}

impl From<Failure> for NotTaken {
    fn from(failure: Failure) -> NotTaken {
        NotTaken::Failed(failure)
    }
}

impl NotTaken {
    fn at(self, step: &PolicyStep) -> StoppedStep {
        let (why, is_worth_waiting) = match self {
            NotTaken::Failed(failure) => (failure.to_string(), failure.category.is_worth_waiting()),
            NotTaken::Changed(why) | NotTaken::NotPublished(why) | NotTaken::Unrecorded(why) => (why, true),
            NotTaken::NoTime => {
                ("there is no time left for it, so another invocation continues".to_owned(), true)
            }
        };
        StoppedStep { step: step.to_string(), why, is_worth_waiting }
    }
}

/// Takes the steps, up to the first that can't be taken.
pub(super) async fn write<'a>(
    keeper: &'a Keeper,
    view: &'a mut LevelView,
    steps: &SafeSteps,
    reading: &'a mut Reading<'_>,
) -> Written {
    let mut writing = Writing {
        keeper,
        reader: keeper.cloud.bedrock_policies(&view.session),
        writer: keeper.cloud.bedrock_policy_writer(&view.session),
        view,
        created: BTreeMap::new(),
        reading,
    };
    let mut taken = Vec::new();
    for (position, step) in steps.steps().iter().enumerate() {
        if let Err(why) = writing.take(step).await {
            let left = steps.steps()[position..].iter().map(ToString::to_string).collect();
            return Written::up_to(step, why, (taken, left));
        }
        if !matches!(step, PolicyStep::Check { .. }) {
            taken.push(step.to_string());
        }
    }
    // What was written last is published as well, before it counts as carried out.
    let attached = writing.view.present.attached.clone();
    let touched: BTreeSet<AttachPoint> =
        steps.steps().iter().flat_map(|step| points_of(step, &attached)).collect();
    for point in touched {
        let check = PolicyStep::Check { point };
        if let Err(why) = writing.take(&check).await {
            return Written::up_to(&check, why, (taken, vec![check.to_string()]));
        }
    }
    Written { taken, left: Vec::new(), stopped: None, is_out_of_time: false }
}

impl Written {
    fn up_to(step: &PolicyStep, why: NotTaken, (taken, left): (Vec<String>, Vec<String>)) -> Written {
        let is_out_of_time = matches!(why, NotTaken::NoTime);
        Written { taken, left, stopped: Some(why.at(step)), is_out_of_time }
    }
}

/// The points below which a step changed something.
fn points_of(step: &PolicyStep, attached: &BTreeMap<AttachPoint, Vec<PolicyKey>>) -> Vec<AttachPoint> {
    match step {
        PolicyStep::Attach { point, .. } | PolicyStep::Detach { point, .. } => vec![point.clone()],
        PolicyStep::Update { policy, .. } => attached
            .iter()
            .filter(|(_, them)| them.contains(policy))
            .map(|(point, _)| point.clone())
            .collect(),
        PolicyStep::Create { .. } | PolicyStep::Check { .. } | PolicyStep::Delete { .. } => Vec::new(),
    }
}

/// What stands for what an account is predicted to have published: short, since many are kept.
fn published_as(account: &AccountId, forecast: &Forecast) -> String {
    let mut hash = Sha256::new();
    hash.update(account.as_str());
    for (_, prediction) in &forecast.predictions {
        hash.update(prediction.to_string());
    }
    hash.finalize().iter().take(10).map(|byte| format!("{byte:02x}")).collect()
}

struct Writing<'a, 'r> {
    keeper: &'a Keeper,
    reader: BedrockPolicyReader,
    writer: BedrockPolicyWriter,
    view: &'a mut LevelView,
    /// The ids of what was created here.
    created: BTreeMap<PolicyPart, PolicyId>,
    reading: &'a mut Reading<'r>,
}

impl Writing<'_, '_> {
    async fn take(&mut self, step: &PolicyStep) -> Result<(), NotTaken> {
        if self.keeper.is_stopping() || !self.reading.takes_time(STEP_SECONDS) {
            return Err(NotTaken::NoTime);
        }
        // Also where it fails: then it isn't known what is there.
        self.reading.outdates(Outdated::by(step, self.id_of(step)));
        match step {
            PolicyStep::Create { part, content } => self.create(part, content).await?,
            PolicyStep::Update { policy, content } => self.update(policy, content).await?,
            PolicyStep::Attach { policy, point } => self.attach(policy, point).await?,
            PolicyStep::Check { point } => self.check(point).await?,
            PolicyStep::Detach { policy, point } => self.detach(policy, point).await?,
            PolicyStep::Delete { policy } => self.delete(policy).await?,
        }
        step.apply(&mut self.view.present);
        Ok(())
    }

    /// Creates a policy. That it is being created is recorded before, so that it is known as ours even if this process ends
    /// right after AWS made it.
    async fn create(&mut self, part: &PolicyPart, content: &OwnDocument) -> Result<(), NotTaken> {
        self.note(|known| known.creating = Some(part.clone())).await?;
        let id = match self.writer.create(part, content).await {
            Ok(id) => id,
            // The next look finds out whose it is.
            Err(failure) if failure.code == Code::Conflict => {
                return Err(NotTaken::Changed(format!("there is a policy named {part} already")));
            }
            Err(failure) => return Err(failure.into()),
        };
        self.created.insert(part.clone(), id.clone());
        self.note(|known| {
            known.creating = None;
            known.own.insert(id.clone(), part.clone());
        })
        .await?;
        self.confirm_content(&id, content).await
    }

    async fn update(&mut self, policy: &PolicyKey, content: &OwnDocument) -> Result<(), NotTaken> {
        let id = self.id(policy)?;
        self.unchanged_content(policy, &id).await?;
        self.writer.update(&id, content).await?;
        self.confirm_content(&id, content).await
    }

    async fn confirm_content(&self, id: &PolicyId, content: &OwnDocument) -> Result<(), NotTaken> {
        match BedrockPolicy::parse(&self.reader.content(id).await?) {
            Ok(now) if now.says(content) => Ok(()),
            Ok(_) | Err(_) => Err(NotTaken::Changed(format!("{id} says something else than was written"))),
        }
    }

    async fn attach(&mut self, policy: &PolicyKey, point: &AttachPoint) -> Result<(), NotTaken> {
        let id = self.id(policy)?;
        self.unchanged(point).await?;
        // Whoever may write policies could have put something else into it since: it would act on everybody below.
        self.unchanged_content(policy, &id).await?;
        self.writer.attach(&id, point).await?;
        self.shown(&id, point, true).await
    }

    async fn detach(&mut self, policy: &PolicyKey, point: &AttachPoint) -> Result<(), NotTaken> {
        let id = self.id(policy)?;
        self.unchanged(point).await?;
        self.writer.detach(&id, point).await?;
        self.shown(&id, point, false).await
    }

    /// Waits until AWS lists a policy at a point, or no longer: its lists may be some seconds late.
    async fn shown(&self, id: &PolicyId, point: &AttachPoint, is_attached: bool) -> Result<(), NotTaken> {
        for _ in 0..LISTED_AFTER_LOOKS {
            if self.attached(point).await?.contains(id) == is_attached {
                return Ok(());
            }
            sleep(LOOKED_AGAIN_AFTER).await;
        }
        let verb = if is_attached { "doesn't show" } else { "still shows" };
        Err(NotTaken::NotPublished(format!("AWS {verb} {id} on {point}")))
    }

    /// Whether a policy says what the decision was made from.
    async fn unchanged_content(&self, policy: &PolicyKey, id: &PolicyId) -> Result<(), NotTaken> {
        let now = BedrockPolicy::parse(&self.reader.content(id).await?);
        if self.view.present.contents.get(policy) == Some(&now) {
            return Ok(());
        }
        Err(NotTaken::Changed(format!("somebody changed {id} since it was read")))
    }

    /// Deletes a policy. AWS refuses one that is attached somewhere.
    async fn delete(&mut self, policy: &PolicyKey) -> Result<(), NotTaken> {
        let id = self.id(policy)?;
        self.writer.delete(&id).await?;
        self.note(|known| drop(known.own.remove(&id))).await
    }

    /// Waits until what AWS publishes below a point is what is attached there by now. Of accounts that the same points reach,
    /// one is asked. Frozen accounts stay as they are.
    ///
    /// A check of more accounts than there is time for goes on where it ended: what it saw published isn't asked for again.
    async fn check(&mut self, point: &AttachPoint) -> Result<(), NotTaken> {
        let present = &self.view.present;
        let points: BTreeSet<AttachPoint> = present
            .attached
            .iter()
            .filter(|(_, them)| !them.is_empty())
            .map(|(point, _)| point.clone())
            .collect();
        let points: BTreeSet<AttachPoint> = points.into_iter().chain([point.clone()]).collect();
        let below = self.view.paths.iter().filter(|(account, path)| {
            AttachPoint::chain(account, path).any(|there| there == *point)
                && !self.view.frozen.contains(*account)
        });
        let below = below.map(|(account, path)| (account.clone(), path.clone())).collect();
        let until = Instant::now() + PUBLISHED_WITHIN;
        for accounts in reached_alike(&points, &below).into_values() {
            let active = accounts
                .iter()
                .find(|account| self.view.accounts.get(*account).is_some_and(|it| it.state.is_active()));
            let Some(account) = active else { continue };
            let path = self.view.paths.get(account).cloned();
            let paths = path.map(|path| (account.clone(), path)).into_iter().collect();
            let Some(forecast) = forecast(&self.view.present, &paths).remove(account) else { continue };
            let what = published_as(account, &forecast);
            if self.reading.was_published(&what) {
                continue;
            }
            self.wait_for(account, &forecast, until).await?;
            self.reading.is_published(what);
        }
        // The next check asks anew: others may have changed something meanwhile.
        self.reading.forget_published();
        Ok(())
    }

    async fn wait_for(
        &self,
        account: &AccountId,
        forecast: &Forecast,
        until: Instant,
    ) -> Result<(), NotTaken> {
        loop {
            if !self.reading.has_time(CHECK_SECONDS) {
                return Err(NotTaken::NoTime);
            }
            let published = self.reader.effective(account).await?;
            let is_so = forecast.predictions.iter().any(|(_, prediction)| match (prediction, &published) {
                (Prediction::Effective(merged), PublishedPolicy::Effective(seen)) => {
                    seen.says_the_same(&merged.effective)
                }
                (_, _) => false,
            });
            if is_so {
                return Ok(());
            }
            if Instant::now() + LOOKED_AGAIN_AFTER >= until {
                let why = format!("AWS doesn't publish to {account} yet what is attached");
                return Err(NotTaken::NotPublished(why));
            }
            sleep(LOOKED_AGAIN_AFTER).await;
        }
    }

    /// Whether what is attached to a point is what the decision was made from.
    async fn unchanged(&self, point: &AttachPoint) -> Result<(), NotTaken> {
        let known = self.view.present.attached.get(point).into_iter().flatten();
        let known: Result<BTreeSet<PolicyId>, NotTaken> = known.map(|key| self.id(key)).collect();
        if self.attached(point).await? == known? {
            return Ok(());
        }
        Err(NotTaken::Changed(format!("somebody changed what is attached to {point} since it was read")))
    }

    async fn attached(&self, point: &AttachPoint) -> Result<BTreeSet<PolicyId>, Failure> {
        Ok(self.reader.attached(point).await?.into_iter().map(|policy| policy.id).collect())
    }

    /// The policy that a step is about, where AWS gave it an id.
    fn id_of(&self, step: &PolicyStep) -> Option<PolicyId> {
        match step {
            PolicyStep::Create { .. } | PolicyStep::Check { .. } => None,
            PolicyStep::Update { policy, .. }
            | PolicyStep::Attach { policy, .. }
            | PolicyStep::Detach { policy, .. }
            | PolicyStep::Delete { policy } => self.id(policy).ok(),
        }
    }

    fn id(&self, policy: &PolicyKey) -> Result<PolicyId, NotTaken> {
        let unknown = || NotTaken::Unrecorded(format!("{policy} has no id yet"));
        match policy {
            PolicyKey::Id(id) => Ok(id.clone()),
            PolicyKey::New(part) => self.created.get(part).cloned().ok_or_else(unknown),
            PolicyKey::Proposed => Err(unknown()),
        }
    }

    async fn note(&self, change: impl FnMut(&mut OrganizationLevelRecord)) -> Result<(), NotTaken> {
        self.keeper
            .ledger
            .change_organization_level(change)
            .await
            .map_err(|error| NotTaken::Unrecorded(format!("the ledger could not take note of it: {error}")))
    }
}

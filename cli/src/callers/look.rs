//! Looks into one account: who is there, and what IAM's simulation says of each.

use std::collections::BTreeMap;

use futures_util::{StreamExt, stream};

use super::chosen::{CallerCheck, CheckedAccount};
use super::{Needed, RegionCheck};
use crate::advice::FailedCall;
use crate::inspector::Inspector;
use crate::output::Bar;
use guardrail_keeper::cloud::{Reader, Session};
use guardrail_keeper::engine::Keeper;
use keeper_core::callers::{
    self, APPLY, AccountAccess, CallerVerdict, DECRYPT, INVOKE, Principal, Principals,
};
use keeper_core::failure::Failure;
use keeper_core::ids::{AccountId, GuardrailArn, Region};
use keeper_core::organization::AccountState;
use keeper_core::simulation::Evaluated;

/// IAM is asked about so many principals of an account at a time: it is slow to let many through.
const AT_A_TIME: usize = 4;

/// What was found out about one principal, by Region.
pub(super) type Verdicts = BTreeMap<Region, CallerVerdict>;

/// What was found out about one account.
pub(super) struct Found {
    pub(super) account: AccountId,
    pub(super) outcome: CallersFound,
}

pub(super) enum CallersFound {
    Looked(Looked),
    Nothing,
    Off(AccountState),
    Unknown(anyhow::Error),
}

/// What was seen in an account.
pub(super) struct Looked {
    pub(super) regions: Vec<RegionCheck>,
    pub(super) principals: BTreeMap<Principal, Verdicts>,
    pub(super) of_services: usize,
}

impl Found {
    pub(super) fn standing(&self) -> AccountAccess {
        match &self.outcome {
            CallersFound::Looked(looked) => looked.count().standing(looked.is_complete()),
            CallersFound::Nothing => AccountAccess::NothingWanted,
            CallersFound::Off(_) => AccountAccess::Off,
            CallersFound::Unknown(_) => AccountAccess::Unknown,
        }
    }

    pub(super) fn principals(&self) -> Principals {
        match &self.outcome {
            CallersFound::Looked(looked) => looked.count(),
            CallersFound::Nothing | CallersFound::Off(_) | CallersFound::Unknown(_) => Principals::default(),
        }
    }
}

impl Looked {
    pub(super) fn count(&self) -> Principals {
        let mut principals = Principals { of_services: self.of_services, ..Principals::default() };
        for verdicts in self.principals.values() {
            principals.count(verdicts.values());
        }
        principals
    }

    /// Whether all could be read that the verdicts rest on.
    fn is_complete(&self) -> bool {
        self.regions.iter().all(|asked| asked.needed.is_ok() && asked.gaps.is_empty())
    }
}

/// Looks into an account. `given` is the guardrail, where the arguments name one.
pub(super) async fn look(
    keeper: &Keeper,
    subject: CheckedAccount,
    given: Option<&GuardrailArn>,
    bar: &Bar,
) -> Found {
    let CheckedAccount { id: account, ask } = subject;
    let outcome = match ask {
        CallerCheck::Regions(regions) => match look_into(keeper, &account, regions, given, bar).await {
            Ok(looked) => CallersFound::Looked(looked),
            Err(refused) => CallersFound::Unknown(refused.into()),
        },
        CallerCheck::Nothing => CallersFound::Nothing,
        CallerCheck::Off(state) => CallersFound::Off(state),
        CallerCheck::Unknown(why) => CallersFound::Unknown(why),
    };
    Found { account, outcome }
}

async fn look_into(
    keeper: &Keeper,
    account: &AccountId,
    mut regions: Vec<RegionCheck>,
    given: Option<&GuardrailArn>,
    bar: &Bar,
) -> Result<Looked, FailedCall> {
    if regions.iter().all(|asked| asked.needed.is_err()) {
        return Ok(Looked { regions, principals: BTreeMap::new(), of_services: 0 });
    }
    let session = keeper.cloud().session(account).await;
    let session = session.map_err(|failure| FailedCall::new("it can't be checked", failure))?;
    let mut questions = Vec::new();
    for asked in &mut regions {
        questions.extend(CallerQuestion::of(&session, asked, given).await);
    }
    let all = match questions.first() {
        Some(question) => question.inspector.principals().await,
        None => Ok(Vec::new()),
    };
    let all = all.map_err(|failure| FailedCall::new("its roles and users can't be listed", failure))?;
    let (of_services, principals): (Vec<Principal>, Vec<Principal>) =
        all.into_iter().partition(Principal::is_service_linked);
    bar.expect(principals.len());
    let looks = principals.into_iter().map(|principal| {
        let questions = &questions;
        async move {
            let mut verdicts = Verdicts::new();
            for question in questions {
                verdicts.insert(question.inspector.region().clone(), question.ask(&principal).await);
            }
            bar.done_one();
            (principal, verdicts)
        }
    });
    let principals = stream::iter(looks).buffer_unordered(AT_A_TIME).collect().await;
    Ok(Looked { regions, principals, of_services: of_services.len() })
}

/// What IAM is asked about each principal, in one Region.
struct CallerQuestion {
    inspector: Inspector,
    needed: Needed,
    /// The models that a principal may be allowed.
    models: Vec<String>,
}

impl CallerQuestion {
    /// `None` where it isn't known what callers need. What else can't be read is noted.
    async fn of(
        session: &Session,
        asked: &mut RegionCheck,
        given: Option<&GuardrailArn>,
    ) -> Option<CallerQuestion> {
        let RegionCheck { region, what: _, needed, gaps } = asked;
        let needed = needed.as_mut().ok()?;
        if let Some(arn) = given {
            match Reader::new(session, region).key_arn(arn).await {
                Ok(key) => needed.key = key.map(|key| key.to_string()),
                Err(failure) => {
                    gaps.push(format!("it isn't known whether callers need a KMS key: {}", failure.said()));
                }
            }
        }
        let inspector = Inspector::new(session, region);
        let models = match inspector.models().await {
            Ok(models) if !models.is_empty() => models,
            Ok(_) => vec!["*".to_owned()],
            Err(failure) => {
                gaps.push(format!(
                    "the models can't be listed, so principals that may invoke only some are missing: {}",
                    failure.said()
                ));
                vec!["*".to_owned()]
            }
        };
        Some(CallerQuestion { inspector, needed: needed.clone(), models })
    }

    async fn ask(&self, principal: &Principal) -> CallerVerdict {
        let invokes = self.inspector.simulate(&principal.arn, &INVOKE, &self.models, &[]).await;
        let invokes: Result<_, Failure> = invokes.map(|evaluated| callers::invokes(&evaluated));
        // Most principals don't: they cost one call.
        let applies = match &invokes {
            Ok(callers::Invokes::No) | Err(_) => Ok(Vec::new()),
            Ok(callers::Invokes::Yes | callers::Invokes::Depends(_)) => self.permissions(principal).await,
        };
        callers::judge(&invokes, &self.needed.needs(), &applies)
    }

    /// What IAM says of everything that a guarded call needs.
    async fn permissions(&self, principal: &Principal) -> Result<Vec<Evaluated>, Failure> {
        let Needed { resources, key } = &self.needed;
        let mut evaluated = self.inspector.simulate(&principal.arn, &[APPLY], resources, &[]).await?;
        if let Some(key) = key {
            let key = std::slice::from_ref(key);
            evaluated.extend(self.inspector.simulate(&principal.arn, &[DECRYPT], key, &[]).await?);
        }
        Ok(evaluated)
    }
}

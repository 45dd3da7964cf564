//! Which accounts are asked about, and what each of them would have to enforce.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, stream};

use super::{Arguments, Needed, RegionCheck};
use crate::names::{self, Names};
use crate::{Unfit, outside};
use guardrail_keeper::engine::{self, Applied, Keeper};
use keeper_core::callers::NeededPermission;
use keeper_core::ids::{AccountId, GuardrailArn};
use keeper_core::organization::{Account, AccountState, Organization};
use keeper_core::trigger::Regions;

/// How many accounts Organizations is asked about at a time.
const LOOKED_UP_AT_A_TIME: usize = 4;

/// An account, and what is asked about it.
pub(super) struct CheckedAccount {
    pub(super) id: AccountId,
    pub(super) ask: CallerCheck,
}

pub(super) enum CallerCheck {
    /// What is to be enforced there, by Region.
    Regions(Vec<RegionCheck>),
    /// Nothing is to be enforced there.
    Nothing,
    /// No call can work there.
    Off(AccountState),
    /// What is to be enforced there isn't known.
    Unknown(anyhow::Error),
}

/// The accounts that were asked for, in the order of their ids.
pub(super) struct ChosenAccounts {
    pub(super) subjects: Vec<CheckedAccount>,
    pub(super) names: Names,
    /// What was named, and where nothing can be said.
    pub(super) unmet: Vec<String>,
}

/// What is known of an account that was asked for.
enum NamedAccount {
    Known(Account),
    /// It isn't needed: the arguments name the guardrail.
    Unasked,
    Unknown(anyhow::Error),
}

type NamedAccounts = BTreeMap<AccountId, NamedAccount>;

impl ChosenAccounts {
    pub(super) async fn of(keeper: &Keeper, arguments: &Arguments) -> anyhow::Result<ChosenAccounts> {
        let named: BTreeSet<AccountId> =
            names::accounts(keeper, &arguments.account).await?.into_iter().collect();
        let mut unmet = Vec::new();
        let mut members = selected(keeper, arguments, &mut unmet).await?;
        let rest = named.iter().filter(|id| !members.contains_key(*id)).cloned().collect();
        members.extend(each(keeper, arguments, rest).await);
        admit(keeper, arguments, &members)?;
        let known = || members.values().filter_map(NamedAccount::known);
        let names = Names::read(keeper, known()).await;
        let off = known().filter(|account| named.contains(&account.id) && !account.state.admits_work());
        unmet.extend(off.map(|Account { id, name, state, .. }| {
            let name = names::shown(name);
            format!("{id} ({name}) is {state}: no call can work there, so it is not checked")
        }));
        let subjects = match &arguments.guardrail {
            Some(arn) => members.into_iter().map(|(id, member)| by_arn(id, member, arn)).collect(),
            None => by_baseline(keeper, arguments, members, &mut unmet).await?,
        };
        Ok(ChosenAccounts { subjects, names, unmet })
    }
}

impl NamedAccount {
    fn known(&self) -> Option<&Account> {
        match self {
            NamedAccount::Known(account) => Some(account),
            NamedAccount::Unasked | NamedAccount::Unknown(_) => None,
        }
    }
}

/// The accounts of the OUs that were named, or all. One whose path Organizations doesn't show may
/// be one of them, and isn't left out without a word.
async fn selected(
    keeper: &Keeper,
    arguments: &Arguments,
    unmet: &mut Vec<String>,
) -> anyhow::Result<NamedAccounts> {
    let units = names::units(keeper, &arguments.ou).await?;
    if units.is_empty() && !arguments.all {
        return Ok(NamedAccounts::new());
    }
    let Organization { accounts, unplaced, .. } = engine::whole_organization(keeper).await?;
    let stands_under = |account: &Account, unit| account.path.parents().contains(unit);
    for unit in &units {
        if !accounts.values().any(|account| stands_under(account, unit)) {
            return Err(Unfit(format!("no account stands under {unit}")).into());
        }
    }
    let selected = accounts
        .into_iter()
        .filter(|(_, account)| arguments.all || units.iter().any(|unit| stands_under(account, unit)));
    let mut members: NamedAccounts =
        selected.map(|(id, account)| (id, NamedAccount::Known(account))).collect();
    for (id, failure) in unplaced {
        match id.parse() {
            Ok(id) => {
                let why = anyhow::anyhow!("its path could not be read: {failure}");
                members.insert(id, NamedAccount::Unknown(why));
            }
            Err(_) => unmet.push(format!("{id} is not checked: {failure}")),
        }
    }
    Ok(members)
}

/// What Organizations says of accounts that were named one by one. One that it doesn't show stops none of
/// the others.
async fn each(keeper: &Keeper, arguments: &Arguments, ids: Vec<AccountId>) -> NamedAccounts {
    if arguments.guardrail.is_some() {
        return ids.into_iter().map(|id| (id, NamedAccount::Unasked)).collect();
    }
    let asked = ids.into_iter().map(|id| async move {
        let member = match engine::place(keeper, &id).await {
            Ok(Some(placement)) => NamedAccount::Known(placement.account),
            Ok(None) => NamedAccount::Unknown(anyhow::anyhow!("it is no member of this organization")),
            Err(stopped) => NamedAccount::Unknown(stopped.into()),
        };
        (id, member)
    });
    stream::iter(asked).buffered(LOOKED_UP_AT_A_TIME).collect().await
}

/// Other accounts are looked into by a role, which the arguments have to name.
fn admit(keeper: &Keeper, arguments: &Arguments, members: &NamedAccounts) -> Result<(), Unfit> {
    let own = keeper.cloud().own_account();
    let mut others = members.keys().filter(|id| *id != own);
    let Some(first) = others.next().filter(|_| arguments.reading.role.is_none()) else { return Ok(()) };
    let more = match others.count() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let own_of = if more.is_empty() { "its own" } else { "each account's own, one by one" };
    Err(Unfit(format!(
        "these are credentials of {own}: give --role NAME to check {first}{more}, or use {own_of}"
    )))
}

fn by_arn(id: AccountId, member: NamedAccount, arn: &GuardrailArn) -> CheckedAccount {
    let ask = match member {
        NamedAccount::Known(account) if !account.state.admits_work() => CallerCheck::Off(account.state),
        NamedAccount::Unknown(why) => CallerCheck::Unknown(why),
        NamedAccount::Known(_) | NamedAccount::Unasked => {
            let needed = Needed { resources: vec![arn.to_string()], key: None };
            CallerCheck::Regions(vec![RegionCheck {
                region: arn.region.clone(),
                what: arn.to_string(),
                needed: Ok(needed),
                gaps: Vec::new(),
            }])
        }
    };
    CheckedAccount { id, ask }
}

async fn by_baseline(
    keeper: &Keeper,
    arguments: &Arguments,
    members: NamedAccounts,
    unmet: &mut Vec<String>,
) -> anyhow::Result<Vec<CheckedAccount>> {
    let baseline = engine::baseline(keeper).await?;
    let wanted = baseline.regions();
    let unknown = arguments.region.iter().filter(|region| !wanted.contains(region));
    unmet.extend(unknown.map(|region| outside(&baseline, region)));
    let regions = if arguments.region.is_empty() {
        Regions::All
    } else {
        Regions::Only(arguments.region.iter().cloned().collect())
    };
    let accounts = members.values().filter_map(NamedAccount::known).cloned().collect();
    let mut applied = engine::applied_in(keeper, &baseline, accounts, &regions).await?;
    let mut subjects = Vec::new();
    for (id, member) in members {
        let ask = match (member, applied.remove(&id)) {
            (NamedAccount::Unknown(why), _) => CallerCheck::Unknown(why),
            (NamedAccount::Known(account), _) if !account.state.admits_work() => {
                CallerCheck::Off(account.state)
            }
            (_, Some(Err(unread))) => CallerCheck::Unknown(unread.into()),
            (_, Some(Ok(applied))) if !applied.is_empty() => CallerCheck::Regions(
                applied.into_iter().map(|(region, applied)| RegionCheck::of(region, applied)).collect(),
            ),
            (_, Some(Ok(_)) | None) => CallerCheck::Nothing,
        };
        subjects.push(CheckedAccount { id, ask });
    }
    Ok(subjects)
}

impl RegionCheck {
    fn of(region: keeper_core::ids::Region, applied: Applied) -> RegionCheck {
        let Applied { guardrail, version, resources, key, any_copy } = applied;
        let copy = if any_copy { ", a copy that isn't there yet" } else { "" };
        let what = format!("{guardrail}:{version}{copy}");
        let key = key.map(|key| key.to_string());
        let needed = resources.map(|resources| Needed { resources, key });
        RegionCheck { region, what, needed, gaps: Vec::new() }
    }
}

impl Needed {
    /// What a call under the guardrail needs.
    pub(super) fn needs(&self) -> Vec<NeededPermission> {
        NeededPermission::all(&self.resources, self.key.as_deref())
    }
}

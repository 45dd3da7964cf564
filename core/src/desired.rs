//! What the baseline wants of each target: assignments laid over the organization's tree.

use std::collections::{BTreeMap, BTreeSet};

use crate::baseline::{Baseline, Existing, GuardrailKey, OnUnusable, Placement, Source};
use crate::enforcement::{Guarding, Models};
use crate::ids::{AccountId, Region, Target};
use crate::organization::{Account, Organization};
use crate::record::{Expected, Records};
use crate::trigger::Regions;

/// What is wanted of every target in scope.
pub type Desired = BTreeMap<Target, Wanted>;

/// What the baseline wants of one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// This guardrail. Its ARN may not be known yet: that takes a look into the owner account.
    Guardrail(Box<WantedGuardrail>),
    /// No enforcement: one of ours is released, others are left alone.
    Nothing {
        /// What to do with a foreign configuration.
        existing: Existing,
    },
    /// No assignment covers the account: whatever is there is kept and reported.
    Unassigned,
    /// The account is excluded: never written, only reported.
    Excluded,
}

impl Wanted {
    /// The same in short, as the record keeps it beside a look.
    pub fn expected(&self) -> Expected {
        match self {
            Wanted::Guardrail(wanted) => Expected::Guardrail(wanted.key.clone()),
            Wanted::Nothing { .. } => Expected::Nothing,
            Wanted::Unassigned => Expected::Unassigned,
            Wanted::Excluded => Expected::Excluded,
        }
    }
}

/// A guardrail that a target should enforce, as the baseline says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedGuardrail {
    /// What the baseline calls it.
    pub key: GuardrailKey,
    /// The account that owns it.
    pub owner: AccountId,
    /// Which guardrail of the owner account that is in the target's Region.
    pub source: Source,
    /// The models it guards.
    pub models: Models,
    /// How much of a request it guards.
    pub guarding: Guarding,
    /// Whether the target uses the owner's guardrail or a copy.
    pub placement: Placement,
    /// What to do with an enforcement whose guardrail can't be used.
    pub on_unusable: OnUnusable,
    /// What to do with a foreign configuration.
    pub existing: Existing,
}

/// Lays the baseline over the accounts of `organization`.
///
/// A Region that the baseline no longer names is still looked at where the record knows an
/// enforcement of ours, or a write that was never confirmed: it would stay enforced for ever. So are the Regions of `also`, for
/// the tasks that need to know that nothing is enforced there any more. Accounts in which no call can work are
/// left out; those in a state that isn't known are not.
pub fn desired(
    baseline: &Baseline,
    organization: &Organization,
    records: &Records,
    regions: &Regions,
    also: &BTreeSet<Region>,
) -> Desired {
    let mut desired = Desired::new();
    let named: BTreeSet<Region> = baseline.regions().union(also).cloned().collect();
    for account in organization.accounts.values().filter(|account| account.state.admits_work()) {
        let held = regions_held(records, &account.id);
        for region in named.union(&held).filter(|region| regions.contain(region)) {
            let target = Target { account: account.id.clone(), region: region.clone() };
            desired.insert(target, wanted(baseline, account, region));
        }
    }
    desired
}

/// In accounts that are about to leave nothing is wanted any more, whatever the baseline says.
pub fn release_leaving(desired: &mut Desired, leaving: &BTreeSet<AccountId>) {
    for (target, wanted) in desired.iter_mut() {
        let existing = match wanted {
            _ if !leaving.contains(&target.account) => continue,
            Wanted::Guardrail(guardrail) => guardrail.existing,
            Wanted::Unassigned => Existing::default(),
            Wanted::Nothing { .. } | Wanted::Excluded => continue,
        };
        *wanted = Wanted::Nothing { existing };
    }
}

fn regions_held(records: &Records, account: &AccountId) -> BTreeSet<Region> {
    records
        .iter()
        .filter(|(target, record)| {
            // Where a copy may be left over, it is looked for.
            let holds = record.may_be_ours() || record.former_here(target).is_some();
            target.account == *account && holds
        })
        .map(|(target, _)| target.region.clone())
        .collect()
}

fn wanted(baseline: &Baseline, account: &Account, region: &Region) -> Wanted {
    if baseline.exclude.contains(&account.id) {
        return Wanted::Excluded;
    }
    let Some(assignment) = baseline.assignment(&account.id, &account.path) else {
        return Wanted::Unassigned;
    };
    let guardrail = assignment
        .guardrail
        .as_ref()
        .and_then(|key| baseline.guardrails.get(key).map(|guardrail| (key, guardrail)));
    match guardrail
        .and_then(|(key, guardrail)| guardrail.regions.get(region).map(|source| (key, guardrail, source)))
    {
        Some((key, guardrail, source)) => Wanted::Guardrail(Box::new(WantedGuardrail {
            key: key.clone(),
            owner: guardrail.owner.clone(),
            source: source.clone(),
            models: guardrail.models.clone(),
            guarding: guardrail.guarding,
            placement: guardrail.placement,
            on_unusable: guardrail.on_unusable,
            existing: assignment.existing,
        })),
        None => Wanted::Nothing { existing: assignment.existing },
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use jiff::Timestamp;

    use super::*;
    use crate::enforcement::Enforcement;
    use crate::organization::AccountState;
    use crate::record::{Intent, Origin, Ours, Record};

    const HEAD: &str = "\
version: 1
organization: o-exampleorgid
owner: \"222222222222\"
exclude: [\"300000000003\"]
guardrails:
  corporate: { name: corporate-baseline, version: 2, regions: [us-east-1, eu-west-1] }
  lenient: { name: lenient, version: 1, regions: [eu-west-1] }
assignments:
";
    const ASSIGNMENTS: [&str; 3] = [
        "  - { targets: [ou-exam-workload], guardrail: corporate }\n",
        "  - { targets: [ou-exam-sandbox1], guardrail: none }\n",
        "  - { targets: [\"300000000002\"], guardrail: lenient, existing: replace }\n",
    ];

    fn baseline(assignments: &[&str]) -> Baseline {
        Baseline::parse(&format!("{HEAD}{}", assignments.concat()))
            .unwrap_or_else(|invalid| panic!("{invalid}"))
    }

    fn organization(order: &[usize]) -> Organization {
        let accounts = [
            ("300000000001", "ou-exam-workload", AccountState::Active),
            ("300000000002", "ou-exam-workload", AccountState::Active),
            ("300000000003", "ou-exam-workload", AccountState::Active),
            ("300000000004", "ou-exam-sandbox1", AccountState::Active),
            ("300000000005", "ou-exam-workload", AccountState::Suspended),
            ("300000000006", "ou-exam-elsewhere", AccountState::Active),
        ];
        let accounts = order.iter().map(|position| {
            let (id, parent, state) = accounts[*position].clone();
            let account = Account {
                id: id.parse().unwrap(),
                name: id.to_owned(),
                state,
                path: format!("o-exampleorgid/r-exam/{parent}/").parse().unwrap(),
                joined: None,
            };
            (account.id.clone(), account)
        });
        Organization {
            id: "o-exampleorgid".parse().unwrap(),
            management: "111111111111".parse().unwrap(),
            accounts: accounts.collect(),
            unplaced: BTreeMap::new(),
            complete: true,
        }
    }

    fn records() -> Records {
        // A Region that the baseline names nowhere: ours in one account, forgotten in another, and in a third a
        // write was begun, and it isn't known whether it arrived.
        let enforcement = Enforcement {
            guardrail: "arn:aws:bedrock:ap-southeast-2:222222222222:guardrail/old".parse().unwrap(),
            version: crate::ids::GuardrailVersion::new(1).unwrap(),
            models: Models::default(),
            guarding: Guarding::default(),
        };
        let begun = |to| {
            let revision = "0123456789abcdef".parse().unwrap();
            let intent = Intent { to, at: Timestamp::UNIX_EPOCH, revision, deed: None };
            Record { intent: Some(intent), ..Record::default() }
        };
        let ours = Ours {
            enforcement: enforcement.clone(),
            origin: Origin::Applied,
            at: Timestamp::UNIX_EPOCH,
            revision: "0123456789abcdef".parse().unwrap(),
            path: None,
            reads_back: None,
        };
        Records::from([
            (
                "300000000001/ap-southeast-2".parse().unwrap(),
                Record { ours: Some(ours), ..Record::default() },
            ),
            ("300000000002/ap-southeast-2".parse().unwrap(), Record::default()),
            ("300000000004/ca-central-1".parse().unwrap(), begun(Some(enforcement))),
            // Nothing is left of a release that was never confirmed but what is known as ours.
            ("300000000006/ca-central-1".parse().unwrap(), begun(None)),
        ])
    }

    fn in_words(desired: &Desired) -> String {
        let lines = desired.iter().map(|(target, wanted)| {
            let wanted = match wanted {
                Wanted::Guardrail(wanted) => {
                    format!("{}:{} existing {:?}", wanted.key, wanted.source.version, wanted.existing)
                }
                Wanted::Nothing { existing: _ } => "nothing".to_owned(),
                Wanted::Unassigned => "unassigned".to_owned(),
                Wanted::Excluded => "excluded".to_owned(),
            };
            format!("{target} {wanted}\n")
        });
        lines.collect()
    }

    #[track_caller]
    fn check(regions: &Regions, also: &[&str], expected: &Expect) {
        let also = also.iter().map(|region| region.parse().unwrap()).collect();
        let desired =
            desired(&baseline(&ASSIGNMENTS), &organization(&[0, 1, 2, 3, 4, 5]), &records(), regions, &also);
        expected.assert_eq(&in_words(&desired));
    }

    #[test]
    fn every_active_account_is_wanted_something_in_every_region_that_matters() {
        check(
            &Regions::All,
            &[],
            &expect![[r#"
            300000000001/ap-southeast-2 nothing
            300000000001/eu-west-1 corporate:2 existing Adopt
            300000000001/us-east-1 corporate:2 existing Adopt
            300000000002/eu-west-1 lenient:1 existing Replace
            300000000002/us-east-1 nothing
            300000000003/eu-west-1 excluded
            300000000003/us-east-1 excluded
            300000000004/ca-central-1 nothing
            300000000004/eu-west-1 nothing
            300000000004/us-east-1 nothing
            300000000006/eu-west-1 unassigned
            300000000006/us-east-1 unassigned
        "#]],
        );
    }

    #[test]
    fn an_event_narrows_the_regions() {
        let only = Regions::Only(BTreeSet::from(["us-east-1".parse().unwrap()]));
        check(
            &only,
            &[],
            &expect![[r#"
            300000000001/us-east-1 corporate:2 existing Adopt
            300000000002/us-east-1 nothing
            300000000003/us-east-1 excluded
            300000000004/us-east-1 nothing
            300000000006/us-east-1 unassigned
        "#]],
        );
        // A Region that neither baseline nor record names has no effect.
        let unknown = Regions::Only(BTreeSet::from(["xx-new-9".parse().unwrap()]));
        check(&unknown, &[], &expect![""]);
    }

    #[test]
    fn a_region_may_be_looked_at_for_another_reason() {
        let only = Regions::Only(BTreeSet::from(["ca-west-1".parse().unwrap()]));
        check(
            &only,
            &["ca-west-1"],
            &expect![[r#"
            300000000001/ca-west-1 nothing
            300000000002/ca-west-1 nothing
            300000000003/ca-west-1 excluded
            300000000004/ca-west-1 nothing
            300000000006/ca-west-1 unassigned
        "#]],
        );
    }

    #[test]
    fn the_order_of_accounts_and_assignments_changes_nothing() {
        let first = desired(
            &baseline(&ASSIGNMENTS),
            &organization(&[0, 1, 2, 3, 4, 5]),
            &records(),
            &Regions::All,
            &BTreeSet::new(),
        );
        for (accounts, assignments) in [
            ([5, 4, 3, 2, 1, 0], [2, 1, 0]),
            ([3, 0, 5, 1, 4, 2], [1, 2, 0]),
            ([1, 2, 0, 5, 3, 4], [0, 2, 1]),
        ] {
            let baseline = baseline(&assignments.map(|position| ASSIGNMENTS[position]));
            let again =
                desired(&baseline, &organization(&accounts), &records(), &Regions::All, &BTreeSet::new());
            assert_eq!(again, first);
        }
    }
}

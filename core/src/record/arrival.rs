//! Since when an account may still lack what it needs: it joined, came back, was moved, or may use a Region
//! that it could not use before. Its role comes a while after that, and until then AWS says the same as if
//! the role were missing for good.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::AccountRecord;
use crate::ids::{AccountId, Region};
use crate::organization::OrgPath;

/// The arrivals of the accounts that a run looks at.
pub type Arrivals = BTreeMap<AccountId, Arrival>;

/// When an account came to where it stands, besides what Organizations calls joined.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Arrival {
    /// When it was moved, or came back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<Timestamp>,
    /// When a Region was enabled in it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub regions: BTreeMap<Region, Timestamp>,
}

impl Arrival {
    /// An arrival that an event reported: of some Regions, or of the account as a whole.
    pub fn told(at: Timestamp, regions: Option<&BTreeSet<Region>>) -> Arrival {
        match regions {
            None => Arrival { account: Some(at), regions: BTreeMap::new() },
            Some(regions) => {
                let regions = regions.iter().map(|region| (region.clone(), at));
                Arrival { account: None, regions: regions.collect() }
            }
        }
    }

    /// The later of each.
    #[must_use]
    pub fn and(mut self, other: &Arrival) -> Arrival {
        self.account = self.account.max(other.account);
        for (region, at) in &other.regions {
            let known = self.regions.entry(region.clone()).or_insert(*at);
            *known = (*known).max(*at);
        }
        self
    }

    /// Whether nothing is known.
    pub fn is_none(&self) -> bool {
        *self == Arrival::default()
    }

    /// Since when the account may lack its role in a Region. `joined` is what Organizations says.
    pub fn since(&self, joined: Option<Timestamp>, region: &Region) -> Option<Timestamp> {
        joined.max(self.account).max(self.regions.get(region).copied())
    }
}

impl AccountRecord {
    /// The account's arrival, as a look sees it that finds the account on this path now.
    pub fn arrival_at(&self, path: &OrgPath, now: Timestamp) -> Arrival {
        let moved = self.last_path().is_some_and(|last| last != path);
        // Where the record wasn't opened again, it still says so at the next look.
        let back = self.closed.as_ref().is_some_and(|closed| self.arrival.account < Some(closed.at));
        let seen = Arrival { account: (moved || back).then_some(now), regions: BTreeMap::new() };
        self.arrival.clone().and(&seen)
    }

    /// Where the account stood when it was looked at last.
    fn last_path(&self) -> Option<&OrgPath> {
        let placed = self.placement.iter().map(|placement| (placement.placed_at, &placement.account.path));
        let checked = self.regions.values().filter_map(|record| {
            let checked = record.checked.as_ref()?;
            Some((checked.at, checked.path.as_ref()?))
        });
        placed.chain(checked).max_by_key(|(at, _)| *at).map(|(_, path)| path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::organization::{Account, AccountPlacement, AccountState};
    use crate::record::{Checked, Closed, Record, State};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn path(unit: &str) -> OrgPath {
        format!("o-exampleorgid/r-exam/{unit}/").parse().unwrap()
    }

    fn placed(unit: &str, second: i64) -> AccountPlacement {
        let account = Account {
            id: "300000000001".parse().unwrap(),
            name: "payments".to_owned(),
            state: AccountState::Active,
            path: path(unit),
            joined: None,
        };
        AccountPlacement { account, placed_at: at(second) }
    }

    fn checked(unit: &str, second: i64) -> Record {
        let checked = Checked {
            at: at(second),
            revision: "0123456789abcdef".parse().unwrap(),
            state: State::InSync,
            reason: None,
            code: None,
            drift: None,
            event: None,
            path: Some(path(unit)),
            expected: None,
        };
        Record { checked: Some(checked), ..Record::default() }
    }

    #[test]
    fn an_account_arrives_when_it_is_seen_elsewhere_than_before() {
        let us: Region = "us-east-1".parse().unwrap();
        let (old, new) = ("ou-exam-sandbox1", "ou-exam-workload");
        let closed = |second| Some(Closed { at: at(second), reason: "it left".to_owned(), untold: false });
        let arrived = |second| Arrival { account: Some(at(second)), ..Arrival::default() };
        let of = |placement: Option<AccountPlacement>, regions: &[(&Region, Record)]| AccountRecord {
            placement,
            regions: regions.iter().map(|(region, record)| ((*region).clone(), record.clone())).collect(),
            ..AccountRecord::default()
        };
        for (record, expected) in [
            // No look was recorded before: only joining counts.
            (AccountRecord::default(), None),
            (of(Some(placed(new, 10)), &[]), None),
            (of(Some(placed(old, 10)), &[]), Some(100)),
            // What was seen last counts, wherever it was written down.
            (of(Some(placed(old, 10)), &[(&us, checked(new, 20))]), None),
            (of(Some(placed(new, 10)), &[(&us, checked(old, 20))]), Some(100)),
            (of(None, &[(&us, checked(old, 20))]), Some(100)),
            // It was reported before, and stays so.
            (AccountRecord { arrival: arrived(50), ..of(Some(placed(new, 60)), &[]) }, Some(50)),
            (AccountRecord { arrival: arrived(50), ..of(Some(placed(old, 60)), &[]) }, Some(100)),
            // It left, and is a member again.
            (AccountRecord { closed: closed(50), ..of(Some(placed(new, 10)), &[]) }, Some(100)),
            (
                AccountRecord { closed: closed(50), arrival: arrived(70), ..of(Some(placed(new, 10)), &[]) },
                Some(70),
            ),
        ] {
            let arrival = record.arrival_at(&path(new), at(100));
            assert_eq!(arrival.account.map(Timestamp::as_second), expected, "{record:?}");
        }
    }

    #[test]
    fn the_latest_of_all_that_it_may_be_waiting_for_counts() {
        let [us, eu]: [Region; 2] = ["us-east-1", "eu-west-1"].map(|region| region.parse().unwrap());
        let enabled = Arrival::told(at(30), Some(&BTreeSet::from([us.clone()])));
        let arrival = Arrival::told(at(20), None).and(&enabled).and(&Arrival::told(at(10), None));
        let since = |joined, region| arrival.since(joined, region).map(Timestamp::as_second);
        assert_eq!((since(None, &us), since(None, &eu)), (Some(30), Some(20)));
        assert_eq!((since(Some(at(25)), &us), since(Some(at(25)), &eu)), (Some(30), Some(25)));
        assert_eq!(Arrival::default().since(None, &us), None);
        let text = serde_json::to_string(&arrival).unwrap();
        assert_eq!(serde_json::from_str::<Arrival>(&text).unwrap(), arrival, "{text}");
        assert_eq!(serde_json::to_string(&Arrival::default()).unwrap(), "{}");
    }
}

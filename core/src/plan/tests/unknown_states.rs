//! Accounts whose state nobody here knows.

use super::*;
use crate::organization::AccountState;

#[test]
fn law_nothing_is_taken_away_in_an_account_of_unknown_state() {
    let before = whole_plan();
    let accounts = before.decisions.keys().map(|target| target.account.clone());
    let unknown = accounts.map(|account| (account, AccountState::not_told())).collect();
    let after = before.clone().spare(unknown);
    let mut held = 0;
    for (target, decision) in &after.decisions {
        match decision {
            Decision::Change(change) => {
                assert_eq!(before.decisions.get(target), Some(decision));
                let foreign = change.overwrites_foreign().is_some();
                assert!(!change.is_release() && !foreign && change.verb() != "adopt", "{change}");
            }
            Decision::CleanUp(clean_up) => panic!("{clean_up}"),
            Decision::Held(Held { reason: HoldReason::AccountStateUnknown { .. }, would: Some(change) }) => {
                held += 1;
                assert_eq!(before.decisions[target], Decision::Change(change.clone()));
            }
            Decision::Broken(_) | Decision::Held(_) | Decision::InSync(_) | Decision::LeftAlone(_) => {}
        }
    }
    assert!(held > 0 && after.changes().next().is_some(), "{after}");
    // Nobody else's decisions change.
    assert_eq!(before.clone().spare(std::collections::BTreeMap::new()), before);
}

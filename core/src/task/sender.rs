//! Whose events are counted together, how fast they may come, and the look that serves all of them.
//!
//! | events about | count for | the look of a flood |
//! | --- | --- | --- |
//! | an account's enforcement and copies | the account | that account, everywhere |
//! | a guardrail that the baseline means | that guardrail | the owner's Region, and whoever uses it |
//! | other guardrails | their account and Region: whoever makes new ones has each event be about another | the owner's Region, and whoever uses any but those that the baseline means |
//! | no guardrail by name: a guardrail profile | its account and Region | the owner's Region, and every account there |

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{AccountTask, Cause, OwnerTask, Task, Then};
use crate::ids::{AccountId, GuardrailArn, Region, Target};
use crate::trigger::{Accounts, Regions, Scope};

/// Whose events are counted together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sender {
    /// Events about one account's enforcement and copies.
    Account(AccountId),
    /// Events about one guardrail in one Region that the baseline means.
    Guardrail(Region, GuardrailArn),
    /// Events about any other guardrail of an account in one Region.
    OtherGuardrails(Region, OtherGuardrails),
    /// Events of an account in one Region that name no guardrail, as those about guardrail profiles.
    Unnamed(Region, AccountId),
}

/// The guardrails of an account in a Region, but for some.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OtherGuardrails {
    /// The account.
    pub account: AccountId,
    /// The guardrails that are not among them: each of them counts by itself.
    pub but: BTreeSet<GuardrailArn>,
}

/// How fast the events of a sender may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FloodPace {
    /// How many are served at once.
    pub most_at_once: u32,
    /// After how many seconds one less counts: who sends no faster than that floods nobody.
    pub forgotten_after_seconds: i64,
    /// How long the look of a flood waits, in seconds.
    pub pause_seconds: u16,
}

/// More than what a change in every Region of an account makes.
pub(super) const OF_AN_ACCOUNT: FloodPace =
    FloodPace { most_at_once: 40, forgotten_after_seconds: 30, pause_seconds: 60 };

/// More than what making a guardrail with its versions and its resource policy takes. Each look may be one at every
/// account, so that even slow events must not have one each.
pub(super) const OF_GUARDRAILS: FloodPace =
    FloodPace { most_at_once: 10, forgotten_after_seconds: 300, pause_seconds: 300 };

impl Sender {
    /// Who sent the event that a scope comes from, where anybody who administers that account can make any number of such
    /// events, and one look can serve them all. `meant` are the guardrails that the baseline means in that Region.
    pub fn of(scope: &Scope, meant: &BTreeSet<GuardrailArn>) -> Option<Sender> {
        let Scope { accounts, regions, guardrail, changed_in, request, reasons, events: _, since: _ } = scope;
        if reasons.is_empty() || request.is_some() || !reasons.iter().all(|reason| reason.is_made_at_will()) {
            return None;
        }
        let one = |regions: &Regions| regions.named().filter(|regions| regions.len() == 1)?.first().cloned();
        match (accounts, guardrail) {
            (Accounts::Only(accounts), None) if accounts.len() == 1 => {
                accounts.first().cloned().map(Sender::Account)
            }
            (Accounts::Only(_), _) => None,
            (Accounts::All, None) => Some(Sender::Unnamed(one(regions)?, changed_in.clone()?)),
            (Accounts::All, Some(changed)) => {
                let (region, arn) = (one(regions)?, changed.arn.clone()?);
                if meant.contains(&arn) {
                    return Some(Sender::Guardrail(region, arn));
                }
                let others = OtherGuardrails { account: arn.account, but: meant.clone() };
                Some(Sender::OtherGuardrails(region, others))
            }
        }
    }

    /// The account whose events they are.
    pub fn account(&self) -> &AccountId {
        match self {
            Sender::Account(account) | Sender::Unnamed(_, account) => account,
            Sender::Guardrail(_, guardrail) => &guardrail.account,
            Sender::OtherGuardrails(_, others) => &others.account,
        }
    }

    /// How fast its events may come.
    pub fn pace(&self) -> FloodPace {
        match self {
            Sender::Account(_) => OF_AN_ACCOUNT,
            Sender::Guardrail(..) | Sender::OtherGuardrails(..) | Sender::Unnamed(..) => OF_GUARDRAILS,
        }
    }

    /// The sender that its events count for: which guardrails the baseline means may change from one to the next.
    pub(super) fn counted(&self) -> Sender {
        match self {
            Sender::OtherGuardrails(region, OtherGuardrails { account, but: _ }) => {
                let all = OtherGuardrails { account: account.clone(), but: BTreeSet::new() };
                Sender::OtherGuardrails(region.clone(), all)
            }
            Sender::Account(_) | Sender::Guardrail(..) | Sender::Unnamed(..) => self.clone(),
        }
    }

    /// The look that serves whatever it sends until shortly before.
    pub fn look(&self, cause: &Cause) -> Task {
        let (region, guardrail, others) = match self {
            Sender::Account(account) => {
                return Task::Account(AccountTask::new(account.clone(), &Regions::All, cause));
            }
            Sender::Guardrail(region, guardrail) => (region, Some(guardrail.clone()), None),
            Sender::OtherGuardrails(region, others) => (region, None, Some(others.clone())),
            Sender::Unnamed(region, _) => (region, None, None),
        };
        let then = Then::LookAtUsersOf(guardrail);
        let owner = Target { account: self.account().clone(), region: region.clone() };
        Task::Owner(OwnerTask { then, others, ..OwnerTask::new(owner, cause) })
    }
}

impl OtherGuardrails {
    /// Whether this guardrail is one of them.
    pub fn contain(&self, guardrail: &GuardrailArn) -> bool {
        guardrail.account == self.account && !self.but.contains(guardrail)
    }
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Sender::Account(account) => account.fmt(f),
            Sender::Guardrail(_, guardrail) => guardrail.fmt(f),
            Sender::OtherGuardrails(region, OtherGuardrails { account, but: _ }) => {
                write!(f, "{account} (guardrails in {region})")
            }
            Sender::Unnamed(region, account) => write!(f, "{account} (guardrail profiles in {region})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::cause::cause;
    use crate::trigger::{Context, Trigger, decide};

    const BASE: &str = "arn:aws:bedrock:us-east-1:222222222222:guardrail/base1234abcd";

    fn meant() -> BTreeSet<GuardrailArn> {
        BTreeSet::from([BASE.parse().unwrap()])
    }

    /// Whom the event of a sample counts for.
    fn sender(sample: &str, meant: &BTreeSet<GuardrailArn>) -> Option<Sender> {
        let path = format!("{}/../events/{sample}.json", env!("CARGO_MANIFEST_DIR"));
        let event = std::fs::read_to_string(path).unwrap();
        let Trigger::Reconcile(scope) = decide(&event, &Context::default()) else { panic!("{sample}") };
        Sender::of(&scope, meant)
    }

    #[test]
    fn only_what_an_administrator_can_make_at_will_is_counted() {
        let name = |sample: &str| sender(sample, &meant()).map(|sender| sender.to_string());
        assert_eq!(name("enforcement-deleted-by-somebody").as_deref(), Some("300000000001"));
        assert_eq!(name("guardrail-deleted").as_deref(), Some(BASE));
        assert_eq!(name("guardrail-policy-deleted").as_deref(), Some(BASE));
        let profile = name("guardrail-profile-policy-put");
        assert_eq!(profile.as_deref(), Some("222222222222 (guardrail profiles in us-east-1)"));
        for others in ["account-created", "account-moved", "schedule-scheduler", "request-accounts"] {
            assert_eq!(name(others), None, "{others}");
        }
    }

    #[test]
    fn guardrails_that_the_baseline_does_not_mean_count_together() {
        let name = |sample: &str| sender(sample, &BTreeSet::new()).map(|sender| sender.to_string());
        let together = Some("222222222222 (guardrails in us-east-1)".to_owned());
        for sample in ["guardrail-created", "guardrail-deleted", "guardrail-policy-deleted"] {
            assert_eq!(name(sample), together, "{sample}");
        }
        let others = sender("guardrail-deleted", &BTreeSet::new()).unwrap();
        assert_eq!(others.account().as_str(), "222222222222");
    }

    #[test]
    fn a_look_covers_whatever_its_sender_may_do() {
        let look = |sender: Sender| match sender.look(&cause("event-1", 0)) {
            Task::Account(AccountTask { account, regions, .. }) => format!("{account} {regions}"),
            Task::Owner(OwnerTask { region, then, others, is_addition: false, .. }) => {
                let but = others.map(|others| format!("{} but {}", others.account, others.but.len()));
                format!("{region} {then:?} {but:?}")
            }
            Task::Owner(_) => panic!("what is gone counts as well"),
            Task::Organization(_) => panic!("nobody who sends events is looked at so"),
        };
        let region: Region = "us-east-1".parse().unwrap();
        let account: AccountId = "222222222222".parse().unwrap();
        assert_eq!(look(Sender::Account(account.clone())), "222222222222 all Regions");
        let guardrail = Sender::Guardrail(region.clone(), BASE.parse().unwrap());
        assert!(look(guardrail).contains("LookAtUsersOf(Some("));
        let others = OtherGuardrails { account: account.clone(), but: meant() };
        let others = Sender::OtherGuardrails(region.clone(), others);
        assert_eq!(look(others), r#"us-east-1 LookAtUsersOf(None) Some("222222222222 but 1")"#);
        assert_eq!(look(Sender::Unnamed(region, account)), "us-east-1 LookAtUsersOf(None) None");
    }

    #[test]
    fn the_other_guardrails_are_those_of_the_same_account() {
        let others = OtherGuardrails { account: "222222222222".parse().unwrap(), but: meant() };
        let of = |account: &str, id: &str| {
            others.contain(&format!("arn:aws:bedrock:us-east-1:{account}:guardrail/{id}").parse().unwrap())
        };
        assert!(of("222222222222", "other"));
        assert!(!of("222222222222", "base1234abcd") && !of("300000000001", "other"));
    }
}

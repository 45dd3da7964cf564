//! What `placement: auto` goes by: whether AWS lets an account enforce another account's guardrail.
//!
//! No document of AWS says so. So it is tried once for the whole organization, and the answer is recorded
//! with its evidence. Pure: times and what was tried are passed in.
//!
//! | a write of the owner's guardrail in a member ↓ / answer so far → | undecided | central | copies |
//! | --- | --- | --- | --- |
//! | AWS took it, or it is enforced there already | central | central | copies; it stays in that target |
//! | AWS refused it twice, ten minutes apart, in two accounts (in one, if only one is concerned) | copies | central | copies |
//! | AWS refused it less often | undecided, tried again | central | copies |
//! | AWS refused it shortly after the grant, or in the owner's own account as well | undecided, doesn't count | central | copies |
//! | a policy forbade the call, or the failure may pass | undecided, no evidence at all | central | copies |
//!
//! Every write follows a probe that succeeded as that member. Only a person changes `central` and `copies`.

mod answer;
mod print;
mod refused;
mod stands;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::baseline::Revision;
use crate::control::ControlVersion;
use crate::ids::{AccountId, Target};
use crate::words::cut;

pub use answer::Answer;
pub use refused::ReferenceRefused;
pub use stands::{Stands, effective};

/// How long after the first refusal the second one counts, in seconds.
pub const APART_SECONDS: i64 = 600;

/// How long a grant may take until every part of AWS sees it, in seconds.
pub const GRANT_SETTLES_SECONDS: i64 = 600;

/// In how many accounts AWS has to refuse it.
const ACCOUNTS_NEEDED: usize = 2;

/// How long after its time a second try may be late before other accounts are tried instead, in seconds: what
/// waits aside is looked at every quarter of an hour.
const OVERDUE_SECONDS: i64 = 1200;

/// How long a first refusal counts, in seconds: who runs the keeper from a terminal may look once a day.
const COUNTS_SECONDS: i64 = 48 * 3600;

/// How long a refusal in the owner's own account keeps the others from counting, in seconds.
const OWNER_COUNTS_SECONDS: i64 = 3600;

/// How many accounts with refusals are remembered.
const ACCOUNTS_KEPT: usize = 10;

/// How many lines of history are kept.
const HISTORY_KEPT: usize = 12;

/// Longer texts of AWS are cut.
const TEXT_KEPT: usize = 300;

/// The answer and its evidence: one document of the ledger, for the whole organization.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PlacementRecord {
    /// The answer.
    pub answer: Answer,
    /// When and by which principal it was decided; `None` while it is undecided.
    pub decided: Option<PlacementDecided>,
    /// The first member in which AWS took the owner's guardrail.
    pub works_in: Option<WorksIn>,
    /// Where AWS refused it, by account.
    pub refusals: BTreeMap<AccountId, ReferenceRefused>,
    /// That AWS refused it in the owner's own account as well: then the reason is another one.
    pub owner_refused: Option<OwnerRefused>,
    /// The control that a person gave the answer by last. `None` where none was taken over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control: Option<ControlVersion>,
    /// What happened to the answer, the newest last.
    pub history: Vec<PlacementEntry>,
}

/// When and by which principal the answer was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlacementDecided {
    /// When.
    pub at: Timestamp,
    /// Under which baseline, where one was gone by.
    pub revision: Option<Revision>,
    /// The keeper, or the person who said so.
    pub by: String,
    /// By what evidence, in words.
    pub why: String,
}

/// A member that enforces the owner's guardrail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorksIn {
    /// The member and Region.
    pub target: Target,
    /// When that was seen.
    pub at: Timestamp,
}

/// That AWS refused the owner's guardrail in the owner's own account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerRefused {
    /// When.
    pub at: Timestamp,
    /// What AWS said.
    pub said: String,
}

/// One line of the answer's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlacementEntry {
    /// When.
    pub at: Timestamp,
    /// By which principal.
    pub by: String,
    /// What, in words.
    pub text: String,
}

/// A write of the owner's guardrail in a member, or one that was found there.
#[derive(Clone, Copy, Debug)]
pub struct Tried<'a> {
    /// The member and Region.
    pub target: &'a Target,
    /// When.
    pub at: Timestamp,
    /// Under which baseline.
    pub revision: &'a Revision,
}

/// That AWS refused such a write, and not because a policy forbids the call.
#[derive(Clone, Copy, Debug)]
pub struct Refused<'a> {
    /// What it said.
    pub said: &'a str,
    /// When we granted the guardrail to the organization, where we did.
    pub granted: Option<Timestamp>,
    /// Whether no other account is concerned.
    pub only_account: bool,
}

/// Whether the owner's guardrail may be tried in a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Permit {
    /// It may.
    Try,
    /// Not now.
    Wait(PlacementWait),
}

/// Why a target waits for the answer. Displays as a sentence that says what happens next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "wait")]
pub enum PlacementWait {
    /// AWS refused it here.
    Refused {
        /// What AWS said.
        said: String,
        /// How often, as far as it counts.
        times: u8,
        /// When it is tried again.
        again_at: Timestamp,
        /// Whether what was seen outlives this process.
        remembered: bool,
    },
    /// AWS refused it here and in the owner's own account.
    OwnerRefusedToo {
        /// What AWS said.
        said: String,
        /// When it is tried again.
        again_at: Timestamp,
    },
    /// AWS refused it in other accounts, where it is tried again first.
    Elsewhere {
        /// The accounts.
        accounts: Vec<AccountId>,
        /// When it is tried again there.
        again_at: Timestamp,
    },
    /// AWS refuses it, as was found out just now: the account gets a copy.
    CopyComes,
}

/// Who decides where no person does.
const KEEPER: &str = "the keeper";

impl PlacementRecord {
    /// Takes note that AWS took the owner's guardrail in a member, or had taken it before.
    pub fn accepted(&mut self, tried: Tried<'_>) {
        let Tried { target, at, revision } = tried;
        if self.works_in.is_some() && self.answer != Answer::Undecided {
            return;
        }
        self.works_in.get_or_insert_with(|| WorksIn { target: target.clone(), at });
        let why = format!("AWS took the owner's guardrail in {target}");
        match self.answer {
            Answer::Undecided => self.decide(Answer::Central, at, Some(revision), KEEPER, why),
            Answer::Central => {}
            Answer::Copies => self.tell(at, KEEPER, format!("{why}, which stays there; others get copies")),
        }
    }

    /// Takes note that AWS refused the owner's guardrail in a member.
    pub fn refused(&mut self, tried: Tried<'_>, refused: Refused<'_>) {
        let Tried { target, at, revision } = tried;
        let Target { account, region } = target;
        if self.answer != Answer::Undecided {
            return;
        }
        let full = self.refusals.len() >= ACCOUNTS_KEPT;
        if let Some(known) = self.refusals.get(account) {
            // One Region of an account is tried at a time.
            if known.region != *region && !known.is_overdue(at) {
                return;
            }
        } else if full {
            self.refusals.retain(|_, known| !known.is_overdue(at));
            if self.refusals.len() >= ACCOUNTS_KEPT {
                return;
            }
        }
        let known = self.refusals.remove(account).filter(|known| known.region == *region);
        let again_at = self.does_not_count_before(at, refused.granted);
        let said = cut(refused.said, TEXT_KEPT);
        let next = ReferenceRefused { said, ..ReferenceRefused::next(known, region, at, again_at) };
        self.refusals.insert(account.clone(), next);
        self.see_whether_it_is_refused(at, revision, refused.only_account);
    }

    /// Takes note of what became of a write in the owner's own account: where that is refused, the
    /// reason isn't whose guardrail it is. Answers whether that is news.
    pub fn tried_by_the_owner(&mut self, at: Timestamp, refused: Option<&str>) -> bool {
        if self.answer != Answer::Undecided {
            return false;
        }
        let next = refused.map(|said| OwnerRefused { at, said: cut(said, TEXT_KEPT) });
        let news = next != self.owner_refused;
        self.owner_refused = next;
        news
    }

    /// Records what a person says, or with `Undecided` that it is to be found out anew.
    pub fn set(&mut self, answer: Answer, at: Timestamp, revision: &Revision, by: &str) {
        self.refusals.clear();
        self.owner_refused = None;
        match answer {
            Answer::Undecided => {
                self.answer = answer;
                self.decided = None;
                self.works_in = None;
                self.tell(at, by, "forgotten, so that the keeper decides again".to_owned());
            }
            Answer::Central | Answer::Copies => {
                self.decide(answer, at, Some(revision), by, "a person set it".to_owned());
            }
        }
    }

    /// Takes over the answer that a person gave by a control, unless this version or a later one was taken over. Returns
    /// whether it was taken over now.
    pub fn take_over(
        &mut self,
        answer: Answer,
        version: ControlVersion,
        revision: &Revision,
        by: &str,
    ) -> bool {
        let is_news = version.is_after(self.control);
        if is_news {
            self.set(answer, version.at, revision, by);
            self.control = Some(version);
        }
        is_news
    }

    /// Whether the owner's guardrail may be tried in a member now.
    pub fn permits(&self, target: &Target, now: Timestamp, remembered: bool) -> Permit {
        let Target { account, region } = target;
        match self.answer {
            Answer::Central => return Permit::Try,
            Answer::Copies => return Permit::Wait(PlacementWait::CopyComes),
            Answer::Undecided => {}
        }
        let here = self.refusals.get(account).filter(|known| !known.is_overdue(now));
        match here {
            Some(here) if here.region != *region => return Permit::Wait(self.wait_for_others(now, account)),
            Some(here) if now < here.again_at => return Permit::Wait(self.wait_here(here, now, remembered)),
            Some(_) => return Permit::Try,
            None => {}
        }
        let elsewhere =
            self.refusals.iter().filter(|(other, known)| *other != account && !known.is_overdue(now));
        if elsewhere.count() < ACCOUNTS_NEEDED {
            Permit::Try
        } else {
            Permit::Wait(self.wait_for_others(now, account))
        }
    }

    /// The accounts in which AWS refused it often enough.
    pub fn confirmed(&self) -> impl Iterator<Item = &AccountId> {
        self.refusals.iter().filter(|(_, known)| known.second.is_some()).map(|(account, _)| account)
    }

    /// Whether the owner's guardrail has to be granted to the organization for members to use it.
    pub fn needs_grants(&self) -> bool {
        self.answer != Answer::Copies || self.works_in.is_some()
    }

    fn wait_here(&self, here: &ReferenceRefused, now: Timestamp, remembered: bool) -> PlacementWait {
        let (said, again_at) = (here.said.clone(), here.again_at);
        if here.first.is_none() && self.owner_counts(now) {
            PlacementWait::OwnerRefusedToo { said, again_at }
        } else {
            PlacementWait::Refused { said, times: here.times(), again_at, remembered }
        }
    }

    fn owner_counts(&self, now: Timestamp) -> bool {
        self.owner_refused.as_ref().is_some_and(|owner| seconds(owner.at, now) < OWNER_COUNTS_SECONDS)
    }

    fn wait_for_others(&self, now: Timestamp, account: &AccountId) -> PlacementWait {
        let tried = self.refusals.iter().filter(|(_, known)| !known.is_overdue(now));
        let again_at = tried.clone().map(|(_, known)| known.again_at).max().unwrap_or(now);
        let mut accounts: Vec<AccountId> = tried.map(|(other, _)| other.clone()).collect();
        accounts.sort_by_key(|other| other != account);
        accounts.truncate(ACCOUNTS_NEEDED);
        PlacementWait::Elsewhere { accounts, again_at }
    }

    /// Until when a refusal at this time doesn't count; `None` where it does.
    fn does_not_count_before(&self, at: Timestamp, granted: Option<Timestamp>) -> Option<Timestamp> {
        let grant =
            granted.map(|granted| later(granted, GRANT_SETTLES_SECONDS)).filter(|settled| *settled > at);
        grant.or_else(|| self.owner_counts(at).then(|| later(at, APART_SECONDS)))
    }

    fn see_whether_it_is_refused(&mut self, at: Timestamp, revision: &Revision, only_account: bool) {
        let accounts: Vec<String> = self.confirmed().map(ToString::to_string).collect();
        let enough = accounts.len() >= ACCOUNTS_NEEDED || (only_account && !accounts.is_empty());
        if enough {
            let why = format!("AWS refused the owner's guardrail twice in {}", accounts.join(" and in "));
            self.decide(Answer::Copies, at, Some(revision), KEEPER, why);
        }
    }

    fn decide(&mut self, answer: Answer, at: Timestamp, revision: Option<&Revision>, by: &str, why: String) {
        self.answer = answer;
        self.tell(at, by, format!("{answer}: {why}"));
        self.decided = Some(PlacementDecided { at, revision: revision.cloned(), by: by.to_owned(), why });
    }

    fn tell(&mut self, at: Timestamp, by: &str, text: String) {
        self.history.push(PlacementEntry { at, by: by.to_owned(), text });
        let surplus = self.history.len().saturating_sub(HISTORY_KEPT);
        self.history.drain(..surplus);
    }
}

fn seconds(from: Timestamp, to: Timestamp) -> i64 {
    to.as_second() - from.as_second()
}

fn later(at: Timestamp, seconds: i64) -> Timestamp {
    Timestamp::from_second(at.as_second().saturating_add(seconds)).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;

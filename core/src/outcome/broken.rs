//! What is broken, and what was released for that, published once for each guardrail version with the accounts.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use super::detail::{CauseDetail, GuardrailDetail, ReasonDetail};
use super::{Event, FORMAT, Kind, together};
use crate::baseline::Revision;
use crate::ids::{AccountId, GuardrailArn, GuardrailVersion, Region};
use crate::task::Cause;

/// How many accounts one event names. At fifteen bytes each they stay far below the 256 KB that
/// EventBridge takes.
const ACCOUNTS_NAMED: usize = 10_000;

/// Guardrail versions that can't be used, each with the kind of reason, and the accounts that enforce it or
/// in which it was released for that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BrokenVersions(BTreeMap<(GuardrailArn, GuardrailVersion, String), Enforcers>);

/// The accounts that one of them concerns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Enforcers {
    /// Why it can't be used, in words: of the first account.
    words: String,
    accounts: BTreeSet<AccountId>,
}

#[derive(Serialize)]
struct BrokenDetail<'a> {
    version: u32,
    guardrail: GuardrailDetail<'a>,
    region: &'a Region,
    reason: ReasonDetail,
    accounts: Vec<&'a AccountId>,
    accounts_in_all: usize,
    part: BrokenPart,
    whole_organization: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<&'a Revision>,
    cause: CauseDetail<'a>,
}

#[derive(Serialize)]
struct BrokenPart {
    number: usize,
    of: usize,
}

impl BrokenVersions {
    /// Adds an account. A guardrail is enforced only in its own Region.
    pub fn add(
        &mut self,
        account: &AccountId,
        (guardrail, version): (&GuardrailArn, GuardrailVersion),
        code: String,
        words: String,
    ) {
        let key = (guardrail.clone(), version, code);
        let enforcers = self.0.entry(key).or_insert_with(|| Enforcers { words, accounts: BTreeSet::new() });
        enforcers.accounts.insert(account.clone());
    }

    /// Their events, of this kind. `whole` says that every account of the organization was looked at; people get one
    /// message of all then, which is the first event.
    pub fn events(
        &self,
        kind: Kind,
        cause: &Cause,
        revision: Option<&Revision>,
        whole: bool,
        now: Timestamp,
    ) -> Vec<Event> {
        let mut events = Vec::new();
        for ((guardrail, version, code), Enforcers { words, accounts }) in &self.0 {
            let all: Vec<&AccountId> = accounts.iter().collect();
            let parts = all.chunks(ACCOUNTS_NAMED);
            let of = parts.len();
            for (number, accounts) in (1..).zip(parts) {
                let detail = BrokenDetail {
                    version: FORMAT,
                    guardrail: GuardrailDetail { arn: guardrail, version: *version },
                    region: &guardrail.region,
                    reason: ReasonDetail::new(code.clone(), words),
                    accounts: accounts.to_vec(),
                    accounts_in_all: all.len(),
                    part: BrokenPart { number, of },
                    whole_organization: whole,
                    revision,
                    cause: CauseDetail::of(cause),
                };
                events.push(Event { kind, detail: json!(detail), time: now });
            }
        }
        together::name_together(&mut events);
        events
    }
}

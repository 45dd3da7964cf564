//! What is the keeper's, by what the judge saw being written and what was rightly taken over. The keeper's ledger is
//! held against it, and is never its source.

use std::collections::{BTreeMap, BTreeSet};

use guardrail_keeper::enforcement::{ContentGuarding, Enforcement, Included};
use guardrail_keeper::ids::ModelId;
use simulator::{EnforcedConfiguration, Guarding};

use crate::histories::model::{Place, Snapshot, is_the_keeper};

/// What an enforcement says, in one form.
pub(super) type Signature = (String, String, [bool; 2], Vec<String>, Vec<String>);

pub fn signature(seen: &EnforcedConfiguration) -> Signature {
    let (mut include, mut exclude) = match &seen.model_enforcement {
        None => (vec!["ALL".to_owned()], Vec::new()),
        Some(models) => (models.included_models.clone(), models.excluded_models.clone()),
    };
    include.sort();
    exclude.sort();
    let selective = [seen.system(), seen.messages()].map(|guarding| guarding == Guarding::Selective);
    (seen.guardrail_arn.clone(), seen.guardrail_version.clone(), selective, include, exclude)
}

pub fn recorded_signature(recorded: &Enforcement) -> Signature {
    let Enforcement { guardrail, version, models, guarding } = recorded;
    // List may show a model's ARN; what AWS has is the id.
    let id = |model: &ModelId| {
        let text = model.to_string();
        text.split_once("::foundation-model/").map_or(text.clone(), |(_, id)| id.to_owned())
    };
    let include = match &models.include {
        Included::All => vec!["ALL".to_owned()],
        Included::Only(models) => models.iter().map(id).collect(),
    };
    let exclude = models.exclude.iter().map(id).collect();
    let selective = [guarding.system, guarding.messages].map(|it| it == ContentGuarding::Selective);
    (guardrail.to_string(), version.to_string(), selective, include, exclude)
}

/// Whether the keeper's role made it or changed it last.
pub(super) fn bears_keepers_name(account: &str, seen: &EnforcedConfiguration) -> bool {
    let wrote = |principal: &str| is_the_keeper(account, principal);
    wrote(&seen.created_by) || wrote(&seen.updated_by)
}

/// What is the keeper's in one place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mine {
    /// What it wrote there last, or took over; nothing where it released that.
    pub now: Option<Signature>,
    /// What was its before that, until the ledger has been told.
    pub before: BTreeSet<Signature>,
    /// Whether somebody else had made it.
    pub adopted: bool,
    /// Whether the ledger was told of it.
    pub told: bool,
}

/// What the checker remembers between runs.
#[derive(Clone, Debug, Default)]
pub struct Book {
    mine: BTreeMap<Place, Mine>,
    /// The baselines that somebody approved, as texts.
    pub approved: BTreeSet<String>,
    /// The guardrails of all that was ever in there, as long as the ledger lasts.
    pub once_ours: BTreeSet<(Place, String)>,
    /// What the ledger said when it was looked at last, and whether that look found something new.
    ledger: BTreeMap<Place, Signature>,
    pub noted: bool,
    /// Whether the last run ended with everything as wanted, and nothing happened since.
    pub rest: Rest,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rest {
    #[default]
    No,
    /// It is as wanted, after the last run wrote something, if only to the ledger. Only a grant or a copy that nobody needs
    /// any more may be left to be taken back.
    Settled,
    /// The last run found nothing to do.
    Quiet,
}

impl Book {
    /// As a keeper with an empty ledger begins.
    pub fn forget(&mut self) {
        self.mine.clear();
        self.once_ours.clear();
        self.ledger.clear();
    }

    /// The keeper changed what is enforced in some places.
    pub fn note_writes(&mut self, before: &Snapshot, after: &Snapshot) {
        let places: BTreeSet<&Place> = before.enforced.keys().chain(after.enforced.keys()).collect();
        for place in places {
            let now = after.enforced.get(place);
            if before.enforced.get(place) == now {
                continue;
            }
            let mut known = self.mine.remove(place).unwrap_or_default();
            known.before.extend(known.now);
            if let Some(now) = now {
                self.once_ours.insert((place.clone(), now.guardrail_arn.clone()));
            }
            let mine = Mine {
                now: now.map(signature),
                before: known.before,
                // A release that was not told to the ledger yet leaves it as it was.
                adopted: known.adopted && now.is_none(),
                told: false,
            };
            self.mine.insert(place.clone(), mine);
        }
    }

    /// What somebody else had made in a place was taken over, or what is the keeper's by its name was remembered.
    pub fn takes_over(&mut self, place: &Place, recorded: Signature, named: bool) {
        let known = self.mine.remove(place).unwrap_or_default();
        let anew = known.now.is_none() && known.before.is_empty();
        self.once_ours.insert((place.clone(), recorded.0.clone()));
        let adopted = !named && (anew || known.adopted);
        self.mine.insert(
            place.clone(),
            Mine { now: Some(recorded), before: BTreeSet::new(), adopted, told: true },
        );
    }

    /// The ledger says what is so.
    pub fn settles(&mut self, place: &Place) {
        if let Some(mine) = self.mine.get_mut(place) {
            mine.before.clear();
            mine.told = true;
            if mine.now.is_none() {
                self.mine.remove(place);
            }
        }
    }

    /// It isn't the keeper's any more.
    pub fn lets_go(&mut self, place: &Place) {
        self.mine.remove(place);
    }

    /// What the ledger says of a place now.
    pub fn note_ledger(&mut self, place: &Place, recorded: Option<&Signature>) {
        let before = match recorded {
            Some(recorded) => self.ledger.insert(place.clone(), recorded.clone()),
            None => self.ledger.remove(place),
        };
        self.noted |= before.as_ref() != recorded;
    }

    pub fn of(&self, place: &Place) -> Option<&Mine> {
        self.mine.get(place)
    }

    pub fn has(&self, place: &Place) -> bool {
        self.mine.contains_key(place)
    }

    pub fn is_foreign(&self, place: &Place, seen: &EnforcedConfiguration) -> bool {
        !self.has(place) && !bears_keepers_name(&place.account, seen)
    }

    /// The places where the keeper adopted what somebody else had made.
    pub fn adopted(&self) -> impl Iterator<Item = &Place> {
        self.mine.iter().filter(|(_, mine)| mine.adopted).map(|(place, _)| place)
    }

    /// Whether somebody else made what is there, which the keeper adopted.
    pub fn is_adopted(&self, place: &Place, seen: &EnforcedConfiguration) -> bool {
        self.mine.get(place).is_some_and(|mine| mine.adopted) && !bears_keepers_name(&place.account, seen)
    }

    /// Whether the keeper can prove that what is there is what it put there: nobody wrote since, or the ledger was
    /// told of just this.
    pub fn is_provably_applied(&self, place: &Place, seen: &EnforcedConfiguration) -> bool {
        let there = signature(seen);
        let mine = self.mine.get(place).filter(|mine| mine.before.is_empty() && mine.told);
        mine.is_some_and(|mine| mine.now == Some(there)) || is_the_keeper(&place.account, &seen.updated_by)
    }

    /// Whether what is there is what the keeper put there, unchanged.
    pub fn is_as_applied(&self, place: &Place, seen: &EnforcedConfiguration) -> bool {
        let there = signature(seen);
        let mine = self.mine.get(place);
        let recorded = mine.is_some_and(|mine| mine.now.iter().chain(&mine.before).any(|it| *it == there));
        recorded || is_the_keeper(&place.account, &seen.updated_by)
    }
}

//! What happens to the organization while the keeper is at work: the same in the second quarter and the last, so that
//! they can be compared.

use simulator::{Enforce, Fault, FaultKind, Model, PutParameter};

use crate::figures::Load;
use crate::stage::{HUB, OWNER, PARAMETER, REGIONS, SANDBOX, WORKLOAD};
use testkit::histories::dice::Dice;

const TAMPERED: &str = "enforcements changed or removed";
const JOINED: &str = "accounts joined";
const MOVED: &str = "accounts moved";
const REVISED: &str = "baseline revisions";
const POLICIES: &str = "resource policies deleted";
pub(crate) const SWEPT: &str = "sweeps";
pub(crate) const REPEATED: &str = "events handed out twice";

/// How many accounts move to and fro all the time.
const NOMADS: usize = 4;

/// What must have happened at least, by what it is.
pub(crate) fn least(minutes: usize) -> [(&'static str, usize); 7] {
    [
        (TAMPERED, minutes),
        (JOINED, minutes / 4),
        (MOVED, minutes),
        (REVISED, 2),
        (POLICIES, 2),
        (SWEPT, 4),
        (REPEATED, minutes / 2),
    ]
}

/// Who does all this.
pub(crate) struct Meddler {
    dice: Dice,
    /// The version that the baseline wants.
    version: u32,
    nomads: Vec<String>,
    /// Whose enforcement is changed next: each target once, so that none counts as contested.
    victims: Vec<(String, &'static str)>,
    each_minute: usize,
    minutes: usize,
    joined: usize,
}

impl Meddler {
    pub(crate) fn new(seed: u64, members: &[String], minutes: usize) -> Meddler {
        let mut dice = Dice::new(seed);
        let (nomads, others) = members.split_at(NOMADS);
        let mut victims: Vec<(String, &'static str)> =
            others.iter().flat_map(|account| REGIONS.map(|region| (account.clone(), region))).collect();
        for last in (1..victims.len()).rev() {
            victims.swap(last, dice.below(last + 1));
        }
        let each_minute = 2 + members.len() / 200;
        Meddler { dice, version: 2, nomads: nomads.to_vec(), victims, each_minute, minutes, joined: 0 }
    }

    /// The minute of a quarter: a sweep begins each, whatever else happens.
    fn minute_of_quarter(&self, minute: usize) -> usize {
        minute % (self.minutes / 4)
    }

    pub(crate) fn is_time_to_sweep(&self, minute: usize) -> bool {
        self.minute_of_quarter(minute) == 0
    }

    /// What happens in a minute. Nothing that is the keeper's is touched before its first sweep can have come.
    pub(crate) fn act(&mut self, minute: usize, model: &mut Model, load: &mut Load) {
        let quarter = self.minutes / 4;
        let of_quarter = self.minute_of_quarter(minute);
        if minute > 0 {
            self.tamper(model, load);
            self.let_nomads_move(model, load);
        }
        if minute % 3 == 1 {
            self.joined += 1;
            let account = model.create_account(&format!("newcomer-{}", self.joined), WORKLOAD);
            model.finish_account_creation(&account.expect("the OU exists"));
            load.count(JOINED);
        }
        // In the second and the last quarter, which are compared.
        let is_compared = (minute / quarter) % 2 == 1;
        if is_compared && of_quarter == quarter / 3 {
            delete_a_policy(model, REGIONS[minute % REGIONS.len()]);
            load.count(POLICIES);
        }
        if is_compared && of_quarter == quarter * 2 / 3 {
            self.version = 3 - self.version;
            put_baseline(model, self.version);
            load.count(REVISED);
        }
    }

    fn tamper(&mut self, model: &mut Model, load: &mut Load) {
        for _ in 0..self.each_minute {
            let Some((account, region)) = self.victims.pop() else { return };
            // Before it is the keeper's it would be somebody's own, and rightly kept.
            if model.enforcement(&account, region).is_none() {
                continue;
            }
            let administrator = format!("arn:aws:iam::{account}:root");
            let done = if self.dice.chance(50) {
                model.delete_enforcement_as(&administrator, &account, region)
            } else {
                let guardrail = guardrail(model, region);
                let other = Enforce::new(&guardrail, &(3 - self.version).to_string());
                model.put_enforcement_as(&administrator, &account, region, other).map(drop)
            };
            // Where the resource policy is gone just now, nobody can enforce it.
            if done.is_ok() {
                load.count(TAMPERED);
            }
        }
    }

    /// One of them each minute, so that its history gets long; another one now and then.
    fn let_nomads_move(&mut self, model: &mut Model, load: &mut Load) {
        for nomad in [0, 1 + self.dice.below(NOMADS - 1)] {
            let account = &self.nomads[nomad];
            let to = if is_in(model, account, SANDBOX) { WORKLOAD } else { SANDBOX };
            model.move_account(account, to).unwrap_or_else(|error| panic!("{error:?}"));
            load.count(MOVED);
        }
    }

    /// What goes wrong in the next invocation, if anything does.
    pub(crate) fn fault(&mut self) -> Option<Fault> {
        if !self.dice.chance(FAULT_PERCENT) {
            return None;
        }
        let kind = self.dice.pick(&[FaultKind::Throttle, FaultKind::ServerError, FaultKind::Reset]).clone();
        // More than the SDK's attempts make good: what is left waits aside.
        let lasts = self.dice.chance(3);
        let fault = Fault::new(kind);
        Some(if lasts {
            fault.service("bedrock")
        } else {
            fault.nth(u32::try_from(1 + self.dice.below(5)).expect("it is small"))
        })
    }

    /// The version that every guarded target is to have.
    pub(crate) fn version(&self) -> u32 {
        self.version
    }
}

/// How many of a hundred invocations meet a fault: each makes some six calls.
const FAULT_PERCENT: usize = 12;

/// Whether an account stands right in this OU.
pub(crate) fn is_in(model: &Model, account: &str, unit: &str) -> bool {
    model.account_path(account).is_some_and(|path| path.contains(unit))
}

pub(crate) fn guardrail(model: &Model, region: &str) -> String {
    let found = model.guardrail_arn(OWNER, region, "corporate-baseline");
    found.expect("the owner has one in each Region").to_owned()
}

fn delete_a_policy(model: &mut Model, region: &str) {
    let arn = guardrail(model, region);
    let owner = model.caller(&format!("arn:aws:iam::{OWNER}:root"), region).expect("it is a principal");
    // There is none where the last one's loss isn't mended yet.
    drop(model.delete_resource_policy(&owner, &arn));
}

/// Everybody enforces this version, but for the sandbox.
pub(crate) fn put_baseline(model: &mut Model, version: u32) {
    let [one, other] = REGIONS;
    let value = format!(
        "version: 1\norganization: o-exampleorgid\nowner: \"{OWNER}\"\nmode: sync\nguardrails:\n  corporate:\n    \
         name: corporate-baseline\n    version: {version}\n    regions: [{one}, {other}]\nassignments:\n  \
         - {{ targets: [r-exam], guardrail: corporate }}\n  - {{ targets: [{SANDBOX}], guardrail: none }}\n\
         limits: {{ max_replacements: 100000, max_releases: 100000 }}\n"
    );
    let caller = model.caller(&format!("arn:aws:iam::{HUB}:root"), REGIONS[0]).expect("it is a principal");
    let parameter = PutParameter {
        name: PARAMETER.to_owned(),
        value,
        kind: Some("String".to_owned()),
        tier: Some("Advanced".to_owned()),
        overwrite: true,
        ..PutParameter::default()
    };
    model.put_parameter(&caller, parameter).unwrap_or_else(|error| panic!("{error:?}"));
}

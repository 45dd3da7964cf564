//! What can happen in a history, as plain data: generated from a seed, printed in words, left out one
//! by one when a failure is narrowed down. A step that makes no sense where it stands does nothing.

use std::fmt;

use simulator::{Fault, FaultKind};

use crate::histories::baseline::{Given, Mode};
use crate::histories::dice::Dice;
use crate::histories::setting::Setting;

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// The keeper runs over everything.
    Sweep,
    /// The keeper runs over one account.
    LookAt { account: usize },
    /// The keeper looks at everything, somebody meddles, and then the keeper applies what it had planned.
    Interrupted { meddling: Meddling },
    /// The keeper's process ends and another one begins.
    Restart { forgets: bool },
    /// Somebody lets the present revision of the baseline do what it wants.
    Approve,
    /// Somebody marks an account as about to leave, or as one that stays.
    Offboard { account: usize, leaves: bool },
    /// Somebody else changes something.
    Meddle(Meddling),
    /// The baseline changes.
    Edit(Edit),
    /// Calls begin to go wrong.
    Fault(Wrong),
    /// All calls go well again.
    FaultsEnd,
    /// Time passes.
    Wait { seconds: u64 },
    /// The ledger's file can be read and not written, or can be written again.
    Ledger { writable: bool },
}

/// What somebody else does. Accounts and Regions are numbers into [`Setting`]'s lists, and wrap around.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meddling {
    Policy {
        region: usize,
        to: PolicyEdit,
    },
    /// A member's administrator removes what is enforced.
    Remove {
        account: usize,
        region: usize,
    },
    /// A member's administrator enforces something.
    Enforce {
        account: usize,
        region: usize,
        what: Enforced,
    },
    Role {
        account: usize,
        to: RoleEdit,
    },
    Guardrail {
        region: usize,
        to: GuardrailEdit,
    },
    Copy {
        account: usize,
        region: usize,
        to: CopyEdit,
    },
    Move {
        account: usize,
        to: Unit,
    },
    Suspend {
        account: usize,
    },
    Reinstate {
        account: usize,
    },
    /// Organizations tells another state of an account than the one that it has.
    TellState {
        account: usize,
        to: Told,
    },
}

/// What Organizations tells of an account's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// The state that it has.
    True,
    /// A word that nobody here knows.
    Word,
    /// None.
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyEdit {
    /// It is deleted.
    Delete,
    /// Another one is put in its place, which grants it to nobody but its owner.
    Foreign,
    /// A statement of somebody's is added.
    AddForeign,
    /// A statement that denies is added.
    AddDeny,
    RemoveDeny,
    /// It grants less than what is needed.
    Partial,
    /// It grants it to a part of the organization.
    Units,
    /// It grants what is needed, in somebody else's words.
    Theirs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enforced {
    /// What the baseline wants, to the letter.
    Equal,
    /// An earlier version of the owner's guardrail.
    Earlier,
    /// A guardrail of the member's own.
    Own,
    /// What the baseline wants, but not for every model.
    Weaker,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoleEdit {
    Revoked,
    Restored,
    /// It may do everything but apply guardrails.
    WithoutApply,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuardrailEdit {
    /// A version is published, with other words or with the same.
    Publish { changed: bool },
    /// The wanted version is deleted.
    DeleteVersion,
    /// The guardrail is deleted, its policy with it.
    Delete,
    /// It is made anew, with another id.
    Recreate,
    /// The wanted version fails.
    Fail,
    /// The wanted version gets an Automated Reasoning policy, as if it always had one.
    Reason,
    /// Everything that is wrong with it is put right.
    Repair,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyEdit {
    EditDraft,
    Delete,
    /// The draft is edited and published.
    Publish,
    /// The enforced version is deleted, or else the newest.
    DeleteVersion,
    /// The tag is taken away.
    Untag,
    /// A guardrail of the copy's name is made, with other content and, if forged, with our marks.
    Squat {
        forged: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Root,
    Workload,
    Sandbox,
}

/// A change of the baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    NextVersion,
    EarlierVersion,
    Region {
        number: usize,
    },
    Placement,
    Existing,
    OnUnusable,
    Guarding,
    Models,
    Mode(Mode),
    Root(Given),
    Workload(Given),
    Sandbox(Given),
    FirstMember(Given),
    Exclude,
    Name,
    Limits,
    Invalid,
    /// As it was at the start.
    Start,
}

/// How calls go wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Wrong {
    pub kind: WrongKind,
    pub operation: &'static str,
    pub account: Option<usize>,
    pub after: u32,
    pub times: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WrongKind {
    Throttle,
    ServerError,
    Reset,
    /// Carried out, and its answer lost.
    AnswerLost,
    Denied,
    Conflict,
    StaleRead,
    /// The answer is that there is no such thing, and there is.
    FalselyMissing,
}

pub const PUT: &str = "PutEnforcedGuardrailConfiguration";
pub const DELETE: &str = "DeleteEnforcedGuardrailConfiguration";
pub const LIST: &str = "ListEnforcedGuardrailsConfiguration";
pub const GET: &str = "GetGuardrail";

/// What the keeper calls, how often it is struck, and whether it writes.
const OPERATIONS: [(usize, &str, bool); 17] = [
    (20, PUT, true),
    (12, LIST, false),
    (10, "ApplyGuardrail", false),
    (8, GET, false),
    (8, "GetResourcePolicy", false),
    (8, "PutResourcePolicy", true),
    (7, DELETE, true),
    (6, "AssumeRole", false),
    (5, "DescribeOrganization", false),
    (4, "ListGuardrails", false),
    (4, "CreateGuardrail", true),
    (4, "CreateGuardrailVersion", true),
    (4, "DeleteResourcePolicy", true),
    (3, "ListAccounts", false),
    (3, "DescribeAccount", false),
    (3, "UpdateGuardrail", true),
    (1, "DeleteGuardrail", true),
];

/// What may be answered from an old copy. Not ApplyGuardrail: a probe that lies can't be noticed.
pub const STALE: [&str; 4] = [LIST, "ListGuardrails", GET, "GetResourcePolicy"];

impl WrongKind {
    pub fn name(self) -> &'static str {
        match self {
            WrongKind::Throttle => "throttle",
            WrongKind::ServerError => "server error",
            WrongKind::Reset => "reset",
            WrongKind::AnswerLost => "answer lost",
            WrongKind::Denied => "denied",
            WrongKind::Conflict => "conflict",
            WrongKind::StaleRead => "stale read",
            WrongKind::FalselyMissing => "falsely missing",
        }
    }
}

impl Wrong {
    pub fn fault(&self, setting: &Setting) -> Fault {
        let kind = match self.kind {
            WrongKind::Throttle => FaultKind::Throttle,
            WrongKind::ServerError => FaultKind::ServerError,
            WrongKind::Reset | WrongKind::AnswerLost => FaultKind::Reset,
            WrongKind::Denied => FaultKind::denied_by_service_control_policy(self.operation),
            WrongKind::Conflict => FaultKind::Error {
                code: "ConflictException".to_owned(),
                message: "Somebody else is writing.".to_owned(),
                status: 400,
            },
            WrongKind::StaleRead => FaultKind::StaleRead,
            WrongKind::FalselyMissing => FaultKind::Error {
                code: "ResourceNotFoundException".to_owned(),
                message: "There is no such guardrail version.".to_owned(),
                status: 404,
            },
        };
        let mut fault = Fault::new(kind).operation(self.operation);
        if let Some(account) = self.account {
            fault = fault.account(&account_of(setting, account));
        }
        fault.after = self.after;
        fault.times = self.times;
        fault.carried_out = self.kind == WrongKind::AnswerLost;
        fault
    }

    pub fn random(dice: &mut Dice) -> Wrong {
        let kind = *dice.weighted(&FAULT_MIX);
        let only_writes = matches!(kind, WrongKind::AnswerLost | WrongKind::Conflict);
        let among: Vec<(usize, &str)> = OPERATIONS
            .iter()
            .filter(|(_, operation, writes)| match kind {
                WrongKind::StaleRead => STALE.contains(operation),
                WrongKind::FalselyMissing => *operation == GET,
                _ => *writes || !only_writes,
            })
            .map(|(weight, operation, _)| (*weight, *operation))
            .collect();
        let operation = *dice.weighted(&among);
        let hub_calls = ["DescribeOrganization", "ListAccounts", "DescribeAccount"].contains(&operation);
        Wrong {
            kind,
            operation,
            account: (!hub_calls && dice.chance(60)).then(|| dice.below(4)),
            // The first stale answer of a run is its look; those after it are the looks before a write.
            after: if kind == WrongKind::StaleRead || dice.chance(70) { 0 } else { 1 + small(dice) },
            times: match kind {
                WrongKind::StaleRead => Some(1),
                _ if dice.chance(25) => None,
                _ => Some(1 + small(dice)),
            },
        }
    }
}

fn small(dice: &mut Dice) -> u32 {
    u32::try_from(dice.below(3)).expect("it is small")
}

/// The account behind a number: the owner and then the members.
pub fn account_of(setting: &Setting, number: usize) -> String {
    let accounts = setting.assignable();
    accounts[number % accounts.len()].clone()
}

pub fn region_of(setting: &Setting, number: usize) -> &'static str {
    setting.regions()[number % setting.regions().len()]
}

/// What somebody meddles with.
#[derive(Clone, Copy, Debug)]
enum Matter {
    Policy,
    Remove,
    Enforce,
    Role,
    Guardrail,
    Copy,
    Account,
}

impl Meddling {
    pub fn random(dice: &mut Dice, copies: bool) -> Meddling {
        // Administrators of members, mostly; the owner's account is the first of the list.
        let (account, region) = (if dice.chance(85) { 1 + dice.below(3) } else { 0 }, dice.below(2));
        let copy = if copies { 22 } else { 4 };
        let kind = *dice.weighted(&[
            (26, Matter::Policy),
            (10, Matter::Remove),
            (16, Matter::Enforce),
            (11, Matter::Role),
            (12, Matter::Guardrail),
            (copy, Matter::Copy),
            (10, Matter::Account),
        ]);
        match kind {
            Matter::Policy => Meddling::Policy {
                region,
                to: *dice.weighted(&[
                    (4, PolicyEdit::Delete),
                    (3, PolicyEdit::Foreign),
                    (4, PolicyEdit::AddForeign),
                    (2, PolicyEdit::AddDeny),
                    (3, PolicyEdit::RemoveDeny),
                    (1, PolicyEdit::Partial),
                    (1, PolicyEdit::Units),
                    (2, PolicyEdit::Theirs),
                ]),
            },
            Matter::Remove => Meddling::Remove { account, region },
            Matter::Enforce => Meddling::Enforce {
                account,
                region,
                what: *dice.pick(&[Enforced::Equal, Enforced::Earlier, Enforced::Own, Enforced::Weaker]),
            },
            Matter::Role => Meddling::Role {
                account,
                to: *dice.weighted(&[
                    (2, RoleEdit::Revoked),
                    (4, RoleEdit::Restored),
                    (2, RoleEdit::WithoutApply),
                ]),
            },
            Matter::Guardrail => Meddling::Guardrail {
                region,
                to: *dice.weighted(&[
                    (4, GuardrailEdit::Publish { changed: true }),
                    (2, GuardrailEdit::Publish { changed: false }),
                    (2, GuardrailEdit::DeleteVersion),
                    (1, GuardrailEdit::Delete),
                    (2, GuardrailEdit::Recreate),
                    (1, GuardrailEdit::Fail),
                    (1, GuardrailEdit::Reason),
                    (5, GuardrailEdit::Repair),
                ]),
            },
            Matter::Copy => Meddling::Copy {
                account,
                region,
                to: *dice.weighted(&[
                    (3, CopyEdit::EditDraft),
                    (3, CopyEdit::Delete),
                    (3, CopyEdit::Publish),
                    (3, CopyEdit::DeleteVersion),
                    (1, CopyEdit::Untag),
                    (1, CopyEdit::Squat { forged: true }),
                    (1, CopyEdit::Squat { forged: false }),
                ]),
            },
            Matter::Account => match dice.below(9) {
                0 => Meddling::Suspend { account },
                1 | 2 => Meddling::Reinstate { account },
                3 => Meddling::TellState { account, to: Told::True },
                4 | 5 => Meddling::TellState { account, to: *dice.pick(&[Told::Word, Told::Nothing]) },
                _ => Meddling::Move { account, to: *dice.pick(&[Unit::Root, Unit::Workload, Unit::Sandbox]) },
            },
        }
    }
}

impl Edit {
    pub fn random(dice: &mut Dice) -> Edit {
        let given = *dice.weighted(&[(4, Given::Guardrail), (3, Given::None), (2, Given::Unsaid)]);
        *dice.weighted(&[
            (5, Edit::NextVersion),
            (3, Edit::EarlierVersion),
            (7, Edit::Region { number: 0 }),
            (3, Edit::Region { number: 1 }),
            (5, Edit::Placement),
            (4, Edit::Existing),
            (2, Edit::OnUnusable),
            (1, Edit::Guarding),
            (1, Edit::Models),
            (4, Edit::Mode(Mode::Sync)),
            (1, Edit::Mode(Mode::EnforceOnly)),
            (1, Edit::Mode(Mode::Audit)),
            (2, Edit::Root(given)),
            (5, Edit::Workload(given)),
            (2, Edit::Sandbox(given)),
            (2, Edit::FirstMember(given)),
            (1, Edit::Exclude),
            (1, Edit::Name),
            (1, Edit::Limits),
            (1, Edit::Invalid),
            (9, Edit::Start),
        ])
    }
}

/// The kinds of step there are.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Sweep,
    LookAt,
    Interrupted,
    Restart,
    Approve,
    Offboard,
    Meddle,
    Edit,
    Fault,
    FaultsEnd,
    Wait,
    Ledger,
}

/// How often each kind of step comes. One in seven lets the keeper work: that is what costs time.
const STEP_MIX: [(usize, Kind); 12] = [
    (4, Kind::Sweep),
    (5, Kind::LookAt),
    (4, Kind::Interrupted),
    (34, Kind::Meddle),
    (14, Kind::Edit),
    (14, Kind::Fault),
    (4, Kind::FaultsEnd),
    (5, Kind::Wait),
    (2, Kind::Restart),
    (2, Kind::Approve),
    (1, Kind::Offboard),
    (1, Kind::Ledger),
];

/// How often each kind of fault is set. Each strikes one operation, in three of five cases in one
/// account only, mostly the next one to three calls, in one of four cases all until the faults end.
pub const FAULT_MIX: [(usize, WrongKind); 8] = [
    (3, WrongKind::Throttle),
    (3, WrongKind::ServerError),
    (2, WrongKind::Reset),
    (5, WrongKind::AnswerLost),
    (4, WrongKind::Denied),
    (2, WrongKind::Conflict),
    (4, WrongKind::StaleRead),
    (3, WrongKind::FalselyMissing),
];

/// As many steps as asked for.
pub fn random_steps(setting: &Setting, dice: &mut Dice, count: usize) -> Vec<Step> {
    let copies = setting.placement == crate::histories::baseline::Placement::Copy;
    // What members had before the keeper came.
    let earlier = if dice.chance(40) { 1 + dice.below(2) } else { 0 };
    let one = |number: usize, dice: &mut Dice| match *dice.weighted(&STEP_MIX) {
        _ if number < earlier => Step::Meddle(Meddling::Enforce {
            account: 1 + dice.below(3),
            region: dice.below(2),
            what: *dice.pick(&[Enforced::Equal, Enforced::Earlier, Enforced::Own]),
        }),
        // Then there is something to disturb.
        _ if number == earlier => Step::Sweep,
        Kind::Sweep => Step::Sweep,
        Kind::LookAt => Step::LookAt { account: dice.below(4) },
        Kind::Interrupted => Step::Interrupted { meddling: Meddling::random(dice, copies) },
        Kind::Restart => Step::Restart { forgets: dice.chance(30) },
        Kind::Approve => Step::Approve,
        Kind::Offboard => Step::Offboard { account: 1 + dice.below(3), leaves: dice.chance(60) },
        Kind::Meddle => Step::Meddle(Meddling::random(dice, copies)),
        Kind::Edit => Step::Edit(Edit::random(dice)),
        Kind::Fault => Step::Fault(Wrong::random(dice)),
        Kind::FaultsEnd => Step::FaultsEnd,
        Kind::Wait => Step::Wait { seconds: *dice.pick(&[5, 15, 30, 60, 600, 3600]) },
        Kind::Ledger => Step::Ledger { writable: dice.chance(60) },
    };
    (0..count).map(|number| one(number, dice)).collect()
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Sweep => f.write_str("run over everything"),
            Step::LookAt { account } => write!(f, "run over {}", Account(*account)),
            Step::Interrupted { meddling } => {
                write!(f, "run over everything, and between look and write: {meddling}")
            }
            Step::Restart { forgets: true } => f.write_str("restart, with an empty ledger"),
            Step::Restart { forgets: false } => f.write_str("restart"),
            Step::Approve => f.write_str("approve the revision"),
            Step::Offboard { account, leaves: true } => write!(f, "{} is to leave", Account(*account)),
            Step::Offboard { account, leaves: false } => write!(f, "{} is to stay", Account(*account)),
            Step::Meddle(meddling) => meddling.fmt(f),
            Step::Edit(edit) => write!(f, "baseline: {edit:?}"),
            Step::Fault(Wrong { kind, operation, account, after, times }) => {
                write!(f, "fault: {kind:?} of {operation}")?;
                if let Some(account) = account {
                    write!(f, " in {}", Account(*account))?;
                }
                write!(f, ", after {after}")?;
                match times {
                    Some(times) => write!(f, ", {times} times"),
                    None => f.write_str(", always"),
                }
            }
            Step::FaultsEnd => f.write_str("faults end"),
            Step::Wait { seconds } => write!(f, "{seconds} s pass"),
            Step::Ledger { writable: true } => f.write_str("the ledger can be written again"),
            Step::Ledger { writable: false } => f.write_str("the ledger can't be written"),
        }
    }
}

impl fmt::Display for Meddling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Meddling::Policy { region, to } => write!(f, "policy in Region {region}: {to:?}"),
            Meddling::Remove { account, region } => {
                write!(f, "{} removes what is enforced in Region {region}", Account(*account))
            }
            Meddling::Enforce { account, region, what } => {
                write!(f, "{} enforces in Region {region}: {what:?}", Account(*account))
            }
            Meddling::Role { account, to } => write!(f, "role of {}: {to:?}", Account(*account)),
            Meddling::Guardrail { region, to } => write!(f, "guardrail in Region {region}: {to:?}"),
            Meddling::Copy { account, region, to } => {
                write!(f, "copy of {} in Region {region}: {to:?}", Account(*account))
            }
            Meddling::Move { account, to } => write!(f, "{} moves to {to:?}", Account(*account)),
            Meddling::Suspend { account } => write!(f, "{} is suspended", Account(*account)),
            Meddling::Reinstate { account } => write!(f, "{} is reinstated", Account(*account)),
            Meddling::TellState { account, to } => {
                write!(f, "Organizations tells of {}'s state: {to:?}", Account(*account))
            }
        }
    }
}

/// An account by its number: the list has the owner first, and as many members as the setting says.
struct Account(usize);

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "account {}", self.0)
    }
}

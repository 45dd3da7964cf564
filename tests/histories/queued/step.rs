//! What can happen in a history of the deployed form, as plain data.

use std::collections::BTreeMap;
use std::fmt;

use simulator::{Fault, FaultKind};

use super::attack::Attack;
use testkit::histories::baseline::{Given, Mode, Placement};
use testkit::histories::dice::Dice;
use testkit::histories::setting::{LedgerKind, Setting};
use testkit::histories::step::{self, Edit, Enforced, Meddling, Unit, Wrong, WrongKind};

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// The schedule asks for a look at everything.
    Schedule,
    /// Somebody asks for a look at one account.
    Ask {
        account: usize,
    },
    /// Events arrive, and the functions work for a while: invocations begin, go on by a few calls, and end, in
    /// an order that these dice decide.
    Work {
        turns: usize,
        dice: u64,
    },
    /// Everything that is running goes to its end.
    Finish,
    /// One of the running invocations ends where it is, between any two of its calls.
    Kill {
        which: usize,
    },
    /// One of the function's processes ends, with what it is doing, and another one begins.
    Restart {
        process: usize,
    },
    /// Calls begin to go wrong in a way that only the queues' form knows.
    Break(Break),
    /// An account comes or goes.
    Life {
        member: usize,
        to: Life,
    },
    /// An account moves to where it is guarded, and its role comes later; or the role is there.
    MoveWithoutRole {
        account: usize,
    },
    RoleComes,
    /// The clock jumps. What has been running for longer than a function may is ended.
    Jump {
        seconds: u64,
    },
    /// Somebody acts against the keeper on purpose.
    Attack(Attack),
    /// The ledger can't even be read, or can be again.
    LedgerGone {
        gone: bool,
    },
    /// What both forms know: meddling, edits, faults, a ledger that can't be written.
    Plain(step::Step),
}

/// How a call goes wrong.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Break {
    pub(crate) kind: BreakKind,
    /// Any, where it is left out.
    pub(crate) operation: Option<&'static str>,
    pub(crate) after: u32,
    pub(crate) times: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum BreakKind {
    /// The process dies at the call, which was never carried out.
    CrashBefore,
    /// The process dies at the call, which was carried out.
    CrashAfter,
    /// The call is lost, and no answer comes.
    Hang,
    /// The call is carried out, and its answer comes when nobody waits for it any more.
    Timeout,
    /// Every other entry of a batch fails.
    PartOfBatch,
    /// A call to the queues, the bus or the parameter store is throttled.
    Throttle,
    ServerError,
    Reset,
    /// It is carried out, and its answer lost: what was sent is sent again.
    AnswerLost,
}

/// How an account comes or goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// It is created, or joins by invitation if it existed before.
    Come { to: Unit },
    /// Its administrator leaves the organization with it.
    Leave,
    /// The management account takes it out.
    Remove,
    /// It is closed, and suspended from then on.
    Close,
}

/// What goes wrong between the keeper and its queues, bus and baseline, and how often.
const SERVICES: [(usize, &str); 3] = [(6, "SendMessageBatch"), (2, "PutEvents"), (2, "GetParameter")];

pub(crate) const BREAK_MIX: [(usize, BreakKind); 9] = [
    (5, BreakKind::CrashBefore),
    (5, BreakKind::CrashAfter),
    (1, BreakKind::Hang),
    (1, BreakKind::Timeout),
    (3, BreakKind::PartOfBatch),
    (2, BreakKind::Throttle),
    (2, BreakKind::ServerError),
    (1, BreakKind::Reset),
    (3, BreakKind::AnswerLost),
];

impl BreakKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            BreakKind::CrashBefore => "crash before a call",
            BreakKind::CrashAfter => "crash after a call",
            BreakKind::Hang => "hang",
            BreakKind::Timeout => "timeout",
            BreakKind::PartOfBatch => "part of a batch",
            BreakKind::Throttle => "throttle of a queue",
            BreakKind::ServerError => "server error of a queue",
            BreakKind::Reset => "reset of a queue",
            BreakKind::AnswerLost => "answer of a queue lost",
        }
    }

    /// Whether the client has to give up waiting.
    pub(crate) fn outwaits(self) -> bool {
        matches!(self, BreakKind::Hang | BreakKind::Timeout)
    }
}

impl Break {
    fn random(dice: &mut Dice) -> Break {
        let kind = *dice.weighted(&BREAK_MIX);
        let any = matches!(
            kind,
            BreakKind::CrashBefore | BreakKind::CrashAfter | BreakKind::Hang | BreakKind::Timeout
        );
        let operation = match kind {
            BreakKind::PartOfBatch => "SendMessageBatch",
            _ => *dice.weighted(&SERVICES),
        };
        let after = u32::try_from(dice.below(if any { 25 } else { 3 })).expect("it is small");
        let times = 1 + u32::try_from(dice.below(3)).expect("it is small");
        Break {
            kind,
            operation: (!any).then_some(operation),
            after,
            times: Some(if any { 1 } else { times }),
        }
    }

    pub(crate) fn fault(&self) -> Fault {
        let kind = match self.kind {
            BreakKind::CrashBefore | BreakKind::CrashAfter => FaultKind::Crash,
            BreakKind::Hang | BreakKind::Timeout => FaultKind::Hang,
            BreakKind::PartOfBatch => FaultKind::PartOfBatch { code: "InternalError".to_owned() },
            BreakKind::Throttle => FaultKind::Throttle,
            BreakKind::ServerError => FaultKind::ServerError,
            BreakKind::Reset | BreakKind::AnswerLost => FaultKind::Reset,
        };
        let mut fault = Fault::new(kind);
        fault.operation = self.operation.map(str::to_owned);
        fault.after = self.after;
        fault.times = self.times;
        fault.carried_out =
            matches!(self.kind, BreakKind::CrashAfter | BreakKind::Timeout | BreakKind::AnswerLost);
        fault
    }
}

/// What kind of history a seed tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Manner {
    /// Of each thing that happens an event tells, and every event arrives in the end; what goes wrong with calls
    /// passes. Then everything has to come right without a sweep.
    pub(crate) heard: bool,
    /// Besides, nothing but the first sweep ever makes the keeper look at everybody, and things take their time:
    /// what is forgotten stays forgotten.
    pub(crate) quiet: bool,
    /// Answers may be old.
    pub(crate) stale: bool,
    /// Whether the deployment allows a baseline no more than a few changes a day without a person, whatever it says of
    /// its own limits.
    pub(crate) ceilings: bool,
    /// Whether an approval counts that the baseline's author gives.
    pub(crate) self_approval: bool,
}

/// What the deployment allows revisions of a day together that no person approved, where it sets ceilings: replacements,
/// releases and abandonments.
pub(crate) const CEILINGS: [u32; 3] = [3, 1, 1];

impl Manner {
    pub(crate) fn of(setting: &Setting) -> Manner {
        let heard = setting.seed.is_multiple_of(3);
        let quiet = setting.seed.is_multiple_of(6);
        Manner {
            heard,
            quiet,
            stale: !heard && setting.seed.is_multiple_of(4),
            ceilings: !heard && setting.seed % 5 == 3,
            self_approval: setting.seed % 7 > 3,
        }
    }

    /// The settings of the deployment that go with it.
    pub(crate) fn variables(self) -> BTreeMap<String, String> {
        let mut variables = BTreeMap::new();
        let by_author = if self.self_approval { "yes" } else { "no" };
        variables.insert("KEEPER_SELF_APPROVAL".to_owned(), by_author.to_owned());
        let names = ["KEEPER_MAX_REPLACEMENTS", "KEEPER_MAX_RELEASES", "KEEPER_MAX_ABANDONMENTS"];
        let ceilings = names.iter().zip(CEILINGS).filter(|_| self.ceilings);
        variables.extend(ceilings.map(|(name, most)| ((*name).to_owned(), most.to_string())));
        variables
    }
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Schedule,
    Ask,
    Work,
    Finish,
    Kill,
    Restart,
    Break,
    Life,
    Jump,
    LedgerGone,
    Ledger,
    Meddle,
    Edit,
    Fault,
    FaultsEnd,
    Approve,
    Offboard,
    Attack,
}

const STEP_MIX: [(usize, Kind); 18] = [
    (4, Kind::Schedule),
    (3, Kind::Ask),
    (34, Kind::Work),
    (3, Kind::Finish),
    (6, Kind::Kill),
    (3, Kind::Restart),
    (8, Kind::Break),
    (7, Kind::Life),
    (8, Kind::Jump),
    (2, Kind::LedgerGone),
    (2, Kind::Ledger),
    (18, Kind::Meddle),
    (7, Kind::Edit),
    (7, Kind::Fault),
    (3, Kind::FaultsEnd),
    (1, Kind::Approve),
    (2, Kind::Offboard),
    (8, Kind::Attack),
];

/// How often each kind of step comes. Where everything is heard of, each attack has everything looked at again, and so
/// hides what was forgotten: there are fewer.
fn mix(manner: Manner) -> Vec<(usize, Kind)> {
    let weight = |kind: Kind, weight: usize| match kind {
        Kind::Attack if manner.heard => 5,
        _ => weight,
    };
    STEP_MIX.iter().map(|(often, kind)| (weight(*kind, *often), *kind)).collect()
}

/// The setting of a seed: the ledger lasts, since it is all that several processes share.
pub(crate) fn setting(seed: u64, dice: &mut Dice) -> Setting {
    let random = Setting::random(seed, dice);
    // All that several processes share has to outlive each.
    let ledger = if (seed / 12).is_multiple_of(2) { LedgerKind::File } else { LedgerKind::Table };
    let lasting = Setting { members: 3 + usize::from(dice.chance(30)), ledger, ..random };
    if !Manner::of(&lasting).quiet {
        return lasting;
    }
    let slow = seed.is_multiple_of(12);
    Setting {
        shared: !slow,
        propagation_seconds: if slow { 20 } else { 0 },
        setup_seconds: if slow { 0 } else { 600 },
        grace_minutes: 60,
        page_items: 2,
        ..lasting
    }
}

/// The members that don't exist at the start.
pub(crate) fn absent(setting: &Setting) -> Vec<usize> {
    match setting.seed % 5 {
        0 => Vec::new(),
        1 => vec![0],
        _ => vec![setting.members - 1],
    }
}

/// As many steps as asked for.
pub(crate) fn random_steps(setting: &Setting, dice: &mut Dice, count: usize) -> Vec<Step> {
    let manner = Manner::of(setting);
    let copies = setting.placement == Placement::Copy;
    let turns = |dice: &mut Dice| Step::Work { turns: 2 + dice.below(14), dice: dice.below(1 << 30) as u64 };
    // The third member stands where nothing is wanted, enforces a guardrail of the owner's, and is about to leave.
    let leaving = [
        Step::Plain(step::Step::FaultsEnd),
        Step::Plain(step::Step::Meddle(Meddling::Enforce { account: 3, region: 0, what: Enforced::Earlier })),
        Step::Plain(step::Step::Offboard { account: 3, leaves: true }),
        Step::Ask { account: 3 },
        Step::Work { turns: 40, dice: setting.seed },
    ];
    let leaves = !manner.heard && setting.seed % 5 == 1;
    // The second member was released, since it is about to leave, and then its record can't be read for a while.
    let unread = [
        Step::Plain(step::Step::FaultsEnd),
        Step::Plain(step::Step::Offboard { account: 2, leaves: true }),
        Step::Ask { account: 2 },
        Step::Work { turns: 40, dice: setting.seed },
        Step::Break(Break {
            kind: BreakKind::ServerError,
            operation: Some("BatchGetItem"),
            after: 0,
            times: Some(8),
        }),
        Step::Ask { account: 2 },
        Step::Work { turns: 40, dice: setting.seed },
    ];
    let is_unread = !manner.heard && setting.seed % 5 == 2 && setting.ledger == LedgerKind::Table;
    // A member moves to where it is guarded, and its role comes some minutes after that; nothing but its move tells
    // of it.
    let moves = manner.quiet && setting.setup_seconds == 0;
    let late_role = [
        // What was enforced there before is released first.
        Step::Plain(step::Step::Meddle(Meddling::Move { account: 2, to: Unit::Sandbox })),
        Step::Jump { seconds: 60 },
        Step::Work { turns: 40, dice: setting.seed },
        Step::Jump { seconds: 60 },
        Step::Work { turns: 40, dice: setting.seed },
        Step::MoveWithoutRole { account: 2 },
        Step::Jump { seconds: 60 },
        Step::Work { turns: 40, dice: setting.seed },
        Step::Jump { seconds: 60 },
        Step::Work { turns: 40, dice: setting.seed },
        Step::RoleComes,
    ];
    let mix = mix(manner);
    let one = |number: usize, dice: &mut Dice| match *dice.weighted(&mix) {
        _ if leaves && (20..25).contains(&number) => leaving[number - 20].clone(),
        _ if is_unread && (20..27).contains(&number) => unread[number - 20].clone(),
        _ if moves && (24..35).contains(&number) => late_role[number - 24].clone(),
        _ if number == 0 && !manner.quiet => Step::Schedule,
        _ if number == 1 => Step::Work { turns: 40, dice: dice.below(1 << 30) as u64 },
        Kind::Schedule | Kind::Ask | Kind::Edit | Kind::Approve if manner.quiet => turns(dice),
        Kind::Schedule => Step::Schedule,
        Kind::Ask => Step::Ask { account: dice.below(5) },
        Kind::Work => turns(dice),
        Kind::Finish => Step::Finish,
        Kind::Kill => Step::Kill { which: dice.below(100) },
        Kind::Restart => Step::Restart { process: dice.below(4) },
        Kind::Break => Step::Break(Break::random(dice)),
        Kind::Life => Step::Life {
            member: dice.below(4),
            to: *dice.weighted(&[
                (8, Life::Come { to: *dice.clone().pick(&[Unit::Workload, Unit::Sandbox]) }),
                (2, Life::Leave),
                (2, Life::Remove),
                (1, Life::Close),
            ]),
        },
        // What a sweep asked for is left to the next one after an hour, and where everything was heard of, none may
        // be needed.
        Kind::Jump if manner.heard => Step::Jump { seconds: *dice.pick(&[5, 30, 60, 60, 120, 240]) },
        Kind::Jump => Step::Jump { seconds: *dice.pick(&[5, 30, 60, 300, 900, 3600]) },
        Kind::LedgerGone => Step::LedgerGone { gone: dice.chance(50) },
        Kind::Ledger => Step::Plain(step::Step::Ledger { writable: dice.chance(50) }),
        Kind::Meddle => Step::Plain(step::Step::Meddle(meddling(manner, dice, copies))),
        Kind::Edit => match Edit::random(dice) {
            // What waits for somebody's approval is nothing that comes right by itself.
            Edit::Limits | Edit::Name | Edit::Mode(Mode::Audit) if manner.heard => turns(dice),
            edit => Step::Plain(step::Step::Edit(edit)),
        },
        Kind::Fault => Step::Plain(step::Step::Fault(wrong(manner, dice))),
        Kind::FaultsEnd => Step::Plain(step::Step::FaultsEnd),
        Kind::Approve => Step::Plain(step::Step::Approve),
        Kind::Attack => Step::Attack(Attack::random(manner, dice)),
        // Nothing tells of it but the request that the command sends besides.
        Kind::Offboard if manner.heard => turns(dice),
        Kind::Offboard => {
            Step::Plain(step::Step::Offboard { account: 1 + dice.below(3), leaves: dice.chance(60) })
        }
    };
    (0..count).map(|number| one(number, dice)).collect()
}

fn meddling(manner: Manner, dice: &mut Dice, copies: bool) -> Meddling {
    if !manner.heard {
        return Meddling::random(dice, copies);
    }
    let (account, region) = (dice.below(5), dice.below(2));
    match dice.below(4) {
        0 => Meddling::Remove { account, region },
        1 => Meddling::Enforce {
            account,
            region,
            what: *dice.pick(&[Enforced::Equal, Enforced::Earlier, Enforced::Weaker]),
        },
        _ => Meddling::Move {
            account,
            to: *dice.weighted(&[(1, Unit::Root), (4, Unit::Workload), (3, Unit::Sandbox)]),
        },
    }
}

fn wrong(manner: Manner, dice: &mut Dice) -> Wrong {
    loop {
        let wrong = Wrong::random(dice);
        let lasts = wrong.kind == WrongKind::Denied;
        if (wrong.kind != WrongKind::StaleRead || manner.stale) && !(lasts && manner.heard) {
            return wrong;
        }
    }
}

/// Whether the baseline has to be put right at the end of a history in which everything is heard.
pub(crate) fn is_out_of_order(wants: &testkit::histories::baseline::Wants) -> bool {
    let all = [wants.root, wants.workload, wants.sandbox, wants.first_member];
    wants.mode != Mode::Sync || wants.misnamed || wants.invalid || all == [Given::Unsaid; 4]
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Schedule => f.write_str("the schedule"),
            Step::Ask { account } => write!(f, "somebody asks for a look at account {account}"),
            Step::Work { turns, dice } => write!(f, "{turns} turns of work, dice {dice}"),
            Step::Finish => f.write_str("what is running goes to its end"),
            Step::Kill { which } => write!(f, "running invocation {which} is killed"),
            Step::Restart { process } => write!(f, "process {process} restarts"),
            Step::Break(Break { kind, operation, after, times }) => {
                write!(f, "fault: {} of {}, after {after}", kind.name(), operation.unwrap_or("any call"))?;
                write!(f, ", {} times", times.unwrap_or(0))
            }
            Step::Life { member, to } => write!(f, "member {member}: {to:?}"),
            Step::MoveWithoutRole { account } => {
                write!(f, "account {account} moves to where it is guarded, and its role comes later")
            }
            Step::RoleComes => f.write_str("the role is there"),
            Step::Jump { seconds } => write!(f, "the clock jumps by {seconds} s"),
            Step::Attack(attack) => attack.fmt(f),
            Step::LedgerGone { gone: true } => f.write_str("the ledger can't be read"),
            Step::LedgerGone { gone: false } => f.write_str("the ledger can be read again"),
            Step::Plain(step) => step.fmt(f),
        }
    }
}

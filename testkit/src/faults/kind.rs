//! The kinds of fault, what each does to a call, and which calls can meet it.

use simulator::{Call, Fault, FaultKind};

/// What goes wrong with one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The process dies, and the call was never carried out.
    CrashBefore,
    /// The process dies, and the call was carried out.
    CrashAfter,
    Throttle,
    /// The call is carried out, and its answer comes when nobody waits for it any more.
    Timeout,
    /// The call is lost, and no answer comes.
    Hang,
    ServerError,
    Denied,
    Conflict,
    /// The answer is one from before the last write.
    StaleRead,
    /// From this call on nothing works any more, until the invocation is over.
    Outage,
}

impl Kind {
    /// All of them; those that wait come first.
    pub const ALL: [Kind; 10] = [
        Kind::Timeout,
        Kind::Conflict,
        Kind::Hang,
        Kind::Throttle,
        Kind::ServerError,
        Kind::CrashBefore,
        Kind::CrashAfter,
        Kind::Denied,
        Kind::StaleRead,
        Kind::Outage,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Kind::CrashBefore => "crash before",
            Kind::CrashAfter => "crash after",
            Kind::Throttle => "throttle",
            Kind::Timeout => "timeout",
            Kind::Hang => "hang",
            Kind::ServerError => "5xx",
            Kind::Denied => "denied",
            Kind::Conflict => "conflict",
            Kind::StaleRead => "stale read",
            Kind::Outage => "outage",
        }
    }

    /// The fault that strikes the call of this number from now on.
    pub fn fault(self, number: u32, call: &Call) -> Fault {
        let kind = match self {
            Kind::CrashBefore | Kind::CrashAfter => FaultKind::Crash,
            Kind::Throttle => FaultKind::Throttle,
            Kind::Timeout | Kind::Hang => FaultKind::Hang,
            Kind::ServerError | Kind::Outage => FaultKind::ServerError,
            Kind::Denied => {
                FaultKind::denied_by_service_control_policy(&format!("{}:{}", call.service, call.operation))
            }
            Kind::Conflict => FaultKind::Error {
                code: "ConflictException".to_owned(),
                message: "Somebody else is writing.".to_owned(),
                status: 400,
            },
            Kind::StaleRead => FaultKind::LaggingRead,
        };
        let fault = Fault::new(kind).nth(number);
        match self {
            Kind::CrashAfter | Kind::Timeout => fault.after_carrying_out(),
            Kind::Outage => Fault { times: None, ..fault },
            _ => fault,
        }
    }

    /// Whether AWS could do that to this call, and it is something else than what another kind does. Only
    /// Bedrock's writes conflict with others. What is read of state may be old; a session isn't, and a probe that
    /// lies can't be noticed by anybody. Whether a read was carried out makes no difference to anything.
    pub fn can_strike(self, call: &Call) -> bool {
        match self {
            Kind::Conflict => call.write && call.service == "bedrock",
            Kind::StaleRead => {
                !call.write && ["bedrock", "organizations", "ssm"].contains(&call.service.as_str())
            }
            Kind::CrashBefore | Kind::Hang => call.write,
            _ => true,
        }
    }

    /// Whether it is told in the ordinary run of the test, where the scenario's turn to meet everything isn't.
    ///
    /// A throttled call and one that a server failed at are the same to the keeper but for the name of the error: it
    /// wasn't carried out, and may work later. So a write meets one of the two, in turn. Of a read it doesn't matter
    /// either whether it was carried out, so that it meets one of those two and the timeout.
    ///
    /// A third of all calls ask the ledger for a document. Each of them fails once, so that the keeper has to go on
    /// with a gap and come round by itself; what else can happen there, in turn. What the ledger is told meets all of
    /// them, as other writes do.
    pub fn is_due(self, number: usize, call: &Call) -> bool {
        let kinds = if call.write { 2 } else { 3 };
        match self {
            Kind::CrashAfter | Kind::ServerError | Kind::Denied | Kind::Timeout | Kind::Throttle
                if call.service == "dynamodb" && !call.write =>
            {
                match number % 3 {
                    _ if self == Kind::ServerError => true,
                    0 => self == Kind::CrashAfter,
                    1 => self == Kind::Denied,
                    _ => false,
                }
            }
            // Long, as each message that it strikes comes back after its time.
            Kind::Outage => number.is_multiple_of(2),
            Kind::Throttle => number.is_multiple_of(kinds),
            Kind::ServerError => number % kinds == 1,
            Kind::Timeout => call.write || number % kinds == 2,
            _ => true,
        }
    }

    /// Whether the keeper has to come round by itself, by what lies in the queues. What was denied is held
    /// until the next sweep, and who is shown nothing new has no reason to look again.
    pub fn needs_no_sweep(self) -> bool {
        !matches!(self, Kind::Denied | Kind::StaleRead)
    }

    /// How long it takes at most, in seconds, until what happened is put right without a sweep: a message comes back
    /// after twelve minutes, and its work is tried again with pauses. `docs/deploy.md` promises a quarter of an hour.
    pub fn longest_seconds(self) -> i64 {
        match self {
            Kind::CrashBefore | Kind::CrashAfter | Kind::Outage | Kind::Throttle | Kind::Timeout => 900,
            Kind::Hang | Kind::ServerError | Kind::Conflict => 900,
            // That takes a sweep.
            Kind::Denied | Kind::StaleRead => i64::MAX,
        }
    }

    /// Whether the client has to give up waiting.
    pub fn outwaits(self) -> bool {
        matches!(self, Kind::Timeout | Kind::Hang)
    }
}

//! Settings from the environment, checked all at once before anything starts.
//!
//! Pure: the variables are passed in. Everything wrong is reported in one error.

mod invalid;
mod reading;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::ids::RoleName;
use crate::limits::{Ceilings, LARGEST_LIMIT, SelfApproval};
use crate::own_roles::OwnRoles;
use reading::SettingsReader;

pub use invalid::InvalidSettings;

/// The role that the templates give to members, where nothing else is set.
pub const DEFAULT_MEMBER_ROLE: &str = "GuardrailKeeperMember";

/// Every setting, with what it means. Also the list of names that are not typing errors.
pub const VARIABLES: &[(&str, &str)] = &[
    ("KEEPER_BASELINE", "the baseline: a file's path, or ssm:NAME for a parameter"),
    (
        "KEEPER_APPROVAL",
        "the parameter that a person approves a revision in: ssm:NAME; unset: `approval` beside the baseline's",
    ),
    ("KEEPER_SELF_APPROVAL", "whether an approval by the baseline's author counts: yes or no"),
    (
        "KEEPER_CONTROLS",
        "the path of the parameters that people control the keeper by: ssm:PATH; unset: `controls` beside the baseline's",
    ),
    ("KEEPER_MEMBER_ROLE", "the name of the role to assume in member accounts"),
    ("KEEPER_FUNCTION_ROLE", "the ARN of the role that the function runs as"),
    ("KEEPER_FORMER_ROLES", "roles of earlier deployments, by name or ARN, separated by commas"),
    ("KEEPER_EXTERNAL_ID", "the external id that the members' trust policies ask for"),
    (
        "KEEPER_ORGANIZATION_ROLE",
        "whose credentials write Bedrock policies: own, none, or a role's name in the management account",
    ),
    (
        "KEEPER_REPAIR_POLICY_TYPE",
        "whether the type of Bedrock policies is enabled again where somebody disabled it: yes or no",
    ),
    ("KEEPER_LEDGER", "the ledger: memory, file:PATH, or table:NAME"),
    ("KEEPER_TASKS_QUEUE", "the URL of the FIFO queue `tasks`; unset: events are handled in this process"),
    ("KEEPER_EVENTS_QUEUE", "the URL of the queue `events`, which also holds errands"),
    ("KEEPER_DEPLOYMENT", "what distinguishes these queues from earlier ones, such as a stack's id"),
    ("KEEPER_BUS", "the event bus for outcome events, by name or ARN; unset: they are only logged"),
    (
        "KEEPER_REPORT_HOURS",
        "how often the end of a sweep sends a report on the whole organization, in hours",
    ),
    ("KEEPER_STACK", "the stack's name: a dimension of every metric, so that each stack has its own alarms"),
    ("KEEPER_MAX_WAIT_HOURS", "how long a task may wait before it is given up until the next sweep"),
    (
        "KEEPER_GRACE_MINUTES",
        "how long after it joined, moved or got a Region an account may lack its role before that is reported",
    ),
    ("KEEPER_MAX_EVENT_AGE_HOURS", "events older than this are ignored; unset: none is too old"),
    ("KEEPER_CONCURRENCY", "how many accounts are handled at a time"),
    ("KEEPER_MAX_REPLACEMENTS", "the most that max_replacements of any baseline counts for"),
    ("KEEPER_MAX_RELEASES", "the most that max_releases of any baseline counts for"),
    ("KEEPER_MAX_ABANDONMENTS", "the most that max_abandonments of any baseline counts for"),
    (
        "KEEPER_MAX_DEPARTURES",
        "how many accounts controls may mark as about to leave within a day; unset: any number",
    ),
];

/// The settings of the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Who reads them.
    pub purpose: Purpose,
    /// Where the baseline is.
    pub baseline: BaselineSource,
    /// The SSM parameter that a person approves a revision in. `None` where the baseline is in a file: then approvals are in
    /// the ledger alone.
    pub approval: Option<String>,
    /// The path of the controls, without a slash at its end. `None` where the baseline is in a file: then people's word is
    /// in the ledger alone.
    pub controls: Option<String>,
    /// Whether an approval by the baseline's author counts.
    pub self_approval: SelfApproval,
    /// Whose writes are ours, among them the role to assume in members.
    pub own_roles: OwnRoles,
    /// The role to assume in members.
    pub member_role: RoleName,
    /// The external id that the members' trust policies ask for.
    pub external_id: Option<String>,
    /// With whose credentials Bedrock policies are read and written.
    pub organization_access: OrganizationAccess,
    /// Whether the type of Bedrock policies is enabled again where somebody disabled it.
    pub repairs_policy_type: bool,
    /// Where records are kept.
    pub ledger: LedgerSource,
    /// The queues to work through, where there are any.
    pub queues: Option<QueueSettings>,
    /// The event bus for outcome events.
    pub bus: Option<String>,
    /// How often a sweep's end reports on the whole organization, in hours.
    pub report_hours: u32,
    /// The stack's name, as metrics carry it.
    pub stack: Option<String>,
    /// How long a task is put back before it is left to the next sweep, in hours.
    pub max_wait_hours: u32,
    /// How long after joining an account may still lack its role, in minutes.
    pub grace_minutes: u32,
    /// How old an event may be, in hours.
    pub max_event_age_hours: Option<u32>,
    /// How many accounts are worked on at a time.
    pub concurrency: usize,
    /// What the limits of any baseline count for at most.
    pub ceilings: Ceilings,
    /// How many accounts controls may mark as about to leave within a day. `None` where any number may be.
    pub max_departures: Option<u32>,
}

/// With whose credentials the organization's Bedrock policies are read and written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrganizationAccess {
    /// With nobody's: they are left alone.
    None,
    /// With our own: those of the management account, or of a delegated administrator.
    Own,
    /// With those of this role in the management account.
    Role(RoleName),
}

/// The queues that work goes through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueSettings {
    /// The URL of the FIFO queue that holds tasks.
    pub tasks: String,
    /// The URL of the standard queue that events come from, and where tasks wait.
    pub events: String,
    /// What distinguishes these queues from earlier or later ones of the same names.
    pub deployment: Option<String>,
}

/// Where the baseline is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BaselineSource {
    /// In a file.
    File(PathBuf),
    /// In an SSM parameter of our own account and Region.
    Parameter(String),
}

impl BaselineSource {
    /// The parameter's name, where it is one.
    pub fn parameter(&self) -> Option<&String> {
        match self {
            BaselineSource::Parameter(name) => Some(name),
            BaselineSource::File(_) => None,
        }
    }
}

impl FromStr for BaselineSource {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<BaselineSource, std::convert::Infallible> {
        Ok(match text.strip_prefix("ssm:") {
            Some(name) => BaselineSource::Parameter(name.to_owned()),
            None => BaselineSource::File(PathBuf::from(text)),
        })
    }
}

impl fmt::Display for BaselineSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BaselineSource::File(path) => path.display().fmt(f),
            BaselineSource::Parameter(name) => write!(f, "ssm:{name}"),
        }
    }
}

/// Where records are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LedgerSource {
    /// In this process; gone with it.
    Memory,
    /// In a file of this machine.
    File(PathBuf),
    /// In a DynamoDB table of our own account and Region.
    Table(String),
}

/// Who reads the settings: the function can't do without some that a terminal can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The Lambda function.
    Function,
    /// `guardrailctl`, which may be given the baseline by argument.
    Terminal,
}

impl Settings {
    /// Reads the settings out of environment variables. `baseline` stands in for `KEEPER_BASELINE`.
    ///
    /// # Errors
    /// All problems together, each naming its variable.
    pub fn read(
        variables: &BTreeMap<String, String>,
        purpose: Purpose,
        baseline: Option<BaselineSource>,
    ) -> Result<Settings, InvalidSettings> {
        let mut reading = SettingsReader { variables, problems: Vec::new() };
        let baseline = baseline.or_else(|| reading.baseline());
        let approval = reading.approval(baseline.as_ref());
        let controls = reading.controls(baseline.as_ref());
        let self_approval = reading.self_approval();
        let member_role = reading.member_role(purpose);
        let function = reading.function_role(purpose);
        let former = reading.former_roles();
        let ledger = reading.ledger();
        let queues = reading.queues();
        let bus = reading.bus();
        let report_hours = reading.number("KEEPER_REPORT_HOURS", 1..=7 * 24);
        let stack = reading.get("KEEPER_STACK").map(str::to_owned);
        let max_wait_hours = reading.number("KEEPER_MAX_WAIT_HOURS", 1..=14 * 24);
        let grace_minutes = reading.number("KEEPER_GRACE_MINUTES", 0..=7 * 24 * 60);
        let max_event_age_hours = reading.number("KEEPER_MAX_EVENT_AGE_HOURS", 1..=14 * 24);
        let concurrency = reading.number("KEEPER_CONCURRENCY", 1..=256);
        let ceilings = Ceilings {
            max_replacements: reading.number("KEEPER_MAX_REPLACEMENTS", 0..=LARGEST_LIMIT),
            max_releases: reading.number("KEEPER_MAX_RELEASES", 0..=LARGEST_LIMIT),
            max_abandonments: reading.number("KEEPER_MAX_ABANDONMENTS", 0..=LARGEST_LIMIT),
        };
        let max_departures = reading.number("KEEPER_MAX_DEPARTURES", 0..=LARGEST_LIMIT);
        let external_id = reading.get("KEEPER_EXTERNAL_ID").map(str::to_owned);
        let organization_access = reading.organization_access(purpose);
        let repairs_policy_type = reading.repairs_policy_type();
        let SettingsReader { variables: _, mut problems } = reading;
        match (baseline, member_role) {
            (Some(baseline), Some(member_role)) if problems.is_empty() => Ok(Settings {
                purpose,
                baseline,
                approval,
                controls,
                self_approval,
                own_roles: OwnRoles { function, members: BTreeSet::from([member_role.clone()]), former },
                member_role,
                external_id,
                organization_access,
                repairs_policy_type,
                ledger,
                queues,
                bus,
                report_hours: report_hours.unwrap_or(24),
                stack,
                max_wait_hours: max_wait_hours.unwrap_or(24),
                grace_minutes: grace_minutes.unwrap_or(60),
                max_event_age_hours,
                concurrency: concurrency.and_then(|number| usize::try_from(number).ok()).unwrap_or(32),
                ceilings,
                max_departures,
            }),
            _ => {
                problems.extend(Settings::unknown(variables));
                Err(InvalidSettings { problems })
            }
        }
    }

    /// Variables that look like settings and aren't known: typing errors, most likely.
    pub fn unknown(variables: &BTreeMap<String, String>) -> Vec<String> {
        variables
            .keys()
            .filter(|name| name.starts_with("KEEPER_"))
            .filter(|name| !VARIABLES.iter().any(|(known, _)| known == name))
            .map(|name| {
                let known: Vec<&str> = VARIABLES.iter().map(|(known, _)| *known).collect();
                format!("{name}: no such setting; the settings are {}", known.join(", "))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(variables: &[(&str, &str)], purpose: Purpose, expected: &Expect) {
        let variables =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let text = match Settings::read(&variables, purpose, None) {
            Ok(settings) => format!("{settings:#?}\n"),
            Err(error) => format!("{error}\n"),
        };
        expected.assert_eq(&text);
    }

    #[test]
    fn every_wrong_setting_is_named_at_once() {
        check(
            &[
                ("KEEPER_BASLINE", "baseline.yaml"),
                ("KEEPER_MEMBER_ROLE", "arn:aws:iam::111111111111:role/Member"),
                ("KEEPER_FUNCTION_ROLE", "GuardrailKeeperFunction"),
                ("KEEPER_FORMER_ROLES", "Old,bad name"),
                ("KEEPER_SELF_APPROVAL", "maybe"),
                ("KEEPER_LEDGER", "disk"),
                ("KEEPER_TASKS_QUEUE", "keeper-tasks"),
                ("KEEPER_EVENTS_QUEUE", "https://sqs.us-east-1.amazonaws.com/111111111111/"),
                ("KEEPER_BUS", "my bus"),
                ("KEEPER_MAX_WAIT_HOURS", "a day"),
                ("KEEPER_MAX_EVENT_AGE_HOURS", "0"),
                ("KEEPER_GRACE_MINUTES", "soon"),
                ("KEEPER_CONCURRENCY", "0"),
            ],
            Purpose::Function,
            &expect![[r#"
                the settings can't be used:
                  KEEPER_BASELINE: is not set; give the baseline: a file's path, or ssm:NAME for a parameter
                  KEEPER_SELF_APPROVAL: "maybe" is neither yes nor no
                  KEEPER_MEMBER_ROLE: is an ARN; give the role's name alone, it is the same in every account
                  KEEPER_FUNCTION_ROLE: "GuardrailKeeperFunction" is not a role ARN: expected arn:aws:iam::ACCOUNT:role/NAME
                  KEEPER_FORMER_ROLES: "bad name" is not a role name: expected 1 to 64 letters, digits and +=,.@_-
                  KEEPER_LEDGER: "disk" is not a ledger: expected memory, file:PATH or table:NAME
                  KEEPER_TASKS_QUEUE: "keeper-tasks" is not the URL of a queue: expected https://HOST/ACCOUNT/NAME
                  KEEPER_EVENTS_QUEUE: "https://sqs.us-east-1.amazonaws.com/111111111111/" is not the URL of a queue: expected https://HOST/ACCOUNT/NAME
                  KEEPER_TASKS_QUEUE: "keeper-tasks" is not the URL of a FIFO queue: it would end in .fifo
                  KEEPER_BUS: "my bus" is not an event bus: expected its name or its ARN
                  KEEPER_MAX_WAIT_HOURS: "a day" is not a number from 1 to 336
                  KEEPER_GRACE_MINUTES: "soon" is not a number from 0 to 10080
                  KEEPER_MAX_EVENT_AGE_HOURS: "0" is not a number from 1 to 336
                  KEEPER_CONCURRENCY: "0" is not a number from 1 to 256
                  KEEPER_BASLINE: no such setting; the settings are KEEPER_BASELINE, KEEPER_APPROVAL, KEEPER_SELF_APPROVAL, KEEPER_CONTROLS, KEEPER_MEMBER_ROLE, KEEPER_FUNCTION_ROLE, KEEPER_FORMER_ROLES, KEEPER_EXTERNAL_ID, KEEPER_ORGANIZATION_ROLE, KEEPER_REPAIR_POLICY_TYPE, KEEPER_LEDGER, KEEPER_TASKS_QUEUE, KEEPER_EVENTS_QUEUE, KEEPER_DEPLOYMENT, KEEPER_BUS, KEEPER_REPORT_HOURS, KEEPER_STACK, KEEPER_MAX_WAIT_HOURS, KEEPER_GRACE_MINUTES, KEEPER_MAX_EVENT_AGE_HOURS, KEEPER_CONCURRENCY, KEEPER_MAX_REPLACEMENTS, KEEPER_MAX_RELEASES, KEEPER_MAX_ABANDONMENTS, KEEPER_MAX_DEPARTURES
            "#]],
        );
    }

    #[test]
    fn approvals_have_a_parameter_beside_the_baselines() {
        for (baseline, approval, expected) in [
            ("ssm:/guardrail-keeper/baseline", "", Ok(Some("/guardrail-keeper/approval"))),
            ("ssm:/baseline", "", Ok(Some("/approval"))),
            ("ssm:baseline", "", Ok(Some("approval"))),
            ("ssm:/a/b/c", "ssm:/elsewhere", Ok(Some("/elsewhere"))),
            // Of a file, approvals are in the ledger.
            ("baseline.yaml", "", Ok(None)),
            ("baseline.yaml", "ssm:/elsewhere", Ok(None)),
            ("ssm:/a/b", "/elsewhere", Err("is not a parameter: expected ssm:NAME")),
            ("ssm:/a/b", "ssm:", Err("is not a parameter: expected ssm:NAME")),
            ("ssm:/a/b", "ssm:/a/b", Err("is the baseline's parameter")),
            ("ssm:/a/approval", "", Err("is the baseline's parameter")),
        ] {
            let variables = [("KEEPER_BASELINE", baseline), ("KEEPER_APPROVAL", approval)];
            let variables =
                variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            match (Settings::read(&variables, Purpose::Terminal, None), expected) {
                (Ok(settings), Ok(name)) => {
                    assert_eq!(settings.approval.as_deref(), name, "{baseline} {approval}");
                    assert_eq!(settings.self_approval, SelfApproval::Counts);
                }
                (Err(invalid), Err(problem)) => assert!(invalid.to_string().contains(problem), "{invalid}"),
                (settings, _) => panic!("{baseline} {approval}: {settings:?}"),
            }
        }
    }

    #[test]
    fn the_function_needs_three() {
        check(
            &[("KEEPER_FUNCTION_ROLE", " ")],
            Purpose::Function,
            &expect![[r#"
                the settings can't be used:
                  KEEPER_BASELINE: is not set; give the baseline: a file's path, or ssm:NAME for a parameter
                  KEEPER_MEMBER_ROLE: is not set; give the name of the role to assume in member accounts
                  KEEPER_FUNCTION_ROLE: is not set; give the ARN of the role that the function runs as
            "#]],
        );
    }

    #[test]
    fn a_terminal_needs_a_baseline() {
        check(
            &[("KEEPER_BASELINE", "baseline.yaml")],
            Purpose::Terminal,
            &expect![[r#"
                Settings {
                    purpose: Terminal,
                    baseline: File(
                        "baseline.yaml",
                    ),
                    approval: None,
                    controls: None,
                    self_approval: Counts,
                    own_roles: OwnRoles {
                        function: None,
                        members: {
                            RoleName(
                                "GuardrailKeeperMember",
                            ),
                        },
                        former: {},
                    },
                    member_role: RoleName(
                        "GuardrailKeeperMember",
                    ),
                    external_id: None,
                    organization_access: Own,
                    repairs_policy_type: false,
                    ledger: Memory,
                    queues: None,
                    bus: None,
                    report_hours: 24,
                    stack: None,
                    max_wait_hours: 24,
                    grace_minutes: 60,
                    max_event_age_hours: None,
                    concurrency: 32,
                    ceilings: Ceilings {
                        max_replacements: None,
                        max_releases: None,
                        max_abandonments: None,
                    },
                    max_departures: None,
                }
            "#]],
        );
    }

    #[test]
    fn the_function_with_everything() {
        check(
            &[
                ("KEEPER_BASELINE", "ssm:/guardrail-keeper/baseline"),
                ("KEEPER_MEMBER_ROLE", "Member"),
                ("KEEPER_FUNCTION_ROLE", "arn:aws:iam::111111111111:role/path/Function"),
                ("KEEPER_FORMER_ROLES", "Old, arn:aws:iam::111111111111:role/Older"),
                ("KEEPER_LEDGER", "file:/tmp/ledger.json"),
                ("KEEPER_EXTERNAL_ID", "secret"),
                ("KEEPER_TASKS_QUEUE", "https://sqs.us-east-1.amazonaws.com/111111111111/keeper-tasks.fifo"),
                ("KEEPER_EVENTS_QUEUE", "https://sqs.us-east-1.amazonaws.com/111111111111/keeper-events"),
                ("KEEPER_DEPLOYMENT", "arn:aws:cloudformation:us-east-1:111111111111:stack/keeper/1"),
                ("KEEPER_BUS", "arn:aws:events:us-east-1:111111111111:event-bus/keeper"),
                ("KEEPER_STACK", "keeper"),
                ("KEEPER_MAX_WAIT_HOURS", "36"),
                ("KEEPER_GRACE_MINUTES", "5"),
                ("KEEPER_MAX_EVENT_AGE_HOURS", "48"),
                ("KEEPER_CONCURRENCY", "8"),
            ],
            Purpose::Function,
            &expect![[r#"
                Settings {
                    purpose: Function,
                    baseline: Parameter(
                        "/guardrail-keeper/baseline",
                    ),
                    approval: Some(
                        "/guardrail-keeper/approval",
                    ),
                    controls: Some(
                        "/guardrail-keeper/controls",
                    ),
                    self_approval: Counts,
                    own_roles: OwnRoles {
                        function: Some(
                            Role {
                                account: AccountId(
                                    "111111111111",
                                ),
                                name: RoleName(
                                    "Function",
                                ),
                            },
                        ),
                        members: {
                            RoleName(
                                "Member",
                            ),
                        },
                        former: {
                            Member(
                                RoleName(
                                    "Old",
                                ),
                            ),
                            Exact(
                                Role {
                                    account: AccountId(
                                        "111111111111",
                                    ),
                                    name: RoleName(
                                        "Older",
                                    ),
                                },
                            ),
                        },
                    },
                    member_role: RoleName(
                        "Member",
                    ),
                    external_id: Some(
                        "secret",
                    ),
                    organization_access: None,
                    repairs_policy_type: false,
                    ledger: File(
                        "/tmp/ledger.json",
                    ),
                    queues: Some(
                        QueueSettings {
                            tasks: "https://sqs.us-east-1.amazonaws.com/111111111111/keeper-tasks.fifo",
                            events: "https://sqs.us-east-1.amazonaws.com/111111111111/keeper-events",
                            deployment: Some(
                                "arn:aws:cloudformation:us-east-1:111111111111:stack/keeper/1",
                            ),
                        },
                    ),
                    bus: Some(
                        "arn:aws:events:us-east-1:111111111111:event-bus/keeper",
                    ),
                    report_hours: 24,
                    stack: Some(
                        "keeper",
                    ),
                    max_wait_hours: 36,
                    grace_minutes: 5,
                    max_event_age_hours: Some(
                        48,
                    ),
                    concurrency: 8,
                    ceilings: Ceilings {
                        max_replacements: None,
                        max_releases: None,
                        max_abandonments: None,
                    },
                    max_departures: None,
                }
            "#]],
        );
    }
}

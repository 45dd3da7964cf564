//! Reads settings one by one, and collects what is wrong with them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::{
    BaselineSource, DEFAULT_MEMBER_ROLE, LedgerSource, OrganizationAccess, Purpose, QueueSettings, VARIABLES,
};
use crate::ids::{InvalidId, Role, RoleName};
use crate::limits::SelfApproval;
use crate::own_roles::FormerRole;

/// The variables, and what is wrong with them.
pub(super) struct SettingsReader<'a> {
    pub(super) variables: &'a BTreeMap<String, String>,
    pub(super) problems: Vec<String>,
}

impl<'a> SettingsReader<'a> {
    /// An empty variable is an unset one: templates can't leave one out.
    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        self.variables.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    fn problem(&mut self, name: &str, what: impl fmt::Display) {
        self.problems.push(format!("{name}: {what}"));
    }

    /// Takes note of a problem, and reads nothing.
    fn refuse<T>(&mut self, name: &str, what: impl fmt::Display) -> Option<T> {
        self.problem(name, what);
        None
    }

    fn missing<T>(&mut self, name: &str) -> Option<T> {
        let meaning = VARIABLES.iter().find(|(known, _)| *known == name).map_or("", |(_, meaning)| meaning);
        self.refuse(name, format_args!("is not set; give {meaning}"))
    }

    fn parse<T: FromStr<Err = InvalidId>>(&mut self, name: &str, text: &str) -> Option<T> {
        text.parse().map_or_else(|error| self.refuse(name, error), Some)
    }

    pub(super) fn baseline(&mut self) -> Option<BaselineSource> {
        const NAME: &str = "KEEPER_BASELINE";
        match self.get(NAME) {
            Some("ssm:") => {
                self.refuse(NAME, "ssm: needs a parameter's name, for example ssm:/guardrail-keeper/baseline")
            }
            Some(text) => text.parse().ok(),
            None => self.missing(NAME),
        }
    }

    /// What is beside the baseline's parameter, unless a setting names another one.
    fn beside(&mut self, setting: &str, baseline: &str, name: &str, expected: &str) -> Option<String> {
        match self.get(setting) {
            None => Some(match baseline.rsplit_once('/') {
                Some((folder, _)) => format!("{folder}/{name}"),
                None => name.to_owned(),
            }),
            Some(text) => match text.strip_prefix("ssm:") {
                Some(name) if !name.is_empty() => Some(name.to_owned()),
                Some(_) | None => self.refuse(setting, format_args!("{text:?} is not {expected}")),
            },
        }
    }

    /// The path of the controls. SSM lists parameters by paths alone, and a path begins with a slash.
    pub(super) fn controls(&mut self, baseline: Option<&BaselineSource>) -> Option<String> {
        const NAME: &str = "KEEPER_CONTROLS";
        let Some(BaselineSource::Parameter(baseline)) = baseline else { return None };
        let path = self.beside(NAME, baseline, "controls", "a path of parameters: expected ssm:/PATH")?;
        let is_path = path.starts_with('/') && !path.ends_with('/');
        if self.get(NAME).is_some() && !is_path {
            self.problem(NAME, format_args!("{path:?} is not a path of parameters: expected ssm:/PATH"));
        }
        // A baseline whose name is no path has no controls beside it.
        is_path.then_some(path)
    }

    /// The parameter beside the baseline's, unless another one is named.
    pub(super) fn approval(&mut self, baseline: Option<&BaselineSource>) -> Option<String> {
        const NAME: &str = "KEEPER_APPROVAL";
        let Some(BaselineSource::Parameter(baseline)) = baseline else { return None };
        let name = self.beside(NAME, baseline, "approval", "a parameter: expected ssm:NAME")?;
        if name == *baseline {
            self.problem(
                NAME,
                "is the baseline's parameter: whoever may write that would approve it as well",
            );
        }
        Some(name)
    }

    pub(super) fn self_approval(&mut self) -> SelfApproval {
        const NAME: &str = "KEEPER_SELF_APPROVAL";
        match self.get(NAME) {
            None | Some("yes") => SelfApproval::Counts,
            Some("no") => SelfApproval::Refused,
            Some(text) => {
                self.problem(NAME, format_args!("{text:?} is neither yes nor no"));
                SelfApproval::Refused
            }
        }
    }

    pub(super) fn repairs_policy_type(&mut self) -> bool {
        const NAME: &str = "KEEPER_REPAIR_POLICY_TYPE";
        match self.get(NAME) {
            None | Some("no") => false,
            Some("yes") => true,
            Some(text) => {
                self.problem(NAME, format_args!("{text:?} is neither yes nor no"));
                false
            }
        }
    }

    pub(super) fn member_role(&mut self, purpose: Purpose) -> Option<RoleName> {
        const NAME: &str = "KEEPER_MEMBER_ROLE";
        match (self.get(NAME), purpose) {
            (Some(text), _) if text.starts_with("arn:") => {
                self.problem(NAME, "is an ARN; give the role's name alone, it is the same in every account");
                None
            }
            (Some(text), _) => self.parse(NAME, text),
            (None, Purpose::Terminal) => self.parse(NAME, DEFAULT_MEMBER_ROLE),
            (None, Purpose::Function) => self.missing(NAME),
        }
    }

    /// A terminal uses its own credentials; the function only what it is given.
    pub(super) fn organization_access(&mut self, purpose: Purpose) -> OrganizationAccess {
        const NAME: &str = "KEEPER_ORGANIZATION_ROLE";
        match (self.get(NAME), purpose) {
            (Some("none"), _) | (None, Purpose::Function) => OrganizationAccess::None,
            (Some("own"), _) | (None, Purpose::Terminal) => OrganizationAccess::Own,
            (Some(text), _) if text.starts_with("arn:") => {
                self.problem(NAME, "is an ARN; give the name alone of a role in the management account");
                OrganizationAccess::None
            }
            (Some(text), _) => {
                self.parse(NAME, text).map_or(OrganizationAccess::None, OrganizationAccess::Role)
            }
        }
    }

    pub(super) fn function_role(&mut self, purpose: Purpose) -> Option<Role> {
        const NAME: &str = "KEEPER_FUNCTION_ROLE";
        match (self.get(NAME), purpose) {
            (Some(text), _) => Role::parse_arn(text).map_or_else(|error| self.refuse(NAME, error), Some),
            (None, Purpose::Terminal) => None,
            (None, Purpose::Function) => self.missing(NAME),
        }
    }

    pub(super) fn former_roles(&mut self) -> BTreeSet<FormerRole> {
        const NAME: &str = "KEEPER_FORMER_ROLES";
        let texts = self.get(NAME).unwrap_or_default().split(',').map(str::trim);
        texts.filter(|text| !text.is_empty()).filter_map(|text| self.parse(NAME, text)).collect()
    }

    pub(super) fn ledger(&mut self) -> LedgerSource {
        const NAME: &str = "KEEPER_LEDGER";
        match self.get(NAME) {
            None | Some("memory") => LedgerSource::Memory,
            Some(text) => match text.split_once(':') {
                Some(("file", path)) if !path.is_empty() => LedgerSource::File(PathBuf::from(path)),
                Some(("table", name)) if !name.is_empty() => LedgerSource::Table(name.to_owned()),
                Some(_) | None => {
                    self.problem(
                        NAME,
                        format_args!("{text:?} is not a ledger: expected memory, file:PATH or table:NAME"),
                    );
                    LedgerSource::Memory
                }
            },
        }
    }

    pub(super) fn bus(&mut self) -> Option<String> {
        const NAME: &str = "KEEPER_BUS";
        // The pattern of EventBusNameOrArn in the EventBridge service model.
        let sign = |byte: u8| byte.is_ascii_alphanumeric() || b"./_-:".contains(&byte);
        let bus = self.get(NAME)?;
        if !bus.bytes().all(sign) {
            self.problem(NAME, format_args!("{bus:?} is not an event bus: expected its name or its ARN"));
        }
        Some(bus.to_owned())
    }

    pub(super) fn queues(&mut self) -> Option<QueueSettings> {
        const TASKS: &str = "KEEPER_TASKS_QUEUE";
        const EVENTS: &str = "KEEPER_EVENTS_QUEUE";
        match (self.get(TASKS), self.get(EVENTS)) {
            (None, None) => None,
            (Some(tasks), Some(events)) => {
                let name = |url: &str| url.rsplit('/').next().unwrap_or_default().to_owned();
                for (setting, url) in [(TASKS, tasks), (EVENTS, events)] {
                    if !is_queue_url(url) {
                        self.problem(
                            setting,
                            format_args!(
                                "{url:?} is not the URL of a queue: expected https://HOST/ACCOUNT/NAME"
                            ),
                        );
                    }
                }
                if !tasks.ends_with(".fifo") {
                    self.problem(
                        TASKS,
                        format_args!("{tasks:?} is not the URL of a FIFO queue: it would end in .fifo"),
                    );
                }
                // The queue's name says what kind a message is.
                if events.ends_with(".fifo") || name(tasks) == name(events) {
                    self.problem(EVENTS, format_args!("{events:?} is not the URL of a standard queue"));
                }
                let deployment = self.get("KEEPER_DEPLOYMENT").map(str::to_owned);
                Some(QueueSettings { tasks: tasks.to_owned(), events: events.to_owned(), deployment })
            }
            (Some(_), None) => self.missing(EVENTS),
            (None, Some(_)) => self.missing(TASKS),
        }
    }

    pub(super) fn number(&mut self, name: &str, range: std::ops::RangeInclusive<u32>) -> Option<u32> {
        let text = self.get(name)?;
        match text.parse::<u32>() {
            Ok(number) if range.contains(&number) => Some(number),
            Ok(_) | Err(_) => {
                let (low, high) = (range.start(), range.end());
                self.problem(name, format_args!("{text:?} is not a number from {low} to {high}"));
                None
            }
        }
    }
}

/// Whether a text has the form of a queue's URL: a host, and behind it the account and the queue's name.
fn is_queue_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let parts: Vec<&str> = rest.unwrap_or_default().split('/').collect();
    parts.len() >= 3 && !text.contains(char::is_whitespace) && parts.iter().all(|part| !part.is_empty())
}

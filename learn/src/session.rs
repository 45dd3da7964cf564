//! A run from beginning to end: who takes part, whether the account is empty, consent, experiments, clean-up, report.

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};

use aws_config::SdkConfig;

use crate::calls::{Calling, Halt};
use crate::cloud::{Parties, TwoAccounts};
use crate::conduct::conduct;
use crate::consent::{Consent, NoConsent};
use crate::experiment::Experiment;
use crate::experiments;
use crate::journal::{Header, Journal};
use crate::lab::{Lab, Means};
use crate::preflight;
use crate::report::LearnReport;
use crate::undo::{Left, unwind};

/// What the user asks for.
#[derive(Clone, Debug)]
pub struct RunRequest {
    /// Who takes part.
    pub parties: Parties,
    /// What there is to work with.
    pub means: Means,
    /// Only these experiments; all of them when empty.
    pub only: Vec<String>,
    /// Where it is written down what is made.
    pub journal: PathBuf,
    /// The id of the run, a part of every name.
    pub run: String,
}

/// Why nothing was made.
#[derive(Debug, thiserror::Error)]
pub enum NotBegun {
    /// There is no such experiment.
    #[error("there is no experiment {0}; `list` shows them")]
    Unknown(String),
    /// An earlier run left something.
    #[error(
        "{0} is there: an earlier run left something behind. Remove it with `clean-up --journal {0}` first"
    )]
    Left(PathBuf),
    /// The account isn't one to make experiments in.
    #[error("nothing was made in account {account}:\n{}", reasons.iter().map(|why| format!("  - {why}\n")).collect::<String>())]
    Refused {
        /// The account.
        account: String,
        /// Every reason.
        reasons: Vec<String>,
    },
    /// The user didn't agree.
    #[error(transparent)]
    NoConsent(#[from] NoConsent),
    /// Something can't be read.
    #[error("nothing was made: {0}")]
    Halted(#[from] Halt),
    /// The journal can't be begun.
    #[error("nothing was made: the journal can't be written: {0}")]
    Journal(#[from] io::Error),
}

/// Makes a run. `consent` is asked once everything was read, and told what will be made.
///
/// # Errors
/// [`NotBegun`]: until then nothing was made.
pub async fn run(
    calls: &Calling,
    config: SdkConfig,
    wanted: &RunRequest,
    consent: &mut dyn FnMut(&str) -> Result<Consent, NoConsent>,
    progress: &dyn Fn(&str),
) -> Result<LearnReport, NotBegun> {
    let selected = selected(&wanted.only)?;
    if wanted.journal.exists() {
        return Err(NotBegun::Left(wanted.journal.clone()));
    }
    let began = calls.now();
    let cloud = TwoAccounts::connect(calls, config, &wanted.parties).await?;
    let found = preflight::look(calls, &cloud, wanted.means.unit.as_deref()).await?;
    let reasons = found.reasons();
    if !reasons.is_empty() {
        return Err(NotBegun::Refused { account: wanted.parties.account.clone(), reasons });
    }
    let consent = consent(&announcement(&cloud, wanted, &selected))?;
    let header = Header {
        run: wanted.run.clone(),
        account: wanted.parties.account.clone(),
        role: wanted.parties.role.clone(),
        region: cloud.region.clone(),
    };
    let journal = Journal::begin(&wanted.journal, header.clone())?;
    let lab = Lab::new(&consent, calls.clone(), cloud, wanted.means.clone(), journal);
    let conducted = conduct(&lab, &selected, progress).await;
    if let Err(why) = lab.close() {
        progress(&format!("the journal {} can't be removed: {why}", wanted.journal.display()));
    }
    Ok(LearnReport { header, began, conducted, measured: lab.measured(), staying: lab.staying() })
}

fn selected(only: &[String]) -> Result<Vec<&'static Experiment>, NotBegun> {
    if let Some(unknown) = only.iter().find(|name| experiments::all().all(|one| one.switch != **name)) {
        return Err(NotBegun::Unknown(unknown.clone()));
    }
    let is_wanted = |one: &&Experiment| only.is_empty() || only.iter().any(|name| name == one.switch);
    Ok(experiments::all().filter(is_wanted).collect())
}

/// What will be made, where and at what cost.
fn announcement(cloud: &TwoAccounts, wanted: &RunRequest, selected: &[&Experiment]) -> String {
    let mut text = format!(
        "In account {} and Region {}, {} experiments will be made:\n",
        cloud.member.account,
        cloud.region,
        selected.len()
    );
    for experiment in selected {
        let makes = if experiment.makes.is_empty() { "nothing" } else { experiment.makes };
        text += &format!("  {:<30} makes {makes}\n", experiment.switch);
    }
    if cloud.management.is_some() {
        text += &format!(
            "Guardrails and Bedrock policies of theirs are made in the management account {}, attached to the \
             throw-away account only.\n",
            cloud.management_account
        );
    }
    if let Some(unit) = &wanted.means.unit {
        text += &format!("One policy is attached to the OU {unit}.\n");
    }
    if wanted.means.touches_management {
        text += "A policy that guards no model is attached to the management account for a minute.\n";
    }
    if wanted.means.enables_policy_type {
        text += "The policy type BEDROCK_POLICY is enabled if it isn't, AND STAYS ENABLED.\n";
    }
    text += "Meanwhile calls of models fail in the throw-away account. Everything else is removed again, also after \
             Ctrl-C. It costs some hundred short calls of models and their evaluation by guardrails: some cents.\n";
    text
}

/// What came of a clean-up by journal.
#[derive(Debug)]
pub struct CleanedUp {
    /// What could not be removed.
    pub left: Vec<Left>,
    /// What stays on purpose.
    pub staying: Vec<crate::journal::Made>,
}

/// Removes what an earlier run left. The credentials are those of that run.
///
/// # Errors
/// [`NotBegun`] where the journal can't be read or the credentials are others.
pub async fn clean_up(calls: &Calling, config: SdkConfig, path: &Path) -> Result<CleanedUp, NotBegun> {
    let journal = Journal::open(path)?;
    let header = journal.header().clone();
    let parties = Parties { account: header.account, role: header.role };
    let cloud = TwoAccounts::connect(calls, config, &parties).await?;
    if cloud.region != header.region {
        let why = format!("the run was in {}, and the Region is {}", header.region, cloud.region);
        return Err(Halt::Because(why).into());
    }
    let journal = RefCell::new(journal);
    let left = unwind(calls, &cloud, &journal, 0).await;
    journal.borrow().close()?;
    let staying = journal.borrow().staying();
    Ok(CleanedUp { left, staying })
}

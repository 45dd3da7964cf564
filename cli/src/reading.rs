//! By which role other accounts are read.

use clap::Args;

use super::Unfit;
use keeper_core::ids::RoleName;
use keeper_core::settings::Settings;

/// Flattened into the arguments of every command that reads.
#[derive(Debug, Args)]
pub(super) struct ReadingRole {
    /// Read other accounts by this role, which these credentials may assume there, instead of the member role
    #[arg(long, value_name = "NAME")]
    pub(super) role: Option<RoleName>,
}

impl ReadingRole {
    /// Refuses a role where the same command would have to write by it.
    ///
    /// # Errors
    /// When one was named, and no deployed keeper does the writing.
    pub(super) fn writes_nothing(&self, is_deployed: bool) -> Result<(), Unfit> {
        if self.role.is_none() || is_deployed {
            return Ok(());
        }
        let message = "--role only reads, where a deployed keeper writes: this terminal writes with the member role \
                       (KEEPER_MEMBER_ROLE)";
        Err(Unfit(message.to_owned()))
    }

    /// The settings to connect with. Whose writes are the keeper's stays as the settings say: a role that
    /// a person reads with has written nothing for it.
    pub(super) fn settings(&self, settings: Settings) -> Settings {
        match &self.role {
            // The external id is the member role's.
            Some(role) => Settings { member_role: role.clone(), external_id: None, ..settings },
            None => settings,
        }
    }
}

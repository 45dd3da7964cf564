//! Credentials in members: the member role, assumed once per account and kept while they last.

use std::collections::HashMap;
use std::sync::Arc;

use aws_config::SdkConfig;
use aws_sdk_bedrock::config::retry::RetryPartition;
use aws_sdk_bedrock::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_sts::operation::get_caller_identity::GetCallerIdentityOutput;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Mutex, OnceCell};

use super::Identity;
use super::error::failure;
use crate::clock::Clock;
use crate::failure::Failure;
use crate::ids::{AccountId, Partition, Region, RoleName};

/// Shows in CloudTrail as who acted in the member.
const SESSION_NAME: &str = "guardrail-keeper";

/// Credentials this close to their end are not begun with.
const EXPIRY_MARGIN: SignedDuration = SignedDuration::from_secs(180);

/// How many accounts' credentials are kept. A worker sees few; a sweep sees each once.
const KEPT: usize = 512;

/// What is needed to call AWS in one account.
#[derive(Clone, Debug)]
pub struct Session {
    pub(super) sdk: SdkConfig,
    /// One per account: the SDK's budget for retries is shared by everything in a partition, and
    /// one throttled account must not eat the others' share.
    pub(super) retries: RetryPartition,
}

impl Session {
    /// What a client in this account is made from.
    pub fn sdk(&self) -> &SdkConfig {
        &self.sdk
    }

    /// The account's share of retries, for a client that is made for it.
    pub fn retries(&self) -> &RetryPartition {
        &self.retries
    }
}

/// The sessions held, and how to get more.
#[derive(Debug)]
pub(super) struct Sessions {
    sdk: SdkConfig,
    sts: aws_sdk_sts::Client,
    identity: Identity,
    own_account: AccountId,
    partition: Partition,
    clock: Clock,
    held: Mutex<HashMap<(AccountId, RoleName), HeldCell>>,
}

/// A session that is held, or is being made.
type HeldCell = Arc<OnceCell<HeldSession>>;

#[derive(Debug)]
struct HeldSession {
    session: Session,
    expires: Timestamp,
}
impl super::Cloud {
    /// The ARN of whose credentials we run with.
    ///
    /// # Errors
    /// When STS doesn't tell.
    pub async fn caller(&self) -> Result<String, Failure> {
        let answer = caller_identity(&self.sessions.sts).await?;
        answer.arn().map(str::to_owned).ok_or_else(|| nameless("principal"))
    }
}

impl Sessions {
    pub(super) async fn new(sdk: &SdkConfig, identity: Identity) -> Result<Sessions, Failure> {
        // The SDK uses the Regional endpoint of STS; tokens of the global one are not valid in
        // opt-in Regions by default.
        let sts = aws_sdk_sts::Client::new(sdk);
        let own_account = match &identity.function_role {
            Some(role) => role.account.clone(),
            None => caller_account(&sts).await?,
        };
        let partition = sdk
            .region()
            .and_then(|region| region.as_ref().parse::<Region>().ok())
            .map_or_else(|| "aws".parse().expect("it is a partition"), |region| Partition::of(&region));
        Ok(Sessions {
            sdk: sdk.clone(),
            sts,
            identity,
            own_account,
            partition,
            clock: Clock::default(),
            held: Mutex::default(),
        })
    }

    pub(super) fn with_clock(self, clock: Clock) -> Sessions {
        Sessions { clock, ..self }
    }

    pub(super) fn own_account(&self) -> &AccountId {
        &self.own_account
    }

    pub(super) async fn get(&self, account: &AccountId) -> Result<Session, Failure> {
        if *account == self.own_account {
            // StackSets never reach the management account: there is no member role to assume.
            return Ok(Session { sdk: self.sdk.clone(), retries: retry_partition(account) });
        }
        self.get_as(account, &self.identity.member_role).await
    }

    /// A session in this role of an account, also of our own.
    pub(super) async fn get_as(&self, account: &AccountId, role: &RoleName) -> Result<Session, Failure> {
        let cell = self.cell(account, role).await;
        let held = cell.get_or_try_init(|| self.assume(account, role)).await?;
        Ok(held.session.clone())
    }

    /// Forgets an account's credentials: AWS said that they have expired, whatever the clock says here.
    pub(super) async fn forget(&self, account: &AccountId) {
        self.held.lock().await.remove(&(account.clone(), self.identity.member_role.clone()));
    }

    /// The account's cell: callers that come at the same time share one AssumeRole.
    async fn cell(&self, account: &AccountId, role: &RoleName) -> Arc<OnceCell<HeldSession>> {
        let mut held = self.held.lock().await;
        let fresh_until = self.clock.now() + EXPIRY_MARGIN;
        let expired =
            |cell: &Arc<OnceCell<HeldSession>>| cell.get().is_some_and(|held| held.expires <= fresh_until);
        if held.len() >= KEPT {
            held.retain(|_, cell| !expired(cell) && Arc::strong_count(cell) > 1);
        }
        let cell = held.entry((account.clone(), role.clone())).or_default();
        if expired(cell) {
            *cell = Arc::default();
        }
        Arc::clone(cell)
    }

    async fn assume(&self, account: &AccountId, role: &RoleName) -> Result<HeldSession, Failure> {
        let role = format!("arn:{}:iam::{account}:role/{role}", self.partition);
        let answer = self
            .sts
            .assume_role()
            .role_arn(role)
            .role_session_name(SESSION_NAME)
            .set_external_id(self.identity.external_id.clone())
            .send()
            .await
            .map_err(|error| failure("AssumeRole", &error))?;
        let credentials = answer
            .credentials()
            .ok_or_else(|| Failure::transient("AssumeRole", "the answer holds no credentials"))?;
        let lasts = credentials.expiration().secs();
        let expires = Timestamp::from_second(lasts).unwrap_or(Timestamp::UNIX_EPOCH);
        let provider = SharedCredentialsProvider::new(Credentials::new(
            credentials.access_key_id(),
            credentials.secret_access_key(),
            Some(credentials.session_token().to_owned()),
            Some(expires.into()),
            "AssumeRole",
        ));
        let sdk = self.sdk.to_builder().credentials_provider(provider).build();
        let session = Session { sdk, retries: retry_partition(account) };
        Ok(HeldSession { session, expires })
    }
}

fn retry_partition(account: &AccountId) -> RetryPartition {
    RetryPartition::new(format!("account-{account}"))
}

async fn caller_account(sts: &aws_sdk_sts::Client) -> Result<AccountId, Failure> {
    let answer = caller_identity(sts).await?;
    answer.account().and_then(|account| account.parse().ok()).ok_or_else(|| nameless("account"))
}

async fn caller_identity(sts: &aws_sdk_sts::Client) -> Result<GetCallerIdentityOutput, Failure> {
    sts.get_caller_identity().send().await.map_err(|error| failure("GetCallerIdentity", &error))
}

fn nameless(what: &str) -> Failure {
    Failure::rejected("GetCallerIdentity", format!("the answer names no {what}"))
}

//! Effects on AWS. One file per service; reading and writing are different types, so that what only
//! plans can't write.
//!
//! Nothing here decides anything: each function makes one call, or reads one list to its end, and
//! turns AWS's answer into our own types.

mod batches;
mod bedrock_policies;
mod bedrock_policy_writer;
mod bus;
mod content;
mod control_policies;
mod copies;
mod counted;
pub(crate) mod error;
mod grants;
mod guardrails;
mod keys;
mod organizations;
mod pace;
mod parameters;
mod policy_types;
mod queues;
mod reader;
mod roles;
mod sessions;
mod writer;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_sts::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_http_client::tls;
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

use crate::clock::Clock;
use crate::failure::Failure;
use crate::ids::{AccountId, Region, Role, RoleName};
use crate::limits::WrittenVersion;
use crate::metrics::Calls;

pub use bedrock_policies::{BedrockPolicyReader, ReadNext, SeenPolicies, may_be_gone};
pub use bedrock_policy_writer::{BedrockPolicyWriter, OWN_POLICY_TAG};
pub use bus::{Bus, OutcomeEvent, SOURCE};
pub use copies::{CopyState, CopyWriter, Ensured};
pub use error::{failure, is_missing};
pub use grants::GrantWriter;
pub use guardrails::Condition;
pub use organizations::{Head, Organizations, Page};
pub use pace::{Pace, Rate, Rates};
pub use parameters::{Parameter, ParameterWriter, STANDARD_BYTES};
pub use policy_types::{EnablingAnswer, PolicyTypeState, PolicyTypes};
pub use queues::{DelayedMessage, FifoMessage, LONGEST_DELAY, Queues};
pub use reader::Reader;
pub use roles::RoleSeen;
pub use sessions::Session;
pub(crate) use writer::put_by_somebody_else;
pub use writer::{Writer, Wrote};

/// How long a call may take, how often it is tried, and how fast calls follow each other. The SDK itself has no read timeout at all.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For a connection to stand.
    pub connect: Duration,
    /// For one attempt, from the first byte sent to the last byte read.
    pub attempt: Duration,
    /// For all attempts of one call together, waiting included.
    pub operation: Duration,
    /// How many attempts there are.
    pub attempts: u32,
    /// The longest first pause between two attempts; it doubles with each.
    pub backoff: Duration,
    /// How fast Organizations is called: it is far slower than the others.
    pub rates: Rates,
}

impl Default for Patience {
    /// Regions run side by side, so one hung Region costs one `operation` and the function's two
    /// minutes hold several calls in a row.
    fn default() -> Patience {
        Patience {
            connect: Duration::from_secs(3),
            attempt: Duration::from_secs(8),
            operation: Duration::from_secs(25),
            attempts: 4,
            backoff: Duration::from_millis(250),
            rates: Rates::default(),
        }
    }
}

/// Who we are to AWS.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The role to assume in members.
    pub member_role: RoleName,
    /// The role we run as, where that is known without asking.
    pub function_role: Option<Role>,
    /// The external id that the members' trust policies ask for.
    pub external_id: Option<String>,
}

/// Where AWS is, and with which credentials we come.
#[derive(Clone, Debug)]
pub enum Access {
    /// As the standard AWS environment and profiles say.
    Environment,
    /// As given, and nothing else: no variable and no profile of this machine is looked at.
    Explicit {
        /// The endpoint of every service.
        endpoint: String,
        /// Services that are elsewhere: by the name that AWS's variables have for them
        /// (`AWS_ENDPOINT_URL_…`), in lower case. `dynamodb`, `eventbridge` and `sqs` can be.
        elsewhere: BTreeMap<String, String>,
        /// Our own Region.
        region: Region,
        /// An access key.
        access_key_id: String,
        /// Its secret.
        secret_access_key: String,
    },
}

/// The way to AWS: one HTTP client for everything, and the sessions held in members.
#[derive(Debug)]
pub struct Cloud {
    sdk: SdkConfig,
    elsewhere: BTreeMap<Service, String>,
    sessions: sessions::Sessions,
    paces: Arc<pace::Paces>,
    counter: counted::Counter,
    // Made once, when they are first asked for: a service client costs more than a call.
    organizations: OnceLock<Organizations>,
    queues: OnceLock<Queues>,
    bus: OnceLock<Bus>,
}

/// A service that can have an endpoint of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// The table.
    DynamoDb,
    /// The event bus.
    EventBridge,
    /// The queues.
    Sqs,
}

impl Service {
    fn named(name: &str) -> Option<Service> {
        match name {
            "dynamodb" => Some(Service::DynamoDb),
            "eventbridge" => Some(Service::EventBridge),
            "sqs" => Some(Service::Sqs),
            _ => None,
        }
    }
}

impl Cloud {
    /// Makes the clients.
    ///
    /// # Errors
    /// When the caller's own account isn't known and STS doesn't tell it, or when a service is said
    /// to be elsewhere that can't be.
    pub async fn connect(access: Access, identity: Identity, patience: Patience) -> Result<Cloud, Failure> {
        let elsewhere = elsewhere(&access)?;
        let counter = counted::Counter::default();
        let sdk = sdk_config(access, patience, &counter).await;
        let sessions = sessions::Sessions::new(&sdk, identity).await?;
        let paces = Arc::new(pace::Paces::new(patience.rates));
        Ok(Cloud {
            sdk,
            elsewhere,
            sessions,
            paces,
            counter,
            organizations: OnceLock::new(),
            queues: OnceLock::new(),
            bus: OnceLock::new(),
        })
    }

    /// With another clock than the machine's, by which sessions expire.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Cloud {
        Cloud { sessions: self.sessions.with_clock(clock), ..self }
    }

    /// The requests that were sent since it was made.
    pub fn calls(&self) -> Calls {
        self.counter.calls()
    }

    /// The account whose credentials we run with.
    pub fn own_account(&self) -> &AccountId {
        self.sessions.own_account()
    }

    /// The Region that is configured, if one is.
    pub fn region(&self) -> Option<&str> {
        self.sdk.region().map(AsRef::as_ref)
    }

    /// Credentials in an account, assumed once and kept until they are about to expire.
    ///
    /// # Errors
    /// When the member role can't be assumed.
    pub async fn session(&self, account: &AccountId) -> Result<Session, Failure> {
        self.sessions.get(account).await
    }

    /// Credentials of another role than the members' in an account, kept likewise.
    ///
    /// # Errors
    /// When it can't be assumed.
    pub async fn session_as(&self, account: &AccountId, role: &RoleName) -> Result<Session, Failure> {
        self.sessions.get_as(account, role).await
    }

    /// Forgets the credentials in an account, which AWS said have expired.
    pub async fn forget_session(&self, account: &AccountId) {
        self.sessions.forget(account).await;
    }

    /// The organization's tree.
    pub fn organizations(&self) -> Organizations {
        let make = || Organizations::new(&self.sdk, Arc::clone(&self.paces));
        self.organizations.get_or_init(make).clone()
    }

    /// The way to queues in our own account and Region.
    pub fn queues(&self) -> Queues {
        self.queues.get_or_init(|| Queues::new(&self.sdk(Service::Sqs))).clone()
    }

    /// The way to event buses in our own account and Region.
    pub fn bus(&self) -> Bus {
        self.bus.get_or_init(|| Bus::new(&self.sdk(Service::EventBridge))).clone()
    }

    /// What a client of that service is made from.
    pub fn sdk(&self, service: Service) -> SdkConfig {
        match self.elsewhere.get(&service) {
            Some(url) => self.sdk.to_builder().endpoint_url(url).build(),
            None => self.sdk.clone(),
        }
    }

    /// The text of an SSM parameter in our own account and Region.
    ///
    /// # Errors
    /// When it isn't there or can't be read.
    pub async fn parameter(&self, name: &str) -> Result<String, Failure> {
        parameters::read(&self.sdk, name).await
    }

    /// An SSM parameter with its version, as [`Cloud::parameter`]; `None` where there is none.
    ///
    /// # Errors
    /// When it can't be read.
    pub async fn find_parameter(&self, name: &str) -> Result<Option<Parameter>, Failure> {
        parameters::find(&self.sdk, name).await
    }

    /// All versions of an SSM parameter that SSM keeps, with who wrote each.
    ///
    /// # Errors
    /// When it isn't there or can't be read.
    pub async fn parameter_history(&self, name: &str) -> Result<Vec<WrittenVersion>, Failure> {
        parameters::history(&self.sdk, name).await
    }

    /// The SSM parameters right below a path, by their names.
    ///
    /// # Errors
    /// When they can't be read.
    pub async fn parameters_below(&self, path: &str) -> Result<BTreeMap<String, Parameter>, Failure> {
        parameters::below(&self.sdk, path).await
    }

    /// What puts SSM parameters in our own account and Region.
    pub fn parameter_writer(&self) -> ParameterWriter {
        ParameterWriter::new(&self.sdk)
    }
}

/// The pause before what is left of a batch is sent, or asked for, again: as long as the SDK's own
/// first one before a whole call is.
pub(crate) fn first_pause(sdk: &SdkConfig) -> Duration {
    sdk.retry_config().map_or(Patience::default().backoff, RetryConfig::initial_backoff)
}

/// Where single services are. In the environment's case, the SDK looks for itself.
fn elsewhere(access: &Access) -> Result<BTreeMap<Service, String>, Failure> {
    let Access::Explicit { elsewhere, .. } = access else { return Ok(BTreeMap::new()) };
    let places = elsewhere.iter().map(|(name, url)| match Service::named(name) {
        Some(service) => Ok((service, url.clone())),
        None => {
            Err(Failure::rejected("connect", format!("`{name}` isn't a service whose endpoint can be set")))
        }
    });
    places.collect()
}

async fn sdk_config(access: Access, patience: Patience, counter: &counted::Counter) -> SdkConfig {
    // Left unset, every service client would make a pool and a TLS connector of its own.
    let http = shared_http_client(counter.clone());
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(patience.connect)
        .operation_attempt_timeout(patience.attempt)
        .operation_timeout(patience.operation)
        .build();
    let retries =
        RetryConfig::standard().with_max_attempts(patience.attempts).with_initial_backoff(patience.backoff);
    match access {
        Access::Environment => {
            aws_config::defaults(BehaviorVersion::latest())
                .http_client(http)
                .timeout_config(timeouts)
                .retry_config(retries)
                .load()
                .await
        }
        Access::Explicit { endpoint, elsewhere: _, region, access_key_id, secret_access_key } => {
            SdkConfig::builder()
                .behavior_version(BehaviorVersion::latest())
                .http_client(http)
                .timeout_config(timeouts)
                .retry_config(retries)
                .endpoint_url(endpoint)
                .region(aws_config::Region::new(region.to_string()))
                .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
                    access_key_id,
                    secret_access_key,
                    None,
                    None,
                    "explicit",
                )))
                .build()
        }
    }
}

/// One pool of connections and one TLS connector for everything.
///
/// The SDK's own client makes a connector each time a service client is made, only to throw it away:
/// so that the root certificates are read then and not with the first call. Here a service client is
/// made per account and Region, and reading them each time was a quarter of a run's work.
#[derive(Debug)]
struct MadeOnce {
    client: SharedHttpClient,
    counter: counted::Counter,
}

impl HttpClient for MadeOnce {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        self.counter.around(self.client.http_connector(settings, components))
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.client.connector_metadata()
    }
}

fn shared_http_client(counter: counted::Counter) -> SharedHttpClient {
    let client = aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc))
        .build_https();
    SharedHttpClient::new(MadeOnce { client, counter })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use aws_smithy_runtime_api::box_error::BoxError;
    use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
    use aws_smithy_types::config_bag::ConfigBag;

    use super::*;

    /// Counts how often the SDK prepares it for a client of a service; the SDK's own then makes a connector.
    #[derive(Clone, Debug)]
    struct Prepared {
        client: SharedHttpClient,
        times: Arc<AtomicUsize>,
    }

    impl HttpClient for Prepared {
        fn http_connector(
            &self,
            settings: &HttpConnectorSettings,
            components: &RuntimeComponents,
        ) -> SharedHttpConnector {
            self.client.http_connector(settings, components)
        }

        fn validate_base_client_config(
            &self,
            _: &RuntimeComponentsBuilder,
            _: &ConfigBag,
        ) -> Result<(), BoxError> {
            self.times.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }
    }

    #[test]
    fn clients_of_services_make_no_tls_connector_each() {
        let counter = counted::Counter::default();
        let prepared =
            Prepared { client: shared_http_client(counter.clone()), times: Arc::new(AtomicUsize::new(0)) };
        let make = |http: SharedHttpClient| {
            let config = SdkConfig::builder()
                .behavior_version(BehaviorVersion::latest())
                .region(aws_config::Region::new("us-east-1"))
                .http_client(http)
                .build();
            aws_sdk_bedrock::Client::new(&config)
        };
        make(SharedHttpClient::new(prepared.clone()));
        assert_eq!(prepared.times.load(Ordering::Relaxed), 1, "the SDK prepares what it is given");

        let once =
            SharedHttpClient::new(MadeOnce { client: SharedHttpClient::new(prepared.clone()), counter });
        for _ in 0..10 {
            make(once.clone());
        }
        assert_eq!(prepared.times.load(Ordering::Relaxed), 1, "ours isn't prepared again");
    }
}

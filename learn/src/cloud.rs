//! The two accounts that take part, and the clients that call as each of them.

use aws_config::sts::AssumeRoleProvider;
use aws_config::{AppName, BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_sdk_bedrockruntime::config::endpoint::{Endpoint, EndpointFuture, Params, ResolveEndpoint};
use aws_smithy_types::Document;
use serde::{Deserialize, Serialize};

use crate::calls::{Calling, Halt};

/// What CloudTrail shows of the calls of this program, as a part of their user agent.
pub const NAME: &str = "guardrail-learn";

/// Whose something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Party {
    /// The throw-away account.
    Member,
    /// The management account of its organization.
    Management,
}

/// An account, and clients that call as it.
#[derive(Clone, Debug)]
pub struct Side {
    /// Its id.
    pub account: String,
    /// The ARN of who calls.
    pub caller: String,
    /// The configuration of its clients.
    pub config: SdkConfig,
    /// Bedrock.
    pub bedrock: aws_sdk_bedrock::Client,
    /// Bedrock's runtime.
    pub runtime: aws_sdk_bedrockruntime::Client,
    /// Organizations.
    pub organizations: aws_sdk_organizations::Client,
}

/// Everybody who takes part.
#[derive(Clone, Debug)]
pub struct TwoAccounts {
    /// The Region.
    pub region: String,
    /// The organization's id.
    pub organization: String,
    /// Its management account.
    pub management_account: String,
    /// The throw-away account.
    pub member: Side,
    /// The management account, where its credentials were given.
    pub management: Option<Side>,
}

/// Who takes part, as the user says it.
#[derive(Clone, Debug)]
pub struct Parties {
    /// The throw-away account.
    pub account: String,
    /// The role that the management account assumes there. Without one, the credentials are the account's own.
    pub role: Option<String>,
}

/// The configuration of clients, from the environment.
pub fn loader(region: Option<String>) -> ConfigLoader {
    let name = AppName::new(NAME).expect("the name has only letters and a hyphen");
    let loader = aws_config::defaults(BehaviorVersion::latest()).app_name(name);
    match region {
        Some(region) => loader.region(Region::new(region)),
        None => loader,
    }
}

impl Side {
    /// Clients of a configuration, and whom they call as.
    ///
    /// # Errors
    /// [`Halt`] where AWS doesn't say who calls.
    pub async fn new(calls: &Calling, config: SdkConfig) -> Result<Side, Halt> {
        let sts = aws_sdk_sts::Client::new(&config);
        let identity = calls.call("GetCallerIdentity", async || sts.get_caller_identity().send().await);
        let identity = identity.await??;
        Ok(Side {
            account: identity.account().unwrap_or_default().to_owned(),
            caller: identity.arn().unwrap_or_default().to_owned(),
            bedrock: aws_sdk_bedrock::Client::new(&config),
            runtime: aws_sdk_bedrockruntime::Client::new(&config),
            organizations: aws_sdk_organizations::Client::new(&config),
            config,
        })
    }

    /// A client of the endpoint bedrock-mantle. Its calls are signed for a service of that name.
    pub fn mantle(&self, region: &str) -> aws_sdk_bedrockruntime::Client {
        let url = self
            .config
            .endpoint_url()
            .map_or_else(|| format!("https://bedrock-mantle.{region}.api.aws"), str::to_owned);
        let resolver = Mantle { url, region: region.to_owned() };
        let config = aws_sdk_bedrockruntime::config::Builder::from(&self.config).endpoint_resolver(resolver);
        aws_sdk_bedrockruntime::Client::from_conf(config.build())
    }
}

#[derive(Debug)]
struct Mantle {
    url: String,
    region: String,
}

impl ResolveEndpoint for Mantle {
    fn resolve_endpoint(&self, _: &Params) -> EndpointFuture<'_> {
        let region = self.region.as_str();
        let scheme = [("name", "sigv4"), ("signingName", "bedrock-mantle"), ("signingRegion", region)];
        let scheme = scheme.map(|(name, value)| (name.to_owned(), Document::String(value.to_owned())));
        let schemes = vec![Document::Object(scheme.into_iter().collect())];
        let endpoint = Endpoint::builder().url(self.url.clone()).property("authSchemes", schemes).build();
        EndpointFuture::ready(Ok(endpoint))
    }
}

impl TwoAccounts {
    /// Finds out who calls, and becomes the throw-away account.
    ///
    /// # Errors
    /// [`Halt`] where the credentials are not those that the user means.
    pub async fn connect(calls: &Calling, config: SdkConfig, parties: &Parties) -> Result<TwoAccounts, Halt> {
        let Some(region) = config.region().map(ToString::to_string) else {
            return Err(Halt::Because("no Region is set: give --region".to_owned()));
        };
        let own = Side::new(calls, config.clone()).await?;
        let Some(role) = &parties.role else {
            if own.account != parties.account {
                return Err(Halt::Because(format!(
                    "the credentials are those of account {}, not of {}: give that account's own, or the management \
                     account's with --role",
                    own.account, parties.account
                )));
            }
            let (organization, management_account) = organization(calls, &own.organizations).await?;
            return Ok(TwoAccounts {
                region,
                organization,
                management_account,
                member: own,
                management: None,
            });
        };
        let partition = own.caller.split(':').nth(1).unwrap_or("aws");
        let arn = format!("arn:{partition}:iam::{}:role/{role}", parties.account);
        let provider = AssumeRoleProvider::builder(&arn).session_name(NAME).configure(&config).build().await;
        let session = config
            .to_builder()
            .credentials_provider(aws_sdk_bedrock::config::SharedCredentialsProvider::new(provider));
        let member = Side::new(calls, session.build()).await?;
        if member.account != parties.account {
            return Err(Halt::Because(format!("the role {arn} leads into account {}", member.account)));
        }
        let (organization, management_account) = organization(calls, &member.organizations).await?;
        if own.account != management_account {
            return Err(Halt::Because(format!(
                "with --role the credentials are to be those of the management account {management_account}; they \
                 are those of {}",
                own.account
            )));
        }
        Ok(TwoAccounts { region, organization, management_account, member, management: Some(own) })
    }

    /// One of the two accounts.
    ///
    /// # Errors
    /// [`Halt::Because`] where the credentials of the management account were not given.
    pub fn side(&self, party: Party) -> Result<&Side, Halt> {
        match party {
            Party::Member => Ok(&self.member),
            Party::Management => self.management.as_ref().ok_or_else(|| {
                Halt::Because("the credentials of the management account were not given".to_owned())
            }),
        }
    }

    /// The management account's client of Organizations.
    ///
    /// # Errors
    /// As [`TwoAccounts::side`].
    pub fn organizations(&self) -> Result<&aws_sdk_organizations::Client, Halt> {
        Ok(&self.side(Party::Management)?.organizations)
    }
}

/// The ids of the caller's organization and of its management account.
async fn organization(
    calls: &Calling,
    client: &aws_sdk_organizations::Client,
) -> Result<(String, String), Halt> {
    let said = calls.call("DescribeOrganization", async || client.describe_organization().send().await);
    let said = said.await??;
    let ids =
        said.organization().and_then(|one| Some((one.id()?.to_owned(), one.master_account_id()?.to_owned())));
    ids.ok_or_else(|| Halt::Because("DescribeOrganization named no organization".to_owned()))
}

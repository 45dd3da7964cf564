//! What is printed of an error before the program ends: what failed, with which credentials and where, and what to do.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use guardrail_keeper::engine::{Keeper, Stopped};
use keeper_core::failure::{Call, Code, Failure};
use keeper_core::ids::AccountId;

/// A call that failed, and what it was made for.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {}", failure.said())]
pub(super) struct FailedCall {
    what: String,
    failure: Failure,
}

impl FailedCall {
    /// `what` says what isn't known or wasn't done, as in `/baseline could not be read`.
    pub(super) fn new(what: impl Into<String>, failure: Failure) -> FailedCall {
        FailedCall { what: what.into(), failure }
    }
}

/// Who we are to AWS, once that is known. A command that fails has dropped what it knew.
static CALLER: OnceLock<Caller> = OnceLock::new();

#[derive(Debug)]
struct Caller {
    account: AccountId,
    region: Option<String>,
}

/// Keeps whose credentials a command runs with, for what is said of its error.
pub(super) fn remember(keeper: &Keeper) {
    let cloud = keeper.cloud();
    let region = cloud.region().map(str::to_owned);
    // A command connects once; were it to again, it would be as the same caller.
    let _ = CALLER.set(Caller { account: cloud.own_account().clone(), region });
}

/// What is said of an error: the error, then what is known of where we are, then what to do.
pub(super) fn told(error: &anyhow::Error, variables: &BTreeMap<String, String>) -> (String, Vec<String>) {
    let mut text = error.to_string();
    // Some errors print what caused them, and some leave that to the caller.
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text.push_str(&format!(": {cause}"));
        }
    }
    let surroundings = Surroundings { variables, caller: CALLER.get() };
    if let Some(Stopped::WrongOrganization { baseline, .. }) = error.downcast_ref() {
        let cure = format!("→ use credentials of {baseline}, or put this organization into the baseline");
        return (text, vec![surroundings.to_string(), cure]);
    }
    let Some(failure) = failure(error) else { return (text, Vec::new()) };
    // What a failure means for the next run doesn't help the person at the terminal.
    let text = text.replace(&failure.to_string(), &failure.said());
    let cures = surroundings.cures(failure).into_iter().map(|cure| format!("→ {cure}"));
    (text, std::iter::once(surroundings.to_string()).chain(cures).collect())
}

fn failure(error: &anyhow::Error) -> Option<&Failure> {
    let stopped = error.downcast_ref::<Stopped>().and_then(Stopped::failure);
    stopped.or_else(|| error.downcast_ref::<FailedCall>().map(|refused| &refused.failure))
}

/// What is set for AWS in the environment, and whose credentials turned out to be used.
struct Surroundings<'a> {
    variables: &'a BTreeMap<String, String>,
    caller: Option<&'a Caller>,
}

impl std::fmt::Display for Surroundings<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.caller {
            Some(caller) => write!(f, "as account {}", caller.account)?,
            None => match (self.get("AWS_PROFILE"), self.get("AWS_ACCESS_KEY_ID")) {
                (_, Some(key)) => write!(f, "with the key {key} (AWS_ACCESS_KEY_ID)")?,
                (Some(profile), None) => write!(f, "with the profile {profile} (AWS_PROFILE)")?,
                (None, None) => f.write_str("with the default profile")?,
            },
        }
        match self.region() {
            Some(region) => write!(f, ", in {region}")?,
            None => f.write_str(", without AWS_REGION")?,
        }
        for (name, url) in self.endpoints() {
            write!(f, ", at {url} ({name})")?;
        }
        Ok(())
    }
}

impl Surroundings<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn region(&self) -> Option<&str> {
        let of_caller = self.caller.and_then(|caller| caller.region.as_deref());
        of_caller.or_else(|| self.get("AWS_REGION")).or_else(|| self.get("AWS_DEFAULT_REGION"))
    }

    /// The variables that send calls elsewhere than to AWS.
    fn endpoints(&self) -> impl Iterator<Item = (&str, &str)> {
        let set = self.variables.iter().filter(|(_, url)| !url.is_empty());
        let set = set.map(|(name, url)| (name.as_str(), url.as_str()));
        set.filter(|(name, _)| *name == "AWS_ENDPOINT_URL" || name.starts_with("AWS_ENDPOINT_URL_"))
    }

    /// What to do, the likeliest first.
    fn cures(&self, failure: &Failure) -> Vec<String> {
        let login = match self.get("AWS_PROFILE") {
            Some(profile) => format!("`aws sso login --profile {profile}`"),
            None => "`aws sso login`".to_owned(),
        };
        match failure.code {
            Code::NoCredentials => vec![
                "set AWS_PROFILE to a profile that gives some, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY".to_owned(),
                "`aws sts get-caller-identity` shows whether there are any".to_owned(),
            ],
            Code::BadCredentials => vec![format!(
                "check that the profile works: {login} where it is one of IAM Identity Center, then `aws sts \
                 get-caller-identity`"
            )],
            Code::ExpiredCredentials => {
                vec![format!("get new ones: {login}, or as you got these (AWS_SESSION_TOKEN)")]
            }
            Code::UnknownCredentials => vec![
                "AWS doesn't know this key, or the secret or token is another key's: set AWS_ACCESS_KEY_ID, \
                 AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN together, or unset all three and set AWS_PROFILE"
                    .to_owned(),
            ],
            Code::WrongClock => vec!["set the clock of this machine: AWS refuses requests that were signed minutes \
                                      ago".to_owned()],
            Code::NoRegion => vec![
                "set AWS_REGION to the Region of the hub's stack, as its output TerminalSettings does".to_owned(),
            ],
            code @ (Code::NoEndpoint | Code::Unreached | Code::NotAws) => self.where_to_look(code),
            Code::OddEndpoint => vec!["write it as https://HOST, or unset it".to_owned()],
            Code::NoOrganization => vec![
                "use credentials of the organization's management account, or of a delegated administrator".to_owned(),
            ],
            Code::Denied | Code::KeyDenied => vec![denied(failure)],
            Code::Missing => self.missing(failure).into_iter().collect(),
            // Nothing that a person at a terminal can put right.
            Code::UnknownAccount
            | Code::NotSetUp
            | Code::Invalid
            | Code::Throttled
            | Code::Conflict
            | Code::AlreadySo
            | Code::UnmetCondition
            | Code::Other => Vec::new(),
        }
    }

    fn where_to_look(&self, code: Code) -> Vec<String> {
        let names: Vec<&str> = self.endpoints().map(|(name, _)| name).collect();
        let region = self.region().unwrap_or("the Region");
        match (names.as_slice(), code) {
            ([], Code::NoEndpoint) => {
                vec![format!("is {region} a Region of AWS? AWS_REGION says where the hub is")]
            }
            ([], Code::NotAws) => {
                vec!["a proxy answers instead of AWS: check HTTPS_PROXY and your network".to_owned()]
            }
            ([], _) => {
                vec![format!("check the network and HTTPS_PROXY, and that {region} is a Region of AWS")]
            }
            (names, _) => vec![format!(
                "{} sends calls there and not to AWS: start the server at that address, or unset the variable",
                names.join(", ")
            )],
        }
    }

    /// What isn't there, by the setting that names it.
    fn missing(&self, failure: &Failure) -> Option<String> {
        let region = self.region().unwrap_or("this Region");
        let in_place = match self.caller {
            Some(caller) => format!("in account {}, {region}", caller.account),
            None => format!("in {region}"),
        };
        let of_hub = "are these the hub's account and Region?";
        let setting = |name: &str| self.get(name).unwrap_or(name).to_owned();
        match failure.call() {
            Call::Parameter => Some(format!(
                "there is no such parameter {in_place}: {of_hub} `guardrailctl push FILE` puts a baseline there"
            )),
            Call::Ledger => {
                let table = setting("KEEPER_LEDGER");
                Some(format!("there is no {table} (KEEPER_LEDGER) {in_place}: {of_hub}"))
            }
            Call::Queue => {
                let queue = setting("KEEPER_EVENTS_QUEUE");
                Some(format!("there is no queue {queue} (KEEPER_EVENTS_QUEUE): {of_hub}"))
            }
            Call::AssumeRole | Call::Organization | Call::Release | Call::Probe | Call::Other => None,
        }
    }
}

fn denied(failure: &Failure) -> String {
    match failure.call() {
        Call::AssumeRole => "the role has to be in that account, and to trust these credentials: `--role NAME` takes another one, such as that \
                         of deploy/reader-role.yaml (docs/deploy.md, Which credentials a command needs)"
            .to_owned(),
        Call::Organization => format!(
            "Organizations answers the management account and delegated administrators only, which need \
             organizations:{}",
            failure.operation
        ),
        Call::Parameter | Call::Ledger | Call::Queue | Call::Release | Call::Probe | Call::Other => format!(
            "these credentials lack the permission for {}: docs/deploy.md, Which credentials a command needs",
            failure.operation
        ),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn variables(set: &[(&str, &str)]) -> BTreeMap<String, String> {
        set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[track_caller]
    fn check(operation: &str, code: Code, set: &[(&str, &str)], known: bool, expected: &Expect) {
        let failure = Failure { code, ..Failure::transient(operation, "as AWS or the way to it says") };
        let variables = variables(set);
        let caller =
            Caller { account: "111111111111".parse().unwrap(), region: Some("eu-central-1".to_owned()) };
        let surroundings = Surroundings { variables: &variables, caller: known.then_some(&caller) };
        let lines = surroundings.cures(&failure);
        expected.assert_eq(&format!("{surroundings}\n{}\n", lines.join("\n")));
    }

    #[test]
    fn credentials_that_are_missing_or_wrong_are_told_with_the_cure() {
        check(
            "GetCallerIdentity",
            Code::NoCredentials,
            &[],
            false,
            &expect![[r#"
            with the default profile, without AWS_REGION
            set AWS_PROFILE to a profile that gives some, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY
            `aws sts get-caller-identity` shows whether there are any
        "#]],
        );
        let profile = [("AWS_PROFILE", "security"), ("AWS_REGION", "us-east-1")];
        check(
            "GetCallerIdentity",
            Code::BadCredentials,
            &profile,
            false,
            &expect![[r#"
                with the profile security (AWS_PROFILE), in us-east-1
                check that the profile works: `aws sso login --profile security` where it is one of IAM Identity Center, then `aws sts get-caller-identity`
            "#]],
        );
        check(
            "ListAccounts",
            Code::ExpiredCredentials,
            &profile,
            true,
            &expect![[r#"
                as account 111111111111, in eu-central-1
                get new ones: `aws sso login --profile security`, or as you got these (AWS_SESSION_TOKEN)
            "#]],
        );
        let key = [("AWS_ACCESS_KEY_ID", "AKIAX"), ("AWS_DEFAULT_REGION", "eu-west-1")];
        check(
            "GetCallerIdentity",
            Code::UnknownCredentials,
            &key,
            false,
            &expect![[r#"
            with the key AKIAX (AWS_ACCESS_KEY_ID), in eu-west-1
            AWS doesn't know this key, or the secret or token is another key's: set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN together, or unset all three and set AWS_PROFILE
        "#]],
        );
        check(
            "GetCallerIdentity",
            Code::NoRegion,
            &key[..1],
            false,
            &expect![[r#"
            with the key AKIAX (AWS_ACCESS_KEY_ID), without AWS_REGION
            set AWS_REGION to the Region of the hub's stack, as its output TerminalSettings does
        "#]],
        );
    }

    #[test]
    fn what_cannot_be_reached_is_told_with_who_sent_us_there() {
        let local = [("AWS_ENDPOINT_URL", "http://127.0.0.1:1"), ("AWS_REGION", "us-east-1")];
        check(
            "GetCallerIdentity",
            Code::Unreached,
            &local,
            false,
            &expect![[r#"
            with the default profile, in us-east-1, at http://127.0.0.1:1 (AWS_ENDPOINT_URL)
            AWS_ENDPOINT_URL sends calls there and not to AWS: start the server at that address, or unset the variable
        "#]],
        );
        let sqs = [("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:1"), ("AWS_ENDPOINT_URL_X", "")];
        check(
            "SendMessageBatch",
            Code::Unreached,
            &sqs,
            true,
            &expect![[r#"
            as account 111111111111, in eu-central-1, at http://127.0.0.1:1 (AWS_ENDPOINT_URL_SQS)
            AWS_ENDPOINT_URL_SQS sends calls there and not to AWS: start the server at that address, or unset the variable
        "#]],
        );
        let region = [("AWS_REGION", "eu-wst-1")];
        check(
            "GetCallerIdentity",
            Code::NoEndpoint,
            &region,
            false,
            &expect![[r#"
            with the default profile, in eu-wst-1
            is eu-wst-1 a Region of AWS? AWS_REGION says where the hub is
        "#]],
        );
        check(
            "GetCallerIdentity",
            Code::NotAws,
            &[],
            false,
            &expect![[r#"
            with the default profile, without AWS_REGION
            a proxy answers instead of AWS: check HTTPS_PROXY and your network
        "#]],
        );
    }

    #[test]
    fn the_wrong_account_is_told_with_what_is_not_there() {
        let ledger = [("KEEPER_LEDGER", "table:keeper")];
        check(
            "GetItem",
            Code::Missing,
            &ledger,
            true,
            &expect![[r#"
            as account 111111111111, in eu-central-1
            there is no table:keeper (KEEPER_LEDGER) in account 111111111111, eu-central-1: are these the hub's account and Region?
        "#]],
        );
        check(
            "GetParameter",
            Code::Missing,
            &[],
            true,
            &expect![[r#"
            as account 111111111111, in eu-central-1
            there is no such parameter in account 111111111111, eu-central-1: are these the hub's account and Region? `guardrailctl push FILE` puts a baseline there
        "#]],
        );
        check(
            "ListAccounts",
            Code::Denied,
            &[],
            true,
            &expect![[r#"
            as account 111111111111, in eu-central-1
            Organizations answers the management account and delegated administrators only, which need organizations:ListAccounts
        "#]],
        );
        check(
            "AssumeRole",
            Code::Denied,
            &[],
            true,
            &expect![[r#"
            as account 111111111111, in eu-central-1
            the role has to be in that account, and to trust these credentials: `--role NAME` takes another one, such as that of deploy/reader-role.yaml (docs/deploy.md, Which credentials a command needs)
        "#]],
        );
        check(
            "PutParameter",
            Code::Denied,
            &[],
            true,
            &expect![[r#"
            as account 111111111111, in eu-central-1
            these credentials lack the permission for PutParameter: docs/deploy.md, Which credentials a command needs
        "#]],
        );
        check(
            "ListAccounts",
            Code::Throttled,
            &[],
            true,
            &expect![[r#"
            as account 111111111111, in eu-central-1

        "#]],
        );
    }
}

//! IAM: one role of an account.

use super::error::{failure, is_missing};
use super::sessions::Session;
use crate::failure::Failure;
use crate::ids::{Region, RoleName};

/// A role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleSeen {
    /// Its ARN, with its path.
    pub arn: String,
    /// Its trust policy, as JSON.
    pub trust: String,
}

impl RoleSeen {
    /// As IAM shows it, alone or in a list.
    pub fn of(role: &aws_sdk_iam::types::Role) -> RoleSeen {
        let trust = decoded(role.assume_role_policy_document().unwrap_or_default());
        RoleSeen { arn: role.arn().to_owned(), trust }
    }
}

impl Session {
    /// A role of the account; `None` where no role has that name. IAM is the same in all Regions of a partition, and is
    /// found by the given one, or else by the one that is configured.
    ///
    /// # Errors
    /// When IAM can't be read.
    pub async fn role(&self, name: &RoleName, region: Option<&Region>) -> Result<Option<RoleSeen>, Failure> {
        let mut config =
            aws_sdk_iam::config::Builder::from(self.sdk()).retry_partition(self.retries().clone());
        if let Some(region) = region {
            config = config.region(aws_sdk_iam::config::Region::new(region.to_string()));
        }
        let client = aws_sdk_iam::Client::from_conf(config.build());
        match client.get_role().role_name(name.as_str()).send().await {
            Ok(answer) => Ok(answer.role().map(RoleSeen::of)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(failure("GetRole", &error)),
        }
    }
}

/// IAM hands out policies as they would stand in a URL.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|_| *first == b'%').and_then(|two| std::str::from_utf8(two).ok());
        match digits.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_read_out_of_their_url_form() {
        assert_eq!(decoded("%7B%22a%22%3A%22%C3%A4 100%%22%7D"), "{\"a\":\"ä 100%\"}");
        assert_eq!(decoded("{}"), "{}");
        assert_eq!(decoded("%4"), "%4");
    }
}

//! What Organizations shows and demands, without any document being published.

use std::time::Duration;

use aws_sdk_bedrock::error::SdkError;
use aws_sdk_organizations::config::retry::RetryConfig;
use aws_sdk_organizations::operation::list_roots::ListRootsError;
use aws_sdk_organizations::types::{Account, PolicyType};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use crate::answered::AwsRefusal;
use crate::calls::Halt;
use crate::experiment::{Experiment, Need, Verdict};
use crate::lab::Lab;
use crate::policies::nothing;

/// The service whose trusted access is asked about.
const BEDROCK: &str = "bedrock.amazonaws.com";
/// More calls than the burst of ListRoots, which is two, and the rate of one a second let through.
const BURST: usize = 6;

pub(super) const EXPERIMENTS: &[Experiment] = &[
    Experiment {
        switch: "paths",
        question: "does Organizations show the path of an account?",
        positions: &["present", "absent"],
        needs: &[Need::Management],
        makes: "",
        method: "DescribeAccount of the throw-away account: is there a path?",
        observe: |lab| Box::pin(paths(lab)),
    },
    Experiment {
        switch: "empty-pages",
        question: "do lists have empty pages with a token?",
        positions: &["on", "off"],
        needs: &[Need::Management],
        makes: "",
        method: "every page of ListAccounts: is one empty and has a token? That none is proves \
                 nothing about other days",
        observe: |lab| Box::pin(empty_pages(lab)),
    },
    Experiment {
        switch: "throttling",
        question: "are the published rates of Organizations kept to?",
        positions: &["on", "off"],
        needs: &[Need::Management],
        makes: "",
        method: "six times ListRoots at once, whose burst is two: is one refused?",
        observe: |lab| Box::pin(throttling(lab)),
    },
    Experiment {
        switch: "trusted-access-needed",
        question: "do Bedrock policies need trusted access of bedrock.amazonaws.com?",
        positions: &["on", "off"],
        needs: &[Need::Management],
        makes: "a Bedrock policy without configurations, attached to the account",
        method: "EnablePolicyType and AttachPolicy in an organization that doesn't trust it: are they refused with \
                 SERVICE_ACCESS_NOT_ENABLED?",
        observe: |lab| Box::pin(trusted_access(lab)),
    },
    Experiment {
        switch: "policies-for-target",
        question: "in which order does ListPoliciesForTarget list?",
        positions: &["by-id", "by-attachment"],
        needs: &[Need::PolicyType],
        makes: "three Bedrock policies without configurations, attached to the account",
        method: "attached in the falling order of their ids: in which order are they listed?",
        observe: |lab| Box::pin(policies_for_target(lab)),
    },
];

async fn paths(lab: &Lab) -> Result<Verdict, Halt> {
    let client = lab.cloud.organizations()?;
    let account = &lab.cloud.member.account;
    let said = lab
        .calls
        .call("DescribeAccount", async || client.describe_account().account_id(account).send().await);
    let said = said.await??;
    let paths = said.account().map(Account::paths).unwrap_or_default();
    Ok(match paths.len() {
        0 => Verdict::position("absent", "DescribeAccount showed no path"),
        number => Verdict::position("present", format!("DescribeAccount showed {number}")),
    })
}

async fn empty_pages(lab: &Lab) -> Result<Verdict, Halt> {
    let client = lab.cloud.organizations()?;
    let (mut pages, mut token) = (0, None::<String>);
    loop {
        let page = lab
            .calls
            .call("ListAccounts", async || client.list_accounts().set_next_token(token.clone()).send().await);
        let page = page.await??;
        pages += 1;
        match page.next_token() {
            Some(_) if page.accounts().is_empty() => {
                return Ok(Verdict::position("on", format!("page {pages} of ListAccounts was empty")));
            }
            Some(next) => token = Some(next.to_owned()),
            None => break,
        }
    }
    let seen = format!("none of {pages} pages of ListAccounts was; AWS says that it may happen");
    Ok(Verdict::position("off", seen))
}

async fn throttling(lab: &Lab) -> Result<Verdict, Halt> {
    let config = aws_sdk_organizations::config::Builder::from(
        &lab.cloud.side(crate::cloud::Party::Management)?.config,
    );
    let client =
        aws_sdk_organizations::Client::from_conf(config.retry_config(RetryConfig::disabled()).build());
    let ask = || lab.calls.once("ListRoots", async || client.list_roots().send().await);
    let (one, two, three, four, five, six) = tokio::join!(ask(), ask(), ask(), ask(), ask(), ask());
    let refusals: Vec<AwsRefusal> =
        [one?, two?, three?, four?, five?, six?].into_iter().filter_map(Result::err).collect();
    Ok(judge_throttling(&refusals))
}

fn judge_throttling(refusals: &[AwsRefusal]) -> Verdict {
    let throttled = refusals.iter().filter(|refusal| refusal.is_throttled()).count();
    match refusals {
        [] => Verdict::position("off", format!("{BURST} calls at once were answered")),
        _ if throttled > 0 => {
            Verdict::position("on", format!("{throttled} of {BURST} calls at once were refused"))
        }
        [other, ..] => Verdict::not_found_out(other.to_string()),
    }
}

async fn trusted_access(lab: &Lab) -> Result<Verdict, Halt> {
    let is_trusted = trusts_bedrock(lab).await?;
    let already = || {
        Verdict::not_found_out(
            "the organization trusts bedrock.amazonaws.com already, and that isn't taken away",
        )
    };
    if is_trusted {
        return Ok(already());
    }
    let enabled = match lab.policy_type().await {
        Err(Halt::Because(why)) => return Ok(Verdict::not_tried(why)),
        enabled => enabled?,
    };
    let attached = match enabled {
        Ok(()) => {
            let policy = lab.make_policy("trust", &nothing()).await??;
            lab.attach(&policy, &lab.cloud.member.account).await?
        }
        Err(refusal) => Err(refusal),
    };
    Ok(judge_trusted_access(&attached))
}

fn judge_trusted_access(attached: &Result<(), AwsRefusal>) -> Verdict {
    match attached {
        Ok(()) => Verdict::position("off", "a policy was attached, and nothing trusts bedrock.amazonaws.com"),
        Err(refusal) if refusal.wants_trusted_access() => {
            Verdict::position("on", format!("{refusal}. Enable it, and run the rest again"))
        }
        Err(refusal) => Verdict::not_found_out(refusal.to_string()),
    }
}

async fn trusts_bedrock(lab: &Lab) -> Result<bool, Halt> {
    let client = lab.cloud.organizations()?;
    let mut token: Option<String> = None;
    loop {
        let page = lab.calls.call("ListAWSServiceAccessForOrganization", async || {
            client.list_aws_service_access_for_organization().set_next_token(token.clone()).send().await
        });
        let page = page.await??;
        if page.enabled_service_principals().iter().any(|one| one.service_principal() == Some(BEDROCK)) {
            return Ok(true);
        }
        match page.next_token() {
            Some(next) => token = Some(next.to_owned()),
            None => return Ok(false),
        }
    }
}

async fn policies_for_target(lab: &Lab) -> Result<Verdict, Halt> {
    let account = &lab.cloud.member.account;
    let mut ids = Vec::new();
    for label in ["order-a", "order-b", "order-c"] {
        ids.push(lab.make_policy(label, &nothing()).await??);
    }
    ids.sort();
    ids.reverse();
    for id in &ids {
        lab.attach(id, account).await??;
    }
    let limit = Duration::from_secs(30);
    let all = lab.calls.until(limit, async || {
        let listed = attached_policies(lab, account).await?;
        Ok(Some(listed).filter(|listed| listed.len() == ids.len()))
    });
    let Some(listed) = all.await? else {
        return Ok(Verdict::not_found_out("ListPoliciesForTarget didn't list what was attached"));
    };
    Ok(judge_order(&ids, &listed))
}

fn judge_order(attached: &[String], listed: &[String]) -> Verdict {
    if listed == attached {
        Verdict::position("by-attachment", "in the order in which they were attached")
    } else if listed.iter().rev().eq(attached) {
        Verdict::position("by-id", "in the rising order of their ids, which is not that of their attachment")
    } else {
        Verdict::otherwise("neither by id nor in the order of attachment")
    }
}

async fn attached_policies(lab: &Lab, target: &str) -> Result<Vec<String>, Halt> {
    let client = lab.cloud.organizations()?;
    let (mut ids, mut token) = (Vec::new(), None::<String>);
    loop {
        let page = lab.calls.call("ListPoliciesForTarget", async || {
            let list = client.list_policies_for_target().target_id(target).filter(PolicyType::BedrockPolicy);
            list.set_next_token(token.clone()).send().await
        });
        let page = page.await??;
        ids.extend(page.policies().iter().filter_map(|policy| policy.id()).map(str::to_owned));
        match page.next_token() {
            Some(next) => token = Some(next.to_owned()),
            None => return Ok(ids),
        }
    }
}

/// The organization's root, and whether the policy type is on there.
pub(crate) async fn root(
    lab: &crate::calls::Calling,
    cloud: &crate::cloud::TwoAccounts,
) -> Result<(String, bool), Halt> {
    let client = cloud.organizations()?;
    let mut token: Option<String> = None;
    loop {
        let page = lab.call("ListRoots", async || -> Result<_, SdkError<ListRootsError, HttpResponse>> {
            client.list_roots().set_next_token(token.clone()).send().await
        });
        let page = page.await??;
        if let Some(root) = page.roots().first() {
            let is_on = root.policy_types().iter().any(|one| {
                one.r#type() == Some(&PolicyType::BedrockPolicy)
                    && one.status().is_some_and(|status| status.as_str() == "ENABLED")
            });
            return Ok((root.id().unwrap_or_default().to_owned(), is_on));
        }
        match page.next_token() {
            Some(next) => token = Some(next.to_owned()),
            None => return Err(Halt::Because("the organization has no root".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_order_is_neither() {
        let ids = |text: &str| text.chars().map(String::from).collect::<Vec<_>>();
        let answer = |listed: &str| judge_order(&ids("cba"), &ids(listed)).answer;
        assert_eq!(answer("cba"), Verdict::position("by-attachment", "").answer);
        assert_eq!(answer("abc"), Verdict::position("by-id", "").answer);
        assert!(matches!(answer("bac"), crate::experiment::Learned::Otherwise(_)));
    }
}

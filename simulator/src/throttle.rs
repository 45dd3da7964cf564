//! Token buckets at the published rates.

use std::collections::HashMap;
use std::time::Duration;

/// What may be asked for how often. Calls of one row share their limit.
struct Rate {
    service: &'static str,
    operations: &'static [&'static str],
    /// Calls per second and at once, by each account.
    account: (f64, f64),
    /// The same by all accounts of the organization together, where that is published.
    organization: Option<(f64, f64)>,
}

const fn rate(
    service: &'static str,
    operations: &'static [&'static str],
    per_second: f64,
    burst: f64,
) -> Rate {
    Rate { service, operations, account: (per_second, burst), organization: None }
}

impl Rate {
    const fn of_all(mut self, per_second: f64, burst: f64) -> Rate {
        self.organization = Some((per_second, burst));
        self
    }
}

const ORGANIZATIONS: &str = "organizations";

/// The published rates (aws-facts §5, organization-policies §1.8). What isn't listed isn't limited: Bedrock's
/// control-plane rates are not known.
const RATES: [Rate; 20] = [
    rate(ORGANIZATIONS, &["ListAccounts"], 8.0, 12.0).of_all(9.0, 15.0),
    rate(ORGANIZATIONS, &["DescribeAccount"], 20.0, 30.0).of_all(24.0, 36.0),
    rate(ORGANIZATIONS, &["ListParents"], 5.0, 8.0),
    rate(ORGANIZATIONS, &["ListAccountsForParent"], 5.0, 8.0),
    rate(ORGANIZATIONS, &["ListOrganizationalUnitsForParent"], 5.0, 8.0),
    rate(ORGANIZATIONS, &["ListChildren"], 6.0, 10.0),
    rate(ORGANIZATIONS, &["ListRoots"], 1.0, 2.0),
    rate(ORGANIZATIONS, &["DescribeOrganization"], 1.0, 2.0),
    rate(ORGANIZATIONS, &["MoveAccount"], 2.0, 3.0),
    rate(ORGANIZATIONS, &["ListTagsForResource"], 10.0, 15.0),
    rate(ORGANIZATIONS, &["CreateAccount"], 0.1, 3.0),
    // Whether the four share their limit is not said; a client has to live with it.
    rate(ORGANIZATIONS, &["CreatePolicy", "DeletePolicy", "AttachPolicy", "DetachPolicy"], 2.0, 3.0),
    rate(ORGANIZATIONS, &["UpdatePolicy"], 2.0, 3.0),
    rate(ORGANIZATIONS, &["DescribePolicy"], 2.0, 2.0).of_all(2.0, 3.0),
    rate(ORGANIZATIONS, &["EnablePolicyType", "DisablePolicyType"], 1.0, 1.0),
    rate(ORGANIZATIONS, &["ListPolicies", "ListPoliciesForTarget", "ListTargetsForPolicy"], 5.0, 8.0)
        .of_all(6.0, 10.0),
    rate("sts", &["AssumeRole", "GetCallerIdentity"], 600.0, 600.0),
    rate("ssm", &["GetParameter", "GetParameters"], 40.0, 40.0),
    rate("ssm", &["PutParameter"], 3.0, 3.0),
    rate("ssm", &["DescribeParameters"], 3.0, 3.0),
];

/// What has no published rate, and so one of the settings.
const EFFECTIVE_READS: [&str; 3] = [
    "DescribeEffectivePolicy",
    "ListAccountsWithInvalidEffectivePolicy",
    "ListEffectivePolicyValidationErrors",
];

/// The buckets of every account and Region.
///
/// They fill with the time of the machine, not of the model: clients back off in real time, and a clock that
/// stands still would throttle them for ever.
#[derive(Clone, Debug, Default)]
pub(crate) struct Throttle {
    buckets: HashMap<(usize, String, String), Bucket>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    filled_at: Duration,
}

impl Throttle {
    /// Takes a token; says whether there was one. `effective_reads` is how many of the reads without a published rate
    /// an account may make in a second, or 0.
    pub(crate) fn take(
        &mut self,
        service: &str,
        operation: &str,
        account: &str,
        region: &str,
        elapsed: Duration,
        effective_reads: u32,
    ) -> bool {
        if service == ORGANIZATIONS && EFFECTIVE_READS.contains(&operation) {
            let rate = f64::from(effective_reads);
            return effective_reads == 0 || self.take_from((RATES.len(), account, ""), (rate, rate), elapsed);
        }
        let limited = |rate: &Rate| rate.service == service && rate.operations.contains(&operation);
        let Some(index) = RATES.iter().position(limited) else { return true };
        // Organizations is one endpoint for all Regions.
        let region = if service == ORGANIZATIONS { "" } else { region };
        self.take_from((index, account, region), RATES[index].account, elapsed)
            && RATES[index].organization.is_none_or(|rate| self.take_from((index, "", region), rate, elapsed))
    }

    fn take_from(
        &mut self,
        (index, account, region): (usize, &str, &str),
        (rate, burst): (f64, f64),
        elapsed: Duration,
    ) -> bool {
        let bucket = self
            .buckets
            .entry((index, account.to_owned(), region.to_owned()))
            .or_insert(Bucket { tokens: burst, filled_at: elapsed });
        let since = elapsed.saturating_sub(bucket.filled_at).as_secs_f64();
        bucket.tokens = (bucket.tokens + since * rate).min(burst);
        bucket.filled_at = elapsed;
        if bucket.tokens < 1.0 {
            return false;
        }
        bucket.tokens -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_ONCE: Duration = Duration::ZERO;

    #[test]
    fn a_burst_is_followed_by_the_rate() {
        let mut throttle = Throttle::default();
        let mut take =
            |seconds| throttle.take(ORGANIZATIONS, "ListRoots", "1", "r", Duration::from_secs(seconds), 0);
        assert!(take(0) && take(0), "the burst of two");
        assert!(!take(0), "nothing is left");
        assert!(take(1), "one a second");
        assert!(!take(1));
    }

    #[test]
    fn writes_of_policies_share_their_rate() {
        let mut throttle = Throttle::default();
        let mut take = |operation| throttle.take(ORGANIZATIONS, operation, "1", "r", AT_ONCE, 0);
        assert!(take("CreatePolicy") && take("AttachPolicy") && take("DetachPolicy"));
        assert!(!take("DeletePolicy"), "the burst of three");
        assert!(take("UpdatePolicy"), "which has a rate of its own");
    }

    #[test]
    fn the_accounts_of_an_organization_share_a_rate_besides() {
        let mut throttle = Throttle::default();
        let mut take = |account| throttle.take(ORGANIZATIONS, "DescribePolicy", account, "r", AT_ONCE, 0);
        assert!(take("1") && take("1") && !take("1"), "two of one account");
        assert!(take("2") && !take("2"), "and three of all");
    }

    #[test]
    fn effective_policies_are_read_as_often_as_is_set() {
        let mut throttle = Throttle::default();
        let mut take = |limit| throttle.take(ORGANIZATIONS, EFFECTIVE_READS[0], "1", "r", AT_ONCE, limit);
        assert!((0..9).all(|_| take(0)), "without a limit");
        assert!(take(2) && take(2) && !take(2));
    }
}

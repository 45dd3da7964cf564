//! Token buckets at the published rates.

use std::collections::HashMap;
use std::time::Duration;

/// Calls per second and at once, by service and operation (aws-facts §5). What isn't listed isn't limited:
/// Bedrock's control-plane rates are not known.
const RATES: [(&str, &str, f64, f64); 17] = [
    ("organizations", "ListAccounts", 8.0, 12.0),
    ("organizations", "DescribeAccount", 20.0, 30.0),
    ("organizations", "ListParents", 5.0, 8.0),
    ("organizations", "ListAccountsForParent", 5.0, 8.0),
    ("organizations", "ListOrganizationalUnitsForParent", 5.0, 8.0),
    ("organizations", "ListChildren", 6.0, 10.0),
    ("organizations", "ListRoots", 1.0, 2.0),
    ("organizations", "DescribeOrganization", 1.0, 2.0),
    ("organizations", "MoveAccount", 2.0, 3.0),
    ("organizations", "ListTagsForResource", 10.0, 15.0),
    ("organizations", "CreateAccount", 0.1, 3.0),
    ("sts", "AssumeRole", 600.0, 600.0),
    ("sts", "GetCallerIdentity", 600.0, 600.0),
    ("ssm", "GetParameter", 40.0, 40.0),
    ("ssm", "GetParameters", 40.0, 40.0),
    ("ssm", "PutParameter", 3.0, 3.0),
    ("ssm", "DescribeParameters", 3.0, 3.0),
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
    /// Takes a token; says whether there was one.
    pub(crate) fn take(
        &mut self,
        service: &str,
        operation: &str,
        account: &str,
        region: &str,
        elapsed: Duration,
    ) -> bool {
        let limited = |rate: &(&str, &str, f64, f64)| rate.0 == service && rate.1 == operation;
        let Some(index) = RATES.iter().position(limited) else { return true };
        let (_, _, rate, burst) = RATES[index];
        // Organizations is one endpoint for all Regions, and STS shares its limit over its calls.
        let region = if service == "organizations" { "" } else { region };
        let index = if service == "sts" {
            RATES.iter().position(|rate| rate.0 == "sts").unwrap_or(index)
        } else {
            index
        };
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

    #[test]
    fn a_burst_is_followed_by_the_rate() {
        let mut throttle = Throttle::default();
        let mut take =
            |seconds| throttle.take("organizations", "ListRoots", "1", "r", Duration::from_secs(seconds));
        assert!(take(0) && take(0), "the burst of two");
        assert!(!take(0), "nothing is left");
        assert!(take(1), "one a second");
        assert!(!take(1));
    }
}

//! Trails of CloudTrail, as far as their settings go: nothing is delivered to any bucket.

use serde::{Deserialize, Serialize};

use super::Model;
use super::caller::Caller;
use super::error::ApiError;

/// A trail.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Trail {
    /// Whose it is.
    pub account: String,
    /// Its home Region.
    pub region: String,
    /// Its name.
    pub name: String,
    /// Whether it is for all Regions.
    #[serde(default)]
    pub multi_region: bool,
    /// Whether it is for all accounts of the organization.
    #[serde(default)]
    pub organization: bool,
    /// Whether it is switched on.
    #[serde(default = "yes")]
    pub logging: bool,
    /// Which management events it logs.
    #[serde(default)]
    pub management: ManagementEvents,
    /// The services whose management events it leaves out: KMS, RDS's data API.
    #[serde(default)]
    pub excluded: Vec<String>,
    /// Whether its selectors are shown in the advanced form.
    #[serde(default)]
    pub advanced: bool,
}

fn yes() -> bool {
    true
}

/// Which management events a trail logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ManagementEvents {
    /// All.
    #[default]
    All,
    /// Those that change something.
    Write,
    /// Those that don't.
    Read,
    /// None.
    None,
}

impl Trail {
    /// Its ARN.
    pub fn arn(&self) -> String {
        let Trail { account, region, name, .. } = self;
        format!("arn:aws:cloudtrail:{region}:{account}:trail/{name}")
    }
}

impl Model {
    /// The trails that log for the caller's account in its Region; without the shadows, only those at home.
    pub(crate) fn trails_as(&self, caller: &Caller, shadows: bool) -> Result<Vec<&Trail>, ApiError> {
        self.authorize(caller, "cloudtrail:DescribeTrails", "*")?;
        let seen = |trail: &&Trail| {
            let at_home = trail.region == caller.region && trail.account == caller.account();
            let shadow = trail.region == caller.region || trail.multi_region;
            self.concerns(trail, caller) && (at_home || (shadows && shadow))
        };
        Ok(self.trails.iter().filter(seen).collect())
    }

    /// One trail, by ARN; or by name, at home.
    pub(crate) fn trail_as(&self, caller: &Caller, action: &str, name: &str) -> Result<&Trail, ApiError> {
        let named = |trail: &&Trail| {
            let by_name = trail.name == name && trail.region == caller.region;
            self.concerns(trail, caller)
                && (trail.arn() == name || (by_name && trail.account == caller.account()))
        };
        let trail = self.trails.iter().find(named);
        let resource = trail.map_or_else(|| "*".to_owned(), Trail::arn);
        self.authorize(caller, &format!("cloudtrail:{action}"), &resource)?;
        trail.ok_or_else(|| {
            let message = format!("Unknown trail: {name} for the user: {}", caller.account());
            ApiError::new("TrailNotFoundException", message)
        })
    }

    fn concerns(&self, trail: &Trail, caller: &Caller) -> bool {
        let members = trail.organization && self.member(caller.account()).is_some();
        trail.account == caller.account() || members
    }
}

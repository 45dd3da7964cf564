//! What the keeper asked of AWS in a world, for `tests/permissions`.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use guardrail_keeper::baseline::Baseline;
use simulator::Server;

use crate::world::{FUNCTION_ROLE, MEMBER_ROLE, ORGANIZATION_ROLE, READER};

pub mod record;

/// Knows which parameters of the stack a world asks for.
pub struct Recorder {
    hub: &'static str,
    /// The accounts that own guardrails, by any baseline that was there.
    owners: Mutex<BTreeSet<String>>,
    copies: AtomicBool,
    /// Who writes Bedrock policies, by the word of `calls.txt`; empty for nobody.
    organization: &'static str,
    /// Whether a type of policies that somebody disabled is enabled again.
    repairs_type: bool,
}

impl Recorder {
    pub fn new(
        hub: &'static str,
        (organization, repairs_type): (Option<&str>, bool),
        baseline: &str,
    ) -> Recorder {
        let owners = Mutex::default();
        let organization = match organization {
            None | Some("none") => "",
            Some("own") => "organization",
            Some(_) => "organization-role",
        };
        let recorder = Recorder { hub, owners, copies: AtomicBool::new(false), organization, repairs_type };
        recorder.published(baseline);
        recorder
    }

    /// Whoever once had copies may have leftovers of them.
    pub fn published(&self, baseline: &str) {
        // Whether `auto` comes to copies is for AWS to say: the stack has to allow for them.
        if baseline.contains("placement: copy")
            || baseline.contains("placement: auto")
            || baseline.starts_with("version: 2")
        {
            self.copies.store(true, Ordering::Relaxed);
        }
        if let Ok(baseline) = Baseline::parse(baseline) {
            let owners = baseline.owners().into_iter().map(|owner| owner.to_string());
            self.owners.lock().unwrap_or_else(PoisonError::into_inner).extend(owners);
        }
    }

    /// Records what the function, and whom it became, asked for, and what people read by the role that is
    /// there for it. The terminal's other calls are somebody's own, and so are those of a role that a test
    /// assumed.
    pub fn record(&self, server: &Server) {
        // One failure at a time.
        if thread::panicking() {
            return;
        }
        let owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, function) = FUNCTION_ROLE.rsplit_once('/').expect("a role's ARN has a name");
        for asked in server.asked() {
            let by_the_function = asked.assumed_by.as_deref() == Some(function);
            let role = match (asked.role.as_str(), asked.account.as_str()) {
                (role, account) if role == function && account == self.hub => "function",
                (MEMBER_ROLE, account) if by_the_function && owners.contains(account) => "owner",
                (MEMBER_ROLE, _) if by_the_function => "member",
                (READER, _) => "reader",
                (ORGANIZATION_ROLE, _) if by_the_function => "organization",
                _ => continue,
            };
            let owns = match role {
                "function" => owners.contains(self.hub),
                "reader" => owners.contains(&asked.account),
                _ => false,
            };
            let parts = [
                (self.copies.load(Ordering::Relaxed), "copies"),
                (owns, "owns"),
                (!self.organization.is_empty(), self.organization),
                // All other calls are the same without that parameter.
                (self.repairs_type && asked.operation == "EnablePolicyType", "repairs-type"),
            ];
            let parts: Vec<&str> =
                parts.into_iter().filter(|(holds, _)| *holds).map(|(_, part)| part).collect();
            let deployment = if parts.is_empty() { "-".to_owned() } else { parts.join("+") };
            record::record(&record::Call {
                role,
                deployment: &deployment,
                account: &asked.account,
                service: &asked.service,
                operation: &asked.operation,
                target: asked.target.as_deref(),
                sources: asked.sources.iter().map(String::as_str).collect(),
            });
        }
    }
}

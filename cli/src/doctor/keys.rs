//! The customer managed keys of guardrails: can they be used, and does the key policy admit members?

use keeper_core::baseline::Baseline;
use keeper_core::doctor::{Check, Finding, Place};
use keeper_core::ids::Target;
use keeper_core::resolved::{CustomerKey, KeyState};
use keeper_core::resource_policy::AccessVerdict;

/// Whether the customer managed key of a guardrail lets the organization's callers use it.
pub(super) fn finding(baseline: &Baseline, owner: &Target, key: &CustomerKey) -> Finding {
    let here = Check::Guardrails.at(Place::target(&owner.account, &owner.region));
    let admit =
        "allow kms:Decrypt to the organization in the key policy: docs/resource-policy.md has the statement";
    let finding = match (&key.state, key.admits_organization(&baseline.organization)) {
        (KeyState::Unknown { why }, _) => here.unknown(
format!("it isn't known whether its KMS key can be used: {why}"),
            "deploy the present deploy/owner.yaml: the owner's role needs kms:DescribeKey and kms:GetKeyPolicy",
        ),
        (KeyState::Unusable { state }, _) => here.problem(
format!("its KMS key is {state}, so calls under it fail"),
            "enable the key, or publish a version of a guardrail without it",
        ),
        (KeyState::Enabled, None) => here.unknown(
"its key policy can't be read, so it isn't known whether members may decrypt",
            "deploy the present deploy/owner.yaml: the owner's role needs kms:GetKeyPolicy",
        ),
        (KeyState::Enabled, Some(AccessVerdict::Granted)) => {
            here.ok("its KMS key is enabled, and lets the organization decrypt")
        }
        (KeyState::Enabled, Some(verdict @ AccessVerdict::Unclear(_))) => here.unknown(
format!("it isn't known whether its KMS key lets every member decrypt: {verdict}"),
            admit,
        ),
        (KeyState::Enabled, Some(verdict @ AccessVerdict::NotGranted(_))) => here.problem(
format!("its KMS key doesn't let every member decrypt: {verdict}"),
            admit,
        ),
    };
    finding.detailed(key.arn.to_string())
}

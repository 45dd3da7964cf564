//! Every reason for holding something, as a person and a metric get it.

use super::*;
use crate::placement::PlacementWait;
use crate::resource_policy::Resource;

fn failed(category: Category) -> Failure {
    Failure { category, ..denied() }
}

fn reasons() -> Vec<HoldReason> {
    let revision = || "0123456789abcdef".parse().unwrap();
    let by = || Some(ADMIN.to_owned());
    let gone = || Unusable::NotFound { name: "corporate-baseline".parse().unwrap() };
    let names_nobody: NamedIds = serde_json::from_str(r#"["ou-ab12-cdefghij"]"#).unwrap();
    vec![
        HoldReason::NotOurs { by: by() },
        HoldReason::NotOurs { by: None },
        HoldReason::NoDurableLedger,
        HoldReason::LedgerUnavailable,
        HoldReason::Unreadable { failure: denied() },
        HoldReason::Unreadable { failure: failed(Category::NotReady) },
        HoldReason::Unusable { unusable: gone() },
        HoldReason::ChangedBySomeoneElse { by: by() },
        HoldReason::ChangedBySomeoneElse { by: None },
        HoldReason::Mode { mode: Mode::EnforceOnly },
        HoldReason::ProbeFailed { failure: failed(Category::Transient) },
        HoldReason::ProbeBlocked { by: "word policy".to_owned() },
        HoldReason::ProbeBlocked { by: String::new() },
        HoldReason::MayBeEnforced { doubt: UseDoubt::Target(target()) },
        HoldReason::ResourcePolicy { why: "it denies everybody".to_owned() },
        HoldReason::NotProven,
        HoldReason::ReleasesAdopted { revision: revision(), by: by() },
        HoldReason::ReleasesAdopted { revision: revision(), by: None },
        HoldReason::NotApproved { revision: revision(), names_nobody: NamedIds::default() },
        HoldReason::NotApproved { revision: revision(), names_nobody },
        HoldReason::NotCounted { revision: revision() },
        HoldReason::TooManyMoves { revision: revision() },
        HoldReason::PlacementUndecided { wait: PlacementWait::CopyComes },
        HoldReason::NotReviewed,
        HoldReason::Interrupted,
        HoldReason::AccountStateUnknown { state: AccountState::Other("HIBERNATING".to_owned()) },
        HoldReason::Contested { by: by() },
        HoldReason::Contested { by: None },
        HoldReason::NotConfirmed,
        HoldReason::TooManyUnusable { revision: revision(), releases: 12 },
        HoldReason::Unguarded { unusable: gone() },
    ]
}

fn unusable() -> Vec<Unusable> {
    let arn = || enforcement("base", 2).guardrail;
    let version = GuardrailVersion::new(2).unwrap();
    let name = || "corporate-baseline".parse().unwrap();
    let missing =
        |newest| Unusable::Missing { guardrail: arn(), version, newest: GuardrailVersion::new(newest).ok() };
    let not_granted = |being_mended| Unusable::NotGranted {
        resource: Box::new(Resource::Guardrail(arn())),
        why: "it has no resource policy".to_owned(),
        being_mended,
        certain: true,
    };
    let key =
        || "arn:aws:kms:eu-west-1:222222222222:key/11111111-2222-3333-4444-555555555555".parse().unwrap();
    vec![
        Unusable::NotFound { name: name() },
        Unusable::Ambiguous { name: name(), count: 2 },
        missing(0),
        missing(1),
        missing(3),
        Unusable::AnswersDisagree { guardrail: arn(), version },
        Unusable::OnlyDraft { guardrail: arn() },
        Unusable::NotReady { status: "FAILED".to_owned().into() },
        Unusable::NotReady { status: "CREATING".to_owned().into() },
        Unusable::AutomatedReasoning,
        not_granted(true),
        not_granted(false),
        Unusable::KeyUnusable { key: key(), state: "Disabled".to_owned() },
        Unusable::KeyNotShared { key: key(), why: "no statement allows it".to_owned() },
        Unusable::Unreadable { failure: denied() },
        Unusable::CannotCopy { why: "it has a member that the keeper doesn't know".to_owned() },
        Unusable::CopyUnreadable { failure: failed(Category::Transient) },
        Unusable::CopyNeeded { step: "create the copy".to_owned() },
    ]
}

fn yes(word: &str, is_so: bool) -> String {
    if is_so { format!(" [{word}]") } else { String::new() }
}

#[test]
fn each_reason_has_a_code_a_sentence_and_says_whether_waiting_helps() {
    let mut table = String::new();
    for reason in reasons() {
        let (waits, approval) = (reason.is_worth_waiting(), reason.waits_for_approval());
        let flags = yes("waits", waits) + &yes("approval", approval);
        table += &format!("{}{flags}: {reason}\n", reason.code());
    }
    for reason in unusable() {
        let flags = yes("waits", reason.is_worth_waiting()) + &yes("certain", reason.is_certain());
        table += &format!("{}{flags}: {reason}\n", reason.code());
    }
    expect![[r#"
        not_ours: another configuration is enforced there, made by arn:aws:sts::300000000001:assumed-role/Admin/alice: to replace it, write `existing: replace`
        not_ours: another configuration is enforced there, which isn't ours: to replace it, write `existing: replace`
        no_durable_ledger: `existing: replace` needs a ledger that lasts, to keep what was there: set KEEPER_LEDGER
        ledger_unavailable [waits]: the ledger could not be read or written, and nothing is written without a record: see its error in the log; the next run tries again
        unreadable.denied: could not be read: AssumeRole: AccessDenied: not authorized (denied)
        unreadable.not_ready [waits]: could not be read: AssumeRole: AccessDenied: not authorized (not ready)
        not_found: no guardrail named corporate-baseline in this Region of the owner account: create it there, or take the Region out of the baseline
        changed_by_someone_else: to be released, but changed since by arn:aws:sts::300000000001:assumed-role/Admin/alice: release it by hand, or put it back first
        changed_by_someone_else: to be released, but changed by someone else since: release it by hand, or put it back first
        mode: mode enforce-only doesn't write this
        probe_failed.transient [waits]: the account can't apply the guardrail, so enforcing it would break its calls: AssumeRole: AccessDenied: not authorized (transient)
        probe_blocked: the guardrail stops even the harmless text "Hello." (by its word policy), so enforcing it would stop the account's calls: correct it and publish a new version; if it is meant to, write `on_blocked_probe: enforce` in the baseline
        probe_blocked: the guardrail stops even the harmless text "Hello.", so enforcing it would stop the account's calls: correct it and publish a new version; if it is meant to, write `on_blocked_probe: enforce` in the baseline
        may_be_enforced: the grant is no longer needed, but 300000000001/eu-west-1 can't be read and may still enforce the guardrail
        policy: its resource policy is left as it is: it denies everybody
        not_proven: no probe has shown that the account can apply the guardrail
        releases_adopted [approval]: made by arn:aws:sts::300000000001:assumed-role/Admin/alice and adopted by the keeper, so its release always needs an approval: read the plan, then run guardrailctl approve 0123456789abcdef
        releases_adopted [approval]: made by another principal and adopted by the keeper, so its release always needs an approval: read the plan, then run guardrailctl approve 0123456789abcdef
        not_approved [approval]: baseline 0123456789abcdef replaces or releases more than its limits allow: read the plan, then approve it
        not_approved [approval]: baseline 0123456789abcdef names an id that matches no account of the organization (ou-ab12-cdefghij): correct the id, or approve the baseline if it is right
        not_counted [waits]: the changes of baseline 0123456789abcdef are still being counted
        too_many_moves [approval]: moves of accounts within a day take away or change more guardrails than the limits allow: check in Organizations where the accounts are now, then approve 0123456789abcdef
        placement_undecided [waits]: AWS refuses the owner's guardrail in members, so this account gets a copy, which the next look creates
        not_reviewed: this change is not in the plan that was read, because the target or the baseline changed since: run the command again and read the new plan
        interrupted [waits]: not begun: the program was asked to end first
        account_state_unknown: the account is in a state that this version doesn't know (HIBERNATING); nothing is released or replaced there until it is active: look at it in Organizations
        contested [waits]: arn:aws:sts::300000000001:assumed-role/Admin/alice undoes each repair: stop it, or change the baseline; the next repair waits
        contested [waits]: another principal undoes each repair: find out in CloudTrail who does; the next repair waits
        not_confirmed [waits]: `on_unusable: release` releases it once a second look, minutes after the first, confirms it and the targets to release are counted
        too_many_unusable [approval]: `on_unusable: release` would release 12 targets, more than the limit max_releases allows: restore the guardrail, or approve 0123456789abcdef to release them
        unguarded [waits]: UNGUARDED: the enforcement was released because its guardrail can't be used, and what is wanted can't be enforced: no guardrail named corporate-baseline in this Region of the owner account: create it there, or take the Region out of the baseline
        not_found [certain]: no guardrail named corporate-baseline in this Region of the owner account: create it there, or take the Region out of the baseline
        ambiguous [certain]: 2 guardrails are named corporate-baseline in this Region: give its ARN in the baseline
        missing [certain]: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
        missing [certain]: guardrail base has no version 2 in this Region, its newest is 1: put that into the baseline, or publish a version and put the number that AWS gives it
        missing [certain]: version 2 of guardrail base was deleted in this Region, and AWS never uses a number again: publish a new version, and put its number into the baseline
        answers_disagree [waits]: AWS contradicts itself: ListGuardrails shows version 2 of guardrail base, and GetGuardrail doesn't find it; the keeper asks again soon, and holds the target until both agree
        only_draft [certain]: guardrail base has only a draft, which can't be enforced: publish a version, and give its number in the baseline
        not_ready [certain]: the guardrail is FAILED, not READY
        not_ready [waits]: the guardrail is CREATING, not READY
        automated_reasoning [certain]: it carries an Automated Reasoning policy, which fails every call when enforced: publish a version without one
        not_granted [waits] [certain]: arn:aws:bedrock:eu-west-1:222222222222:guardrail/base isn't granted to the organization yet: it has no resource policy
        not_granted [certain]: arn:aws:bedrock:eu-west-1:222222222222:guardrail/base isn't granted to the organization (it has no resource policy), and the keeper can't change its policy here
        key_unusable [certain]: its KMS key arn:aws:kms:eu-west-1:222222222222:key/11111111-2222-3333-4444-555555555555 is Disabled, so every call under it would fail: enable the key, or publish a version without it
        key_not_shared: its KMS key arn:aws:kms:eu-west-1:222222222222:key/11111111-2222-3333-4444-555555555555 does not let this account decrypt (no statement allows it): allow kms:Decrypt to the organization in the key policy
        owner_unreadable.denied: the owner account could not be read: AssumeRole: AccessDenied: not authorized (denied)
        cannot_copy: it can't be copied: it has a member that the keeper doesn't know
        copy_unreadable.transient [waits]: the account's copy could not be read: AssumeRole: AccessDenied: not authorized (transient)
        copy_needed: the account's copy isn't up to date: create the copy
    "#]]
    .assert_eq(&table);
}

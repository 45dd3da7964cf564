//! What must hold of any bytes that arrive, whoever made them up.
//!
//! Shared by the fuzz target and by `tests/events`, which runs it on stable with a fixed number of cases.

use std::collections::BTreeSet;

use keeper_core::ids::{AccountId, Region, Role};
use keeper_core::own_roles::OwnRoles;
use keeper_core::trigger::{
    Accounts, Context, Delivery, Guardrails, Known, Regions, Scope, Trigger, decide, line, merge,
};

/// The settings that the samples in `events/` are judged by.
pub(crate) fn settings() -> Context {
    Context {
        own_roles: OwnRoles {
            function: Some(
                Role::parse_arn("arn:aws:iam::111111111111:role/GuardrailKeeperFunction").expect("a role"),
            ),
            members: BTreeSet::from(["GuardrailKeeperMember".parse().expect("a name")]),
            former: BTreeSet::from(["FormerKeeper".parse().expect("a name")]),
        },
        baseline_parameter: Some("/guardrail-keeper/baseline".to_owned()),
        approval_parameter: Some("/guardrail-keeper/approval".to_owned()),
        controls_path: Some("/guardrail-keeper/controls".to_owned()),
        hub: Some("111111111111".parse().expect("an account")),
        baseline: Some(Known {
            owners: ["222222222222".parse().expect("an account")].into(),
            // The example baseline's placement is `auto`, so that any account may have a copy.
            copies: true,
            regions: ["us-east-1", "eu-west-1"]
                .map(|region| {
                    let owner = "222222222222".parse().expect("an account");
                    (region.parse().expect("a Region"), [(owner, Guardrails::Any)].into())
                })
                .into(),
        }),
        now: None,
        max_age_seconds: None,
    }
}

/// The same for a baseline whose placement is central: no account has a copy.
pub(crate) fn central_settings() -> Context {
    let mut central = settings();
    if let Some(baseline) = &mut central.baseline {
        baseline.copies = false;
    }
    central
}

/// The same with everything that can be different.
fn other_settings() -> [Context; 2] {
    let mut central = central_settings();
    if let Some(baseline) = &mut central.baseline {
        let none = baseline.owners.iter().map(|owner| (owner.clone(), Guardrails::Only(BTreeSet::new())));
        let none = none.collect();
        baseline.regions.insert("us-east-1".parse().expect("a Region"), none);
    }
    central.now = Some(1_800_000_000);
    central.max_age_seconds = Some(86_400);
    [Context::default(), central]
}

/// Decides on these bytes in every form in which they can arrive, and checks what must hold of any answer.
pub(crate) fn check(bytes: &[u8]) {
    for context in std::iter::once(settings()).chain(other_settings()) {
        let alone = decide(bytes, &context);
        check_line(&alone);
        assert_eq!(decide(bytes, &context), alone, "the same bytes, the same answer");
        // The handler goes by this: what needs no look without a baseline needs none with any.
        let unread = decide(bytes, &Context { baseline: None, ..context.clone() });
        if !matches!(unread, Trigger::Reconcile(_)) {
            assert_eq!(unread, alone, "a baseline only narrows");
        }

        let mut scopes = Vec::new();
        for (_, trigger) in Delivery::parse(bytes).decide(&context) {
            check_line(&trigger);
            scopes.extend(reconciled(trigger));
        }
        check_merge(&scopes);

        if let Ok(body) = std::str::from_utf8(bytes) {
            let record = serde_json::json!({ "messageId": "m", "eventSource": "aws:sqs", "body": body });
            let batch = serde_json::json!({ "Records": [record, { "messageId": "n" }] }).to_string();
            let delivery = Delivery::parse(&batch);
            let answers = delivery.decide(&context);
            let [(Some("m"), first), (Some("n"), Trigger::Reject(_))] = answers.as_slice() else {
                panic!("each record has its own answer: {answers:?}");
            };
            assert_eq!(*first, alone, "a batch changes nothing");
        }
    }
}

fn reconciled(trigger: Trigger) -> Option<Scope> {
    match trigger {
        Trigger::Reconcile(scope) => Some(*scope),
        Trigger::Departed { .. }
        | Trigger::BedrockPolicies { .. }
        | Trigger::Ignore(_)
        | Trigger::Reject(_) => None,
    }
}

fn check_line(trigger: &Trigger) {
    if let Trigger::Reconcile(scope) = trigger {
        assert_ne!(scope.accounts, Accounts::Only(BTreeSet::new()));
        assert_ne!(scope.regions, Regions::Only(BTreeSet::new()));
        assert!(!scope.reasons.is_empty());
    }
    let line = line("file", None, trigger);
    assert!(!line.to_string().contains('\n'), "one line for people: {line}");
    let json = serde_json::to_value(&line).expect("a line is JSON");
    let nothing = serde_json::json!([]);
    match json["outcome"].as_str() {
        Some("reconcile") => assert!(json["accounts"] != nothing && json["regions"] != nothing),
        Some("departed") => assert!(json["accounts"] != nothing && json["guardrail"].is_null()),
        Some("bedrock_policies" | "ignore" | "reject") => {
            assert!(json["accounts"] == nothing && json["regions"] == nothing && json["guardrail"].is_null());
        }
        other => panic!("not an outcome: {other:?}"),
    }
    assert!(json["reason"].as_str().is_some_and(|reason| !reason.is_empty()));
}

/// What is to be looked at, once scopes are merged.
pub(crate) fn scopes_of_the_work(scopes: impl IntoIterator<Item = Scope>) -> Vec<Scope> {
    merge(scopes).into_iter().map(|work| work.scope).collect()
}

/// Merging loses no target, no event and no reason, whatever the order, and merged twice it stays the same.
pub(crate) fn check_merge(scopes: &[Scope]) {
    let merged = scopes_of_the_work(scopes.iter().cloned());
    for (account, region) in targets(scopes) {
        let covered = merged.iter().any(|scope| covers(scope, &account, &region));
        assert!(covered, "{account}/{region} is lost");
    }
    for scope in scopes {
        assert!(
            scope.accounts != Accounts::All || merged.iter().any(|merged| merged.accounts == Accounts::All)
        );
        assert!(scope.regions != Regions::All || merged.iter().any(|merged| merged.regions == Regions::All));
    }
    let gather = |scopes: &[Scope]| {
        let events: BTreeSet<String> = scopes.iter().flat_map(|scope| scope.events.clone()).collect();
        let reasons: BTreeSet<_> = scopes.iter().flat_map(|scope| scope.reasons.clone()).collect();
        (events, reasons, scopes.iter().filter_map(|scope| scope.since).min())
    };
    assert_eq!(gather(&merged), gather(scopes));
    assert_eq!(scopes_of_the_work(scopes.iter().rev().cloned()), merged, "order doesn't matter");
    check_origins(scopes);
    assert_eq!(scopes_of_the_work(merged.clone()), merged, "merging again changes nothing");
}

/// Each scope is served by work that covers all of it and tells its events.
fn check_origins(scopes: &[Scope]) {
    let merged = merge(scopes.iter().cloned());
    for (position, scope) in scopes.iter().enumerate() {
        let serving: Vec<&Scope> =
            merged.iter().filter(|work| work.from.contains(&position)).map(|work| &work.scope).collect();
        assert!(!serving.is_empty(), "nobody serves {scope}");
        assert!(serving.iter().all(|work| work.events.is_superset(&scope.events)));
        for (account, region) in targets(std::slice::from_ref(scope)) {
            let is_covered = serving.iter().any(|work| covers(work, &account, &region));
            assert!(is_covered, "{account}/{region} is not served for {scope}");
        }
    }
    assert!(merged.iter().all(|work| work.from.iter().all(|position| *position < scopes.len())));
}

fn covers(scope: &Scope, account: &AccountId, region: &Region) -> bool {
    let has_account = match &scope.accounts {
        Accounts::All => true,
        Accounts::Only(accounts) => accounts.contains(account),
    };
    has_account && scope.regions.contain(region)
}

/// Every account with every Region that any scope names, as far as some scope covers the pair.
fn targets(scopes: &[Scope]) -> Vec<(AccountId, Region)> {
    let mut accounts: BTreeSet<AccountId> = BTreeSet::from(["399999999999".parse().expect("an account")]);
    let mut regions: BTreeSet<Region> = BTreeSet::from(["zz-unnamed-1".parse().expect("a Region")]);
    for scope in scopes {
        if let Accounts::Only(only) = &scope.accounts {
            accounts.extend(only.iter().take(20).cloned());
        }
        if let Regions::Only(only) = &scope.regions {
            regions.extend(only.iter().take(20).cloned());
        }
    }
    let pairs = accounts.iter().flat_map(|account| regions.iter().map(move |region| (account, region)));
    pairs
        .filter(|(account, region)| scopes.iter().any(|scope| covers(scope, account, region)))
        .map(|(account, region)| (account.clone(), region.clone()))
        .collect()
}

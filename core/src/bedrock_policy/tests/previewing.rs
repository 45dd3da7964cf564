//! The preview of one change: its table, and the law that it says what the forecasts say.

use super::generators::foreign_document;
use super::*;
use crate::ids::AccountId;
use expect_test::{Expect, expect};
use proptest::prelude::*;

const LEAF: &str = "us-east-1/main/identifier";

fn assign(version: u32) -> String {
    format!(r#"{LEAF}={{"@@assign":"arn:aws:bedrock:us-east-1:222222222222:guardrail/abc123:{version}"}}"#)
}

fn saying(version: u32) -> BedrockPolicy {
    foreign(&[&assign(version)])
}

/// Policies by name, each attached to these points.
fn attached(policies: &[(&str, BedrockPolicy, &[&str])]) -> AttachedPolicies {
    let mut all = AttachedPolicies::default();
    for (name, content, points) in policies {
        all.contents.insert(policy(name), Ok(content.clone()));
        points.iter().for_each(|at| all.attached.entry(point(at)).or_default().push(policy(name)));
    }
    all
}

fn in_words(preview: &ChangePreview) -> String {
    let group = |PreviewGroup { accounts, consequence }: &PreviewGroup| {
        let accounts: Vec<String> =
            accounts.iter().map(|account| account.to_string()[11..].to_owned()).collect();
        let harm = if consequence.is_harmful() { "harmful" } else { "harmless" };
        format!("{} ({harm}): {}", accounts.join(" "), words(consequence))
    };
    let groups: Vec<String> = preview.groups.iter().map(group).collect();
    format!("{}\n{} unchanged, {} unconcerned", groups.join("\n"), preview.unchanged, preview.unconcerned)
}

fn words(consequence: &Consequence) -> String {
    match consequence {
        Consequence::Invalid { was_frozen, errors, otherwise } => {
            let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
            let may = if otherwise.is_some() { "may be " } else { "" };
            let what = if *was_frozen { "still frozen" } else { "frozen" };
            let otherwise =
                otherwise.as_ref().map(|regions| format!("; else {}", changes(regions))).unwrap_or_default();
            format!("{may}{what}: {}{otherwise}", errors.join("; "))
        }
        Consequence::NotKnown(policies) => {
            let policies: Vec<String> = policies.iter().map(ToString::to_string).collect();
            format!("not known: {}", policies.join(", "))
        }
        Consequence::Differs => "differs".to_owned(),
        Consequence::Changes { was_frozen, regions } => {
            format!("{}{}", if *was_frozen { "freed: " } else { "" }, changes(regions))
        }
    }
}

fn changes(regions: &BTreeMap<Region, RegionChange>) -> String {
    let changes = regions.iter().map(|(region, change)| {
        let all = |contents: &[RegionContent]| contents.iter().map(content).collect::<Vec<_>>().join(" or ");
        let weaker = if change.is_weaker() { " weaker" } else { "" };
        let from: Vec<String> = change.from.iter().map(ToString::to_string).collect();
        format!("{region} {} => {}{weaker} [{}]", all(&change.before), all(&change.after), from.join(", "))
    });
    changes.collect::<Vec<_>>().join("; ")
}

fn content(content: &RegionContent) -> String {
    let configurations = content.iter().map(|(name, content)| match content {
        ConfigurationContent::Enforces(enforcement) => format!("{name}:{enforcement}"),
        ConfigurationContent::OtherRegion(enforcement) => format!("{name}:{enforcement} of another Region"),
        ConfigurationContent::NoGuardrail(_) => format!("{name}:no guardrail"),
        ConfigurationContent::Unclear(_) => format!("{name}:unclear"),
    });
    let all: Vec<String> = configurations.collect();
    if all.is_empty() { "nothing".to_owned() } else { all.join("+") }
}

/// What AWS says where it merges as is predicted first, in the order in which policies are listed.
fn now(present: &AttachedPolicies) -> BTreeMap<AccountId, AccountNow> {
    let now =
        predict(present, &accounts(), MergeRules::default()).into_iter().map(|(account, prediction)| {
            let now = match &*prediction {
                Prediction::Effective(merged) => {
                    AccountNow { published: Some(merged.effective.clone()), is_frozen: Some(false) }
                }
                Prediction::Frozen(_) => AccountNow { published: None, is_frozen: Some(true) },
                Prediction::Unreadable(_) => AccountNow::default(),
            };
            (account, now)
        });
    now.collect()
}

#[track_caller]
fn shows(present: &AttachedPolicies, change: &PolicyChange, expected: &Expect) {
    expected.assert_eq(&in_words(&preview(change, present, &accounts(), &now(present)).unwrap()));
}

/// Where AWS says this of everybody.
#[track_caller]
fn shows_where(present: &AttachedPolicies, change: &PolicyChange, everybody: &AccountNow, expected: &Expect) {
    let now = accounts().into_keys().map(|account| (account, everybody.clone())).collect();
    expected.assert_eq(&in_words(&preview(change, present, &accounts(), &now).unwrap()));
}

fn publishes(version: u32) -> EffectivePolicy {
    EffectivePolicy::parse(&format!(
        r#"{{"bedrock":{{"guardrail_inference":{{"us-east-1":{{"main":{{"identifier":"arn:aws:bedrock:us-east-1:222222222222:guardrail/abc123:{version}"}}}}}}}}}}"#
    ))
    .unwrap()
}

fn id(name: &str) -> PolicyId {
    policy_id(name)
}

#[test]
fn who_gets_what_is_said_before_it_is_written() {
    let nothing = AttachedPolicies::default();
    let attach = PolicyChange::Attach { content: saying(1), point: point(WORKLOAD) };
    shows(
        &nothing,
        &attach,
        &expect![[r#"
            2 3 4 (harmless): us-east-1 nothing => main:abc123:1 [the new policy on ou-exam-workload]
            0 unchanged, 2 unconcerned"#]],
    );
    let present = attached(&[("root", saying(2), &[ROOT])]);
    shows(
        &present,
        &attach,
        &expect![[r#"
            2 3 4 (harmful): us-east-1 main:abc123:2 => main:abc123:1 weaker [the new policy on ou-exam-workload]
            0 unchanged, 2 unconcerned"#]],
    );
    shows(
        &present,
        &PolicyChange::Update { policy: id("root"), content: saying(3) },
        &expect![[r#"
            1 2 3 4 5 (harmless): us-east-1 main:abc123:2 => main:abc123:3 [p-0000root on r-exam]
            0 unchanged, 0 unconcerned"#]],
    );
    shows(
        &present,
        &PolicyChange::Detach { policy: id("root"), point: point(ROOT) },
        &expect![[r#"
            1 2 3 4 5 (harmful): us-east-1 main:abc123:2 => nothing []
            0 unchanged, 0 unconcerned"#]],
    );
    let too = PolicyChange::AttachToo { policy: id("sandbox"), point: point(PAYMENT) };
    let present = attached(&[("root", saying(2), &[ROOT]), ("sandbox", saying(2), &[SANDBOX])]);
    shows(
        &present,
        &too,
        &expect![[r#"

            2 unchanged, 3 unconcerned"#]],
    );
}

#[test]
fn whom_it_freezes_and_whom_it_does_not_reach_is_said() {
    // A setting of an account whose identifier comes from the root.
    let setting = foreign(&[r#"us-east-1/main/selective_content_guarding/system={"@@assign":"selective"}"#]);
    let present = attached(&[("root", saying(1), &[ROOT]), ("own", setting.clone(), &["300000000002"])]);
    shows(
        &present,
        &PolicyChange::Detach { policy: id("root"), point: point(ROOT) },
        &expect![[r#"
            2 (harmful): frozen: bedrock.guardrail_inference.us-east-1.main.identifier: KEY_REQUIRED (p-00000own on 300000000002)
            1 3 4 5 (harmful): us-east-1 main:abc123:1 => nothing []
            0 unchanged, 0 unconcerned"#]],
    );
    let frozen = attached(&[("own", setting, &["300000000002"])]);
    shows(
        &frozen,
        &PolicyChange::Attach { content: saying(1), point: point(ROOT) },
        &expect![[r#"
            1 3 4 5 (harmless): us-east-1 nothing => main:abc123:1 [the new policy on r-exam]
            2 (harmless): freed: us-east-1  => main:abc123:1 guarding system selective, messages comprehensive [p-00000own on 300000000002, the new policy on r-exam]
            0 unchanged, 0 unconcerned"#]],
    );
    shows(
        &frozen,
        &PolicyChange::Attach {
            content: foreign(&[&assign(1).replace("main", "other")]),
            point: point(ROOT),
        },
        &expect![[r#"
            2 (harmful): still frozen: bedrock.guardrail_inference.us-east-1.main.identifier: KEY_REQUIRED (p-00000own on 300000000002); bedrock.guardrail_inference.us-east-1: ELEMENTS_TOO_MANY (p-00000own on 300000000002, the new policy on r-exam)
            1 3 4 5 (harmless): us-east-1 nothing => other:abc123:1 [the new policy on r-exam]
            0 unchanged, 0 unconcerned"#]],
    );
}

#[test]
fn what_is_not_certain_is_said() {
    // Peers of one point: which was attached first decides.
    let present = attached(&[("root", saying(1), &[ROOT])]);
    let attach = PolicyChange::Attach { content: saying(2), point: point(ROOT) };
    shows(
        &present,
        &attach,
        &expect![[r#"

            5 unchanged, 0 unconcerned"#]],
    );
    // Two names in one Region.
    let other = foreign(&[&assign(1).replace("main", "other")]);
    let attach = PolicyChange::Attach { content: other, point: point("300000000005") };
    shows(
        &present,
        &attach,
        &expect![[r#"
            5 (harmful): may be frozen: bedrock.guardrail_inference.us-east-1: ELEMENTS_TOO_MANY (p-0000root on r-exam, the new policy on 300000000005); else us-east-1 main:abc123:1 => main:abc123:1+other:abc123:1 [p-0000root on r-exam, the new policy on 300000000005]
            0 unchanged, 4 unconcerned"#]],
    );
    let mut unread = present.clone();
    unread.contents.insert(policy("root"), Err(BedrockPolicy::parse("{").unwrap_err()));
    let attach = PolicyChange::Attach { content: saying(2), point: point(SANDBOX) };
    shows(
        &unread,
        &attach,
        &expect![[r#"
            5 (harmful): not known: p-0000root on r-exam
            0 unchanged, 4 unconcerned"#]],
    );
}

#[test]
fn a_guardrail_of_another_region_is_harmful() {
    let elsewhere = foreign(&[&assign(1).replace("bedrock:us-east-1", "bedrock:eu-west-1")]);
    let attach = PolicyChange::Attach { content: elsewhere, point: point(SANDBOX) };
    shows(
        &AttachedPolicies::default(),
        &attach,
        &expect![[r#"
            5 (harmful): us-east-1 nothing => main:abc123:1 of another Region [the new policy on ou-exam-sandbox1]
            0 unchanged, 4 unconcerned"#]],
    );
}

#[test]
fn what_cannot_be_done_is_refused() {
    let present = attached(&[("root", saying(1), &[ROOT])]);
    for (change, expected) in [
        (
            PolicyChange::Update { policy: id("none"), content: saying(1) },
            ImpossibleChange::NoSuchPolicy(id("none")),
        ),
        (
            PolicyChange::AttachToo { policy: id("none"), point: point(ROOT) },
            ImpossibleChange::NoSuchPolicy(id("none")),
        ),
        (
            PolicyChange::AttachToo { policy: id("root"), point: point(ROOT) },
            ImpossibleChange::AttachedAlready(id("root"), point(ROOT)),
        ),
        (
            PolicyChange::Detach { policy: id("root"), point: point(SANDBOX) },
            ImpossibleChange::NotAttached(id("root"), point(SANDBOX)),
        ),
    ] {
        assert_eq!(change.applied(&present), Err(expected));
    }
    let many: Vec<String> = (0..10).map(|number| format!("many{number}")).collect();
    let many: Vec<(&str, BedrockPolicy, &[&str])> =
        many.iter().map(|name| (name.as_str(), saying(1), &[ROOT][..])).collect();
    let attach = PolicyChange::Attach { content: saying(1), point: point(ROOT) };
    assert_eq!(attach.applied(&attached(&many)), Err(ImpossibleChange::TooManyAttached(point(ROOT))));
}

/// Which of two peers was attached first, no call of AWS's shows; what it publishes does.
#[test]
fn what_is_published_says_which_peer_was_first() {
    let present = attached(&[("first", saying(1), &[SANDBOX]), ("second", saying(2), &[SANDBOX])]);
    let detach = |name: &str| PolicyChange::Detach { policy: id(name), point: point(SANDBOX) };
    for (version, name, expected) in [
        (
            1,
            "first",
            expect![[r#"
            5 (harmless): us-east-1 main:abc123:1 => main:abc123:2 [p-00second on ou-exam-sandbox1]
            0 unchanged, 4 unconcerned"#]],
        ),
        (
            1,
            "second",
            expect![[r#"

            1 unchanged, 4 unconcerned"#]],
        ),
        (
            2,
            "first",
            expect![[r#"

            1 unchanged, 4 unconcerned"#]],
        ),
        (
            2,
            "second",
            expect![[r#"
            5 (harmful): us-east-1 main:abc123:2 => main:abc123:1 weaker [p-000first on ou-exam-sandbox1]
            0 unchanged, 4 unconcerned"#]],
        ),
    ] {
        let everybody = AccountNow { published: Some(publishes(version)), is_frozen: Some(false) };
        shows_where(&present, &detach(name), &everybody, &expected);
    }
    // It isn't known: both are possible.
    shows_where(
        &present,
        &detach("first"),
        &AccountNow::default(),
        &expect![[r#"
        5 (harmless): us-east-1 main:abc123:1 or main:abc123:2 => main:abc123:2 [p-00second on ou-exam-sandbox1]
        0 unchanged, 4 unconcerned"#]],
    );
    // It is something else.
    let everybody = AccountNow { published: Some(publishes(7)), is_frozen: Some(false) };
    shows_where(
        &present,
        &detach("first"),
        &everybody,
        &expect![[r#"
        5 (harmful): differs
        0 unchanged, 4 unconcerned"#]],
    );
    let everybody = AccountNow { published: Some(publishes(1)), is_frozen: Some(true) };
    shows_where(
        &present,
        &detach("first"),
        &everybody,
        &expect![[r#"
        5 (harmful): differs
        0 unchanged, 4 unconcerned"#]],
    );
}

/// Two configurations in one Region, or one list of models alone, may be valid or not: what AWS publishes now says which.
#[test]
fn an_answer_that_is_disproved_counts_no_more() {
    let both = foreign(&[&assign(1), &assign(2).replace("main", "other")]);
    let present = attached(&[("both", both, &[ROOT])]);
    let detach = PolicyChange::Detach { policy: id("both"), point: point(ROOT) };
    let published = predict(&present, &accounts(), MergeRules::default());
    let Prediction::Effective(merged) = &**published.values().next().unwrap() else { panic!("it is valid") };
    let valid = AccountNow { published: Some(merged.effective.clone()), is_frozen: Some(false) };
    shows_where(
        &present,
        &detach,
        &valid,
        &expect![[r#"
        1 2 3 4 5 (harmful): us-east-1 main:abc123:1+other:abc123:2 => nothing []
        0 unchanged, 0 unconcerned"#]],
    );
    let frozen = AccountNow { published: Some(publishes(5)), is_frozen: Some(true) };
    shows_where(
        &present,
        &detach,
        &frozen,
        &expect![[r#"
        1 2 3 4 5 (harmful): freed: us-east-1 main:abc123:5 => nothing []
        0 unchanged, 0 unconcerned"#]],
    );
}

#[test]
fn less_is_noticed_whatever_else_changes() {
    let present = attached(&[("root", saying(2), &[ROOT])]);
    let update = |leaves: &[&str]| PolicyChange::Update { policy: id("root"), content: foreign(leaves) };
    let other = assign(3).replace("abc123", "strict1");
    let selective = r#"us-east-1/main/selective_content_guarding/system={"@@assign":"selective"}"#;
    shows(
        &present,
        &update(&[&other, selective]),
        &expect![[r#"
        1 2 3 4 5 (harmful): us-east-1 main:abc123:2 => main:strict1:3 guarding system selective, messages comprehensive weaker [p-0000root on r-exam]
        0 unchanged, 0 unconcerned"#]],
    );
    let one_model = r#"us-east-1/main/model_enforcement/included_models={"@@assign":["x.y"]}"#;
    let none = r#"us-east-1/main/model_enforcement/excluded_models={"@@assign":[]}"#;
    shows(
        &present,
        &update(&[&other, one_model, none]),
        &expect![[r#"
        1 2 3 4 5 (harmful): us-east-1 main:abc123:2 => main:strict1:3 models x.y weaker [p-0000root on r-exam]
        0 unchanged, 0 unconcerned"#]],
    );
    let draft = assign(3).replace(":3", ":DRAFT");
    shows(
        &present,
        &update(&[&draft]),
        &expect![[r#"
        1 2 3 4 5 (harmful): us-east-1 main:abc123:2 => main:no guardrail [p-0000root on r-exam]
        0 unchanged, 0 unconcerned"#]],
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    /// Whatever AWS's answers are, and whoever was attached first: what the account then has is among what is shown.
    #[test]
    fn law_what_comes_true_was_shown(
        texts in prop::collection::vec(foreign_document(), 3),
        at in prop::sample::select(&[ROOT, WORKLOAD, PAYMENT, "300000000005"][..]),
        rules in prop::sample::select(MergeRules::every()),
        turned in any::<bool>(),
        what in 0_u8..3,
    ) {
        let document = |number: usize| BedrockPolicy::parse(&texts[number]).unwrap();
        let mut present =
            attached(&[("root", document(0), &[ROOT]), ("peer", document(1), &[at])]);
        let change = match what {
            0 => PolicyChange::Attach { content: document(2), point: point(at) },
            1 => PolicyChange::Update { policy: id("peer"), content: document(2) },
            _ => PolicyChange::Detach { policy: id("root"), point: point(ROOT) },
        };
        let real = |state: &AttachedPolicies| {
            let mut state = state.clone();
            if turned && let Some(peers) = state.attached.get_mut(&point(ROOT)) {
                // In truth the other one was first; the new one is the last all the same.
                let is_new = peers.last() == Some(&PolicyKey::Proposed);
                let old = peers.len() - usize::from(is_new);
                peers[..old].reverse();
            }
            predict(&state, &accounts(), rules)
        };
        let (before, after) = (real(&present), real(&change.applied(&present).unwrap()));
        let now = before.iter().map(|(account, prediction)| {
            let now = match &**prediction {
                Prediction::Effective(merged) => {
                    AccountNow { published: Some(merged.effective.clone()), is_frozen: Some(false) }
                }
                _ => AccountNow { published: Some(EffectivePolicy::default()), is_frozen: Some(true) },
            };
            (account.clone(), now)
        });
        let now: BTreeMap<AccountId, AccountNow> = now.collect();
        let shown = preview(&change, &present, &accounts(), &now).unwrap();
        present.attached.clear();
        let shown_in_all: usize = shown.groups.iter().map(|group| group.accounts.len()).sum();
        prop_assert_eq!(shown_in_all + shown.unchanged + shown.unconcerned, ACCOUNTS.len());
        for account in accounts().keys() {
            let group = shown.groups.iter().find(|group| group.accounts.contains(account));
            let had = now[account].published.clone().unwrap();
            match (&*after[account], group.map(|group| &group.consequence)) {
                (Prediction::Frozen(_), Some(Consequence::Invalid { .. })) => {}
                (Prediction::Frozen(_), None) => {
                    // Not concerned: frozen before and after.
                    prop_assert!(matches!(&*before[account], Prediction::Frozen(_)), "{account} freezes");
                }
                (Prediction::Effective(merged), None) => {
                    let changed: Vec<_> = had.changed_regions(&merged.effective).into_iter().collect();
                    let means = |policy: &EffectivePolicy| format!("{:?}", policy.regions()).to_lowercase();
                    prop_assert!(
                        changed.is_empty() || means(&had) == means(&merged.effective),
                        "{account} changes in {changed:?}"
                    );
                }
                (Prediction::Effective(merged), Some(consequence)) => {
                    let none = BTreeMap::new();
                    let regions = consequence.regions().unwrap_or(&none);
                    prop_assert!(
                        !matches!(consequence, Consequence::Invalid { otherwise: None, .. } | Consequence::Differs),
                        "{account}: {consequence:?}"
                    );
                    for (region, named) in merged.effective.regions() {
                        let has: RegionContentNames = named.keys().map(|name| name.to_lowercase()).collect();
                        let possible = match regions.get(&region) {
                            Some(change) => {
                                change.after.iter().map(|it| it.keys().cloned().collect()).collect::<Vec<_>>()
                            }
                            None => vec![names(&had, &region)],
                        };
                        prop_assert!(possible.contains(&has), "{account} has {has:?} in {region}, shown {possible:?}");
                    }
                    for (region, change) in regions {
                        let has = names(&merged.effective, region);
                        let is_shown = change.after.iter().any(|it| it.keys().cloned().collect::<RegionContentNames>() == has);
                        prop_assert!(is_shown, "{account} has {has:?} in {region}");
                    }
                }
                (prediction, consequence) => panic!("{account}: {prediction}, shown {consequence:?}"),
            }
        }
    }
}

/// The names of the configurations of one Region.
type RegionContentNames = std::collections::BTreeSet<String>;

fn names(policy: &EffectivePolicy, region: &Region) -> RegionContentNames {
    let named = policy.regions().remove(region).unwrap_or_default();
    named.into_keys().map(|name| name.to_lowercase()).collect()
}

//! The preview of one change: its table, and the law that it says what the forecasts say.

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::generators::foreign_document;
use super::*;

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
    format!("{}\n{} unchanged", groups.join("\n"), preview.unchanged)
}

fn words(consequence: &Consequence) -> String {
    let errors = |errors: &std::collections::BTreeSet<MergeError>| {
        errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    };
    match consequence {
        Consequence::Freezes(why) => format!("freezes: {}", errors(why)),
        Consequence::StaysFrozen(why) => format!("stays frozen: {}", errors(why)),
        Consequence::NotKnown(policies) => format!("not known: {policies:?}"),
        Consequence::Changes(regions) => {
            let changes = regions.iter().map(|(region, change)| {
                let all = |contents: &[RegionContent]| {
                    contents.iter().map(content).collect::<Vec<_>>().join(" or ")
                };
                let before = change.before.as_deref().map_or_else(|| "?".to_owned(), all);
                let order = if change.depends_on_order { " (depends on order)" } else { "" };
                let weaker = if change.is_weaker() { " weaker" } else { "" };
                let from: Vec<String> = change.from.iter().map(ToString::to_string).collect();
                format!("{region} {before} => {}{order}{weaker} [{}]", all(&change.after), from.join(", "))
            });
            changes.collect::<Vec<_>>().join("; ")
        }
    }
}

fn content(content: &RegionContent) -> String {
    let configurations = content.iter().map(|(name, content)| match content {
        ConfigurationContent::Enforces(enforcement) => format!("{name}:{enforcement}"),
        ConfigurationContent::OtherRegion(enforcement) => format!("{name}:{enforcement} of another Region"),
        ConfigurationContent::Unclear => format!("{name}:unclear"),
    });
    let all: Vec<String> = configurations.collect();
    if all.is_empty() { "nothing".to_owned() } else { all.join("+") }
}

#[track_caller]
fn shows(present: &AttachedPolicies, change: &PolicyChange, expected: &Expect) {
    let after = change.applied(present).unwrap();
    expected.assert_eq(&in_words(&preview(present, &after, &accounts())));
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
        2 unchanged"#]],
    );
    let present = attached(&[("root", saying(2), &[ROOT])]);
    shows(
        &present,
        &attach,
        &expect![[r#"
        2 3 4 (harmful): us-east-1 main:abc123:2 => main:abc123:1 weaker [the new policy on ou-exam-workload]
        2 unchanged"#]],
    );
    shows(
        &present,
        &PolicyChange::Update { policy: id("root"), content: saying(3) },
        &expect![[r#"
        1 2 3 4 5 (harmless): us-east-1 main:abc123:2 => main:abc123:3 [p-0000root on r-exam]
        0 unchanged"#]],
    );
    shows(
        &present,
        &PolicyChange::Detach { policy: id("root"), point: point(ROOT) },
        &expect![[r#"
        1 2 3 4 5 (harmful): us-east-1 main:abc123:2 => nothing []
        0 unchanged"#]],
    );
    let too = PolicyChange::AttachToo { policy: id("sandbox"), point: point(PAYMENT) };
    let present = attached(&[("root", saying(2), &[ROOT]), ("sandbox", saying(2), &[SANDBOX])]);
    shows(
        &present,
        &too,
        &expect![[r#"

        5 unchanged"#]],
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
            2 (harmful): freezes: bedrock.guardrail_inference.us-east-1.main.identifier: KEY_REQUIRED (p-00000own on 300000000002)
            1 3 4 5 (harmful): us-east-1 main:abc123:1 => nothing []
            0 unchanged"#]],
    );
    let frozen = attached(&[("own", setting, &["300000000002"])]);
    shows(
        &frozen,
        &PolicyChange::Attach { content: saying(1), point: point(ROOT) },
        &expect![[r#"
        1 3 4 5 (harmless): us-east-1 nothing => main:abc123:1 [the new policy on r-exam]
        2 (harmless): us-east-1 ? => main:abc123:1 guarding system selective, messages comprehensive [p-00000own on 300000000002, the new policy on r-exam]
        0 unchanged"#]],
    );
    shows(
        &frozen,
        &PolicyChange::Attach {
            content: foreign(&[&assign(1).replace("main", "other")]),
            point: point(ROOT),
        },
        &expect![[r#"
            2 (harmful): stays frozen: bedrock.guardrail_inference.us-east-1.main.identifier: KEY_REQUIRED (p-00000own on 300000000002); bedrock.guardrail_inference.us-east-1: ELEMENTS_TOO_MANY (p-00000own on 300000000002, the new policy on r-exam)
            1 3 4 5 (harmless): us-east-1 nothing => other:abc123:1 [the new policy on r-exam]
            0 unchanged"#]],
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

        5 unchanged"#]],
    );
    // Two names in one Region.
    let other = foreign(&[&assign(1).replace("main", "other")]);
    let attach = PolicyChange::Attach { content: other, point: point("300000000005") };
    shows(
        &present,
        &attach,
        &expect![[r#"
        5 (harmful): freezes: bedrock.guardrail_inference.us-east-1: ELEMENTS_TOO_MANY (p-0000root on r-exam, the new policy on 300000000005)
        4 unchanged"#]],
    );
    let mut unread = present.clone();
    unread.contents.insert(policy("root"), Err(BedrockPolicy::parse("{").unwrap_err()));
    let attach = PolicyChange::Attach { content: saying(2), point: point(SANDBOX) };
    shows(
        &unread,
        &attach,
        &expect![[r#"
            1 2 3 4 5 (harmful): not known: {PolicyAt { policy: Id(PolicyId("p-0000root")), point: Parent(ParentId("r-exam")) }}
            0 unchanged"#]],
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
        4 unchanged"#]],
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

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(150) })]

    /// Each account is in one group or unchanged; who is unchanged has the same forecast, but for where values come from.
    #[test]
    fn law_everybody_is_counted_once(
        one in foreign_document(),
        two in foreign_document(),
        at in prop::sample::select(&[ROOT, WORKLOAD, PAYMENT, "300000000005"][..]),
    ) {
        let present = attached(&[("root", BedrockPolicy::parse(&one).unwrap(), &[ROOT])]);
        let change = PolicyChange::Attach { content: BedrockPolicy::parse(&two).unwrap(), point: point(at) };
        let after = change.applied(&present).unwrap();
        let shown = preview(&present, &after, &accounts());
        let grouped: usize = shown.groups.iter().map(|group| group.accounts.len()).sum();
        prop_assert_eq!(grouped + shown.unchanged, ACCOUNTS.len());
        let (before, after) = (forecast(&present, &accounts()), forecast(&after, &accounts()));
        for account in accounts().keys() {
            let regions = |forecast: &Forecast| {
                let regions = forecast.predictions.iter().map(|(_, prediction)| match prediction {
                    Prediction::Effective(merged) => Some(merged.effective.regions()),
                    Prediction::Frozen(_) | Prediction::Unreadable(_) => None,
                });
                regions.collect::<Vec<_>>()
            };
            let (before, after) = (regions(&before[account]), regions(&after[account]));
            let is_grouped = shown.groups.iter().any(|group| group.accounts.contains(account));
            let harmful = shown.groups.iter().any(|group| {
                group.accounts.contains(account) && group.consequence.is_harmful()
            });
            // Who has something else under the one answer there is, is shown; who may freeze is harmful.
            if let ([one], [two]) = (before.as_slice(), after.as_slice()) && one != two {
                prop_assert!(is_grouped, "{} changes from {:?} to {:?}", account, one, two);
            }
            if after.iter().any(Option::is_none) && before != after {
                prop_assert!(harmful, "{} may freeze", account);
            }
        }
    }
}

//! AWS's merge, rule by rule.

use expect_test::{Expect, expect};

use super::*;

/// Policies, each with the point that it is attached to, the point's in the order of attachment.
type Policies = Vec<(&'static str, &'static str, BedrockPolicy)>;

#[track_caller]
fn merged(policies: &Policies, rules: MergeRules) -> Result<MergedPolicy, Vec<String>> {
    let chain = [ROOT, WORKLOAD, "300000000002"].map(point);
    let keys: Vec<PolicyKey> = policies.iter().map(|(name, _, _)| policy(name)).collect();
    let levels: Vec<MergeLevel<'_>> = chain
        .iter()
        .map(|at| {
            let here = policies.iter().zip(&keys).filter(|((_, point, _), _)| at.to_string() == *point);
            MergeLevel { point: at, policies: here.map(|((_, _, document), key)| (key, document)).collect() }
        })
        .collect();
    merge(&levels, rules).map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

#[track_caller]
fn comes_to(policies: &Policies, expected: &Expect) -> MergedPolicy {
    let merged = merged(policies, MergeRules::default()).unwrap();
    expected.assert_eq(&short(&merged.effective.text()));
    merged
}

#[track_caller]
fn freezes(policies: &Policies, rules: MergeRules, expected: &Expect) {
    expected.assert_eq(&merged(policies, rules).unwrap_err().join("\n"));
}

fn short(text: &str) -> String {
    text.replace("arn:aws:bedrock:us-east-1:222222222222:guardrail/abc123", "ARN")
        .replace(r#"{"bedrock":{"guardrail_inference":"#, "")
}

const V1: &str =
    r#"us-east-1/c/identifier={"@@assign":"arn:aws:bedrock:us-east-1:222222222222:guardrail/abc123:1"}"#;
const V2: &str =
    r#"us-east-1/c/identifier={"@@assign":"arn:aws:bedrock:us-east-1:222222222222:guardrail/abc123:2"}"#;
const LOCKED_V1: &str = r#"us-east-1/c/identifier={"@@assign":"arn:aws:bedrock:us-east-1:222222222222:guardrail/abc123:1","@@operators_allowed_for_child_policies":["@@none"]}"#;

fn at(name: &str, at: &str) -> PolicyAt {
    PolicyAt { policy: policy(name), point: point(at) }
}

fn identifier() -> LeafPath {
    path("c", &["identifier"])
}

fn path(name: &str, keys: &[&str]) -> LeafPath {
    let start = ["bedrock", "guardrail_inference", "us-east-1", name];
    start.iter().chain(keys).fold(LeafPath::default(), |path, key| path.child(key))
}

#[test]
fn the_account_wins_over_the_ou_and_that_over_the_root() {
    let root = || {
        (
            "root",
            ROOT,
            foreign(&[V1, r#"us-east-1/c/selective_content_guarding/system={"@@assign":"selective"}"#]),
        )
    };
    comes_to(
        &vec![root()],
        &expect![[
            r#"{"us-east-1":{"c":{"identifier":"ARN:1","selective_content_guarding":{"system":"selective"}}}}}}"#
        ]],
    );
    let policies =
        vec![("account", "300000000002", foreign(&[V1])), ("ou", WORKLOAD, foreign(&[V2])), root()];
    let merged = comes_to(
        &policies,
        &expect![[
            r#"{"us-east-1":{"c":{"identifier":"ARN:1","selective_content_guarding":{"system":"selective"}}}}}}"#
        ]],
    );
    assert_eq!(merged.origins[&identifier()].assigned, Some(at("account", "300000000002")));
    let merged = comes_to(
        &policies[1..].to_vec(),
        &expect![[
            r#"{"us-east-1":{"c":{"identifier":"ARN:2","selective_content_guarding":{"system":"selective"}}}}}}"#
        ]],
    );
    assert_eq!(merged.origins[&identifier()].assigned, Some(at("ou", WORKLOAD)));
    let system = path("c", &["selective_content_guarding", "system"]);
    assert_eq!(merged.origins[&system].assigned, Some(at("root", ROOT)));
    // Nobody disputes it: the order of levels is known.
    assert!(merged.contested.is_empty());
}

#[test]
fn of_peers_the_first_to_assign_wins() {
    let one = || ("one", ROOT, foreign(&[V1]));
    let two = || ("two", ROOT, foreign(&[V2]));
    let merged = comes_to(&vec![one(), two()], &expect![[r#"{"us-east-1":{"c":{"identifier":"ARN:1"}}}}}"#]]);
    assert_eq!(merged.origins[&identifier()].assigned, Some(at("one", ROOT)));
    let either = [1, 2].map(|version| {
        LeafValue::Text(format!("arn:aws:bedrock:us-east-1:222222222222:guardrail/abc123:{version}"))
    });
    let contested = [(identifier(), either.into())].into();
    assert_eq!(merged.contested, contested);
    let depends = ["us-east-1", "us-west-2"].map(|name| merged.depends_on_order(&region(name)));
    assert_eq!(depends, [true, false]);
    let merged = comes_to(&vec![two(), one()], &expect![[r#"{"us-east-1":{"c":{"identifier":"ARN:2"}}}}}"#]]);
    assert_eq!(merged.contested, contested);
    // Where they agree, or a policy below decides, the order makes no difference.
    let merged = comes_to(
        &vec![one(), ("two", ROOT, foreign(&[V1]))],
        &expect![[r#"{"us-east-1":{"c":{"identifier":"ARN:1"}}}}}"#]],
    );
    assert!(merged.contested.is_empty());
    let merged = comes_to(
        &vec![one(), two(), ("ou", WORKLOAD, foreign(&[V2]))],
        &expect![[r#"{"us-east-1":{"c":{"identifier":"ARN:2"}}}}}"#]],
    );
    assert!(merged.contested.is_empty());
}

#[test]
fn after_the_assignment_come_all_appends_and_then_all_removes() {
    let list = |operators: &str| {
        foreign(&[V1, &format!("us-east-1/c/model_enforcement/excluded_models={operators}")])
    };
    let root = ("root", ROOT, list(r#"{"@@assign":["old"]}"#));
    let policies = vec![
        root.clone(),
        // The first removes what the second appends, and the third assigns.
        ("one", WORKLOAD, list(r#"{"@@remove":["b"],"@@append":["c"]}"#)),
        ("two", WORKLOAD, list(r#"{"@@append":["b","d"]}"#)),
        ("three", WORKLOAD, list(r#"{"@@assign":["a"]}"#)),
        ("below", "300000000002", list(r#"{"@@append":["b"],"@@remove":["d","none"]}"#)),
    ];
    let merged = comes_to(
        &policies,
        &expect![[
            r#"{"us-east-1":{"c":{"identifier":"ARN:1","model_enforcement":{"excluded_models":["a","b","c"]}}}}}}"#
        ]],
    );
    let origin = &merged.origins[&path("c", &["model_enforcement", "excluded_models"])];
    assert_eq!(origin.assigned, Some(at("three", WORKLOAD)));
    assert_eq!(
        origin.appended,
        [at("one", WORKLOAD), at("two", WORKLOAD), at("below", "300000000002")].into()
    );
    assert_eq!(origin.removed, [at("one", WORKLOAD), at("below", "300000000002")].into());
    // The order of peers makes no difference to appends and removes.
    assert!(merged.contested.is_empty());
    // What is appended to nothing is a list; what is removed from nothing is nothing.
    comes_to(
        &vec![("one", ROOT, list(r#"{"@@append":["a"]}"#))],
        &expect![[
            r#"{"us-east-1":{"c":{"identifier":"ARN:1","model_enforcement":{"excluded_models":["a"]}}}}}}"#
        ]],
    );
    comes_to(
        &vec![("one", ROOT, list(r#"{"@@remove":["a"]}"#))],
        &expect![[r#"{"us-east-1":{"c":{"identifier":"ARN:1"}}}}}"#]],
    );
    // Whoever removed from nothing has no part in what comes later.
    let policies = vec![
        ("one", ROOT, list(r#"{"@@remove":["a"]}"#)),
        ("below", WORKLOAD, list(r#"{"@@append":["a"]}"#)),
    ];
    let origins = merged_default(&policies).origins;
    assert!(origins[&path("c", &["model_enforcement", "excluded_models"])].removed.is_empty());
    // Two lists that differ under two orders may be one after a remove.
    let peers = |removed: &'static str| {
        vec![
            ("one", ROOT, list(r#"{"@@assign":["a","b"]}"#)),
            ("two", ROOT, list(r#"{"@@assign":["a"]}"#)),
            ("below", WORKLOAD, list(removed)),
        ]
    };
    let contested = |removed| merged_default(&peers(removed)).contested.len();
    assert_eq!((contested(r#"{"@@remove":["b"]}"#), contested(r#"{"@@remove":["c"]}"#)), (0, 1));
}

fn merged_default(policies: &Policies) -> MergedPolicy {
    merged(policies, MergeRules::default()).unwrap()
}

#[test]
fn a_lock_holds_below_and_not_beside() {
    let locked = || ("lock", ROOT, foreign(&[LOCKED_V1]));
    let merged = comes_to(
        &vec![
            locked(),
            (
                "ou",
                WORKLOAD,
                foreign(&[V2, r#"us-east-1/c/selective_content_guarding/system={"@@assign":"selective"}"#]),
            ),
        ],
        &expect![[
            r#"{"us-east-1":{"c":{"identifier":"ARN:1","selective_content_guarding":{"system":"selective"}}}}}}"#
        ]],
    );
    let expected = Forbidden {
        path: identifier(),
        operator: ValueOperator::Assign,
        policy: at("ou", WORKLOAD),
        by: [at("lock", ROOT)].into(),
    };
    assert_eq!(merged.forbidden, [expected].into());
    // A peer is not locked out: the first wins.
    let merged = comes_to(
        &vec![("peer", ROOT, foreign(&[V2])), locked()],
        &expect![[r#"{"us-east-1":{"c":{"identifier":"ARN:2"}}}}}"#]],
    );
    assert!(merged.forbidden.is_empty());
    // A lock without a value locks the absence.
    let only_lock = foreign(&[
        r#"us-east-1/c/selective_content_guarding/system={"@@operators_allowed_for_child_policies":["@@none"]}"#,
    ]);
    comes_to(
        &vec![
            ("lock", ROOT, only_lock),
            (
                "ou",
                WORKLOAD,
                foreign(&[V2, r#"us-east-1/c/selective_content_guarding/system={"@@assign":"selective"}"#]),
            ),
        ],
        &expect![[r#"{"us-east-1":{"c":{"identifier":"ARN:2"}}}}}"#]],
    );
}

#[test]
fn what_peers_let_pass_is_intersected_and_never_loosened() {
    let list = |operators: &str| {
        foreign(&[V1, &format!("us-east-1/c/model_enforcement/included_models={operators}")])
    };
    let below = || ("below", "300000000002", list(r#"{"@@assign":["x"],"@@append":["y"],"@@remove":["a"]}"#));
    for (one, two, ou, expected) in [
        (r#"["@@all"]"#, r#"["@@all"]"#, r#"["@@all"]"#, r#"["x","y"]"#),
        (r#"["@@append","@@remove"]"#, r#"["@@all"]"#, r#"["@@all"]"#, r#"["b","y"]"#),
        (r#"["@@append","@@remove"]"#, r#"["@@append","@@assign"]"#, r#"["@@all"]"#, r#"["a","b","y"]"#),
        (r#"["@@append","@@remove"]"#, r#"["@@all"]"#, r#"["@@remove","@@assign"]"#, r#"["b"]"#),
        (r#"["@@append"]"#, r#"["@@remove"]"#, r#"["@@all"]"#, r#"["a","b"]"#),
        (r#"["@@all"]"#, r#"["@@all"]"#, r#"["@@assign"]"#, r#"["x"]"#),
        (r#"["@@none"]"#, r#"["@@all"]"#, r#"["@@all"]"#, r#"["a","b"]"#),
    ] {
        let control = |control: &str| format!(r#""@@operators_allowed_for_child_policies":{control}"#);
        let policies = vec![
            ("one", ROOT, list(&format!(r#"{{"@@assign":["a","b"],{}}}"#, control(one)))),
            ("two", ROOT, list(&format!("{{{}}}", control(two)))),
            ("ou", WORKLOAD, list(&format!("{{{}}}", control(ou)))),
            below(),
        ];
        let text = short(&merged_default(&policies).effective.text());
        let list = text.split("included_models\":").nth(1).unwrap().trim_end_matches('}');
        assert_eq!(list, expected, "{one} {two} {ou}");
    }
}

#[test]
fn a_lock_beside_keys_locks_no_setting() {
    let locked = |place: &str| {
        let lock = format!(r#"{place}={{"@@operators_allowed_for_child_policies":["@@none"]}}"#);
        ("lock", ROOT, foreign(&[V1, &lock]))
    };
    let added = r#"us-east-1/c/selective_content_guarding/system={"@@assign":"selective"}"#;
    for place in ["", "us-east-1", "us-east-1/c"] {
        let policies = vec![locked(place), ("ou", WORKLOAD, foreign(&[V2, added]))];
        // Whatever it does to new settings, the one that is there can be changed.
        for (container_locks, expected) in [
            (
                ContainerLocks::Nothing,
                r#"{"identifier":"ARN:2","selective_content_guarding":{"system":"selective"}}"#,
            ),
            (ContainerLocks::NewSettings, r#"{"identifier":"ARN:2"}"#),
        ] {
            let merged = merged(&policies, MergeRules { container_locks, ..MergeRules::default() }).unwrap();
            assert_eq!(
                short(&merged.effective.text()),
                format!(r#"{{"us-east-1":{{"c":{expected}}}}}}}}}"#),
                "{place}"
            );
            assert_eq!(merged.forbidden.len(), usize::from(container_locks == ContainerLocks::NewSettings));
        }
    }
    // One that stands elsewhere, or on the same point, does nothing.
    let rules = MergeRules { container_locks: ContainerLocks::NewSettings, ..MergeRules::default() };
    for (place, point) in
        [("us-east-1/d", ROOT), ("us-east-1/c/model_enforcement", ROOT), ("us-east-1", WORKLOAD)]
    {
        let (name, _, lock) = locked(place);
        let merged =
            merged(&vec![(name, point, lock), ("ou", WORKLOAD, foreign(&[V2, added]))], rules).unwrap();
        assert!(merged.forbidden.is_empty(), "{place}");
    }
}

#[test]
fn a_configuration_without_an_identifier_freezes() {
    let child = || {
        (
            "ou",
            WORKLOAD,
            foreign(&[r#"us-east-1/c/selective_content_guarding/system={"@@assign":"selective"}"#]),
        )
    };
    freezes(
        &vec![("other", ROOT, foreign(&[&V1.replace("/c/", "/d/")])), child()],
        MergeRules::default(),
        &expect![
            "bedrock.guardrail_inference.us-east-1.c.identifier: KEY_REQUIRED (p-000000ou on ou-exam-workload)"
        ],
    );
    assert!(merged(&vec![("root", ROOT, foreign(&[V1])), child()], MergeRules::default()).is_ok());
    // Nothing at all is no configuration.
    assert!(
        merged_default(&vec![(
            "root",
            ROOT,
            BedrockPolicy::parse(r#"{"bedrock":{"guardrail_inference":{"us-east-1":{"c":{}}}}}"#).unwrap()
        )])
        .effective
        .leaves()
        .is_empty()
    );
}

#[test]
fn two_configurations_in_one_region_are_both_there_or_freeze() {
    let policies =
        vec![("root", ROOT, foreign(&[V1])), ("ou", WORKLOAD, foreign(&[&V2.replace("/c/", "/d/")]))];
    comes_to(
        &policies,
        &expect![[r#"{"us-east-1":{"c":{"identifier":"ARN:1"},"d":{"identifier":"ARN:2"}}}}}"#]],
    );
    let rules = MergeRules { two_names: TwoNames::Invalid, ..MergeRules::default() };
    freezes(
        &policies,
        rules,
        &expect![
            "bedrock.guardrail_inference.us-east-1: ELEMENTS_TOO_MANY (p-000000ou on ou-exam-workload, p-0000root on r-exam)"
        ],
    );
    // One in each of two Regions is none too many.
    let other = V2.replace("us-east-1", "us-west-2");
    assert!(merged(&vec![("root", ROOT, foreign(&[V1, &other]))], rules).is_ok());
}

#[test]
fn a_forbidden_operator_does_nothing_or_freezes() {
    let policies = vec![("lock", ROOT, foreign(&[LOCKED_V1])), ("ou", WORKLOAD, foreign(&[V2]))];
    comes_to(&policies, &expect![[r#"{"us-east-1":{"c":{"identifier":"ARN:1"}}}}}"#]]);
    freezes(
        &policies,
        MergeRules { forbidden: ForbiddenOperator::Invalid, ..MergeRules::default() },
        &expect![
            "bedrock.guardrail_inference.us-east-1.c.identifier: forbidden by a policy above (p-000000ou on ou-exam-workload, p-0000lock on r-exam)"
        ],
    );
}

#[test]
fn capitals_stay_or_go() {
    let policies = vec![
        ("root", ROOT, foreign(&[&V1.replace("/c/", "/Config/")])),
        ("ou", WORKLOAD, foreign(&[&V2.replace("/c/", "/config/")])),
    ];
    comes_to(
        &policies,
        &expect![[r#"{"us-east-1":{"Config":{"identifier":"ARN:1"},"config":{"identifier":"ARN:2"}}}}}"#]],
    );
    let rules = MergeRules { letter_case: LetterCase::Lowered, ..MergeRules::default() };
    let lowered = merged(&policies, rules).unwrap();
    expect![[r#"{"us-east-1":{"config":{"identifier":"ARN:2"}}}}}"#]]
        .assert_eq(&short(&lowered.effective.text()));
    // So does the name of what is locked.
    let lock = r#"us-east-1/Config={"@@operators_allowed_for_child_policies":["@@none"]}"#;
    let policies = vec![("root", ROOT, foreign(&[lock])), policies[1].clone()];
    let lowered = MergeRules { container_locks: ContainerLocks::NewSettings, ..rules };
    let kept = MergeRules { letter_case: LetterCase::Kept, ..lowered };
    let forbidden = |rules| merged(&policies, rules).unwrap().forbidden.len();
    assert_eq!((forbidden(lowered), forbidden(kept)), (1, 0));
    // Two keys of one Region hide two names.
    let capitals = foreign(&[&V1.replace("us-east-1/c/", "US-east-1/c/").replace("/c/", "/d/")]);
    let policies = vec![("root", ROOT, capitals), ("ou", WORKLOAD, foreign(&[V2]))];
    let two = |letter_case| {
        let rules = MergeRules { letter_case, two_names: TwoNames::Invalid, ..MergeRules::default() };
        merged(&policies, rules).is_ok()
    };
    assert_eq!((two(LetterCase::Kept), two(LetterCase::Lowered)), (true, false));
    let documents = || policies.iter().map(|(_, _, document)| document);
    let matter = MergeRules::that_matter(documents());
    let invalid = MergeRules {
        letter_case: LetterCase::Lowered,
        two_names: TwoNames::Invalid,
        ..MergeRules::default()
    };
    assert!(
        matter
            .iter()
            .any(|rules| (rules.letter_case, rules.two_names) == (invalid.letter_case, invalid.two_names))
    );
}

#[test]
fn only_what_can_matter_is_asked() {
    let asked = |documents: &[BedrockPolicy]| MergeRules::that_matter(documents).len();
    let own = own(&[("us-east-1", 1), ("eu-west-1", 1)]).policy();
    assert_eq!(asked(&[]), 1);
    assert_eq!(asked(&[own.clone(), own.clone()]), 1);
    // Two names; a lock, which may keep one list out; one list; a lock beside keys.
    assert_eq!(asked(&[own.clone(), foreign(&[V1])]), 2);
    assert_eq!(asked(&[foreign(&[LOCKED_V1])]), 4);
    let one_list = foreign(&[V1, r#"us-east-1/c/model_enforcement/included_models={"@@assign":["ALL"]}"#]);
    assert_eq!(asked(&[one_list]), 2);
    let container = foreign(&[r#"us-east-1={"@@operators_allowed_for_child_policies":["@@none"]}"#]);
    assert_eq!(asked(&[own.clone(), container]), 8);
    let open = foreign(&[r#"us-east-1={"@@operators_allowed_for_child_policies":["@@all"]}"#]);
    assert_eq!(asked(&[own, open]), 1);
    assert_eq!(MergeRules::every().len(), 32);
}

#[test]
fn one_list_of_models_is_enough_or_freezes() {
    let with = |list: &str| {
        foreign(&[V1, &format!(r#"us-east-1/c/model_enforcement/{list}={{"@@assign":["ALL"]}}"#)])
    };
    let rules = MergeRules { model_lists: ModelLists::Required, ..MergeRules::default() };
    for (list, other) in [("included_models", "excluded_models"), ("excluded_models", "included_models")] {
        let policies = vec![("root", ROOT, with(list))];
        assert!(merged(&policies, MergeRules::default()).is_ok());
        let errors = merged(&policies, rules).unwrap_err();
        assert_eq!(
            errors,
            [format!(
                "bedrock.guardrail_inference.us-east-1.c.model_enforcement.{other}: KEY_REQUIRED (p-0000root on r-exam)"
            )]
        );
        let both = vec![("root", ROOT, with(list)), ("ou", WORKLOAD, with(other))];
        assert!(merged(&both, rules).is_ok());
    }
    assert!(merged(&vec![("root", ROOT, foreign(&[V1]))], rules).is_ok());
}

#[test]
fn where_one_has_a_value_and_another_has_keys_nothing_is_known() {
    let value = foreign(&[V1, r#"us-east-1/c/new={"@@assign":"x"}"#]);
    let keys = foreign(&[r#"us-east-1/c/new/setting={"@@assign":"x"}"#]);
    let policies = vec![("root", ROOT, value), ("ou", WORKLOAD, keys)];
    freezes(
        &policies,
        MergeRules::default(),
        &expect![
            "bedrock.guardrail_inference.us-east-1.c.new: a value and keys, or a text and a list, in one place (p-000000ou on ou-exam-workload, p-0000root on r-exam)"
        ],
    );
    let list = foreign(&[r#"us-east-1/c/new={"@@append":["x"]}"#]);
    let policies = vec![policies[0].clone(), ("ou", WORKLOAD, list)];
    freezes(
        &policies,
        MergeRules::default(),
        &expect![
            "bedrock.guardrail_inference.us-east-1.c.new: a value and keys, or a text and a list, in one place (p-000000ou on ou-exam-workload, p-0000root on r-exam)"
        ],
    );
}

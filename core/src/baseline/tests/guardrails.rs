//! One guardrail: which it is, in which Region, which version.

use super::*;

const REGIONS: &str = "    regions: [us-east-1, eu-west-1]\n";
const NAMED: &str = "    name: corporate-baseline\n    version: 3\n    regions: [us-east-1, eu-west-1]\n";

/// The sources of the only guardrail, one a line.
#[expect(
    clippy::needless_pass_by_value,
    reason = "an `expect!` at every call reads better than a `&expect!`"
)]
#[track_caller]
fn check_sources(text: &str, sources: Expect) {
    let baseline = good(text);
    let corporate = baseline.guardrail(&"corporate".parse().unwrap()).unwrap();
    let lines = corporate.regions.iter().map(|(region, Source { selector, version })| match selector {
        Selector::Name(name) => format!("{region} name {name} version {version}\n"),
        Selector::Arn(arn) => format!("{region} arn {arn} version {version}\n"),
    });
    sources.assert_eq(&lines.collect::<String>());
}

#[test]
fn a_version_is_a_published_number() {
    for version in ["1", "\"1\"", "99999999"] {
        good(&edited("version: 3", &format!("version: {version}")));
    }
    check(
        &edited("version: 3", "version: DRAFT"),
        expect![[r#"
            7:14: guardrails.corporate.version: DRAFT can't be enforced; write a published version's number, for example 3
        "#]],
    );
    check(
        &edited("version: 3", "version: draft"),
        expect![[r#"
            7:14: guardrails.corporate.version: DRAFT can't be enforced; write a published version's number, for example 3
        "#]],
    );
    check(
        &edited("version: 3", "version: $LATEST"),
        expect![[r#"
            7:14: guardrails.corporate.version: "$LATEST" would change what is enforced without a change here; write a published version's number, for example 3
        "#]],
    );
    check(
        &edited("version: 3", "version: 0"),
        expect![[r#"
            7:14: guardrails.corporate.version: "0" is not a published version; write a published version's number, for example 3
        "#]],
    );
    check(
        &edited("version: 3", "version: 03"),
        expect![[r#"
            7:14: guardrails.corporate.version: "03" is not a published version; write a published version's number, for example 3
        "#]],
    );
    check(
        &edited("version: 3", "version: 3.0"),
        expect![[r#"
            7:14: guardrails.corporate.version: "3.0" is not a published version; write a published version's number, for example 3
        "#]],
    );
    check(
        &edited("version: 3", "version: 100000000"),
        expect![[r#"
            7:14: guardrails.corporate.version: "100000000" is not a published version; write a published version's number, for example 3
        "#]],
    );
    check(
        &edited("version: 3", "version: {us-east-1: 3}"),
        expect![[r#"
            7:14: guardrails.corporate.version: keys stand where a guardrail's version belongs; write a published version's number, for example 3
        "#]],
    );
}

#[test]
fn a_name_is_what_the_console_shows() {
    check(
        &edited("corporate-baseline", "corporate baseline"),
        expect![[r#"
            6:11: guardrails.corporate.name: "corporate baseline" is not a guardrail's name; write the name that the console shows: 1 to 50 letters, digits, hyphens and underscores
        "#]],
    );
    check(
        &edited("corporate-baseline", "x".repeat(51).as_str()),
        expect![[r#"
            6:11: guardrails.corporate.name: "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" is not a guardrail's name; write the name that the console shows: 1 to 50 letters, digits, hyphens and underscores
        "#]],
    );
    check(
        &edited("corporate-baseline", "arn:aws:bedrock:us-east-1:222222222222:guardrail/abc123"),
        expect![[r#"
            6:11: guardrails.corporate.name: an ARN stands where a guardrail's name belongs; write it as arn under its Region, as in regions: {us-east-1: {arn: …}}
        "#]],
    );
}

#[test]
fn a_list_of_regions_needs_name_and_version() {
    check(
        &edited("    name: corporate-baseline\n    version: 3\n", ""),
        expect![[r#"
            6:5: guardrails.corporate.name: missing, and regions is a list; write the guardrail's name in the owner account, or regions as a mapping with an arn for each
            6:5: guardrails.corporate.version: missing, and regions is a list; write a published version's number, for example 3
        "#]],
    );
    check(
        &edited(
            "    name: corporate-baseline\n",
            "    arn: arn:aws:bedrock:us-east-1:222222222222:guardrail/abc\n",
        ),
        expect![[r#"
            6:5: guardrails.corporate.arn: an ARN is of one Region, and this is for all of them; write it under its Region, as in regions: {us-east-1: {arn: …, version: 3}}
        "#]],
    );
}

#[test]
fn regions_are_codes_each_once() {
    check(
        &edited(REGIONS, ""),
        expect![[r#"
            6:5: guardrails.corporate.regions: missing; write where it is enforced, for example [us-east-1, eu-west-1]
        "#]],
    );
    check(
        &edited(REGIONS, "    regions:\n"),
        expect![[r#"
            8:12: guardrails.corporate.regions: empty, where a list of Regions, or a mapping by Region, belongs; write where it is enforced, for example [us-east-1, eu-west-1]
        "#]],
    );
    check(
        &edited(REGIONS, "    regions: us-east-1\n"),
        expect![[r#"
            8:14: guardrails.corporate.regions: "us-east-1" stands where a list of Regions, or a mapping by Region, belongs; write where it is enforced, for example [us-east-1, eu-west-1]
        "#]],
    );
    check(
        &edited(REGIONS, "    regions: []\n"),
        expect![[r#"
            8:14: guardrails.corporate.regions: no Region; write where it is enforced, for example [us-east-1, eu-west-1]
        "#]],
    );
    check(
        &edited(REGIONS, "    regions: {}\n"),
        expect![[r#"
            8:14: guardrails.corporate.regions: no Region; write where it is enforced, for example [us-east-1, eu-west-1]
        "#]],
    );
    check(
        &edited(REGIONS, "    regions: [us-east-1a, EU_West_1, frankfurt, '*', ~]\n"),
        expect![[r#"
            8:15: guardrails.corporate.regions[0]: "us-east-1a" is not a Region; write us-east-1
            8:27: guardrails.corporate.regions[1]: "EU_West_1" is not a Region; write eu-west-1
            8:38: guardrails.corporate.regions[2]: "frankfurt" is not a Region; write each Region by its code, for example us-east-1
            8:49: guardrails.corporate.regions[3]: "*" is not a Region; write each Region by its code, for example us-east-1
            8:54: guardrails.corporate.regions[4]: empty, where a Region belongs; write a Region's code; to say more of it, write regions as a mapping
        "#]],
    );
    check(
        &edited(REGIONS, "    regions:\n      - us-east-1\n      - eu-west-1\n      - us-east-1\n"),
        expect![[r#"
            11:9: guardrails.corporate.regions[2]: us-east-1 is listed twice, on lines 9 and 11; remove one
        "#]],
    );
    check(
        &edited(REGIONS, "    regions:\n      - us-east-1: {version: 2}\n"),
        expect![[r#"
            9:9: guardrails.corporate.regions[0]: keys stand where a Region belongs; write a Region's code; to say more of it, write regions as a mapping
        "#]],
    );
    check(
        &edited(REGIONS, "    regions:\n      us-east-1a: {version: 2}\n      us-east-1:\n"),
        expect![[r#"
            9:7: guardrails.corporate.regions.us-east-1a: "us-east-1a" is not a Region; write us-east-1
        "#]],
    );
}

/// What AWS's API, its Bedrock policies and the guides that follow them call the same.
#[test]
fn the_names_that_aws_has_for_a_key_are_told_with_ours() {
    check(
        &edited(
            NAMED,
            "    guardrailIdentifier: abc123
    guardrailVersion: '3'
    regions: [us-east-1, eu-west-1]
    modelEnforcement: {includedModels: [ALL]}
    selective_content_guarding: {messages: selective}
    input_tags: honor
",
        ),
        expect![[r#"
            6:5: guardrails.corporate.guardrailIdentifier: this is AWS's name of the key; write name, or an arn for each Region, as in regions: {us-east-1: {arn: …, version: 3}}
            7:5: guardrails.corporate.guardrailVersion: this is AWS's name of the key; write version, with a published version's number
            9:5: guardrails.corporate.modelEnforcement: this is AWS's name of the key; write models, as in models: {include: [ALL], exclude: [amazon.titan-embed-text-v2:0]}
            10:5: guardrails.corporate.selective_content_guarding: this is AWS's name of the key; write guarding, as in guarding: {system: comprehensive, messages: selective}
            11:5: guardrails.corporate.input_tags: this is AWS's name of the key; write guarding, as in guarding: {system: comprehensive, messages: selective}
        "#]],
    );
    check(
        &edited(
            REGIONS,
            "    regions:\n      us-east-1:\n        guardrailArn: arn:aws:bedrock:us-east-1:222222222222:guardrail/abc\n        guardrailVersion: 3\n",
        ),
        expect![[r#"
            10:9: guardrails.corporate.regions.us-east-1.guardrailArn: this is AWS's name of the key; write arn
            11:9: guardrails.corporate.regions.us-east-1.guardrailVersion: this is AWS's name of the key; write version
        "#]],
    );
}

#[test]
fn regions_lie_in_one_partition() {
    check(
        &edited(REGIONS, "    regions: [us-east-1, us-gov-west-1, eusc-de-east-1]\n"),
        expect![[r#"
            8:26: guardrails.corporate.regions[1]: us-gov-west-1 is in partition aws-us-gov, and us-east-1 on line 8 is in aws; write one baseline for each partition
            8:41: guardrails.corporate.regions[2]: eusc-de-east-1 is in partition aws-eusc, and us-east-1 on line 8 is in aws; write one baseline for each partition
        "#]],
    );
    check(
        &edited(
            "assignments:",
            "  china:\n    name: x\n    version: 1\n    regions: {cn-north-1: {version: DRAFT}}\nassignments:",
        ),
        expect![[r#"
            12:15: guardrails.china.regions.cn-north-1: cn-north-1 is in partition aws-cn, and us-east-1 on line 8 is in aws; write one baseline for each partition
            12:37: guardrails.china.regions.cn-north-1.version: DRAFT can't be enforced; write a published version's number, for example 3
        "#]],
    );
    good(&edited(REGIONS, "    regions: [us-gov-west-1, us-gov-east-1]\n"));
}

#[test]
fn a_region_says_what_it_has_of_its_own() {
    check_sources(
        &edited(
            REGIONS,
            "    regions:
      us-east-1:
      us-east-2: {}
      us-west-2: ~
      eu-west-1: { version: 4 }
      eu-west-2: { name: corporate-uk }
      eu-west-3: { arn: 'arn:aws:bedrock:eu-west-3:222222222222:guardrail/abc123' }
      eu-north-1:
        arn: arn:aws:bedrock:eu-north-1:222222222222:guardrail/def456
        version: 7
",
        ),
        expect![[r#"
            eu-north-1 arn arn:aws:bedrock:eu-north-1:222222222222:guardrail/def456 version 7
            eu-west-1 name corporate-baseline version 4
            eu-west-2 name corporate-uk version 3
            eu-west-3 arn arn:aws:bedrock:eu-west-3:222222222222:guardrail/abc123 version 3
            us-east-1 name corporate-baseline version 3
            us-east-2 name corporate-baseline version 3
            us-west-2 name corporate-baseline version 3
        "#]],
    );
    check_sources(
        &edited(
            NAMED,
            "    regions:\n      us-east-1: { name: a, version: 1 }\n      eu-west-1: { name: b, version: 2 }\n",
        ),
        expect![[r#"
            eu-west-1 name b version 2
            us-east-1 name a version 1
        "#]],
    );
}

#[test]
fn something_must_say_which_guardrail_and_version_it_is() {
    check(
        &edited(
            NAMED,
            "    regions:\n      us-east-1:\n      eu-west-1: {version: 2}\n      eu-west-2: {name: x}\n",
        ),
        expect![[r#"
            7:16: guardrails.corporate.regions.us-east-1: neither arn nor name says which guardrail it is in us-east-1; write arn or name here, or name once for all Regions
            7:16: guardrails.corporate.regions.us-east-1: no version is given for us-east-1; write version here, or once for all Regions
            8:18: guardrails.corporate.regions.eu-west-1: neither arn nor name says which guardrail it is in eu-west-1; write arn or name here, or name once for all Regions
            9:18: guardrails.corporate.regions.eu-west-2: no version is given for eu-west-2; write version here, or once for all Regions
        "#]],
    );
    check(
        &edited(
            NAMED,
            "    name: not a name
    version: DRAFT
    regions:
      us-east-1:
      eu-west-1: {version: 2, verison: 3}
      eu-west-2: [2]
      eu-west-3:
        arn: arn:aws:bedrock:eu-west-3:222222222222:guardrail/abc123
        name: also
",
        ),
        expect![[r#"
            6:11: guardrails.corporate.name: "not a name" is not a guardrail's name; write the name that the console shows: 1 to 50 letters, digits, hyphens and underscores
            7:14: guardrails.corporate.version: DRAFT can't be enforced; write a published version's number, for example 3
            10:31: guardrails.corporate.regions.eu-west-1.verison: unknown key; write version, or remove it
            11:18: guardrails.corporate.regions.eu-west-2: a list stands where a mapping belongs; write a mapping of the keys arn, name and version
            13:14: guardrails.corporate.regions.eu-west-3.arn: both arn and name say which guardrail it is; keep one
        "#]],
    );
}

#[test]
fn guardrails_have_names_of_their_own() {
    check(
        &edited("  corporate:\n", "  none:\n"),
        expect![[r#"
            5:3: guardrails.none: `none` means no guardrail in assignments, so no guardrail can have that name; choose another name
            11:16: assignments[0].guardrail: no guardrail of this document is called "corporate"; add it to guardrails
        "#]],
    );
    check(
        &edited("  corporate:\n", "  Corporate Baseline:\n"),
        expect![[r#"
            5:3: guardrails.Corporate Baseline: "Corporate Baseline" can't name a guardrail in this document; write 1 to 64 of a-z, 0-9, `-` and `_`
            11:16: assignments[0].guardrail: no guardrail of this document is called "corporate"; add it to guardrails
        "#]],
    );
    check(
        &edited("guardrails:\n  corporate:\n", "guardrails:\n  - key: corporate\n"),
        expect![[r#"
            5:3: guardrails: a list stands where a mapping of guardrails belongs; write each guardrail under a name of your choice, or {} for none
        "#]],
    );
    check(
        &edited(&format!("  corporate:\n{NAMED}"), "  corporate:\n"),
        expect![[r#"
            5:12: guardrails.corporate: empty, where a mapping belongs; write a mapping of the keys owner, name, version, regions, models, guarding, placement, copy, on_unusable and on_blocked_probe
        "#]],
    );
    check(
        &edited(&format!("guardrails:\n  corporate:\n{NAMED}"), "guardrails:\n"),
        expect![[r#"
            4:11: guardrails: empty, where a mapping of guardrails belongs; write each guardrail under a name of your choice, or {} for none
        "#]],
    );
    good(
        &edited(&format!("guardrails:\n  corporate:\n{NAMED}"), "guardrails: {}\n")
            .replace("guardrail: corporate", "guardrail: none"),
    );
}

#[test]
fn guarding_placement_and_what_to_do_are_known_words() {
    check(
        &edited(
            REGIONS,
            "    regions: [us-east-1]\n    guarding: {system: SELECTIVE, messages: partial, tools: x}\n    placement: local\n    on_unusable: drop\n    on_blocked_probe: keep\n",
        ),
        expect![[r#"
            9:24: guardrails.corporate.guarding.system: "SELECTIVE" is not known; write selective (known are comprehensive and selective)
            9:45: guardrails.corporate.guarding.messages: "partial" is not known; write comprehensive or selective
            9:54: guardrails.corporate.guarding.tools: unknown key; remove it; known here are system and messages
            10:16: guardrails.corporate.placement: "local" is not known; write auto, central or copy
            11:18: guardrails.corporate.on_unusable: "drop" is not known; write keep or release
            12:23: guardrails.corporate.on_blocked_probe: "keep" is not known; write hold or enforce
        "#]],
    );
    check(
        &edited(REGIONS, "    regions: [us-east-1]\n    guarding: selective\n    on-unusable: keep\n"),
        expect![[r#"
            9:15: guardrails.corporate.guarding: "selective" stands where a mapping belongs; write a mapping of the keys system and messages
            10:5: guardrails.corporate.on-unusable: unknown key; write on_unusable, or remove it
        "#]],
    );
    let text = edited(
        REGIONS,
        "    regions: [us-east-1]\n    guarding: {messages: selective}\n    placement: copy\n    on_unusable: release\n    on_blocked_probe: enforce\n",
    );
    let baseline = good(&text);
    let corporate = &baseline.guardrails[&"corporate".parse().unwrap()];
    assert_eq!(corporate.guarding.to_string(), "guarding system comprehensive, messages selective");
    assert_eq!((corporate.placement, corporate.on_unusable), (Placement::Copy, OnUnusable::Release));
    assert!(baseline.means_to_block(&"corporate".parse().unwrap()));
}

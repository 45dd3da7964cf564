//! The table at the top of the module, and what pruning must never do.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;

fn arn(account: &str) -> GuardrailArn {
    format!("arn:aws:bedrock:us-east-1:{account}:guardrail/abc123").parse().unwrap()
}

fn copy() -> GuardrailArn {
    arn("300000000001")
}

fn version(number: u32) -> GuardrailVersion {
    GuardrailVersion::new(number).unwrap()
}

fn wanted() -> WantedCopy {
    WantedCopy { content: digest('a'), key: None }
}

fn digest(letter: char) -> Digest {
    letter.to_string().repeat(64).parse().unwrap()
}

fn marker(letter: char) -> Option<Marker> {
    let digest = if letter == '?' { digest('0') } else { digest(letter) };
    Some(Marker { source: arn("222222222222"), version: version(3), digest: digest.short().into() })
}

const KEY: &str = "arn:aws:kms:us-east-1:222222222222:key/11111111-2222-4333-8444-555555555555";

/// `a` is the wanted content; `+` ready, `-` failed, `~` busy; `k` encrypted with [`KEY`]; `m` with our
/// marker, `M` with one that claims to be `a`.
fn edition(text: &str) -> Edition {
    let letter = text.chars().next().unwrap();
    let status = match text.chars().nth(1).unwrap() {
        '+' => Status::Ready,
        '-' => Status::Failed,
        'x' => Status::Deleting,
        _ => Status::Versioning,
    };
    let content = if letter == '?' { Err(CannotCopy::AutomatedReasoning) } else { Ok(digest(letter)) };
    let key = text.contains('k').then(|| KEY.to_owned());
    let marker = match text {
        _ if text.contains('m') => marker(letter),
        _ if text.contains('M') => marker('a'),
        _ => None,
    };
    Edition { status, content, key, marker }
}

/// A copy as its draft, `|`, and its versions by number.
fn seen(text: &str) -> SeenCopy {
    let (draft, versions) = text.split_once('|').unwrap();
    let versions = (1..)
        .zip(versions.split_whitespace())
        .filter(|(_, text)| *text != ".")
        .map(|(number, text)| (version(number), edition(text)))
        .collect();
    SeenCopy { guardrail: copy(), draft: edition(draft.trim()), versions, tagged: false }
}

fn enforced(number: u32) -> Enforced {
    Enforced::Own(Published { guardrail: copy(), version: version(number) })
}

fn said(verdict: &CopyVerdict) -> String {
    match verdict {
        CopyVerdict::Ready(Published { guardrail, version }) => format!("ready {}:{version}", guardrail.id),
        CopyVerdict::Needs(step) => step.to_string(),
        CopyVerdict::NotReady(status) => format!("not ready: {status}"),
        CopyVerdict::Held(held) => format!("held: {held}"),
    }
}

#[track_caller]
fn check(cases: &[(&str, Option<u32>, &str)]) {
    for (text, enforced_version, expected) in cases {
        let enforced = enforced_version.map_or(Enforced::Nothing, enforced);
        let verdict = said(&judge(&wanted(), Some(&seen(text)), &enforced));
        assert!(verdict.starts_with(expected), "{text}: {verdict}");
    }
}

#[test]
fn the_table() {
    assert_eq!(said(&judge(&wanted(), None, &Enforced::Nothing)), "create the copy");
    check(&[
        ("a+m |", None, "publish abc123"),
        ("b+m |", None, "update the draft of abc123"),
        ("a~m |", None, "not ready: VERSIONING"),
        ("b~m |", None, "not ready: VERSIONING"),
        ("a-m |", None, "update the draft of abc123"),
        // Somebody gave the draft something that can't be copied.
        ("?+m |", None, "update the draft of abc123"),
        ("a+m | a+m", None, "ready abc123:1"),
        ("a+m | a+m b+m a+m", None, "ready abc123:3"),
        ("a+m | a+m b+m a+m", Some(1), "ready abc123:1"),
        // What is enforced and isn't equal is no reason to stay with it.
        ("a+m | a+m b+m", Some(2), "ready abc123:1"),
        // An old version of the right content is used again after the original was set back.
        ("b+m | a+m b+m c+m", Some(3), "ready abc123:1"),
        ("a+m | a~m", None, "not ready: VERSIONING"),
        ("a+m | a-m", None, "publish abc123"),
        ("a+m | a-m a-m", None, "held: AWS failed twice"),
        ("a+m | a-m a-m a+m", None, "ready abc123:3"),
        ("ax | a+m", Some(1), "not ready: DELETING"),
    ]);
}

#[test]
fn a_mark_is_no_proof() {
    check(&[
        // The draft edited, its description kept.
        ("b+M | b+m", Some(1), "update the draft of abc123"),
        // The draft edited and published with our marker on it.
        ("a+m | a+m b+M", Some(2), "ready abc123:1"),
        // The draft's description edited away: versions can't be.
        ("b+ | a+m", None, "ready abc123:1"),
        // A version that somebody else published from the right draft does as well as ours.
        ("b+m | a+", None, "ready abc123:1"),
    ]);
}

#[test]
fn a_copy_has_the_key_that_is_given_and_any_where_none_is() {
    let verdict = |text: &str, key: Option<&str>| {
        let wanted = WantedCopy { content: digest('a'), key: key.map(|key| key.parse().unwrap()) };
        said(&judge(&wanted, Some(&seen(text)), &Enforced::Nothing))
    };
    let other = KEY.replace("key/1", "key/2");
    for (text, key, expected) in [
        ("a+km | a+k", None, "ready abc123:1"),
        ("a+m | a+", Some(KEY), "update the draft of abc123"),
        ("a+km | a+m", Some(KEY), "publish abc123"),
        ("a+km | a+m a+km", Some(KEY), "ready abc123:2"),
        ("a+km | a+km", Some(other.as_str()), "update the draft of abc123"),
        ("b+km | b+km", Some(KEY), "update the draft of abc123"),
    ] {
        assert_eq!(verdict(text, key), expected, "{text} {key:?}");
    }
}

#[test]
fn versions_that_never_read_back_equal_are_not_published_for_ever() {
    // As if AWS showed no key on versions.
    let wanted = WantedCopy { content: digest('a'), key: Some(KEY.parse().unwrap()) };
    let marked = |text: &str| {
        let mut seen = seen(text);
        for edition in seen.versions.values_mut() {
            edition.marker.as_mut().unwrap().digest = wanted.mark();
        }
        said(&judge(&wanted, Some(&seen), &Enforced::Nothing))
    };
    assert_eq!(marked("a+km | a+m"), "publish abc123");
    let held = marked("a+km | a+m a+m");
    assert!(held.starts_with("held: two versions of the copy abc123"), "{held}");
    assert_eq!(marked("a+km | a+m a+m a+km"), "ready abc123:3");
    // Under the mark of another key, they are just older versions.
    assert_eq!(said(&judge(&wanted, Some(&seen("a+km | a+m a+m")), &Enforced::Nothing)), "publish abc123");
    assert_ne!(wanted.mark(), WantedCopy { key: None, ..wanted.clone() }.mark());
    assert_eq!(wanted.mark().len(), 16);
}

#[test]
fn tags_are_carried_over_but_for_aws_and_our_own() {
    let tags = |text: &str| -> Tags {
        let pairs = text.split_whitespace().map(|pair| pair.split_once('=').unwrap());
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    };
    for (original, expected) in [
        ("", ""),
        ("team=risk env=prod", "team=risk env=prod"),
        ("aws:cloudformation:stack-name=x AWS:other=y awsome=z", "awsome=z"),
        ("guardrail-keeper:source=x guardrail-keeper:other=y guardrail-keepers=z", "guardrail-keepers=z"),
        ("ö=ä", "ö=ä"),
    ] {
        assert_eq!(carried(tags(original)), tags(expected), "{original}");
    }
    for (carried, present, expected) in [
        ("team=risk env=prod", "", "team=risk env=prod"),
        ("team=risk env=prod", "team=risk own=1", "env=prod"),
        ("team=risk", "team=other", "team=risk"),
        ("team=risk", "team=risk", ""),
    ] {
        assert_eq!(to_write(&tags(carried), &tags(present)), tags(expected), "{carried} on {present}");
    }

    // AWS takes 50, one of which is ours.
    let many = |count: usize, name: &str| -> Tags {
        (0..count).map(|number| (format!("{name}{number:02}"), "x".to_owned())).collect()
    };
    assert_eq!(to_write(&many(60, "a"), &Tags::new()).len(), 49);
    let mut full = many(49, "b");
    full.insert(SOURCE_TAG.to_owned(), "x".to_owned());
    assert_eq!(to_write(&many(60, "a"), &full), Tags::new());
    full.insert("b00".to_owned(), "other".to_owned());
    assert_eq!(to_write(&many(2, "b"), &full).len(), 1);
}

#[test]
fn a_copy_is_deleted_only_where_all_of_it_is_ours() {
    let tagged = |text: &str| SeenCopy { tagged: true, ..seen(text) };
    for (found, expected) in [
        (Some(seen("a+m | a+m b+m c-m")), "delete the copy abc123"),
        (Some(seen("a+m |")), "delete the copy abc123"),
        (Some(seen("b+ | a+m")), "delete the copy abc123"),
        (Some(tagged("a+ |")), "delete the copy abc123"),
        (None, "forget the copy abc123"),
        // The account's own guardrail, which was equal and so was enforced as it is.
        (
            Some(seen("a+ | a+")),
            "leave the guardrail abc123, which the keeper enforced once: it may not be the keeper's copy (neither",
        ),
        (Some(seen("a+ |")), "leave the guardrail abc123"),
        (
            Some(tagged("a+ | a+")),
            "leave the guardrail abc123, which the keeper enforced once: it may not be the keeper's copy (another",
        ),
        (Some(seen("a+m | a+m b+")), "leave the guardrail abc123"),
        // Not now.
        (Some(seen("a~m | a+m")), ""),
        (Some(seen("ax | a+m")), ""),
        (Some(seen("a+m | a~m")), ""),
    ] {
        let leftover = Leftover::of(&copy(), found.as_ref());
        let text = leftover.as_ref().map_or_else(String::new, ToString::to_string);
        assert!(text.starts_with(expected) && text.is_empty() == expected.is_empty(), "{found:?}: {text}");
    }
}

#[test]
fn what_we_did_not_make_is_not_touched() {
    check(&[
        ("b+ |", None, "held: another guardrail has the copy's name, and the keeper didn't make it (abc123)"),
        ("a+ | a+", None, "held: another guardrail has the copy's name"),
        ("a+ | a+", Some(1), "held: another guardrail has the copy's name"),
    ]);
    let tagged = SeenCopy { tagged: true, ..seen("b+ |") };
    assert_eq!(said(&judge(&wanted(), Some(&tagged), &Enforced::Nothing)), "update the draft of abc123");
}

#[test]
fn where_there_is_no_room_the_oldest_goes_that_may() {
    let full = |versions: &str| seen(&format!("a+m | {versions}"));
    let ours = full(&"b+m ".repeat(20));
    let verdict = |seen: &SeenCopy, enforced: &Enforced| said(&judge(&wanted(), Some(seen), enforced));
    assert_eq!(verdict(&ours, &Enforced::Nothing), "delete abc123:1");
    assert_eq!(verdict(&ours, &enforced(1)), "delete abc123:2");
    assert_eq!(verdict(&ours, &enforced(2)), "delete abc123:3");
    assert!(verdict(&ours, &Enforced::Unknown).starts_with("held: the copy abc123 has 20 versions"));
    let theirs = full(&"b+ ".repeat(20));
    assert!(verdict(&theirs, &Enforced::Nothing).starts_with("held: the copy abc123 has 20 versions"));
    assert_eq!(verdict(&full(&"b+m ".repeat(19)), &Enforced::Unknown), "publish abc123");
}

#[test]
fn a_status_is_awss_word_for_it_both_ways() {
    for (word, status) in [
        ("READY", Status::Ready),
        ("FAILED", Status::Failed),
        ("DELETING", Status::Deleting),
        ("CREATING", Status::Creating),
        ("UPDATING", Status::Updating),
        ("VERSIONING", Status::Versioning),
        ("HIBERNATING", Status::Unknown("HIBERNATING".to_owned())),
    ] {
        assert_eq!(Status::from(word.to_owned()), status);
        assert_eq!(String::from(status.clone()), word);
        let why = NoOriginal::NotReady(status).to_string();
        assert_eq!(why, format!("the guardrail is {word}, not READY"));
    }
}

#[test]
fn a_version_of_another_guardrail_is_none_of_this_one() {
    let Enforced::Own(own) = enforced(3) else { panic!("it is the member's own") };
    assert_eq!(enforced(3).version_of(&own.guardrail), Some(version(3)));
    assert_eq!(enforced(3).version_of(&arn("300000000009")), None);
}

#[test]
fn only_what_is_made_or_updated_is_written() {
    let published = Published { guardrail: copy(), version: version(1) };
    for (verdict, written) in [
        (CopyVerdict::Needs(CopyStep::Create), true),
        (CopyVerdict::Needs(CopyStep::UpdateDraft(copy())), true),
        (CopyVerdict::Needs(CopyStep::Publish(copy())), false),
        (CopyVerdict::Needs(CopyStep::DeleteVersion(published.clone())), false),
        (CopyVerdict::Ready(published), false),
        (CopyVerdict::NotReady(Status::Failed), false),
    ] {
        assert_eq!(verdict.is_written(), written, "{verdict:?}");
    }
}

#[test]
fn an_enforcement_counts_as_the_members_own_only_there() {
    use crate::enforcement::Enforcement;
    use crate::observed::Seen;
    let target: Target = "300000000001/us-east-1".parse().unwrap();
    let observed = |guardrail: &GuardrailArn| {
        Observation::Enforced(Seen {
            config_id: Some("abc".parse().unwrap()),
            enforcement: Enforcement {
                guardrail: guardrail.clone(),
                version: version(1),
                models: Default::default(),
                guarding: Default::default(),
            },
            created_by: None,
            updated_by: None,
        })
    };
    assert_eq!(Enforced::of(&observed(&copy()), &target), enforced(1));
    // The central guardrail, from before the placement was changed to copies.
    assert_eq!(Enforced::of(&observed(&arn("222222222222")), &target), Enforced::OfAnother);
    let elsewhere: Target = "300000000001/eu-west-1".parse().unwrap();
    assert_eq!(Enforced::of(&observed(&copy()), &elsewhere), Enforced::OfAnother);
    assert_eq!(Enforced::of(&Observation::Absent, &target), Enforced::Nothing);
    assert_eq!(Enforced::of(&Observation::Unreadable(Failure::not_observed()), &target), Enforced::Unknown);
}

#[test]
fn a_marker_fits_into_a_description_and_is_read_back() {
    let longest = Marker {
        source: format!(
            "arn:aws-us-gov:bedrock:ap-southeast-1234567:222222222222:guardrail/{}",
            "z".repeat(64)
        )
        .parse()
        .unwrap(),
        version: version(99_999_999),
        digest: digest('f').short().to_owned(),
    };
    assert!(longest.to_string().len() <= 200, "{longest}");
    for text in [longest.to_string(), format!("Ours! {longest}. Hands off")] {
        let read: Marker = text.parse().unwrap();
        assert_eq!((read.source, read.version), (longest.source.clone(), longest.version));
    }
    for text in
        ["", "Guardrail Keeper copy of", "Guardrail Keeper copy of x version 1, content a", "version 1"]
    {
        assert!(text.parse::<Marker>().is_err(), "{text}");
    }
}

#[test]
fn every_name_has_a_copys_name() {
    let named = |name: &str| {
        let content = Content::of_answer(br#"{"blockedInputMessaging":"a","blockedOutputsMessaging":"b"}"#);
        let content = content.unwrap();
        let digest = content.digest();
        let original = Original {
            guardrail: arn("222222222222"),
            version: version(1),
            name: name.parse().unwrap(),
            content,
            digest,
            customer_key: false,
            copy_key: None,
            tags: None,
        };
        original.copy_name().to_string()
    };
    assert_eq!(named("corporate-baseline"), "corporate-baseline-keeper");
    assert_eq!(named(&"n".repeat(43)).len(), 50);
    let (one, other) = (named(&"n".repeat(44)), named(&"n".repeat(45)));
    assert_eq!((one.len(), other.len()), (50, 50));
    assert_ne!(one, other);
}

/// Any copy: a draft and up to twenty versions with gaps.
fn copies() -> impl Strategy<Value = SeenCopy> {
    let content = select(vec!['a', 'b', '?']);
    let status = select(vec!['+', '+', '+', '-', '~']);
    let edition = (content, status, any::<bool>())
        .prop_map(|(content, status, ours)| format!("{content}{status}{}", if ours { "m" } else { "" }));
    let version = prop_oneof![4 => edition.clone(), 1 => Just(".".to_owned())];
    (edition, prop::collection::vec(version, 0..20))
        .prop_map(|(draft, versions)| seen(&format!("{draft} | {}", versions.join(" "))))
}

fn enforcements() -> impl Strategy<Value = Enforced> {
    prop_oneof![Just(Enforced::Nothing), Just(Enforced::Unknown), (1..22_u32).prop_map(enforced)]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn law_what_is_needed_is_never_pruned(
        seen in copies(), enforced in enforcements(), chosen in prop::option::of(1..22_u32), keep in 0..5_usize,
    ) {
        let chosen = chosen.map(version);
        let pruned = prunable(&seen, &enforced, chosen, keep);
        prop_assert!(pruned.is_empty() || enforced != Enforced::Unknown);
        if let Enforced::Own(own) = &enforced {
            prop_assert!(!pruned.contains(&own.version));
            let before = seen.versions.keys().copied().filter(|version| *version < own.version).max();
            prop_assert!(before.is_none_or(|before| !pruned.contains(&before)));
        }
        prop_assert!(chosen.is_none_or(|chosen| !pruned.contains(&chosen)));
        prop_assert!(pruned.iter().all(|version| seen.versions[version].marker.is_some()));
        let newest: Vec<_> = seen.versions.keys().rev().take(keep).collect();
        prop_assert!(pruned.iter().all(|version| !newest.contains(&version)));
        prop_assert!(pruned.is_sorted());
    }

    #[test]
    fn law_only_a_ready_version_of_equal_content_is_used(seen in copies(), enforced in enforcements()) {
        let wanted = wanted();
        let is_good = |edition: &Edition| edition.status == Status::Ready && wanted.is_met_by(edition);
        match judge(&wanted, Some(&seen), &enforced) {
            CopyVerdict::Ready(chosen) => {
                prop_assert_eq!(&chosen.guardrail, &seen.guardrail);
                prop_assert!(is_good(&seen.versions[&chosen.version]));
            }
            CopyVerdict::Needs(CopyStep::Publish(_)) => {
                prop_assert!(is_good(&seen.draft));
                prop_assert!(!seen.versions.values().any(is_good));
            }
            CopyVerdict::Needs(step) => {
                prop_assert!(seen.is_ours());
                prop_assert!(step != CopyStep::Create);
                prop_assert!(!seen.versions.values().any(is_good));
            }
            CopyVerdict::NotReady(_) | CopyVerdict::Held(_) => {
                prop_assert!(!seen.is_ours() || !seen.versions.values().any(is_good));
            }
        }
    }
}

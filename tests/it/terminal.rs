//! What a person at a terminal is told, and can say.

use expect_test::expect;

use crate::support::program::Guardrailctl;
use crate::support::{Document, EU, PARAMETER, PAYMENTS, World, check, repository};

fn in_utf_16(text: &str) -> Vec<u8> {
    format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect()
}

#[tokio::test]
async fn check_takes_a_file_as_push_does() {
    let folder = tempfile::tempdir().unwrap();
    let full = repository("tests/baselines/full.yaml");
    std::fs::copy(full, folder.path().join("full.yaml")).unwrap();
    // What the deployed keeper goes by is another matter.
    let ctl = Guardrailctl::alone(folder.path()).variable("KEEPER_BASELINE", "ssm:/elsewhere");
    let by_name = ctl.run(&["check", "full.yaml"]).await;
    assert_eq!(by_name.code, 0, "{by_name}");
    assert_eq!(by_name.out, ctl.run(&["check", "--baseline", "full.yaml"]).await.out);
    assert_eq!(ctl.run(&["check", "full.yaml", "--baseline", "full.yaml"]).await.code, 2);
}

#[tokio::test]
async fn a_file_in_utf_16_is_told_for_what_it_is_by_check_push_and_trigger() {
    let world = World::of(&Document::default()).start().await;
    std::fs::write(world.folder().join("new.yaml"), in_utf_16(&Document::default().text())).unwrap();
    std::fs::write(world.folder().join("event.json"), in_utf_16("{}")).unwrap();
    let ctl = Guardrailctl::of(&world).variable("KEEPER_BASELINE", &format!("ssm:{PARAMETER}"));
    let problem = "new.yaml:1:1: the text is UTF-16, and a baseline is UTF-8; save the file as UTF-8, ";
    for command in [&["check", "new.yaml"][..], &["push", "--yes", "new.yaml"]] {
        let ran = ctl.run(command).await;
        assert_eq!(ran.code, 1, "{ran}");
        assert!(ran.out.starts_with(problem), "{ran}");
    }
    let ran = ctl.run(&["trigger", "event.json"]).await;
    assert!(ran.code != 0 && ran.err.contains("it is UTF-16: save it as UTF-8"), "{ran}");
    assert_eq!(world.writes(), [""; 0]);
}

#[tokio::test]
async fn a_plan_names_the_baselines_version_beside_a_copys_own() {
    let copied = Document { regions: EU, guardrail: vec!["placement: copy"], ..Document::only(PAYMENTS) };
    let world = World::guarded(World::of(&copied).durable().long_established()).await;
    let copy = world
        .server
        .with(|model| model.guardrail_arn(PAYMENTS, EU, "corporate-baseline-keeper").map(str::to_owned));
    let copy = copy.unwrap().rsplit('/').next().unwrap().to_owned();
    std::fs::write(world.folder().join("baseline.yaml"), copied.text()).unwrap();
    let ctl = Guardrailctl::of(&world).variable("KEEPER_BASELINE", "baseline.yaml");
    let ran = ctl.run(&["explain", PAYMENTS, EU]).await;
    let seen = "\nseen      COPY:1 (a guardrail of the account's own, with version numbers of its own), written last by ";
    assert!(ran.out.replace(&copy, "COPY").contains(seen), "{ran}");

    world.administrator_releases(PAYMENTS, EU);
    let ran = ctl.run(&["plan", "--account", PAYMENTS]).await;
    check(
        &ran.without_hash().replace(&copy, "COPY"),
        expect![[r#"
        + 300000000001/eu-west-1 enforce corporate:2 by the account's copy COPY:1
        1 to change, 0 held, 0 in sync
        plan HASH of baseline 9f1091505bbcb64c, mode sync
        exit 0
    "#]],
    );
    let ran = ctl.run(&["explain", PAYMENTS, EU]).await;
    check(
        &ran.out.replace(&copy, "COPY"),
        expect![[r#"
        300000000001/eu-west-1  payments, o-exampleorgid/r-exam/ou-exam-workload/
        wanted    corporate:2, by the assignment of 300000000001 (line 12)
        seen      nothing enforced
        ours      nothing is recorded
        last      no look is recorded
        decision  + 300000000001/eu-west-1 enforce corporate:2 by the account's copy COPY:1
        baseline 9f1091505bbcb64c, mode sync
    "#]],
    );
}

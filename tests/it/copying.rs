//! Copies of guardrails, made and kept by the real SDK in the simulator.

use std::collections::BTreeMap;
use std::time::Duration;

use guardrail_keeper::cloud::{Access, Cloud, CopyState, CopyWriter, Ensured, Identity, Patience, Reader};
use guardrail_keeper::content::CannotCopy;
use guardrail_keeper::copy::{CopyHeld, CopyVerdict, Enforced, NoOriginal, Original, Published, Status};
use guardrail_keeper::failure::{Category, Failure};
use guardrail_keeper::ids::{GuardrailArn, GuardrailVersion, Region, Target};
use serde_json::{Value, json};
use simulator::{Content, Fault, FaultKind, Guardrail, GuardrailName, Options, Server, Tags, World};

const REGION: &str = "us-east-1";
const OWNER: &str = "222222222222";
const MEMBER: &str = "300000000001";
const SOURCE: &str = "arn:aws:bedrock:us-east-1:222222222222:guardrail/usbase1a2b3c";

struct Stage {
    server: Server,
    cloud: Cloud,
}

impl Stage {
    async fn set() -> Stage {
        Stage::of(World::example()).await
    }

    /// The example world, with this content in the central guardrail.
    async fn with_source(policies: Value) -> Stage {
        let mut world = World::example();
        world.guardrails[0].content = content("corporate-baseline", policies);
        Stage::of(world).await
    }

    async fn of(world: World) -> Stage {
        let server = Server::start(world, Options::default()).await.expect("the world is possible");
        let access = Access::Explicit {
            endpoint: server.url().to_owned(),
            elsewhere: BTreeMap::new(),
            region: region(),
            access_key_id: "SIM111111111111".to_owned(),
            secret_access_key: "any".to_owned(),
        };
        let identity = Identity {
            member_role: "GuardrailKeeperMember".parse().unwrap(),
            function_role: None,
            external_id: None,
        };
        let patience = Patience { backoff: Duration::from_millis(1), attempts: 2, ..Patience::default() };
        let cloud = Cloud::connect(access, identity, patience).await.expect("a caller");
        Stage { server, cloud }
    }

    async fn original(&self, number: u32) -> Result<Original, NoOriginal> {
        let owner = self.cloud.session(&OWNER.parse().unwrap()).await.unwrap();
        Reader::new(&owner, &region()).original(&SOURCE.parse().unwrap(), version(number)).await
    }

    async fn try_ensure(&self, source: u32, enforced: &Enforced) -> Result<Ensured, Failure> {
        let original = self.original(source).await.expect("an original");
        let member = self.cloud.session(&MEMBER.parse().unwrap()).await.unwrap();
        self.server.clear_calls();
        CopyWriter::new(&member, &region()).ensure(&target(), &original, enforced).await
    }

    async fn ensure(&self, source: u32, enforced: &Enforced) -> Ensured {
        self.try_ensure(source, enforced).await.unwrap_or_else(|failure| panic!("{failure}"))
    }

    #[track_caller]
    fn wrote(&self, expected: &[&str]) {
        assert_eq!(self.calls(true), expected);
    }

    /// What was called in the member since the last run began.
    fn calls(&self, only_writes: bool) -> Vec<String> {
        let calls = self.server.calls().into_iter();
        let calls = calls.filter(|call| call.account == MEMBER && (call.write || !only_writes));
        calls.map(|call| call.operation).collect()
    }

    /// The guardrails of the member.
    fn copies(&self) -> Vec<Guardrail> {
        let look = |model: &mut simulator::Model| {
            let region = model.region(MEMBER, REGION);
            region.map(|region| region.guardrails.values().cloned().collect()).unwrap_or_default()
        };
        self.server.with(look)
    }

    fn copy(&self) -> Guardrail {
        let [copy] = self.copies().try_into().expect("one guardrail in the member");
        copy
    }

    /// The owner writes the draft and publishes it.
    fn publish_source(&self, policies: Value) {
        self.edit(SOURCE, content("corporate-baseline", policies), Some("by the owner"));
    }

    /// Somebody edits a guardrail, and publishes it if a description is given.
    fn edit(&self, arn: &str, content: Content, published: Option<&str>) {
        let name = GuardrailName::from_arn(arn).unwrap();
        let root = format!("arn:aws:iam::{}:root", name.account);
        self.server.with(|model| {
            let caller = model.caller(&root, REGION).unwrap();
            model.update_guardrail(&caller, &name.id, content).unwrap();
            if let Some(description) = published {
                model.create_guardrail_version(&caller, &name.id, Some(description.to_owned())).unwrap();
            }
        });
    }
}

fn region() -> Region {
    REGION.parse().unwrap()
}

fn target() -> Target {
    format!("{MEMBER}/{REGION}").parse().unwrap()
}

fn version(number: u32) -> GuardrailVersion {
    GuardrailVersion::new(number).unwrap()
}

fn content(name: &str, policies: Value) -> Content {
    let mut whole = json!({
        "name": name, "description": "What every prompt must pass.",
        "blockedInputMessaging": "Not here.", "blockedOutputsMessaging": "Nor there.",
    });
    let Value::Object(mut policies) = policies else { panic!("{policies} isn't an object") };
    whole.as_object_mut().unwrap().append(&mut policies);
    serde_json::from_value(whole).expect("a content")
}

fn words(words: &[&str]) -> Value {
    let words: Vec<Value> = words.iter().map(|text| json!({ "text": text })).collect();
    json!({ "wordPolicyConfig": { "wordsConfig": words } })
}

/// Every member that CreateGuardrail takes.
fn everything() -> Value {
    json!({
        "topicPolicyConfig": {
            "topicsConfig": [
                { "name": "Law", "definition": "Legal advice.", "examples": ["May I?", "Must I?"], "type": "DENY",
                  "inputAction": "BLOCK", "outputAction": "NONE", "inputEnabled": true, "outputEnabled": false },
                { "name": "Money", "definition": "Investments.", "type": "DENY" },
            ],
            "tierConfig": { "tierName": "STANDARD" },
        },
        "contentPolicyConfig": {
            "filtersConfig": [
                { "type": "PROMPT_ATTACK", "inputStrength": "HIGH", "outputStrength": "NONE" },
                { "type": "HATE", "inputStrength": "LOW", "outputStrength": "MEDIUM",
                  "inputModalities": ["TEXT", "IMAGE"], "outputModalities": ["TEXT"],
                  "inputAction": "NONE", "outputAction": "BLOCK", "inputEnabled": false, "outputEnabled": true },
            ],
            "tierConfig": { "tierName": "STANDARD" },
        },
        "wordPolicyConfig": {
            "wordsConfig": [
                { "text": "tungsten" },
                { "text": "rosebud", "inputAction": "NONE", "outputAction": "BLOCK", "inputEnabled": true,
                  "outputEnabled": false },
            ],
            "managedWordListsConfig": [{ "type": "PROFANITY", "inputAction": "BLOCK", "outputAction": "NONE",
                "inputEnabled": true, "outputEnabled": true }],
        },
        "sensitiveInformationPolicyConfig": {
            "piiEntitiesConfig": [
                { "type": "EMAIL", "action": "ANONYMIZE", "inputAction": "BLOCK", "outputAction": "ANONYMIZE",
                  "inputEnabled": true, "outputEnabled": false },
                { "type": "PHONE", "action": "BLOCK" },
            ],
            "regexesConfig": [{ "name": "ticket", "description": "Of ours.", "pattern": "T-[0-9]+",
                "action": "BLOCK", "inputAction": "NONE", "outputAction": "BLOCK", "inputEnabled": true,
                "outputEnabled": true }],
        },
        "contextualGroundingPolicyConfig": {
            "filtersConfig": [
                { "type": "GROUNDING", "threshold": 0.7, "action": "NONE", "enabled": true },
                { "type": "RELEVANCE", "threshold": 0.55 },
            ],
            "tierConfig": { "tierName": "STANDARD" },
        },
        "crossRegionConfig": { "guardrailProfileIdentifier": "us.guardrail.v1:0" },
    })
}

#[track_caller]
fn ready(ensured: &Ensured, number: u32) -> Published {
    match &ensured.state {
        CopyState::Ready(copy) if copy.version == version(number) => copy.clone(),
        other => panic!("{other:?}"),
    }
}

const NONE: Enforced = Enforced::Nothing;

#[tokio::test]
async fn a_copy_is_made_once_and_does_what_its_original_does() {
    let whole = everything();
    let mut cases = vec![whole.clone()];
    let parts = whole.as_object().unwrap();
    let policies = parts.iter().filter(|(name, _)| *name != "crossRegionConfig");
    cases.extend(policies.map(|(name, policy)| json!({ name: policy })));
    for policies in cases {
        let stage = Stage::with_source(policies.clone()).await;
        let copy = ready(&stage.ensure(1, &NONE).await, 1);
        stage.wrote(&["CreateGuardrail", "CreateGuardrailVersion"]);
        let made = stage.copy();
        assert_eq!(
            (made.arn.as_str(), made.draft.content.name.as_str()),
            (copy.guardrail.to_string().as_str(), "corporate-baseline-keeper")
        );
        assert_eq!(made.tags["guardrail-keeper:source"], SOURCE);
        let source = stage.server.with(|model| {
            model.guardrail(&GuardrailName::from_arn(SOURCE).unwrap()).unwrap().versions[&1].content.clone()
        });
        let shown = |content: &Content| {
            let mut shown = serde_json::to_value(content).unwrap();
            shown["name"] = Value::Null;
            shown
        };
        assert_eq!(shown(&made.versions[&1].content), shown(&source), "member for member");
        let profile = made.draft.content.cross_region_config.as_ref().map(simulator::CrossRegion::profile_id);
        assert_eq!(profile.is_some(), policies.get("crossRegionConfig").is_some());

        // Nothing is enforced yet, and the copy is looked up by its name.
        ready(&stage.ensure(1, &NONE).await, 1);
        stage.wrote(&[]);
        // It is enforced: one call.
        ready(&stage.ensure(1, &Enforced::Own(copy)).await, 1);
        assert_eq!(stage.calls(false), ["GetGuardrail"]);
    }
}

#[tokio::test]
async fn a_version_is_published_when_the_content_changes_and_only_then() {
    let stage = Stage::set().await;
    let first = ready(&stage.ensure(1, &NONE).await, 1);
    let enforced = Enforced::Own(first.clone());

    // Version 2 of the example says what version 1 says.
    ready(&stage.ensure(2, &enforced).await, 1);
    stage.wrote(&[]);

    stage.publish_source(words(&["rosebud", "tungsten"]));
    let second = ready(&stage.ensure(3, &enforced).await, 2);
    stage.wrote(&["UpdateGuardrail", "CreateGuardrailVersion"]);
    ready(&stage.ensure(3, &Enforced::Own(second.clone())).await, 2);
    stage.wrote(&[]);

    // Another order is the same content.
    stage.publish_source(words(&["tungsten", "rosebud"]));
    ready(&stage.ensure(4, &Enforced::Own(second.clone())).await, 2);
    stage.wrote(&[]);

    // Back to the first: its version is still there.
    ready(&stage.ensure(1, &Enforced::Own(second)).await, 1);
    stage.wrote(&[]);
    let description = stage.copy().versions[&2].description.clone().unwrap();
    assert!(description.starts_with(&format!("Guardrail Keeper copy of {SOURCE} version 3, content ")));
}

#[tokio::test]
async fn an_administrators_edits_and_forgeries_fool_nobody() {
    let stage = Stage::set().await;
    let first = ready(&stage.ensure(1, &NONE).await, 1);
    let copy = stage.copy();
    let forged = Content {
        description: copy.draft.description.clone(),
        ..content("corporate-baseline-keeper", words(&["harmless"]))
    };

    // The draft alone is nobody's protection, and nothing is written about it.
    stage.edit(&copy.arn, forged.clone(), None);
    ready(&stage.ensure(1, &NONE).await, 1);
    stage.wrote(&[]);

    // Published under our own marker, and enforced: version 1 is still the right one.
    let marker = copy.versions[&1].description.clone();
    stage.edit(&copy.arn, forged, marker.as_deref());
    let wrong = Published { version: version(2), ..first };
    ready(&stage.ensure(1, &Enforced::Own(wrong.clone())).await, 1);
    stage.wrote(&[]);

    // The right version deleted: the draft is put right before anything is published.
    let name = GuardrailName::from_arn(&copy.arn).unwrap();
    stage.server.with(|model| model.remove_guardrail(&name, Some("1"))).unwrap();
    ready(&stage.ensure(1, &Enforced::Own(wrong)).await, 3);
    stage.wrote(&["UpdateGuardrail", "CreateGuardrailVersion"]);

    // Deleted altogether: made again.
    stage.server.with(|model| model.remove_guardrail(&name, None)).unwrap();
    ready(&stage.ensure(1, &NONE).await, 1);
    assert_ne!(stage.copy().arn, copy.arn);
}

#[tokio::test]
async fn old_versions_go_but_never_the_enforced_one_nor_the_one_before() {
    let stage = Stage::set().await;
    ready(&stage.ensure(1, &NONE).await, 1);
    let guardrail: GuardrailArn = stage.copy().arn.parse().unwrap();
    let enforced = Enforced::Own(Published { guardrail: guardrail.clone(), version: version(2) });
    for round in 3..9 {
        let edition = format!("edition {round}");
        stage.publish_source(words(&[&edition]));
        ready(&stage.ensure(round, &enforced).await, round - 1);
    }
    let versions: Vec<u32> = stage.copy().versions.into_keys().collect();
    assert_eq!(versions, [1, 2, 5, 6, 7], "1 and 2 are needed, 5 to 7 are the newest");

    // Where nobody can tell what is enforced, nothing goes.
    stage.publish_source(words(&["edition 9"]));
    let ensured = stage.ensure(9, &Enforced::Unknown).await;
    assert_eq!((ensured.wrote.len(), stage.copy().versions.len()), (2, 6));

    // AWS refuses to delete a version: the copy is ready all the same.
    let refusal =
        FaultKind::Error { code: "ResourceInUseException".into(), message: "in use".into(), status: 400 };
    stage.server.fault(Fault::new(refusal).operation("DeleteGuardrail"));
    let last = Enforced::Own(Published { guardrail, version: version(7) });
    let ensured = stage.ensure(9, &last).await;
    ready(&ensured, 8);
    assert_eq!(ensured.not_pruned.len(), 3, "{:?}", ensured.not_pruned);
}

#[tokio::test]
async fn a_guardrail_that_has_the_name_already_is_left_alone() {
    let stage = Stage::set().await;
    let theirs = content("corporate-baseline-keeper", words(&["theirs"]));
    let add = |tags: Tags| {
        stage
            .server
            .with(|model| model.add_guardrail(MEMBER, REGION, "theirs1", theirs.clone(), tags))
            .unwrap()
    };
    add(Tags::new());
    let ensured = stage.ensure(1, &NONE).await;
    let CopyState::Held(CopyHeld::NameTaken { guardrail }) = ensured.state else { panic!("{ensured:?}") };
    assert_eq!(guardrail.id.as_str(), "theirs1");
    stage.wrote(&[]);

    // Handed over by the tag.
    let name = GuardrailName::from_arn(&stage.copy().arn).unwrap();
    stage.server.with(|model| model.remove_guardrail(&name, None)).unwrap();
    add(Tags::from([("guardrail-keeper:source".to_owned(), String::new())]));
    ready(&stage.ensure(1, &NONE).await, 1);
    stage.wrote(&["UpdateGuardrail", "CreateGuardrailVersion"]);
}

#[tokio::test]
async fn quotas_are_reported_and_nothing_is_lost() {
    let stage = Stage::set().await;
    for number in 0..100 {
        let (id, name) = (format!("other{number}"), format!("other-{number}"));
        let other = content(&name, words(&["other"]));
        stage.server.with(|model| model.add_guardrail(MEMBER, REGION, &id, other, Tags::new())).unwrap();
    }
    let failure = stage.try_ensure(1, &NONE).await.unwrap_err();
    assert_eq!((failure.category, failure.operation.as_str()), (Category::Rejected, "CreateGuardrail"));
    assert!(failure.message.contains("ServiceQuotaExceededException"), "{failure}");

    let stage = Stage::set().await;
    let copy = ready(&stage.ensure(1, &NONE).await, 1);
    let name = GuardrailName::from_arn(&copy.guardrail.to_string()).unwrap();
    for _ in 1..20 {
        stage.server.with(|model| model.add_guardrail_version(&name, None)).unwrap();
    }
    stage.publish_source(words(&["another"]));
    let ensured = stage.ensure(3, &Enforced::Own(copy)).await;
    let CopyState::Held(CopyHeld::VersionsFull { count, .. }) = ensured.state else { panic!("{ensured:?}") };
    assert_eq!((count, stage.copy().versions.len()), (20, 20));

    // Twenty of ours: the oldest that may makes room.
    let marker = stage.copy().versions[&1].description.clone();
    stage.server.with(|model| {
        for number in 2..=20 {
            model.remove_guardrail(&name, Some(&number.to_string())).unwrap();
            model.add_guardrail_version(&name, marker.clone()).unwrap();
        }
    });
    let ensured = stage.ensure(3, &NONE).await;
    assert!(matches!(ensured.state, CopyState::Ready(_)), "{ensured:?}");
    assert_eq!(stage.copy().versions.len(), 3);
}

#[tokio::test]
async fn waiting_is_left_to_the_caller() {
    let mut world = World::example();
    world.settings.guardrail_seconds = 30;
    world.settings.version_seconds = 30;
    let stage = Stage::of(world).await;
    let wait = || stage.server.with(|model| model.clock.advance(Duration::from_secs(31)));
    let not_ready = |ensured: Ensured, word: &str| {
        assert_eq!(ensured.state, CopyState::NotReady(Status::from(word.to_owned())));
    };
    not_ready(stage.ensure(1, &NONE).await, "CREATING");
    not_ready(stage.ensure(1, &NONE).await, "CREATING");
    stage.wrote(&[]);
    wait();
    not_ready(stage.ensure(1, &NONE).await, "CREATING");
    stage.wrote(&["CreateGuardrailVersion"]);
    not_ready(stage.ensure(1, &NONE).await, "CREATING");
    stage.wrote(&[]);
    wait();
    ready(&stage.ensure(1, &NONE).await, 1);
    stage.wrote(&[]);
    assert_eq!(stage.copy().versions.len(), 1);

    // A draft that failed is written once more, a version that failed published once more.
    let name = GuardrailName::from_arn(&stage.copy().arn).unwrap();
    stage.server.with(|model| model.fail_guardrail(&name, Some(1), "bad luck")).unwrap();
    not_ready(stage.ensure(1, &NONE).await, "CREATING");
    stage.wrote(&["CreateGuardrailVersion"]);
    stage.server.with(|model| model.fail_guardrail(&name, Some(2), "bad luck")).unwrap();
    let ensured = stage.ensure(1, &NONE).await;
    assert!(matches!(ensured.state, CopyState::Held(CopyHeld::VersionsFailed { .. })), "{ensured:?}");
    stage.wrote(&[]);
}

#[tokio::test]
async fn what_cannot_be_copied_whole_is_not_copied() {
    let stage = Stage::set().await;
    let refused = |original: Result<Original, NoOriginal>| original.expect_err("it can't be copied");

    let mut reasoning = words(&["rosebud"]);
    reasoning["automatedReasoningPolicyConfig"] = json!({ "policies": ["arn:aws:bedrock:us-east-1:222222222222:automated-reasoning-policy/abcdefghijkl"] });
    stage.publish_source(reasoning);
    let why = refused(stage.original(3).await);
    assert_eq!(why, NoOriginal::CannotCopy(CannotCopy::AutomatedReasoning));

    // A member that AWS added yesterday: the SDK's types don't have it, the answer does.
    let filter = json!({ "type": "HATE", "inputStrength": "HIGH", "outputStrength": "HIGH", "scope": "ALL" });
    stage.publish_source(json!({ "contentPolicyConfig": { "filtersConfig": [filter] } }));
    let why = refused(stage.original(4).await);
    let NoOriginal::CannotCopy(CannotCopy::Unknown(what)) = &why else { panic!("{why:?}") };
    assert!(what.starts_with("contentPolicy: unknown field `scope`"), "{what}");

    // A value that AWS added yesterday is copied as it stands; here AWS's own check refuses it.
    stage.publish_source(json!({ "sensitiveInformationPolicyConfig": {
        "piiEntitiesConfig": [{ "type": "MARTIAN_PASSPORT_NUMBER", "action": "BLOCK" }] } }));
    let failure = stage.try_ensure(5, &NONE).await.unwrap_err();
    assert!(failure.message.contains("MARTIAN_PASSPORT_NUMBER"), "{failure}");

    assert_eq!(refused(stage.original(99).await), NoOriginal::Missing);
    let name = GuardrailName::from_arn(SOURCE).unwrap();
    stage.server.with(|model| model.fail_guardrail(&name, Some(1), "bad luck")).unwrap();
    assert_eq!(refused(stage.original(1).await), NoOriginal::NotReady(Status::Failed));
    stage.server.fault(Fault::new(FaultKind::Throttle).operation("GetGuardrail").account(OWNER));
    let NoOriginal::Unreadable(failure) = refused(stage.original(2).await) else { panic!("it was read") };
    assert_eq!(failure.category, Category::Transient);
    assert!(stage.copies().is_empty());
}

#[tokio::test]
async fn lost_answers_make_nothing_twice() {
    let stage = Stage::set().await;
    for operation in ["CreateGuardrail", "CreateGuardrailVersion"] {
        let lost = Fault::new(FaultKind::ServerError).operation(operation).times(1).after_carrying_out();
        stage.server.fault(lost);
    }
    let ensured = stage.ensure(1, &NONE).await;
    let CopyState::Ready(copy) = ensured.state else { panic!("{ensured:?}") };
    assert_eq!(stage.copies().len(), 1);
    ready(&stage.ensure(1, &Enforced::Own(copy.clone())).await, copy.version.number());
    stage.wrote(&[]);
}

#[tokio::test]
async fn what_could_not_be_read_is_never_taken_for_a_difference() {
    let stage = Stage::set().await;
    let copy = ready(&stage.ensure(1, &NONE).await, 1);
    let mine = || Enforced::Own(copy.clone());
    for (operation, enforced) in [("GetGuardrail", mine()), ("GetGuardrail", NONE), ("ListGuardrails", NONE)]
    {
        let denied = FaultKind::Denied { message: "not today".to_owned() };
        stage.server.fault(Fault::new(denied).operation(operation).account(MEMBER));
        let failure = stage.try_ensure(1, &enforced).await.unwrap_err();
        assert_eq!((failure.category, failure.operation.as_str()), (Category::Denied, operation));
        stage.wrote(&[]);
        stage.server.clear_faults();
    }
}

#[tokio::test]
async fn a_draft_that_reads_back_different_is_not_published() {
    let stage = Stage::set().await;
    let copy = ready(&stage.ensure(1, &NONE).await, 1);
    stage.publish_source(words(&["another"]));
    stage.server.fault(Fault::new(FaultKind::StaleRead).operation("GetGuardrail").account(MEMBER));
    let ensured = stage.ensure(3, &Enforced::Own(copy)).await;
    assert!(matches!(ensured.state, CopyState::Held(CopyHeld::ReadsBackDifferent { .. })), "{ensured:?}");
    stage.wrote(&["UpdateGuardrail"]);
    stage.server.clear_faults();
    ready(&stage.ensure(3, &NONE).await, 2);
    stage.wrote(&["CreateGuardrailVersion"]);
}

#[tokio::test]
async fn the_owner_needs_no_copy_and_no_call() {
    let stage = Stage::set().await;
    let original = stage.original(2).await.unwrap();
    let owner = stage.cloud.session(&OWNER.parse().unwrap()).await.unwrap();
    let target: Target = format!("{OWNER}/{REGION}").parse().unwrap();
    stage.server.clear_calls();
    let verdict = Reader::new(&owner, &region()).copy_verdict(&target, &original, &NONE).await.unwrap();
    let itself = Published { guardrail: SOURCE.parse().unwrap(), version: version(2) };
    assert_eq!(verdict, CopyVerdict::Ready(itself));
    assert!(stage.server.calls().is_empty());
}

#[tokio::test]
async fn an_owners_key_is_told_and_not_copied() {
    let mut policies = words(&["rosebud"]);
    policies["kmsKeyId"] =
        json!("arn:aws:kms:us-east-1:222222222222:key/11111111-2222-4333-8444-555555555555");
    let stage = Stage::with_source(policies).await;
    assert!(stage.original(1).await.unwrap().customer_key);
    ready(&stage.ensure(1, &NONE).await, 1);
    assert!(stage.copy().draft.content.kms_key_id.is_none());
}

#[tokio::test]
async fn a_conflict_that_no_list_explains_is_said_as_it_is() {
    let stage = Stage::set().await;
    let conflict = FaultKind::Error {
        code: "ConflictException".to_owned(),
        status: 409,
        message: "The name is in use.".to_owned(),
    };
    stage.server.fault(Fault::new(conflict).operation("CreateGuardrail").times(u32::MAX));
    let failure = stage.try_ensure(1, &NONE).await.unwrap_err();
    assert_eq!((failure.category, failure.operation.as_str()), (Category::Transient, "CreateGuardrail"));
    assert!(failure.message.contains("The name is in use."), "{failure}");
    // Where a list shows the copy, somebody was first, and it is as good.
    stage.server.clear_faults();
    let copy = ready(&stage.ensure(1, &NONE).await, 1);
    assert_eq!(copy.guardrail.to_string(), stage.copy().arn);
}

//! `guardrailctl` beside a deployed keeper: it asks, follows the ledger, and doesn't write itself.

use std::cell::Cell;

use expect_test::expect;
use serde_json::Value;

use testkit::program::{Guardrailctl, Ran};
use testkit::stack::{Stack, events_queue, tasks_queue};
use testkit::world::{
    ABANDONED, DELETE, Document, EU, HUB, PARAMETER, PAYMENTS, PUT, SEARCH, SHIPPING, Setup, World, check,
    version,
};

const BUS: &str = "guardrail-keeper";

/// A world with a keeper that takes its work from queues, and a terminal beside it.
pub(crate) struct Deployed(Stack);

impl Deployed {
    async fn of(baseline: &Document) -> Deployed {
        Deployed::start(World::of(baseline)).await
    }

    pub(crate) async fn start(setup: Setup) -> Deployed {
        Deployed(Stack::start(setup.durable().long_established()).await)
    }

    pub(crate) fn world(&self) -> &World {
        &self.0.world
    }

    /// Has the schedule look at everything.
    pub(crate) async fn sweep(&mut self) {
        let schedule = self.0.schedule();
        self.0.deliver(&schedule).await;
    }

    pub(crate) fn ctl(&self) -> Guardrailctl {
        let server = &self.world().server;
        terminal(self.world())
            .variable("KEEPER_EVENTS_QUEUE", &server.queue_url(&events_queue()))
            .variable("KEEPER_TASKS_QUEUE", &server.queue_url(&tasks_queue()))
    }

    /// Runs `guardrailctl` while the function takes from its queues what is there.
    pub(crate) async fn run(&mut self, arguments: &[&str]) -> Ran {
        let ctl = self.ctl();
        let ended = Cell::new(false);
        let terminal = async {
            let ran = ctl.run(arguments).await;
            ended.set(true);
            ran
        };
        let function = async {
            let mut heard = self.0.world.server.with(|model| model.events().len());
            while !ended.get() {
                self.hear_of_parameters(&mut heard);
                self.0.work().await;
                tokio::task::yield_now().await;
            }
            // What was asked for is done, though nobody follows it any more.
            self.hear_of_parameters(&mut heard);
            self.0.work().await;
        };
        tokio::join!(terminal, function).0
    }

    /// The stack's rules bring the function what Systems Manager reported since.
    fn hear_of_parameters(&mut self, heard: &mut usize) {
        let new: Vec<Value> = self.0.world.server.with(|model| {
            let new = model.events().iter().skip(*heard).map(|emitted| emitted.event.clone());
            let new: Vec<Value> = new.collect();
            *heard = model.events().len();
            new
        });
        let parameters = new.iter().filter(|event| event["detail-type"] == "Parameter Store Change");
        parameters.for_each(|event| self.0.send(event));
    }

    /// What was asked for and lies in the queue of events.
    fn asked(&self) -> Vec<Value> {
        self.world().server.with(|model| {
            let messages = model.queue(&events_queue()).unwrap().messages();
            let events = messages.map(|(message, _)| serde_json::from_str::<Value>(&message.body).unwrap());
            events.filter(|event| event["detail-type"] == "Reconcile Requested").collect()
        })
    }
}

fn terminal(world: &World) -> Guardrailctl {
    Guardrailctl::of(world)
        .variable("KEEPER_BASELINE", &format!("ssm:{PARAMETER}"))
        .variable("KEEPER_LEDGER", "file:ledger.json")
}

fn two_accounts() -> Document {
    Document {
        regions: EU,
        assignments: vec![(PAYMENTS, "corporate"), (SHIPPING, "corporate")],
        ..Document::default()
    }
}

fn object(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error} in {ran}"))
}

#[tokio::test]
async fn apply_has_the_deployed_keeper_do_it_and_tells_what_it_did() {
    let mut deployed = Deployed::of(&two_accounts()).await;
    let ran = deployed.run(&["apply", "--yes"]).await;
    check(
        &ran,
        expect![[r#"
            + 300000000001/eu-west-1 (Workload/payments) enforce corporate:2
            + 300000000002/eu-west-1 (Workload/shipping) enforce corporate:2
            2 to change, 0 held, 0 in sync, 5 left alone, 1 account skipped
            plan 9aee8148861db0bd of baseline 4ef2b91f1df53797, mode sync

            Done by the deployed keeper:
            300000000001/eu-west-1 enforced
            300000000002/eu-west-1 enforced
            stderr: asked the deployed keeper, by the queue of its events
            exit 0
        "#]],
    );
    assert_eq!(deployed.world().writes().iter().filter(|write| write.starts_with(PUT)).count(), 2);
    // Who wrote is the function, and what it says is the ledger's.
    let ran = deployed.run(&["status", "--account", PAYMENTS]).await;
    assert_eq!(ran.code, 0, "{ran}");
    let ran = deployed.run(&["apply", "--yes"]).await;
    check(
        &ran,
        expect![[r#"
        0 to change, 0 held, 2 in sync, 5 left alone, 1 account skipped
        plan e3b0c44298fc1c14 of baseline 4ef2b91f1df53797, mode sync
        exit 0
    "#]],
    );
}

/// Somebody applies a file that was never pushed: the deployed keeper goes by its own baseline.
#[tokio::test]
async fn a_look_by_another_baseline_is_not_the_one_that_was_asked_for() {
    let mut deployed = Deployed::of(&two_accounts()).await;
    let ran = deployed.run(&["apply", "--yes"]).await;
    assert_eq!(ran.code, 0, "{ran}");
    let file = deployed.world().ledger_file().with_file_name("never-pushed.yaml");
    std::fs::write(file, Document { version: 1, ..two_accounts() }.text()).unwrap();
    let ran = deployed.run(&["apply", "--yes", "--baseline", "never-pushed.yaml", "--wait", "2s"]).await;
    check(
        &ran,
        expect![[r#"
            ~ 300000000001/eu-west-1 (Workload/payments) corporate:2 => corporate:1 (different)
            ~ 300000000002/eu-west-1 (Workload/shipping) corporate:2 => corporate:1 (different)
            2 to change, 0 held, 0 in sync, 5 left alone, 1 account skipped
            plan 82931a11aa1fac6d of baseline 5d74b4616e57cddb, mode sync

            Done by the deployed keeper:
            300000000001/eu-west-1 stale: in sync by baseline 4ef2b91f1df53797, and 5d74b4616e57cddb is the present one
            300000000002/eu-west-1 stale: in sync by baseline 4ef2b91f1df53797, and 5d74b4616e57cddb is the present one
            stderr: asked the deployed keeper, by the queue of its events
            stderr: 2 of 2 aren't done yet: see guardrailctl status later
            exit 1
        "#]],
    );
}

#[tokio::test]
async fn the_owners_side_is_followed_as_well() {
    let setup = World::of(&two_accounts()).world(|world| {
        world.guardrails.iter_mut().for_each(|guardrail| guardrail.share_with_organization = false);
    });
    let mut deployed = Deployed::start(setup).await;
    let ran = deployed.run(&["apply", "--yes"]).await;
    check(
        &ran,
        expect![[r#"
            + arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c attach a resource policy that grants it to o-exampleorgid
            + 300000000001/eu-west-1 (Workload/payments) enforce corporate:2, after the grant
            + 300000000002/eu-west-1 (Workload/shipping) enforce corporate:2, after the grant
            3 to change (2 of them after a grant or a copy), 0 held, 0 in sync, 5 left alone, 1 account skipped
            plan d126b4d4c7196a91 of baseline 4ef2b91f1df53797, mode sync

            Done by the deployed keeper:
            300000000001/eu-west-1 enforced
            300000000002/eu-west-1 enforced
            stderr: asked the deployed keeper, by the queue of its events
            exit 0
        "#]],
    );
}

#[tokio::test]
async fn it_asks_for_the_accounts_of_the_plan_that_was_read() {
    let mut deployed = Deployed::of(&two_accounts()).await;
    deployed.run(&["apply", "--yes"]).await;
    deployed.world().administrator_releases(PAYMENTS, EU);
    let ran = deployed.ctl().run(&["apply", "--yes", "--no-wait", "--output", "json"]).await;
    let hash = &object(&ran)["planned"][0]["plan"]["hash"];
    let asked = deployed.asked();
    assert_eq!((ran.code, asked.len()), (0, 1), "{ran}");
    assert_eq!(asked[0]["detail"]["accounts"], serde_json::json!([PAYMENTS]));
    assert_eq!(
        (&asked[0]["detail"]["plan"], &asked[0]["detail-type"]),
        (hash, &"Reconcile Requested".into())
    );
    assert_eq!(deployed.world().enforced_in(PAYMENTS).split_whitespace().nth(1), Some("-"), "nobody works");

    // Nobody works, and that is told.
    let ran = deployed.ctl().run(&["apply", "--yes", "--wait", "0s"]).await;
    check(
        &ran,
        expect![[r#"
            + 300000000001/eu-west-1 (Workload/payments) enforce corporate:2 (it was removed)
            1 to change, 0 held, 1 in sync, 5 left alone, 1 account skipped
            plan fd3fce92ec190132 of baseline 4ef2b91f1df53797, mode sync

            Done by the deployed keeper:
            300000000001/eu-west-1 not looked at yet
            stderr: asked the deployed keeper, by the queue of its events
            stderr: 1 of 1 aren't done yet: see guardrailctl status later
            exit 1
        "#]],
    );
}

#[tokio::test]
async fn nothing_is_written_beside_a_queue_of_tasks() {
    let deployed = Deployed::of(&two_accounts()).await;
    let ran = deployed.ctl().run(&["apply", "--yes", "--direct"]).await;
    check(
        &ran,
        expect![[r#"
        stderr: error: --direct would write beside the deployed keeper: KEEPER_TASKS_QUEUE names its queue, and only the program that reads that queue may write in an account
        exit 2
    "#]],
    );
    assert_eq!((deployed.world().writes(), deployed.asked()), (Vec::new(), Vec::new()));
    // Without a queue there is nobody to be in the way of.
    let ran = terminal(deployed.world()).run(&["apply", "--yes", "--direct"]).await;
    assert_eq!(ran.code, 0, "{ran}");
}

#[tokio::test]
async fn where_there_is_a_bus_the_request_goes_there() {
    let mut deployed = Deployed::of(&two_accounts()).await;
    deployed.run(&["apply", "--yes"]).await;
    deployed.world().administrator_releases(PAYMENTS, EU);
    let ctl = deployed.ctl().variable("KEEPER_BUS", BUS);
    let ran = ctl.run(&["apply", "--yes", "--no-wait", "--account", PAYMENTS]).await;
    check(
        &ran,
        expect![[r#"
            + 300000000001/eu-west-1 (Workload/payments) enforce corporate:2 (it was removed)
            1 to change, 0 held, 0 in sync
            plan fd3fce92ec190132 of baseline 4ef2b91f1df53797, mode sync
            stderr: asked the deployed keeper, on bus guardrail-keeper
            stderr: stopped following: guardrailctl status shows the results
            exit 0
        "#]],
    );
    let put = deployed.world().server.with(|model| model.put_events().to_vec());
    assert_eq!((put.len(), put[0].bus.as_str(), deployed.asked().len()), (1, BUS, 0));
    assert_eq!(put[0].event["source"], "guardrail-keeper.request");
    // As its rule would, to the same end.
    deployed.0.send(&put[0].event);
    deployed.0.work().await;
    // Nobody but SSM tells the keeper of it.
    let event = deployed.world().event("Parameter Store Change");
    deployed.0.send(&event);
    deployed.0.work().await;
    let enforced = deployed.world().enforced_in(PAYMENTS);
    assert_eq!(enforced.split_whitespace().nth(1), Some("eubase1a2b3c:2"), "{enforced}");
}

#[tokio::test]
async fn what_was_approved_is_acted_on_at_once() {
    let careful =
        Document { rest: vec!["limits: { max_replacements: 1, max_releases: 1 }"], ..two_accounts() };
    let mut deployed = Deployed::of(&Document { version: 1, ..two_accounts() }).await;
    deployed.run(&["apply", "--yes"]).await;
    deployed.world().publish(&careful);
    let event = deployed.world().event("Parameter Store Change");
    deployed.0.send(&event);
    deployed.0.work().await;
    let revision = deployed.world().baseline().await.revision.to_string();
    let status = deployed.run(&["status", "--account", PAYMENTS]).await;
    assert!(status.code == 1 && status.err.contains(&format!("guardrailctl approve {revision}")), "{status}");

    let explained = deployed.run(&["explain", PAYMENTS, EU]).await;
    let meanwhile = format!("guardrailctl approve {revision}; accounts follow ");
    assert!(explained.code == 1 && explained.err.contains(&meanwhile), "{explained}");

    deployed.world().server.clear_calls();
    let ran = deployed.run(&["approve", &revision, "--yes"]).await;
    check(
        &ran,
        expect![[r#"
            baseline 75e2345e55384903
              all of it: 2 replaced, 0 released
              done without approval: 0 replaced, 0 released
              its limits: 1 replaced, 1 released, 5 abandoned
            ok: /guardrail-keeper/approval approves baseline 75e2345e55384903, as version 1
            stderr: the deployed keeper hears of it by itself; guardrailctl status says what came of it
            exit 0
        "#]],
    );
    let enforced = deployed.world().enforced_in(PAYMENTS);
    assert_eq!(enforced.split_whitespace().nth(1), Some("eubase1a2b3c:2"), "{enforced}");
}

#[tokio::test]
async fn an_account_is_released_before_it_leaves_and_kept_so() {
    let world = World::guarded(World::of(&Document { regions: EU, ..Document::default() }).durable()).await;
    let ctl = terminal(&world);
    let unasked = ctl.run(&["offboard", PAYMENTS]).await;
    assert_eq!((unasked.code, world.writes().len()), (2, 0), "{unasked}");
    let ran = ctl.run(&["offboard", PAYMENTS, "--yes"]).await;
    check(
        &ran,
        expect![[r#"
        300000000001/eu-west-1 release eubase1a2b3c:2
        300000000001/eu-west-1 nothing is enforced
        ok: nothing of ours is enforced in 300000000001
        exit 0
    "#]],
    );
    // The mark is a control, and nothing is written but that.
    let control = format!("PutParameter {HUB}/us-east-1");
    assert_eq!(world.writes(), [format!("{DELETE} {PAYMENTS}/{EU}"), control]);
    world.quiet(&[PAYMENTS]).await;
    let ran = ctl.run(&["explain", PAYMENTS, EU]).await;
    assert!(ran.out.contains("wanted    nothing: the account is about to leave, since "), "{ran}");

    let ran = ctl.run(&["offboard", PAYMENTS, "--cancel", "--yes"]).await;
    check(
        &ran,
        expect![[r#"
        ok: the baseline counts in 300000000001 again
        stderr: it is guarded by the next sweep, or by guardrailctl apply --account 300000000001
        exit 0
    "#]],
    );
    let ran = ctl.run(&["offboard", PAYMENTS, "--cancel", "--yes", "--output", "json"]).await;
    assert_eq!((ran.code, &object(&ran)["leaving"]), (0, &Value::Bool(false)), "{ran}");
    let report = world.look_at(&[PAYMENTS]).await;
    assert!(report.is_converged(), "{report}");
    assert_eq!(world.writes(), [format!("{PUT} {PAYMENTS}/{EU}"), format!("PutParameter {HUB}/us-east-1")]);
}

#[tokio::test]
async fn what_cannot_be_released_before_an_account_leaves_is_told() {
    let world = World::guarded(World::of(&Document { regions: EU, ..Document::default() }).durable()).await;
    let denied = simulator::FaultKind::Denied { message: "an explicit deny".to_owned() };
    world.server.fault(simulator::Fault::new(denied).operation(DELETE));
    let ctl = terminal(&world);
    let mut told = ctl.run(&["offboard", PAYMENTS, "--yes"]).await.to_string();
    for account in ["999999999999", ABANDONED] {
        told.push_str(&ctl.run(&["offboard", account, "--yes"]).await.to_string());
    }
    world.server.clear_faults();
    world.publish(&Document { regions: EU, mode: "enforce-only", ..Document::default() });
    world.administrator_enforces(SEARCH, EU, version(EU, "1"));
    told.push_str(&ctl.run(&["offboard", SEARCH, "--yes", "--output", "json"]).await.to_string());
    check(
        &told,
        expect![[r#"
            300000000001/eu-west-1 release eubase1a2b3c:2
            300000000001/eu-west-1 not released: eubase1a2b3c:2: DeleteEnforcedGuardrailConfiguration: AccessDeniedException: an explicit deny (denied)
            stderr: warning: 300000000001 may lose its Bedrock calls in eu-west-1 once it has left: the lines above name what is still enforced in each Region
            exit 1
            stderr: 999999999999 is no member of this organization: nothing can be released there
            exit 1
            stderr: 300000000006 is suspended: no call can work there, so nothing can be released
            exit 1
            {
              "account": "300000000003",
              "leaving": true,
              "regions": [
                {
                  "region": "eu-west-1",
                  "released": false,
                  "text": "not released: eubase1a2b3c:1: to be released, but changed since by arn:aws:iam::300000000003:user/administrator: release it by hand, or put it back first"
                }
              ],
              "released": false
            }
            stderr: warning: the baseline's mode is enforce-only: nothing is released
            stderr: warning: 300000000003 may lose its Bedrock calls in eu-west-1 once it has left: the lines above name what is still enforced in each Region
            exit 1
        "#]],
    );
}

#[tokio::test]
async fn a_deployed_keeper_releases_what_is_about_to_leave() {
    let mut deployed = Deployed::of(&two_accounts()).await;
    deployed.run(&["apply", "--yes"]).await;
    deployed.world().server.clear_calls();
    let ran = deployed.run(&["offboard", PAYMENTS, "--yes"]).await;
    check(
        &ran,
        expect![[r#"
            300000000001/eu-west-1 release eubase1a2b3c:2
            300000000001/eu-west-1 released
            ok: nothing of ours is enforced in 300000000001
            stderr: /guardrail-keeper/controls/leaving/300000000001 says `leaving`, as version 1; the deployed keeper hears of it
            exit 0
        "#]],
    );
    let deletes: Vec<String> =
        deployed.world().writes().into_iter().filter(|write| write.starts_with(DELETE)).collect();
    assert_eq!(deletes, [format!("{DELETE} {PAYMENTS}/{EU}")]);
}

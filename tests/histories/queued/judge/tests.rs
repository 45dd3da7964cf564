//! The judge itself, where histories showed that it was wrong.

use guardrail_keeper::baseline::Revision;
use serde_json::json;
use simulator::{Enforce, Server};
use tempfile::TempDir;

use super::*;
use testkit::histories::baseline::{GUARDRAIL, Given, Placement};
use testkit::histories::dice::Dice;
use testkit::histories::model::administrator;
use testkit::histories::setting::{LEDGER, LedgerKind, MEMBER_ROLE};

/// A member of an organization in which everything is allowed, and the judge of what is written there.
struct Court {
    setting: Setting,
    server: Server,
    member: String,
    judge: Judge,
    _folder: TempDir,
}

impl Court {
    async fn sits() -> Court {
        let drawn = Setting::random(1, &mut Dice::new(1));
        let setting = Setting {
            ledger: LedgerKind::Table,
            placement: Placement::Central,
            shared: true,
            propagation_seconds: 0,
            making_seconds: 0,
            switches: simulator::Switches::default(),
            ..drawn
        };
        let server = setting.start().await;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = server.with(|model| Store::of(&setting, folder.path(), model));
        let judge = Judge::new(&setting, store, Clock::default());
        Court { member: setting.member(0), setting, server, judge, _folder: folder }
    }

    fn publish(&mut self, wants: &Wants) {
        let text = wants.text(&self.setting);
        self.server.with(|model| self.judge.published(wants, &text, model));
    }

    /// An invocation writes into the ledger which baseline is approved.
    fn approve(&mut self, wants: &Wants) {
        self.records(APPROVED, &json!({ "text": wants.text(&self.setting), "at": self.judge.clock.now() }));
    }

    /// An invocation writes a document into the ledger.
    fn records(&mut self, key: &str, document: &Value) {
        let item = json!({ "key": { "S": key }, "document": { "S": document.to_string() } });
        let hub = self.setting.hub();
        self.server.with(|model| {
            let mut table = model.take_table(&hub, "us-east-1", LEDGER).expect("it was made");
            let item = serde_json::from_value(item).expect("it is an item");
            table.items.insert(key.to_owned(), item);
            model.put_table(&hub, "us-east-1", LEDGER, table).expect("the hub is there");
            let call = Call {
                sequence: 1,
                service: "dynamodb".to_owned(),
                operation: "PutItem".to_owned(),
                account: hub.clone(),
                region: "us-east-1".to_owned(),
                caller: administrator(&hub),
                target: None,
                write: true,
                status: 200,
                error: None,
                fault: None,
            };
            self.judge.see(&call, model);
        });
    }

    /// A task that was queued just now.
    fn begin(&mut self, wants: &Wants) {
        let revision = Revision::of(&wants.text(&self.setting));
        let cause = json!({ "first_seen": self.judge.clock.now(), "revision": revision });
        self.server.with(|model| self.judge.look(model));
        self.judge.begin(&self.member, &json!({ "cause": cause })).expect("nobody else is at work");
    }

    fn end(&mut self) {
        self.server.with(|model| self.judge.end(&self.member, model, false)).expect("nothing was recorded");
    }

    /// The invocation records what it is about to do.
    fn announces(&mut self, wants: &Wants) {
        let revision = Revision::of(&wants.text(&self.setting));
        let intent = json!({ "to": null, "at": self.judge.clock.now(), "revision": revision });
        let account = format!("account#{}", self.member);
        self.records(&account, &json!({ "regions": { "us-east-1": { "intent": intent } } }));
    }

    /// The invocation enforces the owner's guardrail, and then nothing is there again.
    fn enforces(&mut self) -> Result<(), Violation> {
        let (member, owner) = (&self.member, self.setting.owner());
        let role = format!("arn:aws:iam::{member}:role/{MEMBER_ROLE}");
        self.server.with(|model| {
            let arn = model.guardrail_arn(&owner, "us-east-1", GUARDRAIL).expect("it is there").to_owned();
            model.put_enforcement_as(&role, member, "us-east-1", Enforce::new(&arn, "2")).expect("it may");
            let judged = self.judge.judge_write(member, None, model);
            model.delete_enforcement_as(&role, member, "us-east-1").expect("it may");
            self.judge.look(model);
            judged
        })
    }
}

/// Seeds 8880375, 8880746 and 8880884: a revision was approved while a task, which had read that it wasn't, put back
/// what was approved before. The judge asked the ledger at the time of the write, and so condemned a write that is
/// the same as one a moment earlier; what it wrote, the same task then made as the newly approved revision wants
/// (`what_is_approved_while_the_former_is_put_back_has_the_last_word` in tests/it).
#[tokio::test]
async fn what_was_approved_when_the_work_began_may_be_put_back() {
    let mut court = Court::sits().await;
    let former = Wants::start(&court.setting);
    let next = Wants { workload: Given::None, ..former.clone() };
    court.publish(&former);
    court.approve(&former);
    court.publish(&next);

    court.begin(&next);
    court.approve(&next);
    court.announces(&former);
    court.enforces().expect("what it had read was that the former one counts");
    court.end();

    // Whoever begins later has no such excuse.
    court.begin(&next);
    let violation = court.enforces().expect_err("nothing is wanted there");
    assert_eq!(violation.invariant, Invariant::EnforcedUnwanted);
}

/// What is written must be recorded before: an account that is about to leave would be guarded by whoever can't read
/// that it is.
#[tokio::test]
async fn a_write_of_which_the_record_knows_nothing_is_noticed() {
    let mut court = Court::sits().await;
    let wants = Wants::start(&court.setting);
    court.publish(&wants);
    court.begin(&wants);
    let violation = court.enforces().expect_err("it wasn't recorded");
    assert_eq!(violation.invariant, Invariant::WroteUnrecorded);
    court.announces(&wants);
    court.enforces().expect("it was recorded");
}

/// Seeds 64000520 and 64000865: a process restarted with sessions of which AWS knows nothing, and its refused write was
/// taken for one out of turn, since no account is known of such a call.
#[tokio::test]
async fn a_write_with_a_session_that_nobody_knows_is_nobodys() {
    let mut court = Court::sits().await;
    let wants = Wants::start(&court.setting);
    court.publish(&wants);
    court.begin(&wants);
    let refused = |account: &str, error: Option<&str>| Call {
        sequence: 1,
        service: "bedrock".to_owned(),
        operation: "PutEnforcedGuardrailConfiguration".to_owned(),
        account: account.to_owned(),
        region: "us-east-1".to_owned(),
        caller: String::new(),
        target: None,
        write: true,
        status: if error.is_some() { 403 } else { 200 },
        error: error.map(str::to_owned),
        fault: None,
    };
    let judged = |court: &mut Court, call: &Call| {
        court.server.with(|model| court.judge.see(call, model));
        court.judge.violation.take().map(|violation| violation.invariant)
    };
    assert_eq!(judged(&mut court, &refused("", Some("UnrecognizedClientException"))), None);
    // Where it is known whose call it was, it was its turn or not, whether it was refused or not.
    let other = court.setting.member(1);
    let denied = refused(&other, Some("AccessDeniedException"));
    assert_eq!(judged(&mut court, &denied), Some(Invariant::OutOfTurn));
    assert_eq!(judged(&mut court, &refused("", None)), Some(Invariant::OutOfTurn));
}

impl Court {
    /// People read that the baseline begins or waits.
    fn reads(&mut self, wants: &Wants, begins: bool) -> Result<(), Invariant> {
        let revision = Revision::of(&wants.text(&self.setting));
        let event = json!({
            "detail-type": "Baseline Changed", "detail": { "revision": revision, "begins": begins },
        });
        self.server.with(|model| self.judge.read(&event, model)).map_err(|violation| violation.invariant)
    }

    /// A sweep ends that looked at everybody, and of which no event but its end was published.
    fn sweeps(&mut self, events: &[Value]) -> Result<(), Invariant> {
        let began = self.judge.clock.now();
        self.judge.goes_on(1, began);
        let end = json!({
            "detail-type": "Sweep Completed",
            "detail": { "began": began, "accounts": { "in_scope": 4, "looked_at": 4, "not_looked_at": 0 } },
        });
        let judge = &mut self.judge;
        let judged = self.server.with(|model| {
            events.iter().chain([&end]).try_for_each(|event| judge.read(event, model))?;
            judge.end_of_invocation(1, true, model)
        });
        judged.map_err(|violation| violation.invariant)
    }

    /// The keeper enforces what is wanted in each of these places, and records it.
    fn guards(&mut self, wants: &Wants, places: &[Place]) {
        let owner = self.setting.owner();
        for Place { account, region } in places {
            let role = format!("arn:aws:iam::{account}:role/{MEMBER_ROLE}");
            let place = Place { account: account.clone(), region: region.clone() };
            self.server.with(|model| {
                let arn = model.guardrail_arn(&owner, region, GUARDRAIL).expect("it is there").to_owned();
                let before = Snapshot::of(model, &self.setting);
                let enforce = Enforce::new(&arn, &wants.version.to_string());
                model.put_enforcement_as(&role, account, region, enforce).expect("it may");
                self.judge.book.note_writes(&before, &Snapshot::of(model, &self.setting));
                self.judge.book.settles(&place);
                self.judge.look(model);
            });
        }
    }

    fn removes(&mut self, Place { account, region }: &Place) {
        self.server.with(|model| {
            model.delete_enforcement_as(&administrator(account), account, region).expect("it is there");
            self.judge.meddled(model, false);
        });
    }
}

/// A revision that surely goes beyond its limits may not be said to begin, unless a person approved it; and one that
/// nothing can keep waiting may not be said to wait.
#[tokio::test]
async fn the_judge_counts_by_itself_whether_a_revision_may_begin() {
    let mut court = Court::sits().await;
    let former = Wants::start(&court.setting);
    court.publish(&former);
    assert_eq!(court.reads(&former, false), Err(Invariant::FollowedWrongly));
    court.reads(&former, true).expect("it is within its limits");
    let guarded: Vec<Place> =
        court.judge.places().into_iter().filter(|it| it.account.starts_with('3')).collect();
    let others = court.judge.places().into_iter().filter(|it| it.account.starts_with('4'));
    let guarded: Vec<Place> = guarded.into_iter().chain(others).collect();
    assert!(guarded.len() > 1, "{guarded:?}");
    court.guards(&former, &guarded);

    let harmful = Wants { workload: Given::None, tight: true, ..former.clone() };
    court.publish(&harmful);
    assert_eq!(court.reads(&harmful, true), Err(Invariant::FollowedWrongly));
    court.reads(&harmful, false).expect("it releases more than one");
    // So accounts follow the former one, and what is removed is unguarded.
    court.removes(&guarded[0]);
    court.judge.clock.advance(60);
    assert_eq!(court.sweeps(&[]), Err(Invariant::Unreported));

    let text = harmful.text(&court.setting);
    court.server.with(|model| court.judge.approved(&text, model));
    court.reads(&harmful, true).expect("a person approved it");
    court.judge.clock.advance(60);
    court.sweeps(&[]).expect("nothing is wanted there any more");
}

/// People read of a target by `Attention Needed`, and by no event for programs.
#[tokio::test]
async fn only_what_reaches_the_topic_counts_as_read() {
    let mut court = Court::sits().await;
    let wants = Wants::start(&court.setting);
    court.publish(&wants);
    court.reads(&wants, true).expect("it is within its limits");
    let guarded: Vec<Place> =
        court.judge.places().into_iter().filter(|it| it.account == court.member).collect();
    court.guards(&wants, &guarded);
    let everybody_else: Vec<Place> =
        court.judge.places().into_iter().filter(|it| it.account != court.member).collect();
    court.guards(&wants, &everybody_else);
    court.judge.clock.advance(60);
    court.sweeps(&[]).expect("everybody is guarded");

    let place = guarded[0].clone();
    court.removes(&place);
    court.judge.clock.advance(60);
    let target = json!({ "account": place.account, "region": place.region });
    let held = json!({
        "detail-type": "Enforcement Held",
        "detail": { "account": place.account, "region": place.region, "tried_again": false },
    });
    assert_eq!(court.sweeps(&[held]), Err(Invariant::Unreported));
    let attention = json!({
        "detail-type": "Attention Needed", "detail": { "news": [{ "kind": "held", "targets": [target] }] },
    });
    court.sweeps(&[attention]).expect("it is named");
    court.judge.clock.advance(4000);
    court.sweeps(&[]).expect("it is named as long as it lasts");
}

/// What a revision doesn't want stays where it is while that revision waits for a person.
#[tokio::test]
async fn nothing_is_released_for_a_revision_that_waits() {
    let mut court = Court::sits().await;
    let former = Wants::start(&court.setting);
    court.publish(&former);
    court.reads(&former, true).expect("it is within its limits");
    let guarded = court.judge.places();
    court.guards(&former, &guarded);
    court.approve(&former);
    let harmful = Wants { workload: Given::None, tight: true, ..former.clone() };
    court.publish(&harmful);
    court.reads(&harmful, false).expect("it releases more than one");

    let release = |court: &mut Court| {
        let (member, role) = (&court.member, format!("arn:aws:iam::{}:role/{MEMBER_ROLE}", court.member));
        court.server.with(|model| {
            model.delete_enforcement_as(&role, member, "us-east-1").expect("it is there");
            court.judge.judge_write(member, None, model).map_err(|violation| violation.invariant)
        })
    };
    court.judge.clock.advance(60);
    court.begin(&harmful);
    court.announces(&harmful);
    assert_eq!(release(&mut court), Err(Invariant::WroteAgainstMode));
    court.end();

    let text = harmful.text(&court.setting);
    court.server.with(|model| court.judge.approved(&text, model));
    court.guards(&former, &guarded);
    court.begin(&harmful);
    court.announces(&harmful);
    release(&mut court).expect("a person approved it");
}

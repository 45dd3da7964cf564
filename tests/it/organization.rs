//! The organization in every form in which AWS tells of it.

use std::collections::BTreeMap;

use expect_test::expect;
use futures_util::future::join_all;
use guardrail_keeper::cloud::{Access, Cloud, Identity, Patience, Rates};
use guardrail_keeper::failure::Category;
use simulator::{OnOff, Options, Presence, Server, Switches};

use testkit::world::{
    Document, EU, HUB, MEMBER_ROLE, OWNER, PAYMENTS, PUT, SANDBOX, Setup, US, WORKLOAD, World, check,
    schedule,
};

/// A sweep over an organization with accounts three OUs deep, and what it ends in.
async fn swept(setup: Setup) -> String {
    let world = setup.start().await;
    world.server.with(|model| {
        let management = model.caller("arn:aws:iam::111111111111:root", US).unwrap();
        let below = model.create_unit(&management, WORKLOAD, "Below", Default::default()).unwrap();
        let bottom = model.create_unit(&management, &below.id, "Bottom", Default::default()).unwrap();
        model.move_account(PAYMENTS, &bottom.id).unwrap();
        let cellar = model.create_unit(&management, SANDBOX, "Cellar", Default::default()).unwrap();
        model.move_account("300000000002", &cellar.id).unwrap();
    });
    let run = world.converge(&schedule()).await;
    let calls: Vec<String> = ["ListAccounts", "ListParents"]
        .map(|operation| {
            format!("{operation}: {}", if world.count(operation) > 0 { "called" } else { "not called" })
        })
        .into();
    format!("{}{}{}\n", run.text(), world.enforced(), calls.join(", "))
}

#[tokio::test]
async fn accounts_are_placed_by_their_paths() {
    let setup = World::of(&Document { regions: EU, ..Document::default() });
    check(
        &swept(setup).await,
        expect![[r#"
        the schedule starts a sweep
        111111111111/eu-west-1 enforced eubase1a2b3c:2
        222222222222/eu-west-1 enforced eubase1a2b3c:2
        300000000001/eu-west-1 enforced eubase1a2b3c:2
        300000000003/eu-west-1 enforced eubase1a2b3c:2
        300000000004/eu-west-1 enforced eubase1a2b3c:2
        5 writes
                      ap-southeast-2   eu-west-1        us-east-1
        111111111111  -                eubase1a2b3c:2   -
        222222222222  -                eubase1a2b3c:2   -
        300000000001  -                eubase1a2b3c:2   -
        300000000002  -                -                -
        300000000003  -                eubase1a2b3c:2   -
        300000000004  -                eubase1a2b3c:2   -
        300000000005  -                -                -
        ListAccounts: called, ListParents: not called
    "#]],
    );
}

#[tokio::test]
async fn accounts_without_paths_are_placed_by_walking_up_from_them() {
    let setup = World::of(&Document { regions: EU, ..Document::default() })
        .switches(|switches| switches.paths = Presence::Absent);
    check(
        &swept(setup).await,
        expect![[r#"
        the schedule starts a sweep
        111111111111/eu-west-1 enforced eubase1a2b3c:2
        222222222222/eu-west-1 enforced eubase1a2b3c:2
        300000000001/eu-west-1 enforced eubase1a2b3c:2
        300000000003/eu-west-1 enforced eubase1a2b3c:2
        300000000004/eu-west-1 enforced eubase1a2b3c:2
        5 writes
                      ap-southeast-2   eu-west-1        us-east-1
        111111111111  -                eubase1a2b3c:2   -
        222222222222  -                eubase1a2b3c:2   -
        300000000001  -                eubase1a2b3c:2   -
        300000000002  -                -                -
        300000000003  -                eubase1a2b3c:2   -
        300000000004  -                eubase1a2b3c:2   -
        300000000005  -                -                -
        ListAccounts: called, ListParents: called
    "#]],
    );
}

#[tokio::test]
async fn an_account_of_an_event_is_placed_without_its_path_too() {
    let world = World::of(&Document { regions: EU, ..Document::default() })
        .switches(|switches| switches.paths = Presence::Absent)
        .approved()
        .start()
        .await;
    let account = world.let_an_account_join("research", WORKLOAD);
    let run = world.converge(&world.event("CreateAccountResult")).await;
    assert_eq!(run.writes, [format!("{PUT} {account}/{EU}")]);
}

#[tokio::test]
async fn an_empty_page_is_not_the_last_one() {
    let setup = || World::of(&Document { regions: EU, ..Document::default() });
    let plain = swept(setup()).await;
    let paths_absent = |switches: &mut simulator::Switches| {
        switches.empty_pages = OnOff::On;
        switches.paths = Presence::Absent;
    };
    let with_paths = swept(setup().switches(|switches| switches.empty_pages = OnOff::On)).await;
    assert_eq!(with_paths, plain);
    let walked = swept(setup().switches(paths_absent)).await;
    assert_eq!(walked, plain.replace("ListParents: not called", "ListParents: called"));
}

#[tokio::test]
async fn an_organization_of_several_pages_is_read_to_the_end() {
    let mut world = simulator::World::large(45, 1);
    world.settings.account_limit = 100;
    let baseline =
        Document { regions: US, assignments: vec![("r-exam", "corporate")], ..Document::default() };
    let world = World::of(&baseline).world(|example| *example = world).start().await;
    let run = world.converge(&schedule()).await;
    assert!(world.count("ListAccounts") > 2, "{} pages", world.count("ListAccounts"));
    assert_eq!(run.writes.len(), 47, "45 members, the owner and the management account");
    assert_eq!(run.answer["report"]["counts"]["enforced"], 47);
}

#[tokio::test]
async fn published_rates_are_kept_by_waiting() {
    let world = World::of(&Document { regions: EU, ..Document::default() })
        .switches(|switches| switches.throttling = OnOff::On)
        .start()
        .await;
    let run = world.converge(&schedule()).await;
    assert_eq!(run.writes.len(), 6);
}

/// A keeper in a delegated administrator's account, whom the members trust.
fn delegated() -> Setup {
    World::of(&Document { regions: EU, ..Document::default() }).hub(OWNER).long_established().world(|world| {
        let hub = world.accounts.iter_mut().find(|account| account.id == OWNER).expect("the owner");
        hub.delegated.push("bedrock.amazonaws.com".to_owned());
        world.stack_set_roles[0].trust.principals = vec![format!("arn:aws:iam::{OWNER}:root")];
    })
}

#[tokio::test]
async fn a_delegated_administrator_guards_everybody_who_trusts_it() {
    let world = delegated().start().await;
    let mut schedule = schedule();
    schedule["account"] = OWNER.into();

    let run = world.converge(&schedule).await;
    // StackSets don't reach the management account, so nobody put the role there.
    check(
        &run.text(),
        expect![[r#"
            the schedule starts a sweep
            111111111111/eu-west-1 held: could not be read: AssumeRole: AccessDenied: User: arn:aws:sts::222222222222:assumed-role/GuardrailKeeperFunction/standing is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::111111111111:role/GuardrailKeeperMember (denied)
            222222222222/eu-west-1 enforced eubase1a2b3c:2
            300000000001/eu-west-1 enforced eubase1a2b3c:2
            300000000002/eu-west-1 enforced eubase1a2b3c:2
            300000000003/eu-west-1 enforced eubase1a2b3c:2
            300000000004/eu-west-1 enforced eubase1a2b3c:2
            5 writes
        "#]],
    );

    let role = world.server.with(|model| model.role(PAYMENTS, MEMBER_ROLE).cloned()).unwrap();
    world.server.with(|model| model.put_role(HUB, role));
    check(
        &world.converge(&schedule).await.text(),
        expect![[r#"
            the schedule starts a sweep
            111111111111/eu-west-1 enforced eubase1a2b3c:2
            1 write
        "#]],
    );
}

#[tokio::test]
async fn an_external_id_is_sent_where_the_members_ask_for_it() {
    let setup = |id: &'static str| {
        World::of(&Document { regions: EU, ..Document::only(PAYMENTS) })
            .long_established()
            .variable("KEEPER_EXTERNAL_ID", id)
            .world(|world| world.stack_set_roles[0].trust.external_id = Some("the-right-one".to_owned()))
    };
    let world = setup("the-right-one").start().await;
    assert_eq!(world.converge(&schedule()).await.writes, [format!("{PUT} {PAYMENTS}/{EU}")]);
    let world = setup("a-wrong-one").start().await;
    let report = world.look_at(&[PAYMENTS]).await;
    assert_eq!(world.writes(), [""; 0], "{report}");
    assert!(!report.is_converged());
}

#[tokio::test]
async fn organizations_is_called_no_faster_than_it_allows() {
    // Twenty accounts to a page, and after the first twelve pages eight a second: no more than that.
    const ACCOUNTS: usize = 16 * 20;
    let mut world = simulator::World::example();
    let account = world.accounts.iter().find(|account| account.id == PAYMENTS).unwrap().clone();
    world.accounts.extend((0..ACCOUNTS).map(|n| {
        let id = format!("5{n:011}");
        simulator::AccountEntry { name: id.clone(), id, ..account.clone() }
    }));
    let switches = Switches { throttling: OnOff::On, ..Switches::default() };
    let server =
        Server::start(world, Options { real_time: true, switches, ..Options::default() }).await.unwrap();
    let connect = async |rates: Rates| {
        let access = Access::Explicit {
            endpoint: server.url().to_owned(),
            elsewhere: BTreeMap::new(),
            region: US.parse().unwrap(),
            access_key_id: format!("SIM{HUB}"),
            secret_access_key: "simulator".to_owned(),
        };
        let identity =
            Identity { member_role: MEMBER_ROLE.parse().unwrap(), function_role: None, external_id: None };
        // A call that is refused isn't tried again.
        let patience = Patience { attempts: 1, rates, ..Patience::default() };
        Cloud::connect(access, identity, patience).await.unwrap()
    };
    let cloud = connect(Rates::default()).await;
    let head = cloud.organizations().head().await.unwrap();
    let organization = cloud.organizations().everything(head.clone()).await.unwrap();
    assert!(organization.accounts.len() > ACCOUNTS);

    // The simulator does mind.
    let organizations = connect(Rates::unlimited()).await.organizations();
    let pages = join_all((0..100).map(|_| organizations.page(&head, None))).await;
    assert!(pages.iter().any(|page| page.as_ref().is_err_and(|error| error.category == Category::Transient)));
}

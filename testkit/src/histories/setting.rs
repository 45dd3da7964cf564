//! What a history happens in: who there is, how AWS answers what nobody knows of it, how long things take.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use guardrail_keeper::cloud::{Access, Patience, Rates};
use guardrail_keeper::engine::Keeper;
use guardrail_keeper::settings::{Purpose, Settings};
use jiff::Timestamp;
use simulator::{
    AccountEntry, AccountState, Answer, Defaults, EmptyList, ListModels, OnOff, OptStatus, Options,
    OtherOwners, Presence, PutOverExisting, Server, Switches, UpdatedBy, World,
};

use crate::histories::baseline::{Existing, Placement};
use crate::histories::dice::Dice;
use crate::histories::model::{ROOT, SANDBOX, WORKLOAD};

pub const MEMBER_ROLE: &str = "GuardrailKeeperMember";
const REGIONS: [&str; 2] = ["us-east-1", "eu-west-1"];

/// The name of the ledger's table.
pub const LEDGER: &str = "ledger";

/// Where a keeper's ledger is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LedgerKind {
    /// It ends with the keeper.
    Memory,
    /// It outlives the keeper.
    File,
    /// As it is deployed.
    Table,
}

/// The fixed part of a history. Everything follows from it and from the steps.
#[derive(Clone, Debug)]
pub struct Setting {
    pub seed: u64,
    pub members: usize,
    pub region_count: usize,
    pub switches: Switches,
    /// Where the ledger is.
    pub ledger: LedgerKind,
    /// How the baseline begins.
    pub placement: Placement,
    pub existing: Existing,
    pub release_unusable: bool,
    /// Whether the guardrails are granted to the organization before the keeper comes.
    pub shared: bool,
    /// Until policies and enforcements have effect.
    pub propagation_seconds: u64,
    /// Until guardrails and their versions are ready.
    pub making_seconds: u64,
    /// Until an account that joins has the keeper's role, and for how long the keeper expects it.
    pub setup_seconds: u64,
    pub grace_minutes: u64,
    /// How much a page of a list holds at most.
    pub page_items: usize,
    /// How often the SDK tries a call.
    pub attempts: u32,
    /// Where AWS is simulated; 0 for any free port.
    pub port: u16,
}

impl Setting {
    pub fn random(seed: u64, dice: &mut Dice) -> Setting {
        let answer = |dice: &mut Dice, accepted: usize| {
            if dice.chance(accepted) { Answer::Accepted } else { Answer::Refused }
        };
        let cross_account_reference = answer(dice, 75);
        let refused = cross_account_reference == Answer::Refused;
        let switches = Switches {
            cross_account_reference,
            put_without_grant: answer(dice, 50),
            put_over_existing: *dice.pick(&[PutOverExisting::Overwrites, PutOverExisting::Conflicts]),
            list_defaults: *dice.pick(&[Defaults::Echoed, Defaults::Omitted]),
            several_statements: answer(dice, 65),
            sid: answer(dice, 50),
            updated_by: *dice.pick(&[UpdatedBy::Role, UpdatedBy::AssumedRole]),
            paths: if dice.chance(90) { Presence::Present } else { Presence::Absent },
            empty_list: *dice.pick(&[EmptyList::NotFound, EmptyList::Empty]),
            delete_enforced_elsewhere: answer(dice, 50),
            empty_pages: if dice.chance(10) { OnOff::On } else { OnOff::Off },
            ..Switches::default()
        };
        let mut setting = Setting {
            seed,
            members: if dice.chance(85) { 2 } else { 3 },
            region_count: if dice.chance(80) { 1 } else { 2 },
            switches,
            ledger: if dice.chance(60) { LedgerKind::File } else { LedgerKind::Memory },
            placement: if dice.chance(if refused { 80 } else { 25 }) {
                Placement::Copy
            } else {
                Placement::Central
            },
            existing: match dice.below(100) {
                0..40 => Existing::Replace,
                40..65 => Existing::Keep,
                _ => Existing::Adopt,
            },
            release_unusable: dice.chance(30),
            shared: dice.chance(40),
            propagation_seconds: if dice.chance(20) { 20 } else { 0 },
            making_seconds: if dice.chance(15) { 10 } else { 0 },
            setup_seconds: 0,
            grace_minutes: 0,
            page_items: 1_000,
            attempts: if dice.chance(70) { 1 } else { 2 },
            port: 0,
        };
        // By the seed and not by the dice, so that earlier seeds throw the same.
        if seed.is_multiple_of(3) {
            setting.switches.other_owners = OtherOwners::Organization;
        }
        if setting.is_durable() && seed % 4 == 1 {
            setting.switches.list_models = ListModels::Arns;
        }
        setting
    }

    /// Whether the ledger outlives the keeper.
    pub fn is_durable(&self) -> bool {
        self.ledger != LedgerKind::Memory
    }

    pub fn regions(&self) -> &'static [&'static str] {
        &REGIONS[..self.region_count]
    }

    // The SDK's budget for retries is kept per account for the whole process. Accounts that no other
    // history has keep histories from having to do with each other.

    pub fn hub(&self) -> String {
        format!("1{:011}", self.seed % 100_000_000_000)
    }

    /// The message group of the owner's tasks in a Region.
    pub fn owner_group(&self, region: &str) -> String {
        format!("owner.{}.{region}", self.owner())
    }

    pub fn owner(&self) -> String {
        format!("2{:011}", self.seed % 100_000_000_000)
    }

    pub fn member(&self, number: usize) -> String {
        format!("{}{:011}", 3 + number % self.members, self.seed % 100_000_000_000)
    }

    pub fn accounts(&self) -> Vec<String> {
        [self.hub(), self.owner()]
            .into_iter()
            .chain((0..self.members).map(|number| self.member(number)))
            .collect()
    }

    /// The two kinds of account that a baseline is about, the owner's among them.
    pub fn assignable(&self) -> Vec<String> {
        self.accounts().into_iter().skip(1).collect()
    }

    /// How often the keeper has to look until everything is as wanted, once nothing goes wrong any
    /// more: to write, and to take back what nobody needs. What is on its way, or being made, each
    /// takes another look.
    pub fn runs_to_settle(&self) -> usize {
        2 + usize::from(self.propagation_seconds > 0) + 2 * usize::from(self.making_seconds > 0)
    }

    pub async fn start(&self) -> Server {
        self.start_without(&[]).await
    }

    /// As [`Setting::start`], where these members don't exist yet.
    pub async fn start_without(&self, absent: &[usize]) -> Server {
        let mut world = self.world();
        let absent: Vec<String> = absent.iter().map(|number| self.member(*number)).collect();
        world.accounts.retain(|account| !absent.contains(&account.id));
        let options = Options { port: self.port, seed: self.seed, switches: self.switches, real_time: false };
        Server::start(world, options).await.expect("the simulator starts")
    }

    fn world(&self) -> World {
        static EXAMPLE: OnceLock<World> = OnceLock::new();
        let mut world = EXAMPLE.get_or_init(World::example).clone();
        // Sessions end by the keeper's clock as well, which is the machine's.
        world.start = Timestamp::from_second(Timestamp::now().as_second()).expect("now is a time");
        world.organization.management_account = self.hub();
        world.regions =
            self.regions().iter().map(|region| ((*region).to_owned(), OptStatus::EnabledByDefault)).collect();
        for role in &mut world.stack_set_roles {
            role.trust.principals = vec![format!("arn:aws:iam::{}:root", self.hub())];
        }
        let account = |id: String, name: &str, parent: &str| AccountEntry {
            id,
            name: name.to_owned(),
            parent: Some(parent.to_owned()),
            ..AccountEntry::default()
        };
        world.accounts = vec![account(self.hub(), "hub", ROOT), account(self.owner(), "owner", ROOT)];
        for number in 0..self.members {
            let parent = if number == 2 { SANDBOX } else { WORKLOAD };
            world.accounts.push(account(self.member(number), &format!("member {number}"), parent));
        }
        // Each OU that a baseline names has an account, whoever moves.
        for (id, parent) in [("900000000098", WORKLOAD), ("900000000099", SANDBOX)] {
            let closing = account(id.to_owned(), "being closed", parent);
            world.accounts.push(AccountEntry { state: AccountState::Suspended, ..closing });
        }
        world.guardrails.retain(|guardrail| self.regions().contains(&guardrail.region.as_str()));
        for guardrail in &mut world.guardrails {
            guardrail.account = self.owner();
            guardrail.share_with_organization = self.shared;
        }
        world.settings.propagation_seconds = self.propagation_seconds;
        world.settings.guardrail_seconds = self.making_seconds;
        world.settings.version_seconds = self.making_seconds;
        world.settings.stack_set_seconds = Some(self.setup_seconds);
        world.settings.page_items = self.page_items;
        world.settings.keep_events = 1;
        world
    }

    /// A keeper as a new process would have it.
    pub async fn keeper(&self, server: &Server, folder: &Path) -> Keeper {
        // No call hangs here. Whatever takes long is the machine's doing, and changes no verdict.
        self.connect(server.url(), &self.variables(folder), Duration::from_secs(3600)).await
    }

    /// The settings of a keeper whose baseline and ledger are in a folder.
    pub fn variables(&self, folder: &Path) -> BTreeMap<String, String> {
        let ledger = match self.ledger {
            LedgerKind::Memory => "memory".to_owned(),
            LedgerKind::File => format!("file:{}", ledger_file(folder).display()),
            LedgerKind::Table => format!("table:{LEDGER}"),
        };
        [
            ("KEEPER_BASELINE", baseline_file(folder).display().to_string()),
            ("KEEPER_MEMBER_ROLE", MEMBER_ROLE.to_owned()),
            ("KEEPER_FUNCTION_ROLE", format!("arn:aws:iam::{}:role/GuardrailKeeperFunction", self.hub())),
            ("KEEPER_GRACE_MINUTES", self.grace_minutes.to_string()),
            ("KEEPER_LEDGER", ledger),
            // One account after the other, so that the same history makes the same calls.
            ("KEEPER_CONCURRENCY", "1".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    /// A keeper with these settings, that finds AWS there and waits so long for an answer.
    pub async fn connect(
        &self,
        endpoint: &str,
        variables: &BTreeMap<String, String>,
        longest: Duration,
    ) -> Keeper {
        let settings = Settings::read(variables, Purpose::Function, None)
            .unwrap_or_else(|invalid| panic!("the settings are not valid: {invalid}"));
        let access = Access::Explicit {
            endpoint: endpoint.to_owned(),
            elsewhere: BTreeMap::new(),
            region: REGIONS[0].parse().expect("a Region"),
            access_key_id: format!("SIM{}", self.hub()),
            secret_access_key: "simulator".to_owned(),
        };
        let patience = Patience {
            connect: longest,
            attempt: longest,
            operation: longest,
            attempts: self.attempts,
            backoff: Duration::from_millis(1),
            rates: Rates::unlimited(),
        };
        Keeper::connect(settings, access, patience).await.unwrap_or_else(|stopped| panic!("{stopped}"))
    }
}

/// A folder of a history's own, in memory where that can be had: each write of a ledger's file waits for the disk.
pub fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    folder.expect("a temporary folder")
}

pub fn ledger_file(folder: &Path) -> std::path::PathBuf {
    folder.join("ledger.json")
}

pub fn baseline_file(folder: &Path) -> std::path::PathBuf {
    folder.join("baseline.yaml")
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Setting { seed, members, ledger, propagation_seconds, making_seconds, attempts, .. } = self;
        let Setting { setup_seconds, grace_minutes, page_items, .. } = self;
        writeln!(
            f,
            "seed {seed}: {members} members ({}…), owner {}, hub {}, Regions {}",
            self.member(0),
            self.owner(),
            self.hub(),
            self.regions().join(" and ")
        )?;
        writeln!(
            f,
            "  ledger {}, changes take effect after {propagation_seconds} s, guardrails are made in {making_seconds} s, {attempts} attempts",
            match ledger {
                LedgerKind::Memory => "in memory",
                LedgerKind::File => "in a file",
                LedgerKind::Table => "in a table",
            }
        )?;
        writeln!(
            f,
            "  roles come after {setup_seconds} s and are waited for {grace_minutes} minutes, {page_items} on a page"
        )?;
        write!(f, "  {:?}", self.switches)
    }
}

/// The Region of an owner's message group.
pub fn region_of_owner(group: &str) -> Option<&str> {
    Some(group.strip_prefix("owner.")?.split_once('.')?.1)
}

//! Accounts and OUs by their names: in what is printed, and as arguments.
//!
//! Names are others' words. They are printed so that nothing in one can be taken for our own, and an
//! argument that fits several is never guessed at.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::str::FromStr;

use serde_json::{Value, json};

use super::{Unfit, output};
use guardrail_keeper::engine::{self, Keeper, UnitNames};
use keeper_core::ids::{AccountId, InvalidId, ParentId};
use keeper_core::organization::{Account, OrgPath, Organization};

/// OUs whose names are asked for at most, one call each: Organizations answers few a second.
const UNITS_AT_MOST: usize = 100;

/// How many candidates an error lists.
const LISTED: usize = 10;

/// An account or an OU as a person gives it: by its id or by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Named<T> {
    Id(T),
    Name(String),
}

impl FromStr for Named<AccountId> {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Named<AccountId>, InvalidId> {
        named(text, text.bytes().all(|byte| byte.is_ascii_digit()))
    }
}

impl FromStr for Named<ParentId> {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Named<ParentId>, InvalidId> {
        named(text, text.starts_with("ou-") || text.starts_with("r-"))
    }
}

/// An id or a name. What looks like an id and is none is a slip of the pen, and not a name.
fn named<T: FromStr<Err = InvalidId>>(text: &str, looks_like_an_id: bool) -> Result<Named<T>, InvalidId> {
    match text.parse() {
        Ok(id) => Ok(Named::Id(id)),
        Err(invalid) if text.is_empty() || looks_like_an_id => Err(invalid),
        Err(_) => Ok(Named::Name(text.to_owned())),
    }
}

/// The ids of accounts that were named. Without a name among them, nothing is asked.
pub(super) async fn accounts(keeper: &Keeper, named: &[Named<AccountId>]) -> anyhow::Result<Vec<AccountId>> {
    if let Some(ids) = ids(named) {
        return Ok(ids);
    }
    let organization = engine::whole_organization(keeper).await?;
    Ok(found(named, |name| account_named(&organization, name))?)
}

/// The id of one account.
pub(super) async fn account(keeper: &Keeper, named: &Named<AccountId>) -> anyhow::Result<AccountId> {
    let ids = accounts(keeper, std::slice::from_ref(named)).await?;
    Ok(ids.into_iter().next().expect("one was asked for"))
}

/// The ids of OUs that were named. Only OUs in which an account stands have a name here.
pub(super) async fn units(keeper: &Keeper, named: &[Named<ParentId>]) -> anyhow::Result<Vec<ParentId>> {
    if let Some(ids) = ids(named) {
        return Ok(ids);
    }
    let organization = engine::whole_organization(keeper).await?;
    let paths = organization.accounts.values().map(|account| account.path.clone());
    let paths: BTreeSet<OrgPath> = paths.collect();
    let parents = paths.iter().flat_map(|path| path.parents().iter().cloned());
    let UnitNames { known, unread } = engine::unit_names(keeper, parents.collect()).await;
    if let Some((unit, failure)) = unread.first_key_value() {
        let others = match unread.len() - 1 {
            0 => String::new(),
            more => format!(" and of {more} more"),
        };
        output::warning(format_args!("the name of {unit}{others} can't be read, so give the id: {failure}"));
    }
    Ok(found(named, |name| unit_named(&paths, &known, name))?)
}

/// The ids, where nothing else is given.
fn ids<T: Clone>(named: &[Named<T>]) -> Option<Vec<T>> {
    let each = named.iter().map(|one| match one {
        Named::Id(id) => Some(id.clone()),
        Named::Name(_) => None,
    });
    each.collect()
}

fn found<T: Clone>(named: &[Named<T>], by_name: impl Fn(&str) -> Result<T, Unfit>) -> Result<Vec<T>, Unfit> {
    let each = named.iter().map(|one| match one {
        Named::Id(id) => Ok(id.clone()),
        Named::Name(name) => by_name(name),
    });
    each.collect()
}

fn account_named(organization: &Organization, name: &str) -> Result<AccountId, Unfit> {
    let accounts = || organization.accounts.values();
    let described = |account: &Account| {
        format!("{} {}, {}, {}", account.id, shown(&account.name), account.state, account.path)
    };
    let exactly: Vec<&Account> = accounts().filter(|account| account.name == name).collect();
    match exactly.as_slice() {
        [account] => Ok(account.id.clone()),
        [] => {
            let small = name.to_lowercase();
            let near = accounts().filter(|account| account.name.to_lowercase().contains(&small));
            let mut unfit = unknown("account", name, near.map(described).collect());
            if !organization.unplaced.is_empty() {
                let unplaced: Vec<&str> = organization.unplaced.keys().map(String::as_str).collect();
                let _ = write!(unfit.0, "\n  accounts whose names are not known: {}", unplaced.join(", "));
            }
            Err(unfit)
        }
        several => Err(ambiguous("account", name, several.iter().map(|one| described(one)).collect())),
    }
}

/// An OU by its name, or by the names of OUs above it and its own, with slashes between.
fn unit_named(
    paths: &BTreeSet<OrgPath>,
    names: &BTreeMap<ParentId, String>,
    name: &str,
) -> Result<ParentId, Unfit> {
    let mut full: BTreeMap<&ParentId, String> = BTreeMap::new();
    for path in paths {
        for (depth, unit) in path.parents().iter().enumerate().skip(1) {
            let above =
                path.parents()[1..=depth].iter().map(|unit| names.get(unit).map_or("?", String::as_str));
            full.entry(unit).or_insert_with(|| above.collect::<Vec<_>>().join("/"));
        }
    }
    let described = |(unit, path): (&&ParentId, &String)| format!("{unit} {}", shown(path));
    let is = |(unit, path): &(&&ParentId, &String)| {
        names.get(**unit).is_some_and(|own| own == name) || *path == name
    };
    let exactly: Vec<(&&ParentId, &String)> = full.iter().filter(is).collect();
    match exactly.as_slice() {
        [(unit, _)] => Ok((**unit).clone()),
        [] => {
            let small = name.to_lowercase();
            let near = full.iter().filter(|(_, path)| path.to_lowercase().contains(&small));
            Err(unknown("OU with accounts", name, near.map(described).collect()))
        }
        several => Err(ambiguous("OU", name, several.iter().map(|one| described(*one)).collect())),
    }
}

fn unknown(what: &str, name: &str, near: Vec<String>) -> Unfit {
    let text = format!("no {what} is named {}: give its id, or its name as it is written", shown(name));
    Unfit(listed(text, near))
}

fn ambiguous(what: &str, name: &str, several: Vec<String>) -> Unfit {
    Unfit(listed(format!("{} {what}s are named {}: give the id", several.len(), shown(name)), several))
}

fn listed(mut text: String, candidates: Vec<String>) -> String {
    let more = candidates.len().saturating_sub(LISTED);
    for candidate in candidates.into_iter().take(LISTED) {
        let _ = write!(text, "\n  {candidate}");
    }
    if more > 0 {
        let _ = write!(text, "\n  and {more} more");
    }
    text
}

/// A name as it is printed: as it is where it is made of letters, digits and a few signs; else in
/// quotes, with everything in it escaped that could be taken for something else.
pub(super) fn shown(name: &str) -> String {
    // Letters by their kind that are invisible.
    let filler = |c: char| matches!(c, '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}');
    let sign = |c: char| matches!(c, ' ' | '-' | '_' | '.' | '/' | '+' | '@' | '&');
    let plain = |c: char| (c.is_alphanumeric() && !filler(c)) || sign(c);
    let is_plain = !name.is_empty() && name.chars().all(plain) && name.trim() == name;
    if is_plain { name.to_owned() } else { format!("{name:?}") }
}

/// The names of what is printed.
#[derive(Debug, Default)]
pub(super) struct Names {
    accounts: BTreeMap<AccountId, (String, Option<OrgPath>)>,
    units: BTreeMap<ParentId, String>,
}

impl Names {
    /// The names of these accounts, and of the OUs that they stand in. Where those can't be read they go
    /// by their ids: names are a courtesy.
    pub(super) async fn read<'a>(keeper: &Keeper, accounts: impl Iterator<Item = &'a Account>) -> Names {
        let mut names = Names::default();
        for account in accounts {
            names.add(&account.id, &account.name, Some(&account.path));
        }
        names.with_units(keeper).await
    }

    pub(super) fn add(&mut self, account: &AccountId, name: &str, path: Option<&OrgPath>) {
        self.accounts.entry(account.clone()).or_insert_with(|| (name.to_owned(), path.cloned()));
    }

    /// With the names of the OUs that the accounts stand in.
    async fn with_units(self, keeper: &Keeper) -> Names {
        let paths = self.accounts.values().filter_map(|(_, path)| path.as_ref());
        let units = paths.filter_map(|path| path.parents().last().cloned()).collect();
        self.and_units(keeper, units).await
    }

    /// With the names of these OUs.
    pub(super) async fn and_units(mut self, keeper: &Keeper, units: BTreeSet<ParentId>) -> Names {
        let units = units.into_iter().filter(|unit| !unit.is_root()).take(UNITS_AT_MOST).collect();
        self.units = engine::unit_names(keeper, units).await.known;
        self
    }

    /// `Workloads/payments`: the OU, as far as its name is known, and the account.
    pub(super) fn of(&self, account: &AccountId) -> Option<String> {
        let (name, path) = self.accounts.get(account)?;
        let unit = path.as_ref().and_then(|path| self.units.get(path.parents().last()?));
        Some(match unit {
            Some(unit) => format!("{}/{}", shown(unit), shown(name)),
            None => shown(name),
        })
    }

    /// ` (Workloads/payments)`, or nothing.
    pub(super) fn behind(&self, account: &AccountId) -> String {
        self.of(account).map(|name| format!(" ({name})")).unwrap_or_default()
    }

    /// `ou-exam-workload (Workloads)`.
    pub(super) fn unit(&self, unit: &ParentId) -> String {
        self.units.get(unit).map_or_else(|| unit.to_string(), |name| format!("{unit} ({})", shown(name)))
    }

    /// The names of OUs for programs, as they are.
    pub(super) fn units_in_json(&self) -> Value {
        json!(self.units)
    }

    /// The same for programs, as they are.
    pub(super) fn to_json(&self) -> Value {
        let accounts = self.accounts.iter();
        let accounts: Value = accounts
            .map(|(id, (name, path))| (id.to_string(), json!({ "name": name, "path": path })))
            .collect();
        json!({ "accounts": accounts, "ous": self.units })
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use keeper_core::organization::AccountState;

    fn account(id: u64, name: &str, unit: &str) -> Account {
        Account {
            id: format!("{id:012}").parse().unwrap(),
            name: name.to_owned(),
            state: AccountState::Active,
            path: format!("o-exampleorgid/r-exam/{unit}/").parse().unwrap(),
            joined: None,
        }
    }

    fn organization() -> Organization {
        let accounts = [
            account(300_000_000_001, "payments", "ou-exam-workload"),
            account(300_000_000_002, "Payments EU", "ou-exam-workload"),
            account(300_000_000_003, "sandbox", "ou-exam-workload"),
            account(300_000_000_004, "sandbox", "ou-exam-sandbox1"),
        ];
        Organization {
            id: "o-exampleorgid".parse().unwrap(),
            management: "111111111111".parse().unwrap(),
            accounts: accounts.into_iter().map(|account| (account.id.clone(), account)).collect(),
            unplaced: BTreeMap::new(),
            complete: true,
        }
    }

    #[test]
    fn a_name_is_an_account_only_where_it_is_one_and_no_other() {
        let told = |name: &str| match account_named(&organization(), name) {
            Ok(id) => format!("{name}: {id}\n"),
            Err(unfit) => format!("{unfit}\n"),
        };
        expect![[r#"
            payments: 300000000001
            2 accounts are named sandbox: give the id
              300000000003 sandbox, active, o-exampleorgid/r-exam/ou-exam-workload/
              300000000004 sandbox, active, o-exampleorgid/r-exam/ou-exam-sandbox1/
            no account is named pay: give its id, or its name as it is written
              300000000001 payments, active, o-exampleorgid/r-exam/ou-exam-workload/
              300000000002 Payments EU, active, o-exampleorgid/r-exam/ou-exam-workload/
            no account is named nobody: give its id, or its name as it is written
            no account is named "a\"\u{1b}b": give its id, or its name as it is written
        "#]]
        .assert_eq(&["payments", "sandbox", "pay", "nobody", "a\"\u{1b}b"].map(told).concat());
    }

    #[test]
    fn a_unit_is_named_by_itself_or_by_its_way_down() {
        let paths = ["ou-exam-aaaaaaaa/ou-exam-bbbbbbbb", "ou-exam-cccccccc/ou-exam-dddddddd"];
        let paths = paths.map(|path| format!("o-exampleorgid/r-exam/{path}/").parse().unwrap());
        let names = [("a", "Workloads"), ("b", "Prod"), ("c", "Labs"), ("d", "Prod")];
        let names: BTreeMap<ParentId, String> = names
            .into_iter()
            .map(|(letter, name)| (format!("ou-exam-{}", letter.repeat(8)).parse().unwrap(), name.to_owned()))
            .collect();
        let told = |name: &str| match unit_named(&paths.clone().into(), &names, name) {
            Ok(id) => format!("{name}: {id}\n"),
            Err(unfit) => format!("{unfit}\n"),
        };
        expect![[r#"
            Labs: ou-exam-cccccccc
            Labs/Prod: ou-exam-dddddddd
            2 OUs are named Prod: give the id
              ou-exam-bbbbbbbb Workloads/Prod
              ou-exam-dddddddd Labs/Prod
            no OU with accounts is named prod: give its id, or its name as it is written
              ou-exam-bbbbbbbb Workloads/Prod
              ou-exam-dddddddd Labs/Prod
            no OU with accounts is named None: give its id, or its name as it is written
        "#]]
        .assert_eq(&["Labs", "Labs/Prod", "Prod", "prod", "None"].map(told).concat());
    }

    #[test]
    fn what_looks_like_an_id_is_no_name() {
        assert_eq!(
            "300000000001".parse(),
            Ok(Named::Id(account(300_000_000_001, "", "ou-exam-workload").id))
        );
        assert_eq!("payments".parse::<Named<AccountId>>(), Ok(Named::Name("payments".to_owned())));
        assert!(
            "30000000001".parse::<Named<AccountId>>().is_err() && "".parse::<Named<AccountId>>().is_err()
        );
        assert_eq!("Workloads".parse::<Named<ParentId>>(), Ok(Named::Name("Workloads".to_owned())));
        assert!("ou-EXAM".parse::<Named<ParentId>>().is_err() && "".parse::<Named<ParentId>>().is_err());
    }

    #[test]
    fn a_name_cannot_pass_for_something_else() {
        for plain in ["payments", "Zahlungen & Löhne", "team_a-1.prod@corp"] {
            assert_eq!(shown(plain), plain);
        }
        for (hostile, expected) in [
            ("", "\"\""),
            (" x", "\" x\""),
            ("a) held: b", "\"a) held: b\""),
            ("x\u{1b}[31m\n", "\"x\\u{1b}[31m\\n\""),
            ("a\u{202e}b", "\"a\\u{202e}b\""),
            ("a\u{a0}b", "\"a\\u{a0}b\""),
        ] {
            assert_eq!(shown(hostile), expected);
        }
    }
}

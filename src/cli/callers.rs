//! `guardrailctl callers`: who in an account invokes models, and would lose that by an enforcement?

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use super::advice::Refused;
use super::names::{self, Named};
use super::output::{self, ADDED, ALTERED, BROKEN, Bar, HEADING, QUIET, paint};
use super::{OK, Output, UNFINISHED, Unfit, connect_with, settings};
use crate::callers::{self, APPLY, DECRYPT, INVOKE, Lack, Need, Principal, Verdict};
use crate::cloud::{Inspector, Patience, Reader};
use crate::failure::Failure;
use crate::ids::{AccountId, GuardrailArn, Region, RoleName};
use crate::reconcile::{Keeper, Step};
use crate::settings::{BaselineSource, Settings};
use crate::simulation::Evaluated;
use crate::trigger::Regions;

const LONG_ABOUT: &str = "\
Find who in an account invokes models and would lose that by an enforcement

Where a guardrail is enforced, whoever calls InvokeModel or Converse has to be allowed \
bedrock:ApplyGuardrail on it. Each role and user of the account is asked about by \
iam:SimulatePrincipalPolicy: may it invoke any foundation model of the Region, and may it apply the \
guardrail that the baseline wants there? Where the guardrail is encrypted with a customer managed KMS \
key, may it decrypt with the key?

The simulation takes in identity policies, permissions boundaries and service control policies. It \
doesn't see resource control policies, session policies, endpoint policies of a VPC, models other than \
foundation models, nor values of conditions that only a call has. Whether the guardrail's own resource \
policy admits the account is what `doctor` and `plan` look at. Roles of AWS's services are skipped.

It runs with credentials of the account itself, or with --role: a role with read access that these \
credentials may assume there.

Ends with 0 if nobody would lose access, with 1 if somebody would or it isn't known.";

const UNSEEN: &str =
    "Not seen: resource control policies, session policies, VPC endpoint policies, models of your own.";

/// IAM is asked about each principal at a time, and it is slow to let many through.
const AT_A_TIME: usize = 4;

#[derive(Debug, Args)]
#[command(long_about = LONG_ABOUT)]
pub(super) struct Arguments {
    /// The account, by its id or its name
    account: Named<AccountId>,
    /// Only this Region; may be given several times
    #[arg(long, value_name = "CODE")]
    region: Vec<Region>,
    /// The baseline: a file, or ssm:NAME [env: KEEPER_BASELINE]
    #[arg(long, value_name = "FILE")]
    baseline: Option<BaselineSource>,
    /// Ask about this guardrail, whatever the baseline says; needs neither baseline nor organization
    #[arg(long, value_name = "ARN", conflicts_with = "baseline")]
    guardrail: Option<GuardrailArn>,
    /// The role to look into other accounts with
    #[arg(long, value_name = "NAME")]
    role: Option<RoleName>,
    /// The form of the results
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// What is asked about in one Region.
struct Asked {
    region: Region,
    /// In words: `corporate:2`.
    what: String,
    resources: Vec<String>,
    /// The customer managed key of the guardrail, where it has one and that is known.
    key: Option<String>,
}

impl Asked {
    fn needs(&self) -> Vec<Need> {
        Need::all(&self.resources, self.key.as_deref())
    }
}

/// What was found out about one principal, by Region.
type Found = BTreeMap<Region, Verdict>;

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    let Arguments { account, role, output, .. } = arguments;
    let keeper = connect(arguments).await?;
    let account = &names::account(&keeper, account).await?;
    if role.is_none() && keeper.cloud().own_account() != account {
        let own = keeper.cloud().own_account();
        let why =
            format!("these are credentials of {own}: --role NAME looks into {account}, or take its own");
        return Err(Unfit(why).into());
    }
    let asked = asked(&keeper, arguments, account).await?;
    if asked.is_empty() {
        let nothing = json!({ "account": account, "good": true, "regions": [], "principals": [] });
        match output {
            Output::Text => output::print(format_args!("nothing is to be enforced in {account} there")),
            Output::Json => output::print_json(&nothing),
        }
        return Ok(OK);
    }
    let session = keeper
        .cloud()
        .session(account)
        .await
        .map_err(|failure| Refused::new(format!("{account} can't be looked into"), failure))?;
    let inspectors: Vec<(Inspector, &Asked)> =
        asked.iter().map(|one| (Inspector::new(&session, &one.region), one)).collect();
    let listed = inspectors[0].0.principals().await;
    let all = listed.map_err(|failure| Refused::new(format!("who is in {account} isn't known"), failure))?;
    let (of_services, principals): (Vec<Principal>, Vec<Principal>) =
        all.into_iter().partition(Principal::is_service_linked);
    let mut models = BTreeMap::new();
    for (inspector, one) in &inspectors {
        models.insert(&one.region, models_of(inspector).await);
    }
    let bar = Bar::new();
    bar.step(Step::Looking { accounts: principals.len() });
    let looks = principals.into_iter().map(|principal| {
        let (inspectors, models, bar) = (&inspectors, &models, &bar);
        async move {
            let mut found = Found::new();
            for (inspector, one) in inspectors {
                found
                    .insert(one.region.clone(), look(inspector, &principal, &models[&one.region], one).await);
            }
            bar.step(Step::Looked);
            (principal, found)
        }
    });
    let found: BTreeMap<Principal, Found> = stream::iter(looks).buffer_unordered(AT_A_TIME).collect().await;
    drop(bar);
    let told = Told { account, asked: &asked, found, of_services: of_services.len() };
    match output {
        Output::Text => told.print(),
        Output::Json => output::print_json(&told.to_json()),
    }
    Ok(if told.is_good() { OK } else { UNFINISHED })
}

async fn connect(arguments: &Arguments) -> anyhow::Result<Keeper> {
    let Arguments { baseline, guardrail, role, .. } = arguments;
    // With a guardrail given, the baseline isn't read, and needn't be set.
    let unread = guardrail.as_ref().map(|_| BaselineSource::File(std::path::PathBuf::new()));
    let settings = settings(baseline.clone().or(unread))?;
    let settings = match role {
        Some(role) => Settings { member_role: role.clone(), external_id: None, ..settings },
        None => settings,
    };
    // IAM's simulation is throttled early.
    let patience =
        Patience { operation: std::time::Duration::from_secs(120), attempts: 10, ..Patience::default() };
    Ok(connect_with(settings, patience).await?)
}

async fn asked(keeper: &Keeper, arguments: &Arguments, account: &AccountId) -> anyhow::Result<Vec<Asked>> {
    let Arguments { region, guardrail, .. } = arguments;
    if let Some(arn) = guardrail {
        if region.iter().any(|region| *region != arn.region) {
            return Err(Unfit(format!("{arn} can be enforced in {} only", arn.region)).into());
        }
        let (region, what) = (arn.region.clone(), arn.to_string());
        let key = key_of(keeper, account, arn).await;
        return Ok(vec![Asked { region, what, resources: vec![arn.to_string()], key }]);
    }
    let baseline = keeper.baseline().await?;
    let regions = match region.is_empty() {
        true => Regions::All,
        false => Regions::Only(region.iter().cloned().collect()),
    };
    let Some(applied) = keeper.applied_in(&baseline, account, &regions).await? else {
        anyhow::bail!("{account} is no member of this organization");
    };
    let mut asked = Vec::new();
    for (region, applied) in applied {
        let resources = applied.resources.map_err(|why| {
            anyhow::anyhow!(
                "{account}/{region}: which guardrail {} is there isn't known: {why}",
                applied.guardrail
            )
        })?;
        let copy = if applied.any_copy { ", a copy that isn't there yet" } else { "" };
        let what = format!("{}:{}{copy}", applied.guardrail, applied.version);
        let key = applied.key.map(|key| key.to_string());
        asked.push(Asked { region, what, resources, key });
    }
    Ok(asked)
}

/// The models that somebody may be allowed. Where they can't be listed, only who may invoke all is found.
async fn models_of(inspector: &Inspector) -> Vec<String> {
    match inspector.models().await {
        Ok(models) if !models.is_empty() => models,
        Ok(_) => vec!["*".to_owned()],
        Err(failure) => {
            output::warning(format_args!(
                "{}: the models can't be listed, so whoever may invoke some only isn't found: {failure}",
                inspector.region()
            ));
            vec!["*".to_owned()]
        }
    }
}

async fn look(inspector: &Inspector, principal: &Principal, models: &[String], asked: &Asked) -> Verdict {
    let invokes = inspector.simulate(&principal.arn, &INVOKE, models, &[]).await;
    let invokes: Result<_, Failure> = invokes.map(|evaluated| callers::invokes(&evaluated));
    // Most principals don't: they cost one call.
    let applies = match &invokes {
        Ok(callers::Invokes::No) | Err(_) => Ok(Vec::new()),
        Ok(callers::Invokes::Yes | callers::Invokes::Depends(_)) => {
            permissions(inspector, principal, asked).await
        }
    };
    callers::judge(&invokes, &asked.needs(), &applies)
}

/// What IAM says of everything that a guarded call needs.
async fn permissions(
    inspector: &Inspector,
    principal: &Principal,
    asked: &Asked,
) -> Result<Vec<Evaluated>, Failure> {
    let mut evaluated = inspector.simulate(&principal.arn, &[APPLY], &asked.resources, &[]).await?;
    if let Some(key) = &asked.key {
        let key = std::slice::from_ref(key);
        evaluated.extend(inspector.simulate(&principal.arn, &[DECRYPT], key, &[]).await?);
    }
    Ok(evaluated)
}

/// The key of a guardrail that was given by its ARN, where its resource policy lets the account read it.
async fn key_of(keeper: &Keeper, account: &AccountId, arn: &GuardrailArn) -> Option<String> {
    let found = match keeper.cloud().session(account).await {
        Ok(session) => Reader::new(&session, &arn.region).key_arn(arn).await,
        Err(failure) => Err(failure),
    };
    match found {
        Ok(key) => key.map(|key| key.to_string()),
        Err(failure) => {
            output::warning(format_args!(
                "whether {arn} is encrypted with a key that callers need isn't known: {failure}"
            ));
            None
        }
    }
}

struct Told<'a> {
    account: &'a AccountId,
    asked: &'a [Asked],
    found: BTreeMap<Principal, Found>,
    of_services: usize,
}

impl Told<'_> {
    /// Principals by the worst that holds for them in any Region.
    fn count(&self, is: impl Fn(&Verdict) -> bool) -> usize {
        self.found.values().filter(|found| found.values().any(&is)).count()
    }

    fn is_good(&self) -> bool {
        self.count(|verdict| matches!(verdict, Verdict::Breaks { .. } | Verdict::Unknown { .. })) == 0
    }

    /// What those who would break lack.
    fn lacking(&self) -> BTreeSet<&Lack> {
        let verdicts = self.found.values().flat_map(Found::values);
        let lacks = verdicts.filter_map(|verdict| match verdict {
            Verdict::Breaks { lacks } => Some(lacks),
            Verdict::NoCaller | Verdict::Fine | Verdict::Unknown { .. } => None,
        });
        lacks.flatten().collect()
    }

    fn print(&self) {
        output::print(paint(HEADING, self.account));
        for Asked { region, what, .. } in self.asked {
            output::print(format_args!("  {region}: {what}"));
        }
        for (principal, found) in &self.found {
            for (verdict, regions) in grouped(found) {
                let regions = regions.join(", ");
                match verdict {
                    Verdict::NoCaller | Verdict::Fine => {}
                    Verdict::Breaks { lacks } => {
                        output::print(format_args!("{} {}", paint(BROKEN, "breaks  "), principal.arn));
                        let why: BTreeSet<String> =
                            lacks.iter().map(|lack| lack.refusal.to_string()).collect();
                        let why: Vec<String> = why.into_iter().collect();
                        output::print(format_args!("         in {regions}: {}", why.join("; ")));
                    }
                    Verdict::Unknown { why } => {
                        output::print(format_args!("{} {}", paint(ALTERED, "unknown "), principal.arn));
                        output::print(format_args!("         in {regions}: {why}"));
                    }
                }
            }
        }
        let breaks = self.count(|verdict| matches!(verdict, Verdict::Breaks { .. }));
        let bad = self.count(|verdict| matches!(verdict, Verdict::Breaks { .. } | Verdict::Unknown { .. }));
        let unknown = bad - breaks;
        let out_of_it = |found: &&Found| found.values().all(|verdict| *verdict == Verdict::NoCaller);
        let fine = self.found.len() - breaks - unknown - self.found.values().filter(out_of_it).count();
        output::print("");
        let verdict = format!("{breaks} would lose access to models, {unknown} not known, {fine} fine");
        let style = if self.is_good() { ADDED } else { BROKEN };
        output::print(format_args!(
            "{}, of {} roles and users ({} of services skipped)",
            paint(style, verdict),
            self.found.len(),
            self.of_services
        ));
        let lacking = self.lacking();
        if !lacking.is_empty() {
            output::print(
                "\nAdd to the policies of whoever breaks (and to what bounds or denies, where that is why):",
            );
            for statement in callers::statements(lacking) {
                output::print(format_args!("{statement:#}"));
            }
        }
        output::print(paint(QUIET, UNSEEN));
    }

    fn to_json(&self) -> Value {
        let principals: Vec<Value> = self
            .found
            .iter()
            .map(|(principal, found)| {
                let lacking: BTreeSet<&Lack> = found
                    .values()
                    .filter_map(|verdict| match verdict {
                        Verdict::Breaks { lacks } => Some(lacks),
                        Verdict::NoCaller | Verdict::Fine | Verdict::Unknown { .. } => None,
                    })
                    .flatten()
                    .collect();
                json!({
                    "arn": principal.arn,
                    "regions": found,
                    "add": callers::statements(lacking),
                })
            })
            .collect();
        let regions: Vec<Value> = self
            .asked
            .iter()
            .map(|one| json!({ "region": one.region, "guardrail": one.what, "resources": one.resources, "kms_key": one.key }))
            .collect();
        json!({
            "account": self.account,
            "good": self.is_good(),
            "regions": regions,
            "principals": principals,
            "service_linked_roles": self.of_services,
            "not_seen": UNSEEN,
        })
    }
}

/// Regions with the same verdict, together. ARNs differ between Regions, reasons seldom do.
fn grouped(found: &Found) -> Vec<(&Verdict, Vec<String>)> {
    let alike = |one: &Verdict, other: &Verdict| match (one, other) {
        (Verdict::Breaks { lacks: one }, Verdict::Breaks { lacks: other }) => {
            let refusals =
                |lacks: &[callers::Lack]| lacks.iter().map(|lack| lack.refusal).collect::<BTreeSet<_>>();
            refusals(one) == refusals(other)
        }
        (one, other) => one == other,
    };
    let mut groups: Vec<(&Verdict, Vec<String>)> = Vec::new();
    for (region, verdict) in found {
        match groups.iter_mut().find(|(known, _)| alike(known, verdict)) {
            Some((_, regions)) => regions.push(region.to_string()),
            None => groups.push((verdict, vec![region.to_string()])),
        }
    }
    groups
}

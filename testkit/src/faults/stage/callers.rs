//! Callers who may invoke models and may not apply a guardrail. AWS refuses their calls wherever one is enforced, and
//! the keeper doesn't ask about them before it writes: that is for people to do, with `guardrailctl callers`. So what
//! holds is this: the keeper enforces what is wanted all the same, and `callers` names everybody whose calls fail.

use serde_json::Value;
use simulator::{Model, Permissions, Role, Statement};

use super::Stage;
use super::planted::Plant;
use super::rule::{Rule, broken};
use crate::faults::world::World;
use crate::histories::baseline::Wanted;
use crate::histories::model::Place;
use crate::histories::setting::Setting;

/// May invoke models, and nothing else.
const UNPREPARED: &str = "Unprepared";
/// What each account has that the organization made; it may do everything.
const ADMINISTRATOR: &str = "OrganizationAccountAccessRole";
const MODEL: &str = "amazon.nova-pro-v1:0";

/// Lets every member have such a caller.
pub(super) fn come(setting: &Setting, model: &mut Model) {
    let invoke = Statement { actions: vec!["bedrock:InvokeModel".to_owned()], ..Statement::default() };
    let permissions = Permissions { allow: vec![invoke], ..Permissions::default() };
    let role = Role { name: UNPREPARED.to_owned(), permissions, ..Role::default() };
    for number in 0..setting.members {
        model.put_role(&setting.member(number), role.clone());
    }
}

impl Stage {
    /// Where the second member is to be guarded, its caller's calls fail as soon as it is, and the program says so.
    pub async fn check_callers(&mut self) -> Result<(), String> {
        let account = self.setting.member(1);
        let place = |region: &&'static str| Place { account: account.clone(), region: (*region).to_owned() };
        let guarded: Vec<Place> = self.server.with(|model| {
            let wanted = |place: &Place| self.wants.of(&self.setting, model, place) == Wanted::Guardrail;
            self.setting.regions().iter().map(place).filter(wanted).collect()
        });
        if !self.renders || self.world == World::Plain || guarded.is_empty() {
            return Ok(());
        }
        let (code, out) =
            self.program(&["callers", &account, "--role", ADMINISTRATOR, "--output", "json"]).await;
        let mut told: Value = serde_json::from_str(&out).unwrap_or_default();
        if self.plant == Some(Plant::OverlooksCallers) {
            told["accounts"] = Value::Array(Vec::new());
        }
        let named = |place: &Place| {
            let arn = format!("arn:aws:iam::{account}:role/{UNPREPARED}");
            let principals = told["accounts"][0]["principals"].as_array().into_iter().flatten();
            let breaks = |one: &Value| one["regions"][place.region.as_str()]["verdict"] == "breaks";
            principals.filter(|one| one["arn"] == arn.as_str()).any(breaks)
        };
        for place in guarded {
            let role = format!("arn:aws:iam::{account}:role/{UNPREPARED}");
            let (has_effect, fails) = self.server.with(|model| {
                let has_effect = model.effective_enforcement(&account, &place.region).is_some();
                let reply = model.converse(&role, &account, &place.region, MODEL, "Good morning.");
                (has_effect, reply.is_err())
            });
            if fails != has_effect || !named(&place) || code != 1 {
                let what = format!("in {place} the calls of {UNPREPARED} fail: {fails}; and that is told:");
                return broken(Rule::Callers, format!("{what}\n{out}exit {code}"));
            }
            self.figures.callers += 1;
        }
        Ok(())
    }
}

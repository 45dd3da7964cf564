//! What happens around the functions in a history of the deployed form, carried out on the model.

use simulator::{Model, Permissions, PutParameter, Role};

use super::step::Life;
use testkit::histories::baseline::Wants;
use testkit::histories::model::{ROOT, SANDBOX, WORKLOAD};
use testkit::histories::setting::Setting;
use testkit::histories::step::Unit;

pub(crate) const PARAMETER: &str = "/guardrail-keeper/baseline";

/// The roles of the hub in which baselines are written and approved.
const ROLES: [&str; 2] = ["BaselineAuthor", "BaselineApprover"];

/// Whoever approves baselines and writes none.
pub(crate) fn approver(setting: &Setting) -> String {
    role(setting, ROLES[1])
}

/// Gives the hub the roles in which baselines are written and approved: what is put in a parameter shows by whom.
pub(crate) fn hire(model: &mut Model, setting: &Setting) {
    for name in ROLES {
        let permissions = Permissions::administrator();
        let role = Role { name: name.to_owned(), permissions, ..Role::default() };
        model.put_role(&setting.hub(), role);
    }
}

/// Whoever writes baselines.
pub(crate) fn author(setting: &Setting) -> String {
    role(setting, ROLES[0])
}

fn role(setting: &Setting, name: &str) -> String {
    format!("arn:aws:iam::{}:role/{name}", setting.hub())
}

/// Puts the baseline where the keeper reads it.
pub(crate) fn publish(model: &mut Model, setting: &Setting, wants: &Wants) {
    put(model, setting, &author(setting), PARAMETER, wants.text(setting));
}

/// Somebody approves a revision where the keeper reads it.
pub(crate) fn approve(model: &mut Model, setting: &Setting, who: &str, revision: &str) {
    put(model, setting, who, "/guardrail-keeper/approval", revision.to_owned());
}

fn put(model: &mut Model, setting: &Setting, who: &str, name: &str, value: String) {
    let parameter = PutParameter {
        name: name.to_owned(),
        value,
        kind: Some("String".to_owned()),
        tier: Some("Advanced".to_owned()),
        overwrite: true,
        ..PutParameter::default()
    };
    let caller = model.caller(who, setting.regions()[0]);
    model.put_parameter(&caller.expect("it exists"), parameter).expect("it is valid");
}

/// Lets an account come or go, if it can.
pub(crate) fn live(model: &mut Model, setting: &Setting, member: usize, life: Life) {
    let account = setting.member(member);
    match life {
        Life::Come { to } => {
            let unit = match to {
                Unit::Root => ROOT,
                Unit::Workload => WORKLOAD,
                Unit::Sandbox => SANDBOX,
            };
            if model.account(&account).is_none() {
                let name = format!("newcomer {member}");
                if model.create_account_of_id(&account, &name, unit).is_ok() {
                    model.finish_account_creation(&account);
                }
            } else {
                drop(model.join(&account, unit));
            }
        }
        Life::Leave => drop(model.leave(&account)),
        Life::Remove => drop(model.remove(&account)),
        Life::Close => drop(model.close(&account)),
    }
}

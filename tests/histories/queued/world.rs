//! What happens around the functions in a history of the deployed form, carried out on the model.

use simulator::{Model, PutParameter};

use super::step::Life;
use testkit::histories::baseline::Wants;
use testkit::histories::model::{ROOT, SANDBOX, WORKLOAD, administrator};
use testkit::histories::setting::Setting;
use testkit::histories::step::Unit;

pub(crate) const PARAMETER: &str = "/guardrail-keeper/baseline";

/// Puts the baseline where the keeper reads it.
pub(crate) fn publish(model: &mut Model, setting: &Setting, wants: &Wants) {
    put(model, setting, &administrator(&setting.hub()), PARAMETER, wants.text(setting));
}

/// Approves a revision where the keeper reads it.
pub(crate) fn approve(model: &mut Model, setting: &Setting, revision: &str) {
    let approver = format!("arn:aws:iam::{}:user/approver", setting.hub());
    put(model, setting, &approver, "/guardrail-keeper/approval", revision.to_owned());
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

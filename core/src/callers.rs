//! Who would lose access to models by an enforcement: principals that may invoke models and may not
//! apply the guardrail.

mod summary;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::simulation::{Evaluated, Refusal};

pub use summary::{AccountAccess, CallersSummary, Principals};

/// What invokes a model. Converse and ConverseStream are allowed by the same two.
pub const INVOKE: [&str; 2] = ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"];
/// What a guarded call needs besides.
pub const APPLY: &str = "bedrock:ApplyGuardrail";
/// What it needs, too, where the guardrail is encrypted with a customer managed key: on the key
/// (<https://docs.aws.amazon.com/bedrock/latest/userguide/guardrails-permissions-kms.html>).
pub const DECRYPT: &str = "kms:Decrypt";

/// One permission that a guarded call needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NeededPermission {
    /// [`APPLY`] or [`DECRYPT`].
    pub action: &'static str,
    /// The ARN of the guardrail, its profile or its key.
    pub resource: String,
}

impl NeededPermission {
    /// Everything that a call under a guardrail needs.
    pub fn all(resources: &[String], key: Option<&str>) -> Vec<NeededPermission> {
        let apply =
            resources.iter().map(|resource| NeededPermission { action: APPLY, resource: resource.clone() });
        let decrypt = key.map(|key| NeededPermission { action: DECRYPT, resource: key.to_owned() });
        apply.chain(decrypt).collect()
    }
}

/// The path of the roles of AWS's own services; others may not use or change them.
const OF_A_SERVICE: &str = "/aws-service-role/";

/// A role or user of an account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Principal {
    /// Its ARN.
    pub arn: String,
    /// Its path, with a slash at both ends.
    pub path: String,
}

impl Principal {
    /// Whether it is the role of one of AWS's services.
    pub fn is_service_linked(&self) -> bool {
        self.path.starts_with(OF_A_SERVICE)
    }
}

/// What was found out about one principal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum CallerVerdict {
    /// It can't invoke models: no enforcement concerns it.
    NoCaller,
    /// It may invoke models, and may apply the guardrail.
    Fine,
    /// It may invoke models, and would lose that.
    Breaks {
        /// What it may not do, and why.
        lacks: Vec<MissingPermission>,
    },
    /// It isn't known which of these.
    Unknown {
        /// Why.
        why: String,
    },
}

/// A permission that a principal lacks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct MissingPermission {
    /// What it may not do: [`APPLY`] or [`DECRYPT`].
    pub action: &'static str,
    /// The ARN of the guardrail, its profile or its key.
    pub resource: String,
    /// What refuses.
    pub refusal: Refusal,
}

/// Whether a principal may invoke any model, by a simulation of [`INVOKE`] on models of the Region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invokes {
    /// At least one, in one way.
    Yes,
    /// None.
    No,
    /// None by itself, but conditions ask for what isn't known beforehand.
    Depends(BTreeSet<String>),
}

/// Judges whether a principal may invoke models.
pub fn invokes(evaluated: &[Evaluated]) -> Invokes {
    if evaluated.iter().any(|one| one.own_side().is_ok()) {
        return Invokes::Yes;
    }
    // What is denied outright, or by boundary or organization, no condition makes allowed.
    let open = evaluated.iter().filter(|one| one.own_side() == Err(Refusal::NotAllowed));
    let keys: BTreeSet<String> = open.flat_map(|one| one.missing_keys.iter().cloned()).collect();
    if keys.is_empty() { Invokes::No } else { Invokes::Depends(keys) }
}

/// Judges one principal. `applies` is what its simulation of each need said, which is only asked for those who
/// invoke.
pub fn judge(
    invokes: &Result<Invokes, Failure>,
    needs: &[NeededPermission],
    applies: &Result<Vec<Evaluated>, Failure>,
) -> CallerVerdict {
    let depends = match invokes {
        Err(failure) => return CallerVerdict::Unknown { why: failure.to_string() },
        Ok(Invokes::No) => return CallerVerdict::NoCaller,
        Ok(Invokes::Yes) => None,
        Ok(Invokes::Depends(keys)) => Some(keys),
    };
    let evaluated = match applies {
        Ok(evaluated) => evaluated,
        Err(failure) => return CallerVerdict::Unknown { why: failure.to_string() },
    };
    let mut lacks = Vec::new();
    for NeededPermission { action, resource } in needs {
        let said = evaluated.iter().find(|one| one.action == *action && one.resource == *resource);
        let Some(said) = said else {
            return CallerVerdict::Unknown {
                why: format!("IAM didn't say whether it is allowed {action} on {resource}"),
            };
        };
        if let Err(refusal) = said.own_side() {
            lacks.push(MissingPermission { action, resource: resource.clone(), refusal });
        }
    }
    match (lacks.is_empty(), depends) {
        (true, _) => CallerVerdict::Fine,
        (false, None) => CallerVerdict::Breaks { lacks },
        (false, Some(keys)) => {
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            CallerVerdict::Unknown {
                why: format!(
                    "it lacks a permission that guarded calls need, and its permission to invoke models depends on {}",
                    keys.join(", ")
                ),
            }
        }
    }
}

/// The statements that have to be added to a principal's policies: one for each action that is lacking.
pub fn statements<'a>(lacks: impl IntoIterator<Item = &'a MissingPermission>) -> Vec<Value> {
    let mut resources: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for lack in lacks {
        resources.entry(lack.action).or_default().insert(&lack.resource);
    }
    let statement = |(action, resources): (&str, BTreeSet<&str>)| {
        let sid = if action == DECRYPT { "DecryptEnforcedGuardrail" } else { "ApplyEnforcedGuardrail" };
        json!({ "Sid": sid, "Effect": "Allow", "Action": action, "Resource": resources })
    };
    resources.into_iter().map(statement).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Category;
    use crate::simulation::SimulatedDecision;

    const GUARDRAIL: &str = "arn:aws:bedrock:us-east-1:222222222222:guardrail/base";

    fn evaluated(action: &str, resource: &str, decision: SimulatedDecision) -> Evaluated {
        Evaluated {
            action: action.to_owned(),
            resource: resource.to_owned(),
            decision,
            details: std::collections::BTreeMap::new(),
            by_organization: None,
            by_boundary: None,
            missing_keys: BTreeSet::new(),
        }
    }

    fn apply(decision: SimulatedDecision) -> Vec<Evaluated> {
        vec![evaluated(APPLY, GUARDRAIL, decision)]
    }

    fn keys(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn one_model_is_enough_to_be_a_caller() {
        let one = |decision| evaluated(INVOKE[0], "arn:aws:bedrock:us-east-1::foundation-model/m", decision);
        let conditional =
            Evaluated { missing_keys: keys(&["aws:SourceVpce"]), ..one(SimulatedDecision::Implicit) };
        let bounded = Evaluated { by_boundary: Some(false), ..conditional.clone() };
        let table = [
            (vec![], Invokes::No),
            (vec![one(SimulatedDecision::Implicit), one(SimulatedDecision::Explicit)], Invokes::No),
            (vec![one(SimulatedDecision::Implicit), one(SimulatedDecision::Allowed)], Invokes::Yes),
            (vec![conditional.clone(), one(SimulatedDecision::Allowed)], Invokes::Yes),
            (vec![conditional], Invokes::Depends(keys(&["aws:SourceVpce"]))),
            (vec![bounded], Invokes::No),
        ];
        for (said, expected) in table {
            assert_eq!(invokes(&said), expected, "{said:?}");
        }
    }

    #[test]
    fn who_invokes_and_may_not_apply_would_break() {
        let failure = Failure::new(Category::Denied, "SimulatePrincipalPolicy", "AccessDenied: no");
        let why = "SimulatePrincipalPolicy: AccessDenied: no (denied)";
        let depends = Ok(Invokes::Depends(keys(&["aws:SourceVpce"])));
        let lack = |refusal| CallerVerdict::Breaks {
            lacks: vec![MissingPermission { action: APPLY, resource: GUARDRAIL.to_owned(), refusal }],
        };
        let table = [
            (Ok(Invokes::No), Ok(vec![]), CallerVerdict::NoCaller),
            (Ok(Invokes::Yes), Ok(apply(SimulatedDecision::Allowed)), CallerVerdict::Fine),
            (Ok(Invokes::Yes), Ok(apply(SimulatedDecision::Implicit)), lack(Refusal::NotAllowed)),
            (Ok(Invokes::Yes), Ok(apply(SimulatedDecision::Explicit)), lack(Refusal::Denied)),
            (depends.clone(), Ok(apply(SimulatedDecision::Allowed)), CallerVerdict::Fine),
            (
                depends,
                Ok(apply(SimulatedDecision::Implicit)),
                CallerVerdict::Unknown {
                    why: "it lacks a permission that guarded calls need, and its permission to invoke models depends on aws:SourceVpce"
                        .to_owned(),
                },
            ),
            (Err(failure.clone()), Ok(vec![]), CallerVerdict::Unknown { why: why.to_owned() }),
            (Ok(Invokes::Yes), Err(failure), CallerVerdict::Unknown { why: why.to_owned() }),
            (
                Ok(Invokes::Yes),
                Ok(vec![]),
                CallerVerdict::Unknown { why: format!("IAM didn't say whether it is allowed {APPLY} on {GUARDRAIL}") },
            ),
        ];
        for (invokes, applies, expected) in table {
            let needs = NeededPermission::all(&[GUARDRAIL.to_owned()], None);
            assert_eq!(judge(&invokes, &needs, &applies), expected, "{invokes:?} {applies:?}");
        }
    }

    #[test]
    fn a_guardrail_with_a_key_of_its_own_needs_the_key_too() {
        const KEY: &str = "arn:aws:kms:us-east-1:222222222222:key/11111111-2222-4333-8444-555555555555";
        let needs = NeededPermission::all(&[GUARDRAIL.to_owned()], Some(KEY));
        let with_key = |decision| {
            let said = [apply(SimulatedDecision::Allowed), vec![evaluated(DECRYPT, KEY, decision)]].concat();
            judge(&Ok(Invokes::Yes), &needs, &Ok(said))
        };
        assert_eq!(with_key(SimulatedDecision::Allowed), CallerVerdict::Fine);
        let lack =
            MissingPermission { action: DECRYPT, resource: KEY.to_owned(), refusal: Refusal::NotAllowed };
        assert_eq!(
            with_key(SimulatedDecision::Implicit),
            CallerVerdict::Breaks { lacks: vec![lack.clone()] }
        );
        let unsaid = judge(&Ok(Invokes::Yes), &needs, &Ok(apply(SimulatedDecision::Allowed)));
        assert!(matches!(unsaid, CallerVerdict::Unknown { .. }), "{unsaid:?}");
        let statements = statements([&lack]);
        assert_eq!(statements[0]["Action"], DECRYPT);
        assert_eq!(statements[0]["Resource"], json!([KEY]));
    }

    #[test]
    fn roles_of_services_are_told_by_their_path() {
        let role = |path: &str| Principal { arn: String::new(), path: path.to_owned() };
        assert!(role("/aws-service-role/support.amazonaws.com/").is_service_linked());
        assert!(!role("/service-role/").is_service_linked());
        assert!(!role("/").is_service_linked());
    }
}

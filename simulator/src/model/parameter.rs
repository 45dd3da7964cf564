//! Parameters of Systems Manager, as far as a baseline kept in one needs them.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::Model;
use super::caller::Caller;
use super::error::ApiError;
use super::event::Trail;

/// A parameter with its history.
#[derive(Clone, Debug, Serialize)]
pub struct Parameter {
    /// Its name; with slashes it is a path.
    pub name: String,
    /// `Standard` or `Advanced`.
    pub tier: String,
    /// What its author wrote about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its versions, oldest first; at least one.
    pub versions: Vec<ParameterVersion>,
}

/// One value that a parameter had.
#[derive(Clone, Debug, Serialize)]
pub struct ParameterVersion {
    /// From 1.
    pub number: u64,
    /// `String`, `StringList` or `SecureString`.
    pub kind: String,
    /// The value; not encrypted here, whatever its kind.
    pub value: String,
    /// When it was put.
    pub at: Timestamp,
    /// Whose Put it was.
    pub by: String,
}

/// What PutParameter asks for.
#[derive(Clone, Debug, Default)]
pub struct PutParameter {
    /// The name.
    pub name: String,
    /// The value.
    pub value: String,
    /// `String`, `StringList` or `SecureString`; needed for a new parameter.
    pub kind: Option<String>,
    /// `Standard`, `Advanced` or `Intelligent-Tiering`.
    pub tier: Option<String>,
    /// What its author writes about it.
    pub description: Option<String>,
    /// Whether an existing parameter may be changed.
    pub overwrite: bool,
}

/// The most a standard parameter holds; an advanced one holds twice as much.
const STANDARD_BYTES: usize = 4096;
const ADVANCED_BYTES: usize = 8192;
/// Older versions are dropped when there are more.
const MAX_VERSIONS: usize = 100;

impl Parameter {
    /// The version put last.
    pub fn latest(&self) -> &ParameterVersion {
        self.versions.last().expect("a parameter is made with its first version")
    }

    /// Its ARN.
    pub fn arn(&self, account: &str, region: &str) -> String {
        parameter_arn(account, region, &self.name)
    }
}

/// A name that begins with a slash doesn't get another one.
pub(crate) fn parameter_arn(account: &str, region: &str, name: &str) -> String {
    let slash = if name.starts_with('/') { "" } else { "/" };
    format!("arn:aws:ssm:{region}:{account}:parameter{slash}{name}")
}

impl Model {
    /// A parameter and one of its versions; `name` may end in `:version`.
    ///
    /// # Errors
    /// `ParameterNotFound`, `ParameterVersionNotFound`, `AccessDeniedException`.
    pub fn get_parameter(
        &self,
        caller: &Caller,
        action: &str,
        name: &str,
    ) -> Result<(&Parameter, &ParameterVersion), ApiError> {
        let (name, version) = match split_selector(name) {
            Some((name, version)) => (name, Some(version)),
            None => (name, None),
        };
        let arn = parameter_arn(caller.account(), &caller.region, name);
        self.authorize(caller, &format!("ssm:{action}"), &arn)?;
        let region = self.region(caller.account(), &caller.region);
        let parameter = region.and_then(|region| region.parameters.get(name));
        // The message of ParameterNotFound is empty on AWS too.
        let parameter = parameter.ok_or_else(|| ApiError::new("ParameterNotFound", ""))?;
        let Some(version) = version else { return Ok((parameter, parameter.latest())) };
        let found = parameter.versions.iter().find(|each| each.number.to_string() == version);
        found.map(|found| (parameter, found)).ok_or_else(|| {
            ApiError::new(
                "ParameterVersionNotFound",
                format!("Systems Manager could not find version {version} of {name}. Verify the version and try again."),
            )
        })
    }

    /// Makes or changes a parameter; answers its version and tier.
    ///
    /// # Errors
    /// `ParameterAlreadyExists` without `overwrite`, `ValidationException` for a value too long for its tier.
    pub fn put_parameter(
        &mut self,
        caller: &Caller,
        wanted: PutParameter,
    ) -> Result<(u64, String), ApiError> {
        let (account, region) = (caller.account().to_owned(), caller.region.clone());
        let arn = parameter_arn(&account, &region, &wanted.name);
        self.authorize(caller, "ssm:PutParameter", &arn)?;
        check_name(&wanted.name)?;
        let existing = self.region(&account, &region).and_then(|region| region.parameters.get(&wanted.name));
        if existing.is_some() && !wanted.overwrite {
            return Err(ApiError::new(
                "ParameterAlreadyExists",
                "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.",
            ));
        }
        let tier = tier(wanted.tier.as_deref(), existing, wanted.value.len())?;
        let kind = match (wanted.kind, existing) {
            (Some(kind), _) => kind,
            (None, Some(existing)) => existing.latest().kind.clone(),
            (None, None) => {
                return Err(ApiError::validation(
                    "A parameter type is required when you create a parameter.",
                ));
            }
        };
        let version = ParameterVersion {
            number: existing.map_or(1, |existing| existing.latest().number + 1),
            kind: kind.clone(),
            value: wanted.value,
            at: self.now(),
            by: caller.principal.arn(),
        };
        let (number, operation) = (version.number, if existing.is_some() { "Update" } else { "Create" });
        let parameters = &mut self.region_mut(&account, &region)?.parameters;
        let parameter = parameters.entry(wanted.name.clone()).or_insert_with(|| Parameter {
            name: wanted.name.clone(),
            tier: tier.clone(),
            description: None,
            versions: Vec::new(),
        });
        parameter.tier.clone_from(&tier);
        parameter.description = wanted.description.clone().or_else(|| parameter.description.take());
        parameter.versions.push(version);
        if parameter.versions.len() > MAX_VERSIONS {
            parameter.versions.remove(0);
        }
        let request =
            json!({ "name": wanted.name, "type": kind, "overwrite": wanted.overwrite, "tier": tier });
        self.trail(caller, Trail::ssm("PutParameter", request, json!({ "version": number, "tier": tier })));
        self.parameter_changed(
            &account,
            &region,
            operation,
            &wanted.name,
            &kind,
            wanted.description.as_deref(),
        );
        Ok((number, tier))
    }

    /// Deletes a parameter with its history.
    ///
    /// # Errors
    /// `ParameterNotFound`, `AccessDeniedException`.
    pub fn delete_parameter(&mut self, caller: &Caller, name: &str) -> Result<(), ApiError> {
        let (account, region) = (caller.account().to_owned(), caller.region.clone());
        self.authorize(caller, "ssm:DeleteParameter", &parameter_arn(&account, &region, name))?;
        let removed = self.region_mut(&account, &region)?.parameters.remove(name);
        let removed = removed.ok_or_else(|| ApiError::new("ParameterNotFound", ""))?;
        self.trail(caller, Trail::ssm("DeleteParameter", json!({ "name": name }), Value::Null));
        self.parameter_changed(&account, &region, "Delete", name, &removed.latest().kind, None);
        Ok(())
    }

    /// Systems Manager tells EventBridge itself, without CloudTrail.
    fn parameter_changed(
        &mut self,
        account: &str,
        region: &str,
        operation: &str,
        name: &str,
        kind: &str,
        description: Option<&str>,
    ) {
        let mut detail = json!({ "operation": operation, "name": name, "type": kind });
        if let Some(description) = description {
            detail["description"] = description.into();
        }
        let resources = [parameter_arn(account, region, name)];
        self.emit_about(account, region, "ssm", "Parameter Store Change", &resources, &detail);
    }
}

/// The tier a value gets. A parameter never goes back from advanced to standard.
fn tier(wanted: Option<&str>, existing: Option<&Parameter>, bytes: usize) -> Result<String, ApiError> {
    let advanced_already = existing.is_some_and(|existing| existing.tier == "Advanced");
    let tier = match wanted {
        Some("Standard") if advanced_already => {
            return Err(ApiError::validation(
                "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the advanced-parameter tier to the standard-parameter tier.",
            ));
        }
        Some("Intelligent-Tiering") if bytes > STANDARD_BYTES => "Advanced",
        Some("Advanced") => "Advanced",
        _ if advanced_already => "Advanced",
        _ => "Standard",
    };
    let limit = if tier == "Advanced" { ADVANCED_BYTES } else { STANDARD_BYTES };
    if bytes <= limit {
        return Ok(tier.to_owned());
    }
    let message = if tier == "Advanced" {
        format!("Value exceeds the maximum length of {limit} for an advanced parameter.")
    } else {
        format!(
            "Standard tier parameters support a maximum parameter value of {limit} characters. To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier."
        )
    };
    Err(ApiError::validation(message))
}

/// Names are made of letters, digits and `_.-/`, at most 15 levels deep, and don't begin with `aws` or `ssm`.
fn check_name(name: &str) -> Result<(), ApiError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-/".contains(&byte);
    if !name.bytes().all(plain) || (name.contains('/') && !name.starts_with('/')) {
        return Err(ApiError::validation(
            "Parameter name must be a fully qualified name. It can only include the following symbols and letters: a-zA-Z0-9_.- and must begin with a slash if it is a path.",
        ));
    }
    let first = name.trim_start_matches('/').to_ascii_lowercase();
    if first.starts_with("aws") || first.starts_with("ssm") {
        return Err(ApiError::new(
            "AccessDeniedException",
            format!("No access to reserved parameter name: {name}."),
        ));
    }
    if name.split('/').count() > 16 {
        return Err(ApiError::new(
            "HierarchyLevelLimitExceededException",
            "A hierarchy can have a maximum of 15 levels.",
        ));
    }
    Ok(())
}

/// `name:selector`; an ARN has colons too, but GetParameter by ARN isn't modelled.
fn split_selector(name: &str) -> Option<(&str, &str)> {
    name.rsplit_once(':')
}

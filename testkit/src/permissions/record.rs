//! Calls that the keeper makes in tests, as IAM sees them: who needs which permission on what.
//!
//! Every one has to be in `calls.txt`, which is held against the templates' policies (tests/events), and
//! `tools/check-calls` holds it against what the whole suite recorded. Where `KEEPER_CALLS` names a folder,
//! this process writes there what it saw.
//!
//! Against the simulator it is the whole keeper that calls; against the emulators, its store, queues and bus
//! by themselves, so a call there says that they can make it and not that the keeper does.

use std::collections::BTreeSet;
use std::env;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::process;
use std::sync::{Mutex, OnceLock, PoisonError};

/// What the keeper made use of, by the names of permissions.
const KNOWN: &str = include_str!("../../../tests/permissions/calls.txt");

/// How the ARNs of what Organizations has begin.
const MANAGEMENT_OF: &str = "arn:aws:organizations::MANAGEMENT";

/// A call of one of AWS's services.
pub struct Call<'a> {
    /// `function`, `member`, `organization` or `owner`: whose permissions it needs; or `reader`, by which people read.
    pub role: &'a str,
    /// The parameters of the stack that the situation asks for: `-`, or some of `copies`, `owns`, and `organization` or
    /// `organization-role`, and `repairs-type`, with a plus between them.
    pub deployment: &'a str,
    /// The caller's account.
    pub account: &'a str,
    pub service: &'a str,
    pub operation: &'a str,
    /// What the input names.
    pub target: Option<&'a str>,
    /// Of events, their sources.
    pub sources: Vec<&'a str>,
}

impl Call<'_> {
    /// The line of `calls.txt`; none for a call that needs no permission.
    fn line(&self) -> Option<String> {
        let Call { role, deployment, .. } = self;
        let (action, resource) = self.needs()?;
        let mut line = format!("{role} {deployment} {action} {resource}");
        for source in &self.sources {
            line.push_str(&format!(" events:source={source}"));
        }
        Some(line)
    }

    /// The action and the resource that a policy has to allow.
    ///
    /// As the Service Authorization Reference has them. Ids give way to words: `OWN` is the caller's
    /// account and `OTHER` another one.
    ///
    /// # Panics
    /// For an operation that isn't known here: look its permission up and add it.
    fn needs(&self) -> Option<(String, String)> {
        let Call { service, operation, .. } = *self;
        let target = self.target.unwrap_or_default();
        let of = |prefix: &str| format!("{prefix}:{operation}");
        let needs = match (service, operation) {
            ("sts", "GetCallerIdentity") => return None,
            ("sts", "AssumeRole") => (of("sts"), self.with_words(target)),
            // No resource types, or a guardrail that has no ARN yet.
            (
                "bedrock",
                "ListEnforcedGuardrailsConfiguration"
                | "PutEnforcedGuardrailConfiguration"
                | "DeleteEnforcedGuardrailConfiguration"
                | "CreateGuardrail"
                | "ListFoundationModels",
            ) => (of("bedrock"), "*".to_owned()),
            ("bedrock", "ListGuardrails") if target.is_empty() => (of("bedrock"), "*".to_owned()),
            (
                "bedrock" | "bedrock-runtime",
                "ApplyGuardrail"
                | "GetGuardrail"
                | "ListGuardrails"
                | "CreateGuardrailVersion"
                | "UpdateGuardrail"
                | "DeleteGuardrail"
                | "GetResourcePolicy"
                | "PutResourcePolicy"
                | "DeleteResourcePolicy"
                | "ListTagsForResource"
                | "TagResource",
            ) => (of("bedrock"), self.guardrail(target)),
            ("kms", "DescribeKey" | "GetKeyPolicy") => (of("kms"), self.key(target)),
            (
                "organizations",
                "DescribeOrganization"
                | "ListAccounts"
                | "ListPolicies"
                | "ListAccountsWithInvalidEffectivePolicy"
                | "CreatePolicy",
            ) => (of("organizations"), "*".to_owned()),
            (
                "organizations",
                "DescribePolicy"
                | "UpdatePolicy"
                | "DeletePolicy"
                | "AttachPolicy"
                | "DetachPolicy"
                | "ListTargetsForPolicy"
                | "ListTagsForResource",
            ) => (of("organizations"), format!("{MANAGEMENT_OF}:policy/ORGANIZATION/bedrock_policy/ID")),
            (
                "organizations",
                "ListPoliciesForTarget" | "DescribeEffectivePolicy" | "ListEffectivePolicyValidationErrors",
            ) => {
                let kind = match target {
                    target if target.starts_with("r-") => "root",
                    target if target.starts_with("ou-") => "ou",
                    _ => "account",
                };
                (of("organizations"), format!("{MANAGEMENT_OF}:{kind}/ORGANIZATION/ID"))
            }
            ("organizations", "DescribeAccount" | "ListParents") => {
                let kind = if target.starts_with("ou-") { "ou" } else { "account" };
                (of("organizations"), format!("{MANAGEMENT_OF}:{kind}/ORGANIZATION/ID"))
            }
            ("ssm", "GetParameter" | "GetParameterHistory") => {
                // An account's control has its id in its name.
                let name = target.trim_start_matches('/');
                let name = match name.rsplit_once("/leaving/") {
                    Some((path, _)) => format!("{path}/leaving/ID"),
                    None => name.to_owned(),
                };
                (of("ssm"), format!("arn:aws:ssm:REGION:OWN:parameter/{name}"))
            }
            ("ssm", "GetParametersByPath") => {
                (of("ssm"), format!("arn:aws:ssm:REGION:OWN:parameter/{}", target.trim_start_matches('/')))
            }
            ("sqs", "SendMessageBatch" | "SendMessage") => {
                // Of the two queues, only that of tasks is a FIFO queue.
                let queue = if target.ends_with(".fifo") { "tasks" } else { "events" };
                ("sqs:SendMessage".to_owned(), format!("arn:aws:sqs:REGION:OWN:{queue}"))
            }
            ("events", "PutEvents") => (of("events"), "arn:aws:events:REGION:OWN:event-bus/BUS".to_owned()),
            ("dynamodb", "GetItem" | "BatchGetItem" | "Scan" | "PutItem") => {
                (of("dynamodb"), "arn:aws:dynamodb:REGION:OWN:table/LEDGER".to_owned())
            }
            ("iam", "ListRoles" | "ListUsers") | ("cloudtrail", "DescribeTrails") => {
                (of(service), "*".to_owned())
            }
            // Of the keeper's own role; its name is a parameter.
            ("iam", "GetRole") => (of("iam"), format!("arn:aws:iam::OWN:role/{target}")),
            ("iam", "SimulatePrincipalPolicy") => {
                let kind = if target.contains(":user/") { "user" } else { "role" };
                (of("iam"), format!("arn:aws:iam::OWN:{kind}/ID"))
            }
            ("cloudtrail", "GetTrailStatus" | "GetEventSelectors") => {
                let owner = target.split(':').nth(4).unwrap_or(self.account);
                (of("cloudtrail"), format!("arn:aws:cloudtrail:REGION:{}:trail/ID", self.word(owner)))
            }
            ("events", "ListRules" | "ListTargetsByRule") => {
                (of("events"), "arn:aws:events:REGION:OWN:rule/ID".to_owned())
            }
            ("account", "ListRegions") => (of("account"), "arn:aws:account::OWN:account".to_owned()),
            (service, operation) => panic!(
                "{service}:{operation}: say in testkit/src/permissions/record.rs which permission it needs, and grant it"
            ),
        };
        Some(needs)
    }

    /// A guardrail's or profile's ARN, or a guardrail's id, which is one of the own account.
    fn guardrail(&self, target: &str) -> String {
        let kind = if target.contains(":guardrail-profile/") { "guardrail-profile" } else { "guardrail" };
        let account = target.split(':').nth(4).unwrap_or(self.account);
        format!("arn:aws:bedrock:REGION:{}:{kind}/ID", self.word(account))
    }

    /// A key's ARN.
    fn key(&self, target: &str) -> String {
        let account = target.split(':').nth(4).unwrap_or(self.account);
        format!("arn:aws:kms:REGION:{}:key/ID", self.word(account))
    }

    fn with_words(&self, arn: &str) -> String {
        let account = arn.split(':').nth(4).unwrap_or_default();
        if account.is_empty() { arn.to_owned() } else { arn.replacen(account, self.word(account), 1) }
    }

    fn word(&self, account: &str) -> &'static str {
        if account == self.account { "OWN" } else { "OTHER" }
    }
}

/// Records a call.
///
/// # Panics
/// For a call that isn't in `calls.txt`, unless that is being written anew (`UPDATE_EXPECT`).
#[track_caller]
pub fn record(call: &Call<'_>) {
    static SEEN: OnceLock<Mutex<BTreeSet<String>>> = OnceLock::new();
    let Some(line) = call.line() else { return };
    let mut seen = SEEN.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    if !seen.insert(line.clone()) {
        return;
    }
    if let Some(folder) = env::var_os("KEEPER_CALLS") {
        let path = Path::new(&folder).join(format!("{}.txt", process::id()));
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let mut file = file.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        writeln!(file, "{line}").unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    let known = KNOWN.lines().any(|known| known == line);
    assert!(
        known || env::var_os("UPDATE_EXPECT").is_some(),
        "a call that tests/permissions/calls.txt doesn't know:\n    {line}\nIf the keeper is to make it, grant \
         it in the templates, and write the file anew: UPDATE_EXPECT=1 tools/check-calls"
    );
}

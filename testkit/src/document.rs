//! A baseline to be edited in small ways: a test writes down only what it is about.

/// A baseline. By default the example's: everybody is guarded by version 2 in three Regions, and the
/// sandbox by nothing.
#[derive(Clone, Debug)]
pub struct Document {
    /// The format: with 1, a placement that isn't written is central.
    pub format: u32,
    pub organization: &'static str,
    /// The account that owns the guardrails.
    pub owner: &'static str,
    pub mode: &'static str,
    pub name: &'static str,
    pub version: u32,
    pub regions: &'static str,
    /// More lines of the guardrail, as in `models: { include: [ALL], exclude: [] }`.
    pub guardrail: Vec<&'static str>,
    /// More guardrails, each a line, as in `lenient: { name: lenient, version: 1, regions: [us-east-1] }`.
    pub more_guardrails: Vec<&'static str>,
    /// Who gets what: a target, and a guardrail with whatever follows it.
    pub assignments: Vec<(&'static str, &'static str)>,
    /// More lines of the document.
    pub rest: Vec<&'static str>,
}

impl Default for Document {
    fn default() -> Document {
        Document {
            format: 1,
            organization: "o-exampleorgid",
            owner: "222222222222",
            mode: "sync",
            name: "corporate-baseline",
            version: 2,
            regions: "us-east-1, eu-west-1, ap-southeast-2",
            guardrail: Vec::new(),
            more_guardrails: Vec::new(),
            assignments: vec![("r-exam", "corporate"), ("ou-exam-sandbox1", "none")],
            rest: Vec::new(),
        }
    }
}

impl Document {
    /// Only one account is guarded; all others are unassigned.
    pub fn only(account: &'static str) -> Document {
        Document { assignments: vec![(account, "corporate")], ..Document::default() }
    }

    /// As it would be written in a file.
    pub fn text(&self) -> String {
        let Document {
            format,
            organization,
            owner,
            mode,
            name,
            version,
            regions,
            guardrail,
            more_guardrails,
            assignments,
            rest,
        } = self;
        let mut text = format!(
            "version: {format}\norganization: {organization}\nowner: \"{owner}\"\nmode: {mode}\nguardrails:\n  \
             corporate:\n    name: {name}\n    version: {version}\n    regions: [{regions}]\n"
        );
        for line in guardrail {
            text.push_str(&format!("    {line}\n"));
        }
        for line in more_guardrails {
            text.push_str(&format!("  {line}\n"));
        }
        text.push_str("assignments:\n");
        for (target, guardrail) in assignments {
            text.push_str(&format!("  - {{ targets: [\"{target}\"], guardrail: {guardrail} }}\n"));
        }
        for line in rest {
            text.push_str(&format!("{line}\n"));
        }
        text
    }
}

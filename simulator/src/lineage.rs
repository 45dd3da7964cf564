//! How often a function ran in a chain of messages, as Lambda writes it into the header of a trace:
//! `Root=…;Sampled=0;Lineage=HASH:COUNT`. Clients pass the header on, and SQS keeps it with each message
//! that it is sent with.
//!
//! AWS describes the field and not its form (<https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html>),
//! so this form is our own. A client must not read it either.

use sha2::{Digest, Sha256};

/// How often a function runs in one chain before Lambda stops it.
pub(crate) const MOST_RUNS: u32 = 16;

/// What a function is called in a lineage.
fn short(function: &str) -> String {
    Sha256::digest(function).iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

/// How often the function ran in the chain that a header belongs to.
pub(crate) fn runs(header: &str, function: &str) -> u32 {
    let lineage = header.split(';').find_map(|part| part.trim().strip_prefix("Lineage="));
    let entries = lineage.unwrap_or_default().split('|');
    let name = short(function);
    let of_it = entries.filter_map(|entry| entry.split_once(':')).find(|(hash, _)| *hash == name);
    of_it.and_then(|(_, count)| count.parse().ok()).unwrap_or_default()
}

/// The header of a run: that of the message that led to it, with this run counted; a new one where there was
/// none.
pub(crate) fn of_run(before: Option<&str>, function: &str, number: u64) -> String {
    let name = short(function);
    let ran = before.map_or(0, |header| runs(header, function));
    let mut parts: Vec<String> = match before {
        None => vec![format!("Root=1-{number:08x}-{number:024x}"), "Sampled=0".to_owned()],
        Some(header) => header.split(';').map(|part| part.trim().to_owned()).collect(),
    };
    let mut entries = vec![format!("{name}:{}", ran + 1)];
    for part in parts.extract_if(.., |part| part.starts_with("Lineage=")) {
        let others = part["Lineage=".len()..].split('|').filter(|entry| !entry.starts_with(&name));
        entries.extend(others.map(str::to_owned));
    }
    parts.push(format!("Lineage={}", entries.join("|")));
    parts.join(";")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEPER: &str = "arn:aws:lambda:us-east-1:111111111111:function:guardrail-keeper";

    #[test]
    fn each_run_in_a_chain_is_counted_for_its_function() {
        let mut header = of_run(None, KEEPER, 7);
        assert!(
            header.starts_with("Root=1-00000007-000000000000000000000007;Sampled=0;Lineage="),
            "{header}"
        );
        for expected in 1..20 {
            assert_eq!(runs(&header, KEEPER), expected, "{header}");
            header = of_run(Some(&header), KEEPER, 8);
        }
        assert_eq!(runs(&header, "another"), 0);
        let both = of_run(Some(&header), "another", 9);
        assert_eq!((runs(&both, KEEPER), runs(&both, "another")), (20, 1), "{both}");
        assert_eq!(both.matches("Lineage=").count(), 1, "{both}");
    }

    #[test]
    fn a_header_of_somebody_elses_counts_as_none() {
        for header in
            ["", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700", "Lineage=", "Lineage=x:y", "Lineage=1:2:3"]
        {
            assert_eq!(runs(header, KEEPER), 0, "{header}");
        }
    }
}

//! Whether the deployed function gets what lies in the queues, and may go on for as long as it has to.

use super::{Check, CheckedPlace, Finding};
use crate::failure::Failure;
use crate::simulation::Evaluated;

/// A mapping by which Lambda hands messages of a queue to a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The function's ARN, without a version or alias.
    pub function: String,
    /// `Enabled`, `Disabled` and others.
    pub state: String,
}

/// Judges whether messages of a queue reach a function. `what` is in the queue.
pub fn mapping(what: &str, seen: &Result<Vec<Mapping>, Failure>, deploy: &str) -> Finding {
    let here = Check::Function.whole();
    let mappings = match seen {
        Ok(mappings) => mappings,
        Err(failure) => {
            return here.unread(
                format_args!("whether a function takes {what} out of their queue isn't known"),
                failure,
            );
        }
    };
    let in_state = |states: &[&str]| mappings.iter().find(|mapping| states.contains(&mapping.state.as_str()));
    if let Some(mapping) = in_state(&["Enabled", "Updating"]) {
        return here.ok(format!("{} takes {what} out of their queue", name(&mapping.function)));
    }
    if let Some(mapping) = in_state(&["Creating", "Enabling"]) {
        let text = format!("{} is about to take {what} out of their queue", name(&mapping.function));
        return here.unknown(text, "run this again in a minute");
    }
    match mappings.first() {
        Some(Mapping { function, state }) => {
            let text = format!(
                "the mapping from the queue of {what} to {} is {}, so nothing is taken out of it",
                name(function),
                state.to_lowercase()
            );
            let todo = "enable it in Lambda, or deploy the hub's stack (template.yaml) again";
            here.problem(text, todo)
        }
        None => here.problem(format!("no function takes {what} out of their queue"), deploy),
    }
}

/// Judges what Lambda does when runs of the function lead to more of its runs, as they do while something has
/// to wait.
pub fn recursion(function: &str, seen: &Result<String, Failure>, deploy: &str) -> Finding {
    let here = Check::Function.whole();
    let name = name(function);
    let by_hand = format!(
        "{deploy}, or: aws lambda put-function-recursion-config --function-name {name} --recursive-loop Allow"
    );
    match seen.as_deref() {
        Ok("Allow") => here.ok(format!("Lambda lets {name} put work back into its queue as often as needed")),
        Ok("Terminate") => {
            let text = format!(
                "Lambda takes {name} for a loop and stops it after 16 runs: an account whose role comes more than \
                 half an hour after it joined stays unguarded until the next sweep"
            );
            here.problem(text, by_hand)
        }
        Ok(other) => {
            let text =
                format!("it isn't known whether Lambda stops {name} as a loop: its RecursiveLoop is {other}");
            here.unknown(text, by_hand)
        }
        Err(failure) => {
            here.unread(format_args!("it isn't known whether Lambda stops {name} as a loop"), failure)
        }
    }
}

/// A function's name, from its ARN.
fn name(function: &str) -> &str {
    function.rsplit(':').next().unwrap_or(function)
}

/// Judges whether the function's role is of use to anything but the function: a simulation of what it may do, asked by
/// no function's code.
pub fn binding(
    here: &CheckedPlace,
    role: &str,
    seen: &Result<Vec<Evaluated>, Failure>,
    deploy: &str,
) -> Finding {
    match seen {
        Err(failure) => {
            here.unread(format_args!("whether {role} is of use to other functions isn't known"), failure)
        }
        Ok(evaluated) if evaluated.iter().any(|one| one.own_side().is_ok()) => {
            let text = format!("another function that is given {role} may become the member roles");
            here.problem(text, deploy)
        }
        Ok(_) => here.ok(format!("{role} is of no use to anything but the function")),
    }
}

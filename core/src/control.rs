//! Controls: what people say to a deployed keeper in parameters of SSM, besides the baseline and its approval.
//!
//! All controls lie below one path, so that IAM separates who may write which, and SSM's history keeps who wrote it:
//!
//! | parameter | text | meaning |
//! | --- | --- | --- |
//! | `PATH/placement` | `central`, `copies` or `undecided` | the answer to `placement: auto` |
//! | `PATH/leaving/ACCOUNT_ID` | `leaving` or `staying` | whether the account is about to leave the organization |
//!
//! Each version of a control is taken over once, into the ledger. So a control that nobody deletes has no effect on what
//! happens later: an account that left and came back is guarded. A control that is not there changes nothing.

mod departures;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::AccountId;
use crate::words::words;
pub use departures::RecentDepartures;

/// The folder of the controls that say which accounts are about to leave, below the controls' path.
const LEAVING: &str = "leaving";

/// The control of the answer to `placement: auto`, below the controls' path.
const PLACEMENT: &str = "placement";

/// One control.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Control {
    /// The answer to `placement: auto`.
    Placement,
    /// Whether an account is about to leave.
    Leaving(AccountId),
}

impl Control {
    /// The parameter's name. `path` is the controls' path, without a slash at its end.
    pub fn parameter(&self, path: &str) -> String {
        match self {
            Control::Placement => format!("{path}/{PLACEMENT}"),
            Control::Leaving(account) => format!("{}/{account}", Control::leaving_path(path)),
        }
    }

    /// The path of the parameters that say which accounts are about to leave.
    pub fn leaving_path(path: &str) -> String {
        format!("{path}/{LEAVING}")
    }

    /// Which control a parameter is. `None` for any other parameter.
    pub fn of(path: &str, parameter: &str) -> Option<Control> {
        let name = parameter.strip_prefix(path)?.strip_prefix('/')?;
        if name == PLACEMENT {
            return Some(Control::Placement);
        }
        let account = name.strip_prefix(LEAVING)?.strip_prefix('/')?;
        account.parse().ok().map(Control::Leaving)
    }
}

words! {
    /// Whether an account is about to leave, as a control says it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Leaving {
        /// It is about to leave: nothing is enforced there any more.
        Leaves = "leaving",
        /// It stays: the baseline counts there.
        Stays = "staying",
    }

    /// The control's text.
    pub fn text(self) -> &'static str;
}

impl Leaving {
    /// What a control's text says.
    ///
    /// # Errors
    /// Which texts are allowed, where it is none of them.
    pub fn parse(text: &str) -> Result<Leaving, String> {
        let said = Leaving::ALL.into_iter().find(|leaving| leaving.text() == text.trim());
        said.ok_or_else(|| "its text is neither `leaving` nor `staying`".to_owned())
    }
}

/// A version of a control, as the ledger remembers the one that was taken over last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlVersion {
    /// Its number in SSM.
    pub version: i64,
    /// When it was written, by SSM's clock.
    pub at: Timestamp,
}

impl ControlVersion {
    /// Whether this version was written after the one that was taken over last. A parameter that was deleted begins with
    /// version 1 again, so time comes first.
    pub fn is_after(self, last: Option<ControlVersion>) -> bool {
        last.is_none_or(|last| (self.at, self.version) > (last.at, last.version))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_is_known_by_its_parameter() {
        let account: AccountId = "300000000001".parse().unwrap();
        for (parameter, expected) in [
            ("/keeper/controls/placement", Some(Control::Placement)),
            ("/keeper/controls/leaving/300000000001", Some(Control::Leaving(account.clone()))),
            ("/keeper/controls/leaving/30000000000", None),
            ("/keeper/controls/leaving/300000000001/more", None),
            ("/keeper/controls/leaving", None),
            ("/keeper/controls/leaving300000000001", None),
            ("/keeper/controls/", None),
            ("/keeper/controls", None),
            ("/keeper/controlsplacement", None),
            ("/keeper/baseline", None),
        ] {
            assert_eq!(Control::of("/keeper/controls", parameter), expected, "{parameter}");
            if let Some(control) = expected {
                assert_eq!(control.parameter("/keeper/controls"), parameter);
            }
        }
    }

    #[test]
    fn texts_are_what_they_say_and_nothing_else() {
        for leaving in [Leaving::Leaves, Leaving::Stays] {
            assert_eq!(Leaving::parse(leaving.text()), Ok(leaving));
            assert_eq!(Leaving::parse(&format!(" {}\n", leaving.text())), Ok(leaving));
        }
        for text in ["", "yes", "Leaving", "leaving staying"] {
            assert!(Leaving::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_version_is_taken_over_once() {
        let version =
            |version, second| ControlVersion { version, at: Timestamp::from_second(second).unwrap() };
        for (this, last, expected) in [
            (version(1, 10), None, true),
            (version(1, 10), Some(version(1, 10)), false),
            (version(2, 20), Some(version(1, 10)), true),
            (version(1, 10), Some(version(2, 20)), false),
            // Two within one of SSM's seconds.
            (version(2, 10), Some(version(1, 10)), true),
            // Deleted, and made anew.
            (version(1, 30), Some(version(7, 20)), true),
        ] {
            assert_eq!(this.is_after(last), expected, "{this:?} after {last:?}");
        }
    }
}

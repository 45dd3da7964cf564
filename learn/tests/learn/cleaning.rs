//! Whatever happens, what was made is removed, and nothing that is found out is wrong.

use std::collections::BTreeMap;
use std::rc::Rc;

use guardrail_learn::experiments;
use simulator::{Fault, FaultKind};

use crate::stage::{self, Setting, Stage, nothing_is_wrong};

fn only(switch: &str) -> Setting {
    Setting { only: vec![switch.to_owned()], ..Setting::default() }
}

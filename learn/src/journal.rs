//! What was made, written to a file before it is made: whatever ends the program, `clean-up` finds it there.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cloud::Party;

/// Something that is made in one of the accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Made {
    /// A guardrail, with its versions.
    Guardrail {
        /// Whose.
        owner: Party,
        /// Its name, which no other has.
        name: String,
    },
    /// A guardrail's resource policy.
    ResourcePolicy {
        /// Whose.
        owner: Party,
        /// The ARN of the guardrail.
        guardrail: String,
    },
    /// The enforced configuration of the throw-away account.
    Enforcement {
        /// The ARN of the guardrail that it names.
        guardrail: String,
    },
    /// A Bedrock policy.
    Policy {
        /// Its name, which no other has.
        name: String,
    },
    /// That a Bedrock policy is attached.
    Attachment {
        /// The policy's id.
        policy: String,
        /// To what.
        target: String,
    },
    /// That the policy type is enabled. It is never taken back.
    PolicyType {
        /// The organization's root.
        root: String,
    },
}

impl Made {
    /// Whether it is left as it is on purpose.
    pub fn stays(&self) -> bool {
        matches!(self, Made::PolicyType { .. })
    }
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |party: &Party| match party {
            Party::Member => "the throw-away account",
            Party::Management => "the management account",
        };
        match self {
            Made::Guardrail { owner, name } => write!(f, "guardrail {name} in {}", of(owner)),
            Made::ResourcePolicy { owner, guardrail } => {
                write!(f, "resource policy of {guardrail} in {}", of(owner))
            }
            Made::Enforcement { guardrail } => {
                write!(f, "enforcement of {guardrail} in the throw-away account")
            }
            Made::Policy { name } => write!(f, "Bedrock policy {name}"),
            Made::Attachment { policy, target } => {
                write!(f, "attachment of Bedrock policy {policy} to {target}")
            }
            Made::PolicyType { root } => write!(f, "policy type BEDROCK_POLICY, enabled in {root}"),
        }
    }
}

/// Which run a journal is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The run's id, which is part of every name that it gives.
    pub run: String,
    /// The throw-away account.
    pub account: String,
    /// The role that was assumed there.
    pub role: Option<String>,
    /// The Region.
    pub region: String,
}

/// A line of the file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line {
    /// The first one.
    Run(Header),
    /// Something is about to be made.
    Made { number: usize, what: Made },
    /// It was made, and AWS gave it this id.
    Known { number: usize, id: String },
    /// It is gone again.
    Undone { number: usize },
}

/// Something that was made, or may have been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalEntry {
    /// Its number.
    pub number: usize,
    /// What.
    pub what: Made,
    /// The id that AWS gave it, if that is known.
    pub id: Option<String>,
    undone: bool,
}

/// The file, and what it says.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    header: Header,
    entries: Vec<JournalEntry>,
}

impl Journal {
    /// Begins a file that isn't there yet.
    ///
    /// # Errors
    /// What the system says; also where there is such a file.
    pub fn begin(path: &Path, header: Header) -> io::Result<Journal> {
        let file = OpenOptions::new().append(true).create_new(true).open(path)?;
        let mut journal =
            Journal { path: path.to_owned(), file, header: header.clone(), entries: Vec::new() };
        journal.write(&Line::Run(header))?;
        Ok(journal)
    }

    /// Reads a file that an earlier run left. A last line that was cut off is left out: what it tells of was not
    /// begun.
    ///
    /// # Errors
    /// What the system says, and `InvalidData` for a file of another kind.
    pub fn open(path: &Path) -> io::Result<Journal> {
        let text = std::fs::read_to_string(path)?;
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let invalid = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
        let mut lines = Vec::new();
        for line in whole.lines() {
            lines.push(serde_json::from_str::<Line>(line).map_err(|error| invalid(error.to_string()))?);
        }
        let Some(Line::Run(header)) = lines.first().cloned() else {
            return Err(invalid("it doesn't begin with a run".to_owned()));
        };
        // What was cut off must not stand before what is written next.
        let file = OpenOptions::new().append(true).open(path)?;
        file.set_len(whole.len() as u64 + 1)?;
        let mut journal = Journal { path: path.to_owned(), file, header, entries: Vec::new() };
        lines.into_iter().for_each(|line| journal.take(line));
        Ok(journal)
    }

    /// Which run it is of.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Writes down that something is about to be made.
    ///
    /// # Errors
    /// What the system says; then it must not be made.
    pub fn record(&mut self, what: Made) -> io::Result<usize> {
        let number = self.entries.len();
        self.write(&Line::Made { number, what })?;
        Ok(number)
    }

    /// Writes down the id that AWS gave.
    ///
    /// # Errors
    /// What the system says.
    pub fn identify(&mut self, number: usize, id: &str) -> io::Result<()> {
        self.write(&Line::Known { number, id: id.to_owned() })
    }

    /// Writes down that something is gone.
    ///
    /// # Errors
    /// What the system says.
    pub fn undone(&mut self, number: usize) -> io::Result<()> {
        self.write(&Line::Undone { number })
    }

    /// The number that the next entry gets.
    pub fn mark(&self) -> usize {
        self.entries.len()
    }

    /// What was made since a mark and is not gone, the last first.
    pub fn since(&self, mark: usize) -> Vec<JournalEntry> {
        let open = self.entries.iter().skip(mark).filter(|entry| !entry.undone && !entry.what.stays());
        open.rev().cloned().collect()
    }

    /// What stays on purpose.
    pub fn staying(&self) -> Vec<Made> {
        let made = self.entries.iter().filter(|entry| !entry.undone).map(|entry| entry.what.clone());
        made.filter(Made::stays).collect()
    }

    /// Removes the file, once nothing is left that it tells of.
    ///
    /// # Errors
    /// What the system says.
    pub fn close(&self) -> io::Result<()> {
        if self.since(0).is_empty() { std::fs::remove_file(&self.path) } else { Ok(()) }
    }

    fn write(&mut self, line: &Line) -> io::Result<()> {
        let mut text = serde_json::to_string(line)?;
        text.push('\n');
        self.file.write_all(text.as_bytes())?;
        self.file.sync_data()?;
        self.take(line.clone());
        Ok(())
    }

    fn take(&mut self, line: Line) {
        match line {
            Line::Run(header) => self.header = header,
            Line::Made { number, what } => {
                self.entries.push(JournalEntry { number, what, id: None, undone: false });
            }
            Line::Known { number, id } => {
                if let Some(entry) = self.entries.get_mut(number) {
                    entry.id = Some(id);
                }
            }
            Line::Undone { number } => {
                if let Some(entry) = self.entries.get_mut(number) {
                    entry.undone = true;
                }
            }
        }
    }
}

//! `guardrailctl` as it is built, run without a terminal.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::timeout;

use super::lambda::PATIENCE;
use super::{HUB, US, World};

/// A run of `guardrailctl` that is being put together.
pub(crate) struct Guardrailctl {
    folder: PathBuf,
    variables: Vec<(String, String)>,
    input: String,
}

/// What it printed and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Guardrailctl {
    /// In a folder, with an environment that holds nothing at all.
    pub(crate) fn alone(folder: &Path) -> Guardrailctl {
        Guardrailctl { folder: folder.to_owned(), variables: Vec::new(), input: String::new() }
    }

    /// In the folder of a world, as the administrator of its management account.
    pub(crate) fn of(world: &World) -> Guardrailctl {
        Guardrailctl::alone(world.folder())
            .variable("AWS_ENDPOINT_URL", world.server.url())
            .variable("AWS_REGION", US)
            .variable("AWS_ACCESS_KEY_ID", &format!("SIM{HUB}"))
            .variable("AWS_SECRET_ACCESS_KEY", "simulator")
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Guardrailctl {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With this on its standard input.
    pub(crate) fn input(self, text: &str) -> Guardrailctl {
        Guardrailctl { input: text.to_owned(), ..self }
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Ran {
        let Guardrailctl { folder, variables, input } = self;
        let mut child = Command::new(env!("CARGO_BIN_EXE_guardrailctl"))
            .args(arguments)
            .current_dir(folder)
            .env_clear()
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // Whoever doesn't read its input may have ended before it was all written.
        drop(stdin.write_all(input.as_bytes()).await);
        drop(stdin);
        let output = timeout(PATIENCE, child.wait_with_output()).await.expect("it ends").unwrap();
        let text = |bytes| String::from_utf8(bytes).expect("it prints text");
        let ran = Ran {
            code: output.status.code().unwrap_or(-1),
            out: text(output.stdout),
            err: text(output.stderr),
        };
        assert!(
            !ran.out.contains('\u{1b}') && !ran.err.contains('\u{1b}'),
            "colour without a terminal: {ran}"
        );
        ran
    }
}

impl Ran {
    /// What it printed, less the hash of its plan. The ids of configurations are in the hash of a plan
    /// that replaces or releases them, and two that are written side by side get theirs in any order.
    pub(crate) fn without_hash(&self) -> String {
        let text = self.to_string();
        let Some(start) = text.find("\nplan ").map(|start| start + "\nplan ".len()) else { return text };
        let end = text[start..].find(' ').map_or(text.len(), |end| start + end);
        format!("{}HASH{}", &text[..start], &text[end..])
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ran { code, out, err } = self;
        f.write_str(out)?;
        for line in err.lines() {
            writeln!(f, "stderr: {line}")?;
        }
        writeln!(f, "exit {code}")
    }
}

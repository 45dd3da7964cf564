//! `guardrailctl` as it is built, run without a terminal.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::lambda::PATIENCE;
use crate::world::{HUB, US, World};

/// Where Cargo put a binary that it built beside these tests.
pub fn built(name: &str) -> PathBuf {
    let said = std::env::var_os(format!("CARGO_BIN_EXE_{name}")).map(PathBuf::from);
    let tests = std::env::current_exe().expect("a running program has a path");
    let beside = || tests.ancestors().nth(2).map(|folder| folder.join(name));
    let found = said.or_else(beside).filter(|path| path.is_file());
    let binary = found.unwrap_or_else(|| panic!("{name} is not built: {BUILD}"));
    if let Some(newer) = newer_source(&binary) {
        panic!("{} is newer than {name}: {BUILD}", newer.display());
    }
    binary
}

const BUILD: &str = "cargo build --workspace --bins";

/// A source of a binary that was changed since it was built. Cargo lists them beside it.
fn newer_source(binary: &Path) -> Option<PathBuf> {
    let modified = |path: &Path| path.metadata().and_then(|metadata| metadata.modified()).ok();
    let built = modified(binary)?;
    let listed = std::fs::read_to_string(binary.with_extension("d")).ok()?;
    let (_, sources) = listed.split_once(": ")?;
    let mut sources = sources.split_whitespace().map(PathBuf::from);
    sources.find(|source| modified(source).is_some_and(|changed| changed > built))
}

/// A run of `guardrailctl` that is being put together.
pub struct Guardrailctl {
    folder: PathBuf,
    variables: Vec<(String, String)>,
    input: String,
}

/// What it printed and how it ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Guardrailctl {
    /// In a folder, with an environment that holds nothing at all.
    pub fn alone(folder: &Path) -> Guardrailctl {
        Guardrailctl { folder: folder.to_owned(), variables: Vec::new(), input: String::new() }
    }

    /// In the folder of a world, as the administrator of its management account.
    pub fn of(world: &World) -> Guardrailctl {
        Guardrailctl::alone(world.folder())
            .variable("AWS_ENDPOINT_URL", world.server.url())
            .variable("AWS_REGION", US)
            .variable("AWS_ACCESS_KEY_ID", &format!("SIM{HUB}"))
            .variable("AWS_SECRET_ACCESS_KEY", "simulator")
    }

    pub fn variable(mut self, name: &str, value: &str) -> Guardrailctl {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With this on its standard input.
    pub fn input(self, text: &str) -> Guardrailctl {
        Guardrailctl { input: text.to_owned(), ..self }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let Guardrailctl { folder, variables, input: _ } = self;
        let mut command = Command::new(built("guardrailctl"));
        command
            .args(arguments)
            .current_dir(folder)
            .env_clear()
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Begins, to be watched and interrupted.
    pub fn start(&self, arguments: &[&str]) -> Running {
        Running { child: self.command(arguments).spawn().unwrap(), terminal: None, err: Vec::new() }
    }

    /// Begins with a person at a terminal, who has typed this already.
    pub fn start_at_a_terminal(&self, arguments: &[&str], typed: &str) -> Running {
        let (mut terminal, end) = pseudo_terminal();
        terminal.write_all(typed.as_bytes()).unwrap();
        let child = self.command(arguments).stdin(end).spawn().unwrap();
        Running { child, terminal: Some(terminal), err: Vec::new() }
    }

    /// With its standard output elsewhere than in a pipe that is read to its end.
    pub async fn run_into(&self, out: impl Into<Stdio>, arguments: &[&str]) -> Ran {
        let child = self.command(arguments).stdout(out).spawn().unwrap();
        Running { child, terminal: None, err: Vec::new() }.end().await
    }

    /// Runs on a terminal of so many columns, and answers what stands on it, without colours.
    pub async fn run_on_a_terminal(&self, columns: u16, arguments: &[&str]) -> String {
        let (mut terminal, end) = pseudo_terminal();
        let size = ["cols", &columns.to_string(), "rows", "50"];
        let sized = Command::new("stty").args(size).stdin(end.try_clone().unwrap()).status().await.unwrap();
        assert!(sized.success());
        let (out, err) = (end.try_clone().unwrap(), end);
        let mut child = self.command(arguments).stdin(Stdio::null()).stdout(out).stderr(err).spawn().unwrap();
        // The command's own copies of the other end are closed with it, so that this ends with the program.
        let shown = tokio::task::spawn_blocking(move || {
            let mut shown = Vec::new();
            // The end of a pseudo terminal is an error.
            drop(std::io::Read::read_to_end(&mut terminal, &mut shown));
            String::from_utf8_lossy(&shown).into_owned()
        });
        timeout(PATIENCE, child.wait()).await.expect("it ends").unwrap();
        anstream::adapter::strip_str(&shown.await.unwrap()).to_string().replace('\r', "\n")
    }

    pub async fn run(&self, arguments: &[&str]) -> Ran {
        let input = &self.input;
        let mut child = self.command(arguments).spawn().unwrap();
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

/// A pipe that nobody reads.
pub fn unread_pipe() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

/// A disk that is full.
pub fn full_disk() -> Stdio {
    OpenOptions::new().write(true).open("/dev/full").unwrap().into()
}

/// A terminal, from both sides.
fn pseudo_terminal() -> (File, File) {
    use rustix::pty;
    let terminal = pty::openpt(pty::OpenptFlags::RDWR | pty::OpenptFlags::NOCTTY).unwrap();
    pty::grantpt(&terminal).unwrap();
    pty::unlockpt(&terminal).unwrap();
    let name = pty::ptsname(&terminal, Vec::new()).unwrap().into_string().unwrap();
    let end = OpenOptions::new().read(true).write(true).open(name).unwrap();
    (File::from(terminal), end)
}

/// `guardrailctl` under way.
pub struct Running {
    child: Child,
    /// Held as long as it runs: who sits there hasn't gone away.
    terminal: Option<File>,
    err: Vec<u8>,
}

impl Running {
    /// Waits until it has said this on stderr.
    pub async fn has_said(&mut self, text: &str) {
        let said = |err: &[u8]| String::from_utf8_lossy(err).contains(text);
        while !said(&self.err) {
            let mut some = [0; 512];
            let read = self.child.stderr.as_mut().unwrap().read(&mut some);
            let count = timeout(PATIENCE, read).await.expect("it says something").unwrap();
            assert!(count > 0, "it ended before it said {text:?}: {}", String::from_utf8_lossy(&self.err));
            self.err.extend_from_slice(&some[..count]);
        }
    }

    /// Types more at its terminal.
    pub fn types(&mut self, text: &str) {
        self.terminal.as_mut().expect("it has a terminal").write_all(text.as_bytes()).unwrap();
    }

    /// Has the system send it a signal, such as `INT`.
    pub async fn signal(&self, signal: &str) {
        let id = self.child.id().expect("it runs").to_string();
        let sent = Command::new("kill").args(["-s", signal, &id]).status().await.unwrap();
        assert!(sent.success());
    }

    /// Reads so many lines of its standard output, and no more of it ever.
    pub async fn read_lines_and_close(&mut self, lines: usize) -> String {
        let mut out = self.child.stdout.take().unwrap();
        let mut text = Vec::new();
        while text.iter().filter(|byte| **byte == b'\n').count() < lines {
            text.push(timeout(PATIENCE, out.read_u8()).await.expect("it prints something").unwrap());
        }
        String::from_utf8(text).unwrap()
    }

    /// Waits for its end.
    pub async fn end(mut self) -> Ran {
        let mut err = std::mem::take(&mut self.err);
        let output = timeout(PATIENCE, self.child.wait_with_output()).await.expect("it ends").unwrap();
        err.extend(output.stderr);
        drop(self.terminal);
        let text = |bytes| String::from_utf8(bytes).expect("it prints text");
        Ran { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(err) }
    }
}

impl Ran {
    /// What it printed, less the hash of its plan and the ids of copies. The ids of configurations are in the hash of
    /// a plan that replaces or releases them, and accounts that are worked on side by side get theirs in any order.
    pub fn without_hash(&self) -> String {
        let text = without_copies(&self.to_string());
        let Some(start) = text.find("\nplan ").map(|start| start + "\nplan ".len()) else { return text };
        let end = text[start..].find(' ').map_or(text.len(), |end| start + end);
        format!("{}HASH{}", &text[..start], &text[end..])
    }
}

/// The same text with the ids of copies masked.
fn without_copies(text: &str) -> String {
    const BEFORE: &str = " by the account's copy ";
    let mut parts = text.split(BEFORE);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let version = part.find(':').map_or("", |colon| &part[colon..]);
        text + BEFORE + "ID" + version
    })
}

/// Which of the targets that were looked at side by side came first is not said the same twice.
fn oldest_masked(line: &str) -> &str {
    const YOUNG: &str = "oldest look: under a minute ago";
    if line.starts_with(YOUNG) { YOUNG } else { line }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ran { code, out, err } = self;
        for line in out.split_inclusive('\n') {
            let shown = oldest_masked(line);
            f.write_str(shown)?;
            if shown.len() < line.len() {
                writeln!(f)?;
            }
        }
        for line in err.lines() {
            writeln!(f, "stderr: {line}")?;
        }
        writeln!(f, "exit {code}")
    }
}

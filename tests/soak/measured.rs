//! What the system says of a process: its memory and its open files. Where it says nothing, nothing is measured.

use std::fs;
use std::path::PathBuf;

/// A process at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Process {
    /// Its memory, its program's text included, in KB.
    pub(crate) resident_kb: u64,
    /// The most that it has had since it was started.
    pub(crate) peak_kb: u64,
    /// Open files of any kind, sockets among them.
    pub(crate) files: usize,
    pub(crate) sockets: usize,
}

/// Looks at a process.
pub(crate) fn look(pid: u32) -> Option<Process> {
    let folder = PathBuf::from(format!("/proc/{pid}"));
    let status = fs::read_to_string(folder.join("status")).ok()?;
    let kilobytes = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    let files: Vec<PathBuf> =
        fs::read_dir(folder.join("fd")).ok()?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    let is_socket = |file: &&PathBuf| {
        fs::read_link(file).is_ok_and(|target| target.to_string_lossy().starts_with("socket:"))
    };
    Some(Process {
        resident_kb: kilobytes("VmRSS:")?,
        peak_kb: kilobytes("VmHWM:")?,
        files: files.len(),
        sockets: files.iter().filter(is_socket).count(),
    })
}

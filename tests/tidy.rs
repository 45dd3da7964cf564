//! Holds the sources to the architecture: who may use whom, what the core must not touch, and the
//! habits that no compiler checks.
//!
//! A rule that fails prints every place and what to do there. A new module needs a row in
//! [`MODULES`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};

#[path = "tidy/documents.rs"]
mod documents;
#[path = "tidy/source.rs"]
mod source;

use source::{Source, mentions};

enum Uses {
    Only(&'static str),
    EverythingAbove,
}
use Uses::{EverythingAbove, Only};

/// Every top-level module of `core/src` and `src`, and which others it may use.
///
/// A row uses only rows above it, so nothing goes round in a circle. Whoever adds a module places
/// it here; whoever needs a new edge adds it here and says why in the commit.
const MODULES: &[(&str, Uses)] = &[
    ("reasons", Only("")),
    ("words", Only("")),
    ("ids", Only("")),
    ("failure", Only("words ids")),
    ("organization", Only("ids failure")),
    ("enforcement", Only("words ids")),
    ("own_roles", Only("ids")),
    ("trust", Only("ids")),
    ("content", Only("ids")),
    ("resource_policy", Only("ids organization")),
    ("baseline", Only("words ids organization enforcement")),
    // What policies of AWS Organizations do, apart from everything that the keeper writes today; limits and modes are the baseline's.
    ("bedrock_policy", Only("words ids failure organization enforcement baseline")),
    // An event only says where to look: the trigger sees neither what is there nor a plan.
    ("control", Only("words ids")),
    ("trigger", Only("words control ids organization own_roles baseline")),
    ("observed", Only("ids failure enforcement own_roles resource_policy")),
    ("record", Only("words control ids failure organization enforcement resource_policy baseline observed")),
    // Whether members use the owner's guardrail or copies, where the baseline leaves that to AWS.
    ("placement", Only("words control ids own_roles enforcement baseline observed record")),
    ("copy", Only("words ids failure enforcement content baseline observed")),
    ("desired", Only("ids organization enforcement baseline trigger record")),
    (
        "resolved",
        Only("reasons ids failure enforcement content resource_policy baseline copy observed desired"),
    ),
    // The decision: it sees everything but why we woke.
    ("plan", Only(SEEN_BY_THE_PLAN)),
    (
        "limits",
        Only("words ids organization enforcement resource_policy baseline record desired resolved plan"),
    ),
    ("task", Only("ids organization baseline trigger record limits")),
    // What the organization's level should be and is known to be; the decision itself is bedrock_policy's.
    (
        "organization_level",
        Only(
            "words ids failure organization enforcement baseline bedrock_policy desired record resolved task",
        ),
    ),
    // How a target stands by the record: the one judgement of what is good.
    ("status", Only("words ids organization enforcement baseline trigger record desired")),
    (
        "report",
        Only(
            "ids failure organization enforcement resource_policy baseline observed record plan limits status",
        ),
    ),
    // What others are told came of a run.
    (
        "outcome",
        Only(
            "words ids own_roles enforcement baseline observed record resolved bedrock_policy organization_level plan limits task status report",
        ),
    ),
    ("metrics", Only("record organization_level plan limits task status report outcome")),
    // Reads settings through a function that is passed in.
    ("settings", Only("ids own_roles limits")),
    // What IAM's simulation says, and what a deployment and its accounts look like to a person.
    ("simulation", Only("words")),
    ("callers", Only("failure simulation")),
    // What no enforcement reaches.
    ("holes", Only("words ids enforcement baseline callers")),
    ("doctor", Only("words ids failure bedrock_policy resource_policy settings simulation trust")),
    ("clock", EverythingAbove),
    ("cloud", EverythingAbove),
    ("ledger", EverythingAbove),
    ("engine", EverythingAbove),
    ("handler", EverythingAbove),
];

const SEEN_BY_THE_PLAN: &str = "words reasons ids failure organization enforcement copy own_roles resource_policy \
    baseline observed record placement desired resolved";

/// What the core must not touch, though the standard library or a crate that it needs has it. From what AWS, tokio
/// and the runtime offer its `Cargo.toml` keeps it away.
const FORBIDDEN_IN_CORE: &str = "async .await std::env std::fs std::net std::process std::thread std::io \
    SystemTime Instant Timestamp::now Zoned::now print! println! eprint! eprintln! dbg!";

/// Who may name AWS's SDK: the one place that knows the services, the store in DynamoDB, and the
/// demo's guest, who calls Bedrock as a user of the organization does and not as the keeper.
const MAY_NAME_THE_SDK: &[&str] = &[
    "src/cloud.rs",
    "src/cloud/",
    "src/ledger/",
    "cli/src/inspector.rs",
    "cli/src/inspector/",
    "cli/src/demo/world.rs",
];

/// Lines of a file, tests at its end not counted.
const LONGEST_FILE: usize = 400;
const LONGEST_TEST_FILE: usize = 800;
/// A binary is thin: what it does is in the library, where it can be tested.
const LONGEST_BINARY: usize = 120;

/// Lines of a function, tests left out: what is longer wants splitting by noun.
const LONGEST_FUNCTION: usize = 70;

/// Files that may be longer than [`LONGEST_FILE`], each with its own limit and the reason.
const LONGER_FILES: &[(&str, usize, &str)] = &[];

#[test]
fn every_module_has_a_place_in_the_table() {
    let mut rule = Rule::new(
        "every top-level module of core/src and src has a row in MODULES (tests/tidy.rs), and uses only rows above",
    );
    for (index, (name, uses)) in MODULES.iter().enumerate() {
        let Only(used) = uses else { continue };
        for used in used.split_whitespace() {
            if row(used).is_none_or(|used| used >= index) {
                rule.broken(
                    "tests/tidy.rs",
                    0,
                    format!("the row of `{name}` uses `{used}`: only rows above it may be used"),
                );
            }
        }
    }
    for source in sources(PROGRAM) {
        if let Some(module) = source.module()
            && row(module).is_none()
        {
            rule.broken(
                &source.path,
                1,
                format!("`{module}` has no row: say what kind it is and what it may use"),
            );
        }
    }
    rule.hold();
}

#[test]
fn modules_use_only_what_their_row_allows() {
    let mut rule = Rule::new("a module uses only what its row in MODULES (tests/tidy.rs) allows");
    for source in sources(PROGRAM) {
        let Some(index) = source.module().and_then(row) else { continue };
        let (name, uses) = &MODULES[index];
        for (line, used) in source.modules_used() {
            let allowed = match (row(&used), uses) {
                (None, _) => false,
                (Some(other), _) if other == index => true,
                (Some(other), EverythingAbove) => other < index,
                (Some(_), Only(allowed)) => allowed.split_whitespace().any(|allowed| allowed == used),
            };
            if !allowed {
                rule.broken(
                    &source.path,
                    line,
                    format!("`{name}` may not use `{used}`: pass the value in, or move the code"),
                );
            }
        }
    }
    rule.hold();
}

#[test]
fn the_core_does_no_io() {
    let mut rule =
        Rule::new("the core decides and does nothing else: hand it values, act on what it returns");
    for source in sources(&["core/src"]) {
        for (line, code) in source.production() {
            for forbidden in FORBIDDEN_IN_CORE.split_whitespace().filter(|word| mentions(code, word)) {
                rule.broken(&source.path, line, format!("`{forbidden}`"));
            }
        }
    }
    let manifest = read("core/Cargo.toml");
    for (number, line) in (1..).zip(manifest.lines()) {
        // The types of Lambda's payloads, without the SDK.
        let is_types = line.starts_with("aws_lambda_events");
        let is_outside = ["aws", "futures", "lambda", "tokio", "tracing", "guardrail", "simulator"];
        if !is_types && is_outside.iter().any(|name| line.starts_with(name)) {
            rule.broken("core/Cargo.toml", number, format!("depends on `{line}`"));
        }
    }
    rule.hold();
}

#[test]
fn only_the_edge_knows_the_sdk() {
    let mut rule = Rule::new(
        "only src/cloud (and the ledger's store) knows the SDK; only src/cloud/error.rs knows its errors",
    );
    for source in sources(PROGRAM) {
        for (line, code) in source.production() {
            if mentions(code, "aws_sdk_")
                && !MAY_NAME_THE_SDK.iter().any(|place| source.path.starts_with(place))
            {
                rule.broken(
                    &source.path,
                    line,
                    "names an `aws_sdk_` crate: give src/cloud a function that speaks our types",
                );
            }
        }
        if source.path == "src/cloud/error.rs" {
            continue;
        }
        for (line, code) in source.production() {
            let asks = mentions(code, "ProvideErrorMetadata")
                || mentions(code, "into_service_error")
                || mentions(code, "as_service_error")
                || code.contains("_exception()");
            if asks {
                rule.broken(&source.path, line, "tells service errors apart: ask for the category instead");
            }
        }
        for (line, text) in source.production_with_strings() {
            if text.contains("Exception\"") {
                rule.broken(&source.path, line, "names an AWS error code: ask for the category instead");
            }
        }
    }
    rule.hold();
}

/// What a failure means is in its typed members. Its texts are for people: they change, and AWS's may quote anything.
#[test]
fn nobody_searches_the_texts_of_a_failure() {
    let mut rule = Rule::new(
        "a failure's message and operation are for people: ask for its category, code, call or explicit_deny \
         (core/src/failure.rs), and teach src/cloud/error.rs what a new code means",
    );
    let texts = ["message", "operation", "said", "failure.to_string()"];
    let searches = [
        ".contains(",
        ".starts_with(",
        ".ends_with(",
        ".find(",
        ".split(",
        ".split_once(",
        ".strip_prefix(",
        ".strip_suffix(",
        ".matches(",
        ".to_lowercase(",
        " == ",
        " != ",
    ];
    for source in sources(PROGRAM) {
        if source.path == "src/cloud/error.rs" || source.path.starts_with("src/cloud/error/") {
            continue;
        }
        for (line, code) in source.production() {
            for text in texts {
                for search in searches.iter().filter(|search| ends_a_name(code, &format!("{text}{search}"))) {
                    rule.broken(&source.path, line, format!("`{text}{search}`"));
                }
            }
            if code.contains("match failure.") && !code.contains("failure.c") {
                rule.broken(&source.path, line, "tells failures apart by a text");
            }
        }
        for (line, text) in source.production_with_strings() {
            for word in ["explicit deny", "\"AccessDenied", "\"ExpiredToken"] {
                if text.contains(word) {
                    rule.broken(&source.path, line, format!("names `{word}`, which is AWS's word"));
                }
            }
        }
    }
    rule.hold();
}

/// Whether `code` holds `text`, and what stands before it doesn't belong to the same name.
fn ends_a_name(code: &str, text: &str) -> bool {
    code.match_indices(text).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        before.is_none_or(|before| !before.is_alphanumeric() && before != '_')
    })
}

#[test]
fn standard_output_belongs_to_the_terminal() {
    let mut rule = Rule::new(
        "standard output carries plans and answers, written by the terminal's modules; others log with tracing",
    );
    for source in sources(&["core/src", "src"]) {
        for (line, code) in source.production() {
            for print in
                ["print!", "println!", "eprint!", "eprintln!"].iter().filter(|print| mentions(code, print))
            {
                rule.broken(&source.path, line, format!("`{print}`"));
            }
        }
    }
    rule.hold();
}

#[test]
fn the_simulator_is_an_independent_model() {
    let mut rule =
        Rule::new("the simulator shares nothing with what it tests: no type of ours, no AWS crate");
    for source in sources(&["simulator/src"]) {
        for (line, code) in source.code() {
            for forbidden in ["guardrail_keeper", "aws_"].iter().filter(|word| mentions(code, word)) {
                rule.broken(&source.path, line, format!("`{forbidden}`"));
            }
        }
    }
    let manifest = read("simulator/Cargo.toml");
    let mut section = "";
    for (number, line) in manifest.lines().enumerate() {
        if line.starts_with('[') {
            section = line;
        }
        // Its own tests may drive it with any client.
        let ours = line.contains("guardrail-keeper") || line.starts_with("aws");
        if section == "[dependencies]" && ours {
            rule.broken("simulator/Cargo.toml", number + 1, format!("depends on `{line}`"));
        }
    }
    rule.hold();
}

#[test]
fn nothing_is_left_undone_or_switched_off() {
    let mut rule = Rule::new("no shortcuts in committed code");
    let shortcuts = [
        ("unsafe", "there is nothing here that needs it"),
        ("todo!", "finish it, or leave it out"),
        ("unimplemented!", "finish it, or leave it out"),
        ("#[ignore", "a test runs, or goes"),
        ("#[should_panic", "return an error and assert on it"),
        ("#[allow(", "use #[expect(…, reason = \"…\")], which says when it is no longer needed"),
        ("#![allow(", "use #[expect(…, reason = \"…\")], which says when it is no longer needed"),
        ("dry_run", "reading and writing are two types: whoever only plans never builds a writer"),
    ];
    for source in sources(ALL_RUST) {
        for (line, code) in source.code() {
            for (shortcut, instead) in shortcuts.iter().filter(|(word, _)| mentions(code, word)) {
                rule.broken(&source.path, line, format!("`{shortcut}`: {instead}"));
            }
        }
    }
    rule.hold();
}

/// The compiler refuses unsafe code in every crate of the workspace, and no crate can say otherwise.
#[test]
fn every_crate_forbids_unsafe_code() {
    let mut rule =
        Rule::new("every crate of the workspace takes the workspace's lints, which forbid unsafe code");
    let root = read("Cargo.toml");
    let section = |text: &str, heading: &str| -> Vec<String> {
        let lines = text.lines().skip_while(|line| line.trim() != heading).skip(1);
        lines.take_while(|line| !line.starts_with('[')).map(str::to_owned).collect()
    };
    let has = |lines: &[String], wanted: &str| lines.iter().any(|line| line == wanted);
    if !has(&section(&root, "[workspace.lints.rust]"), "unsafe_code = \"forbid\"") {
        rule.broken("Cargo.toml", 0, "[workspace.lints.rust] has no `unsafe_code = \"forbid\"`");
    }
    let workspace = section(&root, "[workspace]");
    let members = workspace.iter().find(|line| line.starts_with("members")).expect("a workspace has members");
    let members: Vec<&str> = members.split('"').skip(1).step_by(2).collect();
    assert!(members.len() >= 3, "{members:?}");
    for path in members.iter().map(|member| format!("{member}/Cargo.toml")).chain(["Cargo.toml".to_owned()]) {
        if !has(&section(&read(&path), "[lints]"), "workspace = true") {
            rule.broken(&path, 0, "[lints] has no `workspace = true`");
        }
    }
    rule.hold();
}

#[test]
fn tests_wait_for_what_happens_not_for_time() {
    let mut rule = Rule::new("a test waits for an event or uses paused time; it never sleeps");
    for source in sources(ALL_RUST) {
        for (line, code) in source.tests() {
            if mentions(code, "sleep(") {
                rule.broken(&source.path, line, "`sleep(`");
            }
        }
    }
    rule.hold();
}

#[test]
fn files_are_short_and_say_what_they_hold() {
    let mut rule = Rule::new("a file opens with `//!` and what it holds, and stays short: split it by noun");
    for source in sources(ALL_RUST) {
        // What `plan/tests.rs` holds is said by its name.
        if !source.raw.starts_with("//!") && !source.path.ends_with("/tests.rs") {
            rule.broken(
                &source.path,
                1,
                "the first line isn't `//!`: say what the file holds, or must not do",
            );
        }
        let (lines, mut longest) = match &source {
            tests if tests.is_test_file() => (tests.tests().count(), LONGEST_TEST_FILE),
            binary if binary.path.starts_with("src/bin/") => (binary.production().count(), LONGEST_BINARY),
            source => (source.production().count(), LONGEST_FILE),
        };
        if let Some((_, exception, _)) = LONGER_FILES.iter().find(|(path, _, _)| *path == source.path) {
            longest = *exception;
        }
        if lines > longest {
            rule.broken(&source.path, lines, format!("{lines} lines, of {longest} at most"));
        }
    }
    for (path, _, reason) in LONGER_FILES {
        if !root().join(path).exists() || reason.is_empty() {
            rule.broken("tests/tidy.rs", 0, format!("LONGER_FILES names {path}: no such file, or no reason"));
        }
    }
    rule.hold();
}

#[test]
fn functions_are_short() {
    let mut rule = Rule::new("a function has at most 70 lines: split it by noun");
    for source in sources(ALL_PROGRAMS) {
        for (line, name, lines) in source.functions().filter(|(_, _, lines)| *lines > LONGEST_FUNCTION) {
            rule.broken(&source.path, line, format!("{name} has {lines} lines"));
        }
    }
    rule.hold();
}

/// A reader who finds a name knows what is meant, in whatever file, and whether or not it is public. Types that a macro
/// names are not seen here, nor those that an attribute precedes on the same line.
#[test]
fn a_type_has_a_name_of_its_own() {
    let mut rule = Rule::new("a type has a name that no other type has: say what tells them apart");
    let mut first: BTreeMap<String, String> = BTreeMap::new();
    for source in sources(ALL_PROGRAMS) {
        let mut before = "";
        for (line, code) in source.production() {
            // Of two that are built for different systems there is only one.
            let is_twin = before.starts_with("#[cfg(");
            before = code.trim();
            let Some(name) = type_named(code).filter(|name| !is_twin && !SHARED_NAMES.contains(name)) else {
                continue;
            };
            let place = format!("{}:{line}", source.path);
            match first.get(name) {
                Some(other) => {
                    rule.broken(&source.path, line, format!("`{name}` is defined in {other} as well"));
                }
                None => drop(first.insert(name.to_owned(), place)),
            }
        }
    }
    assert!(first.len() > 400, "only {} types were found", first.len());
    rule.hold();
}

/// Each command has its arguments, which are always named with it: `plan::Arguments`.
const SHARED_NAMES: &[&str] = &["Arguments"];

/// The type that a line of code defines; an associated type, which is indented, is none.
fn type_named(code: &str) -> Option<&str> {
    let definition = code.trim_start();
    let is_indented = definition.len() < code.len();
    let definition = match definition.strip_prefix("pub") {
        Some(rest) if rest.starts_with('(') => rest.split_once(") ")?.1,
        Some(rest) => rest.trim_start(),
        None => definition,
    };
    let (kind, rest) = definition.split_once(' ')?;
    let is_type = ["struct", "enum", "trait"].contains(&kind) || (kind == "type" && !is_indented);
    let name = rest.split(|c: char| !c.is_alphanumeric()).next()?;
    (is_type && name.starts_with(char::is_uppercase)).then_some(name)
}

/// Whoever reads the engine from its jobs downwards never turns back.
#[test]
fn the_files_of_the_engine_use_each_other_in_one_direction() {
    let mut rule =
        Rule::new("the files of src/engine and of src/handler use each other in one direction only");
    for folder in ["src/engine", "src/handler"] {
        let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for source in sources(&[folder]) {
            let name = source.path.trim_start_matches(folder).trim_matches('/').trim_end_matches(".rs");
            let used = source.production().flat_map(|(_, code)| siblings(code)).collect();
            uses.insert(name.to_owned(), used);
        }
        // Whatever uses nothing that is left can be read last. What remains goes in circles.
        loop {
            let names: BTreeSet<String> = uses.keys().cloned().collect();
            let before = uses.len();
            uses.retain(|_, used| used.iter().any(|one| names.contains(one)));
            if uses.len() == before {
                break;
            }
        }
        for (name, used) in &uses {
            let used: Vec<&str> =
                used.iter().filter(|one| uses.contains_key(*one)).map(String::as_str).collect();
            rule.broken(&format!("{folder}/{name}.rs"), 1, format!("in a circle with {}", used.join(", ")));
        }
    }
    rule.hold();
}

/// The files of the same folder that a line of code names, as in `use super::owner::withdraw`.
fn siblings(code: &str) -> Vec<String> {
    let named = code.split("super::").skip(1).filter_map(|rest| rest.split_once("::"));
    let words = named.map(|(word, _)| word.to_owned());
    words.filter(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '_')).collect()
}

/// A rule, and where it is broken.
struct Rule {
    says: &'static str,
    broken: Vec<String>,
}

impl Rule {
    fn new(says: &'static str) -> Rule {
        Rule { says, broken: Vec::new() }
    }

    fn broken(&mut self, path: &str, line: usize, what: impl Display) {
        self.broken.push(format!("  {path}:{line}: {what}"));
    }

    #[track_caller]
    fn hold(self) {
        let Rule { says, broken } = self;
        assert!(broken.is_empty(), "{says}\n\n{}\n\n{} to put right", broken.join("\n"), broken.len());
    }
}

fn row(name: &str) -> Option<usize> {
    MODULES.iter().position(|(module, _)| *module == name)
}

/// The function and the terminal.
const PROGRAM: &[&str] = &["core/src", "src", "cli/src"];

/// The same, and the program for the first live run. It asks AWS what nobody knows, so it has AWS's own words.
const ALL_PROGRAMS: &[&str] = &["core/src", "src", "cli/src", "learn/src"];

const ALL_RUST: &[&str] = &[
    "core/src",
    "src",
    "cli/src",
    "learn/src",
    "learn/tests",
    "tests",
    "testkit/src",
    "benches",
    "simulator/src",
    "simulator/tests",
    "simulator/benches",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("failed to read {path}: {error}"))
}

fn sources(folders: &[&str]) -> Vec<Source> {
    let mut paths = Vec::new();
    for folder in folders {
        walk(&root().join(folder), &mut paths);
    }
    paths.sort();
    let rust = paths.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    rust.map(|path| Source::new(relative(&path), fs::read_to_string(&path).expect("a Rust file is text")))
        .collect()
}

fn committed_texts() -> Vec<(String, String)> {
    let mut paths = Vec::new();
    walk(root(), &mut paths);
    paths.sort();
    // Whatever isn't text is skipped.
    paths.into_iter().filter_map(|path| Some((relative(&path), fs::read_to_string(&path).ok()?))).collect()
}

/// Files under `folder`, less what is built, installed or kept by other tools.
fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.map(|entry| entry.expect("a folder can be listed")) {
        let name = entry.file_name().into_string().expect("a file name is Unicode");
        let kind = entry.file_type().expect("a file has a type");
        let ours = !name.starts_with('.') || [".ci", ".github", ".gitignore"].contains(&name.as_str());
        let built = ["target", "node_modules", "__pycache__"].contains(&name.as_str())
            || name.starts_with("mutants.out");
        if kind.is_dir() && ours && !built {
            walk(&entry.path(), found);
        } else if kind.is_file() && ours {
            found.push(entry.path());
        }
    }
}

fn relative(path: &Path) -> String {
    let path = path.strip_prefix(root()).expect("it was found under the root");
    path.to_str().expect("a path is Unicode").replace('\\', "/")
}

//! Real servers: `tests/servers` has one file for each, with the package that it comes from in the comment on top.
//!
//! All files are read always. With `TCPROVE_SLOW=1` every server that is installed holds its conversation, and some are
//! judged by the whole battery. `servers::table`, which is ignored, judges all and prints a table in Markdown:
//!
//! ```text
//! cargo test -p tcprove --test main -- --ignored --nocapture servers::table
//! ```
//!
//! `TCPROVE_SERVERS=nats,slapd` names those to judge.

mod inputs;
mod row;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tcprove::file::File;

use crate::support::battery::{Checked, check, data};
use crate::support::is_in_path;
use crate::support::skip::{is_slow, may_lack, needs};
use row::Row;

/// Maximum number of lines of a description besides `[server]`, without comments and empty lines.
const LINES_MAX: usize = 15;
/// Minimum number of servers, and of those whose description is short.
const SERVERS_MIN: usize = 30;
const SHORT_MIN: usize = 28;

/// A described server.
struct Described {
    name: String,
    path: PathBuf,
    text: String,
    file: File,
}

impl Described {
    fn read(path: PathBuf) -> Self {
        let file = tcprove::file::load(&path).unwrap_or_else(|error| panic!("{error}"));
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        Self {
            name,
            path,
            text,
            file,
        }
    }

    fn named(name: &str) -> Self {
        Self::read(folder().join(format!("{name}.toml")))
    }

    /// The packages that the comment on top names after `kind`, such as `PyPI`.
    fn packages(&self, kind: &str) -> Vec<&str> {
        let comment = self.text.lines().next().unwrap_or_default();
        let Some((_, list)) = comment.split_once(&format!("{kind}: ")) else {
            return Vec::new();
        };
        let list = list.trim_end_matches('.').split(" (").next();
        list.unwrap_or_default().split(", ").collect()
    }

    /// Numbers of lines that are neither empty nor a comment: all, and those outside `[server]`.
    fn lines(&self) -> (usize, usize) {
        let (mut all, mut besides, mut in_server, mut in_text) = (0, 0, false, false);
        for line in self.text.lines().map(str::trim) {
            if !in_text && line.starts_with('[') {
                in_server = line.starts_with("[server]") || line.starts_with("[server.");
            }
            if in_text || !(line.is_empty() || line.starts_with('#')) {
                all += 1;
                besides += usize::from(!in_server);
            }
            in_text ^= line.matches("\"\"\"").count() % 2 == 1;
        }
        (all, besides)
    }

    /// What is missing on this machine.
    fn missing(&self) -> Option<String> {
        let launch = self.file.server.as_ref().expect("a [server]");
        let commands = [&launch.cmd]
            .into_iter()
            .chain(&launch.prepare)
            .chain(&launch.beside);
        let program = commands
            .filter_map(|command| command.first())
            .find(|program| !is_program(program));
        let module = || {
            let mut modules = self.packages("PyPI").into_iter();
            modules
                .find(|module| launch.cmd[0] == "python3" && !imports("python3", "import", module))
        };
        let package = || {
            let mut packages = self.packages("npm").into_iter();
            packages.find(|package| !imports("node", "require", package))
        };
        let user = || {
            let wanted = launch.user.as_deref();
            wanted.filter(|_| !rustix::process::geteuid().is_root())
        };
        program
            .cloned()
            .or_else(|| module().map(|module| format!("the Python module {module}")))
            .or_else(|| package().map(|package| format!("the Node.js module {package}")))
            .or_else(|| user().map(|user| format!("root, to become {user}")))
    }

    fn check(&self, arguments: &[&str]) -> Checked {
        let path = self.path.to_str().unwrap();
        check(["-f", path].iter().chain(arguments))
    }
}

fn folder() -> PathBuf {
    data("../servers")
}

fn described() -> Vec<Described> {
    let entries = std::fs::read_dir(folder()).unwrap().flatten();
    let paths = entries.map(|entry| entry.path());
    let mut paths: Vec<PathBuf> = paths
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .collect();
    paths.sort();
    paths.into_iter().map(Described::read).collect()
}

/// Whether `program` is an executable: a path, or a name in PATH.
fn is_program(program: &str) -> bool {
    let is_path = program.contains('/') && Path::new(program).is_file();
    is_path || is_in_path(program)
}

fn imports(interpreter: &str, how: &str, module: &str) -> bool {
    let (flag, code) = match how {
        "require" => ("-e", format!("require('{module}')")),
        how => ("-c", format!("{how} {module}")),
    };
    let mut command = Command::new(interpreter);
    command.arg(flag).arg(code);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[test]
fn descriptions_are_short() {
    let described = described();
    assert!(described.len() >= SERVERS_MIN, "{}", described.len());
    for server in &described {
        let comment = server.text.lines().next().unwrap();
        let kinds = ["Debian", "PyPI", "npm"];
        let known = kinds.iter().any(|kind| !server.packages(kind).is_empty());
        assert!(known, "{}: {comment:?} names no package", server.name);
    }
    let lines = described
        .iter()
        .map(|server| (&server.name, server.lines().1));
    let (short, long): (Vec<_>, Vec<_>) = lines.partition(|(_, lines)| *lines <= LINES_MAX);
    assert!(short.len() >= SHORT_MIN, "these are long: {long:?}");
}

#[test]
fn every_server_holds_its_conversation() {
    if !is_slow("starts every real server that is installed") {
        return;
    }
    let mut held = 0;
    for server in described() {
        if let Some(what) = server.missing() {
            may_lack(&format!("{what}, for {}", server.name));
            continue;
        }
        let checked = server.check(&["--only", "serves-again"]);
        assert_eq!(checked.code(), 0, "{}\n{}", server.name, checked.shown());
        held += 1;
    }
    assert!(held >= 3, "only {held} servers are installed");
}

/// Runs the battery on a server, which must be installed: exactly these checks fail, none is inconclusive, and at least
/// `least` pass.
fn judged(name: &str, fails: &[&str], least: usize) {
    if !is_slow("a whole battery") {
        return;
    }
    let server = Described::named(name);
    if let Some(what) = server.missing() {
        return needs(&what);
    }
    let checked = server.check(&[]);
    assert_eq!(checked.ids("fail"), fails, "{}", checked.shown());
    assert_eq!(checked.ids("inconclusive"), [""; 0], "{}", checked.shown());
    let passed = checked.ids("pass").len();
    assert!(passed >= least, "{passed} passed\n{}", checked.shown());
}

#[test]
fn a_proxy_in_front_of_its_backend() {
    judged("haproxy", &[], 38);
}

#[test]
fn a_broker_that_greets() {
    judged("nats", &[], 30);
}

#[test]
fn a_program_of_inetd() {
    judged("micro-httpd", &[], 24);
}

#[test]
fn a_unix_socket() {
    judged("redis-unix", &[], 16);
}

#[test]
fn messages_with_a_ber_length() {
    judged("slapd", &[], 24);
}

#[test]
#[ignore = "judges every server that is installed, which takes about half an hour, and prints a table"]
fn table() {
    let chosen = std::env::var("TCPROVE_SERVERS").unwrap_or_default();
    let is_chosen = |name: &str| chosen.is_empty() || chosen.split(',').any(|one| one == name);
    println!("\n{}", row::HEAD);
    let mut rows = Vec::new();
    for server in described() {
        if is_chosen(&server.name) {
            let row = match server.missing() {
                Some(what) => Row::missing(&server, what),
                None => Row::judged(&server, &server.check(&[])),
            };
            println!("{}", row.line());
            rows.push(row);
        }
    }
    println!("\n{}", row::totals(&rows));
    for row in &rows {
        println!("{}", row.details());
    }
    assert!(
        rows.iter().all(Row::is_complete),
        "not every server was judged"
    );
}

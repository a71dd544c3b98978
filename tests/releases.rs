//! Public releases with a known fault: the battery or a campaign must name it, and must not name it in the release without it.
//!
//! `tests/releases` has one file for each. The comment on top says which release is faulty, which is repaired, and which
//! check shows the difference, or which kind of finding: `# shows: fuzz hang`, and `# shows: fuzz crash parser.fn` for one
//! that has this text in its title, turn or cases. `releases::table`, which is ignored, and `releases::known_vulnerabilities`
//! install them below `target/releases` and judge them:
//!
//! ```text
//! cargo test -p tcprove --test main -- --ignored --nocapture releases::table
//! TCPROVE_SLOW=1 cargo test --release -p tcprove --test main -- --nocapture releases::known
//! ```
//!
//! `TCPROVE_RELEASES=waitress,pymodbus` names those to judge.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::battery::{Checked, check_in, data, tcprove};
use crate::support::skip::is_slow;

/// A file, and what the comment on top of it says.
struct Case {
    path: PathBuf,
    name: String,
    faulty: Release,
    repaired: Option<Release>,
    shows: Shows,
}

/// What the faulty release only shows.
enum Shows {
    /// This check fails.
    Check(String),
    /// A campaign finds something of this kind that contains this text.
    Finding { kind: String, text: String },
}

impl Shows {
    fn read(text: &str) -> Self {
        let Some(finding) = text.strip_prefix("fuzz ") else {
            return Self::Check(text.to_owned());
        };
        let (kind, text) = finding.split_once(' ').unwrap_or((finding, ""));
        Self::Finding {
            kind: kind.to_owned(),
            text: text.to_owned(),
        }
    }

    fn check(&self) -> Option<&str> {
        match self {
            Self::Check(check) => Some(check),
            Self::Finding { .. } => None,
        }
    }
}

/// Where a release comes from, and the parameters of the server.
struct Release {
    /// `PyPI`, `npm` or `crates.io`.
    registry: String,
    packages: Vec<String>,
    params: Vec<String>,
}

impl Release {
    /// Reads `npm smtp-server@3.14.0 another@1.0, parameter=value`.
    fn read(text: &str) -> Self {
        let mut parts = text.split(", ");
        let mut words = parts.next().unwrap().split(' ').map(str::to_owned);
        Self {
            registry: words.next().unwrap(),
            packages: words.collect(),
            params: parts.map(str::to_owned).collect(),
        }
    }

    /// Installs it, unless it is installed. Returns the environment in which the server finds it.
    fn install(&self) -> Vec<(&'static str, String)> {
        let name = self.packages.join("-").replace(['=', '@'], "-");
        let folder = target().join(&name);
        let path = |inner: &str| folder.join(inner).to_str().unwrap().to_owned();
        let is_there = folder.join("installed").exists();
        std::fs::create_dir_all(&folder).unwrap();
        match self.registry.as_str() {
            "PyPI" => {
                if !is_there {
                    run(Command::new("python3").args(["-m", "venv", &path("")]));
                    run(Command::new(path("bin/pip"))
                        .args(["install", "--quiet"])
                        .args(&self.packages));
                }
                let others = std::env::var("PATH").unwrap();
                mark(&folder);
                vec![("PATH", format!("{}:{others}", path("bin")))]
            }
            "npm" => {
                if !is_there {
                    run(Command::new("npm")
                        .args(["install", "--silent", "--prefix", &path("")])
                        .args(&self.packages));
                }
                mark(&folder);
                vec![("NODE_PATH", path("node_modules"))]
            }
            "crates.io" => {
                let manifest = releases().join(&name).join("Cargo.toml");
                run(Command::new("cargo")
                    .args(["build", "--quiet", "--release", "--manifest-path"])
                    .arg(manifest)
                    .arg("--target-dir")
                    .arg(&folder));
                Vec::new()
            }
            other => panic!("{other} is no registry"),
        }
    }

    fn judge(&self, path: &Path) -> Checked {
        let path = path.to_str().unwrap();
        let params = self.params.iter().flat_map(|param| ["--param", param]);
        check_in(self.install(), ["-f", path].into_iter().chain(params))
    }

    fn shown(&self) -> String {
        [self.packages.join(" "), self.params.join(" ")].join(" ")
    }
}

fn mark(folder: &Path) {
    std::fs::write(folder.join("installed"), "").unwrap();
}

fn run(command: &mut Command) {
    let status = command.status().unwrap();
    assert!(status.success(), "{command:?}: {status}");
}

fn releases() -> PathBuf {
    data("../releases")
}

fn target() -> PathBuf {
    data("../../target/releases")
}

fn cases() -> Vec<Case> {
    let files = std::fs::read_dir(releases()).unwrap().flatten();
    let mut paths: Vec<PathBuf> = files.map(|file| file.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "toml"));
    paths.sort();
    paths.into_iter().map(read).collect()
}

fn read(path: PathBuf) -> Case {
    tcprove::file::load(&path).unwrap_or_else(|error| panic!("{error}"));
    let text = std::fs::read_to_string(&path).unwrap();
    let said = |what: &str| {
        let start = format!("# {what}: ");
        text.lines().find_map(|line| line.strip_prefix(&start))
    };
    let must = |what: &str| said(what).unwrap_or_else(|| panic!("{}: {what}", path.display()));
    Case {
        name: path.file_stem().unwrap().to_str().unwrap().to_owned(),
        faulty: Release::read(must("faulty")),
        repaired: said("repaired").map(Release::read),
        shows: Shows::read(must("shows")),
        path,
    }
}

#[test]
fn every_file_says_what_is_faulty() {
    let listed = tcprove().args(["check", "--list"]).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let kinds = tcprove::fuzz::FindingKind::ALL.map(|kind| kind.name());
    for case in cases() {
        let is_known = match &case.shows {
            Shows::Check(check) => listed.split_whitespace().any(|word| word == check),
            Shows::Finding { kind, .. } => kinds.contains(&kind.as_str()),
        };
        assert!(is_known, "{}: neither a check nor a kind", case.name);
    }
}

/// The cases that `TCPROVE_RELEASES` names, or all.
fn chosen() -> Vec<Case> {
    let chosen = std::env::var("TCPROVE_RELEASES").unwrap_or_default();
    let is_chosen = |name: &str| chosen.is_empty() || chosen.split(',').any(|one| one == name);
    let mut cases = cases();
    cases.retain(|case| is_chosen(&case.name));
    cases
}

/// Duration of a campaign in seconds. With a build that is not optimized, tcprove itself takes the time of the server.
const CAMPAIGN_S: u64 = if cfg!(debug_assertions) { 120 } else { 60 };

/// The findings of a campaign of this kind that contain this text: when they were first seen, and their titles.
fn campaign(release: &Release, path: &Path, kind: &str, text: &str) -> Vec<(f64, String)> {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("report.json");
    let params = release.params.iter().flat_map(|param| ["--param", param]);
    tcprove()
        .envs(release.install())
        .args(["fuzz", "--jobs", "2", "--seed", "1", "--no-progress", "-f"])
        .arg(path)
        .args([&format!("--duration={CAMPAIGN_S}s"), "--json"])
        .arg(&json)
        .arg("--out")
        .arg(folder.path().join("out"))
        .args(params)
        .output()
        .unwrap();
    let report = std::fs::read_to_string(&json).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    let findings = report["findings"].as_array();
    let findings = findings.unwrap_or_else(|| panic!("{}: {}", release.shown(), report["error"]));
    let is_it = |finding: &&Value| {
        let case = finding["reproducer"].as_str().unwrap_or_default();
        let case = std::fs::read_to_string(Path::new(case).join("case.json")).unwrap_or_default();
        finding["kind"] == kind && (finding.to_string().contains(text) || case.contains(text))
    };
    let shown = findings.iter().filter(is_it).map(|finding| {
        let title = finding["title"].as_str().unwrap_or_default();
        (finding["first_seen_s"].as_f64().unwrap(), title.to_owned())
    });
    shown.collect()
}

#[test]
fn known_vulnerabilities() {
    if !is_slow("installs old releases and runs two campaigns of a minute on each") {
        return;
    }
    println!("\n| release | repaired | kind | first seen (s) | says |\n|---|---|---|---|---|");
    let mut wrong = Vec::new();
    for case in chosen() {
        let Shows::Finding { kind, text } = &case.shows else {
            continue;
        };
        let found = campaign(&case.faulty, &case.path, kind, text);
        let repaired = case.repaired.as_ref();
        let control = repaired.map(|release| campaign(release, &case.path, kind, text));
        let shown = repaired.map_or_else(|| "-".to_owned(), Release::shown);
        match found.first() {
            Some((first, title)) => {
                println!(
                    "| {} | {shown} | {kind} | {first:.1} | {title} |",
                    case.faulty.shown()
                );
            }
            None => wrong.push(format!("{}: no {kind}", case.faulty.shown())),
        }
        for (_, title) in control.into_iter().flatten() {
            wrong.push(format!("{shown}: {kind}: {title}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
#[ignore = "installs old releases from PyPI, npm and crates.io and judges them, which takes about ten minutes"]
fn table() {
    println!(
        "\n| release | | shown by | says | also fails | inconclusive |\n|---|---|---|---|---|---|"
    );
    let mut wrong = Vec::new();
    for case in chosen() {
        let Some(check) = case.shows.check() else {
            continue;
        };
        let releases = [Some(&case.faulty), case.repaired.as_ref()];
        for (is_faulty, release) in [true, false].into_iter().zip(releases) {
            let Some(release) = release else { continue };
            let checked = release.judge(&case.path);
            let mut fails = checked.ids("fail");
            let shows = fails.contains(&check);
            let actual = checked.outcome(check)["actual"].as_str();
            fails.retain(|id| *id != check);
            println!(
                "| {} | {} | {} | {} | {} | {} |",
                release.shown(),
                if is_faulty { "faulty" } else { "repaired" },
                check,
                actual.unwrap_or("pass"),
                fails.join(" "),
                checked.ids("inconclusive").join(" "),
            );
            if shows != is_faulty {
                wrong.push(format!("{}\n{}", release.shown(), checked.shown()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

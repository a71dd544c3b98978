//! Public releases with a known fault: the battery must name it, and must not name it in the release without it.
//!
//! `tests/releases` has one file for each. The comment on top says which release is faulty, which is repaired, and which
//! check shows the difference. `releases::table`, which is ignored, installs them below `target/releases` and judges them:
//!
//! ```text
//! cargo test -p tcprove --test main -- --ignored --nocapture releases::table
//! ```
//!
//! `TCPROVE_RELEASES=waitress,pymodbus` names those to judge.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::battery::{Checked, check_in, data, tcprove};

/// A file, and what the comment on top of it says.
struct Case {
    path: PathBuf,
    name: String,
    faulty: Release,
    repaired: Option<Release>,
    /// The check that fails for the faulty release only.
    shows: String,
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
        shows: must("shows").to_owned(),
        path,
    }
}

#[test]
fn every_file_says_what_is_faulty() {
    let listed = tcprove().args(["check", "--list"]).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    for case in cases() {
        let is_check = listed.split_whitespace().any(|word| word == case.shows);
        assert!(is_check, "{}: {} is no check", case.name, case.shows);
    }
}

#[test]
#[ignore = "installs old releases from PyPI, npm and crates.io and judges them, which takes about ten minutes"]
fn table() {
    let chosen = std::env::var("TCPROVE_RELEASES").unwrap_or_default();
    let is_chosen = |name: &str| chosen.is_empty() || chosen.split(',').any(|one| one == name);
    println!(
        "\n| release | | shown by | says | also fails | inconclusive |\n|---|---|---|---|---|---|"
    );
    let mut wrong = Vec::new();
    for case in cases().iter().filter(|case| is_chosen(&case.name)) {
        let releases = [Some(&case.faulty), case.repaired.as_ref()];
        for (is_faulty, release) in [true, false].into_iter().zip(releases) {
            let Some(release) = release else { continue };
            let checked = release.judge(&case.path);
            let mut fails = checked.ids("fail");
            let shows = fails.contains(&case.shows.as_str());
            let actual = checked.outcome(&case.shows)["actual"].as_str();
            fails.retain(|id| *id != case.shows);
            println!(
                "| {} | {} | {} | {} | {} | {} |",
                release.shown(),
                if is_faulty { "faulty" } else { "repaired" },
                case.shows,
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

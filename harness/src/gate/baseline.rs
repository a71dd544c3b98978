//! A stored result of the deterministic tier, to compare a later server with, where its base cannot be
//! started any more.
//!
//! Counts can be compared only if nothing but the server differs: what else goes into them is stored
//! beside them. On x86 valgrind shows a program the same processor everywhere but for a few features, by
//! which libc chooses its code (VEX/priv/guest_amd64_helpers.c, `amd64g_dirtyhelper_CPUID_avx2`): only
//! those are compared.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::counters::{Allocations, CountPlan, Counts, PerOp};
use super::same::program_file;
use crate::data::hash::{fnv1a, hash_of};
use crate::process::Launch;
use crate::subject::Subject;
use crate::talk::{Exchange, Opening, Talk};

/// The schema of the JSON, with its version.
pub const SCHEMA: &str = "tcprove-baseline/1";
/// Its name without the version.
const SCHEMA_NAME: &str = "tcprove-baseline/";

/// Counts of one server, and what they depend on besides the server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// [`SCHEMA`].
    pub schema: String,
    /// The version of tcprove that wrote it.
    pub tcprove: String,
    /// What was counted.
    pub server: CountedServer,
    /// What was asked of it.
    pub talk: CountedTalk,
    /// What it was counted with, and where.
    pub machine: CountedOn,
    /// Requests of each life.
    pub requests: Vec<u64>,
    /// Instructions per operation.
    pub instructions: PerOp,
    /// System calls per operation.
    pub syscalls: PerOp,
    /// Blocks allocated per operation, if they were counted.
    pub allocations: Option<PerOp>,
    /// Bytes allocated per operation, if they were counted.
    pub allocated_bytes: Option<PerOp>,
}

/// The server that was counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountedServer {
    /// Its command as it was written.
    pub cmd: Vec<String>,
    /// A hash of the file of its first word; `None` if that was not found.
    pub program: Option<String>,
}

/// What was asked of a server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CountedTalk {
    /// The name of the talk.
    pub name: String,
    /// A hash of what is sent: openings, turns, sizes.
    pub hash: String,
    /// Seconds from request to request, where that was fixed.
    pub pace_s: Option<f64>,
}

/// What counts depend on besides the server and what it is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountedOn {
    /// As `callgrind-3.19.0`.
    pub tool: String,
    /// As `x86_64`.
    pub arch: String,
    /// The distribution and its version, as `debian 12`: whose libraries they are.
    pub system: String,
    /// The name of the processor; for readers.
    pub cpu: String,
    /// Its features that valgrind shows to a program.
    pub cpu_features: BTreeSet<String>,
}

/// Why there is no baseline, or none could be stored.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// There is no such file.
    #[error("there is no baseline {}: store one first", .0.display())]
    Missing(PathBuf),
    /// It cannot be read.
    #[error("the baseline {} cannot be read: {error}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// It is something else.
    #[error("{} is no baseline: {why}", path.display())]
    Malformed {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// It is of another version of the schema.
    #[error(
        "the baseline {} is of the schema {found}, and this tcprove reads {SCHEMA}: store it again with this one",
        path.display()
    )]
    Version {
        /// Which.
        path: PathBuf,
        /// The schema that it names.
        found: String,
    },
    /// It cannot be written.
    #[error("the baseline {} cannot be written: {error}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
}

impl Baseline {
    /// The counts of the server, made here and now.
    pub fn of(
        subject: &Subject,
        plan: &CountPlan,
        counts: &Counts,
        allocations: Option<&Allocations>,
    ) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            tcprove: env!("CARGO_PKG_VERSION").to_owned(),
            server: CountedServer::of(subject.launch()),
            talk: CountedTalk::of(&subject.talk, plan),
            machine: CountedOn::read(&counts.by.tool),
            requests: plan.requests.clone(),
            instructions: counts.instructions,
            syscalls: counts.syscalls,
            allocations: allocations.map(|counted| counted.blocks),
            allocated_bytes: allocations.map(|counted| counted.bytes),
        }
    }

    /// Reads a stored one.
    ///
    /// # Errors
    /// It is not there, or is not one that this version can read.
    pub fn load(path: &Path) -> Result<Self, BaselineError> {
        let text = std::fs::read(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => BaselineError::Missing(path.to_owned()),
            _ => BaselineError::Read {
                path: path.to_owned(),
                error,
            },
        })?;
        let malformed = |why: String| BaselineError::Malformed {
            path: path.to_owned(),
            why,
        };
        let value: serde_json::Value =
            serde_json::from_slice(&text).map_err(|error| malformed(error.to_string()))?;
        match value["schema"].as_str() {
            Some(SCHEMA) => {}
            Some(found) if found.starts_with(SCHEMA_NAME) => {
                return Err(BaselineError::Version {
                    path: path.to_owned(),
                    found: found.to_owned(),
                });
            }
            _ => return Err(malformed(format!("its `schema` is not {SCHEMA}"))),
        }
        serde_json::from_value(value).map_err(|error| malformed(error.to_string()))
    }

    /// Stores it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), BaselineError> {
        let failed = |error| BaselineError::Write {
            path: path.to_owned(),
            error,
        };
        let mut text = serde_json::to_string_pretty(self).map_err(|error| failed(error.into()))?;
        text.push('\n');
        std::fs::write(path, text).map_err(failed)
    }

    /// Whether `now`, counted later or elsewhere, can be compared with this. What differs without standing
    /// in the way is in the notes.
    ///
    /// # Errors
    /// What forbids it, a sentence each.
    pub fn comparable(&self, now: &Self) -> Result<Vec<String>, Vec<String>> {
        let mut forbidding = Vec::new();
        let mut differ = |what: &str, before: &str, after: &str| {
            if before != after {
                forbidding.push(format!(
                    "{what}: the baseline has {}, and here it is {}",
                    shown(before),
                    shown(after)
                ));
            }
        };
        let (then, here) = (&self.machine, &now.machine);
        differ("other talk", &self.talk.name, &now.talk.name);
        if self.talk.name == now.talk.name {
            differ(
                "other requests in the talk",
                &self.talk.hash,
                &now.talk.hash,
            );
        }
        differ("other rate", &self.talk.pace(), &now.talk.pace());
        differ("other version of valgrind", &then.tool, &here.tool);
        differ("other architecture", &then.arch, &here.arch);
        differ(
            "other system, with other libraries",
            &then.system,
            &here.system,
        );
        let only = |one: &CountedOn, other: &CountedOn| {
            let only: Vec<&str> = one
                .cpu_features
                .difference(&other.cpu_features)
                .map(String::as_str)
                .collect();
            only.join(" ")
        };
        if then.arch == here.arch {
            differ(
                "other processor, for which libraries choose other code",
                &only(then, here),
                &only(here, then),
            );
        }
        match forbidding.is_empty() {
            true => Ok(self.notes(now)),
            false => Err(forbidding),
        }
    }

    fn notes(&self, now: &Self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.machine.cpu != now.machine.cpu {
            notes.push(format!(
                "the baseline was counted on {}, this on {}; their features that matter are the same",
                shown(&self.machine.cpu),
                shown(&now.machine.cpu)
            ));
        }
        if self.tcprove != now.tcprove {
            notes.push(format!(
                "the baseline was stored by tcprove {}",
                self.tcprove
            ));
        }
        if self.server.cmd != now.server.cmd {
            notes.push("the command is another one than that of the baseline".to_owned());
        } else if self.server.program.is_some() && self.server.program == now.server.program {
            notes.push("the program is the one that the baseline was counted with".to_owned());
        }
        notes
    }
}

fn shown(text: &str) -> &str {
    match text {
        "" => "nothing of that",
        _ => text,
    }
}

impl CountedServer {
    fn of(launch: Option<&Launch>) -> Self {
        let cmd = launch.map(|launch| launch.cmd.clone()).unwrap_or_default();
        let file = launch.zip(cmd.first()).and_then(|(launch, program)| {
            let beside = launch.cwd.join(program);
            let here = program.contains('/') && beside.is_file();
            if here {
                Some(beside)
            } else {
                program_file(program)
            }
        });
        let content = file.and_then(|file| std::fs::read(file).ok());
        Self {
            program: content.map(|content| format!("{:016x}", fnv1a(&content))),
            cmd,
        }
    }
}

impl CountedTalk {
    fn of(talk: &Talk, plan: &CountPlan) -> Self {
        Self {
            name: talk.name.clone(),
            hash: hash_of(&said(talk, plan)),
            pace_s: plan.pace.map(|pace| pace.as_secs_f64()),
        }
    }

    fn pace(&self) -> String {
        self.pace_s.map_or_else(String::new, |pace| {
            format!("a request every {:.0} us", pace * 1e6)
        })
    }
}

/// Everything that a server is sent, as text.
fn said(talk: &Talk, plan: &CountPlan) -> Vec<String> {
    let sent = |exchange: &Exchange| format!("{:?}", exchange.send);
    let workload = &plan.workload;
    let opening = talk.open.iter().map(|opening| match opening {
        Opening::Exchange(exchange) => sent(exchange),
        Opening::Exec(command) => command.join(" "),
    });
    let turns = workload.turns.iter();
    let turns = turns.filter_map(|turn| talk.turns.get(*turn).map(sent));
    let shape = format!(
        "{:?} {} {:?} {}",
        talk.request, workload.payload_bytes, workload.churn, workload.seed
    );
    opening.chain(turns).chain([shape]).collect()
}

/// Features that valgrind passes on, by their names in /proc/cpuinfo. Those of other architectures are passed on
/// as they are.
const PASSED_ON: [&str; 16] = [
    "abm",
    "aes",
    "avx",
    "avx2",
    "bmi1",
    "bmi2",
    "cx16",
    "f16c",
    "fma",
    "pclmulqdq",
    "rdrand",
    "rdseed",
    "rdtscp",
    "sse4_1",
    "sse4_2",
    "ssse3",
];

impl CountedOn {
    fn read(tool: &str) -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let arch = std::env::consts::ARCH;
        Self::parse(tool, arch, &read("/proc/cpuinfo"), &read("/etc/os-release"))
    }

    fn parse(tool: &str, arch: &str, cpuinfo: &str, os_release: &str) -> Self {
        let features = field(cpuinfo, ':', &["flags", "Features"]);
        let matters = |feature: &&str| arch != "x86_64" || PASSED_ON.contains(feature);
        let os = |name: &str| field(os_release, '=', &[name]).trim_matches('"');
        Self {
            tool: tool.to_owned(),
            arch: arch.to_owned(),
            system: format!("{} {}", os("ID"), os("VERSION_ID"))
                .trim()
                .to_owned(),
            cpu: field(cpuinfo, ':', &["model name", "CPU part"]).to_owned(),
            cpu_features: features
                .split_whitespace()
                .filter(matters)
                .map(str::to_owned)
                .collect(),
        }
    }
}

/// The value of the first line with one of these names, or nothing.
fn field<'a>(text: &'a str, sign: char, names: &[&str]) -> &'a str {
    let pairs = text.lines().filter_map(|line| line.split_once(sign));
    let mut named = pairs.filter(|(name, _)| names.contains(&name.trim()));
    named.next().map_or("", |(_, value)| value.trim())
}

#[cfg(test)]
mod tests;

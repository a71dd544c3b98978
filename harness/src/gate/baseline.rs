//! Stored counts of the deterministic tier, for a comparison when the base can no longer be started.
//!
//! Counts are comparable only if nothing but the server differs, so everything else that influences them is stored as
//! well. On x86 valgrind presents the same processor to a program everywhere, except for a few features by which libc
//! selects its code (VEX/priv/guest_amd64_helpers.c, `amd64g_dirtyhelper_CPUID_avx2`): only those are compared.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::counters::{Allocations, CountPlan, OperationCounts, PerOp};
use super::same::program_file;
use crate::data::hash::{fnv1a, hash_of};
use crate::process::Launch;
use crate::subject::Subject;
use crate::talk::{Exchange, Opening, Talk};

/// The JSON schema and its version.
const SCHEMA: &str = "tcprove-baseline/1";
/// The name of the schema without its version.
const SCHEMA_NAME: &str = "tcprove-baseline/";

/// The counts of one server, and everything else they depend on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Baseline {
    /// The schema and its version.
    pub schema: String,
    /// The version of tcprove that wrote it.
    pub tcprove: String,
    /// The server that was counted.
    pub server: BaselineServer,
    /// What was sent to it.
    pub talk: BaselineTalk,
    /// The tool and the machine.
    pub machine: BaselineMachine,
    /// Requests of each run.
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
pub(crate) struct BaselineServer {
    /// The command as written.
    pub cmd: Vec<String>,
    /// A hash of the program file; `None` if it was not found.
    pub program: Option<String>,
}

/// What was sent to the server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct BaselineTalk {
    /// The name of the talk.
    pub name: String,
    /// A hash of openings, turns and sizes.
    pub hash: String,
    /// The interval between requests in seconds, if the rate was fixed.
    pub pace_s: Option<f64>,
}

/// The tool and the machine on which counts depend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BaselineMachine {
    /// The tool, such as `callgrind-3.19.0`.
    pub tool: String,
    /// The architecture, such as `x86_64`.
    pub arch: String,
    /// The distribution and its version, such as `debian 12`: it determines the libraries.
    pub system: String,
    /// The name of the processor, for information only.
    pub cpu: String,
    /// The processor features that valgrind presents to a program.
    pub cpu_features: BTreeSet<String>,
}

/// Why a baseline could not be read or stored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BaselineError {
    /// The file does not exist.
    #[error("there is no baseline {}: store one first", .0.display())]
    Missing(PathBuf),
    /// The file cannot be read.
    #[error("the baseline {} cannot be read: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        error: std::io::Error,
    },
    /// The file is not a baseline.
    #[error("{} is not a baseline: {why}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The file has another version of the schema.
    #[error(
        "the baseline {} has the schema {found}, but this tcprove reads {SCHEMA}: store it again with this version",
        path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// The schema in the file.
        found: String,
    },
    /// The file cannot be written.
    #[error("the baseline {} cannot be written: {error}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        error: std::io::Error,
    },
}

impl Baseline {
    /// A baseline of counts made on this machine.
    pub(crate) fn of(
        subject: &Subject,
        plan: &CountPlan,
        counts: &OperationCounts,
        allocations: Option<&Allocations>,
    ) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            tcprove: env!("CARGO_PKG_VERSION").to_owned(),
            server: BaselineServer::of(subject.launch()),
            talk: BaselineTalk::of(&subject.talk, plan),
            machine: BaselineMachine::read(&counts.by.tool),
            requests: plan.requests.clone(),
            instructions: counts.instructions,
            syscalls: counts.syscalls,
            allocations: allocations.map(|counted| counted.blocks),
            allocated_bytes: allocations.map(|counted| counted.bytes),
        }
    }

    /// Reads a baseline.
    ///
    /// # Errors
    /// The file is missing, unreadable, or not a baseline of this version.
    pub(crate) fn load(path: &Path) -> Result<Self, BaselineError> {
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

    /// Writes the baseline.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn save(&self, path: &Path) -> Result<(), BaselineError> {
        let failed = |error| BaselineError::Write {
            path: path.to_owned(),
            error,
        };
        let mut text = serde_json::to_string_pretty(self).map_err(|error| failed(error.into()))?;
        text.push('\n');
        std::fs::write(path, text).map_err(failed)
    }

    /// Whether `now`, counted later or elsewhere, is comparable with this baseline. Returns notes about harmless
    /// differences.
    ///
    /// # Errors
    /// The reasons why it is not, one sentence each.
    pub(crate) fn comparable(&self, now: &Self) -> Result<Vec<String>, Vec<String>> {
        let mut forbidding = Vec::new();
        let mut differ = |what: &str, before: &str, after: &str| {
            if before != after {
                forbidding.push(format!(
                    "{what}: the baseline has {}, this machine has {}",
                    shown(before),
                    shown(after)
                ));
            }
        };
        let (then, here) = (&self.machine, &now.machine);
        differ("different talk", &self.talk.name, &now.talk.name);
        if self.talk.name == now.talk.name {
            differ(
                "different requests in the talk",
                &self.talk.hash,
                &now.talk.hash,
            );
        }
        differ("different rate", &self.talk.pace(), &now.talk.pace());
        differ("different version of valgrind", &then.tool, &here.tool);
        differ("different architecture", &then.arch, &here.arch);
        differ(
            "different system, with different libraries",
            &then.system,
            &here.system,
        );
        let only = |one: &BaselineMachine, other: &BaselineMachine| {
            let only: Vec<&str> = one
                .cpu_features
                .difference(&other.cpu_features)
                .map(String::as_str)
                .collect();
            only.join(" ")
        };
        if then.arch == here.arch {
            differ(
                "different processor, for which libraries select different code",
                &only(then, here),
                &only(here, then),
            );
        }
        if forbidding.is_empty() {
            Ok(self.notes(now))
        } else {
            Err(forbidding)
        }
    }

    fn notes(&self, now: &Self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.machine.cpu != now.machine.cpu {
            notes.push(format!(
                "the baseline was counted on {}, the candidate on {}; the processor features that matter are the same",
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
            notes.push("the command differs from that of the baseline".to_owned());
        } else if self.server.program.is_some() && self.server.program == now.server.program {
            notes.push("the program is the same as that of the baseline".to_owned());
        }
        notes
    }
}

fn shown(text: &str) -> &str {
    match text {
        "" => "none",
        _ => text,
    }
}

impl BaselineServer {
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

impl BaselineTalk {
    fn of(talk: &Talk, plan: &CountPlan) -> Self {
        Self {
            name: talk.name.clone(),
            hash: hash_of(&sent_text(talk, plan)),
            pace_s: plan.pace.map(|pace| pace.as_secs_f64()),
        }
    }

    fn pace(&self) -> String {
        self.pace_s.map_or_else(String::new, |pace| {
            format!("one request per {:.0} µs", pace * 1e6)
        })
    }
}

/// Everything that is sent to the server, as text.
fn sent_text(talk: &Talk, plan: &CountPlan) -> Vec<String> {
    let sent = |exchange: &Exchange| format!("{:?}", exchange.send);
    let workload = &plan.workload;
    let opening = talk.open.iter().map(|opening| match opening {
        Opening::Exchange(exchange) => sent(exchange),
        Opening::StartTls => "STARTTLS".to_owned(),
        Opening::Exec(exec) => exec.to_string(),
    });
    let turns = workload.turns.iter();
    let turns = turns.filter_map(|turn| talk.turns.get(*turn).map(sent));
    let shape = format!(
        "{:?} {} {:?} {}",
        talk.request, workload.payload_bytes, workload.churn, workload.seed
    );
    opening.chain(turns).chain([shape]).collect()
}

/// x86 features that valgrind passes on to a program, by their names in /proc/cpuinfo. On other architectures it passes
/// on all features.
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

impl BaselineMachine {
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

/// The value of the first line with one of these names; empty if there is none.
fn field<'a>(text: &'a str, sign: char, names: &[&str]) -> &'a str {
    let pairs = text.lines().filter_map(|line| line.split_once(sign));
    let mut named = pairs.filter(|(name, _)| names.contains(&name.trim()));
    named.next().map_or("", |(_, value)| value.trim())
}

#[cfg(test)]
mod tests;

//! The valgrind tools and the profilers of interpreters, and how a server is started under them.

use std::path::Path;

use super::script::{self, Places};
use super::{CountError, Graph, callgrind, calls, dhat, graph};
use crate::process::{Hook, Launch, escaped};

/// The program that runs the tools.
pub(super) const VALGRIND: &str = "valgrind";

/// What counts.
#[derive(Debug, Clone, Copy)]
pub(super) enum Tool<'a> {
    /// Counts instructions and system calls.
    Callgrind,
    /// Counts allocated blocks and bytes.
    Dhat,
    /// Counts system calls by name.
    Calls,
    /// The profiler of an interpreter, without valgrind.
    Script(&'a Hook),
}

/// The totals of all processes of one run.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct ToolOutput {
    /// Instructions and system calls, or blocks and bytes, or system calls and nothing.
    pub(super) totals: [u64; 2],
    /// The tool with valgrind's version, if the output names it.
    pub(super) tool: String,
    /// The functions of all processes.
    pub(super) graph: Graph,
    /// The functions of a script.
    pub(super) places: Places,
    /// The process of each file that was read.
    pub(super) pids: Vec<u32>,
}

/// Hash seeds that interpreters read at their start: with the same seed in every run they do the same work. A value
/// set by the user is kept.
const SAME_HASHES: [(&str, &str); 3] = [
    ("PYTHONHASHSEED", "0"),
    ("PERL_HASH_SEED", "0"),
    ("PERL_PERTURB_KEYS", "0"),
];

impl Tool<'_> {
    pub(super) fn is_valgrind(self) -> bool {
        !matches!(self, Self::Script(_))
    }

    /// The command that runs the server under this tool.
    pub(super) fn launch(self, launch: &Launch, folder: &Path) -> Launch {
        let mut launch = launch.clone();
        if let Self::Script(hook) = self {
            let (name, value) = hook.variable.clone();
            launch.env.insert(name, value);
            launch.env.insert(script::FOLDER.into(), escaped(folder));
        } else {
            let own = self.options().iter().map(|option| (*option).to_owned());
            launch.cmd = std::iter::once(VALGRIND.to_owned())
                .chain(own)
                .chain([self.out_file(folder)])
                .chain(launch.cmd)
                .collect();
        }
        for (name, value) in SAME_HASHES {
            launch
                .env
                .entry(name.to_owned())
                .or_insert_with(|| value.to_owned());
        }
        launch
    }

    /// vgdb, which serves debuggers and creates files in /tmp, is off. A forked child inherits the counts of its
    /// parent, which would be added twice: so counts are written and reset before each fork.
    fn options(self) -> &'static [&'static str] {
        match self {
            Self::Callgrind => &[
                "--tool=callgrind",
                "--quiet",
                "--sigill-diagnostics=yes",
                "--vgdb=no",
                "--trace-children=yes",
                "--collect-systime=yes",
                "--dump-before=fork",
                "--dump-before=__fork",
                "--dump-before=__libc_fork",
            ],
            Self::Dhat => &[
                "--tool=dhat",
                "--quiet",
                "--sigill-diagnostics=yes",
                "--vgdb=no",
                "--trace-children=yes",
                "--num-callers=8",
            ],
            Self::Calls => &[
                "--tool=none",
                "--quiet",
                "--sigill-diagnostics=yes",
                "--vgdb=no",
                "--trace-children=yes",
                "--trace-syscalls=yes",
            ],
            Self::Script(_) => &[],
        }
    }

    /// Valgrind replaces `%p` by the process id. Characters that tcprove or valgrind would expand are doubled.
    fn out_file(self, folder: &Path) -> String {
        let path = escaped(folder).replace('%', "%%");
        let option = match self {
            Self::Callgrind => "callgrind-out-file",
            Self::Dhat => "dhat-out-file",
            Self::Calls | Self::Script(_) => "log-file",
        };
        format!("--{option}={path}/{}%p", self.prefix())
    }

    fn prefix(self) -> &'static str {
        match self {
            Self::Callgrind => "callgrind.",
            Self::Dhat => "dhat.",
            Self::Calls => "calls.",
            Self::Script(_) => script::WRITTEN,
        }
    }

    /// Adds up the files in the folder.
    ///
    /// # Errors
    /// The folder cannot be read, or a file in it is malformed.
    pub(super) fn read(self, folder: &Path) -> Result<ToolOutput, CountError> {
        let failed = |error| CountError::Harness {
            doing: "read what was counted",
            error,
        };
        let mut found = ToolOutput::default();
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let file = entry.file_name().to_string_lossy().into_owned();
            let Some(pid) = pid_of(&file, self.prefix()) else {
                continue;
            };
            let text = std::fs::read(entry.path()).map_err(failed)?;
            // A process that is killed during its start leaves an empty file.
            if text.is_empty() {
                continue;
            }
            self.add(&mut found, &String::from_utf8_lossy(&text))
                .map_err(|why| CountError::Malformed { file, why })?;
            found.pids.push(pid);
        }
        Ok(found)
    }

    fn add(self, found: &mut ToolOutput, text: &str) -> Result<(), String> {
        let added = match self {
            Self::Callgrind => {
                let totals = callgrind::parse(text)?;
                found.tool = totals.creator;
                found.graph.add(graph::parse(text));
                [totals.instructions, totals.syscalls]
            }
            Self::Dhat => {
                let totals = dhat::parse(text)?;
                "dhat".clone_into(&mut found.tool);
                found.graph.add(dhat::sites(text));
                [totals.blocks, totals.bytes]
            }
            Self::Calls => {
                let calls = calls::parse(text);
                "valgrind".clone_into(&mut found.tool);
                found.graph.add(calls.graph());
                found.pids.extend(&calls.pids);
                [calls.total(), 0]
            }
            Self::Script(_) => {
                found.places.add(script::parse(text)?);
                [0, 0]
            }
        };
        for (sum, more) in found.totals.iter_mut().zip(added) {
            *sum += more;
        }
        Ok(())
    }
}

/// `callgrind.7`, and `callgrind.7.1` for its part before a fork, belong to process 7.
fn pid_of(file: &str, prefix: &str) -> Option<u32> {
    file.strip_prefix(prefix)?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(instructions: u64) -> String {
        format!(
            "creator: callgrind-3.19.0\nevents: Ir sysCount sysTime\ntotals: {instructions} 3\n"
        )
    }

    #[test]
    fn all_files_of_a_folder_are_added() {
        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        for (name, instructions) in [
            ("callgrind.7", 100),
            ("callgrind.7.1", 20),
            ("callgrind.8", 3),
        ] {
            write(name, &file(instructions));
        }
        write("callgrind.9", "");
        write("callgrind.out", "of the server's own");
        write("data", "of the server's own");
        let mut found = Tool::Callgrind.read(folder.path()).unwrap();
        found.pids.sort_unstable();
        assert_eq!(found.totals, [123, 9]);
        assert_eq!(found.pids, [7, 7, 8]);
        assert_eq!(found.tool, "callgrind-3.19.0");

        write("callgrind.10", "half a fi");
        let trouble = Tool::Callgrind.read(folder.path()).unwrap_err().to_string();
        assert!(trouble.contains("callgrind.10"), "{trouble}");
    }

    #[test]
    fn the_command_is_put_behind_the_tool() {
        let mut launch = Launch::new("tcprove", ["./server", "{port}"]);
        launch.env.insert("PYTHONHASHSEED".into(), "7".into());
        let under = Tool::Dhat.launch(&launch, Path::new("/a{b}%"));
        assert_eq!(under.cmd[0], "valgrind");
        assert_eq!(under.cmd[under.cmd.len() - 2..], launch.cmd);
        let out = &under.cmd[under.cmd.len() - 3];
        assert_eq!(out, "--dhat-out-file=/a{{b}}%%/dhat.%p");
        assert_eq!(under.env["PYTHONHASHSEED"], "7");
        assert_eq!(under.env["PERL_HASH_SEED"], "0");
    }
}

//! The two tools of valgrind, and how a server is started under them.

use std::path::Path;

use super::{NoCounts, callgrind, dhat};
use crate::process::Launch;

/// The program that both are tools of.
pub(super) const VALGRIND: &str = "valgrind";

/// What counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tool {
    /// Instructions and system calls.
    Callgrind,
    /// Blocks and bytes allocated.
    Dhat,
}

/// What all processes of one life used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Instructions and system calls, or blocks and bytes.
    pub(super) totals: [u64; 2],
    /// The tool with valgrind's version, where it is told.
    pub(super) tool: String,
    /// The files that were read, by the number of their process.
    pub(super) pids: Vec<u32>,
}

/// Settings that interpreters read at their start: with the same seed of hashes in every life, the same
/// work is done. They are left alone where the user has set them.
const SAME_HASHES: [(&str, &str); 3] = [
    ("PYTHONHASHSEED", "0"),
    ("PERL_HASH_SEED", "0"),
    ("PERL_PERTURB_KEYS", "0"),
];

impl Tool {
    /// The same server under this tool.
    pub(super) fn launch(self, launch: &Launch, folder: &Path) -> Launch {
        let mut launch = launch.clone();
        let own = self.options().iter().map(|option| (*option).to_owned());
        launch.cmd = std::iter::once(VALGRIND.to_owned())
            .chain(own)
            .chain([self.out_file(folder)])
            .chain(launch.cmd)
            .collect();
        for (name, value) in SAME_HASHES {
            launch
                .env
                .entry(name.to_owned())
                .or_insert_with(|| value.to_owned());
        }
        launch
    }

    /// vgdb is a door for debuggers, with files in /tmp. A child that is forked goes on with the counts of
    /// its parent, which would be added twice: so they are written out, and begun anew, before each fork.
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
                "--num-callers=1",
            ],
        }
    }

    /// With `%p` valgrind puts the number of the process. What could be a placeholder of ours or of it is doubled.
    fn out_file(self, folder: &Path) -> String {
        let mut path = folder.display().to_string();
        for sign in ['%', '{', '}'] {
            path = path.replace(sign, &String::from_iter([sign, sign]));
        }
        match self {
            Self::Callgrind => format!("--callgrind-out-file={path}/callgrind.%p"),
            Self::Dhat => format!("--dhat-out-file={path}/dhat.%p"),
        }
    }

    fn prefix(self) -> &'static str {
        match self {
            Self::Callgrind => "callgrind.",
            Self::Dhat => "dhat.",
        }
    }

    /// Adds up what was written into the folder.
    ///
    /// # Errors
    /// The folder cannot be read, or a file in it is none of the tool's.
    pub(super) fn read(self, folder: &Path) -> Result<Found, NoCounts> {
        let failed = |error| NoCounts::Harness {
            doing: "read what valgrind wrote",
            error,
        };
        let mut found = Found::default();
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let file = entry.file_name().to_string_lossy().into_owned();
            let Some(pid) = pid_of(&file, self.prefix()) else {
                continue;
            };
            let text = std::fs::read(entry.path()).map_err(failed)?;
            // A process that is killed while it starts leaves an empty file.
            if text.is_empty() {
                continue;
            }
            self.add(&mut found, &String::from_utf8_lossy(&text))
                .map_err(|why| NoCounts::Malformed { file, why })?;
            found.pids.push(pid);
        }
        Ok(found)
    }

    fn add(self, found: &mut Found, text: &str) -> Result<(), String> {
        let added = match self {
            Self::Callgrind => {
                let totals = callgrind::parse(text)?;
                found.tool = totals.creator;
                [totals.instructions, totals.syscalls]
            }
            Self::Dhat => {
                let totals = dhat::parse(text)?;
                "dhat".clone_into(&mut found.tool);
                [totals.blocks, totals.bytes]
            }
        };
        for (sum, more) in found.totals.iter_mut().zip(added) {
            *sum += more;
        }
        Ok(())
    }
}

/// `callgrind.7` and `callgrind.7.1`, its part before a fork, are of process 7.
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

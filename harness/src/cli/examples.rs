//! What `--help` shows below the options: examples, and the exit codes.

/// The exit codes of a command that judges.
macro_rules! judges {
    () => {
        "Exit codes: 0 pass, 1 failures or findings, 2 wrong usage or file, 3 the server does not start or does not hold its \
         conversation, 4 nothing ran, 5 inconclusive, 70 a bug in tcprove, 130 interrupted"
    };
}

/// The exit codes of any other command.
macro_rules! does {
    () => {
        "Exit codes: 0 done, 2 wrong usage or file, 3 the server does not start or cannot be reached"
    };
}

/// The examples of a command, one to a line, then its exit codes.
macro_rules! help {
    ($codes:ident: $($example:literal)*) => {
        concat!("Examples:\n", $("  ", $example, "\n",)* "\n", $codes!())
    };
}

pub(super) const RUN: &str = help!(judges:
    "tcprove                                             the built-in reference server, or ./tcprove.toml"
    "tcprove run -- ./server {port}                      find out what a server speaks, and prove it"
);
pub(super) const CHECK: &str = help!(judges:
    "tcprove check -- ./server {port}"
    "tcprove check --talk redis -- redis-server --port {port}"
    "tcprove check --only 'split-*,rst-*' --junit report.xml"
    "tcprove check --sweep                               each result of each system call of an exchange"
    "tcprove check --connect 127.0.0.1:8080 --pid 4711 --talk http"
);
pub(super) const RECORD: &str =
    help!(does: "tcprove record --listen 127.0.0.1:8000 --upstream 127.0.0.1:8080");
pub(super) const LOAD: &str = help!(judges:
    "tcprove load --rate 2k --duration 30s               an open loop: 2,000 requests per second"
    "tcprove load -c 100 --payload 16KiB                 a closed loop over 100 connections"
    "tcprove load --slo 'p99<5ms'                        the highest rate that meets the objective"
    "tcprove load --overload --html overload.html"
);
pub(super) const BENCH: &str = help!(judges:
    "tcprove bench --sweep payload=64,16KiB --html sweep.html"
    "tcprove bench --sweep connections=1,10,100 --sweep client.so_rcvbuf=4KiB,64KiB"
);
pub(super) const FUZZ: &str = help!(judges:
    "tcprove fuzz --duration 60s -- ./server {port}"
    "tcprove fuzz --against './server-old {port}'        where do two builds differ?"
    "tcprove fuzz --coverage lcov --html campaign.html   and what was reached"
);
pub(super) const GATE: &str = help!(judges:
    "tcprove gate --base 'git-main/server {port}' --candidate 'target/release/server {port}' --talk line"
    "tcprove gate --base './old {port}' --with check,fuzz --markdown comment.md"
);
pub(super) const HISTORY: &str = help!(does: "tcprove history gate.jsonl --html trends.html");
pub(super) const EXPLAIN: &str = help!(does:
    "tcprove explain utf8-split-char"
    "tcprove explain read-is-message                     a cause that several failures share"
);
pub(super) const REPLAY: &str =
    help!(judges: "tcprove replay tcprove-fuzz/findings -- ./server {port}");
pub(super) const RERUN: &str = help!(judges:
    "tcprove rerun                                       what failed in the last run here"
    "tcprove rerun split-bytewise"
);
pub(super) const SEND: &str = help!(does:
    "tcprove send hello --connect 127.0.0.1:7000"
    "tcprove send --hex 'ff fe 0a' -- ./server {port}"
    "tcprove send --turn 0                               the plain exchange of ./tcprove.toml, with its frame"
);
pub(super) const SERVE: &str = help!(does:
    "tcprove serve --port 7000 --protocol tutorial"
    "tcprove serve --port 7000 --fault eof-spin          with a planted fault; --list-faults has all"
);
pub(super) const INIT: &str = help!(does:
    "tcprove init -- ./server {port}                     find out what it speaks, and write tcprove.toml"
    "tcprove init --learn -- ./server {port}             and what it accepts"
    "tcprove init --from-recording tcprove-corpus -- ./server {port}"
    "tcprove init --talk http -o tcprove.toml"
);
pub(super) const SELFTEST: &str = help!(judges:
    "tcprove selftest --checks                           each planted fault is caught by its check"
);
pub(super) const MERGE: &str = help!(judges: "tcprove merge part-*.json --json whole.json");
pub(super) const GENERATE: &str = help!(does:
    "tcprove generate schema > tcprove.schema.json"
    "tcprove generate completions bash > /etc/bash_completion.d/tcprove"
    "tcprove generate man --all man                      a page for each command, into the folder man"
);

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use crate::cli::Cli;

    /// The commands of this page: the lines of its shell blocks that begin with `tcprove`, without comments and redirections.
    fn commands(page: &str) -> Vec<String> {
        let mut commands = Vec::new();
        let (mut is_shell, mut before) = (false, String::new());
        for line in page.lines() {
            if let Some(language) = line.strip_prefix("```") {
                is_shell = language == "sh";
                continue;
            }
            let line = before.clone() + line;
            before = line.strip_suffix('\\').unwrap_or_default().to_owned();
            if !is_shell || !before.is_empty() || !line.starts_with("tcprove ") {
                continue;
            }
            let line = line.split(" #").next().unwrap_or_default();
            commands.push(line.split(" > ").next().unwrap_or_default().to_owned());
        }
        commands
    }

    /// The words of a command, with values for what a shell or a scheduler would say.
    fn words(line: &str) -> Vec<String> {
        let words = shell_words::split(line).unwrap();
        let known = words.into_iter().filter(|word| word != "...");
        let value = |word: String| match word.as_str() {
            "auto" => "1/2".to_owned(),
            "$start" => "2027-03-01T12:00:00Z".to_owned(),
            _ => word,
        };
        known.map(value).collect()
    }

    /// Every command in the documentation is one that the command line takes, and every file in a how-to can be read.
    #[test]
    fn the_documentation_is_valid() {
        let docs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
        let (mut count, mut files, mut wrong) = (0, 0, Vec::new());
        for folder in [docs.clone(), docs.join("how-to")] {
            for entry in std::fs::read_dir(&folder).unwrap().flatten() {
                let Ok(page) = std::fs::read_to_string(entry.path()) else {
                    continue;
                };
                let name = entry.file_name().to_string_lossy().into_owned();
                for line in commands(&page) {
                    let parsed = Cli::try_parse_from(words(&line));
                    wrong.extend(parsed.err().map(|error| format!("{name}: {line}: {error}")));
                    count += 1;
                }
                for block in page.split("```toml\n").skip(1).filter(|_| folder != docs) {
                    let text = block.split("```").next().unwrap_or_default();
                    let parsed = crate::file::parse(text, &name, &docs);
                    wrong.extend(parsed.err().map(|error| error.to_string()));
                    files += 1;
                }
            }
        }
        assert!(count > 40 && files >= 5, "{count} commands, {files} files");
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    /// Every example of every command is one that the command line takes.
    #[test]
    fn examples_are_valid() {
        let (mut count, mut wrong) = (0, Vec::new());
        for command in Cli::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string);
            let help = help.unwrap_or_else(|| panic!("{} has none", command.get_name()));
            assert!(help.contains("Exit codes:"), "{}", command.get_name());
            for line in help.lines().filter(|line| line.starts_with("  tcprove")) {
                // What follows two blanks is a comment, and what follows `>` is the shell's.
                let line = line.trim_start().split("  ").next().unwrap_or_default();
                let line = line.split(" > ").next().unwrap_or_default();
                let words = shell_words::split(line).unwrap();
                let parsed = Cli::try_parse_from(&words);
                wrong.extend(parsed.err().map(|error| format!("{line}: {error}")));
                count += 1;
            }
        }
        assert!(count > 20, "{count}");
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

//! `tcprove init`: writes a commented tcprove.toml.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use super::output::{note, say, say_bytes, wrapped};
use super::target::{TargetArgs, load, supervised};
use super::{detected, interrupt, learned, progress, recording};
use crate::detect::{DetectError, Detected, Sketch, detect, draft};
use crate::file;
use crate::process::Launch;
use crate::report::{ExitCode as Code, RunError};
use crate::subject::{Interrupt, Origin};
use crate::text::escape_text;
use crate::transport::Endpoint;

#[derive(clap::Args)]
pub(super) struct InitArgs {
    /// Start from this built-in conversation; without it and without a server, list them
    #[arg(long, value_name = "NAME")]
    talk: Option<String>,
    /// With --learn: add the limits of the server of this file to the file
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Find out what a server speaks that is already running
    #[arg(long, value_name = "HOST:PORT", conflicts_with_all = ["talk", "cmd"])]
    connect: Option<String>,
    /// Draft the conversation from sessions that `tcprove record` has stored: a folder, or one of its files. Each exchange is
    /// tried on the server before it is written
    #[arg(long, value_name = "PATH", conflicts_with = "talk")]
    from_recording: Option<PathBuf>,
    /// Allow an address that is not on the loopback interface
    #[arg(long, requires = "connect")]
    allow_remote: bool,
    /// Learn the server's limits too, and write them into the file: how many connections, how many requests on one, how
    /// long a request, whether it closes idle connections, whether it runs twice
    #[arg(long)]
    learn: bool,
    /// Write to this file; `-` for stdout [default: the file of --file, or tcprove.toml]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Overwrite an existing file
    #[arg(long)]
    force: bool,
    /// Start the server with this command and find out what it speaks; {port} stands for its port
    #[arg(last = true, value_name = "CMD")]
    cmd: Vec<String>,
}

/// The error for a name that is missing or unknown, with a list of the built-in conversations.
fn unknown(name: &str) -> RunError {
    let names = file::BUILTIN.iter().map(|entry| entry.0);
    let first = match crate::text::nearest(name, names) {
        _ if name.is_empty() => {
            "no server and no conversation given: use `tcprove init -- COMMAND ARG... {port}` to find out what a \
             server speaks, or --talk NAME with one of"
                .to_owned()
        }
        Some(near) => {
            format!("unknown talk `{name}`: did you mean `{near}`? The built-in talks are")
        }
        None => format!("unknown talk `{name}`. The built-in talks are"),
    };
    let lines = file::BUILTIN
        .iter()
        .map(|(name, _, about)| format!("\n  {name:<12} {about}"));
    RunError::usage(first + &lines.collect::<String>())
}

pub(super) fn main(args: &InitArgs) -> ExitCode {
    match perform(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            note(&format!("error: {}", error.message));
            if interrupt::is_set() {
                return Code::Interrupted.into();
            }
            error.exit_code().into()
        }
    }
}

fn perform(args: &InitArgs) -> Result<(), RunError> {
    if let Some(path) = &args.file {
        args.only_learns(path)?;
        return args.add_limits(path);
    }
    if args.from_recording.is_some() && args.cmd.is_empty() && args.connect.is_none() {
        return Err(RunError::usage(
            "--from-recording tries the recorded exchanges on a server: add its command, as in `tcprove init \
             --from-recording tcprove-corpus -- COMMAND ARG... {port}`, or --connect HOST:PORT",
        ));
    }
    if args.talk.is_some() || (args.cmd.is_empty() && args.connect.is_none()) {
        let text = args.of_builtin()?;
        if args.learn {
            args.may_write()?;
        }
        let (text, learned) = args.learned(text, Path::new("."), None)?;
        args.write(&text)?;
        args.tell_learned(&learned);
        args.say("adapt `cmd`, then run `tcprove check`");
        return Ok(());
    }
    // Found out before the server is started for a while.
    args.may_write()?;
    let origin = args.origin()?;
    let interrupt = interrupt::watch()?;
    let seed = crate::data::clock_seed();
    let found = match &args.from_recording {
        Some(path) => draft(&origin, &recording::read(path)?, seed, &interrupt),
        None => found_out(&origin, seed, &interrupt),
    };
    let found = match found {
        Ok(found) => found,
        Err(error @ DetectError::Interrupted) => return Err(RunError::target(error.to_string())),
        Err(error) => return Err(detected::error(&error, &origin)),
    };
    let text = detected::file_text(&found, &args.command(), args.learn);
    let running = args.connect.is_some().then_some(origin);
    let (text, learned) = args.learned(text, Path::new("."), running)?;
    args.write(&text)?;
    args.tell(&found);
    args.tell_learned(&learned);
    args.say("read what it says, then run `tcprove check`");
    Ok(())
}

/// Columns of the first word of a line about the file.
const INDENT: usize = 10;
/// Maximum number of suggestions on the terminal; the file has all.
const SUGGESTED: usize = 4;

/// Finds out what the server speaks. A server that says nothing takes a minute, which a line on stderr accounts for.
fn found_out(origin: &Origin, seed: u64, interrupt: &Interrupt) -> Result<Detected, DetectError> {
    let progress = progress::line(true);
    progress.enable_steady_tick(Duration::from_millis(120));
    progress.set_message("trying what the server may speak (up to two minutes if it is silent)");
    let found = detect(origin, seed, interrupt);
    progress.finish_and_clear();
    found
}

impl InitArgs {
    /// Learns the limits of the server of this file, and adds them to its text.
    fn add_limits(&self, path: &Path) -> Result<(), RunError> {
        if self.output.is_some() {
            self.may_write()?;
        }
        let file = load(path)?;
        if !file.promise.limits.is_empty() {
            return Err(RunError::usage(format!(
                "{} already states limits: delete its section [limits], then they are learned again",
                path.display()
            )));
        }
        let text = std::fs::read_to_string(path).map_err(|error| {
            RunError::usage(format!("{} cannot be read: {error}", path.display()))
        })?;
        let folder = path.parent().filter(|folder| *folder != Path::new(""));
        let (text, learned) = self.learned(text, folder.unwrap_or(Path::new(".")), None)?;
        self.write(&text)?;
        self.tell_learned(&learned);
        self.say("`tcprove check` keeps within these limits");
        Ok(())
    }

    /// The text of a built-in talk, with the command of the arguments.
    fn of_builtin(&self) -> Result<String, RunError> {
        let name = self.talk.as_deref().unwrap_or_default();
        let text = file::init(name).ok_or_else(|| unknown(name))?;
        if self.cmd.is_empty() {
            return Ok(text);
        }
        let launch = Launch::new("", self.cmd.clone());
        file::check_placeholders(&launch).map_err(RunError::usage)?;
        let mut sketch = Sketch::of_builtin(name).ok_or_else(|| unknown(name))?;
        sketch.set_server(&launch);
        let head = format!("# tcprove.toml for {}\n\n", self.command());
        Ok(file::init_text(&head, sketch.text().trim()))
    }

    fn origin(&self) -> Result<Origin, RunError> {
        match &self.connect {
            Some(address) => {
                let target = TargetArgs {
                    connect: Some(address.clone()),
                    allow_remote: self.allow_remote,
                    ..TargetArgs::default()
                };
                let endpoint = Endpoint::plain(target.address(address)?);
                Ok(Origin::Attach {
                    endpoint,
                    pid: None,
                })
            }
            None => {
                let launch = Launch::new("", self.cmd.clone());
                file::check_placeholders(&launch).map_err(RunError::usage)?;
                Ok(Origin::Spawn(Box::new(supervised(launch)?)))
            }
        }
    }

    /// The command or the address, as a reader would write it.
    fn command(&self) -> String {
        match &self.connect {
            Some(address) => address.clone(),
            None => shell_words::join(&self.cmd),
        }
    }

    /// The file to write.
    fn output(&self) -> &Path {
        let given = self.output.as_ref().or(self.file.as_ref());
        given.map_or(Path::new("tcprove.toml"), PathBuf::as_path)
    }

    /// Whether an existing file is overwritten. The file of `--file` is, unless the text goes elsewhere.
    fn overwrites(&self) -> bool {
        self.force || (self.file.is_some() && self.output.is_none())
    }

    fn is_stdout(&self) -> bool {
        self.output().as_os_str() == "-"
    }

    /// Says something about the file that was written: on stderr if stdout has the file.
    fn say(&self, next: &str) {
        if !self.is_stdout() {
            say(&format!("wrote {}: {next}", self.output().display()));
        }
    }

    /// The text with what was learned, and phrases about it, if that was asked for.
    fn learned(
        &self,
        text: String,
        folder: &Path,
        running: Option<Origin>,
    ) -> Result<(String, Vec<String>), RunError> {
        if !self.learn {
            return Ok((text, Vec::new()));
        }
        let file = learned::learned(&text, folder, running, crate::data::clock_seed())?;
        Ok((file.text, file.phrases))
    }

    fn tell_learned(&self, phrases: &[String]) {
        for phrase in phrases {
            self.line(&format!("learned   {}", escape_text(phrase, 300)));
        }
    }

    /// `--file` names the file to which `--learn` adds, and not the one that is written otherwise.
    fn only_learns(&self, path: &Path) -> Result<(), RunError> {
        let makes_file = self.talk.is_some()
            || self.connect.is_some()
            || self.from_recording.is_some()
            || !self.cmd.is_empty();
        if self.learn && !makes_file {
            return Ok(());
        }
        let path = path.display();
        let next = if makes_file {
            format!("give the name of the new file with `-o {path}`")
        } else {
            format!("add --learn, or give the name of a new file with `-o {path}`")
        };
        Err(RunError::usage(format!(
            "--file {path} is the file of a server whose limits --learn adds to it\nnext: {next}"
        )))
    }

    /// Says a line about the file: on stderr if stdout has the file.
    fn line(&self, text: &str) {
        let text = wrapped(text, INDENT, self.is_stdout());
        if self.is_stdout() {
            note(&text);
        } else {
            say(&text);
        }
    }

    fn tell(&self, found: &Detected) {
        let line = |text: &str| self.line(text);
        for (word, phrase) in detected::assumptions(found) {
            line(&format!("{word:<9} {phrase}"));
        }
        let suggestions = detected::suggestions(found, self.learn);
        for suggestion in suggestions.iter().take(SUGGESTED) {
            line(&format!("more      {suggestion}"));
        }
        if let Some(rest @ 1..) = suggestions.len().checked_sub(SUGGESTED) {
            line(&format!(
                "more      {rest} further suggestions are at the top of the file"
            ));
        }
    }

    /// Fails if the file exists and may not be overwritten.
    fn may_write(&self) -> Result<(), RunError> {
        if self.is_stdout() || self.force || !self.output().exists() {
            return Ok(());
        }
        Err(self.exists())
    }

    fn exists(&self) -> RunError {
        RunError::usage(format!(
            "{} already exists: use --force to overwrite it, or -o FILE to write another file",
            self.output().display()
        ))
    }

    fn write(&self, text: &str) -> Result<(), RunError> {
        if self.is_stdout() {
            say_bytes(text.as_bytes());
            return Ok(());
        }
        let mut options = std::fs::OpenOptions::new();
        options
            .write(true)
            .truncate(self.overwrites())
            .create(self.overwrites())
            .create_new(!self.overwrites());
        let written = options
            .open(self.output())
            .and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => self.exists(),
            _ => RunError::usage(format!("cannot write {}: {error}", self.output().display())),
        })
    }
}

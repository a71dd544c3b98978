//! The command line of the reference server, shared by `tcprove-server` and `tcprove serve`.

mod args;
mod log;
mod reload;
mod values;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

pub use args::ServeArgs;
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};

use crate::config::hooks::OnSignal;
use crate::sys::signals::{self, Reaction};
use crate::{
    Config, Listener, Model, Protocol, ServerError, Shutdown, bind, fault, model, run, sys,
};

/// The path of this program and the arguments that precede those of [`ServeArgs`], such as `serve`.
/// The prefork model starts its workers with them.
pub type Program = (PathBuf, Vec<OsString>);

/// Maximum lines queued for stdout or stderr. Further lines are dropped.
const LINES_MAX: usize = 1_024;

impl ServeArgs {
    /// Serves until a signal stops the server. Prints `listening on HOST:PORT`, or
    /// `listening on unix:PATH`, once clients can connect. On an error, prints it and exits with code 1.
    pub fn main(self, program: Program) -> ExitCode {
        if self.list_faults {
            return list_faults();
        }
        let (stderr, _stderr_guard) = lossy(io::stderr());
        log::install(self.log, self.log_format, stderr);
        match self.serve(program) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                // If stderr is closed, the exit code has to do.
                let _ = writeln!(io::stderr(), "tcprove-server: {error}");
                ExitCode::FAILURE
            }
        }
    }

    fn serve(self, program: Program) -> Result<(), ServerError> {
        let inherited = self.inherited_fd;
        let mut config = self.config(program)?;
        let shutdown = Shutdown::new()?;
        signals::install(reaction(config.hooks().on_signal, &shutdown))
            .map_err(ServerError::start("handle signals"))?;
        let _print_guard = print_to_stdout(&mut config);
        let listener = match inherited {
            Some(number) => {
                model::watch_lifeline(shutdown.clone())
                    .map_err(ServerError::start("watch the parent"))?;
                config.model = Model::TokioCurrent;
                sys::inherit::descriptor(number)
                    .and_then(Listener::inherited)
                    .map_err(ServerError::start("inherit a listener"))?
            }
            None => bind(&config)?,
        };
        reload::watch(&listener, config.hooks().reloads)
            .map_err(ServerError::start("handle SIGHUP"))?;
        if inherited.is_none() {
            announce(&listener, &config);
        }
        run(listener, config, shutdown)
    }
}

/// `trigger` is async-signal-safe, as [`Reaction::Call`] requires.
fn reaction(on_signal: OnSignal, shutdown: &Shutdown) -> Reaction {
    match on_signal {
        OnSignal::Drain => {
            let shutdown = shutdown.clone();
            Reaction::Call(Box::new(move || shutdown.trigger()))
        }
        OnSignal::Exit => Reaction::Exit,
        OnSignal::Ignore => Reaction::Ignore,
    }
}

fn announce(listener: &Listener, config: &Config) {
    let mut line = format!("listening on {listener}");
    if let Some(announced) = config.hooks().announced {
        line = announced(line);
    }
    let mut stdout = io::stdout().lock();
    // Serve even if stdout is closed.
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}

/// Opens the output for the tutorial's protocol, the only one that prints.
fn print_to_stdout(config: &mut Config) -> Option<WorkerGuard> {
    (config.protocol == Protocol::Tutorial).then(|| {
        let (print, guard) = lossy(io::stdout());
        config.print = Some(print);
        guard
    })
}

/// Writes from a separate thread, so that a stalled reader cannot block the server. On drop, the
/// guard waits a limited time for the queued lines.
fn lossy(output: impl Write + Send + 'static) -> (NonBlocking, WorkerGuard) {
    NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(LINES_MAX)
        .finish(output)
}

fn list_faults() -> ExitCode {
    let mut stdout = io::stdout().lock();
    let width = |texts: fn(&crate::Fault) -> &str| {
        fault::all()
            .iter()
            .map(|fault| texts(fault).len())
            .max()
            .unwrap_or(0)
    };
    let (name_width, check_width) = (width(|fault| fault.name), width(|fault| fault.caught_by));
    for fault in fault::all() {
        let (name, check) = (fault.name, fault.caught_by);
        if writeln!(
            stdout,
            "{name:name_width$}  {check:check_width$}  {}",
            fault.about
        )
        .is_err()
        {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

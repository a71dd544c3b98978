//! The steps of a start: ports, folder, files, preparation, helpers, server.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::account::Account;
use super::helper::Helper;
use super::injector::{CallsSoFar, Injection, Injector, Rule, Site};
use super::ready::Wait;
use super::singleton::Singleton;
use super::supervised_tree::{Setting, SupervisedTree, SupervisorCommand};
use super::surroundings::FurtherPorts;
use super::{
    Launch, Listening, Port, StartFailure, StartOptions, StartValues, StdoutMode, Surroundings,
    Tmp, acceptor, files,
};

/// A server that was started. Fields drop in order: the server ends before its helpers.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) tree: SupervisedTree,
    pub(super) injector: Option<Injector>,
    pub(super) surroundings: Surroundings,
    pub(super) lease: Option<Port>,
    pub(super) tmp: Tmp,
    /// The Unix socket on which it is to listen; `None`: TCP.
    pub(super) unix: Option<PathBuf>,
    pub(super) addrs: Vec<SocketAddr>,
    pub(super) took: Duration,
    pub(super) listening: Listening,
    pub(super) is_singleton: bool,
    only: Mutex<Option<Singleton>>,
}

impl Started {
    /// Starts a server and waits until it is ready.
    ///
    /// # Errors
    /// See [`StartFailure`]. No process is left running after an error.
    pub(super) async fn new(
        launch: &Launch,
        options: StartOptions,
    ) -> Result<Started, StartFailure> {
        let only = Singleton::acquire(launch).await?;
        let account = launch.user.as_deref().map(Account::find).transpose()?;
        let account = account.flatten();
        let lease = lease(&options)?;
        let further = match &options.surroundings {
            Some(surroundings) => surroundings.further_ports().clone(),
            None => FurtherPorts::lease(launch).map_err(no_port)?,
        };
        let tmp = match &options.tmp {
            Some(tmp) => tmp.clone(),
            None => new_tmp(account.as_ref())?,
        };
        let setting = Setting {
            values: StartValues {
                port: lease.as_ref().map_or(0, Port::number),
                further: &further.numbers,
                tmp: tmp.path(),
            },
            tmp: &tmp,
            account: account.as_ref(),
        };
        write_files(launch, setting)?;
        if options.tmp.is_none() {
            Helper::prepare(launch, setting).await?;
        }
        let surroundings = match &options.surroundings {
            Some(surroundings) => surroundings.clone(),
            None => Surroundings::new(further.clone(), Helper::start_all(launch, setting).await?),
        };
        let unix = launch.unix(setting.values);
        let started = Instant::now();
        let injector = options.inject.map(|_| Injector::prepare()).transpose();
        let injector = injector
            .map_err(|error| StartFailure::harness("prepare to answer system calls", error))?;
        let mut command = server_command(launch, setting, &options);
        let named = injector.as_ref().zip(options.inject);
        command.calls = named.map(|(injector, set)| injector.filter_of(set));
        let tree = SupervisedTree::start(&command)?;
        if let Some(injector) = &injector {
            injector
                .begin(&launch.supervisor, tree.supervisor_pid(), tree.entry())
                .map_err(|error| StartFailure::harness("answer system calls", error))?;
        }
        let wait = Wait {
            launch,
            tree: &tree,
            trouble: &|| surroundings.trouble(),
            port: lease.as_ref().map(Port::number),
            unix: unix.as_deref(),
            started,
            give_up: options.give_up.unwrap_or(launch.ready_timeout),
        };
        let addrs = ready(&wait, &options).await?;
        Ok(Started {
            tree,
            injector,
            surroundings,
            lease,
            tmp,
            unix,
            addrs,
            took: started.elapsed(),
            listening: launch.listening.clone(),
            is_singleton: launch.singleton,
            only: Mutex::new(only),
        })
    }

    /// Puts a rule into force about what its system calls return.
    ///
    /// # Errors
    /// Why that is not possible.
    pub(super) fn inject(&self, rule: Rule) -> Result<Injection, String> {
        let Some(injector) = &self.injector else {
            return Err("the server was started without a filter".into());
        };
        let site = Site {
            ports: self.addrs.iter().map(SocketAddr::port).collect(),
            unix: self.unix.clone(),
        };
        injector.arm(site, rule)
    }

    /// The calls that its filter has reported so far.
    pub(super) fn calls(&self) -> CallsSoFar {
        let injector = self.injector.as_ref();
        injector.map_or_else(CallsSoFar::default, Injector::calls)
    }

    /// Ends every process of the server. Another instance may then be started even if only one can run.
    pub(super) fn end(&self) {
        self.tree.end();
        let only = self
            .only
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        drop(only);
    }
}

fn no_port(error: std::io::Error) -> StartFailure {
    StartFailure::harness("lease a port", error)
}

/// The port of the server; `None` if it chooses one.
fn lease(options: &StartOptions) -> Result<Option<Port>, StartFailure> {
    match &options.port {
        _ if options.port0 => Ok(None),
        Some(port) => Ok(Some(port.clone())),
        None => Port::lease().map(Some).map_err(no_port),
    }
}

fn new_tmp(account: Option<&Account>) -> Result<Tmp, StartFailure> {
    let tmp =
        Tmp::new().map_err(|error| StartFailure::harness("create a temporary folder", error))?;
    if let Some(account) = account {
        let given = std::fs::File::open(tmp.path())
            .and_then(|folder| files::give(&folder, Some(&account.ids)));
        given.map_err(|error| StartFailure::harness("give {tmp} to the server's user", error))?;
    }
    Ok(tmp)
}

fn write_files(launch: &Launch, setting: Setting<'_>) -> Result<(), StartFailure> {
    let owner = setting.account.map(|account| &account.ids);
    let certificates = launch.certificates().map_err(|error| {
        StartFailure::harness(
            "make the server's certificate",
            std::io::Error::other(error),
        )
    })?;
    for (name, text, mode) in certificates {
        files::write(setting.tmp.path(), Path::new(name), text, mode, owner)
            .map_err(|error| StartFailure::harness("write the server's certificate", error))?;
    }
    for (path, file) in &launch.files {
        let text = launch.expand(&file.text, setting.values);
        files::write(setting.tmp.path(), path, &text, file.mode, owner).map_err(|error| {
            StartFailure::File {
                path: path.clone(),
                error,
            }
        })?;
    }
    Ok(())
}

/// The command that the supervisor of the server runs.
fn server_command<'a>(
    launch: &'a Launch,
    setting: Setting<'a>,
    options: &StartOptions,
) -> SupervisorCommand<'a> {
    let mut command = SupervisorCommand {
        nofile: options.nofile,
        cpus: options.cpus.clone(),
        fixed_addresses: options.fixed_addresses,
        trace: options.trace.as_ref().map(|trace| trace.argument()),
        // A server may print as soon as it runs. If a line makes it ready, that line has to be read.
        hold_stdout: is_undrained(options) && launch.ready.is_by_socket(),
        ..SupervisorCommand::of(launch, &launch.cmd, setting)
    };
    let env = options.env.iter();
    let expanded = env.map(|(name, value)| (name.clone(), launch.expand(value, setting.values)));
    command.env.extend(expanded);
    let addr = SocketAddr::new(launch.host, setting.values.port);
    match &launch.listening {
        Listening::Server => {}
        Listening::PerConnection => {
            command.command = acceptor::command(launch, addr, command.command);
        }
        Listening::Inherited { name } => {
            command.listen = Some(addr);
            let variables = [("LISTEN_FDS", "1"), ("LISTEN_FDNAMES", name)];
            let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
            command.env.extend(variables);
        }
    }
    command
}

fn is_undrained(options: &StartOptions) -> bool {
    options.stdout == StdoutMode::Undrained
}

/// Waits until the server is ready, as far as the options say. Returns its addresses.
async fn ready(wait: &Wait<'_>, options: &StartOptions) -> Result<Vec<SocketAddr>, StartFailure> {
    let addrs = if options.await_ready {
        wait.until_ready().await?
    } else {
        wait.until_running().await?;
        vec![SocketAddr::new(wait.launch.host, wait.port.unwrap_or(0))]
    };
    if is_undrained(options) {
        wait.tree.printed().hold_stdout();
    }
    Ok(addrs)
}

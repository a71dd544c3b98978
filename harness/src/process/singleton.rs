//! Servers of which only one instance can run at a time.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use socket2::{Domain, SockAddr, Socket, Type};

use super::{Launch, StartFailure};
use crate::data::hash::hash_of;

/// Maximum time to wait for the instance of another tcprove.
const OTHERS_TIMEOUT: Duration = Duration::from_secs(60);
/// Pause between two attempts.
const PAUSE: Duration = Duration::from_millis(20);

/// The names that this process holds. Waiting for one of them would never end.
static HELD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// The right to run the only instance of a server on this machine. As with ports, the right is a Unix socket with an
/// abstract name, which the kernel releases when its process ends.
#[derive(Debug)]
pub(super) struct Singleton {
    name: String,
    _socket: Socket,
}

impl Singleton {
    /// The right to start this server; `None` if it needs none. Waits for the instance of another tcprove.
    ///
    /// # Errors
    /// This tcprove runs an instance already, or another one does for longer than a minute.
    pub(super) async fn acquire(launch: &Launch) -> Result<Option<Singleton>, StartFailure> {
        if !launch.singleton {
            return Ok(None);
        }
        let name = name_of(launch);
        if !held().insert(name.clone()) {
            return Err(StartFailure::Singleton { waited: None });
        }
        match lock(&name).await {
            Ok(socket) => Ok(Some(Singleton {
                name,
                _socket: socket,
            })),
            Err(failure) => {
                held().remove(&name);
                Err(failure)
            }
        }
    }
}

impl Drop for Singleton {
    fn drop(&mut self) {
        held().remove(&self.name);
    }
}

fn held() -> std::sync::MutexGuard<'static, BTreeSet<String>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn lock(name: &str) -> Result<Socket, StartFailure> {
    let failed = |error| StartFailure::harness("lock the only instance of the server", error);
    let address = SockAddr::unix(format!("\0tcprove-only-{name}")).map_err(failed)?;
    let begun = Instant::now();
    loop {
        // The socket does not listen, so no process can connect to it.
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(failed)?;
        match socket.bind(&address) {
            Ok(()) => return Ok(socket),
            Err(error) if error.kind() != io::ErrorKind::AddrInUse => return Err(failed(error)),
            Err(_) if begun.elapsed() >= OTHERS_TIMEOUT => {
                return Err(StartFailure::Singleton {
                    waited: Some(begun.elapsed()),
                });
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// A short name for the server: a hash of its command and folder. Parameters do not make it another server.
fn name_of(launch: &Launch) -> String {
    let folder = std::path::absolute(&launch.cwd).unwrap_or_else(|_| launch.cwd.clone());
    hash_of(&(&launch.cmd, folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_second_instance_is_refused_until_the_first_ends() {
        let mut launch = Launch::new("x", ["only", &format!("test-{}", std::process::id())]);
        assert!(Singleton::acquire(&launch).await.unwrap().is_none());
        launch.singleton = true;
        let first = Singleton::acquire(&launch).await.unwrap();
        assert!(first.is_some());
        launch.params.insert("size".into(), "1".into());
        let second = Singleton::acquire(&launch).await;
        assert!(matches!(
            second,
            Err(StartFailure::Singleton { waited: None })
        ));
        let other = Launch {
            cmd: vec!["other".into()],
            ..launch.clone()
        };
        assert!(Singleton::acquire(&other).await.unwrap().is_some());
        drop(first);
        assert!(Singleton::acquire(&launch).await.unwrap().is_some());
    }

    /// The name is held by a socket that does not belong to this value, as if by another tcprove.
    #[tokio::test]
    async fn the_instance_of_another_tcprove_is_awaited() {
        let mut launch = Launch::new("x", ["awaited", &format!("test-{}", std::process::id())]);
        launch.singleton = true;
        let other = lock(&name_of(&launch)).await.unwrap();
        let waiting = Singleton::acquire(&launch);
        tokio::pin!(waiting);
        let soon = tokio::time::timeout(PAUSE * 3, &mut waiting).await;
        assert!(soon.is_err(), "it waits");
        drop(other);
        assert!(waiting.await.unwrap().is_some());
    }
}

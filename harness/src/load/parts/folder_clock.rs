//! Compares the clock of this machine with that of a folder: the time that its file system gives to a file that changes.
//!
//! On NFS that is the clock of the server, which every client sees alike. Touching a file again and again shows when the
//! folder's clock ticks: between two touches of which only the second has the new time. So the result is as exact as two
//! touches take (some microseconds on a local disk, two round trips on NFS), however coarse the folder's clock is.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::fs::{Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, fstat, futimens, statfs};

use super::{ClockRecord, FolderClock, PeerClock};
use crate::data::hash::fnv1a;

/// Ticks of the folder's clock that are awaited.
const TICKS: usize = 8;
/// Maximum time for that: file systems may have a clock that ticks every second, or every other second.
const PATIENCE: Duration = Duration::from_millis(4500);
/// The file with the id of the folder. It stays, so that later parts read it.
const ID_FILE: &str = ".tcprove-folder";
/// The kernel's id of this boot.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
/// File systems whose clients, and not the server, say when a file was changed (linux/magic.h and the kernel's sources).
const CLIENTS_CLOCK: [(u64, &str); 7] = [
    (0x0bd0_0bd0, "Lustre"),
    (0x00c3_6400, "Ceph"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB"),
    (0x6573_5546, "FUSE"),
    (0x0102_1997, "9P"),
    (0x5346_414f, "AFS"),
];

/// What the clock of this machine is compared with.
pub(crate) enum Reference<'a> {
    /// Nothing.
    None,
    /// A folder that all parts share.
    Folder(&'a Path),
    /// The clock of one of the parts.
    Peer(&'a PeerClock),
}

/// The clock of this machine, compared with the reference if there is one.
///
/// # Errors
/// The reference cannot be used for that.
pub(crate) fn compare(reference: &Reference<'_>) -> Result<ClockRecord, String> {
    let machine = std::fs::read_to_string(BOOT_ID).unwrap_or_default();
    Ok(ClockRecord {
        machine: machine.trim().to_owned(),
        folder: match reference {
            Reference::None => None,
            Reference::Folder(folder) => Some(with_folder(folder)?),
            Reference::Peer(peer) => Some(peer.compare()?),
        },
    })
}

fn with_folder(folder: &Path) -> Result<FolderClock, String> {
    let failed = |error: io::Error| {
        format!(
            "the clock cannot be compared with that of {}: {error}",
            folder.display()
        )
    };
    let kind = statfs(folder).map_err(|error| failed(error.into()))?.f_type as u64;
    if let Some((_, name)) = CLIENTS_CLOCK
        .iter()
        .find(|(known, _)| *known == kind & 0xffff_ffff)
    {
        return Err(format!(
            "{} is on {name}, where each machine gives files the time of its own clock: name a folder on NFS",
            folder.display()
        ));
    }
    let id = id_of(folder).map_err(failed)?;
    let edge = best_edge(folder).map_err(failed)?;
    let Some(edge) = edge else {
        return Err(failed(io::Error::other(
            "the time of a file there does not advance",
        )));
    };
    Ok(FolderClock {
        folder: id,
        ahead_ns: i64::midpoint(edge.least, edge.most),
        within_ns: edge.most.abs_diff(edge.least).div_ceil(2),
    })
}

/// The id of the folder; the first part writes it. A link makes the file appear as a whole, on NFS too.
fn id_of(folder: &Path) -> io::Result<String> {
    let path = folder.join(ID_FILE);
    let read = || std::fs::read_to_string(&path).map(|id| id.trim().to_owned());
    match read() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        known => return known,
    }
    let readable = std::fs::Permissions::from_mode(0o644);
    let file = tempfile::Builder::new()
        .permissions(readable)
        .tempfile_in(folder)?;
    let random = fnv1a(format!("{:?} {}", SystemTime::now(), std::process::id()).as_bytes());
    let name = file.path().display().to_string();
    std::fs::write(
        file.path(),
        format!("{random:016x}{:016x}\n", fnv1a(name.as_bytes())),
    )?;
    match std::fs::hard_link(file.path(), &path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => read(),
    }
}

/// This machine's clock minus the folder's lies between these numbers of nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Edge {
    least: i64,
    most: i64,
}

/// Looks for ticks of the folder's clock. Of several, the one with the smallest upper bound is taken: that bound holds
/// however late the kernel noticed the tick, and the others are those that it noticed later.
#[derive(Debug, Default)]
struct Ticks {
    /// When the last touch began, and the time that it gave to the file.
    last: Option<(i64, i64)>,
    seen: usize,
    best: Option<Edge>,
}

impl Ticks {
    /// Adds a touch that began at `before` and ended at `after` of this machine's clock, and gave the file `time`.
    fn touched(&mut self, before: i64, time: i64, after: i64) {
        if let Some((began, earlier)) = self.last
            && time > earlier
        {
            let edge = Edge {
                least: began - time,
                most: after - time,
            };
            self.seen += 1;
            self.best = self
                .best
                .into_iter()
                .chain([edge])
                .min_by_key(|edge| edge.most);
        }
        self.last = Some((before, time));
    }
}

fn best_edge(folder: &Path) -> io::Result<Option<Edge>> {
    let file = tempfile::NamedTempFile::new_in(folder)?;
    let special = |tv_nsec| Timespec { tv_sec: 0, tv_nsec };
    let touch = Timestamps {
        last_access: special(UTIME_OMIT),
        last_modification: special(UTIME_NOW),
    };
    let mut ticks = Ticks::default();
    let begun = Instant::now();
    while ticks.seen < TICKS && begun.elapsed() < PATIENCE {
        let before = wall();
        futimens(&file, &touch)?;
        let seen = fstat(&file)?;
        let after = wall();
        let time = seen.st_mtime * 1_000_000_000 + seen.st_mtime_nsec as i64;
        ticks.touched(before, time, after);
    }
    Ok(ticks.best)
}

/// The wall clock, in nanoseconds since 1970.
fn wall() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(now.unwrap_or_default().as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever the tick, the time that a touch takes, and the moment in it at which the file gets its time, the
        /// difference lies within the bounds.
        #[test]
        fn the_difference_is_within_the_bounds(
            ahead in -1_000_000_000_i64..1_000_000_000,
            tick in 1_i64..10_000_000,
            touches in prop::collection::vec((1_i64..200_000, 0_i64..100), 2..300),
        ) {
            let mut ticks = Ticks::default();
            let mut own = 1_700_000_000_000_000_000_i64;
            for (takes, percent) in touches {
                let (before, after) = (own, own + takes);
                let folder = before + takes * percent / 100 - ahead;
                ticks.touched(before, folder - folder.rem_euclid(tick), after);
                own = after;
            }
            if let Some(edge) = ticks.best {
                prop_assert!((edge.least..=edge.most).contains(&ahead), "{edge:?}, {ahead}");
            }
        }
    }

    /// A kernel that notices a tick late makes that tick useless, not wrong.
    #[test]
    fn a_tick_that_is_noticed_late_is_not_taken() {
        let mut ticks = Ticks::default();
        for (before, time, after) in [
            (0, 0, 10),
            (10, 0, 20),
            // The tick at 4,000 is noticed 500 late.
            (4490, 0, 4500),
            (4500, 4000, 4510),
            (7990, 4000, 8000),
            (8000, 8000, 8010),
        ] {
            ticks.touched(before, time, after);
        }
        let expected = Edge {
            least: -10,
            most: 10,
        };
        assert_eq!((ticks.seen, ticks.best), (2, Some(expected)));
    }

    /// On a local file system the folder's clock is that of this machine.
    #[test]
    fn a_local_folder_has_the_clock_of_this_machine() {
        let folder = tempfile::tempdir().unwrap();
        let seen = [(); 2].map(|()| compare(&Reference::Folder(folder.path())).unwrap());
        let clocks = seen.clone().map(|clock| clock.folder.unwrap());
        assert_eq!(clocks[0].folder, clocks[1].folder);
        for clock in &clocks {
            // A debug build on a loaded machine: what it says must hold, however exact it is.
            let error = clock.ahead_ns.unsigned_abs();
            assert!(error <= clock.within_ns + 2_000_000, "{clock:?}");
        }
        assert!(!seen[0].machine.is_empty());
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "only the file with the id stays: {left:?}");
        let elsewhere = tempfile::tempdir().unwrap();
        let other = compare(&Reference::Folder(elsewhere.path()))
            .unwrap()
            .folder
            .unwrap();
        assert_ne!(other.folder, clocks[0].folder);
        let absent = compare(&Reference::Folder(&folder.path().join("absent"))).unwrap_err();
        assert!(absent.contains("cannot be compared"), "{absent}");
    }
}

//! A part of a load: the arguments that say which, and its run.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

use super::progress::LoadProgress;
use super::{LoadArgs, server_for};
use crate::cli::output::note;
use crate::cli::scheduler;
use crate::cli::target::{PreparedTarget, TargetArgs, usage};
use crate::load::parts::{ClockRecord, PeerClock, Reference, begin_at, compare, lead, time_until};
use crate::load::{Load, OBSERVER, Part, PartPlan, PartRecord, Workload, summarize};
use crate::report::{Body, LoadReport, ObserverReport, RunError};
use crate::subject::{Interrupt, Origin};

/// Interval at which the interrupt is checked while the start is awaited.
const LOOK: Duration = Duration::from_millis(20);

/// Arguments that make this process generate a part of a load.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Parts")]
pub(in crate::cli) struct PartArgs {
    /// Generate part I of N of the load that the other arguments describe; `auto` asks the scheduler that started this, as
    /// `check --shard auto` does. `tcprove merge` makes the whole of the JSON reports
    #[arg(long, value_name = "I/N|auto", value_parser = scheduler::part, requires = "start_at", group = "member", conflicts_with_all = ["slo", "overload"])]
    part: Option<scheduler::Part>,
    /// Generate nothing: observe the server with --pid on its machine while the parts load it from others, and report what it
    /// uses. `tcprove merge` takes this report too
    #[arg(long, requires_all = ["start_at", "pid"], group = "member", conflicts_with_all = ["part", "slo", "overload"])]
    observe: bool,
    /// Send the first request of the warm-up at this time, in all parts: RFC 3339, as in 2027-03-01T12:00:00Z, or seconds
    /// since 1970, as `date +%s` prints them
    #[arg(long, value_name = "TIME", value_parser = start, requires = "member")]
    start_at: Option<StartAt>,
    /// Compare the clock of this machine with that of this folder, which all parts share (NFS, or one machine)
    #[arg(long, value_name = "DIR", requires = "member")]
    shared: Option<PathBuf>,
    /// Compare the clocks without a shared folder: the part on the machine with this address answers there, over UDP, and the
    /// others ask it; all parts get the same address
    #[arg(
        long,
        value_name = "HOST:PORT",
        requires = "member",
        conflicts_with = "shared"
    )]
    clock_peer: Option<String>,
}

/// The agreed start.
#[derive(Clone, Debug, PartialEq, Eq)]
struct StartAt {
    /// As in RFC 3339, in UTC.
    text: String,
    /// Since 1970.
    moment: Duration,
}

fn start(text: &str) -> Result<StartAt, String> {
    let form = "write a time as in 2027-03-01T12:00:00Z, or seconds since 1970 as in $(date +%s -d '20 seconds')";
    if text.starts_with('+') {
        return Err(format!(
            "a time from now on is another one in each part: {form}"
        ));
    }
    let moment = match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds)
            .ok()
            .and_then(|moment| OffsetDateTime::UNIX_EPOCH.checked_add(moment.try_into().ok()?))
            .ok_or(form)?,
        Err(_) => OffsetDateTime::parse(text, &Rfc3339)
            .map_err(|error| format!("{error}: {form}"))?
            .to_offset(UtcOffset::UTC),
    };
    let since_1970 = u64::try_from(moment.unix_timestamp_nanos()).map_err(|_| form)?;
    Ok(StartAt {
        text: moment.format(&Rfc3339).map_err(|_| form)?,
        moment: Duration::from_nanos(since_1970),
    })
}

/// The part that this process generates, or `None` if it observes.
#[derive(Clone, Debug)]
pub(super) struct PlannedPart {
    part: Option<scheduler::Part>,
    start: StartAt,
    shared: Option<PathBuf>,
    peer: Option<SocketAddr>,
}

impl PartArgs {
    /// The seed that all parts have unless another is given: the agreed start.
    pub(super) fn seed(&self) -> Option<u64> {
        self.start_at.as_ref().map(|start| start.moment.as_secs())
    }

    /// The part; `None` if this process generates the whole load.
    pub(super) fn planned(&self, target: &TargetArgs) -> Result<Option<PlannedPart>, RunError> {
        let Some(start) = self
            .start_at
            .as_ref()
            .filter(|_| self.part.is_some() || self.observe)
        else {
            return Ok(None);
        };
        if let Some(folder) = self.shared.as_ref().filter(|folder| !folder.is_dir()) {
            return Err(usage(format!(
                "--shared {}: there is no such folder",
                folder.display()
            )));
        }
        Ok(Some(PlannedPart {
            part: self.part.clone(),
            start: start.clone(),
            shared: self.shared.clone(),
            peer: match &self.clock_peer {
                Some(address) => Some(target.tcp_address(address).map_err(|error| RunError {
                    message: format!("--clock-peer: {}", error.message),
                    ..error
                })?),
                None => None,
            },
        }))
    }
}

impl PlannedPart {
    /// Number of parts; 1 for an observer, which does not know it.
    pub(super) fn count(&self) -> usize {
        self.part.as_ref().map_or(1, |part| part.shard.count)
    }

    /// Whether this process generates nothing.
    pub(super) fn observes(&self) -> bool {
        self.part.is_none()
    }

    /// The part as the plan has it.
    pub(super) fn plan(&self) -> PartPlan {
        let shard = self.part.as_ref().map(|part| part.shard);
        PartPlan {
            index: shard.map_or(OBSERVER, |shard| shard.index),
            count: shard.map_or(0, |shard| shard.count),
        }
    }

    /// The agreed start as the plan has it.
    pub(super) fn start_at(&self) -> String {
        self.start.text.clone()
    }

    /// The seed of everything but the load.
    pub(super) fn seed(&self, seed: u64) -> u64 {
        seed ^ (self.plan().index as u64) << 40
    }

    /// Checks that the parts load the same server.
    pub(super) fn can_share(&self, origin: &Origin) -> Result<(), RunError> {
        match origin {
            Origin::Spawn(_) if self.count() > 1 => Err(usage(
                "each part would start a server of its own: start the server yourself, and give all parts --connect HOST:PORT (on its machine with --pid too, which reports what the server uses)"
                    .into(),
            )),
            _ => Ok(()),
        }
    }

    /// Makes the workload that of this part. An observer keeps that of the whole.
    pub(super) fn divide(&self, workload: &mut Workload) -> Result<(), RunError> {
        workload.part = self.part.as_ref().map_or(Part::WHOLE, |part| Part {
            index: part.shard.index - 1,
            count: part.shard.count,
        });
        let threads = workload.threads_of_all_parts();
        let least = workload
            .ramp_connections_from
            .unwrap_or(workload.connections);
        if threads > least && !self.observes() {
            return Err(usage(format!(
                "{} parts with {} engine threads each need at least {threads} connections, and the whole load has {least}: pass a higher --connections",
                self.count(),
                workload.threads
            )));
        }
        let length = workload.warmup + workload.duration;
        if time_until(self.start.moment + length).is_zero() {
            return Err(usage(format!(
                "--start-at {}: the load would be over by now",
                self.start.text
            )));
        }
        Ok(())
    }

    /// Tells which part this is and when it starts.
    pub(super) fn announce(&self) {
        match &self.part {
            Some(part) => part.announce(),
            None => note("This process generates nothing, and observes the server."),
        }
        note(&format!(
            "The load starts at {} (in {:.1} s).",
            self.start.text,
            time_until(self.start.moment).as_secs_f64()
        ));
    }

    /// The clock of a part that all of them ask, if there is one. This part answers until it is dropped, if it is the one.
    pub(super) fn peer(&self) -> Result<Option<PeerClock>, RunError> {
        let peer = self.peer.map(PeerClock::join).transpose();
        let peer = peer.map_err(|why| usage(format!("--clock-peer {why}")))?;
        if peer.as_ref().is_some_and(PeerClock::is_ours) {
            note("The other parts compare their clocks with that of this part.");
        }
        Ok(peer)
    }

    /// Waits until connections may be opened, and compares the clock. Ends early if the user interrupts.
    pub(super) fn await_start(
        &self,
        workload: &Workload,
        peer: Option<&PeerClock>,
        interrupt: &Interrupt,
    ) -> Result<ClockRecord, RunError> {
        let early = lead(workload.connections.div_ceil(self.count()));
        let opens = self.start.moment.saturating_sub(early);
        while !time_until(opens).is_zero() && !interrupt.is_set() {
            std::thread::sleep(time_until(opens).min(LOOK));
        }
        let (option, reference) = match (peer, &self.shared) {
            (Some(peer), _) => ("--clock-peer", Reference::Peer(peer)),
            (None, Some(folder)) => ("--shared", Reference::Folder(folder)),
            (None, None) => ("", Reference::None),
        };
        compare(&reference).map_err(|why| usage(format!("{option}: {why}")))
    }
}

/// Runs the load of the part, or observes that of the others.
pub(super) fn measure(
    resolved: &PreparedTarget,
    workload: Workload,
    interrupt: &Interrupt,
    args: &LoadArgs,
    (part, clock): (&PlannedPart, ClockRecord),
) -> Result<Body, RunError> {
    let server = server_for(resolved, &workload)?;
    let length = workload.warmup + workload.duration;
    let progress = LoadProgress::new(!args.output.no_progress, Some(length));
    let load = Load {
        workload: &workload,
        talk: &resolved.subject.talk,
        values: resolved.subject.values_of(&server),
        server: &server,
        interrupt,
        begin: Some(begin_at(part.start.moment)),
        sink: &|event| progress.show(&event),
    };
    let PartPlan { index, count } = part.plan();
    let record = |measured| PartRecord {
        index,
        count,
        clock,
        measured,
    };
    if part.observes() {
        let measured = load.observe();
        progress.finish();
        let part = record(measured);
        return Ok(Body::Observed(Box::new(ObserverReport { part })));
    }
    let measured = load.run().map_err(|error| usage(error.to_string()))?;
    progress.finish();
    Ok(Body::Load(Box::new(LoadReport {
        result: summarize(&workload, &measured),
        workload,
        slo: None,
        overload: None,
        part: Some(Box::new(record(measured))),
        parts: None,
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_has_one_meaning() {
        let expected = StartAt {
            text: "2027-03-01T12:00:00.5Z".into(),
            moment: Duration::from_millis(1_803_902_400_500),
        };
        for text in [
            "2027-03-01T12:00:00.5Z",
            "1803902400.5",
            "2027-03-01T13:00:00.5+01:00",
        ] {
            assert_eq!(start(text).as_ref(), Ok(&expected), "{text}");
        }
        assert!(
            start("+20s")
                .unwrap_err()
                .contains("another one in each part")
        );
        for wrong in ["", "soon", "-5", "1e30", "NaN", "1960-01-01T00:00:00Z"] {
            assert!(
                start(wrong).unwrap_err().contains("seconds since 1970"),
                "{wrong}"
            );
        }
    }
}

//! Small sweeps of a running server, on a thread of the test.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tcprove_server::{Config, Protocol, Shutdown};

use super::axis::parse_all;
use super::plan::SweepPlan;
use super::result::SweepResult;
use super::sweep::{Sweep, SweepError};
use crate::event::{Event, Sink};
use crate::load::{Remark, Workload};
use crate::process::Launch;
use crate::subject::{Interrupt, Origin, Subject};
use crate::transport::Endpoint;

/// A line server on a thread, stopped when it is dropped.
struct Running {
    addr: SocketAddr,
    shutdown: Shutdown,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Running {
    fn start() -> Self {
        let config = Config {
            port: 0,
            protocol: Protocol::Line,
            ..Config::default()
        };
        let listener = tcprove_server::bind(&config).unwrap();
        let addr = listener.local_addr().unwrap();
        let shutdown = Shutdown::new().unwrap();
        let stop = shutdown.clone();
        let thread = std::thread::spawn(move || {
            tcprove_server::run(listener, config, stop).unwrap();
        });
        Self {
            addr,
            shutdown,
            thread: Some(thread),
        }
    }

    fn subject(&self) -> Subject {
        subject(Origin::Attach {
            endpoint: Endpoint::plain(self.addr),
            pid: None,
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shutdown.trigger();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn subject(origin: Origin) -> Subject {
    let file = crate::file::builtin("line").unwrap();
    Subject {
        origin,
        talk: Arc::new(file.talk),
        promise: file.promise,
        seed: 1,
    }
}

/// Short visits over a few connections.
fn plan(axes: &[&str]) -> SweepPlan {
    let base = Workload {
        connections: 4,
        turns: vec![1],
        ..Workload::default()
    };
    SweepPlan {
        rounds: 2,
        budget: Duration::ZERO,
        ..SweepPlan::new(parse_all(axes).unwrap(), base, 1)
    }
}

fn sweep(
    subject: &Subject,
    axes: &[&str],
    interrupt: &Interrupt,
    sink: Sink<'_>,
) -> Result<SweepResult, SweepError> {
    let plan = plan(axes);
    let sweep = Sweep {
        subject,
        plan: &plan,
        interrupt,
        sink,
    };
    Ok(sweep.run()?.result(&plan.axes))
}

#[test]
fn every_cell_is_visited_in_every_round() {
    let server = Running::start();
    let visits = Mutex::new(Vec::new());
    let sink = |event| {
        if let Event::Step {
            done,
            all,
            what: cell,
        } = event
        {
            visits.lock().unwrap().push((done, all, cell));
        }
    };
    let axes = ["payload=64,1KiB", "pipeline=1,8"];
    let result = sweep(&server.subject(), &axes, &Interrupt::default(), &sink).unwrap();
    let visits = visits.into_inner().unwrap();
    assert_eq!(visits.len(), 8);
    assert!(
        visits
            .iter()
            .enumerate()
            .all(|(place, visit)| (visit.0, visit.1) == (place, 8))
    );
    let of = |cell: &str| visits.iter().filter(|visit| visit.2 == cell).count();
    assert_eq!(of("payload 1 KiB, pipeline 8"), 2);
    assert_eq!((result.cells.len(), result.rounds), (4, 2));
    for cell in &result.cells {
        // A machine that is busy with other tests disturbs visits; nothing else may go wrong.
        let starved = cell.reasons.iter().any(|one| one.word == "client-starved");
        let disturbed = |reason: &Remark| {
            let word = &reason.word;
            word == "client-starved" || word == "steal" || (starved && word == "no-replies")
        };
        assert!(cell.reasons.iter().all(disturbed), "{:?}", cell.reasons);
        assert_eq!(cell.valid, cell.reasons.is_empty());
        if cell.valid {
            assert!(cell.metrics["ops_per_s"].estimate > 100.0, "{cell:?}");
            assert!(!cell.curve.is_empty());
        }
    }
    // Two rounds are too few for any recommendation.
    assert!(
        result
            .recommendation
            .verdicts
            .iter()
            .all(|verdict| verdict.value.is_none())
    );
}

#[test]
fn cells_that_the_kernel_makes_equal_are_measured_once() {
    let server = Running::start();
    let visits = Mutex::new(0);
    let sink = |_| *visits.lock().unwrap() += 1;
    let axes = ["client.so_rcvbuf=64,1KiB,256KiB", "client.mss=1448"];
    let result = sweep(&server.subject(), &axes, &Interrupt::default(), &sink).unwrap();
    assert_eq!(result.cells[1].same_as, Some(0));
    assert_eq!(
        (result.cells[0].same_as, result.cells[2].same_as),
        (None, None)
    );
    let effective = |cell: usize| result.cells[cell].axes[0].1.effective.clone();
    assert_eq!(
        (effective(0), effective(1)),
        (Some("2304".into()), Some("2304".into()))
    );
    assert_eq!(result.cells[1].requested("client.so_rcvbuf"), Some("1024"));
    assert!(
        result.cells[0]
            .notes
            .iter()
            .any(|note| note.word == "narrow-window")
    );
    assert_eq!(visits.into_inner().unwrap(), 3 + 2);
}

#[test]
fn an_interrupt_keeps_what_was_measured() {
    let server = Running::start();
    let interrupt = Interrupt::default();
    let sink = |event| {
        if matches!(event, Event::Step { done: 3, .. }) {
            interrupt.set();
        }
    };
    let axes = ["pipeline=1,8,16"];
    let result = sweep(&server.subject(), &axes, &interrupt, &sink).unwrap();
    assert_eq!((result.cells.len(), result.rounds), (3, 1));
    assert!(result.cells.iter().all(|cell| {
        !cell
            .reasons
            .iter()
            .any(|reason| reason.word == "not-measured")
    }));
}

#[test]
fn a_server_that_never_starts_is_an_error() {
    let mut launch = Launch::new("/nowhere/tcprove", ["server", "{port}", "{workers}"]);
    launch.params.insert("workers".into(), "1".into());
    let subject = subject(Origin::Spawn(Box::new(launch)));
    let refused = sweep(
        &subject,
        &["server.workers=1,2"],
        &Interrupt::default(),
        &|_| {},
    );
    assert!(matches!(refused, Err(SweepError::Start(_))), "{refused:?}");
}

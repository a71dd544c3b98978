//! The control: a harness that does not see what happens says so.

use std::sync::Arc;
use std::time::Duration;

use tcprove::gate::duet::{Duet, Meter};
use tcprove::gate::rule::{Rule, Void};
use tcprove::gate::{DuetPlan, Pair};
use tcprove::load::Workload;
use tcprove::process::Launch;
use tcprove::subject::{Interrupt, Origin, Subject};

use crate::support::alone;
use crate::support::skip::is_thorough;

fn subject() -> Subject {
    let file = tcprove::file::builtin("line").unwrap();
    let exe = crate::support::program();
    let cmd = [exe, "serve", "--protocol", "line", "--port", "{port}"];
    Subject {
        origin: Origin::Spawn(Box::new(Launch::new(exe, cmd))),
        talk: Arc::new(file.talk),
        promise: file.promise,
        seed: 3,
    }
}

/// A control with this meter, with half as much planted as the server does anyway.
fn control(meter: Meter) -> (Rule, Vec<f64>) {
    let _alone = alone();
    let (subject, interrupt) = (subject(), Interrupt::default());
    let rule = Rule { budget: 0.5 };
    let plan = DuetPlan {
        real: 0,
        control: 8,
        fresh: 0,
        planted: rule.budget,
        warmup: Duration::from_millis(20),
        measured: Duration::from_millis(200),
        session: Duration::from_millis(250),
        patience: Duration::from_secs(10),
        workload: Workload {
            connections: 1,
            ..Workload::default()
        },
    };
    let duet = Duet::new(Pair::both(&subject), &plan, &interrupt, &|_| {}).with_meter(meter);
    let sessions = duet.first();
    assert!(sessions.broken.is_none(), "{:?}", sessions.broken);
    assert_eq!(sessions.control.len(), 8);
    (rule, sessions.control)
}

#[test]
fn what_is_planted_is_seen() {
    if !is_thorough() {
        return;
    }
    let (rule, ratios) = control(Meter::OWN);
    let control = rule.control(&ratios);
    assert_eq!(control.void, None, "{control:?}");
}

/// It looks at one server only: whatever the other does, there is no difference.
#[test]
fn a_meter_that_looks_at_the_wrong_server_is_void() {
    if !is_thorough() {
        return;
    }
    let (rule, ratios) = control(Meter(|vitals, _| vitals.base.glance().cpu));
    let control = rule.control(&ratios);
    assert_eq!(control.void, Some(Void::TooLittle), "{control:?}");
}

/// It sees no CPU time at all.
#[test]
fn a_meter_that_sees_nothing_is_void() {
    if !is_thorough() {
        return;
    }
    let (rule, ratios) = control(Meter(|_, _| Duration::ZERO));
    let control = rule.control(&ratios);
    assert_eq!(control.void, Some(Void::NoNumber), "{control:?}");
}

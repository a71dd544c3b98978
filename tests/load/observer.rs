//! A process on the server's machine that generates nothing and reports what the server uses.

use std::time::Duration;

use super::parts::{Elsewhere, OBSERVER, OPEN, Part, in_future, in_time, merged, ops};
use crate::support::skip::is_thorough;
use crate::support::{Bench, Ended, until};

#[test]
fn an_observer_reports_what_the_server_uses() {
    if !is_thorough() {
        return;
    }
    let server = Elsewhere::start(&[]);
    let (merged, bench, reports) = in_time(|start| {
        // One of the three answers the others there.
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let peer = socket.local_addr().unwrap().to_string();
        drop(socket);
        let more = [&OPEN[..], &["--clock-peer", &peer]].concat();
        let pid = server.pid();
        let with_pid = [&more[..], &["--pid", &pid]].concat();
        vec![
            Part::start(&server, OBSERVER, start, &with_pid),
            Part::start(&server, "1/2", start, &more),
            Part::start(&server, "2/2", start, &more),
        ]
    });
    merged.assert_sound();
    assert_eq!(ops(&merged.report), ops(&reports[1]) + ops(&reports[2]));
    assert!(merged.metric("server_cpu_us_per_op") > 0.0);
    let summary = &merged.report["parts"];
    assert_eq!(summary["count"], 2);
    assert_eq!(summary["server_from"], 0);
    assert_eq!(summary["each"].as_array().unwrap().len(), 2);
    assert!(summary["clocks_apart_us"].as_f64().unwrap() > 0.0);
    let told = &merged.ended.stdout;
    assert!(told.contains("server measured by the observer"), "{told}");
    assert!(reports[0].get("metrics").is_none(), "it has sent nothing");
    let refused = |files: &[&str], told: &str| {
        let ended = bench.run(["merge"].iter().chain(files));
        assert_eq!(ended.code, Some(2), "{}", ended.all());
        assert!(ended.stderr.contains(told), "{}", ended.all());
    };
    refused(&["part-0.json"], "the reports of the parts are missing");
    let twice = ["part-0.json", "part-1.json", "part-0.json"];
    refused(&twice, "the same part is there twice");
    // Without a part, the rest is no load either, with an observer or not.
    let ended = bench.run(["merge", "part-0.json", "part-1.json"]);
    assert_eq!(ended.code, Some(5), "{}", ended.all());
    assert!(ended.stdout.contains("part 2 of 2 left no report"));
}

/// What an observer says of a server that is killed in the measured period. On a busy machine the observer may not have begun by
/// then: it gets more time, and a server of its own.
fn of_a_server_that_dies() -> (Bench, Ended) {
    for seconds in [2, 10, 30] {
        let server = Elsewhere::start(&[]);
        let pid = server.pid();
        let with_pid = ["--rate", "100", "--duration", "30s", "--pid", &pid];
        let start = in_future(Duration::from_secs(seconds));
        let observer = Part::start(&server, OBSERVER, &start, &with_pid);
        let begun: f64 = start.parse().unwrap();
        until("the load has begun", || {
            in_future(Duration::ZERO).parse::<f64>().unwrap() > begun + 0.5
        });
        drop(server);
        let (bench, ended) = observer.end();
        if ended.code != Some(3) {
            return (bench, ended);
        }
    }
    panic!("the observer did not begin within 30 s");
}

#[test]
fn an_observer_that_sees_the_server_die_or_comes_too_late_says_so() {
    if !is_thorough() {
        return;
    }
    let (bench, ended) = of_a_server_that_dies();
    assert_eq!(ended.code, Some(1), "{}", ended.all());
    assert!(ended.stdout.contains("the server "), "{}", ended.all());
    assert!(bench.json("part.json")["part"]["measured"]["died"].is_string());

    let server = Elsewhere::start(&[]);
    let start = in_future(Duration::ZERO);
    let part = ["--rate", "100", "--duration", "4s"];
    let pid = server.pid();
    let with_pid = [&part[..], &["--pid", &pid]].concat();
    let parts = vec![
        Part::start(&server, "1/1", &start, &part),
        Part::start(&server, OBSERVER, &start, &with_pid),
    ];
    let (late, ..) = merged(parts);
    assert_eq!(late.ended.code, Some(5), "{}", late.ended.all());
    let told = &late.ended.stdout;
    assert!(
        told.contains("the observer") && told.contains("started-late"),
        "{told}"
    );
}

//! A gate names the function in which something got worse, and its page draws it.
//!
//! `TCPROVE_SLOW=1` plants two changes, `TCPROVE_SLOW=N` all of them N times, in the small server of `data/places`.

use super::of_both;
use crate::support::battery::{compiled, have};
use crate::support::skip::slow_rounds;
use crate::support::{Bench, alone};

/// What is planted, and the function that is named first for instructions, and for system calls if they change, with that call.
const PLANTED: [(&str, &str, Option<Asks>); 5] = [
    ("parse ask", "parse", Some(("log_request", "getppid"))),
    ("allocate", "remember", None),
    ("ask", "log_request", Some(("log_request", "getppid"))),
    ("lock", "count", None),
    ("reply", "respond", None),
];

/// A function, and the system call that it makes.
type Asks = (&'static str, &'static str);

#[test]
fn the_function_is_named_first() {
    let rounds = slow_rounds(1, "a minute of counting for each planted change");
    if rounds == 0 || !have("valgrind") {
        return;
    }
    let bench = Bench::new();
    let folder = bench.path(".");
    let Some(server) = compiled("places/server.c", &folder, &["-O2"]) else {
        return;
    };
    let planted = if rounds == 1 { &PLANTED[..1] } else { &PLANTED };
    for _ in 0..rounds {
        for (plant, by_instructions, by_calls) in planted {
            let report = explained(&bench, &server, plant);
            let page = bench.read("page.html");
            let frame = page.split(&format!("<title>{by_instructions}: ")).nth(1);
            let class = frame.and_then(|frame| frame.split("class=\"").nth(1));
            let class = class.expect("a frame of the flame graph");
            assert!(class.starts_with("flame more"), "{plant}: {report:#}");
            let first = |metric: &str, table: &str| {
                let explained = report["explained"].as_array().expect("a list").iter();
                let of_metric = { explained }.find(|explained| explained["metric"] == metric);
                Some(of_metric?[table][0]["function"].as_str()?.to_owned())
            };
            let instructions = first("instructions", "functions");
            assert_eq!(
                instructions.as_deref(),
                Some(*by_instructions),
                "{report:#}"
            );
            let caller = first("syscalls", "functions");
            let call = first("syscalls", "system_calls");
            assert_eq!(
                caller.as_deref().zip(call.as_deref()),
                *by_calls,
                "{report:#}"
            );
        }
    }
}

fn explained(bench: &Bench, server: &str, plant: &str) -> serde_json::Value {
    let _alone = alone();
    let (base, candidate) = (
        format!("{server} {{port}}"),
        format!("{server} {{port}} {plant}"),
    );
    let words = of_both(&base, &candidate);
    let more = [
        "--explain",
        "--sessions",
        "7",
        "--max-time",
        "80s",
        "--json",
        "r.json",
        "--html",
        "page.html",
    ];
    let ended = bench.run(words.iter().chain(&more));
    let report = bench.json("r.json");
    assert_eq!(ended.code, Some(1), "{plant}: {}", ended.all());
    report
}

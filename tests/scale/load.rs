//! One load in two parts: on two nodes of a Slurm, and on one machine against a load that is not divided.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use serde_json::Value;
use tcprove::stats::kolmogorov_smirnov;

use super::{can_have_slurm, example, on_slurm};
use crate::load::parts::{Elsewhere, clock_ahead, planned};
use crate::support::skip::{is_slow, may_lack};
use crate::support::{Bench, Ended, alone, data, python};

/// The talk of the server in `arrivals.py`, whose requests are nothing but tokens.
const FILE: &str = "[talk]\nframe = { until = \"\\n\" }\n[[talk.turn]]\nsend = \"{tok}\\n\"\nexpect = \"{tok}\\n\"\n";
/// Starts the server on the controller, and waits until it listens.
const SERVER: &str = "python3 arrivals.py 10.77.0.1 7000 arrivals.log >server.txt & until grep -q listening server.txt; do sleep 0.05; done; export SERVER=10.77.0.1:7000";
/// How often a load that the machine disturbs is repeated.
const TRIES: usize = 4;
/// Below this probability, arrivals are not those of the plan.
const P_MIN: f64 = 0.001;

fn bench() -> Bench {
    let bench = Bench::new();
    bench.write("tcprove.toml", FILE);
    for (name, path) in [
        ("load.sbatch", example("slurm-load.sbatch")),
        ("arrivals.py", data("scale/arrivals.py").into()),
    ] {
        bench.write(name, &std::fs::read_to_string(path).unwrap());
    }
    bench
}

fn decoded(text: &Value) -> Histogram<u64> {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(text.as_str().unwrap())
        .unwrap();
    Deserializer::new()
        .deserialize(&mut bytes.as_slice())
        .unwrap()
}

/// The response times of a part, all windows and what got no reply together, read from its report by hand.
fn buckets(part: &Value) -> Histogram<u64> {
    let measured = &part["part"]["measured"];
    let mut all = decoded(&measured["unanswered"]);
    for window in measured["windows"].as_array().unwrap() {
        all.add(decoded(&window["response"])).unwrap();
    }
    all
}

/// When the server received the requests of the measured period, in nanoseconds since 1970, and their tokens.
fn arrivals(bench: &Bench, from: u64, to: u64) -> Vec<(u64, String)> {
    let log = bench.read("arrivals.log");
    let lines = log.lines().map(|line| {
        let (at, token) = line.split_once(' ').unwrap();
        (at.parse().unwrap(), token.to_owned())
    });
    let mut all: Vec<(u64, String)> = lines.filter(|(at, _)| (from..to).contains(at)).collect();
    all.sort_unstable();
    all
}

fn gaps(moments: impl IntoIterator<Item = u64>) -> Vec<f64> {
    let moments: Vec<u64> = moments.into_iter().collect();
    let pairs = moments.windows(2);
    pairs.map(|pair| (pair[1] - pair[0]) as f64).collect()
}

#[test]
fn two_nodes_of_a_slurm_generate_one_load() {
    if !is_slow("a load on a cluster") || !can_have_slurm() || python().is_none() {
        return;
    }
    let _alone = alone();
    let (bench, ended) = sent_in_time();
    let merged = bench.json("all.json");
    let reasons = merged["validity"]["reasons"].as_array().unwrap();
    let ours = [
        "parts-missing",
        "started-late",
        "clocks-",
        "rate-not-reached",
    ];
    let told = |reason: &&Value| {
        ours.iter()
            .any(|word| reason.as_str().unwrap().starts_with(word))
    };
    assert_eq!(reasons.iter().find(told), None, "{}", ended.all());

    // The figures are those of the parts' buckets.
    let parts = ["load-0.json", "load-1.json"].map(|name| bench.json(name));
    let mut all = buckets(&parts[0]);
    all.add(buckets(&parts[1])).unwrap();
    let response = &merged["metrics"]["response_us"];
    assert_eq!(response["count"], all.len());
    for (name, q) in [("p50", 0.5), ("p99", 0.99), ("p999", 0.999)] {
        let nanos = all.value_at_quantile(q);
        let expected = all.median_equivalent(nanos).min(all.max()) as f64 / 1e3;
        assert_eq!(response[name], expected, "{name}");
    }

    // What the server received is the plan.
    let start: f64 = merged["plan"]["start_at"].as_str().map(epoch).unwrap();
    let seed = merged["seed"].as_u64().unwrap();
    let plan = planned(seed, 100.0, 1.0, 10.0);
    assert_eq!(response["count"], plan.len());
    let begin = (start * 1e9) as u64;
    let received = arrivals(&bench, begin + 1_000_000_000, begin + 11_000_000_000);
    let tokens: BTreeSet<&str> = received.iter().map(|(_, token)| token.as_str()).collect();
    assert_eq!(tokens.len(), received.len(), "no token is sent twice");
    let planned_gaps = gaps(plan.iter().copied());
    let test = |moments: Vec<u64>| kolmogorov_smirnov(&gaps(moments), &planned_gaps).unwrap();
    let (distance, p) = test(received.iter().map(|(at, _)| *at).collect());
    println!(
        "Kolmogorov-Smirnov: distance {distance:.4}, p = {p:.3}, {} arrivals",
        received.len()
    );
    if p <= P_MIN && merged["validity"]["valid"] != true {
        return may_lack("a machine that sends in time: the load was invalid four times");
    }
    // A request at either end of the period may have arrived on the other side of it.
    assert!(
        received.len().abs_diff(plan.len()) <= 3,
        "{}",
        received.len()
    );
    assert!(p > P_MIN, "{distance} {p}");
    // Half of them are another distribution, which the test sees.
    let half = received.iter().step_by(2).map(|(at, _)| *at).collect();
    assert!(test(half).1 < P_MIN);
}

/// Runs the job of the example. Both nodes are the same machine, which may be too busy to send in time: then the report says so,
/// and the load is repeated.
fn sent_in_time() -> (Bench, Ended) {
    let job = format!(
        "{SERVER}; RATE=100 sbatch --wait load.sbatch --no-pin; tcprove merge load-*.json --json all.json"
    );
    let mut tries = 0;
    loop {
        let bench = bench();
        let ended = bench.end(on_slurm(&bench, &job));
        println!("{}", ended.all());
        tries += 1;
        if tries == TRIES || bench.json("all.json")["validity"]["valid"] == true {
            return (bench, ended);
        }
    }
}

/// Seconds since 1970 of a time in whole seconds, by `date`.
fn epoch(text: &str) -> f64 {
    let output = std::process::Command::new("date")
        .args(["+%s", "-d", text])
        .output()
        .unwrap();
    String::from_utf8(output.stdout)
        .unwrap()
        .trim()
        .parse()
        .unwrap()
}

/// What the second task of the job does differently: nothing, start when the time has passed, have a clock that is ahead, die.
const TASK: &str = r#"
case "$CASE-$SLURM_PROCID" in
late-1) until [ "$(date +%s)" -gt "$START" ]; do sleep 0.1; done ;;
skewed-1) export LD_PRELOAD="$LIBRARY" CLOCK_AHEAD_MS=40 ;;
esac
tcprove load --connect "$SERVER" --allow-remote --rate 100 --arrivals poisson --duration 4s --no-progress \
    --part auto --start-at "$START" --shared . --json "$CASE-$SLURM_PROCID.json" 2>"$CASE-$SLURM_PROCID.txt" &
if [ "$CASE-$SLURM_PROCID" = killed-1 ]; then
    until grep -q "The load starts" "$CASE-1.txt"; do sleep 0.05; done
    kill -KILL $!
fi
wait
true
"#;

#[test]
fn a_part_on_a_slurm_that_is_killed_late_or_skewed_makes_the_load_invalid() {
    if !is_slow("three loads on a cluster") || !can_have_slurm() || python().is_none() {
        return;
    }
    let bench = bench();
    let Some(library) = clock_ahead(&bench) else {
        return;
    };
    bench.write("task.sh", TASK);
    let job = format!(
        "{SERVER}; export LIBRARY={library}
        for case in killed late skewed; do
            export CASE=$case START=$(date +%s -d '6 seconds')
            srun -N2 bash task.sh
            tcprove merge $case-*.json --json all-$case.json; echo \"$case: exit code $?\"
        done"
    );
    let ended = bench.end(on_slurm(&bench, &job));
    println!("{}", ended.all());
    for (case, reason) in [
        ("killed", "parts-missing: part 2 of 2 left no report"),
        ("late", "started-late: part 2: "),
        ("skewed", "clocks-differ: the clock of part 2 is "),
    ] {
        assert!(
            ended.stdout.contains(&format!("{case}: exit code 5")),
            "{}",
            ended.all()
        );
        let merged = bench.json(&format!("all-{case}.json"));
        let reasons = merged["validity"]["reasons"].as_array().unwrap();
        let is_told = reasons
            .iter()
            .any(|told| told.as_str().unwrap().starts_with(reason));
        assert!(is_told, "{case}: {reasons:?}");
    }
}

/// Rounds of the comparison of two parts with a load that is not divided.
const ROUNDS: usize = 10;

/// The interval of a percentile, in microseconds.
fn interval(report: &Value, name: &str) -> (f64, f64) {
    let ends = &report["metrics"]["response_us"]["intervals"][name];
    let end = |place: usize| ends[place].as_f64().unwrap();
    (end(0), end(1))
}

/// The replies take an exponentially distributed time of 50 ms, so that the figures depend little on the machine.
#[test]
fn two_parts_on_one_machine_agree_with_one_load() {
    if !is_slow("20 loads of 4 s") {
        return;
    }
    let _alone = alone();
    let server = Elsewhere::start(&["--delay", "exp:50ms"]);
    let mut agree = 0;
    for round in 1..=ROUNDS {
        let bench = Bench::new();
        let base = |seed: usize| {
            let seed = seed.to_string();
            let mut command = bench.tcprove();
            command
                .args(["load", "--no-progress", "--no-pin", "--talk", "line"])
                .args(["--connect", &server.address, "-c", "200", "--rate", "500"])
                .args([
                    "--arrivals",
                    "poisson",
                    "--duration",
                    "4s",
                    "--warmup",
                    "500ms",
                ])
                .args(["--seed", &seed]);
            command
        };
        let mut whole = base(2 * round);
        whole.args(["--json", "whole.json"]);
        bench.end(whole);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let start = (now + Duration::from_secs(6)).as_secs().to_string();
        let part = |part: &str, folder: &Bench| {
            let mut command = base(2 * round + 1);
            let json = bench.path(&part.replace('/', "-")).display().to_string() + ".json";
            command.args(["--part", part, "--start-at", &start, "--json", &json]);
            folder.start(command)
        };
        let folders = [Bench::new(), Bench::new()];
        let running = [part("1/2", &folders[0]), part("2/2", &folders[1])];
        for part in running {
            part.end();
        }
        let ended = bench.run(["merge", "1-2.json", "2-2.json", "--json", "merged.json"]);
        let (whole, merged) = (bench.json("whole.json"), bench.json("merged.json"));
        let mut all = true;
        for name in ["p50", "p90", "p99"] {
            let (one, other) = (interval(&whole, name), interval(&merged, name));
            let overlap = one.0 <= other.1 && other.0 <= one.1;
            all &= overlap;
            println!(
                "{round}: {name} whole {one:?}, merged {other:?}{}",
                if overlap { "" } else { ": apart" }
            );
        }
        agree += usize::from(all);
        let reasons = [&whole, &merged].map(|load| load["validity"]["reasons"].to_string());
        println!("{round}: {reasons:?}, exit code {:?}", ended.code);
    }
    // Two 95 % intervals of three percentiles: all overlap in nearly every round.
    assert!(agree >= ROUNDS - 1, "{agree} of {ROUNDS} rounds agree");
}

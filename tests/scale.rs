//! Batteries on several machines, with the files in `examples/scale` as they are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::skip::{is_slow, may_lack};
use crate::support::{Bench, Ended, data, is_in_path};

/// A server that takes what one recv returns for a message, which several checks see each time.
const FILE: &str = "[server]\nname = \"mine\"\ncmd = [\"tcprove\", \"serve\", \"--port\", \"{port}\", \"--protocol\", \"line\", \"--fault\", \"recv-is-message\"]\n[talk]\nuse = \"line\"\n";

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../examples/scale")
        .join(name)
}

fn have(program: &str) -> bool {
    let found = is_in_path(program);
    if !found {
        may_lack(program);
    }
    found
}

/// Which checks a report has, and whether they failed.
fn verdicts(bench: &Bench, json: &str) -> BTreeMap<String, bool> {
    let report = bench.json(json);
    let outcomes = report["outcomes"].as_array().expect("outcomes").iter();
    outcomes
        .map(|outcome| {
            let id = outcome["id"].as_str().expect("an id").to_owned();
            (id, outcome["outcome"] == "fail")
        })
        .collect()
}

/// Runs `divided`, which writes the merged report to `all.json`, and the whole battery, and compares the verdicts.
fn is_the_whole(bench: &Bench, divided: impl FnOnce() -> Ended) {
    bench.write("tcprove.toml", FILE);
    let divided = divided();
    let merged = verdicts(bench, "all.json");
    let whole = bench.run(["check", "--json", "whole.json"]);
    assert_eq!(whole.code, Some(1), "{}", whole.all());
    assert_eq!(verdicts(bench, "whole.json"), merged, "{}", divided.all());
    assert!(merged["split-bytewise"], "{}", divided.all());
    let told = "FAIL mine: ";
    assert!(divided.stdout.contains(told), "{}", divided.all());
}

/// The tool's command with that program instead of tcprove.
fn with_program(bench: &Bench, program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(bench.path("."));
    for (name, value) in bench.tcprove().get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

#[test]
fn gnu_parallel_runs_the_parts_and_merges_them() {
    if !is_slow("two batteries") || !have("parallel") {
        return;
    }
    let bench = Bench::new();
    is_the_whole(&bench, || {
        let mut command = with_program(&bench, "bash");
        command.arg(example("parallel-battery.sh"));
        command.args(["--json", "all.json"]).env("PARTS", "3");
        bench.end(command)
    });
}

#[test]
fn a_slurm_array_on_two_nodes_is_the_whole() {
    if !is_slow("two batteries and a cluster") || !have("slurmctld") || !have("slurmd") {
        return;
    }
    if !rustix::process::geteuid().is_root() {
        return may_lack("root, for network namespaces");
    }
    let bench = Bench::new();
    let sbatch = std::fs::read_to_string(example("slurm-battery.sbatch")).expect("the example");
    bench.write("battery.sbatch", &sbatch);
    std::fs::create_dir(bench.path("cluster")).expect("a folder");
    is_the_whole(&bench, || {
        let mut command = with_program(&bench, "unshare");
        let apart = [
            "--net",
            "--uts",
            "--mount",
            "--pid",
            "--fork",
            "--mount-proc",
        ];
        command.args(apart).args(["--kill-child", "bash"]);
        command
            .arg(data("scale/slurm.sh"))
            .arg(bench.path("cluster"));
        let job = "sbatch --wait battery.sbatch; tcprove merge part-*.json --json all.json";
        command.args(["bash", "-c", job]);
        bench.end(command)
    });
}

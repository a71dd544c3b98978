//! Batteries, loads and campaigns on several machines, with the files in `examples/scale` as they are.

mod load;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::skip::{is_slow, may_lack};
use crate::support::{Bench, Ended, data, is_in_path, python_with};

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

/// The interpreter with these modules. Without it, the running test is recorded as skipped.
fn python_to(import: &str) -> Option<String> {
    python_with(import).map_err(|reason| may_lack(&reason)).ok()
}

/// Runs what is in the file as its engine would, with a few checks only, and merges the parts if it does not do that itself.
fn runs_as_written(name: &str, merges: bool) {
    let Some(python) = python_to("yaml") else {
        return;
    };
    let bench = Bench::new();
    bench.write("tcprove.toml", FILE);
    let real = bench.tcprove();
    let real = real.get_program().to_string_lossy().into_owned();
    let few = format!(
        "#!/bin/sh\n[ $1 = check ] && set -- \"$@\" --only 'split-*' --only fin-after-request\nexec {real} \"$@\"\n"
    );
    std::fs::create_dir(bench.path("bin")).expect("a folder");
    bench.write("bin/tcprove", &few);
    let shim = bench.path("bin/tcprove");
    std::fs::set_permissions(&shim, PermissionsExt::from_mode(0o755)).expect("a program");
    let mut command = with_program(&bench, &python);
    command.arg(data("scale/matrix.py")).arg(example(name));
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{path}", bench.path("bin").display()));
    let ended = bench.end(command);
    if merges {
        // The merge ends with 1, and so does its job.
        assert_eq!(ended.code, Some(1), "{}", ended.all());
        assert!(ended.stdout.contains("FAIL mine: "), "{}", ended.all());
    } else {
        assert_eq!(ended.code, Some(0), "{}", ended.all());
    }
    let parts = ["1", "2", "3", "4", "0"].map(|part| format!("part-{part}.json"));
    let parts = parts.iter().filter(|part| bench.path(part).exists());
    let merge = ["merge", "--json", "all.json"].map(str::to_owned);
    let merged = bench.run(merge.iter().chain(parts));
    assert_eq!(merged.code, Some(1), "{}", merged.all());
    let verdicts = verdicts(&bench, "all.json");
    assert!(verdicts["split-bytewise"] && !verdicts["fin-after-request"]);
}

#[test]
fn the_github_matrix_runs_as_written() {
    runs_as_written("github-battery.yml", true);
}

#[test]
fn the_gitlab_jobs_run_as_written() {
    runs_as_written("gitlab-battery.yml", true);
}

#[test]
fn the_pods_run_as_written() {
    runs_as_written("kubernetes-battery.yaml", false);
}

#[test]
fn the_files_follow_the_published_schemas() {
    let Some(python) = python_to("kubernetes_validate, check_jsonschema") else {
        return;
    };
    let folders = ["scale", "ci"].map(|folder| example(&format!("../{folder}")));
    let files = folders
        .iter()
        .flat_map(|folder| std::fs::read_dir(folder).expect("the examples"));
    let mut tried = 0;
    for file in files {
        let path = file.expect("a file").path();
        let name = path.file_name().and_then(|name| name.to_str());
        let of_check_jsonschema = ["-m", "check_jsonschema", "--builtin-schema"];
        let of = |schema| [&of_check_jsonschema[..], &[schema]].concat();
        let arguments = match name.and_then(|name| name.split_once('-')) {
            Some(("kubernetes", _)) => vec!["-m", "kubernetes_validate", "--strict"],
            Some(("github", _)) => of("vendor.github-workflows"),
            Some(("gitlab", _)) => of("vendor.gitlab-ci"),
            _ => continue,
        };
        let output = Command::new(&python).args(arguments).arg(&path).output();
        let output = output.expect("python runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {said}", path.display());
        tried += 1;
    }
    assert!(tried >= 4, "{tried} files");
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
    if !is_slow("two batteries and a cluster") || !can_have_slurm() {
        return;
    }
    let bench = Bench::new();
    let sbatch = std::fs::read_to_string(example("slurm-battery.sbatch")).expect("the example");
    bench.write("battery.sbatch", &sbatch);
    is_the_whole(&bench, || {
        let job = "sbatch --wait battery.sbatch; tcprove merge part-*.json --json all.json";
        bench.end(on_slurm(&bench, job))
    });
}

/// Runs a shell command on the controller of a Slurm with two nodes.
fn on_slurm(bench: &Bench, job: &str) -> Command {
    std::fs::create_dir(bench.path("cluster")).expect("a folder");
    let mut command = with_program(bench, "unshare");
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
        .arg(bench.path("cluster"))
        .args(["bash", "-c", job]);
    command
}

/// Whether a Slurm can be started here.
fn can_have_slurm() -> bool {
    if !have("slurmctld") || !have("slurmd") {
        return false;
    }
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        may_lack("root, for network namespaces");
    }
    is_root
}

/// The server whose bug is six messages deep, compiled into the folder of the bench, as its `tcprove.toml` says.
fn with_stages(bench: &Bench) -> bool {
    let Some(program) =
        crate::support::battery::compiled("stages/server.c", &bench.path(""), &["-O2", "-pthread"])
    else {
        return false;
    };
    let file = format!(
        "[server]\nname = \"stages\"\ncmd = [{program:?}, \"{{port}}\"]\n[talk]\nuse = \"line\"\n"
    );
    bench.write("tcprove.toml", &file);
    true
}

/// The cases and findings of the shared corpus, each of which can be read.
fn shared(bench: &Bench) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for folder in ["corpus", "corpus/findings"] {
        let entries = std::fs::read_dir(bench.path(folder)).into_iter().flatten();
        for entry in entries.flatten() {
            let name = entry.file_name().into_string().expect("a name");
            if name.ends_with(".json") {
                let path = format!("{folder}/{name}");
                let text = bench.read(&path);
                assert!(
                    tcprove::fuzz::CaseFile::parse(&text).is_ok(),
                    "{path}: {text}"
                );
                all.insert(path, text);
            }
        }
    }
    all
}

/// The members of a fleet that have a report, and their reports.
fn reports_of_members(bench: &Bench) -> Vec<serde_json::Value> {
    let there = (1..=4).map(|number| format!("member-{number}.json"));
    let there = there.filter(|name| bench.path(name).exists());
    there.map(|name| bench.json(&name)).collect()
}

/// The whole is what its members have found: one crash, settled by one of them.
fn is_found_once(bench: &Bench, ended: &Ended) {
    let whole = bench.json("all.json");
    let crashes = |report: &serde_json::Value| -> Vec<serde_json::Value> {
        let findings = report["findings"].as_array().into_iter().flatten();
        findings
            .filter(|one| one["kind"] == "crash")
            .cloned()
            .collect()
    };
    let found = crashes(&whole);
    assert_eq!(found.len(), 1, "{}", ended.all());
    assert_eq!(found[0]["confirmed"], "5/5", "{}", ended.all());
    let members = reports_of_members(bench);
    let executions = members.iter().filter_map(|one| one["executions"].as_u64());
    assert_eq!(whole["executions"].as_u64(), Some(executions.sum()));
    let settled =
        |report: &&serde_json::Value| crashes(report).iter().any(|one| one["found_by"].is_null());
    assert!(
        members.iter().filter(settled).count() <= 1,
        "{}",
        ended.all()
    );
}

#[test]
fn gnu_parallel_runs_a_fleet_that_finds_a_bug_six_messages_deep() {
    if !is_slow("four campaigns until a deep bug is found") || !have("parallel") {
        return;
    }
    let bench = Bench::new();
    if !with_stages(&bench) {
        return;
    }
    // As the example is, and ended once the bug is found.
    let text = std::fs::read_to_string(example("parallel-fuzz.sh")).expect("the example");
    bench.write(
        "fleet.sh",
        &text.replace("--jobs 1 ", "--jobs 1 --stop-on-first "),
    );
    let mut command = with_program(&bench, "bash");
    command
        .args(["fleet.sh", "--json", "all.json"])
        .envs([("DURATION", "110s"), ("SYNC", "1s")]);
    let ended = bench.end(command);
    assert_eq!(ended.code, Some(1), "{}", ended.all());
    is_found_once(&bench, &ended);
    assert_eq!(reports_of_members(&bench).len(), 4, "{}", ended.all());
}

/// One member is killed once it has announced cases; nothing of it is lost, and the others find the bug.
#[test]
fn a_slurm_array_of_campaigns_loses_nothing_with_a_killed_member() {
    if !is_slow("a cluster, and four campaigns until a deep bug is found") || !can_have_slurm() {
        return;
    }
    let bench = Bench::new();
    if !with_stages(&bench) {
        return;
    }
    let sbatch = std::fs::read_to_string(example("slurm-fuzz.sbatch")).expect("the example");
    bench.write("fuzz.sbatch", &sbatch.replace("--sync 30s", "--sync 1s"));
    bench.write("job.sh", JOB_WITH_A_KILL);
    let ended = bench.end(on_slurm(&bench, "bash job.sh"));
    assert_eq!(ended.code, Some(1), "{}", ended.all());
    is_found_once(&bench, &ended);
    // The killed member has no report, and whatever it had announced is still there.
    assert_eq!(reports_of_members(&bench).len(), 3, "{}", ended.all());
    let all = shared(&bench);
    let announced = bench.read("announced");
    let announced: Vec<&str> = announced.lines().collect();
    assert!(announced.len() > 3, "{}", ended.all());
    for name in announced {
        assert!(
            all.contains_key(&format!("corpus/{name}")),
            "{name} was lost"
        );
    }
}

/// Submits the array, kills a member with SIGKILL once it runs and there are cases, waits for the others and merges.
const JOB_WITH_A_KILL: &str = r#"
set -eu
job=$(sbatch --parsable fuzz.sbatch --duration 110s --jobs 1 --stop-on-first)
# A member that has started has a log of its running epoch.
until [ -s tcprove-fuzz/2-of-4/running/lane-0.jsonl ] && [ "$(ls corpus | grep -c json)" -gt 3 ]; do sleep 0.1; done
ls corpus | grep json >announced
# scancel would ask it to end first.
for process in /proc/[0-9]*; do
    if { tr '\0' ' ' <"$process/cmdline"; } 2>/dev/null | grep -q '^tcprove fuzz .*member-2.json'; then
        kill -KILL "${process#/proc/}"
    fi
done
while squeue --noheader --job "$job" 2>/dev/null | grep -q .; do sleep 0.2; done
tcprove merge member-*.json --json all.json
"#;

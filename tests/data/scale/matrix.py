"""Runs the jobs of a CI file, or the pods of a Kubernetes Job, as their engine would: the lines of each job in a shell of its own,
with the variables that the engine sets, all parts of a job at the same time. Steps that fetch or keep files have no effect, since
all jobs share the folder.

Usage: matrix.py FILE
"""

import os
import re
import subprocess
import sys

import yaml


def run(parts):
    """Runs the scripts, each with its variables; ends the program if one fails."""
    started = [
        subprocess.Popen(["bash", "-eo", "pipefail", "-c", script], env={**os.environ, **variables})
        for script, variables in parts
    ]
    codes = [one.wait() for one in started]
    if any(codes):
        sys.exit(f"a job ended with exit codes {codes}")


def github(jobs):
    for job in jobs.values():
        parts = job.get("strategy", {}).get("matrix", {}).get("part", [None])

        def expand(text, index, part):
            values = {"matrix.part": part, "strategy.job-index": index, "strategy.job-total": len(parts)}
            return re.sub(r"\$\{\{ *([\w.-]+) *\}\}", lambda found: str(values[found[1]]), text)

        scripts = []
        for index, part in enumerate(parts):
            steps = [step for step in job["steps"] if "run" in step and "cargo install" not in step["run"]]
            variables = {
                name: expand(str(value), index, part)
                for step in steps
                for name, value in step.get("env", {}).items()
            }
            scripts.append(("\n".join(expand(step["run"], index, part) for step in steps), variables))
        run(scripts)


def gitlab(jobs):
    for job in jobs.values():
        total = job.get("parallel", 1)
        script = "\n".join(job["script"])
        run(
            (script, {"CI_NODE_INDEX": str(index), "CI_NODE_TOTAL": str(total)})
            for index in range(1, total + 1)
        )


def kubernetes(spec):
    container = spec["template"]["spec"]["containers"][0]
    assert container["command"][:2] == ["sh", "-c"]
    script = container["command"][2]
    for mount in container["volumeMounts"]:
        script = script.replace(mount["mountPath"], ".")
    variables = {one["name"]: one["value"] for one in container["env"]}
    run(
        (script, {**variables, "JOB_COMPLETION_INDEX": str(index)})
        for index in range(spec["completions"])
    )


with open(sys.argv[1]) as file:
    document = yaml.safe_load(file)
if "kind" in document:
    kubernetes(document["spec"])
elif "jobs" in document:
    github(document["jobs"])
else:
    gitlab(document)

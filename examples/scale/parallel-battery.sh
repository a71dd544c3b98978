#!/usr/bin/env bash
# The battery in several parts with GNU parallel, in the folder with tcprove.toml:
#
#   PARTS=4 parallel-battery.sh
#
# Further arguments go to `tcprove merge`, whose exit code is the verdict: --junit tcprove.xml, for example.
set -u
parts=${PARTS:-4}
reports=$(mktemp -d)
trap 'rm -r "$reports"' EXIT
# A failed check is a result, and no failed job.
seq "$parts" | parallel --will-cite --jobs "${JOBS:-2}" \
    "tcprove check --shard {}/$parts --no-progress --json $reports/{}.json >/dev/null || true"
tcprove merge "$@" "$reports"/*.json

#!/usr/bin/env bash
# Several campaigns that share a corpus, with GNU parallel, in the folder with tcprove.toml:
#
#   MEMBERS=4 DURATION=10m parallel-fuzz.sh
#
# On several machines, which all see the folder: PARALLEL='--sshloginfile machines --workdir .' parallel-fuzz.sh
#
# Further arguments go to `tcprove merge`, whose exit code is the verdict: --junit tcprove.xml, for example.
set -u
members=${MEMBERS:-4}
duration=${DURATION:-10m}
# A finding is a result, and no failed job. Each campaign runs one server; --jobs N would run more.
seq "$members" | parallel --will-cite --jobs "${JOBS:-$members}" \
    "tcprove fuzz --part {}/$members --corpus corpus --sync ${SYNC:-30s} --duration $duration --jobs 1 --no-progress --json member-{}.json >member-{}.txt 2>&1 || true"
tcprove merge "$@" $(seq -f 'member-%g.json' "$members")

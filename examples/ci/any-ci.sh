#!/usr/bin/env bash
# Check, fuzz, and a gate, in any CI: run this in the checkout of the candidate. tcprove and tcprove-prove (a copy of
# action/prove.sh) are in PATH. The exit code is that of tcprove; reports for people and machines go to tcprove/out.
set -euo pipefail

export BUILD=${BUILD:-make}
export SERVER=${SERVER:-'{root}/server --port {port}'}
export BASE=${BASE:-$(git merge-base HEAD origin/main)}
export OUT=${OUT:-tcprove}
exec tcprove-prove

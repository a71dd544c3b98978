#!/usr/bin/env bash
# What the action does, and any other CI can do: builds base and candidate, then check, fuzz, gate. All three
# are run whatever the others say; the exit code is the gravest of theirs, in tcprove's own order.
#
# BUILD, SERVER (with {port} and {root}) and OUT (a folder) must be set. TALK or FILE, BASE (a commit; empty: no
# gate), CORPUS, FUZZ_DURATION, GATE_ARGUMENTS and ON_INCONCLUSIVE have the defaults of action.yml. Run in the
# checkout of the candidate.
set -euo pipefail

: "${BUILD:?a command that builds the server}"
: "${SERVER:?a command that starts the server, with {port\}}"
: "${OUT:?a folder for reports and findings}"
: "${TALK:=}" "${FILE:=tcprove.toml}" "${BASE:=}" "${CORPUS:=tcprove-corpus}"
: "${FUZZ_DURATION:=30s}" "${GATE_ARGUMENTS:=}" "${ON_INCONCLUSIVE:=pass}"

mkdir -p "$OUT/out"
candidate=$PWD
base=$(realpath "$OUT")/base
out=$(realpath "$OUT")/out
# The reports of an earlier run are not those of this one; its findings stay.
rm -f "$out"/{check,fuzz,gate}.{json,xml,md,sarif} "$out"/changed.{json,md}

remove_worktree() {
    # A run that was killed may have left one that git does not know any more.
    git worktree remove --force "$base" 2>/dev/null || rm -rf "$base"
    git worktree prune
}
trap remove_worktree EXIT
remove_worktree

# The talk for both, and the command of one of them: {root} is where it was built.
if [ -n "$TALK" ]; then talk=(--talk "$TALK"); else talk=(-f "$candidate/$FILE"); fi
server_in() { printf '%s' "${SERVER//\{root\}/$1}"; }
# As words, for what is given after `--`.
mapfile -t words < <(xargs -n 1 <<<"$(server_in "$candidate")")

# Exit codes, gravest first (docs/results.md).
gravest=0
prove() {
    local name=$1 code=0
    shift
    echo "::group::tcprove $name"
    # What follows `--` is the server's command: our flags come before it.
    tcprove "$name" --on-inconclusive "$ON_INCONCLUSIVE" \
        --json "$out/$name.json" --junit "$out/$name.xml" --markdown "$out/$name.md" \
        --sarif "$out/$name.sarif" "$@" || code=$?
    echo "::endgroup::"
    echo "tcprove $name ended with $code"
    local order=(70 130 2 3 1 5 4 0)
    for known in "${order[@]}"; do
        if [ "$known" = "$code" ] || [ "$known" = "$gravest" ]; then
            gravest=$known
            break
        fi
    done
}

echo "::group::build the candidate"
bash -euo pipefail -c "$BUILD"
echo "::endgroup::"

# A built-in talk is told the command; a file has one of its own.
if [ -n "$TALK" ]; then command=(-- "${words[@]}"); else command=(); fi
corpus=()
if [ -d "$candidate/$CORPUS" ]; then
    # A copy: what a campaign adds is uploaded, and the checkout stays as it was.
    rm -rf "$out/corpus"
    cp -r "$candidate/$CORPUS" "$out/corpus"
    corpus=(--corpus "$out/corpus")
fi
prove check --html "$out/check.html" "${talk[@]}" "${command[@]}"
prove fuzz "${talk[@]}" --duration "$FUZZ_DURATION" --out "$out/fuzz" "${corpus[@]}" "${command[@]}"

if [ -z "${BASE//0/}" ]; then
    echo "there is no commit to compare with: no gate"
    exit "$gravest"
fi
echo "::group::build the base, $BASE"
git cat-file -e "$BASE^{commit}" 2>/dev/null || git fetch --quiet --depth=1 origin "$BASE"
git worktree add --force --quiet --detach "$base" "$BASE"
(cd "$base" && bash -euo pipefail -c "$BUILD")
echo "::endgroup::"
if [ -d "$candidate/$CORPUS" ]; then
    # A table of the replies that have changed. A change may be meant: it fails nothing.
    echo "::group::tcprove replay --against the base"
    tcprove replay "$candidate/$CORPUS" "${talk[@]}" --against "$(server_in "$base")" \
        --json "$out/changed.json" --markdown "$out/changed.md" "${command[@]}" ||
        echo "tcprove replay ended with $?"
    echo "::endgroup::"
fi
read -ra more <<<"$GATE_ARGUMENTS"
prove gate --html "$out/gate.html" "${talk[@]}" --base "$(server_in "$base")" --candidate "$(server_in "$candidate")" "${more[@]}"
exit "$gravest"

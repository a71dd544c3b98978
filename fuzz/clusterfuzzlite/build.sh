#!/bin/bash -eu
# Builds every fuzz target into $OUT, each with its dictionary and its corpus as a zip file.

cd "$SRC/tcprove"

# An overflow is a finding too: that takes the assertions of a debug build.
cargo fuzz build -O --debug-assertions

built=fuzz/target/x86_64-unknown-linux-gnu/release
for source in fuzz/fuzz_targets/*.rs; do
  target=$(basename "$source" .rs)
  cp "$built/$target" "$OUT/"
  cp "fuzz/dictionaries/$target.dict" "$OUT/"
  # Without the folders, and the same on every build.
  zip -jqX "$OUT/${target}_seed_corpus.zip" "fuzz/corpus/$target"/*
done

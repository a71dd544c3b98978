#!/bin/bash -eu
# Builds every fuzz target into $OUT, with its dictionary and its corpus as a zip file.

cd "$SRC/tcprove"

# Debug assertions turn integer overflows into findings.
cargo fuzz build -O --debug-assertions

built=fuzz/target/x86_64-unknown-linux-gnu/release
for source in fuzz/fuzz_targets/*.rs; do
  target=$(basename "$source" .rs)
  cp "$built/$target" "$OUT/"
  cp "fuzz/dictionaries/$target.dict" "$OUT/"
  # Without folders and extra attributes, so that the archive is reproducible.
  zip -jqX "$OUT/${target}_seed_corpus.zip" "fuzz/corpus/$target"/*
done

#!/bin/sh
# Fuzzes the index parser with libFuzzer and AddressSanitizer: run.sh [SECONDS]. Needs a release build and .venv (make setup).
# What it finds is left in tools/fuzz/found, the corpus in .build/fuzz/corpus.
set -eu
cd "$(dirname "$0")/../.."
out=.build/fuzz
c=.build/release/CPlatform.build
mkdir -p $out/corpus tools/fuzz/found
swiftc -O -sanitize=fuzzer,address -parse-as-library -package-name trajpack -Xcc -fmodule-map-file=$c/module.modulemap \
  -I Sources/CPlatform/include Sources/TrajpackFormat/*.swift tools/fuzz/index_fuzz.swift $c/*.o -o $out/index_fuzz \
  2>$out/build.log || { cat $out/build.log >&2; exit 1; }
rm -rf $out/seed
.build/release/trajpack convert fixtures/wildworld $out/seed --video link --quiet
.venv/bin/python tools/fuzz/seed.py $out/seed/shard-000000.h5 $out/corpus/shard
exec $out/index_fuzz -max_total_time="${1:-300}" -max_len=40000 -rss_limit_mb=2000 -timeout=10 \
  -artifact_prefix=tools/fuzz/found/ $out/corpus

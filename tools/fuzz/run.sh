#!/usr/bin/env bash
# Fuzzes what parses bytes of strangers, with libFuzzer and AddressSanitizer: run.sh SECONDS [TARGET...]. So many seconds for each
# target; 0 only reads the corpora, once. Needs .venv (make setup).
# The seed corpus and what was found once lie in tools/fuzz/corpus, what grows in .build/fuzz/corpus, findings in tools/fuzz/found.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:?how many seconds for each target}
shift
out=.build/fuzz
program=$out/fuzz
export TRAJPACK_FUZZ=1

build() {
  local r
  # SwiftPM renames main, so it builds the modules and clang links them; libhdf5, FFmpeg and libcurl are loaded when first needed.
  # A target in C that only links is built by its own name.
  for target in CLazyLoading CHDF5Shims CFFmpegShims CCurlShims CPlatform CVideoTable TrajpackFuzz; do
    swift build -c release --scratch-path $out --target $target --sanitize address -Xswiftc -sanitize=fuzzer \
      -Xswiftc -enable-testing -Xcc -fsanitize=fuzzer-no-link >$out.log 2>&1 || { tail -n 60 $out.log >&2; exit 1; }
  done
  r=$(swift build -c release --scratch-path $out --show-bin-path)
  objects=()
  for module in Format Codecs Remote Store Signal Loader Validate Evaluate Video HDF5 Sources Reports Fuzz; do
    objects+=("$r/Trajpack$module.build"/*.o)
  done
  mapfile -t c < <(find "$r"/C*.build -name '*.o' ! -path '*CDemo*')
  swiftc -sanitize=fuzzer,address "${objects[@]}" "${c[@]}" -lz -lbz2 -llzma -lzstd -llz4 -o $program 2>&1 \
    | { grep -v 'warning: Cannot export local symbol' || true; }
}

mkdir -p $out tools/fuzz/found
build
targets=("$@")
if [ ${#targets[@]} = 0 ]; then mapfile -t targets < <(TRAJPACK_FUZZ_TARGET="" $program); fi
export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 SWIFT_BACKTRACE=enable=no
bad=0
for target in "${targets[@]}"; do
  mkdir -p $out/corpus/"$target"
  echo "== $target"
  runs=()
  if [ "$seconds" = 0 ]; then runs=(-runs=0); else runs=(-max_total_time="$seconds"); fi
  # Containers go through FFmpeg, which writes to the standard error.
  TRAJPACK_FUZZ_TARGET=$target $program "${runs[@]}" -max_len=20000 -rss_limit_mb=2000 -timeout=10 -print_final_stats=1 \
    -verbosity=0 -artifact_prefix=tools/fuzz/found/"$target"- $out/corpus/"$target" tools/fuzz/corpus/"$target" 2>$out/"$target".log || bad=1
  grep -E "stat::number_of_executed_units|ERROR|SUMMARY|Fatal|cov:" $out/"$target".log | tail -n 6 || true
done
exit $bad

#!/bin/sh
# Fuzzes the targets named, or all of them, one after the other; each begins with the fixtures.
#
#   tests/fuzz/run.sh [TARGET...]      TIME=1200 seconds each, FUZZ=/tmp/llmgate-fuzz for all that is made
#
# What breaks a law lies in $FUZZ/artifacts/TARGET. Cut it down (`cargo +nightly fuzz tmin --fuzz-dir tests/fuzz
# -s none TARGET FILE`), put it into fixtures/fuzz/TARGET, repair what it shows: tests/it/fuzz.rs reads it ever after.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
fuzz=${FUZZ:-${TMPDIR:-/tmp}/llmgate-fuzz}
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$fuzz/target}"
[ $# -gt 0 ] || set -- head body sse anthropic gemini openai_chat openai_responses config state

# seed BYTES FILE...: each file into the corpus, behind the bytes that a law reads first.
seed() {
    first=$1
    shift
    for file in "$@"; do
        name=$(printf %s "$first-$file" | cksum | cut -d ' ' -f 1)
        { printf "$first"; cat "$file"; } > "$corpus/$name"
    done
}

for target in "$@"; do
    corpus=$fuzz/corpus/$target
    mkdir -p "$corpus" "$fuzz/artifacts/$target"
    protocol=$(printf %s "$target" | tr _ -)
    cd "$root/fixtures"
    case $target in
    head | body | state) ;;
    sse) seed '\003\377' streams/*/* faults/*/* ;;
    config) seed '' config/valid/*.yaml config/invalid/*.yaml import/*.yaml import/*.json ;;
    *)
        seed 'q\123' requests/"$protocol"/*
        seed 'a\322' responses/"$protocol"/* errors/"$protocol"/*
        seed 's\345' streams/"$protocol"/* faults/"$protocol"/*
        ;;
    esac
    [ ! -d "fuzz/$target" ] || cp fuzz/"$target"/* "$corpus"
    # The words of protocols and configuration.
    grep -rhoE '"[A-Za-z_.-]{2,40}"|^ *[a-z_]{2,20}:' requests responses streams config |
        tr -d ' "' | sort -u | sed 's/.*/"&"/' > "$fuzz/words.dict"
    cd "$root"
    cargo +nightly fuzz run --fuzz-dir tests/fuzz --sanitizer none -a "$target" "$corpus" -- \
        -artifact_prefix="$fuzz/artifacts/$target/" -dict="$fuzz/words.dict" -max_total_time="${TIME:-1200}" \
        -rss_limit_mb=2048 -timeout=20 -max_len=65536 -print_final_stats=1
done

#!/bin/sh
# llmgate run codex, with the binary found or built. Options and `-- ARGS` as in docs/CLIENTS.md.
set -eu
script=$(readlink -f -- "$0" 2>/dev/null || echo "$0") # perhaps through a link from a folder of PATH
checkout=$(CDPATH='' cd -- "$(dirname -- "$script")/.." && pwd)
built=$checkout/target/release/llmgate

binary='' previous=''
for word in "$@"; do
    case $previous:$word in
        *:--) break ;;
        --binary:*) binary=$word ;;
        *:--binary=*) binary=${word#--binary=} ;;
    esac
    previous=$word
done
if [ -z "$binary" ]; then
    if [ -n "${LLMGATE_BIN:-}" ]; then
        binary=$LLMGATE_BIN
    elif [ -x "$built" ]; then
        binary=$built
    elif [ -x "$checkout/llmgate" ]; then # an unpacked release
        binary=$checkout/llmgate
    elif ! binary=$(command -v llmgate); then
        (cd "$checkout" && cargo build --locked --release >&2)
        binary=$built
    fi
fi
exec "$binary" run codex "$@"

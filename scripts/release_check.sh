#!/bin/sh
# The gate of a release: size, start and idle memory of BIN as promised, TLS as the static build has it, and a
# unit that systemd takes.
#   scripts/release_check.sh BIN      BIN: the static build, for this machine. Ends with 1 if any check failed
set -eu
if [ $# -ne 1 ] || ! [ -x "$1" ]; then
    echo "usage: scripts/release_check.sh BIN" >&2
    exit 2
fi
binary=$(CDPATH='' cd -- "$(dirname -- "$1")" && pwd)/$(basename -- "$1")
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

failed=0
cargo bench --quiet --locked --bench load -- "$binary" binary ready idle || failed=1

if cargo test --quiet --locked --target "$(uname -m)-unknown-linux-musl" --test it upstream:: >"$work/said" 2>&1; then
    echo "pass  TLS"
else
    cat "$work/said"
    echo "FAIL  TLS"
    failed=1
fi

"$binary" service print --systemd >"$work/llmgate.service"
if ! command -v systemd-analyze >/dev/null; then
    echo "open  systemd unit  not verified (no systemd-analyze)"
elif systemd-analyze verify --man=no "$work/llmgate.service" >"$work/said" 2>&1 && ! grep -F llmgate "$work/said"; then
    echo "pass  systemd unit"
else
    cat "$work/said"
    echo "FAIL  systemd unit"
    failed=1
fi
exit $failed

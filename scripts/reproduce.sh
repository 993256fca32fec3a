#!/bin/sh
# Builds and packs the last commit twice, in two folders with a cargo home each, and compares what came out.
#   scripts/reproduce.sh [TARGET]      default: this machine's, static on Linux. Takes some minutes
set -eu
cd "$(dirname "$0")/.."

cargo fetch --locked --quiet
crates=${CARGO_HOME:-$HOME/.cargo}/registry
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset CARGO_TARGET_DIR

for place in one two/deeper; do
    git clone --quiet . "$work/$place/llmgate"
    mkdir -p "$work/$place/home"
    cp -R "$crates" "$work/$place/home/registry"
    (
        cd "$work/$place/llmgate"
        binary=$(CARGO_HOME=$work/$place/home scripts/dist.sh "$@" | head -n 1)
        cp "$binary" target/dist/llmgate
        cd target/dist && sha256sum llmgate ./*.tar.gz
    ) >"$work/sums"
    cat "$work/sums"
    mv "$work/sums" "$work/sums-${place%%/*}"
done
if grep -l -a -F -e "$work" -e "$HOME/.cargo" "$work"/*/llmgate/target/dist/llmgate "$work"/two/deeper/llmgate/target/dist/llmgate 2>/dev/null; then
    echo "a path of this machine is in the binary" >&2
    exit 1
fi
if cmp -s "$work/sums-one" "$work/sums-two"; then
    echo "equal"
else
    echo "they differ" >&2
    exit 1
fi

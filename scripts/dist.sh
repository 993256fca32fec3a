#!/bin/sh
# Builds for each TARGET and packs DIST/llmgate-VERSION-TARGET.tar.gz (binary, completions, scripts, docs,
# licence) with DIST/SHA256SUMS. The same sources and tools make the same bytes, wherever they lie.
#   scripts/dist.sh [--binary] [TARGET...]     --binary: build only. Default: this machine's, static on Linux
set -eu
cd "$(dirname "$0")/.."

pack=yes
if [ "${1:-}" = --binary ]; then
    pack=no
    shift
fi
host=$(rustc -vV | sed -n 's/^host: //p')
case $host in
    *-linux-*) host=${host%%-*}-unknown-linux-musl ;;
esac
[ $# -gt 0 ] || set -- "$host"

built=${CARGO_TARGET_DIR:-target}
dist=$built/dist
version=$(sed -n '/^version = /{s/^version = "\(.*\)"$/\1/p;q;}' Cargo.toml)
# They would take the place of the flags below, and of those in .cargo/config.toml.
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS

# The path of a target's binary, built. No path of this machine gets into it.
build() {
    if ! [ -d "$(rustc --print sysroot)/lib/rustlib/$1/lib" ]; then
        echo "no Rust libraries for $1: rustup target add $1" >&2
        return 1
    fi
    cargo fetch --locked --quiet
    flags="'--remap-path-prefix=$PWD=/llmgate'"
    for index in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*; do
        flags="$flags, '--remap-path-prefix=$index=/crates'"
    done
    cargo build --locked --release --target "$1" --config "target.$1.rustflags = [$flags]" >&2
    case $1 in
        *windows*) echo "$built/$1/release/llmgate.exe" ;;
        *) echo "$built/$1/release/llmgate" ;;
    esac
}

# A completion script, told by the program itself, or by one for this machine.
completions() {
    "$binary" completions "$1" 2>/dev/null || cargo run --quiet --locked -- completions "$1"
}

# One archive: sorted, one time, one owner, where tar is GNU's.
archive() {
    name=llmgate-$version-$1
    mkdir -p "$dist/$name/completions" "$dist/$name/scripts"
    cp "$binary" README.md LICENSE "$dist/$name"
    cp -R docs "$dist/$name/docs"
    cp scripts/run_*_proxy.sh "$dist/$name/scripts"
    completions bash >"$dist/$name/completions/llmgate.bash"
    completions zsh >"$dist/$name/completions/_llmgate"
    completions fish >"$dist/$name/completions/llmgate.fish"
    chmod -R u=rwX,go=rX "$dist/$name"
    same=
    if tar --version | grep -q GNU; then
        same="--sort=name --mtime=@$(git log -1 --format=%ct 2>/dev/null || echo 0) --owner=0 --group=0 --numeric-owner --format=ustar"
    fi
    # shellcheck disable=SC2086 # words
    tar -C "$dist" $same -cf - "$name" | gzip -9n >"$dist/$name.tar.gz"
    rm -r "$dist/${name:?}"
}

[ $pack = no ] || { rm -rf "$dist" && mkdir -p "$dist"; }
for target; do
    binary=$(build "$target")
    echo "$binary"
    [ $pack = no ] || archive "$target"
done
if [ $pack = yes ]; then
    cd "$dist"
    if command -v sha256sum >/dev/null; then sha256sum ./*.tar.gz; else shasum -a 256 ./*.tar.gz; fi | sed 's,\./,,' >SHA256SUMS
    cat SHA256SUMS
fi

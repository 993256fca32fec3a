#!/bin/sh
# Executes the commands of README.md and docs/*.md: every line of a ```sh block, in a home of its own, beside a
# running demo. What is not executed stands in the table below with its reason; whatever else fails is a failure.
# Of each `llmgate ...` in the text the command and its options must exist, and each link must lead to a file.
#   scripts/check_docs.sh BINARY [AGENTS]
# AGENTS is a folder with the real agents: they answer where a command needs no terminal. Otherwise, stand-ins do.
set -eu

# PATTERN of the whole command | why it is not executed
not_executed() {
    cat <<'TABLE'
npm install *|installs software
uv tool install *|installs software
cargo install *|installs software
cargo run *|builds; what it starts is executed as `llmgate start --demo`
make check|builds; it is the gate itself
make dist|builds; the release workflow runs it
scripts/dist.sh *|builds; the release workflow runs it
docker *|needs docker
sha256sum *SHA256SUMS|needs a release archive
tar xzf *|needs a release archive, and installs software
TABLE
}

binary=$(cd "$(dirname "${1:?BINARY}")" && pwd)/$(basename "$1")
agents=${2:+$(cd "$2" && pwd)}
cd "$(dirname "$0")/.."
checkout=$PWD
work=$(mktemp -d)
server='' address=''
trap '[ -z "$server" ] || kill "$server"; rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

# The nth block of a language on a page.
block() {
    awk -v head="^\`\`\`$2\$" -v nth="$3" '$0 ~ head {n++; on = n == nth; next} /^```/ {on = 0} on' "$1"
}

# A folder to work in, with what the pages speak of.
mkdir -p "$work/bin" "$work/stand-ins" "$work/home" "$work/here"
ln -s "$checkout/scripts" "$work/here/scripts"
block README.md yaml 1 >"$work/here/llmgate.yaml"
cat >"$work/demo.yaml" <<'YAML'
version: 1
default_model: demo
providers: {demo: {base_url: "demo:", models: {steady: {context: 200000, price: {input: 0, output: 0}}}}}
models: {demo: demo/steady, coding: demo/steady, "*": demo/steady}
YAML
for agent in codex claude gemini opencode qwen copilot kilo kimi vibe aider cline; do
    printf '#!/bin/sh\necho "stand-in 1.0.0: $*"\n' >"$work/stand-ins/$agent"
done
# Whoever starts a proxy leaves its process id, so that it can be ended.
cat >"$work/bin/llmgate" <<SHIM
#!/bin/sh
[ "\$1" != start ] || echo "\$\$" >"$work/started"
exec "$binary" "\$@"
SHIM
# An error answer is a failure.
printf '#!/bin/sh\nexec "%s" --silent --show-error --fail-with-body "$@"\n' "$(command -v curl)" >"$work/bin/curl"
chmod +x "$work"/bin/* "$work"/stand-ins/*
limit=
if command -v timeout >"$work/none"; then limit='timeout 100'; fi

# Executes one command as its reader would; what it says is in $work/said.
execute() {
    path=$work/bin:$work/stand-ins:$PATH
    case $1 in
        *' hello') path=$work/bin:${agents:-$work/stand-ins}:$PATH ;;
    esac
    # shellcheck disable=SC2086 # words
    (cd "$work/here" && env -i PATH="$path" HOME="$work/home" TERM=dumb LLMGATE_BIN="$binary" \
        LLMGATE_CONFIG="$work/demo.yaml" LLMGATE_LISTEN="$2" ANTHROPIC_API_KEY=none WORK_KEY=none \
        $limit sh -c "$1" </dev/null >"$work/said" 2>&1)
}

# Waits until a file holds a text; for at most 20 s.
await() {
    for _ in $(seq 200); do
        if grep -q "$2" "$1" 2>"$work/none"; then return; fi
        sleep 0.1
    done
    return 1
}

# The proxy that the pages speak to; a page may have ended it.
serve() {
    if [ -n "$server" ] && "$binary" health --url "http://$address" >"$work/none" 2>&1; then return; fi
    rm -f "$work/ready"
    env -i HOME="$work/home" "$binary" start --config "$work/demo.yaml" --listen "${address:-127.0.0.1:0}" \
        --ready-file "$work/ready" >"$work/none" 2>&1 &
    server=$!
    await "$work/ready" url
    address=$(sed 's,.*"url":"http://\([^"]*\)".*,\1,' "$work/ready")
}

# A text with the proxy's address in it.
address_of() { sed "s/127\.0\.0\.1:8080/$address/g; s/0\.0\.0\.0:8080/127.0.0.1:0/g"; }

# `start` runs until somebody ends it: it must say where it listens, and end well.
start() {
    rm -f "$work/started"
    : >"$work/said"
    execute "$1" 127.0.0.1:0 &
    shell=$!
    if ! await "$work/said" '^listening on '; then
        wait "$shell" || true
        return 1
    fi
    kill "$(cat "$work/started")"
    wait "$shell"
}

why_not() {
    not_executed | while IFS='|' read -r pattern reason; do
        # shellcheck disable=SC2254 # a pattern is meant
        case $1 in $pattern) echo "$reason" ;; esac
    done
}

failures=0
fail() {
    failures=$((failures + 1))
    echo "FAILED       $1"
    awk '{print "             | " $0}' "$work/said"
}

check() {
    command=$(printf '%s\n' "$2" | sed 's/  *# .*$//')
    reason=$(why_not "$command")
    if [ -n "$reason" ]; then
        echo "not executed $1 $command ($reason)"
        return
    fi
    serve
    meant=$(printf '%s\n' "$command" | address_of)
    case " $command " in
        *' llmgate start '*) how=start ;;
        *) how=execute ;;
    esac
    if $how "$meant" "$address"; then echo "executed     $1 $command"; else fail "$1 $command"; fi
}

# `llmgate COMMAND --option` in a text, up to what is the agent's own.
check_words() {
    : >"$work/said"
    # shellcheck disable=SC2086 # words
    set -- "$1" $2
    place=$1 first=${3:-} second=${4:-}
    "$binary" help "$first" "$second" >"$work/help" 2>&1 || "$binary" help "$first" >"$work/help" 2>&1 || {
        fail "$place llmgate $first: no such command"
        return
    }
    shift 2
    for word; do
        case $word in
            --) return ;;
            --*) grep -q -e "$(printf '%s' "$word" | sed 's/[^a-z-].*//')" "$work/help" || fail "$place llmgate $first $word" ;;
        esac
    done
}

pages="README.md $(echo docs/*.md)"
tab=$(printf '\t')
serve
mkdir -p "$work/home/.codex" "$work/home/.gemini"
block docs/CLIENTS.md toml 1 | address_of >"$work/home/.codex/config.toml"
block docs/CLIENTS.md json 1 >"$work/home/.gemini/settings.json"
block docs/CLIENTS.md json 2 | address_of >"$work/here/opencode.json"
# shellcheck disable=SC2086 # words
awk '/^```sh$/ {on = 1; next} /^```/ {on = 0}
    on && NF && !/^#/ {print FILENAME ":" FNR "\t" $0}' $pages >"$work/commands"
while IFS=$tab read -r place command; do check "$place" "$command" </dev/null; done <"$work/commands"

# shellcheck disable=SC2086,SC2016 # words; backquotes are meant
grep -no '`llmgate [a-z][^`]*`' $pages | sed "s/:\`/$tab/; s/\`\$//" >"$work/words"
while IFS=$tab read -r place words; do check_words "$place" "$words"; done <"$work/words"

# shellcheck disable=SC2086 # words
grep -no '](\([A-Za-z][A-Za-z0-9_./-]*\)' $pages | sed "s/:](/$tab/" >"$work/links"
while IFS=$tab read -r place link; do
    : >"$work/said"
    [ -e "$(dirname "${place%%:*}")/$link" ] || fail "$place $link: no such file"
done <"$work/links"

echo "$(wc -l <"$work/commands") commands, $(wc -l <"$work/words") mentions, $(wc -l <"$work/links") links, $failures failures"
[ "$failures" = 0 ]

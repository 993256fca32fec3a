#!/bin/sh
# A client that writes down its words, environment, directory, file limit and process, and what the
# system shows it of the program that started it; says `ready`, and then waits until its input ends, or ends as $FAKE says. As `cargo` it tells what it is asked.
case $0 in
    */cargo) echo "$PWD $*" >&2; exit 5 ;;
esac
out=$FAKE_OUT
for word in "$@"; do printf '%s\n' "$word"; done > "$out/argv"
env > "$out/env"
pwd > "$out/cwd"
ulimit -n > "$out/files"
echo $$ > "$out/pid"
cat "/proc/$$/environ" > "$out/own" 2> "$out/none"
cat "/proc/$PPID/environ" > "$out/parents" 2> "$out/none"
case $FAKE in
    exit:*) echo ready; exit "${FAKE#exit:}" ;;
    die:*) echo ready; kill -"${FAKE#die:}" $$ ;;
    deaf) trap '' TERM HUP ;;
    *) trap 'echo TERM >> "$out/signals"; exit 43' TERM; trap 'echo HUP >> "$out/signals"; exit 44' HUP ;;
esac
exec 3<&0
cat <&3 > "$out/input" &
echo ready
wait $!
exit 0

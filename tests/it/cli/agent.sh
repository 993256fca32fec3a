#!/bin/sh
# Coding agents, as far as `doctor` asks them: an old Claude Code, and a new Codex that shows the file
# which `-c model_catalog_json="FILE"` names.
case "$0 $1" in
    */claude*) echo '1.0.3 (Claude Code)' ;;
    *--version) echo 'codex-cli 999.0.0' ;;
    *)
        file=${2#*\"}
        cat "${file%\"}"
        ;;
esac

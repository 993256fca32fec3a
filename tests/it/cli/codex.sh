#!/bin/sh
# A Codex that shows the file which `-c model_catalog_json="FILE"` names.
if [ "$1" = --version ]; then
    echo codex-cli 999.0.0
    exit 0
fi
file=${2#*\"}
cat "${file%\"}"

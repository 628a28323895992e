#!/bin/bash
# link.sh COMMAND...: runs a linking command without gold's warnings of each name that the sanitizers' runtime lists for
# export and keeps to itself.
set -o pipefail
"$@" 2>&1 | { grep -v "warning: Cannot export local symbol '__" || true; }

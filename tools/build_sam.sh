#!/bin/sh
# Validate the template with aws-sam-cli and, where Python 3.13 runs, build what would be deployed.
set -eu

sam=.tools/sam/bin/sam
export SAM_CLI_TELEMETRY=0
"$sam" validate --lint --template template.yaml

if python=$(sh tools/find_python.sh 3.13 2>/dev/null); then
    PATH="$(dirname "$python"):$PATH" "$sam" build --cached --parallel \
        --parameter-overrides Architecture="$ARCHITECTURE"
    # A zip without .pyc compiles at every cold start, on a disk it cannot write to: twice the time.
    "$python" -m compileall -q --invalidation-mode unchecked-hash .aws-sam/build
else
    echo "sam build was skipped: it needs the functions' own Python 3.13 on the PATH" >&2
    echo "  pyenv install 3.13, or https://www.python.org/downloads/" >&2
fi

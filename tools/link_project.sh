#!/bin/sh
# Install this checkout into an environment as `pip install -e .` would, without a network: the
# build backend is there already, hash-locked.
#   tools/link_project.sh FOLDER
set -eu

folder=$1
if [ -x "$folder/bin/uv" ]; then
    "$folder/bin/uv" pip install --quiet --offline --python "$folder/bin/python" \
        --no-deps --no-build-isolation --editable . && exit 0
fi
"$folder/bin/python" -m pip install --disable-pip-version-check --quiet --no-index \
    --no-deps --no-build-isolation --editable .

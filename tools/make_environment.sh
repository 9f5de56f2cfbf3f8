#!/bin/sh
# Make a virtual environment and install hash-locked requirements into it.
#   tools/make_environment.sh PYTHON FOLDER REQUIREMENTS.txt...
# uv installs when it can be had, pip when it cannot; both refuse a file whose hash is not locked.
set -eu

python=$1
folder=$2
shift 2

if [ ! -x "$folder/bin/python" ]; then
    "$python" -m venv "$folder" || {
        rm -rf "$folder"
        echo "$python cannot make a virtual environment: its venv module or ensurepip is missing." >&2
        echo "  Debian, Ubuntu   sudo apt-get install python3-venv" >&2
        exit 1
    }
fi

pip() { "$folder/bin/python" -m pip --disable-pip-version-check --quiet "$@"; }

setting() { # what pip is told by its files or environment, for uv, which reads neither
    "$folder/bin/python" -m pip config get ":env:.$1" 2>/dev/null ||
        "$folder/bin/python" -m pip config get "global.$1" 2>/dev/null || true
}

install_with_uv() {
    uv="$folder/bin/uv"
    [ -x "$uv" ] || return 1
    index=$(setting index-url)
    links=$(setting find-links)
    [ -n "$index" ] && export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$index}"
    [ -n "$links" ] && export UV_FIND_LINKS="${UV_FIND_LINKS:-$links}"
    "$uv" pip install --quiet --python "$folder/bin/python" --require-hashes "$@"
}

here=$(dirname "$0")/..
[ -x "$folder/bin/uv" ] ||
    pip install --require-hashes -r "$here/requirements/build.txt" ||
    echo "uv could not be installed; pip does its work, more slowly" >&2

arguments=""
for file in "$@"; do arguments="$arguments -r $file"; done
# shellcheck disable=SC2086 # one word per argument is meant; the names hold no spaces
install_with_uv $arguments || pip install --require-hashes $arguments || {
    echo "The locked requirements could not be installed. A package index must be reachable once;" >&2
    echo "for a mirror set PIP_INDEX_URL. After that nothing here needs a network." >&2
    exit 1
}

#!/bin/sh
# Make a virtual environment and install hash-locked requirements into it.
#   tools/make_environment.sh PYTHON FOLDER REQUIREMENTS.txt...
# uv installs when it can be had, pip when it cannot; both refuse a file whose hash is not locked.
# SIGNALBOX_CHECKOUT may name another checkout: where its environment of the same name holds the very
# same requirements, the new one is put on top of that and installs nothing. Builds on the laptop's
# AWS are told so.
set -eu

python=$1
folder=$2
shift 2

record() { echo "$folder/.installed-$(basename "$1")"; }

checkout=${SIGNALBOX_CHECKOUT:-}
other=$checkout/$folder

is_installed_there() {
    [ -n "$checkout" ] && [ -x "$other/bin/python" ] || return 1
    for file in "$@"; do cmp -s "$file" "$checkout/$(record "$file")" || return 1; done
}

take_over() { # an environment of its own: what is installed or removed in it stays in it
    "$other/bin/python" -m venv --without-pip "$folder"
    for packages in "$folder"/lib/python*/site-packages; do
        # A .pth file in the folder that this line names is not read: the other checkout's own code
        # is not found through it.
        echo "$other/${packages#"$folder"/}" >"$packages/_checkout.pth"
    done
    for program in "$other"/bin/*; do
        own=$folder/bin/$(basename "$program")
        if [ -e "$own" ] || [ ! -f "$program" ]; then continue; fi
        cp -p "$program" "$own"
        if head -n 3 "$program" | LC_ALL=C grep -q "$other/bin/python"; then start_with_own_python "$own"; fi
    done
}

start_with_own_python() { # by way of /bin/sh: a kernel cuts a long first line
    rest=$(mktemp)
    case $(head -n 1 "$1") in
    '#!/bin/sh') tail -n +4 "$1" >"$rest" ;; # pip writes long first lines the same way
    *) tail -n +2 "$1" >"$rest" ;;
    esac
    {
        printf '#!/bin/sh\n%s "%s" "$0" "$@"\n%s\n' "'''exec'" "$(cd "$folder" && pwd)/bin/python" "' '''"
        cat "$rest"
    } >"$1"
    rm "$rest"
}

if is_installed_there "$@"; then
    [ -x "$folder/bin/python" ] || take_over
    exit 0
fi

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
for file in "$@"; do cp "$file" "$(record "$file")"; done

#!/bin/sh
# Print the first Python that runs and is new enough, or exactly the version asked for.
#   tools/find_python.sh          any of 3.11 or later, the functions' own 3.13 preferred
#   tools/find_python.sh 3.13     3.13 only, also from pyenv's versions
# A shim may exist and not run, so every candidate is run. Exit 1 and a word to the reader if none does.
set -u

runs() { # candidate, condition
    "$1" -c "import sys; sys.exit(not ($2))" >/dev/null 2>&1
}

if [ $# -eq 1 ]; then
    condition="sys.version_info[:2] == tuple(map(int, '$1'.split('.')))"
    candidates="python$1 $(ls -d "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$1"*/bin/"python$1" 2>/dev/null)"
    wanted="Python $1"
else
    condition="sys.version_info >= (3, 11)"
    candidates="python3.13 python3.12 python3.11 python3.14 python3 python"
    wanted="Python 3.11 or later"
fi

for candidate in $candidates; do
    if runs "$candidate" "$condition"; then
        command -v "$candidate"
        exit 0
    fi
done

cat >&2 <<MISSING
$wanted was not found on the PATH.
  Debian, Ubuntu   sudo apt-get install python3 python3-venv
  Fedora           sudo dnf install python3
  macOS            brew install python
  anywhere         https://www.python.org/downloads/
Or name one: make PYTHON=/path/to/python3 ...
MISSING
exit 1

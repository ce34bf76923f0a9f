#!/usr/bin/env bash
# Checks mtbert on a GPU: is it right, how fast is it, what do the experiments say (docs/gpu.md).
#
#   tools/gpu_check.sh [--wheels FOLDER] [--encoder FOLDER] [--data FOLDER] [--output FOLDER] …
#   tools/gpu_check.sh --help
#
# It needs a checkout and a Python (PYTHON, default python3) that has torch; what else is missing
# there is taken from the wheels, into a temporary folder. Nothing is installed for good.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=${PYTHON:-python3}
export PYTHONPATH="$root:$root/src${PYTHONPATH:+:$PYTHONPATH}"

wheels= size=
arguments=("$@")
for ((i = 0; i < $#; i++)); do
    case ${arguments[i]} in
        --wheels) wheels=${arguments[i + 1]-} ;;
        --wheels=*) wheels=${arguments[i]#--wheels=} ;;
        --size) size=1 ;;
    esac
done

# Wheels of what is not there. What pydantic needs goes with it, for it asks for certain versions.
lacking() {
    "$python" - "$wheels"/*.whl << 'END'
import sys
from importlib import metadata
from pathlib import Path

ITS_OWN = {"annotated_types", "pydantic_core", "typing_extensions", "typing_inspection"}


def there(name):
    try:
        return bool(metadata.version(name))
    except metadata.PackageNotFoundError:
        return False


for file in sys.argv[1:]:
    name = Path(file).name.split("-")[0]
    if not there("pydantic" if name in ITS_OWN else name):
        print(file)
END
}

if [[ -n $wheels && -z $size ]]; then
    unpacked=$(mktemp -d)
    trap 'rm -rf "$unpacked"' EXIT
    mapfile -t files < <(lacking)
    if ((${#files[@]})); then
        "$python" -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
            --no-index --no-deps --target "$unpacked" "${files[@]}" ||
            # A wheel is an archive of what is to be installed.
            for file in "${files[@]}"; do "$python" -m zipfile -e "$file" "$unpacked"; done
        export PYTHONPATH="$unpacked:$PYTHONPATH"
    fi
fi

# Signals reach Python, which writes what it has before it ends.
"$python" -m benchmarks.gpu "$@" &
child=$!
trap 'kill -TERM "$child" 2> /dev/null || true' TERM INT
code=0
wait "$child" || code=$?
while kill -0 "$child" 2> /dev/null; do
    code=0
    wait "$child" || code=$?
done
exit "$code"

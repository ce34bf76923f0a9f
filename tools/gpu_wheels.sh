#!/usr/bin/env bash
# Fetches the wheels that a machine with torch and transformers lacks for mtbert, for CPython 3.12 on
# Linux (x86-64), in the versions of requirements.lock and checked against its hashes.
#
#   tools/gpu_wheels.sh FOLDER
set -euo pipefail

folder=${1:?"usage: tools/gpu_wheels.sh FOLDER"}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
names='annotated-types cloudpickle joblib pydantic pydantic-core ruamel-yaml tabulate threadpoolctl tqdm
    typing-extensions typing-inspection'

lines=$(mktemp)
trap 'rm -f "$lines"' EXIT
# A block is the line that names the package and the indented lines under it.
awk -v names="$names" '
    BEGIN { split(names, list); for (i in list) wanted[list[i]] = 1 }
    /^[A-Za-z0-9]/ { split($0, parts, "=="); keep = (parts[1] in wanted) }
    keep && !/^ *#/
' "$root/requirements.lock" > "$lines"

mkdir -p "$folder"
rm -f "$folder"/*.whl
"${PYTHON:-python3}" -m pip download --quiet --disable-pip-version-check --require-hashes \
    --no-deps --only-binary=:all: --implementation cp --python-version 3.12 \
    --platform manylinux_2_28_x86_64 --platform manylinux_2_17_x86_64 \
    --platform manylinux2014_x86_64 --dest "$folder" --requirement "$lines"

expected=$(wc -w <<< "$names")
found=$(find "$folder" -name '*.whl' | wc -l)
if [[ $found -ne $expected ]]; then
    echo "$folder: $found wheels, expected $expected: $names" >&2
    exit 1
fi
du -ch "$folder"/*.whl

#!/usr/bin/env bash
# Writes requirements.lock: every package `make setup` installs, pinned, with hashes.
#
#   tools/lock.sh torch==X.Y.Z [resolver options]
#
# It is made for CPython 3.11 and up on every platform. torch itself and the packages that only
# its CUDA builds need are left out, since which build of torch to take is the user's choice; the
# rest of torch's dependencies are in. Versions in the present lock are kept where they still fit;
# `--upgrade` or `--upgrade-package NAME` among the options moves them on.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

torch=${1:?"usage: tools/lock.sh torch==X.Y.Z [resolver options]"}
shift

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check uv==0.13.9

printf '%s\n' "$torch" > "$work/torch.txt"
if [[ -f requirements.lock ]]; then
    cp requirements.lock "$work/solved.txt"
fi

# Only metadata is read: nothing is built or installed.
"$work/venv/bin/uv" pip compile \
    --quiet --no-build --no-header --generate-hashes \
    --universal --python-version 3.11 --fork-strategy fewest \
    --all-extras --override tools/lock-overrides.txt --constraint "$work/torch.txt" \
    --output-file "$work/solved.txt" "$@" \
    pyproject.toml tools/lock.in > /dev/null

{
    echo '# Written by `make lock`; do not edit. See tools/lock.sh.'
    # A block is the line that names the package and the indented lines under it.
    awk '
        /^[A-Za-z0-9]/ {
            name = $1
            sub(/==.*/, "", name)
            keep = name !~ /^(torch|triton|nvidia-.*|cuda-.*)$/
        }
        keep
    ' "$work/solved.txt"
} > "$work/requirements.lock"

if grep -nE '://|^-|(^|[^[:alnum:]])/[[:alnum:]]' "$work/requirements.lock"; then
    echo 'tools/lock.sh: the lock names an index, a host or a path (above)' >&2
    exit 1
fi

cp "$work/requirements.lock" requirements.lock

#!/bin/bash
# lower.sh LOWER OWN FLAGS [plain]: as whoever calls. Reads all of a union and says whether a lower access time moved. plain: not of symlinks, which nobody can read without moving
# their time but through a read-only mount.
set -eu
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
export UNIONFSD_RUN_DIR=$2/run
trap 'unionfsd umount "$2/mnt" 2>/dev/null || true' EXIT
only() { if [ "${1:-}" = plain ]; then grep -v '^link\|^follow'; else cat; fi; }
python3 "$here/times.py" show "$1" | only "${4:-}" >"$2/before"
timeout 60 unionfsd mount --lower "$1" --upper "$2/upper" --work "$2/work" -o "$3" "$2/mnt" </dev/null
timeout 60 python3 "$here/times.py" read "$2/mnt"
timeout 60 unionfsd umount "$2/mnt"
python3 "$here/times.py" show "$1" | only "${4:-}" >"$2/after"
diff "$2/before" "$2/after"

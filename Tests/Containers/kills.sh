# shellcheck shell=bash
# Any of the processes is killed at a random moment, again and again, while containers are made, started, stopped, committed, removed and images imported. Sourced by run.
#
# `inside COMMAND...` runs something where the mounts are; `as` is what a command is begun with.
# `after_kill` looks whether all is in order at once.
# What must hold afterwards: no container that was there is lost, nor what was written into it; and the next commands find, or take away, whatever the dead left behind.

heading "$kills kills, seed $seed"
mkdir -p small/bin && cp /bin/true small/bin && echo small >small/file
u image import -q -n small:1 small >/dev/null
# cycle N: what a user does. Each step may be cut short.
cycle() {
    local name=k$1
    "${as[@]}" "$BIN/unionfsd" create --name "$name" base:1 >/dev/null 2>&1 || return 0
    "${as[@]}" "$BIN/unionfsd" start "$name" >/dev/null 2>&1 || return 0
    # shellcheck disable=SC2016
    inside sh -c 'echo "$2" >"$1/opt/mine" && sync "$1/opt/mine"' write "$(merged "$name")" "$name" 2>/dev/null && echo "$name" >>written || return 0
    "${as[@]}" "$BIN/unionfsd" commit "$name" "$name:1" >/dev/null 2>&1
    echo "$name" >small/file && "${as[@]}" "$BIN/unionfsd" image import -q -n "$name:small" small >/dev/null 2>&1
    "${as[@]}" "$BIN/unionfsd" stop "$name" >/dev/null 2>&1
    "${as[@]}" "$BIN/unionfsd" start "$name" >/dev/null 2>&1
    if [ $(($1 % 3)) = 0 ]; then
        echo "$name" >>removed
        "${as[@]}" "$BIN/unionfsd" rm -f "$name" >/dev/null 2>&1
    fi
    return 0
}
touch written removed
struck=0
for ((i = 1; i <= kills; i++)); do
    cycle "$i" </dev/null &
    job=$! victim=
    sleep "0.$(printf %03d $((RANDOM % 600)))"
    case $((RANDOM % 4)) in
    0) victim=$(pgrep -P $job | head -n 1 || true) ;;
    1) victim=$(supervisor || true) ;;
    2) victim=$(pgrep -f "unionfsd-mount.*$store" | shuf -n 1 --random-source=<(yes "$RANDOM") || true) ;;
    3) victim=$(pgrep -f "unionfsd .*k$i" | head -n 1 || true) ;;
    esac
    [ -z "${victim:-}" ] || { kill -KILL $victim 2>/dev/null && struck=$((struck + 1)); }
    wait $job 2>/dev/null || true
    after_kill
done
echo "$struck of $kills found a process"
check "most found one" test $struck -gt $((kills / 2))
# A supervisor to clear up.
check "the next command works" u run --rm base:1 true
sort -u written | while read -r name; do
    grep -qx "$name" removed && continue
    u start "$name" >/dev/null 2>said || { echo "$name: $(<said)"; continue; }
    [ "$(inside cat "$(merged "$name")/opt/mine")" = "$name" ] || echo "$name has lost its file"
done >lost 2>&1
check "no container and nothing in it is lost" is "$(cat lost)" ""
u ps -q | xargs -r timeout 100 "${as[@]}" "$BIN/unionfsd" stop >/dev/null
check "nothing is mounted that should not be" is "$(inside cat /proc/self/mountinfo | grep -F " $store/")" ""
u system prune >/dev/null
rows() { sqlite3 "$store/store.db" "$1" | sort; }
check "each container's directory has a row, and each row a directory" is "$(ls "$store/containers" | sort)" "$(rows 'SELECT id FROM container')"
check "and each layer's" is "$(ls "$store/layers" | sort)" "$(rows "SELECT replace(diff_id, 'sha256:', '') FROM layer")"
check "no leftovers" is "$(ls "$store/tmp")" ""
check "the database is whole" is "$(rows 'PRAGMA integrity_check'; rows 'PRAGMA foreign_key_check')" ok
all_run() { local name; for name in $(u image ls --json | jq -r '.[].names[]' | grep -v small); do u run --rm "$name" true || return 1; done; }
check "all images can be used" all_run
check "lower layers untouched" lowers_untouched

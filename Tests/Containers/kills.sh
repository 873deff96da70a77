# shellcheck shell=bash
# Any of the processes is killed at a random moment, again and again, while containers are made, started, stopped, committed, removed and images imported. Sourced by run.
#
# What must hold afterwards: no container that was there is lost, nor what was written into it; and the next commands find, or take away, whatever the dead left behind.

heading "$kills kills, seed $seed"
mkdir -p small/bin && cp /bin/true small/bin && echo small >small/file
u image import -q -n small:1 small >/dev/null
# cycle N: what a user does. Each step may be cut short.
cycle() {
    local name=k$1
    "$BIN/unionfsd" create --name "$name" base:1 >/dev/null 2>&1 || return 0
    "$BIN/unionfsd" start "$name" >/dev/null 2>&1 || return 0
    echo "$name" >"$(merged "$name")/opt/mine" 2>/dev/null && sync "$(merged "$name")/opt/mine" && echo "$name" >>written || return 0
    "$BIN/unionfsd" commit "$name" "$name:1" >/dev/null 2>&1
    echo "$name" >small/file && "$BIN/unionfsd" image import -q -n "$name:small" small >/dev/null 2>&1
    "$BIN/unionfsd" stop "$name" >/dev/null 2>&1
    "$BIN/unionfsd" start "$name" >/dev/null 2>&1
    if [ $(($1 % 3)) = 0 ]; then
        echo "$name" >>removed
        "$BIN/unionfsd" rm -f "$name" >/dev/null 2>&1
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
done
echo "$struck of $kills found a process"
check "most found one" test $struck -gt $((kills / 2))
# A supervisor to clear up.
check "the next command works" u run --rm base:1 true
sort -u written | while read -r name; do
    grep -qx "$name" removed && continue
    u start "$name" >/dev/null 2>said || { echo "$name: $(<said)"; continue; }
    [ "$(cat "$(merged "$name")/opt/mine")" = "$name" ] || echo "$name has lost its file"
done >lost 2>&1
check "no container and nothing in it is lost" is "$(cat lost)" ""
u ps -q | xargs -r timeout 100 "$BIN/unionfsd" stop >/dev/null
check "nothing is mounted that should not be" is "$(mounts_below "$store")" ""
u system prune >/dev/null
rows() { sqlite3 "$store/store.db" "$1" | sort; }
check "each container's directory has a row, and each row a directory" is "$(ls "$store/containers" | sort)" "$(rows 'SELECT id FROM container')"
check "and each layer's" is "$(ls "$store/layers" | sort)" "$(rows "SELECT replace(diff_id, 'sha256:', '') FROM layer")"
check "no leftovers" is "$(ls "$store/tmp")" ""
check "the database is whole" is "$(rows 'PRAGMA integrity_check'; rows 'PRAGMA foreign_key_check')" ok
check "all images can be used" bash -c "for i in \$('$BIN/unionfsd' image ls --json | jq -r '.[].names[]' | grep -v small); do '$BIN/unionfsd' run --rm \$i true || exit 1; done"
check "lower layers untouched" lowers_untouched

# shellcheck shell=bash
# The worker of a guarded mount dies at each step of each operation, and its successor at each step of the repair: the caller gets the right answer, and the
# directory goes on. Sourced by run.

# More operations than `part_crash` has: what changes nothing, or only open files.
STRIKE_OPERATIONS="$OPERATIONS
create-open create-open sub/new
create-open-lower create-open file
create-open-over-whiteout create-open gone
read read file
read-upper read up
list list dir
stat stat sub/deep/file
readlink readlink link
write write up
write-lower write file
fallocate fallocate up
copy-range copy-range file up
getxattr getxattr file
set-acl setxattr file
fsync fsync-write up
fsync-new fsync-new sub/new
fsync-directory fsync-dir sub
mkdir mkdir sub/new
setattr-many touch up
unlink-open unlink-open up
unlink-open-lower unlink-open file
"

# guarded OPTIONS: one mount with a guardian, whose workers have one thread for requests: GUARD is its process, worker() the one that serves.
GUARD=
guarded() {
    local try
    "$STRIKE_BIN/unionfsd-mount" --strict -f -o "threads=1,transport=$transport,lowerdir=$PWD/top:$PWD/low,upperdir=$PWD/run/upper,workdir=$PWD/run/work${1:+,$1}" "$PWD/union" 2>>log &
    GUARD=$!
    for try in {1..500}; do
        [ -e union/0 ] && return
        sleep 0.01
    done
    die "no mount after 5 s: $(tail -n 3 log)"
}
# The guardian's child that is not about to end.
worker() {
    local pid
    for pid in $(pgrep -P "$GUARD"); do
        [ "$(awk '$1 == "State:" { print $2 }' "/proc/$pid/status" 2>/dev/null)" = Z ] || echo "$pid"
    done | tail -n 1
}
unguarded() {
    local try
    # A caller that hangs cannot be killed as long as the connection lives.
    umount union 2>/dev/null || umount -f union 2>/dev/null || umount -l union 2>/dev/null || true
    for try in {1..200}; do kill -0 "$GUARD" 2>/dev/null || break; sleep 0.05; done
    kill -KILL "$GUARD" 2>/dev/null || true
    wait "$GUARD" 2>/dev/null || true
}
# within SECONDS COMMAND...: its status, or 124. It may be in state D and then stays until the mount is severed.
within() {
    local seconds=$1 pid try
    shift
    "$@" >within.out 2>&1 &
    pid=$!
    for ((try = 0; try < seconds * 100; try++)); do
        kill -0 "$pid" 2>/dev/null || break
        [ "$(awk '$1 == "State:" { print $2 }' "/proc/$pid/status" 2>/dev/null)" != Z ] || break
        sleep 0.01
    done
    if kill -0 "$pid" 2>/dev/null && [ "$(awk '$1 == "State:" { print $2 }' "/proc/$pid/status" 2>/dev/null)" != Z ]; then
        kill -KILL "$pid" 2>/dev/null || true
        return 124
    fi
    wait "$pid"
}

# strike_once N CALL PATH…: HIT, AGAIN, STATUS.
strike_once() {
    local n=$1 words=("$2") path said status=0 pid
    shift 2
    for path; do words+=("union/$n/$path"); done
    pid=$(worker)
    within 30 "$CHECK" inject --pid "$pid" --guardian "$GUARD" "${how[@]}" -- "$CHECK" call "${words[@]}" || status=$?
    said=$(cat within.out)
    case $said in *exit=*) ;; *) HIT=? AGAIN=- STATUS="inject:$status:$(echo "$said" | tail -n 1)"; return ;; esac
    case $said in *unknown=*) echo "$said" >>unknown ;; esac
    HIT=${said#*hit=} HIT=${HIT%% *}
    AGAIN=${said#*again=} AGAIN=${AGAIN%% *}
    STATUS=${said#*exit=} STATUS=${STATUS%%[!0-9]*}
}

# What is done in the scene afterwards, in every directory that an operation may have had locked.
afterwards() {
    local d
    for d in "union/$1" "union/$1/sub" "union/$1/dir"; do
        [ ! -d "$d" ] || "$CHECK" call afterwards "$d" || return
    done
}

# strike_operation NUMBER NAME CALL PATH…
strike_operation() {
    local number=$1 name=$2 n at got step=1 points=0 twice=0 bad='' kind next run_through=''
    shift 2
    # What is right: once with nobody struck.
    fresh_strike
    : >differences
    how=()
    strike_once 0 "$@"
    [ "$STATUS" = 0 ] || { not_ok "$name: fails by itself: $STATUS"; unguarded; return 0; }
    within 20 manifest union/0 || true
    cp within.out now.manifest
    canonical before/0 now.manifest >new
    canonical before/0 now.manifest loose >newloose
    [ -n "$all" ] || step=3
    n=1
    for kind in kill kill-after; do
        [ -n "$all" ] || [ "$kind" = "$(((number + seed) % 2 == 0))" ] || { [ $(((number + seed) % 2)) = 0 ] && next=kill || next=kill-after; [ "$kind" = "$next" ] || continue; }
        for ((at = 1 + (seed + number) % 2; ; at += step)); do
            # The second death: none, or at one step of the repair; with --all at each, until it runs through.
            local again=0 agains=(0)
            # Every fifth step; another fifth for each of the first deaths, so that together they are all.
            if [ -n "$all" ]; then mapfile -t agains < <(echo 0; seq $((1 + at % 5)) 5 400); else agains=(0 $((1 + RANDOM % 60))); fi
            for again in "${agains[@]}"; do
                [ $n -le "$scenes" ] || { unguarded; fresh_strike; n=1; }
                how=("--$kind" --at "$at")
                [ "$again" = 0 ] || how+=(--again "$again")
                strike_once "$n" "$@"
                [ "$HIT" != - ] || { run_through=1; n=$((n + 1)); break; }
                points=$((points + 1))
                [ "$AGAIN" = - ] || twice=$((twice + 1))
                [ "$STATUS" = 0 ] || bad+=" $kind:$at($HIT)${again:+,$again($AGAIN)}:status:$STATUS"
                within 20 state "$n" loose || true
                got=$(cat within.out)
                [ "$got" = new ] || [ "$got" = both ] || bad+=" $kind:$at($HIT),$again($AGAIN):$got"
                within 10 afterwards "$n" || bad+=" $kind:$at($HIT),$again($AGAIN):afterwards:$(tail -n 1 within.out)"
                n=$((n + 1))
                [ "$again" = 0 ] || [ "$AGAIN" != - ] || break
            done
            [ "$HIT" != - ] || break
            [ "${#bad}" -lt 600 ] || break 2
        done
    done
    [ -n "$run_through" ] || bad+=" never ran through"
    unguarded
    if [ -z "$bad" ]; then ok "$name: $points deaths, $twice of them twice"; else
        not_ok "$name:$bad"
        sort differences | uniq -c | grep -v ' [0-9,]*[acd][0-9,]*$\| ---$' | head -n 20 || true
    fi
}
fresh_strike() {
    rm -rf run
    cp -a fresh run
    setfattr -x trusted.overlay.upper run/work/index
    guarded
    remember_scenes
    canonical before/0 before/0 >old
    canonical before/0 before/0 loose >oldloose
}

part_strike() {
    local transport=dev
    # As the kernel offers it: both are tested by scripts/test, which turns io_uring on and off.
    [ "$(cat /sys/module/fuse/parameters/enable_uring 2>/dev/null)" != Y ] || transport=uring
    # A debug build checks the order of locks.
    STRIKE_BIN=${UNIONFSD_STRIKE_BIN_DIR:-$BIN}
    need_layers
    # Other parts leave it.
    cd "$SCRATCH/layers"
    RANDOM=$seed
    heading "the worker of a guarded mount dies at each step, $transport, $STRIKE_BIN"
    OPERATIONS=$STRIKE_OPERATIONS operations strike_operation 2
    check "no system call that the tables do not know" is "$(sort -u unknown 2>/dev/null)" ""
    check "no lock out of order" is "$(grep -a 'lock order:' log | sort | uniq -c | head -n 5)" ""
}

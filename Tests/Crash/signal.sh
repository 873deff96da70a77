# shellcheck shell=bash
# A long copy-up and its caller's signals. Sourced by run.

part_signal() {
    heading "a signal while a file is copied up"
    mkdir -p signal/{low,disk,union}
    cd signal
    local size=700 mount_options=lowerdir=$PWD/low,upperdir=$PWD/disk/upper,workdir=$PWD/disk/work
    [ -z "$all" ] || size=2048
    truncate -s $((size * 2 + 200))M image
    mkfs.ext4 -q -F -O ^has_journal image
    mount -o loop image disk
    mkdir disk/{upper,work}
    head -c "${size}M" /dev/urandom >low/big
    lowers_remember "$PWD/low"
    # Slow: the copying thread goes at an idle pace, so that there is time to hit it. One thread, so that nobody could read an interrupt.
    local threads
    for threads in 1 4; do
        "$BIN/unionfsd-mount" --strict -f -o "guardian=off,$mount_options,threads=$threads" "$PWD/union" 2>>../log &
        DAEMON=$!
        until [ -e union/big ]; do sleep 0.01; done
        check "SIGKILL ends it at once, $threads threads" killed KILL 9
        check "SIGTERM too" killed TERM 15
        check "nothing of it in upper and work" is "$(ls -A disk/upper; find disk/work/work -type f)" ""
        check "room is given back" room
        check "it still reads" cmp -n 1000000 union/big low/big
        if [ "$threads" = 4 ]; then check "who waits for another's copy is killed as fast, the copy goes on" waiter; fi
        if [ "$threads" = 1 ]; then
            check "SIGALRM with a handler does not fail the open" alarmed
            check "the copy is whole" cmp union/big low/big
            umount union
            wait "$DAEMON" 2>/dev/null || true
            rm -rf disk/upper/* disk/work/work/*
        fi
    done
    umount union
    wait "$DAEMON" 2>/dev/null || true
    umount disk
    check "lower layer untouched" lowers_untouched
    cd "$SCRATCH"
}

milliseconds() { echo $(($(date +%s%N) / 1000000)); }
# Until the daemon has begun to copy.
await_copy() {
    local before try
    before=$1
    for try in {1..500}; do
        [ "$(free_blocks)" -ge $((before - 1000)) ] || return 0
        sleep 0.01
    done
    return 1
}
free_blocks() { stat -f -c %f disk; }

killed() {
    local before opener from took status=0
    before=$(free_blocks)
    "$CHECK" call append union/big &
    opener=$!
    await_copy "$before" || { echo "the copy never began"; return 1; }
    from=$(milliseconds)
    kill -"$1" "$opener"
    wait "$opener" 2>/dev/null || status=$?
    took=$(($(milliseconds) - from))
    echo "# gone after $took ms"
    # It was killed in the middle, and did not wait for the end.
    [ "$status" = $((128 + $2)) ] && [ ! -e disk/upper/big ] && [ "$took" -lt 2000 ]
}
room() {
    local try
    for try in {1..50}; do
        [ "$(($(stat -f -c '%b - %f' disk)))" -lt 20000 ] && return
        sleep 0.1
    done
    return 1
}
alarmed() {
    "$CHECK" call alarmed-append union/big && [ "$(tail -c 5 disk/upper/big)" = more ] && truncate -s -5 union/big
}
waiter() {
    local before first second from took status=0
    before=$(free_blocks)
    "$CHECK" call open-write union/big &
    first=$!
    await_copy "$before"
    "$CHECK" call open-write union/big &
    second=$!
    sleep 0.1
    from=$(milliseconds)
    kill -KILL "$second"
    wait "$second" 2>/dev/null || status=$?
    took=$(($(milliseconds) - from))
    echo "# gone after $took ms"
    [ "$status" = 137 ] && [ ! -e disk/upper/big ] && [ "$took" -lt 1000 ] && wait "$first" && cmp disk/upper/big low/big
}

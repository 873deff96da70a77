# shellcheck shell=bash disable=SC2154
# A container's mount that somebody else has, too. Sourced by run.

part_leak() {
    heading "$who: a mount that leaked"
    local pid guardian server way fd
    rm -rf small && mkdir -p small/dir && echo below >small/file && tar -C small --format=posix --owner=0 --group=0 -cf small.tar . && chmod 644 small.tar
    quiet u image import -q --name leak:1 small.tar || return
    lowers_remember "$(layers_of leak:1)"
    u create --name l leak:1 >/dev/null
    for way in namespace namespace open supervisor; do
        quiet u start l && in_tree l bash -c 'echo mine >file; echo more >>dir/new' || return
        guardian=$(u ps --json | jq '.[0].guardian')
        hold $way "$(merged l)/file"
        pid=$(leaker) || { not_ok "$who: nobody holds it"; return; }
        if [ $way = open ]; then
            check "$who: open: stop is refused" refused 'is in use' u stop l
            check "$who: open: by force it is not" quiet u stop --force l
        elif [ $way = supervisor ]; then
            # The supervisor dies between its two steps: unmounted, and still served.
            server=$(supervisor) && kill -KILL "$server" && timeout 10 tail --pid="$server" -f /dev/null
            inside umount "$(merged l)"
            check "$who: it is served though nobody sees it" test -d "/proc/$guardian"
        else
            check "$who: stop" quiet u stop l
            check "$who: nobody serves it" ended "$guardian"
            check "$who: in the other namespace it is dead" refused 'not connected' inside nsenter -t "$pid" -m cat "$(merged l)/file"
        fi
        [ $way != open ] || check "$who: open: nobody serves it" ended "$guardian"
        check "$who: $way: start" quiet u start l
        check "$who: $way: it is as it was" is "$(in_tree l cat file dir/new | sort -u | paste -sd' ')" "mine more"
        check "$who: $way: stop" quiet u stop l
        kill "$pid" && until_true bash -c "! kill -0 $pid 2>/dev/null"
        wait
    done
    quiet u start l
    hold namespace
    pid=$(leaker)
    check "$who: rm -f" quiet u rm -f l
    check "$who: leaves nothing" is "$(ls "$store/containers" "$store/tmp" | grep -v : | tr -d '\n')" ""
    kill "$pid"
    wait
    check "$who: the layer is untouched" lowers_untouched
    u image rm leak:1 >/dev/null
}
# hold HOW FILE: by a mount namespace that is made meanwhile and hears nothing of ours; or by a file that is open.
hold() {
    if [ "$1" = open ]; then inside sh -c 'exec 7<"$0"; exec sleep 98765' "$2" & else inside unshare -m --propagation private sleep 98765 & fi
    until_true leaker || true
}
# The process that holds on to it: not what waits for it.
leaker() { pgrep -u "$(id -u $owner)" -x sleep -a | awk '/sleep 98765$/ { print $1 }' | tail -n 1 | grep .; }
# Whoever is its parent here need not have asked for its status yet.
ended() { ! grep -q '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$1/status" 2>/dev/null; }

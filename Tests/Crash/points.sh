# shellcheck shell=bash
# Death and errors at each system call. Sourced by run.

is() { [ "$1" = "$2" ] || { echo "is '$1', should be '$2'"; return 1; }; }

# --- one mount in the foreground, served by one thread: DAEMON is its process ------------------------------------

DAEMON=
begin() {
    local try
    "$BIN/unionfsd-mount" --strict -f -s -o "guardian=off,lowerdir=$PWD/top:$PWD/low,upperdir=$PWD/run/upper,workdir=$PWD/run/work${1:+,$1}" "$PWD/union" 2>>log &
    DAEMON=$!
    for try in {1..500}; do
        [ -e union/0 ] && return
        sleep 0.01
    done
    die "no mount after 5 s: $(tail -n 3 log)"
}
end() {
    umount union
    wait "$DAEMON" 2>/dev/null || true
}
# After a kill: the mount is there, and dead.
bury() {
    kill -KILL "$DAEMON" 2>/dev/null || true
    wait "$DAEMON" 2>/dev/null || true
    umount union
}

# --- states ------------------------------------------------------------------------------------------------------

# Objects as lines that two equal states share: times since the start as "now", inode numbers as the name that had them before.
# canonical BEFORE MANIFEST [loose]: loose takes no account of the times of directories, which follow what happens in them.
canonical() {
    awk -v loose="${3:-}" '
        function path(   i, p) { p = $13; for (i = 14; i <= NF; i++) p = p " " $i; return p }
        FNR == 1 { file++ }
        file == 1 { if (!($10 in old)) old[$10] = path(); next }
        {
            isDir = $1 == "dir"
            time = isDir && loose != "" ? "-" : $7 + 0 > 1600000000 ? "now" : $7
            print $1, $2, $3, $4, $5, isDir ? "-" : $6, time, isDir ? "-" : $9, $10 in old ? "was:" old[$10] : "new", $11, $12, path()
        }' "$1" "$2"
}
# state N: which of the two the scene N is in, and else what is different.
state() {
    manifest "union/$1" >now.manifest || { echo unreadable; return; }
    # A directory that is emptied of its whiteouts just before it is replaced has a number of its own for that moment, as overlayfs has it.
    canonical "before/$1" now.manifest "$2" | sed 's/ new \(user\.w=[0-9a-f]* - wdir\)$/ was:wdir \1/' >now
    state_is "$2"
}
state_is() {
    if cmp -s now "old$1"; then
        # Some operations change nothing that can be seen.
        if cmp -s now "new$1"; then echo both; else echo old; fi
    elif cmp -s now "new$1"; then echo new; else
        echo neither
        { diff "old$1" now | sed 's/^/  old /'; diff "new$1" now | sed 's/^/  new /'; } >>differences || true
    fi
}

# before/N: each scene as the union shows it, from one walk.
remember_scenes() {
    rm -rf before && mkdir before
    manifest union >before.all
    awk '{ p = $13; if (p == ".") next; n = p; sub("/.*", "", n); sub("^[^/]*/?", "", p); if (p == "") p = "."; $13 = p; print >("before/" n) }' before.all
}

# --- the layers, made once; a fresh copy of upper and work for each operation --------------------------------------

scenes=${scenes:-70}
have_layers=
need_layers() {
    local n names
    [ -z "$have_layers" ] || return 0
    have_layers=1
    mkdir -p layers/{top,low,union,run/upper,run/work,kernel}
    cd layers
    scene . 0
    for ((n = 1; n <= scenes; n++)); do
        cp -a low/0 "low/$n"
        cp -a top/0 "top/$n"
    done
    names=$(ls low)
    begin
    # shellcheck disable=SC2086
    (cd union && prepare $names)
    end
    mv run fresh
    mkdir run
    lowers_remember "$PWD/top" "$PWD/low"
}
fresh() {
    rm -rf run
    cp -a fresh run
    # The index says whose it is; this upper layer is a copy, and takes it over.
    setfattr -x trusted.overlay.upper run/work/index
    begin
    remember_scenes
    canonical before/0 before/0 >old
    canonical before/0 before/0 loose >oldloose
}
left_in_work() { find run/work/work -mindepth 1 ! -name '#whiteout-*' | head -n 3; }

# act N CALL PATH…: the operation in the scene N, watched; HIT, CALLS and STATUS say what came of it.
act() {
    local n=$1 words=("$2") path said
    shift 2
    for path; do words+=("union/$n/$path"); done
    said=$(timeout 60 "$CHECK" inject --pid "$DAEMON" "${how[@]}" -- "$CHECK" call "${words[@]}" 2>>log) || die "inject ${how[*]} ${words[*]}: $said $(tail -n 5 log)"
    case $said in *unknown=*) echo "$said" >>unknown ;; esac
    CALLS=${said#*calls=} CALLS=${CALLS%% *}
    HIT=${said#*hit=} HIT=${HIT%% *}
    STATUS=${said#*exit=}
}

# The kernel's overlayfs shows what we do.
kernel_agrees() {
    manifest union --portable --no-mtime-of-dirs >ours
    end
    kernel_mount "$PWD/kernel" "$PWD/run/upper" "$PWD/run/work" "$PWD/top" "$PWD/low"
    manifest kernel --portable --no-mtime-of-dirs >kernels || true
    umount kernel
    diff ours kernels | head -n 6 || true
    cmp -s ours kernels
}

operations() {
    local line count=0
    while read -r line; do
        [ -n "$line" ] && [[ $line =~ $only ]] || continue
        count=$((count + 1))
        # In the short form a quarter dies and another fails; the next seed takes others.
        [ -n "$all$only" ] || [ $(((count + seed + $2) % 4)) = 0 ] || continue
        # shellcheck disable=SC2086
        "$1" "$count" $line
    done <<<"$OPERATIONS"
}

# --- death ---------------------------------------------------------------------------------------------------------

part_crash() {
    heading "the daemon is killed before each system call that changes something"
    need_layers
    operations crash_operation 0
    check "no system call that the tables do not know" is "$(sort -u unknown 2>/dev/null)" ""
}

# outcome NAME CALL PATH…: what the operation comes to when nothing happens, in the scene 0: new and newloose. Leaves a fresh mount.
outcome() {
    local name=$1
    shift
    fresh
    : >differences
    how=()
    act 0 "$@"
    [ "$STATUS" = 0 ] || { not_ok "$name: fails by itself"; end; return 1; }
    end
    begin
    manifest union/0 >now.manifest
    canonical before/0 now.manifest >new
    canonical before/0 now.manifest loose >newloose
}

crash_operation() {
    local number=$1 name=$2 n at got step=1 points='' olds=0 news=0 bad='' old_scenes=()
    shift 2
    outcome "$name" "$@" || return 0
    [ -n "$all" ] || step=4
    for ((n = 1, at = 1 + (seed + number) % step; n <= scenes; n++, at += step)); do
        how=(--at "$at" --kill)
        act "$n" "$@"
        bury
        begin
        got=$(state "$n" loose)
        points+="$HIT "
        case $got in
        old | both) olds=$((olds + 1)) old_scenes+=("$n") ;;
        new) news=$((news + 1)) ;;
        *) bad+=" $at($HIT):$got" ;;
        esac
        # What was acknowledged is there.
        if [ "$STATUS" = 0 ] && [ "$got" = old ]; then bad+=" $at($HIT):lost"; fi
        [ -z "$(left_in_work)" ] || bad+=" $at($HIT):left:$(left_in_work | tr '\n' ' ')"
        [ "$HIT" != - ] || break
    done
    [ -n "$points" ] && [ "$HIT" = - ] || bad+=" never ran through"
    kernel_agrees || bad+=" kernel"
    # And everything goes on from there.
    begin
    how=()
    for n in ${old_scenes[@]+"${old_scenes[@]}"}; do
        timeout 20 "$CHECK" call "$1" "union/$n/$2" ${3:+"union/$n/$3"} 2>>log || bad+=" $n:again"
        got=$(state "$n" loose)
        [ "$got" = new ] || [ "$got" = both ] || bad+=" $n:again:$got"
    done
    end
    if [ -z "$bad" ]; then ok "$name: $olds old, $news new"; else
        not_ok "$name:$bad"
        echo "  at: $points"
        sort differences | uniq -c | grep -v ' [0-9,]*[acd][0-9,]*$\| ---$' | head -n 20 || true
    fi
}

# --- errors --------------------------------------------------------------------------------------------------------

part_error() {
    heading "each system call fails once, seed $seed"
    need_layers
    operations error_operation 1
}

# EIO ENOSPC EDQUOT EINTR ENOMEM
errors=(5 28 122 4 12)
error_operation() {
    local number=$1 name=$2 n at got bad='' count=0 failed=0 expected=() step=1
    shift 2
    outcome "$name" "$@" || return 0
    [ -n "$all" ] || step=4
    for ((n = 1, at = 1 + (seed + number) % step; n <= scenes; n++, at += step)); do
        how=(--at "$at" --error "${errors[(at + number + seed) % 5]}")
        act "$n" "$@"
        [ "$HIT" != - ] || break
        count=$((count + 1))
        expected[n]=new
        [ "$STATUS" = 0 ] || expected[n]=old failed=$((failed + 1))
        got=$(state "$n" loose)
        # What was done and could then not be looked at for the reply is an error of a call that was carried out.
        if [ "$HIT $got" = "statx new" ]; then expected[n]=new; fi
        # A file that is cut on its way up is shown cut (docs/architecture.md, "What is durable when").
        case "$name $HIT $got" in "truncate ftruncate new" | "open-truncate openat new") expected[n]=new ;; esac
        [ "$got" = "${expected[n]}" ] || [ "$got" = both ] || bad+=" $at($HIT,${how[3]}):$STATUS:$got"
        [ -z "$(left_in_work)" ] || bad+=" $at($HIT):left:$(left_in_work | tr '\n' ' ')"
    done
    end
    # As the disk has it, too.
    begin
    for ((n = 1; n <= count; n++)); do
        got=$(state "$n" loose)
        [ "$got" = "${expected[n]}" ] || [ "$got" = both ] || bad+=" $n:on-disk:$got"
    done
    kernel_agrees || bad+=" kernel"
    if [ -z "$bad" ]; then ok "$name: $count errors, $failed of them told"; else
        not_ok "$name:$bad"
        sort differences | uniq -c | grep -v ' [0-9,]*[acd][0-9,]*$\| ---$' | head -n 20 || true
    fi
}

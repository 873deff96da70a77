# shellcheck shell=bash
# Random layers, and a mount that changes hands: for scripts/random and scripts/exchange, which source it after lib.sh.

# random_layers DIR COUNT SEED: l1, the uppermost, to lCOUNT. A third of them are uppers that the kernel's overlayfs
# wrote over those below.
random_layers() {
    local dir=$1 count=$2 seed=$3 written number below from="${REDIRECT_DIR:-on}"
    written=$((count / 3 + (count > 1 && count < 3)))
    "$CHECK" layers "$dir.base" --count "$((count - written))" --seed "$seed" >/dev/null
    mkdir -p "$dir" "$dir.view"
    for ((number = 1; number <= count - written; number++)); do
        mv "$dir.base/l$number" "$dir/l$((number + written))"
    done
    rmdir "$dir.base"
    # The layers have redirects whatever the mount under test makes of them.
    REDIRECT_DIR=on
    for ((number = written; number >= 1; number--)); do
        mkdir "$dir/l$number" "$dir.work"
        upper_like "$dir/l$number" "$dir/l$((number + 1))"
        below=()
        for ((l = number + 1; l <= count; l++)); do below+=("$PWD/$dir/l$l"); done
        kernel_mount "$PWD/$dir.view" "$PWD/$dir/l$number" "$PWD/$dir.work" "${below[@]}"
        timeout 60 "$CHECK" random --reference "$dir.view" --mount "$dir.view" --known overlay \
            --seed "$((seed * 100 + number))" --ops 150 --check-every 1000000 >/dev/null || true
        umount "$dir.view"
        rm -rf --one-file-system "$dir.work"
    done
    REDIRECT_DIR=$from
    rmdir "$dir.view"
    # cp(1), which makes the reference's layers of these, keeps no file flags.
    find "$dir" \( -type f -o -type d \) -exec chattr -A -S -i -a {} +
}

# layer_paths DIR: sets LAYERS, the uppermost first.
layer_paths() {
    mapfile -t LAYERS < <(find "$1" -mindepth 1 -maxdepth 1 -type d | sort -V)
}

# remount_script BASE FIRST [SECOND]: writes BASE/remount, which unmounts BASE/union and mounts it again over the same
# LAYERS, upper and work: with the program under test, or by turns with it and the kernel's overlayfs.
remount_script() {
    local base=$1
    printf '%s\0' "${LAYERS[@]}" >"$base/lowers"
    echo "$2" >"$base/holder"
    cat >"$base/remount" <<SCRIPT
#!/bin/bash
. "$REPO/scripts/lib.sh"
. "$REPO/scripts/random-layers.sh"
change_hands "$base" ${3:+both}
SCRIPT
    chmod +x "$base/remount"
}

# change_hands BASE [both]: what that script does.
change_hands() {
    local base=$1 holder
    holder=$(<"$base/holder")
    mapfile -d '' -t LAYERS <"$base/lowers"
    if [ "$holder" = kernel ]; then umount "$base/union"; else union_umount "$base/union"; fi || return 1
    upper_is_sound "$base" || return 1
    if [ "${2:-}" = both ] && [ "$holder" = unionfsd ]; then holder=kernel; else holder=unionfsd; fi
    echo "$holder" >"$base/holder"
    if [ "$holder" = kernel ]; then
        kernel_mount "$base/union" "$base/upper" "$base/work" "${LAYERS[@]}"
    else
        union_mount "$base/union" "$base/upper" "$base/work" "${LAYERS[@]}"
    fi
}

# upper_is_sound BASE: nothing left over in the work directory but the whiteout that the kernel keeps at hand; index entries are whiteouts, or objects that have the
# origin which they are named by, and at least one name in the upper or a link that is counted below it.
upper_is_sound() {
    local base=$1 bad=0 entry origin links counted
    while IFS= read -r entry; do
        [ "$(stat -c '%F %t %T' "$entry")" = "character special file 0 0" ] || { echo "left over: $entry"; bad=1; }
    done < <(find "$base/work/work" -mindepth 1)
    [ -d "$base/work/index" ] || return "$bad"
    while IFS= read -r entry; do
        [ "$(stat -c '%F %t %T' "$entry")" != "character special file 0 0" ] || continue
        case ${entry##*/} in
        *[!0-9a-f]*) echo "not an index entry: $entry"; bad=1; continue ;;
        esac
        if [ -d "$entry" ]; then continue; fi
        origin=$(getfattr -h --absolute-names -n trusted.overlay.origin -e hex --only-values "$entry" 2>/dev/null | od -An -v -tx1 | tr -d ' \n')
        [ "$origin" = "${entry##*/}" ] || { echo "index entry $entry has the origin $origin"; bad=1; }
        links=$(stat -c %h "$entry")
        counted=$(getfattr -h --absolute-names -n trusted.overlay.nlink --only-values "$entry" 2>/dev/null | tr -d '\0') || counted=
        [ "$links" -gt 1 ] || [[ $counted = L* || $counted = U+[1-9]* || $counted = U+0 ]] || { echo "index entry $entry: $links links, '$counted'"; bad=1; }
    done < <(find "$base/work/index" -mindepth 1 -maxdepth 1)
    return "$bad"
}

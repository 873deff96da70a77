# shellcheck shell=bash disable=SC2154
# cp: each row of the table in docs/containers.md. Sourced by run.

# copy SOURCE TARGET [OPTION...]; row NAME SOURCE TARGET WHAT SHOULD: `WHAT`, run in the container's root, prints SHOULD afterwards.
copy() { (cd "$work" && timeout 60 "${as[@]}" "$BIN/unionfsd" cp "${@:3}" "$1" "$2"); }
row() {
    local name=$1 from=$2 to=$3 what=$4 should=$5
    check "$who: $name" rowed "$from" "$to" "$what" "$should" "${@:6}"
}
rowed() { quiet copy "$1" "$2" "${@:5}" && is "$(in_tree c bash -c "$3" | paste -sd' ')" "$4"; }
out_row() {
    local name=$1 from=$2 to=$3 what=$4 should=$5
    check "$who: $name" out_rowed "$from" "$to" "$what" "$should" "${@:6}"
}
out_rowed() { quiet copy "$1" "$2" "${@:5}" && is "$(cd "$work" && bash -c "$3" | paste -sd' ')" "$4"; }

part_copies() {
    heading "$who: cp"
    rm -rf root && mkdir -p root/dir/sub root/etc root/run root/var root/lib root/full/f root/bin root/tmp && echo old >root/file && echo inner >root/dir/f1 && echo deep >root/dir/sub/f2
    ln -s /run root/var/run && ln -s ../run root/var/rel && ln -s ../var/../lib/../var/../run root/var/up && ln -s /file root/link && ln -s /new-target root/dangling && ln -s loop root/loop && ln -s ../../../../../../tmp root/evil
    cp /bin/busybox root/bin/busybox && ln -s busybox root/bin/sh && mkdir root/usr && printf 'root:x:0:0:root:/root:/bin/sh\nwww:x:33:33:www:/srv:/bin/sh\n' >root/usr/passwd && ln -s ../usr/passwd root/etc/passwd && ln -s /usr/group root/etc/group && printf 'root:x:0:\nstaff:x:50:www\n' >root/usr/group
    tar -C root --format=posix --owner=0 --group=0 -cf root.tar . && chmod 644 root.tar
    quiet u image import -q --name copies:1 root.tar || return
    lowers_remember "$(layers_of copies:1)"
    work=$SCRATCH/work-$who && rm -rf "$work" && mkdir -p "$work/D/s" && echo text >"$work/f" && echo a >"$work/D/a" && echo b >"$work/D/s/b" && chmod 750 "$work/D" && ln -s f "$work/l" && ln -s D "$work/ld" && chown -hR "$owner:" "$work"
    u create --name c copies:1 >/dev/null && u start c >/dev/null

    row "a file to a name that is not there" f c:/n1 'cat n1' text
    check "$who: and with a slash behind it" refused 'n2/ is not there' copy f c:/n2/
    row "a file to a file" f c:/file 'cat file' text
    check "$who: and with a slash behind it" refused 'no directory' copy f c:/file/
    row "a file to a directory" f c:/dir 'cat dir/f; ls dir' "text f f1 sub"
    check "$who: which has a directory of that name" fails copy f c:/full
    check "$who: that stays" is "$(in_tree c ls -d full/f)" full/f
    row "a directory to a name that is not there" D c:/n3 'find n3 | sort; stat -c %a n3' "n3 n3/a n3/s n3/s/b 750"
    row "and with a slash behind it" D c:/n4/ 'find n4 | sort' "n4 n4/a n4/s n4/s/b"
    check "$who: a directory to a file" refused 'is there and no directory' copy D c:/file
    row "a directory to a directory" D c:/dir 'find dir | sort' "dir dir/D dir/D/a dir/D/s dir/D/s/b dir/f dir/f1 dir/sub dir/sub/f2"
    row "and with a slash behind the source" D/ c:/lib 'find lib | sort' "lib lib/D lib/D/a lib/D/s lib/D/s/b"
    row "once more: beside what is there" D c:/lib 'find lib | sort' "lib lib/D lib/D/a lib/D/s lib/D/s/b"
    row "what is in a directory, to a directory" D/. c:/full 'find full | sort' "full full/a full/f full/s full/s/b"
    row "to a name that is not there" D/. c:/n5 'find n5 | sort; stat -c %a n5' "n5 n5/a n5/s n5/s/b 750"
    row "and with a slash behind it" D/. c:/n6/ 'find n6 | sort' "n6 n6/a n6/s n6/s/b"
    check "$who: to a file" refused 'is there and no directory' copy D/. c:/file
    check "$who: a file with a slash behind it" refused 'f/ is no directory|Not a directory' copy f/ c:/n7
    check "$who: a name whose directory is not there" refused 'no/such' copy f c:/no/such
    check "$who: a source that is not there" refused 'not there: none' copy none c:/n8
    row "a symlink is itself" l c:/n9 'readlink n9' f
    row "what it leads to" l c:/n10 'cat n10' text -L
    row "a symlink to a directory, with a slash" ld/ c:/n11 'find n11 | sort' "n11 n11/a n11/s n11/s/b"
    row "into a directory under its own name" ld/ c:/run 'find run | sort' "run run/ld run/ld/a run/ld/s run/ld/s/b"
    row "to a symlink to a directory, absolute" f c:/var/run 'readlink var/run; cat run/f' "/run text"
    row "to a relative one" f c:/var/rel/g 'cat run/g' text
    row "to one with .. in it" f c:/var/up/h 'cat run/h' text
    row "a directory to a symlink to a directory" D c:/var/run 'readlink var/run; ls run/D' "/run a s"
    row "to a symlink to a file" f c:/link 'readlink link; cat file' "/file text"
    row "to a symlink to nothing" f c:/dangling 'readlink dangling; cat new-target' "/new-target text"
    check "$who: to a symlink to itself" refused 'symbolic links' copy f c:/loop
    row "to a symlink that would lead out" f "c:/evil/out-$$" 'ls tmp' "out-$$"
    check "$who: stays inside" test ! -e "/tmp/out-$$"
    in_tree c bash -c 'mkdir inner; ln -s /dir inner/s; ln -s /file inner/a; echo untouched >file'
    check "$who: below the target no symlink is followed: a directory over one" fails copy D/. c:/inner
    row "a file over one takes its place" D/a c:/inner 'test ! -L inner/a && cat inner/a file' "a untouched"
    out_row "out: a file" c:/dir/f1 o1 'cat o1' inner
    out_row "out: to a directory" c:/dir/f1 . 'cat f1' inner
    out_row "out: a directory to a name that is not there" c:/n3 o2/ 'find o2 | sort' "o2 o2/a o2/s o2/s/b"
    out_row "out: what is in one" c:/n3/. o3 'find o3 | sort' "o3 o3/a o3/s o3/s/b"
    out_row "out: a symlink" c:/var/run o4 'readlink o4' /run
    out_row "out: what it leads to" c:/var/up o5 'ls o5' "D f g h ld" -L
    out_row "out: with a slash behind it" c:/var/rel/ o6 'ls o6' "D f g h ld"
    out_row "out: a symlink to an absolute path, inside" c:/link o7 'cat o7' untouched -L
    out_row "out: the root is what is in it" c:/ o8 'ls o8/usr; ls -d o8/dir' "group passwd o8/dir"
    check "$who: out: owned by whoever copies" is "$(find "$work" ! -user $owner | head -n 3)" ""
    check "$who: an archive out" is "$(copy c:/n3 - | tar -tf - | sort | paste -sd' ')" "n3/ n3/a n3/s/ n3/s/b"
    check "$who: an archive in" is "$(tar -C "$work" -cf - f D | (timeout 60 "${as[@]}" "$BIN/unionfsd" cp - c:/var/run >said 2>&1; cat said); in_tree c cat run/f run/D/s/b | paste -sd' ')" "text b"
    check "$who: an archive to what is no directory" refused 'is no directory' copy - c:/file

    # The kernel answers EAGAIN to a path with .. in it while anything on the machine is renamed.
    mkdir -p storm
    python3 -c '
import os
open("storm/a", "w").close()
while os.path.exists("storm"):
    for i in range(1000): os.rename("storm/a", "storm/b"); os.rename("storm/b", "storm/a")' 2>/dev/null &
    storm=$!
    for ((i = 0, lost = 0; i < 40; i++)); do copy f c:/var/up/./../var/up/./../lib/../var/up/storm >said 2>&1 || { lost=$((lost + 1)); cp said lost; }; done
    kill $storm && wait $storm 2>/dev/null || true
    check "$who: while names change all over the machine ($(cat lost 2>/dev/null))" is "$lost of $i" "0 of 40"
    rm -rf storm; rm -f lost

    check "$who: a user of an /etc/passwd that is a symlink" is "$(u exec -u www c -- /bin/busybox id -u)" 33
    check "$who: a group of an /etc/group that is an absolute one" is "$(u exec -u www:staff c -- /bin/busybox id -g)" 50
    check "$who: the layer is untouched" lowers_untouched
    u rm -f c >/dev/null && u image rm copies:1 >/dev/null
}

# shellcheck shell=bash
# What the operations work on, and the operations. Sourced by run.

# One directory of everything, in the lower layers. `prepare` then brings some of it up.
scene() {
    local top=$1/top/$2 low=$1/low/$2
    mkdir -p "$top/dir" "$low"/{dir/in,dir2,sub/deep,wdir/in,empty}
    head -c 70000 /dev/urandom >"$low/file"
    chown 1:2 "$low/file"
    chmod 4755 "$low/file"
    setfattr -n user.old -v value "$low/file"
    setfacl -m u:3:rw "$low/file"
    truncate -s 300000 "$low/sparse"
    echo end >>"$low/sparse"
    echo two >"$low/file2"
    echo deep >"$low/sub/deep/file"
    ln -s file "$low/link"
    mkfifo "$low/fifo"
    echo a >"$low/dir/a"
    echo b >"$top/dir/b"
    echo x >"$low/dir2/x"
    setfattr -n user.dir -v value "$low/dir"
    echo hard >"$low/h1"
    ln "$low/h1" "$low/h2"
    ln "$low/h1" "$low/h3"
    echo indexed >"$low/i1"
    ln "$low/i1" "$low/i2"
    ln "$low/i1" "$low/i3"
    echo gone >"$low/gone"
    echo m >"$low/merged"
    echo w >"$low/wdir/a"
    echo w >"$low/wdir/in/b"
    setfattr -n user.w -v value "$low/wdir"
    find "$1/top/$2" "$1/low/$2" -exec touch -h -d '2020-02-03 04:05:06.789' {} +
}

# Through the union: whiteouts, copies, new objects.
prepare() {
    local d
    for d; do
        echo up >"$d/up"
        mkdir "$d/updir"
        echo more >>"$d/merged"
        echo more >>"$d/i1"
    done
    # shellcheck disable=SC2086
    rm -r $(printf '%s/gone %s/wdir/a %s/wdir/in ' $(for d; do echo "$d $d $d"; done))
}

# NAME CALL PATH [PATH], in the scene.
OPERATIONS='
copy-up-data append file
copy-up-sparse append sparse
copy-up-open open-write file
copy-up-directory chmod dir
copy-up-symlink chown link
copy-up-fifo chmod fifo
copy-up-parents chmod sub/deep/file
copy-up-indexed append h1
chown-suid chown file
truncate truncate file
open-truncate open-truncate file
setxattr setxattr file
removexattr removexattr file
utimens touch file
unlink-lower unlink file
unlink-upper unlink up
unlink-merged unlink merged
unlink-hard-link unlink h1
unlink-indexed unlink i1
unlink-indexed-second unlink i2
rmdir-lower rmdir empty
rmdir-whiteouts rmdir wdir
rename-over-lower rename up file
rename-lower-over-lower rename file file2
rename-over-whiteout rename up gone
rename-directory rename dir moved
rename-directory-away rename dir sub/moved
rename-over-merged rename updir wdir
rename-merged-over-merged rename empty wdir
rename-directory-over-whiteout rename updir gone
rename-hard-link rename h1 renamed
rename-over-indexed rename up i2
rename-over-hard-link rename up h2
exchange exchange file dir
exchange-upper exchange up dir2
link-lower link file new
link-indexed link i2 new
link-hard-link link h2 sub/new
link-over-whiteout link up gone
create create sub/new
create-over-whiteout create gone
mkdir-over-whiteout mkdir gone
symlink-over-whiteout symlink gone
mknod-over-whiteout mknod gone
symlink symlink new
mknod mknod new
tmpfile tmpfile . new
tmpfile-over-whiteout tmpfile . gone
'

# shellcheck shell=bash
# Few descriptors, and a limit of the size of files, where the mount is made.

# limited N COMMAND...: with so many descriptors at most, as the hard limit too.
limited() { (ulimit -n "$1" && shift && "$@"); }

heading "few descriptors"
mkdir -p s/lower/tree s/{up,work,mnt}
(cd s/lower/tree && for d in {1..70}; do mkdir "d$d" && touch "d$d"/f{1..100}; done)
for transport in dev ${SCARCE_URING:+uring}; do
    for limit in 256 1024; do
        rm -rf s/{up,work} && mkdir s/{up,work}
        lowers_remember "$PWD/s/lower"
        check "$limit: mounts" limited "$limit" "$BIN/unionfsd" mount -o "transport=$transport" --lower s/lower --upper s/up --work s/work s/mnt
        check "$limit: tar of 7,000 files" is "$(tar -cf - -C s/mnt . 2>&1 >/dev/null | head -3)" ""
        check "$limit: rm -rf of them" is "$(timeout 120 rm -rf s/mnt/tree 2>&1 | head -3)" ""
        check "$limit: all are gone" is "$(ls s/mnt)" ""
        made() {
            local p pids=()
            for p in 1 2 3 4 5 6; do
                (for n in {1..300}; do mkdir "s/mnt/m$p.$n" && echo x >"s/mnt/m$p.$n/f" && mv "s/mnt/m$p.$n/f" "s/mnt/m$p.$n/g" || exit 1; done
                 for n in {1..300}; do rm "s/mnt/m$p.$n/g" && rmdir "s/mnt/m$p.$n" || exit 1; done) & pids+=($!)
            done
            local status=0
            for p in "${pids[@]}"; do wait "$p" || status=1; done
            return $status
        }
        check "$limit: six processes make, move and remove" is "$(made 2>&1 | head -3; ls s/mnt)" ""
        # As many as the daemon has descriptors, all with their contents.
        check "$limit: 400 files open and removed keep what they have" timeout 60 python3 - <<'PY'
import os
files = []
os.mkdir("s/mnt/open")
for i in range(400):
    f = os.open("s/mnt/open/%d" % i, os.O_RDWR | os.O_CREAT, 0o644)
    os.write(f, b"%d" % i)
    os.unlink("s/mnt/open/%d" % i)
    files.append(f) if i < 100 else os.close(f)
for i, f in enumerate(files):
    assert os.pread(f, 10, 0) == b"%d" % i and os.fstat(f).st_nlink == 0
    os.pwrite(f, b"more", 0)
    os.ftruncate(f, 4)
    os.fchmod(f, 0o600)
    assert os.pread(f, 10, 0) == b"more" and os.fstat(f).st_mode & 0o777 == 0o600
os.rmdir("s/mnt/open")
PY
        union_umount "$PWD/s/mnt"
        check "$limit: the layer is as it was" lowers_untouched
    done
done

heading "a limit of the size of files"
head -c 3000000 /dev/urandom >s/lower/large
# sized "[-S] LIMIT" NAME COMMAND...: mounts with that limit (in 1024 bytes; a hard one, too, without -S), and works without and with one.
sized() {
    local limit=$1 name=$2
    shift 2
    rm -rf s/{up,work} && mkdir s/{up,work} && chmod 777 s/{up,work,mnt} s
    check "$name: mounts with a limit of $limit KiB" is "$( (case $limit in -S*) ulimit -S -f "${limit#* }" ;; *) ulimit -f "${limit#* }" ;; esac && "$@" "$BIN/unionfsd" mount -o "allow_other" --lower s/lower --upper s/up --work s/work s/mnt 2>&1) || echo failed)" ""
    check "$name: serves" is "$("$@" ls s/mnt | xargs)" "large tree"
    check "$name: a caller's limit is the caller's" is "$("$@" python3 - <<'PY'
import errno, os, resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, resource.RLIM_INFINITY if os.geteuid() == 0 else resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
f = os.open("s/mnt/limited", os.O_RDWR | os.O_CREAT, 0o644)
def tried(call):
    try: return call()
    except OSError as e: return errno.errorcode[e.errno]
print(os.pwrite(f, b"x" * 60000, 0), os.pwrite(f, b"x" * 60000, 60000), tried(lambda: os.pwrite(f, b"x", 65536)), tried(lambda: os.ftruncate(f, 100000)),
      tried(lambda: os.posix_fallocate(f, 0, 100000)), os.fstat(f).st_size)
PY
)" "60000 5536 EFBIG EFBIG EFBIG 65536"
    check "$name: and kills who does not ignore the signal" is "$("$@" bash -c '(ulimit -S -f 64; head -c 100000 /dev/zero >s/mnt/limited2) 2>/dev/null; echo $?; stat -c %s s/mnt/limited2')" "$(printf '153\n65536')"
}
sized "-H 1000" "root, a hard limit"
union_umount "$PWD/s/mnt"
sized "-S 1000" "root"
check "root: larger files than the limit are written by others" is "$(head -c 3000000 /dev/zero >s/mnt/new; echo more >>s/mnt/large; stat -c %s s/mnt/new s/mnt/large | xargs)" "3000000 3000005"
union_umount "$PWD/s/mnt"
grep -qx user_allow_other /etc/fuse.conf 2>/dev/null || { echo user_allow_other >>/etc/fuse.conf; undo_fuse_conf() { sed -i '/^user_allow_other$/d' /etc/fuse.conf; }; at_end undo_fuse_conf; }
sized "-H 1000" "an ordinary user" as_user
check "an ordinary user: the worker can die" is "$(kill -KILL "$(as_user "$BIN/unionfsd" list --json | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["pid"])')"; sleep 0.5; as_user ls s/mnt | xargs)" "large limited limited2 tree"
as_user "$BIN/unionfsd" umount "$PWD/s/mnt"

"""What reading does to access times.

    times.py make DIR          objects, one for each state and deed
    times.py act DIR [LAYER]   sets their access times, reads each in its way, and prints what became of them; with LAYER, that the layer says the same
    times.py read DIR          reads each in its way
    times.py show DIR          the access times of all of them
"""
import mmap, os, subprocess, sys, time

DEEDS = "stat open read again pread noatime mmap splice exec large list twice below link follow".split()
# "due": relatime moves it. "fresh": later than all else, so that relatime leaves it.
STATES = "due fresh".split()


def path(root, state, deed):
    return os.path.join(root, f"{state}-{deed}")


def make(root):
    for state in STATES:
        for deed in DEEDS:
            p = path(root, state, deed)
            if deed in ("list", "twice", "below"):
                os.mkdir(p)
                for name in "abc":
                    open(os.path.join(p, name), "w").close()
            elif deed in ("link", "follow"):
                os.symlink(f"{state}-stat", p)
            elif deed == "exec":
                with open("/bin/true", "rb") as f, open(p, "wb") as g:
                    g.write(f.read())
                os.chmod(p, 0o755)
            else:
                with open(p, "wb") as f:
                    f.write(b"x" * (300000 if deed in ("large", "splice") else 5000))


def read(p, flags=0):
    fd = os.open(p, os.O_RDONLY | flags)
    try:
        while os.read(fd, 65536):
            pass
    finally:
        os.close(fd)


def set_time(p, state):
    now = time.time_ns()
    os.utime(p, ns=(now + 3600 * 10**9 if state == "fresh" else 10**18, os.lstat(p).st_mtime_ns), follow_symlinks=False)


def deed_of(p, deed):
    if deed == "open":
        os.close(os.open(p, os.O_RDONLY))
    elif deed in ("read", "again", "large"):
        read(p)
    elif deed == "pread":
        fd = os.open(p, os.O_RDWR)
        os.pread(fd, 100, 100)
        os.close(fd)
    elif deed == "noatime":
        read(p, os.O_NOATIME)
    elif deed == "mmap":
        fd = os.open(p, os.O_RDONLY)
        with mmap.mmap(fd, 0, prot=mmap.PROT_READ) as m:
            m[100]
        os.close(fd)
    elif deed == "splice":
        fd, (r, w) = os.open(p, os.O_RDONLY), os.pipe()
        os.splice(fd, w, 4096)
        for one in (fd, r, w):
            os.close(one)
    elif deed == "exec":
        subprocess.run([p], check=True)
    elif deed in ("list", "twice"):
        os.listdir(p)
    elif deed == "below":
        os.stat(os.path.join(p, "a"))
    elif deed == "link":
        os.readlink(p)
    elif deed == "follow":
        os.stat(p)


def act(root, layer):
    for deed in DEEDS:
        for state in STATES:
            p = path(root, state, deed)
            if deed in ("again", "twice"):
                # What the kernel may have kept from then.
                deed_of(p, deed)
            set_time(p, state)
            before = os.lstat(p).st_atime_ns
            deed_of(p, deed)
            after = os.lstat(p).st_atime_ns
            print(deed, state, "stays" if after == before else "moves", flush=True)
            if layer and os.lstat(path(layer, state, deed)).st_atime_ns != after:
                print(deed, state, "the layer says otherwise:", os.lstat(path(layer, state, deed)).st_atime_ns, after)


def read_all(root):
    for deed in DEEDS:
        for state in STATES:
            if deed == "noatime" and os.lstat(path(root, state, deed)).st_uid != os.geteuid():
                continue
            deed_of(path(root, state, deed), "read" if deed == "pread" else deed)


def show(root):
    for deed in DEEDS:
        for state in STATES:
            print(deed, state, os.lstat(path(root, state, deed)).st_atime_ns)


if __name__ == "__main__":
    word, root = sys.argv[1:3]
    {"make": make, "read": read_all, "show": show}[word](root) if word != "act" else act(root, sys.argv[3] if len(sys.argv) > 3 else None)

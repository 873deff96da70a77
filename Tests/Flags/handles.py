"""File handles of a mount.

    handles.py take DIR PATH...           prints a handle of each path, as text: type, a colon, bytes in hexadecimal. --fid: such as need not open (AT_HANDLE_FID)
    handles.py open DIR HANDLE...         opens each and prints what it is: number, links, kind, and what it is called
    handles.py watch DIR COMMAND          the fanotify(7) events that a command makes in DIR, by handle and name; opens the handles
Errors are printed as their names.
"""
import ctypes, errno, os, stat, struct, subprocess, sys

libc = ctypes.CDLL(None, use_errno=True)


class Handle(ctypes.Structure):
    _fields_ = [("size", ctypes.c_uint), ("type", ctypes.c_int), ("data", ctypes.c_ubyte * 128)]


def failed():
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))


def take(path, flags=0):
    h, mount = Handle(128), ctypes.c_int()
    if libc.name_to_handle_at(-100, path.encode(), ctypes.byref(h), ctypes.byref(mount), flags) < 0:
        raise failed()
    return f"{h.type}:{bytes(h.data[:h.size]).hex()}"


def open_handle(root, text, flags):
    kind, data = text.split(":")
    data = bytes.fromhex(data)
    h = Handle(len(data), int(kind))
    ctypes.memmove(h.data, data, len(data))
    fd = libc.open_by_handle_at(root, ctypes.byref(h), flags)
    if fd < 0:
        raise failed()
    return fd


def describe(root, text):
    fd = open_handle(root, text, os.O_PATH)
    s = os.fstat(fd)
    what = [str(s.st_ino), str(s.st_nlink), stat.filemode(s.st_mode)]
    if stat.S_ISREG(s.st_mode):
        other = open_handle(root, text, os.O_RDONLY)
        what.append(os.read(other, 100).decode().strip())
        os.close(other)
    elif stat.S_ISDIR(s.st_mode):
        # Whole, with its way to the root: only directories that are connected have one (reconnect_path).
        what.append(os.readlink(f"/proc/self/fd/{fd}"))
        other = open_handle(root, text, os.O_RDONLY | os.O_DIRECTORY)
        what.append(",".join(sorted(os.listdir(other))))
        os.close(other)
    elif stat.S_ISLNK(s.st_mode):
        what.append(os.readlink("", dir_fd=fd))
    os.close(fd)
    return " ".join(what)


def each(words, body):
    status = 0
    for word in words:
        try:
            print(body(word), flush=True)
        except OSError as e:
            print(errno.errorcode[e.errno])
            status = 1
    return status


FAN_CREATE, FAN_DELETE, FAN_MODIFY, FAN_MOVED_TO, FAN_ONDIR, FAN_CHILD = 0x100, 0x200, 2, 0x80, 0x40000000, 0x08000000


def watch(path, command):
    # FAN_REPORT_FID | FAN_REPORT_DIR_FID | FAN_REPORT_NAME, FAN_NONBLOCK
    fan = libc.fanotify_init(0x200 | 0x400 | 0x800 | 2, os.O_RDONLY)
    if fan < 0:
        raise failed()
    if libc.fanotify_mark(fan, 1, ctypes.c_uint64(FAN_CREATE | FAN_DELETE | FAN_MODIFY | FAN_MOVED_TO | FAN_ONDIR | FAN_CHILD), -100, path.encode()) < 0:
        raise failed()
    subprocess.run(command, shell=True, check=True)
    root = os.open(path, os.O_RDONLY)
    names = {FAN_CREATE: "create", FAN_DELETE: "delete", FAN_MODIFY: "modify", FAN_MOVED_TO: "moved"}
    data = os.read(fan, 65536)
    while data:
        length, _, _, meta, mask, _, _ = struct.unpack_from("=IBBHQii", data)
        at, line = meta, [names.get(mask & ~FAN_ONDIR, hex(mask))]
        while at < length:
            kind, _, size = struct.unpack_from("=BBH", data, at)
            count, form = struct.unpack_from("=Ii", data, at + 12)
            handle = f"{form}:{data[at + 20:at + 20 + count].hex()}"
            if kind == 2:
                line.append("name=" + data[at + 20 + count:at + size].split(b"\0")[0].decode())
            try:
                line.append({1: "object", 2: "in", 3: "in"}[kind] + "=" + str(os.fstat(open_handle(root, handle, os.O_PATH)).st_ino))
            except OSError as e:
                line.append(errno.errorcode[e.errno])
            at += size
        print(" ".join(line))
        data = data[length:]
    return 0


if __name__ == "__main__":
    word, place, rest = sys.argv[1], sys.argv[2], sys.argv[3:]
    os.chdir(place)
    if word == "watch":
        sys.exit(watch(".", rest[0]))
    if rest[0] == "--fid":
        sys.exit(each(rest[1:], lambda p: take(p, 0x200)))
    root = os.open(".", os.O_RDONLY)
    sys.exit(each(rest, take if word == "take" else lambda h: describe(root, h)))

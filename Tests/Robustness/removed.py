"""Directories and files that are removed, or replaced, while somebody looks at them by a descriptor: no look may fail.

removed.py DIRECTORY SECONDS
"""
import ctypes
import os
import sys
import time

# statx(2) with AT_STATX_FORCE_SYNC, so that the one who serves is asked.
libc = ctypes.CDLL(None, use_errno=True)
libc.statx.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_uint, ctypes.c_char_p]
buffer = ctypes.create_string_buffer(256)
end = time.monotonic() + float(sys.argv[2])
os.chdir(sys.argv[1])
pid = os.fork()
if pid == 0:
    while time.monotonic() < end:
        os.mkdir('d')
        os.rmdir('d')
        os.mkdir('e')
        os.mkdir('f')
        os.rename('e', 'f')
        os.rmdir('f')
        open('g', 'w').close()
        os.unlink('g')
    os._exit(0)
looks = failed = 0
while time.monotonic() < end:
    for name in ('d', 'f', 'g'):
        try:
            fd = os.open(name, os.O_RDONLY)
        except FileNotFoundError:
            continue
        for _ in range(3):
            looks += 1
            if libc.statx(fd, b'', 0x1000 | 0x2000, 0x7ff, buffer) != 0:
                failed += 1
                print(name, os.strerror(ctypes.get_errno()))
        os.close(fd)
os.waitpid(pid, 0)
print(looks, 'looks,', failed, 'failed')
sys.exit(failed > 0 or looks < 100)

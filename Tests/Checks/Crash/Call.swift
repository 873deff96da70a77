import Glibc

/// `call`: one system call (and the open and close that it needs), so that what fails is known. Exit status 0, or 1
/// with the error's name.
enum Call {
    static func run(_ words: [Name]) -> Int32 {
        guard let what = words.first, words.count >= 2 else { return Arguments.usage() }
        let a = words[1]
        let b = words.count > 2 ? words[2] : ""
        let result =
            switch String(decoding: what.bytes, as: UTF8.self) {
            case "append": opened(a, O_WRONLY | O_APPEND) { Sys.write($0, Array("more\n".utf8)) }
            case "alarmed-append":
                // Signals that have a handler, every 20 ms: the call goes on.
                Sys.alarmed(everyMilliseconds: 20) {
                    opened(a, O_WRONLY | O_APPEND) { Sys.write($0, Array("more\n".utf8)) }
                }
            case "open-write": opened(a, O_WRONLY) { _ in 0 }
            case "open-truncate": opened(a, O_WRONLY | O_TRUNC) { _ in 0 }
            case "fsync-write":
                opened(a, O_WRONLY) { fd in first(Sys.pwrite(fd, Array("SYNCED".utf8), at: 0), Sys.fsync(fd)) }
            case "fsync-dir": opened(a, O_RDONLY | O_DIRECTORY) { Sys.fsync($0) }
            case "fsync-new":
                opened(a, O_WRONLY | O_CREAT | O_EXCL) { fd in first(Sys.write(fd, Array("SYNCED".utf8)), Sys.fsync(fd))
                }
            case "chmod": Sys.chmod(a, 0o600)
            case "chown": Sys.chown(a, 7, 8)
            case "touch": Sys.utimens(a, access: Moment(5, 6), modify: Moment(7, 8))
            case "truncate": Sys.truncate(a, 100)
            case "setxattr": Sys.setxattr(a, "user.new", Array("value".utf8))
            case "removexattr": Sys.removexattr(a, "user.old")
            case "unlink": Sys.unlink(a)
            case "rmdir": Sys.rmdir(a)
            case "mkdir": Sys.mkdir(a, 0o751)
            case "mknod": Sys.mknod(a, 0o010640)
            case "symlink": Sys.symlink("to/nowhere", a)
            case "create": opened(a, O_WRONLY | O_CREAT | O_EXCL) { _ in 0 }
            case "create-open": opened(a, O_WRONLY | O_CREAT) { _ in 0 }
            case "read": opened(a, O_RDONLY) { Sys.read($0, 100_000).0 }
            case "write": opened(a, O_WRONLY) { Sys.pwrite($0, Array("WRITTEN".utf8), at: 2) }
            case "fallocate": opened(a, O_WRONLY) { Sys.fallocate($0, 0, 0, 100_000) }
            case "copy-range":
                opened(a, O_RDONLY) { from in opened(b, O_WRONLY) { to in Sys.copyRange(from, 0, to, 0, 4096) } }
            case "list": opened(a, O_RDONLY | O_DIRECTORY) { Sys.allEntries($0).0 }
            case "stat": opened(a, 0o10000000) { _ in 0 }
            case "readlink": Sys.readlink(a).0
            case "getxattr": Sys.getxattr(a, "user.old").0
            case "afterwards": afterwards(a)
            case "unlink-open":
                // What is open lives on without its name.
                opened(a, O_RDWR) { fd in
                    first(Sys.unlink(a), first(Sys.pwrite(fd, Array("x".utf8), at: 0), Sys.pread(fd, 1, at: 0).0))
                }
            case "link": Sys.link(a, b)
            case "rename": Sys.rename(a, b)
            case "exchange": Sys.rename(a, b, 2)
            case "tmpfile":
                opened(a, 0o20200000 | O_RDWR) { fd in first(Sys.write(fd, Array("made\n".utf8)), Sys.link(fd: fd, b)) }
            default: -Int(EINVAL)
            }
        return result < 0 ? complain("\(what): \(show(result))") : 0
    }

    private static func opened(_ name: Name, _ flags: Int32, _ body: (Int32) -> Int) -> Int {
        let fd = Sys.open(name, flags, 0o640)
        guard fd >= 0 else { return fd }
        let result = body(Int32(fd))
        Sys.close(Int32(fd))
        return result
    }
    /// The directory and its names go on.
    private static func afterwards(_ directory: Name) -> Int {
        let place = Sys.open(directory, O_RDONLY | O_DIRECTORY)
        guard place >= 0 else { return place }
        let at = Int32(place)
        defer { Sys.close(at) }
        let steps: [() -> Int] = [
            { made(at, O_WRONLY | O_CREAT | O_EXCL) }, { made(at, O_RDWR | O_CREAT) },
            { Sys.mkdir("later.d", 0o755, at: at) },
            { Sys.link("later", "later.l", at: at) }, { Sys.rename("later", "later.d/moved", at: at) },
            { Sys.symlink("later.l", "later.s", at: at) },
            { Sys.allEntries(at).0 }, { Sys.rename("later.l", "later.d", 2, at: at) },
            { Sys.unlink("later.d", at: at) }, { Sys.unlink("later.s", at: at) },
            { Sys.unlink("later.l/moved", at: at) }, { Sys.rmdir("later.l", at: at) }, { Sys.fsync(at) },
        ]
        for step in steps {
            let result = step()
            if result < 0 { return result }
        }
        return 0
    }
    private static func made(_ at: Int32, _ flags: Int32) -> Int {
        let fd = Sys.open("later", flags, 0o640, at: at)
        if fd >= 0 { Sys.close(Int32(fd)) }
        return fd
    }
    private static func first(_ one: Int, _ other: @autoclosure () -> Int) -> Int { one < 0 ? one : other() }
}

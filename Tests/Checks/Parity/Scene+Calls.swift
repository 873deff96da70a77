import Glibc

/// System calls that write their line: the label is the call with its arguments.
extension Scene {
    // MARK: Opening and data

    /// A descriptor, or nil. `quiet` leaves out the label's arguments that a prefix already says.
    func open(_ name: Name, _ flags: Int32, _ mode: UInt32 = 0) -> Int32? {
        let created = flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY)) != 0
        let fd = Sys.open(name, flags, mode)
        ok("open(\(name.short), \(openFlags(flags))\(created ? ", " + octal(mode) : ""))", fd)
        return fd < 0 ? nil : Int32(fd)
    }

    func opened(_ name: Name, _ flags: Int32, _ mode: UInt32 = 0, _ body: (Int32) -> Void) {
        guard let fd = open(name, flags, mode) else { return }
        body(fd)
        Sys.close(fd)
    }

    func read(_ fd: Int32, _ count: Int) {
        let (result, bytes) = Sys.read(fd, count)
        note("read(\(count))", result < 0 ? show(result) : showBytes(bytes))
    }

    func pread(_ fd: Int32, _ count: Int, _ offset: Int64) {
        let (result, bytes) = Sys.pread(fd, count, at: offset)
        note("pread(\(count), \(offset))", result < 0 ? show(result) : showBytes(bytes))
    }

    func write(_ fd: Int32, _ text: String) { result("write(\(text.utf8.count))", Sys.write(fd, Array(text.utf8))) }
    func pwrite(_ fd: Int32, _ text: String, _ offset: Int64) {
        result("pwrite(\(text.utf8.count), \(offset))", Sys.pwrite(fd, Array(text.utf8), at: offset))
    }

    func seek(_ fd: Int32, _ offset: Int64, _ whence: Int32) {
        let names = ["SET", "CUR", "END", "DATA", "HOLE"]
        let name = names.indices.contains(Int(whence)) ? names[Int(whence)] : String(whence)
        result("lseek(\(offset), \(name))", Sys.seek(fd, offset, whence))
    }

    func truncate(_ name: Name, _ length: Int) {
        result("truncate(\(name.short), \(length))", Sys.truncate(name, length))
    }
    func ftruncate(_ fd: Int32, _ length: Int64) { result("ftruncate(\(length))", Sys.ftruncate(fd, length)) }
    func fallocate(_ fd: Int32, _ mode: Int32, _ offset: Int64, _ length: Int64) {
        result("fallocate(\(mode), \(offset), \(length))", Sys.fallocate(fd, mode, offset, length))
    }

    // MARK: Names

    func mkdir(_ name: Name, _ mode: UInt32 = 0o755) {
        result("mkdir(\(name.short), \(octal(mode)))", Sys.mkdir(name, mode))
    }
    func rmdir(_ name: Name) { result("rmdir(\(name.short))", Sys.rmdir(name)) }
    func unlink(_ name: Name) { result("unlink(\(name.short))", Sys.unlink(name)) }
    func symlink(_ target: Name, _ name: Name) {
        result("symlink(\(target.short), \(name.short))", Sys.symlink(target, name))
    }
    func link(_ old: Name, _ new: Name, flags: Int32 = 0) {
        result(
            "link(\(old.short), \(new.short)\(flags == 0 ? "" : ", flags \(flags)"))", Sys.link(old, new, flags: flags))
    }
    func rename(_ old: Name, _ new: Name, _ flags: UInt32 = 0) {
        let suffix = flags == 0 ? "" : ", " + renameFlags(flags)
        result("rename(\(old.short), \(new.short)\(suffix))", Sys.rename(old, new, flags))
    }
    func mknod(_ name: Name, _ mode: UInt32, _ device: UInt64 = 0) {
        result(
            "mknod(\(name.short), \(kindName(mode)) \(octal(mode & 0o7777)), \(device))", Sys.mknod(name, mode, device))
    }
    func readlink(_ name: Name, size: Int = 4096) {
        let (result, bytes) = Sys.readlink(name, size: size)
        note("readlink(\(name.short), \(size))", result < 0 ? show(result) : showBytes(bytes))
    }

    // MARK: Attributes

    func chmod(_ name: Name, _ mode: UInt32) { result("chmod(\(name.short), \(octal(mode)))", Sys.chmod(name, mode)) }
    func fchmod(_ fd: Int32, _ mode: UInt32) { result("fchmod(\(octal(mode)))", Sys.fchmod(fd, mode)) }
    func chown(_ name: Name, _ uid: Int, _ gid: Int, follow: Bool = false) {
        result(
            "chown(\(name.short), \(uid), \(gid)\(follow ? ", follow" : ""))",
            Sys.chown(name, uid, gid, flags: follow ? 0 : AT_SYMLINK_NOFOLLOW))
    }
    func fchown(_ fd: Int32, _ uid: Int, _ gid: Int) { result("fchown(\(uid), \(gid))", Sys.fchown(fd, uid, gid)) }

    func utimens(_ name: Name, _ access: Moment, _ modify: Moment, follow: Bool = false) {
        result(
            "utimensat(\(name.short), \(text(access)), \(text(modify))\(follow ? ", follow" : ""))",
            Sys.utimens(name, access: access, modify: modify, flags: follow ? 0 : AT_SYMLINK_NOFOLLOW))
    }

    func futimens(_ fd: Int32, _ access: Moment, _ modify: Moment) {
        result("futimens(\(text(access)), \(text(modify)))", Sys.futimens(fd, access: access, modify: modify))
    }

    private func text(_ time: Moment) -> String {
        time == .now ? "now" : time == .omit ? "omit" : "\(time.seconds).\(time.nanoseconds)"
    }

    func access(_ name: Name, _ mode: Int32, flags: Int32 = 0) {
        result(
            "access(\(name.short), \(mode)\(flags == 0 ? "" : ", flags \(flags)"))",
            Sys.access(name, mode, flags: flags))
    }

    func setxattr(_ name: Name, _ attribute: Name, _ value: [UInt8], _ flags: Int32 = 0) {
        let suffix =
            flags == 0 ? "" : flags == XATTR_CREATE ? ", CREATE" : flags == XATTR_REPLACE ? ", REPLACE" : ", \(flags)"
        result(
            "setxattr(\(name.short), \(attribute.short), \(value.count)\(suffix))",
            Sys.setxattr(name, attribute, value, flags))
    }

    func setxattr(_ name: Name, _ attribute: Name, _ value: String, _ flags: Int32 = 0) {
        setxattr(name, attribute, Array(value.utf8), flags)
    }

    func getxattr(_ name: Name, _ attribute: Name, size: Int = 65536) {
        let (result, value) = Sys.getxattr(name, attribute, size: size)
        note(
            "getxattr(\(name.short), \(attribute.short), \(size))",
            result < 0 || size == 0 ? show(result) : value.count <= 64 ? hex(value) : showBytes(value))
    }

    func removexattr(_ name: Name, _ attribute: Name) {
        result("removexattr(\(name.short), \(attribute.short))", Sys.removexattr(name, attribute))
    }

    func listxattr(_ name: Name, size: Int = 65536) {
        let (result, names) = Sys.listxattr(name, size: size)
        note(
            "listxattr(\(name.short), \(size))",
            result < 0 || size == 0 ? show(result) : names.map(\.short).joined(separator: ","))
    }

    // MARK: Directories

    /// Names, kinds, and whether readdir and stat agree on each object.
    func list(_ name: Name) {
        let fd = Sys.open(name, O_RDONLY | O_DIRECTORY)
        guard fd >= 0 else { return note("list(\(name.short))", show(fd)) }
        list(of: Int32(fd), name.short)
        Sys.close(Int32(fd))
    }

    func list(of fd: Int32, _ what: String) {
        let (result, entries) = Sys.allEntries(fd)
        guard result >= 0 else { return note("list(\(what))", show(result)) }
        let names = entries.sorted { $0.name < $1.name }.map { entry in
            let (result, status) = Sys.status(entry.name, at: fd)
            // The parent of `.` may be outside of the mount or of the case; its number is another case's matter.
            let agrees = entry.name == ".." || (result >= 0 && status.ino == entry.ino)
            return "\(entry.name)/\(entry.kind)" + (agrees ? "" : "/ino")
        }
        note("list(\(what))", names.joined(separator: " "))
    }

    // MARK: Other processes

    /// Runs `body` in a child, for instance as another user; its lines come into the same transcript.
    func inChild(_ body: () -> Void) {
        let pid = Sys.fork()
        if pid == 0 {
            body()
            exit(0)
        }
        let end = pid < 0 ? pid : Sys.wait(Int32(pid))
        if end != 0 { note("child", end >= 256 ? "signal \(end - 256)" : show(end)) }
    }

    func asUser(_ uid: UInt32, gid: UInt32? = nil, groups: [UInt32] = [], _ body: () -> Void) {
        inChild {
            make.must("become \(uid)", Sys.become(uid: uid, gid: gid ?? uid, groups: groups))
            with("uid \(uid)" + (gid.map { " gid \($0)" } ?? ""), body)
        }
    }
}

import Glibc

/// Directories that are immutable or append-only; files: `Side.guarded`.
enum Guarded {
    /// Sets the flag, tries what it forbids, takes it away. All results are compared.
    static func tryAllInDirectory(_ path: Name, _ flag: UInt32) -> Side.Outcome {
        let (code, status) = Sys.status(path)
        guard code >= 0 else { return Side.Outcome(code: code) }
        let fd = Sys.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
        guard fd >= 0 else { return Side.Outcome(code: fd) }
        defer { Sys.close(Int32(fd)) }
        let before = Sys.getflags(Int32(fd))
        guard before.0 >= 0 else { return Side.Outcome(code: before.0) }
        let set = Sys.setflags(Int32(fd), before.1 | flag)
        guard set >= 0 else { return Side.Outcome(code: set) }
        var results = [Sys.getflags(Int32(fd)).1 & (FS_IMMUTABLE_FL | FS_APPEND_FL) == flag ? 1 : 0]
        // Made where a directory only takes new names, and then not to be removed: so not tried there.
        results += [Sys.rmdir(path), Sys.rmdir(path.joined("no such name")), Sys.rename(path, "guarded")]
        results.append(Sys.chmod(path, status.permissions ^ 1))
        results.append(Sys.setxattr(path, "user.guarded", [1]))
        results.append(Sys.utimens(path, access: Moment(1, 1), modify: Moment(1, 1)))
        results.append(Sys.rename(path, path.joined("x")))
        results.append(Sys.setflags(Int32(fd), before.1))
        return Side.Outcome(code: 0, text: results.map { show($0) }.joined(separator: " "))
    }
}

import Glibc

/// Makes what a case starts from. Nothing of it is recorded, and a failure ends the process: a case without its
/// beginnings would compare nothing.
struct Maker {
    static let failureStatus: Int32 = 3

    func must(_ what: String, _ result: Int) {
        guard result < 0 else { return }
        printError("set-up: \(what): \(show(result))")
        exit(Self.failureStatus)
    }

    func file(_ name: Name, _ text: String = "", mode: UInt32 = 0o644, uid: Int = 0, gid: Int = 0) {
        file(name, bytes: Array(text.utf8), mode: mode, uid: uid, gid: gid)
    }

    func file(_ name: Name, bytes: [UInt8], mode: UInt32 = 0o644, uid: Int = 0, gid: Int = 0) {
        let fd = Sys.open(name, O_CREAT | O_EXCL | O_WRONLY, 0o600)
        must("create \(name)", fd)
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = Sys.write(Int32(fd), Array(rest.prefix(1 << 20)))
            must("write \(name)", written)
            rest = rest.dropFirst(written)
        }
        Sys.close(Int32(fd))
        own(name, mode, uid, gid)
    }

    /// A file that is a hole, with some data at offsets.
    func sparse(_ name: Name, size: Int, data: [(offset: Int, text: String)] = []) {
        let fd = Sys.open(name, O_CREAT | O_EXCL | O_WRONLY, 0o644)
        must("create \(name)", fd)
        must("truncate \(name)", Sys.ftruncate(Int32(fd), Int64(size)))
        for piece in data {
            must("pwrite \(name)", Sys.pwrite(Int32(fd), Array(piece.text.utf8), at: Int64(piece.offset)))
        }
        Sys.close(Int32(fd))
    }

    func dir(_ name: Name, mode: UInt32 = 0o755, uid: Int = 0, gid: Int = 0) {
        must("mkdir \(name)", Sys.mkdir(name, 0o700))
        own(name, mode, uid, gid)
    }

    func symlink(_ target: Name, _ name: Name) { must("symlink \(name)", Sys.symlink(target, name)) }
    func link(_ old: Name, _ new: Name) { must("link \(new)", Sys.link(old, new)) }

    func node(_ name: Name, _ mode: UInt32, _ device: UInt64 = 0, uid: Int = 0, gid: Int = 0) {
        must("mknod \(name)", Sys.mknod(name, mode, device))
        own(name, mode & 0o7777, uid, gid)
    }

    func xattr(_ name: Name, _ attribute: Name, _ value: [UInt8]) {
        must("setxattr \(name) \(attribute)", Sys.setxattr(name, attribute, value))
    }

    func xattr(_ name: Name, _ attribute: Name, _ value: String) { xattr(name, attribute, Array(value.utf8)) }

    func chmod(_ name: Name, _ mode: UInt32) { must("chmod \(name)", Sys.chmod(name, mode)) }

    func times(_ name: Name, seconds: Int64, nanoseconds: Int64) {
        let time = Moment(seconds, nanoseconds)
        must("utimens \(name)", Sys.utimens(name, access: time, modify: time))
    }

    /// Owner first: chown takes suid and sgid away.
    private func own(_ name: Name, _ mode: UInt32, _ uid: Int, _ gid: Int) {
        if uid != 0 || gid != 0 { must("chown \(name)", Sys.chown(name, uid, gid)) }
        must("chmod \(name)", Sys.chmod(name, mode))
    }

    /// Removes whatever has that name, if anything: for putting things back between two tries of a case.
    func gone(_ name: Name) {
        let (result, status) = Sys.status(name)
        if result == -Int(ENOENT) { return }
        must("stat \(name)", result)
        must("remove \(name)", status.isDirectory ? removeTree(name) : Sys.unlink(name))
    }
}

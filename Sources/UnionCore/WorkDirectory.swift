public import LinuxSys
internal import Glibc
internal import Synchronization

enum WhiteoutFlags {
    static let createMarker: Int32 = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW
}

/// `workdir/work`: where everything is made complete before one rename or link shows it in the upper layer. Names begin with `#`,
/// as overlayfs has them; what a crash leaves is removed at the next mount.
public final class WorkDirectory: Sendable {
    private let directory: OwnedFD
    private let counter: Atomic<UInt64>
    private let whiteout = Mutex(.leaf)
    private let whiteoutMade = Atomic<Bool>(false)
    private let whiteoutName: ShortName

    /// mknod(2) of a 0/0 device is refused here: whiteouts are written as `.wh.NAME`.
    public let usesMarkerFiles: Bool
    /// O_TMPFILE works: a regular file needs no name while it is made.
    public let hasTemporaryFiles: Bool
    /// rename(2) leaves a whiteout behind by itself.
    public let hasRenameWhiteout: Bool

    /// `fd`: the `work` directory inside workdir, on the filesystem and mount of the upper layer.
    init(fd: consuming OwnedFD) {
        // Two mounts may share a work directory in the engines' form: names differ by process and time.
        let seed = Clock.monotonic << 20 ^ UInt64(UInt32(bitPattern: Process.id)) << 40
        counter = Atomic(seed)
        whiteoutName = ShortName(prefix: "#whiteout-", number: seed)
        let at = fd.fd
        hasTemporaryFiles = Self.works { () throws(Errno) in
            _ = try at.open(NameRef.dot, OpenFlags.temporaryFile | O_RDWR, mode: 0o600)
        }
        let probe = ShortName(prefix: "#probe-", number: seed)
        let other = ShortName(prefix: "#probe2-", number: seed)
        var device = false
        var renames = false
        probe.withRef { p in
            device = Self.works { () throws(Errno) in try at.makeNode(p, mode: UInt32(S_IFCHR)) }
            if device {
                renames = other.withRef { o in
                    Self.works { () throws(Errno) in
                        try at.rename(p, to: at, o, .whiteout)
                        try at.unlink(o)
                    }
                }
                _ = Self.works { () throws(Errno) in try at.unlink(p) }
            }
        }
        usesMarkerFiles = !device
        hasRenameWhiteout = renames
        directory = fd
    }
    private static func works(_ body: () throws(Errno) -> Void) -> Bool {
        do throws(Errno) {
            try body()
            return true
        } catch { return false }
    }

    public var fd: FD { directory.fd }

    /// A name that nobody has here.
    public func temporaryName() -> ShortName {
        ShortName(prefix: "#", number: counter.wrappingAdd(1, ordering: .relaxed).newValue)
    }

    /// Names of another process than before.
    func renew() { counter.store(Clock.monotonic << 20 ^ UInt64(UInt32(bitPattern: Process.id)) << 40, ordering: .relaxed) }

    /// One more name for the one whiteout inode; a new inode when it has all the links that the filesystem allows.
    func linkWhiteout(to directory: FD, _ name: NameRef) throws(Errno) {
        try whiteoutName.withRef { (shared) throws(Errno) in
            if whiteoutMade.load(ordering: .acquiring) {
                do throws(Errno) {
                    try fd.link(shared, to: directory, name)
                    return
                } catch {
                    guard error == .tooManyLinks || error == .noEntry || error == .crossDevice else { throw error }
                }
            }
            try whiteout.locked { () throws(Errno) in
                do throws(Errno) { try fd.unlink(shared) } catch { if error != .noEntry { throw error } }
                try fd.makeNode(shared, mode: UInt32(S_IFCHR))
                try fd.link(shared, to: directory, name)
                whiteoutMade.store(true, ordering: .releasing)
            }
        }
    }

    /// Removes something that was moved here: at once, or at the second attempt, or at the next mount.
    func discard(_ name: NameRef, isDirectory: Bool) {
        for _ in 0..<2 {
            do throws(Errno) {
                if isDirectory { try removeTree(fd, name) } else { try fd.unlink(name) }
                return
            } catch { /* See above: nothing of the union depends on it. */ }
        }
    }

    /// Everything that an earlier mount left behind. Only by a mount that has the directory for itself.
    func clean() throws(Errno) {
        var names: [FileName] = []
        var reader = DirectoryReader(fd)
        try reader.rewind()
        try reader.forEach { (name, _, _) throws(Errno) in
            names.append(name.owned)
            return true
        }
        for name in names {
            try name.withRef { (n) throws(Errno) in
                do throws(Errno) { try fd.unlink(n) } catch {
                    guard error == .isDirectory || error == .notPermitted else { throw error }
                    try removeTree(fd, n)
                }
            }
        }
    }
    /// At the end of a mount: the shared whiteout's own name.
    func close() {
        whiteoutName.withRef { name in discard(name, isDirectory: false) }
    }
}

/// Removes a directory and all in it, never through a symlink. One descriptor for each level.
func removeTree(_ parent: FD, _ name: NameRef) throws(Errno) {
    do throws(Errno) {
        try parent.removeDirectory(name)
        return
    } catch {
        guard error == .notEmpty || error == .exists else { throw error }
    }
    let directory = try parent.openDirectory(name)
    var directories: [FileName] = []
    var reader = DirectoryReader(directory.fd)
    let fd = directory.fd
    try reader.forEach { (child, _, kind) throws(Errno) in
        if kind == .directory {
            directories.append(child.owned)
        } else {
            do throws(Errno) { try fd.unlink(child) } catch {
                guard error == .isDirectory else { throw error }
                directories.append(child.owned)
            }
        }
        return true
    }
    for child in directories { try child.withRef { (c) throws(Errno) in try removeTree(fd, c) } }
    try parent.removeDirectory(name)
}

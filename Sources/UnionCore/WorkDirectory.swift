internal import Glibc
public import LinuxSys
internal import Synchronization

enum WhiteoutFlags {
    static let createMarker: Int32 = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW
}

/// `workdir/work`: where everything is made complete before one rename or link shows it in the upper layer. Names begin
/// with `#`, as overlayfs has them; what a crash leaves is removed at the next mount.
public final class WorkDirectory: Sendable {
    private let directory: OwnedFD
    private let counter: Atomic<UInt64>
    private let whiteout = Mutex(.leaf)
    private let whiteoutMade = Atomic<Bool>(false)
    private let whiteoutName: ShortName

    /// How whiteouts are written here; nil: nothing can be hidden.
    public let whiteoutForm: WhiteoutForm?
    public var usesMarkerFiles: Bool { whiteoutForm == .marker }
    private let xattrs: XattrNamespace
    /// O_TMPFILE works: a regular file needs no name while it is made.
    public let hasTemporaryFiles: Bool
    /// Whose what we make here is; nil: not looked at. By the directory's sgid bit or a mount option the group can be
    /// another than ours.
    let newOwner: (uid: UInt32, gid: UInt32)?
    /// rename(2) leaves a whiteout behind by itself.
    public let hasRenameWhiteout: Bool

    /// `fd`: the `work` directory inside workdir, on the filesystem and mount of the upper layer.
    /// - Parameter readsMarkers: `.wh.NAME` counts as a whiteout.
    init(fd: consuming OwnedFD, xattrs: XattrNamespace = .trusted, readsMarkers: Bool = true) {
        self.xattrs = xattrs
        // Two mounts may share a work directory in the engines' form: names differ by process and time.
        let seed = Clock.monotonic << 20 ^ UInt64(UInt32(bitPattern: Process.id)) << 40
        counter = Atomic(seed)
        whiteoutName = ShortName(prefix: "#whiteout-", number: seed)
        let at = fd.fd
        var owner: (uid: UInt32, gid: UInt32)?
        hasTemporaryFiles = Self.works { () throws(Errno) in
            let file = try at.open(NameRef.dot, OpenFlags.temporaryFile | O_RDWR, mode: 0o600)
            let status = try file.fd.status()
            owner = (status.uid, status.gid)
        }
        newOwner = owner
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
        whiteoutForm = device ? .device : Self.formWithoutDevices(at, seed, xattrs, readsMarkers)
        hasRenameWhiteout = renames
        directory = fd
    }
    private static func formWithoutDevices(
        _ at: FD, _ seed: UInt64, _ xattrs: XattrNamespace, _ readsMarkers: Bool
    ) -> WhiteoutForm? {
        let canMark =
            readsMarkers
            && ShortName(prefix: ".wh.#", number: seed).withRef { m in
                works { () throws(Errno) in
                    _ = try at.open(m, WhiteoutFlags.createMarker, mode: 0)
                    try at.unlink(m)
                }
            }
        if canMark { return .marker }
        let canNote = ShortName(prefix: "#probe-", number: seed).withRef { p in
            works { () throws(Errno) in
                defer { _ = works { () throws(Errno) in try at.unlink(p) } }
                try makeNoted(at, p, xattrs)
            }
        }
        return canNote ? .attribute : nil
    }
    /// An empty file that says by an attribute that it is a whiteout.
    private static func makeNoted(_ directory: FD, _ name: NameRef, _ xattrs: XattrNamespace) throws(Errno) {
        let file = try directory.open(name, WhiteoutFlags.createMarker, mode: 0o600)
        try file.fd.setXattr(NameRef.empty, OverlayXattr.whiteout.name(xattrs), text: "y")
    }
    private func makeWhiteout(_ name: NameRef) throws(Errno) {
        if whiteoutForm == .attribute {
            try Self.makeNoted(fd, name, xattrs)
        } else {
            try fd.makeNode(name, mode: UInt32(S_IFCHR))
        }
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
    func renew() {
        counter.store(Clock.monotonic << 20 ^ UInt64(UInt32(bitPattern: Process.id)) << 40, ordering: .relaxed)
    }

    /// One more name for the one whiteout inode; a new inode when it has all the links that the filesystem allows.
    func linkWhiteout(to directory: FD, _ name: NameRef) throws(Errno) {
        try whiteoutName.withRef { (shared) throws(Errno) in
            if whiteoutMade.load(ordering: .acquiring) {
                do throws(Errno) {
                    try fd.link(shared, to: directory, name)
                    return
                } catch {
                    guard error == .tooManyLinks || error == .noEntry || error == .crossDevice else {
                        // A filesystem without hard links.
                        guard whiteoutForm == .attribute, error == .notPermitted || error == .notSupported else {
                            throw error
                        }
                        return try moveWhiteout(to: directory, name)
                    }
                }
            }
            try whiteout.locked { () throws(Errno) in
                do throws(Errno) { try fd.unlink(shared) } catch { if error != .noEntry { throw error } }
                try makeWhiteout(shared)
                do throws(Errno) { try fd.link(shared, to: directory, name) } catch {
                    guard whiteoutForm == .attribute, error == .notPermitted || error == .notSupported else {
                        throw error
                    }
                    try moveWhiteout(to: directory, name)
                }
                whiteoutMade.store(true, ordering: .releasing)
            }
        }
    }

    private func moveWhiteout(to directory: FD, _ name: NameRef) throws(Errno) {
        try temporaryName().withRef { (t) throws(Errno) in
            try makeWhiteout(t)
            do throws(Errno) { try fd.rename(t, to: directory, name, .noReplace) } catch {
                discard(t, isDirectory: false)
                throw error
            }
        }
    }

    /// Removes something that was moved here: at once, or at the second attempt, or at the next mount.
    func discard(_ name: NameRef, isDirectory: Bool) {
        for _ in 0..<2 {
            do throws(Errno) {
                if isDirectory { try removeTree(fd, name) } else { try fd.unlink(name) }
                return
            } catch {
                // See above: nothing of the union depends on it.
            }
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

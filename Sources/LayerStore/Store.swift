internal import Glibc
public import LinuxSys

/// Images, layers, containers and volumes below one directory, for one user:
///
///     store.db                  what there is, and what refers to what
///     lock                      held while something is put in place or taken away
///     layers/HEX/diff           a layer's files, in the form that a mount reads; never changed
///     layers/HEX/recipe         what makes its archive again (TarRecipeWriter)
///     containers/ID/{diff,work,merged,bundle}
///     volumes/NAME
///     tmp/NAME                  what is being made, locked by who makes it; else a leftover
///
/// Whatever is made is made in `tmp`, synced, moved to its place by one rename, and then entered into the database, all
/// with the lock held; whatever goes leaves the database first. So a death at any moment leaves at most a directory
/// without an entry, which the next `sweep` takes away.
public final class Store: Sendable {
    public let root: FileName
    private let directory: OwnedFD
    var fd: FD { directory.fd }
    let database: StoreDatabase

    /// Where the mounts of its containers leave word of themselves: in the store, as those who ask need not have the
    /// same run directory, and as a session's goes with the session.
    public static func mountDirectory(_ root: FileName) -> (parent: FileName, name: FileName) {
        (root.appending(component: "run"), "mounts")
    }
    public var mountDirectory: (parent: FileName, name: FileName) { Store.mountDirectory(root) }

    public static var defaultRoot: FileName {
        if Process.effectiveUser == 0 && Process.isInInitialUserNamespace { return "/var/lib/unionfsd" }
        if let data = Process.environment("XDG_DATA_HOME") { return data.appending(component: "unionfsd") }
        return (Process.environment("HOME") ?? "/").appending(component: ".local/share/unionfsd")
    }

    /// Opens it, and makes it where there is none.
    public init(_ root: FileName) throws(StoreError) {
        let (path, directory) = try Store.open(root)
        self.root = path
        for place in Place.allCases {
            do throws(Errno) {
                try place.name.withRef { (n) throws(Errno) in try directory.makeDirectory(n, mode: 0o700) }
            } catch {
                if error != .exists { throw StoreError(error, doing: "the store \(root)") }
            }
        }
        self.directory = OwnedFD(adopting: directory.raw)
        try Store.refuseIfOrphaned(directory, path)
        let fd = directory
        database = try StoreDatabase(path: path.appending(component: "store.db").description) { body in
            let lock = try Store.lock(fd)
            defer { lock.fd.touch() }
            try body()
        }
    }

    /// Its directory, its owner's alone and made where there is none; as the kernel names it.
    public static func prepareRoot(_ root: FileName) throws(StoreError) -> FileName {
        let (path, directory) = try open(root)
        directory.close()
        return path
    }
    private static func open(_ root: FileName) throws(StoreError) -> (FileName, FD) {
        try makeParents(root)
        return try told("the store \(root)") { () throws(Errno) in
            let directory = try FD.currentDirectory.open(root, O_RDONLY | OpenFlags.directory)
            let status = try directory.fd.status()
            guard status.uid == Process.effectiveUser else { throw Errno.notPermitted }
            // Layers hold set-uid programs, which are for containers and not for the users of this machine.
            if status.permissions & 0o077 != 0 { try directory.fd.changeMode(NameRef.empty, 0o700) }
            return (try directory.fd.path(), directory.release())
        }
    }
    /// A sweep takes away what has no entry: without the database that would be all containers there are.
    private static func refuseIfOrphaned(_ directory: FD, _ path: FileName) throws(StoreError) {
        do throws(Errno) {
            do throws(Errno) {
                _ = try directory.status(NameRef("store.db"))
                return
            } catch { if error != .noEntry { throw error } }
            for place in [NameRef("containers"), NameRef("volumes")] {
                let inside = try directory.openDirectory(place)
                var reader = DirectoryReader(inside.fd)
                try reader.forEach { (name, _, _) throws(Errno) in
                    if name.isDotOrDotDot { return true }
                    throw Errno.notEmpty
                }
            }
        } catch {
            if error == .notEmpty {
                throw StoreError(
                    .damaged, "\(path) has containers or volumes and no store.db: put that back, or move them away")
            }
            throw StoreError(error, doing: "the store \(path)")
        }
    }
    private static func makeParents(_ path: FileName) throws(StoreError) {
        var made = path.bytes.first == 0x2f ? FileName("/") : FileName(".")
        for part in path.bytes.split(separator: 0x2f) {
            made = made.appending(component: FileName(bytes: part))
            do throws(Errno) {
                try made.withRef { (m) throws(Errno) in try FD.currentDirectory.makeDirectory(m, mode: 0o700) }
            } catch {
                guard error == .exists || error == .readOnly || error == .accessDenied else {
                    throw StoreError(error, doing: "\(made)")
                }
            }
        }
    }

    enum Place: String, CaseIterable {
        case layers, containers, volumes, tmp
        var name: FileName { FileName(rawValue) }
    }
    func open(_ place: Place) throws(StoreError) -> OwnedFD {
        try told("the store's \(place.rawValue)") { () throws(Errno) in
            try place.name.withRef { (n) throws(Errno) in try fd.openDirectory(n) }
        }
    }

    /// With the store's lock: no other process, and no other thread, is in one of these.
    func exclusively<R: ~Copyable>(_ body: () throws(StoreError) -> R) throws(StoreError) -> R {
        let lock = try Store.lock(fd)
        defer { lock.fd.touch() }
        return try body()
    }

    private static func lock(_ store: FD) throws(StoreError) -> OwnedFD {
        try told("the store's lock") { () throws(Errno) in
            let lock = try store.open(FileName("lock"), O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600)
            try lock.fd.awaitLock()
            return lock
        }
    }
}

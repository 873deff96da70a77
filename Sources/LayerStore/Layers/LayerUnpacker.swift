internal import Glibc
internal import LinuxSys

/// Puts the members of an archive below a directory. The archive is hostile: no path of it leads out of that directory,
/// whatever symlinks it has brought, and nothing of it says anything to the overlay.
final class LayerUnpacker {
    struct Limits: Sendable {
        /// Bytes of the archive when unpacked, and members of it.
        var bytes: Int64 = 256 << 30
        var members = 5_000_000
    }

    enum Purpose: Sendable {
        /// A mount reads it: whiteouts mean something.
        case layer
        /// All as it is, whiteouts' names too. Without owners it is all of the user who copies, and nothing in it can
        /// do more than they: no set-user-id, no capability, no device.
        case copy(withOwners: Bool)
        /// Files, directories and symlinks with none of their attributes, for their owner or for everybody to read.
        case files(isPublic: Bool)
    }

    private let root: FD
    private let recipe: TarRecipeWriter?
    private let limits: Limits
    private let purpose: Purpose
    private(set) var members = 0
    /// Where the last member went, as the next one goes there, too.
    private var parentPath: [[UInt8]] = []
    private var parent: OwnedFD
    /// Directories that the archive does not have and that something of it lies in: what they are like, the layers
    /// below say.
    var implied: [FileName] { impliedOrder.filter { impliedNames.contains($0) } }
    private var impliedOrder: [FileName] = []
    /// The archive says what the root is like.
    private(set) var hasRoot = false
    private var leftOut: Set<FileName> = []
    private var impliedNames: Set<FileName> = []
    private func imply(_ name: FileName) { if impliedNames.insert(name).inserted { impliedOrder.append(name) } }
    /// Times of directories, put right at the end.
    private var directories: [(path: FileName, mtime: Timestamp)] = []

    init(root: FD, recipe: TarRecipeWriter?, limits: Limits, for purpose: Purpose = .layer) throws(StoreError) {
        self.purpose = purpose
        self.root = root
        self.recipe = recipe
        self.limits = limits
        parent = try told("the new layer") { () throws(Errno) in try root.openDirectory(NameRef.dot) }
    }

    func unpack(_ archive: ArchiveTarReader) throws(StoreError) {
        while let entry = try archive.next() {
            members += 1
            if members > limits.members {
                throw StoreError(.hostile, "the archive has more than \(limits.members) members")
            }
            try add(entry, archive)
        }
        try archive.drain()
        for (path, mtime) in directories.reversed() {
            do throws(Errno) {
                let directory = try open(path)
                try directory.fd.setTimes(NameRef.empty, access: mtime, modification: mtime)
            } catch { if error != .noEntry && error != .notDirectory { throw StoreError(error, doing: "\"\(path)\"") } }
        }
    }

    // ---- paths ----

    /// The components of a member's path; none for the root itself.
    private static func components(_ path: [UInt8]) throws(StoreError) -> [[UInt8]] {
        var out: [[UInt8]] = []
        if path.count > 4096 {
            throw StoreError(.hostile, "the archive has a path of \(path.count) bytes, which is too long")
        }
        for part in path.split(separator: 0x2f) where !part.elementsEqual([0x2e]) {
            if part.elementsEqual([0x2e, 0x2e]) {
                throw StoreError(.hostile, "\"\(FileName(bytes: path))\" climbs out of the archive")
            }
            if part.count > 255 {
                throw StoreError(.hostile, "\"\(FileName(bytes: path.prefix(80)))…\" has a name of more than 255 bytes")
            }
            out.append(Array(part))
        }
        return out
    }
    private static func joined(_ components: some Sequence<[UInt8]>) -> FileName {
        FileName(bytes: components.joined(separator: [0x2f]))
    }
    private var givesOwners: Bool { if case .copy(withOwners: false) = purpose { false } else { true } }
    private var isCopy: Bool { if case .copy = purpose { true } else { false } }
    private func open(_ path: FileName) throws(Errno) -> OwnedFD {
        if path.isEmpty { return try root.openDirectory(NameRef.dot) }
        return try path.withRef { (p) throws(Errno) in try root.openInside(p, O_RDONLY | OpenFlags.directory) }
    }

    /// Makes `parent` the directory of that path, with all that is missing above it.
    private func enter(_ path: [[UInt8]]) throws(StoreError) {
        if path == parentPath { return }
        let name = LayerUnpacker.joined(path)
        do throws(Errno) { parent = try open(name) } catch {
            switch error {
            case .noEntry:
                guard let last = path.last else { throw StoreError(error, doing: "the new layer") }
                try enter(path.dropLast())
                try told("\"\(name)\"") { () throws(Errno) in
                    try FileName(bytes: last).withRef { (n) throws(Errno) in try parent.fd.makeDirectory(n, mode: 0o755)
                    }
                    parent = try open(name)
                }
                imply(name)
            case .notDirectory where !isCopy:
                // A file was there, and now something below it: the later one is right.
                guard let last = path.last else { throw StoreError(error, doing: "the new layer") }
                try enter(path.dropLast())
                try told("\"\(name)\"") { () throws(Errno) in
                    let entry = FileName(bytes: last)
                    var wasWhiteout = false
                    try entry.withRef { (n) throws(Errno) in
                        do throws(Errno) {
                            let old = try parent.fd.status(n)
                            if old.isSymlink { throw Errno.loop }
                            wasWhiteout = try LayerForm.isWhiteout(old, entry, in: parent.fd)
                            try parent.fd.unlink(n)
                        } catch { if error != .noEntry { throw error } }
                        try parent.fd.makeDirectory(n, mode: 0o755)
                    }
                    parent = try open(name)
                    if wasWhiteout { try LayerForm.markOpaque(parent.fd) }
                }
                imply(name)
                recipe?.spoil()
            case .crossDevice, .loop:
                throw StoreError(.hostile, "\"\(name)\" leads out of the archive by a symbolic link")
            default: throw StoreError(error, doing: "\"\(name)\"")
            }
        }
        parentPath = path
    }

    // ---- members ----

    private func add(_ entry: ArchiveEntry, _ archive: ArchiveTarReader) throws(StoreError) {
        let path = try LayerUnpacker.components(entry.path)
        guard let last = path.last else {
            // Who copies has said where to; what is there stays as it is.
            if entry.kind == .directory, !isCopy {
                hasRoot = true
                try attributes(entry, root, FileName(""))
                directories.append((FileName(""), entry.mtime))
            }
            return
        }
        if case .layer = purpose, path.dropLast().contains(where: { $0.starts(with: LayerForm.whiteoutPrefix) }) {
            // In a directory that would be a whiteout: nobody could see it.
            return
        }
        try enter(path.dropLast())
        let name = FileName(bytes: last)
        let shown = LayerUnpacker.joined(path)
        if case .layer = purpose, last.starts(with: LayerForm.whiteoutPrefix) { return try addWhiteout(last, shown) }
        if let target = entry.hardlink { return try addLink(target, name, shown) }

        let wasWhiteout = try clear(name, forDirectory: entry.kind == .directory, shown)
        switch entry.kind {
        case .directory:
            var isThere = false
            try told("\"\(shown)\"") { () throws(Errno) in
                do throws(Errno) {
                    try name.withRef { (n) throws(Errno) in try parent.fd.makeDirectory(n, mode: 0o700) }
                } catch {
                    if error != .exists { throw error }
                    isThere = true
                }
                if wasWhiteout {
                    let made = try name.withRef { (n) throws(Errno) in try parent.fd.openDirectory(n) }
                    try LayerForm.markOpaque(made.fd)
                }
            }
            // As cp(1) has it.
            if isThere && isCopy { return }
            try attributes(entry, parent.fd, name)
            directories.append((shown, entry.mtime))
            impliedNames.remove(shown)
        case .regular: try addFile(entry, name, shown, archive)
        case .symlink:
            if entry.symlink.isEmpty {
                throw StoreError(
                    .invalid,
                    """
                    \"\(shown)\" is a symbolic link whose target cannot be read: it is empty, or not UTF-8 in a \
                    pax header
                    """
                )
            }
            try told("\"\(shown)\"") { () throws(Errno) in
                try name.withRef { (n) throws(Errno) in
                    try FileName(bytes: entry.symlink).withRef { (t) throws(Errno) in
                        try parent.fd.makeSymlink(n, target: t)
                    }
                }
            }
            try attributes(entry, parent.fd, name)
        case .character, .block, .fifo:
            if case .files = purpose { return }
            if !givesOwners, entry.kind != .fifo {
                leftOut.insert(shown)
                return
            }
            // A whiteout on the disk; in an archive it is said otherwise.
            if case .layer = purpose, entry.kind == .character, entry.device == 0 { return }
            do throws(Errno) {
                try name.withRef { (n) throws(Errno) in
                    try parent.fd.makeNode(n, mode: entry.kind.modeBits | 0o600, device: entry.device)
                }
            } catch {
                // An ordinary user has no devices to give, and a container of theirs gets those that it needs from its
                // runtime.
                if error == .notPermitted, !LayerForm.usesTrusted, entry.kind != .fifo {
                    leftOut.insert(shown)
                    return
                }
                throw StoreError(error, doing: "\"\(shown)\"")
            }
            try attributes(entry, parent.fd, name)
        default: return // Sockets have no place in an archive.
        }
    }

    /// What has the name goes, but a directory stays one. True where it was a whiteout.
    private func clear(_ name: FileName, forDirectory: Bool, _ shown: FileName) throws(StoreError) -> Bool {
        do throws(Errno) {
            return try name.withRef { (n) throws(Errno) in
                let old: FileStatus
                do throws(Errno) { old = try parent.fd.status(n) } catch {
                    if error == .noEntry { return false }
                    throw error
                }
                // As cp(1) has it: neither takes the other's place.
                if case .copy = purpose, old.isDirectory != forDirectory {
                    throw old.isDirectory ? Errno.isDirectory : Errno.notDirectory
                }
                if old.isDirectory {
                    if forDirectory { return false }
                    try DirectoryTree.remove(name, in: parent.fd)
                    recipe?.spoil()
                    return false
                }
                if old.isRegular || old.isSymlink { recipe?.spoil() }
                let wasWhiteout = try LayerForm.isWhiteout(old, n.owned, in: parent.fd)
                try parent.fd.unlink(n)
                return wasWhiteout
            }
        } catch { throw StoreError(error, doing: "\"\(shown)\"") }
    }

    private func addFile(
        _ entry: ArchiveEntry, _ name: FileName, _ shown: FileName, _ archive: ArchiveTarReader
    ) throws(StoreError) {
        let file = try told("\"\(shown)\"") { () throws(Errno) in
            try name.withRef { (n) throws(Errno) in
                try parent.fd.open(n, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
            }
        }
        try archive.forEachBlock { (block, offset) throws(StoreError) in
            try told("\"\(shown)\"") { () throws(Errno) in
                try file.fd.writeSparsely(block, at: offset)
            }
        }
        // What ends with a hole has its length from here.
        if entry.size > 0 { try told("\"\(shown)\"") { () throws(Errno) in try file.fd.truncate(entry.size) } }
        if entry.size > 0 { recipe?.name(entry.offset, Array(shown.bytes)) }
        try attributes(entry, file.fd, FileName(""))
    }

    private func addLink(_ target: [UInt8], _ name: FileName, _ shown: FileName) throws(StoreError) {
        let path = try LayerUnpacker.components(target)
        guard let last = path.last else { throw StoreError(.hostile, "\"\(shown)\" is a link to the archive's root") }
        // Of a device that this user cannot have.
        if leftOut.contains(LayerUnpacker.joined(path)) {
            leftOut.insert(shown)
            return
        }
        _ = try clear(name, forDirectory: false, shown)
        do throws(Errno) {
            let directory = try open(LayerUnpacker.joined(path.dropLast()))
            try FileName(bytes: last).withRef { (t) throws(Errno) in
                try name.withRef { (n) throws(Errno) in try directory.fd.link(t, to: parent.fd, n) }
            }
        } catch {
            if error == .crossDevice || error == .loop {
                throw StoreError(.hostile, "\"\(shown)\" is a link that leads out of the archive")
            }
            throw StoreError(
                error == .noEntry || error == .notDirectory ? .invalid : .system,
                "\"\(shown)\" is a link to \"\(LayerUnpacker.joined(path))\": \(error.text)")
        }
    }

    private func addWhiteout(_ last: [UInt8], _ shown: FileName) throws(StoreError) {
        try told("\"\(shown)\"") { () throws(Errno) in
            if last == LayerForm.opaqueName { return try LayerForm.markOpaque(parent.fd) }
            // What aufs kept for itself.
            if last.starts(with: LayerForm.metadataPrefix) { return }
            let hidden = FileName(bytes: last.dropFirst(LayerForm.whiteoutPrefix.count))
            if hidden.isEmpty || hidden == "." || hidden == ".." { return }
            // It hides what is below, never what this layer brings.
            let own: FileStatus?
            do throws(Errno) { own = try hidden.withRef { (h) throws(Errno) in try parent.fd.status(h) } } catch {
                guard error == .noEntry else { throw error }
                own = nil
            }
            guard let own else { return try LayerForm.makeWhiteout(hidden, in: parent.fd) }
            if own.isDirectory {
                let directory = try hidden.withRef { (h) throws(Errno) in try parent.fd.openDirectory(h) }
                try LayerForm.markOpaque(directory.fd)
            }
        }
    }

    /// Owner, attributes, mode and times, in this order: each of the first takes away what the next sets. `name` empty:
    /// of `place` itself.
    private func attributes(_ entry: ArchiveEntry, _ place: FD, _ name: FileName) throws(StoreError) {
        if case .files(let isPublic) = purpose {
            if entry.kind == .symlink || name.isEmpty && entry.kind == .directory { return }
            let mode: UInt32 = entry.kind == .directory ? (isPublic ? 0o755 : 0o700) : (isPublic ? 0o644 : 0o600)
            return try told("\"\(name)\"") { () throws(Errno) in
                try name.withRef { (n) throws(Errno) in try place.changeMode(n, mode) }
            }
        }
        var hasForeignOwner = false
        do throws(Errno) {
            try name.withRef { (n) throws(Errno) in
                if givesOwners && LayerForm.keepsOwners {
                    do throws(Errno) { try place.changeOwner(n, uid: entry.uid, gid: entry.gid) } catch {
                        if error == .invalid { hasForeignOwner = true }
                        throw error
                    }
                }
                for (attribute, value) in entry.xattrs
                where !LayerForm.isPrivate(attribute) && (givesOwners || attribute.bytes.starts(with: "user.".utf8)) {
                    do throws(Errno) {
                        try attribute.withRef { (a) throws(Errno) in try place.setXattr(n, a, value) }
                    } catch {
                        // A filesystem, or a user, that cannot have it: as tar does.
                        if error != .notSupported && error != .notPermitted { throw error }
                    }
                }
                if entry.kind != .symlink {
                    try place.changeMode(n, givesOwners ? entry.permissions : entry.permissions & 0o1777)
                }
                if entry.kind != .directory { try place.setTimes(n, access: entry.mtime, modification: entry.mtime) }
            }
        } catch {
            if hasForeignOwner {
                let path =
                    (try? LayerUnpacker.joined(LayerUnpacker.components(entry.path))) ?? FileName(bytes: entry.path)
                throw StoreError(
                    .invalid,
                    """
                    \"\(path)\" belongs to \(entry.uid):\(entry.gid), and there are users up to \
                    \(UserNamespace.userCount - 1) and groups up to \(UserNamespace.groupCount - 1) here: give \
                    yourself more (usermod --add-subuids, --add-subgids), and stop all containers before you \
                    try again
                    """
                )
            }
            throw StoreError(error, doing: "the attributes of \"\(FileName(bytes: entry.path))\"")
        }
    }
}

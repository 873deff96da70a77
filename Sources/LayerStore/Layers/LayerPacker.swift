internal import Glibc
internal import LinuxSys

/// A tree as a tar archive: as it is, or as the difference that a writable layer is, with whiteouts as OCI's layer
/// specification has them. In the order of the names' bytes.
final class LayerPacker {
    enum Content {
        case tree, difference
        /// Of the machine, where in a user namespace most files are nobody's: they become root's.
        case foreignTree
    }
    /// What the kernel shows for a user that has no number here (proc(5), overflowuid).
    private static let nobody: UInt32 = 65534
    private let output: ArchiveTarWriter
    private let content: Content
    /// Files with several names: where the first was.
    private struct Inode: Hashable {
        let device: UInt64, number: UInt64
        init(_ status: FileStatus) {
            device = status.dev
            number = status.ino
        }
    }
    private var links: [Inode: [UInt8]] = [:]
    /// The tree is what lies on one mount, which may be of several filesystems' devices (a subvolume, an overlay); by
    /// device where the kernel does not tell mounts.
    private let beginning: FileStatus
    private func isBeyond(_ status: FileStatus) -> Bool {
        status.mountID != 0 && beginning.mountID != 0
            ? status.mountID != beginning.mountID : status.dev != beginning.dev
    }
    private var depth = 0
    private var leftOut: Set<FileName> = []
    private var keepsHoles = true
    /// Of a difference: what its mount shows besides.
    private var writable: WritableLayer?

    private init(_ output: ArchiveTarWriter, _ content: Content, _ beginning: FileStatus) {
        self.output = output
        self.content = content
        self.beginning = beginning
    }

    /// A container's writable layer.
    /// - Parameters:
    ///   - leftOut: paths without a slash at their beginning: empty files there are a runtime's, to mount something on.
    ///   - keepsHoles: else they are written as zeros.
    static func pack(
        _ writable: WritableLayer, leftOut: Set<FileName>, keepsHoles: Bool, to file: FD
    ) throws(StoreError) {
        try pack(
            writable.fd, .difference, leftOut: leftOut, writable: writable, keepsHoles: keepsHoles, .precise, to: file)
    }
    static func pack(
        _ root: FD, _ content: Content, leftOut: Set<FileName> = [], writable: WritableLayer? = nil,
        keepsHoles: Bool = true, _ form: ArchiveTarWriter.Form, to file: FD
    ) throws(StoreError) {
        let output = try ArchiveTarWriter(file, form)
        let status = try told("the tree") { () throws(Errno) in try root.status() }
        let packer = LayerPacker(output, content, status)
        packer.leftOut = leftOut
        packer.writable = writable
        packer.keepsHoles = keepsHoles
        var entry = packer.entry(status, [UInt8(ascii: ".")])
        entry.xattrs = try told("the tree") { () throws(Errno) in try packer.xattrs(root, NameRef.empty) }
        try output.begin(entry)
        if content == .difference, try told("the tree", { () throws(Errno) in try LayerForm.isOpaque(root) }) {
            try packer.marker(LayerForm.opaqueName, [], status)
        }
        try packer.add(root, [])
        try output.finish()
    }

    /// One name of a directory, with all that is below it, under another name.
    static func pack(
        _ name: FileName, in directory: FD, as path: FileName, _ content: Content,
        _ form: ArchiveTarWriter.Form = .precise, to file: FD
    ) throws(StoreError) {
        let output = try ArchiveTarWriter(file, form)
        let status = try told("\"\(name)\"") { () throws(Errno) in
            try name.withRef { (n) throws(Errno) in try directory.status(n) }
        }
        let packer = LayerPacker(output, content, status)
        try packer.add(directory, name, Array(path.bytes))
        try output.finish()
    }

    /// A directory that is open, with all that is below it, under a name.
    static func pack(_ directory: FD, as path: FileName, _ content: Content, to file: FD) throws(StoreError) {
        let output = try ArchiveTarWriter(file, .precise)
        let status = try told("\"\(path)\"") { () throws(Errno) in try directory.status() }
        let packer = LayerPacker(output, content, status)
        var entry = packer.entry(status, Array(path.bytes))
        entry.xattrs = try packer.attributes(directory, FileName(""), Array(path.bytes))
        try output.begin(entry)
        try packer.add(directory, Array(path.bytes))
        try output.finish()
    }

    private func entry(_ status: FileStatus, _ path: [UInt8]) -> ArchiveEntry {
        var entry = ArchiveEntry()
        entry.path = path
        entry.kind = status.kind
        entry.permissions = status.permissions
        entry.uid = status.uid
        entry.gid = status.gid
        if content == .foreignTree && !LayerForm.usesTrusted {
            // Whoever was meant, it is not root.
            if status.uid == LayerPacker.nobody { entry.permissions &= ~0o4000 }
            if status.gid == LayerPacker.nobody { entry.permissions &= ~0o2000 }
            entry.uid = status.uid == LayerPacker.nobody ? 0 : status.uid
            entry.gid = status.gid == LayerPacker.nobody ? 0 : status.gid
        }
        entry.mtime = status.mtime
        entry.size = status.isRegular ? Int64(clamping: status.size) : 0
        entry.device = status.rdev
        return entry
    }

    private func xattrs(_ directory: FD, _ name: NameRef) throws(Errno) -> [(name: FileName, value: [UInt8])] {
        var names: [FileName] = []
        do throws(Errno) {
            try directory.listXattrs(name).forEachName { (attribute) throws(Errno) in names.append(attribute.owned) }
        } catch { if error != .notSupported { throw error } }
        var out: [(FileName, [UInt8])] = []
        for attribute in names {
            if content == .difference,
                attribute.bytes.reversed().starts(with: "tcerider.yalrevo.".utf8)
                    || attribute.bytes.reversed().starts(with: "ypocatem.yalrevo.".utf8)
            {
                // Not to be said in a layer's archive.
                throw Errno.notSupported
            }
            // A label is this machine's.
            if LayerForm.isPrivate(attribute) || attribute == "security.selinux" { continue }
            if let value = try attribute.withRef({ (a) throws(Errno) in try directory.xattrIfPresent(name, a) }) {
                out.append((attribute, value))
            }
        }
        return out.sorted { $0.0.bytes.lexicographicallyPrecedes($1.0.bytes) }
    }

    private func marker(_ name: [UInt8], _ directory: [UInt8], _ like: FileStatus) throws(StoreError) {
        var entry = ArchiveEntry()
        entry.path = directory + (directory.isEmpty ? [] : [0x2f]) + name
        entry.permissions = 0
        entry.mtime = like.mtime
        try output.begin(entry)
    }

    private func add(_ directory: FD, _ path: [UInt8]) throws(StoreError) {
        depth += 1
        defer { depth -= 1 }
        if depth > DirectoryTree.deepest {
            throw StoreError(
                .invalid,
                "\"\(FileName(bytes: path.prefix(200)))…\" lies deeper than \(DirectoryTree.deepest) directories")
        }
        var names: [FileName] = []
        try told("\"\(FileName(bytes: path))\"") { () throws(Errno) in
            var reader = DirectoryReader(directory)
            try reader.forEach { (name, _, _) throws(Errno) in
                if !name.isDotOrDotDot { names.append(name.owned) }
                return true
            }
        }
        try add(names, of: directory, path)
    }

    /// - Parameter directory: nil: the layer does not have it, and all of these are what is to be seen beside.
    private func add(_ names: [FileName], of directory: FD?, _ path: [UInt8]) throws(StoreError) {
        let beside = writable?.beside[FileName(bytes: path)] ?? [:]
        // One that the layer has by now is the same file.
        let all = beside.isEmpty ? names : names + beside.keys.filter { !names.contains($0) }
        for name in all.sorted(by: { $0.bytes.lexicographicallyPrecedes($1.bytes) }) {
            let inner = path + (path.isEmpty ? [] : [0x2f]) + name.bytes
            // What a container takes away meanwhile is not in it.
            do throws(StoreError) {
                if let directory, beside.isEmpty || names.contains(name) {
                    try add(directory, name, inner)
                } else if let what = beside[name] {
                    try add(what, inner)
                }
            } catch { if error.kind != .notFound { throw error } }
        }
    }

    private func add(_ beside: WritableLayer.Beside, _ path: [UInt8]) throws(StoreError) {
        guard let writable else { return }
        switch beside {
        case .copy(let name): if let index = writable.index { try add(index, name, path) }
        case .directory(let layer):
            let directory = try told("\"\(FileName(bytes: path))\"") { () throws(Errno) in
                try FileName(bytes: path).withRef { (p) throws(Errno) in
                    try writable.layers[layer].fd.openBeneath(p, O_RDONLY | OpenFlags.directory)
                }
            }
            var entry = entry(
                try told("\"\(FileName(bytes: path))\"") { () throws(Errno) in try directory.fd.status() }, path)
            entry.xattrs = try attributes(directory.fd, FileName(""), path)
            try output.begin(entry)
            try add([], of: nil, path)
        }
    }
    /// It has other names, or may have: what the index has counts only those in the layer.
    private func isShared(_ status: FileStatus) -> Bool {
        !status.isDirectory && (status.nlink > 1 || writable?.indexed.contains(status.ino) == true)
    }

    private func add(_ directory: FD, _ name: FileName, _ path: [UInt8]) throws(StoreError) {
        let status = try told("\"\(FileName(bytes: path))\"") { () throws(Errno) in
            try name.withRef { (n) throws(Errno) in try directory.status(n) }
        }
        if isBeyond(status) || status.isRegular && status.size == 0 && leftOut.contains(FileName(bytes: path)) {
            return
        }
        if content == .difference {
            if try told(
                "\"\(FileName(bytes: path))\"",
                { () throws(Errno) in try LayerForm.isWhiteout(status, name, in: directory) })
            {
                return try marker(
                    LayerForm.whiteoutPrefix + name.bytes,
                    Array(path.dropLast(name.count + (path.count > name.count ? 1 : 0))), status)
            }
            if name.bytes.elementsEqual(LayerForm.opaqueName) { return }
            // Already in the archive's form.
            if name.bytes.starts(with: LayerForm.whiteoutPrefix) {
                return try marker(
                    Array(name.bytes), Array(path.dropLast(name.count + (path.count > name.count ? 1 : 0))), status)
            }
        }
        var entry = entry(status, path)
        // A socket is nothing without its server.
        if status.kind == .socket { return }
        if isShared(status), let first = links[Inode(status)] {
            entry.hardlink = first
            return try output.begin(entry)
        }
        defer { if isShared(status), isWritten { links[Inode(status)] = path } }
        isWritten = false
        switch status.kind {
        case .directory:
            let inside = try opened(directory, name, O_RDONLY | OpenFlags.directory, path)
            entry.xattrs = try attributes(inside.fd, FileName(""), path)
            try output.begin(entry)
            if content == .difference,
                try told("\"\(FileName(bytes: path))\"", { () throws(Errno) in try LayerForm.isOpaque(inside.fd) })
            {
                try marker(LayerForm.opaqueName, path, status)
            }
            try add(inside.fd, path)
        case .regular:
            let file = try openedFile(directory, name, status, path)
            entry.xattrs = try attributes(file.fd, FileName(""), path)
            if keepsHoles {
                entry.extents = try told("\"\(FileName(bytes: path))\"") { () throws(Errno) in
                    try FileExtent.all(of: file.fd, status)
                }
            }
            try output.begin(entry)
            isWritten = true
            try output.add(file.fd, size: entry.size, extents: entry.extents)
        case .symlink:
            entry.symlink = try told("\"\(FileName(bytes: path))\"") { () throws(Errno) in
                try name.withRef { (n) throws(Errno) in Array(try directory.readLink(n).bytes) }
            }
            entry.xattrs = try attributes(directory, name, path)
            try output.begin(entry)
            isWritten = true
        case .character, .block, .fifo:
            entry.xattrs = try attributes(directory, name, path)
            try output.begin(entry)
            isWritten = true
        default: break
        }
    }

    private var isWritten = false
    /// The very file that was looked at: a container may put a device in its place meanwhile, and to open one does
    /// something.
    private func openedFile(
        _ directory: FD, _ name: FileName, _ looked: FileStatus, _ path: [UInt8]
    ) throws(StoreError) -> OwnedFD {
        try told("\"\(FileName(bytes: path))\"") { () throws(Errno) in
            let place = try name.withRef { (n) throws(Errno) in try directory.openPath(n) }
            let status = try place.fd.status()
            // Another one by now: as one that is gone.
            guard status.isRegular, status.ino == looked.ino, status.dev == looked.dev else { throw Errno.noEntry }
            return try place.fd.reopenQuietly(O_RDONLY | O_NONBLOCK)
        }
    }
    private func opened(
        _ directory: FD, _ name: FileName, _ flags: Int32, _ path: [UInt8]
    ) throws(StoreError) -> OwnedFD {
        try told("\"\(FileName(bytes: path))\"") { () throws(Errno) in
            try name.withRef { (n) throws(Errno) in try directory.openQuietly(n, flags | O_NOFOLLOW) }
        }
    }
    private func attributes(
        _ place: FD, _ name: FileName, _ path: [UInt8]
    ) throws(StoreError) -> [(name: FileName, value: [UInt8])] {
        do throws(Errno) { return try name.withRef { (n) throws(Errno) in try xattrs(place, n) } } catch {
            if error == .notSupported {
                throw StoreError(
                    .conflict,
                    """
                    \"\(FileName(bytes: path))\" was renamed or copied in a way that only an overlay can say \
                    (redirect_dir, metacopy): such a layer cannot be committed
                    """
                )
            }
            throw StoreError(error, doing: "\"\(FileName(bytes: path))\"")
        }
    }
}

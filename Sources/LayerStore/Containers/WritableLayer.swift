internal import Glibc
internal import LinuxSys
internal import UnionCore

/// A container's writable layer as its mount shows it: with the names that lead to a copy in the index and are not in
/// the layer itself. Who reads the layer alone has an old file under them, or a file apart from its other names.
final class WritableLayer: Sendable {
    private let directory: OwnedFD
    var fd: FD { directory.fd }
    /// The image's, the uppermost first.
    let layers: [LayerTree]
    private let copies: LowerCopies?

    /// What is to be seen beside the layer's own.
    enum Beside: Sendable {
        /// A name of a file in the index: its name there.
        case copy(FileName)
        /// A directory that has such names below it: as that layer of the image has it.
        case directory(layer: Int)
    }
    /// By directory, from the root and without a slash at its beginning; then by name.
    let beside: [FileName: [FileName: Beside]]
    /// Of the files in the index, which have names that their own count does not tell.
    let indexed: Set<UInt64>

    init(_ container: StoredContainer, _ store: Store) throws(StoreError) {
        var layers: [LayerTree] = []
        for path in try store.layerPaths(of: container.image) {
            layers.append(
                LayerTree(
                    try told("\(path)") { () throws(Errno) in
                        try FD.currentDirectory.open(path, O_RDONLY | OpenFlags.directory)
                    }))
        }
        self.layers = layers
        let place = store.place(of: container)
        let what = "the writable layer of \(container.name)"
        directory = try told(what) { () throws(Errno) in
            try FD.currentDirectory.open(place.diff, O_RDONLY | OpenFlags.directory)
        }
        let upper = directory.fd
        copies = try told(what) { () throws(Errno) in
            let work = try FD.currentDirectory.open(place.work, O_RDONLY | OpenFlags.directory)
            return try LowerCopies(upper: upper, work: work.fd, lowers: layers.map(\.fd))
        }
        indexed = Set((copies?.all ?? []).map(\.ino))
        guard let copies, !indexed.isEmpty else {
            beside = [:]
            return
        }
        var search = IndexedNames(upper: upper, layers: layers.map(\.fd), copies: copies)
        beside = try told(what) { () throws(Errno) in try search.find() }
    }

    /// A file in the index.
    var index: FD? { copies?.fd }

    /// What the index has and the layer has no name of: on the disk it is the container's, too.
    static func bytesBeside(_ work: FileName) throws(Errno) -> Int64 {
        let directory = try FD.currentDirectory.open(work, O_RDONLY | OpenFlags.directory)
        do throws(Errno) { _ = try directory.fd.status(NameRef("index")) } catch {
            if error == .noEntry { return 0 }
            throw error
        }
        let index = try directory.fd.openDirectory(NameRef("index"))
        var bytes: Int64 = 0
        var reader = DirectoryReader(index.fd)
        try reader.forEach { (name, _, _) throws(Errno) in
            do throws(Errno) {
                let status = try index.fd.status(name)
                if !status.isDirectory, status.nlink == 1 { bytes += Int64(clamping: status.blocks) * 512 }
            } catch { if error != .noEntry { throw error } }
            return true
        }
        return bytes
    }
}

/// The search for lower names that lead to a copy in the index: through all directories of the union, as nobody keeps
/// the names of a lower file. A readdir of each, and two calls for each such name.
private struct IndexedNames {
    let upper: FD
    let layers: [FD]
    let copies: LowerCopies
    private var beside: [FileName: [FileName: WritableLayer.Beside]] = [:]
    /// Directories that the upper layer does not have: the layer whose attributes they show.
    private var below: [FileName: Int] = [:]

    /// A directory of the union: what has it.
    private struct Step {
        let path: FileName
        let isInUpper: Bool
        let layers: [Int]
    }

    init(upper: FD, layers: [FD], copies: LowerCopies) {
        self.upper = upper
        self.layers = layers
        self.copies = copies
    }

    mutating func find() throws(Errno) -> [FileName: [FileName: WritableLayer.Beside]] {
        var left = [Step(path: FileName(""), isInUpper: true, layers: Array(layers.indices))]
        while let step = left.popLast() { try look(step, &left) }
        return beside
    }

    private mutating func look(_ step: Step, _ left: inout [Step]) throws(Errno) {
        // What a name is decided by whoever has it first; a directory goes on in the layers below.
        var decided: Set<FileName> = []
        var directories: [FileName: (isInUpper: Bool, layers: [Int])] = [:]
        var isOpaque = false
        if step.isInUpper, let directory = try opened(step.path, upper) {
            isOpaque = try LayerForm.isOpaque(directory.fd)
            for entry in try entries(directory.fd) {
                decided.insert(entry.name)
                if entry.kind == .directory {
                    directories[entry.name] = (true, [])
                } else if let above = directories.removeValue(forKey: entry.name) {
                    left.append(below(step, entry.name, above))
                }
            }
        }
        for layer in isOpaque ? [] : step.layers {
            guard let directory = try opened(step.path, layers[layer]) else { continue }
            for entry in try entries(directory.fd) {
                if entry.kind == .directory {
                    if directories[entry.name] != nil {
                        directories[entry.name]?.layers.append(layer)
                    } else if decided.insert(entry.name).inserted {
                        directories[entry.name] = (false, [layer])
                    }
                    continue
                }
                // Below a directory a file, or a whiteout, is where its parts end.
                if let above = directories.removeValue(forKey: entry.name) {
                    left.append(below(step, entry.name, above))
                }
                guard decided.insert(entry.name).inserted, !entry.isWhiteout else { continue }
                try note(entry, in: directory.fd, layer, step)
            }
            if try LayerForm.isOpaque(directory.fd) { break }
        }
        for (name, parts) in directories { left.append(below(step, name, parts)) }
    }
    private mutating func below(_ step: Step, _ name: FileName, _ parts: (isInUpper: Bool, layers: [Int])) -> Step {
        let path = step.path.isEmpty ? name : step.path.appending(component: name)
        if !parts.isInUpper, let top = parts.layers.first { below[path] = top }
        return Step(path: path, isInUpper: parts.isInUpper, layers: parts.layers)
    }

    private mutating func note(_ entry: Entry, in directory: FD, _ layer: Int, _ step: Step) throws(Errno) {
        let copy: LowerCopies.Copy?
        do throws(Errno) {
            copy = try entry.name.withRef { (n) throws(Errno) in
                try copies.copy(of: n, in: directory, layer: layer, number: entry.number)
            }
        } catch {
            if error == .noEntry { return }
            throw error
        }
        guard let copy else { return }
        beside[step.path, default: [:]][entry.name] = .copy(copy.name)
        var path = step.path
        while let top = below[path] {
            let (parent, name) = path.splitLast()
            beside[parent, default: [:]][name] = .directory(layer: top)
            path = parent
        }
    }

    // ---- one layer's directory ----

    private struct Entry {
        let name: FileName
        let number: UInt64
        let kind: FileKind
        var isWhiteout = false
    }
    private func opened(_ path: FileName, _ root: FD) throws(Errno) -> OwnedFD? {
        do throws(Errno) {
            if path.isEmpty { return try root.openDirectory(NameRef.dot) }
            return try path.withRef { (p) throws(Errno) in
                try root.openBeneath(p, O_RDONLY | OpenFlags.directory | O_NOFOLLOW)
            }
        } catch {
            // The container may be at work.
            if error == .noEntry || error == .notDirectory || error == .loop { return nil }
            throw error
        }
    }
    private func entries(_ directory: FD) throws(Errno) -> [Entry] {
        var out: [Entry] = []
        let mayHaveAttributes = try LayerForm.mayHaveAttributeWhiteouts(directory)
        var reader = DirectoryReader(directory)
        try reader.forEach { (name, number, kind) throws(Errno) in
            if name.hasPrefix(".wh.") {
                if !name.hasPrefix(".wh..wh.") {
                    out.append(
                        Entry(
                            name: name.dropping(LayerForm.whiteoutPrefix.count).owned, number: 0, kind: .character,
                            isWhiteout: true))
                }
                return true
            }
            var entry = Entry(name: name.owned, number: number, kind: kind)
            if kind == .unknown || kind == .character || kind == .regular && mayHaveAttributes {
                do throws(Errno) {
                    let status = try directory.status(name)
                    entry = Entry(
                        name: entry.name, number: number, kind: status.kind,
                        isWhiteout: try LayerForm.isWhiteout(status, entry.name, in: directory))
                } catch {
                    if error == .noEntry { return true }
                    throw error
                }
            }
            out.append(entry)
            return true
        }
        // A marker says nothing of a name that stands beside it.
        return out.sorted { !$0.isWhiteout && $1.isWhiteout }
    }
}

extension FileName {
    /// The directory, empty for the root, and the name in it.
    func splitLast() -> (parent: FileName, name: FileName) {
        let bytes = Array(self.bytes)
        guard let slash = bytes.lastIndex(of: 0x2f) else { return (FileName(""), self) }
        return (FileName(bytes: bytes[..<slash]), FileName(bytes: bytes[(slash + 1)...]))
    }
}

internal import Glibc
public import LinuxSys

/// What a container has changed of its image, as `docker diff` tells it: read from its writable layer alone, with a
/// look into the layers for each name that is in it. Where the index has files, all names that lead to them, which
/// takes a walk through the names of the image.
public struct ContainerDiff: Sendable {
    public enum Kind: String, Sendable, Codable {
        case added = "A"
        case changed = "C"
        case deleted = "D"
    }
    public struct Change: Sendable {
        public let kind: Kind
        /// From the container's root.
        public let path: FileName
        /// Of a regular file that is there now.
        public let size: UInt64
    }
    public private(set) var changes: [Change] = []

    /// What a runtime makes in the writable layer to mount something on: empty, and no change of the container's.
    private let mountPoints: Set<FileName>

    init(_ writable: WritableLayer, mountPoints: Set<FileName>) throws(StoreError) {
        self.mountPoints = mountPoints
        try told("the writable layer") { () throws(Errno) in
            try add(writable.fd, writable.layers.map(\.fd), FileName(""))
            try addBeside(writable)
        }
        changes.sort { $0.path.bytes.lexicographicallyPrecedes($1.path.bytes) }
    }

    /// What lies below a name of a directory that has these parts.
    private enum Below {
        case nothing, something
        case directory(Parts)
    }
    /// Opened directories, the uppermost first, each closed when nobody looks into it any more.
    private final class Parts {
        private var raw: [Int32] = []
        var fds: [FD] { raw.map { FD(raw: $0) } }
        func add(_ directory: consuming OwnedFD) { raw.append(directory.release().raw) }
        deinit { for number in raw { FD(raw: number).close() } }
    }

    private static func look(_ name: NameRef, _ layers: [FD]) throws(Errno) -> Below {
        var parts: Parts?
        for layer in layers {
            let status: FileStatus
            do throws(Errno) { status = try layer.status(name) } catch {
                guard error == .noEntry else { throw error }
                if try isHidden(name, layer) { break }
                continue
            }
            if try LayerForm.isWhiteout(status, name.owned, in: layer) { break }
            guard status.isDirectory else {
                if parts == nil { return .something }
                break
            }
            let directory = try layer.openDirectory(name)
            let isOpaque = try LayerForm.isOpaque(directory.fd)
            if parts == nil { parts = Parts() }
            parts?.add(directory)
            if isOpaque { break }
        }
        return parts.map { .directory($0) } ?? .nothing
    }
    /// By a whiteout in the archive's form.
    private static func isHidden(_ name: NameRef, _ layer: FD) throws(Errno) -> Bool {
        if name.count > 251 { return false }
        do throws(Errno) {
            _ = try FileName(bytes: LayerForm.whiteoutPrefix + name.bytes).withRef { (n) throws(Errno) in
                try layer.status(n)
            }
            return true
        } catch {
            if error == .noEntry { return false }
            throw error
        }
    }

    /// Names of files that were changed by another name of theirs, or lost one.
    private mutating func addBeside(_ writable: WritableLayer) throws(Errno) {
        guard let index = writable.index else { return }
        let told = Set(changes.map(\.path))
        for (directory, names) in writable.beside {
            for (name, what) in names {
                let path = FileName(bytes: (directory.isEmpty ? [] : [0x2f] + directory.bytes) + [0x2f] + name.bytes)
                // By now the layer has it, too.
                if told.contains(path) { continue }
                var size: UInt64 = 0
                if case .copy(let copy) = what {
                    do throws(Errno) {
                        let status = try copy.withRef { (n) throws(Errno) in try index.status(n) }
                        if status.isRegular { size = status.size }
                    } catch {
                        if error == .noEntry { continue }
                        throw error
                    }
                }
                changes.append(Change(kind: .changed, path: path, size: size))
            }
        }
    }

    /// - Parameter isHidden: a directory above is opaque: all that the layers have here is gone but what is here again.
    private mutating func add(
        _ upper: FD, _ layers: [FD], _ path: FileName, isHidden: Bool = false, depth: Int = 0
    ) throws(Errno) {
        if depth > DirectoryTree.deepest { throw .loop }
        var isOpaque = isHidden
        if !isOpaque { isOpaque = try LayerForm.isOpaque(upper) }
        var names: [FileName] = []
        var reader = DirectoryReader(upper)
        try reader.forEach { (name, _, _) throws(Errno) in
            if !name.isDotOrDotDot { names.append(name.owned) }
            return true
        }
        // Without what whiteouts say: these are told where they stand.
        let there = Set(
            names.map {
                $0.bytes.starts(with: LayerForm.whiteoutPrefix)
                    ? FileName(bytes: $0.bytes.dropFirst(LayerForm.whiteoutPrefix.count)) : $0
            })
        for name in names {
            var name = name
            let status: FileStatus
            do throws(Errno) { status = try name.withRef { (n) throws(Errno) in try upper.status(n) } } catch {
                // Gone meanwhile.
                if error == .noEntry { continue }
                throw error
            }
            var isWhiteout = try LayerForm.isWhiteout(status, name, in: upper)
            if name.bytes.starts(with: LayerForm.whiteoutPrefix), status.isRegular {
                if name.bytes.elementsEqual(LayerForm.opaqueName) { continue }
                name = FileName(bytes: name.bytes.dropFirst(LayerForm.whiteoutPrefix.count))
                isWhiteout = true
            }
            let inner = FileName(bytes: path.bytes + [0x2f] + name.bytes)
            let below = try name.withRef { (n) throws(Errno) in try ContainerDiff.look(n, layers) }
            if isWhiteout {
                if case .nothing = below { continue }
                changes.append(Change(kind: .deleted, path: inner, size: 0))
                continue
            }
            var kind = Kind.changed
            if case .nothing = below {
                kind = .added
                if mountPoints.contains(inner), status.isDirectory || status.size == 0 { continue }
            }
            changes.append(Change(kind: kind, path: inner, size: status.isRegular ? status.size : 0))
            guard status.isDirectory else {
                // What was in a directory that is something else now.
                if case .directory(let parts) = below { try addHidden([], parts.fds, inner) }
                withExtendedLifetime(below) {}
                continue
            }
            do throws(Errno) {
                let directory = try name.withRef { (n) throws(Errno) in try upper.openDirectory(n) }
                if case .directory(let parts) = below {
                    try add(directory.fd, parts.fds, inner, isHidden: isOpaque, depth: depth + 1)
                } else {
                    try add(directory.fd, [], inner, depth: depth + 1)
                }
                withExtendedLifetime(below) {}
            } catch { if error != .noEntry && error != .notDirectory { throw error } }
        }
        if isOpaque, !layers.isEmpty { try addHidden(there, layers, path) }
    }

    /// What an opaque directory has taken the place of.
    private mutating func addHidden(_ there: Set<FileName>, _ layers: [FD], _ path: FileName) throws(Errno) {
        var seen = there
        for layer in layers {
            var names: [FileName] = []
            var reader = DirectoryReader(layer)
            try reader.forEach { (name, _, _) throws(Errno) in
                if !name.isDotOrDotDot { names.append(name.owned) }
                return true
            }
            for name in names where seen.insert(name).inserted && !name.bytes.starts(with: LayerForm.whiteoutPrefix) {
                if case .nothing = try name.withRef({ (n) throws(Errno) in try ContainerDiff.look(n, layers) }) {
                    continue
                }
                changes.append(Change(kind: .deleted, path: FileName(bytes: path.bytes + [0x2f] + name.bytes), size: 0))
            }
        }
    }
}

extension Store {
    public func diff(_ container: StoredContainer) throws(StoreError) -> ContainerDiff {
        try ContainerDiff(
            try WritableLayer(container, self), mountPoints: Set(container.mountPoints.map { FileName($0) }))
    }
}

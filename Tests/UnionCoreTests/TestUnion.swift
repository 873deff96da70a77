import LinuxSys
import Testing

@testable import UnionCore

/// What a filesystem does with a stack, by paths and with nobody else there: ancestors copied up first, every directory
/// looked up anew each time. Writes nothing but through `LayerStack`.
struct TestUnion {
    let sandbox: Sandbox
    let stack: LayerStack
    static let root = Maker(uid: 0, gid: 0, umask: 0o022)

    init(
        _ sandbox: Sandbox, _ lowers: [FileName], faults: FaultPlan? = nil,
        _ change: (inout MountOptions) -> Void = { _ in }
    ) throws {
        self.sandbox = sandbox
        stack = try sandbox.stack(lowers, faults: faults, change)
    }

    func split(_ path: FileName) -> (parent: FileName, name: FileName) {
        var components = path.bytes.split(separator: 0x2f)
        let last = components.removeLast()
        return (FileName(bytes: components.joined(separator: [0x2f])), FileName(bytes: last))
    }
    func directory(_ path: FileName) throws -> MergedDirectory {
        if path.isEmpty { return stack.root }
        return try #require(try stack.find(path)?.directory, "\(path) is no directory")
    }

    /// The object and all above it in the upper layer; for a file in the index the very name too.
    @discardableResult
    func copyUp(_ path: FileName, extent: CopyUpExtent = .all) throws -> StagedCopy? {
        let (parentPath, name) = split(path)
        if !parentPath.isEmpty { try copyUp(parentPath) }
        let parent = try directory(parentPath)
        let found = try #require(try stack.look(parent, name), "\(path) is not there")
        let upper = try #require(parent.upper)
        if found.isShownFromIndex, let indexName = found.indexName {
            try name.withRef { n in
                try stack.linkFromIndexLocked(
                    indexName: indexName, links: found.nlink, lowerLinks: found.lowerLinks, in: upper, n)
            }
            return nil
        }
        if found.isInUpper { return nil }
        return try name.withRef { n in
            let indexed = found.indexName
            let part = try #require(parent.part(inLayer: found.layer))
            let source =
                found.directory?.parts.first.map {
                    CopyUpSource(directory: $0.fd, name: NameRef.empty, layer: $0.layer, status: found.status)
                } ?? CopyUpSource(directory: part.fd, name: n, layer: found.layer, status: found.status)
            let staged = try stack.stageCopy(source, extent: extent, indexed: indexed != nil)
            if let indexed {
                try stack.publishIndexedLocked(staged, indexName: indexed, lowerLinks: found.lowerLinks, in: upper, n)
            } else {
                try stack.publishLocked(staged, in: upper, n)
            }
            return staged
        }
    }

    @discardableResult
    func create(_ object: NewObject, _ path: FileName, as maker: Maker = root) throws -> Bool {
        let (parent, name) = split(path)
        if !parent.isEmpty { try copyUp(parent) }
        let into = try directory(parent)
        return try name.withRef { n in try stack.createLocked(object, in: into, n, as: maker) != nil }
    }
    func file(_ path: FileName, mode: UInt32 = 0o644, as maker: Maker = root) throws {
        try create(.file(mode: mode, flags: 2), path, as: maker)
    }
    func unlink(_ path: FileName) throws {
        let (parent, name) = split(path)
        if !parent.isEmpty { try copyUp(parent) }
        let from = try directory(parent)
        let found = try #require(try stack.look(from, name))
        if found.indexName != nil { try copyUp(path) }
        try name.withRef { n in
            try stack.unlinkLocked(in: from, n, whiteout: try stack.needsWhiteout(from, n))
        }
        if let indexName = found.indexName { stack.index?.removeIfUnused(indexName) }
    }
    func rmdir(_ path: FileName) throws {
        let (parent, name) = split(path)
        if !parent.isEmpty { try copyUp(parent) }
        let from = try directory(parent)
        let victim = try directory(path)
        try name.withRef { n in
            try stack.rmdirLocked(in: from, n, victim, whiteout: try stack.needsWhiteout(from, n), isKnownEmpty: false)
        }
    }
    func link(_ old: FileName, _ new: FileName) throws {
        try copyUp(old)
        let (parent, name) = split(new)
        if !parent.isEmpty { try copyUp(parent) }
        let (oldParent, oldName) = split(old)
        let source = try #require(try directory(oldParent).upper)
        let to = try directory(parent)
        try oldName.withRef { o in try name.withRef { n in try stack.linkLocked(source.fd, o, to: to, n) } }
    }
    func rename(_ old: FileName, _ new: FileName, exchange: Bool = false) throws {
        let (from, name) = split(old)
        let (to, newName) = split(new)
        try copyUp(old)
        if !to.isEmpty { try copyUp(to) }
        if exchange { try copyUp(new) }
        let moved = try stack.find(old)?.directory
        let replaced = try stack.find(new)?.directory
        let fromDirectory = try directory(from)
        let toDirectory = try directory(to)
        let redirect = try redirectForMove(old, sameParent: from == to)
        let other = exchange ? try redirectForMove(new, sameParent: from == to) : nil
        try name.withRef { o in
            _ = try newName.withRef { n in
                try stack.renameLocked(
                    RenameSubject(directory: fromDirectory, name: o, moved: moved, redirect: redirect),
                    to: RenameSubject(directory: toDirectory, name: n, moved: replaced, redirect: other),
                    exchange: exchange)
            }
        }
    }
    private func redirectForMove(_ path: FileName, sameParent: Bool) throws -> FileName? {
        guard let directory = try stack.find(path)?.directory, directory.hasLower else { return nil }
        var ancestry: [(name: FileName, redirect: FileName?)] = []
        var at = path
        while !at.isEmpty {
            ancestry.append((split(at).name, try self.directory(at).upper?.markers.redirect))
            at = split(at).parent
        }
        return Redirect.forMove(sameParent: sameParent, ancestry: ancestry)
    }
}

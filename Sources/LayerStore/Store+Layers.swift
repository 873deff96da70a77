internal import GRDB
internal import Glibc
internal import LinuxSys

/// A layer that is in its place.
struct StoredLayer: Sendable {
    let id: Int64
    let digest: Digest
    let bytes: Int64
    let archiveBytes: Int64
    let isExact: Bool
    /// Its archive says what the root is like; else that of the layers below is shown.
    let hasRoot: Bool

    init(_ row: Row) throws {
        id = row["id"]
        guard let digest = Digest(row["diff_id"] as String) else {
            throw StoreError(.damaged, "a layer's digest in the store's database")
        }
        self.digest = digest
        bytes = row["bytes"]
        archiveBytes = row["archive_bytes"]
        isExact = row["exact"]
        hasRoot = row["has_root"]
    }
}

/// What is going on, for whoever waits.
public enum ImportProgress: Sendable {
    /// Of the archive's bytes, where known, and of how many.
    case layer(String, isNew: Bool)
    case done(String, bytes: Int64)
}

extension Store {
    func layer(_ digest: Digest) throws(StoreError) -> StoredLayer? {
        try database.read { db in
            try Row.fetchOne(db, sql: "SELECT * FROM layer WHERE diff_id = ?", arguments: [digest.description]).map(
                StoredLayer.init)
        }
    }

    /// Unpacks an archive into a layer of its own, or finds that it is there.
    /// - Parameters:
    ///   - expected: of the uncompressed archive; nil where nobody has said.
    ///   - blob: of the file as it is, and its length.
    ///   - below: the image's layers that are under this one, the uppermost first.
    ///   - holding: what keeps a layer that no image has yet from being swept.
    func addLayer(
        _ archive: FD, expected: Digest?, blob: (digest: Digest, size: Int64)?, below: [LayerTree] = [],
        limits: LayerUnpacker.Limits,
        holding scratch: StoreScratch
    ) throws(StoreError) -> NewLayer {
        let place = FileName("layer-\(StoreName.random())")
        let directory = try scratch.makeDirectory(place, mode: 0o700)
        let diff = try told("the new layer") { () throws(Errno) in
            try directory.fd.makeDirectory(NameRef("diff"), mode: 0o755)
            return try directory.fd.openDirectory(NameRef("diff"))
        }
        let recipeFile = try told("the new layer") { () throws(Errno) in
            try directory.fd.open(FileName("recipe"), O_RDWR | O_CREAT | O_EXCL, mode: 0o600)
        }
        let recipe = try TarRecipeWriter(recipeFile.fd)
        let decompressor = try ArchiveDecompressor(archive, limit: limits.bytes)
        let unpacker = try LayerUnpacker(root: diff.fd, recipe: recipe, limits: limits)
        try unpacker.unpack(try ArchiveTarReader(decompressor, recipe: recipe))
        for path in (unpacker.hasRoot ? [] : ["."]) + unpacker.implied {
            try LayerTree.giveAttributes(path, in: diff.fd, from: below)
        }
        let digest = decompressor.digest.value
        if let blob, decompressor.inputDigest != blob.digest || decompressor.inputBytes != blob.size {
            throw StoreError(
                .damaged,
                """
                a layer is not what its digest says: \(decompressor.inputBytes) bytes with \
                \(decompressor.inputDigest), not \(blob.size) with \(blob.digest)
                """
            )
        }
        if let expected, digest != expected {
            throw StoreError(.damaged, "a layer unpacks to \(digest), not to \(expected) as the image says")
        }
        let isExact = try recipe.finish()
        if !isExact { try told("the new layer") { () throws(Errno) in try recipeFile.fd.truncate(0) } }
        let usage = try told("the new layer") { () throws(Errno) in
            // Before it has a name: afterwards nobody would look whether it is whole.
            try diff.fd.syncFilesystem()
            return try DirectoryTree.usage(diff.fd)
        }
        return NewLayer(
            digest: digest, place: place, bytes: usage.bytes, files: usage.files,
            archiveBytes: decompressor.digest.count, isExact: isExact, hasRoot: unpacker.hasRoot,
            members: unpacker.members)
    }

    func tree(_ layer: NewLayer, in scratch: StoreScratch) throws(StoreError) -> LayerTree {
        LayerTree(
            try told("the new layer") { () throws(Errno) in
                try layer.place.appending(component: "diff").withRef { (p) throws(Errno) in
                    try scratch.fd.openBeneath(p, O_RDONLY | OpenFlags.directory)
                }
            })
    }
    func tree(_ digest: Digest) throws(StoreError) -> LayerTree {
        let directory = try layerDirectory(digest)
        return LayerTree(
            try told("layers/\(digest.hex) of the store") { () throws(Errno) in
                try directory.fd.openDirectory(NameRef("diff"))
            })
    }

    /// A layer in a scratch directory, to be put in its place with the image that it belongs to.
    struct NewLayer: Sendable {
        let digest: Digest
        let place: FileName
        let bytes: Int64, files: Int64, archiveBytes: Int64
        let isExact: Bool
        let hasRoot: Bool
        let members: Int
    }

    /// With the store's lock: the renames.
    func place(_ layers: [NewLayer], from scratch: StoreScratch) throws(StoreError) {
        let home = try open(.layers)
        for layer in layers {
            // Another one may have come first, and an orphan of a process that died may be there, which is as good but
            // maybe not whole.
            if try self.layer(layer.digest) != nil { continue }
            let name = FileName(layer.digest.hex)
            let tmp = try open(.tmp)
            try discard(name, of: .layers, into: tmp.fd)
            try told("layers/\(name)") { () throws(Errno) in
                try layer.place.withRef { (p) throws(Errno) in
                    try name.withRef { (n) throws(Errno) in try scratch.fd.rename(p, to: home.fd, n) }
                }
                try home.fd.sync()
            }
        }
    }
    static func enter(_ layers: [NewLayer], _ db: Database) throws {
        for layer in layers {
            try db.execute(
                sql:
                    """
                    INSERT OR IGNORE INTO layer (diff_id, bytes, files, archive_bytes, exact, has_root, \
                    created) VALUES (?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    layer.digest.description, layer.bytes, layer.files, layer.archiveBytes, layer.isExact,
                    layer.hasRoot, Clock.realtime,
                ])
        }
    }

    func layerDirectory(_ digest: Digest) throws(StoreError) -> OwnedFD {
        let home = try open(.layers)
        return try told("layers/\(digest.hex) of the store") { () throws(Errno) in
            try FileName(digest.hex).withRef { (n) throws(Errno) in try home.fd.openDirectory(n) }
        }
    }

    /// A layer's archive: the very bytes that it came as, where they can be made again; else a new one of the same
    /// tree.
    func writeArchive(of layer: StoredLayer, to output: ArchiveCompressor) throws(StoreError) {
        let directory = try layerDirectory(layer.digest)
        let diff = try told("layers/\(layer.digest.hex) of the store") { () throws(Errno) in
            try directory.fd.openDirectory(NameRef("diff"))
        }
        if layer.isExact {
            let recipe = try told("layers/\(layer.digest.hex)/recipe") { () throws(Errno) in
                try directory.fd.open(FileName("recipe"), O_RDONLY | O_NOFOLLOW)
            }
            try TarRecipeReader(recipe.fd, tree: diff.fd).write(to: output)
            return
        }
        try Piped.archive(of: diff.fd, .difference) { (archive) throws(StoreError) in
            let source = try ArchiveDecompressor(archive, limit: .max)
            try source.pass(to: output)
        }
    }
}

internal import Foundation
internal import GRDB
public import LinuxSys

public struct ImportedImage: Sendable {
    public let id: Digest
    public let name: String?
    public let layers: [Digest]
    /// Of them, those that were not there before.
    public let newLayers: Int
}

public struct ImportOptions: Sendable {
    public var name: ImageName?
    /// Bytes that a layer may unpack to.
    public var limit: Int64 = 256 << 30
    /// A root filesystem, whatever it looks like.
    public var isRoot = false
    public var progress: (@Sendable (ImportProgress) -> Void)?
    public init() {}
    var limits: LayerUnpacker.Limits {
        var limits = LayerUnpacker.Limits()
        limits.bytes = limit
        return limits
    }
}

extension Store {
    /// An OCI layout or a `docker save` archive (a directory or a tar file), a root filesystem's tar file, or a
    /// directory that is one. "-" is standard input. All or nothing: an image that is refused leaves nothing behind.
    public func importImages(from path: FileName, _ options: ImportOptions) throws(StoreError) -> [ImportedImage] {
        try sweep()
        switch try ImageSource.identify(path, self, isRoot: options.isRoot, limits: options.limits) {
        case .layout(let files): return try importLayout(files, path, options)
        case .dockerArchive(let files): return try importDockerArchive(files, options)
        case .single(let files, let manifest):
            return try enter([
                try prepare(
                    ImageChoice.Chosen(descriptor: nil, manifest: manifest, annotations: [:]), named: options.name,
                    files, beside: [], options)
            ])
        case .archive(let file): return [try importRoot(options) { (add) throws(StoreError) in try add(file.fd) }]
        case .tree(let tree):
            return [
                try importRoot(options) { (add) throws(StoreError) in try Piped.archive(of: tree.fd, .foreignTree, add)
                }
            ]
        }
    }

    /// What `fetch` puts into the layout whose path it gets.
    public func fetch(
        _ options: ImportOptions, _ fetch: (FileName) throws(StoreError) -> Void
    ) throws(StoreError) -> [ImportedImage] {
        let scratch = try StoreScratch(self)
        let place = root.appending(component: "tmp").appending(component: scratch.name).appending(component: "layout")
        try fetch(place)
        return try importImages(from: place, options)
    }

    private func importLayout(
        _ files: ImageFiles, _ path: FileName, _ options: ImportOptions
    ) throws(StoreError) -> [ImportedImage] {
        let index: ImageIndex = try Document.read(try files.document("index.json"), "index.json")
        let chosen = try ImageChoice.images(of: index, files)
        guard !chosen.isEmpty else { throw StoreError(.invalid, "\(path) has no image in it") }
        if options.name != nil, chosen.count > 1 {
            throw StoreError(
                .invalid, "\(path) has \(chosen.count) images, which cannot have one name: leave --name away")
        }
        var images: [PreparedImage] = []
        for image in chosen {
            var name = options.name
            if name == nil { name = try Self.name(image.annotations, path) }
            images.append(try prepare(image, named: name, files, beside: images, options))
        }
        return try enter(images)
    }
    private func prepare(
        _ image: ImageChoice.Chosen, named name: ImageName?, _ files: ImageFiles, beside images: [PreparedImage],
        _ options: ImportOptions
    ) throws(StoreError) -> PreparedImage {
        let blobs = image.manifest.layers.map { layer in
            Blob(name: layer.digest.description, known: (layer.digest, layer.size)) { () throws(StoreError) in
                ImageSource.OwnedFDBox(try files.blob(layer))
            }
        }
        return try prepare(
            config: try files.document(image.manifest.config), manifest: image.descriptor?.digest,
            names: name.map { [$0] } ?? [], blobs, beside: images, options)
    }
    /// umoci and skopeo write a tag alone, podman and containerd all of the name.
    private static func name(_ annotations: [String: String], _ path: FileName) throws(StoreError) -> ImageName? {
        if let full = annotations[Descriptor.fullNameAnnotation] { return try ImageName(full) }
        guard let reference = annotations[Descriptor.nameAnnotation] else { return nil }
        if reference.contains("/") || reference.contains(":") { return try ImageName(reference) }
        var stem = path.bytes.split(separator: 0x2f).last.map { String(decoding: $0, as: UTF8.self) } ?? ""
        if stem.hasSuffix(".tar") { stem = String(stem.dropLast(4)) }
        guard let name = try? ImageName("\(stem):\(reference)") else { return nil }
        return name
    }

    private func importDockerArchive(
        _ files: ImageFiles, _ options: ImportOptions
    ) throws(StoreError) -> [ImportedImage] {
        let entries: [DockerArchiveEntry] = try Document.read(try files.document("manifest.json"), "manifest.json")
        guard !entries.isEmpty else { throw StoreError(.invalid, "the archive has no image in it") }
        if options.name != nil, entries.count > 1 {
            throw StoreError(
                .invalid, "the archive has \(entries.count) images, which cannot have one name: leave --name away")
        }
        var images: [PreparedImage] = []
        for entry in entries {
            let config = try files.document(entry.Config)
            // The file is named by its digest, in one of several ways; with Jib it is not.
            let stem =
                entry.Config.split(separator: "/").last.map { String($0.split(separator: ".").first ?? "") } ?? ""
            if let stated = Digest("sha256:\(stem)") ?? Digest(stem), stated != Digest.of(config) {
                throw StoreError(.damaged, "the image's configuration is not what its digest says")
            }
            var names = options.name.map { [$0] } ?? []
            if names.isEmpty { for tag in entry.RepoTags ?? [] { names.append(try ImageName(tag)) } }
            let blobs = (entry.Layers ?? []).map { layer in
                Blob(name: layer, known: nil) { () throws(StoreError) in ImageSource.OwnedFDBox(try files.open(layer)) }
            }
            images.append(try prepare(config: config, manifest: nil, names: names, blobs, beside: images, options))
        }
        return try enter(images)
    }

    /// A root filesystem becomes an image of one layer.
    private func importRoot(
        _ options: ImportOptions, _ archive: ((FD) throws(StoreError) -> Void) throws(StoreError) -> Void
    ) throws(StoreError) -> ImportedImage {
        let scratch = try StoreScratch(self)
        options.progress?(.layer("root filesystem", isNew: true))
        var layer: NewLayer?
        try archive { (file) throws(StoreError) in
            layer = try addLayer(file, expected: nil, blob: nil, limits: options.limits, holding: scratch)
        }
        guard let layer else { throw StoreError(.system, "no layer came of it") }
        if layer.members == 0 { throw StoreError(.invalid, "it is empty: not a root filesystem") }
        options.progress?(.done("root filesystem", bytes: layer.bytes))
        let config = ImageConfig(layers: [layer.digest], created: Clock.realtime, by: "unionfsd image import")
        let image = PreparedImage(
            config: try Document.bytes(config), manifest: nil, names: options.name.map { [$0] } ?? [],
            layers: [layer.digest], new: [layer], scratch: scratch)
        return try enter([image])[0]
    }

    /// One layer's archive, opened when its turn comes.
    private struct Blob {
        let name: String
        let known: (digest: Digest, size: Int64)?
        let open: () throws(StoreError) -> ImageSource.OwnedFDBox
    }

    /// An image whose layers are unpacked, and of which nobody knows yet.
    struct PreparedImage {
        let config: [UInt8]
        let manifest: Digest?
        let names: [ImageName]
        let layers: [Digest]
        let new: [NewLayer]
        let scratch: StoreScratch
    }

    private func prepare(
        config: [UInt8], manifest: Digest?, names: [ImageName], _ blobs: [Blob], beside: [PreparedImage],
        _ options: ImportOptions
    ) throws(StoreError) -> PreparedImage {
        let document = try ImageConfig(bytes: config)
        let digests = document.rootfs.diff_ids
        guard digests.count == blobs.count else {
            throw StoreError(
                .invalid, "the image has \(blobs.count) layers and its configuration names \(digests.count)")
        }
        guard digests.count <= DocumentLimit.layers else {
            throw StoreError(.hostile, "the image has \(digests.count) layers")
        }
        if let os = document.os, os != "linux", !os.isEmpty { throw StoreError(.invalid, "the image is for \(os)") }
        let scratch = try StoreScratch(self)
        var new: [NewLayer] = []
        var below: [LayerTree] = []
        for (digest, blob) in zip(digests, blobs) {
            if let known = try known(digest, new, scratch, beside) {
                options.progress?(.layer(blob.name, isNew: false))
                below.insert(known, at: 0)
                continue
            }
            options.progress?(.layer(blob.name, isNew: true))
            let file = try blob.open()
            let layer = try addLayer(
                file.fd, expected: digest, blob: blob.known, below: below, limits: options.limits, holding: scratch)
            new.append(layer)
            below.insert(try tree(layer, in: scratch), at: 0)
            options.progress?(.done(blob.name, bytes: layer.bytes))
        }
        return PreparedImage(
            config: config, manifest: manifest, names: names, layers: digests, new: new, scratch: scratch)
    }
    /// A layer that need not be unpacked: of the store, of this image, or of another that comes with it.
    private func known(
        _ digest: Digest, _ new: [NewLayer], _ scratch: StoreScratch, _ beside: [PreparedImage]
    ) throws(StoreError) -> LayerTree? {
        if try layer(digest) != nil { return try tree(digest) }
        if let layer = new.first(where: { $0.digest == digest }) { return try tree(layer, in: scratch) }
        for image in beside {
            if let layer = image.new.first(where: { $0.digest == digest }) { return try tree(layer, in: image.scratch) }
        }
        return nil
    }

    /// Puts layers in their places and the images into the database: all of them, or none.
    /// - Parameter container: that they were made of: one that was removed meanwhile was not whole when it was read.
    func enter(_ images: [PreparedImage], of container: StoredContainer? = nil) throws(StoreError) -> [ImportedImage] {
        var entered: [ImportedImage] = []
        try exclusively { () throws(StoreError) in
            let before = try database.read { db in Set(try String.fetchAll(db, sql: "SELECT diff_id FROM layer")) }
            for image in images { try place(image.new, from: image.scratch) }
            try database.write { db in
                if let container,
                    try Bool.fetchOne(db, sql: "SELECT 1 FROM container WHERE id = ?", arguments: [container.id])
                        != true
                {
                    throw StoreError(.conflict, "\(container.name) was removed meanwhile")
                }
                for image in images {
                    let id = Digest.of(image.config)
                    try Store.enter(image.new, db)
                    // Where it was there without a manifest, it has one now.
                    try db.execute(
                        sql:
                            """
                            INSERT INTO image (id, config, manifest_digest, created) VALUES (?, ?, ?, ?) ON \
                            CONFLICT (id) DO UPDATE SET manifest_digest = COALESCE(excluded.manifest_digest, \
                            manifest_digest)
                            """,
                        arguments: [id.description, Data(image.config), image.manifest?.description, Clock.realtime])
                    for (position, digest) in image.layers.enumerated() {
                        guard
                            let layer = try Int64.fetchOne(
                                db, sql: "SELECT id FROM layer WHERE diff_id = ?", arguments: [digest.description])
                        else {
                            throw StoreError(.conflict, "layer \(digest) was removed meanwhile: try again")
                        }
                        try db.execute(
                            sql: "INSERT OR IGNORE INTO image_layer (image_id, position, layer_id) VALUES (?, ?, ?)",
                            arguments: [id.description, position, layer])
                    }
                    for name in image.names { try Store.name(id, name, db) }
                    entered.append(
                        ImportedImage(
                            id: id, name: image.names.first?.description, layers: image.layers,
                            newLayers: Set(image.new.map(\.digest)).filter { !before.contains($0.description) }.count))
                }
            }
        }
        return entered
    }
    static func name(_ image: Digest, _ name: ImageName, _ db: Database) throws {
        try db.execute(
            sql:
                """
                INSERT INTO image_name (name, image_id) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET image_id \
                = excluded.image_id
                """,
            arguments: [name.description, image.description])
    }
    public func nameImage(_ image: Digest, _ name: ImageName) throws(StoreError) {
        try database.write { db in try Store.name(image, name, db) }
    }
}

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
    public var progress: (@Sendable (ImportProgress) -> Void)?
    public init() {}
    var limits: LayerUnpacker.Limits {
        var limits = LayerUnpacker.Limits()
        limits.bytes = limit
        return limits
    }
}

extension Store {
    /// An OCI layout or a `docker save` archive (a directory or a tar file), a root filesystem's tar file, or a directory that is one. "-" is standard input.
    /// All or nothing: an image that is refused leaves nothing behind.
    public func importImages(from path: FileName, _ options: ImportOptions) throws(StoreError) -> [ImportedImage] {
        try sweep()
        switch try ImageSource.identify(path, self, limits: options.limits) {
        case .layout(let files): return try importLayout(files, path, options)
        case .dockerArchive(let files): return try importDockerArchive(files, options)
        case .archive(let file): return [try importRoot(options) { (add) throws(StoreError) in try add(file.fd) }]
        case .tree(let tree): return [try importRoot(options) { (add) throws(StoreError) in try Piped.archive(of: tree.fd, .tree, add) }]
        }
    }

    /// What `fetch` puts into the layout whose path it gets.
    public func fetch(_ options: ImportOptions, _ fetch: (FileName) throws(StoreError) -> Void) throws(StoreError) -> [ImportedImage] {
        let scratch = try StoreScratch(self)
        let place = root.appending(component: "tmp").appending(component: scratch.name).appending(component: "layout")
        try fetch(place)
        return try importImages(from: place, options)
    }

    private func importLayout(_ files: ImageFiles, _ path: FileName, _ options: ImportOptions) throws(StoreError) -> [ImportedImage] {
        let index: ImageIndex = try Document.read(try files.document("index.json"), "index.json")
        guard !index.manifests.isEmpty else { throw StoreError(.invalid, "\(path) has no image in it") }
        if options.name != nil, index.manifests.count > 1 {
            throw StoreError(.invalid, "\(path) has \(index.manifests.count) images, which cannot have one name: leave --name away")
        }
        var images: [ImportedImage] = []
        for descriptor in index.manifests {
            let chosen = try manifest(descriptor, files)
            let manifest: ImageManifest = try Document.read(try files.document(chosen), "a manifest")
            let config = try files.document(manifest.config)
            var name = options.name
            if name == nil { name = try Self.name(descriptor.annotations ?? [:], path) }
            let blobs = manifest.layers.map { layer in
                Blob(name: layer.digest.description, known: (layer.digest, layer.size)) { () throws(StoreError) in ImageSource.OwnedFDBox(try files.blob(layer)) }
            }
            images.append(try addImage(config: config, manifest: chosen.digest, name: name, blobs, options))
        }
        return images
    }
    /// An index within the index has an image for each kind of machine.
    private func manifest(_ descriptor: Descriptor, _ files: ImageFiles) throws(StoreError) -> Descriptor {
        guard Descriptor.indexTypes.contains(descriptor.mediaType ?? "") else { return descriptor }
        let index: ImageIndex = try Document.read(try files.document(descriptor), "an index")
        let suitable = index.manifests.filter { Descriptor.manifestTypes.contains($0.mediaType ?? "") }
        guard let chosen = suitable.first(where: { $0.platform?.architecture == Machine.architecture && $0.platform?.os == "linux" }) else {
            throw StoreError(.invalid, "the image is not for this kind of machine: it has \(suitable.compactMap(\.platform?.architecture).joined(separator: ", ")), this is \(Machine.architecture)")
        }
        return chosen
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

    private func importDockerArchive(_ files: ImageFiles, _ options: ImportOptions) throws(StoreError) -> [ImportedImage] {
        let entries: [DockerArchiveEntry] = try Document.read(try files.document("manifest.json"), "manifest.json")
        guard !entries.isEmpty else { throw StoreError(.invalid, "the archive has no image in it") }
        if options.name != nil, entries.count > 1 { throw StoreError(.invalid, "the archive has \(entries.count) images, which cannot have one name: leave --name away") }
        var images: [ImportedImage] = []
        for entry in entries {
            let config = try files.document(entry.Config)
            // The file is named by its digest, in one of two ways.
            let stem = entry.Config.split(separator: "/").last.map { String($0.split(separator: ".").first ?? "") } ?? ""
            if let stated = Digest("sha256:\(stem)"), stated != Digest.of(config) { throw StoreError(.damaged, "the image's configuration is not what its digest says") }
            var names = options.name.map { [$0] } ?? []
            if names.isEmpty { for tag in entry.RepoTags ?? [] { names.append(try ImageName(tag)) } }
            let blobs = entry.Layers.map { layer in
                Blob(name: layer, known: nil) { () throws(StoreError) in ImageSource.OwnedFDBox(try files.open(layer)) }
            }
            let image = try addImage(config: config, manifest: nil, name: names.first, blobs, options)
            for name in names.dropFirst() { try nameImage(image.id, name) }
            images.append(image)
        }
        return images
    }

    /// A root filesystem becomes an image of one layer.
    private func importRoot(_ options: ImportOptions, _ archive: ((FD) throws(StoreError) -> Void) throws(StoreError) -> Void) throws(StoreError) -> ImportedImage {
        let scratch = try StoreScratch(self)
        options.progress?(.layer("root filesystem", isNew: true))
        var layer: NewLayer?
        try archive { (file) throws(StoreError) in layer = try addLayer(file, expected: nil, blob: nil, limits: options.limits, holding: scratch) }
        guard let layer else { throw StoreError(.system, "no layer came of it") }
        if layer.files <= 1 { throw StoreError(.invalid, "there is nothing in it: not a root filesystem") }
        options.progress?(.done("root filesystem", bytes: layer.bytes))
        let config = ImageConfig(layers: [layer.digest], created: Clock.realtime, by: "unionfsd image import")
        let wasThere = try self.layer(layer.digest) != nil
        let id = try enter(config: try Document.bytes(config), manifest: nil, name: options.name, layers: [layer.digest], new: [layer], from: scratch)
        return ImportedImage(id: id, name: options.name?.description, layers: [layer.digest], newLayers: wasThere ? 0 : 1)
    }

    /// One layer's archive, opened when its turn comes.
    private struct Blob {
        let name: String
        let known: (digest: Digest, size: Int64)?
        let open: () throws(StoreError) -> ImageSource.OwnedFDBox
    }

    private func addImage(config: [UInt8], manifest: Digest?, name: ImageName?, _ blobs: [Blob], _ options: ImportOptions) throws(StoreError) -> ImportedImage {
        let document = try ImageConfig(bytes: config)
        let digests = document.rootfs.diff_ids
        guard digests.count == blobs.count else { throw StoreError(.invalid, "the image has \(blobs.count) layers and its configuration names \(digests.count)") }
        guard digests.count <= DocumentLimit.layers else { throw StoreError(.hostile, "the image has \(digests.count) layers") }
        if let os = document.os, os != "linux", !os.isEmpty { throw StoreError(.invalid, "the image is for \(os)") }
        let scratch = try StoreScratch(self)
        var new: [NewLayer] = []
        for (digest, blob) in zip(digests, blobs) {
            if try layer(digest) != nil || new.contains(where: { $0.digest == digest }) {
                options.progress?(.layer(blob.name, isNew: false))
                continue
            }
            options.progress?(.layer(blob.name, isNew: true))
            let file = try blob.open()
            new.append(try addLayer(file.fd, expected: digest, blob: blob.known, limits: options.limits, holding: scratch))
            options.progress?(.done(blob.name, bytes: new.last?.bytes ?? 0))
        }
        let id = try enter(config: config, manifest: manifest, name: name, layers: digests, new: new, from: scratch)
        return ImportedImage(id: id, name: name?.description, layers: digests, newLayers: new.count)
    }

    /// Puts layers in their places and the image into the database.
    func enter(config: [UInt8], manifest: Digest?, name: ImageName?, layers: [Digest], new: [NewLayer], from scratch: StoreScratch) throws(StoreError) -> Digest {
        let id = Digest.of(config)
        try exclusively { () throws(StoreError) in
            try place(new, from: scratch)
            try database.write { db in
                try Store.enter(new, db)
                try db.execute(sql: "INSERT OR IGNORE INTO image (id, config, manifest_digest, created) VALUES (?, ?, ?, ?)",
                               arguments: [id.description, Data(config), manifest?.description, Clock.realtime])
                for (position, digest) in layers.enumerated() {
                    guard let layer = try Int64.fetchOne(db, sql: "SELECT id FROM layer WHERE diff_id = ?", arguments: [digest.description]) else {
                        throw StoreError(.conflict, "layer \(digest) was removed meanwhile: try again")
                    }
                    try db.execute(sql: "INSERT OR IGNORE INTO image_layer (image_id, position, layer_id) VALUES (?, ?, ?)", arguments: [id.description, position, layer])
                }
                if let name { try Store.name(id, name, db) }
            }
        }
        return id
    }
    static func name(_ image: Digest, _ name: ImageName, _ db: Database) throws {
        try db.execute(sql: "INSERT INTO image_name (name, image_id) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET image_id = excluded.image_id",
                       arguments: [name.description, image.description])
    }
    public func nameImage(_ image: Digest, _ name: ImageName) throws(StoreError) { try database.write { db in try Store.name(image, name, db) } }
}

internal import Glibc
internal import LinuxSys

public struct CommitOptions: Sendable {
    public var message: String?
    public var author: String?
    /// In place of what the image says.
    public var command: [String]?
    /// Holes of large files are left out of the layer's archive.
    public var keepsHoles = true
    public init() {}
}

extension Store {
    /// The writable layer becomes a layer of an image on top of the container's own. The container may go on meanwhile:
    /// what it changes while the layer is read is in it or not.
    public func commit(
        _ container: StoredContainer, name: ImageName?, _ options: CommitOptions
    ) throws(StoreError) -> ImportedImage {
        let base = try image(container.image.description)
        let scratch = try StoreScratch(self)
        let writable = try WritableLayer(container, self)
        // A mount that is written back has its data here then.
        try told("the writable layer of \(container.name)") { () throws(Errno) in try writable.fd.syncFilesystem() }
        var new: NewLayer?
        let points = Set(container.mountPoints.map { FileName(String($0.dropFirst())) })
        try Piped.archive({ (file) throws(StoreError) in
            try LayerPacker.pack(writable, leftOut: points, keepsHoles: options.keepsHoles, to: file)
        }) { (archive) throws(StoreError) in
            new = try addLayer(archive, expected: nil, blob: nil, limits: .init(), holding: scratch)
        }
        guard let new else { throw StoreError(.system, "no layer came of it") }
        let layers = base.layers.map(\.digest) + [new.digest]
        let config = try configuration(base, layers, container, options)
        let image = PreparedImage(
            config: config, manifest: nil, names: name.map { [$0] } ?? [], layers: layers, new: [new], scratch: scratch)
        return try enter([image], of: container)[0]
    }

    /// All that the image's configuration has, known to us or not, with a layer and a step more.
    private func configuration(
        _ base: StoredImage, _ layers: [Digest], _ container: StoredContainer, _ options: CommitOptions
    ) throws(StoreError) -> [UInt8] {
        var members = try Document.members(base.configBytes, "the image's configuration")
        let now = Document.time(Clock.realtime)
        members["created"] = now
        members["rootfs"] = ["type": "layers", "diff_ids": layers.map(\.description)]
        if let author = options.author { members["author"] = author }
        var step: [String: Any] = ["created": now, "created_by": "unionfsd commit \(container.name)"]
        if let message = options.message { step["comment"] = message }
        members["history"] = (members["history"] as? [Any] ?? []) + [step]
        if let command = options.command {
            var config = members["config"] as? [String: Any] ?? [:]
            config["Cmd"] = command
            members["config"] = config
        }
        return try Document.bytes(members: members)
    }
}

internal import Glibc
public import LinuxSys

extension Store {
    public enum ExportForm: Sendable { case directory, archive }

    /// An OCI image layout, a directory that is made or a tar file, which skopeo, podman, umoci and containerd read.
    /// The layers' digests are those that the image came with; the archives are compressed anew.
    /// - Parameter target: "-" is standard output, for an archive.
    public func exportImage(
        _ reference: String, to target: FileName, _ form: ExportForm, compress: Bool = true
    ) throws(StoreError) -> Digest {
        let image = try image(reference)
        let scratch = try StoreScratch(self)
        let layout = try scratch.makeDirectory("layout")
        let manifest = try writeLayout(image, reference, into: layout.fd, compress: compress)
        switch form {
        case .archive:
            if target == "-" {
                try LayerPacker.pack(layout.fd, .tree, .plain, to: FD.standardOutput)
            } else {
                let file = try NewFile(target)
                try LayerPacker.pack(layout.fd, .tree, .plain, to: file.fd)
                try file.commit()
            }
        case .directory: try move(layout.fd, to: target)
        }
        return manifest
    }

    private func writeLayout(
        _ image: StoredImage, _ reference: String, into layout: FD, compress: Bool
    ) throws(StoreError) -> Digest {
        let blobs = try told("the export") { () throws(Errno) in
            try layout.makeDirectory(NameRef("blobs"), mode: 0o755)
            let blobs = try layout.openDirectory(NameRef("blobs"))
            try blobs.fd.makeDirectory(NameRef("sha256"), mode: 0o755)
            return try blobs.fd.openDirectory(NameRef("sha256"))
        }
        var digests: [Digest] = []
        var descriptors: [Descriptor] = []
        for (position, layer) in image.layers.enumerated() {
            guard let stored = try self.layer(layer.digest) else {
                throw StoreError(.conflict, "the image was removed meanwhile")
            }
            let temporary = FileName("layer-\(position)")
            let file = try told("the export") { () throws(Errno) in
                try blobs.fd.open(temporary, O_RDWR | O_CREAT | O_EXCL, mode: 0o644)
            }
            let output = try ArchiveCompressor(file.fd, compress ? .gzip : .none)
            try writeArchive(of: stored, to: output)
            try output.finish()
            let digest = output.digest.value
            // One that could not be made again is another layer, of the same tree.
            if stored.isExact, digest != layer.digest {
                throw StoreError(.damaged, "layer \(layer.digest) is not as it was any more: its archive is \(digest)")
            }
            digests.append(digest)
            descriptors.append(
                Descriptor(
                    mediaType: compress ? Descriptor.gzipLayerType : Descriptor.layerType, digest: output.outputDigest,
                    size: output.outputBytes))
            try told("the export") { () throws(Errno) in
                try temporary.withRef { (t) throws(Errno) in
                    try FileName(output.outputDigest.hex).withRef { (n) throws(Errno) in
                        try blobs.fd.rename(t, to: blobs.fd, n)
                    }
                }
            }
        }
        var config = image.configBytes
        if digests != image.layers.map(\.digest) {
            var members = try Document.members(config, "the image's configuration")
            members["rootfs"] = ["type": "layers", "diff_ids": digests.map(\.description)]
            config = try Document.bytes(members: members)
        }
        let configDigest = try put(config, blobs.fd)
        let manifest = ImageManifest(
            config: Descriptor(mediaType: Descriptor.configType, digest: configDigest, size: Int64(config.count)),
            layers: descriptors)
        let manifestBytes = try Document.bytes(manifest)
        let manifestDigest = try put(manifestBytes, blobs.fd)
        var descriptor = Descriptor(
            mediaType: Descriptor.manifestTypes[0], digest: manifestDigest, size: Int64(manifestBytes.count))
        if let name = (try? ImageName(reference))?.candidates.first(where: { image.names.contains($0) })
            ?? image.names.first
        {
            descriptor.annotations = [Descriptor.nameAnnotation: name]
        }
        try put(try Document.bytes(ImageIndex(manifests: [descriptor])), "index.json", layout)
        try put(Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8), "oci-layout", layout)
        return manifestDigest
    }
    private func put(_ bytes: [UInt8], _ blobs: FD) throws(StoreError) -> Digest {
        let digest = Digest.of(bytes)
        try put(bytes, FileName(digest.hex), blobs)
        return digest
    }
    private func put(_ bytes: [UInt8], _ name: FileName, _ directory: FD) throws(StoreError) {
        try told("the export") { () throws(Errno) in
            let file = try directory.open(name, O_WRONLY | O_CREAT | O_EXCL, mode: 0o644)
            try file.fd.writeAll(bytes)
        }
    }

    /// To a directory that is made for it, on whatever filesystem.
    private func move(_ layout: FD, to target: FileName) throws(StoreError) {
        let home = try told("\(target)") { () throws(Errno) in
            do throws(Errno) {
                try target.withRef { (t) throws(Errno) in try FD.currentDirectory.makeDirectory(t, mode: 0o755) }
            } catch { if error != .exists { throw error } }
            return try FD.currentDirectory.open(target, O_RDONLY | OpenFlags.directory)
        }
        var isEmpty = true
        try told("\(target)") { () throws(Errno) in
            var reader = DirectoryReader(home.fd)
            try reader.forEach { (name, _, _) throws(Errno) in
                if !name.isDotOrDotDot { isEmpty = false }
                return true
            }
        }
        if !isEmpty { throw StoreError(.conflict, "\(target) is not empty") }
        try Piped.archive(of: layout, .tree) { (archive) throws(StoreError) in
            try LayerUnpacker(root: home.fd, recipe: nil, limits: .init(), for: .files(isPublic: true)).unpack(
                try ArchiveTarReader(try ArchiveDecompressor(archive, limit: .max)))
        }
        try told("\(target)") { () throws(Errno) in try home.fd.syncFilesystem() }
    }
}

/// A file that has its name when it is complete.
final class NewFile {
    private let directory: OwnedFD
    private let file: OwnedFD
    private let name: FileName, temporary: FileName
    private var isCommitted = false
    var fd: FD { file.fd }

    init(_ path: FileName) throws(StoreError) {
        let bytes = Array(path.bytes)
        let slash = bytes.lastIndex(of: 0x2f)
        let parent = slash.map { $0 == 0 ? FileName("/") : FileName(bytes: bytes[..<$0]) } ?? "."
        name = FileName(bytes: bytes[(slash.map { $0 + 1 } ?? 0)...])
        let temporary = FileName(bytes: [0x2e] + name.bytes.prefix(200) + Array(".\(StoreName.random(digits: 8))".utf8))
        guard !name.isEmpty, name != ".", name != ".." else {
            throw StoreError(.invalid, "\"\(path)\" is no name for a file")
        }
        self.temporary = temporary
        let directory = try told("\(path)") { () throws(Errno) in
            try FD.currentDirectory.open(parent, O_RDONLY | OpenFlags.directory)
        }
        file = try told("\(path)") { () throws(Errno) in
            try directory.fd.open(temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o644)
        }
        self.directory = directory
    }
    func commit() throws(StoreError) {
        try told("\(name)") { () throws(Errno) in
            try file.fd.sync()
            try temporary.withRef { (t) throws(Errno) in
                try name.withRef { (n) throws(Errno) in try directory.fd.rename(t, to: directory.fd, n) }
            }
        }
        isCommitted = true
    }
    deinit {
        if isCommitted { return }
        do throws(Errno) { try temporary.withRef { (t) throws(Errno) in try directory.fd.unlink(t) } } catch {}
    }
}

internal import Glibc
internal import LinuxSys

/// What somebody gave as an image, by its looks.
enum ImageSource {
    /// An OCI image layout.
    case layout(ImageFiles)
    /// What `docker save` and `podman save` write.
    case dockerArchive(ImageFiles)
    /// skopeo's `dir:`: one manifest, and what it names beside it.
    case single(ImageFiles, ImageManifest)
    /// A root filesystem, as an archive that begins where the file stands.
    case archive(OwnedFDBox)
    /// A root filesystem.
    case tree(OwnedFDBox)

    /// An owned descriptor that an enumeration can hold.
    final class OwnedFDBox {
        private let owned: OwnedFD
        var fd: FD { owned.fd }
        init(_ owned: consuming OwnedFD) { self.owned = owned }
    }

    /// - Parameters:
    ///   - path: "-" is standard input.
    ///   - isRoot: it is a root filesystem, whatever is in it.
    static func identify(
        _ path: FileName, _ store: Store, isRoot: Bool, limits: LayerUnpacker.Limits
    ) throws(StoreError) -> ImageSource {
        if path == "-" {
            // To look at it first, it must be there twice.
            let scratch = try StoreScratch(store)
            let spool = try scratch.makeFile("input")
            try ArchiveSpool.copy(FD.standardInput, to: spool.fd)
            try told("standard input") { () throws(Errno) in _ = try spool.fd.seek(0, SEEK_SET) }
            return try identify(OwnedFDBox(spool), store, isRoot, limits)
        }
        let file = try told("\(path)") { () throws(Errno) in try FD.currentDirectory.open(path, O_RDONLY | O_NONBLOCK) }
        let status = try told("\(path)") { () throws(Errno) in try file.fd.status() }
        if status.isRegular { return try identify(OwnedFDBox(file), store, isRoot, limits) }
        guard status.isDirectory else { throw StoreError(.invalid, "\(path) is neither a file nor a directory") }
        if isRoot { return .tree(OwnedFDBox(file)) }
        let files = ImageFiles(try told("\(path)") { () throws(Errno) in try file.fd.duplicate() })
        var looks = Looks()
        for name in ["oci-layout", "index.json", "manifest.json", "repositories"] where files.has(name) {
            looks.tops.insert(name)
        }
        looks.hasBlobs = looks.tops.contains("index.json") && files.hasDirectory("blobs/sha256")
        switch try looks.form() {
        case .layout: return .layout(files)
        case .dockerArchive: return try withManifest(files)
        case .root: return .tree(OwnedFDBox(file))
        }
    }

    /// What is at the top of an archive or a directory, and what that makes of it. A form that is not known, or an
    /// image with something missing, is no root filesystem.
    private struct Looks {
        enum Form { case layout, dockerArchive, root }
        var tops: Set<String> = []
        var hasBlobs = false
        /// Something at the top has no place in an image.
        var hasOthers = false

        func form() throws(StoreError) -> Form {
            let isLayout = tops.contains("oci-layout")
            if tops.contains("index.json"), isLayout || hasBlobs { return .layout }
            if tops.contains("manifest.json") { return .dockerArchive }
            if isLayout, !hasOthers {
                throw StoreError(.invalid, "it is an OCI image layout without its index.json; \(ImageSource.hint)")
            }
            if tops.contains("repositories"), !hasOthers {
                throw StoreError(
                    .invalid,
                    """
                    it is what Docker saved before version 1.10, without a manifest.json, which is not read: \
                    docker load and docker save make another of it; \(ImageSource.hint)
                    """
                )
            }
            return .root
        }
    }
    static let hint = "if it is a root filesystem, say so with --rootfs"

    /// - Throws: with a reason that says what it was taken for.
    private static func withManifest(_ files: ImageFiles) throws(StoreError) -> ImageSource {
        do throws(StoreError) {
            let manifest: ImageManifest? = try? Document.read(try files.document("manifest.json"), "its manifest.json")
            if let manifest {
                let files = try files.beside()
                for descriptor in [manifest.config] + manifest.layers { _ = try files.blob(descriptor) }
                return .single(files, manifest)
            }
            let entries: [DockerArchiveEntry] = try Document.read(
                try files.document("manifest.json"), "its manifest.json")
            for entry in entries {
                for path in [entry.Config] + (entry.Layers ?? []) { _ = try files.open(path) }
            }
            return .dockerArchive(files)
        } catch {
            if error.kind == .hostile { throw error }
            throw StoreError(
                .invalid, "it has a manifest.json, as images have it, and cannot be read as an image: \(error); \(hint)"
            )
        }
    }

    /// All names are looked at: where manifest.json stands among them no format says.
    private static func identify(
        _ file: OwnedFDBox, _ store: Store, _ isRoot: Bool, _ limits: LayerUnpacker.Limits
    ) throws(StoreError) -> ImageSource {
        if try told("the archive", { () throws(Errno) in try file.fd.status().size }) == 0 {
            throw StoreError(.invalid, "the archive is empty")
        }
        if isRoot { return .archive(file) }
        var looks = Looks()
        let archive = try ArchiveTarReader(try ArchiveDecompressor(file.fd, limit: limits.bytes))
        while let entry = try archive.next() {
            let parts = entry.path.split(separator: 0x2f).filter { !$0.elementsEqual([0x2e]) }
            guard let first = parts.first.map({ String(decoding: $0, as: UTF8.self) }) else { continue }
            if parts.count == 1 { looks.tops.insert(first) }
            if first == "blobs" { looks.hasBlobs = true } else if !isOfImage(first) { looks.hasOthers = true }
        }
        try told("the archive") { () throws(Errno) in _ = try file.fd.seek(0, SEEK_SET) }
        let form = try looks.form()
        if form == .root { return .archive(file) }
        let scratch = try StoreScratch(store)
        let directory = try scratch.makeDirectory("image", mode: 0o700)
        try unpack(file.fd, into: directory.fd, limits)
        let files = ImageFiles(directory, scratch: scratch)
        if form == .layout { return .layout(files) }
        return try withManifest(files)
    }
    private static func isOfImage(_ first: String) -> Bool {
        if ["oci-layout", "index.json", "manifest.json", "repositories", "ingest", "config.json"].contains(first) {
            return true
        }
        let name = first.hasPrefix("sha256:") ? String(first.dropFirst(7)) : first
        let stem = name.split(separator: ".").first ?? ""
        return stem.utf8.count == 64 && stem.utf8.allSatisfy { $0 >= 0x30 && $0 <= 0x39 || $0 >= 0x61 && $0 <= 0x66 }
    }

    /// Files, directories and symlinks: no owners, no attributes, no devices.
    private static func unpack(_ file: FD, into directory: FD, _ limits: LayerUnpacker.Limits) throws(StoreError) {
        let plain = try LayerUnpacker(root: directory, recipe: nil, limits: limits, for: .files(isPublic: false))
        try plain.unpack(try ArchiveTarReader(try ArchiveDecompressor(file, limit: limits.bytes)))
    }
}

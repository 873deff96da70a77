internal import Glibc
internal import LinuxSys

/// What somebody gave as an image, by its looks.
enum ImageSource {
    /// An OCI image layout.
    case layout(ImageFiles)
    /// What `docker save` and `podman save` write.
    case dockerArchive(ImageFiles)
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

    /// - Parameter path: "-" is standard input.
    static func identify(_ path: FileName, _ store: Store, limits: LayerUnpacker.Limits) throws(StoreError) -> ImageSource {
        if path == "-" {
            // To look at it first, it must be there twice.
            let scratch = try StoreScratch(store)
            let spool = try scratch.makeFile("input")
            try ArchiveSpool.copy(FD.standardInput, to: spool.fd)
            try told("standard input") { () throws(Errno) in _ = try spool.fd.seek(0, SEEK_SET) }
            return try identify(OwnedFDBox(spool), store, limits)
        }
        let file = try told("\(path)") { () throws(Errno) in try FD.currentDirectory.open(path, O_RDONLY | O_NONBLOCK) }
        let status = try told("\(path)") { () throws(Errno) in try file.fd.status() }
        if status.isRegular { return try identify(OwnedFDBox(file), store, limits) }
        guard status.isDirectory else { throw StoreError(.invalid, "\(path) is neither a file nor a directory") }
        let files = ImageFiles(try told("\(path)") { () throws(Errno) in try file.fd.duplicate() })
        if files.has("oci-layout"), files.has("index.json") { return .layout(files) }
        if files.has("manifest.json"), isDockerManifest(files) { return .dockerArchive(files) }
        return .tree(OwnedFDBox(file))
    }

    private static func isDockerManifest(_ files: ImageFiles) -> Bool {
        do throws(StoreError) {
            let _: [DockerArchiveEntry] = try Document.read(try files.document("manifest.json"), "manifest.json")
            return true
        } catch { return false }
    }

    /// An archive of an image's files has nothing but what these formats name; the first other name says that it is a root filesystem.
    private static func identify(_ file: OwnedFDBox, _ store: Store, _ limits: LayerUnpacker.Limits) throws(StoreError) -> ImageSource {
        if try told("the archive", { () throws(Errno) in try file.fd.status().size }) == 0 { throw StoreError(.invalid, "the archive is empty") }
        var isLayout = false, isDocker = false
        let archive = try ArchiveTarReader(try ArchiveDecompressor(file.fd, limit: limits.bytes))
        while let entry = try archive.next() {
            let parts = entry.path.split(separator: 0x2f).filter { !$0.elementsEqual([0x2e]) }.map { String(decoding: $0, as: UTF8.self) }
            guard let first = parts.first else { continue }
            if parts.count == 1, first == "oci-layout" { isLayout = true } else if parts.count == 1, first == "manifest.json" { isDocker = true } else if !isOfImage(parts) {
                isLayout = false
                isDocker = false
                break
            }
        }
        try told("the archive") { () throws(Errno) in _ = try file.fd.seek(0, SEEK_SET) }
        guard isLayout || isDocker else { return .archive(file) }
        let scratch = try StoreScratch(store)
        let directory = try scratch.makeDirectory("image", mode: 0o700)
        try unpack(file.fd, into: directory.fd, limits)
        let files = ImageFiles(directory, scratch: scratch)
        return isLayout && files.has("index.json") ? .layout(files) : .dockerArchive(files)
    }
    private static func isOfImage(_ parts: [String]) -> Bool {
        let first = parts[0]
        if parts.count == 1, ["index.json", "repositories", "blobs", "ingest"].contains(first) { return true }
        if first == "blobs" { return true }
        let stem = first.split(separator: ".").first ?? ""
        return stem.utf8.count == 64 && stem.utf8.allSatisfy { $0 >= 0x30 && $0 <= 0x39 || $0 >= 0x61 && $0 <= 0x66 }
    }

    /// Files, directories and symlinks: no owners, no attributes, no devices.
    private static func unpack(_ file: FD, into directory: FD, _ limits: LayerUnpacker.Limits) throws(StoreError) {
        let plain = try LayerUnpacker(root: directory, recipe: nil, limits: limits, for: .files(isPublic: false))
        try plain.unpack(try ArchiveTarReader(try ArchiveDecompressor(file, limit: limits.bytes)))
    }
}

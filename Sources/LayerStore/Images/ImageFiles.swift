internal import Glibc
internal import LinuxSys

/// The files of an image layout: read by paths that cannot lead out of it.
final class ImageFiles {
    private let directory: OwnedFD
    /// What it was unpacked into, kept for as long as it is read.
    private let scratch: StoreScratch?
    /// Where documents and layers are, by their digests: beside the manifest in skopeo's `dir:` form.
    private let blobs: String

    init(_ directory: consuming OwnedFD, scratch: StoreScratch? = nil, blobs: String = "blobs/sha256/") {
        self.directory = directory
        self.scratch = scratch
        self.blobs = blobs
    }
    func beside() throws(StoreError) -> ImageFiles {
        ImageFiles(
            try told("the image") { () throws(Errno) in try directory.fd.duplicate() }, scratch: scratch, blobs: "")
    }

    func has(_ path: String) -> Bool {
        do throws(StoreError) {
            _ = try open(path)
            return true
        } catch { return false }
    }
    func hasDirectory(_ path: String) -> Bool {
        do throws(Errno) {
            return try FileName(path).withRef { (p) throws(Errno) in
                try directory.fd.openBeneath(p, OpenFlags.path | OpenFlags.directory).fd.isValid
            }
        } catch { return false }
    }
    /// - Parameter path: a slash at its beginning, or a dot, is the image's directory.
    func open(_ path: String) throws(StoreError) -> OwnedFD {
        let path = String(path.drop { $0 == "/" })
        do throws(Errno) {
            return try FileName(path).withRef { (p) throws(Errno) in
                let file = try directory.fd.openInside(p, O_RDONLY | O_NONBLOCK)
                guard try file.fd.status().isRegular else { throw Errno.invalid }
                return file
            }
        } catch {
            if error == .crossDevice || error == .loop {
                throw StoreError(.hostile, "\"\(path)\" leads out of the image")
            }
            throw StoreError(error, doing: "\"\(path)\" of the image")
        }
    }
    func document(_ path: String) throws(StoreError) -> [UInt8] {
        let file = try open(path)
        let bytes = try told("\"\(path)\" of the image") { () throws(Errno) in
            try file.fd.readAll(limit: DocumentLimit.bytes)
        }
        if bytes.count >= DocumentLimit.bytes {
            throw StoreError(.hostile, "\"\(path)\" of the image is too long for a document")
        }
        return bytes
    }
    func has(_ descriptor: Descriptor) -> Bool { has("\(blobs)\(descriptor.digest.hex)") }
    func blob(_ descriptor: Descriptor) throws(StoreError) -> OwnedFD { try open("\(blobs)\(descriptor.digest.hex)") }
    /// Of a document, compared with its digest.
    func document(_ descriptor: Descriptor) throws(StoreError) -> [UInt8] {
        let bytes = try document("\(blobs)\(descriptor.digest.hex)")
        let digest = Digest.of(bytes)
        guard digest == descriptor.digest, Int64(bytes.count) == descriptor.size else {
            throw StoreError(
                .damaged, "a document of the image is not what its digest says: \(digest), not \(descriptor.digest)")
        }
        return bytes
    }
}

public import LinuxSys

/// What `overlay.metacopy` says besides that a file's data are below (struct ovl_metacopy of fs/overlayfs/overlayfs.h):
/// version 0, length, flags 0, the algorithm, and the fs-verity digest that the data must have. An empty one says
/// nothing more.
struct MetacopyNote: Equatable {
    let digest: VerityDigest?

    init(_ digest: VerityDigest?) { self.digest = digest }
    /// - Throws: EIO for what is not of this format (ovl_check_metacopy_xattr).
    init(found value: [UInt8]) throws(Errno) {
        guard !value.isEmpty else {
            digest = nil
            return
        }
        guard value.count >= Self.headerLength, value[0] == 0, Int(value[1]) == value.count, value[2] == 0 else {
            throw .io
        }
        digest = value[3] == 0 ? nil : VerityDigest(algorithm: value[3], bytes: Array(value[Self.headerLength...]))
    }
    var bytes: [UInt8] {
        digest.map { [0, UInt8(Self.headerLength + $0.bytes.count), 0, $0.algorithm] + $0.bytes } ?? []
    }
    private static let headerLength = 4

    /// - Parameter data: what the data have.
    /// - Throws: EIO: they are not those that were meant, or nobody can tell though somebody must
    ///   (ovl_validate_verity).
    func check(_ data: VerityDigest?, isRequired: Bool) throws(Errno) {
        guard let digest else {
            if isRequired { throw .io }
            return
        }
        guard data == digest else { throw .io }
    }
}

extension LayerStack {
    /// Before the data of a metacopy file are first read: they are those that it was made for. A getxattr(2) and an
    /// ioctl(2).
    /// - Parameter data: an open file.
    public func verifyData(_ data: FD, of directory: FD, _ name: NameRef) throws(Errno) {
        guard options.verity != .off, let value = try directory.xattrIfPresent(name, OverlayXattr.metacopy.name(xattrs))
        else { return }
        try MetacopyNote(found: value).check(try data.verityDigest(), isRequired: options.verity == .require)
    }

    /// What a metacopy file that is made now says of its data; nil: it must not be made, as nobody could check them.
    func noteOfData(_ source: CopyUpSource) throws(Errno) -> MetacopyNote? {
        guard options.verity != .off else { return MetacopyNote(nil) }
        let data = try openSourceData(source)
        let digest = try data.fd.verityDigest()
        return digest == nil && options.verity == .require ? nil : MetacopyNote(digest)
    }
}

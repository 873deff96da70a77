public import LinuxSys
internal import Glibc

/// `overlay.origin`: which lower inode a copied-up object came from, as a file handle (struct ovl_fb of
/// fs/overlayfs/overlayfs.h): version 0, magic 0xfb, length, flags, handle type, UUID of the filesystem, the handle.
public struct Origin: Equatable, Sendable {
    public let bytes: [UInt8]
    private static let headerLength = 21
    /// OVL_FH_FLAG_PATH_UPPER: of an object in the upper layer, on the index directory.
    static let pathUpper: UInt8 = 4

    init?(handle: FileHandle, uuid: [UInt8], flags: UInt8 = 0) {
        guard uuid.count == 16, handle.type >= 0, handle.type < 0xff, Self.headerLength + handle.bytes.count <= 255 else { return nil }
        bytes = [0, 0xfb, UInt8(Self.headerLength + handle.bytes.count), flags, UInt8(handle.type)] + uuid + handle.bytes
    }
    /// A value found in a layer. Nil for anything that is not one of ours or the kernel's on this kind of machine.
    init?(found value: [UInt8]) {
        guard value.count >= Self.headerLength, value[0] == 0, value[1] == 0xfb, Int(value[2]) == value.count,
              value[3] & ~7 == 0 else { return nil }
        // OVL_FH_FLAG_BIG_ENDIAN 1, OVL_FH_FLAG_ANY_ENDIAN 2.
        if value[3] & 1 != 0, value[3] & 2 == 0 { return nil }
        bytes = value
    }
    public var uuid: ArraySlice<UInt8> { bytes[5..<21] }
    public var handle: FileHandle { FileHandle(type: Int32(bytes[4]), bytes: Array(bytes[Self.headerLength...])) }
    /// The name in the index directory: the bytes in hexadecimal (ovl_get_index_name_fh).
    public var indexName: FileName {
        let digits = Array("0123456789abcdef".utf8)
        var name: [UInt8] = []
        name.reserveCapacity(bytes.count * 2)
        for byte in bytes {
            name.append(digits[Int(byte >> 4)])
            name.append(digits[Int(byte & 15)])
        }
        return FileName(bytes: name)
    }
}

extension LayerStack {
    /// The origin to store for a lower object; nil where its filesystem has no handles.
    func originHandle(_ directory: FD, _ name: NameRef, layer: Int) -> Origin? {
        guard layer < layers.count else { return nil }
        do throws(Errno) {
            return Origin(handle: try directory.handle(name), uuid: layers[layer].uuid)
        } catch { return nil }
    }
    func readOrigin(_ directory: FD, _ name: NameRef) throws(Errno) -> Origin? {
        guard let value = try directory.xattrIfPresent(name, OverlayXattr.origin.name(xattrs)) else { return nil }
        return Origin(found: value)
    }

    /// The lower object that an origin names, and a layer on its filesystem; nil where it cannot be told: the layer was
    /// moved to another filesystem, or we may not open handles.
    func originStatus(_ origin: Origin) throws(Errno) -> (status: FileStatus, layer: Int)? {
        guard canOpenHandles, let layer = layerOfOrigin(origin) else { return nil }
        do throws(Errno) {
            let object = try layers[layer].root.fd.open(handle: origin.handle, OpenFlags.path)
            let status = try object.fd.status()
            return status.dev == layers[layer].device ? (status, layer) : nil
        } catch {
            switch error {
            case .tooManyOpenFiles, .noMemory, Errno(ENFILE): throw error
            default: return nil
            }
        }
    }

    /// Filesystems are told apart by UUID; where two have the same (none, usually), an origin is not followed.
    private func layerOfOrigin(_ origin: Origin) -> Int? {
        var match: Layer?
        for layer in layers where !layer.isUpper && layer.uuid.elementsEqual(origin.uuid) {
            if let first = match {
                if first.device != layer.device { return nil }
            } else { match = layer }
        }
        return match?.index
    }
}

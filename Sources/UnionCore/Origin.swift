public import LinuxSys

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
    /// An entry's name in the index directory, back; nil where it is none.
    init?(indexName name: FileName) {
        let text = Array(name.bytes)
        guard text.count % 2 == 0 else { return nil }
        func digit(_ c: UInt8) -> UInt8? {
            switch c {
            case 0x30...0x39: c - 0x30
            case 0x61...0x66: c - 0x61 + 10
            case 0x41...0x46: c - 0x41 + 10
            default: nil
            }
        }
        var value: [UInt8] = []
        for i in stride(from: 0, to: text.count, by: 2) {
            guard let high = digit(text[i]), let low = digit(text[i + 1]) else { return nil }
            value.append(high << 4 | low)
        }
        self.init(found: value)
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
    /// The origin to store for a lower object; nil where its filesystem has no handles. Any other error is one: a copy without its origin
    /// would have another number, and be no name of the others any more.
    func originHandle(_ directory: FD, _ name: NameRef, layer: Int) throws(Errno) -> Origin? {
        guard layer < layers.count else { return nil }
        do throws(Errno) {
            return Origin(handle: try directory.handle(name), uuid: layers[layer].uuid)
        } catch {
            switch error {
            case .notSupported, .overflow, .notPermitted, .accessDenied, .notImplemented, .invalid: return nil
            default: throw error
            }
        }
    }
    func readOrigin(_ directory: FD, _ name: NameRef) throws(Errno) -> Origin? {
        guard let value = try directory.xattrIfPresent(name, OverlayXattr.origin.name(xattrs)) else { return nil }
        return Origin(found: value)
    }

    /// What an origin says of its lower object. `links`: st_nlink of it, where it could be looked at.
    struct OriginAnswer {
        var ino: UInt64
        var layer: Int
        var links: UInt32?
    }

    /// The lower object that an origin names; nil where it cannot be told. Its number stands in the handle where the form is known, which costs nothing;
    /// the object is looked at under the same name below (one statx), else by its handle where that is allowed (three calls).
    /// A forged origin gives a wrong number and nothing else: the object is not reached by it.
    func resolve(_ origin: Origin, _ parent: MergedDirectory, _ name: NameRef) throws(Errno) -> OriginAnswer? {
        guard let layer = layers.layer(of: origin) else { return nil }
        let number = layer.handleForm?.number(of: origin.handle)
        if let number {
            for part in parent.lowerParts where part.layer < layers.count && layers[part.layer].device == layer.device {
                do throws(Errno) {
                    let status = try part.fd.status(name)
                    if status.ino == number { return OriginAnswer(ino: number, layer: layer.index, links: status.nlink) }
                    break
                } catch { if error != .noEntry { throw error } }
            }
        }
        if canOpenHandles {
            guard let status = try layer.status(of: origin) else { return nil }
            return OriginAnswer(ino: status.ino, layer: layer.index, links: status.nlink)
        }
        return number.map { OriginAnswer(ino: $0, layer: layer.index, links: nil) }
    }
}

extension Layer {
    /// Needs the privilege to open handles. Nil: there is no such object any more, or it is on another device.
    func status(of origin: Origin) throws(Errno) -> FileStatus? {
        do throws(Errno) {
            let object = try root.fd.open(handle: origin.handle, OpenFlags.path)
            let status = try object.fd.status()
            return status.dev == device ? status : nil
        } catch {
            switch error {
            // Gone, or not for us to open.
            case .stale, .noEntry, .notSupported, .overflow, .notPermitted, .accessDenied, .notImplemented, .invalid: return nil
            default: throw error
            }
        }
    }
}

extension [Layer] {
    /// Filesystems are told apart by UUID; where two have the same (none, usually), an origin is not followed.
    func layer(of origin: Origin) -> Layer? {
        var match: Layer?
        for layer in self where !layer.isUpper && layer.uuid.elementsEqual(origin.uuid) {
            if let first = match {
                if first.device != layer.device { return nil }
            } else { match = layer }
        }
        return match
    }
}

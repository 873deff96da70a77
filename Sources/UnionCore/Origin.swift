public import LinuxSys

/// `overlay.origin`: which lower inode a copied-up object came from, as a file handle (struct ovl_fb of
/// fs/overlayfs/overlayfs.h): version 0, magic 0xfb, length, flags, handle type, UUID of the filesystem, the handle.
public struct Origin: Equatable, Sendable {
    public let bytes: [UInt8]
    private static let headerLength = 21
    /// OVL_FH_FLAG_PATH_UPPER: of an object in the upper layer, on the index directory.
    static let pathUpper: UInt8 = 4

    init?(handle: FileHandle, uuid: [UInt8], flags: UInt8 = 0) {
        guard uuid.count == 16, handle.type >= 0, handle.type < 0xff, Self.headerLength + handle.bytes.count <= 255
        else { return nil }
        bytes =
            [0, 0xfb, UInt8(Self.headerLength + handle.bytes.count), flags, UInt8(handle.type)] + uuid + handle.bytes
    }
    /// A value found in a layer. Nil for anything that is not one of ours or the kernel's on this kind of machine.
    init?(found value: [UInt8]) {
        guard value.count >= Self.headerLength, value[0] == 0, value[1] == 0xfb, Int(value[2]) == value.count,
            value[3] & ~7 == 0
        else { return nil }
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
    /// The origin to store for a lower object; nil where its filesystem has no handles. Any other error is one: a copy
    /// without its origin would have another number, and be no name of the others any more.
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
        /// As it is shown.
        var number: UInt64
        var links: UInt32?
    }

    /// The lower object that an origin names; nil where it cannot be told. Its number stands in the handle where the
    /// form is known, which costs nothing; the object is looked at under the same name below (one statx), else by its
    /// handle where that is allowed (three calls). A forged origin gives a wrong number and nothing else: the object is
    /// not reached by it.
    func resolve(_ origin: Origin, _ parent: MergedDirectory, _ name: NameRef) throws(Errno) -> OriginAnswer? {
        let handle = origin.handle
        guard let layer = layers.layer(of: origin, handle) else { return nil }
        let number = number(of: handle, layer)
        if let number {
            for part in parent.parts
            where !hasCopies(part.layer) && part.layer < layers.count && layers[part.layer].hasHandles {
                guard case .object(let status) = try see(part, name) else { continue }
                if self.number(status, ofLayer: part.layer, part.fd, name) == number {
                    return OriginAnswer(number: number, links: status.nlink)
                }
                if layers[part.layer].device == layer.device { break }
            }
        }
        if canOpenHandles {
            guard let object = try layer.open(origin) else { return nil }
            let status = try object.fd.status()
            return OriginAnswer(number: self.number(status, ofLayer: layer.index, object.fd), links: status.nlink)
        }
        return number.map { OriginAnswer(number: $0, links: nil) }
    }

    /// What a handle says without a look at its object.
    private func number(of handle: FileHandle, _ layer: Layer) -> UInt64? {
        guard let form = layer.handleForm, let place = form.place(of: handle) else { return nil }
        if place.isRootVolume { return filesystems.number(place.ino, root: layer.filesystem) }
        return filesystems.number(place.ino, place: filesystems.place(key: Filesystems.key(volume: place.volume)))
    }

    // ---- without handles ----

    /// `overlay.unionfsd.number`, of our own, where the lower filesystem has no file handles (an overlayfs without
    /// nfs_export): key of the filesystem and number of the lower object. The kernel's overlayfs hides it and does not
    /// read it.
    func noteNumber(_ source: CopyUpSource, on directory: FD, _ name: NameRef) throws(Errno) -> Bool {
        // Others of its names would claim it, too.
        guard source.status.nlink == 1, source.layer < layers.count, !layers[source.layer].hasHandles else {
            return false
        }
        let layer = layers[source.layer]
        let key =
            source.status.dev == layer.device
            ? layer.key : Filesystems.key(source.directory, source.name, device: source.status.dev)
        let value = [key, source.status.ino].flatMap { word in
            (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64($0 * 8)) }
        }
        do throws(Errno) {
            try step(.setOrigin)
            try directory.setXattr(name, OverlayXattr.number.name(xattrs), [1] + value)
            return true
        } catch {
            if error == .notSupported { return false }
            throw error
        }
    }
    func readNumber(_ directory: FD, _ name: NameRef) throws(Errno) -> UInt64? {
        guard let value = try directory.xattrIfPresent(name, OverlayXattr.number.name(xattrs)), value.count == 17,
            value[0] == 1
        else { return nil }
        func word(_ at: Int) -> UInt64 { value[at..<at + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) } }
        let (key, ino) = (word(1), word(9))
        var match: Layer?
        for layer in layers where !layer.isUpper && !layer.hasHandles && layer.key == key {
            if let match, match.filesystem != layer.filesystem { return nil }
            match = layer
        }
        if let match { return filesystems.number(ino, root: match.filesystem) }
        // Of a layer that is not here any more it is as good as any: no other object has it.
        return filesystems.number(ino, place: filesystems.place(key: key))
    }
}

extension Layer {
    /// Needs the privilege to open handles. Nil: there is no such object any more.
    func open(_ origin: Origin) throws(Errno) -> OwnedFD? {
        do throws(Errno) { return try root.fd.open(handle: origin.handle, OpenFlags.path) } catch {
            switch error {
            // Gone, or not for us to open.
            case .stale, .noEntry, .notSupported, .overflow, .notPermitted, .accessDenied, .notImplemented, .invalid:
                return nil
            default: throw error
            }
        }
    }
}

extension [Layer] {
    /// Filesystems are told apart by UUID; where two have the same (none, usually), an origin is not followed.
    /// Subvolumes of one btrfs have the same, and are one filesystem to a handle.
    func layer(of origin: Origin, _ handle: FileHandle) -> Layer? {
        var match: Layer?
        for layer in self where !layer.isUpper && layer.uuid.elementsEqual(origin.uuid) {
            if layer.handleForm?.place(of: handle)?.isRootVolume == true, layer.handleForm?.hasVolumes == true {
                return layer
            }
            if let first = match {
                if first.device != layer.device,
                    !(first.handleForm?.hasVolumes == true && layer.handleForm?.hasVolumes == true)
                {
                    return nil
                }
            } else {
                match = layer
            }
        }
        return match
    }
}

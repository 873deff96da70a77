public import LinuxSys
internal import Synchronization

/// Which filesystem an object lies on, as a part of its number.
///
/// A layer's root lies on one, and most of what is below it does too. Not all: a btrfs subvolume below it has a device
/// and numbers of its own (each begins with 256), and an overlayfs of several filesystems shows each file with a device
/// of where it comes from (xino=off). Their device numbers are given out anew at each mount, so what tells such a
/// filesystem again is a key that stays: the subvolume's id, the UUID in the file's identity, else f_fsid.
final class Filesystems: @unchecked Sendable {
    /// Of the layers' roots, in the order in which they are met: the number of a filesystem is its place.
    let roots: [UInt64]
    /// Of others: by device, and by the 22 bits that stand for it in a number. A key whose place is taken has the next
    /// one.
    private var places: [UInt64: UInt64] = [:]
    private var keys: [UInt64: UInt64] = [:]
    private let mutex = Mutex(.leaf)

    init(roots: [UInt64]) { self.roots = roots }

    /// The number to show for an object of the filesystem of a layer's root: its own where there is one filesystem,
    /// else the filesystem's place in the top 16 bits (xino), as overlayfs has it.
    func number(_ ino: UInt64, root: Int) -> UInt64 {
        if roots.count == 1 { return ino }
        return ino >> 48 == 0 ? UInt64(root) << 48 | ino : Self.mixed(ino, UInt64(root))
    }
    /// The same for another one. The bits of place and number lie where no root's have anything.
    func number(_ ino: UInt64, place: UInt64) -> UInt64 {
        ino >> 40 == 0 ? 1 << 62 | place << 40 | ino : Self.mixed(ino, 1 << 62 | place << 40)
    }
    /// Numbers that use the high bits themselves (network filesystems, a union below this one) share the upper half
    /// with one another. Of one filesystem no two meet; two of different ones do by a chance of one in 2^63.
    private static func mixed(_ ino: UInt64, _ filesystem: UInt64) -> UInt64 {
        var h = ino &+ filesystem &* 0x9e37_79b9_7f4a_7c15
        // Steps that can be undone, on 63 bits.
        h &= ~(1 << 63)
        h ^= h >> 31
        h = h &* 0x7fb5_d329_728e_a185 & ~(1 << 63)
        h ^= h >> 27
        return h | 1 << 63
    }

    func root(device: UInt64) -> Int? { roots.firstIndex(of: device) }
    func place(device: UInt64) -> UInt64? { mutex.locked { places[device] } }
    func place(device: UInt64, key: UInt64) -> UInt64 {
        mutex.locked {
            if let known = places[device] { return known }
            let place = placeLocked(key)
            places[device] = place
            return place
        }
    }
    func place(key: UInt64) -> UInt64 { mutex.locked { placeLocked(key) } }
    private func placeLocked(_ key: UInt64) -> UInt64 {
        var place = (key ^ key >> 22 ^ key >> 44) & 0x3f_ffff
        while let other = keys[place], other != key { place = (place + 1) & 0x3f_ffff }
        keys[place] = key
        return place
    }

    // ---- keys ----

    static let btrfs: UInt64 = 0x9123_683e, overlayfs: UInt64 = 0x794c_7630

    /// Of the filesystem that an object lies on: never 0. The same at the next mount, but where nothing tells it: then
    /// it is made of the device.
    static func key(_ directory: FD, _ name: NameRef, device: UInt64) -> UInt64 {
        do throws(Errno) {
            let identity = try directory.identity(name)
            if let volume = volume(of: identity) { return key(volume: volume) }
            if let real = real(identity) { return real.key }
        } catch {
            // It has none.
        }
        do throws(Errno) {
            let object = try name.isEmpty ? directory.duplicate() : directory.openPath(name)
            let filesystem = try object.fd.filesystemStatus()
            // Of an overlayfs it is the whole one's.
            if filesystem.id != 0, filesystem.type != overlayfs { return hash([filesystem.type, filesystem.id], 3) }
        } catch {
            // See above.
        }
        return hash([device], 4)
    }
    static func key(volume: UInt64) -> UInt64 { hash([volume], 1) }

    /// Of an overlayfs (OVL_FILEID_V1): three bytes that align, then struct ovl_fb, with the UUID of the filesystem
    /// that the object really lies on, and its handle there.
    static func real(_ identity: FileHandle) -> (key: UInt64, handle: FileHandle)? {
        let bytes = identity.bytes
        guard identity.type == 0xf8, bytes.count > 24, bytes[8..<24].contains(where: { $0 != 0 }) else { return nil }
        return (hash(bytes[8..<24], 2), FileHandle(type: Int32(bytes[7]), bytes: Array(bytes[24...])))
    }

    /// btrfs_encode_fh: objectid, root_objectid (the subvolume), generation; with a parent as the next two forms.
    static func volume(of handle: FileHandle) -> UInt64? {
        guard (0x4d...0x4f).contains(handle.type), handle.bytes.count >= 20 else { return nil }
        return handle.bytes[8..<16].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    private static func hash(_ bytes: some Sequence<UInt8>, _ kind: UInt64) -> UInt64 {
        var h = 0xcbf2_9ce4_8422_2325 ^ kind &* 0x9e37_79b9_7f4a_7c15
        for byte in bytes { h = (h ^ UInt64(byte)) &* 0x100_0000_01b3 }
        h ^= h >> 29
        return h == 0 ? 1 : h
    }
    private static func hash(_ words: [UInt64], _ kind: UInt64) -> UInt64 {
        hash(words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64($0 * 8)) } }, kind)
    }
}

extension LayerStack {
    /// An object's number as the union shows it, unique over all filesystems.
    /// - Parameters: where the object is, for the first one of a filesystem that no layer's root lies on.
    public func number(
        _ status: FileStatus, ofLayer layer: Int, _ directory: FD = .none, _ name: NameRef = NameRef.empty
    ) -> UInt64 {
        if status.isDirectory, layer < layers.count, layers[layer].isOverlay, directory.isValid,
            let number = overlayNumber(directory, name)
        {
            return number
        }
        return number(status.ino, device: status.dev, ofLayer: layer, directory, name)
    }
    /// A directory of an overlayfs of several filesystems (xino=off) has another number whenever the kernel has
    /// forgotten it (ovl_map_ino). Its identity has that of the real directory, in the filesystem whose files are
    /// numbered so. Nil where it is none that is known.
    private func overlayNumber(_ directory: FD, _ name: NameRef) -> UInt64? {
        do throws(Errno) {
            guard let real = Filesystems.real(try directory.identity(name)),
                let ino = HandleForm.number(of: real.handle)
            else { return nil }
            return filesystems.number(ino, place: filesystems.place(key: real.key))
        } catch { return nil }
    }
    func number(_ ino: UInt64, device: UInt64, ofLayer layer: Int, _ directory: FD, _ name: NameRef) -> UInt64 {
        guard layer < layers.count else { return ino }
        if device == layers[layer].device || device == 0 {
            return filesystems.number(ino, root: layers[layer].filesystem)
        }
        if let root = filesystems.root(device: device) { return filesystems.number(ino, root: root) }
        return filesystems.number(ino, place: place(device, directory, name))
    }
    /// Of a filesystem that no layer's root lies on.
    private func place(_ device: UInt64, _ directory: FD, _ name: NameRef) -> UInt64 {
        if let known = filesystems.place(device: device) { return known }
        return filesystems.place(device: device, key: Filesystems.key(directory, name, device: device))
    }
}

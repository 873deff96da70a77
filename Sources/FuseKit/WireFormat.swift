internal import CShims
internal import LinuxSys

/// The messages' C structures to and from bytes (fuse_protocol.h): every access is checked against the length of the
/// buffer, and none needs alignment.
extension Bytes {
    /// nil when the structure does not lie wholly within the bytes.
    @inline(__always)
    func load<T: BitwiseCopyable>(_ type: T.Type, at offset: Int = 0) -> T? {
        guard offset >= 0, offset <= count - MemoryLayout<T>.size, let base = unsafe buffer.baseAddress else {
            return nil
        }
        return unsafe base.loadUnaligned(fromByteOffset: offset, as: T.self)
    }
}

extension MutableBytes {
    /// The structure's size; 0, and nothing written, when there is no room.
    @inline(__always) @discardableResult
    func store<T: BitwiseCopyable>(_ value: T, at offset: Int = 0) -> Int {
        let size = MemoryLayout<T>.size
        guard offset >= 0, offset <= count - size, let base = unsafe buffer.baseAddress else { return 0 }
        unsafe base.storeBytes(of: value, toByteOffset: offset, as: T.self)
        return size
    }
    /// `length` zero bytes, as far as there is room.
    func clear(at offset: Int, length: Int) {
        guard offset >= 0, offset < count, length > 0, let base = unsafe buffer.baseAddress else { return }
        unsafe (base + offset).initializeMemory(as: UInt8.self, repeating: 0, count: min(length, count - offset))
    }
}

enum WireFormat {
    static let direntSize = MemoryLayout<fuse_dirent>.size
    static let entrySize = MemoryLayout<fuse_entry_out>.size

    /// `struct fuse_dirent`, the name, and zeros up to the record's end.
    static func putDirent(_ b: MutableBytes, _ name: NameRef, ino: UInt64, kind: FileKind, next: UInt64) {
        b.store(
            fuse_dirent(
                ino: ino, off: next, namelen: UInt32(truncatingIfNeeded: name.count), type: UInt32(kind.rawValue)))
        b.copy(name, at: direntSize)
        b.clear(at: direntSize + name.count, length: b.count - direntSize - name.count)
    }

    /// `struct fuse_entry_out`; the number of its bytes.
    @discardableResult
    static func putEntry(_ b: MutableBytes, _ entry: Entry) -> Int {
        var out = fuse_entry_out()
        out.nodeid = entry.node
        out.generation = entry.generation
        out.entry_valid = UInt64(entry.entrySeconds)
        out.attr_valid = UInt64(entry.attributeSeconds)
        if entry.node != 0 { out.attr = attributes(entry.attributes) }
        return b.store(out)
    }

    static func attributes(_ s: FileStatus) -> fuse_attr {
        var a = fuse_attr()
        a.ino = s.ino
        a.size = s.size
        a.blocks = s.blocks
        a.atime = UInt64(bitPattern: s.atime.seconds)
        a.mtime = UInt64(bitPattern: s.mtime.seconds)
        a.ctime = UInt64(bitPattern: s.ctime.seconds)
        a.atimensec = s.atime.nanoseconds
        a.mtimensec = s.mtime.nanoseconds
        a.ctimensec = s.ctime.nanoseconds
        a.mode = s.mode
        a.nlink = s.nlink
        a.uid = s.uid
        a.gid = s.gid
        a.rdev = encodeDevice(s.rdev)
        a.blksize = s.blockSize
        return a
    }

    /// `struct fuse_statx`. The kernel takes type and size only where `mask` says so (fuse_do_statx).
    static func statx(_ s: FileStatus) -> fuse_statx {
        var x = fuse_statx()
        x.mask = statxBasicStats | (s.hasBirthTime ? statxBirthTime : 0)
        x.blksize = s.blockSize
        x.attributes = s.attributes
        x.nlink = s.nlink
        x.uid = s.uid
        x.gid = s.gid
        x.mode = UInt16(truncatingIfNeeded: s.mode)
        x.ino = s.ino
        x.size = s.size
        x.blocks = s.blocks
        x.attributes_mask = s.attributes
        x.atime = time(s.atime)
        x.btime = time(s.btime)
        x.ctime = time(s.ctime)
        x.mtime = time(s.mtime)
        x.rdev_major = DeviceNumber.major(s.rdev)
        x.rdev_minor = DeviceNumber.minor(s.rdev)
        return x
    }
    private static let statxBasicStats: UInt32 = 0x7ff
    private static let statxBirthTime: UInt32 = 0x800
    private static func time(_ t: Timestamp) -> fuse_sx_time {
        fuse_sx_time(tv_sec: t.seconds, tv_nsec: t.nanoseconds, reserved: 0)
    }

    /// Device numbers travel as the kernel's new_encode_dev() (<linux/kdev_t.h>) packs them: 12 bits of major, 20 of
    /// minor. Here they have the C library's 64-bit form (gnu_dev_makedev).
    static func encodeDevice(_ device: UInt64) -> UInt32 {
        let major = DeviceNumber.major(device)
        let minor = DeviceNumber.minor(device)
        return (minor & 0xff) | (major & 0xfff) << 8 | (minor & 0xfff00) << 12
    }
    static func decodeDevice(_ packed: UInt32) -> UInt64 {
        cs_makedev((packed & 0xfff00) >> 8, (packed & 0xff) | (packed >> 12) & 0xfff00)
    }
}

internal import CShims
internal import Glibc

/// A filesystem's own persistent name of an inode (name_to_handle_at(2)), and the filesystem's UUID. What overlayfs
/// stores as `origin`.
public struct FileHandle: Equatable, Sendable {
    public var type: Int32
    public var bytes: [UInt8]
    public init(type: Int32, bytes: [UInt8]) {
        self.type = type
        self.bytes = bytes
    }
}

extension FD {
    /// EOPNOTSUPP where the filesystem has none.
    public func handle(_ name: NameRef) throws(Errno) -> FileHandle {
        var h = cs_handle()
        try checked { unsafe cs_name_to_handle(raw, name.base, &h) }
        let length = Int(min(h.bytes, 128))
        let bytes = unsafe withUnsafeBytes(of: &h.data) { unsafe Array($0.prefix(length)) }
        return FileHandle(type: h.type, bytes: bytes)
    }

    /// The same where nobody is to open it: also of filesystems that cannot open by handle (AT_HANDLE_FID).
    public func identity(_ name: NameRef) throws(Errno) -> FileHandle {
        var h = cs_handle()
        try checked { unsafe cs_name_to_identity(raw, name.base, &h) }
        let length = Int(min(h.bytes, 128))
        let bytes = unsafe withUnsafeBytes(of: &h.data) { unsafe Array($0.prefix(length)) }
        return FileHandle(type: h.type, bytes: bytes)
    }
    /// Needs CAP_DAC_READ_SEARCH in the initial user namespace; `self` is any descriptor on that filesystem.
    public func open(handle: FileHandle, _ flags: Int32) throws(Errno) -> OwnedFD {
        var h = cs_handle()
        guard handle.bytes.count <= 128 else { throw Errno.invalid }
        h.bytes = UInt32(handle.bytes.count)
        h.type = handle.type
        unsafe withUnsafeMutableBytes(of: &h.data) { unsafe $0.copyBytes(from: handle.bytes) }
        return OwnedFD(adopting: Int32(try checked { unsafe cs_open_by_handle(raw, &h, flags) }))
    }

    /// 16 bytes; all zero where the filesystem or the kernel (before 6.9) does not tell.
    public func filesystemUUID() -> [UInt8] {
        var uuid = [UInt8](repeating: 0, count: 16)
        let result = unsafe uuid.withMutableBytes { b in
            unsafe cs_fsuuid(raw, b.baseAddress?.assumingMemoryBound(to: UInt8.self))
        }
        return result == 0 ? uuid : [UInt8](repeating: 0, count: 16)
    }
}

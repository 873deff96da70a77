internal import CShims
public import LinuxSys

/// What the kernel is told without having asked. Never from inside a handler of an operation on the same inode or
/// directory: the kernel takes the very lock that the operation's caller holds while it waits for the reply. Attributes
/// alone may go at any time (`invalidateInode` with a negative offset: fuse_reverse_inval_inode then takes none).
///
/// ENOENT, the answer when the kernel does not know the node or the name, is no error here: there was nothing to drop.
extension Connection {
    /// Attributes, and the page cache from `offset` on for `length` bytes (0: to the end). A negative offset:
    /// attributes only.
    public func invalidateInode(_ node: UInt64, offset: Int64 = 0, length: Int64 = 0) throws(Errno) {
        let out = fuse_notify_inval_inode_out(ino: node, off: offset, len: length)
        try notify(FUSE_NOTIFY_INVAL_INODE, out, nil)
    }
    /// The name is looked up again when next used; children are dropped.
    public func invalidateEntry(_ parent: UInt64, _ name: NameRef) throws(Errno) {
        try notifyEntry(parent, name, flags: 0)
    }
    /// The name is asked for again when next used, but stays, with all that lies below it, when the answer is the same
    /// (FUSE_EXPIRE_ONLY, Linux 6.2). Older kernels drop it.
    public func expireEntry(_ parent: UInt64, _ name: NameRef) throws(Errno) {
        try notifyEntry(parent, name, flags: agreed.contains(.expireOnly) ? FUSE_EXPIRE_ONLY : 0)
    }
    /// The name is gone, and watchers (inotify) hear of it. ENOTEMPTY, EBUSY: the kernel found it in use.
    public func deleteEntry(_ parent: UInt64, child: UInt64, _ name: NameRef) throws(Errno) {
        let out = fuse_notify_delete_out(
            parent: parent, child: child, namelen: UInt32(truncatingIfNeeded: name.count), padding: 0)
        try notify(FUSE_NOTIFY_DELETE, out, name)
    }

    private func notifyEntry(_ parent: UInt64, _ name: NameRef, flags: UInt32) throws(Errno) {
        let out = fuse_notify_inval_entry_out(
            parent: parent, namelen: UInt32(truncatingIfNeeded: name.count), flags: flags)
        try notify(FUSE_NOTIFY_INVAL_ENTRY, out, name)
    }

    /// Fills the page cache of a node. False when the kernel does not know the node.
    @discardableResult
    public func store(_ node: UInt64, offset: UInt64, _ data: Bytes) throws(Errno) -> Bool {
        let out = fuse_notify_store_out(
            nodeid: node, offset: offset, size: UInt32(truncatingIfNeeded: data.count), padding: 0)
        return try send(FUSE_NOTIFY_STORE, out, data)
    }

    /// Requests that a dead worker had read come again, FUSE_UNIQUE_RESEND set in `unique` (Linux 6.9).
    func resend() throws(Errno) {
        try send(FUSE_NOTIFY_RESEND, (), Bytes.none)
    }

    private func notify<T: BitwiseCopyable>(_ code: Int32, _ message: T, _ name: NameRef?) throws(Errno) {
        // The name with the NUL behind it.
        let tail = name.map { unsafe Bytes(UnsafeRawBufferPointer(start: $0.pointer, count: $0.count + 1)) }
        try send(code, message, tail ?? .none)
    }

    /// False: ENOENT.
    @discardableResult
    private func send<T: BitwiseCopyable>(_ code: Int32, _ message: T, _ tail: Bytes) throws(Errno) -> Bool {
        let size = MemoryLayout<T>.size
        let total = MemoryLayout<fuse_out_header>.size + size + tail.count
        var header = fuse_out_header(len: UInt32(truncatingIfNeeded: total), error: code, unique: 0)
        var message = message
        do throws(Errno) {
            _ = try withDevice { device in
                unsafe cs_write_parts(
                    device, &header, MemoryLayout<fuse_out_header>.size, &message, size,
                    tail.buffer.baseAddress, tail.count)
            }
            return true
        } catch {
            if error == .noEntry { return false }
            throw error
        }
    }
}

extension Bytes {
    static var none: Bytes { unsafe Bytes(UnsafeRawBufferPointer(start: nil, count: 0)) }
}

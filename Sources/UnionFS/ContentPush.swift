internal import FuseKit
internal import Glibc
internal import LinuxSys
internal import Synchronization
internal import UnionCore

/// Small lower files go into the kernel's page cache with their first open (FUSE_NOTIFY_STORE): the READ that would
/// follow is saved, and the GETATTR behind that, because a READ makes the kernel forget the access time
/// (fuse_invalidate_atime). A round trip costs more than reading and handing over some pages.
final class ContentPush: @unchecked Sendable {
    /// Longer ones are read as they are asked for. Files of lower layers beyond `NodeFlags.large` never come here.
    static let limit = 64 << 10
    /// A byte more than the longest, to see that it ends there.
    private var buffer = [UInt8](repeating: 0, count: ContentPush.limit + 1)
    /// One at a time. The kernel locks the pages it is given; should a READ ever hold one, it must find a thread that
    /// serves it.
    private let isBusy = Atomic<Bool>(false)

    /// Lends the buffer; false when somebody else has it.
    func withBuffer(_ body: (MutableBytes) throws(Errno) -> Void) throws(Errno) -> Bool {
        guard isBusy.compareExchange(expected: false, desired: true, ordering: .acquiring).exchanged else {
            return false
        }
        defer { isBusy.store(false, ordering: .releasing) }
        try buffer.withLentMutable(body)
        return true
    }
}

extension UnionFileSystem {
    /// Costs an openat, a pread, a write to /dev/fuse and a close, once for each file. What fails makes nothing fail:
    /// the file is read later.
    ///
    /// Under the lock of its directory, and only while it lies in a lower layer: nobody can copy it up and write before
    /// the kernel has these pages, which would then hide what was written. Only for the first of its cached opens: no
    /// READ of the file is under way, whose pages would be locked.
    func pushContent(_ node: UInt32) {
        guard let connection, table.claimPush(node) else { return }
        do throws(Errno) {
            _ = try push.withBuffer { (buffer) throws(Errno) in
                try withObject(node) { (fd, name, layer) throws(Errno) in
                    guard !(stack.hasUpper && layer == 0), !name.isEmpty else { return }
                    let file = try fd.openQuietly(name, O_RDONLY | O_NOFOLLOW)
                    let length = try file.fd.read(into: buffer, at: 0)
                    guard length > 0, length <= ContentPush.limit else { return }
                    _ = try connection.store(table.id(node), offset: 0, buffer.prefix(length).readOnly)
                }
            }
        } catch {
            // It is read when it is asked for.
        }
    }
}

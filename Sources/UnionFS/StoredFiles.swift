internal import FuseKit
internal import Glibc
internal import LinuxSys
internal import UnionCore

/// Files that somebody may change without a request: by stores through a shared mapping, which the kernel writes into
/// the layer's file, in passthrough. They change the times and the number of blocks, and the kernel would go on showing
/// what it was told before. Other writes it knows of itself (fuse_write_update_attr).
///
/// Only who opened a file for reading and writing can map it so, and the mapping outlives the descriptor. From such an
/// open on the kernel is given no time for which it may keep the file's attributes, until a look finds that nobody has
/// the file open or mapped for writing any more: a lease (fcntl(2), F_SETLEASE) is given for just that.
extension UnionFileSystem {
    /// An open that may lead to a mapping: before its reply. `isNew`: the kernel has nothing of the file yet that would
    /// have to be taken back.
    func noteStorer(_ node: UInt32, isNew: Bool) {
        guard table.noteStorer(node), !isNew else { return }
        waitForSetattr(node)
        // What is on its way of LOOKUP and GETATTR, the kernel does not believe after that (fuse_reverse_inval_inode,
        // attr_version).
        attributesChanged(node)
    }

    /// The reply to a SETATTR is believed, whatever was said meanwhile (fuse_do_setattr). Nobody waits long: who makes
    /// it holds no lock that we have.
    private func waitForSetattr(_ node: UInt32) {
        let id = table.id(node)
        for slot in slots
        where slot.opcode == FuseOpcode.setattr && slot.subject == id
            && (slot.state == .begun || slot.state == .replied)
        {
            let unique = slot.unique
            for _ in 0..<20 where slot.unique == unique && (slot.state == .begun || slot.state == .replied) {
                Clock.sleep(milliseconds: 1)
            }
        }
    }

    /// For how long the kernel may keep the attributes that are read after this. For a file that was storable, and that
    /// nobody has open so, an open, two calls of fcntl(2) and a close, until it is not any more.
    /// - Precondition: no directory's lock is held.
    func attributeSeconds(_ node: UInt32) -> UInt32 {
        let record = table[node]
        if record.kind == FileKind.directory.rawValue { table.willTell(node) }
        guard record.flags.contains(.storable) else { return policy.seconds }
        if record.storers > 0 { return 0 }
        // In this order: an open that comes from here on marks the file again, and says so.
        table.takeStorable(node)
        if hasNoWriter(node) { return knownSeconds(node) }
        table.noteStorable(node)
        return 0
    }
    /// A filesystem may take blocks of its own when it writes data to the disk, up to half a minute after they changed,
    /// as ext4 does for the extent tree of a file in more than four pieces: no request says so. Until then the number
    /// of blocks is not to be kept. A look at the clock, for larger files of the upper layer alone.
    func settledSeconds(_ seconds: UInt32, _ node: UInt32, _ status: FileStatus) -> UInt32 {
        // Nothing can be stored through a mapping of an empty file: it gets its size by a request, or by a write that
        // the kernel knows of.
        if seconds == 0, status.isRegular, status.size == 0, !writesBack { return policy.seconds }
        guard seconds > 0, status.isRegular, status.size > Self.fewPieces, table[node].flags.contains(.upper),
            Clock.realtime - status.ctime.seconds < Self.writtenBack
        else { return seconds }
        return 0
    }
    /// Smaller files have no room for five pieces with gaps between them.
    private static let fewPieces: UInt64 = 32 << 10
    /// dirty_expire_centisecs and dirty_writeback_centisecs of sysctl vm are 30 and 5 seconds.
    private static let writtenBack: Int64 = 45

    /// The same without a look.
    func knownSeconds(_ node: UInt32) -> UInt32 { table[node].flags.contains(.storable) ? 0 : policy.seconds }

    private func hasNoWriter(_ node: UInt32) -> Bool {
        // A backing that was registered with a descriptor for writing is a writer.
        if let id = table.takeUnusedBacking(node) { connection?.closeBacking(id) }
        do throws(Errno) {
            let file = try openObject(node, O_RDONLY | O_NONBLOCK | OpenFlags.noAccessTime)
            return try file.fd.hasNoWriter()
        } catch { return false /* Not to be known: nothing is kept. */ }
    }
}

extension InodeTable {
    /// Whether it was not storable before.
    func noteStorer(_ node: UInt32) -> Bool {
        mutex.locked {
            nodes[node].storers &+= 1
            return nodes[node].flags.insert(.storable).inserted
        }
    }
    func storerLeft(_ node: UInt32, generation: UInt32) {
        mutex.locked {
            if nodes[node].generation == generation, nodes[node].storers > 0 { nodes[node].storers -= 1 }
        }
    }
    func noteStorable(_ node: UInt32) { mutex.locked { _ = nodes[node].flags.insert(.storable) } }
    /// A directory's attributes are about to be read for the kernel: what changes them from here on is said. Before
    /// they are read.
    @inline(__always)
    func willTell(_ directory: UInt32) {
        if nodes[directory].flags.contains(.told) { return }
        mutex.locked { _ = nodes[directory].flags.insert(.told) }
    }
    /// They have changed: whether the kernel may have them.
    func takeTold(_ directory: UInt32) -> Bool { mutex.locked { nodes[directory].flags.remove(.told) != nil } }
    func takeStorable(_ node: UInt32) { mutex.locked { _ = nodes[node].flags.remove(.storable) } }
    /// The backing of a file that nobody has open.
    func takeUnusedBacking(_ node: UInt32) -> UInt32? {
        if nodes[node].backing == 0 { return nil }
        return mutex.locked {
            let id = takeIdleBackingLocked(node)
            return id == 0 ? nil : id
        }
    }
}

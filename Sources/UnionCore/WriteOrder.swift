internal import LinuxSys

/// Whether a filesystem keeps the order that a copy-up needs: what was written to the disk before a name was made is
/// there if the name is, after a crash too, with no flush of its own for each copy.
///
/// sync_file_range(2) with all its flags ends when the data are written and the extents that lead to them are in the
/// journal (ext4: ext4_end_io converts them before it ends the writeback; XFS: xfs_end_io likewise, and the size with
/// them). The name comes into the journal after that, and a journal is replayed in its order, each commit behind a
/// flush of the disk. So the name never survives without the data. fsync(2) would wait for the commit too, some ten
/// times as long.
///
/// Btrfs ends the writeback before the extents are in its trees, ext4 without a journal has no order, and others were
/// not looked at: those get an fsync(2).
enum WriteOrder {
    static func isKept(by root: FD) -> Bool {
        do throws(Errno) {
            switch try root.filesystemStatus().type {
            case xfs: return true
            case ext4: return try hasJournal(try root.status().dev)
            default: return false
            }
        } catch { return false }
    }

    private static let ext4: UInt64 = 0xef53, xfs: UInt64 = 0x5846_5342

    /// ext2 and ext3 have ext4's magic number, as they are ext4's to the kernel: what counts is the journal. Where /sys
    /// does not say, there is none.
    private static func hasJournal(_ device: UInt64) throws(Errno) -> Bool {
        let number = "\(DeviceNumber.major(device)):\(DeviceNumber.minor(device))"
        var name = [UInt8](repeating: 0, count: 4096)
        let length = try name.withLentMutable { (b) throws(Errno) in
            try FileName("/sys/dev/block/\(number)").withRef { (p) throws(Errno) in
                try FD.currentDirectory.readLink(p, into: b)
            }
        }
        guard let last = name[..<length].split(separator: UInt8(ascii: "/")).last else { return false }
        let task = FileName(bytes: Array("/sys/fs/ext4/".utf8) + Array(last) + Array("/journal_task".utf8))
        // The process id of the journal's thread, or "<none>".
        let file = try FD.currentDirectory.open(task, 0)
        return try file.fd.readAll(limit: 64).first.map { (UInt8(ascii: "1")...UInt8(ascii: "9")).contains($0) }
            ?? false
    }
}

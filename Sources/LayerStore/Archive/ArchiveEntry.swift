internal import CArchive
internal import Glibc
internal import LinuxSys

/// One member of a tar archive. Names are bytes as the archive has them: nothing is checked.
struct ArchiveEntry {
    var path: [UInt8] = []
    var kind = FileKind.regular
    /// Without the kind.
    var permissions: UInt32 = 0o644
    var uid: UInt32 = 0, gid: UInt32 = 0
    var size: Int64 = 0
    var mtime = Timestamp(seconds: 0, nanoseconds: 0)
    var device: UInt64 = 0
    var symlink: [UInt8] = []
    /// Of another member, whose file this is.
    var hardlink: [UInt8]?
    var xattrs: [(name: FileName, value: [UInt8])] = []
    /// Of a file with holes that are left out: where its data are, in order. Nil: all of it is there. For writing
    /// alone.
    var extents: [FileExtent]?
    /// Where its header begins in the archive.
    var offset: Int64 = 0

    init() {}

    init(_ entry: OpaquePointer, offset: Int64) {
        self.offset = offset
        path =
            unsafe ArchiveEntry.bytes(archive_entry_pathname(entry)) ?? ArchiveEntry.bytes(
                archive_entry_pathname_utf8(entry)) ?? []
        let mode = unsafe UInt32(archive_entry_mode(entry))
        kind = FileKind(mode: mode)
        permissions = mode & 0o7777
        uid = unsafe UInt32(truncatingIfNeeded: archive_entry_uid(entry))
        gid = unsafe UInt32(truncatingIfNeeded: archive_entry_gid(entry))
        size = unsafe archive_entry_size(entry)
        mtime = unsafe Timestamp(
            seconds: Int64(archive_entry_mtime(entry)),
            nanoseconds: UInt32(truncatingIfNeeded: archive_entry_mtime_nsec(entry)))
        device = unsafe DeviceNumber.make(
            major: UInt32(truncatingIfNeeded: archive_entry_rdevmajor(entry)),
            minor: UInt32(truncatingIfNeeded: archive_entry_rdevminor(entry)))
        symlink =
            unsafe ArchiveEntry.bytes(archive_entry_symlink(entry)) ?? ArchiveEntry.bytes(
                archive_entry_symlink_utf8(entry)) ?? []
        hardlink =
            unsafe ArchiveEntry.bytes(archive_entry_hardlink(entry))
            ?? ArchiveEntry.bytes(archive_entry_hardlink_utf8(entry))
        // Where libarchive puts a target that is not UTF-8 (archive_entry_copy_link, before it knows the kind).
        if kind == .symlink, symlink.isEmpty, let target = hardlink {
            symlink = target
            hardlink = nil
        }
        unsafe archive_entry_xattr_reset(entry)
        var name: UnsafePointer<CChar>?
        var value: UnsafeRawPointer?
        var length = 0
        while unsafe archive_entry_xattr_next(entry, &name, &value, &length) == ARCHIVE_OK {
            guard let name = unsafe name else { continue }
            xattrs.append(
                (
                    unsafe FileName(NameRef(cString: name)),
                    unsafe Array(UnsafeRawBufferPointer(start: value, count: length))
                ))
        }
    }

    private static func bytes(_ text: UnsafePointer<CChar>?) -> [UInt8]? {
        guard let text = unsafe text else { return nil }
        return unsafe Array(UnsafeRawBufferPointer(start: text, count: strlen(text)))
    }
}

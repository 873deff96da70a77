internal import CShims
internal import Glibc

/// Contents of an open regular file.
extension FD {
    /// Whether nobody has the file open or mapped for writing: a read lease (fcntl(2)) is given, and given back. `self`
    /// is open for reading alone.
    /// - Throws: EACCES for another's file without CAP_LEASE, EINVAL where the filesystem has no leases.
    public func hasNoWriter() throws(Errno) -> Bool { try checkedOnce { cs_without_writer(raw) } == 1 }
    public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(Errno) -> Int {
        try checked { unsafe cs_pread(raw, buffer.baseAddress, buffer.count, offset) }
    }
    public func write(_ buffer: UnsafeRawBufferPointer, at offset: Int64) throws(Errno) -> Int {
        try checked { unsafe cs_pwrite(raw, buffer.baseAddress, buffer.count, offset) }
    }
    /// Stream forms, for pipes, sockets and /proc files.
    public func readStream(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        try checked { unsafe cs_read(raw, buffer.baseAddress, buffer.count) }
    }
    public func writeStream(_ buffer: UnsafeRawBufferPointer) throws(Errno) -> Int {
        try checked { unsafe cs_write(raw, buffer.baseAddress, buffer.count) }
    }
    /// All that there is to read, for small files of /proc and of our own run directory.
    /// From the beginning, wherever the descriptor stands.
    public func contents(limit: Int) throws(Errno) -> [UInt8] {
        var all = [UInt8](repeating: 0, count: limit)
        let length = try unsafe all.withMutableBytes { (b) throws(Errno) in try unsafe read(into: b, at: 0) }
        all.removeLast(limit - length)
        return all
    }
    public func readAll(limit: Int = 1 << 24) throws(Errno) -> [UInt8] {
        var all: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16384)
        while all.count < limit {
            let n = try unsafe chunk.withMutableBytes { (b) throws(Errno) in try unsafe readStream(into: b) }
            if n == 0 { break }
            all.append(contentsOf: chunk[0..<n])
        }
        return all
    }
    public func writeAll(_ bytes: [UInt8]) throws(Errno) {
        var done = 0
        while done < bytes.count {
            let n = try unsafe bytes.withBytes { (b) throws(Errno) in
                try unsafe writeStream(UnsafeRawBufferPointer(rebasing: b[done...]))
            }
            if n == 0 { throw Errno.io }
            done += n
        }
    }

    public func copyRange(from source: FD, sourceOffset: Int64, offset: Int64, length: Int) throws(Errno) -> Int {
        var from = sourceOffset
        var to = offset
        return try checked { unsafe cs_copy_file_range(source.raw, &from, raw, &to, length, 0) }
    }
    /// The first bytes, at most 16 KiB, through memory of the stack. Answers how many there were.
    public func copySmall(from source: FD, length: Int) throws(Errno) -> Int {
        try checked { cs_copy_small(source.raw, raw, length) }
    }
    /// FICLONE: the whole file shares its blocks with `source`.
    public func reflink(from source: FD) throws(Errno) { try checked { cs_ficlone(raw, source.raw) } }
    public func allocate(mode: Int32, offset: Int64, length: Int64) throws(Errno) {
        try checked { cs_fallocate(raw, mode, offset, length) }
    }
    /// SEEK_DATA and SEEK_HOLE; ENXIO behind the end.
    public func seek(_ offset: Int64, _ whence: Int32) throws(Errno) -> Int64 {
        Int64(try checked { cs_lseek(raw, offset, whence) })
    }
    public func truncate(_ length: Int64) throws(Errno) { try checked { cs_ftruncate(raw, length) } }
    public func sync() throws(Errno) { try checked { cs_fsync(raw) } }
    public func syncData() throws(Errno) { try checked { cs_fdatasync(raw) } }
    /// Begins to write a range to the disk, or waits until it is there (sync_file_range(2); length 0: to the end). Not
    /// durable by itself: no metadata, no flush of the disk's cache. An error of the disk is told here and not again by
    /// `sync`.
    public func beginSync(_ offset: Int64, _ length: Int64) throws(Errno) {
        try checked { cs_sync_range(raw, offset, length, 2 /* SYNC_FILE_RANGE_WRITE */) }
    }
    public func awaitSync(_ offset: Int64, _ length: Int64) throws(Errno) {
        try checked { cs_sync_range(raw, offset, length, 7 /* SYNC_FILE_RANGE_WAIT_BEFORE | WRITE | WAIT_AFTER */) }
    }
    /// The whole filesystem that the descriptor lies on.
    public func syncFilesystem() throws(Errno) { try checked { cs_syncfs(raw) } }
}

/// FS_IOC_* of an open file.
extension FD {
    public func fileFlags() throws(Errno) -> UInt32 {
        var flags: UInt32 = 0
        try checked { unsafe cs_getflags(raw, &flags) }
        return flags
    }
    public func setFileFlags(_ flags: UInt32) throws(Errno) { try checked { cs_setflags(raw, flags) } }
    public func generation() throws(Errno) -> UInt32 {
        var g: UInt32 = 0
        try checked { unsafe cs_getversion(raw, &g) }
        return g
    }
    public func fsxattr() throws(Errno) -> ExtendedFileFlags {
        var a = cs_fsxattr()
        try checked { unsafe cs_fsgetxattr(raw, &a) }
        return ExtendedFileFlags(
            xflags: a.xflags, extentSize: a.extsize, extents: a.nextents, project: a.projid, cowExtentSize: a.cowextsize
        )
    }
    public func setFsxattr(_ v: ExtendedFileFlags) throws(Errno) {
        var a = cs_fsxattr()
        a.xflags = v.xflags
        a.extsize = v.extentSize
        a.projid = v.project
        a.cowextsize = v.cowExtentSize
        try checked { unsafe cs_fssetxattr(raw, &a) }
    }
}

/// struct fsxattr of <linux/fs.h>.
public struct ExtendedFileFlags: Sendable {
    public var xflags: UInt32, extentSize: UInt32, extents: UInt32, project: UInt32, cowExtentSize: UInt32
    public init(xflags: UInt32, extentSize: UInt32, extents: UInt32, project: UInt32, cowExtentSize: UInt32) {
        self.xflags = xflags
        self.extentSize = extentSize
        self.extents = extents
        self.project = project
        self.cowExtentSize = cowExtentSize
    }
}

internal import CArchive
internal import LinuxSys

/// A tar archive on its way into a file or a pipe.
@safe final class ArchiveTarWriter {
    private let archive: OpaquePointer
    private let output: Output

    private final class Output {
        let file: FD
        let failure = CallbackFailure()
        init(_ file: FD) { self.file = file }
        func write(_ part: UnsafeRawBufferPointer) -> Int {
            do throws(Errno) { return unsafe try file.writeStream(part) } catch {
                failure.note(StoreError(error, doing: "the archive cannot be written"))
                return -1
            }
        }
    }

    enum Form: Sendable {
        /// Times to the second where nothing else asks for a pax header: no program says anything of it.
        case plain
        /// Times to the nanosecond, at the price of a pax header for each member, with words in it that GNU tar tells
        /// of not to know.
        case precise
    }
    /// - Parameter file: not closed.
    init(_ file: FD, _ form: Form) throws(StoreError) {
        _ = ArchiveLibrary.prepared
        guard let archive = unsafe archive_write_new() else { throw StoreError(.system, "no memory for an archive") }
        unsafe self.archive = archive
        output = Output(file)
        if form == .precise {
            unsafe archive_write_set_format_pax(archive)
        } else {
            unsafe archive_write_set_format_pax_restricted(archive)
        }
        let context = unsafe Unmanaged.passUnretained(output).toOpaque()
        let opened = unsafe archive_write_open(
            archive, context, nil,
            { _, context, bytes, count in
                guard let context = unsafe context else { return -1 }
                return unsafe Unmanaged<Output>.fromOpaque(context).takeUnretainedValue().write(
                    UnsafeRawBufferPointer(start: bytes, count: count))
            }, nil)
        if opened != ARCHIVE_OK {
            throw failure()
        }
    }
    deinit { unsafe archive_write_free(archive) }

    private func failure() -> StoreError {
        do throws(StoreError) { try output.failure.check() } catch { return error }
        return unsafe StoreError(.system, "the archive cannot be written: \(ArchiveLibrary.reason(archive))")
    }

    /// A member; of one with data, `add` comes next, until `size` is reached.
    func begin(_ member: ArchiveEntry) throws(StoreError) {
        let entry = unsafe archive_entry_new()
        defer { unsafe archive_entry_free(entry) }
        func text(_ bytes: [UInt8], _ body: (UnsafePointer<CChar>) -> Void) {
            FileName(bytes: bytes).withRef { name in unsafe body(name.pointer) }
        }
        unsafe text(member.path) { unsafe archive_entry_copy_pathname(entry, $0) }
        unsafe archive_entry_set_mode(entry, mode_t(member.kind.modeBits | member.permissions))
        unsafe archive_entry_set_uid(entry, Int64(member.uid))
        unsafe archive_entry_set_gid(entry, Int64(member.gid))
        unsafe archive_entry_set_mtime(entry, Int(member.mtime.seconds), Int(member.mtime.nanoseconds))
        unsafe archive_entry_set_size(entry, member.hardlink == nil && member.kind == .regular ? member.size : 0)
        if let target = member.hardlink { unsafe text(target) { unsafe archive_entry_copy_hardlink(entry, $0) } }
        if member.kind == .symlink, member.hardlink == nil {
            unsafe text(member.symlink) { unsafe archive_entry_copy_symlink(entry, $0) }
        }
        if member.kind == .character || member.kind == .block {
            unsafe archive_entry_set_rdevmajor(entry, UInt(DeviceNumber.major(member.device)))
            unsafe archive_entry_set_rdevminor(entry, UInt(DeviceNumber.minor(member.device)))
        }
        for (name, value) in member.xattrs {
            name.withRef { n in
                unsafe value.withUnsafeBytes {
                    unsafe archive_entry_xattr_add_entry(entry, n.pointer, $0.baseAddress, $0.count)
                }
            }
        }
        if let extents = member.extents {
            for extent in extents { unsafe archive_entry_sparse_add_entry(entry, extent.offset, extent.length) }
            // One that ends with a hole, or is nothing else: an extent without data says so.
            if extents.last?.end ?? 0 < member.size { unsafe archive_entry_sparse_add_entry(entry, member.size, 0) }
        }
        // ARCHIVE_WARN: a name that the format cannot say in plain headers is said in pax ones.
        let result = unsafe archive_write_header(archive, entry)
        guard result == ARCHIVE_OK || result == ARCHIVE_WARN else { throw failure() }
    }

    func add(_ part: UnsafeRawBufferPointer) throws(StoreError) {
        var rest = unsafe part
        while unsafe !rest.isEmpty {
            let n = unsafe archive_write_data(archive, rest.baseAddress, rest.count)
            guard n > 0 else { throw failure() }
            unsafe rest = unsafe UnsafeRawBufferPointer(rebasing: rest[Int(n)...])
        }
    }
    func add(_ bytes: [UInt8]) throws(StoreError) {
        unsafe try bytes.withUnsafeBytesTyped { (part) throws(StoreError) in unsafe try add(part) }
    }

    /// All of a file, `size` bytes: shorter by now is filled up, longer is cut, as a container may be at it this
    /// moment.
    /// - Parameter extents: as `begin` was told: libarchive takes zeros for what is between them, and leaves them out.
    func add(_ file: FD, size: Int64, extents: [FileExtent]? = nil) throws(StoreError) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 4096)
        defer { unsafe buffer.deallocate() }
        var at: Int64 = 0
        for extent in extents ?? [FileExtent(offset: 0, length: size)] {
            unsafe try addZeros(extent.offset - at, buffer)
            at = extent.offset
            while at < extent.end {
                let wanted = Int(min(Int64(buffer.count), extent.end - at))
                var n = try told("a file cannot be read") { () throws(Errno) in
                    unsafe try file.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted]), at: at)
                }
                if n == 0 {
                    unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted]).initializeMemory(
                        as: UInt8.self, repeating: 0)
                    n = wanted
                }
                unsafe try add(UnsafeRawBufferPointer(rebasing: buffer[..<n]))
                at += Int64(n)
            }
        }
        unsafe try addZeros(size - at, buffer)
    }
    private func addZeros(_ count: Int64, _ buffer: UnsafeMutableRawBufferPointer) throws(StoreError) {
        guard count > 0 else { return }
        unsafe buffer.initializeMemory(as: UInt8.self, repeating: 0)
        var left = count
        while left > 0 {
            let n = Int(min(Int64(buffer.count), left))
            unsafe try add(UnsafeRawBufferPointer(rebasing: buffer[..<n]))
            left -= Int64(n)
        }
    }

    func finish() throws(StoreError) {
        if unsafe archive_write_close(archive) != ARCHIVE_OK { throw failure() }
    }
}

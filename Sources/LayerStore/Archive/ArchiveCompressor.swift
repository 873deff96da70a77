internal import CArchive
internal import LinuxSys

/// A stream of bytes, compressed on its way into a file; with the digest of what went in and of what came out.
@safe final class ArchiveCompressor {
    enum Form { case none, gzip, zstd }
    private let archive: OpaquePointer
    private let output: Output
    private(set) var digest = RunningDigest()
    /// Complete after `finish`.
    var outputDigest: Digest { output.digest.value }
    var outputBytes: Int64 { output.digest.count }
    private var isFinished = false

    private final class Output {
        let file: FD
        var digest = RunningDigest()
        let failure = CallbackFailure()
        init(_ file: FD) { self.file = file }
        func write(_ part: UnsafeRawBufferPointer) -> Int {
            do throws(Errno) {
                var done = 0
                while done < part.count {
                    done += unsafe try file.writeStream(UnsafeRawBufferPointer(rebasing: part[done...]))
                }
                unsafe digest.add(part)
                return done
            } catch {
                failure.note(StoreError(error, doing: "the archive cannot be written"))
                return -1
            }
        }
    }

    /// - Parameter file: written from where it is; not closed.
    init(_ file: FD, _ form: Form) throws(StoreError) {
        _ = ArchiveLibrary.prepared
        guard let archive = unsafe archive_write_new() else { throw StoreError(.system, "no memory for an archive") }
        unsafe self.archive = archive
        output = Output(file)
        unsafe archive_write_set_format_raw(archive)
        unsafe archive_write_set_bytes_per_block(archive, 0)
        switch form {
        case .none: break
        case .gzip:
            unsafe archive_write_add_filter_gzip(archive)
            // No time and no name in it: the same layer is the same bytes.
            unsafe archive_write_set_filter_option(archive, "gzip", "timestamp", nil)
        case .zstd: unsafe archive_write_add_filter_zstd(archive)
        }
        let context = unsafe Unmanaged.passUnretained(output).toOpaque()
        let opened = unsafe archive_write_open(
            archive, context, nil,
            { _, context, bytes, count in
                guard let context = unsafe context else { return -1 }
                return unsafe Unmanaged<Output>.fromOpaque(context).takeUnretainedValue().write(
                    UnsafeRawBufferPointer(start: bytes, count: count))
            }, nil)
        let entry = unsafe archive_entry_new()
        unsafe archive_entry_set_pathname(entry, "data")
        unsafe archive_entry_set_filetype(entry, 0o100000)
        let began = unsafe opened == ARCHIVE_OK ? archive_write_header(archive, entry) : opened
        unsafe archive_entry_free(entry)
        if began != ARCHIVE_OK {
            throw failure()
        }
    }
    deinit { unsafe archive_write_free(archive) }

    private func failure() -> StoreError {
        do throws(StoreError) { try output.failure.check() } catch { return error }
        return unsafe StoreError(.system, "the archive cannot be written: \(ArchiveLibrary.reason(archive))")
    }

    func add(_ part: UnsafeRawBufferPointer) throws(StoreError) {
        unsafe digest.add(part)
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
    func finish() throws(StoreError) {
        if isFinished { return }
        isFinished = true
        if unsafe archive_write_close(archive) != ARCHIVE_OK { throw failure() }
    }
}

extension Array where Element == UInt8 {
    /// `withUnsafeBytes` with a typed error.
    func withUnsafeBytesTyped<E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> Void) throws(E) {
        let result: Result<Void, E> = unsafe withUnsafeBytes { part in
            do throws(E) { return .success(unsafe try body(part)) } catch { return .failure(error) }
        }
        try result.get()
    }
}

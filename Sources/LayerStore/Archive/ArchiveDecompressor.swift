internal import CArchive
internal import Glibc
internal import LinuxSys

/// A file, unpacked from gzip, zstd, xz, bzip2 or nothing at all, block by block; with the digest of what was read and
/// of what came out.
@safe final class ArchiveDecompressor {
    private let archive: OpaquePointer
    private let input: Input
    /// Of the file as it is.
    var inputDigest: Digest { input.digest.value }
    var inputBytes: Int64 { input.digest.count }
    /// Of what came out.
    private(set) var digest = RunningDigest()
    private let limit: Int64

    @safe private final class Input {
        let file: FD
        var digest = RunningDigest()
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 4096)
        let failure = CallbackFailure()
        init(_ file: FD) { self.file = file }
        deinit { unsafe buffer.deallocate() }
        private var inflater: GzipInflater?
        private var isBegun = false

        /// The next bytes, unpacked where they are gzip: none at the end. Nil: it failed.
        func read() -> UnsafeRawBufferPointer? {
            do throws(StoreError) {
                while true {
                    if let part = unsafe try inflater?.next() { return unsafe part }
                    let part = unsafe try readFile()
                    if !isBegun {
                        isBegun = true
                        if unsafe GzipInflater.isGzip(part) { inflater = try GzipInflater() }
                    }
                    guard let inflater else { return unsafe part }
                    if unsafe part.isEmpty {
                        try inflater.finish()
                        return unsafe part
                    }
                    unsafe inflater.feed(part)
                }
            } catch {
                failure.note(error)
                return nil
            }
        }
        private func readFile() throws(StoreError) -> UnsafeRawBufferPointer {
            let n = try told("the archive cannot be read") { () throws(Errno) in
                unsafe try file.readStream(into: buffer)
            }
            let part = unsafe UnsafeRawBufferPointer(rebasing: buffer[..<n])
            unsafe digest.add(part)
            return unsafe part
        }
    }

    /// - Parameters:
    ///   - file: read from where it is to its end; not closed.
    ///   - limit: bytes that may come out.
    init(_ file: FD, limit: Int64) throws(StoreError) {
        _ = ArchiveLibrary.prepared
        guard let archive = unsafe archive_read_new() else { throw StoreError(.system, "no memory for an archive") }
        unsafe self.archive = archive
        self.limit = limit
        input = Input(file)
        // Those that are libraries: for others libarchive runs a program, and a file's first bytes would say which.
        unsafe archive_read_support_filter_zstd(archive)
        unsafe archive_read_support_filter_xz(archive)
        unsafe archive_read_support_filter_lzma(archive)
        unsafe archive_read_support_filter_bzip2(archive)
        unsafe archive_read_support_format_raw(archive)
        unsafe archive_read_support_format_empty(archive)
        let context = unsafe Unmanaged.passUnretained(input).toOpaque()
        let result = unsafe archive_read_open(
            archive, context, nil,
            { archive, context, block in
                guard let context = unsafe context, let block = unsafe block else { return -1 }
                guard let part = unsafe Unmanaged<Input>.fromOpaque(context).takeUnretainedValue().read() else {
                    return -1
                }
                unsafe block.pointee = part.baseAddress
                return part.count
            }, nil)
        var entry: OpaquePointer?
        let header = unsafe result == ARCHIVE_OK ? archive_read_next_header(archive, &entry) : result
        if header != ARCHIVE_OK && header != ARCHIVE_EOF {
            throw failure("the archive cannot be unpacked")
        }
        isAtEnd = header == ARCHIVE_EOF
    }
    deinit { unsafe archive_read_free(archive) }
    private var isAtEnd = false

    private func failure(_ doing: String) -> StoreError {
        do throws(StoreError) { try input.failure.check() } catch { return error }
        return unsafe StoreError(.invalid, "\(doing): \(ArchiveLibrary.reason(archive))")
    }

    /// The next block, valid until the next call; nil at the end.
    func next() throws(StoreError) -> UnsafeRawBufferPointer? {
        while !isAtEnd {
            var block: UnsafeRawPointer?
            var size = 0
            var offset: Int64 = 0
            let result = unsafe archive_read_data_block(archive, &block, &size, &offset)
            if result == ARCHIVE_EOF {
                isAtEnd = true
                break
            }
            guard result == ARCHIVE_OK || result == ARCHIVE_WARN else {
                throw failure("the archive cannot be unpacked")
            }
            if size == 0 { continue }
            let part = unsafe UnsafeRawBufferPointer(start: block, count: size)
            unsafe digest.add(part)
            if digest.count > limit {
                throw StoreError(.hostile, "the archive unpacks to more than \(limit) bytes (--limit allows more)")
            }
            return unsafe part
        }
        // What stands behind the compressed data is a part of the file, and of its digest.
        while let rest = unsafe input.read(), unsafe !rest.isEmpty {}
        try input.failure.check()
        return nil
    }

    /// All of it, for small documents.
    func all() throws(StoreError) -> [UInt8] {
        var bytes: [UInt8] = []
        while let part = unsafe try next() { unsafe bytes.append(contentsOf: part) }
        return bytes
    }
}

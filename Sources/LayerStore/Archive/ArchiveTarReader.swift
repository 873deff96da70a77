internal import CArchive
internal import LinuxSys

/// The members of a tar archive, one after the other, out of a decompressor. What passes by is shown to a recipe.
@safe final class ArchiveTarReader {
    private let archive: OpaquePointer
    private let source: Source

    private final class Source {
        let decompressor: ArchiveDecompressor
        let recipe: TarRecipeWriter?
        let failure = CallbackFailure()
        init(_ decompressor: ArchiveDecompressor, _ recipe: TarRecipeWriter?) {
            self.decompressor = decompressor
            self.recipe = recipe
        }
        func next() throws(StoreError) -> UnsafeRawBufferPointer? {
            guard let part = unsafe try decompressor.next() else { return nil }
            unsafe try recipe?.add(part)
            return unsafe part
        }
    }

    init(_ decompressor: ArchiveDecompressor, recipe: TarRecipeWriter? = nil) throws(StoreError) {
        guard let archive = unsafe archive_read_new() else { throw StoreError(.system, "no memory for an archive") }
        unsafe self.archive = archive
        source = Source(decompressor, recipe)
        unsafe archive_read_support_format_tar(archive)
        unsafe archive_read_support_format_empty(archive)
        let context = unsafe Unmanaged.passUnretained(source).toOpaque()
        let result = unsafe archive_read_open(
            archive, context, nil,
            { _, context, block in
                guard let context = unsafe context, let block = unsafe block else { return -1 }
                let source = unsafe Unmanaged<Source>.fromOpaque(context).takeUnretainedValue()
                do throws(StoreError) {
                    guard let part = unsafe try source.next() else { return 0 }
                    unsafe block.pointee = part.baseAddress
                    return part.count
                } catch {
                    source.failure.note(error)
                    return -1
                }
            }, nil)
        if result != ARCHIVE_OK {
            throw failure()
        }
    }
    deinit { unsafe archive_read_free(archive) }

    private func failure() -> StoreError {
        do throws(StoreError) { try source.failure.check() } catch { return error }
        return unsafe StoreError(.invalid, "not a tar archive that can be read: \(ArchiveLibrary.reason(archive))")
    }

    func next() throws(StoreError) -> ArchiveEntry? {
        var entry: OpaquePointer?
        let result = unsafe archive_read_next_header(archive, &entry)
        if result == ARCHIVE_EOF { return nil }
        guard result == ARCHIVE_OK || result == ARCHIVE_WARN, let entry = unsafe entry else { throw failure() }
        return unsafe ArchiveEntry(entry, offset: archive_read_header_position(archive))
    }

    /// The data of the member that `next` told, with its holes left out.
    func forEachBlock(_ body: (Bytes, Int64) throws(StoreError) -> Void) throws(StoreError) {
        while true {
            var block: UnsafeRawPointer?
            var size = 0
            var offset: Int64 = 0
            let result = unsafe archive_read_data_block(archive, &block, &size, &offset)
            if result == ARCHIVE_EOF { return }
            guard result == ARCHIVE_OK || result == ARCHIVE_WARN else { throw failure() }
            if size > 0 { try body(unsafe Bytes(UnsafeRawBufferPointer(start: block, count: size)), offset) }
        }
    }

    func data(limit: Int) throws(StoreError) -> [UInt8] {
        var bytes: [UInt8] = []
        try forEachBlock { (block, offset) throws(StoreError) in
            guard offset >= 0, offset <= Int64(limit), Int(offset) + block.count <= limit else {
                throw StoreError(.hostile, "a document of more than \(limit) bytes")
            }
            if bytes.count < Int(offset) { bytes += [UInt8](repeating: 0, count: Int(offset) - bytes.count) }
            bytes += block.array
        }
        return bytes
    }

    /// What stands behind the last member is a part of the archive, and of its digest.
    func drain() throws(StoreError) {
        try source.failure.check()
        while unsafe try source.next() != nil {}
    }
}

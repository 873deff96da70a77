internal import CZlib
internal import LinuxSys

/// gzip, by zlib: libarchive's own reader does not compare the checksum at the end, so that a damaged archive would be
/// taken for a good one.
@safe
final class GzipInflater {
    private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    private let output = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 4096)
    /// Between two members, of which a file may have several.
    private var isBetween = false

    static func isGzip(_ part: UnsafeRawBufferPointer) -> Bool {
        unsafe part.count >= 2 && part[0] == 0x1f && part[1] == 0x8b
    }

    init() throws(StoreError) {
        unsafe stream.initialize(to: z_stream())
        guard unsafe cz_inflate_begin(stream) == Z_OK else { throw StoreError(.system, "no memory to unpack gzip") }
    }
    deinit {
        unsafe inflateEnd(stream)
        unsafe stream.deallocate()
        unsafe output.deallocate()
    }

    /// What there is to unpack next, valid as long as `next` has not answered nil.
    func feed(_ part: UnsafeRawBufferPointer) {
        unsafe stream.pointee.next_in = UnsafeMutablePointer(mutating: part.bindMemory(to: UInt8.self).baseAddress)
        unsafe stream.pointee.avail_in = UInt32(part.count)
    }
    /// The next bytes; nil: more is to be fed.
    func next() throws(StoreError) -> UnsafeRawBufferPointer? {
        while unsafe stream.pointee.avail_in > 0 {
            if isBetween {
                // Zeros may pad a file; anything else is the next member, or not gzip.
                guard let first = unsafe stream.pointee.next_in else { return nil }
                if unsafe first.pointee == 0 {
                    unsafe stream.pointee.next_in = first + 1
                    unsafe stream.pointee.avail_in -= 1
                    continue
                }
                unsafe inflateReset(stream)
                isBetween = false
            }
            unsafe stream.pointee.next_out = output.bindMemory(to: UInt8.self).baseAddress
            unsafe stream.pointee.avail_out = UInt32(output.count)
            let result = unsafe inflate(stream, Z_NO_FLUSH)
            guard result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR else {
                throw StoreError(.damaged, "the archive's gzip data are damaged")
            }
            if result == Z_STREAM_END { isBetween = true }
            let made = unsafe output.count - Int(stream.pointee.avail_out)
            if made > 0 { return unsafe UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(output)[..<made]) }
            if result == Z_BUF_ERROR { return nil }
        }
        return nil
    }
    /// At the end of the file.
    func finish() throws(StoreError) {
        if !isBetween { throw StoreError(.damaged, "the archive's gzip data end too early") }
    }
}

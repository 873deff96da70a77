internal import Glibc

/// Memory that somebody lends for the length of a call: a request's payload, a reply's buffer. Like `NameRef`, whoever
/// makes one vouches for its lifetime; everybody else passes it to a system call.
@safe
public struct Bytes {
    let base: UnsafeRawPointer?
    public let count: Int
    @unsafe public init(_ buffer: UnsafeRawBufferPointer) {
        unsafe base = buffer.baseAddress
        count = buffer.count
    }
    @unsafe public var buffer: UnsafeRawBufferPointer { unsafe UnsafeRawBufferPointer(start: base, count: count) }
    public subscript(index: Int) -> UInt8 {
        guard index >= 0, index < count, let base = unsafe base else { return 0 }
        return unsafe base.load(fromByteOffset: index, as: UInt8.self)
    }
    /// A little-endian word, 0 beyond the end.
    public func uint32(at offset: Int) -> UInt32 {
        guard offset >= 0, offset + 4 <= count, let base = unsafe base else { return 0 }
        return unsafe base.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
    }
    public var array: [UInt8] { unsafe Array(buffer) }
    public func prefix(_ length: Int) -> Bytes {
        unsafe Bytes(UnsafeRawBufferPointer(start: base, count: min(max(length, 0), count)))
    }
    public var isZero: Bool {
        guard let first = unsafe base, count > 0 else { return true }
        // Each byte is the one before it, and the first is 0.
        return unsafe first.load(as: UInt8.self) == 0 && memcmp(first, first + 1, count - 1) == 0
    }
    public func dropping(_ length: Int) -> Bytes {
        let n = min(max(length, 0), count)
        return unsafe Bytes(UnsafeRawBufferPointer(start: base.map { unsafe $0 + n }, count: count - n))
    }
}

/// The same, to be written into.
@safe
public struct MutableBytes {
    let base: UnsafeMutableRawPointer?
    public let count: Int
    @unsafe public init(_ buffer: UnsafeMutableRawBufferPointer) {
        unsafe base = buffer.baseAddress
        count = buffer.count
    }
    @unsafe public var buffer: UnsafeMutableRawBufferPointer {
        unsafe UnsafeMutableRawBufferPointer(start: base, count: count)
    }
    public func prefix(_ length: Int) -> MutableBytes {
        unsafe MutableBytes(UnsafeMutableRawBufferPointer(start: base, count: min(max(length, 0), count)))
    }
    public func dropping(_ length: Int) -> MutableBytes {
        let n = min(max(length, 0), count)
        return unsafe MutableBytes(UnsafeMutableRawBufferPointer(start: base.map { unsafe $0 + n }, count: count - n))
    }
    /// Copies as much of `bytes` as fits to `offset`; the number copied.
    @discardableResult public func copy(_ bytes: Bytes, at offset: Int = 0) -> Int {
        let n = min(bytes.count, max(count - offset, 0))
        guard n > 0, offset >= 0, let base = unsafe base, let from = unsafe bytes.base else { return 0 }
        unsafe (base + offset).copyMemory(from: from, byteCount: n)
        return n
    }
    @discardableResult public func copy(_ bytes: [UInt8], at offset: Int = 0) -> Int {
        unsafe bytes.withBytes { b in unsafe copy(Bytes(b), at: offset) }
    }
    @discardableResult public func copy(_ name: NameRef, at offset: Int = 0) -> Int {
        unsafe copy(Bytes(UnsafeRawBufferPointer(start: name.base, count: name.count)), at: offset)
    }
    public func storeUInt32(_ value: UInt32, at offset: Int) {
        guard offset >= 0, offset + 4 <= count, let base = unsafe base else { return }
        unsafe base.storeBytes(of: value, toByteOffset: offset, as: UInt32.self)
    }
    public var readOnly: Bytes { unsafe Bytes(UnsafeRawBufferPointer(start: base, count: count)) }
}

/// System calls on lent memory, for modules that have no unsafe code.
extension FD {
    public func read(into bytes: MutableBytes, at offset: Int64) throws(Errno) -> Int {
        try unsafe read(into: bytes.buffer, at: offset)
    }
    /// All of them, however few a call takes.
    public func writeAll(_ bytes: Bytes, at offset: Int64) throws(Errno) {
        var done = 0
        while done < bytes.count { done += try write(bytes.dropping(done), at: offset + Int64(done)) }
    }
    /// The same with holes where there are whole blocks of 4 KiB of zeros, in a file that has nothing there yet. Its
    /// length may end before theirs.
    public func writeSparsely(_ bytes: Bytes, at offset: Int64) throws(Errno) {
        var at = 0
        var begin = 0
        while at < bytes.count {
            let length = min(4096 - Int((offset + Int64(at)) % 4096), bytes.count - at)
            if bytes.dropping(at).prefix(length).isZero {
                if begin < at { try writeAll(bytes.dropping(begin).prefix(at - begin), at: offset + Int64(begin)) }
                begin = at + length
            }
            at += length
        }
        if begin < bytes.count { try writeAll(bytes.dropping(begin), at: offset + Int64(begin)) }
    }
    public func write(_ bytes: Bytes, at offset: Int64) throws(Errno) -> Int {
        try unsafe write(bytes.buffer, at: offset)
    }
    public func readLink(_ name: NameRef, into bytes: MutableBytes) throws(Errno) -> Int {
        try unsafe readLink(name, into: bytes.buffer)
    }
    public func getXattr(_ name: NameRef, _ attribute: NameRef, into bytes: MutableBytes) throws(Errno) -> Int {
        try unsafe getXattr(name, attribute, into: bytes.buffer)
    }
    public func setXattr(_ name: NameRef, _ attribute: NameRef, _ value: Bytes, flags: Int32 = 0) throws(Errno) {
        try unsafe setXattr(name, attribute, value.buffer, flags: flags)
    }
}
extension Array where Element == UInt8 {
    /// Lends the array's bytes.
    public func withLent<R, E: Error>(_ body: (Bytes) throws(E) -> R) throws(E) -> R {
        try unsafe withBytes { (b) throws(E) -> R in try unsafe body(Bytes(b)) }
    }
    public mutating func withLentMutable<R, E: Error>(_ body: (MutableBytes) throws(E) -> R) throws(E) -> R {
        try unsafe withMutableBytes { (b) throws(E) -> R in try unsafe body(MutableBytes(b)) }
    }
}

extension MutableBytes {
    /// No room at all: asks a call only for a length.
    public static var none: MutableBytes { unsafe MutableBytes(UnsafeMutableRawBufferPointer(start: nil, count: 0)) }
}

internal import CShims
internal import Glibc

/// One name in a directory, or a path, as the kernel has it: bytes with a NUL behind them, owned by somebody else for
/// as long as the reference is in use. It is what travels on the request path; it is never stored.
///
/// Whoever makes one vouches for its lifetime: FuseKit for a request's names until the callback returns, `FileName`
/// within its closures, static strings for ever.
@safe
public struct NameRef {
    @usableFromInline let base: UnsafePointer<CChar>
    /// Bytes without the NUL.
    public let count: Int

    @unsafe public init(base: UnsafePointer<CChar>, count: Int) {
        unsafe self.base = base
        self.count = count
    }
    @unsafe public init(cString base: UnsafePointer<CChar>) {
        unsafe self.base = base
        self.count = unsafe strlen(base)
    }
    /// A name known at compile time. StaticString literals end in NUL.
    public init(_ literal: StaticString) {
        if literal.hasPointerRepresentation {
            unsafe self.base = UnsafeRawPointer(literal.utf8Start).assumingMemoryBound(to: CChar.self)
            self.count = literal.utf8CodeUnitCount
        } else {
            self = NameRef.empty
        }
    }

    /// The empty name: with the `…at` calls it means the descriptor itself.
    public static var empty: NameRef { NameRef("") }
    public static var dot: NameRef { NameRef(".") }

    @unsafe public var pointer: UnsafePointer<CChar> { unsafe base }

    public var isEmpty: Bool { count == 0 }
    public subscript(index: Int) -> UInt8 {
        index >= 0 && index < count ? UInt8(bitPattern: unsafe base[index]) : 0
    }

    public var isDotOrDotDot: Bool {
        (count == 1 && self[0] == 0x2e) || (count == 2 && self[0] == 0x2e && self[1] == 0x2e)
    }
    public var hasSlash: Bool { unsafe memchr(base, 0x2f, count) != nil }

    public func hasPrefix(_ prefix: StaticString) -> Bool {
        let length = prefix.utf8CodeUnitCount
        return unsafe count >= length && memcmp(base, prefix.utf8Start, length) == 0
    }
    public func equals(_ other: NameRef) -> Bool {
        unsafe count == other.count && memcmp(base, other.base, count) == 0
    }
    /// By bytes, the shorter first.
    public func precedes(_ other: NameRef) -> Bool {
        let order = unsafe memcmp(base, other.base, min(count, other.count))
        return order != 0 ? order < 0 : count < other.count
    }
    public func equals(_ literal: StaticString) -> Bool {
        count == literal.utf8CodeUnitCount && hasPrefix(literal)
    }

    /// FNV-1a over the bytes, with a seed (a parent's node id); a table key, not a defence.
    public func hash(seed: UInt64) -> UInt64 {
        var h = 0xcbf2_9ce4_8422_2325 ^ (seed &* 0x9e37_79b9_7f4a_7c15)
        for i in 0..<count {
            h = (h ^ UInt64(UInt8(bitPattern: unsafe base[i]))) &* 0x100_0000_01b3
        }
        return h ^ (h >> 29)
    }

    /// An owned copy, for what outlives the request.
    public var owned: FileName { FileName(self) }
    public var bytes: [UInt8] { unsafe Array(UnsafeRawBufferPointer(start: base, count: count)) }
}

/// An owned name or path: bytes, never text. Equality is equality of bytes.
public struct FileName: Hashable, Sendable, CustomStringConvertible, ExpressibleByStringLiteral {
    /// With the NUL at the end.
    private var storage: [UInt8]

    public init(_ name: NameRef) {
        var bytes = name.bytes
        bytes.append(0)
        storage = bytes
    }
    /// Bytes up to the first NUL, if there is one.
    public init(bytes: some Sequence<UInt8>) {
        storage = []
        for byte in bytes {
            if byte == 0 { break }
            storage.append(byte)
        }
        storage.append(0)
    }
    public init(_ text: String) { self.init(bytes: text.utf8) }
    public init(stringLiteral text: String) { self.init(text) }

    public var count: Int { storage.count - 1 }
    public var isEmpty: Bool { storage.count <= 1 }
    public var bytes: ArraySlice<UInt8> { storage.dropLast() }
    /// For messages only: bytes that are no UTF-8 are replaced.
    public var description: String { String(decoding: bytes, as: UTF8.self) }

    /// Lends the bytes; the reference must not leave the closure.
    @inline(__always)
    public func withRef<R: ~Copyable, E: Error>(_ body: (NameRef) throws(E) -> R) throws(E) -> R {
        try unsafe storage.span.withUnsafeBufferPointer { (buffer) throws(E) -> R in
            guard let start = buffer.baseAddress else { return try body(NameRef.empty) }
            return try unsafe body(
                NameRef(
                    base: UnsafeRawPointer(start).assumingMemoryBound(to: CChar.self),
                    count: buffer.count - 1))
        }
    }

    public func appending(_ suffix: FileName) -> FileName {
        FileName(bytes: Array(bytes) + Array(suffix.bytes))
    }
    /// `self/name`.
    public func appending(component: FileName) -> FileName {
        FileName(bytes: Array(bytes) + [0x2f] + Array(component.bytes))
    }
}

/// Prefix and rest of a name without a copy: `.wh.` names.
extension NameRef {
    /// The name behind a prefix of `length` bytes.
    public func dropping(_ length: Int) -> NameRef {
        let n = min(max(length, 0), count)
        return unsafe NameRef(base: base + n, count: count - n)
    }

    /// Lends `prefix + self` in a buffer on the stack; nil where that is longer than NAME_MAX, as no such file can
    /// exist.
    public func withPrefix<R, E: Error>(_ prefix: StaticString, _ body: (NameRef) throws(E) -> R) throws(E) -> R? {
        let length = prefix.utf8CodeUnitCount
        let total = length + count
        guard total <= 255 else { return nil }
        var outcome: Result<R, E>?
        unsafe withUnsafeTemporaryAllocation(byteCount: 256, alignment: 1) { buffer in
            guard let start = buffer.baseAddress else { return }
            unsafe memcpy(start, prefix.utf8Start, length)
            unsafe memcpy(start + length, base, count)
            unsafe start.storeBytes(of: 0, toByteOffset: total, as: UInt8.self)
            let name = unsafe NameRef(base: start.assumingMemoryBound(to: CChar.self), count: total)
            do throws(E) { outcome = .success(try body(name)) } catch { outcome = .failure(error) }
        }
        switch outcome {
        case .success(let value): return value
        case .failure(let error): throw error
        case nil: return nil
        }
    }
}

/// A name of up to 63 bytes on the stack: temporary names in the work directory, index names are longer and owned.
public struct ShortName: Sendable {
    private var storage: InlineArray<64, UInt8>
    public private(set) var count: Int

    /// `prefix` and the number in hexadecimal.
    public init(prefix: StaticString, number: UInt64) {
        storage = InlineArray(repeating: 0)
        count = 0
        for i in 0..<min(prefix.utf8CodeUnitCount, 32) {
            storage[count] = unsafe prefix.utf8Start[i]
            count += 1
        }
        var shift = 60
        var started = false
        while shift >= 0 {
            let digit = UInt8((number >> UInt64(shift)) & 15)
            if digit != 0 || started || shift == 0 {
                started = true
                storage[count] = digit < 10 ? 0x30 + digit : 0x57 + digit
                count += 1
            }
            shift -= 4
        }
    }

    public func withRef<R: ~Copyable, E: Error>(_ body: (NameRef) throws(E) -> R) throws(E) -> R {
        let length = count
        return try unsafe storage.span.withUnsafeBufferPointer { (buffer) throws(E) -> R in
            guard let start = buffer.baseAddress else { return try body(NameRef.empty) }
            return try unsafe body(
                NameRef(
                    base: UnsafeRawPointer(start).assumingMemoryBound(to: CChar.self),
                    count: length))
        }
    }
}

extension Array where Element == UInt8 {
    /// Adds a name and a NUL behind it.
    public mutating func append(_ name: NameRef) {
        unsafe append(contentsOf: UnsafeRawBufferPointer(start: name.base, count: name.count))
        append(0)
    }
    /// Lends a name that stands in a heap of names, each with a NUL behind it. The empty name where there is none.
    public func withName<R: ~Copyable, E: Error>(
        at offset: Int, length: Int, _ body: (NameRef) throws(E) -> R
    ) throws(E) -> R {
        try unsafe span.withUnsafeBufferPointer { (b) throws(E) -> R in
            guard offset >= 0, length >= 0, offset + length < b.count, let base = b.baseAddress,
                unsafe b[offset + length] == 0
            else {
                return try body(NameRef.empty)
            }
            let pointer = unsafe UnsafeRawPointer(base + offset).assumingMemoryBound(to: CChar.self)
            return try unsafe body(NameRef(base: pointer, count: length))
        }
    }
}

internal import CShims
internal import Glibc

/// Extended attributes of a name in a directory, or with the empty name of the descriptor itself, O_PATH ones and
/// symlinks included. One system call each from Linux 6.13 on, three before (an O_PATH descriptor through
/// /proc/self/fd).
extension FD {
    /// The value's length, or with an empty buffer the length that it has.
    public func getXattr(
        _ name: NameRef, _ attribute: NameRef, into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> Int {
        try checkedAsOwner { unsafe cs_getxattr_at(raw, name.base, attribute.base, buffer.baseAddress, buffer.count) }
    }

    /// The value, or nil where there is none (ENODATA) and where the filesystem has no such attributes (EOPNOTSUPP).
    /// Most objects have none: that costs one call and no allocation.
    public func xattrIfPresent(_ name: NameRef, _ attribute: NameRef) throws(Errno) -> [UInt8]? {
        do throws(Errno) {
            var small = InlineArray<256, UInt8>(repeating: 0)
            var span = small.mutableSpan
            let length = try unsafe span.withUnsafeMutableBytes { (b) throws(Errno) in
                try unsafe getXattr(name, attribute, into: b)
            }
            var value: [UInt8] = []
            value.reserveCapacity(length)
            for i in 0..<min(length, 256) { value.append(small[i]) }
            return value
        } catch {
            switch error {
            case .noData, .notSupported: return nil
            case .range: return try longXattr(name, attribute)
            default: throw error
            }
        }
    }

    /// XATTR_SIZE_MAX is the longest.
    private func longXattr(_ name: NameRef, _ attribute: NameRef) throws(Errno) -> [UInt8]? {
        var value = [UInt8](repeating: 0, count: 65536)
        do throws(Errno) {
            let length = try unsafe value.withMutableBytes { (b) throws(Errno) in
                try unsafe getXattr(name, attribute, into: b)
            }
            value.removeLast(65536 - length)
            return value
        } catch {
            if error == .noData { return nil }
            throw error
        }
    }

    /// True when the attribute is there and begins with this byte: `opaque=y`. Costs one call and no allocation.
    public func xattrFirstByte(_ name: NameRef, _ attribute: NameRef) throws(Errno) -> UInt8? {
        var bytes: (UInt64, UInt64) = (0, 0)
        do throws(Errno) {
            let length = try checkedAsOwner { unsafe cs_getxattr_at(raw, name.base, attribute.base, &bytes, 16) }
            return length == 0 ? 0 : UInt8(truncatingIfNeeded: UInt64(littleEndian: bytes.0))
        } catch {
            switch error {
            case .noData, .notSupported: return nil
            case .range: return 0
            default: throw error
            }
        }
    }

    public func setXattr(
        _ name: NameRef, _ attribute: NameRef, _ value: UnsafeRawBufferPointer, flags: Int32 = 0
    ) throws(Errno) {
        try checkedAsOwner {
            unsafe cs_setxattr_at(raw, name.base, attribute.base, value.baseAddress, value.count, flags)
        }
    }
    public func setXattr(_ name: NameRef, _ attribute: NameRef, _ value: [UInt8], flags: Int32 = 0) throws(Errno) {
        try unsafe value.withBytes { (b) throws(Errno) in try unsafe setXattr(name, attribute, b, flags: flags) }
    }
    public func setXattr(_ name: NameRef, _ attribute: NameRef, text: StaticString) throws(Errno) {
        try checkedAsOwner {
            unsafe cs_setxattr_at(raw, name.base, attribute.base, text.utf8Start, text.utf8CodeUnitCount, 0)
        }
    }
    public func removeXattr(_ name: NameRef, _ attribute: NameRef) throws(Errno) {
        try checkedAsOwner { unsafe cs_removexattr_at(raw, name.base, attribute.base) }
    }

    /// The names, each with a NUL behind it. Empty where the filesystem has no attributes; empty costs one call and no
    /// allocation.
    public func listXattrs(_ name: NameRef) throws(Errno) -> [UInt8] {
        do throws(Errno) {
            var small = InlineArray<256, UInt8>(repeating: 0)
            var span = small.mutableSpan
            let length = try unsafe span.withUnsafeMutableBytes { (b) throws(Errno) in
                try unsafe listXattr(name, into: b)
            }
            if length == 0 { return [] }
            var list: [UInt8] = []
            list.reserveCapacity(length)
            for i in 0..<min(length, 256) { list.append(small[i]) }
            return list
        } catch {
            switch error {
            case .notSupported: return []
            case .range:
                var list = [UInt8](repeating: 0, count: 65536)
                let length = try unsafe list.withMutableBytes { (b) throws(Errno) in try unsafe listXattr(name, into: b)
                }
                list.removeLast(65536 - length)
                return list
            default: throw error
            }
        }
    }

    private func listXattr(_ name: NameRef, into b: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        try checkedAsOwner {
            unsafe cs_listxattr_at(raw, name.base, b.baseAddress?.assumingMemoryBound(to: CChar.self), b.count)
        }
    }
}

extension Array where Element == UInt8 {
    /// withUnsafeMutableBytes with a typed error.
    public mutating func withMutableBytes<R, E: Error>(
        _ body: (UnsafeMutableRawBufferPointer) throws(E) -> R
    ) throws(E) -> R {
        var span = self.mutableSpan
        return try unsafe span.withUnsafeMutableBytes { (b) throws(E) -> R in try unsafe body(b) }
    }
    public func withBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
        try unsafe self.span.withUnsafeBytes { (b) throws(E) -> R in try unsafe body(b) }
    }
    /// Calls with each name of a list of names that end in NUL.
    public func forEachName<E: Error>(_ body: (NameRef) throws(E) -> Void) throws(E) {
        try unsafe withBytes { (b) throws(E) -> Void in
            var start = 0
            var i = 0
            while i < b.count {
                if unsafe b[i] == 0 {
                    if i > start, let base = b.baseAddress {
                        let pointer = unsafe (base + start).assumingMemoryBound(to: CChar.self)
                        try unsafe body(NameRef(base: pointer, count: i - start))
                    }
                    start = i + 1
                }
                i += 1
            }
        }
    }
}

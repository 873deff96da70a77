/// A 64-bit hash of contents: fast, not cryptographic (it guards against our own mistakes, not against an enemy).
///
/// The content is hashed in blocks of 64 KiB whose hashes are added up with their position mixed in, and a block of
/// zeros adds nothing. A hole therefore hashes as the zeros it stands for, and is skipped without being read.
struct ContentHash {
    static let blockSize = 65536
    private(set) var value: UInt64 = 0x9e37_79b9_7f4a_7c15

    static func of(_ bytes: [UInt8]) -> UInt64 {
        var hash = ContentHash()
        var start = 0
        while start < bytes.count {
            let end = min(start + blockSize, bytes.count)
            unsafe bytes.withUnsafeBytes {
                unsafe hash.add(block: UInt64(start / blockSize), UnsafeRawBufferPointer(rebasing: $0[start..<end]))
            }
            start = end
        }
        return hash.finish(length: UInt64(bytes.count))
    }

    mutating func add(block: UInt64, _ bytes: UnsafeRawBufferPointer) {
        // Four lanes, so that the processor multiplies four words at a time.
        var a: UInt64 = 1
        var b: UInt64 = 2
        var c: UInt64 = 3
        var d: UInt64 = 4
        var seen: UInt64 = 0
        var i = 0
        while i + 32 <= bytes.count {
            let w = unsafe (
                Self.word(bytes, i), Self.word(bytes, i + 8), Self.word(bytes, i + 16), Self.word(bytes, i + 24)
            )
            seen |= w.0 | w.1 | w.2 | w.3
            a = mix(a ^ w.0)
            b = mix(b ^ w.1)
            c = mix(c ^ w.2)
            d = mix(d ^ w.3)
            i += 32
        }
        while i < bytes.count {
            let byte = unsafe UInt64(bytes[i])
            seen |= byte
            a = mix(a ^ byte)
            i += 1
        }
        guard seen != 0 else { return }
        value &+= mix(mix(a &+ 3 &* b) ^ mix(c &+ 5 &* d) ^ (block &* 0xd6e8_feb8_6659_fd93))
    }

    /// The length is part of it: zeros at the end add nothing by themselves.
    func finish(length: UInt64) -> UInt64 { mix(value ^ mix(length)) }

    private static func word(_ bytes: UnsafeRawBufferPointer, _ at: Int) -> UInt64 {
        unsafe bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self)
    }
}

/// The finaliser of splitmix64: a good mixing of 64 bits.
@inline(__always)
func mix(_ x: UInt64) -> UInt64 {
    var z = x &+ 0x9e37_79b9_7f4a_7c15
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
}

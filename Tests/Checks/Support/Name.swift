import Glibc

/// A name or a path: bytes without NUL, never forced through Unicode (a `String` would make NFC equal NFD and could
/// not hold `\xff`). Kept with its terminator, so that a system call needs no copy.
struct Name: Hashable, Sendable {
    private let stored: [UInt8]

    init(_ bytes: some Sequence<UInt8>) {
        var copy = Array(bytes)
        copy.append(0)
        stored = copy
    }

    var bytes: ArraySlice<UInt8> { stored.dropLast() }
    var count: Int { stored.count - 1 }
    var isEmpty: Bool { stored.count == 1 }

    /// `self/name`; an empty path stands for the root of whatever is walked.
    func joined(_ name: Name) -> Name { isEmpty ? name : Name(bytes + [0x2f] + name.bytes) }

    /// The directory part and the last component.
    var split: (parent: Name, last: Name) {
        guard let slash = bytes.lastIndex(of: 0x2f) else { return ("", self) }
        return (Name(bytes[..<slash]), Name(bytes[(slash + 1)...]))
    }

    static func repeating(_ byte: UInt8, _ count: Int) -> Name { Name(Array(repeating: byte, count: count)) }

    func withPointer<R>(_ body: (UnsafePointer<CChar>) -> R) -> R {
        unsafe stored.withUnsafeBytes { unsafe body($0.baseAddress!.assumingMemoryBound(to: CChar.self)) }
    }
}

extension Name: ExpressibleByStringInterpolation {
    init(stringLiteral value: String) { self.init(value.utf8) }
}

extension Name: Comparable {
    static func < (a: Name, b: Name) -> Bool { a.stored.lexicographicallyPrecedes(b.stored) }
}

extension Name: CustomStringConvertible {
    /// Everything but printable ASCII as `\xHH`, blanks too: a line of output can be split at blanks.
    var description: String { escaped(bytes) }

    /// For labels: long names are cut, with their length.
    var short: String {
        guard count > 40 else { return isEmpty ? "\"\"" : description }
        return escaped(bytes.prefix(12)) + "...(\(count))"
    }
}

func escaped(_ bytes: some Sequence<UInt8>) -> String {
    var out = ""
    for byte in bytes {
        if byte > 0x20, byte < 0x7f, byte != 0x5c {
            out.unicodeScalars.append(Unicode.Scalar(byte))
        } else {
            out += "\\x" + hex([byte])
        }
    }
    return out
}

func hex(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef".unicodeScalars)
    var out = String.UnicodeScalarView()
    for byte in bytes {
        out.append(digits[Int(byte >> 4)])
        out.append(digits[Int(byte & 15)])
    }
    return String(out)
}

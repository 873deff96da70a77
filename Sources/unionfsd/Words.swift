internal import LinuxSys

/// Arguments on their way through ArgumentParser, which knows text only: a byte that is no UTF-8 becomes a character of
/// a private area and comes back as the byte it was. (A path with just that character in it would come back wrong.)
enum Words {
    private static let base: UInt32 = 0x10_ff00

    static func text(_ name: FileName) -> String {
        let bytes = Array(name.bytes)
        if let valid = String(validating: bytes, as: UTF8.self) { return valid }
        var text = String.UnicodeScalarView()
        var rest = bytes[...]
        while let byte = rest.first {
            // The longest valid piece of at most four bytes, else one byte.
            let length = byte < 0x80 ? 1 : byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2
            if let piece = String(validating: rest.prefix(length), as: UTF8.self) {
                text.append(contentsOf: piece.unicodeScalars)
                rest = rest.dropFirst(length)
            } else {
                if let scalar = Unicode.Scalar(base + UInt32(byte)) { text.append(scalar) }
                rest = rest.dropFirst()
            }
        }
        return String(text)
    }

    /// The directory that a path's last name is in.
    static func parent(of path: FileName) -> FileName {
        guard let slash = path.bytes.lastIndex(of: 0x2f) else { return "." }
        return slash == path.bytes.startIndex ? "/" : FileName(bytes: path.bytes[..<slash])
    }

    static func name(_ text: String) -> FileName {
        var bytes: [UInt8] = []
        for scalar in text.unicodeScalars {
            if scalar.value >= base + 0x80, scalar.value <= base + 0xff {
                bytes.append(UInt8(truncatingIfNeeded: scalar.value - base))
            } else {
                bytes.append(contentsOf: Array(String(scalar).utf8))
            }
        }
        return FileName(bytes: bytes)
    }
}

public import LinuxSys

/// The grammar of `-o`: words between commas, `name=value`, a backslash before whatever is meant as it stands, and
/// double quotes around a whole value (SELinux contexts have commas in them).
public enum OptionText {
    /// Words, with their backslashes still in them. Empty ones too.
    static func words(_ text: [UInt8]) -> [[UInt8]] {
        var words: [[UInt8]] = []
        var word: [UInt8] = []
        var i = 0
        while i < text.count {
            let byte = text[i]
            if byte == backslash, i + 1 < text.count {
                word.append(byte)
                word.append(text[i + 1])
                i += 2
                continue
            }
            // A quote counts only as the first byte of a value, and only if a second one ends the word.
            if byte == quote, word.last == equals, let end = closingQuote(text, from: i + 1) {
                word.append(contentsOf: text[i...end])
                i = end + 1
                continue
            }
            if byte == comma {
                words.append(word)
                word = []
            } else {
                word.append(byte)
            }
            i += 1
        }
        if !text.isEmpty { words.append(word) }
        return words
    }

    private static func closingQuote(_ text: [UInt8], from start: Int) -> Int? {
        var i = start
        while i < text.count {
            if text[i] == quote, i + 1 == text.count || text[i + 1] == comma { return i }
            i += 1
        }
        return nil
    }

    /// The value without its quotes.
    static func nameAndValue(_ word: [UInt8]) -> (String, [UInt8]?) {
        guard let at = word.firstIndex(of: equals) else { return (String(decoding: word, as: UTF8.self), nil) }
        var value = Array(word[(at + 1)...])
        if value.count >= 2, value.first == quote, value.last == quote { value = Array(value[1..<(value.count - 1)]) }
        return (String(decoding: word[..<at], as: UTF8.self), value)
    }

    /// Pieces between unescaped separators, backslashes kept.
    static func split(_ text: [UInt8], at separator: UInt8) -> [[UInt8]] {
        var pieces: [[UInt8]] = [[]]
        var i = 0
        while i < text.count {
            if text[i] == backslash, i + 1 < text.count {
                pieces[pieces.count - 1].append(contentsOf: text[i...(i + 1)])
                i += 2
                continue
            }
            if text[i] == separator { pieces.append([]) } else { pieces[pieces.count - 1].append(text[i]) }
            i += 1
        }
        return pieces
    }

    /// As overlayfs' ovl_unescape: a backslash stands for the byte behind it.
    static func unescaped(_ text: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        var i = 0
        while i < text.count {
            if text[i] == backslash, i + 1 < text.count { i += 1 }
            out.append(text[i])
            i += 1
        }
        return out
    }

    /// The inverse: a path as the value of `upperdir`, `workdir`, `lowerdir+` or one piece of `lowerdir`.
    public static func escaped(_ path: FileName) -> [UInt8] {
        var out: [UInt8] = []
        for byte in path.bytes {
            if byte == backslash || byte == comma || byte == colon || byte == quote { out.append(backslash) }
            out.append(byte)
        }
        return out
    }

    // ---- values ----

    static func required(_ name: String, _ value: [UInt8]?, _ form: String) throws(OptionError) -> [UInt8] {
        guard let value, !value.isEmpty else { throw OptionError("option \"\(name)\" needs a value: \(name)=\(form)") }
        return value
    }

    /// The bare word means on.
    static func flag(_ name: String, _ value: [UInt8]?) throws(OptionError) -> Bool {
        guard let value else { return true }
        return try choice(
            name, value, [("on", true), ("off", false), ("1", true), ("0", false), ("yes", true), ("no", false)])
    }

    static func choice<T>(_ name: String, _ value: [UInt8]?, _ choices: [(String, T)]) throws(OptionError) -> T {
        let words = choices.map { $0.0 }.joined(separator: "|")
        let value = try required(name, value, words)
        for (word, meaning) in choices where value.elementsEqual(word.utf8) { return meaning }
        throw OptionError("\(name)=\(String(decoding: value, as: UTF8.self)): the value must be one of \(words)")
    }

    static func number(_ name: String, _ value: [UInt8]?) throws(OptionError) -> UInt32 {
        let value = try required(name, value, "NUMBER")
        guard let number = decimal(value[...]) else {
            throw OptionError(
                "\(name)=\(String(decoding: value, as: UTF8.self)): the value must be a number from 0 to 4294967295")
        }
        return number
    }

    /// fuse-overlayfs takes a fraction; what is behind the point is cut off.
    static func seconds(_ name: String, _ value: [UInt8]?) throws(OptionError) -> UInt32 {
        let value = try required(name, value, "SECONDS")
        let parts = value.split(separator: 0x2e, omittingEmptySubsequences: false)
        guard parts.count <= 2, let whole = decimal(parts[0]), parts.dropFirst().allSatisfy({ decimal($0) != nil })
        else {
            throw OptionError(
                "\(name)=\(String(decoding: value, as: UTF8.self)): the value must be a number of seconds")
        }
        return whole
    }

    /// `STORED:SEEN:COUNT[:…]`, a colon before the first allowed: containers/storage writes one (Tests/CLI/captured).
    /// Commas between ranges too, as fuse-overlayfs(1) has it.
    static func mapping(_ name: String, _ value: [UInt8]?) throws(OptionError) -> [IDMapping] {
        let value = unescaped(try required(name, value, "STORED:SEEN:COUNT[:…]"))
        var numbers: [UInt32] = []
        for piece in value.split(whereSeparator: { $0 == colon || $0 == comma }) {
            guard let number = decimal(piece) else {
                numbers = []
                break
            }
            numbers.append(number)
        }
        guard !numbers.isEmpty, numbers.count % 3 == 0 else {
            throw OptionError(
                """
                \(name)=\(String(decoding: value, as: UTF8.self)): the value must be triples of numbers, \
                STORED:SEEN:COUNT[:…]
                """
            )
        }
        var ranges: [IDMapping] = []
        for i in stride(from: 0, to: numbers.count, by: 3) {
            let range = IDMapping(stored: numbers[i], seen: numbers[i + 1], count: numbers[i + 2])
            let last = UInt64(max(range.stored, range.seen)) + UInt64(range.count)
            guard range.count > 0, last <= 1 << 32 else {
                throw OptionError(
                    "\(name): the range \(range.stored):\(range.seen):\(range.count) is empty or leaves the 32-bit ids")
            }
            ranges.append(range)
        }
        return ranges
    }

    static func decimal(_ digits: ArraySlice<UInt8>) -> UInt32? {
        guard !digits.isEmpty, digits.count <= 10 else { return nil }
        var n: UInt64 = 0
        for d in digits {
            guard d >= 0x30, d <= 0x39 else { return nil }
            n = n * 10 + UInt64(d - 0x30)
        }
        return n <= UInt64(UInt32.max) ? UInt32(n) : nil
    }

    // ---- spelling ----

    private static let names = [
        "lowerdir", "lowerdir+", "datadir+", "upperdir", "workdir", "redirect_dir", "metacopy", "index", "xino",
        "volatile", "fsync", "userxattr",
        "whiteouts", "noacl", "noxattrs", "static_nlink", "coherent", "guardian", "writeback", "transport", "timeout",
        "hang_timeout", "threads", "threaded", "squash_to_root", "squash_to_uid",
        "squash_to_gid", "uidmapping", "gidmapping", "xattr_permissions", "context", "ro", "rw", "allow_other",
        "allow_root",
        "default_permissions", "fsname", "subtype", "debug", "foreground", "suid", "nosuid", "dev", "nodev", "exec",
        "noexec", "sync", "async",
        "dirsync", "atime", "noatime", "relatime", "strictatime", "nodiratime", "lazytime", "nfs_export", "uuid",
        "verity",
    ]

    /// The known name that is fewest changes away, if that is few enough to be a slip of the finger.
    static func nearest(_ name: String) -> String? {
        let wanted = Array(name.utf8)
        guard wanted.count <= 32 else { return nil }
        var best: (String, Int)?
        for candidate in names {
            let d = distance(wanted, Array(candidate.utf8))
            if d < best?.1 ?? Int.max { best = (candidate, d) }
        }
        // "lower" and "upper" are what everybody writes first.
        if wanted.elementsEqual("lower".utf8) { return "lowerdir" }
        if wanted.elementsEqual("upper".utf8) { return "upperdir" }
        guard let best, best.1 <= max(1, wanted.count / 3) else { return nil }
        return best.0
    }

    private static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
        var row = Array(0...b.count)
        for i in 0..<a.count {
            var diagonal = row[0]
            row[0] = i + 1
            for j in 0..<b.count {
                let substituted = diagonal + (a[i] == b[j] ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(substituted, min(row[j], diagonal) + 1)
            }
        }
        return row[b.count]
    }

    private static let backslash: UInt8 = 0x5c
    private static let comma: UInt8 = 0x2c
    private static let colon: UInt8 = 0x3a
    private static let equals: UInt8 = 0x3d
    private static let quote: UInt8 = 0x22
}

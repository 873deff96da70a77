/// The words of the command line: flags and options are taken out, what remains are the operands.
struct Arguments {
    private var words: [Name]
    private(set) var bad = false

    init(_ words: [Name]) { self.words = words }

    mutating func flag(_ name: Name) -> Bool {
        guard let at = words.firstIndex(of: name) else { return false }
        words.remove(at: at)
        return true
    }

    mutating func option(_ name: Name) -> Name? {
        guard let at = words.firstIndex(of: name) else { return nil }
        guard at + 1 < words.count else {
            bad = true
            return nil
        }
        let value = words[at + 1]
        words.removeSubrange(at...(at + 1))
        return value
    }

    mutating func number(_ name: Name, default value: UInt64? = nil) -> UInt64? {
        guard let text = option(name) else { return value }
        guard let number = UInt64(String(decoding: text.bytes, as: UTF8.self)) else {
            bad = true
            return nil
        }
        return number
    }

    /// The operands, when there are exactly so many and no option is left over.
    func rest(_ count: Int) -> [Name]? {
        guard !bad, words.count == count, !words.contains(where: { $0.bytes.starts(with: "--".utf8) }) else {
            return nil
        }
        return words
    }

    static func usage() -> Int32 {
        printError(usageText)
        return 2
    }
}

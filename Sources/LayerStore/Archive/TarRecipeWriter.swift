internal import LinuxSys

/// What a layer's tar archive has besides the contents of its files: with it, and the files, the archive can be made
/// again byte for byte, so that an exported image has the layers' digests that it came with. Written while the archive
/// passes by.
///
/// The form, compressed with zstd: records of a kind and numbers as in `Varint`.
///
///     L length bytes      bytes of the archive
///     F offset length     the contents of the file whose header begins at this offset of the archive
///     P offset at length  a piece of that file from `at` on: of a sparse one (pax, GNU.sparse 1.0)
///     N offset length path     where that file is in the layer, somewhere behind its F or P
final class TarRecipeWriter {
    private let output: ArchiveCompressor
    private var pending: [UInt8] = []
    private var literal: [UInt8] = []
    /// Of the archive, so far.
    private var position: Int64 = 0
    private var state = State.header
    private var header: [UInt8] = []
    /// Where the headers of the next member began; nil between members.
    private var begin: Int64?
    /// From a pax header before it.
    private var paxSize: Int64?
    private var isSparse = false
    /// Of the form whose map stands before the data (GNU.sparse.major and minor).
    private var sparseVersion = (major: "", minor: "")
    private var map = SparseMap()
    private var mapOwner: Int64 = 0
    private var pax: [UInt8] = []
    private var left: Int64 = 0
    private var padding: Int64 = 0
    /// Contents whose place in the layer nobody has told yet.
    private var unnamed: Set<Int64> = []
    /// False where the archive cannot be made again from this.
    private(set) var isExact = true

    private enum State { case header, literal, pax, map, file, padding }
    /// A pax header of more is not looked into.
    private static let mostPax = 1 << 20

    init(_ file: FD) throws(StoreError) { output = try ArchiveCompressor(file, .zstd) }

    func add(_ part: UnsafeRawBufferPointer) throws(StoreError) {
        if !isExact { return }
        var rest = unsafe part
        while unsafe !rest.isEmpty, isExact {
            let n = unsafe try step(rest)
            position += Int64(n)
            unsafe rest = unsafe UnsafeRawBufferPointer(rebasing: rest[n...])
        }
        if pending.count > 64 << 10 { try flush() }
    }

    /// How many bytes of this were taken.
    private func step(_ rest: UnsafeRawBufferPointer) throws(StoreError) -> Int {
        switch state {
        case .header:
            let n = min(rest.count, 512 - header.count)
            unsafe header.append(contentsOf: rest[..<n])
            if header.count == 512 {
                literal += header
                readHeader(at: position + Int64(n) - 512)
                header.removeAll(keepingCapacity: true)
                // Members without contents, and zeros behind the last, are headers one after the other.
                if literal.count > 64 << 10 { endLiteral() }
            }
            return n
        case .literal, .padding, .pax:
            let n = Int(min(Int64(rest.count), left))
            unsafe literal.append(contentsOf: rest[..<n])
            if state == .pax, pax.count < Self.mostPax { unsafe pax.append(contentsOf: rest[..<n]) }
            left -= Int64(n)
            if left == 0 { afterPayload() }
            if literal.count > 64 << 10 { endLiteral() }
            return n
        case .map:
            let n = min(rest.count, Int(clamping: left), 512 - map.count % 512)
            unsafe literal.append(contentsOf: rest[..<n])
            unsafe map.add(rest[..<n])
            left -= Int64(n)
            if map.count % 512 == 0 || left == 0 { readMap() }
            if literal.count > 64 << 10 { endLiteral() }
            return n
        case .file:
            let n = Int(min(Int64(rest.count), left))
            left -= Int64(n)
            if left == 0 { afterPayload() }
            return n
        }
    }

    private func readHeader(at offset: Int64) {
        if header.allSatisfy({ $0 == 0 }) {
            begin = nil
            return
        }
        guard let size = TarRecipeWriter.number(header[124..<136]), hasRightSum else {
            isExact = false
            return
        }
        let begin = begin ?? offset
        self.begin = begin
        let kind = header[156]
        switch kind {
        case UInt8(ascii: "x"), UInt8(ascii: "g"):
            pax.removeAll()
            payload(size, kind == UInt8(ascii: "x") ? .pax : .literal)
        case UInt8(ascii: "L"), UInt8(ascii: "K"): payload(size, .literal)
        case 0, UInt8(ascii: "0"), UInt8(ascii: "7"):
            let size = paxSize ?? size
            self.begin = nil
            if isSparse {
                map = SparseMap()
                mapOwner = begin
                payload(size, sparseVersion == ("1", "0") ? .map : .literal)
            } else {
                if size > 0 {
                    endLiteral()
                    pending.append(UInt8(ascii: "F"))
                    Varint.append(UInt64(bitPattern: begin), to: &pending)
                    Varint.append(UInt64(bitPattern: size), to: &pending)
                    unnamed.insert(begin)
                }
                payload(size, .file)
            }
            forgetPax()
        case UInt8(ascii: "2")...UInt8(ascii: "6"):
            self.begin = nil
            forgetPax()
        case UInt8(ascii: "1") where (paxSize ?? size) == 0:
            self.begin = nil
            forgetPax()
        default:
            // Old sparse files, links with contents, volumes: what is data there is not ours to know.
            isExact = false
        }
    }
    private func forgetPax() {
        paxSize = nil
        isSparse = false
        sparseVersion = ("", "")
    }

    /// Behind a block of the map: when it is whole, and says what can be, the rest of the payload is pieces of the
    /// file.
    private func readMap() {
        let isWhole = map.isWhole
        if isWhole, let pieces = map.pieces(left) {
            endLiteral()
            for piece in pieces where piece.length > 0 {
                pending.append(UInt8(ascii: "P"))
                for number in [mapOwner, piece.offset, piece.length] {
                    Varint.append(UInt64(bitPattern: number), to: &pending)
                }
                unnamed.insert(mapOwner)
            }
            state = .file
        } else if isWhole || map.isBad {
            state = .literal
        }
        if left == 0 { afterPayload() }
    }

    private func payload(_ size: Int64, _ state: State) {
        guard size >= 0 else {
            isExact = false
            return
        }
        padding = (512 - size % 512) % 512
        left = size
        self.state = size == 0 ? .header : state
        if size == 0, state == .pax { readPax() }
    }
    private func afterPayload() {
        if state == .pax { readPax() }
        if state != .padding, padding > 0 {
            state = .padding
            left = padding
        } else {
            state = .header
        }
    }

    /// `length key=value\n`, again and again (pax(1)).
    private func readPax() {
        guard pax.count < Self.mostPax else {
            isExact = false
            return
        }
        var rest = pax[...]
        while let blank = rest.firstIndex(of: 0x20), let length = Int(String(decoding: rest[..<blank], as: UTF8.self)),
            length > blank - rest.startIndex + 1, length <= rest.count
        {
            let record = rest[(blank + 1)..<(rest.startIndex + length - 1)]
            if record.starts(with: "size=".utf8) {
                paxSize = Int64(String(decoding: record.dropFirst(5), as: UTF8.self))
            }
            if record.starts(with: "GNU.sparse".utf8) { isSparse = true }
            if record.starts(with: "GNU.sparse.major=".utf8) {
                sparseVersion.major = String(decoding: record.dropFirst(17), as: UTF8.self)
            }
            if record.starts(with: "GNU.sparse.minor=".utf8) {
                sparseVersion.minor = String(decoding: record.dropFirst(17), as: UTF8.self)
            }
            rest = rest[(rest.startIndex + length)...]
        }
    }

    private var hasRightSum: Bool {
        guard let stated = TarRecipeWriter.number(header[148..<156]) else { return false }
        var sum: Int64 = 0
        for (i, byte) in header.enumerated() { sum += (148..<156).contains(i) ? 0x20 : Int64(byte) }
        return sum == stated
    }
    /// Octal, or binary with the first bit set.
    private static func number(_ field: ArraySlice<UInt8>) -> Int64? {
        guard let first = field.first else { return nil }
        if first & 0x80 != 0 {
            var value: Int64 = Int64(first & 0x7f)
            for byte in field.dropFirst() {
                guard value < 1 << 54 else { return nil }
                value = value << 8 | Int64(byte)
            }
            return value
        }
        var value: Int64 = 0
        for byte in field.drop(while: { $0 == 0x20 }) {
            if byte == 0 || byte == 0x20 { break }
            guard byte >= 0x30, byte <= 0x37 else { return nil }
            value = value << 3 | Int64(byte - 0x30)
        }
        return value
    }

    private func endLiteral() {
        if literal.isEmpty { return }
        pending.append(UInt8(ascii: "L"))
        Varint.append(UInt64(literal.count), to: &pending)
        pending += literal
        literal.removeAll(keepingCapacity: true)
    }
    private func flush() throws(StoreError) {
        try output.add(pending)
        pending.removeAll(keepingCapacity: true)
    }

    /// The file with contents whose header begins at `offset` is at `path` of the layer.
    func name(_ offset: Int64, _ path: [UInt8]) {
        // One whose contents are among the literal bytes needs no name.
        guard isExact, unnamed.remove(offset) != nil else { return }
        pending.append(UInt8(ascii: "N"))
        Varint.append(UInt64(bitPattern: offset), to: &pending)
        Varint.append(UInt64(path.count), to: &pending)
        pending += path
    }

    /// A file is not as the archive has it any more.
    func spoil() { isExact = false }

    /// - Returns: whether the archive can be made again.
    func finish() throws(StoreError) -> Bool {
        if state != .header || !header.isEmpty || !unnamed.isEmpty { isExact = false }
        endLiteral()
        try flush()
        try output.finish()
        return isExact
    }
}

/// The map of a sparse file in GNU tar's form 1.0: how many pieces, then each one's place in the file and its length,
/// as decimal lines, filled up to a block (tar(5), GNU tar's manual, "Sparse Formats").
struct SparseMap {
    private(set) var count = 0
    private(set) var isBad = false
    private var numbers: [Int64] = []
    private var number: Int64?
    private static let most: Int64 = 1 << 20

    var isWhole: Bool { !isBad && numbers.first.map { Int64(numbers.count) == 1 + 2 * $0 } ?? false }

    mutating func add(_ bytes: some Sequence<UInt8>) {
        for byte in bytes {
            count += 1
            // What fills up the block.
            if isBad || isWhole { continue }
            switch byte {
            case 0x30...0x39:
                let value = number ?? 0
                if value > (Int64.max - 9) / 10 { isBad = true } else { number = value * 10 + Int64(byte - 0x30) }
            case 0x0a:
                guard let number, !numbers.isEmpty || number <= Self.most else {
                    isBad = true
                    continue
                }
                numbers.append(number)
                self.number = nil
            default: isBad = true
            }
        }
    }

    /// - Returns: nil where the pieces are not in order, or are not `length` bytes.
    func pieces(_ length: Int64) -> [FileExtent]? {
        var pieces: [FileExtent] = []
        var end: Int64 = 0
        var sum: Int64 = 0
        for i in stride(from: 1, to: numbers.count - 1, by: 2) {
            let piece = FileExtent(offset: numbers[i], length: numbers[i + 1])
            guard piece.offset >= end, piece.length <= length - sum, piece.offset <= Int64.max - piece.length else {
                return nil
            }
            pieces.append(piece)
            end = piece.end
            sum += piece.length
        }
        return sum == length ? pieces : nil
    }
}

/// Seven bits to a byte, the lowest first; the eighth says that more follow.
enum Varint {
    static func append(_ value: UInt64, to bytes: inout [UInt8]) {
        var value = value
        while value >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: value) | 0x80)
            value >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: value))
    }
}

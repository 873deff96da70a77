internal import Glibc
internal import LinuxSys

/// Makes a layer's tar archive again from its recipe and its files.
@safe final class TarRecipeReader {
    private let recipe: FD
    private let tree: FD

    /// - Parameters:
    ///   - recipe: a file that can be read from its beginning more than once.
    ///   - tree: the layer's root.
    init(_ recipe: FD, tree: FD) {
        self.recipe = recipe
        self.tree = tree
    }

    func write(to output: ArchiveCompressor) throws(StoreError) {
        var paths: [UInt64: [UInt8]] = [:]
        try forEachRecord(names: { paths[$0] = $1 })
        try forEachRecord(
            literal: { (bytes) throws(StoreError) in try output.add(bytes) },
            file: { (offset, begin, length) throws(StoreError) in
                guard let path = paths[offset] else { throw self.damage }
                try copy(FileName(bytes: path), from: begin, length, output)
            })
        last = nil
    }
    /// A sparse file comes piece by piece.
    private var last: LastFile?
    private final class LastFile {
        let path: FileName
        let file: OwnedFD
        init(_ path: FileName, _ file: consuming OwnedFD) {
            self.path = path
            self.file = file
        }
    }
    private var damage: StoreError { StoreError(.damaged, "the layer's recipe is damaged") }

    private func opened(_ path: FileName) throws(StoreError) -> LastFile {
        if let last, last.path == path { return last }
        let file = try told("\"\(path)\" of the layer") { () throws(Errno) in
            try path.withRef { (p) throws(Errno) in try tree.openInside(p, O_RDONLY | O_NONBLOCK) }
        }
        let opened = LastFile(path, file)
        last = opened
        return opened
    }
    private func copy(
        _ path: FileName, from begin: UInt64, _ length: UInt64, _ output: ArchiveCompressor
    ) throws(StoreError) {
        let opened = try opened(path)
        guard var at = Int64(exactly: begin) else { throw damage }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 4096)
        defer { unsafe buffer.deallocate() }
        var left = length
        while left > 0 {
            let n = try told("\"\(path)\" of the layer") { () throws(Errno) in
                unsafe try opened.file.fd.read(
                    into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(buffer.count, Int(clamping: left))]),
                    at: at)
            }
            guard n > 0 else { throw StoreError(.damaged, "\"\(path)\" of the layer is shorter than it was") }
            unsafe try output.add(UnsafeRawBufferPointer(rebasing: buffer[..<n]))
            left -= UInt64(n)
            at += Int64(n)
        }
    }

    private func forEachRecord(
        literal: ([UInt8]) throws(StoreError) -> Void = { _ in },
        file: (UInt64, UInt64, UInt64) throws(StoreError) -> Void = { _, _, _ in },
        names: (UInt64, [UInt8]) -> Void = { _, _ in }
    ) throws(StoreError) {
        _ = try told("the layer's recipe") { () throws(Errno) in try recipe.seek(0, SEEK_SET) }
        let input = Input(try ArchiveDecompressor(recipe, limit: .max))
        while let kind = try input.byte() {
            switch kind {
            case UInt8(ascii: "L"): try literal(try input.bytes(try input.number()))
            case UInt8(ascii: "F"): try file(try input.number(), 0, try input.number())
            case UInt8(ascii: "P"): try file(try input.number(), try input.number(), try input.number())
            case UInt8(ascii: "N"): names(try input.number(), try input.bytes(try input.number()))
            default: throw damage
            }
        }
    }

    @safe private final class Input {
        private let source: ArchiveDecompressor
        private var buffer: [UInt8] = []
        private var at = 0
        init(_ source: ArchiveDecompressor) { self.source = source }

        private func fill() throws(StoreError) -> Bool {
            while at == buffer.count {
                guard let part = unsafe try source.next() else { return false }
                buffer = unsafe Array(part)
                at = 0
            }
            return true
        }
        func byte() throws(StoreError) -> UInt8? {
            guard try fill() else { return nil }
            at += 1
            return buffer[at - 1]
        }
        func number() throws(StoreError) -> UInt64 {
            var value: UInt64 = 0
            var shift: UInt64 = 0
            while let byte = try byte() {
                value |= UInt64(byte & 0x7f) << shift
                if byte & 0x80 == 0 { return value }
                shift += 7
                if shift > 63 { break }
            }
            throw StoreError(.damaged, "the layer's recipe ends too early")
        }
        func bytes(_ count: UInt64) throws(StoreError) -> [UInt8] {
            guard count <= 1 << 30 else { throw StoreError(.damaged, "the layer's recipe is damaged") }
            var out: [UInt8] = []
            while out.count < Int(count) {
                guard try fill() else { throw StoreError(.damaged, "the layer's recipe ends too early") }
                let n = min(buffer.count - at, Int(count) - out.count)
                out += buffer[at..<(at + n)]
                at += n
            }
            return out
        }
    }
}

public import LinuxSys

/// The names of a merged directory at one moment: each once, whiteouts taken out, with the number and type that lookup would show.
public final class MergedListing: Sendable {
    public struct Entry: Sendable {
        let nameOffset: UInt32
        let nameLength: UInt16
        public let kind: FileKind
        /// The number may be that of an origin: only a lookup tells it.
        public let inoNeedsLookup: Bool
        public var ino: UInt64
    }
    private let names: [UInt8]
    private let entries: [Entry]

    public var count: Int { entries.count }
    public subscript(position: Int) -> Entry? { position >= 0 && position < entries.count ? entries[position] : nil }

    /// Lends the name of an entry.
    public func withName<R, E: Error>(_ entry: Entry, _ body: (NameRef) throws(E) -> R) throws(E) -> R {
        try names.withName(at: Int(entry.nameOffset), length: Int(entry.nameLength), body)
    }

    /// Reads every part once: getdents and, for what looks like a whiteout, one statx.
    /// - Parameter stopAtFirst: one name is enough (is it empty?). Parts are then still read whole where whiteouts may hide names.
    public init(_ directory: MergedDirectory, _ stack: LayerStack, stopAtFirst: Bool = false) throws(Errno) {
        var builder = Builder()
        let isSingle = directory.parts.count == 1
        for part in directory.parts {
            try builder.read(part, stack, isSingle: isSingle)
            if stopAtFirst, builder.visible > 0 { break }
        }
        names = builder.names
        entries = builder.finished()
    }

    private struct Builder {
        var names: [UInt8] = []
        var entries: [Entry] = []
        var hidden: [Bool] = []
        var visible = 0
        /// Open addressing over the names: index + 1, 0 for free.
        var table: [UInt32] = []

        mutating func read(_ part: LayerDirectory, _ stack: LayerStack, isSingle: Bool) throws(Errno) {
            let isUpper = stack.hasUpper && part.layer == 0
            let impure = isUpper && part.isImpure
            let overrides = stack.layers[part.layer].override != nil
            var markers: [FileName] = []
            // A descriptor of its own: the position of a shared one belongs to nobody.
            let own = try part.fd.openDirectory(NameRef.dot)
            var reader = DirectoryReader(own.fd)
            try reader.forEach { (name, ino, kind) throws(Errno) in
                if stack.readsOCIWhiteouts, Whiteout.isMarkerName(name) {
                    if !name.hasPrefix(".wh..wh.") { markers.append(name.dropping(Whiteout.prefixLength).owned) }
                    return true
                }
                var kind = kind
                var whiteout = false
                if kind == .unknown || kind == .character || part.markers.xattrWhiteouts && kind == .regular || overrides && kind == .regular {
                    let status = try part.fd.status(name)
                    whiteout = try stack.isWhiteout(status, part, name)
                    kind = try stack.overridden(status, part.fd, name, layer: part.layer).kind
                }
                add(name, ino: stack.number(ino, ofLayer: part.layer), kind, isHidden: whiteout,
                    needsLookup: impure || isUpper && !isSingle && kind == .directory, dedupe: !isSingle)
                return true
            }
            for marker in markers {
                marker.withRef { name in add(name, ino: 0, .unknown, isHidden: true, needsLookup: false, dedupe: true) }
            }
        }

        mutating func add(_ name: NameRef, ino: UInt64, _ kind: FileKind, isHidden: Bool, needsLookup: Bool, dedupe: Bool) {
            if dedupe || isHidden, !claim(name) { return }
            entries.append(Entry(nameOffset: UInt32(truncatingIfNeeded: names.count), nameLength: UInt16(truncatingIfNeeded: name.count),
                                 kind: kind, inoNeedsLookup: needsLookup, ino: ino))
            hidden.append(isHidden)
            if !isHidden { visible += 1 }
            names.append(contentsOf: name.bytes)
            names.append(0)
        }

        /// False when the name is there already.
        mutating func claim(_ name: NameRef) -> Bool {
            if table.count < (entries.count + 1) * 2 { grow() }
            let mask = table.count - 1
            var slot = Int(truncatingIfNeeded: name.hash(seed: 0)) & mask
            while table[slot] != 0 {
                let entry = entries[Int(table[slot]) - 1]
                if Int(entry.nameLength) == name.count,
                   names.withName(at: Int(entry.nameOffset), length: name.count, { $0.equals(name) }) { return false }
                slot = (slot + 1) & mask
            }
            table[slot] = UInt32(truncatingIfNeeded: entries.count + 1)
            return true
        }

        /// Twice the size; every entry goes in again, those too that were added without a claim.
        mutating func grow() {
            var size = max(table.count * 2, 64)
            while size < (entries.count + 1) * 4 { size *= 2 }
            table = [UInt32](repeating: 0, count: size)
            for (i, entry) in entries.enumerated() {
                let hash = names.withName(at: Int(entry.nameOffset), length: Int(entry.nameLength)) { $0.hash(seed: 0) }
                var slot = Int(truncatingIfNeeded: hash) & (size - 1)
                while table[slot] != 0 { slot = (slot + 1) & (size - 1) }
                table[slot] = UInt32(truncatingIfNeeded: i + 1)
            }
        }

        func finished() -> [Entry] {
            if visible == entries.count { return entries }
            var shown: [Entry] = []
            shown.reserveCapacity(visible)
            for (i, entry) in entries.enumerated() where !hidden[i] { shown.append(entry) }
            return shown
        }
    }
}

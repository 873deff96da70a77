public import LinuxSys

/// The names of a merged directory, kept as they come and go: each with the layers that have something under it, so
/// that a name that was seen is found with no look at the others, and a name that is not here is nowhere.
///
/// Names that are hidden (whiteouts, names removed since) stay, because what the layers have of them stays.
///
/// Read with the directory's lock held shared; changed with it held exclusively. The order for readdir is made when it
/// is first asked for, under a mutex of its own.
public final class MergedListing: @unchecked Sendable {
    /// 32 bytes for each name; the name, a slot or two of the table and a place in the order come on top.
    public struct Entry: Sendable {
        var nameOffset: UInt32
        var nameLength: UInt16
        public internal(set) var kind: FileKind
        var flags: UInt8
        public internal(set) var ino: UInt64
        /// Which layers have something under the name, a whiteout too.
        public internal(set) var layers: LayerSet
        /// Where readdir(3) goes on behind this name: see `cookie(of:)`.
        public internal(set) var cookie: UInt32

        static let hidden: UInt8 = 1, inoNeedsLookup: UInt8 = 2
        public var isHidden: Bool { flags & Self.hidden != 0 }
        /// The number may be that of an origin: only a lookup tells it.
        public var inoNeedsLookup: Bool { flags & Self.inoNeedsLookup != 0 }
    }
    private var names: [UInt8] = []
    private var entries: [Entry] = []
    /// Open addressing over the names: index + 1, 0 for free.
    private var slots: [UInt32] = []
    /// Entries by ascending cookie; those that came since are not in it yet.
    private var order: [UInt32] = []
    private let ordering = Mutex(.leaf)
    /// Names that are no names of any layer any more.
    private var dead = 0
    /// Names that are shown.
    public private(set) var count = 0

    public init() {}

    /// Bytes of memory, for a bound on all of them.
    public var footprint: Int {
        names.capacity + entries.capacity * MemoryLayout<Entry>.stride + (slots.capacity + order.capacity) * 4 + 128
    }

    // ---- finding ----

    /// Hidden ones too. Nil: no layer has anything under the name.
    public func find(_ name: NameRef) -> Entry? {
        guard let position = position(of: name) else { return nil }
        return entries[position]
    }

    /// Lends the name of an entry.
    public func withName<R, E: Error>(_ entry: Entry, _ body: (NameRef) throws(E) -> R) throws(E) -> R {
        try names.withName(at: Int(entry.nameOffset), length: Int(entry.nameLength), body)
    }

    private func position(of name: NameRef) -> Int? {
        if slots.isEmpty { return nil }
        let mask = slots.count - 1
        var slot = Self.slotHash(name) & mask
        while slots[slot] != 0 {
            let position = Int(slots[slot]) - 1
            let entry = entries[position]
            if Int(entry.nameLength) == name.count,
                names.withName(at: Int(entry.nameOffset), length: name.count, { $0.equals(name) })
            {
                return position
            }
            slot = (slot + 1) & mask
        }
        return nil
    }

    // ---- in order ----

    /// Entries behind a cookie, hidden ones left out; a body that answers false ends it.
    public func forEach<E: Error>(behind cookie: UInt64, _ body: (Entry) throws(E) -> Bool) throws(E) {
        putInOrder()
        var low = 0
        var high = order.count
        while low < high {
            let middle = (low + high) / 2
            if UInt64(entries[Int(order[middle])].cookie) <= cookie { low = middle + 1 } else { high = middle }
        }
        while low < order.count {
            let entry = entries[Int(order[low])]
            if !entry.isHidden, try !body(entry) { return }
            low += 1
        }
    }

    /// A name's place is its hash, so that it is the same whoever makes the listing and whenever, and a stream of
    /// readdir(3) goes on over changes, and over a listing that was dropped and made anew, without a name twice or left
    /// out. 31 bits, because programs of 32 bits refuse more. Of two names with the same hash the second has the next
    /// number. 0, 1 and 2 are the beginning, `.` and `..`.
    static func cookie(of name: NameRef) -> UInt32 {
        var h = name.hash(seed: 0x5bd1_e995)
        h ^= h >> 33
        h &*= 0xff51_afd7_ed55_8ccd
        h ^= h >> 33
        return 3 + UInt32(truncatingIfNeeded: h % 0x7fff_0000)
    }

    private func putInOrder() {
        ordering.locked {
            if order.count == entries.count { return }
            var added = (order.count..<entries.count).map { UInt32(truncatingIfNeeded: $0) }
            added.sort { comesBefore($0, $1) }
            if order.isEmpty {
                order = added
            } else {
                var merged: [UInt32] = []
                merged.reserveCapacity(entries.count)
                var next = added.startIndex
                for old in order {
                    while next < added.endIndex, comesBefore(added[next], old) {
                        merged.append(added[next])
                        next += 1
                    }
                    merged.append(old)
                }
                merged.append(contentsOf: added[next...])
                order = merged
            }
            var last: UInt32 = 2
            for position in order {
                let at = Int(position)
                if entries[at].cookie <= last { entries[at].cookie = last + 1 }
                last = entries[at].cookie
            }
        }
    }
    private func comesBefore(_ a: UInt32, _ b: UInt32) -> Bool {
        let (one, other) = (entries[Int(a)], entries[Int(b)])
        if one.cookie != other.cookie { return one.cookie < other.cookie }
        return withName(one) { n in withName(other) { m in n.precedes(m) } }
    }

    // ---- changes, with the directory's lock held exclusively, or while nobody else has the listing ----

    /// A part has something under the name. What parts above it said of it stands.
    func note(_ name: NameRef, layer: Int, ino: UInt64, _ kind: FileKind, isHidden: Bool, needsLookup: Bool) {
        if let known = position(of: name) {
            entries[known].layers.insert(layer)
            return
        }
        append(
            name, LayerSet(layer), ino: ino, kind,
            (isHidden ? Entry.hidden : 0) | (needsLookup ? Entry.inoNeedsLookup : 0))
    }

    /// A name was made in the upper layer, or an object moved there.
    public func show(_ name: NameRef, ino: UInt64, _ kind: FileKind) {
        guard let known = position(of: name) else { return append(name, LayerSet(0), ino: ino, kind, 0) }
        if entries[known].isHidden {
            count += 1
            if entries[known].layers.isEmpty { dead -= 1 }
        }
        entries[known].flags = 0
        entries[known].ino = ino
        entries[known].kind = kind
        entries[known].layers.insert(0)
    }

    /// A name was removed; a whiteout may stand in its place in the upper layer.
    public func hide(_ name: NameRef, isInUpper: Bool) {
        guard let known = position(of: name) else { return }
        if !entries[known].isHidden {
            count -= 1
            entries[known].flags |= Entry.hidden
            if isInUpper { entries[known].layers.insert(0) } else { entries[known].layers.remove(0) }
            if entries[known].layers.isEmpty { dead += 1 }
        }
        // Temporary files come and go under ever new names.
        if dead > 64, dead > entries.count / 2 { compact() }
    }

    /// The upper layer has the name now, with the same object.
    /// - Parameter number: what that is shown by from here on, where it is another.
    public func copiedUp(_ name: NameRef, number: UInt64? = nil) {
        guard let known = position(of: name) else { return }
        entries[known].layers.insert(0)
        if let number { entries[known].ino = number }
    }

    private func append(_ name: NameRef, _ layers: LayerSet, ino: UInt64, _ kind: FileKind, _ flags: UInt8) {
        if slots.count < (entries.count + 1) * 2 { rehash(max(slots.count * 2, 16)) }
        let entry = Entry(
            nameOffset: UInt32(truncatingIfNeeded: names.count), nameLength: UInt16(truncatingIfNeeded: name.count),
            kind: kind,
            flags: flags, ino: ino, layers: layers, cookie: Self.cookie(of: name))
        entries.append(entry)
        names.append(name)
        insert(entries.count, Self.slotHash(name))
        if !entry.isHidden { count += 1 }
    }

    private static func slotHash(_ name: NameRef) -> Int { Int(truncatingIfNeeded: name.hash(seed: 0) & 0x7fff_ffff) }

    private func insert(_ number: Int, _ hash: Int) {
        let mask = slots.count - 1
        var slot = hash & mask
        while slots[slot] != 0 { slot = (slot + 1) & mask }
        slots[slot] = UInt32(truncatingIfNeeded: number)
    }

    private func rehash(_ size: Int) {
        slots = [UInt32](repeating: 0, count: size)
        for (position, entry) in entries.enumerated() { insert(position + 1, withName(entry) { Self.slotHash($0) }) }
    }

    private func compact() {
        let (oldEntries, oldNames) = (entries, names)
        entries = []
        names = []
        order = []
        dead = 0
        for entry in oldEntries where !(entry.isHidden && entry.layers.isEmpty) {
            var kept = entry
            kept.nameOffset = UInt32(truncatingIfNeeded: names.count)
            oldNames.withName(at: Int(entry.nameOffset), length: Int(entry.nameLength)) { names.append($0) }
            entries.append(kept)
        }
        var size = 16
        while size < (entries.count + 1) * 2 { size *= 2 }
        rehash(size)
    }
}

/// Layers by index: from 63 on they share one bit, which says that some of them may.
public struct LayerSet: Sendable, Equatable {
    private var bits: UInt64
    public init(_ layer: Int) { bits = Self.bit(layer) }
    private init(bits: UInt64) { self.bits = bits }
    public static let all = LayerSet(bits: .max)

    private static func bit(_ layer: Int) -> UInt64 { 1 << UInt64(min(max(layer, 0), 63)) }
    public func contains(_ layer: Int) -> Bool { bits & Self.bit(layer) != 0 }
    mutating func insert(_ layer: Int) { bits |= Self.bit(layer) }
    mutating func remove(_ layer: Int) { bits &= ~Self.bit(layer) }
    var isEmpty: Bool { bits == 0 }
    /// The only layer in it; nil where there are several, or may be.
    var single: Int? { bits != 0 && bits & (bits - 1) == 0 && bits != 1 << 63 ? bits.trailingZeroBitCount : nil }
}

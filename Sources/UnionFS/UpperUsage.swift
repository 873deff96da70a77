internal import LinuxSys
internal import Synchronization

/// What the upper layer takes on the disk, kept as a running figure: exact to what du(1) would say, in a time that does
/// not grow with the layer.
///
/// Nothing is kept until somebody asks. Then the layer is walked once, and from there on every change of an upper
/// object is announced before it happens: the object's blocks as they are counted are noted, and it is looked at again
/// when the figure is asked for. So nobody has to hear of the writes, which in passthrough nobody does; only of the
/// opens.
///
/// An entry stays for as long as the object may still change by itself: while an operation holds it, while it is open,
/// and a minute longer where it is large, as the filesystem finds places for its data later. What takes over from a
/// process that died begins anew.
final class UpperUsage: @unchecked Sendable {
    /// Of blocks of 512 bytes.
    typealias Blocks = Int64

    private struct Entry {
        /// What `settled` has of it.
        var counted: Blocks
        /// The last announcement, in seconds.
        var touched: UInt64
        /// Of announcements: whether one came while the object was looked at.
        var turn: UInt32 = 0
        /// Operations that have announced it and are not over.
        var holders: UInt32 = 0
    }
    private enum Phase { case off, walking, on }

    private let mutex = Mutex(.leaf)
    private let isWatching = Atomic<Bool>(false)
    /// One who walks or settles at a time.
    let asking = Mutex()
    // Guarded by `mutex`.
    private var phase = Phase.off
    private var settled: Blocks = 0
    private var entries: [UInt32: Entry] = [:]
    /// Changes when an entry goes: who has looked at an object to note it looks again.
    private var epoch: UInt64 = 0
    /// While the layer is walked: inodes that went.
    private var removedInodes: Set<UInt64> = []
    private var limit = UpperUsage.firstLimit
    /// So many entries are settled by whoever makes the next.
    private static let firstLimit = 8192
    /// Files of more may get another block when their data are written, for where those are: ext4 has room for four
    /// extents in an inode, and these have at most four blocks of data.
    private static let large: Blocks = 32
    private static let restless: UInt64 = 60

    private static var now: UInt64 { Clock.monotonic / 1_000_000_000 }

    /// Whether changes are to be announced.
    @inline(__always) var isOn: Bool { isWatching.load(ordering: .relaxed) }
    var isUsable: Bool { mutex.locked { phase == .on } }

    // ---- announcements: each holds the entry until `release` ----

    enum Announced {
        case known
        case unknown(epoch: UInt64)
    }
    /// Nothing else is to be done for one that is known.
    func hold(_ node: UInt32) -> Announced {
        mutex.locked {
            guard let index = entries.index(forKey: node) else { return .unknown(epoch: epoch) }
            touchLocked(index, holders: 1)
            return .known
        }
    }
    private func touchLocked(_ index: Dictionary<UInt32, Entry>.Index, holders: UInt32) {
        entries.values[index].touched = Self.now
        entries.values[index].turn &+= 1
        entries.values[index].holders &+= holders
    }
    /// An object as it is before its change; 0 for one that is not in the upper layer yet. False: entries went since it
    /// was looked at, so that it may have been another's: again.
    func note(_ node: UInt32, _ blocks: Blocks, epoch seen: UInt64) -> Bool {
        mutex.locked {
            if let index = entries.index(forKey: node) {
                touchLocked(index, holders: 1)
                return true
            }
            guard seen == epoch else { return false }
            entries[node] = Entry(counted: phase == .walking ? 0 : blocks, touched: Self.now, holders: 1)
            return true
        }
    }
    /// It was made just now, and nobody else knows it yet.
    func made(_ node: UInt32) { mutex.locked { entries[node] = Entry(counted: 0, touched: Self.now) } }
    /// True: it is time to settle.
    func release(_ node: UInt32) -> Bool {
        mutex.locked {
            if let index = entries.index(forKey: node) {
                if entries.values[index].holders > 0 { entries.values[index].holders -= 1 }
                entries.values[index].touched = Self.now
                entries.values[index].turn &+= 1
            }
            return phase == .on && entries.count >= limit
        }
    }
    /// Its last name is gone. `blocks`: what it had, where it is not noted.
    func removed(_ node: UInt32?, inode: UInt64, _ blocks: Blocks) {
        mutex.locked {
            let entry = node.flatMap { entries.removeValue(forKey: $0) }
            epoch &+= 1
            if phase == .walking { removedInodes.insert(inode) } else { settled -= entry?.counted ?? blocks }
        }
    }
    /// Of its announcements so far: to be asked for before the object is looked at. Nil where it is not noted.
    func turn(_ node: UInt32) -> UInt32? { mutex.locked { entries[node]?.turn } }
    /// The node stops to stand for the object, which was as it says at that turn. The caller holds it.
    /// - Returns: false: it stays noted, as somebody else is at it, or was since it was looked at: an open may have
    ///   ended in between, and written already.
    func settle(_ node: UInt32, _ blocks: Blocks, turn: UInt32) -> Bool {
        mutex.locked {
            guard let entry = entries[node] else { return true }
            // What the walk makes of it nobody knows.
            if phase == .walking {
                giveUpLocked()
                return true
            }
            if entry.holders > 1 || entry.turn != turn { return false }
            entries[node] = nil
            epoch &+= 1
            settled += blocks - entry.counted
            return true
        }
    }
    /// The node is gone, and what it stood for was not looked at.
    func lost(_ node: UInt32) { mutex.locked { if entries[node] != nil { giveUpLocked() } } }
    /// The next question walks again.
    func giveUp() { mutex.locked { giveUpLocked() } }
    private func giveUpLocked() {
        phase = .off
        isWatching.store(false, ordering: .relaxed)
        entries = [:]
        removedInodes = []
        settled = 0
        epoch &+= 1
        limit = Self.firstLimit
    }

    // ---- the walk ----

    /// Known from elsewhere: nobody needs to walk.
    func begin(bytes: Int64) {
        mutex.locked {
            giveUpLocked()
            settled = bytes / 512
            phase = .on
            isWatching.store(true, ordering: .relaxed)
        }
    }

    func beginWalk() {
        mutex.locked {
            giveUpLocked()
            phase = .walking
            isWatching.store(true, ordering: .relaxed)
        }
    }
    /// What the walk has found, by inode. Of what changed meanwhile it may have seen anything: that is taken out, and
    /// looked at when asked for.
    /// - Parameter inode: of a noted node's object now; nil where it has none in the upper layer.
    func endWalk(_ found: [UInt64: Blocks], _ inode: (UInt32) -> UInt64?) {
        var numbers: [UInt32: UInt64?] = [:]
        while true {
            let unknown = mutex.locked { () -> [UInt32] in
                let unknown = entries.keys.filter { numbers[$0] == nil }
                guard unknown.isEmpty, phase == .walking else { return unknown }
                var found = found
                for case let number? in numbers.values { found[number] = 0 }
                for number in removedInodes { found[number] = 0 }
                removedInodes = []
                settled = found.values.reduce(0, +)
                phase = .on
                return []
            }
            if unknown.isEmpty { return }
            for node in unknown { numbers[node] = .some(inode(node)) }
        }
    }

    // ---- the answer ----

    /// The figure in bytes, after a look at all that may have changed.
    /// - Parameter look: a node's blocks now, and whether it is open; nil where it has no object in the upper layer.
    /// - Returns: and how many objects may still change by themselves.
    func bytes(_ look: (UInt32) -> (blocks: Blocks, isOpen: Bool)?) -> (bytes: Int64, restless: Int) {
        let noted = mutex.locked { entries.map { ($0.key, $0.value.turn) } }
        var open: Blocks = 0
        for (node, turn) in noted {
            let seen = look(node)
            mutex.locked {
                guard let entry = entries[node] else { return }
                let difference = (seen?.blocks ?? 0) - entry.counted
                let isQuiet =
                    entry.turn == turn && entry.holders == 0 && seen?.isOpen != true
                    && (seen.map { $0.blocks <= Self.large } ?? true || Self.now - entry.touched > Self.restless)
                if isQuiet {
                    settled += difference
                    entries[node] = nil
                    epoch &+= 1
                } else {
                    open += difference
                }
            }
        }
        return mutex.locked {
            limit = max(Self.firstLimit, entries.count * 2)
            return ((settled + open) * 512, entries.count)
        }
    }
}

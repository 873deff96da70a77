internal import LinuxSys
internal import MountState
internal import UnionCore

/// Open merged directories by node. A cache with a bound on descriptors: what is dropped is looked up again when it is
/// needed, and whoever uses one meanwhile keeps it open.
final class DirectoryCache: @unchecked Sendable {
    private struct Slot {
        var directory: MergedDirectory
        var used: Bool
    }
    private final class Shard {
        let mutex = Mutex(.leaf)
        var slots: [UInt32: Slot] = [:]
        /// Keys in the order of the clock's hand.
        var ring: [UInt32] = []
        var hand = 0
        let statistics: MountStatistics?
        var descriptors = 0 { didSet { statistics?.addGauge(.cachedDescriptors, descriptors - oldValue) } }
        init(_ statistics: MountStatistics?) { self.statistics = statistics }
    }
    private let shards: [Shard]
    private let limit: Int
    private static let shardCount = 16

    /// - Parameter descriptors: as many as may be open at once, roughly: parts shared by two directories count twice.
    init(descriptors: Int, statistics: MountStatistics? = nil) {
        shards = (0..<Self.shardCount).map { _ in Shard(statistics) }
        limit = max(descriptors / Self.shardCount, 4)
    }

    private func shard(_ node: UInt32) -> Shard { shards[Int(node) & (Self.shardCount - 1)] }

    func find(_ node: UInt32) -> MergedDirectory? {
        let shard = shard(node)
        return shard.mutex.locked {
            guard let slot = shard.slots[node] else { return nil }
            if !slot.used { shard.slots[node]?.used = true }
            return slot.directory
        }
    }

    /// Enters or replaces. Others are dropped to stay within the bound.
    func put(_ node: UInt32, _ directory: MergedDirectory) {
        let shard = shard(node)
        // Dropped outside the lock: the last reference closes descriptors.
        var dropped: [MergedDirectory] = []
        shard.mutex.locked {
            if let old = shard.slots[node] {
                shard.descriptors -= old.directory.descriptorCount
                dropped.append(old.directory)
            } else {
                shard.ring.append(node)
            }
            shard.slots[node] = Slot(directory: directory, used: true)
            // Places of what was removed go with a look of the hand, or here where it never has to look.
            if shard.ring.count > 2 * shard.slots.count + 64 {
                shard.ring = Array(shard.slots.keys)
                shard.hand = 0
            }
            shard.descriptors += directory.descriptorCount
            evictLocked(shard, to: limit, keeping: node, &dropped)
        }
        withExtendedLifetime(dropped) {}
    }

    /// Only if nothing is known yet: a lookup must not overwrite what a copy-up put there.
    func putIfAbsent(_ node: UInt32, _ directory: MergedDirectory) {
        if find(node) == nil { put(node, directory) }
    }

    func remove(_ node: UInt32) {
        let shard = shard(node)
        let old = shard.mutex.locked { () -> MergedDirectory? in
            guard let slot = shard.slots.removeValue(forKey: node) else { return nil }
            shard.descriptors -= slot.directory.descriptorCount
            return slot.directory
        }
        withExtendedLifetime(old) {}
    }

    /// When descriptors have run out: all that can be closed.
    func drain() {
        for shard in shards {
            var dropped: [MergedDirectory] = []
            shard.mutex.locked { evictLocked(shard, to: 0, keeping: 0, &dropped) }
            withExtendedLifetime(dropped) {}
        }
    }

    var descriptors: Int { shards.reduce(0) { sum, shard in sum + shard.mutex.locked { shard.descriptors } } }

    private func evictLocked(_ shard: Shard, to limit: Int, keeping: UInt32, _ dropped: inout [MergedDirectory]) {
        var rounds = shard.ring.count * 2
        while shard.descriptors > limit, rounds > 0, !shard.ring.isEmpty {
            rounds -= 1
            if shard.hand >= shard.ring.count { shard.hand = 0 }
            let key = shard.ring[shard.hand]
            guard let slot = shard.slots[key] else {
                // Removed since: its place in the ring goes with the next look.
                shard.ring[shard.hand] = shard.ring[shard.ring.count - 1]
                shard.ring.removeLast()
                continue
            }
            if slot.used || key == keeping {
                shard.slots[key]?.used = false
                shard.hand += 1
                continue
            }
            shard.slots[key] = nil
            shard.descriptors -= slot.directory.descriptorCount
            dropped.append(slot.directory)
            shard.ring[shard.hand] = shard.ring[shard.ring.count - 1]
            shard.ring.removeLast()
        }
    }
}

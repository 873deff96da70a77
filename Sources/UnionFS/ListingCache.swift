internal import LinuxSys
internal import MountState
internal import UnionCore

/// Listings of directories by node, with a bound on their memory: what is dropped is read again when it is needed.
///
/// A listing is entered, found and changed with its directory's lock held, so that it always says what the layers say.
final class ListingCache: @unchecked Sendable {
    private struct Slot {
        let listing: MergedListing
        var used: Bool
        /// As it was counted last: listings grow.
        var footprint: Int
    }
    private let mutex = Mutex(.leaf)
    private var slots: [UInt32: Slot] = [:]
    /// Keys in the order of the clock's hand.
    private var ring: [UInt32] = []
    private var hand = 0
    private var bytes = 0 { didSet { statistics?.setGauge(.listingBytes, bytes) } }
    private let statistics: MountStatistics?
    private let limit: Int
    /// Some are kept however large: a directory that is being read would else be read from the start for each buffer.
    private static let always = 8

    init(bytes limit: Int = 8 << 20, statistics: MountStatistics? = nil) {
        self.limit = limit
        self.statistics = statistics
    }

    func find(_ node: UInt32) -> MergedListing? {
        mutex.locked {
            guard let slot = slots[node] else { return nil }
            if !slot.used { slots[node]?.used = true }
            return slot.listing
        }
    }

    /// The first to come wins: two who read a directory at once read the same.
    func put(_ node: UInt32, _ listing: MergedListing) -> MergedListing {
        let footprint = listing.footprint
        return mutex.locked {
            if let known = slots[node] { return known.listing }
            slots[node] = Slot(listing: listing, used: true, footprint: footprint)
            ring.append(node)
            bytes += footprint
            evictLocked(keeping: node)
            return listing
        }
    }

    func remove(_ node: UInt32) {
        mutex.locked {
            guard let slot = slots.removeValue(forKey: node) else { return }
            bytes -= slot.footprint
            // Places of what was removed go with a look of the hand, or here where it never has to look.
            if ring.count > 2 * slots.count + 64 {
                ring = Array(slots.keys)
                hand = 0
            }
        }
    }

    var footprint: Int { mutex.locked { bytes } }

    private func evictLocked(keeping: UInt32) {
        var rounds = ring.count * 2
        while bytes > limit, slots.count > Self.always, rounds > 0 {
            rounds -= 1
            if hand >= ring.count { hand = 0 }
            let key = ring[hand]
            guard let slot = slots[key] else {
                dropPlaceLocked()
                continue
            }
            if slot.used || key == keeping {
                let now = slot.listing.footprint
                bytes += now - slot.footprint
                slots[key]?.footprint = now
                slots[key]?.used = false
                hand += 1
                continue
            }
            slots[key] = nil
            bytes -= slot.footprint
            dropPlaceLocked()
        }
    }
    private func dropPlaceLocked() {
        ring[hand] = ring[ring.count - 1]
        ring.removeLast()
    }
}

internal import LinuxSys
internal import Synchronization

/// A directory of the union: its parts, uppermost first, each an open descriptor. Immutable: a copy-up makes a new one
/// that shares the lower parts. It may be dropped and built anew at any time (`LayerStack.lookup`); descriptors are a
/// cache.
public final class MergedDirectory: Sendable {
    public let parts: [LayerDirectory]
    /// The first part lies in the upper layer.
    public let hasUpper: Bool

    /// Names that were looked for in the parts, in calls; and how many the reading of all parts would be, roughly.
    private let asked = Atomic<UInt32>(0)
    private let readingCost: UInt32

    public init(parts: [LayerDirectory], hasUpper: Bool) {
        self.parts = parts
        self.hasUpper = hasUpper
        // An open, two getdents and a close for each part; an entry of some 40 bytes takes a fifteenth of a call.
        readingCost = parts.reduce(8) { $0 &+ 8 &+ UInt32(clamping: $1.size / 600) }
    }

    /// Looking names up in the parts one by one has cost as much by now as a listing would, which then answers for all.
    /// Whoever does that always pays at most twice what the better choice would have cost.
    /// When it says so it begins anew: a listing that does not stay in its cache is not made again for each name.
    public func isListingDue() -> Bool {
        guard asked.wrappingAdd(UInt32(truncatingIfNeeded: parts.count), ordering: .relaxed).newValue > readingCost
        else { return false }
        asked.store(0, ordering: .relaxed)
        return true
    }

    /// Descriptors that this one keeps open, shared ones included.
    public var descriptorCount: Int { parts.count }
    public var upper: LayerDirectory? { hasUpper ? parts.first : nil }
    public var lowerParts: ArraySlice<LayerDirectory> { hasUpper ? parts.dropFirst() : parts[...] }
    /// More than one layer, or could become so: what decides whether a removed name needs a whiteout.
    public var hasLower: Bool { parts.count > (hasUpper ? 1 : 0) }
    public var isMerged: Bool { parts.count > 1 }

    /// The part that lies in a layer; nil where that layer does not contribute.
    public func part(inLayer layer: Int) -> LayerDirectory? {
        for part in parts where part.layer == layer { return part }
        return nil
    }
    /// The same directory after its copy-up.
    public func addingUpper(_ upper: LayerDirectory) -> MergedDirectory {
        MergedDirectory(parts: [upper] + lowerParts, hasUpper: true)
    }
}

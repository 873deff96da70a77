internal import FuseKit
public import LinuxSys

/// The records of a mount, in memory that a process and those it forks have together: what one that dies leaves behind, the next goes on with
/// (docs/takeover.md).
public final class UnionMemory: Sendable {
    let region: RecordRegion

    public init() throws(Errno) { region = try RecordRegion(slots: SessionOptions.deviceSlots + SessionOptions.ringSlots) }

    /// INIT as the kernel sent it; empty before that: nothing was served yet.
    public var initRequest: [UInt8] { region.initRequest }
    /// Whether INIT agreed on io_uring.
    public var hasRings: Bool { region.hasRings }
    public var hasServed: Bool { region.hasInit }
    /// Which of the mount's processes, from 0 on, last began to serve; -1: none.
    public var servingGeneration: Int { region.serving }
    public func noteServing(_ generation: Int) { region.serving = generation }
}

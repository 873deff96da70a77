internal import FuseKit
public import LinuxSys

/// The records of a mount, in memory that a process and those it forks have together: what one that dies leaves behind,
/// the next goes on with (docs/takeover.md).
public final class UnionMemory: Sendable {
    let region: RecordRegion

    public init() throws(Errno) { region = try RecordRegion(slots: UnionMemory.slots) }
    /// Of another program, whose `format` is ours. There must be nothing at `address` yet: the kernel has addresses of
    /// rings (EEXIST).
    public init(adopting file: FD, at address: UInt) throws(Errno) {
        region = try RecordRegion(slots: UnionMemory.slots, adopting: (file, address))
    }
    static let slots = SessionOptions.deviceSlots + SessionOptions.ringSlots

    /// Programs with the same one understand each other's records.
    public static let format = "\(RecordRegion.format):\(slots)"
    public var file: FD { region.memory.fd }
    public var address: UInt { region.address }
    /// For who replaces the program: the one that is open, and when the last process stopped for it.
    public var program: FD {
        get { FD(raw: region.program) }
        set { region.program = newValue.raw }
    }
    /// The process that starts those who serve; 0: none yet.
    public var guardian: Int32 {
        get { region.guardian }
        set { region.guardian = newValue }
    }
    public var stopped: UInt64 {
        get { region.stopped }
        set { region.stopped = newValue }
    }

    /// INIT as the kernel sent it; empty before that: nothing was served yet.
    public var initRequest: [UInt8] { region.initRequest }
    /// Whether INIT agreed on io_uring.
    public var hasRings: Bool { region.hasRings }
    public var hasServed: Bool { region.hasInit }
    /// Which of the mount's processes, from 0 on, last began to serve; -1: none.
    public var servingGeneration: Int { region.serving }
    public func noteServing(_ generation: Int) { region.serving = generation }
}

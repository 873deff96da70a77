internal import CShims

/// What makes the death of a ring's thread harmless (`cs_ring_anchor` in ring.c). One serves all rings of a process.
@safe
public final class RingAnchor: @unchecked Sendable {
    fileprivate let descriptor: OwnedFD
    public init() throws(Errno) {
        descriptor = OwnedFD(adopting: Int32(truncatingIfNeeded: try checked { cs_ring_anchor_open() }))
    }
}

/// An io_uring instance for FUSE's commands (ring.c): made by anybody, used by the thread that enables it and no other.
@safe
public final class Ring: @unchecked Sendable {
    private let raw: UnsafeMutableRawPointer

    /// Room for two commands, one that waits for a request and one that follows it, and for the anchor.
    /// - Throws: ENOSYS, EPERM where io_uring is missing or forbidden (kernel.io_uring_disabled, seccomp); EINVAL
    ///   before Linux 6.1.
    public init() throws(Errno) {
        var ring: UnsafeMutableRawPointer?
        try checked { unsafe cs_ring_open(4, &ring) }
        guard let made = unsafe ring else { throw .noMemory }
        unsafe raw = made
    }
    deinit { unsafe cs_ring_close(raw) }

    public func enable() throws(Errno) { try checked { unsafe cs_ring_enable(raw) } }

    /// Once, before the first command.
    public func hold(_ anchor: RingAnchor) throws(Errno) {
        try checked { unsafe cs_ring_anchor(raw, anchor.descriptor.fd.raw) }
    }

    /// Queues a FUSE command, which goes with the next `wait`. `vectors`: two iovecs that live as long as the command.
    @unsafe public func fuse(
        _ device: FD, _ command: UInt32, vectors: UnsafeRawPointer, commit: UInt64, queue: UInt16
    ) throws(Errno) {
        try checked { unsafe cs_ring_fuse(raw, device.raw, command, vectors, commit, queue) }
    }
    /// Submits what is queued, for whom somebody else waits.
    public func submit() throws(Errno) { try checked { unsafe cs_ring_submit(raw) } }
    /// Submits what is queued and waits for one completion: its result, or `-errno`. One system call.
    /// - Throws: EINTR after a signal, as who wakes a thread by one means it to look up.
    public func wait() throws(Errno) -> Int32 {
        var result: Int32 = 0
        try checkedOnce { unsafe cs_ring_wait(raw, &result) }
        return result
    }

    /// Processors that the kernel may ever have, running or not (/sys/devices/system/cpu/possible): FUSE wants a queue
    /// for each.
    public static var possibleProcessors: Int? {
        do throws(Errno) {
            let file = try FD.currentDirectory.open(FileName("/sys/devices/system/cpu/possible"), 0)
            let text = try file.fd.readAll()
            // "0-7", or "0".
            guard let last = text.split(whereSeparator: { !(0x30...0x39).contains($0) }).last else { return nil }
            let count = last.reduce(0) { $0 * 10 + Int($1 - 0x30) } + 1
            return count <= 4096 ? count : nil
        } catch { return nil }
    }
}

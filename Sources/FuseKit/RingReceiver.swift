internal import CShims
internal import Glibc
internal import LinuxSys

/// One thread that takes requests from one of the connection's io_uring queues. A queue belongs to a processor; its
/// threads run there, so that a request is served where it was made, with no other processor woken (but for long reads:
/// `Placement`). One system call for each request: it hands the reply over and waits for the next one
/// (FUSE_IO_URING_CMD_COMMIT_AND_FETCH).
///
/// What the kernel writes for a request: its header and the operation's in `header`, names and data in the payload,
/// where the reply's data go too.
@safe
final class RingReceiver: ServingThread, @unchecked Sendable {
    private let device: FD
    private let queue: UInt16
    private let ring: Ring
    private let anchor: RingAnchor?
    private let dispatcher: Dispatcher
    private let memory: UnsafeMutableRawPointer
    private let capacity: Int
    private let pacer: Pacer
    /// Of this thread among the pacer's.
    private let place: Int
    private var placement = Placement()
    /// Where the next process finds what this thread was doing; the memory is there then.
    private let slot: InflightSlot?
    /// A process before this one served from there.
    private let isTakenOver: Bool

    /// In `memory`: header and iovecs; a request of names; then, at a page, what a long one's header is put before, and
    /// the payload.
    private static let vectorsAt = 512, requestAt = 1024
    private static let shortRequest = 3 * Dispatcher.pageSize
    private static let payloadAt = 5 * Dispatcher.pageSize

    /// - Parameter capacity: the longest payload; the kernel refuses less than the longest WRITE.
    init(
        _ session: Session, device: FD, queue: UInt16, ring: Ring, anchor: RingAnchor?, capacity: Int, pacer: Pacer,
        place: Int, slot: InflightSlot? = nil, isTakenOver: Bool = false
    ) {
        self.device = device
        self.queue = queue
        self.ring = ring
        self.anchor = anchor
        self.pacer = pacer
        self.place = place
        self.capacity = max(capacity, Int(FUSE_MIN_READ_BUFFER))
        let length = Self.payloadAt + self.capacity
        var lent: UnsafeMutableRawPointer?
        if let slot, slot.replies.count >= length { unsafe lent = slot.replies.buffer.baseAddress }
        self.slot = unsafe lent == nil ? nil : slot
        self.isTakenOver = unsafe isTakenOver && lent != nil
        let whole = unsafe lent ?? UnsafeMutableRawPointer.allocate(byteCount: length, alignment: Dispatcher.pageSize)
        unsafe memory = whole
        let from = Self.payloadAt - Dispatcher.pageSize
        dispatcher = unsafe Dispatcher(
            session.filesystem,
            replies: MutableBytes(UnsafeMutableRawBufferPointer(start: whole + from, count: length - from)))
        dispatcher.extendedSetxattr = session.connection?.agreed.contains(.setxattrExtended) ?? false
        // Two struct iovec.
        let vectors = unsafe [
            UInt(bitPattern: whole), UInt(MemoryLayout<fuse_uring_req_header>.size),
            UInt(bitPattern: whole + Self.payloadAt), UInt(self.capacity),
        ]
        for (position, word) in vectors.enumerated() {
            unsafe (whole + Self.vectorsAt).storeBytes(
                of: word, toByteOffset: position * MemoryLayout<UInt>.size, as: UInt.self)
        }
        super.init(session)
    }
    deinit { if slot == nil { unsafe memory.deallocate() } }

    override func run() {
        _ = cs_wake_accept()
        // A processor that is off, or not ours by cpuset(7): served from another then.
        _ = cs_thread_pin(Int32(queue))
        // A thread that is being killed is given requests up to its end, and the next process finds them here
        // (cs_ring_anchor). But the kernel cannot write into a page that is not in this process's page tables then: it
        // would end the request with EINTR (iov_iter_get_pages2, faultin_page under a fatal signal). Names fit into
        // what is always made; data that are longer than any before them are what is left to chance.
        slot?.populateReplies(always: Self.payloadAt + 2 * Dispatcher.pageSize)
        slot?.enter()
        session.began(self, cs_thread_self())
        pacer.enter(place)
        let end = loop()
        pacer.leave(place)
        session.ended(self, end)
    }

    private func loop() -> Session.End {
        do throws(Errno) {
            try ring.enable()
            if let anchor { try ring.hold(anchor) }
            var isHandingOver = false
            if isTakenOver, let commit = pickUp() {
                isHandingOver = true
                try send(UInt32(FUSE_IO_URING_CMD_COMMIT_AND_FETCH), commit)
            } else {
                try send(UInt32(FUSE_IO_URING_CMD_REGISTER))
            }
            if isTakenOver {
                try ring.submit()
                session.noteRegistered()
            }
            while !session.isStopping {
                let result: Int32
                do throws(Errno) { result = try ring.wait() } catch {
                    if error == .interrupted { continue }
                    throw error
                }
                switch -result {
                case 0:
                    isHandingOver = false
                    let commit = serve()
                    pacer.served(place)
                    try send(UInt32(FUSE_IO_URING_CMD_COMMIT_AND_FETCH), commit)
                // The process before had handed that reply over: its entry is lost with its ring.
                case ENOENT where isHandingOver:
                    isHandingOver = false
                    try send(UInt32(FUSE_IO_URING_CMD_REGISTER))
                    try ring.submit()
                    session.nudge(queue)
                // The last mount is gone, or the connection was aborted (fuse_uring_teardown_entries).
                case ENOTCONN, ECONNABORTED, ECANCELED, ENODEV:
                    // The last reply may be what was refused.
                    dispatcher.takeBack()
                    return .unmounted
                case let code: throw Errno(code)
                }
            }
            return .stopped
        } catch {
            Log.error("io_uring queue \(queue)", error)
            return .failed(error)
        }
    }

    private func send(_ command: UInt32, _ commit: UInt64 = 0) throws(Errno) {
        try unsafe ring.fuse(device, command, vectors: memory + Self.vectorsAt, commit: commit, queue: queue)
    }

    private var header: UnsafeMutablePointer<fuse_uring_req_header> {
        unsafe memory.assumingMemoryBound(to: fuse_uring_req_header.self)
    }

    /// What the process before has left here, answered: the id to hand the reply over with. Nil: nothing was under way,
    /// or it was FORGET's kind.
    ///
    /// The header has an id from when the kernel wrote a request until its reply was about to be handed over; the slot
    /// says how far it got.
    private func pickUp() -> UInt64? {
        guard let slot else { return nil }
        let arrived = unsafe header.pointee.ring_ent_in_out.commit_id
        if arrived != 0, slot.state == .idle || slot.commit != arrived { return serve() }
        switch slot.state {
        case .replied:
            // Perhaps handed over: then the kernel knows no such id any more.
            return handOver(dispatcher.repeated(slot.reply, unique), slot.commit)
        case .begun:
            session.filesystem.undo(slot)
            if slot.attempts >= Takeover.mostAttempts {
                Log.error("a request (\(slot.opcode)) ended \(slot.attempts + 1) processes; it is answered with EIO")
                return handOver(dispatcher.finish(unique, length: 0, error: Errno.io.code), slot.commit)
            }
            slot.beginAgain()
            // A WRITE's reply lies over its first bytes.
            if slot.opcode == FUSE_WRITE, slot.isDone {
                let length = dispatcher.payload.store(fuse_write_out(size: slot.result, padding: 0))
                return handOver(dispatcher.finish(unique, length: length, error: 0), slot.commit)
            }
            let entry = unsafe header.pointee.ring_ent_in_out
            return serve(
                message(payload: min(Int(entry.payload_sz), capacity), isAgain: true), commit: slot.commit,
                isAgain: true)
        default: return nil
        }
    }

    /// Serves what the kernel has written, leaves the reply in the same place, and answers the id to hand it over with.
    private func serve() -> UInt64 {
        let entry = unsafe header.pointee.ring_ent_in_out
        let message = message(payload: min(Int(entry.payload_sz), capacity))
        // In this order: a reply of before must not be taken for this one's.
        slot?.end()
        slot?.commit = entry.commit_id
        if let slot {
            slot.begin(message)
            session.filesystem.began(slot)
        }
        return serve(message, commit: entry.commit_id)
    }

    private func serve(_ message: Bytes, commit: UInt64, isAgain: Bool = false) -> UInt64 {
        let arrived = Clock.monotonic
        var failed = false
        let reply: Bytes
        switch dispatcher.handle(message, isAgain: isAgain) {
        case .reply(let bytes, let error):
            reply = bytes
            failed = error
        // DESTROY, or what nobody waits for: the entry must be handed back all the same.
        case .silent, .library: reply = dispatcher.finish(unique, length: 0, error: 0)
        case .unreadable: reply = dispatcher.finish(unique, length: 0, error: Errno.io.code)
        }
        let opcode = message.uint32(at: 4)
        session.filesystem.served(opcode: opcode, nanoseconds: Clock.monotonic &- arrived, failed: failed)
        if let move = placement.served(read: opcode == FUSE_READ ? reply.count - Dispatcher.headerSize : 0) {
            _ = move == .home ? cs_thread_pin(Int32(queue)) : cs_thread_unpin()
        }
        return handOver(reply, commit)
    }

    private func handOver(_ reply: Bytes, _ commit: UInt64) -> UInt64 {
        if let slot {
            slot.replied(reply.count)
            session.filesystem.ended(slot)
        }
        if let out = unsafe reply.buffer.baseAddress {
            unsafe memory.copyMemory(from: out, byteCount: Dispatcher.headerSize)
        }
        unsafe header.pointee.ring_ent_in_out.payload_sz = UInt32(
            truncatingIfNeeded: reply.count - Dispatcher.headerSize)
        // The next that is there is another request's.
        unsafe header.pointee.ring_ent_in_out.commit_id = 0
        return commit
    }

    private var unique: UInt64 { unsafe memory.loadUnaligned(as: fuse_in_header.self).unique }

    /// Header, operation's header and payload in one piece, as a read of /dev/fuse has them. What is short is copied,
    /// because the reply is written where its payload lies; what is long is data to be written, whose reply is a number
    /// of bytes.
    ///
    /// `isAgain`: what was copied is there already, and the payload perhaps not any more.
    private func message(payload: Int, isAgain: Bool = false) -> Bytes {
        let size = MemoryLayout<fuse_in_header>.size
        let total = Int(unsafe memory.loadUnaligned(as: fuse_in_header.self).len)
        let operation = min(max(total - size - payload, 0), 128)
        let head = size + operation
        let isShort = head + payload <= Self.shortRequest
        let start = unsafe isShort ? memory + Self.requestAt : memory + (Self.payloadAt - head)
        unsafe start.copyMemory(from: memory, byteCount: size)
        unsafe (start + size).copyMemory(from: memory + 128, byteCount: operation)
        if isShort, payload > 0, !isAgain {
            unsafe (start + head).copyMemory(from: memory + Self.payloadAt, byteCount: payload)
        }
        return unsafe Bytes(UnsafeRawBufferPointer(start: start, count: head + payload))
    }
}

internal import CShims
internal import Glibc
internal import LinuxSys

/// One thread that takes requests from the kernel, with a descriptor, a receive buffer and a reply buffer of its own.
/// What is allocated is allocated here, once.
@safe
final class Receiver: ServingThread, @unchecked Sendable {
    private let channel: FD
    private let ownsChannel: Bool
    private let dispatcher: Dispatcher
    private let request: UnsafeMutableRawPointer
    private let capacity: Int
    /// Where the next process finds what this thread was doing; the buffers are there then.
    private let slot: InflightSlot?
    private let pacer: Pacer?
    /// Of this thread among the pacer's.
    private let place: Int

    /// The kernel wants room for the longest WRITE and its header, and refuses every read(2) otherwise
    /// (fuse_dev_do_read).
    init(
        _ session: Session, channel: FD, ownsChannel: Bool, slot: InflightSlot? = nil, pacer: Pacer? = nil,
        place: Int = 0
    ) {
        let payload = Int(session.options.wanted.clampedMaxWrite)
        self.channel = channel
        self.ownsChannel = ownsChannel
        self.pacer = pacer
        self.place = place
        let length = max(payload, Int(FUSE_MIN_READ_BUFFER)) + Dispatcher.pageSize
        self.slot = slot.flatMap { $0.request.count >= length && $0.replies.count >= length ? $0 : nil }
        dispatcher =
            self.slot.map { Dispatcher(session.filesystem, replies: $0.replies) }
            ?? Dispatcher(session.filesystem, capacity: payload)
        dispatcher.extendedSetxattr = session.connection?.agreed.contains(.setxattrExtended) ?? false
        capacity = length
        if let lent = unsafe self.slot?.request.buffer.baseAddress {
            unsafe request = lent
        } else {
            unsafe request = UnsafeMutableRawPointer.allocate(byteCount: length, alignment: Dispatcher.pageSize)
        }
        super.init(session)
    }
    deinit {
        if slot == nil { unsafe request.deallocate() }
        if ownsChannel { channel.close() }
    }

    override func run() {
        _ = cs_wake_accept()
        cs_thread_set_channel(channel.raw)
        slot?.enter()
        session.began(self, cs_thread_self())
        pacer?.enter(place)
        let end = loop()
        pacer?.leave(place)
        session.ended(self, end)
    }

    private func loop() -> Session.End {
        while !session.isStopping {
            slot?.clearRequest()
            let received = unsafe cs_read(channel.raw, request, capacity)
            if received > 0 {
                if let end = serve(unsafe Bytes(UnsafeRawBufferPointer(start: request, count: received))) { return end }
                continue
            }
            switch Int32(truncatingIfNeeded: -received) {
            // A request that was interrupted before we had it; a signal; a descriptor that somebody made non-blocking.
            case ENOENT, EINTR, EAGAIN: continue
            // The last mount is gone, or the connection was aborted (fuse_dev_do_read).
            case ENODEV, ECONNABORTED, 0: return .unmounted
            case ENOMEM: cs_sleep_ms(1)
            case let code:
                Log.error("read of /dev/fuse", Errno(code))
                return .failed(Errno(code))
            }
        }
        return .stopped
    }

    /// Of `pid` in struct fuse_in_header.
    private static let callerAt = 32

    /// nil: go on.
    private func serve(_ message: Bytes) -> Session.End? {
        let arrived = Clock.monotonic
        let failed: Bool
        var replied = 0
        begin(message)
        let outcome = dispatcher.handle(message)
        switch outcome {
        case .silent:
            failed = false
            // A FORGET is not there any more before it is done with: it must not be done twice.
            slot?.clearRequest()
            end()
        case .reply(let bytes, let error):
            failed = error
            replied = bytes.count
            slot?.replied(bytes.count)
            send(bytes)
            end()
        case .library:
            end()
            return session.processByLibrary(message, dispatcher)
        case .unreadable:
            end()
            Log.error("a message of \(message.count) bytes without a header")
            return nil
        }
        let opcode = message.uint32(at: 4)
        session.filesystem.served(opcode: opcode, nanoseconds: Clock.monotonic &- arrived, failed: failed)
        if let pacer {
            let caller = message.uint32(at: Self.callerAt)
            // The kernel's readahead and writeback, which nobody waits for yet.
            let isLong = opcode == FUSE_READ && replied >= Placement.long || opcode == FUSE_WRITE && caller == 0
            pacer.served(place, caller: caller, isLong: isLong)
        }
        return nil
    }

    private func begin(_ message: Bytes) {
        guard let slot else { return }
        slot.begin(message)
        session.filesystem.began(slot)
    }
    private func end() {
        guard let slot else { return }
        slot.end()
        session.filesystem.ended(slot)
    }

    /// ENOENT: the caller was killed and the kernel has forgotten the request. Anything else is our fault or a want of
    /// memory; the kernel has then ended the request with EIO, or still waits: a bare EIO helps in the second case and
    /// does no harm in the first.
    private func send(_ reply: Bytes) {
        let result = unsafe cs_write(channel.raw, reply.buffer.baseAddress, reply.count)
        if result >= 0 { return }
        dispatcher.takeBack()
        let error = Errno(Int32(truncatingIfNeeded: -result))
        if error == .noEntry || error == .noDevice { return }
        Log.error("reply of \(reply.count) bytes", error)
        let bare = dispatcher.ioError(insteadOf: reply)
        _ = unsafe cs_write(channel.raw, bare.buffer.baseAddress, bare.count)
    }
}

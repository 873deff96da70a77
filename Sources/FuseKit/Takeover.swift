internal import CShims
internal import Glibc
internal import LinuxSys

extension InflightSlot {
    /// Between two requests: nothing is in the buffer.
    @inline(__always) func clearRequest() { request.store(UInt32(0)) }

    /// A request was received.
    @inline(__always)
    func begin(_ message: Bytes) {
        guard let header = message.load(fuse_in_header.self) else { return }
        switch header.opcode {
        case FUSE_FORGET, FUSE_BATCH_FORGET: beginForgetting()
        default: begin(unique: header.unique & ~FUSE_UNIQUE_RESEND, opcode: header.opcode, subject: header.nodeid)
        }
    }
}

/// What a process that died had in hand, done to its end by the one that comes after it (docs/takeover.md):
///
/// - a FORGET that it had received, which the kernel does not send again;
/// - a request whose reply was complete: if the kernel asks again, the same reply once more;
/// - a request that was under way: what was counted and opened for it is taken back, and it is served again by who
///   knows that it may be done already.
///
/// On one thread, before any other serves.
@safe
struct Takeover {
    private let filesystem: FileSystem
    private let device: FD
    private let agreed: Agreement
    private let slots: [InflightSlot]
    /// For what had no slot.
    private let own: InflightSlot?
    /// Its: a FORGET that is in there is not lost with this process either.
    private let buffer: UnsafeMutableRawBufferPointer
    private let ownsBuffer: Bool
    /// Of one request that each time ends in the death of who serves it.
    static let mostAttempts: UInt32 = 3

    init(_ filesystem: FileSystem, _ connection: Connection, _ device: FD) {
        self.filesystem = filesystem
        self.device = device
        agreed = connection.agreement
        slots = (0..<min(filesystem.slotCount, SessionOptions.deviceSlots)).compactMap { filesystem.slot($0) }
        own = slots.last
        let length = Int(agreed.maxWrite) + 2 * Dispatcher.pageSize
        if let own, own.request.count >= length {
            unsafe buffer = own.request.buffer
            ownsBuffer = false
        } else {
            unsafe buffer = .allocate(byteCount: length, alignment: Dispatcher.pageSize)
            ownsBuffer = true
        }
    }

    /// Nil: others can serve now.
    func run() -> Session.End? {
        defer {
            if ownsBuffer { unsafe buffer.deallocate() }
            InflightSlot.leave()
        }
        forget()
        let end = serveAgain()
        for slot in slots {
            // Nobody asks for it again: the reply arrived, or who waited for it was killed.
            if slot.state == .begun { filesystem.undo(slot) }
            slot.end()
        }
        return end
    }

    private func forget() {
        for slot in slots {
            let message = slot.request.readOnly.prefix(Int(slot.request.readOnly.uint32(at: 0)))
            let opcode = message.uint32(at: 4)
            if message.count >= MemoryLayout<fuse_in_header>.size, opcode == FUSE_FORGET || opcode == FUSE_BATCH_FORGET,
                slot.state == .forgetting || slot.state == .idle
            {
                if slot.state == .idle { slot.beginForgetting() }
                slot.enter()
                dispatcher(slot).forget(message, skipping: slot.forgotten)
                slot.clearRequest()
                slot.end()
            }
            if slot.state == .forgetting { slot.end() }
        }
    }

    /// What comes again comes first (fuse_resend): the first that does not is a new one.
    private func serveAgain() -> Session.End? {
        do throws(Errno) { try device.setNonBlocking(true) } catch { return .failed(error) }
        defer { try? device.setNonBlocking(false) }
        cs_thread_set_channel(device.raw)
        while true {
            let received = unsafe cs_read(device.raw, buffer.baseAddress, buffer.count)
            guard received > 0 else {
                switch Int32(truncatingIfNeeded: -received) {
                case EAGAIN: return nil
                case EINTR, ENOENT: continue
                case ENOMEM: cs_sleep_ms(1)
                case ENODEV, ECONNABORTED, 0: return .unmounted
                case let code: return .failed(Errno(code))
                }
                continue
            }
            let message = unsafe Bytes(UnsafeRawBufferPointer(start: buffer.baseAddress, count: received))
            guard let header = message.load(fuse_in_header.self) else { continue }
            let unique = header.unique & ~FUSE_UNIQUE_RESEND
            let isResent = header.unique & FUSE_UNIQUE_RESEND != 0
            if isResent,
                let slot = slots.first(where: { $0.unique == unique && ($0.state == .begun || $0.state == .replied) })
            {
                again(slot, message, header.unique)
            } else {
                serve(message)
                let isForget = header.opcode == FUSE_FORGET || header.opcode == FUSE_BATCH_FORGET
                if !isResent, !isForget { return nil }
            }
        }
    }

    private func again(_ slot: InflightSlot, _ message: Bytes, _ unique: UInt64) {
        slot.enter()
        let dispatcher = dispatcher(slot)
        if slot.state == .replied {
            send(dispatcher.repeated(slot.reply, unique), dispatcher)
        } else if slot.attempts >= Self.mostAttempts {
            Log.error("a request (\(slot.opcode)) ended \(slot.attempts + 1) processes; it is answered with EIO")
            filesystem.undo(slot)
            send(dispatcher.finish(unique, length: 0, error: Errno.io.code), dispatcher)
        } else {
            filesystem.undo(slot)
            slot.beginAgain()
            filesystem.began(slot)
            if case .reply(let bytes, _) = dispatcher.handle(message) {
                slot.replied(bytes.count)
                send(bytes, dispatcher)
            }
            filesystem.ended(slot)
        }
        slot.end()
    }

    /// What no slot knows of.
    private func serve(_ message: Bytes) {
        own?.enter()
        own?.begin(message)
        let dispatcher = dispatcher(own)
        if case .reply(let bytes, _) = dispatcher.handle(message) {
            own?.replied(bytes.count)
            send(bytes, dispatcher)
        }
        // In this order: what is idle and has a FORGET in it was not done.
        own?.clearRequest()
        own?.end()
    }

    private func dispatcher(_ slot: InflightSlot?) -> Dispatcher {
        let dispatcher =
            slot.map { Dispatcher(filesystem, replies: $0.replies) }
            ?? Dispatcher(filesystem, capacity: Int(agreed.maxWrite))
        dispatcher.extendedSetxattr = agreed.flags.contains(.setxattrExtended)
        return dispatcher
    }

    private func send(_ reply: Bytes, _ dispatcher: Dispatcher) {
        let result = unsafe cs_write(device.raw, reply.buffer.baseAddress, reply.count)
        if result < 0 { dispatcher.takeBack() }
    }
}

internal import CShims
internal import Glibc
public import LinuxSys
internal import Synchronization

/// A mount and the threads that serve it.
///
///     let session = Session(filesystem: filesystem, options: options)
///     try session.mount(at: "/mnt")
///     // fork into the background here, if at all: no thread runs yet
///     let end = try session.run()
///
/// Signals are the caller's business: receiving threads take none but SIGURG, which `requestStop` wakes them with.
public final class Session: @unchecked Sendable {
    public enum End: Equatable, Sendable {
        /// The kernel let go: unmounted, or the connection was aborted.
        case unmounted
        /// `requestStop()`. The mount may still be there, its requests waiting for whoever adopts the descriptor.
        case stopped
        /// `requestHandOver()`: all that was received is answered, and nothing else was done. Another process goes on.
        case handedOver
        case failed(Errno)
    }

    public let filesystem: FileSystem
    public let options: SessionOptions

    private var library: Library?
    private var mountPoint: FileName?
    private var superblock: String?
    private let stopping = Atomic<Bool>(false)
    private let isHandingOver = Atomic<Bool>(false)
    private let lock = Mutex()
    /// A receiver ended, INIT was answered, or a stop was asked for.
    private let changed = Condition()
    // Guarded by `lock`.
    private var receivers: [ServingThread] = []
    private var agreed: Connection?
    private var end: End?
    private var unmountsAtEnd = false
    private var registered = 0
    /// Made before INIT, because what was agreed on there must work: the kernel waits until every queue has a thread.
    private var rings = RingSet.none
    /// Only the thread that runs the session.
    private var pacer: Pacer?
    private var slotsUsed = 0

    public init(filesystem: FileSystem, options: SessionOptions = SessionOptions()) {
        self.filesystem = filesystem
        self.options = options
    }

    // ---- getting a connection: one of these three, once ----

    /// As root with mount(2), else through fusermount3. Nothing on the mount answers before `run`.
    public func mount(at path: FileName) throws(SessionError) {
        let library = try newLibrary()
        try library.mount(at: path)
        mountPoint = path
        self.library = library
    }

    /// A descriptor of /dev/fuse that somebody else has mounted; the kernel's INIT is still to come.
    public func adopt(_ device: consuming OwnedFD) throws(SessionError) {
        let library = try newLibrary()
        try library.adopt(device)
        self.library = library
    }

    /// The session of a worker that died: its descriptor, the bytes of its INIT (`Connection.initRequest`), whether it
    /// agreed on io_uring, and the same options. What the dead one had read and not answered is served by `run`.
    /// `superblock`: the mount's device number, "0:47".
    public func resume(
        _ device: consuming OwnedFD, initRequest: [UInt8], hasRings: Bool = false, at path: FileName? = nil,
        superblock: String? = nil
    ) throws(SessionError) {
        mountPoint = path
        self.superblock = superblock
        let library = try newLibrary()
        try library.adopt(device)
        self.library = library
        let error = initRequest.withLent { message in initialize(message, isReplay: true, hasRings: hasRings) }
        if let error { throw SessionError(errno: error, text: "the INIT request to resume from") }
        guard connection?.offered.contains(.resend) ?? false else {
            throw SessionError(errno: .notSupported, text: "this kernel does not send requests again (Linux 6.9)")
        }
        do throws(Errno) { try connection?.resend() } catch {
            throw SessionError(errno: error, text: "the kernel does not send again what was under way")
        }
        filesystem.takenOver()
        // Behind that, which closes what the process before had open.
        if hasRings {
            rings = RingSet(options)
            if rings.rings.isEmpty {
                throw SessionError(errno: .notSupported, text: "no io_uring, which this session began with")
            }
        }
    }

    private func newLibrary() throws(SessionError) -> Library {
        if library != nil { throw SessionError(errno: .busy, text: "the session has a connection already") }
        return try Library(options)
    }

    /// The descriptor of /dev/fuse, to be handed to another process. `none` before there is a mount.
    public var device: FD { library?.device ?? .none }

    // ---- serving ----

    /// Serves until the kernel lets go or `requestStop` is called. Runs `FileSystem.start` on a receiving thread once
    /// INIT is answered, and `FileSystem.stop` at the end on the caller's.
    public func run() throws(SessionError) -> End {
        guard let library, library.device.isValid else {
            throw SessionError(errno: .badDescriptor, text: "no mount to serve")
        }
        _ = cs_wake_prepare()
        let isResumed = connection != nil
        if !isResumed, !RingSet.isRefused { rings = RingSet(options) }
        // INIT comes first and alone: one thread until it is answered, on the original descriptor.
        if isResumed {
            if let end = takeOver(library.device) { return finish(library, end) }
            filesystem.goesOn()
        }
        let threads = options.threadCount(processors: Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
        let pacer = Pacer(followers: threads)
        try begin(Receiver(self, channel: library.device, ownsChannel: false, slot: nextSlot(), pacer: pacer))
        if !isResumed { waitUntil { agreed != nil || end != nil || isStopping } }
        if let connection, !isStopping {
            if connection.agreed.contains(.ioUring) {
                try beginRings(library.device, isTakenOver: isResumed)
            } else {
                if options.transport == .ring {
                    Log.error("no io_uring here (unionfsd doctor says why): requests come through /dev/fuse")
                }
                for place in 1..<threads { beginClone(library.device, pacer, place) }
                self.pacer = pacer
                pacer.begin()
            }
            rings = .none
        }
        waitUntil { receivers.allSatisfy(\.hasEnded) || isStopping }
        self.pacer?.end()
        wakeUntilEnded()
        for receiver in receivers { receiver.thread.take()?.join() }
        receivers = []
        if end == nil, isHandingOver.load(ordering: .acquiring) { return .handedOver }
        return finish(library, end ?? .stopped)
    }

    private func finish(_ library: Library, _ end: End) -> End {
        if let connection {
            connection.close()
            filesystem.stop()
        }
        if unmountsAtEnd { library.unmount() }
        return end
    }

    /// What the process before this one had in hand. Nil: go on.
    private func takeOver(_ device: FD) -> End? {
        guard let connection else { return .failed(.invalid) }
        return Takeover(filesystem, connection, device).run()
    }

    private func nextSlot() -> InflightSlot? {
        let slot = filesystem.slot(slotsUsed)
        slotsUsed += 1
        return slot
    }

    /// Makes `run` return when the requests in progress are answered. From any thread; not from a signal handler.
    public func requestStop() {
        stopping.store(true, ordering: .releasing)
        lock.locked { changed.broadcast() }
    }
    /// The same, and the mount is left as it is for a process that resumes.
    public func requestHandOver() {
        isHandingOver.store(true, ordering: .releasing)
        requestStop()
    }
    var isStopping: Bool { stopping.load(ordering: .acquiring) }

    /// What INIT agreed on; nil before that.
    public var connection: Connection? { lock.locked { agreed } }

    /// Waits until INIT is answered; false when the session ended before.
    public func waitUntilReady() -> Bool {
        waitUntil { agreed != nil || end != nil || isStopping }
        return connection != nil
    }

    /// Detaches the mount from the tree: `run` returns when the last user of it is gone. Where umount2(2) is not
    /// allowed, `run` is made to return and fusermount3 does it then.
    public func unmount() throws(Errno) {
        guard let mountPoint else { throw .invalid }
        do throws(Errno) {
            try Mounts.unmount(mountPoint, lazily: true)
        } catch {
            if error != .notPermitted { throw error }
            lock.locked { unmountsAtEnd = true }
            requestStop()
        }
    }

    // ---- threads ----

    private func begin(_ receiver: ServingThread) throws(SessionError) {
        lock.locked { receivers.append(receiver) }
        do throws(Errno) {
            receiver.thread = try Thread(stack: 1 << 20) { receiver.run() }
        } catch {
            lock.locked { receivers.removeAll { $0 === receiver } }
            throw SessionError(errno: error, text: "a receiving thread")
        }
    }

    /// A thread with a queue of its own in the kernel, so that threads do not contend for one. Kernels and sandboxes
    /// that refuse the clone share the descriptor.
    private func beginClone(_ device: FD, _ pacer: Pacer, _ place: Int) {
        let clone = cs_fuse_clone(device.raw)
        let channel = clone >= 0 ? FD(raw: Int32(truncatingIfNeeded: clone)) : device
        do throws(SessionError) {
            try begin(
                Receiver(self, channel: channel, ownsChannel: clone >= 0, slot: nextSlot(), pacer: pacer, place: place))
        } catch {
            // Fewer threads serve as well.
            Log.error(error.text, error.errno)
        }
    }

    /// The thread on /dev/fuse goes on: FORGET comes there, and whatever else nobody waits for.
    private func beginRings(_ device: FD, isTakenOver: Bool) throws(SessionError) {
        let pacer = Pacer(queues: rings.rings.count / rings.perQueue, perQueue: rings.perQueue)
        self.pacer = pacer
        var begun = 0
        for (position, ring) in rings.rings.enumerated() {
            let receiver = RingReceiver(
                self, device: device, queue: UInt16(truncatingIfNeeded: position / rings.perQueue), ring: ring,
                anchor: rings.anchor,
                capacity: Int(options.wanted.clampedMaxWrite), pacer: pacer, place: position,
                slot: filesystem.slot(SessionOptions.deviceSlots + position), isTakenOver: isTakenOver)
            do throws(SessionError) {
                try begin(receiver)
                begun += 1
            } catch {
                // The first thread of a queue must be there, or the kernel waits for ever.
                if position % rings.perQueue == 0 {
                    requestStop()
                    throw error
                }
                Log.error(error.text, error.errno)
            }
        }
        pacer.begin()
        if isTakenOver {
            waitUntil { registered >= begun || end != nil || isStopping }
            for queue in 0..<rings.rings.count / rings.perQueue { nudge(UInt16(truncatingIfNeeded: queue)) }
        }
    }

    /// A thread of a ring can be reached again.
    func noteRegistered() {
        lock.locked {
            registered += 1
            changed.broadcast()
        }
    }
    /// Requests that found no entry free wait in their queue until another is served there: a new entry alone does not
    /// bring them (fuse_uring_do_register). So one is made that asks for next to nothing.
    func nudge(_ queue: UInt16) {
        let device = superblock
        let point = mountPoint
        do throws(Errno) {
            // From the queue's own processor; one that is off has no callers. Who serves may be the one who calls:
            // nobody waits.
            try Thread(stack: 64 << 10) {
                guard cs_thread_pin(Int32(queue)) >= 0 else { return }
                do throws(Errno) {
                    guard let device else { throw .notImplemented }
                    try Mounts.ask(device: device)
                } catch {
                    // Another architecture than x86: by the path, which may lead elsewhere by now.
                    guard error == .notImplemented, let point else { return }
                    do throws(Errno) {
                        let root = try FD.currentDirectory.open(point, OpenFlags.path)
                        _ = try root.fd.filesystemStatus()
                    } catch {}
                }
            }.detach()
        } catch { Log.error("nobody looks into the queues", error) }
    }

    func began(_ receiver: ServingThread, _ handle: UInt64) {
        lock.locked { receiver.threadHandle = handle }
    }

    func ended(_ receiver: ServingThread, _ reason: End) {
        // One descriptor that fails is not the others' failure; but a kernel that says ENODEV says it to all.
        lock.locked {
            receiver.hasEnded = true
            if end == nil, reason != .stopped { end = reason }
            changed.broadcast()
        }
        if case .failed = reason { requestStop() }
    }

    private func waitUntil(_ condition: () -> Bool) {
        lock.locked {
            while !condition() { changed.wait(lock) }
        }
    }

    /// A thread may have looked at `stopping` just before it was set and read(2) just after the signal: hence again and
    /// again.
    private func wakeUntilEnded() {
        while true {
            let left = lock.locked {
                var left = false
                for receiver in receivers where !receiver.hasEnded {
                    left = true
                    // ESRCH: it has just ended, as it is to.
                    if receiver.threadHandle != 0 { _ = cs_thread_wake(receiver.threadHandle) }
                }
                return left
            }
            if !left { return }
            cs_sleep_ms(2)
        }
    }

    // ---- INIT ----

    /// INIT or DESTROY, on a receiving thread. nil: go on.
    func processByLibrary(_ message: Bytes, _ dispatcher: Dispatcher) -> End? {
        guard message.uint32(at: 4) == FUSE_INIT else {
            library?.process(message)
            return nil
        }
        // The kernel says INIT once. A second one would start the filesystem anew under the other threads' feet.
        if connection != nil { return nil }
        if let error = initialize(message, isReplay: false) {
            Log.error(Library.failure(error, "INIT").description)
            return .failed(error)
        }
        dispatcher.extendedSetxattr = connection?.agreed.contains(.setxattrExtended) ?? false
        return nil
    }

    /// - Precondition: no other request has been served.
    private func initialize(_ message: Bytes, isReplay: Bool, hasRings: Bool = false) -> Errno? {
        // 23 (Linux 3.15): the first version whose INIT reply has all 64 bytes.
        guard let library, let request = Request(message), let offer = Offer(request),
            offer.major == FUSE_KERNEL_VERSION,
            offer.minor >= 23
        else { return Errno(EPROTO) }
        var wanted = options.wanted
        wanted.ioUring = hasRings || !rings.rings.isEmpty
        let agreement = Agreement(offer, wanted)
        do throws(Errno) {
            try library.initialize(message, isReplay ? nil : agreement)
        } catch { return error }
        let connection = Connection(device: library.device, agreement: agreement, initRequest: message.array)
        filesystem.start(connection)
        lock.locked {
            agreed = connection
            changed.broadcast()
        }
        return nil
    }
}

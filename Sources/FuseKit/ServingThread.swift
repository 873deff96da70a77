internal import LinuxSys

/// A thread that takes requests from the kernel and answers them: from /dev/fuse (`Receiver`) or an io_uring
/// (`RingReceiver`).
class ServingThread: @unchecked Sendable {
    let session: Session
    /// Guarded by the session's lock. 0 before the thread runs.
    var threadHandle: UInt64 = 0
    var hasEnded = false
    /// Only the thread that runs the session.
    var thread: Thread?

    init(_ session: Session) { self.session = session }

    /// The thread's body.
    func run() {}
}

/// The io_uring instances of a session, some for each of the kernel's queues.
struct RingSet {
    var rings: [Ring] = []
    var perQueue = 1
    var anchor: RingAnchor?
    static let none = RingSet()
    private init() {}

    /// Empty where they are not wanted, or where one cannot be made.
    init(_ options: SessionOptions) {
        guard let queues = Ring.possibleProcessors else { return }
        perQueue = options.threadsPerQueue(queues: queues)
        do throws(Errno) {
            anchor = try RingAnchor()
            for _ in 0..<perQueue * queues { rings.append(try Ring()) }
        } catch { rings = [] }
    }

    /// Whether the kernel says that it would not offer io_uring (`fuse.enable_uring`): making rings takes some half of
    /// a millisecond. Where it says nothing, INIT will tell.
    static var isRefused: Bool {
        do throws(Errno) {
            let parameter = try FD.currentDirectory.open(FileName("/sys/module/fuse/parameters/enable_uring"), 0)
            return try parameter.fd.readAll(limit: 16).first == UInt8(ascii: "N")
        } catch { return false }
    }
}

internal import CShims
internal import Glibc
internal import LinuxSys
internal import Synchronization

/// Keeps the threads of the io_uring queues under SCHED_IDLE while requests flow and nobody else wants their processors (`Pace` says why and
/// when). One watchdog, which sleeps unless requests flow. It must run beside a busy processor, so it is never lowered itself; and it never
/// sleeps for long while a thread is lowered.
///
/// A request costs one addition in memory of its thread's own.
@safe
final class Pacer: @unchecked Sendable {
    /// A thread of a queue. Guarded by `lock`.
    private final class Paced {
        let queue: Int
        /// Nil before the thread began and after it ended.
        var number: ThreadNumber?
        var watch: ThreadWatch?
        var pace = Pace()
        var served: UInt64 = 0
        init(queue: Int) { self.queue = queue }
    }

    private let lock = Mutex()
    private let changed = Condition()
    private var threads: [Paced]
    private var backOffs: [BackOff]
    private var stopping = false
    /// Only the thread that runs the session.
    private var watchdog: Thread?
    /// Said by the watchdog, read at every 64th request.
    private let isDormant = Atomic<Bool>(false)

    /// For each thread its number of requests, and when it last looked at the clock: at two cache lines from the next, as processors fetch lines
    /// in pairs.
    private let counters: UnsafeMutablePointer<UInt64>
    private static let stride = 16, lookEvery: UInt64 = 64
    /// Ticks without a flow before the watchdog sleeps.
    private static let lastTicks = 100
    /// Nanoseconds between two looks while all that serve are in back-off.
    private static let restLength: UInt64 = 50_000_000

    init(queues: Int, perQueue: Int) {
        threads = (0..<queues * perQueue).map { Paced(queue: $0 / perQueue) }
        backOffs = [BackOff](repeating: BackOff(), count: queues)
        let words = max(threads.count, 1) * Self.stride
        let memory = UnsafeMutableRawPointer.allocate(byteCount: words * MemoryLayout<UInt64>.size, alignment: 128)
        unsafe counters = memory.initializeMemory(as: UInt64.self, repeating: 0, count: words)
    }
    deinit { unsafe counters.deallocate() }

    // ---- the threads ----

    /// By the thread itself, before its first request.
    func enter(_ place: Int) {
        lock.locked { threads[place].number = .current }
    }
    /// By the thread itself, behind its last: its number is another's afterwards.
    func leave(_ place: Int) {
        // First of all, because the watchdog waits for whoever holds the lock.
        if ThreadNumber.current.policy == .idle { try? ThreadNumber.current.set(.other) }
        lock.locked {
            raise(threads[place])
            threads[place].number = nil
            threads[place].watch = nil
        }
    }
    /// By the thread itself, for each request.
    @inline(__always)
    func served(_ place: Int) {
        let line = unsafe counters + place * Self.stride
        let count = unsafe cs_load64(line) &+ 1
        unsafe cs_store64(line, count)
        if count % Self.lookEvery == 0 { unsafe wake(line) }
    }
    /// Wakes the watchdog where the last requests came fast enough to be a flow.
    private func wake(_ line: UnsafeMutablePointer<UInt64>) {
        let now = Clock.monotonic
        let before = unsafe line[1]
        unsafe line[1] = now
        guard isDormant.load(ordering: .relaxed), Pace.Tick(now: now, length: now &- before, served: Self.lookEvery).isFlow,
              // One only: another could be lowered while it holds the lock.
              isDormant.compareExchange(expected: true, desired: false, ordering: .relaxed).exchanged else { return }
        lock.locked { changed.broadcast() }
    }

    // ---- the watchdog ----

    /// Not where it can do nothing: with one processor the caller stays anyway.
    func begin() {
        if sysconf(Int32(_SC_NPROCESSORS_ONLN)) < 2 { return }
        do throws(Errno) {
            watchdog = try Thread(stack: 256 << 10) { self.watch() }
        } catch { Log.error("the thread that paces the others", error) }
    }

    /// Raises what is lowered and ends the watchdog.
    func end() {
        lock.locked {
            stopping = true
            changed.broadcast()
        }
        watchdog.take()?.join()
    }

    /// Whether a thread that was lowered can be raised again, tried on this one; and not where somebody chose another policy for all of us.
    private static var comesBack: Bool {
        let thread = ThreadNumber.current
        guard thread.policy == .other else { return false }
        do throws(Errno) {
            try thread.set(.idle)
            try thread.set(.other)
            try ThreadNumber.becomeUrgent()
            return true
        } catch { return false }
    }

    private func watch() {
        guard Self.comesBack else { return }
        lock.lock()
        defer { lock.unlock() }
        var last = Clock.monotonic
        var next = Next.quiet
        var quiet = 0
        while !stopping {
            if quiet >= Self.lastTicks {
                // Nothing is lowered now, or `look` had not answered `.quiet`. The next flow opens what it needs.
                for thread in threads { thread.watch = nil }
                isDormant.store(true, ordering: .relaxed)
                while !stopping, isDormant.load(ordering: .relaxed) { changed.wait(lock) }
                quiet = 0
                next = .quiet
                last = Clock.monotonic
                for place in threads.indices { threads[place].served = count(place) }
                continue
            }
            changed.wait(lock, milliseconds: Int32((next == .rest ? Self.restLength : Pace.tickLength) / 1_000_000))
            let now = Clock.monotonic
            next = look(now, now &- last)
            quiet = next == .quiet ? quiet + 1 : 0
            last = now
        }
        for thread in threads { raise(thread) }
    }

    /// When to look again: after a tick, as something is lowered or may be; later, as all that serve are in back-off; after a tick, and soon no more.
    private enum Next { case tick, rest, quiet }

    private func look(_ now: UInt64, _ length: UInt64) -> Next {
        var next = Next.quiet
        for (place, thread) in threads.enumerated() {
            guard let number = thread.number else { continue }
            let count = count(place)
            let tick = Pace.Tick(now: now, length: length, served: count &- thread.served)
            thread.served = count
            if thread.pace.isSettled {
                if !tick.isFlow { continue }
                if backOffs[thread.queue].holds(now) {
                    if next == .quiet { next = .rest }
                    continue
                }
            }
            guard let watch = thread.watch ?? Self.watch(number) else { continue }
            thread.watch = watch
            switch thread.pace.step(tick, &backOffs[thread.queue], sight: { Self.sight(watch) }, waited: { watch.waited }) {
            case .none: break
            case .lower: lower(thread, number)
            case .raise: set(number, .other)
            }
            if !thread.pace.isSettled { next = .tick }
        }
        return next
    }

    private static func watch(_ number: ThreadNumber) -> ThreadWatch? {
        do throws(Errno) { return try ThreadWatch(number) } catch { return nil }
    }
    private static func sight(_ watch: ThreadWatch) -> Pace.Sight {
        switch watch.state {
        case UInt8(ascii: "R"): .running
        case UInt8(ascii: "D"): .onDisk
        case nil: .gone
        default: .asleep
        }
    }

    private func count(_ place: Int) -> UInt64 { unsafe cs_load64(counters + place * Self.stride) }

    private func lower(_ thread: Paced, _ number: ThreadNumber) {
        do throws(Errno) { try number.set(.idle) } catch { thread.pace.reset() }
    }
    private func raise(_ thread: Paced) {
        if thread.pace.isLowered, let number = thread.number { set(number, .other) }
        thread.pace.reset()
    }
    private func set(_ number: ThreadNumber, _ policy: ThreadNumber.Policy) {
        do throws(Errno) { try number.set(policy) } catch {
            // Privileges were taken away since `comesBack`: no more of this.
            Log.error("a thread stays under SCHED_IDLE", error)
            stopping = true
        }
    }
}

internal import CShims
internal import Glibc
internal import LinuxSys
internal import Synchronization

/// Keeps serving threads under SCHED_IDLE while requests flow and nobody else wants their processors (`Pace` says why
/// and when). A ring's thread runs on its queue's processor; those of /dev/fuse are one group, and run on their
/// caller's for that time (`Follow`). One watchdog, which sleeps unless requests flow. It must run beside a busy
/// processor, so it is never lowered itself; and it never sleeps for long while a thread is lowered.
///
/// A request costs one addition in memory of its thread's own.
@safe
final class Pacer: @unchecked Sendable {
    /// A serving thread. Guarded by `lock`.
    private final class Paced {
        /// Nil before the thread began and after it ended.
        var number: ThreadNumber?
        var watch: ThreadWatch?
        var served: UInt64 = 0
        var long: UInt64 = 0
        var switches: UInt64 = 0
    }
    /// Threads that are lowered and raised together. Guarded by `lock`.
    private final class Group {
        let members: Range<Int>
        /// Which of `backOffs`.
        let place: Int
        var pace = Pace()
        /// For threads that belong to no processor.
        var follow: Follow?
        init(_ members: Range<Int>, place: Int, follows: Bool) {
            self.members = members
            self.place = place
            follow = follows ? Follow() : nil
        }
    }

    private let lock = Mutex()
    private let changed = Condition()
    private let threads: [Paced]
    private let groups: [Group]
    private var backOffs: [BackOff]
    private var stopping = false
    /// Only the thread that runs the session.
    private var watchdog: Thread?
    /// Said by the watchdog, read at every 64th request.
    private let isDormant = Atomic<Bool>(false)

    /// For each thread what `Word` names: at two cache lines from the next, as processors fetch lines in pairs.
    private let counters: UnsafeMutablePointer<UInt64>
    private enum Word { static let served = 0, clock = 1, caller = 2, long = 3, switches = 4 }
    private static let stride = 16, lookEvery: UInt64 = 64
    /// Threads that share one flow.
    private let sharing: UInt64
    /// Ticks without a flow before the watchdog sleeps.
    private static let lastTicks = 100
    /// Nanoseconds between two looks while all that serve are in back-off.
    private static let restLength: UInt64 = 50_000_000

    /// For rings: threads that belong to a processor each.
    convenience init(queues: Int, perQueue: Int) {
        self.init(
            threads: queues * perQueue,
            (0..<queues * perQueue).map { Group($0..<$0 + 1, place: $0 / max(perQueue, 1), follows: false) },
            backOffs: queues)
    }
    /// For /dev/fuse.
    convenience init(followers: Int) {
        self.init(threads: followers, [Group(0..<followers, place: 0, follows: true)], backOffs: 1)
    }
    private init(threads count: Int, _ groups: [Group], backOffs: Int) {
        threads = (0..<count).map { _ in Paced() }
        self.groups = groups
        sharing = UInt64(groups.first?.members.count ?? 1)
        self.backOffs = [BackOff](repeating: BackOff(), count: backOffs)
        let words = max(count, 1) * Self.stride
        let memory = UnsafeMutableRawPointer.allocate(byteCount: words * MemoryLayout<UInt64>.size, alignment: 128)
        unsafe counters = memory.initializeMemory(as: UInt64.self, repeating: 0, count: words)
    }
    deinit { unsafe counters.deallocate() }

    // ---- the threads ----

    /// By the thread itself, before its first request.
    func enter(_ place: Int) {
        guard place < threads.count else { return }
        lock.locked { threads[place].number = .current }
    }
    /// By the thread itself, behind its last: its number is another's afterwards.
    func leave(_ place: Int) {
        guard place < threads.count else { return }
        // First of all, because the watchdog waits for whoever holds the lock.
        if ThreadNumber.current.policy == .idle {
            do throws(Errno) { try ThreadNumber.current.set(.other) } catch {
                Log.error("a thread ends under SCHED_IDLE", error)
            }
        }
        lock.locked {
            for group in groups where group.members.contains(place) { raise(group) }
            threads[place].number = nil
            threads[place].watch = nil
        }
    }
    /// By the thread itself, for each request.
    @inline(__always)
    func served(_ place: Int) {
        guard place < threads.count else { return }
        let line = unsafe counters + place * Self.stride
        let count = unsafe cs_load64(line) &+ 1
        unsafe cs_store64(line, count)
        if count % Self.lookEvery == 0 { unsafe wake(line) }
    }
    /// By a thread on /dev/fuse.
    /// - Parameters:
    ///   - caller: who made the request; 0: nobody waits for it, or nobody we know.
    ///   - isLong: it has data that are better copied on a processor of their own.
    @inline(__always)
    func served(_ place: Int, caller: UInt32, isLong: Bool) {
        guard place < threads.count else { return }
        let line = unsafe counters + place * Self.stride
        if caller != 0, unsafe cs_load64(line + Word.caller) != UInt64(caller) {
            unsafe cs_store64(line + Word.caller, UInt64(caller))
            unsafe cs_store64(line + Word.switches, cs_load64(line + Word.switches) &+ 1)
        }
        if isLong { unsafe cs_store64(line + Word.long, cs_load64(line + Word.long) &+ 1) }
        served(place)
    }
    /// Wakes the watchdog where the last requests came fast enough to be a flow.
    private func wake(_ line: UnsafeMutablePointer<UInt64>) {
        let now = Clock.monotonic
        let before = unsafe line[Word.clock]
        unsafe line[Word.clock] = now
        guard isDormant.load(ordering: .relaxed),
            Pace.Tick(now: now, length: now &- before, served: Self.lookEvery &* sharing).isFlow,
            // One only: another could be lowered while it holds the lock.
            isDormant.compareExchange(expected: true, desired: false, ordering: .relaxed).exchanged
        else { return }
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

    /// Whether a thread that was lowered can be raised again, tried on this one; and not where somebody chose another
    /// policy for all of us.
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
        guard Self.comesBack, WaitingCaller.isKnownToProc || !groups.contains(where: { $0.follow != nil }) else {
            return
        }
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
                for place in threads.indices { catchUp(place) }
                continue
            }
            changed.wait(lock, milliseconds: Int32((next == .rest ? Self.restLength : Pace.tickLength) / 1_000_000))
            let now = Clock.monotonic
            next = look(now, now &- last)
            quiet = next == .quiet ? quiet + 1 : 0
            last = now
        }
        for group in groups { raise(group) }
    }

    /// When to look again: after a tick, as something is lowered or may be; later, as all that serve are in back-off;
    /// after a tick, and soon no more.
    private enum Next { case tick, rest, quiet }

    private func look(_ now: UInt64, _ length: UInt64) -> Next {
        var next = Next.quiet
        for group in groups {
            let (served, sight) = since(group)
            let tick = Pace.Tick(now: now, length: length, served: served)
            if group.pace.isSettled {
                if !tick.isFlow { continue }
                if backOffs[group.place].holds(now) {
                    if next == .quiet { next = .rest }
                    continue
                }
                next = .tick
                if group.follow != nil,
                    group.follow?.begins(sight, rate: tick.rate, processor: WaitingCaller.processor) == nil
                {
                    continue
                }
            }
            guard watches(group) else {
                // Without descriptors, say: nobody stays lowered whom nobody looks at.
                raise(group)
                continue
            }
            switch group.pace.step(
                tick, &backOffs[group.place], sight: { self.sight(group) }, waited: { self.waited(group, tick) })
            {
            case .none: if group.pace.isLowered, served > 0 { follow(group, sight, tick.rate) }
            case .lower: lower(group)
            case .raise: set(group, .other)
            }
            if !group.pace.isSettled { next = .tick }
        }
        return next
    }

    /// What the threads of a group have served since the last look, and for whom.
    private func since(_ group: Group) -> (served: UInt64, sight: Follow.Sight) {
        var served: UInt64 = 0
        var long: UInt64 = 0
        var switches: UInt64 = 0
        var sight = Follow.Sight.nobody
        for place in group.members where threads[place].number != nil {
            let thread = threads[place]
            let before = (served: thread.served, long: thread.long, switches: thread.switches)
            catchUp(place)
            if thread.served == before.served { continue }
            served &+= thread.served &- before.served
            long &+= thread.long &- before.long
            switches &+= thread.switches &- before.switches
            let caller = UInt32(truncatingIfNeeded: word(place, Word.caller))
            if caller == 0 || sight == .one(caller) { continue }
            sight = sight == .nobody ? .one(caller) : .several
        }
        // Each thread changes once where one caller follows another.
        let isMixed = switches > UInt64(group.members.count) && switches &* 8 > served
        return (served, isMixed || long &* 4 > served ? .several : sight)
    }
    private func catchUp(_ place: Int) {
        threads[place].served = word(place, Word.served)
        threads[place].long = word(place, Word.long)
        threads[place].switches = word(place, Word.switches)
    }
    private func word(_ place: Int, _ word: Int) -> UInt64 { unsafe cs_load64(counters + place * Self.stride + word) }

    /// Whether all that serve can be looked at.
    private func watches(_ group: Group) -> Bool {
        for place in group.members {
            guard let number = threads[place].number, threads[place].watch == nil else { continue }
            do throws(Errno) { threads[place].watch = try ThreadWatch(number) } catch {
                return false /* The thread is about to end. */
            }
        }
        return true
    }
    /// Of the one that is the busiest.
    private func sight(_ group: Group) -> Pace.Sight {
        var seen = Pace.Sight.asleep
        for place in group.members {
            guard let watch = threads[place].watch else { continue }
            switch watch.state {
            case UInt8(ascii: "R"): return .running
            case UInt8(ascii: "D"): seen = .onDisk
            case nil: if seen == .asleep { seen = .gone }
            default: break
            }
        }
        return seen
    }
    /// Of threads that share a processor by their own choice it says nothing while requests flow: each has waited for
    /// the others.
    private func waited(_ group: Group, _ tick: Pace.Tick) -> UInt64? {
        if group.follow != nil, tick.isFlow { return nil }
        var sum: UInt64 = 0
        for place in group.members {
            guard let watch = threads[place].watch else { continue }
            guard let waited = watch.waited else { return nil }
            sum &+= waited
        }
        return sum
    }

    private func follow(_ group: Group, _ sight: Follow.Sight, _ rate: UInt64) {
        guard let advice = group.follow?.goesOn(sight, rate: rate, processor: WaitingCaller.processor) else { return }
        switch advice {
        case .stay: break
        case .move: if !pin(group) { raise(group) }
        case .leave: raise(group)
        }
    }

    private func lower(_ group: Group) {
        guard pin(group) else {
            // A processor that is not ours: not to be tried again at each tick.
            backOffs[group.place].contended(Clock.monotonic)
            return raise(group)
        }
        for place in group.members {
            guard let number = threads[place].number else { continue }
            do throws(Errno) { try number.set(.idle) } catch { return raise(group) }
        }
    }
    /// Where the group belongs to no processor, to its caller's. False: not allowed there.
    private func pin(_ group: Group) -> Bool {
        guard let follow = group.follow else { return true }
        for place in group.members {
            guard let number = threads[place].number else { continue }
            do throws(Errno) { try number.pin(to: follow.processor) } catch { return false }
        }
        // The caller would make way for us, and be elsewhere when it comes back.
        do throws(Errno) { try ThreadNumber.current.avoid(follow.processor) } catch { return false }
        return true
    }
    private func raise(_ group: Group) {
        if group.pace.isLowered { set(group, .other) }
        group.pace.reset()
    }
    private func set(_ group: Group, _ policy: ThreadNumber.Policy) {
        for place in group.members {
            guard let number = threads[place].number else { continue }
            set(number, policy)
            if group.follow != nil { letGo(number) }
        }
        // The watchdog has kept off that processor.
        if group.follow != nil { letGo(.current) }
    }
    private func letGo(_ number: ThreadNumber) {
        do throws(Errno) { try number.unpin() } catch {
            Log.error("a thread stays on one processor", error)
            stopping = true
        }
    }
    private func set(_ number: ThreadNumber, _ policy: ThreadNumber.Policy) {
        do throws(Errno) { try number.set(policy) } catch {
            // Privileges were taken away since `comesBack`: no more of this.
            Log.error("a thread stays under SCHED_IDLE", error)
            stopping = true
        }
    }
}

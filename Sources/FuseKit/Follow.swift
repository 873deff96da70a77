/// Whether the threads on /dev/fuse run on their caller's processor, and on which: the decision alone, without a system
/// call. `Pacer` makes the observations.
///
/// Why: a thread that sleeps in read(2) is woken on another processor than the caller's, which is still busy
/// (select_idle_sibling), by an interrupt that brings it out of its halt; so is the caller by the reply. On one
/// processor both are a context switch: 11 µs a request in place of 25. A ring's queue belongs to a processor and has
/// that by itself; /dev/fuse has one queue for all, so the threads follow whoever makes the requests.
///
/// Why not always: beside one caller's processor all others' requests come from elsewhere, which costs more than the
/// halt did (70 µs). So the threads follow one caller alone, and are let go when another appears.
struct Follow {
    /// Who made the last requests of each thread.
    enum Sight: Equatable {
        case nobody, several
        case one(UInt32)
    }
    enum Advice: Equatable {
        case stay, leave
        /// The caller runs there now.
        case move(Int32)
    }
    /// Ticks for which one caller was alone before it is followed: programs that live for less are not worth the way.
    static let patience = 2

    /// So many requests in `Pace.tickLength` are worth it. With fewer the threads do what takes longer than a wake,
    /// copy or wait for a disk, and others want the processor meanwhile.
    static let flow: UInt64 = 16

    private(set) var caller: UInt32 = 0
    private(set) var processor: Int32 = -1
    private var steady = 0

    /// While nobody is followed: where to go. A system call where it answers.
    mutating func begins(_ sight: Sight, rate: UInt64, processor: (UInt32) -> Int32?) -> Int32? {
        guard case .one(let caller) = sight, rate >= Self.flow else {
            steady = 0
            return nil
        }
        steady = caller == self.caller ? steady + 1 : 1
        self.caller = caller
        guard steady >= Self.patience, let place = processor(caller) else { return nil }
        self.processor = place
        return place
    }

    /// While the caller is followed: at each tick.
    mutating func goesOn(_ sight: Sight, rate: UInt64, processor: (UInt32) -> Int32?) -> Advice {
        switch sight {
        case .nobody: return .stay
        case .several: return leave()
        case .one(let caller):
            guard caller == self.caller, let now = processor(caller) else { return leave() }
            if now == self.processor { return .stay }
            // Each wake of the watchdog has another processor look for work, and the caller is what it finds. But it
            // may be somebody else who drives it away.
            if rate < Self.flow { return leave() }
            self.processor = now
            return .move(now)
        }
    }

    private mutating func leave() -> Advice {
        steady = 0
        return .leave
    }
}

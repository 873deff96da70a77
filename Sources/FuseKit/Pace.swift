/// When a thread of an io_uring queue runs under SCHED_IDLE: the decision alone, without a system call. `Pacer` makes
/// the observations.
///
/// Why at all: the thread that hands over a reply wakes the caller (fuse_request_end) and is itself what keeps the
/// processor busy, so select_idle_sibling moves the caller to another, idle one: an interrupt and a wake from the halt
/// for every request, more than all the rest of it. A processor that runs SCHED_IDLE alone counts as idle
/// (sched_idle_cpu): the caller stays, and preempts us at once (wakeup_preempt_fair).
///
/// Why not always: beside others such a thread has 3 of 1024 parts of the processor. So it is lowered while requests
/// flow, and raised with the first sign that somebody else wants the processor, or that it does long work.
struct Pace {
    enum Step: Equatable { case none, lower, raise }
    enum Sight: Equatable { case running, onDisk, asleep, gone }

    /// So many requests in a tick of `tickLength` make a flow.
    static let flow: UInt64 = 8
    /// Nanoseconds between two looks while anything is lowered.
    static let tickLength: UInt64 = 1_000_000
    /// Ticks asleep without a request before a thread is raised: long enough for a caller that thinks, short enough
    /// that nobody notices.
    static let patience = 3

    private enum State {
        case raised
        /// `waited`: at the last look.
        case lowered(waited: UInt64?, asleep: Int)
        /// Raised because it ran for a whole tick and served nothing. Whether it worked or waited, its count of waiting
        /// says as soon as it gets on.
        case doubted(waited: UInt64?, limit: UInt64)
    }
    private var state = State.raised

    var isLowered: Bool { if case .lowered = state { true } else { false } }
    /// Else it must be looked at again, and soon.
    var isSettled: Bool { if case .raised = state { true } else { false } }

    /// What passed since the last look.
    struct Tick {
        var now: UInt64
        /// Nanoseconds.
        var length: UInt64
        var served: UInt64
        /// Requests in `tickLength`.
        var rate: UInt64 { length == 0 ? 0 : served &* Pace.tickLength / length }
        var isFlow: Bool { served >= Pace.flow && served &* Pace.tickLength >= Pace.flow &* length }
    }

    /// - Parameters: `sight` and `waited` are asked only where the answer counts, because each costs a system call.
    ///   - backOff: of the thread's processor.
    mutating func step(_ tick: Tick, _ backOff: inout BackOff, sight: () -> Sight, waited: () -> UInt64?) -> Step {
        switch state {
        case .raised:
            guard tick.isFlow, !backOff.holds(tick.now) else { return .none }
            state = .lowered(waited: waited(), asleep: 0)
            return .lower
        case .lowered(let before, let asleep):
            // Another thread of the same processor was starved.
            if backOff.holds(tick.now) { return raise() }
            let after = waited()
            if let before, let after, after &- before > tick.length / 2 {
                backOff.contended(tick.now)
                return raise()
            }
            state = .lowered(waited: after, asleep: 0)
            if tick.served > 0 { return .none }
            switch sight() {
            case .running:
                state = .doubted(waited: after, limit: tick.length / 2)
                return .raise
            case .onDisk, .gone: return raise()
            case .asleep:
                if asleep + 1 >= Self.patience { return raise() }
                state = .lowered(waited: after, asleep: asleep + 1)
                return .none
            }
        case .doubted(let before, let limit):
            if tick.served == 0, sight() == .running { return .none }
            state = .raised
            guard let before, let after = waited(), after &- before <= limit else {
                backOff.contended(tick.now)
                return .none
            }
            return .none
        }
    }

    private mutating func raise() -> Step {
        state = .raised
        return .raise
    }

    /// It was raised otherwise, or could not be lowered.
    mutating func reset() { state = .raised }
}

/// How long the threads of a processor stay as they are after one was starved: longer each time.
struct BackOff {
    static let shortest: UInt64 = 50_000_000, longest: UInt64 = 2_000_000_000
    /// So long without starvation, and the next is the first again.
    static let forgiveness: UInt64 = 10_000_000_000
    private(set) var length: UInt64 = 0
    private var since: UInt64 = 0

    func holds(_ now: UInt64) -> Bool { length > 0 && now &- since < length }

    mutating func contended(_ now: UInt64) {
        if holds(now) { return }
        let isFirst = length == 0 || now &- since > Self.forgiveness
        length = isFirst ? Self.shortest : min(length * 2, Self.longest)
        since = now
    }
}

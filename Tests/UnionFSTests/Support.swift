import LinuxSys
import MountState

@testable import UnionFS

/// SplitMix64: a run is repeated with its seed.
struct Generator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
    mutating func below(_ n: Int) -> Int { Int(next() % UInt64(n)) }
}

/// Runs the body on so many threads at once and waits for all.
func inParallel(_ threads: Int, _ body: @escaping @Sendable (Int) -> Void) throws {
    let done = Countdown(threads)
    for i in 0..<threads {
        let thread = try Thread {
            body(i)
            done.one()
        }
        _ = consume thread
    }
    done.wait()
}

private final class Countdown: @unchecked Sendable {
    private let mutex = Mutex()
    private let changed = Condition()
    private var left: Int
    init(_ n: Int) { left = n }
    func one() {
        mutex.locked { left -= 1 }
        changed.broadcast()
    }
    func wait() { mutex.locked { while left > 0 { changed.wait(mutex) } } }
}

/// Threads of a test have no slot: nobody sees what they hold.
func unwatched() throws -> LockWatch { LockWatch(slots: [], patience: 0, statistics: try MountStatistics()) }

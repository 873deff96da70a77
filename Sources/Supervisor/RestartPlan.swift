internal import LayerStore
internal import LinuxSys

/// Whether, and when, a mount that failed is made again: after a tenth of a second, then twice as long each time, half
/// a minute at most. A minute without a failure and all is forgotten.
struct RestartPlan {
    private struct Failures {
        var count = 0
        var last: UInt64 = 0
    }
    private var failures: [String: Failures] = [:]
    private static let forgotten: UInt64 = 60_000_000_000

    enum Decision: Equatable {
        case giveUp
        case again(afterMilliseconds: UInt32)
    }

    mutating func failed(_ id: String, _ policy: RestartPolicy, now: UInt64 = Clock.monotonic) -> Decision {
        var known = failures[id] ?? Failures()
        if now &- known.last > Self.forgotten { known.count = 0 }
        known.count += 1
        known.last = now
        failures[id] = known
        switch policy.kind {
        case .no: return .giveUp
        case .onFailure where known.count > policy.limit ?? .max: return .giveUp
        case .onFailure, .always: return .again(afterMilliseconds: min(100 << UInt32(min(known.count - 1, 12)), 30_000))
        }
    }
    mutating func forget(_ id: String) { failures[id] = nil }
}

import LayerStore
import Testing

@testable import Supervisor

@Suite struct RestartPlanTests {
    private let second: UInt64 = 1_000_000_000

    @Test func no() {
        var plan = RestartPlan()
        #expect(plan.failed("a", RestartPolicy(.no), now: 100 * second) == .giveUp)
    }

    @Test func growsAndIsForgotten() {
        var plan = RestartPlan()
        let policy = RestartPolicy(.always)
        #expect(
            (0..<12).map { plan.failed("a", policy, now: (100 + UInt64($0)) * second) }
                == [100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000, 30000].map {
                    .again(afterMilliseconds: $0)
                })
        // Another container's failures are its own.
        #expect(plan.failed("b", policy, now: 112 * second) == .again(afterMilliseconds: 100))
        #expect(plan.failed("a", policy, now: 200 * second) == .again(afterMilliseconds: 100))
        plan.forget("a")
        #expect(plan.failed("a", policy, now: 201 * second) == .again(afterMilliseconds: 100))
    }

    @Test func limit() {
        var plan = RestartPlan()
        let policy = RestartPolicy(.onFailure, limit: 2)
        #expect(plan.failed("a", policy, now: 100 * second) == .again(afterMilliseconds: 100))
        #expect(plan.failed("a", policy, now: 101 * second) == .again(afterMilliseconds: 200))
        #expect(plan.failed("a", policy, now: 102 * second) == .giveUp)
    }
}

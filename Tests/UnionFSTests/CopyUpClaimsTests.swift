import LinuxSys
import Testing

@testable import UnionFS

/// One copier for each inode, and nobody waits for another inode's.
struct CopyUpClaimsTests {
    /// What the threads of a test count, under a mutex.
    private final class Counter: @unchecked Sendable {
        let mutex = Mutex()
        var inside: [UInt32: Int] = [:]
        var most: [UInt32: Int] = [:]
        var total = 0
    }

    @Test func oneAtATimeForEachNode() throws {
        let claims = CopyUpClaims(try unwatched())
        let counter = Counter()
        try inParallel(8) { thread in
            var random = Generator(state: UInt64(thread))
            for _ in 0..<300 {
                let node = UInt32(random.below(3))
                try? claims.holding(node) { () throws(Errno) in
                    counter.mutex.locked {
                        counter.inside[node, default: 0] += 1
                        counter.most[node] = max(counter.most[node] ?? 0, counter.inside[node] ?? 0)
                        counter.total += 1
                    }
                    if random.below(20) == 0 { Process.sleep(milliseconds: 1) }
                    counter.mutex.locked { counter.inside[node, default: 0] -= 1 }
                    if random.below(4) == 0 { throw .noSpace }
                }
            }
        }
        #expect(counter.total == 2400)
        #expect(counter.most.values.allSatisfy { $0 == 1 })
    }

    @Test func anotherNodeDoesNotWait() throws {
        let claims = CopyUpClaims(try unwatched())
        let inner = try claims.holding(1) { () throws(Errno) in try claims.holding(2) { () throws(Errno) in 7 } }
        #expect(inner == 7)
    }

    @Test func anErrorGivesTheClaimBack() throws {
        let claims = CopyUpClaims(try unwatched())
        #expect(throws: Errno.noSpace) { try claims.holding(1) { () throws(Errno) in throw .noSpace } }
        #expect(try claims.holding(1) { () throws(Errno) in true })
    }
}

/// The order of locks, which debug builds check (docs/architecture.md).
struct LockOrderTests {
    @Test func breachesAreSeen() throws {
        let locks = DirectoryLocks(try unwatched())
        let claims = CopyUpClaims(try unwatched())
        #expect(!LockOrder.isBroken(by: .redirects))
        #if DEBUG
        try locks.shared(5) { () throws(Errno) in
            #expect(
                LockOrder.isBroken(by: .claim) && LockOrder.isBroken(by: .redirects)
                    && LockOrder.isBroken(by: .directory))
            #expect(!LockOrder.isBroken(by: .leaf) && !LockOrder.isBroken(by: .directory, 1024))
        }
        try claims.holding(7) { () throws(Errno) in
            #expect(LockOrder.isBroken(by: .redirects) && !LockOrder.isBroken(by: .directory))
        }
        #endif
        try locks.exclusive(1, 2, 3, 4) { () throws(Errno) in #expect(!LockOrder.isBroken(by: .leaf)) }
        #expect(!LockOrder.isBroken(by: .redirects) && LockOrder.violations == 0)
    }
}

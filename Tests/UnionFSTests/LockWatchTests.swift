import LinuxSys
import MountState
import Testing

@testable import UnionFS

/// Nobody waits for ever, and nobody goes on without a lock.
struct LockWatchTests {
    /// A directory's second lock is the thread's own deadlock, whichever directory it is.
    @Test func aSecondLockIsRefused() throws {
        let statistics = try MountStatistics()
        let locks = DirectoryLocks(LockWatch(slots: [], patience: 0, statistics: statistics))
        for (held, wanted) in [(5, 5), (5, 6)] as [(UInt32, UInt32)] {
            try locks.exclusive(held) { () throws(Errno) -> Void in
                #expect(throws: Errno.deadlock) { try locks.shared(wanted) { () throws(Errno) in } }
                #expect(throws: Errno.deadlock) { try locks.exclusive(wanted) { () throws(Errno) in } }
                #expect(throws: Errno.deadlock) { try locks.exclusive(wanted, 7) { () throws(Errno) in } }
            }
            try locks.shared(held) { () throws(Errno) -> Void in
                #expect(throws: Errno.deadlock) { try locks.exclusive(wanted) { () throws(Errno) in } }
            }
        }
        // And nothing is left of it.
        #expect(try locks.exclusive(5, 6, 7, 8) { () throws(Errno) in true })
        #expect(try statistics.snapshot().gauge(.hangs) == 8)
    }

    @Test func aSecondClaimIsRefused() throws {
        let claims = CopyUpClaims(try unwatched())
        let renames = RedirectLock(try unwatched())
        let times = TimeLocks(try unwatched())
        try claims.holding(3) { () throws(Errno) -> Void in
            #expect(throws: Errno.deadlock) { try claims.holding(3) { () throws(Errno) in } }
            #expect(try claims.holding(4) { () throws(Errno) in true })
        }
        try renames.holding(3) { () throws(Errno) -> Void in
            #expect(throws: Errno.deadlock) { try renames.holding(4) { () throws(Errno) in } }
        }
        try times.holding(3) { () throws(Errno) -> Void in
            #expect(throws: Errno.deadlock) { try times.holding(4) { () throws(Errno) in } }
        }
        #expect(LockNotes.here.isEmpty)
    }

    /// Threads with slots, as those of a mount.
    private struct Mount {
        let slots: [InflightSlot]
        let watch: LockWatch
        let statistics: MountStatistics
        init() throws {
            let region = try RecordRegion(slots: 3)
            slots = (0..<3).compactMap { region.slot($0) }
            statistics = try MountStatistics()
            watch = LockWatch(slots: slots, patience: 1, statistics: statistics)
        }
        /// What a request does, on a thread of its own.
        func request(_ slot: Int, _ body: @escaping @Sendable () -> Void) throws -> Thread {
            let slot = slots[slot]
            return try Thread {
                slot.enter()
                slot.begin(unique: 1, opcode: 9)
                body()
                InflightSlot.leave()
            }
        }
    }
    private static let key = LockKey(.directory, 7)

    /// The error of a request that waits for a lock that is not given in `looks` tries.
    private func waited(_ mount: Mount, looks: Int = Int.max) throws -> Errno? {
        let result = Result()
        try mount.request(1) {
            var left = looks
            do throws(Errno) {
                try mount.watch.wait(for: Self.key, 7) { (milliseconds) throws(Errno) in
                    left -= 1
                    if left <= 0 { return }
                    Clock.sleep(milliseconds: UInt32(clamping: milliseconds > 20 ? 20 : milliseconds))
                    throw .timedOut
                }
            } catch { result.error = error }
        }.join()
        return result.error
    }
    private final class Result: @unchecked Sendable { var error: Errno? }

    @Test func aLockThatEndedWithItsThread() throws {
        let mount = try Mount()
        try mount.request(0) { LockNotes.took(Self.key) }.join()
        #expect(try waited(mount) == .io)
        #expect(try mount.statistics.snapshot().gauge(.hangs) == 1)
    }
    @Test func aLockThatNobodyHas() throws {
        let mount = try Mount()
        #expect(try waited(mount) == .io)
    }
    /// Who works is waited for, however long it takes.
    @Test func aHolderAtWork() throws {
        let mount = try Mount()
        let work = Gate()
        let holder = try mount.request(0) {
            LockNotes.took(Self.key)
            work.begun.open()
            work.done.wait()
            LockNotes.gave(Self.key)
        }
        work.begun.wait()
        #expect(try waited(mount, looks: 20) == nil)
        work.done.open()
        holder.join()
    }
    /// Two that wait for each other, and a third that waits for one of them.
    @Test func aCircle() throws {
        let mount = try Mount()
        let work = Gate()
        let other = LockKey(.claim, 9)
        let holder = try mount.request(0) {
            LockNotes.took(Self.key)
            LockNotes.waits(for: other, 9)
            work.begun.open()
            work.done.wait()
        }
        let second = Gate()
        let next = try mount.request(2) {
            LockNotes.took(other)
            LockNotes.waits(for: Self.key, 7)
            second.begun.open()
            second.done.wait()
        }
        work.begun.wait()
        second.begun.wait()
        #expect(try waited(mount) == .io)
        // With the second one at work it is no circle.
        mount.slots[2].clearLocks()
        second.done.open()
        next.join()
        let third = Gate()
        let worker = try mount.request(2) {
            LockNotes.took(other)
            third.begun.open()
            third.done.wait()
        }
        third.begun.wait()
        #expect(try waited(mount, looks: 20) == nil)
        for gate in [work, third] { gate.done.open() }
        worker.join()
        holder.join()
    }

    private struct Gate {
        let begun = Door(), done = Door()
    }
    private final class Door: @unchecked Sendable {
        private let mutex = Mutex()
        private let changed = Condition()
        private var isOpen = false
        func open() {
            mutex.locked { isOpen = true }
            changed.broadcast()
        }
        func wait() { mutex.locked { while !isOpen { changed.wait(mutex) } } }
    }
}

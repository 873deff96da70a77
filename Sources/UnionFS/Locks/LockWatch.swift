internal import LinuxSys
internal import MountState

/// Nobody waits for ever. A request that is not given a lock for `patience` looks who has it: a thread that works, on a
/// long copy or a slow disk, is waited for; one that has ended, or that waits itself for what is never given, is not.
/// Then the guardian is left to start another worker, for which nothing is held (docs/takeover.md); where there is
/// none, the request fails.
///
/// Costs nothing where a lock is free.
final class LockWatch: @unchecked Sendable {
    /// What every thread of the mount notes; what a thread without a slot has (unit tests) is not seen.
    private let slots: [InflightSlot]
    /// Milliseconds; 0: however long it takes.
    private let patience: Int32
    private let statistics: MountStatistics
    /// Whether another process takes this one's place when it ends. Set before any request.
    var hasGuardian: @Sendable () -> Bool = { false }
    /// How many looks must find nobody at work, half a second apart: a holder may be between two locks, and a process
    /// that was stopped wakes up late as a whole.
    private static let looks = 4
    private static let pause: Int32 = 500

    init(slots: [InflightSlot], patience seconds: UInt32, statistics: MountStatistics) {
        self.slots = slots
        patience = Int32(clamping: UInt64(seconds) * 1000)
        self.statistics = statistics
    }

    /// - Parameter attempt: waits for so many milliseconds (< 0: however long it takes) and throws ETIMEDOUT.
    func wait(for key: LockKey, _ subject: UInt32, _ attempt: (Int32) throws(Errno) -> Void) throws(Errno) {
        LockNotes.waits(for: key, subject)
        defer { LockNotes.waited() }
        let began = Clock.monotonic
        var left = Self.looks
        var time = patience == 0 ? -1 : patience
        while true {
            do throws(Errno) { return try attempt(time) } catch {
                guard error == .timedOut else {
                    if error == .deadlock { throw refused(key, subject) }
                    throw error
                }
            }
            left = isLost(key) ? left - 1 : Self.looks
            if left == 0 { throw lost(key, subject, Clock.monotonic &- began) }
            time = left == Self.looks ? patience : min(Self.pause, patience)
        }
    }

    /// A thread asks for what it has already.
    func refused(_ key: LockKey, _ subject: UInt32) -> Errno {
        statistics.addGauge(.hangs, 1)
        Console.say("a request asks for \(name(key, subject)) while it holds \(heldHere()): refused")
        return .deadlock
    }

    private func lost(_ key: LockKey, _ subject: UInt32, _ nanoseconds: UInt64) -> Errno {
        statistics.addGauge(.hangs, 1)
        Console.say(
            "a request has waited \(nanoseconds / 1_000_000_000) s for \(name(key, subject)), which \(holders(key))")
        guard hasGuardian() else {
            Console.say("nobody takes this process's place: the request fails")
            return .io
        }
        Console.say("this process ends, and another goes on")
        Process.abort()
        return .io
    }

    // ---- who has it ----

    /// Nobody who works has it: it was lost with its thread, or all who have it wait in a circle.
    private func isLost(_ key: LockKey) -> Bool {
        // A thread that nobody sees knows of nobody either.
        guard LockNotes.areShared else { return false }
        let threads = slots.filter { $0.state == .begun || $0.state == .forgetting }.map(\.locks)
        var seen: [LockKey] = []
        return isLost(key, threads, &seen)
    }
    private func isLost(_ key: LockKey, _ threads: [ThreadLocks], _ seen: inout [LockKey]) -> Bool {
        if seen.contains(key) { return true }
        seen.append(key)
        for holder in threads where holder.held.contains(key) && holder.isAlive {
            guard let next = holder.waiting else { return false }
            if !isLost(next, threads, &seen) { return false }
        }
        return true
    }

    private func holders(_ key: LockKey) -> String {
        let held = slots.filter { $0.locks.held.contains(key) }
        if held.isEmpty { return "nobody has" }
        return "is held by "
            + held.map { slot in
                let request =
                    "\(RequestName.of(slot.opcode)), begun \((Clock.monotonic &- slot.began) / 1_000_000_000) s ago"
                guard slot.locks.isAlive else { return request + ", whose thread has ended" }
                return request + (slot.locks.waiting.map { ", which waits for \(name($0, slot.locks.subject))" } ?? "")
            }.joined(separator: " and ")
    }
    private func heldHere() -> String { LockNotes.here.map { name($0, nil) }.joined(separator: ", ") }

    private func name(_ key: LockKey, _ subject: UInt32?) -> String {
        let of = subject.map { " of inode \($0)" } ?? ""
        return switch key.kind {
        case .directory: "the lock of a directory's names (\(key.number))" + of
        case .claim: "the copy-up of inode \(key.number)"
        case .redirects: "the lock of directories' renames"
        case .times: "the times" + of
        case nil: "a lock"
        }
    }
}

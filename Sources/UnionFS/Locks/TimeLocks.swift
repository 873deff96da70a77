internal import LinuxSys

/// With writeback the kernel says a file's time of modification by a SETATTR of its own, while data of the same file
/// may still be on their way: `keepingTime` looks at the time, writes and puts it back, and must not put back what was
/// told meanwhile. Taken with a directory's lock held or none; below it only leaves.
final class TimeLocks: Sendable {
    private static let count = 256
    private let locks: [RWLock]
    private let watch: LockWatch
    init(_ watch: LockWatch) {
        self.watch = watch
        locks = (0..<Self.count).map { RWLock(.times, order: UInt32($0)) }
    }

    func holding<R>(_ node: UInt32, _ body: () throws(Errno) -> R) throws(Errno) -> R {
        let number = Int((node &* 0x9e37_79b9) >> 24)
        let key = LockKey(.times, UInt32(truncatingIfNeeded: number))
        if LockNotes.holdsAny(.times) { throw watch.refused(key, node) }
        if !locks[number].tryLock(exclusively: true) {
            try watch.wait(for: key, node) { (milliseconds) throws(Errno) in
                try locks[number].lock(exclusively: true, milliseconds: milliseconds)
            }
        }
        LockNotes.took(key)
        defer {
            LockNotes.gave(key)
            locks[number].unlock()
        }
        return try body()
    }
}

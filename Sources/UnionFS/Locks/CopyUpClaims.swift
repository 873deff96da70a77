internal import LinuxSys

/// Who is copying what up: two openers at once copy once; the second waits, holding nothing.
final class CopyUpClaims: @unchecked Sendable {
    private let mutex = Mutex(.leaf)
    private let changed = Condition()
    private var claimed: Set<UInt32> = []
    private let watch: LockWatch
    init(_ watch: LockWatch) { self.watch = watch }

    func holding<R>(_ node: UInt32, _ body: () throws(Errno) -> R) throws(Errno) -> R {
        let key = LockKey(.claim, node)
        if LockNotes.holds(key) { throw watch.refused(key, node) }
        if !claim(node) {
            var killed = KillWatch()
            try watch.wait(for: key, node) { (milliseconds) throws(Errno) in try wait(node, milliseconds, &killed) }
        }
        LockOrder.taken(.claim, node)
        LockNotes.took(key)
        defer {
            LockNotes.gave(key)
            mutex.locked { _ = claimed.remove(node) }
            changed.broadcast()
            LockOrder.released(.claim, node)
        }
        return try body()
    }

    private func claim(_ node: UInt32) -> Bool { mutex.locked { claimed.insert(node).inserted } }

    /// A long copy is not waited for by who was killed.
    private func wait(_ node: UInt32, _ milliseconds: Int32, _ killed: inout KillWatch) throws(Errno) {
        let until = milliseconds < 0 ? UInt64.max : Clock.monotonic + UInt64(milliseconds) * 1_000_000
        try mutex.locked { () throws(Errno) in
            while claimed.contains(node) {
                try killed.check()
                if Clock.monotonic > until { throw .timedOut }
                changed.wait(mutex, milliseconds: 100)
            }
            claimed.insert(node)
        }
    }
}

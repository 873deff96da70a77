internal import LinuxSys

/// Renames of directories and exchanges, one after the other: a redirect is a path, which must not move meanwhile.
final class RedirectLock: Sendable {
    private let lock = RWLock(.redirects)
    private let watch: LockWatch
    init(_ watch: LockWatch) { self.watch = watch }

    func holding<R>(_ node: UInt32, _ body: () throws(Errno) -> R) throws(Errno) -> R {
        let key = LockKey(.redirects)
        if LockNotes.holds(key) { throw watch.refused(key, node) }
        if !lock.tryLock(exclusively: true) {
            try watch.wait(for: key, node) { (milliseconds) throws(Errno) in
                try lock.lock(exclusively: true, milliseconds: milliseconds)
            }
        }
        LockNotes.took(key)
        defer {
            LockNotes.gave(key)
            lock.unlock()
        }
        return try body()
    }
}

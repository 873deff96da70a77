internal import LinuxSys

/// One lock for each directory, folded onto a fixed number: shared while its names are used, exclusive while they
/// change. Several are taken in ascending order, so that nobody waits in a circle. Below them only leaf locks; never
/// held over a reply, a copy-up's data, or while waiting for somebody else's copy-up.
///
/// A thread takes what it needs in one call. A second one would be its own deadlock, with another directory too, as two
/// may fold onto one lock: it is refused (EDEADLK) and told. Who needs a directory that is held gets the
/// `HeldDirectory`.
final class DirectoryLocks: Sendable {
    private static let count = 1024
    private let locks: [RWLock]
    private let watch: LockWatch
    init(_ watch: LockWatch) {
        self.watch = watch
        locks = (0..<Self.count).map { RWLock(.directory, order: UInt32($0)) }
    }

    private func stripe(_ node: UInt32) -> Int { Int((node &* 0x9e37_79b9) >> 22) }

    func shared<R: ~Copyable>(_ node: UInt32, _ body: () throws(Errno) -> R) throws(Errno) -> R {
        try refuseSecond(node)
        let stripe = stripe(node)
        try take(stripe, node, exclusively: false)
        defer { give(stripe) }
        return try body()
    }
    func exclusive<R: ~Copyable>(_ node: UInt32, _ body: () throws(Errno) -> R) throws(Errno) -> R {
        try refuseSecond(node)
        let stripe = stripe(node)
        try take(stripe, node, exclusively: true)
        defer { give(stripe) }
        return try body()
    }
    /// Up to four directories (0: none), each once.
    func exclusive<R: ~Copyable>(
        _ a: UInt32, _ b: UInt32, _ c: UInt32 = 0, _ d: UInt32 = 0, _ body: () throws(Errno) -> R
    ) throws(Errno) -> R {
        try refuseSecond(a)
        var stripes: InlineArray<4, Int> = [
            stripe(a), b == 0 ? -1 : stripe(b), c == 0 ? -1 : stripe(c), d == 0 ? -1 : stripe(d),
        ]
        for i in 1..<4 {
            var j = i
            while j > 0, stripes[j - 1] > stripes[j] {
                let held = stripes[j]
                stripes[j] = stripes[j - 1]
                stripes[j - 1] = held
                j -= 1
            }
        }
        var taken = 0
        defer {
            for i in 0..<taken where stripes[i] >= 0 && (i == 0 || stripes[i] != stripes[i - 1]) { give(stripes[i]) }
        }
        for i in 0..<4 {
            if stripes[i] >= 0, i == 0 || stripes[i] != stripes[i - 1] { try take(stripes[i], a, exclusively: true) }
            taken = i + 1
        }
        return try body()
    }

    @inline(__always)
    private func refuseSecond(_ node: UInt32) throws(Errno) {
        if LockNotes.holdsAny(.directory) { throw watch.refused(.init(.directory, UInt32(stripe(node))), node) }
    }
    @inline(__always)
    private func take(_ stripe: Int, _ node: UInt32, exclusively: Bool) throws(Errno) {
        let key = LockKey(.directory, UInt32(truncatingIfNeeded: stripe))
        if !locks[stripe].tryLock(exclusively: exclusively) {
            try watch.wait(for: key, node) { (milliseconds) throws(Errno) in
                try locks[stripe].lock(exclusively: exclusively, milliseconds: milliseconds)
            }
        }
        LockNotes.took(key)
    }
    @inline(__always)
    private func give(_ stripe: Int) {
        LockNotes.gave(LockKey(.directory, UInt32(truncatingIfNeeded: stripe)))
        locks[stripe].unlock()
    }
}

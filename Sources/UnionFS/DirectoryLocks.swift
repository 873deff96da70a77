internal import LinuxSys

/// One lock for each directory, folded onto a fixed number: shared while its names are used, exclusive while they change. Several
/// are taken in ascending order, so that nobody waits in a circle. Below them only leaf locks; never held over a reply, a copy-up's data,
/// or while waiting for somebody else's copy-up.
final class DirectoryLocks: Sendable {
    private static let count = 1024
    private let locks: [RWLock]
    init() { locks = (0..<Self.count).map { RWLock(.directory, order: UInt32($0)) } }

    private func stripe(_ node: UInt32) -> Int { Int((node &* 0x9e37_79b9) >> 22) }

    func shared<R: ~Copyable>(_ node: UInt32, _ body: () throws(Errno) -> R) throws(Errno) -> R {
        let lock = locks[stripe(node)]
        lock.lockShared()
        defer { lock.unlock() }
        return try body()
    }
    func exclusive<R: ~Copyable>(_ node: UInt32, _ body: () throws(Errno) -> R) throws(Errno) -> R {
        let lock = locks[stripe(node)]
        lock.lockExclusive()
        defer { lock.unlock() }
        return try body()
    }
    /// Up to three directories (0: none), each once.
    func exclusive<R: ~Copyable>(_ a: UInt32, _ b: UInt32, _ c: UInt32 = 0, _ d: UInt32 = 0, _ body: () throws(Errno) -> R) throws(Errno) -> R {
        var stripes: InlineArray<4, Int> = [stripe(a), b == 0 ? -1 : stripe(b), c == 0 ? -1 : stripe(c), d == 0 ? -1 : stripe(d)]
        for i in 1..<4 {
            var j = i
            while j > 0, stripes[j - 1] > stripes[j] {
                let held = stripes[j]
                stripes[j] = stripes[j - 1]
                stripes[j - 1] = held
                j -= 1
            }
        }
        var last = -1
        for i in 0..<4 where stripes[i] != last {
            last = stripes[i]
            locks[last].lockExclusive()
        }
        defer {
            var last = -1
            for i in 0..<4 where stripes[i] != last {
                last = stripes[i]
                locks[last].unlock()
            }
        }
        return try body()
    }
}

/// Who is copying what up: two openers at once copy once; the second waits, holding nothing.
final class CopyUpClaims: @unchecked Sendable {
    private let mutex = Mutex(.leaf)
    private let changed = Condition()
    private var claimed: Set<UInt32> = []

    func holding<R>(_ node: UInt32, _ body: () throws(Errno) -> R) throws(Errno) -> R {
        try mutex.locked { () throws(Errno) in
            if claimed.contains(node) {
                var watch = KillWatch()
                // A long copy is not waited for by who was killed.
                while claimed.contains(node) {
                    try watch.check()
                    changed.wait(mutex, milliseconds: 100)
                }
            }
            claimed.insert(node)
        }
        LockOrder.taken(.claim, node)
        defer {
            mutex.locked { _ = claimed.remove(node) }
            changed.broadcast()
            LockOrder.released(.claim, node)
        }
        return try body()
    }
}

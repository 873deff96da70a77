internal import LinuxSys

/// One at a time for each container: starts, stops and removals wait for each other.
final class ContainerLocks: @unchecked Sendable {
    private let lock = Mutex()
    private let changed = Condition()
    /// Guarded by `lock`.
    private var held: Set<String> = []

    /// Not at all where somebody holds it.
    func ifFree(_ id: String, _ body: () -> Void) {
        let isFree = lock.locked { held.insert(id).inserted }
        guard isFree else { return }
        body()
        lock.locked {
            held.remove(id)
            changed.broadcast()
        }
    }
    func holding<R, E: Error>(_ id: String, _ body: () throws(E) -> R) throws(E) -> R {
        lock.locked {
            while held.contains(id) { changed.wait(lock) }
            held.insert(id)
        }
        defer {
            lock.locked {
                held.remove(id)
                changed.broadcast()
            }
        }
        return try body()
    }
}

internal import Synchronization

/// Something that was learnt and stays true for the mount.
public final class OnceFlag: Sendable {
    private let flag = Atomic<Bool>(false)
    public init() {}
    public func load() -> Bool { flag.load(ordering: .relaxed) }
    public func store() { flag.store(true, ordering: .relaxed) }
}

internal import CShims

/// The order in which locks are taken (docs/architecture.md). Debug builds check each lock that has a rank against those that its thread holds;
/// what is wrong is said on stderr and counted. Release builds know nothing of it.
public enum LockRank: UInt32, Sendable {
    case unranked = 0, redirects, claim, directory, leaf
}

public enum LockOrder {
    /// How often a lock was taken out of order in this process. Always 0 in a release build.
    public static var violations: Int { Int(cs_rank_violations()) }
    /// Whether this thread holds something that comes after this lock. Always false in a release build.
    public static func isBroken(by rank: LockRank, _ order: UInt32 = 0) -> Bool { cs_rank_breach(UInt64(rank.rawValue) << 32 | UInt64(order)) != 0 }
    /// What is taken next must come after all that is held; within a rank by `order`.
    @inline(__always)
    public static func taken(_ rank: LockRank, _ order: UInt32 = 0) {
        #if DEBUG
        if rank != .unranked { cs_rank_push(UInt64(rank.rawValue) << 32 | UInt64(order)) }
        #endif
    }
    @inline(__always)
    public static func released(_ rank: LockRank, _ order: UInt32 = 0) {
        #if DEBUG
        if rank != .unranked { cs_rank_pop(UInt64(rank.rawValue) << 32 | UInt64(order)) }
        #endif
    }
}

/// A pthread mutex. Not Synchronization.Mutex: that one is a priority-inheritance futex whose fair hand-off convoys
/// when threads contend (measured 32 µs against 2.1 µs, 8 threads on 2 cores, Swift 6.3.1).
@safe
public final class Mutex: @unchecked Sendable {
    private let storage: UnsafeMutableRawPointer
    private let rank: LockRank
    public init(_ rank: LockRank = .unranked) {
        self.rank = rank
        unsafe storage = UnsafeMutableRawPointer.allocate(byteCount: cs_mutex_size(), alignment: 64)
        _ = unsafe cs_mutex_init(storage)
    }
    deinit {
        unsafe cs_mutex_destroy(storage)
        unsafe storage.deallocate()
    }
    @inline(__always) public func lock() {
        LockOrder.taken(rank)
        unsafe cs_mutex_lock(storage)
    }
    @inline(__always) public func unlock() {
        unsafe cs_mutex_unlock(storage)
        LockOrder.released(rank)
    }
    @inline(__always)
    public func locked<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
        lock()
        defer { unlock() }
        return try body()
    }
    /// For condition variables only.
    @unsafe var raw: UnsafeMutableRawPointer { unsafe storage }
}

/// A pthread condition variable.
@safe
public final class Condition: @unchecked Sendable {
    private let storage: UnsafeMutableRawPointer
    public init() {
        unsafe storage = UnsafeMutableRawPointer.allocate(byteCount: cs_cond_size(), alignment: 64)
        _ = unsafe cs_cond_init(storage)
    }
    deinit {
        unsafe cs_cond_destroy(storage)
        unsafe storage.deallocate()
    }
    /// - Precondition: the caller holds `mutex`.
    public func wait(_ mutex: Mutex) { unsafe cs_cond_wait(storage, mutex.raw) }
    /// Returns after so long, too.
    public func wait(_ mutex: Mutex, milliseconds: Int32) { unsafe cs_cond_wait_ms(storage, mutex.raw, milliseconds) }
    public func broadcast() { unsafe cs_cond_broadcast(storage) }
}

/// A pthread read/write lock.
@safe
public final class RWLock: @unchecked Sendable {
    private let storage: UnsafeMutableRawPointer
    private let rank: LockRank
    private let order: UInt32
    /// `order`: of several locks of one rank the lower is taken first.
    public init(_ rank: LockRank = .unranked, order: UInt32 = 0) {
        self.rank = rank
        self.order = order
        unsafe storage = UnsafeMutableRawPointer.allocate(byteCount: cs_rwlock_size(), alignment: 64)
        _ = unsafe cs_rwlock_init(storage)
    }
    deinit {
        unsafe cs_rwlock_destroy(storage)
        unsafe storage.deallocate()
    }
    @inline(__always) public func lockShared() {
        LockOrder.taken(rank, order)
        unsafe cs_rwlock_rdlock(storage)
    }
    @inline(__always) public func lockExclusive() {
        LockOrder.taken(rank, order)
        unsafe cs_rwlock_wrlock(storage)
    }
    @inline(__always) public func unlock() {
        unsafe cs_rwlock_unlock(storage)
        LockOrder.released(rank, order)
    }
    @inline(__always)
    public func shared<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
        lockShared()
        defer { unlock() }
        return try body()
    }
    @inline(__always)
    public func exclusive<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
        lockExclusive()
        defer { unlock() }
        return try body()
    }
}

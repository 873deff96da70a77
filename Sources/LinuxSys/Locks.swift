internal import CShims

/// The order in which locks are taken (docs/architecture.md). Debug builds check each lock that has a rank against
/// those that its thread holds; what is wrong is said on stderr and counted. Release builds know nothing of it.
public enum LockRank: UInt32, Sendable {
    case unranked = 0
    case redirects, claim, directory, times, leaf
}

public enum LockOrder {
    /// How often a lock was taken out of order in this process. Always 0 in a release build.
    public static var violations: Int { Int(cs_rank_violations()) }
    /// Whether this thread holds something that comes after this lock. Always false in a release build.
    public static func isBroken(by rank: LockRank, _ order: UInt32 = 0) -> Bool {
        cs_rank_breach(UInt64(rank.rawValue) << 32 | UInt64(order)) != 0
    }
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

/// A lock or a thread that pthreads refuse in a program that is right: it is never gone on without. Says so and ends
/// the process, whose successor takes over where the mount has a guardian (docs/takeover.md).
func holds(_ error: Int32, _ what: StaticString) {
    if error != 0 { unsafe cs_lock_fault(UnsafeRawPointer(what.utf8Start).assumingMemoryBound(to: CChar.self), error) }
}

/// A pthread mutex. Not Synchronization.Mutex: that one is a priority-inheritance futex whose fair hand-off convoys
/// when threads contend (measured 32 µs against 2.1 µs, 8 threads on 2 cores, Swift 6.3.1).
@safe
public final class Mutex: @unchecked Sendable {
    private let storage: UnsafeMutableRawPointer
    private let rank: LockRank
    /// Leaves are held for nanoseconds: one that is not given for so long was lost.
    private static let leafPatience: Int32 = 10_000
    public init(_ rank: LockRank = .unranked) {
        self.rank = rank
        unsafe storage = UnsafeMutableRawPointer.allocate(byteCount: cs_mutex_size(), alignment: 64)
        holds(unsafe cs_mutex_init(storage), "a mutex cannot be made")
    }
    deinit {
        holds(unsafe cs_mutex_destroy(storage), "a mutex is in use at its end")
        unsafe storage.deallocate()
    }
    @inline(__always) public func lock() {
        LockOrder.taken(rank)
        let error = unsafe cs_mutex_lock(storage, rank == .leaf ? Self.leafPatience : -1)
        if error != 0 { holds(error, "a mutex cannot be taken") }
    }
    @inline(__always) public func unlock() {
        let error = unsafe cs_mutex_unlock(storage)
        if error != 0 { holds(error, "a mutex cannot be given back") }
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
        holds(unsafe cs_cond_init(storage), "a condition cannot be made")
    }
    deinit {
        holds(unsafe cs_cond_destroy(storage), "a condition is in use at its end")
        unsafe storage.deallocate()
    }
    /// - Precondition: the caller holds `mutex`.
    public func wait(_ mutex: Mutex) {
        holds(unsafe cs_cond_wait(storage, mutex.raw, -1), "a condition cannot be waited for")
    }
    /// Returns after so long, too.
    public func wait(_ mutex: Mutex, milliseconds: Int32) {
        holds(unsafe cs_cond_wait(storage, mutex.raw, milliseconds), "a condition cannot be waited for")
    }
    public func broadcast() { holds(unsafe cs_cond_broadcast(storage), "a condition cannot be told") }
}

/// A pthread read/write lock that lets a waiting writer go first. A thread must not take it twice, not even for
/// reading.
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
        holds(unsafe cs_rwlock_init(storage), "a lock cannot be made")
    }
    deinit {
        holds(unsafe cs_rwlock_destroy(storage), "a lock is in use at its end")
        unsafe storage.deallocate()
    }
    /// False: not without waiting.
    @inline(__always) public func tryLock(exclusively: Bool) -> Bool {
        guard unsafe cs_rwlock_try(storage, exclusively ? 1 : 0) == 0 else { return false }
        LockOrder.taken(rank, order)
        return true
    }
    /// - Throws: EDEADLK where this thread holds it, ETIMEDOUT (`milliseconds` < 0: never), EAGAIN where it has too
    ///   many readers.
    public func lock(exclusively: Bool, milliseconds: Int32 = -1) throws(Errno) {
        let error = unsafe cs_rwlock_lock(storage, exclusively ? 1 : 0, milliseconds)
        if error != 0 { throw Errno(error) }
        LockOrder.taken(rank, order)
    }
    @inline(__always) public func unlock() {
        let error = unsafe cs_rwlock_unlock(storage)
        if error != 0 { holds(error, "a lock cannot be given back") }
        LockOrder.released(rank, order)
    }
    @inline(__always)
    public func shared<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R { try holding(exclusively: false, body) }
    @inline(__always)
    public func exclusive<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
        try holding(exclusively: true, body)
    }
    @inline(__always)
    private func holding<R, E: Error>(exclusively: Bool, _ body: () throws(E) -> R) throws(E) -> R {
        if !tryLock(exclusively: exclusively) {
            do throws(Errno) { try lock(exclusively: exclusively) } catch {
                holds(error.code, "a lock cannot be taken")
            }
        }
        defer { unlock() }
        return try body()
    }
}

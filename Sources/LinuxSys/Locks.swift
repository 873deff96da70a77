internal import CShims

/// A pthread mutex. Not Synchronization.Mutex: that one is a priority-inheritance futex whose fair hand-off convoys
/// when threads contend (measured 32 µs against 2.1 µs, 8 threads on 2 cores, Swift 6.3.1).
@safe
public final class Mutex: @unchecked Sendable {
    private let storage: UnsafeMutableRawPointer
    public init() {
        unsafe storage = UnsafeMutableRawPointer.allocate(byteCount: cs_mutex_size(), alignment: 64)
        _ = unsafe cs_mutex_init(storage)
    }
    deinit {
        unsafe cs_mutex_destroy(storage)
        unsafe storage.deallocate()
    }
    @inline(__always) public func lock() { unsafe cs_mutex_lock(storage) }
    @inline(__always) public func unlock() { unsafe cs_mutex_unlock(storage) }
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
    public func broadcast() { unsafe cs_cond_broadcast(storage) }
}

/// A pthread read/write lock.
@safe
public final class RWLock: @unchecked Sendable {
    private let storage: UnsafeMutableRawPointer
    public init() {
        unsafe storage = UnsafeMutableRawPointer.allocate(byteCount: cs_rwlock_size(), alignment: 64)
        _ = unsafe cs_rwlock_init(storage)
    }
    deinit {
        unsafe cs_rwlock_destroy(storage)
        unsafe storage.deallocate()
    }
    @inline(__always) public func lockShared() { unsafe cs_rwlock_rdlock(storage) }
    @inline(__always) public func lockExclusive() { unsafe cs_rwlock_wrlock(storage) }
    @inline(__always) public func unlock() { unsafe cs_rwlock_unlock(storage) }
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

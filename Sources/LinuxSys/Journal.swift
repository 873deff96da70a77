internal import CShims

/// The old content of records that are changed with a lock held: put back by who comes after a process that died
/// meanwhile. A change of records in shared memory is then done, or not done at all (docs/takeover.md).
///
/// A save costs some nanoseconds: the record is copied once for each time that the lock is held.
@safe
public struct Journal: @unchecked Sendable {
    private let memory: SharedMemory
    private let at: UnsafeMutableRawPointer
    private let capacity: UInt32

    /// In `memory`, whose records it keeps.
    public init(_ memory: SharedMemory, offset: Int, capacity: Int) {
        self.memory = memory
        unsafe at = memory.base + offset
        self.capacity = UInt32(capacity)
    }
    /// Before the first change of a record since the last `commit`.
    @inline(__always)
    public func save(_ record: UnsafeRawPointer, _ length: Int) {
        unsafe cs_journal_save(at, capacity, memory.base, record, UInt32(truncatingIfNeeded: length))
    }
    /// All is as it should be.
    @inline(__always) public func commit() { unsafe cs_journal_commit(at) }
    /// - Throws: EUCLEAN where more was changed than fits.
    public func undo() throws(Errno) {
        try checkedOnce { unsafe cs_journal_undo(at, capacity, memory.base, UInt64(memory.length)) }
    }
}

internal import CShims

/// One of the locks that a request may hold for longer than an instant, by a number that every thread and every process
/// of a mount understands.
public struct LockKey: Equatable, Sendable {
    public let raw: UInt32
    public enum Kind: UInt32, Sendable {
        case directory = 1
        case claim, redirects, times
    }
    public init(_ kind: Kind, _ number: UInt32 = 0) { raw = kind.rawValue << 28 | number & 0xfff_ffff }
    init(raw: UInt32) { self.raw = raw }
    public var number: UInt32 { raw & 0xfff_ffff }
    public var kind: Kind? { Kind(rawValue: raw >> 28) }
}

/// What this thread holds and waits for, noted where others find it who wait for the same (`InflightSlot.locks`). A
/// store or two each; no system call.
public enum LockNotes {
    @inline(__always) public static func took(_ key: LockKey) { unsafe cs_lock_noted(cs_lock_notes(), key.raw) }
    @inline(__always) public static func gave(_ key: LockKey) { unsafe cs_lock_forgotten(cs_lock_notes(), key.raw) }
    /// Whether this thread has a lock of this kind.
    @inline(__always)
    public static func holdsAny(_ kind: LockKey.Kind) -> Bool {
        guard let notes = unsafe cs_lock_notes() else { return false }
        return unsafe cs_lock_holds(notes, 0xf << 28, kind.rawValue << 28) != 0
    }
    /// Whether others see them: this thread has a slot.
    public static var areShared: Bool { unsafe cs_inflight() != nil }
    /// What this thread has.
    public static var here: [LockKey] {
        guard let notes = unsafe cs_lock_notes() else { return [] }
        return unsafe ThreadLocks(notes).held
    }
    public static func holds(_ key: LockKey) -> Bool {
        guard let notes = unsafe cs_lock_notes() else { return false }
        return unsafe cs_lock_holds(notes, UInt32.max, key.raw) != 0
    }
    /// `subject`: the node whose lock it is.
    public static func waits(for key: LockKey, _ subject: UInt32) {
        guard let notes = unsafe cs_lock_notes() else { return }
        unsafe notes.pointee.subject = subject
        unsafe notes.pointee.since = Clock.monotonic
        unsafe withUnsafeMutablePointer(to: &notes.pointee.waiting) { p in unsafe cs_store_ordered(p, key.raw) }
    }
    public static func waited() {
        guard let notes = unsafe cs_lock_notes() else { return }
        unsafe withUnsafeMutablePointer(to: &notes.pointee.waiting) { p in unsafe cs_store_ordered(p, 0) }
    }
}

/// One look at what a thread holds and waits for. The thread goes on meanwhile: it says what was so a moment ago.
public struct ThreadLocks: Sendable {
    public let held: [LockKey]
    public let waiting: LockKey?
    public let subject: UInt32
    public let since: UInt64
    private let thread: UInt32

    init(_ notes: UnsafeMutablePointer<cs_lock_notes>) {
        let n = unsafe notes.pointee
        let count = Int(min(n.count, UInt32(CS_LOCKS_HELD)))
        var held: [LockKey] = []
        unsafe withUnsafePointer(to: n.held) { p in
            for i in 0..<count {
                unsafe held.append(LockKey(raw: UnsafeRawPointer(p).load(fromByteOffset: i * 4, as: UInt32.self)))
            }
        }
        self.held = held
        waiting = n.waiting == 0 ? nil : LockKey(raw: n.waiting)
        subject = n.subject
        since = n.since
        thread = n.thread
    }
    /// A thread that has ended gives nothing back.
    public var isAlive: Bool { thread != 0 && cs_thread_exists(thread) != 0 }
}

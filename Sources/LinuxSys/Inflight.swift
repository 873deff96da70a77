internal import CShims

/// The nodes of a slot lie behind it.
@inline(__always)
private func nodes(of slot: UnsafeMutablePointer<cs_inflight>) -> UnsafeMutablePointer<UInt32> {
    unsafe UnsafeMutableRawPointer(slot + 1).assumingMemoryBound(to: UInt32.self)
}

/// What a serving thread is in the middle of, and the buffers in which it receives and replies, in memory that outlives
/// the process.
@safe
public final class InflightSlot: @unchecked Sendable {
    public let memory: SharedMemory
    /// Which of the mount's it is, from 0 on.
    public let number: Int
    private let record: UnsafeMutablePointer<cs_inflight>
    /// For a request as it is received, and for replies.
    public let request: MutableBytes
    public let replies: MutableBytes

    private static let recordLength = (MemoryLayout<cs_inflight>.size + Int(CS_INFLIGHT_NODES) * 4 + 4095) & ~4095
    /// `buffer`: the longest message.
    public static func length(buffer: Int) -> Int { recordLength + 2 * ((buffer + 4095) & ~4095) }

    public init(_ memory: SharedMemory, number: Int = 0, offset: Int, buffer: Int) {
        self.memory = memory
        self.number = number
        let length = (buffer + 4095) & ~4095
        unsafe record = (memory.base + offset).bindMemory(to: cs_inflight.self, capacity: 1)
        let base = unsafe memory.base + offset + Self.recordLength
        request = unsafe MutableBytes(UnsafeMutableRawBufferPointer(start: base, count: length))
        replies = unsafe MutableBytes(UnsafeMutableRawBufferPointer(start: base + length, count: length))
    }

    public enum State: UInt32, Sendable {
        case idle = 0
        case begun, replied, forgetting
    }
    public var state: State { State(rawValue: unsafe record.pointee.state) ?? .idle }
    public var unique: UInt64 { unsafe record.pointee.unique }
    public var opcode: UInt32 { unsafe record.pointee.opcode }
    /// The node id that it is about.
    public var subject: UInt64 { unsafe record.pointee.subject }
    public var reply: Int { Int(unsafe record.pointee.reply) }
    public var forgotten: UInt32 { unsafe record.pointee.forgotten }
    public var attempts: UInt32 { unsafe record.pointee.attempts }
    /// Of a ring: what the kernel calls the request. Set before `begin`.
    public var commit: UInt64 {
        get { unsafe record.pointee.commit }
        set { unsafe record.pointee.commit = newValue }
    }
    /// Of a WRITE that is done: its bytes.
    public var result: UInt32 { unsafe record.pointee.result }

    // ---- by the thread whose slot it is ----

    /// Enters what will be written of `replies` into this process's page tables: the first `always` bytes, and all that
    /// a process before this one has used.
    public func populateReplies(always: Int) {
        let offset = unsafe replies.buffer.baseAddress.map { unsafe $0 - memory.base } ?? 0
        unsafe cs_populate(memory.fd.raw, memory.base, offset, replies.count, min(always, replies.count))
    }
    /// What this thread does from now on is noted here.
    public func enter() { unsafe cs_inflight_set(record) }
    public static func leave() { cs_inflight_set(nil) }

    @inline(__always)
    public func begin(unique: UInt64, opcode: UInt32, subject: UInt64 = 0) {
        unsafe record.pointee.subject = subject
        unsafe record.pointee.began = Clock.monotonic
        unsafe record.pointee.unique = unique
        unsafe record.pointee.opcode = opcode
        unsafe record.pointee.lookups = 0
        unsafe record.pointee.handle = 0
        unsafe record.pointee.orphan = -1
        unsafe record.pointee.data = -1
        unsafe record.pointee.backing_count = 0
        unsafe record.pointee.copying = 0
        unsafe record.pointee.done = 0
        unsafe record.pointee.attempts = 0
        set(.begun)
    }
    /// The same request once more, for another worker: what the last one has left of it is known.
    public func beginAgain() {
        unsafe record.pointee.lookups = 0
        unsafe record.pointee.handle = 0
        unsafe record.pointee.attempts += 1
        set(.begun)
    }
    public func beginForgetting() {
        unsafe record.pointee.forgotten = 0
        unsafe record.pointee.backing_count = 0
        unsafe record.pointee.copying = 0
        set(.forgetting)
    }
    /// The reply is complete, and about to be handed over.
    @inline(__always)
    public func replied(_ length: Int) {
        unsafe record.pointee.reply = UInt32(truncatingIfNeeded: length)
        set(.replied)
    }
    @inline(__always) public func end() { set(.idle) }
    @inline(__always)
    private func set(_ state: State) {
        unsafe withUnsafeMutablePointer(to: &record.pointee.state) { p in unsafe cs_store_ordered(p, state.rawValue) }
    }

    // ---- by who waits for it ----

    /// When its request began (CLOCK_MONOTONIC).
    public var began: UInt64 { unsafe record.pointee.began }
    public var locks: ThreadLocks {
        unsafe withUnsafeMutablePointer(to: &record.pointee.locks) { unsafe ThreadLocks($0) }
    }
    /// What a process that died held is held by nobody.
    public func clearLocks() { unsafe record.pointee.locks = cs_lock_notes() }

    // ---- by who comes after it ----

    public var lookups: [UInt32] {
        (0..<Int(min(unsafe record.pointee.lookups, UInt32(CS_INFLIGHT_NODES)))).map { i in unsafe nodes(of: record)[i]
        }
    }
    public var handle: UInt32 { unsafe record.pointee.handle }
    /// Those that no inode has are nobody's.
    public var backings: [UInt32] {
        (0..<Int(min(unsafe record.pointee.backing_count, 16))).map { i in
            unsafe withUnsafeMutablePointer(to: &record.pointee.backings.0) { unsafe $0[i] }
        }
    }
    public var copying: UInt32 { unsafe record.pointee.copying }
    public var isDone: Bool { unsafe record.pointee.done != 0 }
    /// Descriptors that the process before had open for it.
    public var orphan: FD { FD(raw: unsafe record.pointee.orphan) }
    public var data: FD { FD(raw: unsafe record.pointee.data) }
    public func clearLookups(_ journal: Journal) {
        unsafe withUnsafeMutablePointer(to: &record.pointee.lookups) { p in unsafe journal.save(p, 4) }
        unsafe record.pointee.lookups = 0
    }
    public func clearHandle() { unsafe record.pointee.handle = 0 }
    public func clearBackings() { unsafe record.pointee.backing_count = 0 }
    public func clearCopying() { unsafe record.pointee.copying = 0 }
}

/// What the request that this thread serves has done so far, noted where the next process finds it. Each does nothing
/// on a thread without a slot.
///
/// With a journal: to be called with its lock held, so that it is true of the records together with what else is
/// changed there.
public enum Inflight {
    /// A lookup was counted.
    @inline(__always)
    public static func counted(_ node: UInt32, _ journal: Journal) {
        guard let slot = unsafe cs_inflight() else { return }
        let count = unsafe slot.pointee.lookups
        guard count < UInt32(CS_INFLIGHT_NODES) else { return }
        unsafe nodes(of: slot)[Int(count)] = node
        unsafe withUnsafeMutablePointer(to: &slot.pointee.lookups) { p in unsafe journal.save(p, 4) }
        unsafe slot.pointee.lookups = count + 1
    }
    /// A lookup that was counted for the request itself is given back.
    @inline(__always)
    public static func takenBack(_ node: UInt32, _ journal: Journal) {
        guard let slot = unsafe cs_inflight() else { return }
        let nodes = unsafe nodes(of: slot)
        let count = Int(unsafe slot.pointee.lookups)
        guard count > 0, count <= Int(CS_INFLIGHT_NODES), let i = (0..<count).last(where: { unsafe nodes[$0] == node })
        else { return }
        unsafe journal.save(nodes + i, 4)
        unsafe nodes[i] = nodes[count - 1]
        unsafe withUnsafeMutablePointer(to: &slot.pointee.lookups) { p in unsafe journal.save(p, 4) }
        unsafe slot.pointee.lookups = UInt32(count - 1)
    }
    /// One more entry of a FORGET was done.
    @inline(__always)
    public static func forgot(_ journal: Journal) {
        guard let slot = unsafe cs_inflight() else { return }
        unsafe withUnsafeMutablePointer(to: &slot.pointee.forgotten) { p in unsafe journal.save(p, 4) }
        unsafe slot.pointee.forgotten += 1
    }
    @inline(__always)
    public static func opened(_ handle: UInt32, _ journal: Journal) {
        guard let slot = unsafe cs_inflight() else { return }
        unsafe withUnsafeMutablePointer(to: &slot.pointee.handle) { p in unsafe journal.save(p, 4) }
        unsafe slot.pointee.handle = handle
    }
    /// Names were changed as the request wants it.
    @inline(__always)
    public static func done(_ journal: Journal) {
        guard let slot = unsafe cs_inflight() else { return }
        unsafe withUnsafeMutablePointer(to: &slot.pointee.done) { p in unsafe journal.save(p, 4) }
        unsafe slot.pointee.done = 1
    }
    /// The copy of a node was entered in the records.
    @inline(__always)
    public static func copied(_ journal: Journal) {
        guard let slot = unsafe cs_inflight() else { return }
        unsafe withUnsafeMutablePointer(to: &slot.pointee.copying) { p in unsafe journal.save(p, 4) }
        unsafe slot.pointee.copying = 0
    }

    /// So many bytes of a WRITE are in the file.
    @inline(__always)
    public static func wrote(_ bytes: UInt32) {
        guard let slot = unsafe cs_inflight() else { return }
        unsafe slot.pointee.result = bytes
        unsafe withUnsafeMutablePointer(to: &slot.pointee.done) { p in unsafe cs_store_ordered(p, 1) }
    }
    /// The request did what it is for: right behind the call that did it.
    @inline(__always)
    public static func noteDone() {
        guard let slot = unsafe cs_inflight() else { return }
        unsafe slot.pointee.done = 1
    }

    // Without a journal: before what they announce.

    @inline(__always)
    public static func copying(_ node: UInt32) {
        guard let slot = unsafe cs_inflight() else { return }
        unsafe withUnsafeMutablePointer(to: &slot.pointee.copying) { p in unsafe cs_store_ordered(p, node) }
    }
    /// A backing file was registered, and no inode has it yet; or one gives it up (with the journal).
    @inline(__always)
    public static func backing(_ id: UInt32, _ journal: Journal? = nil) {
        guard let slot = unsafe cs_inflight() else { return }
        let count = unsafe slot.pointee.backing_count
        guard count < 16 else { return }
        unsafe withUnsafeMutablePointer(to: &slot.pointee.backings.0) { p in unsafe p[Int(count)] = id }
        unsafe withUnsafeMutablePointer(to: &slot.pointee.backing_count) { p in
            if let journal { unsafe journal.save(p, 4) }
            unsafe cs_store_ordered(p, count + 1)
        }
    }
    @inline(__always)
    public static func holding(orphan: FD, data: FD) {
        guard let slot = unsafe cs_inflight() else { return }
        unsafe slot.pointee.orphan = orphan.raw
        unsafe slot.pointee.data = data.raw
    }
    /// What the worker before had open for this very request; none where nothing was noted.
    public static var held: (orphan: FD, data: FD) {
        guard let slot = unsafe cs_inflight() else { return (.none, .none) }
        return (FD(raw: unsafe slot.pointee.orphan), FD(raw: unsafe slot.pointee.data))
    }
    public static var isDone: Bool {
        guard let slot = unsafe cs_inflight() else { return false }
        return unsafe slot.pointee.done != 0
    }
}

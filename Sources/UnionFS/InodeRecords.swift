internal import LinuxSys

// The one file of this module with raw memory: plain records in a memory file that outlives the process that serves
// (architecture.md, "Inode table"). Everything a new worker needs is in here; all else is a cache.

/// What is known of an inode of the union. Plain data of a fixed size, found by its index.
struct NodeRecord {
    /// st_ino as shown: that of the lower origin, so that a copy-up does not change it.
    var ino: UInt64 = 0
    /// How many times the kernel was told of this node and has not forgotten it.
    var lookups: UInt64 = 0
    /// Distinguishes the nodes that had this index one after the other; part of the node id.
    var generation: UInt32 = 0
    var flags: NodeFlags = []
    /// First of its names; the others follow in `DentryRecord.nextName`. 0: none known.
    var firstName: UInt32 = 0
    /// Names below this directory that are in the table; the record stays as long as there are any.
    var children: UInt32 = 0
    /// Chain of the hash by `ino`, for files that may have several names.
    var nextInHash: UInt32 = 0
    /// Changes whenever a name or the layer changes: a reader that locates the object looks again.
    var version: UInt32 = 0
    /// Name in the index directory, in the heap; 0: none.
    var indexName: UInt32 = 0
    /// Of files in the index: st_nlink of the lower inode and of the union.
    var lowerLinks: UInt32 = 0
    var unionLinks: UInt32 = 0
    /// A descriptor (O_PATH) for an inode whose names are gone or were never there. A cache of this process; -1: none.
    var orphan: Int32 = -1
    /// Topmost layer that has it.
    var layer: UInt16 = 0
    var indexNameLength: UInt8 = 0
    var kind: UInt8 = 0
    /// Of a metacopy file: a descriptor (O_PATH) of the file with its data, once no name leads there any more; -1:
    /// none.
    var dataFD: Int32 = -1
    /// Of a metacopy file: st_blocks of its data; `unknownBlocks` where they were not looked at.
    var dataBlocks: UInt64 = 0
    /// Open files whose data go through us and the page cache of the mount; and those that the kernel reads and writes
    /// in the layer itself. One of the two is 0, always (`InodeTable+IOMode.swift`).
    var cachedOpens: UInt32 = 0
    var passthroughOpens: UInt32 = 0
    /// Id of the file that the kernel goes to; kept for a while when nobody has it open. 0: none.
    var backing: UInt32 = 0
    /// Open files in passthrough that may be mapped for writing (`StoredFiles.swift`).
    var storers: UInt32 = 0
    /// Of a file that was copied up: st_size of the lower one, which readers of a `superseded` one still have.
    var oldSize: UInt64 = 0
    /// For what later needs room (origin, takeover state): 120 bytes in all.
    var reserved: (UInt64, UInt64, UInt64) = (0, 0, 0)
    static let unknownBlocks = UInt64.max

    /// Its open files read a lower file that its name does not stand for any more.
    var showsOldVersion: Bool { flags.isSuperset(of: [.superseded, .lowerBacking]) && passthroughOpens > 0 }
    /// Reads and writes go to the upper layer's object.
    var hasUpperData: Bool { flags.contains(.upper) && !flags.contains(.metacopy) }
}

struct NodeFlags: OptionSet {
    let rawValue: UInt32
    static let inUse = NodeFlags(rawValue: 1)
    /// The object lies in the upper layer.
    static let upper = NodeFlags(rawValue: 2)
    /// Its names were removed: st_nlink is 0.
    static let unlinked = NodeFlags(rawValue: 4)
    /// In the hash by inode number.
    static let hashed = NodeFlags(rawValue: 8)
    /// Reached through the index directory and not by its names.
    static let indexed = NodeFlags(rawValue: 16)
    /// Its capabilities were just removed: a SETATTR of nothing that follows is a part of that and no chown(-1, -1).
    static let lostCapabilities = NodeFlags(rawValue: 32)
    /// Its object has no data: they are in a layer below (overlayfs's metacopy).
    static let metacopy = NodeFlags(rawValue: 64)
    /// Copied up, and its name in the upper layer perhaps not on the disk yet: a promise to keep at the next fsync(2).
    static let nameNotDurable = NodeFlags(rawValue: 128)
    /// A directory of more than one part.
    static let merged = NodeFlags(rawValue: 256)
    /// A lower file that is worth passthrough: large, or a program whose pages all containers of an image should share.
    static let large = NodeFlags(rawValue: 512)
    /// `backing` is a file of a lower layer: nobody who may write joins it.
    static let lowerBacking = NodeFlags(rawValue: 1024)
    /// Was written to past the mount's page cache, which may have older data.
    static let writtenPast = NodeFlags(rawValue: 2048)
    /// What is left of a lower file that was copied up for a writer while others had it open in passthrough: only they
    /// have it, its names are another node's. When they have closed it, another node of the upper file for who still
    /// has a descriptor.
    static let superseded = NodeFlags(rawValue: 4096)
    /// Immutable or append-only: every open is tried.
    static let protected = NodeFlags(rawValue: 8192)
    /// Its content was given to the kernel once.
    static let pushed = NodeFlags(rawValue: 16384)
    /// A directory in which names came or went, or that moved: since then the kernel keeps no listing of it.
    static let namesChanged = NodeFlags(rawValue: 65536)
    /// A lower file of which nobody asked yet whether it has its data or is a metacopy.
    static let dataUnseen = NodeFlags(rawValue: 131072)
    /// Was opened for reading and writing in passthrough since it was last found with no writer: stores through a
    /// mapping, of which no request tells, may change its times and blocks (`StoredFiles.swift`).
    static let storable = NodeFlags(rawValue: 262144)
    /// A directory whose attributes the kernel may have: what changes them without its knowing is said.
    static let told = NodeFlags(rawValue: 524288)
    /// A metacopy whose data were held against the digest that it has (`verity`).
    static let dataVerified = NodeFlags(rawValue: 1_048_576)
    /// Empty, or too long to be pushed.
    static let notPushed = NodeFlags(rawValue: 32768)
}

/// One name of an inode in a directory.
struct DentryRecord {
    var parent: UInt32 = 0
    /// 0: free.
    var node: UInt32 = 0
    /// In the heap.
    var name: UInt32 = 0
    var hash: UInt32 = 0
    var nextInHash: UInt32 = 0
    var nextName: UInt32 = 0
    var nameLength: UInt16 = 0
    /// 1: the upper layer has this very name (a name of an indexed file may be below only).
    var flags: UInt16 = 0
    var reserved: UInt32 = 0
    static let inUpper: UInt16 = 1
}

/// An open file.
struct HandleRecord {
    var node: UInt32 = 0
    /// As it was opened. -1: not yet.
    var fd: Int32 = -1
    /// Of the upper file, for a reader that opened the lower one before its copy-up.
    var upperFD: Int32 = -1
    var openFlags: Int32 = 0
    var flags: UInt32 = 0
    var nextFree: UInt32 = 0
    /// Of the node.
    var generation: UInt32 = 0
    var reserved: UInt32 = 0
    /// Can be mapped for writing, past us.
    var mayStore: Bool {
        flags & (Self.upper | Self.passthrough) == Self.upper | Self.passthrough
            && openFlags & OpenFlags.accessMode == OpenFlags.readWrite
    }
    static let inUse: UInt32 = 1
    static let upper: UInt32 = 2
    /// The kernel has the data itself; a descriptor of ours is opened when it is needed.
    static let passthrough: UInt32 = 4
}

/// A run of records in the mapped region. Index 0 is never used, so that 0 can say "none"; an index beyond the end
/// reads and writes record 0 instead of trapping.
@safe
struct RecordArray<Record> {
    private let base: UnsafeMutablePointer<Record>
    let capacity: UInt32
    private let journal: Journal

    init(_ memory: SharedMemory, offset: Int, capacity: Int, _ journal: Journal) {
        unsafe base = (memory.base + offset).bindMemory(to: Record.self, capacity: capacity)
        self.capacity = UInt32(capacity)
        self.journal = journal
    }
    /// What is changed is saved in the journal first: with the lock held that belongs to it.
    subscript(index: UInt32) -> Record {
        unsafeAddress { unsafe UnsafePointer(base + Int(index < capacity ? index : 0)) }
        nonmutating unsafeMutableAddress {
            let at = unsafe base + Int(index < capacity ? index : 0)
            unsafe journal.save(UnsafeRawPointer(at), MemoryLayout<Record>.stride)
            return unsafe at
        }
    }
    /// For what the next process makes anew from the rest: chains of hash tables.
    subscript(unsaved index: UInt32) -> Record {
        unsafeAddress { unsafe UnsafePointer(base + Int(index < capacity ? index : 0)) }
        nonmutating unsafeMutableAddress { unsafe base + Int(index < capacity ? index : 0) }
    }
}

/// Names, each in a block of a multiple of 16 bytes with a NUL behind it, found by block number. Freed blocks are kept
/// by size.
@safe
struct NameHeap {
    private let base: UnsafeMutableRawPointer
    private let blocks: UInt32
    private let journal: Journal
    private var next: UInt32 = 1
    /// First free block of each size in blocks; the next one's number stands in it.
    private var free = InlineArray<33, UInt32>(repeating: 0)

    init(_ memory: SharedMemory, offset: Int, length: Int, _ journal: Journal) {
        unsafe base = memory.base + offset
        blocks = UInt32(length / 16)
        self.journal = journal
    }
    /// What is free and what is not, from the names that there are: block and length of each.
    mutating func rebuild(_ names: [(block: UInt32, length: Int)]) {
        free = InlineArray<33, UInt32>(repeating: 0)
        next = 1
        for name in names.sorted(by: { $0.block < $1.block }) {
            // Room between two names becomes free blocks of the longest size that fits.
            while next < name.block { release(min(name.block - next, 32)) }
            next = name.block + UInt32((name.length + 16) / 16)
        }
    }
    private mutating func release(_ size: UInt32) {
        unsafe (base + Int(next) * 16).storeBytes(of: free[Int(size)], as: UInt32.self)
        free[Int(size)] = next
        next += size
    }

    /// Block number, or 0 when the heap is full or the name longer than 511 bytes.
    mutating func add(_ name: NameRef) -> UInt32 {
        let size = (name.count + 16) / 16
        guard size <= 32 else { return 0 }
        let block: UInt32
        if free[size] != 0 {
            block = free[size]
            free[size] = unsafe (base + Int(block) * 16).load(as: UInt32.self)
        } else {
            guard next < blocks - UInt32(size) else { return 0 }
            block = next
            next += UInt32(size)
        }
        let at = unsafe base + Int(block) * 16
        unsafe at.copyMemory(from: UnsafeRawPointer(name.pointer), byteCount: name.count)
        unsafe at.storeBytes(of: 0, toByteOffset: name.count, as: UInt8.self)
        return block
    }
    mutating func remove(_ block: UInt32, length: Int) {
        let size = (length + 16) / 16
        guard block != 0, block < blocks, size <= 32 else { return }
        // The link goes over the beginning of a name that may have to come back.
        unsafe journal.save(UnsafeRawPointer(base + Int(block) * 16), 8)
        unsafe (base + Int(block) * 16).storeBytes(of: free[size], as: UInt32.self)
        free[size] = block
    }
    /// Lent as long as nobody removes it: the caller holds the table's lock.
    func name(_ block: UInt32, length: Int) -> NameRef {
        guard block != 0, block < blocks else { return NameRef.empty }
        return unsafe NameRef(
            base: UnsafeRawPointer(base + Int(block) * 16).assumingMemoryBound(to: CChar.self), count: length)
    }
}

/// A name taken out of the heap onto the stack, for use without the table's lock. Up to 511 bytes: index names are
/// longer than NAME_MAX's half.
struct NameBuffer {
    private var storage = InlineArray<512, UInt8>(repeating: 0)
    private var length = 0

    init() {}
    mutating func set(_ name: NameRef) {
        length = min(name.count, 511)
        for i in 0..<length { storage[i] = name[i] }
        storage[length] = 0
    }
    func withRef<R: ~Copyable, E: Error>(_ body: (NameRef) throws(E) -> R) throws(E) -> R {
        let count = length
        return try unsafe storage.span.withUnsafeBufferPointer { (b) throws(E) -> R in
            guard let start = b.baseAddress else { return try body(NameRef.empty) }
            return try unsafe body(
                NameRef(base: UnsafeRawPointer(start).assumingMemoryBound(to: CChar.self), count: count))
        }
    }
}

/// Where the tables end, and what else must go on: part of the records.
struct TableHeader {
    var nextNode: UInt32 = 0
    var nextDentry: UInt32 = 0
    var lastGeneration: UInt32 = 0
    /// i_generation of all inodes but the root: a file handle of another mount, whose node ids may be the same, is not
    /// this one's. 0 where handles cannot be opened.
    var instance: UInt32 = 0
}
struct HandleHeader {
    var next: UInt32 = 0
    var reserved: UInt32 = 0
}

/// The lock of a table whose changes are whole: done, or as if they had not begun when the process dies.
final class RecordLock: Sendable {
    private let mutex = Mutex(.leaf)
    let journal: Journal
    init(_ journal: Journal) { self.journal = journal }

    @inline(__always)
    func locked<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
        mutex.lock()
        defer {
            journal.commit()
            mutex.unlock()
        }
        return try body()
    }
}

/// The mapped region: address space for as many records as a mount can ever need; memory only for those in use.
final class RecordRegion: Sendable {
    static let nodeCapacity = 16 << 20
    static let dentryCapacity = 24 << 20
    static let handleCapacity = 1 << 20
    static let heapLength = 4 << 30
    private static let tableJournalLength = 1 << 20, handleJournalLength = 1 << 16

    let memory: SharedMemory
    private let dentryOffset: Int, handleOffset: Int, heapOffset: Int, headerOffset: Int, journalOffset: Int,
        slotOffset: Int
    /// The longest message: a WRITE of 1 MiB and its headers, or a ring's page of headers before it.
    private static let slotBuffer = (1 << 20) + (32 << 10)
    let slotCount: Int

    /// `adopting`: memory of another program, to be mapped where it was there.
    init(slots: Int = 0, adopting: (file: FD, address: UInt)? = nil) throws(Errno) {
        let nodes = Self.nodeCapacity * MemoryLayout<NodeRecord>.stride
        let dentries = Self.dentryCapacity * MemoryLayout<DentryRecord>.stride
        let handles = Self.handleCapacity * MemoryLayout<HandleRecord>.stride
        dentryOffset = nodes
        handleOffset = nodes + dentries
        heapOffset = nodes + dentries + handles
        headerOffset = heapOffset + Self.heapLength
        journalOffset = headerOffset + SharedMemory.pageSize
        slotOffset = journalOffset + Self.tableJournalLength + Self.handleJournalLength
        slotCount = slots
        let length = slotOffset + slots * InflightSlot.length(buffer: Self.slotBuffer)
        if let adopting {
            memory = try SharedMemory(
                file: try adopting.file.duplicate(), length: length, writable: true, at: [adopting.address])
        } else {
            memory = try SharedMemory(name: "unionfsd-inodes", lastingLength: length)
        }
    }
    var address: UInt { unsafe UInt(bitPattern: memory.base) }
    /// What another program must agree on to go on with these records. The first number is raised when the same bytes
    /// come to mean something else.
    static let format =
        "2:"
        + [
            MemoryLayout<NodeRecord>.stride, MemoryLayout<DentryRecord>.stride, MemoryLayout<HandleRecord>.stride,
            MemoryLayout<TableHeader>.stride,
            MemoryLayout<HandleHeader>.stride, nodeCapacity, dentryCapacity, handleCapacity, heapLength,
            tableJournalLength, handleJournalLength,
            InflightSlot.length(buffer: slotBuffer), SharedMemory.pageSize,
        ].map(String.init).joined(separator: ":")
    var tableJournal: Journal { Journal(memory, offset: journalOffset, capacity: Self.tableJournalLength) }
    var handleJournal: Journal {
        Journal(memory, offset: journalOffset + Self.tableJournalLength, capacity: Self.handleJournalLength)
    }
    var tableHeader: RecordArray<TableHeader> { RecordArray(memory, offset: headerOffset, capacity: 1, tableJournal) }
    var handleHeader: RecordArray<HandleHeader> {
        RecordArray(memory, offset: headerOffset + 256, capacity: 1, handleJournal)
    }
    var nodes: RecordArray<NodeRecord> { RecordArray(memory, offset: 0, capacity: Self.nodeCapacity, tableJournal) }
    var dentries: RecordArray<DentryRecord> {
        RecordArray(memory, offset: dentryOffset, capacity: Self.dentryCapacity, tableJournal)
    }
    var handles: RecordArray<HandleRecord> {
        RecordArray(memory, offset: handleOffset, capacity: Self.handleCapacity, handleJournal)
    }
    func slot(_ number: Int) -> InflightSlot? {
        number >= 0 && number < slotCount
            ? InflightSlot(
                memory, number: number, offset: slotOffset + number * InflightSlot.length(buffer: Self.slotBuffer),
                buffer: Self.slotBuffer) : nil
    }
    /// The bytes of INIT: whoever takes over has to know what was agreed.
    func keep(_ initRequest: [UInt8], hasRings: Bool) {
        unsafe Atomics.storeRelease(ringsWord, hasRings ? 1 : 0)
        let room = SharedMemory.pageSize - Self.initOffset - 8
        guard initRequest.count <= room else { return }
        let at = unsafe memory.base + headerOffset + Self.initOffset
        for (i, byte) in initRequest.enumerated() {
            unsafe at.storeBytes(of: byte, toByteOffset: 8 + i, as: UInt8.self)
        }
        unsafe Atomics.storeRelease(at.assumingMemoryBound(to: UInt64.self), UInt64(initRequest.count))
    }
    var hasInit: Bool {
        unsafe Atomics.loadAcquire((memory.base + headerOffset + Self.initOffset).assumingMemoryBound(to: UInt64.self))
            != 0
    }
    /// Empty before INIT.
    var initRequest: [UInt8] {
        let at = unsafe memory.base + headerOffset + Self.initOffset
        let count = Int(clamping: unsafe Atomics.loadAcquire(at.assumingMemoryBound(to: UInt64.self)))
        guard count <= SharedMemory.pageSize - Self.initOffset - 8 else { return [] }
        return (0..<count).map { unsafe at.load(fromByteOffset: 8 + $0, as: UInt8.self) }
    }
    var hasRings: Bool { unsafe Atomics.loadAcquire(ringsWord) != 0 }
    private var ringsWord: UnsafeMutablePointer<UInt64> {
        unsafe (memory.base + headerOffset + 392).assumingMemoryBound(to: UInt64.self)
    }
    private static let initOffset = 512
    /// Which of the processes, from 0 on, has last begun to serve, and 1.
    private var servingWord: UnsafeMutablePointer<UInt64> {
        unsafe (memory.base + headerOffset + 384).assumingMemoryBound(to: UInt64.self)
    }
    var serving: Int {
        get { Int(clamping: unsafe Atomics.loadAcquire(servingWord)) - 1 }
        set { unsafe Atomics.storeRelease(servingWord, UInt64(newValue + 1)) }
    }

    /// When the last process stopped for another program (CLOCK_MONOTONIC), and that program's descriptor.
    private var stoppedWord: UnsafeMutablePointer<UInt64> {
        unsafe (memory.base + headerOffset + 400).assumingMemoryBound(to: UInt64.self)
    }
    private var programWord: UnsafeMutablePointer<UInt64> {
        unsafe (memory.base + headerOffset + 408).assumingMemoryBound(to: UInt64.self)
    }
    var stopped: UInt64 {
        get { unsafe Atomics.loadAcquire(stoppedWord) }
        set { unsafe Atomics.storeRelease(stoppedWord, newValue) }
    }
    private var guardianWord: UnsafeMutablePointer<UInt64> {
        unsafe (memory.base + headerOffset + 416).assumingMemoryBound(to: UInt64.self)
    }
    var guardian: Int32 {
        get { Int32(truncatingIfNeeded: unsafe Atomics.loadAcquire(guardianWord)) }
        set { unsafe Atomics.storeRelease(guardianWord, UInt64(UInt32(bitPattern: newValue))) }
    }
    var program: Int32 {
        get { Int32(truncatingIfNeeded: unsafe Atomics.loadAcquire(programWord)) }
        set { unsafe Atomics.storeRelease(programWord, UInt64(UInt32(bitPattern: newValue))) }
    }

    /// Some process before this one served from here.
    var isUsed: Bool { tableHeader[0].nextNode != 0 }

    func discardNodes(_ page: UInt32, _ count: UInt32) { discard(0, page, count) }
    func discardDentries(_ page: UInt32, _ count: UInt32) { discard(dentryOffset, page, count) }
    private func discard(_ offset: Int, _ page: UInt32, _ count: UInt32) {
        memory.discard(from: offset + Int(page) * SharedMemory.pageSize, length: Int(count) * SharedMemory.pageSize)
    }
    /// Pages of the region that take memory. For tests.
    var residentPages: Int {
        do throws(Errno) { return Int(clamping: try memory.fd.status().blocks * 512) / SharedMemory.pageSize } catch {
            return 0
        }
    }
    /// All but the first page of nodes, and the open files.
    func discardAll() {
        memory.discard(from: SharedMemory.pageSize, length: dentryOffset - SharedMemory.pageSize)
        memory.discard(from: dentryOffset, length: handleOffset - dentryOffset)
        memory.discard(from: heapOffset, length: Self.heapLength)
    }
    var heap: NameHeap { NameHeap(memory, offset: heapOffset, length: Self.heapLength, tableJournal) }
}

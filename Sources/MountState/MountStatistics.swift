public import LinuxSys

/// The counters of one mount, written by its daemon. Each call is one to three relaxed additions in mapped memory: no
/// lock, no system call, never an error. Whoever reads them maps or reads the same file (`StatisticsSnapshot`).
@safe
public final class MountStatistics: @unchecked Sendable {
    private let memory: SharedMemory
    private let words: UnsafeMutablePointer<UInt64>

    /// Counters in `file`, which is emptied, given its length and its room on the disk: a full disk is an error now and
    /// not a SIGBUS later.
    public convenience init(file: consuming OwnedFD) throws(Errno) {
        let length = StatisticsLayout.bytes
        try file.fd.truncate(0)
        do throws(Errno) {
            try file.fd.allocate(mode: 0, offset: 0, length: Int64(length))
        } catch {
            guard error == .notSupported else { throw error }
            try file.fd.writeAll([UInt8](repeating: 0, count: length))
        }
        try self.init(new: try SharedMemory(file: file, length: length, writable: true))
    }
    private init(new memory: SharedMemory) throws(Errno) {
        self.memory = memory
        unsafe words = memory.base.assumingMemoryBound(to: UInt64.self)
        store(StatisticsLayout.versionWord, StatisticsLayout.version)
        store(StatisticsLayout.sizeWord, UInt64(StatisticsLayout.bytes))
        store(StatisticsLayout.startWord, UInt64(bitPattern: Clock.realtime))
        noteProcess()
        store(StatisticsLayout.magicWord, StatisticsLayout.magic)
    }

    /// Counters that another program began.
    /// - Throws: EPROTONOSUPPORT where they mean something else.
    public init(adopting file: consuming OwnedFD) throws(Errno) {
        memory = try SharedMemory(file: file, length: StatisticsLayout.bytes, writable: true)
        unsafe words = memory.base.assumingMemoryBound(to: UInt64.self)
        guard unsafe Atomics.load(words + StatisticsLayout.magicWord) == StatisticsLayout.magic,
            unsafe Atomics.load(words + StatisticsLayout.versionWord) == StatisticsLayout.version,
            unsafe Atomics.load(words + StatisticsLayout.sizeWord) == UInt64(StatisticsLayout.bytes)
        else { throw Errno.protocolNotSupported }
    }

    /// Counters that nobody else sees: for tests, and where no run directory can be had.
    public convenience init() throws(Errno) {
        try self.init(new: try SharedMemory(name: "unionfsd-stats", length: StatisticsLayout.bytes))
    }

    /// This process serves from now on: after a fork.
    public func noteProcess() { store(StatisticsLayout.pidWord, UInt64(UInt32(bitPattern: Process.id))) }

    /// A request of the kernel was answered. `opcode` as in <linux/fuse.h>; one beyond our table counts as 0.
    @inline(__always)
    public func recordRequest(opcode: UInt32, nanoseconds: UInt64, failed: Bool) {
        let slot = opcode < UInt32(StatisticsLayout.opcodes) ? Int(opcode) : 0
        let block = StatisticsLayout.requestsWord + slot * StatisticsLayout.blockWords
        recordTime(block, nanoseconds)
        if failed { add(block + StatisticsLayout.errors, 1) }
    }

    /// A serving thread has a request, or none. Of more threads than there is room for, two may share a word.
    @inline(__always)
    public func requestBegan(_ thread: Int, at time: UInt64) {
        store(StatisticsLayout.inProgressWord + thread & 0xff, time)
    }
    @inline(__always)
    public func requestEnded(_ thread: Int) { store(StatisticsLayout.inProgressWord + thread & 0xff, 0) }

    /// Something was copied up. `bytes` of file data were copied, or are shared by reflink; `nanoseconds` from the
    /// claim to the publication.
    public func recordCopyUp(cause: CopyUpCause, kind: CopyUpKind, bytes: UInt64, nanoseconds: UInt64) {
        add(StatisticsLayout.causesWord + Int(cause.rawValue), 1)
        add(StatisticsLayout.kindsWord + Int(kind.rawValue), 1)
        if bytes > 0 {
            add(kind == .reflinkedFile ? StatisticsLayout.reflinkedBytesWord : StatisticsLayout.copiedBytesWord, bytes)
        }
        recordTime(StatisticsLayout.copyUpHistogram, nanoseconds)
    }

    /// A copy-up was given up; upper and work are as they were.
    public func recordCopyUpFailure(cause: CopyUpCause) {
        add(StatisticsLayout.failuresWord + Int(cause.rawValue), 1)
    }

    public func recordWhiteout() { add(StatisticsLayout.whiteoutsWord, 1) }

    public func setGauge(_ gauge: Gauge, _ value: Int) {
        store(StatisticsLayout.gaugesWord + Int(gauge.rawValue), UInt64(bitPattern: Int64(value)))
    }
    @inline(__always)
    public func addGauge(_ gauge: Gauge, _ change: Int) {
        add(StatisticsLayout.gaugesWord + Int(gauge.rawValue), UInt64(bitPattern: Int64(change)))
    }

    /// What has been counted so far, as a reader would see it.
    public func snapshot() throws(StatisticsError) -> StatisticsSnapshot { try StatisticsSnapshot(reading: memory.fd) }

    @inline(__always)
    private func recordTime(_ block: Int, _ nanoseconds: UInt64) {
        add(block + StatisticsLayout.buckets + Histogram.bucket(nanoseconds), 1)
        add(block + StatisticsLayout.totalNanoseconds, nanoseconds)
        // Two threads may race here and the smaller one stay; the next slow request mends it.
        if unsafe Atomics.load(words + (block + StatisticsLayout.maximum)) < nanoseconds {
            store(block + StatisticsLayout.maximum, nanoseconds)
        }
    }

    // Every index is a constant of the layout plus a bounded number: nothing here can leave the mapping.
    @inline(__always) private func add(_ word: Int, _ value: UInt64) { unsafe Atomics.add(words + word, value) }
    @inline(__always) private func store(_ word: Int, _ value: UInt64) { unsafe Atomics.store(words + word, value) }
}

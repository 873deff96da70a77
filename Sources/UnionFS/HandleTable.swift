internal import LinuxSys
internal import MountState

/// Open files. A file handle is an index into the records; the kernel keeps it until RELEASE, so a request on it
/// reads its record without a lock.
final class HandleTable: @unchecked Sendable {
    /// Keeps the records mapped.
    private let region: RecordRegion
    private let records: RecordArray<HandleRecord>
    private let mutex: RecordLock
    /// One record: where the table ends.
    private let header: RecordArray<HandleHeader>
    private var free: [UInt32] = []
    private var next: UInt32 {
        get { max(header[0].next, 1) }
        set { header[0].next = newValue }
    }
    private var files = 0 { didSet { statistics?.setGauge(.openFiles, files) } }
    private var passedThrough = 0 { didSet { statistics?.setGauge(.passthroughFiles, passedThrough) } }
    private let statistics: MountStatistics?

    init(region: RecordRegion, statistics: MountStatistics? = nil) {
        self.region = region
        records = region.handles
        header = region.handleHeader
        mutex = RecordLock(region.handleJournal)
        self.statistics = statistics
    }

    /// The table of a process that died, after its journal was undone: what was in its own memory is made anew.
    ///
    /// - Parameter isLive: whether the node of an open file is there. One that the kernel has forgotten is open
    ///   nowhere: its RELEASE was lost in a ring (docs/takeover.md).
    func rebuild(isLive: (HandleRecord) -> Bool) {
        var lost: [UInt64] = []
        for index in 1..<next where records[index].flags & HandleRecord.inUse != 0 && !isLive(records[index]) {
            lost.append(UInt64(index))
        }
        for handle in lost { release(handle) }
        mutex.locked {
            free = []
            var (open, passed) = (0, 0)
            for index in 1..<next {
                guard records[index].flags & HandleRecord.inUse != 0 else {
                    free.append(index)
                    continue
                }
                open += 1
                if records[index].flags & HandleRecord.passthrough != 0 { passed += 1 }
            }
            files = open
            passedThrough = passed
        }
    }
    func forEachOpen(_ body: (HandleRecord) -> Void) {
        for index in 1..<next where records[index].flags & HandleRecord.inUse != 0 { body(records[index]) }
    }

    var openFiles: Int { mutex.locked { files } }

    private func takeLocked() throws(Errno) -> UInt32 {
        if let index = free.popLast() { return index }
        guard next < records.capacity else { throw Errno(23 /* ENFILE */) }
        next += 1
        return next - 1
    }

    /// Takes over the descriptor.
    func addFile(
        _ node: UInt32, generation: UInt32 = 0, _ file: consuming OwnedFD, openFlags: Int32, isUpper: Bool,
        passthrough: Bool = false
    ) throws(Errno) -> UInt64 {
        var record = HandleRecord()
        record.node = node
        record.generation = generation
        record.openFlags = openFlags
        record.flags =
            HandleRecord.inUse | (isUpper ? HandleRecord.upper : 0) | (passthrough ? HandleRecord.passthrough : 0)
        record.fd = file.number
        // The descriptor is closed by its owner if there is no room.
        let index = try mutex.locked { () throws(Errno) in
            let index = try takeLocked()
            files += 1
            if passthrough { passedThrough += 1 }
            records[index] = record
            Inflight.opened(index, mutex.journal)
            return index
        }
        _ = file.release()
        return UInt64(index)
    }

    /// EBADF for what is not open.
    @inline(__always)
    func record(_ handle: UInt64) throws(Errno) -> HandleRecord {
        let record = records[UInt32(truncatingIfNeeded: handle)]
        guard handle != 0, handle < UInt64(records.capacity), record.flags & HandleRecord.inUse != 0 else {
            throw .badDescriptor
        }
        return record
    }

    /// Looks through all open files: for what is asked once in a while.
    func hasWriter(_ node: UInt32) -> Bool {
        mutex.locked {
            for index in 1..<next {
                let record = records[index]
                if record.node == node, record.flags & HandleRecord.inUse != 0,
                    record.openFlags & OpenFlags.accessMode != 0
                {
                    return true
                }
            }
            return false
        }
    }

    /// Gives a reader of the lower file the upper one too; the lower descriptor stays, as somebody may be reading from
    /// it.
    func setUpper(_ handle: UInt64, _ file: consuming OwnedFD) -> FD {
        keepFirst(file) { $0(&records[UInt32(truncatingIfNeeded: handle)].upperFD) }
    }
    /// The descriptor of a file that was opened without one.
    func setFile(_ handle: UInt64, _ file: consuming OwnedFD) -> FD {
        keepFirst(file) { $0(&records[UInt32(truncatingIfNeeded: handle)].fd) }
    }

    /// The first to come wins; the descriptor that stands there in the end.
    private func keepFirst(_ file: consuming OwnedFD, _ withField: ((inout Int32) -> FD) -> FD) -> FD {
        let fd = file.release()
        let used = mutex.locked {
            withField { field in
                if field < 0 { field = fd.raw }
                return FD(raw: field)
            }
        }
        if used != fd { fd.close() }
        return used
    }

    /// What was open; nil for what was not.
    /// - Parameter isRequested: the kernel asks for it: noted with the change, because the number may be another's
    ///   when a RELEASE comes again.
    @discardableResult
    func release(_ handle: UInt64, isRequested: Bool = false) -> HandleRecord? {
        let index = UInt32(truncatingIfNeeded: handle)
        let old = mutex.locked { () -> HandleRecord? in
            let record = records[index]
            guard handle != 0, handle < UInt64(records.capacity), record.flags & HandleRecord.inUse != 0 else {
                return nil
            }
            records[index] = HandleRecord()
            if isRequested { Inflight.done(mutex.journal) }
            files -= 1
            if record.flags & HandleRecord.passthrough != 0 { passedThrough -= 1 }
            free.append(index)
            return record
        }
        guard let old else { return nil }
        FD(raw: old.fd).close()
        FD(raw: old.upperFD).close()
        return old
    }
}

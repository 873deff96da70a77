public import LinuxSys

/// A mount's own entry in the run directory, from before it is mounted until it is gone:
///
///     RUN/ID/record   what it is (MountRecord)
///     RUN/ID/stats    its counters (StatisticsLayout)
///     RUN/ID/log      what it had to say since it left the terminal
///     RUN/ID/lock     held with flock(2) for as long as a process serves: whoever can take it knows that nobody does
///
/// The entry is made as `.new-ID`, locked, filled and then renamed: nobody ever sees one that is unlocked and alive.
public final class MountRegistration: Sendable {
    public let id: FileName
    /// For messages.
    public let path: FileName
    private let run: RunDirectory
    private let directory: OwnedFD
    private let lock: OwnedFD
    public let statistics: MountStatistics

    public init(_ record: MountRecord) throws(RegistryError) {
        let run = try RunDirectory(create: true)
        let id = MountRegistration.freshName()
        let new = FileName(".new-").appending(id)
        do throws(Errno) {
            let made = try new.withRef { (n) throws(Errno) in
                try run.fd.makeDirectory(n, mode: 0o700)
                return try run.fd.openDirectory(n)
            }
            lock = try made.fd.open("lock", FileFlags.createNew, mode: 0o600)
            try lock.fd.lockExclusively()
            statistics = try MountStatistics(file: try made.fd.open("stats", FileFlags.createNew, mode: 0o600))
            try MountRegistration.write(record, in: made.fd)
            try new.withRef { (n) throws(Errno) in
                try id.withRef { (i) throws(Errno) in try run.fd.rename(n, to: run.fd, i, .noReplace) }
            }
            directory = made
        } catch {
            MountRegistry.discard(run.fd, new)
            throw RegistryError("no entry in \(run.path): \(error.text)")
        }
        path = run.path.appending(component: id)
        self.id = id
        self.run = run
    }

    /// The entry of another program for the same mount, whose lock it has handed on.
    /// Counters that it would have read otherwise begin anew.
    public init(adopting id: FileName, lock held: FD) throws(RegistryError) {
        run = try RunDirectory(create: false)
        do throws(Errno) {
            let place = run.fd
            let found = try id.withRef { (i) throws(Errno) in try place.openDirectory(i) }
            let mine = try found.fd.open("lock", FileFlags.read)
            let (own, other) = (try mine.fd.status(), try held.status())
            guard own.ino == other.ino, own.dev == other.dev else { throw Errno.stale }
            lock = try held.duplicate()
            let file = try found.fd.open("stats", FileFlags.readWrite)
            do throws(Errno) {
                guard try file.fd.status().size >= StatisticsLayout.bytes else { throw Errno.protocolNotSupported }
                statistics = try MountStatistics(adopting: try file.fd.duplicate())
            } catch { statistics = try MountStatistics(file: file) }
            directory = found
        } catch { throw RegistryError("the entry \(id) in \(run.path) cannot be gone on with: \(error.text)") }
        path = run.path.appending(component: id)
        self.id = id
    }
    public var lockFile: FD { lock.fd }
    /// Where a caller leaves word, and finds an answer.
    public var mailbox: FD { directory.fd }

    /// Replaces the record in one step.
    public func update(_ record: MountRecord) throws(Errno) { try MountRegistration.write(record, in: directory.fd) }

    /// For stderr once nobody is looking.
    public func openLog() throws(Errno) -> OwnedFD { try directory.fd.open("log", FileFlags.append, mode: 0o600) }

    /// The mount is gone: so is every trace of it here.
    public func remove() { MountRegistry.discard(run.fd, id) }

    private static func write(_ record: MountRecord, in directory: FD) throws(Errno) {
        let file = try directory.open("record.new", FileFlags.replace, mode: 0o600)
        try file.fd.writeAll(record.text)
        try NameRef("record.new").renamed(to: NameRef("record"), in: directory)
    }

    private static func freshName() -> FileName {
        let digits = String(UInt64.random(in: 0...UInt64.max) & 0xffff_ffff_ffff, radix: 16)
        return FileName(String(repeating: "0", count: 12 - digits.count) + digits)
    }
}

extension NameRef {
    fileprivate func renamed(to name: NameRef, in directory: FD) throws(Errno) {
        try directory.rename(self, to: directory, name)
    }
}

/// open(2) flags of x86-64 and arm64, spelled out: no C library here.
enum FileFlags {
    private static let noFollow: Int32 = {
        #if arch(arm64)
        0o100000
        #else
        0o400000
        #endif
    }()
    /// O_RDONLY | O_NOFOLLOW.
    static let read = noFollow
    /// O_RDWR | O_NOFOLLOW.
    static let readWrite = 2 | noFollow
    /// O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW.
    static let createNew = 2 | 0o100 | 0o200 | noFollow
    /// O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW.
    static let replace = 1 | 0o100 | 0o1000 | noFollow
    /// O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW.
    static let append = 1 | 0o100 | 0o2000 | noFollow
}

public import LinuxSys

/// A mount as somebody else sees it.
public struct RegisteredMount: Sendable {
    public enum State: Sendable, Equatable {
        /// A process serves it.
        case alive
        /// Nobody serves it any more, and it is still mounted.
        case dead
    }
    public let id: FileName
    /// Its entry in the run directory.
    public let path: FileName
    public let record: MountRecord
    public let state: State
    /// Mounted in the mount namespace of the one who asks; a container's own mount need not be.
    public let isVisible: Bool
    /// The process whose end is the mount's: its guardian, or who serves it alone, as it has none or had one.
    public var server: Int32 {
        record.guardian != 0 && Process.isRunning(record.guardian) ? record.guardian : record.pid
    }
}

/// All mounts of this user. Nothing here touches a mount itself, so that a stuck one cannot hang the one who asks.
public enum MountRegistry {
    /// Oldest first. Entries that a dead process left, and whose mount is gone too, are removed on the way.
    /// - Parameter place: another run directory than this user's, its parent and its name.
    public static func list(
        in place: (parent: FileName, name: FileName)? = nil
    ) throws(RegistryError) -> [RegisteredMount] {
        let run: RunDirectory
        // None yet: no mounts yet.
        do throws(RegistryError) {
            if let place {
                run = try RunDirectory(place.parent, place.name, create: false)
            } else {
                run = try RunDirectory(create: false)
            }
        } catch { return [] }
        let table: MountTable
        var names: [FileName] = []
        do throws(Errno) {
            table = try MountTable()
            let copy = try run.fd.open(".", OpenFlags.directory)
            var reader = DirectoryReader(copy.fd)
            try reader.forEach { (name, _, kind) in
                if kind == .directory || kind == .unknown { names.append(name.owned) }
                return true
            }
        } catch { throw RegistryError("\(run.path) cannot be read: \(error.text)") }

        var entries: [(name: FileName, record: MountRecord, isHeld: Bool)] = []
        for name in names {
            if !name.bytes.starts(with: ".new-".utf8), let entry = read(run.fd, name) {
                entries.append((name, entry.record, entry.isHeld))
            } else {
                discardIfOld(run.fd, name)
            }
        }
        // A filesystem's device number is its own for as long as it lives, and then given out again: the living have
        // it, and of the dead the last one.
        entries.sort { ($0.isHeld ? 1 : 0, $0.record.start) > ($1.isHeld ? 1 : 0, $1.record.start) }
        var taken: Set<String> = []
        var mounts: [RegisteredMount] = []
        for entry in entries {
            var visible = false
            if let device = entry.record.device {
                visible =
                    table.has(device: device, mountpoint: entry.isHeld ? nil : entry.record.mountpoint)
                    && taken.insert(device).inserted
            }
            if entry.isHeld || visible {
                mounts.append(
                    RegisteredMount(
                        id: entry.name, path: run.path.appending(component: entry.name), record: entry.record,
                        state: entry.isHeld ? .alive : .dead, isVisible: visible))
            } else {
                discard(run.fd, entry.name)
            }
        }
        return mounts.sorted { ($0.record.start, $0.id.description) < ($1.record.start, $1.id.description) }
    }

    /// The mount that a path lies on, or whose mount point it is. The path may be anywhere in it.
    public static func find(
        _ path: FileName, in place: (parent: FileName, name: FileName)? = nil
    ) throws(RegistryError) -> RegisteredMount? {
        let mounts = try list(in: place)
        do throws(Errno) {
            let place = try MountTable.resolve(path)
            let table = try MountTable()
            if let id = place.mountID, let entry = table.entries.first(where: { $0.id == id }),
                let mount = mounts.last(where: { $0.record.device == entry.device })
            {
                return mount
            }
            return mounts.last { $0.record.mountpoint == place.path }
        } catch {
            // A path of another mount namespace, or of a mount in a bad way: compare words.
            return mounts.last { $0.record.mountpoint == path }
        }
    }

    public static func statistics(of mount: RegisteredMount) throws(StatisticsError) -> StatisticsSnapshot {
        let file: OwnedFD
        do throws(Errno) {
            file = try FD.currentDirectory.open(mount.path.appending(component: "stats"), FileFlags.read)
        } catch {
            throw .notReadable(error)
        }
        return try StatisticsSnapshot(reading: file.fd)
    }

    /// Whether a process still serves it; false too when the entry is gone.
    public static func isServed(_ mount: RegisteredMount) -> Bool {
        do throws(Errno) {
            let directory = try FD.currentDirectory.open(mount.path, OpenFlags.directory)
            return isHeld(directory.fd)
        } catch { return false }
    }

    /// Takes away the entry of a mount that is gone.
    public static func remove(_ mount: RegisteredMount) {
        let bytes = mount.path.bytes
        guard let slash = bytes.lastIndex(of: 0x2f) else { return }
        do throws(Errno) {
            let run = try FD.currentDirectory.open(FileName(bytes: bytes[..<slash]), OpenFlags.directory)
            discard(run.fd, mount.id)
        } catch {}
    }

    // ---- one entry ----

    private static func read(_ run: FD, _ name: FileName) -> (record: MountRecord, isHeld: Bool)? {
        do throws(Errno) {
            let directory = try name.withRef { (n) throws(Errno) in try run.openDirectory(n) }
            let file = try directory.fd.open("record", FileFlags.read)
            guard let record = MountRecord(text: try file.fd.readAll(limit: 1 << 20)) else { return nil }
            return (record, isHeld(directory.fd))
        } catch { return nil }
    }

    /// By the process that serves. False too where there is no lock to be asked.
    private static func isHeld(_ directory: FD) -> Bool {
        guard let lock = try? directory.open("lock", FileFlags.read) else { return false }
        return lock.fd.isLockedElsewhere
    }

    /// What is half made, or unreadable, may be so because somebody is at it this moment: a minute's grace.
    private static func discardIfOld(_ run: FD, _ name: FileName) {
        do throws(Errno) {
            let directory = try name.withRef { (n) throws(Errno) in try run.openDirectory(n) }
            if isHeld(directory.fd) { return }
            if Clock.realtime - (try directory.fd.status().mtime.seconds) < 60 { return }
        } catch { return }
        discard(run, name)
    }

    /// Only the files that we put there: a directory with anything else in it stays.
    static func discard(_ run: FD, _ name: FileName) {
        let files: [FileName] = [
            "record", "record.new", "stats", "log", "lock", "program", "program.new", "answer", "answer.new",
        ]
        do throws(Errno) {
            let directory = try name.withRef { (n) throws(Errno) in try run.openDirectory(n) }
            for file in files {
                do throws(Errno) { try file.withRef { (f) throws(Errno) in try directory.fd.unlink(f) } } catch {}
            }
            try name.withRef { (n) throws(Errno) in try run.removeDirectory(n) }
        } catch {}
    }
}

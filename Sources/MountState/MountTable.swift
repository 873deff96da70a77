public import LinuxSys

/// One line of /proc/self/mountinfo (proc_pid_mountinfo(5)).
public struct MountEntry: Sendable {
    public let id: UInt64
    /// `major:minor`, which names the filesystem for as long as it is mounted anywhere.
    public let device: String
    public let mountpoint: FileName
    /// Flags of this mount of the filesystem: `ro`, `noatime`.
    public let mountOptions: FileName
    /// `fuse.unionfsd`.
    public let type: FileName
    public let source: FileName
    public let superOptions: FileName

    /// Nil: not a line of that file.
    init?(_ line: ArraySlice<UInt8>) {
        let fields = line.split(separator: 0x20)
        // id parent device root mountpoint options [tag…] - type source superoptions
        guard fields.count >= 9, let dash = fields.firstIndex(where: { $0.elementsEqual([0x2d]) }),
            dash + 2 < fields.count,
            let id = UInt64(String(decoding: fields[0], as: UTF8.self))
        else { return nil }
        self.id = id
        device = String(decoding: fields[2], as: UTF8.self)
        mountpoint = MountTable.decoded(fields[4])
        mountOptions = FileName(bytes: Array(fields[5]))
        type = MountTable.decoded(fields[dash + 1])
        source = MountTable.decoded(fields[dash + 2])
        superOptions = dash + 3 < fields.count ? MountTable.decoded(fields[dash + 3]) : FileName("")
    }

    public var isFuse: Bool { type.bytes.starts(with: "fuse".utf8) && !type.bytes.starts(with: "fuseblk".utf8) }
}

/// What is mounted in this process's mount namespace. Reading it asks nothing of any filesystem, so that a stuck or
/// dead one does no harm.
public struct MountTable: Sendable {
    public let entries: [MountEntry]

    public init() throws(Errno) {
        self.init(text: try MountTable.text())
    }

    init(text: [UInt8]) { entries = text.split(separator: 0x0a).compactMap(MountEntry.init) }

    private static func text() throws(Errno) -> [UInt8] {
        let file = try FD.currentDirectory.open(FileName("/proc/self/mountinfo"), 0)
        return try file.fd.readAll()
    }

    /// A device number is given out again after an unmount: with `mountpoint`, that must be the same too.
    public func has(device: String, mountpoint: FileName?) -> Bool {
        entries.contains { $0.device == device && $0.isFuse && (mountpoint ?? $0.mountpoint) == $0.mountpoint }
    }

    /// The mount on top at this path, which must be absolute and without symlinks.
    public static func top(at path: FileName) throws(Errno) -> MountEntry? { top(at: path, in: try text()) }

    /// A machine full of containers has hundreds of lines, and each start of a mount asks twice: only the line that
    /// counts is taken apart.
    static func top(at path: FileName, in text: [UInt8]) -> MountEntry? {
        let wanted = encoded(path)
        return text.split(separator: 0x0a).last { line in
            let fields = line.split(separator: 0x20, maxSplits: 5)
            return fields.count == 6 && fields[4].elementsEqual(wanted)
        }.flatMap(MountEntry.init)
    }

    /// A path to the place it leads to, symlinks resolved, with the mount that it lies on. A dead mount does not
    /// disturb: O_PATH opens nothing.
    public static func resolve(_ path: FileName) throws(Errno) -> (path: FileName, mountID: UInt64?) {
        let place = try FD.currentDirectory.open(path, OpenFlags.path)
        let info = try FD.currentDirectory.open(FileName("/proc/self/fdinfo/\(place.number)"), 0)
        var id: UInt64?
        for line in try info.fd.readAll().split(separator: 0x0a) where line.starts(with: "mnt_id:".utf8) {
            id = UInt64(String(decoding: line.dropFirst(7).drop { $0 == 0x20 || $0 == 0x09 }, as: UTF8.self))
        }
        return (try place.fd.path(), id)
    }

    /// Blank, tab, newline and backslash are written in octal (mangle_path).
    private static func encoded(_ path: FileName) -> [UInt8] {
        path.bytes.flatMap { byte -> [UInt8] in
            guard [0x20, 0x09, 0x0a, 0x5c].contains(byte) else { return [byte] }
            return [0x5c, 0x30 + byte >> 6, 0x30 + byte >> 3 & 7, 0x30 + byte & 7]
        }
    }
    fileprivate static func decoded(_ field: ArraySlice<UInt8>) -> FileName {
        var out: [UInt8] = []
        let bytes = Array(field)
        var i = 0
        while i < bytes.count {
            if bytes[i] == 0x5c, i + 3 < bytes.count, bytes[(i + 1)...(i + 3)].allSatisfy({ $0 >= 0x30 && $0 <= 0x37 })
            {
                let value =
                    (UInt32(bytes[i + 1]) - 0x30) << 6 | (UInt32(bytes[i + 2]) - 0x30) << 3
                    | (UInt32(bytes[i + 3]) - 0x30)
                out.append(UInt8(truncatingIfNeeded: value))
                i += 4
            } else {
                out.append(bytes[i])
                i += 1
            }
        }
        return FileName(bytes: out)
    }
}

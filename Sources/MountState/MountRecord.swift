public import LinuxSys

/// What a mount says of itself in its run directory: `key=value` lines, bytes outside printable ASCII and `%` as `%XX`.
/// Unknown keys are skipped, so that builds of different age can list one another's mounts.
public struct MountRecord: Sendable, Equatable {
    public var mountpoint: FileName
    /// Uppermost first.
    public var lower: [FileName] = []
    public var dataLower: [FileName] = []
    public var upper: FileName?
    public var work: FileName?
    /// As they were given.
    public var options: FileName = ""
    public var readOnly = false
    /// Nothing of it is open for writing: no remount makes it writable.
    public var beganReadOnly = false
    /// Called by an engine (`[-f] [-d] -o OPTIONS MNT`), not by `unionfsd mount`.
    public var byEngine = false
    /// In the process's own pid namespace.
    public var pid: Int32 = 0
    /// Of the process that starts another when that one dies, likewise; 0: none.
    public var guardian: Int32 = 0
    /// Seconds since 1970.
    public var start: Int64 = 0
    public var version = ""
    /// `major:minor` of the mount; nil until it is mounted.
    public var device: String?
    /// Identity of the directories that are written: `device:inode`.
    public var upperIdentity: String?
    public var workIdentity: String?

    public init(mountpoint: FileName) { self.mountpoint = mountpoint }

    public var text: [UInt8] {
        var out: [UInt8] = []
        func put(_ key: String, _ value: some Sequence<UInt8>) {
            out.append(contentsOf: key.utf8)
            out.append(0x3d)
            for byte in value {
                if byte > 0x20 && byte < 0x7f && byte != 0x25 {
                    out.append(byte)
                } else {
                    out.append(contentsOf: [0x25, MountRecord.hex(byte >> 4), MountRecord.hex(byte & 15)])
                }
            }
            out.append(0x0a)
        }
        func put(_ key: String, _ value: String?) { if let value { put(key, value.utf8) } }
        put("mountpoint", mountpoint.bytes)
        for layer in lower { put("lower", layer.bytes) }
        for layer in dataLower { put("data", layer.bytes) }
        if let upper { put("upper", upper.bytes) }
        if let work { put("work", work.bytes) }
        put("options", options.bytes)
        put("readonly", readOnly ? "1" : "0")
        if beganReadOnly { put("began_readonly", "1") }
        put("engine", byEngine ? "1" : "0")
        put("pid", "\(pid)")
        if guardian != 0 { put("guardian", "\(guardian)") }
        put("start", "\(start)")
        put("version", version)
        put("device", device)
        put("upper_id", upperIdentity)
        put("work_id", workIdentity)
        return out
    }

    /// nil when there is no mount point in it.
    public init?(text: [UInt8]) {
        var record = MountRecord(mountpoint: "")
        for line in text.split(separator: 0x0a) {
            guard let at = line.firstIndex(of: 0x3d) else { continue }
            let value = MountRecord.decoded(line[(at + 1)...])
            let string = String(decoding: value, as: UTF8.self)
            switch String(decoding: line[..<at], as: UTF8.self) {
            case "mountpoint": record.mountpoint = FileName(bytes: value)
            case "lower": record.lower.append(FileName(bytes: value))
            case "data": record.dataLower.append(FileName(bytes: value))
            case "upper": record.upper = FileName(bytes: value)
            case "work": record.work = FileName(bytes: value)
            case "options": record.options = FileName(bytes: value)
            case "readonly": record.readOnly = string == "1"
            case "began_readonly": record.beganReadOnly = string == "1"
            case "engine": record.byEngine = string == "1"
            case "pid": record.pid = Int32(string) ?? 0
            case "guardian": record.guardian = Int32(string) ?? 0
            case "start": record.start = Int64(string) ?? 0
            case "version": record.version = string
            case "device": record.device = string
            case "upper_id": record.upperIdentity = string
            case "work_id": record.workIdentity = string
            default: break
            }
        }
        if record.mountpoint.isEmpty { return nil }
        self = record
    }

    private static func decoded(_ value: ArraySlice<UInt8>) -> [UInt8] {
        var out: [UInt8] = []
        var rest = value
        while let byte = rest.popFirst() {
            if byte == 0x25, rest.count >= 2, let high = digit(rest[rest.startIndex]),
                let low = digit(rest[rest.startIndex + 1])
            {
                out.append(high << 4 | low)
                rest = rest.dropFirst(2)
            } else {
                out.append(byte)
            }
        }
        return out
    }
    private static func hex(_ n: UInt8) -> UInt8 { n < 10 ? 0x30 + n : 0x37 + n }
    private static func digit(_ c: UInt8) -> UInt8? {
        switch c {
        case 0x30...0x39: c - 0x30
        case 0x41...0x46: c - 0x37
        case 0x61...0x66: c - 0x57
        default: nil
        }
    }
}

import CShims

/// A time of the filesystem, or what utimensat(2) takes in its place.
struct Moment: Equatable, Comparable, Sendable {
    var seconds: Int64
    var nanoseconds: Int64

    init(_ seconds: Int64, _ nanoseconds: Int64) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    static let now = Moment(0, Int64(UTIME_NOW))
    static let omit = Moment(0, Int64(UTIME_OMIT))

    static func < (a: Moment, b: Moment) -> Bool { (a.seconds, a.nanoseconds) < (b.seconds, b.nanoseconds) }

    var raw: timespec { timespec(tv_sec: Int(seconds), tv_nsec: Int(nanoseconds)) }

    /// In one width, so that it sorts and compares as text.
    var text: String {
        let digits = String(nanoseconds)
        return "\(seconds)." + String(repeating: "0", count: max(0, 9 - digits.count)) + digits
    }
}

/// Times that two runs cannot have in common are those that the clock gave while we worked. A time set explicitly,
/// or kept from before, is the same in both trees: that much can be compared.
struct TimeWindow: Sendable {
    /// Seconds since the epoch.
    let since: Int64

    /// Some slack, since filesystems take the time of the last tick; and a day, which is longer than any run, while
    /// the future that tests set is years ahead.
    func contains(_ moment: Moment) -> Bool { moment.seconds >= since - 2 && moment.seconds < since + 86400 }

    func text(_ moment: Moment) -> String { contains(moment) ? "recent" : moment.text }
}

extension Sys {
    /// What statx(2) says.
    struct Status: Sendable {
        var ino: UInt64 = 0, dev: UInt64 = 0, rdev: UInt64 = 0, size: UInt64 = 0, blocks: UInt64 = 0
        var mode: UInt32 = 0, nlink: UInt32 = 0, uid: UInt32 = 0, gid: UInt32 = 0, blksize: UInt32 = 0, mask: UInt32 = 0
        var atime = Moment(0, 0), mtime = Moment(0, 0), ctime = Moment(0, 0), btime = Moment(0, 0)

        init() {}

        init(_ raw: cs_status) {
            (ino, dev, rdev, size, blocks) = (raw.ino, raw.dev, raw.rdev, raw.size, raw.blocks)
            (mode, nlink, uid, gid) = (raw.mode, raw.nlink, raw.uid, raw.gid)
            (blksize, mask) = (raw.blksize, raw.mask)
            atime = Moment(raw.atime_s, Int64(raw.atime_ns))
            mtime = Moment(raw.mtime_s, Int64(raw.mtime_ns))
            ctime = Moment(raw.ctime_s, Int64(raw.ctime_ns))
            btime = Moment(raw.btime_s, Int64(raw.btime_ns))
        }

        var kind: UInt32 { mode & modeKindMask }
        var permissions: UInt32 { mode & 0o7777 }
        var isDirectory: Bool { kind == kindDirectory }
        var isRegular: Bool { kind == kindRegular }
        var isSymlink: Bool { kind == kindSymlink }
        var isDevice: Bool { kind == kindCharacter || kind == kindBlock }

        /// major:minor, taken apart as gnu_dev_major(3) does.
        var deviceText: String {
            let major = (rdev >> 8) & 0xfff | (rdev >> 32) & 0xffff_f000
            let minor = rdev & 0xff | (rdev >> 12) & 0xffff_ff00
            return "\(major):\(minor)"
        }

        /// d_type of readdir(3) for this mode (IFTODT).
        var directoryKind: UInt8 { UInt8(kind >> 12) }
    }
}

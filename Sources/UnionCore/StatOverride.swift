public import LinuxSys

/// Which attribute of a layer's objects says what they are to be seen as; each program that writes such layers has its
/// own.
public enum OverrideForm: Sendable, CaseIterable {
    /// `security.`, which only root may write; `user.containers.`, of containers/storage; `user.fuseoverlayfs.`, of
    /// older layers.
    case privileged, containers, fuseOverlayfs

    public var name: NameRef {
        switch self {
        case .privileged: NameRef("security.fuseoverlayfs.override_stat")
        case .containers: NameRef("user.containers.override_stat")
        case .fuseOverlayfs: NameRef("user.fuseoverlayfs.override_stat")
        }
    }
    /// Of the option `xattr_permissions`.
    init?(option: Int) {
        switch option {
        case 1: self = .privileged
        case 2: self = .containers
        default: return nil
        }
    }
}

/// Owner, permissions and kind of an object, kept in an attribute because whoever unpacked the layer could not give
/// files away: `uid:gid:mode[:kind]`, mode in octal, kind one of `file`, `dir`, `symlink`, `pipe`, `socket`,
/// `block-MAJOR-MINOR`, `char-MAJOR-MINOR` (containers/storage, idtools.FormatContainersOverrideXattr).
public struct StatOverride: Equatable, Sendable {
    public var uid: UInt32, gid: UInt32
    public var permissions: UInt32
    public var kind: FileKind?
    public var device: UInt64 = 0

    public init(_ status: FileStatus) {
        uid = status.uid
        gid = status.gid
        permissions = status.permissions
        kind = status.isRegular || status.isDirectory ? nil : status.kind
        device = status.rdev
    }

    /// Nil for what is not of the form: the object is seen as it is then.
    public init?(_ text: [UInt8]) {
        let fields = text.split(separator: UInt8(ascii: ":"), maxSplits: 3, omittingEmptySubsequences: false)
        guard fields.count >= 3, let uid = Self.number(fields[0], base: 10), let gid = Self.number(fields[1], base: 10),
            let mode = Self.number(fields[2], base: 8), uid != UInt32.max, gid != UInt32.max
        else { return nil }
        self.uid = uid
        self.gid = gid
        permissions = mode & 0o7777
        if fields.count == 4, !readKind(fields[3]) { return nil }
    }

    private mutating func readKind(_ text: ArraySlice<UInt8>) -> Bool {
        switch String(decoding: text, as: UTF8.self) {
        case "file": kind = .regular
        case "dir": kind = .directory
        case "symlink": kind = .symlink
        case "pipe": kind = .fifo
        case "socket": kind = .socket
        default:
            let isBlock = text.starts(with: "block".utf8)
            guard isBlock || text.starts(with: "char".utf8) else { return false }
            kind = isBlock ? .block : .character
            let numbers = text.dropFirst(isBlock ? 5 : 4).split { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ":") }
            guard numbers.count == 2, let major = Self.number(numbers[0], base: 10),
                let minor = Self.number(numbers[1], base: 10)
            else { return false }
            // makedev(3).
            let (high, low) = (UInt64(major), UInt64(minor))
            device = (high & 0xffff_f000) << 32 | (high & 0xfff) << 8 | (low & 0xffff_ff00) << 12 | low & 0xff
        }
        return true
    }

    private static func number(_ text: ArraySlice<UInt8>, base: UInt64) -> UInt32? {
        guard !text.isEmpty, text.count <= 12 else { return nil }
        var value: UInt64 = 0
        for digit in text {
            guard digit >= UInt8(ascii: "0"), UInt64(digit &- UInt8(ascii: "0")) < base else { return nil }
            value = value * base + UInt64(digit &- UInt8(ascii: "0"))
        }
        return UInt32(exactly: value)
    }

    /// As an attribute's value.
    public var text: [UInt8] {
        var text = "\(uid):\(gid):0\(String(permissions, radix: 8))"
        let (major, minor) = (
            device >> 32 & 0xffff_f000 | device >> 8 & 0xfff, device >> 12 & 0xffff_ff00 | device & 0xff
        )
        switch kind {
        case .fifo: text += ":pipe"
        case .socket: text += ":socket"
        case .block: text += ":block-\(major)-\(minor)"
        case .character: text += ":char-\(major)-\(minor)"
        default: break
        }
        return Array(text.utf8)
    }

    /// What a regular file or directory is to be seen as. A file can stand for a fifo, a socket or a device; nothing
    /// else can change its kind, and nothing becomes the device 0/0, which is a whiteout.
    public func applied(to status: FileStatus) -> FileStatus {
        guard status.isRegular || status.isDirectory else { return status }
        var seen = status
        seen.uid = uid
        seen.gid = gid
        var shown = status.kind
        if status.isRegular, let kind {
            switch kind {
            case .fifo, .socket: shown = kind
            case .block where device != 0, .character where device != 0: shown = kind
            default: break
            }
        }
        seen.mode = shown.modeBits | permissions
        if shown != status.kind {
            seen.rdev = device
            seen.size = 0
        }
        return seen
    }
}

import Glibc

/// Who does an operation: the filesystem's user and groups of this thread, its capabilities, and the umask.
struct Actor: Sendable, CustomStringConvertible {
    var uid: UInt32 = 0
    var gid: UInt32 = 0
    var groups: [UInt32] = []
    /// Of those that concern files; nil: what the user has by itself.
    var capabilities: Capabilities?
    var mask: UInt32 = 0

    struct Capabilities: OptionSet, Sendable {
        var rawValue: UInt64
        /// Of <linux/capability.h>.
        static let chown = Self(rawValue: 1 << 0), dacOverride = Self(rawValue: 1 << 1),
            dacReadSearch = Self(rawValue: 1 << 2)
        static let fowner = Self(rawValue: 1 << 3), fsetid = Self(rawValue: 1 << 4), immutable = Self(rawValue: 1 << 9)
        static let admin = Self(rawValue: 1 << 21), mknod = Self(rawValue: 1 << 27), setfcap = Self(rawValue: 1 << 31)
        static let all: Self = [
            .chown, .dacOverride, .dacReadSearch, .fowner, .fsetid, .immutable, .admin, .mknod, .setfcap,
        ]
    }

    static let root = Actor()

    /// Owners, members of the group and strangers of what the layers hold.
    static let all: [Actor] = [
        Actor(uid: 1000, gid: 1000), Actor(uid: 1000, gid: 1000, mask: 0o022), Actor(uid: 1001, gid: 1000, mask: 0o027),
        Actor(uid: 1001, gid: 1001, mask: 0o077), Actor(uid: 1002, gid: 1002, groups: [1000]),
        Actor(uid: 1000, gid: 1000, groups: [1001], mask: 0o002), Actor(uid: 0, gid: 0, mask: 0o022),
        Actor(uid: 0, gid: 0, mask: 0o077),
        Actor(uid: 0, gid: 0, capabilities: []),
        Actor(uid: 0, gid: 0, groups: [1000], capabilities: [.dacOverride, .chown, .fowner]),
        Actor(uid: 0, gid: 0, capabilities: Capabilities.all.subtracting([.admin, .immutable]), mask: 0o022),
        Actor(uid: 1000, gid: 1000, capabilities: [.dacOverride]), Actor(uid: 1001, gid: 1001, capabilities: [.fowner]),
        Actor(uid: 1001, gid: 1001, capabilities: [.fsetid, .dacOverride]),
        Actor(uid: 1002, gid: 1002, groups: [1001], capabilities: [.chown]),
        Actor(uid: 1002, gid: 1000, capabilities: [.dacReadSearch, .mknod]),
    ]

    func enter() {
        umask(mask)
        if !groups.isEmpty { _ = Sys.setGroups(groups) }
        if uid != 0 { Sys.setFilesystemUser(uid: uid, gid: gid) }
        if let capabilities { Sys.setCapabilities(capabilities.rawValue, among: Capabilities.all.rawValue) }
    }

    func leave() {
        if capabilities != nil { Sys.setCapabilities(Capabilities.all.rawValue, among: Capabilities.all.rawValue) }
        if uid != 0 { Sys.setFilesystemUser(uid: 0, gid: 0) }
        if !groups.isEmpty { _ = Sys.setNoGroups() }
        umask(0)
    }

    var description: String {
        var text = uid == 0 ? "" : "uid \(uid) gid \(gid) "
        if !groups.isEmpty { text += "groups \(groups.map(String.init).joined(separator: ",")) " }
        if let capabilities { text += "capabilities \(String(capabilities.rawValue, radix: 16)) " }
        return text + (mask == 0 ? "" : "umask \(octal(mask)) ")
    }
}

import Glibc

/// Who does an operation: the filesystem's user and groups of this thread, and the umask.
struct Actor: Sendable, CustomStringConvertible {
    var uid: UInt32 = 0
    var gid: UInt32 = 0
    var groups: [UInt32] = []
    var mask: UInt32 = 0

    static let root = Actor()

    /// Owners, members of the group and strangers of what the layers hold.
    static let all: [Actor] = [
        Actor(uid: 1000, gid: 1000), Actor(uid: 1000, gid: 1000, mask: 0o022), Actor(uid: 1001, gid: 1000, mask: 0o027),
        Actor(uid: 1001, gid: 1001, mask: 0o077), Actor(uid: 1002, gid: 1002, groups: [1000]),
        Actor(uid: 1000, gid: 1000, groups: [1001], mask: 0o002), Actor(uid: 0, gid: 0, mask: 0o022), Actor(uid: 0, gid: 0, mask: 0o077),
    ]

    func enter() {
        umask(mask)
        if !groups.isEmpty { _ = Sys.setGroups(groups) }
        if uid != 0 { Sys.setFilesystemUser(uid: uid, gid: gid) }
    }

    func leave() {
        if uid != 0 { Sys.setFilesystemUser(uid: 0, gid: 0) }
        if !groups.isEmpty { _ = Sys.setNoGroups() }
        umask(0)
    }

    var description: String {
        var text = uid == 0 ? "" : "uid \(uid) gid \(gid) "
        if !groups.isEmpty { text += "groups \(groups.map(String.init).joined(separator: ",")) " }
        return text + (mask == 0 ? "" : "umask \(octal(mask)) ")
    }
}

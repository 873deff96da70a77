internal import CShims
internal import Glibc

/// A user namespace, in which an ordinary user can be root, and the mount namespace that belongs to it
/// (user_namespaces(7)). All of it before a process's first thread.
public struct UserNamespace: ~Copyable {
    /// Which ones a process is in, to be compared. As a text in which no blanks are.
    public struct Identity: Equatable, Sendable {
        /// As the kernel writes them: `user:[4026531837]`. They are given out again as soon as the namespaces are gone.
        public let users: FileName, mounts: FileName
        /// What tells others with the same numbers: the mount namespace's own id (0 before Linux 6.11), and who is who
        /// in the user namespace.
        public let mark: FileName
        public init?(text: ArraySlice<UInt8>) {
            let words = text.split(separator: 0x20).map { FileName(bytes: $0) }
            guard words.count == 3 else { return nil }
            (users, mounts, mark) = (words[0], words[1], words[2])
        }
        fileprivate init(users: FileName, mounts: FileName, mark: FileName) {
            (self.users, self.mounts, self.mark) = (users, mounts, mark)
        }
        public var text: [UInt8] { Array("\(users) \(mounts) \(mark)".utf8) }
        /// Of the numbers alone, as that is quick.
        public func mayBe(_ process: FD) -> Bool {
            do throws(Errno) {
                guard try process.readLink(FileName("ns/mnt")) == mounts else { return false }
                return try process.readLink(FileName("ns/user")) == users
            } catch { return false }
        }
    }

    private let users: OwnedFD, mounts: OwnedFD

    /// Those that a process is in.
    /// - Parameter process: its directory in /proc, which stays that process's.
    /// - Throws: ESRCH or ENOENT: it has ended; EACCES: it is none of ours.
    public init(of process: FD) throws(Errno) {
        let users = try process.open(FileName("ns/user"), O_RDONLY)
        let mounts = try process.open(FileName("ns/mnt"), O_RDONLY)
        self.users = users
        self.mounts = mounts
    }

    public static func identity(of process: FD) throws(Errno) -> Identity {
        let mounts = try process.open(FileName("ns/mnt"), O_RDONLY)
        var id: UInt64 = 0
        _ = unsafe cs_mount_ns_id(mounts.number, &id)
        var mark = Array("\(id)".utf8)
        for name in [FileName("uid_map"), FileName("gid_map")] {
            let map = try process.open(name, O_RDONLY)
            mark +=
                [0x2c]
                + (try map.fd.readAll(limit: 1 << 16)).split { $0 == 0x20 || $0 == 0x0a }.joined(separator: [0x3a])
        }
        return Identity(
            users: try process.readLink(FileName("ns/user")), mounts: try process.readLink(FileName("ns/mnt")),
            mark: FileName(bytes: mark))
    }
    public static func own() throws(Errno) -> Identity {
        let process = try FD.currentDirectory.open(FileName("/proc/self"), OpenFlags.path | OpenFlags.directory)
        return try identity(of: process.fd)
    }

    /// Made in the user namespace that this process is in: not in one of a container's.
    public func isChildOfOwn() throws(Errno) -> Bool {
        let parent = OwnedFD(adopting: Int32(truncatingIfNeeded: try checked { cs_ns_parent(users.number) }))
        return try parent.fd.path() == UserNamespace.own().users
    }

    /// This process goes there, and is root there if the namespace is its user's. There is no way back. Its current
    /// directory stays the same one, if it may be entered.
    public func enter() throws(Errno) {
        var here: FD?
        do throws(Errno) {
            here = try FD.currentDirectory.open(NameRef.dot, OpenFlags.path | OpenFlags.directory).release()
        } catch {
            // It may not be entered: none, then.
        }
        defer { here?.close() }
        let path = try? here?.path()
        let status = try? here?.status()
        try checked { cs_setns(users.number, CLONE_NEWUSER) }
        // Moves the current directory to the namespace's root.
        try checked { cs_setns(mounts.number, CLONE_NEWNS) }
        try UserNamespace.becomeRoot()
        guard let here, let path, let status else { return }
        do throws(Errno) {
            let there = try FD.currentDirectory.open(path, OpenFlags.path | OpenFlags.directory)
            let now = try there.fd.status()
            guard now.dev == status.dev && now.ino == status.ino else { throw Errno.stale }
            try there.fd.makeCurrent()
        } catch {
            // Mounted out there and not in here: what is open is reached all the same.
            try? here.makeCurrent()
        }
    }

    /// This process gets new ones. It has no number in it that it could act under until somebody outside has written
    /// its maps.
    public static func make() throws(Errno) { try checked { cs_unshare(CLONE_NEWUSER | CLONE_NEWNS) } }
    /// With the group of root, too, whatever group it had outside. Supplementary groups stay: they are what the user
    /// may reach out there.
    public static func becomeRoot() throws(Errno) { try checked { cs_become_root() } }

    /// How many users, and groups, there are in this process's namespace, at most 2^32.
    public static var userCount: UInt64 { ranges(FileName("/proc/self/uid_map")).reduce(0) { $0 + UInt64($1.count) } }
    public static var groupCount: UInt64 { ranges(FileName("/proc/self/gid_map")).reduce(0) { $0 + UInt64($1.count) } }
    public static func hasGroup(_ gid: UInt32) -> Bool {
        ranges(FileName("/proc/self/gid_map")).contains { gid >= $0.start && gid - $0.start < $0.count }
    }
    private static func ranges(_ map: FileName) -> [SubordinateIDs.Range] {
        guard let file = try? FD.currentDirectory.open(map, O_RDONLY), let text = try? file.fd.readAll(limit: 1 << 20)
        else { return [] }
        return text.split(separator: 0x0a).compactMap { line in
            let n = line.split(separator: 0x20).compactMap { UInt32(String(decoding: $0, as: UTF8.self)) }
            return n.count == 3 ? SubordinateIDs.Range(start: n[0], count: n[2]) : nil
        }
    }
}
private let CLONE_NEWUSER: Int32 = 0x1000_0000
private let CLONE_NEWNS: Int32 = 0x2_0000

extension FD {
    /// fchdir(2).
    func makeCurrent() throws(Errno) { try checked { cs_fchdir(raw) } }
}

/// The ids that an ordinary user may give to others in a namespace (subuid(5), subgid(5)).
public enum SubordinateIDs {
    public struct Range: Equatable, Sendable {
        public let start: UInt32, count: UInt32
        public init(start: UInt32, count: UInt32) {
            self.start = start
            self.count = count
        }
    }

    /// Those that overlap an earlier one are left out, as the kernel takes none of it then: a range may stand there by
    /// name and by number.
    /// - Parameters:
    ///   - text: of /etc/subuid or /etc/subgid: `NAME:START:COUNT`, the name a user's, or their number.
    public static func ranges(of user: UInt32, name: [UInt8]?, in text: [UInt8]) -> [Range] {
        var found: [Range] = []
        for line in text.split(separator: 0x0a) {
            let fields = line.split(separator: 0x3a, omittingEmptySubsequences: false)
            guard fields.count == 3, let start = number(fields[1]), let count = number(fields[2]), count > 0,
                !start.addingReportingOverflow(count).overflow
            else { continue }
            guard name.map({ fields[0].elementsEqual($0) }) == true || number(fields[0]) == user else { continue }
            if !found.contains(where: { start < $0.start + $0.count && $0.start < start + count }) {
                found.append(Range(start: start, count: count))
            }
        }
        return found
    }
    public static func users(of user: UInt32, name: [UInt8]?) -> [Range] { read(FileName("/etc/subuid"), user, name) }
    public static func groups(of user: UInt32, name: [UInt8]?) -> [Range] { read(FileName("/etc/subgid"), user, name) }

    private static func read(_ path: FileName, _ user: UInt32, _ name: [UInt8]?) -> [Range] {
        guard let file = try? FD.currentDirectory.open(path, O_RDONLY), let text = try? file.fd.readAll(limit: 16 << 20)
        else { return [] }
        return ranges(of: user, name: name, in: text)
    }
    private static func number(_ text: ArraySlice<UInt8>) -> UInt32? { UInt32(String(decoding: text, as: UTF8.self)) }
}

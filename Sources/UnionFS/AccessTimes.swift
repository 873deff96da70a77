internal import FuseKit
internal import Glibc
public import LinuxSys
internal import Synchronization
public import UnionCore

/// What readers do to access times, kept where each request can look. The kernel's FUSE client moves none (S_NOATIME on
/// each inode) and forgets what it has of one when it has read through us or through a backing file; so a time moves
/// where the upper file is read, by the flags of the mount that it was opened through (`UpperMount`): the kernel's own
/// reads in passthrough, our pread(2), our readlink(2). What reading does not reach us, because the kernel has it in
/// its page cache, must not be there: listings and symlinks of the upper layer, pages of upper files at an open behind
/// which a read would move the time. Lower files are on mounts that move none.
final class AccessTimes: Sendable {
    private let raw: Atomic<UInt8>
    /// Upper and work have a mount that carries the rule; else O_NOATIME has to do, where we may.
    let hasMount: Bool

    init(_ rule: AccessTimeRule, hasMount: Bool) {
        raw = Atomic(rule.raw)
        self.hasMount = hasMount
    }
    var rule: AccessTimeRule {
        get { AccessTimeRule(raw: raw.load(ordering: .relaxed)) }
        set { raw.store(newValue.raw, ordering: .relaxed) }
    }
    /// For opens of our own.
    var openFlags: Int32 { !hasMount && rule.moves == .never ? OpenFlags.noAccessTime : 0 }
}

extension UnionFileSystem {
    /// readdir(3) of an upper directory. Nothing where directories' times do not move, as is the default.
    func directoryRead(_ node: UInt32) throws(Errno) {
        guard accessTimes.rule.ofDirectories, table[node].flags.contains(.upper) else { return }
        let directory = try merged(node)
        try directory.upper?.fd.touchDirectory()
    }

    /// Whether a read of this upper file, open here, would move its time (relatime_need_update), so that it must reach
    /// us. An fstat(2) with relatime, nothing with noatime.
    func readMovesTime(_ file: FD) throws(Errno) -> Bool {
        switch accessTimes.rule.moves {
        case .never: return false
        case .always: return true
        case .relative:
            let status = try file.status()
            return !status.atime.isLater(than: status.mtime) || !status.atime.isLater(than: status.ctime)
                || Clock.realtime - status.atime.seconds >= 24 * 60 * 60
        }
    }

    /// Other flags of the mount. Whether the kernel keeps symlinks was agreed on with the first ones (`CachePolicy`).
    public func follow(_ flags: MountFlags) throws(Errno) {
        let rule = AccessTimeRule(flags, isReadOnly: flags.contains(.readOnly))
        try stack.upperMount?.setAccessTimes(rule.attributes)
        accessTimes.rule = rule
    }

    /// ioctl(2) of the root, without an argument: look at what flags the mount has now. It changes nothing for whoever
    /// had no right to change them.
    public static let followMountCommand: UInt32 = 0xe53e
    /// - Throws: EROFS: it is not read-only any more, but nothing can be written here.
    func followMount(_ caller: Caller) throws(Errno) {
        guard caller.uid == 0 || caller.uid == Process.effectiveUser else { throw .notTTY }
        // Of another mount namespace, or without a place.
        guard let flags = onFollowMount?() else { throw .noEntry }
        if !flags.contains(.readOnly), !stack.hasUpper { throw .readOnly }
        try follow(flags)
    }
}

extension Timestamp {
    func isLater(than other: Timestamp) -> Bool {
        seconds != other.seconds ? seconds > other.seconds : nanoseconds > other.nanoseconds
    }
}

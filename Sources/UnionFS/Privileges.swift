internal import FuseKit
internal import Glibc
internal import LinuxSys
internal import UnionCore

/// What depends on more of a caller than its user and group: suid and sgid after a change of data or owner, `trusted.*`
/// names. The kernel checks all other permissions itself (default_permissions).
extension UnionFileSystem {
    /// Whether the kernel said with the request that the writer has no CAP_FSETID (FUSE_WRITE_KILL_SUIDGID and its
    /// like). FALLOCATE and COPY_FILE_RANGE have no such flag, and of a write in passthrough there is only a SETATTR of
    /// nothing before it.
    enum KillFlag { case told, none }

    /// What the kernel does for a writer without CAP_FSETID (setattr_should_drop_suidgid): suid goes, and sgid where
    /// the group may execute or the writer is not in it. One statx where there is nothing to drop.
    /// - Returns: whether there was anything to drop.
    @discardableResult
    func dropSuidGid(_ fd: FD, _ caller: Caller, _ flag: KillFlag) throws(Errno) -> Bool {
        try dropSuidGid(fd, NameRef.empty, caller, flag)
    }
    func dropSuidGid(_ fd: FD, _ name: NameRef, _ caller: Caller, _ flag: KillFlag) throws(Errno) -> Bool {
        let status = try stack.status(fd, name, layer: 0)
        guard status.isRegular, status.mode & 0o6000 != 0 else { return false }
        if flag == .none, CallerStatus.read()?.isCapable(Capability.fsetid) ?? (caller.uid == 0) { return false }
        var keep = status.permissions & ~UInt32(S_ISUID)
        if keep & UInt32(S_ISGID) != 0, status.mode & UInt32(S_IXGRP) != 0 || !isInGroup(caller, of: status) {
            keep &= ~UInt32(S_ISGID)
        }
        if keep == status.permissions { return false }
        try stack.changeMode(fd, name, keep)
        return true
    }

    /// A chown(2) that takes suid or sgid away changes the mode, which is for the owner and CAP_FOWNER (notify_change
    /// makes an ATTR_MODE of ATTR_KILL_SUID; FUSE leaves that to us). `status`: as the layer has it.
    func refuseToDrop(_ status: FileStatus, _ caller: Caller) throws(Errno) {
        guard !status.isDirectory, status.mode & 0o6000 != 0, caller.uid != owners.seen(uid: status.uid) else { return }
        let drops =
            status.mode & UInt32(S_ISUID) != 0 || status.mode & UInt32(S_IXGRP) != 0 || !isInGroup(caller, of: status)
        if drops, !(CallerStatus.read()?.has(Capability.fowner) ?? (caller.uid == 0)) { throw .notPermitted }
    }

    /// A SETATTR of nothing is chown(-1, -1), which takes suid and sgid away; or it comes before a write to a file with
    /// capabilities, after the REMOVEXATTR of these (file_remove_privs: ATTR_KILL_PRIV is not passed on), and the write
    /// itself will say what goes. The caller's thread knows which. Where we may not ask it: root keeps suid over a
    /// write, so after a removal it is taken for one; others lose it either way.
    func isChownOfNothing(_ status: FileStatus, hadCapabilities: Bool, _ caller: Caller) -> Bool {
        if status.mode & 0o6000 != 0, !status.isDirectory, let isInChown = WaitingCaller.isInChown { return isInChown }
        if caller.uid == 0 { return !hadCapabilities }
        return caller.uid == owners.seen(uid: status.uid)
    }

    /// in_group_or_capable of the kernel: by its own group, by a supplementary one, or by CAP_FSETID. `status`: as the
    /// layer has it.
    func isInGroup(_ caller: Caller, of status: FileStatus) -> Bool {
        let gid = owners.seen(gid: status.gid)
        if caller.gid == gid { return true }
        guard let more = CallerStatus.read() else { return caller.uid == 0 }
        return more.groups.contains(gid) || more.has(Capability.fsetid)
    }

    /// As every filesystem: the names of `trusted.*` are for CAP_SYS_ADMIN (ovl_can_list).
    func seesTrusted(_ caller: Caller) -> Bool {
        CallerStatus.read()?.isCapable(Capability.sysAdmin) ?? (caller.uid == 0)
    }
}

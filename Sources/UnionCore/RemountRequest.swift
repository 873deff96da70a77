public import LinuxSys

/// What `mount -o remount,…` asks of a live mount: its flags can be others, and all else must be as it is. mount(8)
/// hands over the options of /etc/fstab or of the mount itself with those of its command line, so that most of them are
/// there only to be compared.
public struct RemountRequest: Sendable {
    /// All that the mount and its filesystem shall have.
    public let flags: MountFlags

    /// - Parameters:
    ///   - live: what the mount was made with, its paths absolute; nil where nobody knows.
    ///   - present: the flags that it has.
    ///   - shown: what the kernel shows of its filesystem: `allow_other` and its like.
    ///   - resolve: a path as a person typed it to an absolute one.
    public init(
        _ asked: MountOptions, live: MountOptions?, present: MountFlags, shown: Set<String>,
        resolve: (FileName) -> FileName
    ) throws(OptionError) {
        for name in asked.given where !Self.mayStand(name, asked, live, shown, resolve) {
            throw OptionError(
                live == nil && !Self.isShown(name)
                    ? """
                    \"\(name)\" cannot be compared with what the mount was made with, as its entry is not in \
                    this run directory: leave it out
                    """
                    : """
                    \"\(name)\" is not what the mount was made with, and cannot change while it is mounted: \
                    leave it out, or unmount and mount again
                    """
            )
        }
        let (set, clear) = asked.flagsGiven
        var flags = present
        if asked.form == .engine {
            // mount(8) hands over all flags that are to be, and leaves out those that are not, even where its user said
            // `exec`. As mount(2) has it: without a word on access times they stay. `nodev` was not its word but ours,
            // and stays.
            flags.formIntersection(
                set.isDisjoint(with: .accessTimes)
                    ? [.noDev, .readOnly, .noAccessTime, .noDirAccessTime, .relativeAccessTime, .strictAccessTime]
                    : [.noDev, .readOnly])
        }
        flags = flags.subtracting(clear).union(set)
        // One of the three; relatime where it is none.
        if flags.contains(.noAccessTime) {
            flags.subtract([.relativeAccessTime, .strictAccessTime])
        } else if flags.contains(.strictAccessTime) {
            flags.remove(.relativeAccessTime)
        } else {
            flags.insert(.relativeAccessTime)
        }
        if let isReadOnly = asked.readOnlyGiven {
            if isReadOnly { flags.insert(.readOnly) } else { flags.remove(.readOnly) }
        }
        self.flags = flags
    }

    private static func isShown(_ name: String) -> Bool { name == "allow_other" || name == "default_permissions" }

    /// Whether an option is one that a remount may have, or says what is so already.
    private static func mayStand(
        _ name: String, _ asked: MountOptions, _ live: MountOptions?, _ shown: Set<String>,
        _ resolve: (FileName) -> FileName
    ) -> Bool {
        switch name {
        case "allow_other": return asked.allowOther == shown.contains(name)
        case "default_permissions": return asked.defaultPermissions == shown.contains(name)
        default: break
        }
        guard let live else { return !compared.contains(name) }
        func same(_ a: [FileName], _ b: [FileName]) -> Bool { a.map(resolve) == b }
        func same(_ a: FileName?, _ b: FileName?) -> Bool { a.map(resolve) == b }
        switch name {
        case "lowerdir", "lowerdir+", "datadir+":
            return same(asked.lower, live.lower) && same(asked.dataLower, live.dataLower)
        case "upperdir": return same(asked.upper, live.upper)
        case "workdir": return same(asked.work, live.work)
        case "redirect_dir": return asked.redirectDir == live.redirectDir
        case "metacopy": return asked.metacopy == live.metacopy
        case "index": return asked.index == live.index
        case "xino": return asked.xino == live.xino
        case "volatile", "fsync": return asked.durability == live.durability
        case "userxattr": return asked.userXattr == (live.userXattr ?? false)
        case "whiteouts": return asked.whiteouts == live.whiteouts
        case "noacl": return asked.noACL == live.noACL
        case "nfs_export": return asked.nfsExport == live.nfsExport
        case "verity": return asked.verity == live.verity
        case "uuid": return asked.uuid == live.uuid
        case "noxattrs", "disable_xattrs": return asked.noXattrs == live.noXattrs
        case "static_nlink": return asked.staticNlink == live.staticNlink
        case "coherent": return asked.coherent == live.coherent
        case "guardian": return asked.guardian == live.guardian
        case "writeback": return asked.writeback == live.writeback
        case "transport": return asked.transport == live.transport
        case "timeout", "entry_timeout", "negative_timeout", "attr_timeout", "ac_attr_timeout":
            return asked.cacheSeconds == live.cacheSeconds
        case "hang_timeout": return asked.hangSeconds == live.hangSeconds
        case "threads", "threaded", "max_threads": return asked.threads == live.threads
        case "squash_to_root": return asked.squashToRoot == live.squashToRoot
        case "squash_to_uid": return asked.squashToUID == live.squashToUID
        case "squash_to_gid": return asked.squashToGID == live.squashToGID
        case "uidmapping": return asked.uidMapping == live.uidMapping
        case "gidmapping": return asked.gidMapping == live.gidMapping
        case "xattr_permissions": return asked.xattrPermissions == live.xattrPermissions
        case "context", "fscontext", "defcontext", "rootcontext":
            return asked.securityContexts.allSatisfy(live.securityContexts.contains)
        case "fsname": return asked.fsname == live.fsname
        case "subtype": return asked.subtype == live.subtype
        default: return true
        }
    }
    /// Those of the second list above.
    private static let compared: Set<String> = [
        "lowerdir", "lowerdir+", "datadir+", "upperdir", "workdir", "redirect_dir", "metacopy", "index", "xino",
        "volatile", "fsync", "userxattr", "whiteouts", "noacl", "noxattrs", "nfs_export", "verity", "uuid",
        "static_nlink", "coherent", "guardian", "writeback", "transport", "timeout", "entry_timeout",
        "negative_timeout", "attr_timeout", "ac_attr_timeout", "hang_timeout", "threads", "threaded", "max_threads",
        "disable_xattrs", "squash_to_root", "squash_to_uid", "squash_to_gid", "uidmapping", "gidmapping",
        "xattr_permissions", "context", "fscontext", "defcontext", "rootcontext", "fsname", "subtype",
    ]
}

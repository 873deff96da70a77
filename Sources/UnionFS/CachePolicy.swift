internal import FuseKit
internal import LinuxSys
internal import UnionCore

/// What the kernel may keep without asking. We own the layers, so nothing changes behind its back: as long as it likes.
struct CachePolicy: Sendable {
    /// For names and attributes that are there, and for names that are not. About 34 years; the kernel counts jiffies.
    let seconds: UInt32
    let openFlags: OpenReplyFlags = [.keepCache]

    init(_ options: MountOptions) {
        seconds = options.cacheSeconds ?? 1 << 30
    }

    /// O_TRUNC comes with the open: a copy-up then copies nothing, and truncating costs no request of its own.
    func wanted(_ wanted: Wanted, _ options: MountOptions) -> Wanted {
        var wanted = wanted
        wanted.atomicTruncate = true
        wanted.posixACL = !options.noACL
        // FUSE_DEV_IOC_BACKING_OPEN is for these alone; who may not has writes collect instead. The kernel has one of
        // the two.
        wanted.passthrough = Process.hasCapability(Capability.sysAdmin) && Process.isInInitialUserNamespace
        wanted.writebackCache =
            !options.isReadOnly && (options.writeback == .on || options.writeback == .auto && !wanted.passthrough)
        // A readlink(2) that the kernel answers by itself moves no access time.
        wanted.cacheSymlinks = AccessTimeRule(options.flags, isReadOnly: options.isReadOnly).moves == .never
        wanted.exportSupport = options.nfsExport
        // Directories are read to know what is in them.
        wanted.readdirPlus = .always
        return wanted
    }
}

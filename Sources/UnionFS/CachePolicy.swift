internal import FuseKit
internal import LinuxSys
internal import UnionCore

/// What the kernel may keep without asking. We own the layers, so nothing changes behind its back: as long as it likes.
struct CachePolicy: Sendable {
    /// For names and attributes that are there, and for names that are not. About 34 years; the kernel counts jiffies.
    let seconds: UInt32
    let openFlags: OpenReplyFlags = [.keepCache]

    init(_ options: UnionCore.MountOptions) {
        seconds = options.cacheSeconds ?? 1 << 30
    }
}

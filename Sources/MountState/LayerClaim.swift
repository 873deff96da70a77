public import LinuxSys

/// The directories that a mount writes are its own: held with flock(2) on descriptors of their own until the process
/// ends. Overlayfs of the kernel does not know these locks and is not seen.
public final class LayerClaim: Sendable {
    private let upper: OwnedFD
    private let work: OwnedFD
    /// Nobody else had either of them.
    public let isSole: Bool
    /// For the log, when somebody else has them and we go on all the same.
    public let note: String?

    /// - Parameters:
    ///   - refuse: another live mount on either directory is an error. An engine mounts one upper several times in
    ///     quick succession (docs/podman.md, contract 6) and is only told.
    public init(upper: FileName, work: FileName, refuse: Bool) throws(RegistryError) {
        let upperFD = try LayerClaim.open(upper)
        let workFD = try LayerClaim.open(work)
        var busy = LayerClaim.claim(upperFD.fd, workFD.fd)
        if busy != nil && refuse {
            // A mount that was unmounted a moment ago may not have let go yet.
            var waits = 0
            while busy != nil, waits < 200,
                LayerClaim.holder(upperFD.fd, workFD.fd).map({ !$0.isVisible }) ?? (waits < 20)
            {
                Process.sleep(milliseconds: 10)
                waits += 1
                busy = LayerClaim.claim(upperFD.fd, workFD.fd)
            }
        }
        if let busy {
            let name = busy == .upper ? "upper layer \"\(upper)\"" : "work directory \"\(work)\""
            let who =
                LayerClaim.holder(upperFD.fd, workFD.fd).map {
                    "is in use by the mount at \"\($0.record.mountpoint)\" (process \($0.record.pid))"
                } ?? "is in use by another mount"
            if refuse { throw RegistryError("\(name) \(who): unmount that first, or choose another directory") }
            note = "\(name) \(who); two writers in one upper layer see each other's changes late or not at all"
        } else {
            note = nil
        }
        isSole = busy == nil
        self.upper = upperFD
        self.work = workFD
    }

    /// What another program has claimed: the locks are those of its open descriptors.
    public init(adopting upper: FD, work: FD, isSole: Bool) throws(Errno) {
        self.upper = try upper.duplicate()
        self.work = try work.duplicate()
        self.isSole = isSole
        note = nil
    }
    /// Whether a process serves a mount that writes this directory, wherever it is mounted and whoever may see it.
    public static func isHeld(_ directory: FD) -> Bool { directory.isLockedElsewhere }
    public var upperDirectory: FD { upper.fd }
    public var workDirectory: FD { work.fd }

    private enum Which { case upper, work }

    /// nil when both are ours now. A filesystem without flock(2) counts as free.
    private static func claim(_ upper: FD, _ work: FD) -> Which? {
        if isBusy(upper) { return .upper }
        if isBusy(work) { return .work }
        return nil
    }
    private static func isBusy(_ directory: FD) -> Bool {
        do throws(Errno) {
            try directory.lockExclusively()
            return false
        } catch { return error == .tryAgain }
    }

    private static func open(_ path: FileName) throws(RegistryError) -> OwnedFD {
        do throws(Errno) { return try FD.currentDirectory.open(path, OpenFlags.directory) } catch {
            throw RegistryError("\"\(path)\" cannot be opened: \(error.text)")
        }
    }

    /// The live mount of this user that writes one of these.
    private static func holder(_ upper: FD, _ work: FD) -> RegisteredMount? {
        let wanted = [identity(upper), identity(work)].compactMap { $0 }
        let mounts: [RegisteredMount]
        do throws(RegistryError) { mounts = try MountRegistry.list() } catch { return nil }
        return mounts.last { mount in
            mount.state == .alive
                && [mount.record.upperIdentity, mount.record.workIdentity].contains { $0.map(wanted.contains) ?? false }
        }
    }

    /// `device:inode`, as `MountRecord` keeps it.
    public static func identity(_ directory: FD) -> String? {
        do throws(Errno) {
            let status = try directory.status()
            return "\(status.dev):\(status.ino)"
        } catch { return nil }
    }
    public var upperIdentity: String? { LayerClaim.identity(upper.fd) }
    public var workIdentity: String? { LayerClaim.identity(work.fd) }
}

extension FD {
    /// Whether another open file holds a flock(2) of this one alone. Asked with a shared lock, so that two who ask do
    /// not take each other for the holder.
    var isLockedElsewhere: Bool {
        do throws(Errno) {
            try lockShared()
            try unlock()
            return false
        } catch { return error == .tryAgain }
    }
}

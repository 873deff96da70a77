internal import FuseKit
internal import LinuxSys
internal import MountState
internal import UnionCore
internal import UnionFS

/// The one place where the mount's options meet what serves it.
enum Serve {
    static func session(
        _ options: MountOptions, layers: LayerStack, statistics: MountStatistics, memory: UnionMemory?,
        inherited: [Int32] = [],
        onGoingOn: (@Sendable () -> Void)? = nil
    ) throws(RegistryError) -> Session {
        let filesystem: UnionFileSystem
        do throws(Errno) {
            filesystem = try UnionFileSystem(
                layers: layers, options: options, statistics: statistics, memory: memory, inherited: inherited)
        } catch { throw RegistryError("no memory for the inode table, or it cannot be read: \(error.text)") }
        filesystem.onGoingOn = onGoingOn
        // A child whose parent is gone has another.
        if let memory { filesystem.hasGuardian = { Process.parent == memory.guardian } }
        return Session(filesystem: filesystem, options: transport(options, filesystem))
    }

    private static func transport(_ options: MountOptions, _ filesystem: UnionFileSystem) -> SessionOptions {
        var fuse = SessionOptions()
        fuse.source = options.fsname
        fuse.subtype = options.subtype
        fuse.readOnly = options.isReadOnly
        // fusermount3 refuses an ordinary user the words that lift nodev and nosuid.
        let isPrivileged = Process.effectiveUser == 0
        fuse.noDevices = options.flags.contains(.noDev) || !isPrivileged
        fuse.noSetuid = options.flags.contains(.noSuid) || !isPrivileged
        fuse.noExecute = options.flags.contains(.noExec)
        fuse.noAccessTime = options.flags.contains(.noAccessTime)
        fuse.allowOther = options.allowOther ?? (isPrivileged || mayAllowOther)
        fuse.defaultPermissions = options.defaultPermissions
        fuse.threads = options.threads
        fuse.transport =
            switch options.transport {
            case .auto: .automatic
            case .dev: .device
            case .uring: .ring
            }
        if options.flags.contains(.synchronous) { fuse.more.append("sync") }
        if options.flags.contains(.dirSync) { fuse.more.append("dirsync") }
        if hasSELinux { fuse.more += options.securityContexts }
        fuse.wanted = filesystem.wanted(fuse.wanted)
        return fuse
    }

    /// Without it the kernel refuses a mount with a context.
    static var hasSELinux: Bool { (try? FD.statusFollowing(NameRef("/sys/fs/selinux/enforce"))) != nil }

    /// fusermount3 takes `allow_other` from an ordinary user only if /etc/fuse.conf says so.
    private static var mayAllowOther: Bool {
        do throws(Errno) {
            let file = try FD.currentDirectory.open(FileName("/etc/fuse.conf"), 0)
            return try file.fd.readAll().split(separator: 0x0a).contains { line in
                line.filter { $0 != 0x20 && $0 != 0x09 }.elementsEqual("user_allow_other".utf8)
            }
        } catch { return false }
    }
}

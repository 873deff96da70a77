internal import Glibc
public import LinuxSys

/// Where a store's supervisor listens: `run/supervisor.sock` in the store, which only its owner may enter.
public struct ControlSocket: ~Copyable {
    /// The directory of it, kept open: a socket's path may have 107 bytes and no more, so it is reached through the
    /// descriptor.
    private let directory: OwnedFD
    public var fd: FD { directory.fd }

    public init(store root: FileName) throws(Errno) {
        let store = try FD.currentDirectory.open(root, O_RDONLY | OpenFlags.directory)
        let name = NameRef("run")
        do throws(Errno) { try store.fd.makeDirectory(name, mode: 0o700) } catch { if error != .exists { throw error } }
        directory = try store.fd.openDirectory(name)
    }
    public var path: String { "/proc/self/fd/\(directory.number)/supervisor.sock" }

    /// Held by the one supervisor of a store for as long as it lives. EAGAIN where another has it.
    public func lock() throws(Errno) -> OwnedFD {
        let lock = try directory.fd.open(FileName("supervisor.lock"), O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600)
        try lock.fd.lockExclusively()
        return lock
    }
    public func removeStale() throws(Errno) {
        do throws(Errno) { try directory.fd.unlink(NameRef("supervisor.sock")) } catch {
            if error != .noEntry { throw error }
        }
    }
    public func openLog() throws(Errno) -> OwnedFD {
        try directory.fd.open(FileName("supervisor.log"), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, mode: 0o600)
    }
}

internal import Glibc
public import LayerStore
public import LinuxSys
internal import MountState

/// Where an ordinary user's store is used: in a user namespace in which they are root and files may be others', and in a mount namespace in which the containers' mounts are.
/// Each store has one of them as long as anybody is in it; the first command makes it, the others join. So everything else is as it is for root.
///
/// Who is in it stands in the locks of a file, `run/namespace` of the store: byte 0 is held by who looks for a way in, alone; byte 1 by all that are in, and the kernel says who they
/// are (`FD.byteHolder`). A guardian holds no lock; it is found in the registry. When the last one is gone, so are the namespace and all that was mounted in it: nothing.
///
/// Joining costs some 20 system calls, making one two processes (newuidmap(1), newgidmap(1)) and about 10 ms.
public enum StoreNamespace {
    private static let turn = 0, member = 1
    private static let held = HeldLocks()

    /// Before the process's first thread, and before the store is opened. Root of the machine needs none, and stays. The lock is held until the process ends.
    /// - Parameter mayMake: else nothing happens where nobody is in one.
    public static func enter(_ root: FileName, mayMake: Bool = true) throws(StoreError) {
        let isRoot = Process.effectiveUser == 0
        if isRoot && Process.isInInitialUserNamespace { return }
        if !mayMake, (try? FD.currentDirectory.open(root.appending(component: "run/namespace"), OpenFlags.path)) == nil { return }
        let path = try Store.makeRoot(root)
        guard !held.has(path) else { return }
        let lock = try told(path) { () throws(Errno) in
            let home = try FD.currentDirectory.open(path, OpenFlags.path | OpenFlags.directory)
            do throws(Errno) { try home.fd.makeDirectory(NameRef("run"), mode: 0o700) } catch { if error != .exists { throw error } }
            let run = try home.fd.openDirectory(NameRef("run"))
            let lock = try run.fd.open(FileName("namespace"), O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600)
            try lock.fd.awaitByte(turn)
            return lock
        }
        let others = try Members(path, lock.fd)
        // Whoever is root in a user namespace, that of podman unshare for one, is at home there, unless the store is in use elsewhere: its mounts would not be seen.
        if isRoot { try others.refuseStrangers() } else if try !others.join() {
            if !mayMake { return }
            try NamespaceMaker.make()
        }
        try told(path) { () throws(Errno) in
            try lock.fd.shareByte(member)
            try lock.fd.releaseByte(turn)
        }
        held.add(path, lock.release())
    }

    /// What this process executes is in it as well, and others may join it by that.
    public static func keepOverExecute() throws(StoreError) {
        for lock in held.all { try told("the store's namespace") { () throws(Errno) in try lock.keepOverExecute() } }
    }

    private static func told<R: ~Copyable>(_ path: FileName, _ body: () throws(Errno) -> R) throws(StoreError) -> R {
        do throws(Errno) { return try body() } catch { throw StoreError(error, doing: "the namespace of \(path)") }
    }

    /// Who is in a store's namespace. With byte 0 of the lock, so that nobody comes in meanwhile.
    private struct Members {
        let store: FileName
        let lock: FD
        let own: FileName
        let mounts: [RegisteredMount]

        init(_ store: FileName, _ lock: FD) throws(StoreError) {
            self.store = store
            self.lock = lock
            own = try told(store) { () throws(Errno) in try UserNamespace.name(of: Process.id) }
            let below = store.appending(component: "containers").bytes + [0x2f]
            do throws(RegistryError) { mounts = try MountRegistry.list().filter { $0.state == .alive && $0.record.mountpoint.bytes.starts(with: below) } } catch { mounts = [] }
        }
        private static func server(of mount: RegisteredMount) -> Int32 { mount.record.guardian != 0 ? mount.record.guardian : mount.record.pid }
        private func holder() throws(StoreError) -> Int32? {
            do throws(Errno) { return try lock.byteHolder(member) } catch {
                if error == .noProcess { throw StoreError(.conflict, "the store \(store) is in use from another process namespace, where its mounts are: use it from there") }
                throw StoreError(error, doing: "the namespace of \(store)")
            }
        }

        /// False where nobody is in one.
        func join() throws(StoreError) -> Bool {
            // Where the mounts are, first.
            for mount in mounts where try enter(Self.server(of: mount), ifStill: { MountRegistry.isServed(mount) }) { return true }
            for _ in 0..<1000 {
                guard let pid = try holder() else { return false }
                if try enter(pid, ifStill: { (try? holder()) == pid }) { return true }
                // It has ended meanwhile.
                Clock.sleep(milliseconds: 1)
            }
            throw StoreError(.conflict, "the store \(store) is in use in a namespace that cannot be entered")
        }
        private func enter(_ pid: Int32, ifStill isMember: () -> Bool) throws(StoreError) -> Bool {
            do throws(Errno) {
                if try UserNamespace.name(of: pid) == own { return false }
                let namespace = try UserNamespace(of: pid)
                // What was opened is a member's, and not that of a process which got its number.
                guard isMember() else { return false }
                try namespace.enter()
                return true
            } catch {
                if error == .noEntry || error == .noProcess { return false }
                throw StoreError(error, doing: "the namespace of process \(pid), in which the containers of \(store) are")
            }
        }

        func refuseStrangers() throws(StoreError) {
            var all = mounts.map(Self.server)
            if let pid = try holder() { all.append(pid) }
            for pid in all {
                do throws(Errno) { if try UserNamespace.name(of: pid) == own { continue } } catch { if error == .noEntry || error == .noProcess { continue } }
                throw StoreError(.conflict, "the store \(store) is in use in another user namespace (process \(pid)): use it from outside of this one, or stop its containers there first")
            }
        }
    }

    /// Of this process, until it ends: what is closed is let go.
    private final class HeldLocks: @unchecked Sendable {
        private let mutex = Mutex()
        private var locks: [FileName: FD] = [:]
        func has(_ path: FileName) -> Bool { mutex.locked { locks[path] != nil } }
        func add(_ path: FileName, _ lock: FD) { mutex.locked { locks[path] = lock } }
        var all: [FD] { mutex.locked { Array(locks.values) } }
    }
}

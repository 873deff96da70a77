internal import Glibc
public import LayerStore
public import LinuxSys
internal import MountState

/// Where an ordinary user's store is used: in a user namespace in which they are root and files may be others', and in
/// a mount namespace in which the containers' mounts are. Each store has one of them as long as anybody is in it; the
/// first command makes it, the others join. So everything else is as it is for root.
///
/// `run/namespace` in the store says which ones these are. Who is in them, the kernel says: any process there will do,
/// of a mount or a command's. Byte 0 of that file is locked by who looks for a way in, so that no two make one; byte 1
/// is shared by those that are in, as that is the quickest way to find one (`FD.byteHolder`), and no more than that: a
/// lock is easily lost (fcntl(2)), and the processes behind mounts have none. When the last process is gone, so is the
/// namespace, with all that was mounted in it: nothing.
///
/// Joining costs some 30 system calls, making one two processes (newuidmap(1), newgidmap(1)), a look at all processes
/// of the machine, and about 10 ms.
public enum StoreNamespace {
    private static let turn = 0, member = 1
    private static let entered = EnteredStores()

    /// Before the process's first thread, and before the store is opened. Root of the machine needs none, and stays.
    /// - Parameters:
    ///   - mayMake: else nothing happens where nobody is in one.
    ///   - paths: of this machine, that are meant to be the same in there.
    public static func enter(_ root: FileName, mayMake: Bool = true, seeing paths: [FileName] = []) throws(StoreError) {
        let isRoot = Process.effectiveUser == 0
        if isRoot && Process.isInInitialUserNamespace { return }
        if !mayMake, (try? FD.currentDirectory.open(root.appending(component: "run/namespace"), OpenFlags.path)) == nil
        {
            return
        }
        let store = try Store.prepareRoot(root)
        guard !entered.has(store) else { return }
        let sights = (paths + [store]).map(Sight.init)
        let file = try told(store) { () throws(Errno) in
            let home = try FD.currentDirectory.open(store, OpenFlags.path | OpenFlags.directory)
            do throws(Errno) { try home.fd.makeDirectory(NameRef("run"), mode: 0o700) } catch {
                if error != .exists { throw error }
            }
            let run = try home.fd.openDirectory(NameRef("run"))
            return try run.fd.open(FileName("namespace"), O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600)
        }
        try awaitTurn(file.fd, store, seconds: mayMake ? 30 : 0)
        let members = try NamespaceMembers(store, file.fd, byte: member)
        if isRoot {
            // Whoever is root in a user namespace, that of podman unshare for one, is at home there, unless the store
            // is in use elsewhere: its mounts would not be seen.
            try members.refuseOthers()
        } else {
            var attempts = 0
            while !(try members.join()) {
                if !mayMake { return }
                guard let claimant = members.claimant else {
                    try members.refuseUnseen()
                    try NamespaceMaker.make()
                    break
                }
                // It may be ending just now. If not, it sees another root directory than we do, or is none of ours:
                // beside it there must be no second one.
                attempts += 1
                if attempts > 200 {
                    throw StoreError(
                        .conflict,
                        """
                        the store \(store) is in use by process \(claimant), which sees another machine than \
                        this one: use it from there, or end that first
                        """
                    )
                }
                Clock.sleep(milliseconds: 5)
            }
        }
        try told(store) { () throws(Errno) in
            try NamespaceMembers.record(file.fd)
            try file.fd.shareByte(member)
            try file.fd.releaseByte(turn)
        }
        entered.add(store, file.release())
        for sight in sights { try sight.compare() }
    }

    /// The others are at it for milliseconds, unless one is stopped, or newuidmap(1) hangs.
    private static func awaitTurn(_ file: FD, _ store: FileName, seconds: UInt64) throws(StoreError) {
        let end = Clock.monotonic + seconds * 1_000_000_000 + 200_000_000
        while true {
            do throws(Errno) { return try file.takeByte(turn) } catch {
                guard error == .tryAgain || error == .accessDenied else {
                    throw StoreError(error, doing: "the namespace of \(store)")
                }
            }
            if Clock.monotonic > end {
                let pid = (try? file.byteHolder(turn)).flatMap { $0 }
                throw StoreError(
                    .conflict,
                    """
                    the namespace of \(store) is being made or joined by \
                    \(pid.map { "process \($0)" } ?? "another process"), which does not come to an end: see \
                    what it waits for
                    """
                )
            }
            Clock.sleep(milliseconds: 2)
        }
    }

    private static func told<R: ~Copyable>(_ store: FileName, _ body: () throws(Errno) -> R) throws(StoreError) -> R {
        do throws(Errno) { return try body() } catch { throw StoreError(error, doing: "the namespace of \(store)") }
    }

    /// What stands at a path: what is mounted on the machine later than the namespace was made need not be there in it.
    private struct Sight {
        let path: FileName
        let object: FileStatus?
        init(_ path: FileName) {
            self.path = path
            object = Sight.look(path)
        }
        private static func look(_ path: FileName) -> FileStatus? {
            guard let place = try? FD.currentDirectory.open(path, OpenFlags.path) else { return nil }
            return try? place.fd.status()
        }
        func compare() throws(StoreError) {
            guard let object else { return }
            let now = Sight.look(path)
            if now?.dev == object.dev && now?.ino == object.ino { return }
            throw StoreError(
                .conflict,
                """
                \(path) is not the same in the namespace of the store: it was mounted, or unmounted, since that \
                was made. Stop all containers first, or mount it below a shared mount (mount --make-shared)
                """
            )
        }
    }

    /// Of this process, until it ends: what is closed is let go.
    private final class EnteredStores: @unchecked Sendable {
        private let mutex = Mutex()
        private var files: [FileName: FD] = [:]
        func has(_ store: FileName) -> Bool { mutex.locked { files[store] != nil } }
        func add(_ store: FileName, _ file: FD) { mutex.locked { files[store] = file } }
    }
}

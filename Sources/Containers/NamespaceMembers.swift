internal import Glibc
internal import LayerStore
internal import LinuxSys
internal import MountState

/// Who is in a store's namespace: with byte 0 of its file locked, so that nobody else comes in or makes one meanwhile.
///
/// A process is in it if it is in the two namespaces that the file names, and has our root directory. The last keeps
/// out what runs in containers, which may be hostile; so does that its user namespace must be made in ours. Nothing is
/// believed of what a process says of itself, and all is asked of one directory in /proc, which no other process gets.
struct NamespaceMembers {
    private let store: FileName
    private let file: FD
    /// Of `file`: shared by members.
    private let byte: Int
    private let own: UserNamespace.Identity
    private let recorded: UserNamespace.Identity?
    private let root: FileStatus?

    /// - Parameters:
    ///   - file: `run/namespace`.
    ///   - byte: of it, which some members share.
    init(_ store: FileName, _ file: FD, byte: Int) throws(StoreError) {
        self.store = store
        self.file = file
        self.byte = byte
        do throws(Errno) {
            own = try UserNamespace.own()
            root = try? FD.currentDirectory.status(NameRef("/"))
            recorded = UserNamespace.Identity(text: try file.contents(limit: 1 << 16)[...])
        } catch { throw StoreError(error, doing: "the namespace of \(store)") }
    }

    /// That the store's namespace is this process's own.
    static func record(_ file: FD) throws(Errno) {
        let text = try UserNamespace.own().text
        if try file.contents(limit: 1 << 16) == text { return }
        try file.writeAll(text)
        try file.truncate(Int64(text.count))
    }

    /// False where nobody is in one.
    func join() throws(StoreError) -> Bool {
        guard let recorded, recorded != own, let process = try first(in: recorded) else { return false }
        do throws(Errno) {
            let namespace = try UserNamespace(of: process.fd)
            guard try namespace.isChildOfOwn() else { return false }
            try namespace.enter()
            return true
        } catch {
            if error == .noEntry || error == .noProcess { return try join() }
            throw StoreError(error, doing: "the namespace in which the containers of \(store) are")
        }
    }

    /// A process that is in it by its own account, and by no other: where it is, the store's mounts are.
    var claimant: Int32? { (try? file.byteHolder(byte)).flatMap { $0 } }

    /// For who is root in a user namespace already.
    func refuseOthers() throws(StoreError) {
        guard let recorded, recorded != own else { return try refuseUnseen() }
        // Of whom no more can be seen than that, maybe.
        var pid = claimant.map { "\($0)" }
        if pid == nil, let process = try first(in: recorded) {
            pid = (try? process.fd.path())?.bytes.split(separator: 0x2f).last.map {
                String(decoding: $0, as: UTF8.self)
            }
        }
        if let pid {
            throw StoreError(
                .conflict,
                """
                the store \(store) is in use in another namespace (process \(pid)): use it from outside of this \
                one, or stop its containers there first
                """
            )
        }
        try refuseUnseen()
    }

    /// Containers that somebody serves, whom no look at this machine's processes has found: another namespace would be
    /// made for the same store, and they would seem to be dead in it.
    func refuseUnseen() throws(StoreError) {
        guard recorded != own,
            let home = try? FD.currentDirectory.open(store.appending(component: "containers"), OpenFlags.directory)
        else { return }
        var served: FileName?
        var reader = DirectoryReader(home.fd)
        do throws(Errno) {
            try reader.forEach { (name, _, _) throws(Errno) in
                if name.isDotOrDotDot { return true }
                let id = name.owned
                guard let work = try? home.fd.open(id.appending(component: "work"), O_RDONLY | OpenFlags.directory),
                    LayerClaim.isHeld(work.fd)
                else { return true }
                served = id
                return false
            }
        } catch { throw StoreError(error, doing: "the containers of \(store)") }
        if let served {
            throw StoreError(
                .conflict,
                """
                container \(served) of \(store) is served by a process that cannot be seen from here, in \
                another process or user namespace: use the store from there
                """
            )
        }
    }

    // ---- which processes ----

    /// Its directory in /proc.
    private func first(in namespace: UserNamespace.Identity) throws(StoreError) -> OwnedFD? {
        do throws(Errno) {
            if let pid = try file.byteHolder(byte), let process = process(FileName("\(pid)"), in: namespace) {
                return process
            }
        } catch {
            if error == .noProcess {
                throw StoreError(
                    .conflict,
                    """
                    the store \(store) is in use from another process namespace, where its mounts are: use it \
                    from there
                    """
                )
            }
            throw StoreError(error, doing: "the namespace of \(store)")
        }
        var found: OwnedFD?
        do throws(Errno) {
            let all = try FD.currentDirectory.open(FileName("/proc"), OpenFlags.directory)
            var reader = DirectoryReader(all.fd)
            try reader.forEach { (name, _, _) throws(Errno) in
                guard let digit = name.owned.bytes.first, digit >= 0x30, digit <= 0x39 else { return true }
                guard let process = process(name.owned, in: namespace) else { return true }
                found = consume process
                return false
            }
        } catch { throw StoreError(error, doing: "/proc") }
        return found
    }
    private func process(_ number: FileName, in namespace: UserNamespace.Identity) -> OwnedFD? {
        do throws(Errno) {
            let process = try FD.currentDirectory.open(
                FileName("/proc/\(number)"), OpenFlags.path | OpenFlags.directory)
            // Whoever has the store's numbers now may be another one.
            guard namespace.mayBe(process.fd), try UserNamespace.identity(of: process.fd) == namespace, let root else {
                return nil
            }
            let theirs = try process.fd.status(NameRef("root/."))
            if theirs.dev != root.dev || theirs.ino != root.ino { return nil }
            return process
        } catch { return nil }
    }
}

internal import CShims
internal import LinuxSys

/// Requests about names in directories.
extension Dispatcher {
    /// `struct fuse_entry_out`: a lookup that the kernel now holds.
    func reply(_ entry: Entry) -> Int {
        if entry.node != 0 { undo = .lookup(entry.node) }
        return WireFormat.putEntry(payload, entry)
    }

    func lookup(_ r: inout Request) throws(Errno) -> Int {
        let name = try r.body.name()
        return reply(try filesystem.lookup(r.node, name, r.caller()))
    }

    func mknod(_ r: inout Request) throws(Errno) -> Int {
        let a = try r.body.take(fuse_mknod_in.self)
        let name = try r.body.name()
        let device = WireFormat.decodeDevice(a.rdev)
        return reply(try filesystem.mknod(r.node, name, mode: a.mode, device: device, r.caller(umask: a.umask)))
    }

    func mkdir(_ r: inout Request) throws(Errno) -> Int {
        let a = try r.body.take(fuse_mkdir_in.self)
        let name = try r.body.name()
        return reply(try filesystem.mkdir(r.node, name, mode: a.mode, r.caller(umask: a.umask)))
    }

    func symlink(_ r: inout Request) throws(Errno) -> Int {
        let name = try r.body.name()
        let target = try r.body.text()
        return reply(try filesystem.symlink(r.node, name, target: target, r.caller()))
    }

    func link(_ r: inout Request) throws(Errno) -> Int {
        let a = try r.body.take(fuse_link_in.self)
        let name = try r.body.name()
        return reply(try filesystem.link(a.oldnodeid, r.node, name, r.caller()))
    }

    func unlink(_ r: inout Request) throws(Errno) -> Int {
        let name = try r.body.name()
        try filesystem.unlink(r.node, name, r.caller())
        return 0
    }

    func rmdir(_ r: inout Request) throws(Errno) -> Int {
        let name = try r.body.name()
        try filesystem.rmdir(r.node, name, r.caller())
        return 0
    }

    func rename(_ r: inout Request) throws(Errno) -> Int {
        let a = try r.body.take(fuse_rename_in.self)
        return try rename(&r, to: a.newdir, flags: [])
    }

    func rename2(_ r: inout Request) throws(Errno) -> Int {
        let a = try r.body.take(fuse_rename2_in.self)
        return try rename(&r, to: a.newdir, flags: RenameFlags(rawValue: a.flags))
    }

    private func rename(_ r: inout Request, to newParent: UInt64, flags: RenameFlags) throws(Errno) -> Int {
        let name = try r.body.name()
        let newName = try r.body.name()
        try filesystem.rename(r.node, name, newParent, newName, flags: flags, r.caller())
        return 0
    }

    func readlink(_ r: inout Request) throws(Errno) -> Int {
        // The kernel's page for the target holds a NUL too (fuse_readlink_folio).
        try filesystem.readlink(r.node, into: payload.prefix(Dispatcher.pageSize - 1))
    }
}

internal import CShims
internal import LinuxSys

/// Requests about open directories.
extension Dispatcher {
    func opendir(_ r: inout Request) throws(Errno) -> Int {
        let a = try r.body.take(fuse_open_in.self)
        let opened = try filesystem.opendir(r.node, flags: Int32(bitPattern: a.flags))
        undo = .openedDirectory(r.node, handle: opened.handle)
        return payload.store(wireFormat(opened))
    }

    func readdir(_ r: inout Request) throws(Errno) -> Int {
        let a = try r.body.take(fuse_read_in.self)
        var list = DirectoryList(payload.prefix(Int(a.size)))
        try filesystem.readdir(r.node, handle: a.fh, offset: a.offset, into: &list)
        return list.used
    }

    /// Entries that were added before an error are sent: their lookups are counted. The error comes again with the next
    /// call.
    func readdirplus(_ r: inout Request) throws(Errno) -> Int {
        let a = try r.body.take(fuse_read_in.self)
        var list = DirectoryList(payload.prefix(Int(a.size)))
        do throws(Errno) {
            try filesystem.readdirplus(r.node, handle: a.fh, offset: a.offset, into: &list)
        } catch {
            if list.used == 0 { throw error }
        }
        undo = .entries(list.used)
        return list.used
    }

    func releasedir(_ r: inout Request) throws(Errno) -> Int {
        let a = try r.body.take(fuse_release_in.self)
        filesystem.releasedir(r.node, handle: a.fh)
        return 0
    }

    func fsyncdir(_ r: inout Request) throws(Errno) -> Int {
        let a = try r.body.take(fuse_fsync_in.self)
        try filesystem.fsyncdir(r.node, handle: a.fh, dataOnly: a.fsync_flags & FUSE_FSYNC_FDATASYNC != 0)
        return 0
    }
}

internal import CShims
internal import LinuxSys

/// Requests about attributes, extended ones included, and about the filesystem as a whole.
extension Dispatcher {
    private func reply(_ answer: AttributeReply) -> Int {
        var out = fuse_attr_out()
        out.attr_valid = UInt64(answer.seconds)
        out.attr = WireFormat.attributes(answer.attributes)
        return payload.store(out)
    }

    func getattr(_ r: inout Request) throws(Errno) -> Int {
        let a = try r.body.take(fuse_getattr_in.self)
        return reply(try filesystem.getattr(r.node, handle: a.getattr_flags & FUSE_GETATTR_FH != 0 ? a.fh : nil))
    }

    func statx(_ r: inout Request) throws(Errno) -> Int {
        let a = try r.body.take(fuse_statx_in.self)
        let answer = try filesystem.statx(r.node, handle: a.getattr_flags & FUSE_GETATTR_FH != 0 ? a.fh : nil)
        var out = fuse_statx_out()
        out.attr_valid = UInt64(answer.seconds)
        out.stat = WireFormat.statx(answer.attributes)
        return payload.store(out)
    }

    func setattr(_ r: inout Request) throws(Errno) -> Int {
        let a = try r.body.take(fuse_setattr_in.self)
        var change = AttributeChange()
        // The mode comes with the file's type, which cannot change (notify_change).
        if a.valid & FATTR_MODE != 0 { change.mode = a.mode & 0o7777 }
        if a.valid & FATTR_UID != 0 { change.uid = a.uid }
        if a.valid & FATTR_GID != 0 { change.gid = a.gid }
        if a.valid & FATTR_SIZE != 0 { change.size = a.size }
        if a.valid & FATTR_ATIME != 0 {
            change.atime = a.valid & FATTR_ATIME_NOW != 0 ? .now : time(a.atime, a.atimensec)
        }
        if a.valid & FATTR_MTIME != 0 {
            change.mtime = a.valid & FATTR_MTIME_NOW != 0 ? .now : time(a.mtime, a.mtimensec)
        }
        if a.valid & FATTR_CTIME != 0 { change.ctime = time(a.ctime, a.ctimensec) }
        change.killSuidGid = a.valid & FATTR_KILL_SUIDGID != 0
        let handle = a.valid & FATTR_FH != 0 ? a.fh : nil
        return reply(try filesystem.setattr(r.node, change, handle: handle, r.caller()))
    }
    private func time(_ seconds: UInt64, _ nanoseconds: UInt32) -> Timestamp {
        Timestamp(seconds: Int64(bitPattern: seconds), nanoseconds: nanoseconds)
    }

    func access(_ r: inout Request) throws(Errno) -> Int {
        let a = try r.body.take(fuse_access_in.self)
        try filesystem.access(r.node, mask: a.mask, r.caller())
        return 0
    }

    // ---- extended attributes ----

    func setxattr(_ r: inout Request) throws(Errno) -> Int {
        let a = try r.body.take(fuse_setxattr_compat_in.self)
        // The rest of `struct fuse_setxattr_in`, if agreed.
        var more: UInt32 = 0
        if extendedSetxattr {
            more = try r.body.take(UInt32.self)
            _ = try r.body.take(UInt32.self)
        }
        let name = try r.body.text()
        if name.isEmpty { throw .invalid }
        let value = try r.body.data(a.size)
        try filesystem.setxattr(
            r.node, name, value, flags: a.flags, killSuidGid: more & FUSE_SETXATTR_ACL_KILL_SGID != 0, r.caller())
        return 0
    }

    func getxattr(_ r: inout Request) throws(Errno) -> Int {
        let a = try r.body.take(fuse_getxattr_in.self)
        let name = try r.body.text()
        if name.isEmpty { throw .invalid }
        let room = payload.prefix(Int(a.size))
        return try replyWithSize(room, try filesystem.getxattr(r.node, name, into: room, r.caller()))
    }

    func listxattr(_ r: inout Request) throws(Errno) -> Int {
        let a = try r.body.take(fuse_getxattr_in.self)
        let room = payload.prefix(Int(a.size))
        return try replyWithSize(room, try filesystem.listxattr(r.node, into: room, r.caller()))
    }

    /// Asked with size 0, the answer is the length, as a structure; else the bytes are in place already.
    private func replyWithSize(_ room: MutableBytes, _ length: Int) throws(Errno) -> Int {
        if room.count == 0 {
            return payload.store(fuse_getxattr_out(size: UInt32(truncatingIfNeeded: length), padding: 0))
        }
        if length > room.count { throw .range }
        return length
    }

    func removexattr(_ r: inout Request) throws(Errno) -> Int {
        let name = try r.body.text()
        if name.isEmpty { throw .invalid }
        try filesystem.removexattr(r.node, name, r.caller())
        return 0
    }

    // ---- the whole filesystem ----

    func statfs(_ r: inout Request) throws(Errno) -> Int {
        let s = try filesystem.statfs(r.node)
        var out = fuse_kstatfs()
        out.blocks = s.blocks
        out.bfree = s.free
        out.bavail = s.available
        out.files = s.files
        out.ffree = s.filesFree
        out.bsize = s.blockSize
        out.namelen = s.nameMax
        out.frsize = s.fragmentSize
        return payload.store(out)
    }

    func syncfs(_ r: inout Request) throws(Errno) -> Int {
        try filesystem.syncfs(r.node)
        return 0
    }
}

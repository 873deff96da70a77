internal import CShims
internal import LinuxSys

/// Requests about open files and what is in them.
extension Dispatcher {
    func wireFormat(_ opened: Opened) -> fuse_open_out {
        fuse_open_out(
            fh: opened.handle, open_flags: opened.flags.rawValue,
            backing_id: opened.flags.contains(.passthrough) ? Int32(truncatingIfNeeded: opened.backing) : 0)
    }

    func open(_ r: inout Request) throws(Errno) -> Int {
        let a = try r.body.take(fuse_open_in.self)
        let opened = try filesystem.open(
            r.node, flags: Int32(bitPattern: a.flags),
            killSuidGid: a.open_flags & FUSE_OPEN_KILL_SUIDGID != 0, r.caller())
        undo = .opened(r.node, handle: opened.handle)
        return payload.store(wireFormat(opened))
    }

    func create(_ r: inout Request) throws(Errno) -> Int {
        let a = try r.body.take(fuse_create_in.self)
        let name = try r.body.name()
        return reply(
            try filesystem.create(
                r.node, name, mode: a.mode, flags: Int32(bitPattern: a.flags), r.caller(umask: a.umask)))
    }

    func tmpfile(_ r: inout Request) throws(Errno) -> Int {
        // A name follows that means nothing: "/", as d_tmpfile has it.
        let a = try r.body.take(fuse_create_in.self)
        return reply(
            try filesystem.tmpfile(r.node, mode: a.mode, flags: Int32(bitPattern: a.flags), r.caller(umask: a.umask)))
    }

    /// `struct fuse_entry_out`, `struct fuse_open_out`.
    private func reply(_ created: Created) -> Int {
        undo = .created(created.entry.node, handle: created.opened.handle)
        let length = WireFormat.putEntry(payload, created.entry)
        return length + payload.store(wireFormat(created.opened), at: length)
    }

    func read(_ r: inout Request) throws(Errno) -> Int {
        let a = try r.body.take(fuse_read_in.self)
        let room = payload.prefix(Int(a.size))
        let length = try filesystem.read(r.node, handle: a.fh, offset: a.offset, into: room)
        return min(length, room.count)
    }

    func write(_ r: inout Request) throws(Errno) -> Int {
        let a = try r.body.take(fuse_write_in.self)
        let data = try r.body.data(a.size)
        let written = try filesystem.write(
            r.node, handle: a.fh, offset: a.offset, data,
            killSuidGid: a.write_flags & FUSE_WRITE_KILL_SUIDGID != 0,
            cached: a.write_flags & FUSE_WRITE_CACHE != 0, r.caller())
        return payload.store(fuse_write_out(size: UInt32(clamping: written), padding: 0))
    }

    func flush(_ r: inout Request) throws(Errno) -> Int {
        let a = try r.body.take(fuse_flush_in.self)
        try filesystem.flush(r.node, handle: a.fh)
        return 0
    }

    func release(_ r: inout Request) throws(Errno) -> Int {
        let a = try r.body.take(fuse_release_in.self)
        filesystem.release(r.node, handle: a.fh)
        return 0
    }

    func fsync(_ r: inout Request) throws(Errno) -> Int {
        let a = try r.body.take(fuse_fsync_in.self)
        try filesystem.fsync(r.node, handle: a.fh, dataOnly: a.fsync_flags & FUSE_FSYNC_FDATASYNC != 0)
        return 0
    }

    func fallocate(_ r: inout Request) throws(Errno) -> Int {
        let a = try r.body.take(fuse_fallocate_in.self)
        try filesystem.fallocate(
            r.node, handle: a.fh, mode: Int32(bitPattern: a.mode),
            offset: Int64(bitPattern: a.offset), length: Int64(bitPattern: a.length), r.caller())
        return 0
    }

    func lseek(_ r: inout Request) throws(Errno) -> Int {
        let a = try r.body.take(fuse_lseek_in.self)
        let position = try filesystem.lseek(
            r.node, handle: a.fh, offset: Int64(bitPattern: a.offset), whence: Int32(bitPattern: a.whence))
        return payload.store(fuse_lseek_out(offset: UInt64(bitPattern: position)))
    }

    /// `wide`: COPY_FILE_RANGE_64 (Linux 6.18), whose answer has 64 bits; the older one's has 32, so that a longer copy
    /// is cut to what it can tell. The kernel asks again for the rest.
    func copyFileRange(_ r: inout Request, wide: Bool) throws(Errno) -> Int {
        let a = try r.body.take(fuse_copy_file_range_in.self)
        let limit: UInt64 = wide ? UInt64(Int64.max) : 0x7fff_f000
        let copied = try filesystem.copyFileRange(
            from: r.node, handle: a.fh_in, offset: Int64(bitPattern: a.off_in),
            to: a.nodeid_out, toHandle: a.fh_out, toOffset: Int64(bitPattern: a.off_out),
            length: min(a.len, limit), flags: a.flags, r.caller())
        if wide { return payload.store(fuse_copy_file_range_out(bytes_copied: UInt64(clamping: copied))) }
        return payload.store(fuse_write_out(size: UInt32(clamping: copied), padding: 0))
    }

    /// Only restricted ioctls come (the others need CUSE): the kernel has copied in and will copy out what the
    /// command's number says. For its own FS_IOC_* (fuse_priv_ioctl) it wants exactly `out_size` bytes.
    func ioctl(_ r: inout Request) throws(Errno) -> Int {
        let a = try r.body.take(fuse_ioctl_in.self)
        if a.flags & FUSE_IOCTL_UNRESTRICTED != 0 { throw .notTTY }
        let input = try r.body.data(a.in_size)
        let header = MemoryLayout<fuse_ioctl_out>.size
        let room = payload.dropping(header).prefix(Int(a.out_size))
        let length = try filesystem.ioctl(
            r.node, handle: a.fh, command: a.cmd, isDirectory: a.flags & FUSE_IOCTL_DIR != 0,
            input: input, output: room, r.caller())
        return payload.store(fuse_ioctl_out()) + min(length, room.count)
    }
}

internal import FuseKit
internal import Glibc
internal import LinuxSys
internal import MountState
internal import UnionCore

/// Open files. An open for writing is of the upper file, always; a reader of the lower one gets the upper one as soon
/// as there is one.
extension UnionFileSystem {
    /// Before all else a copy-up for the first writer of a lower file. One getxattr more for the first open of a lower
    /// one (`seeData`).
    func serveOpen(_ node: UInt64, flags: Int32, killSuidGid: Bool, _ caller: Caller) throws(Errno) -> Opened {
        let node = try table.node(node)
        try seeData(node)
        let writes = flags & OpenFlags.accessMode != O_RDONLY || flags & O_TRUNC != 0
        if writes {
            let truncates = flags & O_TRUNC != 0
            try ensureUpper(node, truncates ? .truncate : .openWrite, extent: truncates ? .prefix(0) : .all)
        }
        return try withResources { () throws(Errno) in
            try openFile(node, flags, writes: writes, killSuidGid: killSuidGid, caller)
        }
    }

    /// What the daemon's own open of a file may have of the flags of the user's: the kernel appends and checks by
    /// itself.
    func backingFlags(_ flags: Int32) -> Int32 {
        let own = flags & (OpenFlags.accessMode | O_SYNC | O_DSYNC | O_TRUNC | OpenFlags.noAccessTime)
        return writesBack ? readableToo(own) : own
    }

    func openBacking(_ node: UInt32, _ flags: Int32) throws(Errno) -> OwnedFD {
        do throws(Errno) { return try openData(node, backingFlags(flags)) } catch {
            // An append-only file (FS_APPEND_FL) opens for nothing else.
            guard error == .notPermitted, flags & O_APPEND != 0 else { throw error }
            return try openObject(node, backingFlags(flags) | O_APPEND)
        }
    }

    /// The descriptor to read from: of the upper file once there is one. Opened here where the open file has none yet.
    private func readable(_ handle: UInt64) throws(Errno) -> FD {
        let record = try handles.record(handle)
        if record.flags & HandleRecord.upper != 0 {
            return record.fd >= 0 ? FD(raw: record.fd) : try openLate(handle, record)
        }
        if record.upperFD >= 0 { return FD(raw: record.upperFD) }
        if table[record.node].hasUpperData {
            return try withResources { () throws(Errno) in
                handles.setUpper(handle, try openObject(record.node, O_RDONLY))
            }
        }
        if record.fd >= 0 { return FD(raw: record.fd) }
        return try withResources { () throws(Errno) in
            handles.setFile(handle, try openData(record.node, backingFlags(record.openFlags)))
        }
    }
    private func writable(_ handle: UInt64) throws(Errno) -> FD {
        let record = try handles.record(handle)
        guard record.flags & HandleRecord.upper != 0 else { throw .badDescriptor }
        return record.fd >= 0 ? FD(raw: record.fd) : try openLate(handle, record)
    }
    /// Of an upper file in passthrough that we are asked about after all: fsync, fallocate, lseek, copy_file_range.
    private func openLate(_ handle: UInt64, _ record: HandleRecord) throws(Errno) -> FD {
        try withResources { () throws(Errno) in
            handles.setFile(handle, try openBacking(record.node, record.openFlags & ~O_TRUNC))
        }
    }

    /// One pread(2) into the reply's buffer.
    func serveRead(_ node: UInt64, handle: UInt64, offset: UInt64, into buffer: MutableBytes) throws(Errno) -> Int {
        guard offset <= UInt64(Int64.max) else { throw .invalid }
        return try readable(handle).read(into: buffer, at: Int64(offset))
    }

    /// One pwrite(2) from the request's buffer.
    func serveWrite(
        _ node: UInt64, handle: UInt64, offset: UInt64, _ data: Bytes, killSuidGid: Bool, cached: Bool, _ caller: Caller
    ) throws(Errno) -> Int {
        guard offset <= UInt64(Int64.max) else { throw .invalid }
        let fd = try writable(handle)
        // What was stored through a mapping takes no capabilities away; our own write does, and they are put back. (No
        // hole: who may map the file for writing changes it without losing them on any filesystem.)
        let capability = cached ? try fd.xattrIfPresent(NameRef.empty, NameRef("security.capability")) : nil
        let written = try withResources { () throws(Errno) in
            try keepingTime(of: try table.node(node), fd, if: cached || killSuidGid) { () throws(Errno) in
                try fd.write(data, at: Int64(offset))
            }
        }
        Inflight.wrote(UInt32(clamping: written))
        // How many blocks it takes the kernel does not know, and asks at the next close(2) only (fuse_flush).
        if cached { attributesChanged(try table.node(node)) }
        if let capability { try fd.setXattr(NameRef.empty, NameRef("security.capability"), capability) }
        if killSuidGid, try dropSuidGid(fd, caller, .told) { attributesChanged(try table.node(node)) }
        return written
    }

    /// Nothing is held back here: the kernel need not ask at every close(2).
    func serveFlush(_ node: UInt64, handle: UInt64) throws(Errno) { throw .notImplemented }
    func serveRelease(_ node: UInt64, handle: UInt64) {
        // By a worker that died before it could answer.
        if Inflight.isDone { return }
        released(handle, isRequested: true)
    }

    func serveFsync(_ node: UInt64, handle: UInt64, dataOnly: Bool) throws(Errno) {
        if stack.options.isVolatile { return }
        // Nobody writes to a lower file.
        let of = try handles.record(handle).node
        guard table[of].flags.contains(.upper) else { return }
        if !table[of].hasUpperData {
            // Only its metadata are in the upper layer.
            let object = try openObject(of, O_RDONLY)
            try object.fd.sync()
            return try makeNamesDurable(of)
        }
        let fd = try readable(handle)
        if dataOnly { try fd.syncData() } else { try fd.sync() }
        if table[of].flags.contains(.nameNotDurable) { try makeNamesDurable(of) }
    }

    /// A file that was there before needs no fsync(2) of its directory by its user: the name that a copy-up made, and
    /// those of the directories above it, are ours to bring to the disk. Once for each; on most filesystems the file's
    /// own fsync(2) has done it, on none is it promised.
    func makeNamesDurable(_ node: UInt32) throws(Errno) {
        var at = node
        while let above = table.nameAndParent(at)?.parent {
            if table[at].flags.contains(.nameNotDurable), let upper = try merged(above).upper {
                try upper.fd.sync()
                table.noteNameDurable(at)
            }
            at = above
        }
    }

    func serveFallocate(
        _ node: UInt64, handle: UInt64, mode: Int32, offset: Int64, length: Int64, _ caller: Caller
    ) throws(Errno) {
        let fd = try writable(handle)
        try withResources { () throws(Errno) in
            try keepingTime(of: try table.node(node), fd) { () throws(Errno) in
                try fd.allocate(mode: mode, offset: offset, length: length)
            }
        }
        if try dropSuidGid(fd, caller, .none) { attributesChanged(try table.node(node)) }
    }

    func serveLseek(_ node: UInt64, handle: UInt64, offset: Int64, whence: Int32) throws(Errno) -> Int64 {
        guard whence == Seek.data || whence == Seek.hole else { throw .invalid }
        try refuseToSeekInUnwritten(handle)
        return try readable(handle).seek(offset, whence)
    }

    func serveCopyFileRange(
        from node: UInt64, handle: UInt64, offset: Int64, to toNode: UInt64, toHandle: UInt64,
        toOffset: Int64, length: UInt64, flags: UInt64, _ caller: Caller
    ) throws(Errno) -> Int {
        guard flags == 0 else { throw .invalid }
        let source = try readable(handle)
        let target = try writable(toHandle)
        let copied = try keepingTime(of: try table.node(toNode), target) { () throws(Errno) in
            try target.copyRange(
                from: source, sourceOffset: offset, offset: toOffset, length: Int(clamping: min(length, 1 << 30)))
        }
        if try dropSuidGid(target, caller, .none) { attributesChanged(try table.node(toNode)) }
        return copied
    }

    /// FS_IOC_GETFLAGS and its like: what chattr(1) and lsattr(1) use.
    func serveIoctl(
        _ node: UInt64, handle: UInt64, command: UInt32, isDirectory: Bool, input: Bytes, output: MutableBytes,
        _ caller: Caller
    ) throws(Errno) -> Int {
        let node = try table.node(node)
        if node == InodeTable.root, command == Self.followMountCommand {
            try followMount(caller)
            return 0
        }
        switch command {
        // With the data: into a file that is append-only by then they could not be copied any more.
        case FileIoctl.setFlags, FileIoctl.setFlags32, FileIoctl.setExtended:
            try ensureUpper(node, .ioctl, extent: isDirectory ? .metadata : .all)
        default: break
        }
        let file = try openObject(node, O_RDONLY | O_NONBLOCK)
        // The kernel's own calls want exactly as many bytes as they gave room for.
        output.copy([UInt8](repeating: 0, count: min(output.count, 64)))
        switch command {
        case FileIoctl.getFlags, FileIoctl.getFlags32: output.storeUInt32(try file.fd.fileFlags(), at: 0)
        case FileIoctl.getVersion: output.storeUInt32(try file.fd.generation(), at: 0)
        case FileIoctl.setFlags, FileIoctl.setFlags32:
            let flags = input.uint32(at: 0)
            try refuseToProtectUnwritten(flags, isDirectory: isDirectory)
            try stack.changeFlags(of: file.fd) { () throws(Errno) in try file.fd.setFileFlags(flags) }
            table.seen(node, try file.fd.status())
            attributesChanged(node)
            return 0
        case FileIoctl.getExtended:
            let flags = try file.fd.fsxattr()
            output.storeUInt32(flags.xflags, at: 0)
            output.storeUInt32(flags.extentSize, at: 4)
            output.storeUInt32(flags.extents, at: 8)
            output.storeUInt32(flags.project, at: 12)
            output.storeUInt32(flags.cowExtentSize, at: 16)
        case FileIoctl.setExtended:
            guard input.count >= 28 else { throw .invalid }
            try refuseToProtectUnwritten(extended: input.uint32(at: 0), isDirectory: isDirectory)
            let flags = ExtendedFileFlags(
                xflags: input.uint32(at: 0), extentSize: input.uint32(at: 4), extents: 0,
                project: input.uint32(at: 12), cowExtentSize: input.uint32(at: 16))
            try stack.changeFlags(of: file.fd) { () throws(Errno) in try file.fd.setFsxattr(flags) }
            table.seen(node, try file.fd.status())
            attributesChanged(node)
            return 0
        default: throw .notTTY
        }
        return output.count
    }
}

/// <linux/fs.h>: _IOR('f', 1, long) and so on.
enum FileIoctl {
    static let getFlags: UInt32 = 0x8008_6601, getFlags32: UInt32 = 0x8004_6601
    static let setFlags: UInt32 = 0x4008_6602, setFlags32: UInt32 = 0x4004_6602
    static let getVersion: UInt32 = 0x8008_7601
    static let getExtended: UInt32 = 0x801c_581f
    static let setExtended: UInt32 = 0x401c_5820
}

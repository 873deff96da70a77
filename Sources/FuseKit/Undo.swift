internal import CShims
internal import LinuxSys

/// What a reply has promised to the kernel, to be taken back when the kernel does not take it: write(2) answers ENOENT
/// for a request whose caller was killed in the meantime, and then sends neither FORGET nor RELEASE for it.
enum Undo {
    case nothing
    case lookup(UInt64)
    case created(UInt64, handle: UInt64)
    case opened(UInt64, handle: UInt64)
    case openedDirectory(UInt64, handle: UInt64)
    /// So many bytes of READDIRPLUS records in the reply buffer.
    case entries(Int)
}

extension Dispatcher {
    /// The last reply did not arrive.
    func takeBack() {
        switch undo {
        case .nothing: break
        case .lookup(let node): filesystem.forget(node, 1)
        case .created(let node, let handle):
            filesystem.release(node, handle: handle)
            filesystem.forget(node, 1)
        case .opened(let node, let handle): filesystem.release(node, handle: handle)
        case .openedDirectory(let node, let handle): filesystem.releasedir(node, handle: handle)
        case .entries(let length): takeBackEntries(payload.prefix(length).readOnly)
        }
        undo = .nothing
    }

    /// Entries of READDIRPLUS with a node were counted, except `.` and `..` (fuse_direntplus_link leaves those alone).
    private func takeBackEntries(_ records: Bytes) {
        var rest = records
        while let entry = rest.load(fuse_entry_out.self),
            let dirent = rest.load(fuse_dirent.self, at: WireFormat.entrySize)
        {
            let header = WireFormat.entrySize + WireFormat.direntSize
            let name = rest.dropping(header).prefix(Int(dirent.namelen))
            let isDots = name.count <= 2 && name[0] == 0x2e && (name.count == 1 || name[1] == 0x2e)
            if entry.nodeid != 0, !isDots { filesystem.forget(entry.nodeid, 1) }
            rest = rest.dropping((header + Int(dirent.namelen) + 7) & ~7)
        }
    }
}

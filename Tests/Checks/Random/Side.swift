import Glibc

/// One of the two trees: does an operation there and says what came of it.
struct Side {
    static let slotCount = 8

    private(set) var root: Int32
    private let window: TimeWindow
    /// Whether suid and sgid of files are looked at. In a user namespace who may keep them is decided by other rules
    /// here (docs/semantics.md).
    let comparesSetIDs: Bool
    private var slots = [Int32](repeating: -1, count: slotCount)

    /// As `text`, with the time as the reference's quirk has it: the kernel's overlayfs gives a metacopy file a new
    /// mtime when it is opened for writing, as it copies the data then; and with writeback the kernel's FUSE client
    /// gives none for truncate(2) to the same size. `reference` and `mount` are one object's texts.
    static func sameButNewerTime(_ reference: String, _ mount: String) -> Bool {
        var words = mount.split(separator: " ")
        let wanted = reference.split(separator: " ")
        guard wanted.contains("file"), let at = words.firstIndex(of: "mtime"), at + 1 < wanted.count,
            at + 1 < words.count,
            wanted[at + 1] == "recent"
        else { return false }
        words[at + 1] = "recent"
        return words == wanted
    }

    /// A result and, where the call gives more than a number, what it gave. Equal on both sides, or it is a difference.
    struct Outcome: Equatable, CustomStringConvertible {
        var code: Int
        var text = ""
        var description: String { show(code) + (text.isEmpty || code < 0 ? "" : " " + text) }

        static func == (a: Outcome, b: Outcome) -> Bool { a.code == b.code && (a.code < 0 || a.text == b.text) }
    }

    init(root: Int32, window: TimeWindow, comparesSetIDs: Bool) {
        self.comparesSetIDs = comparesSetIDs
        self.root = root
        self.window = window
    }

    func descriptor(_ slot: Int) -> Int32 { slots[slot] }

    mutating func closeSlots() {
        for slot in slots.indices where slots[slot] >= 0 {
            Sys.close(slots[slot])
            slots[slot] = -1
        }
    }

    /// Lets go of the tree, so that it can be unmounted.
    mutating func leave() {
        closeSlots()
        _ = Sys.chdir("/")
        Sys.close(root)
        root = -1
    }

    mutating func enter(_ root: Int32) { self.root = root }

    mutating func perform(_ operation: Operation, as actor: Actor) -> Outcome {
        // Paths are relative to here; some calls, as truncate(2), know no other way.
        _ = Sys.fchdir(root)
        actor.enter()
        defer { actor.leave() }
        return act(operation)
    }

    private mutating func act(_ operation: Operation) -> Outcome {
        switch operation {
        case .create(let path, let mode, let flags, let data, let slot):
            return opened(path, flags | O_CREAT | O_NOFOLLOW | O_NONBLOCK, mode, slot) { fd in
                // What is there already may be a fifo, or a device.
                Sys.status(fd: fd).1.isRegular ? Sys.pwrite(fd, data.bytes, at: 0) : 0
            }
        case .open(let path, let flags, let slot):
            return opened(path, flags | O_NOFOLLOW | O_NONBLOCK, 0, slot) { fd in Int(Sys.status(fd: fd).1.kind) }
        case .close(let slot):
            defer { slots[slot] = -1 }
            return Outcome(code: Sys.close(slots[slot]))
        case .write(let path, let offset, let data):
            return regular(path, O_WRONLY) { Outcome(code: Sys.pwrite($0, data.bytes, at: offset)) }
        case .append(let path, let data):
            return regular(path, O_WRONLY | O_APPEND) { Outcome(code: Sys.write($0, data.bytes)) }
        case .truncate(let path, let length): return Outcome(code: Sys.truncate(path, length))
        case .openTruncate(let path): return regular(path, O_WRONLY | O_TRUNC) { _ in Outcome(code: 0) }
        case .allocate(let path, let mode, let offset, let length):
            return regular(path, O_RDWR) { Outcome(code: Sys.fallocate($0, mode, offset, length)) }
        case .mapWrite(let path, let offset, let data): return mapWrite(path, offset, data)
        case .copyRange(let from, let offset, let to, let target, let count):
            return regular(from, O_RDONLY) { source in
                regular(to, O_WRONLY) { copyAll(source, offset, $0, target, count) }
            }
        case .chmod(let path, let mode): return Outcome(code: Sys.chmod(path, mode))
        case .chown(let path, let uid, let gid): return Outcome(code: Sys.chown(path, uid, gid))
        case .utimens(let path, let access, let modify):
            return Outcome(code: Sys.utimens(path, access: access, modify: modify))
        case .setxattr(let path, let name, let value, let flags):
            return Outcome(code: Sys.setxattr(path, name, value, flags))
        case .removexattr(let path, let name): return Outcome(code: Sys.removexattr(path, name))
        case .mkdir(let path, let mode): return Outcome(code: Sys.mkdir(path, mode))
        case .rmdir(let path): return Outcome(code: Sys.rmdir(path))
        case .unlink(let path): return Outcome(code: Sys.unlink(path))
        case .rename(let old, let new, let flags): return Outcome(code: Sys.rename(old, new, flags))
        case .link(let old, let new):
            // The kernel judges by the mode that its FUSE inode has (may_linkat), which may still show suid that a
            // write took away (docs/semantics.md).
            _ = Sys.status(old)
            return Outcome(code: Sys.link(old, new))
        case .symlink(let target, let path): return Outcome(code: Sys.symlink(target, path))
        case .mknod(let path, let mode, let device): return Outcome(code: Sys.mknod(path, mode, device))
        case .temporary(let place, let mode, let data, let published, let slot):
            return opened(place.isEmpty ? "." : place, O_TMPFILE | O_RDWR, mode, slot) { fd in
                let written = Sys.write(fd, data.bytes)
                guard written >= 0, let published else { return written }
                return Sys.link("/proc/self/fd/\(fd)", published, flags: AT_SYMLINK_FOLLOW)
            }
        case .removeTree(let path): return Outcome(code: removeTree(path))
        case .copyFile(let from, let to): return copyFile(from, to)
        default: return observe(operation)
        }
    }

    /// What changes nothing, and what is done to descriptors.
    private func observe(_ operation: Operation) -> Outcome {
        switch operation {
        case .list(let path): return list(path.isEmpty ? "." : path)
        case .stat(let path):
            let (code, status) = Sys.status(path)
            return Outcome(code: code, text: text(status))
        case .read(let path):
            return regular(path, O_RDONLY) { fd in
                let (code, bytes) = Sys.contents(fd)
                return Outcome(code: code, text: hex64(ContentHash.of(bytes)))
            }
        case .readlink(let path):
            let (code, bytes) = Sys.readlink(path)
            return Outcome(code: code, text: escaped(bytes))
        case .access(let path, let mode): return Outcome(code: Sys.access(path, mode, flags: AT_EACCESS))
        case .sync(let path):
            let fd = Sys.open(path.isEmpty ? "." : path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
            guard fd >= 0 else { return Outcome(code: fd) }
            defer { Sys.close(Int32(fd)) }
            return Outcome(code: Sys.fsync(Int32(fd)))
        case .slotWrite(let slot, let offset, let data):
            return Outcome(code: Sys.pwrite(slots[slot], data.bytes, at: offset))
        case .slotRead(let slot, let offset, let count):
            let (code, bytes) = Sys.pread(slots[slot], count, at: offset)
            return Outcome(code: code, text: hex64(ContentHash.of(bytes)))
        case .slotStat(let slot, let named):
            var (code, status) = Sys.status(fd: slots[slot])
            // See RandomChoice.slotOperation.
            if !named { status.nlink = 0 }
            return Outcome(code: code, text: text(status))
        case .slotTruncate(let slot, let length): return Outcome(code: Sys.ftruncate(slots[slot], length))
        case .slotChmod(let slot, let mode): return Outcome(code: Sys.fchmod(slots[slot], mode))
        case .slotXattr(let slot, let name, let value):
            return Outcome(code: Sys.setxattr("", name, value, at: slots[slot]))
        case .slotTimes(let slot, let time): return Outcome(code: Sys.futimens(slots[slot], access: time, modify: time))
        default: return further(operation)
        }
    }

    private func text(_ status: Sys.Status) -> String {
        let permissions = comparesSetIDs || status.isDirectory ? status.permissions : status.permissions & ~0o6000
        var text = "\(kindName(status.mode)) \(octal(permissions)) \(status.uid):\(status.gid)"
        if !status.isDirectory {
            text += " size \(status.size) nlink \(status.nlink) mtime \(window.text(status.mtime))"
        }
        return text + (status.isDevice ? " rdev \(status.deviceText)" : "")
    }

    /// Opens, acts, and keeps the descriptor in a slot or closes it.
    private mutating func opened(
        _ path: Name, _ flags: Int32, _ mode: UInt32, _ slot: Int?, _ act: (Int32) -> Int
    ) -> Outcome {
        let fd = Sys.open(path, flags, mode)
        guard fd >= 0 else { return Outcome(code: fd) }
        let code = act(Int32(fd))
        if let slot { slots[slot] = Int32(fd) } else { Sys.close(Int32(fd)) }
        // The opening has succeeded, and that is what the model must know: the rest is text.
        return Outcome(code: 0, text: show(code))
    }

    /// Only on regular files: a device would be written to, a fifo would wait.
    func regular(_ path: Name, _ flags: Int32, _ act: (Int32) -> Outcome) -> Outcome {
        let fd = Sys.open(path, flags | O_NOFOLLOW | O_NONBLOCK)
        guard fd >= 0 else { return Outcome(code: fd) }
        defer { Sys.close(Int32(fd)) }
        let status = Sys.status(fd: Int32(fd)).1
        return status.isRegular ? act(Int32(fd)) : Outcome(code: 0, text: kindName(status.mode))
    }

    private func mapWrite(_ path: Name, _ offset: Int, _ data: Operation.Data) -> Outcome {
        regular(path, O_RDWR) { fd in
            // A mapping reaches to the end of the file and no further: beyond it there is SIGBUS.
            let size = Int(Sys.status(fd: fd).1.size)
            guard offset + data.count <= size else { return Outcome(code: 0, text: "too short") }
            switch Mapping.make(fd, size, PROT_READ | PROT_WRITE, MAP_SHARED) {
            case .failed(let code): return Outcome(code: code)
            case .mapped(let map):
                map.store(data.bytes, at: offset)
                return Outcome(code: map.sync(), text: hex64(ContentHash.of(map.bytes(0..<size))))
            }
        }
    }

    /// A short copy is allowed, and how short is the filesystem's affair.
    private func copyAll(_ source: Int32, _ offset: Int64, _ to: Int32, _ target: Int64, _ count: Int) -> Outcome {
        var done = 0
        while done < count {
            let result = Sys.copyRange(source, offset + Int64(done), to, target + Int64(done), count - done)
            if result < 0 { return Outcome(code: result) }
            if result == 0 { break }
            done += result
        }
        return Outcome(code: done)
    }

    private func copyFile(_ from: Name, _ to: Name) -> Outcome {
        regular(from, O_RDONLY) { source in
            let mode = Sys.status(fd: source).1.permissions
            let target = Sys.open(to, O_CREAT | O_EXCL | O_WRONLY, mode)
            guard target >= 0 else { return Outcome(code: target) }
            defer { Sys.close(Int32(target)) }
            let (code, bytes) = Sys.contents(source)
            return Outcome(code: code < 0 ? code : Sys.write(Int32(target), bytes), text: "copied")
        }
    }

    private func list(_ path: Name) -> Outcome {
        let fd = Sys.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        guard fd >= 0 else { return Outcome(code: fd) }
        defer { Sys.close(Int32(fd)) }
        let (code, entries) = Sys.allEntries(Int32(fd))
        return Outcome(
            code: code,
            text: entries.sorted { $0.name < $1.name }.map { "\($0.name)/\($0.kind)" }.joined(separator: " "))
    }
}

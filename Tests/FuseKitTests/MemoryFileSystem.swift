import FuseKit
import Glibc
import LinuxSys

/// The smallest filesystem that is worth mounting: everything in dictionaries under one lock. Keeps count of what the
/// kernel holds, so that tests can see whether forgets and releases come.
class MemoryFileSystem: FileSystem, @unchecked Sendable {
    final class Node {
        let id: UInt64
        var status = FileStatus()
        var data: [UInt8] = []
        var target: FileName?
        var children: [(name: FileName, id: UInt64)] = []
        var xattrs: [(name: FileName, value: [UInt8])] = []
        var flags: UInt32 = 0
        var lookups = 0
        init(_ id: UInt64, mode: UInt32, uid: UInt32 = 0, gid: UInt32 = 0) {
            self.id = id
            status.ino = id
            status.mode = mode
            status.nlink = status.isDirectory ? 2 : 1
            status.uid = uid
            status.gid = gid
            status.blockSize = 4096
            status.hasBirthTime = true
            status.btime = Timestamp(seconds: 1_000_000_000, nanoseconds: 123)
            status.mtime = Timestamp(seconds: 1_500_000_000, nanoseconds: 456)
        }
    }
    let lock = Mutex()
    var nodes: [UInt64: Node] = [:]
    var nextNode: UInt64 = 2
    var nextHandle: UInt64 = 100
    var handles: Set<UInt64> = []
    var counts: [UInt32: Int] = [:]
    var failures = 0
    var lastCaller: Caller?
    var lastKill = false
    var connection: Connection?
    var stopped = false

    override init() {
        super.init()
        nodes[1] = Node(1, mode: 0o040755)
    }

    func node(_ id: UInt64) throws(Errno) -> Node {
        guard let n = nodes[id] else { throw .stale }
        return n
    }
    private func child(_ parent: UInt64, _ name: NameRef) throws(Errno) -> Node {
        let p = try node(parent)
        guard let c = p.children.first(where: { $0.name == name.owned }) else { throw .noEntry }
        return try node(c.id)
    }
    private func entry(_ n: Node) -> Entry {
        n.lookups += 1
        return Entry(node: n.id, generation: 0, attributes: status(n), attributeSeconds: 0, entrySeconds: 0)
    }
    private func status(_ n: Node) -> FileStatus {
        var s = n.status
        s.size = UInt64(n.target?.count ?? n.data.count)
        s.blocks = (s.size + 511) / 512
        return s
    }
    private func make(_ parent: UInt64, _ name: NameRef, mode: UInt32, _ caller: Caller) throws(Errno) -> Node {
        let p = try node(parent)
        if p.children.contains(where: { $0.name == name.owned }) { throw .exists }
        let n = Node(nextNode, mode: mode, uid: caller.uid, gid: caller.gid)
        nextNode += 1
        nodes[n.id] = n
        p.children.append((name.owned, n.id))
        lastCaller = caller
        return n
    }
    private func newHandle() -> UInt64 {
        nextHandle += 1
        handles.insert(nextHandle)
        return nextHandle
    }

    override func start(_ connection: Connection) { lock.locked { self.connection = connection } }
    override func stop() { lock.locked { stopped = true } }
    override func served(opcode: UInt32, nanoseconds: UInt64, failed: Bool) {
        lock.locked {
            counts[opcode, default: 0] += 1
            if failed { failures += 1 }
        }
    }

    override func lookup(_ parent: UInt64, _ name: NameRef, _ caller: Caller) throws(Errno) -> Entry {
        try lock.locked { () throws(Errno) in entry(try child(parent, name)) }
    }
    override func forget(_ id: UInt64, _ count: UInt64) {
        lock.locked { nodes[id]?.lookups -= Int(count) }
    }
    override func mknod(
        _ parent: UInt64, _ name: NameRef, mode: UInt32, device: UInt64, _ caller: Caller
    ) throws(Errno) -> Entry {
        try lock.locked { () throws(Errno) in
            let n = try make(parent, name, mode: mode, caller)
            n.status.rdev = device
            return entry(n)
        }
    }
    override func mkdir(_ parent: UInt64, _ name: NameRef, mode: UInt32, _ caller: Caller) throws(Errno) -> Entry {
        try lock.locked { () throws(Errno) in entry(try make(parent, name, mode: 0o040000 | mode & 0o7777, caller)) }
    }
    override func symlink(_ parent: UInt64, _ name: NameRef, target: NameRef, _ caller: Caller) throws(Errno) -> Entry {
        try lock.locked { () throws(Errno) in
            let n = try make(parent, name, mode: 0o120777, caller)
            n.target = target.owned
            return entry(n)
        }
    }
    override func readlink(_ id: UInt64, into buffer: MutableBytes) throws(Errno) -> Int {
        try lock.locked { () throws(Errno) in
            guard let target = try node(id).target else { throw .invalid }
            return target.withRef { buffer.copy($0) }
        }
    }
    override func link(_ id: UInt64, _ parent: UInt64, _ name: NameRef, _ caller: Caller) throws(Errno) -> Entry {
        try lock.locked { () throws(Errno) in
            let n = try node(id)
            try node(parent).children.append((name.owned, id))
            n.status.nlink += 1
            return entry(n)
        }
    }
    override func unlink(_ parent: UInt64, _ name: NameRef, _ caller: Caller) throws(Errno) {
        try lock.locked { () throws(Errno) in
            try child(parent, name).status.nlink -= 1
            try node(parent).children.removeAll { $0.name == name.owned }
        }
    }
    override func rmdir(_ parent: UInt64, _ name: NameRef, _ caller: Caller) throws(Errno) {
        try lock.locked { () throws(Errno) in
            if try !child(parent, name).children.isEmpty { throw .notEmpty }
            try node(parent).children.removeAll { $0.name == name.owned }
        }
    }
    override func rename(
        _ parent: UInt64, _ name: NameRef, _ newParent: UInt64, _ newName: NameRef, flags: RenameFlags, _ caller: Caller
    ) throws(Errno) {
        try lock.locked { () throws(Errno) in
            let moved = try child(parent, name)
            let exists = try node(newParent).children.contains { $0.name == newName.owned }
            if exists, flags.contains(.noReplace) { throw .exists }
            if flags.contains(.exchange) || flags.contains(.whiteout) { throw .invalid }
            try node(newParent).children.removeAll { $0.name == newName.owned }
            try node(parent).children.removeAll { $0.name == name.owned }
            try node(newParent).children.append((newName.owned, moved.id))
        }
    }

    override func getattr(_ id: UInt64, handle: UInt64?) throws(Errno) -> AttributeReply {
        try lock.locked { () throws(Errno) in AttributeReply(attributes: status(try node(id)), seconds: 0) }
    }
    override func statx(_ id: UInt64, handle: UInt64?) throws(Errno) -> AttributeReply {
        try getattr(id, handle: handle)
    }
    override func setattr(
        _ id: UInt64, _ change: AttributeChange, handle: UInt64?, _ caller: Caller
    ) throws(Errno) -> AttributeReply {
        try lock.locked { () throws(Errno) in
            let n = try node(id)
            lastKill = change.killSuidGid
            if let mode = change.mode { n.status.mode = n.status.mode & 0o170000 | mode }
            if let uid = change.uid { n.status.uid = uid }
            if let gid = change.gid { n.status.gid = gid }
            if let size = change.size { resize(n, Int(size)) }
            if let t = change.atime { n.status.atime = t == .now ? Timestamp(seconds: 7, nanoseconds: 0) : t }
            if let t = change.mtime { n.status.mtime = t == .now ? Timestamp(seconds: 7, nanoseconds: 0) : t }
            return AttributeReply(attributes: status(n), seconds: 0)
        }
    }
    private func resize(_ n: Node, _ size: Int) {
        if size < n.data.count {
            n.data.removeLast(n.data.count - size)
        } else {
            n.data.append(contentsOf: [UInt8](repeating: 0, count: size - n.data.count))
        }
    }

    override func setxattr(
        _ id: UInt64, _ name: NameRef, _ value: Bytes, flags: UInt32, killSuidGid: Bool, _ caller: Caller
    ) throws(Errno) {
        try lock.locked { () throws(Errno) in
            let n = try node(id)
            n.xattrs.removeAll { $0.name == name.owned }
            n.xattrs.append((name.owned, value.array))
        }
    }
    override func getxattr(
        _ id: UInt64, _ name: NameRef, into buffer: MutableBytes, _ caller: Caller
    ) throws(Errno) -> Int {
        try lock.locked { () throws(Errno) in
            guard let x = try node(id).xattrs.first(where: { $0.name == name.owned }) else { throw .noData }
            if buffer.count == 0 { return x.value.count }
            if x.value.count > buffer.count { throw .range }
            return buffer.copy(x.value)
        }
    }
    override func listxattr(_ id: UInt64, into buffer: MutableBytes, _ caller: Caller) throws(Errno) -> Int {
        try lock.locked { () throws(Errno) in
            let all: [UInt8] = try node(id).xattrs.flatMap { (x) -> [UInt8] in Array(x.name.bytes) + [0] }
            if buffer.count == 0 { return all.count }
            if all.count > buffer.count { throw .range }
            return buffer.copy(all)
        }
    }
    override func removexattr(_ id: UInt64, _ name: NameRef, _ caller: Caller) throws(Errno) {
        try lock.locked { () throws(Errno) in try node(id).xattrs.removeAll { $0.name == name.owned } }
    }
    override func statfs(_ id: UInt64) throws(Errno) -> FilesystemStatus {
        var s = FilesystemStatus()
        s.blocks = 1000
        s.free = 500
        s.available = 400
        s.blockSize = 4096
        s.fragmentSize = 4096
        s.nameMax = 255
        return s
    }

    override func open(_ id: UInt64, flags: Int32, killSuidGid: Bool, _ caller: Caller) throws(Errno) -> Opened {
        lock.locked {
            lastKill = killSuidGid
            return Opened(handle: newHandle(), flags: [.keepCache])
        }
    }
    override func create(
        _ parent: UInt64, _ name: NameRef, mode: UInt32, flags: Int32, _ caller: Caller
    ) throws(Errno) -> Created {
        try lock.locked { () throws(Errno) in
            let e = entry(try make(parent, name, mode: mode, caller))
            return Created(entry: e, opened: Opened(handle: newHandle()))
        }
    }
    override func tmpfile(_ parent: UInt64, mode: UInt32, flags: Int32, _ caller: Caller) throws(Errno) -> Created {
        lock.locked {
            let n = Node(nextNode, mode: mode, uid: caller.uid, gid: caller.gid)
            nextNode += 1
            n.status.nlink = 0
            nodes[n.id] = n
            return Created(entry: entry(n), opened: Opened(handle: newHandle()))
        }
    }
    override func read(_ id: UInt64, handle: UInt64, offset: UInt64, into buffer: MutableBytes) throws(Errno) -> Int {
        try lock.locked { () throws(Errno) in
            let n = try node(id)
            return n.data.withLent { buffer.copy($0.dropping(Int(offset))) }
        }
    }
    override func write(
        _ id: UInt64, handle: UInt64, offset: UInt64, _ data: Bytes, killSuidGid: Bool, cached: Bool, _ caller: Caller
    ) throws(Errno) -> Int {
        try lock.locked { () throws(Errno) in
            let n = try node(id)
            lastKill = killSuidGid
            if Int(offset) + data.count > n.data.count { resize(n, Int(offset) + data.count) }
            n.data.withLentMutable { _ = $0.copy(data, at: Int(offset)) }
            return data.count
        }
    }
    override func flush(_ id: UInt64, handle: UInt64) throws(Errno) {}
    override func release(_ id: UInt64, handle: UInt64) { lock.locked { _ = handles.remove(handle) } }
    override func fsync(_ id: UInt64, handle: UInt64, dataOnly: Bool) throws(Errno) {}
    override func fallocate(
        _ id: UInt64, handle: UInt64, mode: Int32, offset: Int64, length: Int64, _ caller: Caller
    ) throws(Errno) {
        try lock.locked { () throws(Errno) in
            let n = try node(id)
            if mode != 0 { throw .notSupported }
            if Int(offset + length) > n.data.count { resize(n, Int(offset + length)) }
        }
    }
    /// Everything is data; the hole is at the end.
    override func lseek(_ id: UInt64, handle: UInt64, offset: Int64, whence: Int32) throws(Errno) -> Int64 {
        try lock.locked { () throws(Errno) in
            let size = Int64(try node(id).data.count)
            if offset >= size { throw .noDeviceOrAddress }
            return whence == 4 /* SEEK_HOLE */ ? size : offset
        }
    }
    override func copyFileRange(
        from id: UInt64, handle: UInt64, offset: Int64, to toID: UInt64, toHandle: UInt64, toOffset: Int64,
        length: UInt64, flags: UInt64, _ caller: Caller
    ) throws(Errno) -> Int {
        try lock.locked { () throws(Errno) in
            let bytes = Array(try node(id).data.dropFirst(Int(offset)).prefix(Int(clamping: length)))
            let n = try node(toID)
            if Int(toOffset) + bytes.count > n.data.count { resize(n, Int(toOffset) + bytes.count) }
            n.data.withLentMutable { _ = $0.copy(bytes, at: Int(toOffset)) }
            return bytes.count
        }
    }
    override func ioctl(
        _ id: UInt64, handle: UInt64, command: UInt32, isDirectory: Bool, input: Bytes, output: MutableBytes,
        _ caller: Caller
    ) throws(Errno) -> Int {
        try lock.locked { () throws(Errno) in
            let n = try node(id)
            switch command {
            case 0x8008_6601: // FS_IOC_GETFLAGS
                output.storeUInt32(n.flags, at: 0)
                return min(4, output.count)
            case 0x4008_6602: // FS_IOC_SETFLAGS
                n.flags = input.uint32(at: 0)
                return 0
            case 0x801c_581f: // FS_IOC_FSGETXATTR: the kernel asks before it sets flags (vfs_fileattr_set)
                return output.copy([UInt8](repeating: 0, count: 28))
            default: throw .notTTY
            }
        }
    }

    override func opendir(_ id: UInt64, flags: Int32) throws(Errno) -> Opened {
        lock.locked { Opened(handle: newHandle()) }
    }
    override func readdir(_ id: UInt64, handle: UInt64, offset: UInt64, into list: inout DirectoryList) throws(Errno) {
        try lock.locked { () throws(Errno) in
            let n = try node(id)
            for (i, c) in n.children.enumerated().dropFirst(Int(offset)) {
                let kind = try node(c.id).status.kind
                if !c.name.withRef({ list.add($0, ino: c.id, kind: kind, next: UInt64(i + 1)) }) { return }
            }
        }
    }
    override func readdirplus(
        _ id: UInt64, handle: UInt64, offset: UInt64, into list: inout DirectoryList
    ) throws(Errno) {
        try lock.locked { () throws(Errno) in
            let n = try node(id)
            for (i, c) in n.children.enumerated().dropFirst(Int(offset)) {
                let child = try node(c.id)
                if !list.hasRoomPlus(nameLength: c.name.count) { return }
                let e = entry(child)
                _ = c.name.withRef { list.addPlus($0, e, ino: c.id, kind: child.status.kind, next: UInt64(i + 1)) }
            }
        }
    }
    override func releasedir(_ id: UInt64, handle: UInt64) { release(id, handle: handle) }
    override func fsyncdir(_ id: UInt64, handle: UInt64, dataOnly: Bool) throws(Errno) {}
    override func syncfs(_ id: UInt64) throws(Errno) {}
}

import Glibc

/// Attributes, file flags and the rarer ways to a file's data.
extension Side {
    func further(_ operation: Operation) -> Outcome {
        switch operation {
        case .getxattrs(let path): return attributes(path)
        case .setFlag(let path, let flag): return setFlag(path, flag)
        case .guarded(let path, let flag): return guarded(path, flag)
        case .direct(let path, let offset, let blocks, let seed): return direct(path, offset, blocks, seed)
        case .mapRead(let path): return mapRead(path)
        case .clone(let from, let to):
            // Capabilities too (Choice.next).
            _ = Sys.removexattr(to, "security.capability")
            return regular(from, O_RDONLY) { source in regular(to, O_WRONLY) { Outcome(code: Sys.clone($0, source)) } }
        case .sendfile(let from, let to):
            return regular(from, O_RDONLY) { source in
                regular(to, O_WRONLY) { Outcome(code: Sys.sendfile(to: $0, from: source, at: 0, 5000)) }
            }
        case .holes(let path, let offset): return regular(path, O_RDONLY) { holes($0, offset) }
        case .slotAllocate(let slot, let mode, let offset, let length):
            return Outcome(code: Sys.fallocate(descriptor(slot), mode, offset, length))
        case .slotAppend(let slot, let data):
            return Outcome(
                code: Sys.write(descriptor(slot), data.bytes), text: String(Sys.seek(descriptor(slot), 0, SEEK_CUR)))
        default: return Outcome(code: -Int(ENOSYS))
        }
    }

    private func attributes(_ path: Name) -> Outcome {
        let (code, names) = Sys.listxattr(path)
        let text = names.map { name in
            let (code, value) = Sys.getxattr(path, name)
            return "\(name)=" + (code < 0 ? show(code) : hex(value))
        }
        // Without attributes and with them the length differs by nothing but the names themselves.
        return Outcome(code: code, text: text.joined(separator: ","))
    }

    private static let visible = FS_IMMUTABLE_FL | FS_APPEND_FL | FS_NOATIME_FL | FS_SYNC_FL

    /// A write takes capabilities away, which the kernel's FUSE client cannot do to an append-only file
    /// (docs/semantics.md).
    private static func dropCapability(_ path: Name, _ flag: UInt32) {
        if flag & FS_APPEND_FL != 0 { _ = Sys.removexattr(path, "security.capability") }
    }

    private func setFlag(_ path: Name, _ flag: UInt32) -> Outcome {
        regular(path, O_RDONLY) { fd in
            let (code, before) = Sys.getflags(fd)
            guard code >= 0 else { return Outcome(code: code) }
            Self.dropCapability(path, flag)
            let set = Sys.setflags(fd, before & ~Self.visible | flag)
            let (again, after) = Sys.getflags(fd)
            return Outcome(
                code: set,
                text:
                    """
                    \(String(before & Self.visible, radix: 16)), \(show(again)) \
                    \(String(after & Self.visible, radix: 16))
                    """
            )
        }
    }

    /// access(2) and what a writer of before may do are not asked: FUSE inodes do not know the flag
    /// (docs/semantics.md).
    private func guarded(_ path: Name, _ flag: UInt32) -> Outcome {
        if Sys.status(path).1.isDirectory { return Guarded.tryAllInDirectory(path, flag) }
        return regular(path, O_RDONLY) { fd in
            let (code, before) = Sys.getflags(fd)
            guard code >= 0 else { return Outcome(code: code) }
            Self.dropCapability(path, flag)
            let set = Sys.setflags(fd, before | flag)
            guard set >= 0 else { return Outcome(code: set) }
            var said: [Int] = []
            for access in [O_WRONLY, O_RDWR, O_WRONLY | O_APPEND, O_WRONLY | O_APPEND | O_TRUNC] {
                let opened = Sys.open(path, access | O_NOFOLLOW | O_NONBLOCK)
                said.append(min(0, opened))
                guard opened >= 0 else { continue }
                said.append(Sys.write(Int32(opened), [0x2b]))
                said.append(Sys.ftruncate(Int32(opened), 0))
                Sys.close(Int32(opened))
            }
            said.append(Sys.truncate(path, 1))
            said.append(Sys.fchmod(fd, 0o600))
            said.append(Sys.chown(path, 1000, 1000))
            said.append(Sys.utimens(path, access: Moment(1, 0), modify: Moment(1, 0)))
            said.append(Sys.setxattr(path, "user.a", [1]))
            said.append(Sys.removexattr(path, "user.a"))
            said.append(Sys.link(path, path.joined("-")))
            said.append(Sys.link(path, "guarded"))
            said.append(Sys.rename(path, "guarded"))
            said.append(Sys.unlink(path))
            let (again, between) = Sys.getflags(fd)
            let cleared = Sys.setflags(fd, before)
            return Outcome(
                code: cleared,
                text: said.map(show).joined(separator: " ")
                    + " \(show(again)) \(String(between & Self.visible, radix: 16))")
        }
    }

    private func direct(_ path: Name, _ offset: Int, _ blocks: Int, _ seed: UInt64) -> Outcome {
        regular(path, O_RDWR | O_DIRECT) { fd in
            switch Mapping.make(-1, blocks * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | Int32(MAP_ANONYMOUS)) {
            case .failed(let code): return Outcome(code: code)
            case .mapped(let memory):
                var random = Random(seed: seed)
                memory.store(random.bytes(memory.length), at: 0)
                let written = memory.pwrite(fd, at: offset, count: memory.length)
                let read = memory.pread(fd, at: 0, count: memory.length)
                return Outcome(
                    code: written,
                    text: "\(show(read)) \(hex64(ContentHash.of(memory.bytes(0..<max(0, min(read, memory.length))))))")
            }
        }
    }

    private func mapRead(_ path: Name) -> Outcome {
        regular(path, O_RDONLY) { fd in
            let size = Int(Sys.status(fd: fd).1.size)
            guard size > 0 else { return Outcome(code: 0, text: "empty") }
            switch Mapping.make(fd, size, PROT_READ, MAP_PRIVATE) {
            case .failed(let code): return Outcome(code: code)
            case .mapped(let map): return Outcome(code: 0, text: hex64(ContentHash.of(map.bytes(0..<size))))
            }
        }
    }

    /// Where the holes are is the filesystem's affair, and copy-up's (docs/semantics.md): that nothing but zeros is in
    /// them, and that the end is where it is, is not.
    private func holes(_ fd: Int32, _ offset: Int64) -> Outcome {
        let data = Sys.seek(fd, offset, SEEK_DATA)
        let hole = Sys.seek(fd, offset, SEEK_HOLE)
        let size = Int(Sys.status(fd: fd).1.size)
        guard offset < Int64(size) else { return Outcome(code: data, text: show(hole)) }
        guard hole >= Int(offset), hole <= size else { return Outcome(code: hole, text: "outside") }
        let end = data == -Int(ENXIO) ? size : data
        guard end >= Int(offset), end <= size else { return Outcome(code: data, text: "outside") }
        let (code, bytes) = Sys.pread(fd, end - Int(offset), at: offset)
        return Outcome(code: min(code, 0), text: bytes.allSatisfy { $0 == 0 } ? "zeros" : "data in a hole")
    }
}

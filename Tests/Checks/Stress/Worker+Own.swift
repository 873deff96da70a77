import Glibc

/// What a process does with objects that it alone owns. It knows what must come of each call.
extension Worker {
    mutating func ownStep() {
        if owned.count < 5 || (owned.count < Self.most && random.chance(10)) { return create() }
        let at = random.below(owned.count)
        switch random.below(24) {
        case 0..<4: verify(at)
        case 4..<6: overwrite(at)
        case 6..<8: append(at)
        case 8..<10: resize(at)
        case 10..<13: move(at)
        case 13..<15: mapped(at)
        case 15: linked(at)
        case 16: attributes(at)
        case 17: unlinkedButOpen(at)
        case 18: temporary()
        case 19: copied(at)
        case 20: directory()
        case 21: symlink()
        case 22: listing()
        default:
            let own = owned.remove(at: at)
            expect("unlink(\(own.path))", Sys.unlink(own.path))
            check("\(own.path) is still there", Sys.status(own.path).0 == -Int(ENOENT))
        }
    }

    /// Opens what must open, and acts on it.
    private mutating func with(_ path: Name, _ flags: Int32, _ mode: UInt32 = 0, _ body: (inout Worker, Int32) -> Void)
    {
        let fd = Sys.open(path, flags, mode)
        guard expect("open(\(path), \(openFlags(flags)))", fd) else { return }
        body(&self, Int32(fd))
        expect("close(\(path))", Sys.close(Int32(fd)))
    }

    private mutating func create() {
        let own = Own(path: freshPath(), bytes: someBytes(upTo: 20_000), mode: random.pick([0o600, 0o644, 0o640]))
        with(own.path, O_CREAT | O_EXCL | O_RDWR, own.mode) { worker, fd in
            worker.check("short write", Sys.write(fd, own.bytes) == own.bytes.count)
        }
        owned.append(own)
    }

    mutating func verify(_ at: Int) {
        let own = owned[at]
        with(own.path, O_RDONLY) { worker, fd in worker.verify(own, fd) }
        let (result, status) = Sys.status(own.path)
        check(
            "stat(\(own.path)): \(show(result)) size \(status.size) instead of \(own.bytes.count)",
            result >= 0 && status.size == UInt64(own.bytes.count))
        check(
            "mode of \(own.path): \(octal(status.permissions)) instead of \(octal(own.mode))",
            status.permissions == own.mode)
    }

    private mutating func verify(_ own: Own, _ fd: Int32) {
        let (result, bytes) = Sys.contents(fd)
        guard result >= 0, bytes != own.bytes else { return check("read(\(own.path)): \(show(result))", result >= 0) }
        let first = zip(bytes, own.bytes).enumerated().first { $0.element.0 != $0.element.1 }?.offset
        fail(
            "content of \(own.path): \(bytes.count) bytes instead of \(own.bytes.count), first difference at "
                + (first.map(String.init) ?? "the end"))
    }

    private mutating func overwrite(_ at: Int) {
        let bytes = someBytes(upTo: 5000)
        let offset = random.below(owned[at].bytes.count + 5000)
        with(owned[at].path, O_RDWR) { worker, fd in
            worker.check("short pwrite", Sys.pwrite(fd, bytes, at: Int64(offset)) == bytes.count)
            if worker.random.chance(5) { worker.expect("fsync", Sys.fsync(fd)) }
        }
        // Between the old end and the offset: zeros.
        let missing = offset + bytes.count - owned[at].bytes.count
        if missing > 0 { owned[at].bytes += [UInt8](repeating: 0, count: missing) }
        owned[at].bytes.replaceSubrange(offset..<(offset + bytes.count), with: bytes)
        limit(at)
    }

    /// Keeps what is held in memory small.
    private mutating func limit(_ at: Int) {
        guard owned[at].bytes.count > Self.longest else { return }
        let path = owned[at].path
        owned[at].bytes = Array(owned[at].bytes.prefix(1000))
        expect("truncate(\(path))", Sys.truncate(path, 1000))
    }

    private mutating func append(_ at: Int) {
        let bytes = someBytes(upTo: 3000)
        with(owned[at].path, O_WRONLY | O_APPEND) { worker, fd in
            worker.check("short append", Sys.write(fd, bytes) == bytes.count)
        }
        owned[at].bytes += bytes
        limit(at)
    }

    private mutating func resize(_ at: Int) {
        let path = owned[at].path
        let length = random.below(owned[at].bytes.count * 2 + 2)
        expect("truncate(\(path), \(length))", Sys.truncate(path, length))
        let more = length - owned[at].bytes.count
        owned[at].bytes =
            more > 0 ? owned[at].bytes + [UInt8](repeating: 0, count: more) : Array(owned[at].bytes.prefix(length))
        limit(at)
    }

    private mutating func move(_ at: Int) {
        let new = freshPath()
        let flags = random.pick([0, RENAME_NOREPLACE])
        let old = owned[at].path
        let ino = Sys.status(old).1.ino
        guard expect("rename(\(old), \(new))", Sys.rename(old, new, flags)) else { return }
        check("\(old) is still there after rename", Sys.status(old).0 == -Int(ENOENT))
        check("st_ino of \(new) changed by rename", Sys.status(new).1.ino == ino)
        owned[at].path = new
        // Now and then onto another of one's own, which goes.
        if random.chance(20), owned.count > 6 {
            let victim = (at + 1) % owned.count
            let path = owned[victim].path
            guard expect("rename(\(new), \(path))", Sys.rename(new, path)) else { return }
            owned[at].path = path
            owned.remove(at: victim)
        }
    }

    private mutating func mapped(_ at: Int) {
        let size = owned[at].bytes.count
        guard size > 0 else { return }
        let bytes = someBytes(upTo: min(size, 3000))
        let offset = random.below(size - min(size, bytes.count) + 1)
        let own = owned[at]
        with(own.path, O_RDWR) { worker, fd in
            switch Mapping.make(fd, size, PROT_READ | PROT_WRITE, MAP_SHARED) {
            case .failed(let code): worker.fail("mmap(\(own.path)): \(show(code))")
            case .mapped(let map):
                worker.check("mapped content of \(own.path)", map.bytes(0..<size) == own.bytes)
                map.store(Array(bytes.prefix(size - offset)), at: offset)
                let (result, read) = Sys.pread(fd, min(bytes.count, size - offset), at: Int64(offset))
                worker.check("read after store: \(show(result))", read == Array(bytes.prefix(size - offset)))
            }
        }
        let stored = bytes.prefix(size - offset)
        owned[at].bytes.replaceSubrange(offset..<(offset + stored.count), with: stored)
    }

    private mutating func linked(_ at: Int) {
        let (path, other) = (owned[at].path, freshPath())
        // Then the kernel's own look at the count (vfs_link) says ENOENT, and we are not asked.
        if writesBack, Sys.status(path).1.nlink == 0 { return }
        guard expect("link(\(path), \(other))", Sys.link(path, other)) else { return }
        let status = Sys.status(other).1
        check("nlink of \(other) is \(status.nlink)", status.nlink == 2)
        with(other, O_WRONLY | O_APPEND) { worker, fd in
            worker.check("append through link", Sys.write(fd, [1, 2, 3]) == 3)
        }
        owned[at].bytes += [1, 2, 3]
        expect("unlink(\(path))", Sys.unlink(path))
        owned[at].path = other
        let left = Sys.status(other).1.nlink
        check("nlink after unlink: \(left)", left == 1 || writesBack && left == 0)
    }

    private mutating func attributes(_ at: Int) {
        let path = owned[at].path
        owned[at].mode = random.pick([0o600, 0o644, 0o755])
        expect("chmod(\(path))", Sys.chmod(path, owned[at].mode))
        let value = random.bytes(20)
        let name: Name = isInInitialUserNamespace ? "trusted.stress" : "user.stress"
        expect("setxattr(\(path))", Sys.setxattr(path, name, value))
        check("getxattr(\(path))", Sys.getxattr(path, name).1 == value)
        let time = Moment(Int64(random.below(1_000_000_000)), 5)
        expect("utimens(\(path))", Sys.utimens(path, access: time, modify: time))
        check("mtime of \(path)", Sys.status(path).1.mtime == time)
    }

    private mutating func unlinkedButOpen(_ at: Int) {
        var own = owned.remove(at: at)
        with(own.path, O_RDWR) { worker, fd in
            worker.expect("unlink(\(own.path))", Sys.unlink(own.path))
            worker.verify(own, fd)
            worker.check("write to the unlinked", Sys.pwrite(fd, [7, 7, 7], at: Int64(own.bytes.count)) == 3)
            own.bytes += [7, 7, 7]
            worker.verify(own, fd)
            worker.check("nlink of the unlinked", Sys.status(fd: fd).1.nlink == 0)
        }
    }

    private mutating func temporary() {
        let own = Own(path: freshPath(), bytes: someBytes(upTo: 5000), mode: 0o600)
        with(someDirectory(), O_TMPFILE | O_RDWR, own.mode) { worker, fd in
            worker.check("short write to a temporary file", Sys.write(fd, own.bytes) == own.bytes.count)
            if worker.expect("publish \(own.path)", Sys.link("/proc/self/fd/\(fd)", own.path, flags: AT_SYMLINK_FOLLOW))
            {
                worker.owned.append(own)
            }
        }
    }

    private mutating func copied(_ at: Int) {
        let source = owned[at]
        let own = Own(path: freshPath(), bytes: source.bytes, mode: 0o600)
        with(own.path, O_CREAT | O_EXCL | O_RDWR, own.mode) { worker, target in
            worker.with(source.path, O_RDONLY) { worker, fd in
                var done = 0
                while done < own.bytes.count {
                    let result = Sys.copyRange(fd, Int64(done), target, Int64(done), own.bytes.count - done)
                    guard worker.expect("copy_file_range", result), result > 0 else { return }
                    done += result
                }
            }
        }
        owned.append(own)
    }

    private mutating func directory() {
        let (old, new) = (freshPath(), freshPath())
        guard expect("mkdir(\(old))", Sys.mkdir(old, 0o755)) else { return }
        with(old.joined("inside"), O_CREAT | O_EXCL | O_WRONLY, 0o600) { worker, fd in
            worker.expect("write", Sys.write(fd, [1]))
        }
        check("rmdir of a directory that is not empty", Sys.rmdir(old) == -Int(ENOTEMPTY))
        guard expect("rename(\(old), \(new))", Sys.rename(old, new)) else { return }
        check("contents of \(new)", Sys.status(new.joined("inside")).1.size == 1)
        expect("rm -rf \(new)", removeTree(new))
        check("\(new) is still there", Sys.status(new).0 == -Int(ENOENT))
    }

    private mutating func symlink() {
        let path = freshPath()
        guard expect("symlink(\(path))", Sys.symlink("target-of-\(index)", path)) else { return }
        check("readlink(\(path))", Sys.readlink(path).1 == Array("target-of-\(index)".utf8))
        expect("unlink(\(path))", Sys.unlink(path))
    }

    /// Whatever the others do meanwhile: names that neither came nor went are listed exactly once (POSIX, readdir).
    private mutating func listing() {
        let place = someDirectory()
        with(place, O_RDONLY | O_DIRECTORY) { worker, fd in
            var seen: [Name: Int] = [:]
            _ = Sys.seek(fd, 0, SEEK_SET)
            while true {
                // Small buffers, so that the others get in between.
                let (result, entries) = Sys.entries(fd, buffer: 1024)
                guard worker.expect("readdir(\(place))", result), result > 0 else { break }
                for entry in entries { seen[entry.name, default: 0] += 1 }
            }
            for own in worker.owned where own.path.split.parent == place {
                let times = seen[own.path.split.last] ?? 0
                worker.check("\(own.path) listed \(times) times", times == 1)
            }
        }
    }
}

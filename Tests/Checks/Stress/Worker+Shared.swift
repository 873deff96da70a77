import Glibc

/// What a process does with names that all processes use. Nobody knows what is there; only the kind of error counts.
extension Worker {
    mutating func sharedStep() {
        let (path, other) = (sharedPath(), sharedPath())
        switch random.below(20) {
        case 0..<3: sharedOpen(path, O_CREAT | O_RDWR)
        case 3: sharedOpen(path, O_CREAT | O_EXCL | O_RDWR)
        case 4: sharedOpen(path, O_RDWR | O_TRUNC)
        case 5: sharedOpen(path, O_RDONLY)
        case 6..<8: tolerate("unlink(\(path))", Sys.unlink(path))
        case 8..<11:
            let flags = random.pick([0, 0, RENAME_NOREPLACE, RENAME_EXCHANGE])
            tolerate("rename(\(path), \(other), \(renameFlags(flags)))", Sys.rename(path, other, flags))
        // A directory cannot be linked, and a name may have become one.
        case 11: tolerate("link(\(path), \(other))", Sys.link(path, other), also: [EPERM])
        case 12: tolerate("mkdir(\(path))", Sys.mkdir(path, 0o755))
        case 13: tolerate("rmdir(\(path))", Sys.rmdir(path))
        case 14: tolerate("symlink(\(path))", Sys.symlink("s1", path))
        case 15: tolerate("lstat(\(path))", Sys.status(path).0)
        case 16: sharedOpen(path.joined("x"), O_CREAT | O_RDWR)
        case 17: tolerate("rm -rf \(path)", removeTree(path))
        case 18: sharedListing()
        default: sharedMapping()
        }
    }

    private mutating func sharedPath() -> Name { someDirectory().joined("s\(random.below(12))") }

    private mutating func sharedOpen(_ path: Name, _ flags: Int32) {
        let fd = Sys.open(path, flags | O_NOFOLLOW | O_NONBLOCK, 0o644)
        guard tolerate("open(\(path), \(openFlags(flags)))", fd) else { return }
        let file = Int32(fd)
        defer { Sys.close(file) }
        // The descriptor is ours, whatever happens to the name.
        let status = Sys.status(fd: file)
        expect("fstat(\(path))", status.0)
        guard status.1.isRegular else { return }
        if flags & O_ACCMODE == O_RDWR {
            expect(
                "write(\(path))", Sys.pwrite(file, random.bytes(random.below(2000)), at: Int64(random.below(10_000))))
            if random.chance(30) { expect("ftruncate(\(path))", Sys.ftruncate(file, Int64(random.below(10_000)))) }
            if random.chance(20) { expect("fchmod(\(path))", Sys.fchmod(file, random.pick([0o644, 0o600, 0o755]))) }
        }
        expect("read(\(path))", Sys.pread(file, 4096, at: 0).0)
    }

    private mutating func sharedListing() {
        let place = someDirectory()
        let fd = Sys.open(place, O_RDONLY | O_DIRECTORY)
        guard expect("open(\(place))", fd) else { return }
        let (result, entries) = Sys.allEntries(Int32(fd))
        expect("readdir(\(place))", result)
        check("a name twice in \(place)", Set(entries.map(\.name)).count == entries.count || repeatedByRename(entries))
        for entry in entries.prefix(20) where !entry.isDot {
            tolerate("lstat(\(place)/\(entry.name))", Sys.status(entry.name, at: Int32(fd)).0)
        }
        Sys.close(Int32(fd))
    }

    /// A shared name that is removed and made again while the directory is read may be listed at both its places.
    private func repeatedByRename(_ entries: [Sys.Entry]) -> Bool {
        let repeated = Dictionary(grouping: entries, by: \.name).filter { $0.value.count > 1 }
        return repeated.keys.allSatisfy { $0.bytes.first == UInt8(ascii: "s") }
    }

    /// A file mapped by all, a page for each: what one stores nobody else disturbs, and every way of reading shows it.
    private mutating func sharedMapping() {
        let path = random.pick(StressRun.mappedFiles)
        let page = StressRun.page
        let fd = Sys.open(path, O_RDWR)
        guard expect("open(\(path))", fd) else { return }
        defer { Sys.close(Int32(fd)) }
        switch Mapping.make(Int32(fd), page * count, PROT_READ | PROT_WRITE, MAP_SHARED) {
        case .failed(let code): fail("mmap(\(path)): \(show(code))")
        case .mapped(let map):
            let bytes = random.bytes(page)
            if random.chance(50) {
                map.store(bytes, at: page * index)
            } else {
                check("short pwrite to \(path)", Sys.pwrite(Int32(fd), bytes, at: Int64(page * index)) == page)
            }
            if random.chance(10) { expect("msync(\(path))", map.sync()) }
            check("mapping of \(path)", map.bytes((page * index)..<(page * index + page)) == bytes)
            check("read of \(path)", Sys.pread(Int32(fd), page, at: Int64(page * index)).1 == bytes)
        }
    }
}

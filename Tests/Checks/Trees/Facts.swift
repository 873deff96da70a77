import Glibc

/// What is compared of an object, or listed of it: everything of it that a program can see.
struct Facts {
    var path: Name
    var status: Sys.Status
    var target: [UInt8] = []
    var hash: UInt64 = 0
    var attributes: [(name: Name, value: [UInt8])] = []
    /// What could not be read, as `what errno`.
    var failures: [String] = []

    init(_ found: Walker.Found) {
        path = found.path
        status = found.status
        if status.isSymlink {
            let (result, text) = Sys.readlink(found.name, at: found.parent)
            target = text
            if result < 0 { failures.append("readlink " + show(result)) }
        }
        if status.isRegular { readContents(found) }
        readAttributes(found)
    }

    private mutating func readAttributes(_ found: Walker.Found) {
        let (result, names) = Sys.listxattr(found.name, at: found.parent)
        // A filesystem without extended attributes has none.
        if result < 0, result != -Int(EOPNOTSUPP) { failures.append("listxattr " + show(result)) }
        for name in names {
            let (result, value) = Sys.getxattr(found.name, name, at: found.parent)
            if result < 0 {
                failures.append("getxattr(\(name)) " + show(result))
            } else {
                attributes.append((name, value))
            }
        }
    }

    private mutating func readContents(_ found: Walker.Found) {
        let fd = Walker.openQuietly(found.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, at: found.parent)
        guard fd >= 0 else { return failures.append("open " + show(fd)) }
        let (result, value) = Self.hashContents(Int32(fd))
        Sys.close(Int32(fd))
        hash = value
        if result < 0 { failures.append("read " + show(result)) }
    }

    /// The hash of what is in a file. Holes are skipped with SEEK_DATA; where that is not offered, everything is read.
    static func hashContents(_ fd: Int32) -> (Int, UInt64) {
        var hash = ContentHash()
        let block = ContentHash.blockSize
        var position = 0
        var length = 0
        // Four blocks in one read: fewer system calls, and still small enough for the processor's cache.
        while true {
            let data = Sys.seek(fd, Int64(position), SEEK_DATA)
            if data == -Int(ENXIO) { break }
            if data > position { position = data / block * block }
            let (result, bytes) = readFully(fd, 4 * block, at: position)
            if result < 0 { return (result, 0) }
            if result == 0 { break }
            var start = 0
            while start < bytes.count {
                let end = min(start + block, bytes.count)
                unsafe bytes.withUnsafeBytes {
                    unsafe hash.add(
                        block: UInt64((position + start) / block),
                        UnsafeRawBufferPointer(rebasing: $0[start..<end]))
                }
                start = end
            }
            position += bytes.count
            length = position
            if bytes.count < 4 * block { break }
        }
        let end = Sys.seek(fd, 0, SEEK_END)
        return (0, hash.finish(length: UInt64(max(length, end))))
    }

    private static func readFully(_ fd: Int32, _ count: Int, at offset: Int) -> (Int, [UInt8]) {
        var (result, bytes) = Sys.pread(fd, count, at: Int64(offset))
        while result > 0, bytes.count < count {
            let (more, rest) = Sys.pread(fd, count - bytes.count, at: Int64(offset + bytes.count))
            if more < 0 { return (more, []) }
            if more == 0 { break }
            bytes += rest
            result = bytes.count
        }
        return (result, bytes)
    }

    /// Extended attributes on one line, the names escaped and the values in hex; `-` for none.
    var attributeText: String {
        attributes.isEmpty ? "-" : attributes.map { "\($0.name)=\(hex($0.value))" }.joined(separator: ",")
    }

    /// Hash or link target; `-` where there is neither.
    var contentText: String {
        if status.isRegular { return hex64(hash) }
        if status.isSymlink { return "->" + escaped(target) }
        return "-"
    }
}

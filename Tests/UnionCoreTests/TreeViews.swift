import LinuxSys

@testable import UnionCore

extension Sandbox {
    struct Facts: OptionSet {
        let rawValue: Int
        /// Modification times of everything.
        static let times = Facts(rawValue: 1)
        /// Change times and inode numbers: nothing at all was done to it.
        static let identity = Facts(rawValue: 2)
        static let untouched: Facts = [.times, .identity]
    }
    /// All that is to be known of a tree, a line for each object.
    func manifest(_ name: FileName, _ facts: Facts) throws -> [String] {
        var lines: [String] = []
        let root = try FD.currentDirectory.open(at(name), OpenFlags.directory | OpenFlags.noAccessTime)
        try record(root.fd, NameRef.empty, ".", facts, &lines)
        return lines
    }
    private func record(_ parent: FD, _ name: NameRef, _ path: String, _ facts: Facts, _ lines: inout [String]) throws {
        let s = try parent.status(name)
        var line = "\(path) mode=\(String(s.mode, radix: 8)) owner=\(s.uid):\(s.gid) rdev=\(s.rdev)"
        if !s.isDirectory { line += " nlink=\(s.nlink) size=\(s.size)" }
        if facts.contains(.times) { line += " mtime=\(s.mtime.seconds).\(s.mtime.nanoseconds)" }
        if facts.contains(.identity) { line += " ino=\(s.ino) ctime=\(s.ctime.seconds).\(s.ctime.nanoseconds)" }
        if s.isRegular {
            let file = try parent.openQuietly(name, 0)
            let hash = try file.fd.readAll().reduce(UInt64(0xcbf2)) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
            line += " data=\(String(hash, radix: 16))"
        }
        if s.isSymlink { line += " -> \(try parent.readLink(name))" }
        line += try Self.attributes(parent, name).map { " \($0.key)=\($0.value)" }.joined()
        lines.append(line)
        guard s.isDirectory else { return }
        let directory = try parent.openDirectory(name.isEmpty ? NameRef.dot : name)
        for child in try Self.children(directory.fd) {
            try child.withRef { c in try record(directory.fd, c, path + "/\(child)", facts, &lines) }
        }
    }
    static func attributes(_ parent: FD, _ name: NameRef) throws -> [(key: String, value: [UInt8])] {
        var all: [(key: String, value: [UInt8])] = []
        try parent.listXattrs(name).forEachName { attribute in
            // Of an upper directory that is made anew for each attempt: its generation is in the handle.
            let differs = attribute.equals("trusted.overlay.upper")
            all.append((attribute.owned.description, differs ? [] : try parent.xattrIfPresent(name, attribute) ?? []))
        }
        return all.sorted { $0.key < $1.key }
    }
    static func children(_ directory: FD) throws -> [FileName] {
        var names: [FileName] = []
        var reader = DirectoryReader(directory)
        try reader.forEach { name, _, _ in
            names.append(name.owned)
            return true
        }
        return names.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
    }

    /// A tree as `build` takes it. `skipsMissing`: the kernel lists whiteouts that lie in a directory of one layer
    /// only, and does not find them.
    func lines(_ name: FileName, skipsMissing: Bool = false) throws -> [String] {
        var all: [String] = []
        let root = try FD.currentDirectory.open(at(name), OpenFlags.directory)
        try collect(root.fd, "", skipsMissing, &all)
        return all
    }
    private func collect(_ directory: FD, _ path: String, _ skipsMissing: Bool, _ all: inout [String]) throws {
        for child in try Self.children(directory) {
            try child.withRef { n in
                let status: FileStatus
                do throws(Errno) { status = try directory.status(n) } catch {
                    if skipsMissing, error == .noEntry { return }
                    throw error
                }
                all.append(try Self.word(path + child.description, status, directory, n))
                guard status.isDirectory else { return }
                let below = try directory.openDirectory(n)
                try collect(below.fd, path + "\(child)/", skipsMissing, &all)
            }
        }
    }
    static func content(_ directory: FD, _ name: NameRef) throws -> [UInt8] {
        let file = try directory.openQuietly(name, 0)
        return try file.fd.readAll()
    }
    static func word(_ path: String, _ status: FileStatus, _ directory: FD, _ name: NameRef) throws -> String {
        switch status.kind {
        case .directory: path + "/"
        case .regular: path + "=" + String(decoding: try content(directory, name), as: UTF8.self)
        case .symlink: path + "->\(try directory.readLink(name))"
        case .fifo: path + "|"
        case .character where status.rdev == 0: path + "!"
        default: path + "?"
        }
    }
}

extension LayerStack {
    /// The union as `build` takes it: every listing, and a lookup of every name in it. Types must agree.
    func lines() throws -> [String] {
        var all: [String] = []
        try collect(root, "", &all)
        return all
    }
    private func collect(_ directory: MergedDirectory, _ path: String, _ all: inout [String]) throws {
        for (name, kind) in try names(directory) {
            guard let found = try look(directory, name) else {
                all.append(path + "\(name) is listed and not found")
                continue
            }
            if found.status.kind != kind {
                all.append(path + "\(name) is listed as \(kind), found as \(found.status.kind)")
            }
            if let child = found.directory {
                all.append(path + "\(name)/")
                try collect(child, path + "\(name)/", &all)
            } else if found.isShownFromIndex, let index, let copy = found.indexName {
                all.append(
                    try copy.withRef { c in try Sandbox.word(path + name.description, found.status, index.fd, c) })
            } else if let part = directory.part(inLayer: found.layer) {
                all.append(
                    try name.withRef { n in try Sandbox.word(path + name.description, found.status, part.fd, n) })
            }
        }
    }
    func names(_ directory: MergedDirectory) throws -> [(FileName, FileKind)] {
        let listing = try MergedListing(directory, self)
        var names: [(FileName, FileKind)] = []
        for entry in listing.all {
            names.append((listing.withName(entry) { $0.owned }, entry.kind))
        }
        return names.sorted { $0.0.bytes.lexicographicallyPrecedes($1.0.bytes) }
    }
    func look(_ directory: MergedDirectory, _ name: FileName) throws -> Found? {
        try name.withRef { n in try lookup(directory, n) }
    }
    /// By path; nil where any of it is missing.
    func find(_ path: FileName) throws -> Found? {
        var at = root
        var found: Found?
        for component in path.bytes.split(separator: 0x2f) {
            if let last = found {
                guard let directory = last.directory else { return nil }
                at = directory
            }
            guard let next = try look(at, FileName(bytes: component)) else { return nil }
            found = next
        }
        return found
    }
}

import LinuxSys

/// A directory of its own for one test, removed with its owner.
final class Scratch {
    let path: FileName
    private let descriptor: OwnedFD
    var fd: FD { descriptor.fd }

    init() throws {
        path = FileName(
            "/var/tmp/unionfsd-systest-\(Process.id)-\(String(UInt64.random(in: 0...UInt64.max), radix: 16))")
        try path.withRef { p in try FD.currentDirectory.makeDirectory(p, mode: 0o755) }
        descriptor = try FD.currentDirectory.open(path, OpenFlags.directory)
    }
    deinit { try? Self.remove(FD.currentDirectory, path) }

    private static func remove(_ parent: FD, _ name: FileName) throws {
        let directory = try name.withRef { n in try parent.openDirectory(n) }
        var children: [(FileName, FileKind)] = []
        var reader = DirectoryReader(directory.fd)
        try reader.forEach { child, _, kind in
            children.append((child.owned, kind))
            return true
        }
        for (child, kind) in children {
            if kind == .directory {
                try remove(directory.fd, child)
            } else {
                try child.withRef { c in try directory.fd.unlink(c) }
            }
        }
        try name.withRef { n in try parent.removeDirectory(n) }
    }

    func file(_ name: FileName, _ content: String = "") throws {
        let file = try fd.open(name, 0o102 /* O_RDWR O_CREAT */, mode: 0o644)
        try file.fd.writeAll(Array(content.utf8))
    }
    func directory(_ name: FileName) throws { try name.withRef { n in try fd.makeDirectory(n, mode: 0o755) } }
    func symlink(_ name: FileName, _ target: FileName) throws {
        try name.withRef { n in try target.withRef { t in try fd.makeSymlink(n, target: t) } }
    }
}

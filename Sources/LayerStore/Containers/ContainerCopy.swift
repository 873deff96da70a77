internal import Glibc
public import LinuxSys

/// Copies into and out of a container's tree, by Docker's rules (docs/containers.md has them as a table). The container
/// may be hostile, and at work meanwhile: its paths are walked as it sees them, from its own root, and below the target
/// nothing is written through a symlink of its.
public enum ContainerCopy {
    /// - Parameter withOwners: else all becomes this process's user's.
    public static func copy(_ source: borrowing Place, to target: borrowing Place, withOwners: Bool) throws(StoreError)
    {
        guard source.name.isEmpty || source.status != nil else {
            throw StoreError(.notFound, "the source is not there: \(source.shown)")
        }
        if source.mustBeDirectory, !source.isDirectory { throw StoreError(.invalid, "\(source.shown) is no directory") }
        let kind = source.status?.kind
        if !withOwners, kind == .character || kind == .block {
            throw StoreError(
                .invalid,
                "\(source.shown) is a device, which a container could use to reach this machine: --archive copies it")
        }
        if kind == .socket {
            throw StoreError(.invalid, "\(source.shown) is a socket, which is nothing without its server")
        }
        let content: LayerPacker.Content = source.isOfMachine ? .foreignTree : .tree
        let from = source.directory.fd
        let name = source.name
        if target.isDirectory {
            let home =
                target.name.isEmpty
                ? try told(target.shown) { () throws(Errno) in try target.directory.fd.duplicate() }
                : try told(target.shown) { () throws(Errno) in
                    try target.name.withRef { (n) throws(Errno) in try target.directory.fd.openDirectory(n) }
                }
            if source.isContent {
                // What is in it, beside what is there.
                return try Piped.archive(of: from, content) { (archive) throws(StoreError) in
                    try unpack(archive, home.fd, withOwners)
                }
            }
            return try copy(name, in: from, as: source.called, content, to: home.fd, withOwners)
        }
        if target.status != nil {
            if source.isDirectory { throw StoreError(.conflict, "\(target.shown) is there and no directory") }
            if target.mustBeDirectory { throw StoreError(.invalid, "\(target.shown) is no directory") }
        } else if target.mustBeDirectory, !source.isDirectory {
            throw StoreError(.notFound, "\(target.shown) is not there: make it first, or leave the slash away")
        }
        // Under the target's name. A directory that is not there is made as the source is, whether that or what is in
        // it was meant.
        let home = target.directory.fd
        let path = target.name
        if name.isEmpty {
            return try Piped.archive({ (file) throws(StoreError) in
                try LayerPacker.pack(from, as: path, content, to: file)
            }) { (archive) throws(StoreError) in try unpack(archive, home, withOwners) }
        }
        try copy(name, in: from, as: path, content, to: home, withOwners)
    }
    private static func copy(
        _ name: FileName, in directory: FD, as path: FileName, _ content: LayerPacker.Content, to home: FD,
        _ withOwners: Bool
    ) throws(StoreError) {
        try Piped.archive({ (file) throws(StoreError) in
            try LayerPacker.pack(name, in: directory, as: path, content, to: file)
        }) { (archive) throws(StoreError) in try unpack(archive, home, withOwners) }
    }
    private static func unpack(_ archive: FD, _ home: FD, _ withOwners: Bool) throws(StoreError) {
        try LayerUnpacker(root: home, recipe: nil, limits: .init(), for: .copy(withOwners: withOwners)).unpack(
            try ArchiveTarReader(try ArchiveDecompressor(archive, limit: .max)))
    }

    /// As a tar archive to standard output.
    public static func write(_ source: borrowing Place) throws(StoreError) {
        guard source.name.isEmpty || source.status != nil else {
            throw StoreError(.notFound, "the source is not there: \(source.shown)")
        }
        if source.mustBeDirectory, !source.isDirectory { throw StoreError(.invalid, "\(source.shown) is no directory") }
        let content: LayerPacker.Content = source.isOfMachine ? .foreignTree : .tree
        if source.name.isEmpty {
            return try LayerPacker.pack(source.directory.fd, content, .plain, to: FD.standardOutput)
        }
        try LayerPacker.pack(
            source.name, in: source.directory.fd, as: source.called, content, .plain, to: FD.standardOutput)
    }
    /// A tar archive from standard input, into a directory that is there.
    public static func read(into target: borrowing Place, withOwners: Bool) throws(StoreError) {
        guard target.isDirectory else {
            throw StoreError(
                target.status == nil ? .notFound : .invalid,
                "\(target.shown) is no directory that an archive could go into")
        }
        let home =
            target.name.isEmpty
            ? try told(target.shown) { () throws(Errno) in try target.directory.fd.duplicate() }
            : try told(target.shown) { () throws(Errno) in
                try target.name.withRef { (n) throws(Errno) in try target.directory.fd.openDirectory(n) }
            }
        try unpack(FD.standardInput, home.fd, withOwners)
    }
}

extension Store {
    /// A tree as a tar archive, into a file that is made for it; "-" is standard output.
    public static func pack(_ tree: FileName, to target: FileName) throws(StoreError) {
        let root = try told("\(tree)") { () throws(Errno) in
            try FD.currentDirectory.open(tree, O_RDONLY | OpenFlags.directory)
        }
        if target == "-" { return try LayerPacker.pack(root.fd, .tree, .plain, to: FD.standardOutput) }
        let file = try NewFile(target)
        try LayerPacker.pack(root.fd, .tree, .plain, to: file.fd)
        try file.commit()
    }
}

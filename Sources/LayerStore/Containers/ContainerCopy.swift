internal import Glibc
public import LinuxSys

/// Copies into and out of a container's tree. The container may be hostile, and at work meanwhile: its paths are walked as it sees them, from its own root, and nothing is written
/// through a symlink of its.
public enum ContainerCopy {
    /// A place in a tree: the directory, and a name in it; an empty name is the directory itself.
    public struct Place: ~Copyable {
        fileprivate let directory: OwnedFD
        fileprivate let name: FileName
        /// Whose files are of this machine's users.
        fileprivate let isOfMachine: Bool

        /// - Parameters:
        ///   - path: in the tree; a slash or a dot at its end means what is in the directory.
        ///   - root: the tree's.
        public init(_ path: FileName, in root: FD) throws(StoreError) {
            let (parent, last) = Place.split(path, at: [0x2f])
            directory = try told("\(path)") { () throws(Errno) in try parent.withRef { (p) throws(Errno) in try root.openInRoot(p, O_RDONLY | OpenFlags.directory) } }
            name = last
            isOfMachine = false
        }
        /// A path of this machine: from the root, or from the current directory.
        /// - Parameter followed: a symlink to a directory is that directory, as for cp(1)'s target.
        public init(ofMachine path: FileName, followed: Bool) throws(StoreError) {
            let isDirectory = followed && (try? FD.currentDirectory.open(path, OpenFlags.path | OpenFlags.directory)) != nil
            let (parent, last) = Place.split(isDirectory ? path.appending(component: ".") : path, at: path.bytes.first == 0x2f ? [0x2f] : [0x2e, 0x2f])
            isOfMachine = true
            directory = try told("\(path)") { () throws(Errno) in try FD.currentDirectory.open(parent, O_RDONLY | OpenFlags.directory) }
            name = last
        }
        private static func split(_ path: FileName, at beginning: [UInt8]) -> (parent: FileName, last: FileName) {
            var parts = path.bytes.split(separator: 0x2f).map(Array.init)
            let isContent = path.bytes.last == 0x2f || parts.last == [0x2e] || parts.last == [0x2e, 0x2e] || parts.isEmpty
            let last = isContent ? [] : parts.removeLast()
            return (FileName(bytes: beginning + parts.joined(separator: [0x2f])), FileName(bytes: last))
        }

        fileprivate func status() throws(Errno) -> FileStatus? {
            do throws(Errno) { return try name.withRef { (n) throws(Errno) in try directory.fd.status(n) } } catch {
                if error == .noEntry { return nil }
                throw error
            }
        }
    }

    /// As cp(1) does it with -r: into a directory that is there, else under the new name.
    /// - Parameter withOwners: else all becomes this process's user's.
    public static func copy(_ source: borrowing Place, to target: borrowing Place, withOwners: Bool) throws(StoreError) {
        guard let from = try told("the source", { () throws(Errno) in try source.status() }) else { throw StoreError(.notFound, "the source is not there: \(source.name)") }
        if !withOwners, [.character, .block].contains(from.kind) { throw StoreError(.invalid, "\(source.name) is a device, which a container could use to reach this machine: --archive copies it") }
        if from.kind == .socket { throw StoreError(.invalid, "\(source.name) is a socket, which is nothing without its server") }
        let content: LayerPacker.Content = source.isOfMachine ? .foreignTree : .tree
        var to = try told("the target") { () throws(Errno) in try target.status() }
        if to == nil, source.name.isEmpty {
            // What is in a directory goes into one that is made for it.
            to = try told("the target") { () throws(Errno) in
                try target.name.withRef { (n) throws(Errno) in try target.directory.fd.makeDirectory(n, mode: 0o755) }
                return try target.status()
            }
        }
        let intoDirectory = to?.isDirectory == true
        if !intoDirectory, to != nil, from.isDirectory { throw StoreError(.conflict, "\(target.name) is there and no directory") }
        let home = intoDirectory && !target.name.isEmpty
            ? try told("the target") { () throws(Errno) in try target.name.withRef { (n) throws(Errno) in try target.directory.fd.openDirectory(n) } }
            : try told("the target") { () throws(Errno) in try target.directory.fd.duplicate() }
        let directory = source.directory.fd, name = source.name
        let path: FileName = intoDirectory ? name : target.name
        if name.isEmpty {
            // What is in it, beside what is there.
            guard intoDirectory || target.name.isEmpty else { throw StoreError(.notFound, "\(target.name) is not there") }
            return try Piped.archive(of: directory, content) { (archive) throws(StoreError) in try unpack(archive, home.fd, withOwners) }
        }
        try Piped.archive({ (file) throws(StoreError) in try LayerPacker.pack(name, in: directory, as: path, content, to: file) }) { (archive) throws(StoreError) in try unpack(archive, home.fd, withOwners) }
    }
    private static func unpack(_ archive: FD, _ home: FD, _ withOwners: Bool) throws(StoreError) {
        try LayerUnpacker(root: home, recipe: nil, limits: .init(), for: .copy(withOwners: withOwners)).unpack(try ArchiveTarReader(try ArchiveDecompressor(archive, limit: .max)))
    }
}

extension Store {
    /// A tree as a tar archive, into a file that is made for it; "-" is standard output.
    public static func pack(_ tree: FileName, to target: FileName) throws(StoreError) {
        let root = try told("\(tree)") { () throws(Errno) in try FD.currentDirectory.open(tree, O_RDONLY | OpenFlags.directory) }
        if target == "-" { return try LayerPacker.pack(root.fd, .tree, .plain, to: FD.standardOutput) }
        let file = try NewFile(target)
        try LayerPacker.pack(root.fd, .tree, .plain, to: file.fd)
        try file.commit()
    }
}

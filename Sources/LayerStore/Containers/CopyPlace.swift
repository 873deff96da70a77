internal import Glibc
public import LinuxSys

extension ContainerCopy {
    /// A place in a container's tree or on this machine, with the symlinks on the way to it resolved.
    public struct Place: ~Copyable {
        /// In which the name is, or which it is itself where that is empty.
        let directory: OwnedFD
        let name: FileName
        /// Nil: there is nothing of that name.
        let status: FileStatus?
        /// Said to be a directory, by a slash or a dot at the end.
        let mustBeDirectory: Bool
        /// What is in a directory is meant: its path ends with a dot, or is the root.
        let isContent: Bool
        /// Whose files are of this machine's users.
        let isOfMachine: Bool
        /// As it was given.
        let shown: String
        var isDirectory: Bool { name.isEmpty || status?.isDirectory == true }

        public enum Role: Sendable {
            /// A symlink is itself, unless it is to be followed or a slash stands behind it.
            case source(followed: Bool)
            /// A symlink is what it leads to, or would lead to.
            case target
        }

        /// - Parameter root: the container's, from which all paths of it start, and which none leaves: symlinks are
        ///   as a process in it sees them.
        public init(_ path: FileName, in root: FD, _ role: Role) throws(StoreError) {
            try self.init(path, Tree(root: root), role)
        }
        /// A path of this machine: from the root, or from the current directory.
        public init(ofMachine path: FileName, _ role: Role) throws(StoreError) {
            try self.init(path, Tree(root: nil), role)
        }

        private struct Tree {
            /// Nil: this machine.
            let root: FD?
            func open(_ path: [UInt8]) throws(Errno) -> OwnedFD {
                let path = FileName(bytes: path)
                guard let root else { return try FD.currentDirectory.open(path, O_RDONLY | OpenFlags.directory) }
                return try path.withRef { (p) throws(Errno) in try root.openInRoot(p, O_RDONLY | OpenFlags.directory) }
            }
        }

        private init(_ path: FileName, _ tree: Tree, _ role: Role) throws(StoreError) {
            let given = Path(Array(path.bytes))
            var follows = true
            if case .source(let followed) = role { follows = followed || given.endsWithSlash }
            let found: Found
            do throws(Errno) { found = try Self.walk(given, tree, follows) } catch {
                throw StoreError(error, doing: "\(path)")
            }
            directory = OwnedFD(adopting: found.directory.raw)
            name = found.name
            status = found.status
            mustBeDirectory = given.endsWithSlash || given.last == nil
            isContent = given.last == nil
            isOfMachine = tree.root == nil
            shown = path.description
            called = given.last.map { FileName(bytes: $0) } ?? found.name
        }
        /// What a copy of it is called: as in the path that was given, whatever a symlink there leads to.
        let called: FileName

        private struct Found {
            /// The caller's to close.
            let directory: FD
            let name: FileName
            let status: FileStatus?
        }
        /// Each symlink at the end of the path is read and walked anew, by the kernel, from the root.
        private static func walk(_ given: Path, _ tree: Tree, _ follows: Bool) throws(Errno) -> Found {
            var path = given
            // As path_resolution(7) has it.
            for _ in 0...40 {
                let directory = try tree.open(path.parent)
                guard let last = path.last else {
                    return Found(directory: directory.release(), name: FileName(""), status: nil)
                }
                let name = FileName(bytes: last)
                let status: FileStatus?
                do throws(Errno) { status = try name.withRef { (n) throws(Errno) in try directory.fd.status(n) } } catch
                {
                    guard error == .noEntry else { throw error }
                    status = nil
                }
                guard follows, status?.isSymlink == true else {
                    return Found(directory: directory.release(), name: name, status: status)
                }
                let target = try name.withRef { (n) throws(Errno) in Array(try directory.fd.readLink(n).bytes) }
                path = Path(target.first == 0x2f ? target : path.parent + [0x2f] + target)
            }
            throw .loop
        }

        /// A path as it is written: the last name, and what is before it.
        private struct Path {
            /// Never empty.
            let parent: [UInt8]
            /// Nil: the path names a directory by a dot, or is the root.
            let last: [UInt8]?
            let endsWithSlash: Bool
            init(_ bytes: [UInt8]) {
                var parts = bytes.split(separator: 0x2f).map(Array.init)
                let isDot = parts.last.map { $0 == [0x2e] || $0 == [0x2e, 0x2e] } ?? true
                endsWithSlash = bytes.last == 0x2f && !isDot
                last = isDot ? nil : parts.removeLast()
                let beginning: [UInt8] = bytes.first == 0x2f ? [0x2f] : [0x2e, 0x2f]
                parent = beginning + Array(parts.joined(separator: [0x2f]))
            }
        }
    }
}

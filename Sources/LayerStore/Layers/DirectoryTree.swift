internal import Glibc
public import LinuxSys

/// Whole trees: how much they take, and their end. No symlink is followed, and no other filesystem entered.
public enum DirectoryTree {
    public struct Usage: Equatable, Sendable {
        /// What du(1) says, in bytes: blocks, directories included, a file with several names once.
        public var bytes: Int64 = 0
        public var files: Int64 = 0
    }

    public static func usage(_ root: FD) throws(Errno) -> Usage {
        var usage = Usage()
        var seen = Set<UInt64>()
        let status = try root.status()
        usage.bytes += Int64(status.blocks) * 512
        usage.files += 1
        try add(root, device: status.dev, &usage, &seen)
        return usage
    }

    private static func add(_ directory: FD, device: UInt64, _ usage: inout Usage, _ seen: inout Set<UInt64>) throws(Errno) {
        var below: [FileName] = []
        var reader = DirectoryReader(directory)
        try reader.forEach { (name, _, _) throws(Errno) in
            if name.isDotOrDotDot { return true }
            let status: FileStatus
            do throws(Errno) { status = try directory.status(name) } catch {
                // Gone meanwhile.
                if error == .noEntry { return true }
                throw error
            }
            if status.isDirectory {
                if status.dev == device { below.append(name.owned) }
            } else if status.nlink > 1, !seen.insert(status.ino).inserted { return true }
            usage.bytes += Int64(status.blocks) * 512
            usage.files += 1
            return true
        }
        for name in below {
            do throws(Errno) {
                let child = try name.withRef { (n) throws(Errno) in try directory.openDirectory(n) }
                try add(child.fd, device: device, &usage, &seen)
            } catch { if error != .noEntry && error != .notDirectory { throw error } }
        }
    }

    /// With all that is in it; nothing there is as good.
    public static func remove(_ name: FileName, in directory: FD) throws(Errno) {
        try name.withRef { (n) throws(Errno) in
            do throws(Errno) {
                let status = try directory.status(n)
                guard status.isDirectory else { return try directory.unlink(n) }
                try empty(n, in: directory, device: status.dev)
                try directory.removeDirectory(n)
            } catch { if error != .noEntry { throw error } }
        }
    }

    private static func empty(_ name: NameRef, in parent: FD, device: UInt64) throws(Errno) {
        let directory = try open(name, in: parent)
        guard try directory.fd.status().dev == device else { throw Errno.busy }
        var below: [FileName] = []
        var reader = DirectoryReader(directory.fd)
        try reader.forEach { (entry, _, kind) throws(Errno) in
            if entry.isDotOrDotDot { return true }
            if kind == .directory { below.append(entry.owned) } else {
                do throws(Errno) { try directory.fd.unlink(entry) } catch {
                    if error == .isDirectory { below.append(entry.owned) } else if error != .noEntry { throw error }
                }
            }
            return true
        }
        for entry in below { try remove(entry, in: directory.fd) }
    }

    /// A directory that its owner may not read is made one that they may.
    private static func open(_ name: NameRef, in parent: FD) throws(Errno) -> OwnedFD {
        do throws(Errno) { return try parent.openDirectory(name) } catch {
            guard error == .accessDenied else { throw error }
            try parent.changeMode(name, 0o700)
            return try parent.openDirectory(name)
        }
    }
}

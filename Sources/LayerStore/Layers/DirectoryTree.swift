internal import Glibc
public import LinuxSys

/// Whole trees: how much they take, and their end. No symlink is followed, and no other filesystem entered.
public enum DirectoryTree {
    public struct Usage: Equatable, Sendable {
        /// What du(1) says, in bytes: blocks, directories included, a file with several names once.
        public var bytes: Int64 = 0
        public var files: Int64 = 0
    }
    /// Levels that are walked into, each with a descriptor and a frame: a container can make more.
    static let deepest = 512

    /// - Throws: ELOOP for a tree that is deeper than any that is made on purpose.
    public static func usage(_ root: FD) throws(Errno) -> Usage {
        var usage = Usage()
        var seen = Set<UInt64>()
        let status = try root.status()
        usage.bytes += Int64(status.blocks) * 512
        usage.files += 1
        try add(root, device: status.dev, depth: 0, &usage, &seen)
        return usage
    }

    private static func add(
        _ directory: FD, device: UInt64, depth: Int, _ usage: inout Usage, _ seen: inout Set<UInt64>
    ) throws(Errno) {
        if depth > deepest { throw .loop }
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
            } else if status.nlink > 1, !seen.insert(status.ino).inserted {
                return true
            }
            usage.bytes += Int64(status.blocks) * 512
            usage.files += 1
            return true
        }
        for name in below {
            do throws(Errno) {
                let child = try name.withRef { (n) throws(Errno) in try directory.openDirectory(n) }
                try add(child.fd, device: device, depth: depth + 1, &usage, &seen)
            } catch { if error != .noEntry && error != .notDirectory { throw error } }
        }
    }

    /// With all that is in it; nothing there is as good. However deep it is: a directory that is not empty changes its
    /// place to beside the first one, so that one descriptor is enough.
    /// - Throws: EBUSY where something is mounted in it; what was removed by then is gone.
    public static func remove(_ name: FileName, in directory: FD) throws(Errno) {
        let device = try directory.status().dev
        var left = [name]
        while let next = left.popLast() {
            let status: FileStatus
            do throws(Errno) { status = try next.withRef { (n) throws(Errno) in try directory.status(n) } } catch {
                if error == .noEntry { continue }
                throw error
            }
            guard status.isDirectory else {
                try next.withRef { (n) throws(Errno) in try directory.unlink(n) }
                continue
            }
            // A mount's root is not ours to look into.
            guard status.dev == device else { throw .busy }
            try next.withRef { (n) throws(Errno) in
                // One that its owner may not read or write.
                if status.permissions & 0o700 != 0o700 { try directory.changeMode(n, 0o700) }
                let inside = try directory.openDirectory(n)
                for entry in try names(inside.fd) {
                    if let moved = try clear(entry, in: inside.fd, device: device, to: directory) { left.append(moved) }
                }
                try directory.removeDirectory(n)
            }
        }
    }

    private static func names(_ directory: FD) throws(Errno) -> [FileName] {
        var names: [FileName] = []
        var reader = DirectoryReader(directory)
        try reader.forEach { (name, _, _) throws(Errno) in
            if !name.isDotOrDotDot { names.append(name.owned) }
            return true
        }
        return names
    }
    /// The name that it has now, where it is a directory with something in it.
    private static func clear(_ entry: FileName, in inside: FD, device: UInt64, to top: FD) throws(Errno) -> FileName? {
        try entry.withRef { (e) throws(Errno) in
            let status = try inside.status(e)
            guard status.isDirectory else {
                try inside.unlink(e)
                return nil
            }
            guard status.dev == device else { throw Errno.busy }
            do throws(Errno) {
                try inside.removeDirectory(e)
                return nil
            } catch { if error != .notEmpty && error != .exists { throw error } }
            // Its entry for the directory above it changes, which takes the right to write.
            if status.permissions & 0o700 != 0o700 { try inside.changeMode(e, 0o700) }
            let moved = FileName(".removed-\(StoreName.random())")
            try moved.withRef { (m) throws(Errno) in try inside.rename(e, to: top, m, .noReplace) }
            return moved
        }
    }
}

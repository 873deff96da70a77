internal import Glibc
internal import LinuxSys

/// What is mounted below a layer is not seen, whoever mounts the union: the layer is what its own filesystem has.
///
/// A private clone of the layer's mount has nothing mounted below it (`FD.cloneTree`). Where none can be made (an
/// ordinary user without a namespace; in a namespace below whose owner's mounts lie: they are locked,
/// mount_namespaces(7)), each object that is looked up says on which mount it lies, and one of another mount is not the
/// layer's. What it covers cannot be reached then: a directory stands in for a directory, empty as mount points are;
/// anything else is not there.
extension LayerStack {
    /// What a layer has under a name.
    enum Seen {
        case nothing
        case object(FileStatus)
        /// A directory that something is mounted over, with the number that it has.
        case covered(FileStatus)
    }

    /// One statx(2). Where something was mounted below the layer from the beginning (the union itself, perhaps), two
    /// calls more, and nothing that is mounted is asked.
    func see(_ part: LayerDirectory, _ name: NameRef) throws(Errno) -> Seen {
        guard part.layer < layers.count else { return .nothing }
        let layer = layers[part.layer]
        do throws(Errno) {
            let status: FileStatus
            if layer.hasMountsBelow {
                if part.isCovered { return .nothing }
                let object = try part.fd.openUncrossed(name, OpenFlags.path)
                status = try object.fd.status()
            } else {
                status = try part.fd.status(name)
            }
            if layer.owns(status) { return .object(status) }
        } catch {
            if error == .noEntry { return .nothing }
            guard error == .crossDevice else { throw error }
        }
        // Of the layer that is written nothing can stand in: what would be made in there has no place.
        if layer.isUpper { throw .crossDevice }
        return try seeCovered(part, name)
    }

    /// The directory's own entry tells number and kind of what is covered.
    private func seeCovered(_ part: LayerDirectory, _ name: NameRef) throws(Errno) -> Seen {
        var found: (ino: UInt64, kind: FileKind)?
        let own = try part.fd.openDirectory(NameRef.dot)
        var reader = DirectoryReader(own.fd)
        try reader.forEach { (entry, ino, kind) in
            if entry.equals(name) { found = (ino, kind) }
            return found == nil
        }
        guard let found, found.kind == .directory else { return .nothing }
        let empty = try EmptyDirectory.open()
        var status = try empty.fd.status()
        status.ino = found.ino
        status.dev = part.device
        status.nlink = 1
        return .covered(status)
    }

    func coveredDirectory(_ part: LayerDirectory) throws(Errno) -> LayerDirectory {
        LayerDirectory(
            layer: part.layer, fd: try EmptyDirectory.open(), markers: DirectoryMarkers(), size: 0, device: part.device,
            isCovered: true)
    }
}

extension Layer {
    /// Not of what is mounted below it. Before Linux 5.8 the kernel does not tell.
    func owns(_ status: FileStatus) -> Bool { status.mountID == mount || mount == 0 || status.mountID == 0 }
}

/// A directory without names, without a place in any tree: made, opened and removed.
enum EmptyDirectory {
    static func open() throws(Errno) -> OwnedFD {
        let here = FD.currentDirectory
        var failure = Errno.accessDenied
        for place in ["/tmp", "/var/tmp", "/dev/shm", "/run/user/\(Process.effectiveUser)"] {
            let path = FileName("\(place)/.unionfsd-\(Process.id)-\(Clock.monotonic)")
            do throws(Errno) {
                return try path.withRef { (p) throws(Errno) in
                    try here.makeDirectory(p, mode: 0o755)
                    do throws(Errno) {
                        let directory = try here.openDirectory(p)
                        try directory.fd.changeMode(NameRef.empty, 0o755)
                        try here.removeDirectory(p)
                        return directory
                    } catch {
                        do throws(Errno) { try here.removeDirectory(p) } catch {
                            // Empty, in a place that is cleaned.
                        }
                        throw error
                    }
                }
            } catch { failure = error }
        }
        throw failure
    }
}

/// What is mounted below a directory, as this process sees it.
enum MountsBelow {
    /// - Parameter others: places where something will be mounted.
    static func exist(_ directory: FD, mount: UInt64, others: [FileName]) -> Bool {
        do throws(Errno) {
            let path = encoded(Array(try directory.path().bytes))
            let prefix = path.last == UInt8(ascii: "/") ? path : path + [UInt8(ascii: "/")]
            for other in others {
                let place = try FD.currentDirectory.open(other, OpenFlags.path)
                if encoded(Array(try place.fd.path().bytes)).starts(with: prefix) { return true }
            }
            let table = try FD.currentDirectory.open(FileName("/proc/self/mountinfo"), 0)
            // id parent device root mountpoint options … (proc_pid_mountinfo(5)).
            for line in try table.fd.readAll().split(separator: 0x0a) {
                let fields = line.split(separator: 0x20, maxSplits: 5)
                if fields.count > 5, fields[1].elementsEqual(String(mount).utf8), fields[4].starts(with: prefix) {
                    return true
                }
            }
            return false
        } catch { return true }
    }

    /// Blank, tab, newline and backslash are written in octal (mangle_path).
    private static func encoded(_ path: [UInt8]) -> [UInt8] {
        path.flatMap { byte -> [UInt8] in
            guard [0x20, 0x09, 0x0a, 0x5c].contains(byte) else { return [byte] }
            return [0x5c, 0x30 + byte >> 6, 0x30 + byte >> 3 & 7, 0x30 + byte & 7]
        }
    }
}

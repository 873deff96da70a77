internal import LinuxSys

/// What the filesystem under the layers can do, tried in a directory that is removed again.
enum DoctorDirectory {
    static func findings(_ place: FileName) -> [Finding] {
        guard let path = Scratch.make(in: place) else {
            return [
                Finding(
                    "layers in", "directory", .lacking, "\(place) cannot be written",
                    "name a directory where layers are to be: unionfsd doctor DIR")
            ]
        }
        defer { Scratch.remove(path) }
        guard let owned = try? FD.currentDirectory.open(path, OpenFlags.directory) else { return [] }
        let d = owned.fd
        let type = (try? d.filesystemStatus()).map { name($0.type) } ?? "unknown"
        return [
            Finding("layers in", "directory", .good, "\(place), \(type)"), attributes(d), reflink(d), whiteout(d),
            renameWhiteout(d), temporary(d), handles(d),
        ]
    }

    private static let create: Int32 = 0o302 // O_CREAT | O_EXCL | O_RDWR

    /// A file for the length of `body`.
    private static func withFile<R>(_ d: FD, _ name: FileName, _ body: (FD) -> R) -> R? {
        guard let file = try? d.open(name, create, mode: 0o600) else { return nil }
        defer { try? name.withRef { (n) throws(Errno) in try d.unlink(n) } }
        return body(file.fd)
    }

    private static func attributes(_ d: FD) -> Finding {
        func takes(_ attribute: StaticString) -> Bool {
            (try? d.setXattr(NameRef.empty, NameRef(attribute), text: "y")) != nil
        }
        let trusted = takes("trusted.overlay.unionfsd_probe")
        let user = takes("user.overlay.unionfsd_probe")
        let kinds = [trusted ? "trusted.*" : nil, user ? "user.*" : nil].compactMap { $0 }
        return Finding(
            "  attributes", "xattrs", kinds.isEmpty ? .lacking : .good,
            kinds.isEmpty ? "none" : kinds.joined(separator: ", "),
            """
            an upper layer here marks opaque directories by files, cannot rename lower directories and forgets \
            inode numbers: use ext4, xfs, btrfs, or tmpfs from Linux 6.6 on
            """
        )
    }

    private static func reflink(_ d: FD) -> Finding {
        let works =
            withFile(d, "a") { a -> Bool in
                withFile(d, "b") { b -> Bool in
                    guard (try? a.writeAll([UInt8](repeating: 1, count: 65536))) != nil else { return false }
                    return (try? b.reflink(from: a)) != nil
                } ?? false
            } ?? false
        return Finding(
            "  reflink", "reflink", works ? .good : .lacking, works ? "yes" : "no",
            "the first write to a lower file copies all of it: with xfs (reflink=1) or btrfs it costs no data")
    }

    private static func whiteout(_ d: FD) -> Finding {
        // A character device 0/0, which needs no privilege since Linux 5.8.
        let works = (try? d.makeNode(NameRef("w"), mode: 0o020000)) != nil
        if works { try? d.unlink(NameRef("w")) }
        return Finding(
            "  whiteouts", "mknod_whiteout", works ? .good : .lacking, works ? "devices 0/0" : "no devices",
            """
            deletions are marked by files named .wh.NAME, which cost a lookup each and which the kernel's \
            overlayfs does not read
            """
        )
    }

    private static func renameWhiteout(_ d: FD) -> Finding {
        let works =
            withFile(d, "r") { _ -> Bool in
                let moved = (try? d.rename(NameRef("r"), to: d, NameRef("s"), .whiteout)) != nil
                if moved { try? d.unlink(NameRef("s")) }
                return moved
            } ?? false
        return Finding(
            "  RENAME_WHITEOUT", "rename_whiteout", works ? .good : .lacking, works ? "yes" : "no",
            "a rename or deletion of a lower file takes one more step")
    }

    private static func temporary(_ d: FD) -> Finding {
        let works = (try? d.open(NameRef.dot, OpenFlags.temporaryFile | 2, mode: 0o600)) != nil
        return Finding(
            "  O_TMPFILE", "tmpfile", works ? .good : .lacking, works ? "yes" : "no",
            "copies are made under a name in the work directory, and O_TMPFILE in the mount is refused")
    }

    private static func handles(_ d: FD) -> Finding {
        guard let handle = try? d.handle(NameRef.empty) else {
            return Finding(
                "  file handles", "file_handles", .lacking, "none",
                "inode numbers and hard links do not outlive a remount: use ext4, xfs or btrfs")
        }
        let opens = (try? d.open(handle: handle, OpenFlags.path)) != nil
        return Finding(
            "  file handles", "file_handles", opens ? .good : .lacking,
            opens ? "yes" : "made, but not opened by this user",
            """
            inode numbers and hard links do not outlive a remount: needs CAP_DAC_READ_SEARCH in the initial \
            user namespace
            """
        )
    }

    /// Magic numbers of statfs(2).
    private static func name(_ type: UInt64) -> String {
        switch type {
        case 0xef53: "ext4"
        case 0x5846_5342: "xfs"
        case 0x9123_683e: "btrfs"
        case 0x0102_1994: "tmpfs"
        case 0x794c_7630: "overlayfs"
        case 0x6573_5546: "FUSE"
        case 0x6969: "NFS"
        case 0x2fc1_2fc1: "zfs"
        case 0xf2f5_2010: "f2fs"
        case 0x7371_7368: "squashfs"
        case 0xe0f5_e1e2: "erofs"
        case 0x0102_1997: "9p"
        case 0xca45_1a4e: "bcachefs"
        default: "filesystem 0x\(String(type, radix: 16))"
        }
    }
}

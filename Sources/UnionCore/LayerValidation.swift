internal import LinuxSys

/// Holds options against the machine before anything is mounted. Opens what it looks at and closes it again; writes
/// nothing but one attribute of the work directory, which it takes away again. Every refusal is one sentence that says
/// what to do.
public enum LayerValidation {
    /// What will not work, for the log; throws what makes the mount impossible. Relative paths are those of this
    /// process.
    public static func check(_ options: MountOptions) throws(UnionError) -> [String] {
        var notes: [String] = []
        var lowers: [Place] = []
        for path in options.lower { lowers.append(try Place(path, "lower layer")) }
        for path in options.dataLower { lowers.append(try Place(path, "data layer")) }
        if let path = options.upper {
            let upper = try Place(path, "upper layer")
            try checkApart(upper, lowers)
            if let path = options.work {
                let work = try Place(path, "work directory")
                try checkPair(upper: upper, work: work)
                try checkApart(work, lowers)
                if !options.readOnly {
                    try checkWritable(upper)
                    try checkWritable(work)
                    if let note = try checkContents(of: work, upper: upper, strict: options.form == .strict) {
                        notes.append(note)
                    }
                    if let note = probeAttributes(upper: upper, work: work, options) { notes.append(note) }
                }
            }
            if let mountpoint = options.mountpoint { try checkMountpoint(mountpoint, upper: upper) }
        } else if let mountpoint = options.mountpoint {
            try checkMountpoint(mountpoint, upper: nil)
        }
        return notes
    }

    // ---- one directory ----

    /// A directory that somebody named: what it is, and all the directories it lies in.
    private struct Place {
        let path: FileName
        let role: String
        let status: FileStatus
        /// Itself last.
        let ancestors: [Identity]
        var identity: Identity { Identity(status) }
        var name: String { "\(role) \"\(path)\"" }

        init(_ path: FileName, _ role: String) throws(UnionError) {
            self.path = path
            self.role = role
            do throws(Errno) {
                let directory = try path.withRef { (p) throws(Errno) in
                    try FD.currentDirectory.open(p, OpenFlags.path | OpenFlags.directory)
                }
                status = try directory.fd.status()
                ancestors = Place.ancestors(of: directory.fd, status)
                // Search and read permission, which O_PATH does not ask for.
                try directory.fd.checkAccess(NameRef.empty, 5, effective: true)
            } catch {
                throw UnionError(error, Place.sentence("\(role) \"\(path)\"", error))
            }
        }

        static func sentence(_ name: String, _ error: Errno) -> String {
            switch error {
            case .noEntry: "\(name) does not exist: create it or correct the path"
            case .notDirectory: "\(name) is not a directory"
            case .loop: "\(name) is a symlink that leads in a circle"
            case .accessDenied: "\(name) may not be read by this user: permission denied"
            case Errno(107): "\(name) lies on a FUSE mount whose server is gone: unmount that first"
            default: "\(name) cannot be used: \(error.text)"
            }
        }

        /// Upwards until the root, or until we may not look.
        private static func ancestors(of directory: FD, _ status: FileStatus) -> [Identity] {
            var chain = [Identity(status)]
            var path: [UInt8] = Array("..".utf8)
            while path.count < 4096 {
                let up: FileStatus
                do throws(Errno) {
                    up = try FileName(bytes: path).withRef { (p) throws(Errno) in try directory.status(p) }
                } catch { break }
                let identity = Identity(up)
                if identity == chain.last { break }
                chain.append(identity)
                path.append(contentsOf: "/..".utf8)
            }
            return chain.reversed()
        }

        func lies(in other: Place) -> Bool { ancestors.contains(other.identity) }
    }

    private struct Identity: Hashable {
        let dev: UInt64, ino: UInt64
        init(_ s: FileStatus) {
            dev = s.dev
            ino = s.ino
        }
    }

    // ---- how they lie to one another ----

    private static func checkApart(_ written: Place, _ lowers: [Place]) throws(UnionError) {
        for lower in lowers {
            if written.identity == lower.identity {
                throw UnionError(
                    .loop,
                    """
                    \(written.name) and \(lower.name) are the same directory: a layer that is written cannot be \
                    a lower one too
                    """
                )
            }
            if written.lies(in: lower) {
                throw UnionError(.loop, "\(written.name) lies inside \(lower.name): move it out of the lower layer")
            }
            if lower.lies(in: written) {
                throw UnionError(.loop, "\(lower.name) lies inside \(written.name): move it out")
            }
        }
    }

    private static func checkPair(upper: Place, work: Place) throws(UnionError) {
        if upper.identity == work.identity {
            throw UnionError(.invalid, "\(work.name) is the upper layer itself: name an empty directory beside it")
        }
        if upper.status.dev != work.status.dev {
            throw UnionError(
                .crossDevice,
                """
                \(upper.name) and \(work.name) are on different filesystems: make the work directory beside the \
                upper layer
                """
            )
        }
        if upper.status.mountID != work.status.mountID {
            throw UnionError(
                .crossDevice,
                """
                \(upper.name) and \(work.name) are on different mounts of one filesystem, between which nothing \
                can be renamed: make the work directory beside the upper layer
                """
            )
        }
        if work.lies(in: upper) {
            throw UnionError(
                .invalid,
                """
                \(work.name) lies inside \(upper.name), where it would show in the mount: make it beside the \
                upper layer
                """
            )
        }
        if upper.lies(in: work) {
            throw UnionError(
                .invalid, "\(upper.name) lies inside \(work.name), which is emptied: make them beside one another")
        }
    }

    private static func checkWritable(_ place: Place) throws(UnionError) {
        do throws(Errno) {
            try place.path.withRef { (p) throws(Errno) in try FD.currentDirectory.checkAccess(p, 3, effective: true) }
        } catch {
            let reason = error == .readOnly ? "is on a read-only filesystem" : "cannot be written (\(error.text))"
            throw UnionError(error, "\(place.name) \(reason): choose another one, or mount with -o ro")
        }
    }

    private static func checkMountpoint(_ path: FileName, upper: Place?) throws(UnionError) {
        let status: FileStatus
        do throws(Errno) {
            status = try path.withRef { (p) throws(Errno) in try FD.statusFollowing(p) }
        } catch {
            let sentence =
                error == Errno(107)
                ? "mount point \"\(path)\" has a mount on it whose server is gone: unmount it first (unionfsd umount)"
                : Place.sentence("mount point \"\(path)\"", error)
            throw UnionError(error, sentence)
        }
        guard status.isDirectory else { throw UnionError(.notDirectory, "mount point \"\(path)\" is not a directory") }
        guard let upper else { return }
        let place = try Place(path, "mount point")
        if place.lies(in: upper), place.identity != upper.identity {
            throw UnionError(.loop, "\(place.name) lies inside \(upper.name): choose one outside")
        }
    }

    // ---- the work directory ----

    /// Only what overlayfs and we put there may be in it. An engine's storage is not ours to refuse for a stray file:
    /// we write below `work` and `index` and touch nothing else.
    private static func checkContents(of work: Place, upper: Place, strict: Bool) throws(UnionError) -> String? {
        var foreign: FileName?
        var features: [FileName] = []
        var isInUse = false
        do throws(Errno) {
            let directory = try open(FD.currentDirectory, work.path)
            var reader = DirectoryReader(directory.fd)
            try reader.forEach { (name, _, _) throws(Errno) in
                if name.equals("work") || name.equals("index") || name.equals("incompat") { return true }
                foreign = name.owned
                return false
            }
            features = incompatible(directory.fd, "incompat") + incompatible(directory.fd, "work/incompat")
            // A live mount's marker says nothing of a crash. Its lock (MountState.LayerClaim) is the next thing to be
            // asked for.
            do throws(Errno) { try directory.fd.lockExclusively() } catch { isInUse = error == .tryAgain }
        } catch {
            throw UnionError(error, Place.sentence(work.name, error))
        }
        // ovl_workdir_cleanup: "overlay with incompat feature '%s' cannot be mounted".
        if let feature = features.first, !isInUse {
            if feature.bytes.elementsEqual("volatile".utf8) {
                throw UnionError(
                    .invalid,
                    """
                    \(upper.name) was in use by a volatile mount that did not end in order, so what was last \
                    written may be lost: start from a fresh upper layer, or, if you accept that, remove \
                    \"\(work.path)/work/incompat\" and mount again
                    """
                )
            }
            throw UnionError(
                .invalid,
                """
                \(work.name) says that its upper layer uses \"\(feature)\", which this program does not know: \
                mount it with the program that made it
                """
            )
        }
        if let foreign {
            if strict {
                throw UnionError(
                    .notEmpty,
                    """
                    \(work.name) is not empty: it has \"\(foreign)\" in it, which no union mount put there; \
                    name an empty directory
                    """
                )
            }
            return "\(work.name) has \"\(foreign)\" in it, which no union mount put there; it is left alone"
        }
        return nil
    }

    private static func open(_ at: FD, _ path: FileName) throws(Errno) -> OwnedFD {
        try path.withRef { (p) throws(Errno) in try at.open(p, OpenFlags.directory) }
    }

    private static func incompatible(_ work: FD, _ path: FileName) -> [FileName] {
        var names: [FileName] = []
        do throws(Errno) {
            let directory = try path.withRef { (p) throws(Errno) in try work.openBeneath(p, OpenFlags.directory) }
            var reader = DirectoryReader(directory.fd)
            try reader.forEach { (name, _, _) in
                names.append(name.owned)
                return true
            }
        } catch {}
        return names
    }

    // ---- extended attributes ----

    /// A sentence when the upper layer's filesystem takes none of the attributes that overlay needs.
    private static func probeAttributes(upper: Place, work: Place, _ options: MountOptions) -> String? {
        if options.noXattrs { return nil }
        var names: [StaticString] = []
        if options.userXattr != true { names.append("trusted.overlay.unionfsd_probe") }
        if options.userXattr != false { names.append("user.overlay.unionfsd_probe") }
        for name in names {
            do throws(Errno) {
                let directory = try open(FD.currentDirectory, work.path)
                try directory.fd.setXattr(NameRef.empty, NameRef(name), text: "y")
                try directory.fd.removeXattr(NameRef.empty, NameRef(name))
                return nil
            } catch {}
        }
        return
            """
            \(upper.name) takes no extended attributes of overlay \
            (\(options.userXattr == true ? "user.*" : "trusted.*, user.*")): opaque directories are marked by \
            .wh..wh..opq files, rename of a lower directory answers EXDEV, and inode numbers and hard links are \
            not kept across a remount; a filesystem like ext4, xfs or btrfs has them
            """
    }
}

public import LinuxSys

/// One sentence for the person who wrote the option.
public struct OptionError: Error, Equatable, Sendable, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }
}

/// Text to options. Bytes all the way: a layer's path need not be UTF-8. Spellings are those of overlayfs
/// (Documentation/filesystems/overlayfs.rst), fuse-overlayfs(1), mount(8) and mount.fuse3(8).
extension MountOptions {
    /// Applies one `-o` argument to what is there; later words win, `lowerdir+` and `datadir+` add.
    public mutating func apply(_ text: FileName) throws(OptionError) {
        for word in OptionText.words(Array(text.bytes)) {
            if word.isEmpty {
                if form == .strict {
                    throw OptionError("an empty option (two commas in a row, or one at an end) in \"\(text)\"")
                }
                notes.append("empty option ignored")
                continue
            }
            let (name, value) = OptionText.nameAndValue(word)
            try apply(name: name, value: value)
        }
    }

    private mutating func apply(name: String, value: [UInt8]?) throws(OptionError) {
        given.append(name)
        if try applyPath(name, value) { return }
        if try applyUnion(name, value) { return }
        if try applyIdentity(name, value) { return }
        if try applyMount(name, value) { return }
        if try applyWithoutMeaning(name, value) { return }
        let nearest = OptionText.nearest(name).map { "; did you mean \"\($0)\"?" } ?? ""
        if form == .strict { throw OptionError("unknown option \"\(name)\"\(nearest)") }
        notes.append("unknown option \"\(name)\" ignored\(nearest)")
    }

    private mutating func applyPath(_ name: String, _ value: [UInt8]?) throws(OptionError) -> Bool {
        switch name {
        case "lowerdir":
            (lower, dataLower) = try lowerList(OptionText.required(name, value, "DIR[:DIR…]"))
        // One path each, taken as it is: a colon in it needs no escape.
        case "lowerdir+": lower.append(try path(name, value))
        case "datadir+": dataLower.append(try path(name, value))
        case "upperdir": upper = try path(name, value)
        case "workdir": work = try path(name, value)
        default: return false
        }
        return true
    }

    private mutating func applyUnion(_ name: String, _ value: [UInt8]?) throws(OptionError) -> Bool {
        switch name {
        case "redirect_dir":
            redirectDir = try OptionText.choice(
                name, value, [("on", .on), ("off", .off), ("follow", .follow), ("nofollow", .noFollow)])
            redirectDirGiven = true
        case "metacopy":
            metacopy = try OptionText.flag(name, value)
            metacopyRefused = !metacopy
        case "index":
            index = try OptionText.choice(name, value, [("on", .on), ("off", .off), ("auto", .auto)])
        case "xino":
            xino = try OptionText.choice(name, value, [("on", .on), ("off", .off), ("auto", .auto)])
        case "volatile": durability = try OptionText.flag(name, value) ? .volatile : .auto
        case "fsync":
            // overlayfs has words, fuse-overlayfs 0 and 1.
            durability = try OptionText.choice(
                name, value,
                [
                    ("auto", .auto), ("strict", .strict), ("volatile", .volatile),
                    ("1", .auto), ("0", .volatile),
                ])
        case "nfs_export": nfsExport = try OptionText.flag(name, value)
        case "userxattr": userXattr = try OptionText.flag(name, value)
        case "whiteouts":
            whiteouts = try OptionText.choice(name, value, [("overlay", .overlay), ("oci", .oci), ("both", .both)])
        case "noacl": noACL = try OptionText.flag(name, value)
        case "noxattrs", "disable_xattrs": noXattrs = try OptionText.flag(name, value)
        case "static_nlink": staticNlink = try OptionText.flag(name, value)
        case "coherent": coherent = try OptionText.flag(name, value)
        case "guardian": guardian = try OptionText.flag(name, value)
        case "writeback":
            // fuse-overlayfs has 0 and 1, where 1 is its default.
            writeback = try OptionText.choice(
                name, value, [("on", .on), ("off", .off), ("auto", .auto), ("1", .auto), ("0", .off)])
        case "tell": tells = try OptionText.flag(name, value)
        case "usage": usage = Int64(clamping: try OptionText.number(name, value))
        case "transport":
            transport = try OptionText.choice(name, value, [("auto", .auto), ("dev", .dev), ("uring", .uring)])
        case "timeout": cacheSeconds = try OptionText.seconds(name, value)
        // libfuse has one for each of names, missing names and attributes: the shortest is for all.
        case "entry_timeout", "negative_timeout", "attr_timeout", "ac_attr_timeout":
            cacheSeconds = min(cacheSeconds ?? .max, try OptionText.seconds(name, value))
        case "hang_timeout": hangSeconds = UInt32(clamping: min(try OptionText.number(name, value), 86_400))
        case "threads", "max_threads": threads = Int(min(try OptionText.number(name, value), 64))
        case "threaded": threads = try OptionText.flag(name, value) ? nil : 1
        case "verity": verity = try OptionText.choice(name, value, [("off", .off), ("on", .on), ("require", .require)])
        case "uuid":
            let isWanted = try OptionText.choice(
                name, value, [("on", true), ("auto", false), ("null", false), ("off", false)])
            uuid = value?.elementsEqual("off".utf8) == true ? .off : .null
            if isWanted {
                let reason = "a FUSE mount has no UUID, and its f_fsid (statfs(2)) is 0, as the kernel says"
                if form == .strict { throw OptionError("uuid=on is not possible: \(reason); leave the option out") }
                notes.append("option \"uuid\" ignored: \(reason)")
            }
        default: return false
        }
        return true
    }

    private mutating func applyIdentity(_ name: String, _ value: [UInt8]?) throws(OptionError) -> Bool {
        switch name {
        case "squash_to_root": squashToRoot = try OptionText.flag(name, value)
        case "squash_to_uid": squashToUID = try OptionText.number(name, value)
        case "squash_to_gid": squashToGID = try OptionText.number(name, value)
        case "uidmapping": uidMapping = try OptionText.mapping(name, value)
        case "gidmapping": gidMapping = try OptionText.mapping(name, value)
        case "xattr_permissions":
            let number = try OptionText.number(name, value)
            guard number <= 2 else { throw OptionError("xattr_permissions is \(number); it must be 0, 1 or 2") }
            xattrPermissions = Int(number)
        case "context", "fscontext", "defcontext", "rootcontext":
            let quoted = try OptionText.required(name, value, "\"CONTEXT\"")
            securityContexts.append(FileName(bytes: Array(name.utf8) + [0x3d, 0x22] + quoted + [0x22]))
        default: return false
        }
        return true
    }

    private mutating func applyMount(_ name: String, _ value: [UInt8]?) throws(OptionError) -> Bool {
        switch name {
        case "ro", "rw":
            readOnly = name == "ro"
            readOnlyGiven = readOnly
        case "allow_other": allowOther = try OptionText.flag(name, value)
        case "default_permissions": defaultPermissions = try OptionText.flag(name, value)
        case "fsname": fsname = try path(name, value)
        case "subtype": subtype = try path(name, value)
        case "debug": debug = try OptionText.flag(name, value)
        case "foreground": foreground = try OptionText.flag(name, value)
        case "remount": isRemount = true
        case "bind", "rbind", "move":
            throw OptionError("\"\(name)\" is mount(8)'s own: it calls no helper for that")
        default:
            guard let change = MountOptions.flagChanges[name] else { return false }
            flags = flags.subtracting(change.clear).union(change.set)
            flagsGiven = (
                flagsGiven.set.subtracting(change.clear).union(change.set),
                flagsGiven.clear.subtracting(change.set).union(change.clear)
            )
        }
        return true
    }

    private static let flagChanges: [String: (set: MountFlags, clear: MountFlags)] = [
        "suid": ([], .noSuid), "nosuid": (.noSuid, []),
        "dev": ([], .noDev), "nodev": (.noDev, []),
        "exec": ([], .noExec), "noexec": (.noExec, []),
        "sync": (.synchronous, []), "async": ([], .synchronous), "dirsync": (.dirSync, []),
        "noatime": (.noAccessTime, [.relativeAccessTime, .strictAccessTime]),
        "atime": ([], .noAccessTime),
        "relatime": (.relativeAccessTime, [.noAccessTime, .strictAccessTime]), "norelatime": ([], .relativeAccessTime),
        "strictatime": (.strictAccessTime, [.noAccessTime, .relativeAccessTime]),
        "nostrictatime": ([], .strictAccessTime),
        "nodiratime": (.noDirAccessTime, []), "diratime": ([], .noDirAccessTime),
        "lazytime": (.lazyTime, []), "nolazytime": ([], .lazyTime),
    ]

    /// Words that others take: those of mount(8) and fstab(5), and what is here as they say anyway (docs/semantics.md,
    /// "Options of other programs"), silently; what cannot be is refused, or told to an engine.
    private mutating func applyWithoutMeaning(_ name: String, _ value: [UInt8]?) throws(OptionError) -> Bool {
        if name.hasPrefix("x-") || name.hasPrefix("X-") { return true }
        switch name {
        case "defaults", "auto", "noauto", "user", "nouser", "users", "owner", "group", "nofail", "_netdev", "comment",
            "loud", "silent", "mand", "nomand", "iversion", "noiversion",
            // What the kernel shows of a FUSE mount, and mount(8) hands back at a remount.
            "user_id", "group_id", "rootmode", "max_read", "blksize", "seclabel",
            "private", "rprivate", "shared", "rshared", "slave", "rslave", "unbindable", "runbindable":
            return true
        case "override_creds", "auto_unmount", "max_write", "max_background", "max_readahead", "clone_fd",
            "max_idle_threads", "big_writes", "nonempty", "use_ino", "readdir_ino", "kernel_cache",
            "auto_cache", "hard_remove", "intr", "fast_ino":
            return true
        default: break
        }
        guard let reason = Self.impossible[name] else { return false }
        if form == .strict { throw OptionError("\(name) is not possible: \(reason); leave the option out") }
        notes.append("option \"\(name)\" ignored: \(reason)")
        return true
    }
    private static let impossible: [String: String] = [
        "plugins": "programs for single layers are fuse-overlayfs's own",
        "ino32_t": "inode numbers are those of the layers",
        "nooverride_creds": "layers are read and written with the rights of who mounts",
        "direct_io": "files are read through the page cache",
        "umask": "modes are those of the layers",
        "blkdev": "a union lies on no block device",
        "allow_root": "others may use the mount with allow_other, or not",
    ]

    private func path(_ name: String, _ value: [UInt8]?) throws(OptionError) -> FileName {
        FileName(bytes: OptionText.unescaped(try OptionText.required(name, value, "PATH")))
    }

    /// `A:B::D`: layers, uppermost first, and behind two colons the data-only ones.
    private mutating func lowerList(_ text: [UInt8]) throws(OptionError) -> ([FileName], [FileName]) {
        var layers: [FileName] = []
        var data: [FileName] = []
        var inData = false
        let pieces = OptionText.split(text, at: 0x3a)
        for (i, piece) in pieces.enumerated() {
            if piece.isEmpty {
                if i > 0 && i < pieces.count - 1 && !layers.isEmpty && !pieces[i + 1].isEmpty {
                    inData = true
                    continue
                }
                if form == .strict {
                    throw OptionError(
                        "lowerdir has an empty path in it (a colon too many); a colon in a name is written \\:")
                }
                notes.append("empty path in lowerdir ignored")
                continue
            }
            let path = FileName(bytes: OptionText.unescaped(piece))
            if inData { data.append(path) } else { layers.append(path) }
        }
        return (layers, data)
    }

    /// What the words say together. Call once, after the last `apply`.
    public mutating func finish() throws(OptionError) {
        if isRemount { return }
        // Without a word on access times it is noatime; who speaks of directories' means that those of files move, as
        // they do on other filesystems.
        if flagsGiven.set.contains(.noDirAccessTime), !flagsGiven.set.contains(.noAccessTime) {
            flags.remove(.noAccessTime)
        }
        if lower.isEmpty {
            throw OptionError(
                dataLower.isEmpty
                    ? "no lower layer: give one with --lower DIR or -o lowerdir=DIR"
                    : "only data layers: at least one ordinary lower layer is needed")
        }
        if upper != nil && work == nil && !readOnly {
            throw OptionError(
                """
                an upper layer needs a work directory beside it, empty and on the same filesystem: --work DIR \
                or -o workdir=DIR
                """
            )
        }
        if upper == nil {
            if work != nil { notes.append("workdir is of no use without upperdir and is ignored") }
            work = nil
            if durability == .volatile { notes.append("volatile is of no use without upperdir and is ignored") }
            durability = .auto
        }
        // A reader of a lower file in passthrough has a node that loses its names to another when the file is copied
        // up; its handle would be lost.
        if nfsExport { coherent = true }
        if verity != .off {
            // As overlayfs: it is metacopy files that have digests.
            if metacopyRefused { throw OptionError("verity needs metacopy=on") }
            metacopy = true
        }
        if metacopy && redirectDir != .on {
            // As overlayfs: metacopy finds its data through redirects.
            if redirectDirGiven && redirectDir != .follow {
                throw OptionError("metacopy=on needs redirect_dir=on or follow")
            }
            if !redirectDirGiven { redirectDir = .on }
        }
    }
}

internal import Glibc
public import LinuxSys

/// metacopy (overlayfs): a regular file that holds everything but its data, marked `overlay.metacopy`. The data are in
/// the next object of the same name in the layers below, or where `overlay.redirect` says; data-only layers are asked
/// last, by absolute paths only.
extension LayerStack {
    /// A regular file without data of its own? One getxattr(2).
    public func isMetacopy(_ directory: FD, _ name: NameRef) throws(Errno) -> Bool {
        try directory.xattrFirstByte(name, OverlayXattr.metacopy.name(xattrs)) != nil
    }

    /// Whether the first change of a file may leave its data where they are.
    public var makesMetacopies: Bool { options.metacopy && upperHasXattrs }

    /// Notes in what was found that its data are elsewhere, and how much room they take.
    /// - Throws: EPERM where the mount does not follow such files (`metacopy=off`), EIO where no layer has the data:
    ///   as ovl_lookup.
    func followMetacopy(_ found: inout Found, _ parent: MergedDirectory, _ name: NameRef) throws(Errno) {
        guard options.metacopy else { throw .notPermitted }
        found.isMetacopy = true
        // Data-only layers are not asked before somebody reads.
        if let data = try findData(parent, name, inDataLayers: false) {
            found.dataBlocks = try data.fd.status().blocks
        } else if dataLayers.isEmpty {
            throw .io
        }
    }

    /// An O_PATH descriptor of the file that has the data of a name. Costs for each layer what a lookup costs, and an
    /// open.
    /// - Throws: EIO where there is none.
    public func openData(_ parent: MergedDirectory, _ name: NameRef) throws(Errno) -> OwnedFD {
        guard let data = try findData(parent, name, inDataLayers: true) else { throw .io }
        return data
    }

    /// Down through the layers, as a lookup goes: each metacopy file on the way may redirect once more.
    private func findData(_ parent: MergedDirectory, _ name: NameRef, inDataLayers: Bool) throws(Errno) -> OwnedFD? {
        var wanted = name.owned
        var path: FileName?
        var from = -1
        // Layers only go down, so this ends.
        while true {
            var hit: FileHit?
            if path == nil {
                hit = try findFile(wanted, parent, below: from)
            } else {
                hit = try findFile(&path, below: from)
            }
            guard let hit else { break }
            guard hit.status.isRegular else { return nil }
            let ends = try hit.name.withRef { (n) throws(Errno) in try !isMetacopy(hit.part.fd, n) }
            if ends { return try hit.name.withRef { (n) throws(Errno) in try hit.part.fd.openPath(n) } }
            from = hit.part.layer
            guard followsRedirects,
                let redirect = try hit.name.withRef({ (n) throws(Errno) in try redirect(of: hit.part.fd, n) })
            else { continue }
            if Redirect.isAbsolute(redirect) {
                path = redirect
            } else if let at = path {
                path = Redirect.sibling(of: at, named: redirect)
            } else {
                wanted = redirect
            }
        }
        guard inDataLayers, let path else { return nil }
        return try findInDataLayers(path)
    }

    private func findFile(_ name: FileName, _ parent: MergedDirectory, below layer: Int) throws(Errno) -> FileHit? {
        for part in parent.parts where part.layer > layer {
            switch try name.withRef({ (n) throws(Errno) in try lookForFile(part, n) }) {
            case .absent: continue
            case .end: return nil
            case .file(let hit): return hit
            }
        }
        return nil
    }

    private func findFile(_ path: inout FileName?, below from: Int) throws(Errno) -> FileHit? {
        guard var way = path else { return nil }
        for layer in layers where layer.index > from {
            let look = try lookPathForFile(layer, &way)
            path = way
            switch look {
            case .absent: continue
            case .end: return nil
            case .file(let hit): return hit
            }
        }
        return nil
    }

    /// The first data-only layer that has a regular file there. These layers have no whiteouts, no redirects and no
    /// metacopies; no symlink is followed and no path leads out (ovl_lookup_data_layers).
    private func findInDataLayers(_ path: FileName) throws(Errno) -> OwnedFD? {
        let relative = FileName(bytes: Array(path.bytes.drop { $0 == UInt8(ascii: "/") }))
        for layer in dataLayers {
            do throws(Errno) {
                let object = try relative.withRef { (p) throws(Errno) in
                    try layer.root.fd.openBeneath(p, OpenFlags.path | O_NOFOLLOW)
                }
                if try object.fd.status().isRegular { return object }
            } catch {
                switch error {
                case .tooManyOpenFiles, .noMemory, .fileTableOverflow: throw error
                default: continue
                }
            }
        }
        return nil
    }

    /// Where a metacopy file says that its data are; nil where it says nothing, or nothing valid.
    public func redirect(of directory: FD, _ name: NameRef) throws(Errno) -> FileName? {
        let value = try directory.xattrIfPresent(name, OverlayXattr.redirect.name(xattrs))
        return value.flatMap { Redirect.validated($0) }
    }
    public func setRedirect(_ redirect: FileName, on directory: FD, _ name: NameRef) throws(Errno) {
        try step(.setRedirect)
        try directory.setXattr(name, OverlayXattr.redirect.name(xattrs), Array(redirect.bytes))
    }

    /// Gives an upper metacopy file its data, in place: until the mark goes, at the end, whoever looks reads the lower
    /// ones (ovl_copy_up_meta_inode_data). Writing takes capabilities and perhaps suid away, and changes the time: put
    /// back.
    /// - Parameter file: open for writing. `data`: open for reading.
    /// - Precondition: one caller for each inode at a time.
    public func fillMetacopy(
        _ file: FD, from data: FD, _ extent: CopyUpExtent
    ) throws(Errno) -> (bytes: UInt64, isReflinked: Bool) {
        let before = try file.status()
        let capability = try file.xattrIfPresent(NameRef.empty, NameRef("security.capability"))
        let copied = try copyData(from: data, to: file, size: before.size, stored: try data.status(), extent)
        var mtime = before.mtime
        if case .prefix(let length) = extent, length < before.size {
            try step(.truncate)
            try file.truncate(Int64(clamping: length))
            // The new file, as a copy-up that cuts has it (stageFile).
            mtime = .now
        }
        if let capability { try file.setXattr(NameRef.empty, NameRef("security.capability"), capability) }
        if try file.status().mode != before.mode { try file.changeMode(NameRef.empty, before.permissions) }
        try syncCopy(file, bytes: copied.bytes)
        try file.setTimes(NameRef.empty, access: before.atime, modification: mtime)
        try step(.removeMetacopy)
        // Gone already where a process died behind this, before it could note it.
        do throws(Errno) { try file.removeXattr(NameRef.empty, OverlayXattr.metacopy.name(xattrs)) } catch {
            if error != .noData { throw error }
        }
        // The data are there before the mark goes; `strict` wants that it is gone as well.
        if options.durability == .strict { try syncCopy(file, bytes: copied.bytes) }
        return copied
    }
}

/// A file of a layer, under a name in a directory of it.
struct FileHit {
    let part: LayerDirectory
    let name: FileName
    let status: FileStatus
}

internal import LinuxSys

/// What the kernel's overlayfs asks of an index before it uses it (ovl_get_indexdir, ovl_indexdir_cleanup): that it
/// belongs to this upper layer and this lower one, and that every entry stands for something.
struct IndexVerification {
    let upper: Layer
    /// The uppermost lower layer: the one that the upper layer's root came from.
    let lower: Layer
    let index: Index
    let xattrs: XattrNamespace
    let workPath: FileName
    /// Whether an origin leads to a lower object; nil where that cannot be told.
    let isThere: (Origin) throws(Errno) -> Bool?

    /// Notes what is not noted yet, compares what is, removes entries that nothing needs.
    /// - Parameter cleans: nobody else uses the work directory.
    func run(cleans: Bool) throws(UnionError) {
        try verify(
            upper.root.fd, .origin, of: lower, isUpper: false,
            "upper directory \(upper.path) was made over another lower directory than \(lower.path)")
        let another = "the index in \(workPath) belongs to another upper directory than \(upper.path)"
        // Older kernels noted the upper directory as `origin`: compared where it is, never set.
        if hasNote(.origin) { try verify(index.fd, .origin, of: upper, isUpper: true, another) }
        try verify(index.fd, .upper, of: upper, isUpper: true, another)
        if cleans { try clean() }
    }

    private func hasNote(_ attribute: OverlayXattr) -> Bool {
        do throws(Errno) { return try index.fd.xattrIfPresent(NameRef.empty, attribute.name(xattrs)) != nil } catch {
            return false
        }
    }

    private var advice: String {
        "mount with the directories that belong together, or with -o index=off, or with another work directory"
    }

    /// ovl_verify_set_fh.
    private func verify(
        _ directory: FD, _ attribute: OverlayXattr, of layer: Layer, isUpper: Bool, _ mismatch: String
    ) throws(UnionError) {
        do throws(Errno) {
            guard
                let expected = Origin(
                    handle: try layer.root.fd.handle(NameRef.empty), uuid: layer.uuid,
                    flags: isUpper ? Origin.pathUpper : 0)
            else { throw .notSupported }
            let value = try directory.xattrIfPresent(NameRef.empty, attribute.name(xattrs))
            // An empty one says "unknown" (ovl_get_fh).
            guard let value, !value.isEmpty else {
                try directory.setXattr(NameRef.empty, attribute.name(xattrs), expected.bytes)
                return
            }
            if value != expected.bytes { throw .stale }
        } catch {
            if error == .stale { throw UnionError(error, "\(mismatch), so its hard links cannot be told: \(advice)") }
            throw UnionError(error, "the index in \(workPath) cannot be verified: \(error.text); \(advice)")
        }
    }

    /// ovl_indexdir_cleanup.
    private func clean() throws(UnionError) {
        do throws(Errno) {
            var names: [FileName] = []
            var reader = DirectoryReader(index.fd)
            try reader.rewind()
            try reader.forEach { (name, _, _) in
                names.append(name.owned)
                return true
            }
            for name in names where try !keeps(name) { try remove(name) }
        } catch {
            throw UnionError(
                error,
                error == .invalid
                    ? "the index in \(workPath) has an entry that is none of overlayfs's: \(advice)"
                    : "the index in \(workPath) cannot be cleaned: \(error.text); \(advice)")
        }
    }
    private func remove(_ name: FileName) throws(Errno) {
        try name.withRef { (n) throws(Errno) in
            do throws(Errno) { try index.fd.unlink(n) } catch {
                guard error == .isDirectory || error == .notPermitted else { throw error }
                try removeTree(index.fd, n)
            }
        }
    }

    /// ovl_verify_index. EINVAL for what this format does not know: not ours to touch.
    private func keeps(_ name: FileName) throws(Errno) -> Bool {
        // Left by an attempt to make or remove an entry.
        if name.bytes.first == UInt8(ascii: "#") { return false }
        guard let origin = Origin(indexName: name) else { throw .invalid }
        guard let status = try index.status(name) else { return true }
        // Whiteouts and directories are of nfs_export: kept as they are.
        if Whiteout.isDevice(status) || status.isDirectory { return true }
        let noted = try name.withRef { (n) throws(Errno) in
            try index.fd.xattrIfPresent(n, OverlayXattr.origin.name(xattrs))
        }
        // Without one it is not overlayfs's doing (ENODATA there); another's is what a crash left.
        guard let noted else { throw .invalid }
        if noted != origin.bytes { return false }
        if status.nlink > 1 { return true }
        // No upper name. The lower ones may still show it, as long as there is a lower inode and names are left to it.
        if try isThere(origin) == false { return false }
        return try index.hasNamesLeft(name, upper: status.nlink)
    }
}

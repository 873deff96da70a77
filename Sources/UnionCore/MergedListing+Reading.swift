public import LinuxSys

/// A listing as it is read from the layers: every part once, with getdents, and for what looks like a whiteout one
/// statx.
extension MergedListing {
    /// - Precondition: the directory's lock is held, and stays held until the listing is where changes are noted in it.
    public convenience init(_ directory: MergedDirectory, _ stack: LayerStack) throws(Errno) {
        self.init()
        for part in directory.parts { try read(part, stack, isSingle: directory.parts.count == 1) }
    }

    /// Whether a directory has no names, read only as far as that takes.
    static func isEmpty(_ directory: MergedDirectory, _ stack: LayerStack) throws(Errno) -> Bool {
        let listing = MergedListing()
        for part in directory.parts {
            try listing.read(part, stack, isSingle: directory.parts.count == 1)
            if listing.count > 0 { return false }
        }
        return true
    }

    private func read(_ part: LayerDirectory, _ stack: LayerStack, isSingle: Bool) throws(Errno) {
        let isUpper = stack.hasUpper && part.layer == 0
        let impure = stack.hasCopies(part.layer) && part.isImpure
        let overrides = stack.layers[part.layer].override != nil
        var markers: [FileName] = []
        // A descriptor of its own: the position of a shared one belongs to nobody.
        if part.isCovered { return }
        let layer = stack.layers[part.layer]
        let own = try part.fd.openDirectory(NameRef.dot)
        var reader = DirectoryReader(own.fd)
        try reader.forEach { (name, ino, kind) throws(Errno) in
            if stack.readsOCIWhiteouts, Whiteout.isMarkerName(name) {
                if !name.hasPrefix(".wh..wh.") { markers.append(name.dropping(Whiteout.prefixLength).owned) }
                return true
            }
            var kind = kind
            var whiteout = false
            if kind == .unknown || kind == .character || part.hasXattrWhiteouts && kind == .regular
                || overrides && kind == .regular
            {
                let status = try part.fd.status(name)
                whiteout = try stack.isWhiteout(status, part, name)
                kind = try stack.overridden(status, part.fd, name, layer: part.layer).kind
            }
            // A file that another is mounted over cannot be seen; of a directory there is one in its place.
            if layer.hasMountsBelow, kind != .directory, case .nothing = try stack.see(part, name) { return true }
            note(
                name, layer: part.layer,
                ino: stack.number(ino, device: part.device, ofLayer: part.layer, part.fd, NameRef.empty), kind,
                isHidden: whiteout,
                needsLookup: impure || isUpper && !isSingle && kind == .directory || layer.holdsFilesystems)
            return true
        }
        for marker in markers {
            marker.withRef { name in note(name, layer: part.layer, ino: 0, .unknown, isHidden: true, needsLookup: false)
            }
        }
    }
}

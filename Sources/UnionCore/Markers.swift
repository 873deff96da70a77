internal import LinuxSys

/// The marks of all the forms that layers come in: overlayfs (trusted. or user.), fuse-overlayfs, OCI.
extension LayerStack {
    /// What a directory says of itself. One listxattr(2) where it has no attributes, as nearly all have none; one more
    /// call for each mark that is there; one statx for the OCI form where that is read.
    func readMarkers(_ fd: FD) throws(Errno) -> DirectoryMarkers {
        var markers = DirectoryMarkers()
        let names = try fd.listXattrs(NameRef.empty)
        if !names.isEmpty {
            try names.forEachName { (name) throws(Errno) in
                if name.equals("trusted.overlay.opaque") || name.equals("user.overlay.opaque")
                    || name.equals("user.fuseoverlayfs.opaque")
                {
                    switch try fd.xattrFirstByte(NameRef.empty, name) {
                    case UInt8(ascii: "y"): markers.opaque = true
                    case UInt8(ascii: "x"): markers.xattrWhiteouts = true
                    default: break
                    }
                } else if name.equals(OverlayXattr.impure.name(xattrs)) {
                    markers.impure = true
                } else if name.equals(OverlayXattr.protattr.name(xattrs)) {
                    markers.protected = true
                } else if name.equals(OverlayXattr.redirect.name(xattrs)) {
                    if let value = try fd.xattrIfPresent(NameRef.empty, name) {
                        markers.redirect = Redirect.validated(value)
                    }
                }
            }
        }
        if readsOCIWhiteouts, !markers.opaque, exists(fd, NameRef(".wh..wh..opq")) { markers.opaque = true }
        return markers
    }

    /// What an upper file has of overlay's: one listxattr(2), and no call more for what is not there, which is nearly
    /// always all.
    func readFileMarkers(_ directory: FD, _ name: NameRef) throws(Errno) -> FileMarkers {
        var markers = FileMarkers()
        let names = try directory.listXattrs(name)
        if names.isEmpty { return markers }
        names.forEachName { attribute in
            if attribute.equals(OverlayXattr.origin.name(xattrs)) { markers.origin = true }
            if attribute.equals(OverlayXattr.number.name(xattrs)) { markers.number = true }
            if attribute.equals(OverlayXattr.metacopy.name(xattrs)) { markers.metacopy = true }
            if attribute.equals(OverlayXattr.protattr.name(xattrs)) { markers.protected = true }
        }
        return markers
    }

    func exists(_ directory: FD, _ name: NameRef) -> Bool {
        do throws(Errno) {
            _ = try directory.status(name)
            return true
        } catch { return false }
    }
}

/// Which of overlay's attributes a file of the upper layer has.
struct FileMarkers {
    var origin = false, number = false, metacopy = false, protected = false
}

public import LinuxSys

/// Whiteouts: what says in a layer that a name of the layers below is gone.
///
/// Read in every form: a character device 0/0 (overlayfs), an empty file with `overlay.whiteout` in a directory marked
/// `opaque=x` (overlayfs, where devices are refused), a file `.wh.NAME` beside the name (OCI). Written as 0/0, all of
/// them names of one inode in the work directory as overlayfs does it, or as `.wh.NAME` where mknod(2) is refused, or
/// in the second form where `.wh.NAME` is refused too (or is a name like others): on another union.
public enum WhiteoutForm: Sendable { case device, marker, attribute }

public enum Whiteout {
    public static let prefixLength = 4

    /// Names that are markers of the OCI form.
    public static func isMarkerName(_ name: NameRef) -> Bool { name.hasPrefix(".wh.") }
    public static func isDevice(_ status: FileStatus) -> Bool { status.isCharacter && status.rdev == 0 }
}

extension LayerStack {
    /// An object found under a name: is it no object at all but a whiteout of the name?
    func isWhiteout(_ status: FileStatus, _ part: LayerDirectory, _ name: NameRef) throws(Errno) -> Bool {
        if Whiteout.isDevice(status) { return true }
        // The kernel reads it in lower layers only. It is written into an upper one that the kernel's overlayfs cannot
        // have.
        guard part.hasXattrWhiteouts, status.isRegular, status.size == 0 else { return false }
        return try part.fd.xattrFirstByte(name, OverlayXattr.whiteout.name(xattrs)) != nil
    }

    /// Whether the upper layer has a whiteout under the name, which a new name takes the place of.
    func upperHasWhiteout(_ upper: LayerDirectory, _ name: NameRef) throws(Errno) -> Bool {
        try isWhiteout(try upper.fd.status(name), upper, name)
    }

    /// Before the first whiteout by attribute: the directory says that there are some (`opaque=x`). An opaque one needs
    /// none.
    func noteXattrWhiteouts(_ directory: LayerDirectory) throws(Errno) {
        guard let work, work.whiteoutForm == .attribute, !directory.hasXattrWhiteouts else { return }
        try directory.fd.setXattr(NameRef.empty, OverlayXattr.opaque.name(xattrs), text: "x")
        directory.noteXattrWhiteouts()
    }

    /// Does `.wh.NAME` stand in this part?
    func hasOCIWhiteout(_ part: LayerDirectory, _ name: NameRef) -> Bool {
        guard readsOCIWhiteouts else { return false }
        return name.withPrefix(".wh.") { marker in exists(part.fd, marker) } ?? false
    }

    /// Puts a whiteout where the upper layer has nothing under the name. One linkat(2), atomic by itself, and a
    /// statx(2): an append-only directory would take the link, but the union removes a name.
    /// - Precondition: the caller holds the directory's lock.
    func placeWhiteoutLocked(_ part: LayerDirectory, _ name: NameRef) throws(Errno) {
        guard let work = work else { throw .readOnly }
        let directory = part.fd
        if try directory.status().isProtected { throw .notPermitted }
        if work.usesMarkerFiles {
            let done: Void? = try name.withPrefix(".wh.") { (marker) throws(Errno) in
                do throws(Errno) {
                    _ = try directory.open(marker, WhiteoutFlags.createMarker, mode: 0)
                } catch { if error != .exists { throw error } }
            }
            if done == nil { throw .nameTooLong }
            return
        }
        try noteXattrWhiteouts(part)
        try work.linkWhiteout(to: directory, name)
    }

    /// Replaces what the upper layer has under the name, a directory too, by a whiteout, in one rename. What was there
    /// goes to the work directory and is removed from there.
    /// - Precondition: the caller holds the directory's lock.
    func replaceByWhiteoutLocked(_ part: LayerDirectory, _ name: NameRef, isDirectory: Bool) throws(Errno) {
        guard let work = work else { throw .readOnly }
        let directory = part.fd
        if work.usesMarkerFiles {
            // The marker first: until the rename, the name is still there and wins over a marker beside it.
            try placeWhiteoutLocked(part, name)
            let temporary = work.temporaryName()
            try temporary.withRef { (t) throws(Errno) in
                try directory.rename(name, to: work.fd, t)
                work.discard(t, isDirectory: isDirectory)
            }
            return
        }
        try noteXattrWhiteouts(part)
        let temporary = work.temporaryName()
        try temporary.withRef { (t) throws(Errno) in
            try work.linkWhiteout(to: work.fd, t)
            do throws(Errno) {
                // A file is replaced; a directory has to change places, as a rename cannot put a file over it.
                try work.fd.rename(t, to: directory, name, isDirectory ? .exchange : [])
            } catch {
                work.discard(t, isDirectory: false)
                throw error
            }
            if isDirectory { work.discard(t, isDirectory: true) }
        }
    }

    /// Removes a `.wh.NAME` that would hide nothing any more, after a name was made. Best effort: beside a name it only
    /// hides what lies below.
    func hasMarkerFile(_ directory: FD, _ name: NameRef) -> Bool {
        guard readsOCIWhiteouts else { return false }
        return name.withPrefix(".wh.") { marker in exists(directory, marker) } ?? false
    }
}

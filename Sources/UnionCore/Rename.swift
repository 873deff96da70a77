public import LinuxSys

/// What moves, as the union sees it.
public struct RenameSubject {
    public let directory: MergedDirectory
    public let name: NameRef
    /// For a directory: its parts.
    public let moved: MergedDirectory?
    /// For a directory that the layers below have, too, and for a file whose data they have (metacopy): where they keep
    /// it.
    public let redirect: FileName?
    public init(directory: MergedDirectory, name: NameRef, moved: MergedDirectory?, redirect: FileName?) {
        self.directory = directory
        self.name = name
        self.moved = moved
        self.redirect = redirect
    }
    var isMergedDirectory: Bool { moved != nil && redirect != nil }
}

/// Names moved: the upper objects change places in one rename, with a whiteout where a layer below would show the old
/// name again.
extension LayerStack {
    /// - Precondition: the caller holds the locks of both directories and of a directory that is replaced; both
    ///   directories and what moves are in the upper layer; a directory that is replaced is empty in the union.
    /// - Returns: whether a whiteout stands at the old name now.
    public func renameLocked(_ from: RenameSubject, to target: RenameSubject, exchange: Bool) throws(Errno) -> Bool {
        guard let fromUpper = from.directory.upper, let toUpper = target.directory.upper else { throw .readOnly }
        try refuseReserved(target.name)
        let oldIsBelow = try needsWhiteout(from.directory, from.name)
        let newIsBelow = try needsWhiteout(target.directory, target.name)
        try prepareMove(from, in: fromUpper, overLower: newIsBelow)
        if exchange {
            try prepareMove(target, in: toUpper, overLower: oldIsBelow)
            try fromUpper.fd.rename(from.name, to: toUpper.fd, target.name, .exchange)
            if from.isMergedDirectory { try removeMarker(toUpper.fd, target.name) }
            if target.isMergedDirectory { try removeMarker(fromUpper.fd, from.name) }
        } else {
            try move(from, fromUpper, to: target, toUpper, leaveWhiteout: oldIsBelow)
        }
        // Children that keep their origin's number may now be anywhere.
        if fromUpper.isImpure || from.moved?.isMerged == true { try noteImpure(toUpper) }
        if exchange, toUpper.isImpure || target.moved?.isMerged == true { try noteImpure(fromUpper) }
        return oldIsBelow && !exchange
    }

    /// What a directory must say of itself before it stands under another name.
    private func prepareMove(_ subject: RenameSubject, in upper: LayerDirectory, overLower: Bool) throws(Errno) {
        if let redirect = subject.redirect {
            try setRedirect(redirect, on: upper.fd, subject.name)
        } else if subject.moved != nil, overLower {
            try setOpaque(upper.fd, subject.name)
        }
    }

    private func move(
        _ from: RenameSubject, _ fromUpper: LayerDirectory, to target: RenameSubject, _ toUpper: LayerDirectory,
        leaveWhiteout: Bool
    ) throws(Errno) {
        guard let work else { throw .readOnly }
        var targetIsWhiteout = false
        do throws(Errno) {
            targetIsWhiteout = try upperHasWhiteout(toUpper, target.name)
        } catch { if error != .noEntry { throw error } }

        if targetIsWhiteout, from.moved != nil || leaveWhiteout {
            // The two change places: no rename puts a directory over a device, and the whiteout is wanted where it
            // lands.
            if leaveWhiteout || from.directory.hasLower { try noteXattrWhiteouts(fromUpper) }
            try fromUpper.fd.rename(from.name, to: toUpper.fd, target.name, .exchange)
            if !leaveWhiteout {
                do throws(Errno) { try fromUpper.fd.unlink(from.name) } catch {
                    // hides nothing
                }
            }
            return
        }
        if let replaced = target.moved, replaced.hasUpper { try clearOfWhiteouts(toUpper.fd, target.name, work) }

        if !leaveWhiteout {
            try fromUpper.fd.rename(from.name, to: toUpper.fd, target.name)
        } else if work.usesMarkerFiles {
            try placeWhiteoutLocked(fromUpper, from.name)
            try fromUpper.fd.rename(from.name, to: toUpper.fd, target.name)
        } else if work.hasRenameWhiteout {
            try fromUpper.fd.rename(from.name, to: toUpper.fd, target.name, .whiteout)
        } else {
            // A filesystem without RENAME_WHITEOUT: the name below shows again for a moment, only to a crash.
            try fromUpper.fd.rename(from.name, to: toUpper.fd, target.name)
            try placeWhiteoutLocked(fromUpper, from.name)
        }
        if from.isMergedDirectory { try removeMarker(toUpper.fd, target.name) }
    }

    /// Beside a directory the marker says opaque, which a merged directory that moved there is not.
    private func removeMarker(_ directory: FD, _ name: NameRef) throws(Errno) {
        if hasMarkerFile(directory, name) {
            _ = try name.withPrefix(".wh.") { (m) throws(Errno) in try directory.unlink(m) }
        }
    }

    /// A directory that is about to be replaced may hold whiteouts; rename(2) wants it empty. It changes places with an
    /// empty opaque one of the same looks (ovl_clear_empty), number and times included: should we end here, nothing has
    /// changed.
    private func clearOfWhiteouts(_ upper: FD, _ name: NameRef, _ work: WorkDirectory) throws(Errno) {
        let directory = try upper.openDirectory(name)
        var hasAny = false
        var reader = DirectoryReader(directory.fd, bufferSize: 1024)
        try reader.forEach { (_, _, _) throws(Errno) in
            hasAny = true
            return false
        }
        if !hasAny { return }
        let status = try status(directory.fd, NameRef.empty, layer: 0)
        try work.temporaryName().withRef { (t) throws(Errno) in
            try work.fd.makeDirectory(t, mode: 0o700)
            do throws(Errno) {
                try giveOwner(status, to: work.fd, t)
                try copyXattrs(
                    CopyUpSource(directory: directory.fd, name: NameRef.empty, layer: 0, status: status), to: work.fd, t
                )
                if let origin = try directory.fd.xattrIfPresent(NameRef.empty, OverlayXattr.origin.name(xattrs)) {
                    try work.fd.setXattr(t, OverlayXattr.origin.name(xattrs), origin)
                }
                try setOpaque(work.fd, t)
                try giveMode(status, to: work.fd, t)
                try work.fd.setTimes(t, access: status.atime, modification: status.mtime)
                try work.fd.rename(t, to: upper, name, .exchange)
            } catch {
                work.discard(t, isDirectory: true)
                throw error
            }
            work.discard(t, isDirectory: true)
        }
    }
}

public import LinuxSys

/// Names removed: from the upper layer, and where a layer below has the name too, with a whiteout in its place.
extension LayerStack {
    /// Whether removing or moving the name away takes a whiteout, and so the directory in the upper layer. `listed`:
    /// what the directory's listing has of the name; no system call then where the upper layer has nothing of it, or
    /// the lower ones have not.
    public func needsWhiteout(
        _ directory: MergedDirectory, _ name: NameRef, _ listed: MergedListing.Entry? = nil
    ) throws(Errno) -> Bool {
        if !directory.hasLower { return false }
        guard let listed else { return try existsBelowUpper(directory, name) }
        if !listed.isHidden, !hasUpper || !listed.layers.contains(0) { return true }
        return try existsBelowUpper(directory, name, in: listed.layers)
    }

    /// Removes a file's name.
    /// - Precondition: the caller holds the directory's lock; the directory is in the upper layer.
    public func unlinkLocked(
        in directory: MergedDirectory, _ name: NameRef, whiteout: Bool, _ listed: MergedListing.Entry? = nil
    ) throws(Errno) {
        guard let upper = directory.upper else { throw .readOnly }
        if !whiteout {
            try upper.fd.unlink(name)
            return
        }
        if listed?.layers.contains(0) ?? true, try upperHas(upper, name) {
            try replaceByWhiteoutLocked(upper, name, isDirectory: false)
        } else {
            try placeWhiteoutLocked(upper, name)
        }
    }

    /// Removes a directory, which must be empty in the union; whiteouts in it go with it.
    /// - Precondition: the caller holds the locks of both directories, and has found the victim empty with them held
    ///   where it says so.
    public func rmdirLocked(
        in directory: MergedDirectory, _ name: NameRef, _ victim: MergedDirectory, whiteout: Bool, isKnownEmpty: Bool
    ) throws(Errno) {
        guard let upper = directory.upper else { throw .readOnly }
        if !whiteout, !victim.hasLower {
            do throws(Errno) {
                try upper.fd.removeDirectory(name)
                return
            } catch { guard error == .notEmpty || error == .exists else { throw error } }
        }
        if !isKnownEmpty, try !isEmpty(victim) { throw .notEmpty }
        if victim.hasUpper {
            if whiteout {
                try replaceByWhiteoutLocked(upper, name, isDirectory: true)
            } else {
                try moveToWork(upper.fd, name)
            }
        } else {
            try placeWhiteoutLocked(upper, name)
        }
    }

    func upperHas(_ upper: LayerDirectory, _ name: NameRef) throws(Errno) -> Bool {
        do throws(Errno) {
            return try !upperHasWhiteout(upper, name)
        } catch {
            if error == .noEntry { return false }
            throw error
        }
    }

    /// Takes a directory that holds nothing but whiteouts out of the upper layer in one rename, then removes it.
    private func moveToWork(_ upper: FD, _ name: NameRef) throws(Errno) {
        guard let work else { throw .readOnly }
        try work.temporaryName().withRef { (t) throws(Errno) in
            try upper.rename(name, to: work.fd, t)
            work.discard(t, isDirectory: true)
        }
    }

    /// Nothing but whiteouts.
    public func isEmpty(_ directory: MergedDirectory) throws(Errno) -> Bool {
        try MergedListing.isEmpty(directory, self)
    }
}

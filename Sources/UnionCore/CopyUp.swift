internal import Glibc
public import LinuxSys

/// How much of a file's contents its copy needs.
public enum CopyUpExtent: Sendable {
    case all
    /// The caller cuts it to this length next: nothing behind it is copied.
    case prefix(UInt64)
    /// The caller changes metadata only: with `metacopy=on` nothing is copied.
    case metadata
}

/// A lower object as a copy-up finds it: a name in a directory of its layer, or with the empty name a descriptor.
public struct CopyUpSource {
    public let directory: FD
    public let name: NameRef
    public let layer: Int
    public internal(set) var status: FileStatus
    /// For a metacopy file: a descriptor (O_PATH will do) of the file that has its data.
    public let data: FD?
    public init(directory: FD, name: NameRef, layer: Int, status: FileStatus, data: FD? = nil) {
        self.directory = directory
        self.name = name
        self.layer = layer
        self.status = status
        self.data = data
    }
}

/// A complete copy that nobody sees yet: a file without a name, or something under a temporary name in the work
/// directory. Dropped unpublished, it leaves no trace.
public final class StagedCopy {
    let work: WorkDirectory
    let temporary: ShortName?
    /// No descriptor where there is a temporary name instead.
    let file: OwnedFD
    let isDirectory: Bool
    let hasOrigin: Bool
    /// Bytes of data that were copied; shared by reflink they cost nothing.
    public let bytes: UInt64
    public let isReflinked: Bool
    /// Its data stayed in the layers below.
    public let isMetacopy: Bool
    var isPublished = false

    init(
        work: WorkDirectory, temporary: ShortName?, file: consuming OwnedFD, isDirectory: Bool, hasOrigin: Bool,
        bytes: UInt64, isReflinked: Bool,
        isMetacopy: Bool = false
    ) {
        self.work = work
        self.temporary = temporary
        self.file = file
        self.isDirectory = isDirectory
        self.hasOrigin = hasOrigin
        self.bytes = bytes
        self.isReflinked = isReflinked
        self.isMetacopy = isMetacopy
    }
    /// While it is not published: afterwards its name is another, and nothing may fail any more.
    public func status() throws(Errno) -> FileStatus {
        guard let temporary else { return try file.fd.status() }
        return try temporary.withRef { (name) throws(Errno) in try work.fd.status(name) }
    }
    deinit {
        if !isPublished, let temporary { temporary.withRef { name in work.discard(name, isDirectory: isDirectory) } }
    }
}

/// Copy-up: stage (slow, no lock held), then publish (one link or rename, under the directory's lock). The kernel's
/// fs/overlayfs/copy_up.c is the model; what is kept and why is in `CopyUp+Metadata.swift`.
extension LayerStack {
    /// Makes the copy in the work directory.
    /// - Parameter indexed: it is a lower file with several names and goes into the index.
    public func stageCopy(_ source: CopyUpSource, extent: CopyUpExtent, indexed: Bool) throws(Errno) -> StagedCopy {
        guard let work else { throw .readOnly }
        switch source.status.kind {
        case .regular: return try stageFile(source, extent, work, indexed)
        case .directory:
            return try stageNamed(source, work, indexed) { (name) throws(Errno) in
                try work.fd.makeDirectory(name, mode: 0o700)
            }
        case .symlink:
            let target = try source.directory.readLink(source.name)
            return try stageNamed(source, work, indexed) { (name) throws(Errno) in
                try target.withRef { (t) throws(Errno) in try work.fd.makeSymlink(name, target: t) }
            }
        default:
            let status = source.status
            return try stageNamed(source, work, indexed) { (name) throws(Errno) in
                if upperOverride != nil {
                    _ = try work.fd.open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
                    return
                }
                try work.fd.makeNode(name, mode: status.mode & 0o170000 | 0o600, device: status.rdev)
            }
        }
    }

    private func stageFile(
        _ source: CopyUpSource, _ extent: CopyUpExtent, _ work: WorkDirectory, _ indexed: Bool
    ) throws(Errno) -> StagedCopy {
        var note: MetacopyNote?
        if case .metadata = extent, makesMetacopies { note = try noteOfData(source) }
        let leavesData = note != nil
        try step(.openSource)
        let from = leavesData ? OwnedFD(adopting: -1) : try openSourceData(source)
        try step(.makeTemporary)
        var temporary: ShortName?
        let to: OwnedFD
        if work.hasTemporaryFiles {
            to = try work.fd.open(NameRef.dot, OpenFlags.temporaryFile | O_RDWR, mode: 0o600)
        } else {
            let name = work.temporaryName()
            to = try name.withRef { (n) throws(Errno) in
                try work.fd.open(n, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
            }
            temporary = name
        }
        do throws(Errno) {
            var copied: (bytes: UInt64, isReflinked: Bool) = (0, false)
            if let note {
                try step(.setMetacopy)
                try to.fd.truncate(Int64(clamping: source.status.size))
                try to.fd.setXattr(NameRef.empty, OverlayXattr.metacopy.name(xattrs), note.bytes)
            } else {
                let stored = source.data == nil ? source.status : try from.fd.status()
                copied = try copyData(from: from.fd, to: to.fd, size: source.status.size, stored: stored, extent)
            }
            var source = source
            if case .prefix(let limit) = extent, limit < source.status.size {
                // Cut already when it is shown: whatever comes next, it is the new file and not the old one without its
                // end.
                source.status.mtime = .now
            }
            let hasOrigin = try copyMetadata(source, to: to.fd, NameRef.empty, indexed: indexed)
            try syncCopy(to.fd, bytes: copied.bytes)
            return StagedCopy(
                work: work, temporary: temporary, file: to, isDirectory: false, hasOrigin: hasOrigin,
                bytes: copied.bytes, isReflinked: copied.isReflinked, isMetacopy: leavesData)
        } catch {
            if let temporary { temporary.withRef { n in work.discard(n, isDirectory: false) } }
            throw error
        }
    }

    /// Sends a copy's data on their way, so that they are written while the rest is copied. What the disk says is told
    /// by `syncCopy`.
    func beginCopySync(_ file: FD) throws(Errno) {
        guard !options.isVolatile, options.durability != .strict, keepsWriteOrder else { return }
        try file.beginSync(0, 0)
    }

    /// A copy's data are on the disk before its name can be; with `strict` all that is copied is.
    func syncCopy(_ file: FD, bytes: UInt64) throws(Errno) {
        guard bytes > 0 && !options.isVolatile || options.durability == .strict else { return }
        try step(.synchronise)
        if options.durability != .strict, keepsWriteOrder { try file.awaitSync(0, 0) } else { try file.sync() }
    }

    func openSourceData(_ source: CopyUpSource) throws(Errno) -> OwnedFD {
        if let data = source.data { return try data.reopenQuietly(O_RDONLY) }
        if source.name.isEmpty { return try source.directory.reopenQuietly(O_RDONLY) }
        return try source.directory.openQuietly(source.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
    }

    private func stageNamed(
        _ source: CopyUpSource, _ work: WorkDirectory, _ indexed: Bool,
        _ make: (NameRef) throws(Errno) -> Void
    ) throws(Errno) -> StagedCopy {
        let temporary = work.temporaryName()
        let isDirectory = source.status.isDirectory
        return try temporary.withRef { (name) throws(Errno) in
            try step(.makeTemporary)
            try make(name)
            do throws(Errno) {
                let hasOrigin = try copyMetadata(source, to: work.fd, name, indexed: indexed)
                if isDirectory, options.durability == .strict {
                    try step(.synchronise)
                    let made = try work.fd.openDirectory(name)
                    try made.fd.sync()
                }
                return StagedCopy(
                    work: work, temporary: temporary, file: OwnedFD(adopting: -1), isDirectory: isDirectory,
                    hasOrigin: hasOrigin, bytes: 0, isReflinked: false)
            } catch {
                work.discard(name, isDirectory: isDirectory)
                throw error
            }
        }
    }

    /// Shows the copy under its name: one link or rename that fails where something has the name. The directory's times
    /// stay, as nothing of it changed for anybody who looks.
    /// - Precondition: the caller holds the directory's lock and has checked that the name still stands for the source.
    public func publishLocked(_ staged: StagedCopy, in parent: LayerDirectory, _ name: NameRef) throws(Errno) {
        try keepingTimes(of: parent) { () throws(Errno) in
            try step(.publish)
            try place(staged, in: parent.fd, name)
        }
        staged.isPublished = true
        if staged.hasOrigin { try noteImpure(parent) }
    }

    /// The same for a lower file that keeps its other names: the index first, then this name.
    /// - Precondition: as `publishLocked`; one copy-up of the inode at a time.
    public func publishIndexedLocked(
        _ staged: StagedCopy, indexName: FileName, lowerLinks: UInt32,
        in parent: LayerDirectory, _ name: NameRef
    ) throws(Errno) {
        guard let index else { throw .invalid }
        try step(.linkIntoIndex)
        try indexName.withRef { (n) throws(Errno) in try place(staged, in: index.fd, n) }
        staged.isPublished = true
        do throws(Errno) {
            try linkFromIndexLocked(indexName: indexName, links: lowerLinks, lowerLinks: lowerLinks, in: parent, name)
        } catch {
            // Alone in the index it would take the place of the lower file at the next look: as if it had never been.
            do throws(Errno) { try indexName.withRef { (n) throws(Errno) in try index.fd.unlink(n) } } catch {}
            throw error
        }
    }

    /// Gives one more lower name its upper link to the copy in the index (ovl_link_up). `links`: st_nlink of the union,
    /// which stays.
    public func linkFromIndexLocked(
        indexName: FileName, links: UInt32, lowerLinks: UInt32,
        in parent: LayerDirectory, _ name: NameRef
    ) throws(Errno) {
        guard let index else { throw .invalid }
        try indexName.withRef { (n) throws(Errno) in
            try step(.setLinkCount)
            try index.noteLinks(index.fd, n, links: links, relativeToUpper: false, count: lowerLinks)
            var isLinked = false
            do throws(Errno) {
                try keepingTimes(of: parent) { () throws(Errno) in
                    try step(.publish)
                    try index.fd.link(n, to: parent.fd, name)
                    isLinked = true
                }
                try step(.setLinkCount)
                try noteUpperLinks(index, n, links)
            } catch {
                // As it was: without the name, and counted from the upper inode again.
                do throws(Errno) {
                    if isLinked { try keepingTimes(of: parent) { () throws(Errno) in try parent.fd.unlink(name) } }
                    try noteUpperLinks(index, n, links)
                } catch {
                    // The count from the lower inode is right too, as long as no name goes.
                }
                throw error
            }
        }
        try noteImpure(parent)
    }

    private func noteUpperLinks(_ index: Index, _ entry: NameRef, _ links: UInt32) throws(Errno) {
        let copy = try index.fd.status(entry)
        try index.noteLinks(index.fd, entry, links: links, relativeToUpper: true, count: copy.nlink)
    }

    /// For a lower file whose names are all gone while it is open: the copy without a name, open for reading and
    /// writing.
    public func detach(_ staged: StagedCopy) throws(Errno) -> OwnedFD {
        if staged.file.fd.isValid { return try staged.file.fd.duplicate() }
        guard let temporary = staged.temporary else { throw .invalid }
        return try temporary.withRef { (name) throws(Errno) in try staged.work.fd.openPath(name) }
    }

    /// The new upper part of a directory that was just published.
    public func openPublished(in parent: LayerDirectory, _ name: NameRef) throws(Errno) -> LayerDirectory {
        LayerDirectory(
            layer: 0, fd: try parent.fd.openDirectory(name), markers: DirectoryMarkers(), size: 0, device: parent.device
        )
    }

    private func place(_ staged: StagedCopy, in directory: FD, _ name: NameRef) throws(Errno) {
        if let temporary = staged.temporary {
            try temporary.withRef { (t) throws(Errno) in try staged.work.fd.rename(t, to: directory, name, .noReplace) }
        } else {
            try staged.file.fd.linkSelf(to: directory, name)
        }
    }

    private func keepingTimes(of parent: LayerDirectory, _ body: () throws(Errno) -> Void) throws(Errno) {
        let before = try parent.fd.status()
        func change() throws(Errno) {
            try body()
            do throws(Errno) {
                try step(.restoreParentTimes)
                try parent.fd.setTimes(NameRef.empty, access: before.atime, modification: before.mtime)
            } catch {
                // The copy is visible and right; the kernel does not undo it for this either.
            }
        }
        if before.isProtected { try liftingProtection(of: parent, change) } else { try change() }
    }

    /// A copy-up is no change of the union's directory, and goes into an immutable or append-only one too: the flags
    /// are taken away for the moment of the link.
    private func liftingProtection(of directory: LayerDirectory, _ body: () throws(Errno) -> Void) throws(Errno) {
        let flags = try directory.fd.fileFlags()
        try directory.fd.setFileFlags(flags & ~UInt32(0x30 /* FS_IMMUTABLE_FL | FS_APPEND_FL */))
        do throws(Errno) { try body() } catch {
            do throws(Errno) { try directory.fd.setFileFlags(flags) } catch {}
            throw error
        }
        // The copy is visible: an error now would say that it is not. Flags that could be taken away can be given back.
        do throws(Errno) { try directory.fd.setFileFlags(flags) } catch {}
    }

    /// `overlay.impure` on a directory: some child shows another inode number than its own.
    func noteImpure(_ directory: LayerDirectory) throws(Errno) {
        if directory.isImpure || !upperHasXattrs { return }
        do throws(Errno) {
            try step(.setImpure)
            try directory.fd.setXattr(NameRef.empty, OverlayXattr.impure.name(xattrs), text: "y")
        } catch { return /* Only d_ino after a remount depends on it. */ }
        directory.noteImpure()
    }
}

extension LayerStack {
    /// A child that may show another number than its own came to this directory.
    public func noteChildFromElsewhere(_ directory: LayerDirectory) throws(Errno) { try noteImpure(directory) }
}

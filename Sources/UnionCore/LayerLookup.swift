public import LinuxSys

/// What a name of a merged directory stands for.
public struct Found: Sendable {
    /// Layer of the topmost object, the one that is shown.
    public var layer: Int
    /// That is the upper layer.
    public var isInUpper = false
    public var status: FileStatus
    /// The number to show as st_ino: that of the lower origin where there is one, so that it does not change at
    /// copy-up.
    public var ino: UInt64
    /// For directories: all parts. Nil where it was asked not to open them and one layer alone has it.
    public var directory: MergedDirectory?
    /// A directory of more than one part.
    public var isMerged: Bool { directory?.isMerged ?? false }
    /// For a file that several lower names share (index=on): its name in the index directory.
    public var indexName: FileName?
    /// With `indexName`: the object is the copy in the index.
    public var isIndexed = false
    /// The file shown is the copy in the index; the name itself has none in the upper layer yet.
    public var isShownFromIndex = false
    /// st_nlink to show, where it is not the object's own.
    public var nlink: UInt32
    /// With `indexName`: st_nlink of the lower file.
    public var lowerLinks: UInt32 = 0
    /// The object shown has no data of its own (metacopy): they are in a layer below.
    public var isMetacopy = false
    /// With `isMetacopy`: st_blocks of the data, where they were looked at.
    public var dataBlocks: UInt64?
    /// Whether it has data was not asked (`lookup`, `isBrief`).
    public var isDataUnseen = false
}

extension LayerStack {
    /// Looks a name up through the parts of a directory, uppermost first. Nil: there is no such name in the union.
    ///
    /// Costs one statx for each part down to the first file or opaque directory, two where OCI whiteouts are read and
    /// the name is missing; for a directory also open, listxattr, statx of the OCI mark.
    /// - Parameters:
    ///   - layers: that have something under the name (`MergedListing`): the others are not asked.
    ///   - isBrief: of a directory that one layer alone has nothing is opened, for two calls in place of four; and a
    ///     lower file whose blocks could hold it all is not asked whether it is a metacopy (`Found.isDataUnseen`),
    ///     which saves a getxattr.
    public func lookup(
        _ parent: MergedDirectory, _ name: NameRef, in layers: LayerSet = .all, isBrief: Bool = false
    ) throws(Errno) -> Found? {
        if readsOCIWhiteouts, Whiteout.isMarkerName(name) { return nil }
        var known: FileStatus?
        if isBrief, let layer = layers.single, let part = parent.part(inLayer: layer),
            case .object(let status) = try see(part, name)
        {
            if let found = try lookupClosed(part, name, status) { return found }
            known = status
        }
        var found = DirectoryUnderWay()
        for part in parent.parts where layers.contains(part.layer) {
            switch try look(part, name, &found, known: known) {
            case .absent: continue
            case .end: return try found.result(self)
            case .file(let status):
                var file = try file(parent, part, name, status, isBrief: isBrief)
                if file.isMetacopy { try followMetacopy(&file, parent, name) }
                return file
            case .directory(let redirect):
                guard let redirect else { continue }
                if !followsRedirects {
                    // As ovl_lookup: of the last part a redirect is not even read; below another lower one it is
                    // refused wherever it leads.
                    if part.layer == parent.parts.last?.layer { continue }
                    if !(hasUpper && part.layer == 0) { throw .notPermitted }
                }
                let above = found.parts.count
                let whole = try lookupBelow(part.layer, parent, redirect, &found)
                // Who mounts with redirect_dir=nofollow does not trust what a layer says of others: to show only a part
                // of the directory would be worse than an error (ovl_lookup).
                if !followsRedirects, found.parts.count > above { throw .notPermitted }
                return whole
            }
        }
        return try found.result(self)
    }

    /// A directory that one layer alone has and that says nothing of itself: a listxattr. Nil for all else.
    private func lookupClosed(_ part: LayerDirectory, _ name: NameRef, _ status: FileStatus) throws(Errno) -> Found? {
        guard status.isDirectory, !hasOverrides else { return nil }
        let attributes = try part.fd.listXattrs(name)
        var saysSomething = false
        attributes.forEachName {
            if visibility.isOverlayOwn($0) && !$0.equals(OverlayXattr.origin.name(xattrs)) { saysSomething = true }
        }
        if saysSomething { return nil }
        return Found(
            layer: part.layer, isInUpper: hasUpper && part.layer == 0, status: status,
            ino: number(status, ofLayer: part.layer, part.fd, name), nlink: status.nlink)
    }

    /// The same without the upper layer: what a name would show if the upper layer had nothing of it.
    public func existsBelowUpper(
        _ parent: MergedDirectory, _ name: NameRef, in layers: LayerSet = .all
    ) throws(Errno) -> Bool {
        for part in parent.lowerParts where layers.contains(part.layer) {
            switch try see(part, name) {
            case .object(let status): return try !isWhiteout(status, part, name)
            case .covered: return true
            case .nothing: if hasOCIWhiteout(part, name) { return false }
            }
        }
        return false
    }

    /// One name of one layer, where a file is looked for.
    enum FileLook {
        case absent, end
        case file(FileHit)
    }
    func lookForFile(_ part: LayerDirectory, _ name: NameRef) throws(Errno) -> FileLook {
        var none = DirectoryUnderWay()
        return switch try look(part, name, &none) {
        case .absent: .absent
        case .file(let status): .file(FileHit(part: part, name: name.owned, status: status))
        case .end, .directory: .end
        }
    }
    /// The same by a path from a layer's root, which becomes what the layers below call it.
    func lookPathForFile(_ layer: Layer, _ path: inout FileName) throws(Errno) -> FileLook {
        var none = DirectoryUnderWay()
        var holder: LayerDirectory?
        switch try lookPath(layer, &path, &none, &holder) {
        case .absent: return .absent
        case .file(let status):
            guard let holder, let name = path.bytes.split(separator: UInt8(ascii: "/")).last else { return .end }
            return .file(FileHit(part: holder, name: FileName(bytes: Array(name)), status: status))
        case .end, .directory: return .end
        }
    }

    private enum Look {
        case absent, end
        case file(FileStatus)
        case directory(redirect: FileName?)
    }

    /// A directory gathered part by part.
    private struct DirectoryUnderWay {
        var parts: [LayerDirectory] = []
        var statuses: [FileStatus] = []

        func result(_ stack: LayerStack) throws(Errno) -> Found? {
            guard let top = parts.first, let status = statuses.first else { return nil }
            let hasUpper = stack.hasUpper && top.layer == 0
            // The number of the topmost lower part: that part stays when the directory is copied up.
            let numbered = hasUpper && parts.count > 1 ? 1 : 0
            let ino = stack.number(statuses[numbered], ofLayer: parts[numbered].layer, parts[numbered].fd)
            // A merged directory's own count would be of one layer only; 1 says "not counted", as overlayfs does.
            return Found(
                layer: top.layer, isInUpper: hasUpper, status: status, ino: ino,
                directory: MergedDirectory(parts: parts, hasUpper: hasUpper),
                nlink: parts.count > 1 ? 1 : status.nlink)
        }
    }

    /// One part. A directory is opened and added; whether the search goes on below is in the answer.
    /// - Parameter known: its status, where it was asked for just now.
    private func look(
        _ part: LayerDirectory, _ name: NameRef, _ found: inout DirectoryUnderWay, known: FileStatus? = nil
    ) throws(Errno) -> Look {
        let seen: Seen
        if let known { seen = .object(known) } else { seen = try see(part, name) }
        var status: FileStatus
        switch seen {
        case .nothing: return hasOCIWhiteout(part, name) ? .end : .absent
        case .object(let object): status = object
        case .covered(let directory):
            found.parts.append(try coveredDirectory(part))
            found.statuses.append(directory)
            return .directory(redirect: nil)
        }
        if try isWhiteout(status, part, name) { return .end }
        if hasOverrides { status = try overridden(status, part.fd, name, layer: part.layer) }
        guard status.isDirectory else {
            // Below a directory a file of the same name is hidden, and all that lies below it.
            return found.parts.isEmpty ? .file(status) : .end
        }
        let fd = try part.fd.openDirectory(name)
        let markers = try readMarkers(fd.fd)
        if markers.protected, hasUpper, part.layer == 0 { adoptProtection(part.fd, name) }
        let directory = LayerDirectory(
            layer: part.layer, fd: fd, markers: markers, size: status.size, device: status.dev)
        found.parts.append(directory)
        found.statuses.append(status)
        if markers.opaque || hasOCIWhiteout(part, name) { return .end }
        return .directory(redirect: markers.redirect)
    }

    /// Goes on in the layers below `layer`, where the directory is known by another name or at another path.
    private func lookupBelow(
        _ layer: Int, _ parent: MergedDirectory, _ redirect: FileName,
        _ found: inout DirectoryUnderWay
    ) throws(Errno) -> Found? {
        var redirect = redirect
        var from = layer
        var holder: LayerDirectory?
        // Each layer may redirect once more; layers only go down, so this ends.
        search: while true {
            if Redirect.isAbsolute(redirect) {
                var path = redirect
                var next: FileName?
                for layer in layers where layer.index > from {
                    switch try lookPath(layer, &path, &found, &holder) {
                    case .absent: continue
                    case .end, .file: break search
                    case .directory(let more):
                        guard let more else { continue }
                        next = more
                    }
                    from = layer.index
                    break
                }
                guard let more = next else { break }
                redirect = Redirect.isAbsolute(more) ? more : Redirect.sibling(of: path, named: more)
            } else {
                let own = redirect
                var next: FileName?
                for part in parent.parts where part.layer > from {
                    let look = try own.withRef { (n) throws(Errno) in try self.look(part, n, &found) }
                    switch look {
                    case .absent: continue
                    case .end, .file: break search
                    case .directory(let more):
                        guard let more else { continue }
                        next = more
                    }
                    from = part.layer
                    break
                }
                guard let more = next else { break }
                redirect = more
            }
        }
        return try found.result(self)
    }

    /// A path from a layer's root, component by component: each may be missing, a whiteout, a file, or opaque. `path`
    /// becomes what the layers below call it: a directory on the way may have been renamed in this one
    /// (ovl_check_redirect). `holder`: the directory that has the last name.
    private func lookPath(
        _ layer: Layer, _ path: inout FileName, _ found: inout DirectoryUnderWay,
        _ holder: inout LayerDirectory?
    ) throws(Errno) -> Look {
        var at = layer.root
        var endsHere = false
        var below: [UInt8] = []
        let components = path.bytes.split(separator: UInt8(ascii: "/")).map { FileName(bytes: $0) }
        for (position, name) in components.enumerated() {
            if position == components.count - 1 {
                let look = try name.withRef { (n) throws(Errno) in try self.look(at, n, &found) }
                holder = at
                path = FileName(bytes: below).appending(component: name)
                if case .directory(let redirect) = look, endsHere, !(redirect.map { Redirect.isAbsolute($0) } ?? false)
                {
                    return .end
                }
                if case .absent = look, endsHere { return .end }
                return look
            }
            var step = DirectoryUnderWay()
            switch try name.withRef({ (n) throws(Errno) in try self.look(at, n, &step) }) {
            case .absent:
                path = components[position...].reduce(FileName(bytes: below)) { $0.appending(component: $1) }
                return endsHere ? .end : .absent
            case .file: return .end
            case .end:
                // A whiteout adds nothing; an opaque directory is entered, and nothing below it counts.
                guard let entered = step.parts.first else { return .end }
                endsHere = true
                at = entered
            case .directory(let redirect):
                guard let entered = step.parts.first else { return .end }
                at = entered
                if let redirect, Redirect.isAbsolute(redirect) {
                    // Out of an opaque directory above, into which this one was moved (ovl_check_redirect).
                    endsHere = false
                    below = Array(redirect.bytes)
                } else {
                    below += [UInt8(ascii: "/")] + (redirect ?? name).bytes
                }
            }
        }
        return .absent
    }

    /// A file: its number, and for one that has several names in its layer, what the index has of it.
    private func file(
        _ parent: MergedDirectory, _ part: LayerDirectory, _ name: NameRef, _ status: FileStatus, isBrief: Bool
    ) throws(Errno) -> Found {
        if hasCopies(part.layer) { return try upperFile(parent, part, name, status) }
        var found = Found(
            layer: part.layer, status: status, ino: number(status, ofLayer: part.layer, part.fd, name),
            nlink: status.nlink)
        if status.isRegular {
            if isBrief, status.hasRoomForData {
                found.isDataUnseen = true
            } else {
                found.isMetacopy = try isMetacopy(part.fd, name)
            }
        }
        if let index, status.nlink > 1, isIndexed(status),
            let handle = try originHandle(part.fd, name, layer: part.layer)
        {
            let indexName = handle.indexName
            found.indexName = indexName
            found.lowerLinks = status.nlink
            if var copy = try index.status(indexName) {
                if hasOverrides {
                    copy = try indexName.withRef { (n) throws(Errno) in try overridden(copy, index.fd, n, layer: 0) }
                }
                found.layer = 0
                found.isInUpper = hasUpper
                found.isIndexed = true
                found.status = copy
                found.isShownFromIndex = true
                found.isDataUnseen = false
                if copy.isRegular {
                    found.isMetacopy = try indexName.withRef { (n) throws(Errno) in try isMetacopy(index.fd, n) }
                }
                found.nlink = try index.unionLinks(indexName, upper: copy.nlink, lower: status.nlink)
            }
        }
        return found
    }

    /// The upper layer, or what was it and has its index with it.
    func hasCopies(_ layer: Int) -> Bool { layer == 0 && (hasUpper || index != nil) }

    /// user.* attributes are for regular files and directories: others cannot say where in the index they belong.
    private func isIndexed(_ status: FileStatus) -> Bool { xattrs == .trusted || status.isRegular }

    private func upperFile(
        _ parent: MergedDirectory, _ part: LayerDirectory, _ name: NameRef, _ status: FileStatus
    ) throws(Errno) -> Found {
        var found = Found(
            layer: 0, isInUpper: hasUpper, status: status, ino: number(status, ofLayer: 0, part.fd, name),
            nlink: status.nlink)
        let markers = try readFileMarkers(part.fd, name)
        found.isMetacopy = markers.metacopy && status.isRegular
        if markers.protected, hasUpper { adoptProtection(part.fd, name) }
        guard markers.origin, let origin = try readOrigin(part.fd, name) else {
            if markers.number, let number = try readNumber(part.fd, name) { found.ino = number }
            return found
        }
        if let index, status.nlink > 1 {
            let indexName = origin.indexName
            if let copy = try index.status(indexName), copy.ino == status.ino, copy.dev == status.dev {
                found.indexName = indexName
                found.isIndexed = true
                let lower = try resolve(origin, parent, name)
                found.lowerLinks = lower?.links ?? 1
                found.nlink = try index.unionLinks(indexName, upper: status.nlink, lower: lower?.links ?? status.nlink)
                if let lower { found.ino = lower.number }
                return found
            }
        }
        // Lower names that are not kept together by the index may have become several upper files: only one could have
        // the number. With an index they are not, so one whose count cannot be seen has one name.
        if let lower = try resolve(origin, parent, name), (lower.links ?? (index == nil ? 2 : 1)) == 1 {
            found.ino = lower.number
        }
        return found
    }
}

extension Redirect {
    /// A path beside another one.
    static func sibling(of path: FileName, named name: FileName) -> FileName {
        var bytes = Array(path.bytes)
        while let last = bytes.last, last != UInt8(ascii: "/") { bytes.removeLast() }
        return FileName(bytes: bytes + Array(name.bytes))
    }
}

extension FileStatus {
    /// Its blocks could hold all of it. A metacopy has none of its own, but for those of its attributes, and on
    /// filesystems that count blocks by size (squashfs): who reads it asks then, and st_blocks is right by then all the
    /// same: at least as many as were counted.
    fileprivate var hasRoomForData: Bool { blocks &* 512 >= size }
}

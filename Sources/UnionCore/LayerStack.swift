internal import Glibc
public import LinuxSys

/// The layers of one union, opened: what every operation on it starts from. Immutable.
public final class LayerStack: Sendable {
    /// The upper layer first where there is one, then the lower ones from the top.
    public let layers: [Layer]
    /// Below all of them, seen only through what metacopy files say (`lowerdir=A::D`).
    public let dataLayers: [Layer]
    public let hasUpper: Bool
    public let work: WorkDirectory?
    /// Of the uppermost layer, the upper one or what was it (`EarlierIndex`).
    public let index: Index?
    /// The root of the union.
    public let root: MergedDirectory
    public let options: MountOptions

    /// Where overlay's own attributes are read and written.
    public let xattrs: XattrNamespace
    /// What the mount shows of a layer's attributes.
    public let visibility: XattrVisibility
    public let readsOCIWhiteouts: Bool
    public let followsRedirects: Bool
    /// open_by_handle_at(2) is allowed: origins can be followed.
    public let canOpenHandles: Bool
    /// What is not as it was asked for, or may surprise: sentences for a person.
    public let notes: [String]
    /// How many filesystems the layers lie on.
    public var filesystemCount: Int { filesystems.roots.count }
    let filesystems: Filesystems
    /// The upper layer takes overlay's attributes; without them opaque directories and inode numbers over remounts are
    /// lost.
    public let upperHasXattrs: Bool
    /// FICLONE was refused once: not asked for again.
    let reflinkFails = OnceFlag()
    /// Some layer keeps owners and modes in an attribute, or shows others than it has (`ownersAsStored`).
    let hasOverrides: Bool
    /// To see owners of an id-mapped layer as the others have them, where the mount maps by itself; nil: nothing of
    /// that.
    let ownersAsStored: OwnerMapping?
    /// No lower file can be written through what we have of it, whatever goes wrong.
    public let lowersAreReadOnly: Bool
    /// Of the upper filesystem: see `WriteOrder`.
    let keepsWriteOrder: Bool
    /// Nobody else uses the work directory.
    private let ownsWork: Bool
    /// Root of the private mount that upper and work were opened through; nil where there is none (`UpperMount`).
    private let ownMount: UpperMount?
    /// What the option names, with `work` in it.
    private let outerWork: OwnedFD
    /// Made to fail on purpose, in tests.
    public let faults: FaultPlan?

    /// - Parameters:
    ///   - ownsWork: nobody else uses the work directory, so that what is left in it may be removed.
    ///   - held: the directories are open already, and in use: nothing is cleaned.
    ///   - faults: for tests.
    /// - Throws: with the layer and the reason.
    public init(
        options: MountOptions, ownsWork: Bool = true, held: HeldLayers? = nil, faults: FaultPlan? = nil
    ) throws(UnionError) {
        self.ownsWork = ownsWork
        var told: [String] = []
        var filesystems: [UInt64] = []
        var opened: [Layer] = []
        let trusted = Process.hasCapability(Capability.sysAdmin) && Process.isInInitialUserNamespace
        let namespace: XattrNamespace = options.userXattr ?? !trusted ? .user : .trusted
        xattrs = namespace
        self.faults = faults
        readsOCIWhiteouts = options.whiteouts.readsNames
        followsRedirects = options.redirectDir.follows
        let upper = options.readOnly ? nil : options.upper
        hasUpper = upper != nil

        let owners = OwnerMapping(options)
        let mapsOwners = !owners.isIdentity
        // What was handed on lies on that mount already.
        let rule = AccessTimeRule(options.flags, isReadOnly: false)
        let own = try Opening.ownMount(upper, options.work, rule, held)
        ownMount = own
        if let upper {
            var isPrivate = false
            let fd = try Opening.directory(
                upper, &isPrivate, clone: false, what: "upper directory", held: held?.layer(0)
            ) { () throws(Errno) in try own?.openUpper() }
            opened.append(try Opening.layer(0, true, upper, fd, &filesystems, namespace, options, isPrivate: isPrivate))
        }
        // Read-only, with an upper directory: its contents are the top of the view all the same.
        let lowers = (options.readOnly ? options.upper.map { [$0] } ?? [] : []) + options.lower
        guard !lowers.isEmpty || upper != nil else {
            throw UnionError(.invalid, "no layers: name at least one with --lower DIR or -o lowerdir=DIR")
        }
        for path in lowers {
            // A mount of its own: nothing mounted below the layer is in view, this union above all.
            var isPrivate = false
            let fd = try Opening.directory(
                path, &isPrivate, clone: true, what: "lower directory", held: held?.layer(opened.count))
            let isMapped = mapsOwners && held.map { $0.idMapped.contains(opened.count) } ?? IDMappedMount.has(path)
            opened.append(
                try Opening.layer(
                    opened.count, false, path, fd, &filesystems, namespace, options, isIDMapped: isMapped,
                    isPrivate: isPrivate))
        }
        var data: [Layer] = []
        var others: [UInt64] = []
        for path in options.dataLower {
            var isPrivate = false
            let fd = try Opening.directory(
                path, &isPrivate, clone: true, what: "data layer", held: held?.dataLayer(data.count))
            data.append(
                try Opening.layer(
                    opened.count + data.count, false, path, fd, &others, namespace, options, isPrivate: isPrivate))
        }
        dataLayers = data
        layers = opened
        keepsWriteOrder = opened.first.map { $0.isUpper && WriteOrder.isKept(by: $0.root.fd) } ?? false
        var readsThroughReadOnlyMounts = (opened + data).allSatisfy { $0.isUpper || $0.isReadOnlyMount }
        let keepsOverrides = opened.contains { $0.override != nil }
        ownersAsStored = opened.contains { $0.isIDMapped } ? owners : nil
        hasOverrides = keepsOverrides || ownersAsStored != nil
        visibility = XattrVisibility(namespace, hidesOverrides: keepsOverrides)
        var options = options
        // An access list on the disk would speak of other owners.
        if opened.first?.isUpper == true, opened.first?.override != nil { options.noACL = true }
        self.options = options
        self.filesystems = Filesystems(roots: filesystems)
        root = MergedDirectory(parts: Opening.rootParts(opened), hasUpper: upper != nil)
        canOpenHandles = Opening.canOpenHandles(opened)

        if let upper, let path = options.work {
            var isPrivate = false
            let outer = try Opening.directory(path, &isPrivate, clone: false, what: "work directory", held: held?.work)
            { () throws(Errno) in try own?.openWork() }
            let inner = try Opening.subdirectory(outer.fd, "work", path)
            let work = WorkDirectory(fd: inner, xattrs: namespace, readsMarkers: options.whiteouts.readsNames)
            if work.whiteoutForm == nil {
                let names =
                    options.whiteouts.readsNames
                    ? "names that begin with .wh." : "(with whiteouts=overlay) names as whiteouts"
                throw UnionError(
                    .notSupported,
                    """
                    upper directory \(upper) cannot have whiteouts, so nothing could be removed: its filesystem \
                    refuses 0/0 devices, \(names) and overlay's extended attributes; choose another filesystem \
                    for it, or mount with -o ro
                    """
                )
            }
            if ownsWork, held == nil {
                do throws(Errno) { try work.clean() } catch {
                    throw UnionError(
                        error,
                        """
                        work directory \(path): what an earlier mount left in \(path)/work cannot be removed: \
                        \(error.text)
                        """
                    )
                }
            }
            self.work = work
            upperHasXattrs = Opening.probeXattrs(work, namespace)
            var verified: Index?
            if options.index != .off, upperHasXattrs, opened.allSatisfy({ $0.hasHandles }) {
                do throws(UnionError) {
                    let fd = try Opening.subdirectory(outer.fd, "index", path)
                    let index = Index(directory: fd, xattrs: namespace)
                    try Opening.verify(
                        index, path, opened, namespace, opensHandles: canOpenHandles, cleans: ownsWork && held == nil)
                    verified = index
                } catch {
                    // Asked for, it must be right; else hard links part at a copy-up, as without an index.
                    if options.index == .on { throw error }
                    told.append("index=off: \(error.message)")
                }
            } else if options.index == .on {
                told.append(
                    "index=off: "
                        + (upperHasXattrs
                            ? "a layer's filesystem has no file handles"
                            : "the upper directory takes no extended attributes"))
            }
            index = verified
            outerWork = outer
        } else if let upper {
            throw UnionError(
                .invalid,
                """
                upper directory \(upper) needs a work directory: name one with --work DIR, empty, on the same \
                filesystem
                """
            )
        } else {
            work = nil
            upperHasXattrs = false
            if options.index != .off,
                let earlier = try EarlierIndex(
                    opened, namespace, work: options.readOnly && options.upper != nil ? options.work : nil,
                    held: held?.work)
            {
                readsThroughReadOnlyMounts = readsThroughReadOnlyMounts && earlier.isReadOnlyMount
                index = earlier.index
                outerWork = earlier.work
            } else {
                index = nil
                outerWork = OwnedFD(adopting: -1)
            }
        }
        lowersAreReadOnly = readsThroughReadOnlyMounts
        notes = told
        // Other directories are looked at when they are looked up.
        if let top = root.upper { adoptProtection(top.fd, NameRef.empty) }
    }

    /// What requests of a process that died have left in the work directory goes; two mounts that share one leave it to
    /// the next mount.
    public func cleanWork() {
        work?.renew()
        guard ownsWork, let work else { return }
        do throws(Errno) { try work.clean() } catch {
            // Names are new ones: nothing of the union depends on it.
        }
    }

    /// Takes leave of the disk: at unmount, after the last request.
    public func close() { work?.close() }

    public var upperLayer: Layer? { hasUpper ? layers.first : nil }
    public var workDirectory: FD? { outerWork.fd.isValid ? outerWork.fd : nil }
    /// Nil where upper and work were opened by their paths.
    public var upperMount: FD? { ownMount?.tree.fd }

}

/// Steps of opening a stack.
private enum Opening {
    /// Of upper and work.
    static func ownMount(
        _ upper: FileName?, _ work: FileName?, _ rule: AccessTimeRule, _ held: HeldLayers?
    ) throws(UnionError) -> UpperMount? {
        guard let upper, let work else { return nil }
        guard let held else { return UpperMount(upper: upper, work: work, rule) }
        guard let tree = held.upperMount else { return nil }
        do throws(Errno) { return try UpperMount(adopting: tree) } catch {
            throw UnionError(error, "the mount of the upper directory that the program before has left: \(error.text)")
        }
    }

    /// - Parameter isPrivate: becomes true where nothing can be mounted below what is opened. Of one that is held
    ///   that is not known.
    static func directory(
        _ path: FileName, _ isPrivate: inout Bool, clone: Bool, what: String, held: FD? = nil,
        own: () throws(Errno) -> OwnedFD? = { nil }
    ) throws(UnionError) -> OwnedFD {
        var cloned = false
        defer { isPrivate = cloned }
        do throws(Errno) {
            if let held { return try held.openDirectory(NameRef.dot) }
            if let directory = try own() { return directory }
            return try path.withRef { (p) throws(Errno) in
                if clone {
                    do throws(Errno) {
                        let tree = try FD.cloneReadOnly(p)
                        let directory = try tree.fd.openDirectory(NameRef.dot)
                        cloned = true
                        return directory
                    } catch {
                        // Not allowed here, or the path is wrong, which the next call tells better.
                    }
                }
                return try FD.currentDirectory.open(p, O_RDONLY | O_DIRECTORY)
            }
        } catch {
            switch error {
            case .noEntry: throw UnionError(error, "\(what) \(path) does not exist: make it, or correct the path")
            case .notDirectory: throw UnionError(error, "\(what) \(path) is not a directory")
            default: throw UnionError(error, "\(what) \(path) cannot be opened: \(error.text)")
            }
        }
    }

    static func layer(
        _ index: Int, _ isUpper: Bool, _ path: FileName, _ fd: consuming OwnedFD, _ filesystems: inout [UInt64],
        _ namespace: XattrNamespace, _ options: MountOptions, isIDMapped: Bool = false, isPrivate: Bool
    ) throws(UnionError) -> Layer {
        let override = try override(fd.fd, isUpper, path, options)
        do throws(Errno) {
            let status = try fd.fd.status()
            let filesystem: Int
            if let known = filesystems.firstIndex(of: status.dev) {
                filesystem = known
            } else {
                filesystem = filesystems.count
                filesystems.append(status.dev)
            }
            var markers = DirectoryMarkers()
            markers.impure = try fd.fd.xattrFirstByte(NameRef.empty, OverlayXattr.impure.name(namespace)) != nil
            for form in [
                NameRef("trusted.overlay.opaque"), NameRef("user.overlay.opaque"), NameRef("user.fuseoverlayfs.opaque"),
            ] {
                switch try fd.fd.xattrFirstByte(NameRef.empty, form) {
                case UInt8(ascii: "y"): markers.opaque = true
                case UInt8(ascii: "x"): markers.xattrWhiteouts = true
                default: break
                }
            }
            if options.whiteouts.readsNames, !markers.opaque {
                do throws(Errno) {
                    _ = try fd.fd.status(NameRef(".wh..wh..opq"))
                    markers.opaque = true
                } catch { if error != .noEntry { throw error } }
            }
            return Layer(
                index: index, isUpper: isUpper, path: path, root: fd, filesystem: filesystem, status: status,
                override: override, isIDMapped: isIDMapped, markers: markers,
                isPrivate: isPrivate, mountpoints: isUpper ? [] : options.mountpoint.map { [$0] } ?? [],
                knowsUUID: options.uuid != .off)
        } catch {
            throw UnionError(error, "layer \(path): \(error.text)")
        }
    }

    /// A layer's root has the attribute where the whole layer is written so. An upper layer gets it by
    /// `xattr_permissions`.
    ///
    /// Anybody who owns a directory can say by a `user.` attribute that its files are root's, with suid: as root of the
    /// machine only who mounts with the option believes that.
    private static func override(
        _ root: FD, _ isUpper: Bool, _ path: FileName,
        _ options: MountOptions
    ) throws(UnionError) -> OverrideForm? {
        let believesUsers =
            options.xattrPermissions != 0 || Process.effectiveUser != 0 || !Process.isInInitialUserNamespace
        do throws(Errno) {
            for form in OverrideForm.allCases where form == .privileged || believesUsers {
                if try root.xattrIfPresent(NameRef.empty, form.name) != nil { return form }
            }
            guard isUpper, let form = OverrideForm(option: options.xattrPermissions) else { return nil }
            try root.setXattr(NameRef.empty, form.name, StatOverride(try root.status()).text)
            return form
        } catch {
            throw UnionError(
                error,
                """
                layer \(path): xattr_permissions=\(options.xattrPermissions) needs a filesystem that takes such \
                attributes: \(error.text)
                """
            )
        }
    }

    /// Down to the first layer whose root is opaque.
    static func rootParts(_ layers: [Layer]) -> [LayerDirectory] {
        var parts: [LayerDirectory] = []
        for layer in layers {
            parts.append(layer.root)
            if layer.root.markers.opaque { break }
        }
        return parts
    }

    static func canOpenHandles(_ layers: [Layer]) -> Bool {
        guard let lower = layers.last else { return false }
        do throws(Errno) {
            let handle = try lower.root.fd.handle(NameRef.empty)
            _ = try lower.root.fd.open(handle: handle, OpenFlags.path)
            return true
        } catch { return false }
    }

    static func verify(
        _ index: Index, _ work: FileName, _ layers: [Layer], _ xattrs: XattrNamespace,
        opensHandles: Bool, cleans: Bool
    ) throws(UnionError) {
        guard let upper = layers.first, upper.isUpper, layers.count > 1 else { return }
        let verification = IndexVerification(
            upper: upper, lower: layers[1], index: index, xattrs: xattrs, workPath: work
        ) { (origin) throws(Errno) in
            guard opensHandles, let layer = layers.layer(of: origin, origin.handle) else { return nil }
            let object = try layer.open(origin)
            return object != nil
        }
        try verification.run(cleans: cleans)
    }

    static func subdirectory(_ outer: FD, _ name: NameRef, _ path: FileName) throws(UnionError) -> OwnedFD {
        do throws(Errno) {
            do throws(Errno) { try outer.makeDirectory(name, mode: 0o700) } catch {
                if error != .exists { throw error }
            }
            return try outer.openDirectory(name)
        } catch {
            throw UnionError(error, "work directory \(path): cannot make or open \(name.owned) in it: \(error.text)")
        }
    }
    static func subdirectory(_ outer: FD, _ name: StaticString, _ path: FileName) throws(UnionError) -> OwnedFD {
        try subdirectory(outer, NameRef(name), path)
    }

    /// Whether overlay's attributes can be set on the upper filesystem.
    static func probeXattrs(_ work: WorkDirectory, _ namespace: XattrNamespace) -> Bool {
        let name = work.temporaryName()
        return name.withRef { n in
            do throws(Errno) {
                try work.fd.makeDirectory(n, mode: 0o700)
                defer { work.discard(n, isDirectory: true) }
                try work.fd.setXattr(n, OverlayXattr.opaque.name(namespace), text: "y")
                return true
            } catch { return false }
        }
    }
}

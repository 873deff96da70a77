public import LinuxSys

/// Where overlay's own attributes live: `trusted.` needs CAP_SYS_ADMIN in the initial user namespace, `user.` does not.
public enum XattrNamespace: Sendable { case trusted, user }

/// Overlay's own extended attributes, spelled as fs/overlayfs/overlayfs.h spells them.
public enum OverlayXattr: Sendable {
    case opaque, redirect, origin, impure, nlink, upper, metacopy, whiteout, uuid, protattr
    /// Ours alone (`LayerStack.noteNumber`).
    case number

    public func name(_ namespace: XattrNamespace) -> NameRef {
        switch (namespace, self) {
        case (.trusted, .opaque): NameRef("trusted.overlay.opaque")
        case (.trusted, .redirect): NameRef("trusted.overlay.redirect")
        case (.trusted, .origin): NameRef("trusted.overlay.origin")
        case (.trusted, .impure): NameRef("trusted.overlay.impure")
        case (.trusted, .nlink): NameRef("trusted.overlay.nlink")
        case (.trusted, .upper): NameRef("trusted.overlay.upper")
        case (.trusted, .metacopy): NameRef("trusted.overlay.metacopy")
        case (.trusted, .whiteout): NameRef("trusted.overlay.whiteout")
        case (.trusted, .uuid): NameRef("trusted.overlay.uuid")
        case (.trusted, .protattr): NameRef("trusted.overlay.protattr")
        case (.trusted, .number): NameRef("trusted.overlay.unionfsd.number")
        case (.user, .number): NameRef("user.overlay.unionfsd.number")
        case (.user, .opaque): NameRef("user.overlay.opaque")
        case (.user, .redirect): NameRef("user.overlay.redirect")
        case (.user, .origin): NameRef("user.overlay.origin")
        case (.user, .impure): NameRef("user.overlay.impure")
        case (.user, .nlink): NameRef("user.overlay.nlink")
        case (.user, .upper): NameRef("user.overlay.upper")
        case (.user, .metacopy): NameRef("user.overlay.metacopy")
        case (.user, .whiteout): NameRef("user.overlay.whiteout")
        case (.user, .uuid): NameRef("user.overlay.uuid")
        case (.user, .protattr): NameRef("user.overlay.protattr")
        }
    }
}

/// How an attribute's name in the mount is spelled in a layer, and back. Overlay's own are hidden; a nested overlay's
/// (`trusted.overlay.x` set inside the mount) are escaped as `trusted.overlay.overlay.x`, as the kernel does since 6.7.
public struct XattrVisibility: Sendable {
    private let namespace: XattrNamespace
    /// Some layer is written with `StatOverride`: those attributes are no contents then.
    private let hidesOverrides: Bool

    public init(_ namespace: XattrNamespace, hidesOverrides: Bool = false) {
        self.namespace = namespace
        self.hidesOverrides = hidesOverrides
    }

    /// Bytes of the prefix of the namespace in force: `trusted.overlay.` or `user.overlay.`.
    private func prefixLength(_ name: NameRef) -> Int? {
        switch namespace {
        case .trusted: name.hasPrefix("trusted.overlay.") ? 16 : nil
        case .user: name.hasPrefix("user.overlay.") ? 13 : nil
        }
    }
    /// What fuse-overlayfs and containers/storage keep for themselves in layers that they wrote.
    private func isForeignPrivate(_ name: NameRef) -> Bool {
        if name.hasPrefix("user.fuseoverlayfs.") { return true }
        return hidesOverrides
            && (name.equals(OverrideForm.containers.name) || name.equals(OverrideForm.privileged.name))
    }

    /// Lends the name by which a layer knows `name`; nil where the mount must not have it.
    public func withLayerName<R>(_ name: NameRef, _ body: (NameRef) throws(Errno) -> R) throws(Errno) -> R? {
        if isForeignPrivate(name) { return nil }
        guard let length = prefixLength(name) else { return try body(name) }
        let rest = name.dropping(length)
        return switch namespace {
        case .trusted: try rest.withPrefix("trusted.overlay.overlay.", body)
        case .user: try rest.withPrefix("user.overlay.overlay.", body)
        }
    }

    /// What the mount shows of a layer's attribute: the same name, an unescaped one, or nothing.
    public enum Shown {
        case same
        case unescaped(dropAfterPrefix: Int, prefix: Int)
        case hidden
    }
    public func shown(_ name: NameRef) -> Shown {
        if isForeignPrivate(name) { return .hidden }
        guard let length = prefixLength(name) else { return .same }
        if name.dropping(length).hasPrefix("overlay.") { return .unescaped(dropAfterPrefix: 8, prefix: length) }
        return .hidden
    }
    /// True for what a copy-up does not carry over: it describes the lower object's place, not the object.
    public func isOverlayOwn(_ name: NameRef) -> Bool {
        if case .hidden = shown(name) { return true }
        return false
    }
}

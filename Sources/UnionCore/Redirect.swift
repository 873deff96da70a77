public import LinuxSys

/// `overlay.redirect`: a directory that was renamed says where the layers below still keep it.
public enum Redirect {
    /// A value as it may be followed: one name, or an absolute path without empty, `.` or `..` components. Nil for
    /// anything else, which then is as if it were not there: a layer is not to be trusted.
    public static func validated(_ value: [UInt8]) -> FileName? {
        guard !value.isEmpty, value.count <= 4096, !value.contains(0) else { return nil }
        let slash = UInt8(ascii: "/")
        let absolute = value[0] == slash
        let components = value[(absolute ? 1 : 0)...].split(separator: slash, omittingEmptySubsequences: false)
        guard absolute || components.count == 1 else { return nil }
        for component in components {
            if component.isEmpty || component.count > 255 { return nil }
            if component.elementsEqual([0x2e]) || component.elementsEqual([0x2e, 0x2e]) { return nil }
        }
        return FileName(bytes: value)
    }

    public static func isAbsolute(_ redirect: FileName) -> Bool { redirect.bytes.first == UInt8(ascii: "/") }

    /// The redirect to write on a directory before it moves: its present one when that is absolute, else its name
    /// (`sameParent`) or its path from the root in terms of what the layers below call it. `ancestry`: the directory's
    /// own name and redirect, then its parent's, up to but without the root. Nil where the path would not fit an
    /// attribute.
    public static func forMove(sameParent: Bool, ancestry: [(name: FileName, redirect: FileName?)]) -> FileName? {
        guard let own = ancestry.first else { return nil }
        if let present = own.redirect, isAbsolute(present) { return present }
        if sameParent { return own.redirect ?? own.name }
        var path: [UInt8] = []
        for (name, redirect) in ancestry {
            let piece = redirect ?? name
            if isAbsolute(piece) {
                path = Array(piece.bytes) + path
                break
            }
            path = [UInt8(ascii: "/")] + Array(piece.bytes) + path
        }
        return path.count <= 4095 ? FileName(bytes: path) : nil
    }
}

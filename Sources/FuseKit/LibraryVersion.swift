internal import CFuse

/// The libfuse that this process runs with, which may be newer than the one it was built with.
public enum LibraryVersion {
    public static var text: String {
        guard let version = unsafe fuse_pkgversion() else { return "unknown" }
        return unsafe String(cString: version)
    }
}

internal import Glibc

/// Flags of open(2) that the C library hides from Swift, with the kernel's values on x86-64 and arm64.
public enum OpenFlags {
    public static let path: Int32 = 0o10000000
    #if arch(arm64)
    public static let direct: Int32 = 0o200000
    public static let directory: Int32 = 0o40000
    #else
    public static let direct: Int32 = 0o40000
    public static let directory: Int32 = 0o200000
    #endif
    public static let readWrite: Int32 = 2
    public static let noAccessTime: Int32 = 0o1000000
    public static let temporaryFile: Int32 = 0o20000000 | directory
    public static let accessMode: Int32 = 3
}

/// Whence of lseek(2) that the C library hides from Swift.
public enum Seek {
    public static let data: Int32 = 3
    public static let hole: Int32 = 4
}

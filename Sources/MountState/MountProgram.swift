public import LinuxSys

/// The way to `unionfsd-mount`, which serves a mount.
public enum MountProgram {
    /// Beside the program that runs, in ../libexec/unionfsd, or in PATH.
    public static func find() -> FileName? {
        var places: [FileName] = []
        if let own = try? FD.currentDirectory.readLink(FileName("/proc/self/exe")) {
            let directory = FileName(
                bytes: own.bytes.prefix(own.bytes.lastIndex(of: 0x2f).map { $0 - own.bytes.startIndex } ?? 0))
            places.append(directory.appending(component: "unionfsd-mount"))
            places.append(directory.appending(component: "../libexec/unionfsd/unionfsd-mount"))
        }
        return places.first(where: isExecutable) ?? inPath("unionfsd-mount")
    }

    public static func inPath(_ program: FileName) -> FileName? {
        let path = Process.environment("PATH") ?? "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return find(program, in: path.bytes.split(separator: 0x3a).map { FileName(bytes: $0) })
    }
    public static func find(_ program: FileName, in directories: [FileName]) -> FileName? {
        directories.lazy.map { $0.appending(component: program) }.first(where: isExecutable)
    }

    private static func isExecutable(_ path: FileName) -> Bool {
        (try? path.withRef { (p) throws(Errno) in try FD.currentDirectory.checkAccess(p, 1, effective: true) }) != nil
    }
}

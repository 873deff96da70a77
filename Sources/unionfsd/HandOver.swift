internal import LinuxSys

/// The way to `unionfsd-mount`, which serves: this program parses, shows and advises, and never stays behind a mount.
enum HandOver {
    private static let subcommands = ["mount", "umount", "list", "stats", "upgrade", "image", "doctor", "version", "help"]

    /// True when an engine or mount(8) calls: under another name (`fuse-overlayfs`, `mount.fuse.unionfsd`), or as
    /// `unionfsd [SOURCE] MNT -o OPTIONS`, which is what `mount_program = "/usr/bin/unionfsd"` and mount.fuse3(8) make of us.
    static func isPlainForm(_ words: [FileName]) -> Bool {
        guard let first = words.first else { return false }
        let name = first.bytes.split(separator: 0x2f).last ?? []
        if !name.starts(with: "unionfsd".utf8) { return true }
        guard let word = words.dropFirst().first, !subcommands.contains(word.description) else { return false }
        return words.dropFirst().contains { $0 == "-o" || $0.bytes.starts(with: "-o".utf8) }
    }

    /// Returns only when that failed, with the reason.
    static func execute(_ arguments: [FileName], calledAs name: FileName) -> String {
        guard let program = find() else {
            return "unionfsd-mount is missing: it belongs beside unionfsd, in ../libexec/unionfsd, or in PATH"
        }
        let error = Process.execute(program, [name] + arguments)
        return "\(program) cannot be started: \(error.text)"
    }

    static func find() -> FileName? {
        var places: [FileName] = []
        if let own = try? FD.currentDirectory.readLink(FileName("/proc/self/exe")) {
            let directory = FileName(bytes: own.bytes.prefix(own.bytes.lastIndex(of: 0x2f).map { $0 - own.bytes.startIndex } ?? 0))
            places.append(directory.appending(component: "unionfsd-mount"))
            places.append(directory.appending(component: "../libexec/unionfsd/unionfsd-mount"))
        }
        return places.first(where: isExecutable) ?? inPath("unionfsd-mount")
    }

    static func inPath(_ program: FileName) -> FileName? {
        let path = Process.environment("PATH") ?? "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return path.bytes.split(separator: 0x3a).lazy.map { FileName(bytes: $0).appending(component: program) }.first(where: isExecutable)
    }

    private static func isExecutable(_ path: FileName) -> Bool {
        (try? path.withRef { (p) throws(Errno) in try FD.currentDirectory.checkAccess(p, 1, effective: true) }) != nil
    }
}

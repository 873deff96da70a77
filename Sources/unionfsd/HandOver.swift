internal import LinuxSys
internal import MountState

/// The way to `unionfsd-mount`, which serves: this program parses, shows and advises, and never stays behind a mount.
enum HandOver {
    private static let subcommands = [
        "mount", "umount", "list", "stats", "upgrade", "image", "volume", "system", "create", "start", "stop", "rm",
        "ps", "ls", "inspect", "exec", "run", "diff", "commit", "cp", "export",
        "supervise", "unshare", "doctor", "version", "help",
    ]

    /// True when an engine or mount(8) calls: under another name (`fuse-overlayfs`, `mount.fuse.unionfsd`), or as
    /// `unionfsd [SOURCE] MNT -o OPTIONS`, which is what `mount_program = "/usr/bin/unionfsd"` and mount.fuse3(8) make
    /// of us.
    static func isPlainForm(_ words: [FileName]) -> Bool {
        guard let first = words.first else { return false }
        let name = first.bytes.split(separator: 0x2f).last ?? []
        if !name.starts(with: "unionfsd".utf8) { return true }
        guard let word = words.dropFirst().first, !subcommands.contains(word.description) else { return false }
        return words.dropFirst().contains { $0 == "-o" || $0.bytes.starts(with: "-o".utf8) }
    }

    /// Returns only when that failed, with the reason.
    static func execute(_ arguments: [FileName], calledAs name: FileName) -> String {
        guard let program = MountProgram.find() else {
            return "unionfsd-mount is missing: it belongs beside unionfsd, in ../libexec/unionfsd, or in PATH"
        }
        let error = Process.execute(program, [name] + arguments)
        return "\(program) cannot be started: \(error.text)"
    }
}

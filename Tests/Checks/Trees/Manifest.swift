import CShims
import Glibc

/// `manifest`: one line per object, so that `cmp` of two runs proves that nothing changed in between.
enum Manifest {
    struct Options {
        /// Leave out what two equal trees may differ in: ino, ctime, size and links of directories.
        var portable = false
        var noTimesOfDirectories = false
    }

    static func line(_ facts: Facts, _ options: Options) -> String {
        let status = facts.status
        let plain = !options.portable || !status.isDirectory
        var fields = [
            kindName(status.mode), octal(status.permissions), String(status.uid), String(status.gid),
            status.isDevice ? status.deviceText : "-",
            plain ? String(status.size) : "-",
            status.isDirectory && options.noTimesOfDirectories ? "-" : status.mtime.text,
        ]
        if !options.portable { fields.append(status.ctime.text) }
        fields.append(plain ? String(status.nlink) : "-")
        if !options.portable { fields.append(String(status.ino)) }
        fields += [facts.attributeText, facts.contentText, facts.path.isEmpty ? "." : facts.path.description]
        return (fields + facts.failures.map { "!" + $0 }).joined(separator: " ")
    }

    static func run(_ arguments: [Name]) -> Int32 {
        var options = Options()
        var parser = Arguments(arguments)
        options.portable = parser.flag("--portable")
        options.noTimesOfDirectories = parser.flag("--no-mtime-of-dirs")
        guard let words = parser.rest(1) else { return Arguments.usage() }
        let root = openWithoutTouching(words[0])
        guard root >= 0 else { return complain("manifest: \(words[0]): \(show(root))") }

        var output = Output()
        var lines = 0
        var failures = 0
        Walker.walk(Int32(root), ".") { visit in
            switch visit {
            case .object(let found):
                let facts = Facts(found)
                failures += facts.failures.count
                lines += 1
                output.line(line(facts, options))
            case .leave: break
            case .failed(let path, let what, let code):
                failures += 1
                output.line("! \(what) \(show(code)) \(path)")
            }
        }
        output.flush()
        // The manifest is on stdout: this must not get into it.
        printError("\(lines) passed, \(failures) failed")
        return failures == 0 ? 0 : 1
    }

    /// O_NOATIME keeps the access times of files and directories; reading a symlink changes the link's, and no flag
    /// prevents it. So the tree is walked through a `noatime` mount of our own, in a mount namespace of our own.
    /// Without the right to make one, symlinks are read as they are.
    private static func openWithoutTouching(_ path: Name) -> Int {
        let directory = O_RDONLY | O_DIRECTORY | O_NOATIME
        if Sys.unshare(CLONE_NEWNS) >= 0,
            Sys.mount(nil, "/", MS_REC | MS_PRIVATE) >= 0,
            Sys.mount(path, path, MS_BIND) >= 0
        {
            _ = Sys.mount(nil, path, MS_REMOUNT | MS_BIND | MS_NOATIME)
        }
        let fd = Sys.open(path, directory)
        return fd == -Int(EPERM) ? Sys.open(path, O_RDONLY | O_DIRECTORY) : fd
    }
}

internal import LinuxSys
internal import UnionCore

/// The command line that engines and mount(8) write (Tests/CLI/captured):
///
///     PROGRAM [-f] [-d] [-o OPTIONS]… [SOURCE] MNT       podman, buildah, docker, containerd through mount.fuse3
///     mount.fuse.unionfsd SOURCE MNT [-sfnvrw] [-N NAMESPACE] [-t TYPE] [-o OPTIONS]       mount(8)
///
/// and, first of all words, `--strict`: `unionfsd mount` wants its mistakes to be errors.
struct Call {
    var options: MountOptions
    /// All of `-o`, for the record.
    var text: [UInt8] = []
    var wantsHelp = false
    var wantsVersion = false
    /// mount(8) -f: everything but the mount.
    var isFake = false

    /// `arguments`: with the program's name.
    init(_ arguments: [FileName]) throws(OptionError) {
        let name = arguments.first.map { $0.bytes.split(separator: 0x2f).last ?? [] } ?? []
        let isMountHelper = name.starts(with: "mount.".utf8)
        var rest = arguments.dropFirst()
        let isStrict = rest.first == "--strict"
        if isStrict { rest = rest.dropFirst() }
        options = MountOptions(form: isStrict ? .strict : .engine)

        var positionals: [FileName] = []
        var onlyPositionals = false
        while let word = rest.popFirst() {
            let bytes = Array(word.bytes)
            if onlyPositionals || bytes.first != 0x2d || bytes.count == 1 {
                positionals.append(word)
                continue
            }
            switch word {
            case "--": onlyPositionals = true
            case "-h", "--help": wantsHelp = true
            case "-V", "--version": wantsVersion = true
            case "-d", "--debug":
                options.debug = true
                options.foreground = true
            case "-f" where isMountHelper: isFake = true
            case "-f", "--foreground": options.foreground = true
            case "-s": if !isMountHelper { options.threads = 1 }
            case "-r": options.readOnly = true
            case "-w": options.readOnly = false
            case "-n", "-v", "-i": break
            case "-t", "-N":
                _ = try Call.value(of: word, &rest)
            case "-o":
                try add(try Call.value(of: word, &rest))
            default:
                if bytes.starts(with: "-o".utf8) {
                    try add(FileName(bytes: bytes.dropFirst(2)))
                } else if isMountHelper, bytes.dropFirst().allSatisfy({ "sfnvirw".utf8.contains($0) }) {
                    isFake = isFake || bytes.contains(UInt8(ascii: "f"))
                    options.readOnly = options.readOnly || bytes.contains(UInt8(ascii: "r"))
                } else if isStrict {
                    throw OptionError("unknown option \(word)")
                } else {
                    options.notes.append("unknown option \(word) ignored")
                }
            }
        }
        if wantsHelp || wantsVersion { return }
        // A source before the mount point, "overlay" or "none", says nothing: the layers are in the options.
        guard let mountpoint = positionals.last, positionals.count <= 2 else {
            throw OptionError(
                positionals.isEmpty
                    ? "no mount point given"
                    : "too many words: \(positionals.map(\.description).joined(separator: " "))")
        }
        options.mountpoint = mountpoint
        try options.finish()
    }

    private mutating func add(_ words: FileName) throws(OptionError) {
        if !text.isEmpty { text.append(0x2c) }
        text.append(contentsOf: words.bytes)
        try options.apply(words)
    }

    private static func value(of word: FileName, _ rest: inout ArraySlice<FileName>) throws(OptionError) -> FileName {
        guard let value = rest.popFirst() else { throw OptionError("\(word) needs a value behind it") }
        return value
    }

    static let help = """
        usage: unionfsd-mount [-f] [-d] [-o OPTIONS]... [SOURCE] MNT

        Mounts a union of directories at MNT and returns when it answers. This is the form that container
        engines and mount(8) use; `unionfsd mount --help` shows the one made for people.

          -o lowerdir=A:B       read-only layers, the uppermost first; \\: for a colon in a name
          -o upperdir=U         the layer that is written; without it the mount is read-only
          -o workdir=W          a directory beside U, empty, on the same filesystem
          -f                    stay in the foreground
          -d                    the same, and say what is done
          -h, --help            this text
          -V, --version         the version

        All options: unionfsd(1). Exit status: 0 mounted, 1 not mounted (the reason is on standard error).

        """
}

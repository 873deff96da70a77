internal import ArgumentParser
internal import LinuxSys
internal import UnionCore

struct Mount: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mount", abstract: "Mount a union of directories.",
        discussion: """
            Returns when the mount answers, and leaves one process behind it. Without --upper the mount is read-only.

            Two lower layers, the uppermost first, and a layer for changes:
              unionfsd mount --lower app --lower base --upper changes --work tmp root

            The same in the words of overlayfs:
              unionfsd mount -o lowerdir=app:base,upperdir=changes,workdir=tmp root

            Look at a union without changing anything:
              unionfsd mount --lower app --lower base root
            """)

    @Option(
        name: .long, help: ArgumentHelp("A read-only layer. Give it again for the layer below.", valueName: "dir"),
        completion: .directory)
    var lower: [String] = []

    @Option(
        name: .long,
        help: ArgumentHelp(
            "A layer that only lends data to metacopy files of the layers above. Again for the one below.",
            valueName: "dir"), completion: .directory)
    var data: [String] = []

    @Option(name: .long, help: ArgumentHelp("The layer that is written.", valueName: "dir"), completion: .directory)
    var upper: String?

    @Option(
        name: .long,
        help: ArgumentHelp("An empty directory beside the upper layer, on the same filesystem.", valueName: "dir"),
        completion: .directory)
    var work: String?

    @Option(
        name: [.customShort("o"), .customLong("option")],
        help: ArgumentHelp(
            "Options as overlayfs and fuse-overlayfs spell them, with commas between them; see unionfsd(1).",
            valueName: "options"))
    var options: [String] = []

    @Flag(name: [.short, .long], help: "Stay in the foreground; Ctrl-C unmounts.")
    var foreground = false

    @Flag(name: [.short, .long], help: "Stay in the foreground and say what is done.")
    var debug = false

    @Flag(name: .long, help: "Take no changes, even with an upper layer.")
    var readOnly = false

    @Flag(name: .long, help: "Sync nothing: faster, and after a crash the upper layer is not used again.")
    var volatile = false

    @Option(
        name: .long,
        help: ArgumentHelp("What is on the disk when: auto, strict or volatile; see unionfsd(1).", valueName: "mode"),
        completion: .list(["auto", "strict", "volatile"]))
    var fsync: String?

    @Flag(name: .long, help: "Do not rename directories of lower layers: EXDEV, and mv copies (redirect_dir=off).")
    var noRedirects = false

    @Flag(
        name: .long,
        help: "Copy a file's data up only when the data change; follow layers that have such files (metacopy=on).")
    var metacopy = false

    @Option(name: .long, help: ArgumentHelp("Threads that take requests.", valueName: "number"))
    var threads: Int?

    @Argument(help: ArgumentHelp("The directory to mount at.", valueName: "mnt"), completion: .directory)
    var mountpoint: String

    func run() throws {
        var arguments: [FileName] = ["--strict"]
        func option(_ bytes: [UInt8]) { arguments += ["-o", FileName(bytes: bytes)] }
        func path(_ key: String, _ value: String) {
            option(Array("\(key)=".utf8) + OptionText.escaped(Words.name(value)))
        }

        for words in options { arguments += ["-o", Words.name(words)] }
        for layer in lower { path("lowerdir+", layer) }
        for layer in data { path("datadir+", layer) }
        if let upper { path("upperdir", upper) }
        if let work { path("workdir", work) }
        if readOnly { option(Array("ro".utf8)) }
        if volatile { option(Array("volatile".utf8)) }
        if let fsync { option(Array("fsync=\(fsync)".utf8)) }
        if noRedirects { option(Array("redirect_dir=off".utf8)) }
        if metacopy { option(Array("metacopy=on".utf8)) }
        if let threads { option(Array("threads=\(threads)".utf8)) }
        if foreground { arguments.append("-f") }
        if debug { arguments.append("-d") }
        arguments += ["--", Words.name(mountpoint)]
        throw Failure.because(HandOver.execute(arguments, calledAs: "unionfsd-mount"))
    }
}

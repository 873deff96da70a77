internal import ArgumentParser
internal import Containers
internal import ControlProtocol
internal import LayerStore
internal import LinuxSys

struct Diff: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff", abstract: "Show what a container has changed of its image.",
        discussion: "A added, C changed, D deleted. Takes as long as there are changes, however large the image is.")
    @OptionGroup var store: StoreOptions
    @Flag(name: .long, help: "As JSON.")
    var json = false
    @Flag(name: .long, help: "How many of each, and how many bytes are in files.")
    var stat = false
    @Argument(help: "Its name or id.") var container: String

    func run() throws {
        let store = try store.open()
        let changes = try told { () throws(StoreError) in try store.diff(try store.container(container)).changes }
        if stat {
            for kind in [ContainerDiff.Kind.added, .changed, .deleted] {
                let those = changes.filter { $0.kind == kind }
                let bytes = those.reduce(UInt64(0)) { sum, change in
                    sum.addingReportingOverflow(change.size).overflow ? .max : sum + change.size
                }
                print("\(kind.rawValue)  \(those.count)  \(Units.bytes(bytes))")
            }
        } else if json {
            print(
                try Documents.text(
                    changes.map { ChangeMessage(kind: $0.kind.rawValue, path: $0.path.description, size: $0.size) }))
        } else {
            var lines: [UInt8] = []
            for change in changes { lines += Array("\(change.kind.rawValue) ".utf8) + change.path.bytes + [0x0a] }
            do throws(Errno) { try FD.standardOutput.writeAll(lines) } catch {}
        }
    }
}

struct Commit: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "commit", abstract: "Make an image of a container: its own with one more layer.",
        discussion: "The container may go on meanwhile.")
    @OptionGroup var store: StoreOptions
    @Option(name: [.short, .long], help: "What is said of it in the image's history.")
    var message: String?
    @Option(name: [.short, .long], help: "Who made it.")
    var author: String?
    @Flag(
        name: .long,
        help:
            """
            Write holes of large files as zeros: podman and docker read a layer with sparse files, and cannot \
            save or push it.
            """
    )
    var noSparse = false
    @Argument(help: "The container's name or id.") var container: String
    @Argument(help: "The new image's name.") var name: String

    func run() throws {
        let store = try store.open()
        let image = try told { () throws(StoreError) in
            var options = CommitOptions()
            options.message = message
            options.author = author
            options.keepsHoles = !noSparse
            return try store.commit(try store.container(container), name: try ImageName(name), options)
        }
        print(image.id)
    }
}

struct Copy: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cp",
        abstract: "Copy between a container and this machine.",
        discussion: """
            One of the two is CONTAINER:PATH. Modes, times and user.* attributes are kept; all is root's in a \
            container, and yours out here. A directory that is there gets what is copied into it; DIR/. is what is in \
            it.
            In place of the other, "-" is a tar archive: from standard input into a directory, or to standard output.

              unionfsd cp work:/etc/passwd .
              unionfsd cp ./site work:/srv
            """)
    @OptionGroup var store: StoreOptions
    @Flag(name: [.short, .long], help: "Keep owners, set-user-id and set-group-id, capabilities and devices.")
    var archive = false
    @Flag(name: [.customShort("L"), .long], help: "Where the source is a symbolic link, copy what it leads to.")
    var followLink = false
    @Argument(help: "From.") var source: String
    @Argument(help: "To.") var target: String

    func run() throws {
        let from = Self.split(source)
        let to = Self.split(target)
        let local = Words.name(from.container == nil ? from.path : to.path)
        let isStream = local == "-"
        if isStream, from.container != nil, FD.standardOutput.isTerminal {
            throw Failure.because("a terminal is no place for an archive: give a path, or a pipe")
        }
        let store = try isStream ? store.open() : store.open(seeing: [local, Words.parent(of: local)])
        guard let name = from.container ?? to.container, from.container == nil || to.container == nil else {
            throw Failure.because("one of the two must be CONTAINER:PATH, and only one")
        }
        let container = try told { () throws(StoreError) in try store.container(name) }
        try Started.during(store, container) { () throws(StoreError) in
            let root = try Self.open(store.place(of: container).merged)
            let inside = Words.name(from.container == nil ? to.path : from.path)
            if from.container == nil {
                let there = try ContainerCopy.Place(inside, in: root.fd, .target)
                if isStream { return try ContainerCopy.read(into: there, withOwners: archive) }
                try ContainerCopy.copy(
                    try ContainerCopy.Place(ofMachine: local, .source(followed: followLink)), to: there,
                    withOwners: archive)
            } else {
                let there = try ContainerCopy.Place(inside, in: root.fd, .source(followed: followLink))
                if isStream { return try ContainerCopy.write(there) }
                try ContainerCopy.copy(
                    there, to: try ContainerCopy.Place(ofMachine: local, .target), withOwners: archive)
            }
        }
    }
    /// A path with a slash before its first colon is none of a container's.
    private static func split(_ text: String) -> (container: String?, path: String) {
        guard let colon = text.firstIndex(of: ":"), !text[..<colon].contains("/"), colon != text.startIndex else {
            return (nil, text)
        }
        return (String(text[..<colon]), String(text[text.index(after: colon)...]))
    }
    static func open(_ path: FileName) throws(StoreError) -> OwnedFD {
        do throws(Errno) { return try FD.currentDirectory.open(path, OpenFlags.directory) } catch {
            throw StoreError(error, doing: "\(path)")
        }
    }
}

/// For what needs a container's tree: one that is not started is, for that long.
enum Started {
    static func during(_ store: Store, _ container: StoredContainer, _ body: () throws(StoreError) -> Void) throws {
        let wasStarted = try told { () throws(StoreError) in try ContainerEngine(store).state(container) == .started }
        if !wasStarted { try Control.start(store, container) }
        let began = try told { () throws(StoreError) in try store.container(container.id).startedAt }
        defer {
            // Unless somebody has begun to use it.
            if !wasStarted, let now = try? store.container(container.id), now.startedAt == began,
                let engine = try? ContainerEngine(store).look(),
                !ContainerEngine(store).state(now, in: engine).isBusy
            {
                try? Control.stop(store, container, timeout: 0)
            }
        }
        try told(body)
    }
}

struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Write a container's whole tree as a tar file.")
    @OptionGroup var store: StoreOptions
    @Option(
        name: [.short, .long], help: ArgumentHelp("Where to; \"-\" is standard output.", valueName: "file"),
        completion: .file())
    var output: String
    @Argument(help: "Its name or id.") var container: String

    func run() throws {
        if output == "-", FD.standardOutput.isTerminal {
            throw Failure.because("a terminal is no place for an archive: give --output FILE, or a pipe")
        }
        let store = try store.open(seeing: [Words.parent(of: Words.name(output))])
        let found = try told { () throws(StoreError) in try store.container(container) }
        try Started.during(store, found) { () throws(StoreError) in
            try Store.pack(store.place(of: found).merged, to: Words.name(output))
        }
    }
}

internal import ArgumentParser
internal import Glibc
internal import LayerStore
internal import LinuxSys
internal import MountState

struct Image: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "image", abstract: "Images: read-only layers that containers share.",
        discussion: """
            An image from whatever there is:
              podman save debian:12 | unionfsd image import -
              unionfsd image import --name base:1 rootfs.tar.zst
              unionfsd image pull docker://docker.io/library/debian:12

            And out again, for skopeo, podman, umoci or containerd:
              unionfsd image export base:1 -o base.tar
            """,
        subcommands: [
            ImageImport.self, ImageList.self, ImageInspect.self, ImageHistory.self, ImageTag.self, ImageRemove.self,
            ImageExport.self, ImagePull.self,
        ])
}

struct ImageImport: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Take an image into the store.",
        discussion: """
            An OCI image layout or what `docker save` and `podman save` write, each as a directory or a tar file; or \
            a root filesystem, as a tar file (plain, gzip, zstd, xz, \
            bzip2) or a directory. What has a manifest.json and cannot be read as an image is refused, unless \
            --rootfs is given. Layers that are there already are not unpacked again. Digests are verified. "-" is \
            standard input.
            """)

    @OptionGroup var store: StoreOptions
    @Option(name: [.short, .long], help: "What it is to be called; default: the name that it comes with.")
    var name: String?
    @Option(name: .long, help: ArgumentHelp("How much a layer may unpack to, in GiB.", valueName: "gib"))
    var limit = 256
    @Flag(name: .long, help: "It is a root filesystem, whatever is in it.")
    var rootfs = false
    @Flag(name: [.short, .long], help: "Print the digests alone.")
    var quiet = false
    @Argument(help: ArgumentHelp("The file or directory.", valueName: "source"), completion: .file())
    var source: String

    func run() throws {
        guard limit > 0, limit < 1 << 30 else { throw Failure.because("--limit must be a number of GiB above 0") }
        let store = try store.open(seeing: [Words.name(source)])
        var options = ImportOptions()
        options.limit = Int64(limit) << 30
        options.isRoot = rootfs
        if let name { options.name = try told { () throws(StoreError) in try ImageName(name) } }
        if !quiet { options.progress = Progress.ofImport }
        let source = Words.name(source)
        Owners.sayWhatBecomesOfThem()
        let images = try told { () throws(StoreError) in try store.importImages(from: source, options) }
        for image in images { print(quiet ? image.id.description : Self.line(image)) }
    }

    static func line(_ image: ImportedImage) -> String {
        """
        \(image.name ?? "unnamed")  \(image.id)  \
        \(image.layers.count == 1 ? "1 layer" : "\(image.layers.count) layers"), \(image.newLayers) new
        """
    }
}

enum Owners {
    /// Without other ids than the user's own (subuid(5)) files cannot be anybody else's.
    static func sayWhatBecomesOfThem() {
        guard Process.effectiveUser == 0, UserNamespace.userCount == 1 else { return }
        Console.say(
            """
            all files become yours, as there are no other ids for you: for images with several users, apt-get \
            install uidmap, usermod --add-subuids and --add-subgids, then remove the image and import it again
            """
        )
    }
}

/// Lines on standard error that are written over, on a terminal.
enum Progress {
    static var ofImport: @Sendable (ImportProgress) -> Void {
        let isTerminal = FD.standardError.isTerminal
        return { step in
            switch step {
            case .layer(let name, true): if isTerminal { show("\(short(name))  unpacking") }
            case .layer(let name, false): say("\(short(name))  is there already", isTerminal)
            case .done(let name, let bytes): say("\(short(name))  \(Units.bytes(UInt64(max(bytes, 0))))", isTerminal)
            }
        }
    }
    static func short(_ name: String) -> String {
        name.hasPrefix("sha256:")
            ? String(name.dropFirst(7).prefix(12)) : name.count > 60 ? "…" + name.suffix(59) : name
    }
    static func show(_ text: String) { write("\r\u{1b}[K\(text)") }
    static func say(_ text: String, _ isTerminal: Bool) { write(isTerminal ? "\r\u{1b}[K\(text)\n" : "\(text)\n") }
    private static func write(_ text: String) {
        do throws(Errno) { try FD.standardError.writeAll(Array(text.utf8)) } catch {}
    }
}

struct ImageList: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "ls", abstract: "List the images.")
    @OptionGroup var store: StoreOptions
    @Flag(name: .long, help: "As JSON.")
    var json = false
    @Flag(name: [.short, .long], help: "Print the digests alone.")
    var quiet = false

    func run() throws {
        let store = try store.open()
        let images = try told { () throws(StoreError) in try store.images() }
        if json { return print(JSON.array(images.map(ImageInspect.json)).text()) }
        if quiet { return images.forEach { print($0.id) } }
        var table = Table()
        table.add(["NAME", "IMAGE", "LAYERS", "SIZE", "AGE"])
        for image in images {
            for name in image.names.isEmpty ? ["<none>"] : image.names {
                table.add([
                    name, String(image.id.hex.prefix(12)), "\(image.layers.count)",
                    Units.bytes(UInt64(max(image.bytes, 0))), Units.age(seconds: Clock.realtime - image.created),
                ])
            }
        }
        table.lines.forEach { print($0) }
    }
}

struct ImageInspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "Show all that is known of an image, as JSON.")
    @OptionGroup var store: StoreOptions
    @Argument(help: "Its name or digest.") var image: String

    func run() throws {
        let store = try store.open()
        print(Self.json(try told { () throws(StoreError) in try store.image(image) }).text())
    }

    static func json(_ image: StoredImage) -> JSON {
        .object([
            ("id", .string(image.id.description)),
            ("names", .array(image.names.map { .string($0) })),
            ("manifest", image.manifest.map { .string($0.description) } ?? .null),
            ("created", .int(image.created)),
            ("bytes", .int(image.bytes)),
            (
                "layers",
                .array(
                    image.layers.map { layer in
                        .object([
                            ("digest", .string(layer.digest.description)), ("bytes", .int(layer.bytes)),
                            ("files", .int(layer.files)), ("archive_bytes", .int(layer.archiveBytes)),
                            ("images", .int(Int64(layer.images))),
                        ])
                    })
            ),
            ("config", .raw(String(decoding: image.configBytes, as: UTF8.self))),
        ])
    }
}

struct ImageHistory: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history", abstract: "Show how an image was made, the last step first.")
    @OptionGroup var store: StoreOptions
    @Argument(help: "Its name or digest.") var image: String

    func run() throws {
        let store = try store.open()
        let found = try told { () throws(StoreError) in try store.image(image) }
        let config = try told { () throws(StoreError) in try found.config }
        var layers = found.layers[...]
        var rows: [[String]] = []
        for step in config.history ?? [] {
            let layer = step.empty_layer == true ? nil : layers.popFirst()
            let size = layer.map { Units.bytes(UInt64(max($0.bytes, 0))) } ?? "-"
            let name = layer.map { String($0.digest.hex.prefix(12)) } ?? "-"
            rows.append([name, size, step.created ?? "-", step.created_by ?? step.comment ?? ""])
        }
        for layer in layers {
            rows.append([String(layer.digest.hex.prefix(12)), Units.bytes(UInt64(max(layer.bytes, 0))), "-", ""])
        }
        print("LAYER         SIZE        CREATED               BY")
        for row in rows.reversed() {
            func padded(_ text: String, _ width: Int) -> String {
                text + String(repeating: " ", count: max(width - text.count, 0))
            }
            let by = row[3].split(whereSeparator: \.isWhitespace).joined(separator: " ")
            print(
                """
                \(padded(row[0], 12))  \(padded(row[1], 10))  \(padded(String(row[2].prefix(19)), 20))  \
                \(by.count > 100 ? by.prefix(99) + "…" : by)
                """
            )
        }
    }
}

struct ImageTag: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "tag", abstract: "Give an image one more name.")
    @OptionGroup var store: StoreOptions
    @Argument(help: "Its name or digest.") var image: String
    @Argument(help: "The new name.") var name: String

    func run() throws {
        let store = try store.open()
        try told { () throws(StoreError) in try store.nameImage(try store.image(image).id, try ImageName(name)) }
    }
}

struct ImageRemove: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rm", abstract: "Remove images, and the layers that no other has.")
    @OptionGroup var store: StoreOptions
    @Flag(name: [.short, .long], help: "All names of an image at once.")
    var force = false
    @Argument(help: "Names or digests.") var images: [String]

    func run() throws {
        let store = try store.open()
        for image in images {
            let removal = try told { () throws(StoreError) in try store.removeImage(image, force: force) }
            for name in removal.untagged { print("untagged \(name)") }
            if let id = removal.image { print("removed \(id)") }
        }
    }
}

struct ImageExport: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write an image as an OCI image layout.",
        discussion:
            """
            A tar file, or with --directory a directory. The layers are, uncompressed, the very bytes that they \
            came as.
            """
    )
    @OptionGroup var store: StoreOptions
    @Option(
        name: [.short, .long], help: ArgumentHelp("Where to; \"-\" is standard output.", valueName: "file"),
        completion: .file())
    var output: String
    @Flag(name: .long, help: "A directory instead of a tar file.")
    var directory = false
    @Flag(name: .long, help: "Layers that are not compressed.")
    var uncompressed = false
    @Argument(help: "Its name or digest.") var image: String

    func run() throws {
        let store = try store.open(seeing: [Words.parent(of: Words.name(output))])
        if output == "-", FD.standardOutput.isTerminal {
            throw Failure.because("a terminal is no place for an archive: give --output FILE, or a pipe")
        }
        let manifest = try told { () throws(StoreError) in
            try store.exportImage(
                image, to: Words.name(output), directory ? .directory : .archive, compress: !uncompressed)
        }
        if output != "-" { print(manifest) }
    }
}

struct ImagePull: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pull",
        abstract: "Fetch an image with skopeo.",
        discussion:
            """
            REF is what skopeo(1) takes, docker://docker.io/library/debian:12 for one; without a transport, \
            docker:// is meant.
            """
    )
    @OptionGroup var store: StoreOptions
    @Option(name: [.short, .long], help: "What it is to be called; default: the reference without its transport.")
    var name: String?
    @Argument(help: ArgumentHelp("Where it is.", valueName: "ref")) var reference: String

    func run() throws {
        guard let skopeo = MountProgram.inPath("skopeo") else {
            throw Failure.because("skopeo is not installed, which fetches images: apt-get install skopeo")
        }
        let store = try store.open()
        let full =
            reference.contains(":/")
                || ["oci:", "dir:", "docker-archive:", "oci-archive:", "containers-storage:"].contains {
                    reference.hasPrefix($0)
                } ? reference : "docker://\(reference)"
        var options = ImportOptions()
        options.progress = Progress.ofImport
        let plain = full.hasPrefix("docker://") ? String(full.dropFirst(9)) : nil
        guard let called = name ?? plain else { throw Failure.because("give a --name: \"\(full)\" has none") }
        options.name = try told { () throws(StoreError) in try ImageName(called) }
        Owners.sayWhatBecomesOfThem()
        let images = try told { () throws(StoreError) in
            try store.fetch(options) { (directory) throws(StoreError) in
                let exit: Process.Exit
                do throws(Errno) {
                    exit = try Process.run(
                        skopeo, ["skopeo", "copy", "--quiet", FileName(full), FileName("oci:\(directory):image")])
                } catch {
                    throw StoreError(error, doing: "skopeo")
                }
                if exit != .code(0) { throw StoreError(.system, "skopeo could not fetch \(full)") }
            }
        }
        for image in images { print(ImageImport.line(image)) }
    }
}

internal import ArgumentParser
internal import Containers
internal import ControlProtocol
internal import Foundation
internal import LayerStore
internal import LinuxSys
internal import Supervisor

/// What a container runs and has mounted into it, as `create` and `run` take it.
struct SpecOptions: ParsableArguments {
    @Option(name: [.short, .long], help: ArgumentHelp("A path of this machine, or a volume's name, mounted into the container.", valueName: "src:dst[:ro]"))
    var volume: [String] = []
    @Option(name: .long, help: ArgumentHelp("Memory mounted into the container.", valueName: "dst"))
    var tmpfs: [String] = []
    @Option(name: [.short, .customLong("env")], help: ArgumentHelp("A variable of the environment; the name alone takes this process's value.", valueName: "key=value"))
    var env: [String] = []
    @Option(name: [.short, .long], help: ArgumentHelp("Where the process begins.", valueName: "dir"))
    var workdir: String?
    @Option(name: [.short, .long], help: ArgumentHelp("Who the process is, by the container's own names or by number.", valueName: "user[:group]"))
    var user: String?
    @Option(name: .long, help: "The name that the container knows itself by.")
    var hostname: String?
    @Option(name: .long, help: ArgumentHelp("host: this machine's network; none: a loopback device alone.", valueName: "mode"), completion: .list(["host", "none"]))
    var network = "host"
    @Flag(name: .long, help: "The process may not write to the container's root.")
    var readOnly = false
    @Option(name: .long, help: ArgumentHelp("Options of the mount, as unionfsd mount -o takes them.", valueName: "options"))
    var mountOption: [String] = []
    @Option(name: .long, help: ArgumentHelp("When the mount fails: no, on-failure[:N] or always.", valueName: "policy"))
    var restart = "no"

    func spec(_ command: [String]) throws -> ContainerSpec {
        var spec = ContainerSpec()
        spec.command = command
        spec.environment = try env.map(Self.variable)
        spec.workingDirectory = workdir
        spec.user = user
        spec.hostname = hostname
        guard let network = ContainerSpec.Network(rawValue: network) else { throw Failure.because("\"\(network)\" is no network: host or none") }
        spec.network = network
        spec.isReadOnly = readOnly
        spec.options = mountOption
        spec.mounts = try volume.map(Self.mount) + tmpfs.map { ContainerSpec.Mount(kind: .tmpfs, source: "", target: try Self.target($0)) }
        return spec
    }
    static func variable(_ text: String) throws -> String {
        if text.contains("=") { return text }
        return "\(text)=\(Process.environment(FileName(text))?.description ?? "")"
    }
    private static func target(_ text: String) throws -> String {
        guard text.hasPrefix("/"), text != "/" else { throw Failure.because("\"\(text)\" must be an absolute path in the container") }
        return text
    }
    private static func mount(_ text: String) throws -> ContainerSpec.Mount {
        var parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        var readOnly = false
        if parts.count == 3 {
            guard parts[2] == "ro" || parts[2] == "rw" else { throw Failure.because("\"\(text)\": behind the second colon stands ro or rw") }
            readOnly = parts.removeLast() == "ro"
        }
        guard parts.count == 2, !parts[0].isEmpty else { throw Failure.because("\"\(text)\" is not SRC:DST[:ro]") }
        let isPath = parts[0].hasPrefix("/") || parts[0].hasPrefix(".")
        guard isPath else { return ContainerSpec.Mount(kind: .volume, source: parts[0], target: try target(parts[1]), readOnly: readOnly) }
        let inside = try target(parts[1])
        return ContainerSpec.Mount(kind: .bind, source: try path(ofMachine: parts[0]).description, target: inside, readOnly: readOnly)
    }
    /// The runtime goes by the path; one below a mount that is younger than an ordinary user's namespace would be something else there.
    private static func path(ofMachine text: String) throws -> FileName {
        let isSeen: Bool, path: FileName
        do throws(Errno) {
            let place = try FD.currentDirectory.open(Words.name(text), OpenFlags.path)
            path = try place.fd.path()
            let again = try FD.currentDirectory.open(path, OpenFlags.path)
            let status = try place.fd.status(), seen = try again.fd.status()
            isSeen = seen.dev == status.dev && seen.ino == status.ino
        } catch { throw Failure.because("\(text): \(error.text)") }
        if isSeen { return path }
        throw Failure.because("\(text): it was mounted later than the namespace of the store was made, and is not seen there: stop all containers first, or mount it below a shared mount (mount --make-shared)")
    }
}

struct Create: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Make a container: a writable layer on top of an image.",
        discussion: "It is not mounted; `start` does that. What is behind the image is what `start --run` runs in it.")
    @OptionGroup var store: StoreOptions
    @OptionGroup var options: SpecOptions
    @Option(name: .long, help: "What it is to be called; default: its id.")
    var name: String?
    @Argument(help: "The image.") var image: String
    @Argument(parsing: .captureForPassthrough, help: "The command and its arguments.") var command: [String] = []

    func run() throws {
        let store = try store.open()
        print(try Self.create(store, options, name, image, command).id)
    }
    static func create(_ store: Store, _ options: SpecOptions, _ name: String?, _ image: String, _ command: [String]) throws -> StoredContainer {
        let spec = try options.spec(command.first == "--" ? Array(command.dropFirst()) : command)
        return try told { () throws(StoreError) in try store.createContainer(image: image, name: name, spec: spec, restart: try RestartPolicy(options.restart)) }
    }
}

struct Start: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "start", abstract: "Mount containers.", discussion: "Prints where each is mounted. With --run its command runs in it then, and its output goes into the container's log.")
    @OptionGroup var store: StoreOptions
    @Flag(name: .customLong("run"), help: "Run what the container was made for, in the background.")
    var runs = false
    @Option(name: .long, help: ArgumentHelp("crun or runc, by name or path.", valueName: "program"))
    var runtime: String?
    @Argument(help: "Names or ids.") var containers: [String]

    func run() throws {
        let store = try store.open()
        for name in containers {
            let container = try told { () throws(StoreError) in try store.container(name) }
            try Control.start(store, container)
            if runs { try told { () throws(StoreError) in try ContainerRuntime(runtime).launch(try ContainerRuntime.Call(container, store)) } }
            print(store.place(of: container).merged)
        }
    }
}

struct Stop: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "stop", abstract: "End what runs in containers, and unmount them.", discussion: "Their writable layers stay.")
    @OptionGroup var store: StoreOptions
    @Option(name: [.short, .long], help: ArgumentHelp("How long processes have to end by themselves.", valueName: "seconds"))
    var time = 10
    @Flag(name: [.short, .long], help: "Though somebody works in it: they keep what they have open.")
    var force = false
    @Argument(help: "Names or ids.") var containers: [String]

    func run() throws {
        guard time >= 0 else { throw Failure.because("--time must be a number of seconds") }
        let store = try store.open()
        for name in containers {
            let container = try told { () throws(StoreError) in try store.container(name) }
            try Control.stop(store, container, force: force, timeout: time)
            print(container.name)
        }
    }
}

struct Remove: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "rm", abstract: "Remove containers, with what was written in them.")
    @OptionGroup var store: StoreOptions
    @Flag(name: [.short, .long], help: "Though it is started: it is stopped first.")
    var force = false
    @Argument(help: "Names or ids.") var containers: [String]

    func run() throws {
        let store = try store.open()
        for name in containers {
            let container = try told { () throws(StoreError) in try store.container(name) }
            try Control.remove(store, container, force: force)
            print(container.name)
        }
    }
}

struct ListContainers: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ps",
        abstract: "List the containers.",
        discussion: "SIZE is what the writable layer takes on the disk, as du(1) counts; virtual is that and the image's layers, which are shared.",
        aliases: ["ls"])
    @OptionGroup var store: StoreOptions
    @Flag(name: [.short, .long], help: "With sizes.")
    var size = false
    @Flag(name: [.short, .long], help: "Print the ids alone.")
    var quiet = false
    @Flag(name: .long, help: "As JSON.")
    var json = false

    func run() throws {
        let store = try store.open()
        let engine = ContainerEngine(store)
        let containers = try told { () throws(StoreError) in try engine.messages(withSize: size) }
        if json { return print(try Documents.text(containers)) }
        if quiet { return containers.forEach { print($0.id) } }
        var table = Table()
        table.add(["NAME", "CONTAINER", "IMAGE", "STATE", "AGE"] + (size ? ["SIZE"] : []))
        for container in containers {
            let image = container.imageName ?? String(container.image.dropFirst(7).prefix(12))
            var row = [container.name, container.id, image, container.isBusy ? "running" : container.state, Units.age(seconds: Clock.realtime - container.created)]
            if size, let own = container.bytes, let below = container.imageBytes { row.append("\(Units.bytes(UInt64(max(own, 0)))) (virtual \(Units.bytes(UInt64(max(own + below, 0)))))") }
            table.add(row)
        }
        table.lines.forEach { print($0) }
    }
}

/// Documents for programs, in the words of the API.
enum Documents {
    static func text(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
}

struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "inspect", abstract: "Show all that is known of a container, as JSON.")
    @OptionGroup var store: StoreOptions
    @Argument(help: "Its name or id.") var container: String

    private struct Document: Encodable {
        let container: ContainerMessage
        let spec: ContainerSpec
        let layers: [String]
        let writable: String
    }
    func run() throws {
        let store = try store.open()
        let document = try told { () throws(StoreError) in
            let found = try store.container(container)
            return Document(container: try ContainerEngine(store).message(found, withSize: true), spec: found.spec, layers: try store.layerPaths(of: found.image).map(\.description),
                            writable: store.place(of: found).diff.description)
        }
        print(try Documents.text(document))
    }
}

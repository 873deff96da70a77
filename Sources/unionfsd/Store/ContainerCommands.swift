internal import ArgumentParser
internal import Containers
internal import ControlProtocol
internal import Foundation
internal import LayerStore
internal import LinuxSys
internal import Supervisor

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
        let store = try store.open(seeing: options.paths)
        print(try Self.create(store, options, name, image, command).id)
    }
    static func create(
        _ store: Store, _ options: SpecOptions, _ name: String?, _ image: String, _ command: [String]
    ) throws -> StoredContainer {
        let spec = try options.spec(command.first == "--" ? Array(command.dropFirst()) : command)
        return try told { () throws(StoreError) in
            try store.createContainer(image: image, name: name, spec: spec, restart: try RestartPolicy(options.restart))
        }
    }
}

struct Start: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "start", abstract: "Mount containers.",
        discussion:
            """
            Prints where each is mounted. With --run its command runs in it then, and its output goes into the \
            container's log.
            """
    )
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
            if runs {
                try told { () throws(StoreError) in
                    try ContainerRuntime(runtime, store).launch(try ContainerRuntime.Call(container, store))
                }
            }
            print(store.place(of: container).merged)
        }
    }
}

struct Stop: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop", abstract: "End what runs in containers, and unmount them.",
        discussion: "Their writable layers stay.")
    @OptionGroup var store: StoreOptions
    @Option(
        name: [.short, .long], help: ArgumentHelp("How long processes have to end by themselves.", valueName: "seconds")
    )
    var time = 10
    @Flag(name: [.short, .long], help: "Though somebody works in it: what they have open is dead then.")
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
    static let configuration = CommandConfiguration(
        commandName: "rm", abstract: "Remove containers, with what was written in them.")
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
        discussion:
            """
            SIZE is what the writable layer takes on the disk, as du(1) counts; virtual is that and the image's \
            layers, which are shared.
            """,
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
            var row = [
                container.name, container.id, image, container.isBusy ? "running" : container.state,
                Units.age(seconds: Clock.realtime - container.created),
            ]
            if size, let own = container.bytes, let below = container.imageBytes {
                row.append("\(Units.bytes(UInt64(max(own, 0)))) (virtual \(Units.bytes(UInt64(max(own + below, 0)))))")
            }
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
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "Show all that is known of a container, as JSON.")
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
            return Document(
                container: try ContainerEngine(store).message(found, withSize: true), spec: found.spec,
                layers: try store.layerPaths(of: found.image).map(\.description),
                writable: store.place(of: found).diff.description)
        }
        print(try Documents.text(document))
    }
}

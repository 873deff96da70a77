internal import ArgumentParser
internal import Containers
internal import LayerStore
internal import LinuxSys
internal import MountState

struct Volume: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "volume", abstract: "Volumes: directories that outlive containers.",
        discussion: "`run -v NAME:DST` makes one that is not there.",
        subcommands: [VolumeCreate.self, VolumeList.self, VolumeRemove.self])
}
struct VolumeCreate: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "create", abstract: "Make a volume.")
    @OptionGroup var store: StoreOptions
    @Argument(help: "Its name.") var name: String
    func run() throws {
        let store = try store.open()
        try told { () throws(StoreError) in try store.makeVolume(name) }
        print(store.volumePath(name))
    }
}
struct VolumeList: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "ls", abstract: "List the volumes.")
    @OptionGroup var store: StoreOptions
    @Flag(name: .long, help: "As JSON.")
    var json = false
    func run() throws {
        let store = try store.open()
        let volumes = try told { () throws(StoreError) in
            var out: [(StoredVolume, Int64)] = []
            for volume in try store.volumes() { out.append((volume, try store.usage(ofVolume: volume.name).bytes)) }
            return out
        }
        if json {
            return print(
                JSON.array(
                    volumes.map { volume, bytes in
                        .object([
                            ("name", .string(volume.name)), ("created", .int(volume.created)), ("bytes", .int(bytes)),
                            ("containers", .array(volume.users.map { .string($0) })),
                            ("path", .string(store.volumePath(volume.name).description)),
                        ])
                    }
                ).text())
        }
        var table = Table()
        table.add(["NAME", "SIZE", "AGE", "CONTAINERS"])
        for (volume, bytes) in volumes {
            table.add([
                volume.name, Units.bytes(UInt64(max(bytes, 0))), Units.age(seconds: Clock.realtime - volume.created),
                volume.users.joined(separator: ", "),
            ])
        }
        table.lines.forEach { print($0) }
    }
}
struct VolumeRemove: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rm", abstract: "Remove volumes, with what is in them.")
    @OptionGroup var store: StoreOptions
    @Argument(help: "Names.") var names: [String]
    func run() throws {
        let store = try store.open()
        for name in names {
            try told { () throws(StoreError) in try store.removeVolume(name) }
            print(name)
        }
    }
}

struct System: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "system", abstract: "The store as a whole.", subcommands: [SystemUsage.self, SystemPrune.self])
}
struct SystemUsage: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "df", abstract: "Show what takes how much of the disk.")
    @OptionGroup var store: StoreOptions
    @Flag(name: .long, help: "As JSON.")
    var json = false

    func run() throws {
        let store = try store.open()
        let engine = ContainerEngine(store)
        let rows = try told { () throws(StoreError) in
            let images = try store.images()
            let containers = try store.containers()
            let volumes = try store.volumes()
            var layers: [String: Int64] = [:]
            var used: Set<String> = []
            for image in images {
                for layer in image.layers { layers[layer.digest.hex] = layer.bytes }
                if containers.contains(where: { $0.image == image.id }) {
                    used.formUnion(image.layers.map(\.digest.hex))
                }
            }
            var own: Int64 = 0
            var idle: Int64 = 0
            for container in containers {
                let bytes = try engine.bytes(container)
                own += bytes
                if !container.isStarted { idle += bytes }
            }
            var kept: Int64 = 0
            var unused: Int64 = 0
            for volume in volumes {
                let bytes = try store.usage(ofVolume: volume.name).bytes
                kept += bytes
                if volume.users.isEmpty { unused += bytes }
            }
            return [
                (
                    "images", images.count, layers.values.reduce(0, +),
                    layers.filter { !used.contains($0.key) }.values.reduce(0, +)
                ),
                ("containers", containers.count, own, idle),
                ("volumes", volumes.count, kept, unused),
            ]
        }
        if json {
            return print(
                JSON.object(
                    rows.map {
                        (
                            $0.0,
                            .object([
                                ("count", .int(Int64($0.1))), ("bytes", .int($0.2)), ("reclaimable_bytes", .int($0.3)),
                            ])
                        )
                    }
                ).text())
        }
        var table = Table()
        table.add(["KIND", "COUNT", "SIZE", "NOT IN USE"])
        for row in rows {
            table.add([row.0, "\(row.1)", Units.bytes(UInt64(max(row.2, 0))), Units.bytes(UInt64(max(row.3, 0)))])
        }
        table.lines.forEach { print($0) }
    }
}
struct SystemPrune: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prune",
        abstract: "Remove what nothing uses.",
        discussion: "Leftovers and layers of no image always; the rest as the options say.")
    @OptionGroup var store: StoreOptions
    @Flag(name: .long, help: "Containers that are not started, with what was written in them.")
    var containers = false
    @Flag(name: .long, help: "Images that no container uses.")
    var images = false
    @Flag(name: .long, help: "Volumes that no container has.")
    var volumes = false

    func run() throws {
        let store = try store.open()
        let engine = ContainerEngine(store)
        var removed = (containers: 0, images: 0, volumes: 0)
        var failed = false
        if containers {
            for container in try told({ () throws(StoreError) in try store.containers() })
            where try told({ () throws(StoreError) in try engine.state(container) == .stopped }) {
                // It has said why.
                do { try Control.remove(store, container, force: false) } catch {
                    failed = true
                    continue
                }
                removed.containers += 1
            }
        }
        let swept = try told { () throws(StoreError) in
            if images {
                let used = Set(try store.containers().map(\.image))
                for image in try store.images() where !used.contains(image.id) {
                    _ = try store.removeImage(image.id.description, force: true)
                    removed.images += 1
                }
            }
            if volumes {
                for volume in try store.volumes() where volume.users.isEmpty {
                    try store.removeVolume(volume.name)
                    removed.volumes += 1
                }
            }
            return try store.sweep()
        }
        for sentence in swept.kept { Console.say("not removed: \(sentence)") }
        print(
            """
            removed: \(removed.containers) containers, \(removed.images) images, \(removed.volumes) volumes, \
            \(swept.leftovers) leftovers, \(swept.layers) layers
            """
        )
        if failed { throw ExitCode.failure }
    }
}

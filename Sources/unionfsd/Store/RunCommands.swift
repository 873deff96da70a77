internal import ArgumentParser
internal import Containers
internal import LayerStore
internal import LinuxSys

struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Make a container, mount it, and run a command in it.",
        discussion: """
            By crun or runc. Exit status: the command's; 128 and the signal's number where one ended it.

              unionfsd run --rm debian:12 cat /etc/os-release
              unionfsd run --name work -v ./src:/src -w /src debian:12 make
            """)
    @OptionGroup var store: StoreOptions
    @OptionGroup var options: SpecOptions
    @Option(name: .long, help: "What it is to be called; default: its id.")
    var name: String?
    @Flag(name: .long, help: "Remove the container when the command has ended.")
    var rm = false
    @Flag(name: [.short, .long], help: "Leave it running; its output goes into the container's log.")
    var detach = false
    @OptionGroup var how: RuntimeOptions
    @Argument(help: "The image.") var image: String
    @Argument(parsing: .captureForPassthrough, help: "The command and its arguments.") var command: [String] = []

    func validate() throws {
        if rm && detach { throw ValidationError("--rm and --detach exclude each other") }
        if how.tty && detach { throw ValidationError("--tty and --detach exclude each other") }
    }
    func run() throws {
        try store.enter(seeing: options.paths)
        // For what runs in the container; before there is another thread that they could end.
        Process.holdSignals()
        let store = try store.open()
        let program = try told { () throws(StoreError) in try ContainerRuntime(how.runtime, store) }
        let container = try Create.create(store, options, name, image, command)
        var status: Int32 = 0
        do {
            try Control.start(store, container)
            var call = try told { () throws(StoreError) in try ContainerRuntime.Call(container, store) }
            call.hasTerminal = how.tty
            if detach {
                try told { () throws(StoreError) in try program.launch(call) }
            } else {
                status = try told { () throws(StoreError) in try program.run(call) }
            }
        } catch {
            if rm {
                try? Control.remove(store, container, force: true)
            } else {
                try? Control.stop(store, container, force: true, timeout: 0)
            }
            throw error
        }
        if detach { return print(container.id) }
        if rm {
            try Control.remove(store, container, force: true)
        } else {
            try Control.stop(store, container, force: true, timeout: 0)
        }
        if status != 0 { throw ExitCode(status) }
    }
}

struct Exec: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exec", abstract: "Run a command in a container that is started.",
        discussion: "Beside what runs there; where nothing does, by itself.")
    @OptionGroup var store: StoreOptions
    @OptionGroup var process: ProcessOptions
    @OptionGroup var how: RuntimeOptions
    @Argument(help: "The container's name or id.") var container: String
    @Argument(parsing: .captureForPassthrough, help: "The command and its arguments.") var command: [String] = []

    func run() throws {
        try store.enter()
        // For what runs in the container; before there is another thread that they could end.
        Process.holdSignals()
        let store = try store.open()
        let status = try told { () throws(StoreError) in
            let found = try store.container(container)
            guard try ContainerEngine(store).state(found) == .started else {
                throw StoreError(.conflict, "\(found.name) is not started (unionfsd start \(found.name))")
            }
            var call = try ContainerRuntime.Call(found, store)
            call.spec.command = command.first == "--" ? Array(command.dropFirst()) : command
            call.spec.environment += process.environment
            call.spec.workingDirectory = process.workdir ?? call.spec.workingDirectory
            call.spec.user = process.user ?? call.spec.user
            call.hasTerminal = how.tty
            return try ContainerRuntime(how.runtime, store).exec(call)
        }
        if status != 0 { throw ExitCode(status) }
    }
}

internal import ArgumentParser
internal import Containers
internal import LayerStore
internal import LinuxSys
internal import MountState

struct Unshare: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "unshare", abstract: "Run a command where an ordinary user's containers are mounted.",
        discussion: """
            They are in a namespace of the store's own, in which the user is root and sees the mounts; a shell where \
            no command is given. For root it is here.

              unionfsd unshare ls -l "$(unionfsd start work)"
            """)
    @OptionGroup var store: StoreOptions
    @Argument(parsing: .captureForPassthrough, help: "The command and its arguments.") var command: [String] = []

    func run() throws {
        try store.enter()
        var words = (command.first == "--" ? Array(command.dropFirst()) : command).map(Words.name)
        if words.isEmpty { words = [Process.environment("SHELL") ?? "/bin/sh"] }
        guard let program = words.first.flatMap({ $0.bytes.contains(0x2f) ? $0 : MountProgram.inPath($0) }) else {
            throw Failure.because("\(words.first ?? ""): there is no such program in PATH")
        }
        throw Failure.because("\(program): \(Process.execute(program, words).text)")
    }
}

internal import ArgumentParser
internal import LayerStore
internal import LinuxSys

/// What a process in a container is given.
struct ProcessOptions: ParsableArguments {
    @Option(
        name: [.short, .customLong("env")],
        help: ArgumentHelp(
            "A variable of the environment; the name alone takes this process's value.", valueName: "key=value"))
    var env: [String] = []
    @Option(name: [.short, .long], help: ArgumentHelp("Where the process begins.", valueName: "dir"))
    var workdir: String?
    @Option(
        name: [.short, .long],
        help: ArgumentHelp("Who the process is, by the container's own names or by number.", valueName: "user[:group]"))
    var user: String?

    var environment: [String] {
        env.map { $0.contains("=") ? $0 : "\($0)=\(Process.environment(FileName($0))?.description ?? "")" }
    }
}

/// How a process is started in a container.
struct RuntimeOptions: ParsableArguments {
    @Flag(name: [.short, .long], help: "With a terminal of its own.")
    var tty = false
    @Flag(name: [.short, .long], help: "Taken for Docker's sake: standard input is always the command's.")
    var interactive = false
    @Option(name: .long, help: ArgumentHelp("crun or runc, by name or path.", valueName: "program"))
    var runtime: String?
}

/// What a container runs and has mounted into it, as `create` and `run` take it.
struct SpecOptions: ParsableArguments {
    @Option(
        name: [.short, .long],
        help: ArgumentHelp(
            "A path of this machine, or a volume's name, mounted into the container.", valueName: "src:dst[:ro]"))
    var volume: [String] = []
    @Option(name: .long, help: ArgumentHelp("Memory mounted into the container.", valueName: "dst"))
    var tmpfs: [String] = []
    @OptionGroup var process: ProcessOptions
    @Option(name: .long, help: "The name that the container knows itself by.")
    var hostname: String?
    @Option(
        name: .long,
        help: ArgumentHelp("host: this machine's network; none: a loopback device alone.", valueName: "mode"),
        completion: .list(["host", "none"]))
    var network = "host"
    @Flag(name: .long, help: "The process may not write to the container's root.")
    var readOnly = false
    @Option(
        name: [.short, .long],
        help: ArgumentHelp("Memory for all in it together; what needs more is killed.", valueName: "bytes[k|m|g]"))
    var memory: String?
    @Option(name: .long, help: ArgumentHelp("Processors for all in it together: 0.5, 2.", valueName: "number"))
    var cpus: Double?
    @Option(name: .long, help: ArgumentHelp("Processes and threads in it at once.", valueName: "number"))
    var pidsLimit: Int?
    @Option(
        name: .long,
        help: ArgumentHelp(
            """
            A seccomp profile as Docker and Podman have them, or unconfined; default: the one of \
            containers-common, where that is installed.
            """,
            valueName: "file"), completion: .file())
    var seccomp: String?
    @Option(
        name: .long, help: ArgumentHelp("Options of the mount, as unionfsd mount -o takes them.", valueName: "options"))
    var mountOption: [String] = []
    @Option(name: .long, help: ArgumentHelp("When the mount fails: no, on-failure[:N] or always.", valueName: "policy"))
    var restart = "no"

    /// Of this machine.
    var paths: [FileName] {
        volume.compactMap { $0.split(separator: ":").first.map(String.init) }.filter(Self.isPath).map(Words.name)
            + (seccomp.map { [Words.name($0)] } ?? [])
    }
    private static func isPath(_ text: String) -> Bool { text.hasPrefix("/") || text.hasPrefix(".") }

    func spec(_ command: [String]) throws -> ContainerSpec {
        var spec = ContainerSpec()
        spec.command = command
        spec.environment = process.environment
        spec.workingDirectory = process.workdir
        spec.user = process.user
        spec.hostname = hostname
        guard let network = ContainerSpec.Network(rawValue: network) else {
            throw Failure.because("\"\(network)\" is no network: host or none")
        }
        spec.network = network
        spec.isReadOnly = readOnly
        spec.options = mountOption
        spec.memory = try memory.map(Self.bytes)
        if let cpus {
            guard cpus >= 0.01, cpus <= 8192 else {
                throw Failure.because("--cpus must be a number of processors from 0.01 on")
            }
            spec.processors = cpus
        }
        if let pidsLimit {
            guard pidsLimit > 0 else { throw Failure.because("--pids-limit must be above 0") }
            spec.processes = Int64(pidsLimit)
        }
        spec.seccomp = try seccomp.map { $0 == "unconfined" ? $0 : try Self.path(ofMachine: $0).description }
        spec.mounts =
            try volume.map(Self.mount)
            + tmpfs.map { ContainerSpec.Mount(kind: .tmpfs, source: "", target: try Self.target($0)) }
        return spec
    }
    /// As Docker writes sizes: 512m, 2g, or bytes.
    private static func bytes(_ text: String) throws -> Int64 {
        let lower = text.lowercased()
        let digits = lower.prefix { $0.isNumber }
        let unit = lower.dropFirst(digits.count)
        let shifts: [Substring: Int64] = [
            "": 0, "b": 0, "k": 10, "kb": 10, "m": 20, "mb": 20, "g": 30, "gb": 30, "t": 40, "tb": 40,
        ]
        // runc wants 6 MiB for itself.
        guard let number = Int64(digits), let shift = shifts[unit], number <= Int64.max >> shift,
            number << shift >= 6 << 20
        else {
            throw Failure.because("\"\(text)\" is no size of memory, or too small: 512m, 2g, at least 6m")
        }
        return number << shift
    }
    private static func target(_ text: String) throws -> String {
        guard text.hasPrefix("/"), text != "/" else {
            throw Failure.because("\"\(text)\" must be an absolute path in the container")
        }
        return text
    }
    private static func mount(_ text: String) throws -> ContainerSpec.Mount {
        var parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        var readOnly = false
        if parts.count == 3 {
            guard parts[2] == "ro" || parts[2] == "rw" else {
                throw Failure.because("\"\(text)\": behind the second colon stands ro or rw")
            }
            readOnly = parts.removeLast() == "ro"
        }
        guard parts.count == 2, !parts[0].isEmpty else { throw Failure.because("\"\(text)\" is not SRC:DST[:ro]") }
        guard isPath(parts[0]) else {
            return ContainerSpec.Mount(
                kind: .volume, source: parts[0], target: try target(parts[1]), readOnly: readOnly)
        }
        let inside = try target(parts[1])
        return ContainerSpec.Mount(
            kind: .bind, source: try path(ofMachine: parts[0]).description, target: inside, readOnly: readOnly)
    }
    /// The runtime goes by the path; one below a mount that is younger than an ordinary user's namespace would be
    /// something else there.
    private static func path(ofMachine text: String) throws -> FileName {
        let isSeen: Bool
        let path: FileName
        do throws(Errno) {
            let place = try FD.currentDirectory.open(Words.name(text), OpenFlags.path)
            path = try place.fd.path()
            let again = try FD.currentDirectory.open(path, OpenFlags.path)
            let status = try place.fd.status()
            let seen = try again.fd.status()
            isSeen = seen.dev == status.dev && seen.ino == status.ino
        } catch { throw Failure.because("\(text): \(error.text)") }
        if isSeen { return path }
        throw Failure.because(
            """
            \(text): it was mounted later than the namespace of the store was made, and is not seen there: stop \
            all containers first, or mount it below a shared mount (mount --make-shared)
            """
        )
    }
}

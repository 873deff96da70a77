internal import Foundation
internal import Glibc
public import LayerStore
internal import LinuxSys
internal import MountState

/// An OCI runtime, crun or runc: it makes the namespaces, and starts the process in them.
public struct ContainerRuntime: Sendable {
    private let program: FileName
    private let name: String
    private let store: Store
    private static let known = ["crun", "runc"]

    /// - Parameter wanted: nil: crun before runc, but runc where cgroups are of both kinds at once, which crun does
    ///   not take.
    public init(_ wanted: String?, _ store: Store) throws(StoreError) {
        self.store = store
        let isHybrid = FileManager.default.fileExists(atPath: "/sys/fs/cgroup/unified/cgroup.procs")
        let names = wanted.map { [$0] } ?? (isHybrid ? ContainerRuntime.known.reversed() : ContainerRuntime.known)
        for name in names {
            let path = name.contains("/") ? FileName(name) : MountProgram.inPath(FileName(name))
            let base = String(name.split(separator: "/").last ?? "")
            guard let path, ContainerRuntime.known.contains(base) else { continue }
            program = path
            self.name = base
            return
        }
        throw StoreError(
            .notFound,
            wanted.map { "there is no runtime \"\($0)\" here: crun or runc, by name or by path" }
                ?? "no OCI runtime is installed, which runs what is in a container: apt-get install crun")
    }

    // ---- what runs ----

    public struct Call {
        public let container: StoredContainer
        public let image: ImageConfig
        public let store: Store
        /// Its command, environment, user and directory are this call's.
        public var spec: ContainerSpec
        public var hasTerminal = false
        public init(_ container: StoredContainer, _ store: Store) throws(StoreError) {
            self.container = container
            self.store = store
            image = try store.image(container.image.description).config
            spec = container.spec
        }
        fileprivate var bundle: RuntimeBundle {
            let store = store
            return RuntimeBundle(
                container: container, config: image, place: store.place(of: container),
                volume: { store.volumePath($0) }, spec: spec, hasTerminal: hasTerminal)
        }
    }

    /// The container's own process, to its end. Its exit status; 128 and the signal where one ended it.
    public func run(_ call: Call) throws(StoreError) -> Int32 {
        let bundle = try call.bundle.write("main")
        return try attached(["run", "--bundle", bundle, FileName(call.container.id)])
    }
    /// The same in the background, its output in the container's log.
    public func launch(_ call: Call) throws(StoreError) {
        let bundle = try call.bundle.write("main")
        let path = call.store.place(of: call.container).home.appending(component: "log")
        let exit: LinuxSys.Process.Exit
        do throws(Errno) {
            let log = try FD.currentDirectory.open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, mode: 0o600)
            let null = try FD.currentDirectory.open(FileName("/dev/null"), O_RDWR)
            // What it was the last time, when nobody has told the runtime that it is over.
            _ = try LinuxSys.Process.capture(program, try words(["delete", FileName(call.container.id)]))
            exit = try LinuxSys.Process.run(
                program, try words(["run", "--detach", "--bundle", bundle, FileName(call.container.id)]),
                input: null.fd, output: log.fd, error: log.fd)
        } catch { throw StoreError(error, doing: "\(program)") }
        if exit != .code(0) {
            let text = (try? String(contentsOfFile: path.description, encoding: .utf8)) ?? ""
            throw StoreError(
                .system,
                """
                \(call.container.name) does not start: \
                \(text.split(separator: "\n").last.map(String.init) ?? "see \(path)")
                """
            )
        }
    }

    /// One more process: beside the container's own where that runs, else by itself.
    public func exec(_ call: Call) throws(StoreError) -> Int32 {
        guard !call.spec.command.isEmpty else { throw StoreError(.invalid, "give a command") }
        if try isRunning(call.container.id) {
            let document = try call.bundle.process(command: call.spec.command)
            let file = call.store.place(of: call.container).bundle.appending(
                component: FileName("exec-\(UUID().uuidString).json"))
            let bytes = try RuntimeBundle.bytes(document)
            do throws(Errno) {
                let written = try FD.currentDirectory.open(file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
                try written.fd.writeAll(bytes)
            } catch { throw StoreError(error, doing: "\(file)") }
            defer { try? FileManager.default.removeItem(atPath: file.description) }
            return try attached(["exec", "--process", file, FileName(call.container.id)])
        }
        let id = "\(call.container.id)-\(UUID().uuidString.prefix(8).lowercased())"
        var bundle = call.bundle
        // As given: the image's entrypoint is for its own process.
        bundle.entrypoint = []
        let directory = try bundle.write(FileName(id))
        defer { try? FileManager.default.removeItem(atPath: directory.description) }
        return try attached(["run", "--bundle", directory, FileName(id)])
    }

    private func attached(_ call: [FileName]) throws(StoreError) -> Int32 {
        // Signals are for what runs in the container.
        LinuxSys.Process.holdSignals()
        let child: Int32
        do throws(Errno) { child = try LinuxSys.Process.spawn(program, try words(call)) } catch {
            throw StoreError(error, doing: "\(program)")
        }
        while true {
            let signal = LinuxSys.Process.nextSignal(milliseconds: 500)
            if let end = LinuxSys.Process.ended(child) {
                switch end {
                case .code(let code): return code
                case .signal(let number): return 128 + number
                }
            }
            if let signal, signal != SIGCHLD { LinuxSys.Process.send(signal, to: child) }
        }
    }

    // ---- what the runtime keeps ----

    /// Where a runtime keeps its state; each has a directory of its own. In the store, and not in the run directory,
    /// which another session may have elsewhere, or take away; and one for each start of the machine, as it has numbers
    /// of processes in it.
    private static func home(_ name: String, _ store: Store) -> FileName {
        runtimes(store).appending(component: boot).appending(component: FileName(name))
    }
    private static func runtimes(_ store: Store) -> FileName {
        store.root.appending(component: "run").appending(component: "runtime")
    }
    /// Of this start of the machine (random(4)).
    private static let boot: FileName = {
        guard let file = try? FD.currentDirectory.open(FileName("/proc/sys/kernel/random/boot_id"), O_RDONLY),
            let text = try? file.fd.readAll(limit: 64)
        else { return "unknown" }
        return FileName(bytes: text.prefix(8))
    }()
    private func makeHome() throws(Errno) -> FileName {
        var path = store.root
        for part in [FileName("run"), FileName("runtime"), ContainerRuntime.boot, FileName(name)] {
            path = path.appending(component: part)
            do throws(Errno) {
                try path.withRef { (p) throws(Errno) in try FD.currentDirectory.makeDirectory(p, mode: 0o700) }
            } catch { if error != .exists { throw error } }
        }
        return path
    }
    /// What was kept before the machine was started the last time: none of it runs.
    static func clearOld(_ store: Store) {
        let place = runtimes(store)
        for entry in (try? FileManager.default.contentsOfDirectory(atPath: place.description)) ?? []
        where entry != boot.description {
            try? FileManager.default.removeItem(atPath: place.appending(component: FileName(entry)).description)
        }
    }
    private func words(_ call: [FileName]) throws(Errno) -> [FileName] {
        [FileName(name), "--root", try makeHome()] + call
    }

    public func isRunning(_ id: String) throws(StoreError) -> Bool {
        struct State: Decodable { let status: String }
        let result: (exit: LinuxSys.Process.Exit, output: [UInt8])
        do throws(Errno) { result = try LinuxSys.Process.capture(program, try words(["state", FileName(id)])) } catch {
            throw StoreError(error, doing: "\(program)")
        }
        guard result.exit == .code(0), let state = try? JSONDecoder().decode(State.self, from: Data(result.output))
        else { return false }
        return state.status == "running" || state.status == "created"
    }

    /// Those that a process runs in, whichever runtime has started it.
    static func busyContainers(_ store: Store) -> Set<String> {
        var out: Set<String> = []
        for name in known {
            let home = home(name, store)
            guard let entries = try? FileManager.default.contentsOfDirectory(atPath: home.description) else { continue }
            for entry in entries where isAlive(home.appending(component: FileName(entry))) {
                out.insert(String(entry.prefix { $0 != "-" }))
            }
        }
        return out
    }
    /// A runtime keeps what it knows of a container until it is told to delete it: crun in `status`, runc in
    /// `state.json`.
    private static func isAlive(_ directory: FileName) -> Bool {
        if !FileManager.default.fileExists(atPath: directory.description) { return false }
        for (file, key) in [("status", "pid"), ("state.json", "init_process_pid")] {
            guard
                let data = FileManager.default.contents(
                    atPath: directory.appending(component: FileName(file)).description)
            else { continue }
            guard let members = try? JSONSerialization.jsonObject(with: data) as? [String: Any],
                let pid = members[key] as? Int
            else { return true }
            return LinuxSys.Process.isRunning(Int32(clamping: pid))
        }
        return true
    }
    private static func present(_ container: StoredContainer, _ store: Store) -> [(ContainerRuntime, String)] {
        var out: [(ContainerRuntime, String)] = []
        for name in known {
            let home = home(name, store)
            guard let entries = try? FileManager.default.contentsOfDirectory(atPath: home.description) else { continue }
            let mine = entries.filter { $0 == container.id || $0.hasPrefix("\(container.id)-") }
            if mine.isEmpty { continue }
            guard let runtime = try? ContainerRuntime(name, store) else { continue }
            out += mine.map { (runtime, $0) }
        }
        return out
    }

    /// All that runs in a container: SIGTERM, and SIGKILL when that is not heeded.
    static func end(of container: StoredContainer, _ store: Store, patience: Int) throws(StoreError) {
        let all = present(container, store)
        if all.isEmpty { return }
        func call(_ runtime: ContainerRuntime, _ words: [FileName]) throws(StoreError) {
            do throws(Errno) { _ = try LinuxSys.Process.capture(runtime.program, try runtime.words(words)) } catch {
                throw StoreError(error, doing: "\(runtime.program)")
            }
        }
        if patience > 0 {
            for (runtime, id) in all { try call(runtime, ["kill", FileName(id), "TERM"]) }
            let deadline = Clock.monotonic + UInt64(patience) * 1_000_000_000
            while Clock.monotonic < deadline {
                var runs = false
                for (runtime, id) in all where try runtime.isRunning(id) { runs = true }
                if !runs { break }
                Clock.sleep(milliseconds: 50)
            }
        }
        for (runtime, id) in all {
            try call(runtime, ["delete", "--force", FileName(id)])
            if isAlive(home(runtime.name, store).appending(component: FileName(id))) {
                throw StoreError(
                    .conflict,
                    """
                    what runs in \(container.name) cannot be ended by \(runtime.name): it is another user's, or \
                    was left over from another namespace (\(home(runtime.name, store))/\(id))
                    """
                )
            }
        }
    }
}

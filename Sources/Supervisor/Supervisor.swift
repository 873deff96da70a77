internal import Containers
internal import ControlProtocol
internal import Glibc
public import LayerStore
internal import LinuxSys
internal import MountState

/// The process that owns the mounts of a store's containers: it makes them, takes them away, and makes them again when
/// they fail. It may die at any moment: mounts have processes of their own, and the next supervisor finds them by the
/// mount table and goes on.
public final class Supervisor: @unchecked Sendable {
    let store: Store
    let engine: ContainerEngine
    let locks = ContainerLocks()
    private let mutex = Mutex()
    /// Guarded by `mutex`: the processes whose ends are the ends of mounts, by container.
    private var guardians: [String: Int32] = [:]
    private var plan = RestartPlan()
    private var lastUse = Clock.monotonic
    /// Of the API.
    private var requestsUnderWay = 0
    /// Started by a command, for as long as there is something to do.
    private var isOnDemand = false
    /// Mounts are made no more.
    private var isEnding = false
    /// Another supervisor takes over.
    private var isLeaving = false

    public init(_ store: Store) {
        self.store = store
        engine = ContainerEngine(store)
    }

    /// The one that has the store is asked to leave it to this one, mounts and all: a supervisor that was started on
    /// demand, when the service begins.
    public static func replace(_ store: Store) throws(StoreError) {
        do throws(ControlClient.Failure) {
            let client: ControlClient
            do throws(Errno) { client = try ControlClient(store: store.root) } catch { return }
            _ = try client.send(.post, "/v1/leave")
        } catch {
            if case .absent = error { return }
            throw StoreError(.conflict, "a supervisor of \(store.root) runs already")
        }
        for _ in 0..<200 {
            do throws(Errno) {
                let socket = try ControlSocket(store: store.root)
                _ = try socket.lock()
                return
            } catch { if error != .tryAgain { throw StoreError(error, doing: "the supervisor's socket") } }
            Clock.sleep(milliseconds: 50)
        }
    }

    /// Until SIGTERM or SIGINT, which unmount everything, or until nothing was mounted and nobody asked for `idle`
    /// seconds.
    /// - Parameter onReady: the socket answers.
    public func run(idle: Int?, onReady: () -> Void) throws(StoreError) {
        mutex.locked { isOnDemand = idle != nil }
        // For the mounts.
        let place = store.mountDirectory
        LinuxSys.Process.setEnvironment("UNIONFSD_RUN_DIR", place.parent.appending(component: place.name))
        let socket = try said { () throws(Errno) in try ControlSocket(store: store.root) }
        let lock = try said { () throws(Errno) in try socket.lock() }
        try said { () throws(Errno) in try socket.removeStale() }
        LinuxSys.Process.ignoreSignal(SIGPIPE)
        LinuxSys.Process.holdSignals()
        try recover()
        let server: ControlServer
        do {
            // Nobody else may even knock.
            LinuxSys.Process.setUmask(0o177)
            server = try ControlServer(path: socket.path, handler: { [self] request in Routes(self).answer(request) })
            LinuxSys.Process.setUmask(0o022)
        } catch { throw StoreError(.system, "the supervisor's socket: \(error)") }
        onReady()
        while true {
            switch LinuxSys.Process.nextSignal(milliseconds: 500) {
            case SIGTERM, SIGINT, SIGHUP:
                mutex.locked { isEnding = true }
                server.close()
                stopAll()
                try? socket.removeStale()
                lock.fd.touch()
                return
            default: break
            }
            lookAfter()
            if mutex.locked({ isLeaving }) {
                server.close()
                lock.fd.touch()
                return
            }
            if let idle, isIdle(for: idle) {
                // Whoever comes now finds no socket, and starts another.
                try? socket.removeStale()
                server.close()
                lock.fd.touch()
                return
            }
        }
    }

    private func said<R: ~Copyable>(_ body: () throws(Errno) -> R) throws(StoreError) -> R {
        do throws(Errno) { return try body() } catch {
            throw error == .tryAgain
                ? StoreError(.conflict, "a supervisor of \(store.root) runs already")
                : StoreError(error, doing: "the supervisor's socket")
        }
    }
    private func isIdle(for seconds: Int) -> Bool {
        mutex.locked {
            guardians.isEmpty && requestsUnderWay == 0 && Clock.monotonic &- lastUse > UInt64(seconds) * 1_000_000_000
        }
    }
    /// Mounts stay as they are, for who comes next.
    func leave() throws(StoreError) {
        try mutex.locked { () throws(StoreError) in
            guard isOnDemand else { throw StoreError(.conflict, "a supervisor of \(store.root) runs already") }
            isEnding = true
            isLeaving = true
        }
    }
    func beginRequest() { mutex.locked { requestsUnderWay += 1 } }
    func endRequest() {
        mutex.locked {
            requestsUnderWay -= 1
            lastUse = Clock.monotonic
        }
    }

    // ---- what is found, and what becomes of it ----

    /// After whatever happened: mounts that live are ours, those that are dead or should not be there go, and those
    /// that should be there come back.
    private func recover() throws(StoreError) {
        try engine.clearOrphans()
        engine.clearOldRuntimes()
        try store.sweep()
        for container in try store.containers() {
            do throws(StoreError) {
                switch (try engine.state(container), container.isStarted) {
                case (.started, true): try watch(container)
                case (.started, false): try engine.clear(container)
                case (.failed, true): failed(container)
                case (.failed, false): try engine.clear(container)
                case (.stopped, _): break
                }
            } catch { Console.say("\(container.name): \(error)") }
        }
    }

    func watch(_ container: StoredContainer) throws(StoreError) { watch(container, try engine.guardian(container)) }
    func watch(_ container: StoredContainer, _ guardian: Int32?) {
        mutex.locked { guardians[container.id] = guardian }
    }
    func forget(_ container: StoredContainer) {
        mutex.locked {
            guardians[container.id] = nil
            plan.forget(container.id)
        }
    }

    private func lookAfter() {
        let ended = mutex.locked { guardians.filter { !LinuxSys.Process.isRunning($0.value) }.map(\.key) }
        for id in ended {
            // Somebody is at it: next time.
            locks.ifFree(id) {
                do throws(StoreError) {
                    // It may have been stopped, or replaced by an upgrade, which keeps the process.
                    let container = try store.container(id)
                    switch try engine.state(container) {
                    case .started: try watch(container)
                    case .stopped: forget(container)
                    case .failed: failed(container)
                    }
                } catch {
                    mutex.locked { guardians[id] = nil }
                    if error.kind != .notFound { Console.say("\(id): \(error)") }
                }
            }
        }
    }

    /// With the container's lock, but at the beginning.
    private func failed(_ container: StoredContainer) {
        mutex.locked { guardians[container.id] = nil }
        do throws(StoreError) { try engine.clear(container) } catch { Console.say("\(container.name): \(error)") }
        let decision = mutex.locked { plan.failed(container.id, container.restart) }
        switch decision {
        case .giveUp:
            Console.say(
                "\(container.name): its mount is gone, and is not made again (restart policy \(container.restart))")
            do throws(StoreError) { try engine.stop(container, force: true, patience: 0) } catch {
                Console.say("\(container.name): \(error)")
            }
        case .again(let delay):
            do throws(Errno) {
                try Thread { [self] in
                    Clock.sleep(milliseconds: delay)
                    locks.holding(container.id) { again(container.id) }
                }.detach()
            } catch { Console.say("\(container.name): \(error.text)") }
        }
    }
    private func again(_ id: String) {
        do throws(StoreError) {
            let container = try store.container(id)
            guard !mutex.locked({ isEnding }), container.isStarted, try engine.state(container) != .started else {
                return
            }
            do throws(StoreError) {
                // What ran in it has lost its root.
                try engine.endProcesses(of: container)
                try engine.clear(container)
                watch(container, try engine.start(try store.container(id)))
                Console.say("\(container.name): mounted again")
            } catch {
                Console.say("\(container.name): \(error)")
                try store.setStarted(id, true)
                failed(container)
            }
        } catch { if error.kind != .notFound { Console.say("\(id): \(error)") } }
    }

    /// Those that were started last go first.
    private func stopAll() {
        do throws(StoreError) {
            for container in try store.containers().filter(\.isStarted).sorted(by: {
                ($0.startedAt ?? 0) > ($1.startedAt ?? 0)
            }) {
                locks.holding(container.id) {
                    do throws(StoreError) {
                        try engine.stop(container, force: true)
                        // To come back with the next supervisor.
                        if container.restart.kind == .always { try store.setStarted(container.id, true) }
                    } catch { Console.say("\(container.name): \(error)") }
                }
            }
        } catch { Console.say(error.description) }
    }
}

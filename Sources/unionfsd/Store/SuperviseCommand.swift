internal import ArgumentParser
internal import LayerStore
internal import LinuxSys
internal import MountState
internal import Supervisor

struct Supervise: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "supervise", abstract: "Own the mounts of a store's containers.",
        discussion: """
            It starts and stops them, makes those again that fail, and answers HTTP on run/supervisor.sock in the \
            store (docs/api.md), with metrics for Prometheus under /metrics. \
            Commands that need it start it; unionfsd.service does so at boot. It may be killed at any moment: mounts \
            go on, and the next supervisor finds them. SIGTERM \
            unmounts everything.
            """)
    @OptionGroup var store: StoreOptions
    @Option(
        name: .long,
        help: ArgumentHelp("End when nothing is mounted and nobody asked for so long.", valueName: "seconds"))
    var idle: Int?

    func validate() throws {
        if let idle, idle < 1 || idle > 1 << 30 { throw ValidationError("--idle must be a number of seconds above 0") }
    }
    func run() throws {
        try store.enter()
        // Whoever started it may be anywhere, and want to unmount that.
        do throws(Errno) { try Process.changeDirectory("/") } catch {}
        // Before there is another thread that they could end.
        Process.holdSignals()
        _ = Process.raiseOpenFileLimit()
        let store = try store.open()
        // One that was started on demand makes room for the one that is to stay.
        if idle == nil { try told { () throws(StoreError) in try Supervisor.replace(store) } }
        try told { () throws(StoreError) in try Supervisor(store).run(idle: idle, onReady: {}) }
    }
}

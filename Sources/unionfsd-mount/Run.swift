internal import FuseKit
internal import Glibc
internal import LinuxSys
internal import MountState
internal import UnionCore
internal import UnionFS

/// One mount from its command line to its end.
struct Run {
    private let call: Call
    /// Held for as long as this lives.
    private let claim: LayerClaim?
    private let registration: MountRegistration?
    private let layers: LayerStack
    /// Of the first process; nil where another program had that.
    private let session: Session?
    private let device: FD
    /// For those who serve after a process that died; nil: there will be none.
    private let memory: UnionMemory?
    private let statistics: MountStatistics
    private var record: MountRecord

    /// The exit status.
    static func main() -> Int32 {
        if let asked = Succession.asked(Process.arguments) {
            return takeOver(asked.file, checksOnly: asked.checksOnly, asked.words)
        }
        Process.limitArenas()
        Process.liftFileSizeLimit()
        // An engine's descriptors are not ours to keep open (docs/podman.md, contract 2).
        Process.closeDescriptors(from: 3)
        let call: Call
        do throws(OptionError) { call = try Call(Process.arguments) } catch {
            Console.say("\(error) (try --help)")
            return 64
        }
        if call.wantsHelp || call.wantsVersion {
            Console.write(
                call.wantsHelp
                    ? Call.help : "unionfsd: version \(Version.text)\nlibfuse: version \(LibraryVersion.text)\n",
                to: .standardOutput)
            return 0
        }
        do throws(RegistryError) {
            if call.options.isRemount {
                try Remount.run(call)
                return 0
            }
            let preflight = try Preflight(call.options)
            for note in preflight.notes { Console.say(note) }
            if call.isFake { return 0 }
            var run = try Run(call, preflight)
            // Here, or all that belongs to the mount would be taken apart first, piece by piece.
            exit(run.serve())
        } catch {
            Console.say(error.description)
            return 1
        }
    }

    /// Opens the layers, which are held from here on, and mounts. Nothing answers yet.
    private init(_ call: Call, _ preflight: Preflight) throws(RegistryError) {
        self.call = call
        claim = preflight.claim
        _ = Process.raiseOpenFileLimit()
        if call.options.defaultPermissions, Process.effectiveUser != 0, !Process.hasCapability(Capability.dacOverride) {
            Process.overrideOwnModes()
        }
        do throws(UnionError) {
            layers = try LayerStack(options: call.options, ownsWork: preflight.claim?.isSole ?? false)
        } catch { throw RegistryError(error.message) }
        for note in layers.notes { Console.say(note) }
        record = preflight.record(call)

        // A mount without an entry serves as well: it is only not listed.
        do throws(RegistryError) { registration = try MountRegistration(record) } catch {
            Console.say("\(error); the mount will not be listed and its statistics cannot be read")
            registration = nil
        }
        if let registration {
            statistics = registration.statistics
        } else {
            do throws(Errno) { statistics = try MountStatistics() } catch {
                throw RegistryError("no memory for statistics: \(error.text)")
            }
        }
        do throws(RegistryError) {
            do throws(Errno) { memory = call.options.guardian ? try UnionMemory() : nil } catch {
                throw RegistryError("no memory for the inode table: \(error.text)")
            }
            let session = try Run.mounted(call.options, layers, statistics, memory, preflight.mountpoint)
            self.session = session
            device = session.device
        } catch {
            registration?.remove()
            throw error
        }
        record.device = Run.top(preflight.mountpoint)?.device
    }

    private static func mounted(
        _ options: MountOptions, _ layers: LayerStack, _ statistics: MountStatistics, _ memory: UnionMemory?,
        _ mountpoint: FileName
    ) throws(RegistryError) -> Session {
        let session = try Serve.session(options, layers: layers, statistics: statistics, memory: memory)
        if options.isVolatile, let work = layers.work {
            do throws(Errno) { try VolatileMarker.set(work.fd) } catch {
                throw RegistryError("the work directory cannot be marked as volatile: \(error.text)")
            }
        }
        do throws(SessionError) { try session.mount(at: mountpoint) } catch {
            if options.isVolatile, let work = layers.work { try? VolatileMarker.clear(work.fd) }
            throw RegistryError("cannot mount at \"\(mountpoint)\": \(error)")
        }
        Remount.setFlags(mountpoint, options)
        return session
    }

    /// In the place of another program.
    private init(_ call: Call, _ succession: Succession, checksOnly: Bool) throws(RegistryError) {
        self.call = call
        session = nil
        record = succession.record
        do throws(Errno) {
            memory = try UnionMemory(adopting: succession.memory, at: succession.address)
            claim =
                if let held = succession.claim {
                    try LayerClaim(adopting: held.upper, work: held.work, isSole: held.isSole)
                } else { nil }
            device = checksOnly ? .none : try succession.device.duplicate().release()
        } catch {
            throw RegistryError(
                error == .exists
                    ? "this program has something of its own where the records must be: try again"
                    : "what the program before has left cannot be used: \(error.text)")
        }
        do throws(UnionError) {
            layers = try LayerStack(options: call.options, ownsWork: claim?.isSole ?? false, held: succession.layers)
        } catch { throw RegistryError(error.message) }
        if checksOnly {
            registration = nil
            do throws(Errno) { statistics = try MountStatistics() } catch {
                throw RegistryError("no memory for statistics: \(error.text)")
            }
        } else {
            let registration = try MountRegistration(adopting: succession.id, lock: succession.lock)
            self.registration = registration
            statistics = registration.statistics
        }
        record.version = Version.text
    }

    private static func takeOver(_ file: FD, checksOnly: Bool, _ words: [FileName]) -> Int32 {
        let before = Set(Process.openDescriptors)
        var mountpoint: FileName?
        do throws(RegistryError) {
            let succession = try Succession(file)
            mountpoint = succession.record.mountpoint
            let call: Call
            do throws(OptionError) { call = try Call(words) } catch {
                throw RegistryError("this program does not know the mount's options: \(error)")
            }
            let run = try Run(call, succession, checksOnly: checksOnly)
            if !checksOnly { return run.goOn(besides: before) }
            Console.write("\(Upgrade.ready)\n", to: .standardOutput)
            return 0
        } catch {
            Console.say(error.description)
            if !checksOnly, let mountpoint {
                // What stood the test a moment ago: the mount is no use to anybody now.
                do throws(Errno) { try Mounts.unmount(mountpoint, lazily: true) } catch {}
            }
            return 1
        }
    }

    /// What is open from `before` is the last process's: the next one closes what no record stands for.
    private func goOn(besides before: Set<Int32>) -> Int32 {
        guard let memory else { return 1 }
        // What is running needs no descriptor any more.
        memory.program = .none
        let upgrade = upgrade(memory)
        return guardian(
            memory, upgrade, Process.openDescriptors.filter { $0 < 3 || !before.contains($0) }, background: nil)
    }

    private mutating func serve() -> Int32 {
        guard let session else { return 1 }
        var background: Background?
        if !call.options.foreground {
            do throws(Errno) {
                background = try Background.begin(
                    probe: { answers() },
                    tell: { if call.options.tells { Console.write("process \($0)\n", to: .standardOutput) } },
                    abandon: { abandon() })
            } catch {
                Console.say("cannot go to the background: \(error.text)")
                return end(.failed(error))
            }
        }
        guard let memory else { return work(session, background) }
        let upgrade = upgrade(memory)
        return guardian(memory, upgrade, Process.openDescriptors, background: background)
    }

    private func guardian(
        _ memory: UnionMemory, _ upgrade: Upgrade?, _ inherited: [Int32], background: Background?
    ) -> Int32 {
        var run = self
        run.record.guardian = Process.id
        memory.guardian = Process.id
        return Guardian(memory: memory, upgrade: upgrade).run(
            from: memory.servingGeneration + 1, since: memory.stopped,
            { generation, died in
                var run = run
                if generation == 0, let session = run.session { return run.work(session, background) }
                return run.goOn(memory, inherited, generation, died)
            }, givesUp: { run.giveUp() })
    }

    /// Nil, for a mount that nobody can find, or for want of memory: then it is not to be had.
    private func upgrade(_ memory: UnionMemory) -> Upgrade? {
        guard let registration, memory.file.isValid else { return nil }
        var record = record
        record.guardian = Process.id
        let succession = Succession(
            memory: memory, device: device, layers: layers, claim: claim, registration: registration, record: record)
        do throws(Errno) { return try Upgrade(succession, memory, mailbox: registration.mailbox) } catch { return nil }
    }

    /// In place of a process that died.
    private mutating func goOn(_ memory: UnionMemory, _ inherited: [Int32], _ generation: Int, _ died: UInt64) -> Int32
    {
        let statistics = statistics
        let point = record.mountpoint
        do throws(RegistryError) {
            let session = try Serve.session(
                call.options, layers: layers, statistics: statistics, memory: memory, inherited: inherited,
                onGoingOn: {
                    memory.noteServing(generation)
                    let pause = (Clock.monotonic &- died) / 1000
                    let isUpgrade = memory.stopped == died
                    statistics.setGauge(.takeoverTime, Int(clamping: pause))
                    statistics.addGauge(isUpgrade ? .upgrades : .restarts, 1)
                    let who = isUpgrade ? "another program" : "the process that served died; process \(Process.id)"
                    Console.say("\(point): \(who) goes on after \(pause) µs")
                })
            if let flags = Remount.flags(record) {
                record.readOnly = flags.contains(.readOnly)
                // A private mount of the layers remembers by itself.
                if layers.upperMount == nil, let filesystem = session.filesystem as? UnionFileSystem {
                    do throws(Errno) { try filesystem.follow(flags) } catch {
                        throw RegistryError("the flags of the mount: \(error.text)")
                    }
                }
            }
            do throws(SessionError) {
                try session.resume(
                    OwnedFD(adopting: device.raw), initRequest: memory.initRequest, hasRings: memory.hasRings,
                    at: point, superblock: record.device)
            } catch {
                // Unmounted meanwhile.
                if error.errno == .noDevice { return end(.unmounted) }
                throw RegistryError("\(error)")
            }
            return work(session, nil)
        } catch {
            Console.say("\(point): the process that served died, and nobody can go on: \(error)")
            return Guardian.cannotGoOn
        }
    }

    /// No process can serve this mount any more: better gone than in the way.
    private func giveUp() {
        Console.say(
            """
            \(record.mountpoint): given up: processes died again and again before they could serve, or could \
            not go on (see above)
            """
        )
        layers.close()
        abandon()
        registration?.remove()
    }

    private mutating func work(_ session: Session, _ background: Background?) -> Int32 {
        record.pid = Process.id
        (session.filesystem as? UnionFileSystem)?.onFollowMount = { [record, registration] in
            guard let flags = Remount.flags(record) else { return nil }
            var now = record
            now.readOnly = flags.contains(.readOnly)
            do throws(Errno) { try registration?.update(now) } catch {
                Console.say("\(now.mountpoint): what is listed of it is old: \(error.text)")
            }
            return flags
        }
        statistics.noteProcess()
        do throws(Errno) { try registration?.update(record) } catch {
            Console.say("\(record.mountpoint) is listed without its process: \(error.text)")
        }
        do throws(Errno) { try Process.changeDirectory("/") } catch { /* "/" is always there. */  }
        // Modes come with the requests as they are to be.
        Process.setUmask(0)
        Process.setName("unionfsd")
        do throws(Errno) {
            try Signals.end(session, hasGuardian: memory != nil)
            Process.releaseSignals()
            if background != nil || memory?.hasServed != true { try announce(session, background) }
        } catch {
            Console.say("cannot begin to serve: \(error.text)")
            return end(.failed(error))
        }
        do throws(SessionError) { return end(try session.run()) } catch {
            Console.say("cannot serve: \(error)")
            return end(.failed(error.errno))
        }
    }

    /// A thread that waits for the kernel's INIT to be answered and then lets the parent go.
    private func announce(_ session: Session, _ background: Background?) throws(Errno) {
        var log: FD?
        if background != nil { do throws(Errno) { log = try registration?.openLog().release() } catch {} }
        let point = record.mountpoint
        let debug = call.options.debug
        let logFile = log
        try Thread {
            guard session.waitUntilReady() else { return }
            if debug { Console.say("\(point) is mounted") }
            background?.answer(log: logFile)
            logFile?.close()
            // Time to sweep what dead mounts left; but not while the container that this mount is for starts.
            Clock.sleep(milliseconds: 3000)
            do throws(RegistryError) { _ = try MountRegistry.list() } catch {}
        }.detach()
    }

    private func end(_ end: Session.End) -> Int32 {
        // With nothing closed: descriptors are the guardian's, too.
        if end == .handedOver { _exit(Guardian.handsOver) }
        layers.close()
        var code: Int32 = 0
        if case .failed(let error) = end {
            Console.say("\(record.mountpoint): the connection to the kernel failed: \(error.text)")
            code = 1
        } else if call.options.isVolatile, let work = layers.work {
            do throws(Errno) { try VolatileMarker.clear(work.fd) } catch {
                Console.say("the mark of a volatile mount stays in the work directory: \(error.text)")
            }
        }
        // Once unmounted, what is mounted there now is another's, with our device number too.
        if end != .unmounted { abandon() }
        registration?.remove()
        return code
    }

    /// Takes the mount away if it is still there and still ours.
    private func abandon() {
        guard let device = record.device, Run.top(record.mountpoint)?.device == device else { return }
        do throws(Errno) { try Mounts.unmount(record.mountpoint, lazily: true) } catch {
            Console.say("\(record.mountpoint) is still mounted: \(error.text)")
        }
    }

    /// In the parent: a request went through the kernel to the child and came back.
    private func answers() -> Bool {
        do throws(Errno) {
            let root = try FD.currentDirectory.open(record.mountpoint, OpenFlags.path)
            _ = try root.fd.filesystemStatus()
            return true
        } catch {
            Console.say("\(record.mountpoint) is mounted and does not answer: \(error.text)")
            return false
        }
    }

    private static func top(_ mountpoint: FileName) -> MountEntry? {
        do throws(Errno) { return try MountTable.top(at: mountpoint) } catch { return nil }
    }
}

internal import Glibc
internal import LayerStore
internal import LinuxSys
internal import MountState
internal import UnionCore

/// A container's mount, as the machine has it.
struct ContainerMount {
    let container: StoredContainer
    let store: Store
    var place: ContainerPlace { store.place(of: container) }

    enum State: Equatable {
        case none
        /// With its guardian, or the process that serves where there is none; `unknown` where somebody serves it who
        /// has left no word.
        case alive(guardian: Int32)
        /// Something is mounted there and nobody serves it.
        case dead
    }

    /// No process has this number, and none runs under it.
    static let unknown: Int32 = -1
    private var isHeld: Bool {
        guard let work = try? FD.currentDirectory.open(place.work, O_RDONLY | OpenFlags.directory) else { return false }
        return LayerClaim.isHeld(work.fd)
    }

    func state() throws(StoreError) -> State {
        do throws(Errno) {
            guard let top = try MountTable.top(at: place.merged) else { return .none }
            guard top.type.bytes.elementsEqual("fuse.unionfsd".utf8) else { throw Errno.busy }
        } catch { throw StoreError(error, doing: "\(place.merged)") }
        do throws(RegistryError) {
            if let mount = try MountRegistry.find(place.merged, in: store.mountDirectory), mount.state == .alive {
                return .alive(guardian: mount.server)
            }
        } catch {
            // No word, then.
        }
        return isHeld ? .alive(guardian: ContainerMount.unknown) : .dead
    }

    /// Mounts it, and returns when it answers, with the process whose end is the mount's.
    func mount(_ layers: [FileName]) throws(StoreError) -> Int32 {
        guard let program = MountProgram.find() else {
            throw StoreError(
                .system, "unionfsd-mount is missing: it belongs beside unionfsd, in ../libexec/unionfsd, or in PATH")
        }
        guard !layers.isEmpty else { throw StoreError(.invalid, "the image of \(container.name) has no layers") }
        var words: [FileName] = ["unionfsd-mount", "--strict"]
        func option(_ key: String, _ path: FileName) {
            words += ["-o", FileName(bytes: Array("\(key)=".utf8) + OptionText.escaped(path))]
        }
        for layer in layers { option("lowerdir+", layer) }
        option("upperdir", place.diff)
        option("workdir", place.work)
        // Where it is known, nobody needs to count it.
        if let bytes = container.bytes { words += ["-o", FileName("usage=\(bytes)")] }
        // A layer that is committed can say neither.
        words += ["-o", "redirect_dir=off,metacopy=off,tell"]
        for word in container.spec.options { words += ["-o", FileName(word)] }
        words += ["--", place.merged]
        let result: (exit: Process.Exit, output: [UInt8])
        do throws(Errno) { result = try Process.capture(program, words) } catch {
            throw StoreError(error, doing: "\(program)")
        }
        let lines = String(decoding: result.output, as: UTF8.self).split(separator: "\n")
        guard result.exit == .code(0),
            let process = lines.lazy.compactMap({ $0.hasPrefix("process ") ? Int32($0.dropFirst(8)) : nil }).first
        else {
            let text = lines.map { $0.hasPrefix("unionfsd: ") ? String($0.dropFirst(10)) : String($0) }
            throw StoreError(
                .system,
                """
                \(container.name) cannot be mounted: \
                \(text.isEmpty ? "unionfsd-mount says nothing" : text.joined(separator: "; "))
                """
            )
        }
        return process
    }

    /// Takes it away, and ends who serves it: then the writable layer is quiet. Wherever the mount is still seen, in a
    /// mount namespace that somebody made meanwhile or by a file that is open, it is dead.
    /// - Parameter force: though somebody is in it.
    func unmount(force: Bool) throws(StoreError) {
        let before = try state()
        if before == .none { return }
        let device = (try? MountTable.top(at: place.merged))?.device
        let deadline = Clock.monotonic + 2_000_000_000
        while true {
            do throws(Errno) {
                try Mounts.unmount(place.merged, lazily: before == .dead)
                break
            } catch {
                if error == .invalid { break }
                guard error == .busy else { throw StoreError(error, doing: "\(container.name) cannot be unmounted") }
                if Clock.monotonic > deadline {
                    if !force {
                        throw StoreError(
                            .conflict,
                            """
                            \(container.name) is in use: somebody has a file of it open, or works in it (stop \
                            --force takes it away all the same)
                            """
                        )
                    }
                    do throws(Errno) { try Mounts.unmount(place.merged, lazily: true) } catch {
                        throw StoreError(error, doing: "\(container.name) cannot be unmounted")
                    }
                    break
                }
                Clock.sleep(milliseconds: 20)
            }
        }
        if case .alive(let guardian) = before {
            try endServer(guardian == ContainerMount.unknown ? nil : guardian, device)
        }
    }

    /// Who serves it though it is mounted nowhere here: left by a process that died between the two steps of a stop, or
    /// by an unmount that was not ours.
    func endLeftover() throws(StoreError) {
        guard isHeld else { return }
        var server: Int32?
        var device: String?
        do throws(RegistryError) {
            if let mount = try MountRegistry.list(in: store.mountDirectory).last(where: {
                $0.record.mountpoint == place.merged && $0.state == .alive && !$0.isVisible
            }) {
                server = mount.server
                device = mount.record.device
            }
        } catch {
            // No word, then.
        }
        try endServer(server, device)
    }

    /// By itself it ends with the last mount. Where there is another, its end is the connection's: the kernel ends that
    /// with the last descriptor of /dev/fuse (fuse_dev_release), which needs no privilege. Nothing is lost: what was
    /// written went to it when files were closed (fuse_flush, fuse_release).
    private func endServer(_ process: Int32?, _ device: String?) throws(StoreError) {
        func isOver() -> Bool { !isHeld && process.map { !Process.isRunning($0) } ?? true }
        func wait(_ milliseconds: UInt64) -> Bool {
            let deadline = Clock.monotonic + milliseconds * 1_000_000
            while !isOver() {
                if Clock.monotonic > deadline { return false }
                Clock.sleep(milliseconds: 2)
            }
            return true
        }
        if wait(500) { return }
        if let process {
            // The first one unmounts, which finds nothing here, and stops; a second one stops at once.
            for _ in 0..<2 {
                Process.send(SIGTERM, to: process)
                if wait(2000) { return }
            }
            // It may be stuck.
            let children = Process.children(of: process)
            for pid in [process] + children { Process.send(SIGKILL, to: pid) }
            if wait(2000) { return }
        }
        // Without a word of who it is: by root of the machine, where that filesystem is mounted.
        if let minor = device?.split(separator: ":").last {
            do throws(Errno) {
                let file = try FD.currentDirectory.open(FileName("/sys/fs/fuse/connections/\(minor)/abort"), O_WRONLY)
                try file.fd.writeAll([UInt8(ascii: "1")])
            } catch {
                // Then not.
            }
            if wait(2000) { return }
        }
        throw StoreError(
            .conflict,
            """
            \(container.name) is unmounted and still \
            served\(process.map { " by process \($0)" } ?? ", by a process that has left no word"): end that \
            first
            """
        )
    }
}

/// What is mounted where, and by whom it is served.
struct MountOverview: Sendable {
    private var types: [FileName: FileName] = [:]
    private var served: [FileName: Int32] = [:]

    init(_ store: Store) throws(StoreError) {
        do throws(Errno) { for entry in try MountTable().entries { types[entry.mountpoint] = entry.type } } catch {
            throw StoreError(error, doing: "the mount table")
        }
        do throws(RegistryError) {
            for mount in try MountRegistry.list(in: store.mountDirectory) where mount.state == .alive {
                served[mount.record.mountpoint] = mount.server
            }
        } catch { throw StoreError(.system, error.description) }
    }
    func state(_ path: FileName) -> ContainerMount.State {
        guard types[path] == "fuse.unionfsd" else { return .none }
        return served[path].map { .alive(guardian: $0) } ?? .dead
    }
}

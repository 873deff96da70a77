internal import ArgumentParser
internal import LinuxSys
internal import MountState

struct Umount: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "umount", abstract: "Unmount a union and wait until its process is gone.",
        discussion: """
            When it returns, nothing writes to the upper layer any more: it can be archived, moved or mounted again. \
            A mount whose process died is taken away too.
            """)

    @Flag(name: .long, help: "Take the mount out of view now, though files of it are still open; do not wait for them.")
    var lazy = false

    @Option(name: .long, help: ArgumentHelp("How long to wait for the process.", valueName: "seconds"))
    var timeout = 60

    @Argument(help: ArgumentHelp("The mount point.", valueName: "mnt"), completion: .directory)
    var mountpoint: String

    func run() throws {
        let path = Words.name(mountpoint)
        let mount: RegisteredMount?
        do throws(RegistryError) { mount = try KnownMounts.find(path) } catch {
            throw Failure.because(error.description)
        }
        let target = try place(path, mount)
        do throws(Errno) { try Mounts.unmount(target, lazily: lazy) } catch {
            switch error {
            case .notPermitted, .accessDenied: try byHelper(target)
            case .busy:
                throw Failure.because(
                    """
                    \"\(target)\" is busy: a process has a file open in it or works in it (see fuser -m); end \
                    it, or use --lazy
                    """
                )
            default: throw Failure.because("\"\(target)\" cannot be unmounted: \(error.text)")
            }
        }
        if let mount { try finish(mount) }
    }

    /// The mount point as the kernel has it. Refuses what is not ours: umount(8) is for the rest.
    private func place(_ path: FileName, _ mount: RegisteredMount?) throws -> FileName {
        let resolved = (try? MountTable.resolve(path).path) ?? path
        if let mount {
            if !mount.isVisible {
                throw Failure.because(
                    """
                    \"\(mount.record.mountpoint)\" is not mounted here but in another mount namespace. A \
                    container's ends with unionfsd stop; else: nsenter -t \
                    \(mount.record.pid)\(Process.effectiveUser == 0 ? "" : " -U --preserve-credentials") -m \
                    unionfsd umount \(mount.record.mountpoint)
                    """
                )
            }
            if resolved != mount.record.mountpoint, let top = try? MountTable.top(at: resolved),
                top.device == mount.record.device
            {
                return resolved
            }
            guard resolved == mount.record.mountpoint else {
                throw Failure.because(
                    "\"\(path)\" lies inside a mount; name its mount point: \(mount.record.mountpoint)")
            }
            return resolved
        }
        // One without an entry: made by another user, or where there was no run directory.
        if let top = try? MountTable.top(at: resolved), top.type.bytes.elementsEqual("fuse.unionfsd".utf8) {
            return resolved
        }
        if (try? path.withRef { (p) throws(Errno) in try FD.currentDirectory.status(p) }) == nil,
            (try? MountTable.resolve(path)) == nil
        {
            throw Failure.because("\"\(path)\" does not exist")
        }
        throw Failure.because("\"\(path)\" is not a mount of unionfsd (unionfsd list shows them)")
    }

    /// An ordinary user's way.
    private func byHelper(_ target: FileName) throws {
        guard let helper = MountProgram.inPath("fusermount3") else {
            throw Failure.because("only root may unmount \"\(target)\", and there is no fusermount3 in PATH")
        }
        let child = try Process.fork()
        if child == 0 {
            let error = Process.execute(helper, ["fusermount3", "-u"] + (lazy ? ["-z"] : []) + ["--", target])
            throw Failure.because("\(helper): \(error.text)")
        }
        // It has said why.
        guard try Process.wait(child) == .code(0) else { throw ExitCode.failure }
    }

    private func finish(_ mount: RegisteredMount) throws {
        // Lazily unmounted, it goes when the last open file does: no use in waiting for that.
        let patience = lazy ? 1 : max(timeout, 0)
        let end = Clock.monotonic + UInt64(patience) * 1_000_000_000
        while MountRegistry.isServed(mount) {
            if lazy && Clock.monotonic > end { return }
            if Clock.monotonic > end {
                throw Failure.because(
                    """
                    \"\(mount.record.mountpoint)\" is unmounted, but its process \(mount.record.pid) is still \
                    at work: wait for it before you use the upper layer
                    """
                )
            }
            Process.sleep(milliseconds: 5)
        }
        // The guardian has the layers open until it is gone itself, a moment later.
        let guardian = mount.record.guardian
        let soon = min(end, Clock.monotonic + 2_000_000_000)
        while guardian > 1, Process.isRunning(guardian), Clock.monotonic <= soon { Process.sleep(milliseconds: 2) }
        // Of a process that died, nobody else takes the entry away.
        MountRegistry.remove(mount)
    }
}

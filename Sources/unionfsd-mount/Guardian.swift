internal import Glibc
internal import LinuxSys
internal import MountState
internal import UnionFS

/// The process that stays behind a mount and does nothing but wait for the one that serves, and start another when that
/// dies (docs/takeover.md). It has all that a mount cannot be without: /dev/fuse, the records, the layers; and what a
/// worker opens is open here too, as both have one table of descriptors.
///
/// From `run`'s first worker on it allocates nothing: it forks, waits, and forks again.
struct Guardian {
    let memory: UnionMemory
    /// Nil: nobody could find this mount to ask for it.
    let upgrade: Upgrade?
    /// A worker's exit status for "another program goes on", after SIGUSR1.
    static let handsOver: Int32 = 76
    /// How long a worker may take to answer what it has received before it is killed, which no caller notices either.
    private static let handOverPatience: Int32 = 50
    /// A worker's exit status for "nobody can go on here".
    static let cannotGoOn: Int32 = 75
    /// Workers in a row that died before they served.
    private static let mostFailures = 8
    private static let longestPause: Int32 = 1000

    /// - Parameters:
    ///   - worker: in the child; its exit status. With the number of workers before it, and when the last one was
    ///     found dead.
    ///   - givesUp: in a child too: what is left to be done when no worker can serve.
    ///   - generation: the first worker's; not 0 where another program had some before.
    ///   - since: when the last one of that stopped.
    /// - Returns: the mount's exit status.
    func run(
        from generation: Int = 0, since: UInt64 = 0, _ worker: (_ generation: Int, _ since: UInt64) -> Int32,
        givesUp: () -> Void
    ) -> Int32 {
        Process.setName("unionfsd-guard")
        do throws(Errno) { try Process.changeDirectory("/") } catch { /* "/" is always there. */  }
        Process.holdSignals()
        Process.setKillPreference(-1000)
        var generation = generation
        var failures = 0
        var died = since
        var request = UpgradeRequest()
        var pending: Int32 = 0
        while true {
            let pid: Int32
            do throws(Errno) { pid = try Process.forkSharingFiles() } catch {
                // Want of memory or of processes passes.
                failures += 1
                if failures > Self.mostFailures {
                    finish(givesUp)
                    return 1
                }
                _ = Process.nextSignal(milliseconds: Self.pause(failures))
                continue
            }
            if pid == 0 {
                Process.ownGroup()
                Process.setKillPreference(0)
                // Signals wait until the worker can act on them (`Run.work`).
                _exit(worker(generation, died))
            }
            if pending != 0 { Process.send(pending, to: pid) }
            pending = 0
            let end = wait(for: pid, &request)
            died = Clock.monotonic
            if case .code(let code) = end, code != Self.cannotGoOn, code != Self.handsOver { return code }
            if request.isGranted, memory.hasServed, let upgrade {
                request.isGranted = false
                // Waits for that program, which inherits the mask and what is pending.
                if request.kept != 0 { Process.send(request.kept, to: Process.id) }
                request.kept = 0
                let error = upgrade.execute(stopped: died)
                memory.stopped = 0
                upgrade.close()
                report(error)
            }
            guard memory.hasServed else { return 1 }
            failures = memory.servingGeneration == generation ? 0 : failures + 1
            if end == .code(Self.cannotGoOn) || failures > Self.mostFailures {
                finish(givesUp)
                return 1
            }
            if failures > 0, let signal = Process.nextSignal(milliseconds: Self.pause(failures)), signal != SIGCHLD {
                pending = signal
            }
            generation += 1
        }
    }

    private static func pause(_ failures: Int) -> Int32 { min(5 << Int32(min(failures, 10)), longestPause) }

    /// How far the wish for another program is.
    private struct UpgradeRequest {
        /// Looks at that program; 0: none.
        var checker: Int32 = 0
        /// It can go on, and the worker was asked to stop.
        var isGranted = false
        /// A signal for whoever serves next; 0: none.
        var kept: Int32 = 0
    }

    /// Signals that end the mount are the worker's to act on.
    private func wait(for pid: Int32, _ request: inout UpgradeRequest) -> Process.Exit {
        while true {
            if request.checker != 0, let upgrade, let answer = Process.ended(request.checker) {
                request.checker = 0
                request.isGranted = answer == .code(0)
                if request.isGranted { Process.send(SIGUSR1, to: pid) } else { upgrade.close() }
            }
            let signal = Process.nextSignal(milliseconds: request.isGranted ? Self.handOverPatience : -1)
            switch signal {
            case SIGCHLD: if let end = Process.ended(pid) { return end }
            case SIGUSR1: if request.checker == 0, !request.isGranted { request.checker = beginCheck() }
            case .some(let other):
                if request.isGranted { request.kept = other } else { Process.send(other, to: pid) }
            case nil:
                if request.isGranted {
                    Process.send(SIGKILL, to: pid)
                } else if let end = Process.ended(pid) {
                    return end
                }
            }
        }
    }

    private func beginCheck() -> Int32 {
        guard let upgrade, memory.hasServed else { return 0 }
        let failure = upgrade.open()
        do throws(Errno) {
            let pid = try Process.fork()
            if pid == 0 { _exit(upgrade.prepare(failure) ? 0 : 1) }
            return pid
        } catch {
            upgrade.close()
            return 0
        }
    }

    /// By another process, as nothing is allocated here.
    private func report(_ error: Errno) {
        finish { Console.say("the other program cannot be started, and this one goes on: \(error.text)") }
    }

    private func finish(_ body: () -> Void) {
        do throws(Errno) {
            let pid = try Process.forkSharingFiles()
            if pid == 0 {
                body()
                _exit(0)
            }
            _ = try Process.wait(pid)
        } catch {
            // No process can be had: here, where it is the last that is done.
            body()
        }
    }
}

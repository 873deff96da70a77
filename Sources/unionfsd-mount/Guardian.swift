internal import Glibc
internal import LinuxSys
internal import MountState
internal import UnionFS

/// The process that stays behind a mount and does nothing but wait for the one that serves, and start another when that dies (docs/takeover.md). It has all that a mount
/// cannot be without: /dev/fuse, the records, the layers; and what a worker opens is open here too, as both have one table of descriptors.
///
/// From `run`'s first worker on it allocates nothing: it forks, waits, and forks again.
struct Guardian {
    let memory: UnionMemory
    /// A worker's exit status for "nobody can go on here".
    static let cannotGoOn: Int32 = 75
    /// Workers in a row that died before they served.
    private static let mostFailures = 8
    private static let longestPause: Int32 = 1000

    /// - Parameters:
    ///   - worker: in the child; its exit status. With the number of workers before it, and when the last one was found dead.
    ///   - givesUp: in a child too: what is left to be done when no worker can serve.
    /// - Returns: the mount's exit status.
    func run(_ worker: (_ generation: Int, _ since: UInt64) -> Int32, givesUp: () -> Void) -> Int32 {
        Process.setName("unionfsd-guard")
        do throws(Errno) { try Process.changeDirectory("/") } catch { /* "/" is always there. */ }
        Process.holdSignals()
        Process.setKillPreference(-1000)
        var generation = 0, failures = 0
        var died: UInt64 = 0
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
            let end = wait(for: pid)
            died = Clock.monotonic
            if case .code(let code) = end, code != Self.cannotGoOn { return code }
            guard memory.hasServed else { return 1 }
            failures = memory.servingGeneration == generation ? 0 : failures + 1
            if end == .code(Self.cannotGoOn) || failures > Self.mostFailures {
                finish(givesUp)
                return 1
            }
            if failures > 0, let signal = Process.nextSignal(milliseconds: Self.pause(failures)), signal != SIGCHLD { pending = signal }
            generation += 1
        }
    }

    private static func pause(_ failures: Int) -> Int32 { min(5 << Int32(min(failures, 10)), longestPause) }

    /// Signals that end the mount are the worker's to act on.
    private func wait(for pid: Int32) -> Process.Exit {
        while true {
            let signal = Process.nextSignal() ?? SIGCHLD
            if signal == SIGCHLD { if let end = Process.ended(pid) { return end } } else { Process.send(signal, to: pid) }
        }
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

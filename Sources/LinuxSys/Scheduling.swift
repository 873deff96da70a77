internal import CShims
internal import Glibc

/// A thread of this machine, by its number (gettid(2)). Only while the thread is known to live: the kernel gives
/// numbers out again.
public struct ThreadNumber: Equatable, Sendable {
    public let raw: Int32
    public init(raw: Int32) { self.raw = raw }
    public static var current: ThreadNumber { ThreadNumber(raw: Int32(truncatingIfNeeded: cs_thread_number())) }

    /// The two policies of sched(7) that ordinary threads have here; the nice value is another matter and stays.
    public enum Policy: Int32, Sendable {
        case other = 0
        case idle = 5
    }

    /// Nil: another policy, or one that threads do not hand on (SCHED_RESET_ON_FORK).
    public var policy: Policy? { Policy(rawValue: Int32(truncatingIfNeeded: cs_policy(raw))) }

    /// - Throws: EPERM on the way back from `.idle`, without CAP_SYS_NICE in the first user namespace or room in
    ///   RLIMIT_NICE (user_check_sched_setscheduler).
    public func set(_ policy: Policy) throws(Errno) { try checked { cs_set_policy(raw, policy.rawValue) } }

    /// On this processor alone.
    /// - Throws: EINVAL where the processor is off, or not ours (cpuset(7)).
    public func pin(to processor: Int32) throws(Errno) { try checked { cs_set_processor(raw, processor) } }
    /// On any other than this one.
    /// - Throws: EINVAL where there is no other.
    public func avoid(_ processor: Int32) throws(Errno) { try checked { cs_avoid_processor(raw, processor) } }
    /// On each that this process was started with.
    public func unpin() throws(Errno) { try checked { cs_set_all_processors(raw) } }

    /// This thread seldom runs, and not for long, but then at once: the lowest nice value, and a slice shorter than
    /// others' (PREEMPT_SHORT).
    /// - Throws: EPERM without CAP_SYS_NICE.
    public static func becomeUrgent() throws(Errno) { try checked { cs_thread_urgent(-20, 100_000) } }
}

/// Looks at another thread of this process: one system call for each look, as its files of /proc stay open.
public final class ThreadWatch: Sendable {
    private let stat: OwnedFD
    private let schedstat: OwnedFD

    public init(_ thread: ThreadNumber) throws(Errno) {
        stat = try FD.currentDirectory.open(FileName("/proc/self/task/\(thread.raw)/stat"), O_RDONLY)
        // Missing where the kernel is built without SCHED_INFO.
        do throws(Errno) {
            schedstat = try FD.currentDirectory.open(FileName("/proc/self/task/\(thread.raw)/schedstat"), O_RDONLY)
        } catch { schedstat = OwnedFD(adopting: -1) }
    }

    /// The letter of proc_pid_stat(5): R running or waiting for a processor, S asleep, D waiting for a disk; nil: gone.
    public var state: UInt8? {
        // The second field is a name in parentheses, of 15 bytes at the most, which may hold anything.
        read(stat.fd) { text in
            guard let close = text.lastIndex(of: UInt8(ascii: ")")), close + 2 < text.count else { return nil }
            return text[close + 2]
        }
    }

    /// Nanoseconds that the thread could have run and was not let; one wait is added when it is over
    /// (sched_info_arrive). Nil: not counted here.
    public var waited: UInt64? {
        read(schedstat.fd) { text in
            let numbers = text.split { !(0x30...0x39).contains($0) }
            // "0 0 0" where nobody counts (sched_info_on); a thread that is watched has run.
            guard numbers.count == 3, numbers[2].first != 0x30 else { return nil }
            return numbers[1].reduce(0) { $0 &* 10 &+ UInt64($1 &- 0x30) }
        }
    }

    /// The first 64 bytes.
    private func read<R>(_ file: FD, _ body: (ArraySlice<UInt8>) -> R?) -> R? {
        var text = [UInt8](repeating: 0, count: 64)
        do throws(Errno) {
            let n = try text.withLentMutable { (b) throws(Errno) in try file.read(into: b, at: 0) }
            return body(text[..<n])
        } catch { return nil }
    }
}

internal import CShims
internal import Glibc

/// Who waits for what this thread does: the thread that made the system call which became our request. Long work asks
/// whether it was killed meanwhile, as the kernel's own long work does (fatal_signal_pending); other signals wait until
/// the call is over.
///
/// A word of the thread and no argument of every call: between the request's header and a copy's inner loop lie ten
/// calls that have no use for it. FUSE_INTERRUPT is not enough: it is sent for any signal, once (request_wait_answer),
/// and only a second thread could read it.
public enum WaitingCaller {
    /// `tid`: of the request's header; 0 for nobody, or for somebody whose process id means nothing here.
    @inline(__always) public static func begin(_ tid: UInt32) { cs_thread_set_caller(tid) }

    /// A fatal signal waits for the caller: SIGKILL, which any signal that is going to end the process becomes for each
    /// of its threads (complete_signal), is in the thread's own pending set: field 31 of /proc/TID/stat
    /// (proc_pid_stat(5)). Three system calls, some 20 µs: for work that lasts longer.
    public static var wasKilled: Bool {
        let tid = cs_thread_caller()
        if tid == 0 { return false }
        do throws(Errno) {
            let file = try FD.currentDirectory.open(FileName("/proc/\(tid)/stat"), O_RDONLY)
            let text = try file.fd.readAll(limit: 4096)
            // The second field is the program's name in parentheses, which may hold anything.
            guard let close = text.lastIndex(of: UInt8(ascii: ")")) else { return false }
            let fields = text[(close + 1)...].split(separator: UInt8(ascii: " "))
            guard fields.count > 28 else { return false }
            let pending = fields[28].reduce(UInt64(0)) { $0 &* 10 &+ UInt64($1 &- 0x30) }
            return pending & 1 << (UInt64(SIGKILL) - 1) != 0
        } catch { return false }
    }
}

extension WaitingCaller {
    /// The processor that a thread runs on, or ran on last: field 39 of /proc/TID/stat. Nil: it is gone, or not to be
    /// seen from here. Three system calls, some 10 µs.
    public static func processor(of tid: UInt32) -> Int32? {
        do throws(Errno) {
            let file = try FD.currentDirectory.open(FileName("/proc/\(tid)/stat"), O_RDONLY)
            let text = try file.fd.readAll(limit: 4096)
            guard var at = text.lastIndex(of: UInt8(ascii: ")")) else { return nil }
            for _ in 0..<37 {
                guard let space = text[(at + 1)...].firstIndex(of: UInt8(ascii: " ")) else { return nil }
                at = space
            }
            let digits = text[(at + 1)...].prefix { (0x30...0x39).contains($0) }
            return digits.isEmpty || digits.count > 6 ? nil : digits.reduce(Int32(0)) { $0 * 10 + Int32($1 - 0x30) }
        } catch { return nil }
    }
    /// Thread ids of our requests are those of /proc, which somebody may have mounted for another namespace of
    /// processes.
    public static var isKnownToProc: Bool {
        do throws(Errno) {
            let own = try FileName("/proc/self").withRef { (p) throws(Errno) in try FD.currentDirectory.readLink(p) }
            return own == FileName("\(Process.id)")
        } catch { return false }
    }

    /// The caller is in one of the calls that change an owner: /proc/TID/syscall (proc_pid_syscall(5)). Nil where we
    /// may not know.
    public static var isInChown: Bool? {
        let tid = cs_thread_caller()
        if tid == 0 { return nil }
        do throws(Errno) {
            let file = try FD.currentDirectory.open(FileName("/proc/\(tid)/syscall"), O_RDONLY)
            let text = try file.fd.readAll(limit: 256)
            // "running", or the number and the arguments.
            guard let word = text.split(separator: UInt8(ascii: " ")).first, let digit = word.first,
                (0x30...0x39).contains(digit)
            else { return nil }
            return cs_is_chown(word.reduce(Int(0)) { $0 &* 10 &+ Int($1 &- 0x30) }) != 0
        } catch { return nil }
    }
}

/// `WaitingCaller.wasKilled`, asked again and again but looked up at most every 20 ms.
public struct KillWatch {
    private static let interval: UInt64 = 20_000_000
    private var next = Clock.monotonic &+ KillWatch.interval
    public init() {}

    /// - Throws: EINTR when nobody waits any more.
    public mutating func check() throws(Errno) {
        let now = Clock.monotonic
        if now < next { return }
        next = now &+ KillWatch.interval
        if WaitingCaller.wasKilled { throw .interrupted }
    }
}

internal import CShims
internal import Glibc

/// Processes, credentials, limits, mounts: what a daemon needs to become one.
public enum Process {
    /// fork(2): 0 in the child. Only before the first thread.
    public static func fork() throws(Errno) -> Int32 { Int32(try checked { cs_fork() }) }
    /// fork(2) with one table of descriptors for both: what the child opens stays open when it is dead. Only before the
    /// first thread.
    public static func forkSharingFiles() throws(Errno) -> Int32 { Int32(try checked { cs_fork_sharing_files() }) }
    /// Numbers of all descriptors of this process.
    public static var openDescriptors: [Int32] {
        var numbers: [Int32] = []
        do throws(Errno) {
            let directory = try FD.currentDirectory.open(FileName("/proc/self/fd"), OpenFlags.directory)
            var reader = DirectoryReader(directory.fd)
            try reader.forEach { (name, _, _) throws(Errno) in
                if let number = Int32(String(decoding: name.bytes, as: UTF8.self)), number != directory.number {
                    numbers.append(number)
                }
                return true
            }
        } catch {
            // Without /proc none are known, and none is closed.
        }
        return numbers
    }
    /// SIGTERM, SIGINT, SIGHUP, SIGUSR1 and SIGCHLD wait for `nextSignal`.
    public static func holdSignals() { _ = cs_signals_hold() }
    public static func releaseSignals() { _ = cs_signals_release() }
    /// Allocates nothing. Nil: none came in so many milliseconds.
    public static func nextSignal(milliseconds: Int32 = -1) -> Int32? {
        let n = cs_signals_wait(milliseconds)
        return n > 0 ? Int32(truncatingIfNeeded: n) : nil
    }
    /// Nil: it lives. Allocates nothing.
    public static func ended(_ pid: Int32) -> Exit? {
        var status: Int32 = 0
        let n = unsafe cs_waitpid(pid, &status, WNOHANG)
        guard n == pid else { return n == Int(-ECHILD) ? .code(1) : nil }
        return cs_wifexited(status) != 0 ? .code(cs_wexitstatus(status)) : .signal(cs_wtermsig(status))
    }
    /// A process group of its own: what a terminal sends to the other one does not come here.
    public static func ownGroup() { _ = setpgid(0, 0) }
    public static func send(_ signal: Int32, to pid: Int32) { _ = kill(pid, signal) }
    public static var parent: Int32 { getppid() }
    /// SIGABRT for this process: a core, where the machine keeps them, says what every thread was doing.
    public static func abort() { Glibc.abort() }
    /// How eagerly the kernel ends this process for want of memory: -1000 never, 0 as others
    /// (proc_pid_oom_score_adj(5)). False: not allowed.
    @discardableResult
    public static func setKillPreference(_ score: Int32) -> Bool { cs_prefer_to_kill(score) >= 0 }
    public static func newSession() throws(Errno) { try checked { cs_setsid() } }
    public static var id: Int32 { getpid() }
    public static func pipe() throws(Errno) -> (read: FD, write: FD) {
        var ends: (Int32, Int32) = (-1, -1)
        try checked {
            unsafe withUnsafeMutablePointer(to: &ends) { p in
                unsafe UnsafeMutableRawPointer(p).withMemoryRebound(to: Int32.self, capacity: 2) {
                    unsafe cs_pipe2($0, O_CLOEXEC)
                }
            }
        }
        return (FD(raw: ends.0), FD(raw: ends.1))
    }

    /// Replaces this process; returns only with the reason why it could not.
    public static func execute(_ path: FileName, _ arguments: [FileName]) -> Errno {
        var pointers: [UnsafeMutablePointer<CChar>?] = unsafe arguments.map { a in
            unsafe a.withRef { name in unsafe strdup(name.base) }
        }
        unsafe pointers.append(nil)
        let result = path.withRef { p in
            unsafe pointers.withUnsafeBufferPointer { unsafe cs_execv(p.base, $0.baseAddress) }
        }
        unsafe pointers.forEach { unsafe free($0) }
        return Errno(Int32(truncatingIfNeeded: -result))
    }

    /// Replaces this process by a program that is open, with the environment it has; returns only with the reason why
    /// it could not. Allocates nothing.
    public static func execute(_ program: FD, _ arguments: ArgumentVector) -> Errno {
        unsafe Errno(Int32(truncatingIfNeeded: -cs_exec_descriptor(program.raw, arguments.pointers)))
    }
    /// Opens the file whose path stands in the file `name`. Allocates nothing.
    public static func openProgram(named name: NameRef, in directory: FD) throws(Errno) -> FD {
        FD(raw: Int32(truncatingIfNeeded: try checked { unsafe cs_open_named(directory.raw, name.base) }))
    }
    /// What is open stays open over `execute`. Allocates nothing.
    public static func keepDescriptorsOverExecute() throws(Errno) { try checked { cs_keep_all_over_exec() } }
    /// SIGALRM ends this process then, whatever it executes.
    public static func endAfter(seconds: UInt32) { cs_die_after(seconds) }

    public enum Exit: Equatable, Sendable { case code(Int32), signal(Int32) }
    public static func wait(_ pid: Int32) throws(Errno) -> Exit {
        var status: Int32 = 0
        try checked { unsafe cs_waitpid(pid, &status, 0) }
        return cs_wifexited(status) != 0 ? .code(cs_wexitstatus(status)) : .signal(cs_wtermsig(status))
    }
    public static func signal(_ pid: Int32, _ number: Int32) throws(Errno) { try checked { cs_kill(pid, number) } }
    public static func isAlive(_ pid: Int32) -> Bool {
        let r = cs_kill(pid, 0)
        return r == 0 || r == Int(-EPERM)
    }

    /// Of its first thread (proc_pid_tid_children(5)); none where the kernel does not tell.
    public static func children(of pid: Int32) -> [Int32] {
        guard let file = try? FD.currentDirectory.open(FileName("/proc/\(pid)/task/\(pid)/children"), 0),
            let text = try? file.fd.readAll(limit: 65536)
        else { return [] }
        return String(decoding: text, as: UTF8.self).split(separator: " ").compactMap { Int32($0) }
    }
    /// As `isAlive`, and it has not ended: a process that nobody has waited for yet is one still, and does nothing
    /// (state Z, proc_pid_stat(5)).
    public static func isRunning(_ pid: Int32) -> Bool {
        guard isAlive(pid) else { return false }
        guard let file = try? FD.currentDirectory.open(FileName("/proc/\(pid)/stat"), 0),
            let text = try? file.fd.readAll(limit: 4096),
            let end = text.lastIndex(of: UInt8(ascii: ")")), end + 2 < text.count
        else { return false }
        return text[end + 2] != UInt8(ascii: "Z") && text[end + 2] != UInt8(ascii: "X")
    }

    /// Every descriptor from `first` on.
    public static func closeDescriptors(from first: UInt32) { _ = cs_close_range(first, UInt32.max) }
    /// Soft limit of open files raised to the hard one; the limit in force.
    public static func raiseOpenFileLimit() -> UInt64 {
        var limit: UInt64 = 1024
        _ = unsafe cs_raise_nofile(&limit)
        return limit
    }
    /// A call that is refused because of an object's mode is made once more where the mode does not count, if the
    /// object is this user's and of this group (`cs_as_owner`): for a process that asks for permission elsewhere
    /// before. Needs user namespaces; without, all is as it was.
    public static func overrideOwnModes() { cs_act_as_owner(1) }
    /// The limit of the size of files (RLIMIT_FSIZE) is for who writes, and the kernel holds callers to theirs. What
    /// they write through us has no other one, as far as this process may lift its own, and no signal ends it
    /// (SIGXFSZ).
    public static func liftFileSizeLimit() { cs_lift_fsize() }
    /// Two heaps for all threads. One for each costs three system calls and 130 KiB a thread, and nothing on a
    /// request's way allocates.
    public static func limitArenas() { cs_limit_arenas(2) }
    public static func setName(_ name: StaticString) {
        _ = unsafe cs_prctl_name(UnsafeRawPointer(name.utf8Start).assumingMemoryBound(to: CChar.self))
    }
    public static func hasCapability(_ number: Int32) -> Bool { cs_has_capability(number) == 1 }
    public static var isInInitialUserNamespace: Bool { cs_is_initial_userns() == 1 }
    public static func restoreSignal(_ number: Int32) { _ = cs_signal_default(number) }
    public static func ignoreSignal(_ number: Int32) { _ = cs_signal_ignore(number) }
    /// A signal becomes a byte in a pipe.
    public static func sendSignal(_ number: Int32, to pipe: FD) throws(Errno) {
        try checked { cs_signal_to_fd(number, pipe.raw) }
    }
}

/// Capability numbers of <linux/capability.h>.
public enum Capability {
    public static let dacOverride: Int32 = 1
    public static let dacReadSearch: Int32 = 2
    public static let fowner: Int32 = 3
    public static let fsetid: Int32 = 4
    public static let sysAdmin: Int32 = 21
    public static let mknod: Int32 = 27
    public static let sysResource: Int32 = 24
}

/// The credentials that the kernel uses for filesystem access, of this thread alone.
extension Process {
    /// What the allocator has kept of freed memory goes back to the system (malloc_trim(3)). Some milliseconds.
    public static func releaseFreeMemory() { cs_release_free_memory() }
}

public enum ThreadCredentials {
    /// Does something as a caller: what is made belongs to it, with its umask or the directory's default ACL, as if it
    /// had made it in the layer itself. Root costs nothing, another user four short system calls, a new umask one.
    @inline(__always)
    public static func acting<R: ~Copyable>(
        uid: UInt32, gid: UInt32, umask: UInt32, _ body: () throws(Errno) -> R
    ) throws(Errno) -> R {
        try checkedOnce { cs_become(uid, gid, umask) }
        defer { cs_become_self(uid, gid) }
        return try body()
    }
}

extension FD {
    public enum Readiness: Sendable { case ready, hangup, timeout }
    public func waitReadable(milliseconds: Int32) throws(Errno) -> Readiness {
        let r = try checked { cs_poll_in(raw, milliseconds) }
        if r == 0 { return .timeout }
        return Int32(r) & POLLIN_ != 0 ? .ready : .hangup
    }
}
private let POLLIN_: Int32 = 1

public enum Clock {
    /// Nanoseconds of CLOCK_MONOTONIC.
    @inline(__always) public static var monotonic: UInt64 { cs_monotonic_ns() }
    public static func sleep(milliseconds: UInt32) { usleep(milliseconds * 1000) }
    /// Seconds since 1970.
    public static var realtime: Int64 { cs_realtime_s() }
}

public enum Mounts {
    public static func mount(
        source: FileName, target: FileName, type: FileName, flags: UInt, data: FileName
    ) throws(Errno) {
        try source.withRef { (s) throws(Errno) in
            try target.withRef { (t) throws(Errno) in
                try type.withRef { (ty) throws(Errno) in
                    try data.withRef { (d) throws(Errno) in
                        _ = try checked { unsafe cs_mount(s.base, t.base, ty.base, flags, d.base) }
                    }
                }
            }
        }
    }
    /// Other flags of a mount and of its filesystem (MS_REMOUNT): all MS_* that are to be there. No options of the
    /// filesystem.
    public static func remount(_ target: FileName, flags: UInt) throws(Errno) {
        try mount(source: "none", target: target, type: "none", flags: flags | 32, data: "")
    }
    /// Of all mounts of this namespace: what is mounted here is mounted nowhere else (MS_SLAVE, mount_namespaces(7)).
    public static func stopPropagation() throws(Errno) {
        try FileName("/").withRef { (t) throws(Errno) in
            _ = try checked { unsafe cs_mount(t.base, t.base, t.base, 0x8_0000 | 0x4000, t.base) }
        }
    }
    /// umount2(2); never follows a symlink at the end of the path.
    public static func unmount(_ target: FileName, lazily: Bool) throws(Errno) {
        try target.withRef { (t) throws(Errno) in
            _ = try checked { unsafe cs_umount2(t.base, 8 | (lazily ? 2 : 0)) }
        }
    }
    /// Has a filesystem asked for its size, whichever paths lead to it, if any.
    /// - Parameter device: as in /proc/self/mountinfo, "0:47".
    /// - Throws: ENOSYS where the architecture has no ustat(2); EINVAL: no such filesystem.
    public static func ask(device: String) throws(Errno) {
        let numbers = device.split(separator: ":").compactMap { UInt32($0) }
        guard numbers.count == 2 else { throw .invalid }
        try checked { cs_statfs_of_device(numbers[0], numbers[1]) }
    }
}

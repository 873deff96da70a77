import CShims
import Glibc

/// Processes, credentials, locks, signals, notification.
extension Sys {
    static func fork() -> Int { cs_fork() }

    /// How a child ended: its exit status, or 256 + the signal that ended it.
    static func wait(_ pid: Int32) -> Int {
        var status: Int32 = 0
        while true {
            let result = unsafe cs_waitpid(pid, &status, 0)
            if result == -Int(EINTR) { continue }
            if result < 0 { return result }
            return cs_wifexited(status) != 0 ? Int(cs_wexitstatus(status)) : 256 + Int(cs_wtermsig(status))
        }
    }

    /// Runs a program without arguments, and answers as `wait` does.
    static func run(_ program: Name) -> Int {
        let pid = fork()
        guard pid == 0 else { return pid < 0 ? pid : wait(Int32(pid)) }
        unsafe program.withPointer { path in
            let arguments: [UnsafeMutablePointer<CChar>?] = unsafe [UnsafeMutablePointer(mutating: path), nil]
            _ = unsafe cs_execv(path, arguments)
        }
        exit(127)
    }

    static func setGroups(_ groups: [UInt32]) -> Int {
        unsafe groups.withUnsafeBufferPointer { unsafe cs_setgroups_thread($0.count, $0.baseAddress) }
    }

    static func pipe() -> (Int, read: Int32, write: Int32) {
        var ends: [Int32] = [-1, -1]
        let result = unsafe ends.withUnsafeMutableBufferPointer { unsafe cs_pipe2($0.baseAddress, 0) }
        return (result, ends[0], ends[1])
    }

    /// Gives up root for good, in this process. Groups first: afterwards it is not allowed any more.
    static func become(uid: UInt32, gid: UInt32, groups: [UInt32]) -> Int {
        let setGroups = unsafe groups.withUnsafeBufferPointer { unsafe cs_setgroups_thread($0.count, $0.baseAddress) }
        if setGroups < 0 { return setGroups }
        let group = answer(Int(setgid(gid)))
        if group < 0 { return group }
        return answer(Int(setuid(uid)))
    }

    /// Who the filesystem takes this thread for. The kernel takes away the capabilities that concern files with
    /// a uid other than 0, and gives them back with 0 (credentials(7)).
    static func setFilesystemUser(uid: UInt32, gid: UInt32) {
        if uid == 0 { cs_set_fsuid(0) }
        cs_set_fsgid(gid)
        if uid != 0 { cs_set_fsuid(uid) }
    }

    /// Of `among`, those are effective in this thread, as far as it is permitted them.
    static func setCapabilities(_ capabilities: UInt64, among: UInt64) { _ = cs_set_effective(capabilities, among) }

    static func setNoGroups() -> Int { cs_setgroups_thread(0, nil) }

    static func flock(_ fd: Int32, _ operation: Int32) -> Int { cs_flock(fd, operation) }

    /// fcntl(2) with a lock; answers also what F_GETLK says of the type of the lock in the way.
    static func lock(_ fd: Int32, _ command: Int32, _ type: Int32, start: Int = 0, length: Int = 0) -> (Int, Int16) {
        var description = Glibc.flock(
            l_type: Int16(type), l_whence: Int16(SEEK_SET), l_start: start, l_len: length, l_pid: 0)
        let result = unsafe answer(Int(fcntl(fd, command, &description)))
        return (result, description.l_type)
    }

    /// SIGALRM after so many milliseconds, with a handler that lets the blocked call end with EINTR: signal(3) would
    /// restart it.
    static func alarm(milliseconds: Int) {
        var action = sigaction()
        unsafe action.__sigaction_handler.sa_handler = { _ in }
        unsafe sigaction(SIGALRM, &action, nil)
        let value = timeval(tv_sec: milliseconds / 1000, tv_usec: milliseconds % 1000 * 1000)
        var timer = itimerval(it_interval: timeval(), it_value: value)
        unsafe setitimer(__itimer_which_t(ITIMER_REAL.rawValue), &timer, nil)
    }

    /// With SIGALRM again and again meanwhile, its handler set as programs do it (SA_RESTART).
    static func alarmed(everyMilliseconds interval: Int, _ body: () -> Int) -> Int {
        signal(SIGALRM) { _ in }
        let often = timeval(tv_sec: 0, tv_usec: interval * 1000)
        var timer = itimerval(it_interval: often, it_value: often)
        unsafe setitimer(__itimer_which_t(ITIMER_REAL.rawValue), &timer, nil)
        defer {
            timer = itimerval()
            unsafe setitimer(__itimer_which_t(ITIMER_REAL.rawValue), &timer, nil)
        }
        return body()
    }

    /// The Swift runtime may have been told to write a report about such an end.
    static func endQuietly(by number: Int32) { signal(number, SIG_DFL) }

    static func sleep(milliseconds: Int) { usleep(UInt32(milliseconds * 1000)) }

    // MARK: inotify(7)

    struct Event {
        var mask: UInt32
        var cookie: UInt32
        var name: Name
    }

    static func inotify() -> Int { answer(Int(inotify_init1(Int32(O_NONBLOCK)))) }

    static func watch(_ fd: Int32, _ name: Name, _ mask: UInt32) -> Int {
        unsafe name.withPointer { unsafe answer(Int(inotify_add_watch(fd, $0, mask))) }
    }

    static func events(_ fd: Int32) -> [Event] {
        let (result, bytes) = read(fd, 65536)
        guard result > 0 else { return [] }
        return unsafe bytes.withUnsafeBytes { raw in
            var found: [Event] = []
            var at = 0
            // struct inotify_event: wd 4, mask 4, cookie 4, len 4, name
            while at + 16 <= raw.count {
                let length = unsafe Int(raw.loadUnaligned(fromByteOffset: at + 12, as: UInt32.self))
                let name = unsafe Name(raw[(at + 16)..<(at + 16 + length)].prefix { $0 != 0 })
                unsafe found.append(
                    Event(
                        mask: raw.loadUnaligned(fromByteOffset: at + 4, as: UInt32.self),
                        cookie: raw.loadUnaligned(fromByteOffset: at + 8, as: UInt32.self),
                        name: name))
                at += 16 + length
            }
            return found
        }
    }

    // MARK: Mounts, for the manifest

    static func unshare(_ flags: Int32) -> Int { cs_unshare(flags) }

    static func mount(_ source: Name?, _ target: Name, _ flags: UInt) -> Int {
        unsafe target.withPointer { t in
            guard let source else { return unsafe cs_mount(nil, t, nil, flags, nil) }
            return unsafe source.withPointer { unsafe cs_mount($0, t, nil, flags, nil) }
        }
    }
}

// MARK: Sockets of the filesystem

extension Sys {
    /// A listening socket of that name: its descriptor.
    static func bindSocket(_ name: Name) -> Int {
        unsafe withSocket(name) { unsafe bind($0, $1, $2) == 0 ? listen($0, 4) : -1 }
    }

    /// 0 when somebody listens there.
    static func connectSocket(_ name: Name) -> Int {
        let fd = unsafe withSocket(name) { unsafe connect($0, $1, $2) }
        if fd >= 0 { close(Int32(fd)) }
        return min(fd, 0)
    }

    private static func withSocket(_ name: Name, _ call: (Int32, UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int {
        let fd = answer(Int(socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)))
        guard fd >= 0 else { return fd }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: name.bytes.prefix(100)) }
        let result = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe answer(Int(call(Int32(fd), $0, socklen_t(MemoryLayout<sockaddr_un>.size))))
            }
        }
        if result >= 0 { return fd }
        close(Int32(fd))
        return result
    }
}

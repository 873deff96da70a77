internal import CShims
internal import Glibc

/// What the request's header does not say of the thread that made the call (`WaitingCaller`): its supplementary groups
/// and capabilities, as /proc/TID/status has them. The thread waits for us, so they cannot change meanwhile.
///
/// Three system calls and some 30 µs: only where a decision hangs on it, as it does for sgid files, not for each
/// request.
public struct CallerStatus: Sendable {
    /// As our user namespace numbers them; the filesystem's own group is not in it.
    public var groups: [UInt32] = []
    /// CapEff, in the caller's own user namespace.
    public var effective: UInt64 = 0
    /// That namespace is ours.
    public var isInOurUserNamespace = false

    /// Of the caller that this thread serves. Nil: nobody, or somebody whose process id means nothing here.
    public static func read() -> CallerStatus? {
        let tid = cs_thread_caller()
        if tid == 0 { return nil }
        do throws(Errno) {
            let file = try FD.currentDirectory.open(FileName("/proc/\(tid)/status"), O_RDONLY)
            guard var status = CallerStatus(text: try file.fd.readAll(limit: 1 << 20)) else { return nil }
            let theirs = try FileName("/proc/\(tid)/ns/user").withRef { (p) throws(Errno) in
                try FD.currentDirectory.readLink(p)
            }
            let ours = try FileName("/proc/self/ns/user").withRef { (p) throws(Errno) in
                try FD.currentDirectory.readLink(p)
            }
            status.isInOurUserNamespace = theirs == ours
            return status
        } catch { return nil }
    }

    /// The lines `Groups:` and `CapEff:` (proc_pid_status(5)). Nil where they are missing.
    init?(text: [UInt8]) {
        var hasGroups = false
        var hasCapabilities = false
        for line in text.split(separator: UInt8(ascii: "\n")) {
            if line.starts(with: "Groups:".utf8) {
                hasGroups = true
                groups = line.dropFirst(7).split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }.map { word in
                    word.reduce(UInt32(0)) { $0 &* 10 &+ UInt32($1 &- UInt8(ascii: "0")) }
                }
            } else if line.starts(with: "CapEff:".utf8) {
                hasCapabilities = true
                for digit in line.dropFirst(7) where digit > UInt8(ascii: " ") {
                    effective =
                        effective << 4
                        | UInt64(
                            digit >= UInt8(ascii: "a") ? digit &- UInt8(ascii: "a") &+ 10 : digit &- UInt8(ascii: "0"))
                }
            }
        }
        guard hasGroups, hasCapabilities else { return nil }
    }

    public func has(_ capability: Int32) -> Bool { effective & 1 << UInt64(capability) != 0 }
    /// capable(9): in the initial user namespace, which the caller's and ours must be.
    public func isCapable(_ capability: Int32) -> Bool {
        has(capability) && isInOurUserNamespace && Process.isInInitialUserNamespace
    }
}

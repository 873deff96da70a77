internal import CShims
internal import Glibc

/// What a process was started with.
extension Process {
    /// argv as bytes: a path need not be UTF-8.
    public static var arguments: [FileName] {
        let values = unsafe CommandLine.unsafeArgv
        var arguments: [FileName] = []
        for i in 0..<Int(CommandLine.argc) {
            if let value = unsafe values[i] { arguments.append(unsafe FileName(NameRef(cString: value))) }
        }
        return arguments
    }

    /// A variable of the environment; nil where it is unset or empty.
    public static func environment(_ name: FileName) -> FileName? {
        let value = name.withRef { n -> FileName? in
            guard let value = unsafe getenv(n.pointer) else { return nil }
            return unsafe FileName(NameRef(cString: value))
        }
        return value.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// For what this process starts. Before its first thread, or when no other looks.
    public static func setEnvironment(_ name: FileName, _ value: FileName) {
        name.withRef { n in value.withRef { v in _ = unsafe setenv(n.pointer, v.pointer, 1) } }
    }
    public static var effectiveUser: UInt32 { geteuid() }
    public static var effectiveGroup: UInt32 { getegid() }

    /// The effective user as the parent of this user namespace numbers it: who they are outside of a rootless
    /// container.
    public static var outerUser: UInt32 {
        let inner = effectiveUser
        do throws(Errno) {
            let map = try NameRef("/proc/self/uid_map").open()
            for line in try map.fd.readAll().split(separator: 0x0a) {
                let n = line.split(separator: 0x20).compactMap { UInt32(String(decoding: $0, as: UTF8.self)) }
                if n.count == 3, inner >= n[0], inner - n[0] < n[2] { return n[1] &+ (inner - n[0]) }
            }
        } catch {}
        return inner
    }

    public static func changeDirectory(_ path: FileName) throws(Errno) {
        try path.withRef { (p) throws(Errno) in _ = try checked { unsafe cs_chdir(p.base) } }
    }
    /// Of the whole process: before its first thread.
    public static func setUmask(_ mask: UInt32) { _ = umask(mask) }
    public static func sleep(milliseconds: Int32) { _ = cs_poll_in(-1, milliseconds) }
}

extension NameRef {
    fileprivate func open() throws(Errno) -> OwnedFD { try FD.currentDirectory.open(self, O_RDONLY) }
}

extension FD {
    public static let standardInput = FD(raw: 0)
    public static let standardOutput = FD(raw: 1)
    public static let standardError = FD(raw: 2)
    public var isTerminal: Bool { cs_isatty(raw) == 1 }

    /// `number` stands for what this descriptor stands for (dup2(2)); not closed by exec.
    public func replace(_ number: FD) throws(Errno) { try checked { cs_dup2(raw, number.raw) } }

    /// The absolute path of what is open, as the kernel has it: no symlink in it, nothing asked of the filesystem.
    public func path() throws(Errno) -> FileName {
        try FD.currentDirectory.readLink(FileName("/proc/self/fd/\(raw)"))
    }

    public func readLink(_ path: FileName) throws(Errno) -> FileName {
        try path.withRef { (p) throws(Errno) in try readLink(p) }
    }
    public func open(_ path: FileName, _ flags: Int32, mode: UInt32 = 0) throws(Errno) -> OwnedFD {
        try path.withRef { (p) throws(Errno) in try open(p, flags, mode: mode) }
    }
}

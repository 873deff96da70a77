import FuseKit
import Glibc
import LinuxSys

/// Runs `body` with a mount in a directory of its own, served by threads of this process. Whatever happens, the mount
/// is gone at the end: a watchdog aborts the connection after half a minute, so that no test hangs in a system call.
/// Mounts of a process that crashed are removed by the next. Answers how the session ended.
func withMount(
    _ filesystem: FileSystem, _ options: SessionOptions = SessionOptions(),
    _ body: (FD, Session) throws -> Void
) throws -> Session.End? {
    removeLeftovers()
    let path = FileName("/tmp/fusekit-test-\(getpid())-\(UInt32.random(in: 0 ... .max))")
    try path.withRef { (p) throws(Errno) in try FD.currentDirectory.makeDirectory(p, mode: 0o755) }
    defer { try? path.withRef { (p) throws(Errno) in try FD.currentDirectory.removeDirectory(p) } }
    let session = Session(filesystem: filesystem, options: options)
    try session.mount(at: path)
    let server = Server()
    let serving = try LinuxSys.Thread(stack: 1 << 20) {
        let end = try? session.run()
        server.finish(end)
    }
    let watchdog = try LinuxSys.Thread {
        for _ in 0..<600 where !server.isDone { usleep(50_000) }
        if !server.isDone { _ = path.withRef { unsafe umount2($0.pointer, 1 /* MNT_FORCE */) } }
    }
    var failure: (any Error)?
    do {
        guard session.waitUntilReady() else { throw Errno.io }
        let root = try path.withRef { (p) throws(Errno) in try FD.currentDirectory.openDirectory(p) }
        try body(root.fd, session)
    } catch { failure = error }
    _ = path.withRef { unsafe umount2($0.pointer, 2 /* MNT_DETACH */) }
    serving.join()
    watchdog.join()
    if let failure { throw failure }
    return server.result
}

private final class Server: @unchecked Sendable {
    private let lock = Mutex()
    private var end: Session.End?
    private var done = false
    func finish(_ end: Session.End?) {
        lock.locked {
            self.end = end
            done = true
        }
    }
    var isDone: Bool { lock.locked { done } }
    var result: Session.End? { lock.locked { end } }
}

private func removeLeftovers() {
    guard let table = try? FD.currentDirectory.open(NameRef("/proc/self/mounts"), O_RDONLY),
        let bytes = try? table.fd.readAll()
    else { return }
    for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
        let columns = line.split(separator: " ")
        guard columns.count > 1, columns[1].hasPrefix("/tmp/fusekit-test-"),
            let pid = Int32(columns[1].split(separator: "-")[2]),
            !Process.isAlive(pid)
        else { continue }
        let path = FileName(String(columns[1]))
        _ = path.withRef { unsafe umount2($0.pointer, 2) }
        try? path.withRef { (p) throws(Errno) in try FD.currentDirectory.removeDirectory(p) }
    }
}

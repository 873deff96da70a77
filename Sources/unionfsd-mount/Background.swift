internal import Glibc
internal import LinuxSys

/// Leaving the terminal, in two steps around the mount's first answer: `begin` forks, and the parent stays until the
/// child says `ready`, or is gone.
struct Background {
    private let ready: FD

    /// Before the first thread. Returns in the child; the parent exits here, with 0 when `probe` agrees that the mount
    /// answers. What went wrong has been said on standard error by the child, which still has it.
    /// - Parameter abandon: when the child is gone: takes away what it may have left.
    /// - Parameter tell: with the number of the process that stays, when the mount answers.
    static func begin(probe: () -> Bool, tell: (Int32) -> Void, abandon: () -> Void) throws(Errno) -> Background {
        let pipe = try Process.pipe()
        let child = try Process.fork()
        if child == 0 {
            pipe.read.close()
            try Process.newSession()
            return Background(ready: pipe.write)
        }
        pipe.write.close()
        var answered = false
        do throws(Errno) { answered = !(try pipe.read.readAll(limit: 1)).isEmpty } catch {}
        if answered && probe() {
            tell(child)
            _exit(0)
        }
        var code: Int32 = 1
        if !answered {
            do throws(Errno) { if case .code(let c) = try Process.wait(child), c != 0 { code = c } } catch {}
        }
        abandon()
        _exit(code)
    }

    /// The mount answers: standard input and output go to /dev/null, errors to `log`, and only then is the parent told,
    /// so that an engine which waits for the end of our output gets it (docs/podman.md, contract 2).
    func answer(log: FD?) {
        do throws(Errno) {
            let null = try FD.currentDirectory.open(FileName("/dev/null"), O_RDWR)
            try null.fd.replace(.standardInput)
            try null.fd.replace(.standardOutput)
            try (log ?? null.fd).replace(.standardError)
        } catch {
            // Without /dev/null the descriptors stay; the mount is good all the same.
        }
        do throws(Errno) { try ready.writeAll([1]) } catch {
            // The parent was killed.
        }
        ready.close()
    }
}

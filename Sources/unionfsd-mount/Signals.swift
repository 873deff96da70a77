internal import FuseKit
internal import Glibc
internal import LinuxSys
internal import MountState

/// SIGTERM, SIGINT and SIGHUP unmount: new opens fail from then on, and the process ends with the last open file. A
/// second one ends it at once. SIGUSR1, from the guardian alone, makes room for another program.
enum Signals {
    static func end(_ session: Session, hasGuardian: Bool) throws(Errno) {
        Process.ignoreSignal(SIGPIPE)
        // What a lease sends its holder (`FD.hasNoWriter`).
        Process.ignoreSignal(SIGIO)
        let pipe = try Process.pipe()
        for signal in [SIGTERM, SIGINT, SIGHUP] + (hasGuardian ? [SIGUSR1] : []) {
            try Process.sendSignal(signal, to: pipe.write)
        }
        let wake = pipe.read
        try Thread(stack: 128 << 10) {
            guard let signal = received(wake) else { return }
            if signal == SIGUSR1 {
                session.requestHandOver()
                return
            }
            do throws(Errno) { try session.unmount() } catch {
                Console.say("unmount: \(error.text)")
                session.requestStop()
            }
            guard received(wake) != nil else { return }
            session.requestStop()
        }.detach()
    }

    /// Nil when the pipe is broken.
    private static func received(_ pipe: FD) -> Int32? {
        do throws(Errno) { return (try pipe.readAll(limit: 1)).first.map(Int32.init) } catch { return nil }
    }
}

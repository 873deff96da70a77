internal import FuseKit
internal import Glibc
internal import LinuxSys
internal import MountState

/// SIGTERM, SIGINT and SIGHUP unmount: new opens fail from then on, and the process ends with the last open file. A second
/// one ends it at once.
enum Signals {
    static func end(_ session: Session) throws(Errno) {
        Process.ignoreSignal(SIGPIPE)
        let pipe = try Process.pipe()
        for signal in [SIGTERM, SIGINT, SIGHUP] { try Process.sendSignal(signal, to: pipe.write) }
        let wake = pipe.read
        _ = try Thread(stack: 128 << 10) {
            guard received(wake) else { return }
            do throws(Errno) { try session.unmount() } catch {
                Console.say("unmount: \(error.text)")
                session.requestStop()
            }
            guard received(wake) else { return }
            session.requestStop()
        }
    }

    /// False when the pipe is broken.
    private static func received(_ pipe: FD) -> Bool {
        do throws(Errno) { return !(try pipe.readAll(limit: 1)).isEmpty } catch { return false }
    }
}

internal import Containers
internal import ControlProtocol
internal import Glibc
internal import LayerStore
internal import LinuxSys

/// The supervisor of a store, started where none runs.
enum Control {
    /// How long one that was started on demand stays when nothing is mounted and nobody asks.
    private static let idle = 60

    static func send(_ store: Store, _ method: ControlClient.Method, _ path: String) throws -> [UInt8] {
        do throws(ControlClient.Failure) {
            do throws(ControlClient.Failure) { return try client(store).send(method, path) } catch {
                guard case .absent = error else { throw error }
            }
            return try startingOne(store, method, path)
        } catch { throw Failure.because(sentence(error)) }
    }

    private static func client(_ store: Store) throws(ControlClient.Failure) -> ControlClient {
        do throws(Errno) { return try ControlClient(store: store.root) } catch {
            throw .broken("\(store.root): \(error.text)")
        }
    }

    private static func startingOne(
        _ store: Store, _ method: ControlClient.Method, _ path: String
    ) throws(ControlClient.Failure) -> [UInt8] {
        // It may be another's that comes first; and one that is just ending makes ours end, too: then one more.
        for attempt in 0..<2000 {
            if attempt % 300 == 0 { try startOne(store) }
            do throws(ControlClient.Failure) { return try client(store).send(method, path) } catch {
                guard case .absent = error else { throw error }
            }
            Process.sleep(milliseconds: 5)
        }
        throw .broken("the supervisor does not answer: see \(store.root)/run/supervisor.log")
    }
    private static func startOne(_ store: Store) throws(ControlClient.Failure) {
        do throws(Errno) {
            let program = try FD.currentDirectory.readLink(FileName("/proc/self/exe"))
            let socket = try ControlSocket(store: store.root)
            let null = try FD.currentDirectory.open(FileName("/dev/null"), O_RDWR)
            let log = try socket.openLog()
            _ = try Process.spawn(
                program, ["unionfsd", "supervise", "--root", store.root, "--idle", FileName("\(idle)")], input: null.fd,
                output: log.fd, error: log.fd, ownSession: true)
        } catch { throw .broken("no supervisor can be started: \(error.text)") }
    }

    private static func sentence(_ failure: ControlClient.Failure) -> String {
        switch failure {
        case .absent: "no supervisor answers"
        case .refused(let message): message.error
        case .broken(let text): text
        }
    }

    static func start(_ store: Store, _ container: StoredContainer) throws {
        _ = try send(store, .post, "/v1/containers/\(container.id)/start")
    }
    static func stop(_ store: Store, _ container: StoredContainer, force: Bool = false, timeout: Int = 10) throws {
        _ = try send(store, .post, "/v1/containers/\(container.id)/stop?timeout=\(timeout)\(force ? "&force=1" : "")")
    }
    static func remove(_ store: Store, _ container: StoredContainer, force: Bool) throws {
        _ = try send(store, .delete, "/v1/containers/\(container.id)\(force ? "?force=1" : "")")
    }
}

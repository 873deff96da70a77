internal import Containers
internal import ControlProtocol
internal import Foundation
internal import LayerStore
internal import LinuxSys
internal import MountState
internal import NIOHTTP1

/// What the supervisor answers (docs/api.md).
struct Routes {
    private let supervisor: Supervisor
    private var store: Store { supervisor.store }
    private var engine: ContainerEngine { supervisor.engine }
    init(_ supervisor: Supervisor) { self.supervisor = supervisor }

    private struct Unknown: Error {}

    func answer(_ request: ControlServer.Request) -> ControlServer.Response {
        supervisor.beginRequest()
        defer { supervisor.endRequest() }
        do {
            if request.path == ["metrics"], request.method == .GET {
                return ControlServer.Response(
                    type: "text/plain; version=0.0.4", body: Array(try Metrics(supervisor).text().utf8))
            }
            guard request.path.first == "v1" else { throw Unknown() }
            return try answer(request, Array(request.path.dropFirst()))
        } catch let error as StoreError {
            let status: HTTPResponseStatus =
                switch error.kind {
                case .notFound: .notFound
                case .conflict: .conflict
                case .invalid, .hostile: .badRequest
                case .damaged, .system: .internalServerError
                }
            return failure(status, error.description, error.kind.rawValue)
        } catch is Unknown {
            return failure(
                .notFound,
                "no such thing to ask for: \(request.method) /\(request.path.joined(separator: "/")) (docs/api.md)",
                "notFound")
        } catch { return failure(.internalServerError, "\(error)", "system") }
    }
    private func failure(_ status: HTTPResponseStatus, _ sentence: String, _ kind: String) -> ControlServer.Response {
        var response = ControlServer.Response(status: status)
        response.body = (try? json(ErrorMessage(error: sentence, kind: kind))) ?? []
        return response
    }
    private func json(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(value)) + [0x0a]
    }
    private func ok(_ value: some Encodable, _ status: HTTPResponseStatus = .ok) throws -> ControlServer.Response {
        ControlServer.Response(status: status, body: try json(value))
    }
    private func read<T: Decodable>(_ request: ControlServer.Request) throws -> T {
        do { return try JSONDecoder().decode(T.self, from: Data(request.body)) } catch {
            throw StoreError(.invalid, "the request's body is not the JSON that it should be (docs/api.md)")
        }
    }

    private func answer(_ request: ControlServer.Request, _ path: [String]) throws -> ControlServer.Response {
        switch (request.method, path.count, path.first) {
        case (.GET, 1, "version"):
            return try ok(
                VersionMessage(version: Version.text, api: "v1", pid: LinuxSys.Process.id, root: store.root.description)
            )
        case (.POST, 1, "leave"):
            try supervisor.leave()
            return ControlServer.Response(status: .noContent)
        case (.GET, 1, "containers"):
            return try ok(try engine.messages(withSize: request.query["size"] != nil))
        case (.POST, 1, "containers"): return try ok(try create(try read(request)), .created)
        case (_, 2..., "containers"): return try answer(request, try store.container(path[1]), Array(path.dropFirst(2)))
        case (.GET, 1, "images"): return try ok(try store.images().map(message))
        case (.GET, 2, "images"): return try ok(message(try store.image(path[1])))
        case (.DELETE, 2, "images"):
            _ = try store.removeImage(path[1], force: request.query["force"] == "1")
            return ControlServer.Response(status: .noContent)
        default: throw Unknown()
        }
    }

    private func answer(
        _ request: ControlServer.Request, _ container: StoredContainer, _ path: [String]
    ) throws -> ControlServer.Response {
        let force = request.query["force"] == "1"
        switch (request.method, path) {
        case (.GET, []): return try ok(try message(container, withSize: true))
        case (.DELETE, []):
            try supervisor.locks.holding(container.id) {
                try engine.remove(try store.container(container.id), force: force)
                supervisor.forget(container)
            }
            return ControlServer.Response(status: .noContent)
        case (.POST, ["start"]):
            let guardian = try supervisor.locks.holding(container.id) {
                let guardian = try engine.start(try store.container(container.id))
                supervisor.watch(container, guardian)
                return guardian
            }
            return try ok(engine.message(try store.container(container.id), startedAs: guardian))
        case (.POST, ["stop"]):
            guard let patience = Int(request.query["timeout"] ?? "10"), patience >= 0, patience <= 86_400 else {
                throw StoreError(.invalid, "timeout must be a number of seconds")
            }
            try supervisor.locks.holding(container.id) {
                try engine.stop(try store.container(container.id), force: force, patience: patience)
                supervisor.forget(container)
            }
            return try ok(try message(try store.container(container.id), withSize: false))
        case (.GET, ["diff"]):
            return try ok(
                try store.diff(container).changes.map {
                    ChangeMessage(kind: $0.kind.rawValue, path: $0.path.description, size: $0.size)
                })
        case (.POST, ["commit"]):
            let wanted: CommitMessage = try read(request)
            var options = CommitOptions()
            options.message = wanted.message
            let image = try store.commit(
                container, name: try wanted.name.map { (text) throws(StoreError) in try ImageName(text) }, options)
            return try ok(message(try store.image(image.id.description)), .created)
        default: throw Unknown()
        }
    }

    private func create(_ wanted: CreateMessage) throws -> ContainerMessage {
        var spec = ContainerSpec()
        spec.command = wanted.command ?? []
        spec.environment = wanted.environment ?? []
        spec.user = wanted.user
        spec.workingDirectory = wanted.workingDirectory
        return try message(
            try store.createContainer(
                image: wanted.image, name: wanted.name, spec: spec, restart: try RestartPolicy(wanted.restart ?? "no")),
            withSize: false)
    }

    private func message(_ container: StoredContainer, withSize: Bool) throws -> ContainerMessage {
        try engine.message(container, withSize: withSize)
    }
    private func message(_ image: StoredImage) -> ImageMessage {
        ImageMessage(
            id: image.id.description, names: image.names, bytes: image.bytes, created: image.created,
            layers: image.layers.map(\.digest.description))
    }
}

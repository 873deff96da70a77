/// What is said over the supervisor's socket, as JSON (docs/api.md). Names are part of the API: they change with its
/// version alone.
public struct ContainerMessage: Codable, Sendable {
    public var id: String
    public var name: String
    public var image: String
    public var imageName: String?
    /// `started`, `stopped` or `failed`.
    public var state: String
    /// Whether a process of a runtime is in it.
    public var isBusy: Bool
    public var created: Int64
    public var startedAt: Int64?
    public var restart: String
    /// Of the writable layer, as du(1) counts; nil where it was not asked for.
    public var bytes: Int64?
    /// Of the image's layers.
    public var imageBytes: Int64?
    public var mountpoint: String
    /// The process whose end is the mount's.
    public var guardian: Int32?

    public init(
        id: String, name: String, image: String, imageName: String?, state: String, isBusy: Bool, created: Int64,
        startedAt: Int64?, restart: String, bytes: Int64?, imageBytes: Int64?,
        mountpoint: String, guardian: Int32?
    ) {
        self.id = id
        self.name = name
        self.image = image
        self.imageName = imageName
        self.state = state
        self.isBusy = isBusy
        self.created = created
        self.startedAt = startedAt
        self.restart = restart
        self.bytes = bytes
        self.imageBytes = imageBytes
        self.mountpoint = mountpoint
        self.guardian = guardian
    }

    enum CodingKeys: String, CodingKey {
        case id, name, image, state, created, restart, bytes, mountpoint, guardian
        case imageName = "image_name"
        case isBusy = "busy"
        case startedAt = "started_at"
        case imageBytes = "image_bytes"
    }
}

public struct ErrorMessage: Codable, Sendable {
    /// A sentence for a person.
    public var error: String
    /// `notFound`, `conflict`, `invalid`, `hostile`, `damaged` or `system`.
    public var kind: String
    public init(error: String, kind: String) {
        self.error = error
        self.kind = kind
    }
}

public struct CreateMessage: Codable, Sendable {
    public var image: String
    public var name: String?
    public var command: [String]?
    public var environment: [String]?
    public var user: String?
    public var workingDirectory: String?
    public var restart: String?
    enum CodingKeys: String, CodingKey {
        case image, name, command, environment, user, restart
        case workingDirectory = "working_directory"
    }
}

public struct CommitMessage: Codable, Sendable {
    public var name: String?
    public var message: String?
}

public struct ImageMessage: Codable, Sendable {
    public var id: String
    public var names: [String]
    public var bytes: Int64
    public var created: Int64
    public var layers: [String]
    public init(id: String, names: [String], bytes: Int64, created: Int64, layers: [String]) {
        self.id = id
        self.names = names
        self.bytes = bytes
        self.created = created
        self.layers = layers
    }
}

public struct ChangeMessage: Codable, Sendable {
    /// `A`, `C` or `D`.
    public var kind: String
    public var path: String
    public var size: UInt64
    public init(kind: String, path: String, size: UInt64) {
        self.kind = kind
        self.path = path
        self.size = size
    }
}

public struct VersionMessage: Codable, Sendable {
    public var version: String
    /// Of this protocol: the first part of every path.
    public var api: String
    public var pid: Int32
    public var root: String
    public init(version: String, api: String, pid: Int32, root: String) {
        self.version = version
        self.api = api
        self.pid = pid
        self.root = root
    }
}

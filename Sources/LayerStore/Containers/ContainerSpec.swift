/// What a container runs, and what is mounted into it besides its image. Kept as JSON with the container.
public struct ContainerSpec: Codable, Sendable, Equatable {
    public struct Mount: Codable, Sendable, Equatable {
        public enum Kind: String, Codable, Sendable {
            /// A path of the machine: not part of the container, and nothing of it is ever removed.
            case bind
            /// A volume of the store, which outlives the container.
            case volume
            /// Memory, gone when the process ends.
            case tmpfs
        }
        public var kind: Kind
        /// The path, or the volume's name; nothing for a tmpfs.
        public var source: String
        public var target: String
        public var readOnly: Bool
        public init(kind: Kind, source: String, target: String, readOnly: Bool = false) {
            self.kind = kind
            self.source = source
            self.target = target
            self.readOnly = readOnly
        }
    }
    public enum Network: String, Codable, Sendable {
        /// The machine's.
        case host
        /// A loopback device and nothing else.
        case none
    }

    /// With the image's entrypoint before it; empty: what the image says.
    public var command: [String] = []
    public var environment: [String] = []
    public var workingDirectory: String?
    public var user: String?
    public var hostname: String?
    public var mounts: [Mount] = []
    public var network: Network = .host
    public var isReadOnly = false
    /// `-o` words for the mount besides the layers.
    public var options: [String] = []
    /// Bytes of memory, and processes, that all in the container may have together; processors, 1.5 for one and a half.
    /// Nil: as many as there are.
    public var memory: Int64?
    public var processes: Int64?
    public var processors: Double?
    /// The path of a seccomp profile, or `unconfined`; nil: the machine's own.
    public var seccomp: String?
    public init() {}
}

/// When a mount that failed is made again.
public struct RestartPolicy: Codable, Sendable, Equatable, CustomStringConvertible {
    public enum Kind: String, Codable, Sendable {
        case no
        case onFailure = "on-failure"
        case always
    }
    public var kind: Kind
    /// Of `on-failure`: how often in a row.
    public var limit: Int?

    public init(_ kind: Kind, limit: Int? = nil) {
        self.kind = kind
        self.limit = limit
    }
    /// `no`, `always`, `on-failure` or `on-failure:N`.
    public init(_ text: String) throws(StoreError) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard let kind = Kind(rawValue: String(parts[0])),
            parts.count == 1 || kind == .onFailure && Int(parts[1]).map({ $0 > 0 }) == true
        else {
            throw StoreError(.invalid, "\"\(text)\" is no restart policy: no, always, on-failure or on-failure:N")
        }
        self.init(kind, limit: parts.count == 2 ? Int(parts[1]) : nil)
    }
    public var description: String { limit.map { "\(kind.rawValue):\($0)" } ?? kind.rawValue }
}

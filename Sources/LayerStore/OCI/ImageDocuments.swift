internal import Foundation

/// The documents of OCI's image specification, as far as the store reads them. What it does not know of a configuration
/// is kept: that is stored as the bytes it came as.
struct Descriptor: Codable {
    var mediaType: String?
    var digest: Digest
    var size: Int64
    var annotations: [String: String]?
    var platform: Platform?

    struct Platform: Codable, Equatable { var architecture: String?, os: String?, variant: String? }

    static let manifestTypes = [
        "application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json",
    ]
    static let indexTypes = [
        "application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json",
    ]
    static let configType = "application/vnd.oci.image.config.v1+json"
    static let layerType = "application/vnd.oci.image.layer.v1.tar"
    static let gzipLayerType = "application/vnd.oci.image.layer.v1.tar+gzip"
    static let nameAnnotation = "org.opencontainers.image.ref.name"
    static let fullNameAnnotation = "io.containerd.image.name"
}

struct ImageIndex: Codable {
    var schemaVersion = 2
    var mediaType: String? = Descriptor.indexTypes[0]
    var manifests: [Descriptor]
}

struct ImageManifest: Codable {
    var schemaVersion = 2
    var mediaType: String? = Descriptor.manifestTypes[0]
    var config: Descriptor
    var layers: [Descriptor]
}

/// One image of a `docker save` archive (manifest.json). `Config` is HEX.json or blobs/sha256/HEX, with crane, ko and
/// kaniko sha256:HEX, with Jib config.json.
struct DockerArchiveEntry: Codable {
    var Config: String
    var RepoTags: [String]?
    var Layers: [String]?
}

/// An image's configuration.
public struct ImageConfig: Codable, Sendable {
    public struct Execution: Codable, Sendable {
        public var User: String?
        public var Env: [String]?
        public var Entrypoint: [String]?
        public var Cmd: [String]?
        public var WorkingDir: String?
        public var Labels: [String: String]?
    }
    public struct RootFS: Codable, Sendable {
        public var type: String = "layers"
        public var diff_ids: [Digest]
    }
    public struct History: Codable, Sendable {
        public var created: String?
        public var created_by: String?
        public var comment: String?
        public var empty_layer: Bool?
    }
    public var created: String?
    public var architecture: String?
    public var os: String?
    public var config: Execution?
    public var rootfs: RootFS
    public var history: [History]?

    init(layers: [Digest], created: Int64, by: String) {
        let time = Document.time(created)
        self.created = time
        architecture = Machine.architecture
        os = "linux"
        rootfs = RootFS(diff_ids: layers)
        history = [History(created: time, created_by: by)]
    }
    public init(bytes: [UInt8]) throws(StoreError) {
        self = try Document.read(bytes, "the image's configuration")
    }
}

/// JSON, with errors that say which document.
enum Document {
    static func read<T: Decodable>(_ bytes: [UInt8], _ what: String) throws(StoreError) -> T {
        do { return try JSONDecoder().decode(T.self, from: Data(bytes)) } catch let error as StoreError {
            throw error
        } catch {
            throw StoreError(.invalid, "\(what) cannot be read as the JSON that it should be")
        }
    }
    /// Keys in order: the same document is the same bytes, and has the same digest.
    static func bytes(_ value: some Encodable) throws(StoreError) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do { return Array(try encoder.encode(value)) } catch {
            throw StoreError(.system, "a document cannot be written: \(error)")
        }
    }
    /// A document with all its members, to change some of them.
    static func members(_ bytes: [UInt8], _ what: String) throws(StoreError) -> [String: Any] {
        do {
            guard let members = try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any] else {
                throw CocoaError(.coderReadCorrupt)
            }
            return members
        } catch { throw StoreError(.invalid, "\(what) cannot be read as the JSON that it should be") }
    }
    static func bytes(members: [String: Any]) throws(StoreError) -> [UInt8] {
        do {
            return Array(
                try JSONSerialization.data(withJSONObject: members, options: [.sortedKeys, .withoutEscapingSlashes]))
        } catch {
            throw StoreError(.system, "a document cannot be written: \(error)")
        }
    }
    /// RFC 3339, as images have it.
    static func time(_ seconds: Int64) -> String {
        let formatter = ISO8601DateFormatter()
        formatter.timeZone = TimeZone(identifier: "UTC")
        return formatter.string(from: Date(timeIntervalSince1970: TimeInterval(seconds)))
    }
}

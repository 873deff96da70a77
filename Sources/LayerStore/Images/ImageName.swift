internal import LinuxSys

/// `[HOST[:PORT]/]PATH[:TAG]`, as engines write it; without a tag it is `latest`.
public struct ImageName: Hashable, Sendable, CustomStringConvertible {
    public let description: String

    public init(_ text: String) throws(StoreError) {
        let bytes = Array(text.utf8)
        func isPlain(_ b: UInt8) -> Bool { b >= 0x30 && b <= 0x39 || b >= 0x41 && b <= 0x5a || b >= 0x61 && b <= 0x7a }
        guard let first = bytes.first, let last = bytes.last, bytes.count <= 255, isPlain(first),
            isPlain(last) || last == 0x5f,
            bytes.allSatisfy({ isPlain($0) || [0x2e, 0x5f, 0x2d, 0x2f, 0x3a].contains($0) }), !text.contains("//")
        else {
            throw StoreError(
                .invalid, "\"\(text)\" is no name for an image: letters, digits and . _ - / with a tag behind a colon")
        }
        let path = text.split(separator: "/").last ?? ""
        description = path.contains(":") ? text : text + ":latest"
    }
    /// The names by which people mean it, in order: podman puts `localhost/` before what was built here.
    var candidates: [String] {
        [description, "localhost/" + description, "docker.io/library/" + description, "docker.io/" + description]
    }
}

/// What stands in the way of hostile documents.
enum DocumentLimit {
    static let bytes = 16 << 20
    static let layers = 1000
}

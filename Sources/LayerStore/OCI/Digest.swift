internal import Crypto
internal import Foundation

/// `sha256:HEX`, as OCI's image specification has it (descriptor.md). Others that it knows are refused: no tool writes
/// them.
public struct Digest: Hashable, Sendable, CustomStringConvertible, Codable {
    /// 64 digits.
    public let hex: String
    public var description: String { "sha256:\(hex)" }

    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0] == "sha256", parts[1].utf8.count == 64,
            parts[1].utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 || $0 >= 0x61 && $0 <= 0x66 })
        else { return nil }
        hex = String(parts[1])
    }
    fileprivate init(_ bytes: some Sequence<UInt8>) {
        hex = bytes.map { String(UInt16($0) | 0x100, radix: 16).dropFirst() }.joined()
    }
    public static func of(_ bytes: [UInt8]) -> Digest {
        var hash = RunningDigest()
        hash.add(bytes)
        return hash.value
    }

    public init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let digest = Digest(text) else { throw StoreError(.invalid, "\"\(text)\" is not a sha256 digest") }
        self = digest
    }
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// The digest of what has been added so far.
struct RunningDigest {
    private var hash = SHA256()
    private(set) var count: Int64 = 0

    mutating func add(_ bytes: some DataProtocol) {
        hash.update(data: bytes)
        count += Int64(bytes.count)
    }
    var value: Digest { Digest(hash.finalize()) }
}

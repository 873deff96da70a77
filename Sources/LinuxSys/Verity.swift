internal import CShims
internal import Glibc

/// What fs-verity says of a file (FS_IOC_MEASURE_VERITY): FS_VERITY_HASH_ALG_* and the digest, which the kernel holds
/// each page that is read against.
public struct VerityDigest: Equatable, Sendable {
    public let algorithm: UInt8
    public let bytes: [UInt8]
    public init(algorithm: UInt8, bytes: [UInt8]) {
        self.algorithm = algorithm
        self.bytes = bytes
    }
}

extension FD {
    /// Of an open file. Nil where it has none: not enabled for it (ENODATA), or its filesystem or the kernel knows no
    /// fs-verity.
    public func verityDigest() throws(Errno) -> VerityDigest? {
        var algorithm: UInt16 = 0
        var digest = [UInt8](repeating: 0, count: 64)
        let result = unsafe digest.withUnsafeMutableBufferPointer {
            unsafe cs_measure_verity(raw, &algorithm, $0.baseAddress)
        }
        if result < 0 {
            let error = Errno(Int32(truncatingIfNeeded: -result))
            switch error {
            case .noData, .notTTY, .notSupported: return nil
            default: throw error
            }
        }
        return VerityDigest(algorithm: UInt8(truncatingIfNeeded: algorithm), bytes: Array(digest.prefix(result)))
    }
}

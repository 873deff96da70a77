import LinuxSys
import Testing

@testable import UnionCore

/// The digest in `overlay.metacopy`, byte for byte as fs/overlayfs/overlayfs.h has it (struct ovl_metacopy).
struct VerityTests {
    private let digest = VerityDigest(algorithm: 1, bytes: Array(0..<32))

    @Test func isWrittenAndRead() throws {
        #expect(MetacopyNote(digest).bytes == [0, 36, 0, 1] + Array(0..<32))
        #expect(MetacopyNote(nil).bytes == [])
        #expect(try MetacopyNote(found: MetacopyNote(digest).bytes).digest == digest)
        #expect(try MetacopyNote(found: []).digest == nil && MetacopyNote(found: [0, 4, 0, 0]).digest == nil)
        let long = VerityDigest(algorithm: 2, bytes: [UInt8](repeating: 7, count: 64))
        #expect(try MetacopyNote(found: MetacopyNote(long).bytes).digest == long)
    }

    @Test(arguments: [
        [0], [0, 3, 0], [1, 4, 0, 0], [0, 5, 0, 0], [0, 4, 1, 0], [0, 37, 0, 1] + [UInt8](repeating: 0, count: 32),
    ])
    func whatIsNotOfTheFormatIsAnError(_ value: [UInt8]) {
        #expect(throws: Errno.io) { try MetacopyNote(found: value) }
    }

    @Test func isCompared() throws {
        let other = VerityDigest(algorithm: 1, bytes: [UInt8](repeating: 9, count: 32))
        for isRequired in [false, true] {
            try MetacopyNote(digest).check(digest, isRequired: isRequired)
            for found in [
                other, VerityDigest(algorithm: 2, bytes: digest.bytes),
                VerityDigest(algorithm: 1, bytes: Array(0..<31)), nil,
            ] {
                #expect(throws: Errno.io) { try MetacopyNote(digest).check(found, isRequired: isRequired) }
            }
        }
        try MetacopyNote(nil).check(nil, isRequired: false)
        try MetacopyNote(nil).check(digest, isRequired: false)
        #expect(throws: Errno.io) { try MetacopyNote(nil).check(digest, isRequired: true) }
    }
}

import LinuxSys
import Testing

@testable import UnionCore

/// Whose objects are, on both sides of a mapping.
struct OwnerMappingTests {
    private func mapping(_ words: String) throws -> OwnerMapping {
        var options = MountOptions(form: .engine)
        try options.apply(FileName(words))
        return OwnerMapping(options)
    }
    /// A version, then tag, permissions and id.
    private func acl(_ entries: [(UInt8, UInt32)]) -> [UInt8] {
        [2, 0, 0, 0]
            + entries.flatMap { tag, id in
                [tag, 0, 7, 0] + (0..<4).map { UInt8(truncatingIfNeeded: id >> (8 * UInt32($0))) }
            }
    }

    @Test func ranges() throws {
        let m = try mapping("uidmapping=:0:1000:1:1:100000:65536,gidmapping=5:6:2")
        #expect(!m.isIdentity)
        #expect(
            m.seen(uid: 0) == 1000 && m.seen(uid: 1) == 100_000 && m.seen(uid: 65536) == 165_535
                && m.seen(uid: 65537) == 65534)
        #expect(
            m.stored(uid: 1000) == 0 && m.stored(uid: 100_007) == 8 && m.stored(uid: 0) == nil
                && m.stored(uid: .max) == nil)
        #expect(m.seen(gid: 6) == 7 && m.seen(gid: 7) == 65534 && m.stored(gid: 7) == 6 && m.stored(gid: 8) == nil)
    }
    @Test func rangesAtTheEndOfNumbers() throws {
        let m = try mapping("uidmapping=4294967290:10:6")
        #expect(m.seen(uid: .max) == 15 && m.stored(uid: 15) == .max && m.stored(uid: 16) == nil)
    }
    /// An engine makes things through a mount whose container is in another namespace.
    @Test func rootOfTheMachineStandsForRootOfTheLayers() throws {
        let m = try mapping("uidmapping=0:100000:65536,gidmapping=5:100000:10")
        #expect(
            m.stored(uid: 0) == nil && m.stored(callerUID: 0) == 0 && m.stored(callerUID: 100_001) == 1
                && m.stored(callerUID: 7) == nil)
        #expect(m.stored(callerGID: 0) == nil && m.stored(callerGID: 100_000) == 5)
    }
    @Test func squashed() throws {
        let root = try mapping("squash_to_root")
        #expect(root.seen(uid: 77) == 0 && root.seen(gid: 77) == 0 && root.stored(uid: 9) == 0)
        let some = try mapping("squash_to_root,squash_to_uid=5")
        #expect(some.seen(uid: 77) == 5 && some.seen(gid: 77) == 0)
        #expect(try mapping("lowerdir=/a").isIdentity)
    }
    @Test func accessLists() throws {
        let m = try mapping("uidmapping=0:1000:10,gidmapping=0:2000:10")
        // ACL_USER_OBJ 1, ACL_USER 2, ACL_GROUP_OBJ 4, ACL_GROUP 8, ACL_MASK 16, ACL_OTHER 32.
        let stored = acl([(1, .max), (2, 3), (4, .max), (8, 4), (16, .max), (32, .max)])
        let seen = acl([(1, .max), (2, 1003), (4, .max), (8, 2004), (16, .max), (32, .max)])
        #expect(m.seen(acl: stored) == seen && m.stored(acl: seen) == stored)
        #expect(m.stored(acl: acl([(2, 5)])) == nil)
        for length in 0..<12 { #expect(m.seen(acl: Array(seen.prefix(length))) == Array(seen.prefix(length))) }
    }
    @Test(arguments: 1...20) func thereAndBack(_ seed: UInt64) throws {
        var state = seed &* 0x9e37_79b9_7f4a_7c15
        func random(_ n: UInt32) -> UInt32 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt32(truncatingIfNeeded: state >> 33) % n
        }
        var words: [String] = []
        var (stored, seen) = (random(100), random(100))
        for _ in 0...random(5) {
            let count = 1 + random(1000)
            words.append("\(stored):\(seen):\(count)")
            stored += count + random(50)
            seen += count + random(50)
        }
        let m = try mapping("uidmapping=" + words.joined(separator: ":"))
        for _ in 0..<500 {
            let id = random(6000)
            if let there = m.stored(uid: id) { #expect(m.seen(uid: there) == id, "seed \(seed)") }
            let here = m.seen(uid: id)
            if here != OwnerMapping.overflow { #expect(m.stored(uid: here) == id, "seed \(seed)") }
        }
    }
}

import LinuxSys
import Testing
@testable import UnionCore

/// Every step of a metacopy and of giving it its data, made to fail: the union shows the lower data until all of them are there, and the next
/// attempt succeeds.
struct MetacopyFaultTests {
    private static let content = Array(repeating: UInt8(ascii: "x"), count: 300_000)

    private func union(_ s: Sandbox, _ faults: FaultPlan?) throws -> TestUnion {
        try TestUnion(s, ["l"], faults: faults) {
            $0.metacopy = true
            $0.redirectDir = .on
        }
    }
    private func fill(_ union: TestUnion) throws {
        let upper = try #require(union.stack.root.upper)
        try FileName("f").withRef { n in
            let object = try union.stack.openData(union.stack.root, n)
            let data = try object.fd.reopenQuietly(0)
            let file = try upper.fd.open(n, 2)
            _ = try union.stack.fillMetacopy(file.fd, from: data.fd, .all)
        }
    }
    private func content(_ union: TestUnion) throws -> [UInt8] {
        try FileName("f").withRef { n in
            let object = try union.stack.openData(union.stack.root, n)
            let file = try object.fd.reopenQuietly(0)
            return try file.fd.readAll()
        }
    }

    @Test(arguments: CopyUpStep.allCases) func nothingIsLostAndTheNextOneSucceeds(_ step: CopyUpStep) throws {
        let s = try Sandbox()
        try s.directory("l")
        try s.file("l/f", Self.content)
        let faults = FaultPlan(step, .noSpace)
        let failing = try union(s, faults)
        do { try failing.copyUp("f", extent: .metadata) } catch { #expect(error as? Errno == .noSpace) }
        #expect(try content(failing) == Self.content)
        let retry = try union(s, nil)
        try retry.copyUp("f", extent: .metadata)
        #expect(try s.content("u/f").count == Self.content.count)

        let second = FaultPlan(step, .noSpace)
        let filling = try union(s, second)
        var failed = false
        do { try fill(filling) } catch {
            failed = true
            #expect(error as? Errno == .noSpace)
        }
        #expect(try content(filling) == Self.content)
        if failed { try fill(try union(s, nil)) }
        #expect(Array(try s.content("u/f").utf8) == Self.content)
        #expect(try s.names("w/work") == [])
        if step == .setMetacopy { #expect(faults.reached > 0) }
        if step == .removeMetacopy { #expect(second.reached > 0) }
    }
}

import LinuxSys
import Testing

@testable import UnionFS

/// Handles of open files.
struct HandleTableTests {
    private func null() throws -> OwnedFD { try FD.currentDirectory.open("/dev/null", 0) }

    @Test func openedAndReleased() throws {
        let table = HandleTable(region: try RecordRegion())
        let file = try table.addFile(7, try null(), openFlags: 2, isUpper: true)
        let other = try table.addFile(8, OwnedFD(adopting: -1), openFlags: 0, isUpper: false)
        #expect(file != other && file != 0 && other != 0)
        #expect(table.openFiles == 2)
        let record = try table.record(file)
        #expect(record.node == 7 && record.fd >= 0 && record.openFlags == 2 && record.flags & HandleRecord.upper != 0)
        #expect(try table.record(other).flags & HandleRecord.upper == 0)
        table.release(file)
        table.release(other)
        table.release(file)
        #expect(table.openFiles == 0)
        #expect(throws: Errno.badDescriptor) { try table.record(file) }
    }
    @Test func handlesThatNobodyGave() throws {
        let table = HandleTable(region: try RecordRegion())
        for handle in [0, 1, 5, UInt64(RecordRegion.handleCapacity), UInt64(UInt32.max), 1 << 32, UInt64.max]
            as [UInt64]
        {
            #expect(throws: Errno.badDescriptor) { try table.record(handle) }
            table.release(handle)
        }
        let real = try table.addFile(1, try null(), openFlags: 0, isUpper: false)
        #expect(throws: Errno.badDescriptor) { try table.record(real | 1 << 32) }
        table.release(real | 1 << 32)
        #expect(try table.record(real).node == 1)
        table.release(real)
    }
    @Test func theFirstUpperDescriptorWins() throws {
        let table = HandleTable(region: try RecordRegion())
        let handle = try table.addFile(7, try null(), openFlags: 0, isUpper: false)
        let one = try null()
        let number = one.number
        let first = table.setUpper(handle, one)
        let second = table.setUpper(handle, try null())
        #expect(first.raw == number && second == first)
        #expect(try table.record(handle).upperFD == number)
        table.release(handle)
    }
    /// Against a dictionary, with a seed.
    @Test(arguments: 1...10 as ClosedRange<UInt64>)
    func randomOperations(_ seed: UInt64) throws {
        var random = Generator(state: seed)
        let table = HandleTable(region: try RecordRegion())
        var open: [UInt64: UInt32] = [:]
        for step in 0..<3000 {
            if open.isEmpty || random.below(5) < 3, open.count < 100 {
                let node = UInt32(truncatingIfNeeded: random.next())
                let handle = try table.addFile(node, OwnedFD(adopting: -1), openFlags: 0, isUpper: random.below(2) == 0)
                #expect(
                    open.updateValue(node, forKey: handle) == nil, "seed \(seed), step \(step): handle \(handle) twice")
            } else if let handle = open.keys.sorted().randomElement(using: &random) {
                #expect(try table.record(handle).node == open[handle], "seed \(seed), step \(step)")
                table.release(handle)
                open[handle] = nil
            }
            #expect(table.openFiles == open.count, "seed \(seed), step \(step)")
        }
    }
    @Test func manyThreads() throws {
        let table = HandleTable(region: try RecordRegion())
        try inParallel(6) { thread in
            for i in 0..<5000 {
                guard
                    let handle = try? table.addFile(
                        UInt32(thread * 10_000 + i), OwnedFD(adopting: -1), openFlags: 0, isUpper: false)
                else { continue }
                if (try? table.record(handle).node) != UInt32(thread * 10_000 + i) {
                    Issue.record("somebody else's handle")
                }
                table.release(handle)
            }
        }
        #expect(table.openFiles == 0)
    }
}

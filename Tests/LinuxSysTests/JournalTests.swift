import LinuxSys
import Testing

/// Records that are changed whole or not at all.
struct JournalTests {
    private let memory: SharedMemory
    private let journal: Journal
    private static let capacity = 4096

    init() throws {
        memory = try SharedMemory(name: "journal-test", length: 65536)
        journal = Journal(memory, offset: 32768, capacity: Self.capacity)
    }
    private func bytes(_ range: Range<Int>) -> [UInt8] {
        range.map { unsafe memory.base.load(fromByteOffset: $0, as: UInt8.self) }
    }
    private func change(_ offset: Int, _ length: Int, _ value: UInt8) {
        unsafe journal.save(memory.base + offset, length)
        for i in 0..<length { unsafe memory.base.storeBytes(of: value, toByteOffset: offset + i, as: UInt8.self) }
    }

    @Test func whatWasNotCommittedIsUndone() throws {
        change(0, 120, 1)
        change(200, 5, 2)
        journal.commit()
        let before = bytes(0..<400)
        change(0, 120, 3)
        change(200, 5, 4)
        // Saved twice, with another between: the oldest is what counts.
        change(0, 120, 5)
        change(300, 1, 6)
        try journal.undo()
        #expect(bytes(0..<400) == before)
        // Nothing is left to be undone.
        change(0, 120, 7)
        journal.commit()
        try journal.undo()
        #expect(bytes(0..<1) == [7])
    }

    @Test func moreThanFitsIsSaid() throws {
        for i in 0..<100 { change(i * 128, 120, 1) }
        #expect(throws: Errno(117 /* EUCLEAN */)) { try journal.undo() }
        journal.commit()
        change(0, 8, 2)
        try journal.undo()
        #expect(bytes(0..<8) == [UInt8](repeating: 1, count: 8))
    }

    @Test func aJournalThatIsNoneIsRefused() throws {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            for i in 0..<256 {
                unsafe memory.base.storeBytes(
                    of: UInt8.random(in: 0...255, using: &random), toByteOffset: 32768 + i, as: UInt8.self)
            }
            unsafe memory.base.storeBytes(
                of: UInt32.random(in: 0...200, using: &random), toByteOffset: 32768, as: UInt32.self)
            unsafe memory.base.storeBytes(of: 0, toByteOffset: 32768 + 4, as: UInt32.self)
            // Undone or refused; never outside the memory.
            try? journal.undo()
            journal.commit()
        }
    }

    @Test func slotsSayHowFarARequestGot() throws {
        let memory = try SharedMemory(name: "slot-test", length: InflightSlot.length(buffer: 8192) + 4096)
        let journal = Journal(memory, offset: InflightSlot.length(buffer: 8192), capacity: 4096)
        let slot = InflightSlot(memory, offset: 0, buffer: 8192)
        slot.enter()
        defer { InflightSlot.leave() }
        slot.begin(unique: 7, opcode: 1)
        #expect(slot.state == .begun && slot.unique == 7 && slot.lookups == [] && !slot.isDone)
        for node in [3, 4, 3] as [UInt32] { Inflight.counted(node, journal) }
        Inflight.takenBack(3, journal)
        journal.commit()
        #expect(slot.lookups.sorted() == [3, 4])
        Inflight.takenBack(9, journal)
        Inflight.counted(5, journal)
        Inflight.opened(6, journal)
        Inflight.done(journal)
        #expect(slot.lookups.sorted() == [3, 4, 5] && slot.handle == 6 && slot.isDone)
        try journal.undo()
        #expect(slot.lookups.sorted() == [3, 4] && slot.handle == 0 && !slot.isDone)
        slot.replied(40)
        #expect(slot.state == .replied && slot.reply == 40)
        slot.end()
        #expect(slot.state == .idle)
    }
}

import LinuxSys
import Testing

@testable import UnionCore
@testable import UnionFS

/// Nodes and their names: against a model, at size, and with many threads.
struct InodeTableTests {
    private func table() throws -> InodeTable {
        InodeTable(region: try RecordRegion(), rootIno: 1, rootLayer: 0, rootIsUpper: true)
    }
    private func found(_ ino: UInt64, _ mode: UInt32 = 0o100644) -> Found {
        var status = FileStatus()
        status.mode = mode
        return Found(layer: 1, status: status, ino: ino, nlink: 1)
    }

    /// Repeat one with `TABLE_SEED=N`.
    @Test(arguments: Process.environment("TABLE_SEED").flatMap { UInt64($0.description) }.map { [$0] } ?? Array(1...40))
    func randomOperations(_ seed: UInt64) throws {
        var random = Generator(state: seed)
        let model = try TableModel()
        let names =
            (0..<6).map { FileName("n\($0)") } + [
                FileName(String(repeating: "long", count: 60)), FileName(bytes: [0xff, 0x0a]),
            ]
        for step in 0..<1500 {
            // The kernel asks about what it has looked up and not forgotten.
            func directory() -> UInt64 {
                model.live.values.filter { $0.isDirectory && $0.lookups > 0 }.map { $0.ino }.sorted().randomElement(
                    using: &random) ?? 1
            }
            func place() -> TableModel.Place { .init(directory: directory(), name: names[random.below(names.count)]) }
            func node() -> UInt64 { model.live.keys.sorted().randomElement(using: &random) ?? 1 }
            let operation = random.below(12)
            switch operation {
            case 0, 1, 2: try model.lookup(place())
            case 3: try model.create(place(), isDirectory: true)
            case 4: try model.create(place(), isDirectory: false)
            case 5, 6: model.forget(node(), UInt64(1 + random.below(3)))
            case 7: model.forget(node(), UInt64.max)
            case 8: model.remove(place())
            case 9: try model.link(node(), place())
            case 10:
                let (a, b) = (place(), place())
                try model.lookup(a)
                try model.lookup(b)
                try model.rename(a, b)
            default:
                let (a, b) = (place(), place())
                try model.lookup(a)
                try model.lookup(b)
                model.exchange(a, b)
            }
            // Now and then the process dies, and another goes on with the records.
            if random.below(60) == 0 {
                try model.takeOver(
                    changing: model.live.values.map(\.index).sorted().filter { _ in random.below(4) == 0 })
            }
            let wrong = model.check()
            #expect(wrong == [], "TABLE_SEED=\(seed), step \(step), operation \(operation)")
            if wrong != [] { return }
        }
        // The kernel forgets everything: nothing stays.
        for ino in model.live.keys.sorted() where ino != 1 { model.forget(ino, UInt64.max) }
        #expect(model.check() == [] && model.table.count == 1, "TABLE_SEED=\(seed)")
    }

    /// With file handles (`nfs_export=on`) a node stays while it has a name; ids lead to it or nowhere, over a death
    /// too.
    @Test func forgottenNodesStayForTheirHandles() throws {
        let region = try RecordRegion()
        func table() -> InodeTable {
            InodeTable(region: region, rootIno: 1, rootLayer: 0, rootIsUpper: true, isExported: true)
        }
        let before = table()
        #expect(before.instance != 0)
        func enter(_ parent: UInt32, _ name: FileName, _ ino: UInt64, _ mode: UInt32 = 0o100644) throws -> UInt32 {
            try name.withRef { n in
                try before.enter(parent, n, found(ino, mode), isIdentifiedByNumber: false, mayHaveOtherNames: false)
            }
        }
        let directory = try enter(InodeTable.root, "d", 2, 0o040755)
        let file = try enter(directory, "f", 3)
        let other = try enter(InodeTable.root, "g", 4)
        let ids = [directory, file, other].map(before.id)
        for node in [file, other, directory] { before.forget(node, 1) }
        #expect(before.count == 4)
        #expect(try before.counted(ids[1]) == file)
        before.forget(file, 1)
        // Its name goes while nobody has it: so does the node.
        before.removed(
            InodeTable.root, NameRef("g"), orphan: OwnedFD(adopting: -1), data: OwnedFD(adopting: -1), isGone: true)
        #expect(throws: Errno.stale) { try before.counted(ids[2]) }
        #expect(before.count == 3 && before.isSettled)

        let after = table()
        let handles = HandleTable(region: region)
        _ = after.rebuild(handles)
        #expect(after.instance == before.instance)
        #expect(try after.counted(ids[1]) == file && after.counted(ids[0]) == directory)
        #expect(after.nameAndParent(file)?.parent == directory)
        #expect(throws: Errno.stale) { try after.counted(ids[2]) }
        after.removed(directory, NameRef("f"), orphan: OwnedFD(adopting: -1), data: OwnedFD(adopting: -1), isGone: true)
        after.forget(file, 1)
        #expect(throws: Errno.stale) { try after.counted(ids[1]) }
    }

    /// A table that is full gives up those that the kernel has forgotten, and none that it knows.
    @Test func aFullTableGivesUpWhatIsForgotten() throws {
        let table = InodeTable(
            region: try RecordRegion(), rootIno: 1, rootLayer: 0, rootIsUpper: true, isExported: true)
        table.mostLive = 3000
        func enter(_ number: Int) throws -> UInt64 {
            table.id(
                try FileName("name\(number)").withRef { n in
                    try table.enter(
                        InodeTable.root, n, found(UInt64(number + 100)), isIdentifiedByNumber: false,
                        mayHaveOtherNames: false)
                })
        }
        let known = try (0..<1000).map(enter)
        for number in 1000..<20_000 { table.forget(try table.node(try enter(number)), 1) }
        #expect(table.count <= 3000 && table.isSettled)
        for id in known { #expect(try table.node(id) != 0) }
    }

    /// Memory goes back page by page while some live on, and all at once at the end; who lives on is as before, and no
    /// id comes again.
    @Test func forgottenMemoryIsGivenBack() throws {
        let table = try table()
        func enter(_ number: Int) throws -> UInt64 {
            let node = try FileName("name\(number)").withRef { n in
                try table.enter(
                    InodeTable.root, n, found(UInt64(number + 100)), isIdentifiedByNumber: false,
                    mayHaveOtherNames: false)
            }
            return table.id(node)
        }
        func resident() -> Int { table.region.residentPages }
        var ids: [UInt64] = []
        for number in 0..<200_000 { ids.append(try enter(number)) }
        let full = resident()
        var seen = Set(ids)
        for number in 0..<200_000 where number % 1000 != 0 { table.forget(try table.node(ids[number]), 1) }
        #expect(resident() < full / 2)
        for number in stride(from: 0, to: 200_000, by: 1000) {
            let node = try table.node(ids[number])
            #expect(table[node].ino == UInt64(number + 100))
            #expect(FileName("name\(number)").withRef { table.child(InodeTable.root, $0) } == node)
        }
        #expect(throws: Errno.stale) { try table.node(ids[1]) }
        for number in 200_000..<220_000 { #expect(try seen.insert(enter(number)).inserted) }
        #expect(table.isSettled)
        let other = try InodeTable(region: RecordRegion(), rootIno: 1, rootLayer: 0, rootIsUpper: true)
        var nodes: [UInt32] = []
        for number in 0..<100_000 {
            nodes.append(
                try FileName("n\(number)").withRef { n in
                    try other.enter(
                        InodeTable.root, n, found(UInt64(number + 100)), isIdentifiedByNumber: false,
                        mayHaveOtherNames: false)
                })
        }
        #expect(MemoryLayout<NodeRecord>.stride == 120 && MemoryLayout<DentryRecord>.stride == 32)
        for node in nodes { other.forget(node, 1) }
        #expect(other.count == 1 && other.isSettled && other.region.residentPages < 64)
    }

    @Test func idsAreNeverUsedTwice() throws {
        let table = try table()
        var seen: Set<UInt64> = []
        let name: FileName = "f"
        for i in 0..<5000 {
            let node = try name.withRef { n in
                try table.enter(
                    InodeTable.root, n, found(UInt64(i + 2)), isIdentifiedByNumber: true, mayHaveOtherNames: true)
            }
            let id = table.id(node)
            #expect(seen.insert(id).inserted)
            #expect(try table.node(id) == node)
            table.forget(node, 1)
            #expect(throws: Errno.stale) { try table.node(id) }
        }
        #expect(table.count == 1)
    }
    @Test func idsThatNobodyGave() throws {
        let table = try table()
        for id in [0, 2, 1 << 32 | 1, UInt64.max, UInt64(UInt32.max), UInt64(RecordRegion.nodeCapacity), 99 << 32]
            as [UInt64]
        {
            #expect(throws: Errno.stale) { try table.node(id) }
        }
        #expect(try table.node(1) == InodeTable.root)
    }
    @Test func grownToManyNames() throws {
        let table = try table()
        let count = 120_000
        var directories: [UInt32] = []
        for d in 0..<10 {
            directories.append(
                try FileName("d\(d)").withRef { n in
                    try table.enterNew(InodeTable.root, n, kind: .directory, ino: UInt64(d + 2))
                })
        }
        var nodes: [UInt32] = []
        for i in 0..<count {
            nodes.append(
                try FileName("name-\(i / 10)").withRef { n in
                    try table.enter(
                        directories[i % 10], n, found(UInt64(i + 100)), isIdentifiedByNumber: true,
                        mayHaveOtherNames: true)
                })
        }
        #expect(table.count == count + 11)
        var wrong = 0
        for i in 0..<count
        where FileName("name-\(i / 10)").withRef({ n in table.child(directories[i % 10], n) }) != nodes[i] {
            wrong += 1
        }
        // By number too: another name of each.
        for i in stride(from: 0, to: count, by: 7) {
            let other = try FileName("other-\(i)").withRef { n in
                try table.enter(
                    directories[0], n, found(UInt64(i + 100)), isIdentifiedByNumber: true, mayHaveOtherNames: true)
            }
            if other != nodes[i] { wrong += 1 }
            table.forget(other, 1)
        }
        #expect(wrong == 0)
        for node in nodes { table.forget(node, 1) }
        for node in directories { table.forget(node, 1) }
        #expect(table.count == 1)
        // What was given back is used again: no more records than before.
        let again = try FileName("x").withRef { n in
            try table.enter(InodeTable.root, n, found(5), isIdentifiedByNumber: false, mayHaveOtherNames: false)
        }
        #expect(Int(again) <= count + 12)
    }
    @Test func parentsStayAsLongAsTheirChildren() throws {
        let table = try table()
        let d = try FileName("d").withRef { n in try table.enterNew(InodeTable.root, n, kind: .directory, ino: 2) }
        let e = try FileName("e").withRef { n in try table.enterNew(d, n, kind: .directory, ino: 3) }
        let f = try FileName("f").withRef { n in try table.enterNew(e, n, kind: .regular, ino: 4) }
        table.forget(d, 1)
        table.forget(e, 1)
        #expect(table.count == 4)
        #expect(
            table.nameAndParent(f)?.parent == e && table.nameAndParent(e)?.parent == d
                && table.nameAndParent(d)?.name == "d")
        table.forget(f, 1)
        #expect(table.count == 1)
    }
    /// RELEASE and FORGET come without anybody waiting, and are served by two threads: the node may be gone, and its
    /// place another's, when the release of its file arrives.
    @Test func aReleaseBehindTheForget() throws {
        let table = try table()
        let name = FileName("f")
        func made(_ ino: UInt64) throws -> UInt32 {
            try name.withRef { n in try table.enterNew(InodeTable.root, n, kind: .regular, ino: ino) }
        }
        let old = try made(2)
        let generation = table[old].generation
        #expect(table.bind(old, 7, isLower: false, writes: true) != nil)
        #expect(table.noteStorer(old))
        table.forget(old, 1)
        let node = try made(3)
        #expect(node == old, "the test proves nothing")
        #expect(table.bind(node, 8, isLower: false, writes: true) != nil)
        #expect(table.noteStorer(node))
        table.storerLeft(old, generation: generation)
        #expect(table.leave(old, generation: generation, passthrough: true) == false)
        #expect(table[node].passthroughOpens == 1 && table[node].storers == 1 && table[node].backing == 8)
        guard case .passthrough(8) = table.join(node, writes: true) else {
            Issue.record("another way than that of who has it open")
            return
        }
        for _ in 0..<2 { table.leave(node, generation: table[node].generation, passthrough: true) }
        table.storerLeft(node, generation: table[node].generation)
        #expect(table[node].passthroughOpens == 0 && table[node].storers == 0)
    }

    @Test func anUnlinkedFileKeepsItsDescriptor() throws {
        let table = try table()
        let f = try FileName("f").withRef { n in try table.enterNew(InodeTable.root, n, kind: .regular, ino: 2) }
        let held = try FD.currentDirectory.open("/dev/null", OpenFlags.path).release()
        FileName("f").withRef { n in
            table.removed(
                InodeTable.root, n, orphan: OwnedFD(adopting: held.raw), data: OwnedFD(adopting: -1), isGone: true)
        }
        #expect(table[f].orphan == held.raw && table[f].flags.contains(.unlinked))
        #expect((try? held.status())?.isCharacter == true)
        #expect(table.nameAndParent(f) == nil)
        table.forget(f, 1)
        #expect(table.count == 1)
    }
    @Test func copiedUpAndIndexed() throws {
        let table = try table()
        var lower = found(77)
        let indexName = FileName(String(repeating: "0f", count: 100))
        lower.indexName = indexName
        lower.nlink = 2
        lower.lowerLinks = 2
        let name: FileName = "a"
        let node = try name.withRef { n in
            try table.enter(InodeTable.root, n, lower, isIdentifiedByNumber: true, mayHaveOtherNames: true)
        }
        #expect(
            table.ownedIndexName(node) == indexName && table[node].unionLinks == 2
                && !table[node].flags.contains(.upper))
        var location = InodeTable.Location()
        #expect(table.locate(node, &location))
        #expect(location.name.withRef { $0.owned } == name && location.layer == 1 && !location.isUpper)
        let version = table.version(node)
        #expect(location.version == version)
        name.withRef { n in table.copiedUp(node, InodeTable.root, n, indexed: true, dataBlocks: nil, size: 0) }
        #expect(
            table.version(node) != version && table[node].layer == 0 && table[node].flags.contains([.upper, .indexed]))
        #expect(name.withRef { n in table.nameIsInUpper(InodeTable.root, n) })
        table.forget(node, 1)
        #expect(table.count == 1)
    }
    @Test func manyThreads() throws {
        let table = try table()
        let wrong = Mutex()
        let count = Box()
        try inParallel(8) { thread in
            var random = Generator(state: UInt64(thread + 1))
            for _ in 0..<20_000 {
                // Shared names and numbers, so that threads meet at birth and death.
                let i = random.below(50)
                let node = FileName("f\(i)").withRef { n in
                    try? table.enter(
                        InodeTable.root, n, Self.plain(UInt64(i / 2 + 10)), isIdentifiedByNumber: true,
                        mayHaveOtherNames: true)
                }
                guard let node else { continue }
                let id = table.id(node)
                if (try? table.node(id)) != node || table[node].ino != UInt64(i / 2 + 10) {
                    wrong.locked { count.value += 1 }
                }
                if random.below(5) == 0 { Process.sleep(milliseconds: 0) }
                table.forget(node, 1)
            }
        }
        #expect(count.value == 0)
        #expect(table.count == 1)
    }
    private final class Box: @unchecked Sendable { var value = 0 }
    private static func plain(_ ino: UInt64) -> Found {
        var status = FileStatus()
        status.mode = 0o100644
        return Found(layer: 1, status: status, ino: ino, nlink: 1)
    }
}

import LinuxSys

@testable import UnionCore
@testable import UnionFS

/// What an inode table must say, kept in dictionaries, beside the table itself: every operation is done to both, and
/// the answers and what is left are compared. A disk that has everything stands behind: what is forgotten can be looked
/// up again.
final class TableModel {
    struct Place: Hashable {
        /// Inode number of the directory.
        let directory: UInt64
        let name: FileName
    }
    final class Node {
        let index: UInt32, id: UInt64, ino: UInt64
        let isDirectory: Bool
        var lookups: UInt64 = 0
        var names: Set<Place> = []
        init(index: UInt32, id: UInt64, ino: UInt64, isDirectory: Bool) {
            self.index = index
            self.id = id
            self.ino = ino
            self.isDirectory = isDirectory
        }
    }
    private(set) var table: InodeTable
    /// Places on the disk, and which of them the table knows.
    var disk: [Place: UInt64] = [:]
    var directories: Set<UInt64> = [1]
    var known: [Place: Node] = [:]
    /// By inode number: the live ones.
    var live: [UInt64: Node] = [:]
    var children: [UInt64: Int] = [:]
    var dead: [UInt64] = []
    var issued: Set<UInt64> = []
    private var nextIno: UInt64 = 2
    private(set) var complaints: [String] = []

    init() throws {
        let region = try RecordRegion()
        table = InodeTable(region: region, rootIno: 1, rootLayer: 0, rootIsUpper: true)
        let root = Node(index: InodeTable.root, id: 1, ino: 1, isDirectory: true)
        root.lookups = 1
        live[1] = root
    }
    /// The process dies in the middle of a change of these records, and another goes on.
    func takeOver(changing touched: [UInt32]) throws {
        let region = table.region
        // As if a lock were held: saved, and not committed.
        for node in touched {
            let name = table.nodes[node].firstName
            table.nodes[node].lookups = 99
            table.nodes[node].flags = []
            if name != 0 {
                table.heap.remove(table.dentries[name].name, length: Int(table.dentries[name].nameLength))
                table.dentries[name] = DentryRecord()
            }
            table.nodes[node].firstName = 0
        }
        try region.tableJournal.undo()
        try region.handleJournal.undo()
        let next = InodeTable(region: region, rootIno: 1, rootLayer: 0, rootIsUpper: true)
        let handles = HandleTable(region: region)
        handles.rebuild { _ in true }
        _ = next.rebuild(handles)
        table = next
    }
    private func complain(_ text: String) { complaints.append(text) }

    private func adopt(_ index: UInt32, _ ino: UInt64, isDirectory: Bool, _ what: String) -> Node {
        let id = table.id(index)
        if let node = live[ino] {
            if node.id != id { complain("\(what): another node \(id) for \(ino), which is \(node.id)") }
            return node
        }
        if !issued.insert(id).inserted { complain("\(what): node id \(id) was used before") }
        let node = Node(index: index, id: id, ino: ino, isDirectory: isDirectory)
        live[ino] = node
        return node
    }
    private func add(_ node: Node, _ place: Place) {
        node.names.insert(place)
        known[place] = node
        children[place.directory, default: 0] += 1
    }
    private func drop(_ place: Place) {
        guard let node = known.removeValue(forKey: place) else { return }
        node.names.remove(place)
        children[place.directory, default: 0] -= 1
        settle(place.directory)
    }
    /// Gone when neither the kernel nor a child needs it.
    private func settle(_ ino: UInt64) {
        guard ino != 1, let node = live[ino], node.lookups == 0, children[ino, default: 0] == 0 else { return }
        live[ino] = nil
        dead.append(node.id)
        for place in node.names { drop(place) }
    }

    func lookup(_ place: Place) throws(Errno) {
        guard let ino = disk[place], let parent = live[place.directory] else { return }
        let isDirectory = directories.contains(ino)
        var status = FileStatus()
        status.mode = isDirectory ? 0o040755 : 0o100644
        status.ino = ino
        let found = Found(layer: 1, status: status, ino: ino, nlink: 1)
        let index = try place.name.withRef { (n) throws(Errno) in
            try table.enter(parent.index, n, found, isIdentifiedByNumber: !isDirectory, mayHaveOtherNames: !isDirectory)
        }
        let node = adopt(index, ino, isDirectory: isDirectory, "lookup")
        if known[place] == nil { add(node, place) }
        node.lookups += 1
    }
    func create(_ place: Place, isDirectory: Bool) throws(Errno) {
        guard disk[place] == nil, let parent = live[place.directory] else { return }
        let ino = nextIno
        nextIno += 1
        disk[place] = ino
        if isDirectory { directories.insert(ino) }
        let index = try place.name.withRef { (n) throws(Errno) in
            try table.enterNew(parent.index, n, kind: isDirectory ? .directory : .regular, ino: ino)
        }
        let node = adopt(index, ino, isDirectory: isDirectory, "create")
        add(node, place)
        node.lookups = 1
    }
    func forget(_ ino: UInt64, _ count: UInt64) {
        guard ino != 1, let node = live[ino] else { return }
        let count = min(count, node.lookups)
        table.forget(node.index, count)
        node.lookups -= count
        settle(ino)
    }
    func remove(_ place: Place) {
        guard let ino = disk[place], let parent = live[place.directory] else { return }
        if directories.contains(ino), disk.keys.contains(where: { $0.directory == ino }) { return }
        disk[place] = nil
        let isGone = !disk.values.contains(ino)
        place.name.withRef { n in
            table.removed(parent.index, n, orphan: OwnedFD(adopting: -1), data: OwnedFD(adopting: -1), isGone: isGone)
        }
        drop(place)
    }
    func link(_ ino: UInt64, _ place: Place) throws(Errno) {
        guard disk[place] == nil, let node = live[ino], !node.isDirectory, !node.names.isEmpty,
            let parent = live[place.directory]
        else { return }
        disk[place] = ino
        try place.name.withRef { (n) throws(Errno) in try table.linked(node.index, parent.index, n) }
        add(node, place)
        node.lookups += 1
    }
    /// - Precondition: both places are known where they are on the disk, as an operation has looked them up.
    func rename(_ from: Place, _ to: Place) throws(Errno) {
        guard let ino = disk[from], known[from] != nil, let a = live[from.directory], let b = live[to.directory],
            from != to, disk[to] != ino,
            !isInside(to.directory, ino)
        else { return }
        if disk[to] != nil {
            remove(to)
            if disk[to] != nil { return }
        }
        disk[from] = nil
        disk[to] = ino
        try from.name.withRef { (n) throws(Errno) in
            try to.name.withRef { (m) throws(Errno) in try table.renamed(a.index, n, b.index, m) }
        }
        move(from, to)
    }
    func exchange(_ from: Place, _ to: Place) {
        guard let one = disk[from], let other = disk[to], one != other, known[from] != nil, known[to] != nil,
            let a = live[from.directory],
            let b = live[to.directory], !isInside(to.directory, one), !isInside(from.directory, other)
        else { return }
        disk[from] = other
        disk[to] = one
        from.name.withRef { n in to.name.withRef { m in table.exchanged(a.index, n, b.index, m) } }
        guard let first = known[from], let second = known[to] else { return }
        first.names.remove(from)
        second.names.remove(to)
        first.names.insert(to)
        second.names.insert(from)
        known[to] = first
        known[from] = second
    }
    private func move(_ from: Place, _ to: Place) {
        guard let node = known[from] else { return }
        add(node, to)
        known[from] = nil
        node.names.remove(from)
        children[from.directory, default: 0] -= 1
        settle(from.directory)
    }
    private func isInside(_ directory: UInt64, _ ino: UInt64) -> Bool {
        var at = directory
        while at != 1 {
            if at == ino { return true }
            guard let above = disk.first(where: { $0.value == at })?.key.directory else { return true }
            at = above
        }
        return false
    }

    /// Everything compared.
    func check() -> [String] {
        var all = complaints
        if table.count != live.count { all.append("\(table.count) live nodes in the table, \(live.count) expected") }
        if !table.isSettled { all.append("a node that is gone was not closed, or its index is lost") }
        for (ino, node) in live {
            do throws(Errno) {
                if try table.node(node.id) != node.index { all.append("node \(node.id) has moved") }
            } catch { all.append("node \(node.id) of \(ino) is \(error.text)") }
            let record = table[node.index]
            if record.ino != ino || record.lookups != node.lookups {
                all.append("node \(node.id): ino \(record.ino), \(record.lookups) lookups, not \(node.lookups)")
            }
            if record.children != UInt32(children[ino, default: 0]) {
                all.append("node \(node.id): \(record.children) children, not \(children[ino, default: 0])")
            }
        }
        for (place, node) in known {
            guard let parent = live[place.directory] else {
                all.append("a name below a node that is gone")
                continue
            }
            let child = place.name.withRef { n in table.child(parent.index, n) }
            if child != node.index { all.append("\(place.name): node \(String(describing: child)), not \(node.index)") }
        }
        for (place, _) in disk where known[place] == nil {
            guard let parent = live[place.directory] else { continue }
            if place.name.withRef({ n in table.child(parent.index, n) }) != nil {
                all.append("\(place.name) is known and should not be")
            }
        }
        for id in dead where (try? table.node(id)) != nil { all.append("the dead node \(id) is alive") }
        return all
    }
}

internal import GRDB
internal import Glibc
internal import LinuxSys

/// Taking away what nothing refers to.
extension Store {
    public struct Swept: Sendable {
        public var leftovers = 0, layers = 0, bytes: Int64 = 0
        /// What could not be removed, and why.
        public var kept: [String] = []
    }

    /// Leftovers of processes that died, directories without an entry, layers of no image. What somebody is making is
    /// left alone.
    @discardableResult public func sweep() throws(StoreError) -> Swept {
        var swept = Swept()
        let tmp = try open(.tmp)
        let doomed = try exclusively { () throws(StoreError) in
            let unused = try database.write { db in
                let rows = try Row.fetchAll(
                    db, sql: "SELECT id, diff_id, bytes FROM layer WHERE id NOT IN (SELECT layer_id FROM image_layer)")
                try db.execute(sql: "DELETE FROM layer WHERE id NOT IN (SELECT layer_id FROM image_layer)")
                return rows.map { (row: Row) -> Int64 in row["bytes"] }
            }
            swept.layers = unused.count
            swept.bytes = unused.reduce(0, +)
            let layers = try database.read { db in
                Set(try String.fetchAll(db, sql: "SELECT diff_id FROM layer").map { $0.replacing("sha256:", with: "") })
            }
            let containers = try database.read { db in Set(try String.fetchAll(db, sql: "SELECT id FROM container")) }
            let volumes = try database.read { db in Set(try String.fetchAll(db, sql: "SELECT name FROM volume")) }
            for (place, known) in [(Place.layers, layers), (.containers, containers), (.volumes, volumes)] {
                for name in try names(in: place) where !known.contains(name.description) {
                    try discard(name, of: place, into: tmp.fd)
                }
            }
            return try leftovers(tmp.fd)
        }
        for name in doomed {
            // One that does not go, as something is mounted in it, does not keep the others, nor whoever wanted
            // something else.
            do throws(Errno) {
                try DirectoryTree.remove(name, in: tmp.fd)
                swept.leftovers += 1
            } catch { swept.kept.append("tmp/\(name): \(error.text)") }
        }
        return swept
    }

    func names(in place: Place) throws(StoreError) -> [FileName] {
        let directory = try open(place)
        return try told("the store's \(place.rawValue)") { () throws(Errno) in try names(of: directory.fd) }
    }
    private func names(of directory: FD) throws(Errno) -> [FileName] {
        var names: [FileName] = []
        var reader = DirectoryReader(directory)
        try reader.forEach { (name, _, _) throws(Errno) in
            if !name.isDotOrDotDot { names.append(name.owned) }
            return true
        }
        return names
    }

    /// To where the next sweep finds it, by one rename. With the store's lock.
    func discard(_ name: FileName, of place: Place, into tmp: FD) throws(StoreError) {
        let directory = try open(place)
        let trash = FileName(StoreName.random())
        do throws(Errno) {
            try name.withRef { (n) throws(Errno) in
                try trash.withRef { (t) throws(Errno) in try directory.fd.rename(n, to: tmp, t) }
            }
        } catch {
            // Somebody has mounted something there: another time.
            if error != .noEntry && error != .busy {
                throw StoreError(error, doing: "\(place.rawValue)/\(name) of the store")
            }
        }
    }

    /// What is in `tmp` and nobody holds.
    private func leftovers(_ tmp: FD) throws(StoreError) -> [FileName] {
        try told("the store's tmp") { () throws(Errno) in
            try names(of: tmp).filter { name in
                do throws(Errno) {
                    let directory = try name.withRef { (n) throws(Errno) in try tmp.openDirectory(n) }
                    // What was a volume's or a container's may have anything under that name, and to open a device does
                    // something.
                    let place = try directory.fd.openPath(NameRef("lock"))
                    guard try place.fd.status().isRegular else { return true }
                    let lock = try place.fd.reopen(O_RDONLY | O_NONBLOCK)
                    try lock.fd.lockExclusively()
                    return true
                } catch { return error != .tryAgain }
            }
        }
    }
}
